"""The scheduler: valid orders, levels, errors that mend, and what print(plan) says."""

import dataclasses
import itertools
import os
import subprocess
import sys
from contextlib import contextmanager

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurograph as ng
from neurograph import sweeps
from neurograph.cycles import feedback_arcs, shortest_cycle
from neurograph.schedule import NONE, arrange
from neurograph.wiring import Wiring
from neurograph.wiring import wiring as wiring_of
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


# ---------------------------------------------------------------- plain and jitted

forms = pytest.mark.parametrize("short", [sweeps.SHORT, 0], ids=["plain", "jitted"])


@contextmanager
def plain_up_to(short):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeps, "SHORT", short)
        yield


def oracle(w):
    """The plan of a wiring without zero-delay cycles, from the definition alone."""
    n, total = w.n_neurons, len(w.source)
    source, target = w.source.tolist(), w.target.tolist()
    arcs = [(source[s], target[s]) for s in range(total) if not (w.delay[s] or w.reads_state[s])]
    gated = [s for s in range(total) if w.gater[s] >= 0]
    arcs += [(int(w.gater[s]), target[s]) for s in gated if not w.gate_delay[s]]
    level = [0] * n
    for _ in range(n):
        for u, v in arcs:
            level[v] = max(level[v], level[u] + 1)
    valid = all(u < v for u, v in arcs)
    neuron = list(range(n)) if valid else sorted(range(n), key=lambda v: (level[v], v))
    rank = {v: p for p, v in enumerate(neuron)}
    synapse = sorted(
        range(total), key=lambda s: (w.reads_state[s], rank[target[s]], rank[source[s]])
    )
    e = total - int(w.reads_state.sum())
    sources, targets = ([rank[ends[s]] for s in synapse] for ends in (source, target))
    gaters = [rank[int(w.gater[s])] if w.gater[s] >= 0 else int(NONE) for s in synapse]
    places = [i for i in range(total) if gaters[i] != NONE]
    return {
        "neuron": neuron,
        "synapse": synapse,
        "level": [level[v] for v in neuron],
        "indptr": [sum(t < j for t in targets[:e]) for j in range(n + 1)],
        "source": sources[:e],
        "target": targets[:e],
        "delay": [int(w.delay[s]) for s in synapse[:e]],
        "out_indptr": [sum(t < j for t in sources[:e]) for j in range(n + 1)],
        "out_synapse": sorted(range(e), key=lambda i: (sources[i], i)),
        "cell": targets[e:],
        "memory": [e + targets[e:].index(j) if j in targets[e:] else int(NONE) for j in range(n)],
        "gater": gaters if gated else [],
        "gate_delay": [int(w.gate_delay[s]) for s in synapse] if gated else [],
        "gated_indptr": [sum(gaters[i] < j for i in places) for j in range(n + 1)],
        "gated_synapse": sorted(places, key=lambda i: (gaters[i], i)),
        "inputs": [rank[int(v)] for v in w.inputs],
        "outputs": [rank[int(v)] for v in w.outputs],
        "tie_synapse": [synapse.index(s) for group in w.ties for s in group],
    }


@forms
@given(net=networks(max_hidden=9))
def test_plan_is_what_the_definition_says(short, net):
    found = wiring_of(net)
    with plain_up_to(short):
        plan = arrange(found)
    for name, expected in oracle(found).items():
        array = getattr(plan, name)
        assert array.tolist() == expected, name
        assert array.dtype == np.uint32


@forms
@given(net=networks(), gone=st.integers(0, 99))
def test_plan_of_an_edited_network_is_that_of_one_made_so(short, net, gone):
    """Rows that were arranged, and gaps in them, change nothing."""
    with plain_up_to(short):
        net.plan()
        synapses = list(net.synapses)
        lost = synapses[gone % len(synapses)]
        net.remove_edge(lost.source, lost.target)
        net.add_node("late")
        made = net.plan()
        for name, expected in oracle(wiring_of(net)).items():
            assert getattr(made, name).tolist() == expected, name
        for e, weight in enumerate(net._store.synapses.array("weight")[: made.n_synapses]):
            pair = made.name(made.source[e]), made.name(made.target[e])
            assert net.edges[pair].weight == weight


