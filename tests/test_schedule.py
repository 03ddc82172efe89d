"""The scheduler: valid orders, levels, errors that mend, and what print(plan) says."""

import dataclasses
import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurograph as ng
from neurograph.cycles import feedback_arcs, shortest_cycle
from neurograph.schedule import NONE, arrange
from neurograph.wiring import Wiring
from tests.strategies import networks


def wiring(n, arcs, **more):
    source, target = np.array(arcs, int).reshape(-1, 2).T
    e = len(arcs)
    return Wiring(
        n_neurons=n,
        source=source,
        target=target,
        **{
            "delay": np.zeros(e, int),
            "reads_state": np.zeros(e, bool),
            "gater": np.full(e, -1),
            "gate_delay": np.zeros(e, int),
            "activation": np.zeros(n, int),
            "activations": ("logistic",),
            "inputs": np.empty(0, int),
            "outputs": np.empty(0, int),
            "ties": [],
            "names": list(range(n)),
            **more,
        },
    )


dags = st.integers(1, 8).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.permutations(range(n)),
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=20, unique=True),
    )
)


@given(dag=dags)
def test_order_and_levels_of_a_dag(dag):
    n, order, pairs = dag
    arcs = [(order[i], order[j]) for i, j in pairs if i < j]
    plan = arrange(wiring(n, arcs))
    place = {int(neuron): p for p, neuron in enumerate(plan.neuron)}
    assert all(place[u] < place[v] for u, v in arcs)
    graph = nx.DiGraph(arcs)
    graph.add_nodes_from(range(n))
    for level, nodes in enumerate(nx.topological_generations(graph)):
        assert {int(plan.level[place[v]]) for v in nodes} == {level}
    if all(u < v for u, v in arcs):  # the order of insertion is valid, so it is the order
        assert plan.neuron.tolist() == list(range(n))
    else:  # ties within a level go to the order of insertion
        assert sorted(place, key=place.get) == sorted(
            range(n), key=lambda v: (plan.level[place[v]], v)
        )


@given(net=networks())
def test_plan_holds_the_whole_structure(net):
    plan = net.plan()
    ng.check(plan)
    found = set()
    names = [plan.name(j) for j in range(plan.n_neurons)]
    for e in range(plan.n_synapses + plan.n_memories):
        gate = None
        if plan.gater.size and plan.gater[e] != NONE:
            gate = names[plan.gater[e]], plan.gate_delay[e]
        if e < plan.n_synapses:
            u, v, delay, reads = plan.source[e], plan.target[e], plan.delay[e], "output"
        else:
            u = v = plan.cell[e - plan.n_synapses]
            delay, reads = 1, "state"
        found.add((names[u], names[v], int(delay), reads, gate))
    expected = set()
    for s in net.synapses:
        reads = s.reads if s.source == s.target else "output"
        gate = None if s.gater is None else (s.gater, s.gate_delay)
        expected.add((s.source, s.target, s.delay, reads, gate))
    assert found == expected
    assert [names[j] for j in plan.inputs] == net.inputs
    assert [names[j] for j in plan.outputs] == net.outputs
    assert [plan.activations[c] for c in plan.activation] == [
        net.nodes[n].activation for n in names
    ]


@given(net=networks())
def test_rows_of_the_store_are_in_plan_order(net):
    plan = net.plan()
    weights, biases = net._store.synapses.array("weight"), net._store.neurons.array("bias")
    for e in range(plan.n_synapses):
        pair = plan.name(plan.source[e]), plan.name(plan.target[e])
        assert weights[e] == net.edges[pair].weight
    for j in range(plan.n_neurons):
        assert biases[j] == net.nodes[plan.name(j)].bias


