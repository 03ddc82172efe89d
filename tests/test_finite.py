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


# ---------------------------------------------------------------- data


def plain(dtype="float64", **options):
    return ng.perceptron(2, 3, 1, seed=0, dtype=dtype, **options)


X4, Y4 = np.linspace(-1, 1, 8).reshape(4, 2), np.array([[0.0], [1], [1], [0]])


def with_value(array, place, value):
    found = np.array(array, float)
    found[place] = value
    return found


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bad_data_are_named_by_row_and_column(value):
    net = plain()
    net.forward(X4)
    before, bad = everything(net), with_value(X4, (2, 1), value)
    sequence = with_value(np.zeros((3, 2, 2)), (1, 1, 0), value)
    for call, place in (
        (lambda: net.run(bad), ("X", 2, 0, 1)),
        (lambda: net.predict(bad), ("X", 2, 0, 1)),
        (lambda: net.fit(bad, Y4), ("X", 2, 0, 1)),
        (lambda: net.run(sequence), ("X", 1, 1, 0)),
        (lambda: net.activate(bad[2]), ("X", None, None, 1)),
        (lambda: net.stepper(0.1)(bad[2].tolist(), [1]), ("X", None, None, 1)),
        (lambda: net.learn(bad, Y4, 0.1), ("X", None, 2, 1)),
        (lambda: net.fit(bad, Y4, rule="lstm-g"), ("X", 2, 0, 1)),
        (lambda: net.backward(gradient=with_value(Y4, (3, 0), value)), ("gradient", 3, 0, 0)),
        (
            lambda: net.fit(X4, Y4, sample_weight=with_value(np.ones(4), 2, value)),
            ("sample_weight", 2, None, None),
        ),
        *(
            ()
            if np.isnan(value)  # not asked
            else (
                (lambda: net.backward(with_value(Y4, (3, 0), value)), ("target", 3, 0, 0)),
                (lambda: net.fit(X4, with_value(Y4, (3, 0), value)), ("target", 3, 0, 0)),
                (lambda: net.learn(X4, with_value(Y4, (3, 0), value), 0.1), ("target", None, 3, 0)),
            )
        ),
    ):
        with pytest.raises(ng.NonFiniteError) as caught:
            call()
        error = caught.value
        assert (error.quantity, error.sample, error.step, error.column) == place
        assert f"{value}" in str(error)
        after = everything(net)
        assert all(np.array_equal(before[key], after[key], equal_nan=True) for key in before)
    for call in (
        lambda: setattr(net, "weights", with_value(net.weights, 4, value)),
        lambda: setattr(net, "biases", with_value(net.biases, 3, value)),
    ):
        with pytest.raises(ng.ParameterError, match="input.1' -> 'hidden.1'|'hidden.1'"):
            call()
    require_unchanged({k: v for k, v in before.items() if k in everything(net)}, net)


# ---------------------------------------------------------------- fit


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "optimizer",
    [ng.SGD(0.1), ng.Momentum(0.1), ng.Adam(0.1), ng.AdamW(0.1), ng.RMSprop(0.01), ng.Rprop(0.01),
     ng.SGD(0.1, clip_value=1.0), ng.Adam(0.1, clip_norm=1.0)],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("what", ["state", "gradient"])
def test_fit_names_epoch_batch_and_sample_and_goes_back(engine, optimizer, size, what):
    rng = np.random.default_rng(size)
    X, Y = rng.uniform(-1, 1, (9, 2)), rng.uniform(size=(9, 1))
    net = plain(activation="identity", output_activation="identity")
    row = 7
    if what == "state":
        into = net.edges["input.0", "hidden.0"]
        into.weight, into.trainable = BIG, False
        X, Y = np.zeros((9, 3, 2)), np.repeat(Y[:, None], 3, 1)
        X[row, 1, 0] = BIG
    else:
        X[row], Y[row] = 1e155, 1e-3
    epochs = 2 if what == "state" else 1
    twin = net.copy()
    net.engine = twin.engine = engine
    options = {"batch_size": size, "optimizer": optimizer, "shuffle": False}
    with pytest.raises(ng.NonFiniteError) as caught:
        net.fit(X, Y, epochs=epochs, **options)
    error, batch = caught.value, row // size
    assert (error.epoch, error.batch, error.update) == (0, batch, batch)
    if what == "state":
        assert (error.neuron, error.sample, error.step) == ("hidden.0", row, 1)
    elif error.sample is not None:
        assert error.sample == row
    assert f"in batch {batch} of epoch 0" in str(error) and error.terms
    twin.fit(X[: batch * size], Y[: batch * size], **options)
    a, b = everything(net), everything(twin)
    for key in a:
        if key[1] not in ("state", "output", "delta", "gain"):
            assert np.array_equal(a[key], b[key]), key


