"""Architectures: the topologies of Synaptic, networks of other libraries, and laws of all."""

from pathlib import Path

import numpy as np
import pytest

import neurograph as ng
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
    for k, (_name, layer) in enumerate(parts.items()):
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