def test_plan_is_kept_until_the_structure_changes():
    net = ng.perceptron(2, 3, 1, seed=0)
    plan = net.plan()
    net.weights = net.weights + 1
    net.edges["input.0", "hidden.0"].weight = 3
    net.nodes["hidden.0"].bias = 3
    net.nodes["hidden.0"]["note"] = "mine"
    net.nodes["hidden.0"].trainable = False
    assert net.plan() is plan
    edits = [
        lambda: setattr(net.edges["input.0", "hidden.0"], "delay", 2),
        lambda: setattr(net.nodes["hidden.0"], "activation", "tanh"),
        lambda: net.gate("input.0", net.edges["input.1", "hidden.0"]),
        lambda: setattr(net.edges["input.1", "hidden.0"], "gate_delay", 1),
        lambda: net.ungate(net.edges["input.1", "hidden.0"]),
        lambda: net.add_synapse("input.0", "output.0"),
        lambda: net.remove_edge("input.0", "output.0"),
        lambda: setattr(net, "inputs", ["input.1", "input.0"]),
        lambda: net.tie([net.edges["input.0", "hidden.0"], net.edges["input.0", "hidden.1"]]),
        lambda: net.untie(net.edges["input.0", "hidden.0"]),
        lambda: net.relabel({"hidden.0": "h"}),
        lambda: net.remove_node("h"),
    ]
    for edit in edits:
        edit()
        assert net.plan() is not plan
        plan = net.plan()


def test_plan_is_frozen():
    plan = ng.perceptron(1, 1, seed=0).plan()
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.n_neurons = 3
    with pytest.raises(ValueError, match="read-only"):
        plan.source[0] = 0


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("source", lambda p: p.source[::-1] * 0 + 99),
        ("indptr", lambda p: p.indptr[::-1]),
        ("delay", lambda p: p.delay[1:]),
        ("neuron", lambda p: p.neuron * 0),
        ("out_synapse", lambda p: p.out_synapse[::-1]),
        ("memory", lambda p: p.memory * 0),
        ("level", lambda p: p.level * 0),
        ("activation", lambda p: p.activation + 9),
        ("history", lambda p: 0),
        ("gater", lambda p: p.gater * 0),
        ("gated_indptr", lambda p: p.gated_indptr * 0),
        ("inputs", lambda p: np.concatenate([p.inputs, p.inputs])),
        ("outputs", lambda p: p.inputs),
        ("tie_synapse", lambda p: np.concatenate([p.tie_synapse, p.tie_synapse])),
    ],
)
def test_check_finds_a_plan_that_is_not_valid(field, change):
    net = ng.perceptron(2, 3, 1, seed=0)
    net.add_synapse("hidden.0", "hidden.0", weight=0.5)
    net.add_synapse("output.0", "hidden.0", delay=2)
    net.gate("hidden.1", net.edges["hidden.0", "output.0"])
    net.tie([net.edges["input.0", "hidden.0"], net.edges["input.1", "hidden.0"]])
    plan = net.plan()
    with pytest.raises(ng.ParameterError, match="not a valid plan: it must be that"):
        ng.check(dataclasses.replace(plan, **{field: change(plan)}))


# ---------------------------------------------------------------- cycles

digraphs = st.integers(2, 6).flatmap(
    lambda n: st.lists(
        st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)),
        min_size=1,
        max_size=14,
        unique=True,
    )
)


@given(arcs=digraphs)
def test_shortest_cycle_is_a_shortest_cycle(arcs):
    source, target = np.array(arcs).T
    cycle = shortest_cycle(source, target)
    lengths = [len(c) for c in nx.simple_cycles(nx.DiGraph(arcs))]
    assert len(cycle) == min(lengths, default=0)
    for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True):
        assert target[a] == source[b]


@given(arcs=digraphs)
def test_feedback_arcs_break_every_cycle_with_few_arcs(arcs):
    source, target = np.array(arcs).T
    found = feedback_arcs(source, target)
    kept = [arc for i, arc in enumerate(arcs) if i not in found]
    assert nx.is_directed_acyclic_graph(nx.DiGraph(kept))
    nodes = sorted({n for arc in arcs for n in arc})
    best = min(
        sum(order.index(u) >= order.index(v) for u, v in arcs)
        for order in itertools.permutations(nodes)
    )
    assert best <= len(found) <= best + 1


