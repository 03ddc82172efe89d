"""The first number that is not finite: the place named is the right one, and nothing changed.

The oracle computes the network once more from the graph alone, in plain Python numbers.
"""

import math
import pickle

import numpy as np
import pytest

import neurograph as ng

ENGINES = ["walker", "compiled"]
SEEDS = range(25)
BIG = 1e200  # two of them are too much


@ng.activation(derivative=np.exp, name="test_finite_exp")
def exponential(s):
    return np.exp(s)


FUNCTIONS = {
    "identity": (lambda s: s, lambda s: 1.0),
    "relu": (lambda s: max(s, 0.0), lambda s: float(s > 0)),
    "test_finite_exp": (lambda s: float(np.exp(s)),) * 2,
}


def generated(rng, activations=("identity",), spread=0.5):
    """A network with delays, memories, gates and a tie; every neuron is on a way to an output."""
    n_in, n_hidden, n_out = 2, int(rng.integers(2, 5)), 2
    net = ng.Network(seed=0)
    names = [f"n{i}" for i in range(n_in + n_hidden + n_out)]
    roles = ["input"] * n_in + ["hidden"] * n_hidden + ["output"] * n_out
    for name, role in zip(names, roles, strict=True):
        f = str(rng.choice(activations))
        net.add_neuron(name, role=role, activation=f, bias=rng.uniform(-spread, spread))
    n = len(names)
    for j in range(n_in, n):
        for i in rng.choice(j, size=min(j, 2), replace=False):
            delay = int(rng.integers(0, 3))
            weight = rng.uniform(-spread, spread)
            net.add_synapse(names[i], names[j], weight=weight, delay=delay)
        if rng.random() < 0.4:
            net.add_synapse(names[j], names[j], weight=rng.uniform(-spread, spread))
    for j in range(n_in, n - n_out):
        if not net.has_edge(names[j], names[-1]):
            net.add_synapse(names[j], names[-1], weight=rng.uniform(-spread, spread))
    synapses = list(net.synapses)
    for s in rng.choice(len(synapses), 2, replace=False):
        net.gate(names[int(rng.integers(n))], synapses[s], delay=1)
    net.tie([synapses[0], synapses[-1]])
    return net