@pytest.mark.parametrize("engine", ENGINES)
def test_an_update_names_the_parameter_that_it_makes_infinite(engine):
    net = plain(activation="identity", output_activation="identity")
    net.engine = engine
    net.forward(X4[:1])
    net.backward(Y4[:1])
    grads, before = net.gradients, everything(net)
    rate = 1.7e308
    with np.errstate(over="ignore"):
        new = net.weights - rate * 50 * grads
    with pytest.raises(ng.NonFiniteError, match="training diverged: the update makes") as caught:
        net.fit(X4[:1], [[Y4[0, 0] * 50 - 49 * net.predict(X4[:1])[0, 0]]],
                optimizer=ng.SGD(rate), batch_size=1)  # fmt: skip
    error = caught.value
    edges = dict(zip(net.edges, new, strict=True))
    if error.synapse is not None:
        assert not math.isfinite(edges[error.synapse])
    assert error.quantity in ("weight", "bias") and error.terms
    require_unchanged(before, net)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_an_optimizer_keeps_has_to_be_finite_too(engine):
    net = ng.perceptron(1, 1, activation="identity", output_activation="identity", seed=0)
    net.engine = engine
    before = everything(net)
    for optimizer, kept in ((ng.Adam(1e-3), "square"), (ng.RMSprop(1e-3), "square")):
        with pytest.raises(ng.NonFiniteError) as caught:
            net.fit([[1e100]], [[1e100]], optimizer=optimizer)
        assert caught.value.quantity == kept
    with pytest.raises(ng.NonFiniteError, match="norm of the gradient is inf"):
        net.fit([[1e100]], [[1e100]], optimizer=ng.SGD(1e-300, clip_norm=1.0))
    require_unchanged(before, net)


def test_validation_and_held_out_samples_have_the_numbers_that_the_user_gave():
    net = plain()
    X, Y = np.zeros((10, 2)), np.zeros((10, 1))
    X[9] = [1e308, 1e308]
    net.weights = [1e3] * len(net.weights)
    with pytest.raises(ng.NonFiniteError) as caught:
        net.fit(X, Y, validation=0.2, shuffle=False)
    assert caught.value.sample == 9
    order = np.random.default_rng(5)
    X = order.permutation(X)
    with pytest.raises(ng.NonFiniteError) as caught:
        net.fit(X, Y, validation=0.3, batch_size=2)
    assert caught.value.sample == int(np.argmax(X[:, 0]))


def test_lbfgs_goes_back_to_its_last_iteration():
    net = plain(activation="identity", output_activation="identity")
    net.plan()  # which arranges the rows
    before = everything(net)
    with pytest.raises(ng.NonFiniteError):
        net.fit(X4 * 1e154, Y4, epochs=5, optimizer=ng.LBFGS())
    require_unchanged(before, net)


# ---------------------------------------------------------------- online

RULES = ["lstm-g", "rtrl", ng.BPTT(4), "synaptic"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_an_online_step_names_the_neuron_and_changes_nothing(engine, rule, seed):
    net, X, oracle = case(seed, "overflow")
    if rule == "synaptic":  # which has an order of its own
        net, X, oracle = ng.lstm(2, 2, 1, seed=seed), np.zeros((1, 3, 2)), None
        net.weights = [BIG] * net.number_of_edges()
        X[0, 2] = BIG
    net.rule, net.engine = rule, engine
    wrong = None
    for t, x in enumerate(X[0]):
        before = everything(net)
        try:
            net.activate(x)
        except ng.NonFiniteError as error:
            wrong = t, error
            break
    alone = Oracle(net, X[:1]).first_forward() if oracle else None
    if oracle is None or alone is not None:
        t, error = wrong
        assert error.step == t and error.neuron in net and error.terms
        require_unchanged(before, net)
    if alone is not None:
        assert (error.step, error.neuron) == (alone[0], oracle.order[alone[1]])
        twin = net.copy()
        twin.reset_state()
        with pytest.raises(ng.NonFiniteError) as caught:
            twin.learn(X[0], np.full((4, 2), np.nan), 0.1)
        assert (caught.value.step, caught.value.neuron) == (error.step, error.neuron)
        assert np.array_equal(twin._online.fields["s"], net._online.fields["s"])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_propagate_names_what_diverged_and_changes_nothing(engine, rule):
    net = plain(activation="identity", output_activation="identity")
    net.rule, net.engine = rule, engine
    net.activate([0.5, 0.25])
    net.propagate(0.0, [1.0])
    before = everything(net)
    with np.errstate(over="ignore"):
        bad = [e for e, w, g in zip(net.edges, net.weights, net.gradients, strict=True)
               if not np.isfinite(w - 1.7e308 * (g * 1e10))]  # fmt: skip
    error_now = net.activate([0.5, 0.25])[0] - 1.0
    before = everything(net)
    with pytest.raises(ng.NonFiniteError) as caught:
        net.propagate(1.7e308, [error_now * -1e10])
    error = caught.value
    assert error.step == 1 and error.terms and "as it was before propagate" in str(error)
    assert error.synapse in bad or error.neuron in net
    require_unchanged(before, net)
    step = net.copy().stepper(1.7e308)
    with pytest.raises(ng.NonFiniteError) as caught:
        step([0.5, 0.25], [error_now * -1e10])
    assert caught.value.step == 2
    net.edges["input.0", "hidden.0"].weight = 1e200
    net.edges["hidden.0", "output.0"].weight = 1e200
    net.activate([0.0, 0.0])
    before = everything(net)
    with pytest.raises(ng.NonFiniteError) as caught:
        net.propagate(0.1, [1e150])
    assert not math.isfinite(caught.value.value) and caught.value.step == 2
    assert rule == "rtrl" or caught.value.neuron == "hidden.0"
    require_unchanged(before, net)


@pytest.mark.parametrize("engine", ENGINES)
def test_fit_by_a_rule_names_epoch_sample_and_step(engine):
    net = plain(activation="identity", output_activation="identity")
    X, Y = np.zeros((5, 3, 2)), np.zeros((5, 3, 1))
    X[3, 1], net.edges["input.0", "hidden.0"].weight = BIG, BIG
    with pytest.raises(ng.NonFiniteError) as caught:
        net.fit(X, Y, rule="lstm-g", epochs=2, optimizer=ng.SGD(1e-3), engine=engine)
    error = caught.value
    assert (error.epoch, error.sample, error.step, error.neuron) == (0, 3, 1, "hidden.0")
