"""Architectures: the topologies of Synaptic, networks of other libraries, and laws of all."""

import json
from functools import partial
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurograph as ng
from neurograph.architectures.reservoirs import spectral_radius
from neurograph.engines import ENGINES
from tests import replay
from tests.strategies import close

DATA = Path(__file__).parent / "data" / "synaptic"


def recorded(*stems):
    return [case for stem in stems for case in replay.cases(DATA / f"{stem}.json")]


# ---------------------------------------------------------------- LSTM, as Synaptic wires it

PEEPHOLES = {False: None, "ONE TO ONE": "one_to_one"}
OPTIONS = {
    "hiddenToHidden": "hidden_to_hidden",
    "outputToHidden": "output_to_hidden",
    "outputToGates": "output_to_gates",
    "inputToOutput": "input_to_output",
}


def lstm_of(case):
    """Our LSTM of the sizes and options of a recorded case."""
    told = case["description"].split()[1].rstrip(",")
    options = {
        OPTIONS[name]: value for name, value in case["options"].items() if name != "peepholes"
    }
    if "peepholes" in case["options"]:
        options["peepholes"] = PEEPHOLES[case["options"]["peepholes"]]
    return ng.lstm(*map(int, told.split("-")), **options, seed=0)


def topology(net):
    """Everything but the numbers; neurons by their place in the order."""
    place = {name: i for i, name in enumerate(net)}
    neurons = [(n.role, n.activation) for n in net.neurons]
    synapses = {
        (
            place[s.source],
            place[s.target],
            s.delay,
            s.reads,
            place.get(s.gater),
            s.gate_delay,
        )
        for s in net.synapses
    }
    return neurons, synapses


LSTMS = recorded("lstm_1", "lstm_2", "lstm_3", "lstm_stacked")


@pytest.mark.parametrize("case", LSTMS, ids=lambda case: case["name"])
def test_lstm_has_the_neurons_synapses_and_gates_of_synaptic(case):
    net, told = lstm_of(case), replay.build(case)[0]
    assert topology(net) == topology(told)
    assert net.plan().visits == tuple(net)
    for told, ours in zip(case["neurons"], net, strict=True):
        assert told["role"] == ("hidden" if "_gate" in ours or "cell" in ours else ours[:-2])


class OurReplay(replay.Replay):
    """A recorded case, in the network that an architecture of ours makes for it."""

    def __init__(self, case, build):
        self.build = build
        super().__init__(case, "walker")

    def start(self):
        self.net = self.build(self.case)
        self.net.rule, self.net.engine = "synaptic", self.engine
        self.net.relabel({name: i for i, name in enumerate(self.net)})
        self.net.biases = [n["bias"] for n in self.case["neurons"]]
        ends = [(c["from"], c["to"]) for c in self.case["connections"]]
        self.synapses = [self.net.edges[pair] for pair in ends]
        for s, c in zip(self.synapses, self.case["connections"], strict=True):
            s.weight = c["weight"]


@pytest.mark.parametrize("case", LSTMS, ids=lambda case: case["name"])
def test_lstm_learns_as_synaptic_does(case):
    errors = OurReplay(case, lstm_of).run()
    assert {"output", "weights", "biases", "states", "xtraces"} <= errors.keys()
    assert max(errors.values()) <= 1e-12, errors


def test_lstm_starts_as_synaptic_does():
    net = ng.lstm(2, 3, 4, 1, seed=0)
    for name, layer in net.layers.items():
        assert {n.bias for n in layer} == {1 if "gate" in name else 0}
    for s in net.synapses:
        carousel = s.source == s.target
        assert carousel == (s.weight == 1) == (not s.trainable) == (abs(s.weight) > 0.1)