@forms
def test_a_path_of_any_kind_leads_to_an_output(short):
    net = ng.Network([("x", "h", {"delay": 1}), ("h", "k"), ("b", "y"), ("c", "z")])
    net.gate("k", net.edges["b", "y"], delay=1)
    net.inputs, net.outputs = ["x"], ["y", "z"]
    with plain_up_to(short), pytest.warns(ng.NeurographWarning) as caught:
        net.plan()
    assert [str(w.message)[:28] for w in caught] == ["no input leads to output 'z'"]


@forms
def test_sorted_by_is_a_stable_sort(short):
    key = np.random.default_rng(0).integers(0, 7, 300).astype(np.uint32)
    with plain_up_to(short):
        first, order = sweeps.sorted_by(key, 9)
    assert order.tolist() == np.argsort(key, kind="stable").tolist()
    assert first.tolist() == [int((key < k).sum()) for k in range(10)]


LARGE = """
import sys, numpy as np, neurograph as ng
n = int(sys.argv[1])
net = ng.Network.from_arrays(
    np.arange(n)[::-1] + 1, np.arange(n)[::-1], n_neurons=n + 1, inputs=[n], outputs=[0]
)
assert net.plan().neuron.tolist() == list(range(n + 1))[::-1]
print("numba" in sys.modules)
"""


@pytest.mark.parametrize(
    ("size", "variables", "imported"),
    [("1900", {}, "False"), ("2100", {}, "True"), ("2100", {"NUMBA_DISABLE_JIT": "1"}, "True")],
)
def test_numba_is_imported_for_large_graphs_alone(size, variables, imported):
    done = subprocess.run(
        [sys.executable, "-c", LARGE, size],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **variables},
    )
    assert done.stdout.strip() == imported


# ---------------------------------------------------------------- plans


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


def swapped(array, i, j):
    order = np.arange(len(array))
    order[[i, j]] = order[[j, i]]
    return array[order]


def put(array, place, value):
    changed = array.copy()
    changed[place] = value
    return changed


