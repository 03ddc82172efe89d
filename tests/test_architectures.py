"""Architectures: the topologies of Synaptic, networks of other libraries, and laws of all."""

from pathlib import Path

import numpy as np
import pytest

import neurograph as ng
from tests import replay

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