def test_feedback_arcs_never_break_what_is_no_cycle():
    graph = nx.gnp_random_graph(60, 0.06, seed=3, directed=True)
    arcs = list(graph.edges)
    component = {n: i for i, c in enumerate(nx.strongly_connected_components(graph)) for n in c}
    for i in feedback_arcs(*np.array(arcs).T):
        assert component[arcs[i][0]] == component[arcs[i][1]]


def test_cycle_error_names_a_shortest_cycle_and_its_mend_works():
    net = ng.Network([("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"), ("c", "b")])
    with pytest.raises(ng.CycleError) as caught:
        net.plan()
    text = str(caught.value)
    assert text.startswith("2 synapses without delay form a cycle: 'b' -> 'c' -> 'b'.\nGive one")
    assert isinstance(caught.value, nx.NetworkXUnfeasible)
    net.edges["c", "b"].delay = 1  # the line that the message gives
    with pytest.raises(ng.CycleError, match="'a' -> 'b' -> 'c' -> 'd' -> 'a'"):
        net.plan()
    net.break_cycles()
    net.plan()


def test_cycle_through_a_gate():
    net = ng.Network([("x", "h"), ("h", "k")])
    net.gate("k", net.edges["x", "h"])
    with pytest.raises(ng.CycleError) as caught:
        net.plan()
    text = str(caught.value)
    assert "2 synapses or gates without delay form a cycle: 'h' -> 'k' -> 'h'" in text
    assert "'k' gates 'x' -> 'h'" in text
    assert "net.edges['x', 'h'].gate_delay = 1" in text
    net.break_cycles()
    net.plan()
    assert net.edges["x", "h"].gate_delay + net.edges["h", "k"].delay == 1


def test_a_neuron_that_gates_its_own_input():
    net = ng.Network([("x", "h")])
    net.gate("h", net.edges["x", "h"])
    with pytest.raises(
        ng.CycleError, match="1 synapse or gate without delay forms a cycle: 'h' -> 'h'"
    ):
        net.plan()


def test_output_that_no_input_reaches_is_a_warning():
    net = ng.Network([("a", "y"), ("b", "z")])
    net.inputs, net.outputs = ["a"], ["y", "z"]
    with pytest.warns(ng.NeurographWarning, match="no input leads to output 'z'"):
        net.plan()


def test_a_gate_leads_to_an_output_too():
    net = ng.Network([("b", "y")])
    net.add_node("a")
    net.inputs, net.outputs = ["a"], ["y"]
    net.gate("a", net.edges["b", "y"])
    net.plan()  # warnings are errors here


def test_print_explains():
    net = ng.Network([("x", "h"), ("h", "y"), ("x", "y", {"delay": 2}), ("y", "h", {"delay": 1})])
    net.inputs, net.outputs = ["x"], ["y"]
    net.add_synapse("h", "h", weight=0.5)
    net.gate("y", net.edges["x", "h"], delay=1)
    assert str(net.plan()).splitlines() == [
        "3 neurons in 3 levels, 5 synapses",
        "level 0: 'x'  (input)",
        "level 1: 'h' <- 'x'",
        "level 2: 'y' <- 'h'  (output)",
        "read from an earlier step:",
        "  'y' -> 'h': 1 step ago; it closes the cycle 'y' -> 'h' -> 'y'",
        "  'x' -> 'y': 2 steps ago; its delay was given, no cycle asks for one",
        "  'h' -> 'h': a self-synapse feeds back the state of the step before",
        "  gate 'y' of 'x' -> 'h': the output one step ago",
    ]


def test_print_of_a_large_plan_is_short():
    net = ng.perceptron(100, 100, 50, seed=0)
    assert len(str(net.plan()).splitlines()) < 50


def test_a_deep_network_is_planned():
    n = 3000
    plan = arrange(wiring(n, [(i + 1, i) for i in range(n - 1)]))
    assert plan.level.max() == n - 1