# Each invariant: what breaks it, and how the checker names it.
BROKEN = [
    ({"source": lambda p: p.source * 0 + 99}, "source is below 6"),
    ({"delay": lambda p: p.delay[1:]}, "delay has 9 entries"),
    ({"level": lambda p: p.level + 6}, "level is below 6"),
    ({"activation": lambda p: p.activation + 9}, "activation is below 1"),
    ({"indptr": lambda p: p.indptr[:-1]}, "indptr has 7 entries"),
    ({"indptr": lambda p: p.indptr[::-1]}, "indptr runs from 0 to 9"),
    ({"indptr": lambda p: put(p.indptr, 1, 9)}, "indptr does not fall"),
    ({"gated_indptr": lambda p: p.gated_indptr * 0}, "gated_indptr runs from 0 to 1"),
    ({"neuron": lambda p: p.neuron * 0}, "neuron is a permutation"),
    ({"synapse": lambda p: p.synapse * 0}, "synapse is a permutation"),
    ({"out_synapse": lambda p: p.out_synapse * 0}, "out_synapse is a permutation"),
    ({"target": lambda p: swapped(p.target, 0, 8)}, "synapses are sorted by target"),
    ({"out_synapse": lambda p: p.out_synapse[::-1]}, "out_synapse is by source"),
    (
        {
            "source": lambda p: put(p.source, 1, p.source[0]),
            "out_indptr": lambda p: np.r_[
                0, np.bincount(put(p.source, 1, p.source[0]), minlength=6).cumsum()
            ].astype(np.uint32),
            "out_synapse": lambda p: np.argsort(
                put(p.source, 1, p.source[0]), kind="stable"
            ).astype(np.uint32),
        },
        "a pair of neurons has one synapse",
    ),
    ({"memory": lambda p: p.memory[1:]}, "memory has 6 entries"),
    ({"memory": lambda p: p.memory * 0}, "memory names the cells"),
    ({"memory": lambda p: np.where(p.memory == NONE, NONE, 3)}, "memory is by cell"),
    ({"delay": lambda p: p.delay * 0}, "sources come before their targets"),
    ({"level": lambda p: p.level * 0}, "levels rise"),
    ({"history": lambda p: 0}, "history covers all delays"),
    ({"gater": lambda p: p.gater[:0]}, "no gates at all"),
    ({"gater": lambda p: p.gater[1:]}, "gater has 10 entries"),
    ({"gater": lambda p: np.minimum(p.gater, 77)}, "gater is a neuron"),
    ({"gate_delay": lambda p: p.gate_delay + 2}, "gate_delay is 0 or 1"),
    ({"gater": lambda p: np.where(p.gater == NONE, NONE, 0)}, "gated_synapse is by gater"),
    ({"gater": lambda p: put(p.gater, 9, 0)}, "every gate is listed"),
    (
        {
            "gater": lambda p: np.where(p.gater == NONE, NONE, 5),
            "gated_indptr": lambda p: np.uint32([0, 0, 0, 0, 0, 0, 1]),
        },
        "gaters come before the targets they act on",
    ),
    ({"inputs": lambda p: np.concatenate([p.inputs, p.inputs])}, "an input has one column"),
    ({"outputs": lambda p: np.concatenate([p.outputs] * 2)}, "an output has one column"),
    ({"outputs": lambda p: p.inputs}, "no input is an output"),
    (
        {
            "tie_synapse": lambda p: np.concatenate([p.tie_synapse] * 2),
            "tie_indptr": lambda p: np.uint32([0, 2, 4]),
        },
        "ties do not overlap",
    ),
]


@forms
@pytest.mark.parametrize(("changes", "law"), BROKEN, ids=[law for _, law in BROKEN])
def test_check_names_the_invariant_that_does_not_hold(short, changes, law):
    net = ng.perceptron(2, 3, 1, seed=0)
    net.add_synapse("hidden.0", "hidden.0", weight=0.5)
    net.gate("hidden.1", net.edges["hidden.0", "output.0"])
    net.tie([net.edges["input.0", "hidden.0"], net.edges["input.1", "hidden.0"]])
    net.add_synapse("output.0", "hidden.0", delay=2)
    net.remove_edge("input.1", "hidden.2")
    plan = net.plan()
    assert (plan.n_neurons, plan.n_synapses, plan.n_memories) == (6, 9, 1)
    wrong = dataclasses.replace(plan, **{name: f(plan) for name, f in changes.items()})
    with plain_up_to(short), pytest.raises(ng.ParameterError) as caught:
        ng.check(wrong)
    assert str(caught.value) == f"not a valid plan: it must be that {law}"


def test_a_wiring_of_neurons_that_are_not_there():
    with pytest.raises(ng.ParameterError, match="target holds 7, but neurons are numbered 0 to 1"):
        arrange(wiring(2, [(0, 7)]))
    with pytest.raises(ng.ParameterError, match="source holds -1, but neurons are numbered"):
        arrange(wiring(2, [(-1, 1)]))


def test_a_plan_counts_with_32_bits():
    few = wiring(2, [(0, 1)])
    with pytest.raises(ng.ParameterError, match="with 32 bits; got 4294967295 neurons and 1 syn"):
        arrange(dataclasses.replace(few, n_neurons=2**32 - 1))
    many = np.broadcast_to(np.uint32(0), 2**32)
    with pytest.raises(ng.ParameterError, match="got 2 neurons and 4294967296 synapses"):
        arrange(dataclasses.replace(few, source=many))


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