class Oracle:
    """States, outputs, deltas and gradients of a run, sample by sample, from the graph alone."""

    def __init__(self, net, X, given=None):
        self.net, self.X = net, X
        self.order = list(net.plan().visits)
        self.s, self.y, self.d, self.x = {}, {}, {}, {}
        self.n_samples, self.n_steps = X.shape[:2]
        self.clear = True  # whether no order of products and sums changes what is finite
        with np.errstate(all="ignore"):
            for b in range(self.n_samples):
                for t in range(self.n_steps):
                    for j in self.order:
                        self.visit(b, t, j)
                for t in reversed(range(self.n_steps) if given is not None else ()):
                    for j in reversed(self.order):
                        self.back(b, t, j, given)

    def times(self, a, b, c):
        """a b c, and whether every order of the factors gives the same."""
        a, b, c = map(np.float64, (a, b, c))
        found = [(a * b) * c, a * (b * c), (a * c) * b]
        self.clear &= len({math.isfinite(value) for value in found}) == 1
        self.clear &= not 1e300 < abs(found[0]) < np.inf  # of which a few would be too much
        return found[0]

    def gain(self, synapse, b, t):
        late = synapse.get("gate_delay", 0)
        if "gater" not in synapse or t < late:
            return 1.0
        return self.y[b, t - late, synapse["gater"]]

    def passed(self, i, j, synapse, b, t):
        if i == j:
            return self.s.get((b, t - 1, j), 0.0)
        return self.y.get((b, t - synapse.get("delay", 0), i), 0.0)

    def visit(self, b, t, j):
        net = self.net
        if j in net.inputs:
            self.s[b, t, j], self.y[b, t, j] = 0.0, self.X[b, t, net.inputs.index(j)]
            return
        total = np.float64(net.nodes[j].bias)
        for i, _, synapse in net.in_edges(j, data=True):
            gain, x = self.gain(synapse, b, t), self.passed(i, j, synapse, b, t)
            total += self.times(gain, synapse.weight, x)
        self.s[b, t, j] = total
        self.y[b, t, j] = FUNCTIONS[net.nodes[j].activation][0](total)

    def back(self, b, t, j, given):
        net, epsilon, memory = self.net, np.float64(0), np.float64(0)
        for _, m, synapse in net.out_edges(j, data=True):
            u = t + (1 if j == m else synapse.get("delay", 0))
            if u < self.n_steps:
                term = self.times(self.gain(synapse, b, u), synapse.weight, self.d[b, u, m])
                if j == m:
                    memory += term
                else:
                    epsilon += term
        for i, m, synapse in net.edges(data=True):
            if synapse.get("gater") == j and t + 1 < self.n_steps:
                x = self.passed(i, m, synapse, b, t + 1)
                epsilon += self.times(synapse.weight, x, self.d[b, t + 1, m])
        if j in net.inputs:
            self.d[b, t, j], self.x[b, t, j] = 0.0, epsilon
            return
        if j in net.outputs:
            epsilon += given[b, t, net.outputs.index(j)]
        self.d[b, t, j] = FUNCTIONS[net.nodes[j].activation][1](self.s[b, t, j]) * epsilon + memory

    def bad(self, values):
        """Keys of what is not finite."""
        return {key for key, value in values.items() if not math.isfinite(value)}

    def first_forward(self):
        """(t, place in the order, b) of the first state or output that is not finite, or None."""
        wrong = self.bad(self.s) | self.bad(self.y)
        return min(((t, self.order.index(j), b) for b, t, j in wrong), default=None)

    def first_backward(self):
        """The same for δ and ∂L/∂x, the last step and neuron first."""
        wrong = self.bad(self.d) | self.bad(self.x)
        return min(((-t, -self.order.index(j), b) for b, t, j in wrong), default=None)

    def gradient(self, i, j):
        """∂L/∂w of one synapse, its tie left aside."""
        synapse = self.net.edges[i, j]
        with np.errstate(all="ignore"):
            return sum(
                self.times(
                    self.d[b, t, j], self.gain(synapse, b, t), self.passed(i, j, synapse, b, t)
                )
                for b in range(self.n_samples)
                for t in range(self.n_steps)
            )


def raw(net, kind, name):
    """The column that no check guards."""
    table = net._store.synapses if kind is ng.Synapse else net._store.neurons
    return table.array(name)


def everything(net):
    """Every number of a network, and what it keeps between steps."""
    tables = net._store.neurons, net._store.synapses
    found = {(k, name): table.array(name).copy() for k, table in enumerate(tables)
             for name in table.arrays}  # fmt: skip
    found |= {("online", name): array.copy() for name, array in net._online.fields.items()}
    return found | {"clock": net._online.clock.copy(), "updates": np.array(net._store.updates)}


def require_unchanged(before, net):
    after = everything(net)
    assert before.keys() <= after.keys()
    for key, value in before.items():
        assert np.array_equal(value, after[key], equal_nan=True), key


def untie(net):
    """Give every synapse a weight of its own."""
    for s in net.synapses:
        if s.tie is not None:
            net.untie(s)


def spoil(net, X, rng, how):
    """Put something into a network, or its inputs, that makes a number that is not finite."""
    net.plan()
    targets = [j for j in net if j not in net.inputs]
    bad = rng.choice([np.nan, np.inf, -np.inf])
    if how == "weight":
        edges = [e for e in net.edges if e[1] in targets]
        net.edges[edges[int(rng.integers(len(edges)))]].weight = 0.123456
        column = raw(net, ng.Synapse, "weight")
        column[column == 0.123456] = bad
    elif how == "bias":
        net.nodes[targets[int(rng.integers(len(targets)))]].bias = 0.123456
        column = raw(net, ng.Neuron, "bias")
        column[column == 0.123456] = bad
    else:  # overflow: of a product, or of an activation
        untie(net)
        net.weights = [w * (BIG if rng.random() < 0.3 else 1.0) for w in net.weights]
        X[int(rng.integers(len(X))), int(rng.integers(X.shape[1]))] = BIG


