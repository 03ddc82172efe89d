"""`net.merge(other)`: one network put into another."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import neurograph as ng
from tests.strategies import close, networks, sequences

MINE = st.integers(0, 99)
THEIRS = st.text("abc", min_size=1, max_size=3)


@st.composite
def chains(draw):
    """Two networks, the ports between them, and both merged."""
    first, second = draw(networks(names=MINE)), draw(networks(names=THEIRS))
    n = draw(st.integers(0, min(len(first.outputs), len(second.inputs))))
    outputs, inputs = draw(st.permutations(first.outputs)), draw(st.permutations(second.inputs))
    ports = dict(zip(outputs[:n], inputs[:n], strict=True))
    merged = first.copy()
    names = merged.merge(second, ports)
    return first, second, ports, merged, names


def everything(net):
    """What a network is, without objects."""
    return (
        [(n.name, dict(n)) for n in net.neurons],
        [(s.source, s.target, dict(s)) for s in net.synapses],
        net.inputs,
        net.outputs,
        {name: layer.names for name, layer in net.layers.items()},
    )


@given(data=st.data())
def test_a_merged_network_is_one_after_the_other(data):
    first, second, ports, merged, _ = data.draw(chains())
    X = data.draw(sequences(first))
    new = [name for name in second.inputs if name not in ports.values()]
    extra = np.random.default_rng(0).uniform(-1, 1, (*X.shape[:2], len(new)))
    Y = first.forward(X)
    assume(np.abs(Y).max(initial=0) < 1e3)
    driven = {theirs: Y[..., first.outputs.index(ours)] for ours, theirs in ports.items()}
    given_to = driven | {name: extra[..., i] for i, name in enumerate(new)}
    Z = second.forward(np.stack([given_to[name] for name in second.inputs], -1))
    kept = [i for i, name in enumerate(first.outputs) if name not in ports]
    found = merged.forward(np.concatenate([X, extra], -1))
    assert close(found, np.concatenate([Y[..., kept], Z], -1), 1e-12)

    dY, dZ = (np.random.default_rng(1).normal(size=a.shape) for a in (Y[..., kept], Z))
    merged.backward(gradient=np.concatenate([dY, dZ], -1))
    second.backward(gradient=dZ)
    through = np.zeros(Y.shape)
    through[..., kept] = dY
    for ours, theirs in ports.items():
        column = second.input_gradient[..., second.inputs.index(theirs)]
        through[..., first.outputs.index(ours)] = column
    assume(np.abs(through).max(initial=0) < 1e3)
    first.backward(gradient=through)
    assert close(merged.input_gradient[..., : X.shape[-1]], first.input_gradient, 1e-10)
    for s in first.synapses:
        assert close(merged.edges[s.source, s.target].grad, s.grad, 1e-10)
    name = {theirs: ours for ours, theirs in ports.items()}
    for s in second.synapses:
        if s.target not in name:
            ours = merged.edges[name.get(s.source, s.source), s.target]
            assert close(ours.grad, s.grad, 1e-10)
    for n in second.neurons:
        if n.name not in name:
            assert close(merged.nodes[n.name].grad, n.grad, 1e-10)


@given(data=st.data())
def test_merging_leaves_the_other_network_alone_and_copies_all_of_it(data):
    first, second = data.draw(networks(names=MINE)), data.draw(networks(names=THEIRS))
    for n in second.neurons:
        n["colour"] = f"of {n.name}"
    next(iter(second.synapses))["length"] = 3
    next(iter(second.synapses)).trainable = False
    before, own = everything(second), everything(first)
    names = first.merge(second)
    assert everything(second) == before
    assert list(names) == list(names.values()) == list(second)
    neurons, synapses, inputs, outputs, _ = everything(first)
    n, m = len(own[0]), len(own[1])
    assert (neurons[:n], synapses[:m]) == own[:2]
    assert [(a, dict(b, port=0)) for a, b in neurons[n:]] == [
        (a, dict(b, port=0)) for a, b in before[0]
    ]
    for (*ends, ours), (*told, theirs) in zip(synapses[m:], before[1], strict=True):
        assert ends == told
        assert {**ours, "tie": 0} == {**theirs, "tie": 0}
    assert (inputs, outputs) == (own[2] + before[2], own[3] + before[3])
    tied = second._store.synapses.ties.groups()
    ours = first._store.synapses.ties.groups()
    assert [len(ids) for ids in ours[len(ours) - len(tied) :]] == [len(ids) for ids in tied]


def test_names_and_layers_get_the_prefix():
    net, other = ng.perceptron(2, 3, 2, seed=0), ng.perceptron(2, 4, 1, seed=1)
    ports = dict(zip(net.outputs, other.inputs, strict=True))
    names = net.merge(other, ports, prefix="b.")
    assert names["input.0"] == "output.0"
    assert names["hidden.3"] == "b.hidden.3"
    assert list(net.layers) == ["input", "hidden", "output", "b.hidden", "b.output"]
    assert net.layers["b.hidden"].names == [f"b.hidden.{i}" for i in range(4)]
    assert net.outputs == ["b.output.0"]
    assert net.nodes["output.0"].role == "hidden"
    net.layers["input"].project(net.layers["b.output"])
    net.merge(net, {"b.output.0": "input.0"}, prefix="c.")  # a network can be put into itself
    assert net.inputs == ["input.0", "input.1", "c.input.1"]
    assert net.layers["c.input"].names == ["b.output.0", "c.input.1"]
    net.plan()


def test_twice_the_same_network_is_tied_within_each_copy_only():
    other = ng.perceptron(2, 2, 1, seed=0)
    other.tie(other.layers["input"][0].outgoing)
    net = ng.Network(seed=0)
    for prefix in "ab":
        net.merge(other, prefix=prefix)
    ties = [{s.source for s in net.synapses if s.tie == label} for label in
            {s.tie for s in net.synapses if s.tie}]  # fmt: skip
    assert sorted(map(sorted, ties)) == [["ainput.0"], ["binput.0"]]


def test_an_input_can_be_shared_and_gates_come_along():
    net, other = ng.perceptron(2, 1, seed=0), ng.lstm(2, 2, 1, seed=0)
    other.gate("input.0", other.edges["input.1", "output.0"])
    net.merge(other, {"input.0": "input.1", "output.0": "input.0"}, prefix="b.")
    assert net.inputs == ["input.0", "input.1"]
    assert net.nodes["input.0"].role == "input"
    assert net.edges["input.0", "b.output.0"].gater == "output.0"
    cell = net.edges["b.cell.1", "b.cell.1"]
    assert (cell.gater, cell.trainable, cell.weight) == ("b.forget_gate.1", False, 1)


def lost_gater():
    other = ng.lstm(2, 2, 1)
    other.relabel({n: f"b.{n}" for n in other})
    other.layers.clear()
    other.remove_node("b.forget_gate.0")
    return other


@pytest.mark.parametrize(
    ("merge", "problem"),
    [
        (lambda net: net.merge(nx.DiGraph()), "merge takes another network"),
        (lambda net: net.merge(net.subgraph(["input.0"])), "read-only view"),
        (lambda net: net.merge(ng.perceptron(2, 1)), "a neuron 'input.0' in both networks: say prefix="),
        (lambda net: net.merge(net, [("a", "b")], prefix="b"), "ports must map neurons"),
        (lambda net: net.merge(net, {"out.0": "input.0"}, prefix="b"), "no neuron 'out.0' in this"),
        (lambda net: net.merge(net, {"output.0": "in.0"}, prefix="b"), "ports: in the other network, no neuron 'in.0'"),
        (lambda net: net.merge(net, {"output.0": "hidden.0"}, prefix="b"), "'hidden.0' of the other network is no input"),
        (
            lambda net: net.merge(net, {"output.0": "input.0", "output.1": "input.0"}, prefix="b"),
            "input 'input.0' of the other network is driven twice, by 'output.0' and 'output.1'",
        ),
        (lambda net: net.merge(ng.Network([(1, "1")]), prefix="b"), "one name to two neurons"),
        (lambda net: net.merge(lost_gater()), "gated by 'b.forget_gate.0', which was removed"),
    ],
)  # fmt: skip
def test_a_merge_that_cannot_be_changes_nothing(merge, problem):
    net = ng.perceptron(2, 3, 2, seed=0)
    before = everything(net)
    with pytest.raises(ng.NeurographError, match=problem):
        merge(net)
    assert everything(net) == before


def test_a_layer_of_that_name_or_a_number_too_large_changes_nothing():
    net, other = ng.perceptron(2, 3, 2, seed=0, dtype="float32"), ng.perceptron(2, 3, 2)
    other.relabel({n: f"b.{n}" for n in other})
    before = everything(net)
    with pytest.raises(ng.ParameterError, match="a layer 'input' in both networks"):
        net.merge(other)
    other.edges["b.hidden.2", "b.output.1"].weight = 1e200
    with pytest.raises(ng.ParameterError, match="weight is too large for float32"):
        net.merge(other, prefix="b.")
    with pytest.raises(nx.NetworkXError, match="[Ff]rozen"):
        nx.freeze(net).merge(ng.perceptron(1, 1), prefix="c.")
    assert everything(net) == before