@pytest.mark.parametrize(
    ("sizes", "options", "problem"),
    [
        ((2, 1), {}, "lstm takes three sizes or more, as lstm"),
        ((2, 3, 1), {"peepholes": "all"}, "peepholes must be one of 'all_to_all', 'one_to_one'"),
        ((2, 3, 1), {"hidden_to_hidden": "yes"}, "hidden_to_hidden must be True or False"),
        ((2, 3, 1), {"gate_bias": "1"}, "gate_bias must be a finite number"),
        ((2, 3, 1), {"gate_activation": "sigmoid"}, "unknown activation 'sigmoid'"),
    ],
)
def test_lstm_says_what_it_cannot_take(sizes, options, problem):
    with pytest.raises(ng.ParameterError, match=problem):
        ng.lstm(*sizes, **options)


# ---------------------------------------------------------------- GRU, as others compute it


def matrix(net, source, target):
    """Weights as PyTorch has them: a row for each target."""
    return np.array(
        [
            [net.edges[i, j].weight for i in net.layers[source].names]
            for j in net.layers[target].names
        ]
    )


def gradient(net, source, target):
    return np.array(
        [[net.edges[i, j].grad for i in net.layers[source].names] for j in net.layers[target].names]
    )


def biases(net, layer, what="bias"):
    return np.array([getattr(n, what) for n in net.layers[layer]])


def with_biases(net, seed=0):
    """The same network, with a bias for whatever can learn one."""
    rng = np.random.default_rng(seed)
    net.biases = [rng.uniform(-1, 1) if n.trainable else n.bias for n in net.neurons]
    return net


def logistic(s):
    return 1 / (1 + np.exp(-s))


def test_gru_computes_what_its_equations_say():
    net = with_biases(ng.gru(2, 3, 4, 2, output_activation="identity", seed=0))
    X = np.random.default_rng(1).normal(size=(5, 7, 2))
    below, x = "input", X
    for k in "12":
        parts = [f"{p}{k}" for p in ("reset_gate", "update_gate", "recurrence", "candidate")]
        W = {p: matrix(net, below, f"{p}{k}") for p in ("reset_gate", "update_gate", "candidate")}
        U = {
            p: matrix(net, f"hidden{k}", f"{p}{k}")
            for p in ("reset_gate", "update_gate", "recurrence")
        }
        b_r, b_z, b_q, b_n = (biases(net, part) for part in parts)
        h, states = np.zeros((5, len(b_r))), []
        for t in range(7):
            r = logistic(x[:, t] @ W["reset_gate"].T + h @ U["reset_gate"].T + b_r)
            z = logistic(x[:, t] @ W["update_gate"].T + h @ U["update_gate"].T + b_z)
            n = np.tanh(x[:, t] @ W["candidate"].T + b_n + r * (h @ U["recurrence"].T + b_q))
            h = (1 - z) * n + z * h
            states.append(h)
        below, x = f"hidden{k}", np.stack(states, 1)
    expected = x @ matrix(net, below, "output").T + biases(net, "output")
    assert close(net.forward(X), expected, 1e-12)


@pytest.mark.parametrize("hidden", [(3,), (3, 4)])
def test_gru_and_its_gradients_are_those_of_pytorch(hidden):
    torch = pytest.importorskip("torch")
    net = with_biases(ng.gru(2, *hidden, 2, output_activation="identity", seed=0))
    rng = np.random.default_rng(1)
    X, dY = rng.normal(size=(5, 7, 2)), rng.normal(size=(5, 7, 2))
    x = value = torch.tensor(X, requires_grad=True)
    below, cells = "input", []
    for k in [""] if len(hidden) == 1 else "12":
        gates = [f"reset_gate{k}", f"update_gate{k}"]
        W = np.concatenate([matrix(net, below, p) for p in (*gates, f"candidate{k}")])
        U = np.concatenate([matrix(net, f"hidden{k}", p) for p in (*gates, f"recurrence{k}")])
        b = np.concatenate([biases(net, p) for p in (*gates, f"candidate{k}")])
        zero = np.zeros(2 * U.shape[1])
        cell = torch.nn.GRU(W.shape[1], U.shape[1], batch_first=True, dtype=torch.float64)
        values = (W, U, b, np.concatenate([zero, biases(net, f"recurrence{k}")]))
        with torch.no_grad():
            for parameter, a in zip(cell.parameters(), values, strict=True):
                parameter.copy_(torch.tensor(a))
        value = cell(value)[0]
        cells.append((k, below, cell))
        below = f"hidden{k}"
    Y = value @ torch.tensor(matrix(net, below, "output").T) + torch.tensor(biases(net, "output"))
    assert close(net.forward(X), Y.detach().numpy(), 1e-10)
    Y.backward(torch.tensor(dY))
    net.backward(gradient=dY)
    assert close(net.input_gradient, x.grad.numpy(), 1e-10)
    for k, below, cell in cells:
        gates = [f"reset_gate{k}", f"update_gate{k}"]
        ours = (
            [gradient(net, below, p) for p in (*gates, f"candidate{k}")],
            [gradient(net, f"hidden{k}", p) for p in (*gates, f"recurrence{k}")],
            [biases(net, p, "grad") for p in (*gates, f"candidate{k}")],
            [biases(net, p, "grad") for p in (*gates, f"recurrence{k}")],
        )
        for parameter, found in zip(cell.parameters(), ours, strict=True):
            assert close(np.concatenate(found), parameter.grad.numpy(), 1e-10)