def case(seed, how, activations=("identity",)):
    """A generated network that is not finite somewhere, its inputs, and where by the oracle."""
    for attempt in range(100):
        rng = np.random.default_rng([seed, attempt])
        net = generated(rng, activations)
        X = rng.uniform(-1, 1, (3, 4, 2))
        spoil(net, X, rng, how)
        oracle = Oracle(net, X)
        if oracle.clear and oracle.first_forward() is not None:
            return net, X, oracle
    raise AssertionError("no case")


HOW = {
    "weight": ("weight", ("identity", "relu")),
    "bias": ("bias", ("identity", "relu")),
    "overflow": ("overflow", ("identity",)),
    "activation": ("overflow", ("identity", "test_finite_exp")),
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_names_the_first_neuron_that_is_not_finite(seed, how):
    net, X, oracle = case(seed, *HOW[how])
    t, place, b = oracle.first_forward()
    j = oracle.order[place]
    before = everything(net)
    for engine in ENGINES:
        with pytest.raises(ng.NonFiniteError) as caught:
            net.run(X, engine=engine)
        error = caught.value
        assert (error.step, error.neuron, error.sample) == (t, j, b)
        assert error.quantity == ("state" if not math.isfinite(oracle.s[b, t, j]) else "output")
        if error.quantity == "state":
            assert error.n_terms == 1 + net.in_degree(j)
        text = str(error)
        assert f"neuron {j!r} has state" in text and f"at step {t} of sample {b}" in text
        assert all(term.what in text for term in error.terms)
        require_unchanged(before, net)
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), repr(again.terms)) == (text, repr(error.terms))


def backward_case(seed):
    """A network whose run is finite, and whose way back is not."""
    for attempt in range(200):
        rng = np.random.default_rng([seed, attempt, 1])
        net = generated(rng, ("identity", "relu"))
        untie(net)
        net.weights = [w * (BIG if rng.random() < 0.3 else 1.0) for w in net.weights]
        X, given = rng.uniform(-1, 1, (3, 4, 2)), rng.uniform(-1, 1, (3, 4, 2))
        X *= 10.0 ** rng.choice([0, -200], X.shape)
        given[rng.random(given.shape) < 0.3] *= 1e150
        oracle = Oracle(net, X, given)
        edges = [e for e in net.edges if not math.isfinite(oracle.gradient(*e))]
        wrong = oracle.first_backward() or edges
        if oracle.clear and oracle.first_forward() is None and wrong:
            return net, X, given, oracle, edges
    raise AssertionError("no case")


@pytest.mark.parametrize("seed", range(100))
def test_a_way_back_names_the_first_number_that_is_not_finite(seed):
    net, X, given, oracle, edges = backward_case(seed)
    net.run(np.zeros((1, 1, 2)))
    net.backward(gradient=np.ones((1, 1, 2)))
    for engine in ENGINES:
        net.run(X, engine=engine)
        before = everything(net)
        with pytest.raises(ng.NonFiniteError) as caught:
            net.backward(gradient=given)
        error = caught.value
        found = oracle.first_backward()
        if found is not None:
            t, j = -found[0], oracle.order[-found[1]]
            assert (error.step, error.neuron, error.sample) == (t, j, found[2])
            reads = j in net.inputs
            assert error.quantity == ("input_gradient" if reads else "delta")
        else:
            assert error.quantity == "gradient" and error.synapse in edges
        assert not math.isfinite(error.value) and error.terms
        require_unchanged(before, net)