def test_lstm_of_pytorch_is_layers_and_gates():
    """Synaptic's block lacks a squashed input and an output that recurs; with both it is this."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    cell = torch.nn.LSTM(2, 3, batch_first=True, dtype=torch.float64)
    W, U, b, c = (p.detach().numpy() for p in cell.parameters())
    net = ng.Network(seed=0)
    x = net.add_layer("x", 2, role="input")
    parts = {
        name: net.add_layer(name, 3, activation="tanh" if name == "g" else "logistic")
        for name in "ifgo"
    }
    s = net.add_layer("s", 3, activation="tanh")
    h = net.add_layer("h", 3, role="output", activation="identity")
    for k, layer in enumerate(parts.values()):
        rows = slice(3 * k, 3 * k + 3)
        x.project(layer, weight=W[rows].T), h.project(layer, weight=U[rows].T, delay=1)
        for neuron, bias in zip(layer, (b + c)[rows], strict=True):
            neuron.bias = bias
    parts["i"].gate(parts["g"].project(s, "one_to_one", weight=1), "one_to_one")
    parts["f"].gate(s.project(s, "one_to_one", weight=1), "one_to_one")
    parts["o"].gate(s.project(h, "one_to_one", weight=1), "one_to_one")
    X = np.random.default_rng(1).normal(size=(5, 7, 2))
    Y = cell(torch.tensor(X))[0]
    assert close(net.forward(X), Y.detach().numpy(), 1e-10)
    Y.sum().backward()
    net.backward(gradient=np.ones(Y.shape))
    for found, parameter in (
        ([gradient(net, "x", p) for p in parts], cell.weight_ih_l0),
        ([gradient(net, "h", p) for p in parts], cell.weight_hh_l0),
        ([biases(net, p, "grad") for p in parts], cell.bias_ih_l0),
    ):
        assert close(np.concatenate(found), parameter.grad.numpy(), 1e-10)


# ---------------------------------------------------------------- NARX and reservoirs in NumPy


@pytest.mark.parametrize(("p", "q"), [(2, 3), (0, 1), (3, 0), (0, 0)])
def test_narx_computes_what_its_equation_says(p, q):
    net = with_biases(ng.narx(2, 4, 3, 2, input_memory=p, output_memory=q, seed=0))
    X = np.random.default_rng(1).normal(size=(6, 2))
    outputs = []
    for t in range(len(X)):
        memories = {f"input_memory{d}": X[t - d] for d in range(1, p + 1) if t >= d}
        memories |= {f"output_memory{d}": outputs[t - d] for d in range(1, q + 1) if t >= d}
        s = matrix(net, "input", "hidden1") @ X[t] + biases(net, "hidden1")
        s += sum((matrix(net, name, "hidden1") @ y for name, y in memories.items()), np.zeros(4))
        y = logistic(s)
        for below, layer in (("hidden1", "hidden2"), ("hidden2", "output")):
            y = logistic(matrix(net, below, layer) @ y + biases(net, layer))
        outputs.append(y)
    assert close(net.forward(X[None])[0], outputs, 1e-12)
    assert sum(not s.trainable for s in net.synapses) == 2 * (p + q)


def dense(net, source, target):
    """Weights, 0 where there is no synapse: a row for each source."""
    u, v = net.layers[source].names, net.layers[target].names
    return np.array([[net.edges[i, j].weight if net.has_edge(i, j) else 0 for j in v] for i in u])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"leak": 0.3, "bias_scaling": 0.5},
        {"feedback_scaling": 0.7, "input_to_output": False, "spectral_radius": 1.2},
        {"leak": 0.6, "feedback_scaling": 0.2, "density": 1, "output_activation": "tanh"},
    ],
)
def test_reservoir_computes_what_its_equations_say(options):
    net = ng.reservoir(2, 20, 3, seed=0, input_scaling=0.5, **options)
    units = "update" if "leak" in options else "reservoir"
    W, W_in = dense(net, "reservoir", units), dense(net, "input", units)
    radius = options.get("spectral_radius", 0.9)
    assert abs(np.abs(np.linalg.eigvals(W)).max() - radius) < 1e-10
    assert abs(np.count_nonzero(W) / 400 - options.get("density", 0.5)) < 0.15
    assert 0.4 < np.abs(W_in).max() <= 0.5
    feedback, a = dense(net, "output", units), options.get("leak", 1)
    assert feedback.any() == ("feedback_scaling" in options)
    assert np.abs(feedback).max() <= options.get("feedback_scaling", 0)
    assert biases(net, units).any() == ("bias_scaling" in options)
    g = np.tanh if "output_activation" in options else np.array
    X, r, y = np.random.default_rng(1).normal(size=(7, 2)), np.zeros(20), np.zeros(3)
    for x, found in zip(X, net.forward(X[None])[0], strict=True):
        r = (1 - a) * r + a * np.tanh(x @ W_in + r @ W + y @ feedback + biases(net, units))
        y = g(r @ dense(net, "reservoir", "output") + x @ dense(net, "input", "output"))
        assert close(found, y, 1e-12)
    learns = {(s.source.split(".")[0], s.target.split(".")[0]) for s in net.synapses if s.trainable}
    assert learns == {("reservoir", "output")} | (
        {("input", "output")} if "input_to_output" not in options else set()
    )
    assert {n.name for n in net.neurons if n.trainable} - set(net.outputs + net.inputs) == set()


def test_spectral_radius_of_large_matrices_is_that_of_all_eigenvalues():
    pytest.importorskip("scipy")
    for seed in range(3):
        W = np.random.default_rng(seed).normal(size=(150, 150))
        assert abs(spectral_radius(W, most_dense=100) / spectral_radius(W) - 1) < 1e-10


# ---------------------------------------------------------------- drawn at random


def places(net):
    return {name: i for i, name in enumerate(net)}


@given(data=st.data())
def test_liquid_has_what_was_asked_for(data):
    n = data.draw(st.integers(1, 6))
    many = data.draw(st.integers(0, n * n))
    gates = data.draw(st.integers(0, many))
    net = ng.liquid(2, n, 1, connections=many, gates=gates, seed=data.draw(st.integers(0, 99)))
    place = places(net)
    pool = [s for s in net.synapses if s.source in net.layers["hidden"].names]
    within = [s for s in pool if s.target not in net.outputs]
    assert len(within) == many
    assert len(net.synapses) == many + 3 * n
    gated = [s for s in net.synapses if s.gater is not None]
    assert len(gated) == gates
    for s in gated:
        assert s in within
        assert s.gater in net.layers["hidden"].names
        assert s.gate_delay == (place[s.gater] >= place[s.target])
    for s in net.synapses:
        assert s.delay == (place[s.source] >= place[s.target])
        assert s.trainable == (s.source != s.target)
    net.rule = "synaptic"  # which knows nothing but a sweep over the neurons in order
    net.activate([1, 0]), net.propagate(0.1, [1])


def liquid_of(case):
    """Our liquid without connections, given those that a recorded case has."""
    net, told = ng.liquid(2, 10, 2, connections=0, gates=0, seed=0), replay.build(case)[0]
    names = list(net)
    for s in told.synapses:
        if {s.source, s.target} <= set(range(2, 12)):
            gate = {} if s.gater is None else {"gater": names[s.gater], "gate_delay": s.gate_delay}
            net.add_synapse(names[s.source], names[s.target], delay=s.delay, **gate)
    assert topology(net) == topology(told)
    return net


@pytest.mark.parametrize("case", recorded("liquid"), ids=lambda case: case["name"])
def test_liquid_with_the_connections_of_synaptic_learns_as_it_does(case):
    errors = OurReplay(case, liquid_of).run()
    assert {"output", "weights", "biases", "states", "xtraces"} <= errors.keys()
    assert max(errors.values()) <= 1e-12, errors


@given(data=st.data())
def test_random_network_has_what_was_asked_for(data):
    n_in, n_hidden, n_out = (data.draw(st.integers(1, 4)) for _ in range(3))
    n = n_hidden + n_out
    least = max(n_in, n_out) + n_hidden
    most = n_in * n + n_hidden * (n_hidden - 1) // 2 + n_hidden * n_out
    asked = {
        "connections": data.draw(st.integers(least, most)),
        "back_connections": data.draw(st.integers(0, n * (n - 1) // 2)),
        "self_synapses": data.draw(st.integers(0, n)),
    }
    asked["gates"] = data.draw(st.integers(0, sum(asked.values())))
    net = ng.random_network(n_in, n_hidden, n_out, **asked, seed=data.draw(st.integers(0, 99)))
    place = places(net)
    kinds = [np.sign(place[s.target] - place[s.source]) for s in net.synapses]
    assert [kinds.count(k) for k in (1, -1, 0)] == list(asked.values())[:3]
    gated = [s for s in net.synapses if s.gater is not None]
    assert len(gated) == asked["gates"]
    assert all(s.gate_delay == (place[s.gater] >= place[s.target]) for s in gated)
    assert not {s.gater for s in gated} & set(net.inputs)
    assert not {s.target for s in net.synapses} & set(net.inputs)
    assert [s.delay for s in net.synapses] == [int(k < 1) for k in kinds]
    forward = nx.DiGraph(pair for pair, k in zip(net.edges, kinds, strict=True) if k == 1)
    assert not {u for u, _ in forward.edges} & set(net.outputs)
    for name in net:
        assert name in net.inputs or nx.ancestors(forward, name) & set(net.inputs)
        assert name in net.outputs or nx.descendants(forward, name) & set(net.outputs)
    assert net.plan().visits == tuple(net)


# ---------------------------------------------------------------- Hopfield, as recorded


@pytest.mark.parametrize("engine", ENGINES)
def test_hopfield_learns_and_recalls_as_synaptic_does(engine):
    case = json.loads((DATA / "hopfield.json").read_text())["cases"][0]
    net = ng.hopfield(10, seed=0)
    net.rule, net.engine = "synaptic", engine
    names = list(net)
    net.biases = [n["bias"] for n in case["neurons"]]
    assert len(case["connections"]) == len(net.synapses)
    for c in case["connections"]:
        net.edges[names[c["from"]], names[c["to"]]].weight = c["weight"]
    history = ng.architectures.learn(net, case["patterns"])
    assert len(history) == case["result"]["iterations"]
    for iteration, error in case["error_series"]:
        assert close(history.loss[iteration - 1], error, 1e-12)
    weights = [net.edges[names[c["from"]], names[c["to"]]].weight for c in case["connections"]]
    assert close(weights, case["final"]["weights"], 1e-12)
    assert close(net.biases, case["final"]["biases"], 1e-12)
    for told in case["feeds"]:
        assert close(net.predict(told["input"]), told["output"], 1e-12)
        assert ng.architectures.feed(net, told["input"]).tolist() == told["feed"]


def test_hopfield_says_what_it_cannot_take():
    net, learn = ng.hopfield(3, seed=0), ng.architectures.learn
    before = net.weights
    for patterns, options, error, problem in [
        ([[0, 1]], {}, ng.ShapeError, r"shape \(patterns, 3\), got \(1, 2\)"),
        ([0, 1, 1], {}, ng.ShapeError, "shape"),
        (np.zeros((0, 3)), {}, ng.ShapeError, "shape"),
        ([[0, 1, 2]], {}, ng.ParameterError, "0 and 1 only"),
        ([[0, 1, np.nan]], {}, ng.ParameterError, "0 and 1 only"),
        ([[0, 1, 1]], {"rate": "1"}, ng.ParameterError, "rate"),
        ([[0, 1, 1]], {"error": None}, ng.ParameterError, "error"),
        ([[0, 1, 1]], {"iterations": -1}, ng.ParameterError, "iterations"),
    ]:
        with pytest.raises(error, match=problem):
            learn(net, patterns, **options)
    with pytest.raises(ng.ParameterError, match="as many outputs as inputs"):
        learn(ng.perceptron(2, 3), [[0, 1]])
    assert (net.weights == before).all()
    assert len(learn(net, [[0, 1, 1]], iterations=4, error=0)) == 4


# ---------------------------------------------------------------- laws of all architectures

ARCHITECTURES = {
    "perceptron": partial(ng.perceptron, 2, 4, 3, 2),
    "lstm": partial(
        ng.lstm, 2, 3, 2, 2, hidden_to_hidden=True, output_to_hidden=True, output_to_gates=True
    ),
    "gru": partial(ng.gru, 2, 3, 2, 2),
    "narx": partial(ng.narx, 2, 3, 2, 2),
    "liquid": partial(ng.liquid, 2, 6, 2, connections=14, gates=7),
    "random_network": partial(
        ng.random_network, 2, 4, 2, back_connections=3, self_synapses=2, gates=4
    ),
    "reservoir": partial(ng.reservoir, 2, 6, 2, leak=0.5, feedback_scaling=0.5),
    "hopfield": partial(ng.hopfield, 2),
}
every_architecture = pytest.mark.parametrize("build", ARCHITECTURES.values(), ids=ARCHITECTURES)


def numbers(net):
    return [(s.source, s.target, dict(s)) for s in net.synapses], net.biases.tolist()


def lesson(net, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(3, 5, len(net.inputs))), rng.normal(size=(3, 5, len(net.outputs)))


@every_architecture
def test_an_architecture_is_layers_in_a_valid_order(build):
    net = build(seed=0)
    assert type(net) is ng.Network
    assert net.plan().visits == tuple(net)
    assert [name for layer in net.layers.values() for name in layer.names] == list(net)
    assert net.layers["input"].names == net.inputs == ["input.0", "input.1"]
    assert net.layers["output"].names == net.outputs == ["output.0", "output.1"]


@every_architecture
def test_a_seed_says_everything_about_an_architecture(build):
    assert numbers(build(seed=3)) == numbers(build(seed=3))
    assert numbers(build(seed=3)) == numbers(build(seed=np.random.default_rng(3)))
    assert numbers(build(seed=3)) != numbers(build(seed=4))
    assert numbers(build()) != numbers(build())


@every_architecture
def test_architectures_compute_the_same_on_every_engine_and_in_float32(build):
    net = with_biases(build(seed=0))
    X, dY = lesson(net)
    found = []
    for engine in ENGINES:
        found.append([net.forward(X, engine=engine)])
        net.backward(gradient=dY)
        found[-1] += [net.gradients, net.bias_gradients, net.input_gradient]
    for a, b in zip(*found, strict=True):
        assert close(a, b, 1e-12)
    twin, small = net.copy(), with_biases(build(seed=0, dtype="float32"))
    assert (twin.forward(X, engine=ENGINES[-1]) == found[-1][0]).all()
    assert list(twin.layers) == list(net.layers)
    assert small.dtype == np.float32
    assert close(small.forward(X), found[0][0], 1e-5)


@every_architecture
def test_gradients_of_architectures_equal_differences(build):
    net = with_biases(build(seed=0))
    X, dY = lesson(net)
    net.forward(X)
    net.backward(gradient=dY)
    handles = [(s, "weight", s.grad) for s in net.synapses]
    handles += [(n, "bias", n.grad) for n in net.neurons if n.role != "input"]
    for k in np.random.default_rng(0).choice(len(handles), min(20, len(handles)), replace=False):
        handle, name, gradient = handles[k]
        value, h = getattr(handle, name), 1e-5
        setattr(handle, name, value + h)
        above = (net.forward(X) * dY).sum()
        setattr(handle, name, value - h)
        difference = (above - (net.forward(X) * dY).sum()) / (2 * h)
        setattr(handle, name, value)
        assert abs(gradient - difference) <= 1e-6 * max(1, abs(difference)), handle


@every_architecture
def test_learning_leaves_the_frozen_parts_of_architectures_alone(build):
    net = build(seed=0)
    X, Y = lesson(net)
    frozen = [s for s in net.synapses if not s.trainable]
    fixed = [n for n in net.neurons if not n.trainable]
    before = [s.weight for s in frozen], [n.bias for n in fixed]
    rest = {s: s.weight for s in net.synapses if s.trainable}
    net.fit(X, Y, epochs=2)
    net.initialize("glorot_uniform")
    assert ([s.weight for s in frozen], [n.bias for n in fixed]) == before
    assert all(s.weight != w for s, w in rest.items())


@every_architecture
@pytest.mark.parametrize("wrong", [0, -1, 2.5, "3", None])
def test_bad_sizes_of_architectures_say_what_they_are(build, wrong):
    for i in range(len(build.args)):
        sizes = [*build.args[:i], wrong, *build.args[i + 1 :]]
        with pytest.raises(ng.ParameterError, match="layer.*got"):
            build.func(*sizes)


@every_architecture
def test_bad_options_of_architectures_say_what_they_are(build):
    net = build(seed=0, activation="softsign")
    assert "softsign" in {n.activation for n in net.neurons}
    with pytest.raises(ng.ParameterError, match="unknown activation 'sofsign'.*'softsign'"):
        build(activation="sofsign")
    with pytest.raises(ng.ParameterError, match="dtype must be"):
        build(dtype="float16")
    with pytest.raises(ng.ParameterError, match="seed must be"):
        build(seed=-1)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: ng.gru(2, 1), r"gru takes three sizes or more, as gru\(2, 8, 1\)"),
        (lambda: ng.narx(2, 1), "narx takes three sizes"),
        (lambda: ng.narx(2, 3, 1, input_memory=-1), "input_memory must be a whole number"),
        (lambda: ng.liquid(1, 3, 1, connections=10), "connections must be at most 9, got 10"),
        (lambda: ng.liquid(1, 3, 1, connections="9"), "connections must be a whole number"),
        (lambda: ng.liquid(1, 3, 1, connections=2, gates=3), "gates must be at most 2"),
        (lambda: ng.liquid(1, 3, 1, connections=-1), "connections must be a whole number"),
        (lambda: ng.random_network(2, 3, 1, connections=4), "connections must be 5 or more"),
        (lambda: ng.random_network(1, 1, 1, connections=4), "connections must be at most 3"),
        (lambda: ng.random_network(2, 3, 1, back_connections=7), "back_connections must be at most 6"),
        (lambda: ng.random_network(2, 3, 1, self_synapses=5), "self_synapses must be at most 4"),
        (lambda: ng.random_network(2, 3, 1, gates=99), "gates must be at most 8, one for each"),
        (lambda: ng.reservoir(1, 9, 1, leak=0), "leak must be above 0 and at most 1, got 0"),
        (lambda: ng.reservoir(1, 9, 1, density=1.1), "density must be above 0 and at most 1"),
        (lambda: ng.reservoir(1, 9, 1, spectral_radius=-1), "spectral_radius must be above 0, got"),
        (lambda: ng.reservoir(1, 9, 1, feedback_scaling="1"), "feedback_scaling must be a finite"),
        (lambda: ng.reservoir(1, 3, 1, density=0.01, seed=0), "form no cycle.*larger density"),
    ],
)  # fmt: skip
def test_architectures_say_what_they_cannot_build(make, problem):
    with pytest.raises(ng.ParameterError, match=problem):
        make()
