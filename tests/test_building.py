"""Layers, conversions and initial weights."""

import re
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import neurograph as ng
from neurograph.initializers import SCHEMES
from tests.strategies import networks

# ---------------------------------------------------------------- layers


def two_layers(n=2, m=3):
    net = ng.Network(seed=0)
    return net, net.add_layer("x", n, role="input"), net.add_layer("h", m, activation="tanh")


def pairs(projection):
    return [(s.source, s.target) for s in projection]


def test_layer_is_an_ordered_group_of_neurons():
    net, x, h = two_layers()
    assert x.names == ["x.0", "x.1"] == net.inputs
    assert len(h) == 3
    assert list(h) == [net.nodes[f"h.{i}"] for i in range(3)]
    assert {n.activation for n in h} == {"tanh"}
    assert net.layers["h"] is h
    net.relabel({"h.1": "middle"})
    assert h.names == ["h.0", "middle", "h.2"]
    with pytest.raises(ng.ParameterError, match="layer 'h' is there already"):
        net.add_layer("h", 2)


def test_projection_kinds():
    net, x, h = two_layers(3, 3)
    assert pairs(x.project(h, "one_to_one", weight=1)) == [(f"x.{i}", f"h.{i}") for i in range(3)]
    assert len(h.project(h, "all_to_else", delay=1)) == 6
    assert not any(net.has_edge(n, n) for n in h.names)
    y = net.add_layer("y", 2, role="output")
    assert pairs(h.project(y)) == [(u, v) for u in h.names for v in y.names]
    r = y.project(y, delay=1, reads="output")
    assert [(s.reads, s.delay) for s in r] == [("output", 1)] * 4
    net.plan()


def test_self_synapses_of_a_layer_read_the_state_unless_told_otherwise():
    _, _, h = two_layers()
    r = h.project(h, delay=1)
    assert {(s.reads, s.delay) for s in r if s.source == s.target} == {("state", 1)}
    assert {(s.reads, s.delay) for s in r if s.source != s.target} == {("output", 1)}


def test_weights_of_a_projection():
    _, x, h = two_layers()
    W = np.arange(6).reshape(2, 3)
    assert [s.weight for s in x.project(h, weight=W)] == [0, 1, 2, 3, 4, 5]
    _, x, h = two_layers()
    assert [s.weight for s in x.project(h, weight=range(6))] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("use", "problem"),
    [
        (lambda x, h: x.project(h, "all"), "kind must be one of 'all_to_all'"),
        (lambda x, h: x.project(h, "one_to_one"), "layer 'x' has 2 neurons, but layer 'h' needs 3"),
        (lambda x, h: x.project(two_layers()[2]), "layer 'h' is not a layer of this network"),
        (
            lambda x, h: x.project(h, weight=[1, 2]),
            r"a \(2, 3\) matrix or 6 numbers; got shape \(2,\)",
        ),
        (lambda x, h: x.project(h, weight=[[1, 2, "w"]] * 2), "weight must be a finite number"),
        (lambda x, h: [x.project(h), x.project(h)], "there is a synapse 'x.0' -> 'h.0' already"),
        (lambda x, h: x.gate(x.project(h), "inputs"), "kind must be one of 'input'"),
        (
            lambda x, h: x.gate(x.project(h), "input"),
            "layer 'x' has 2 neurons, but a gate of kind 'input'",
        ),
    ],
)
def test_bad_projections(use, problem):
    net, x, h = two_layers()
    with pytest.raises(ng.NeurographError, match=problem):
        use(x, h)
    assert not any(s.gater for s in net.synapses)


def test_gate_kinds():
    net, x, h = two_layers()
    p = x.project(h)
    h.gate(p, "input", delay=1)
    assert all(s.gater == s.target and s.gate_delay == 1 for s in p)
    x.gate(p, "output")
    assert all(s.gater == s.source and s.gate_delay == 0 for s in p)
    g = net.add_layer("g", 6)
    g.gate(p, "one_to_one", delay=1)
    assert [s.gater for s in p] == g.names


def test_gating_is_all_or_nothing():
    net, x, h = two_layers(3, 3)
    p, (other, _, foreign) = x.project(h), two_layers(3, 3)
    q = other.layers["x"].project(foreign)
    gone = net.add_layer("gone", 3)
    net.remove_node("gone.2")
    for use, error, problem in [
        (
            lambda: h.gate(q, "input"),
            ng.ParameterError,
            "'x.0' -> 'h.0' belongs to another network",
        ),
        (
            lambda: h.gate([*p, q[8]], "input"),
            ng.ParameterError,
            "'x.2' -> 'h.2' belongs to another",
        ),
        (lambda: foreign.gate(p, "input"), ng.ParameterError, "belongs to another network"),
        (lambda: net.gate(foreign[0], p[0]), ng.ParameterError, "'h.0' belongs to another network"),
        (lambda: gone.gate(p, "input", delay=1), ng.DetachedError, "no longer part"),
        (lambda: h.gate(p, "input", delay=2), ng.ParameterError, "delay of a gate must be 0 or 1"),
        (lambda: h.gate([*p[:2], p[0]], "one_to_one"), ng.ParameterError, "holds a synapse twice"),
        (lambda: h.gate([*p, "s"], "input"), ng.ParameterError, "expected a synapse"),
        (lambda: h.gate(3, "input"), ng.ParameterError, "gate takes a projection"),
    ]:
        with pytest.raises(error, match=problem):
            use()
        assert not any(s.gater for s in (*net.synapses, *other.synapses))
    h.gate((s for s in p), "input", delay=1)
    assert [s.gater for s in p] == h.names * 3


# ---------------------------------------------------------------- from and to other things


def test_from_graph_takes_attributes_over():
    G = nx.DiGraph(title="mine")
    G.add_node("a", colour="red")
    G.add_node("b", bias=0.5, activation="tanh")
    G.add_edge("a", "b", w=2, length=3)
    G.add_edge("b", "c", delay=2)
    net = ng.Network.from_graph(
        G, inputs=["a"], outputs=["c"], weight="w", activation={"c": "relu"}, seed=0
    )
    assert net.graph == {"title": "mine"}
    assert net.nodes["a"]["colour"] == "red"
    assert [n.activation for n in net.neurons] == ["logistic", "tanh", "relu"]
    assert dict(net.edges["a", "b"]) == {"weight": 2, "length": 3}
    assert net.edges["b", "c"].delay == 2
    assert abs(net.edges["b", "c"].weight) < 0.1
    assert (net.inputs, net.outputs) == (["a"], ["c"])


def test_from_graph_undirected_becomes_two_synapses():
    net = ng.Network.from_graph(
        nx.path_graph(3), inputs=[0], outputs=[2], delays="auto", activation="tanh", seed=0
    )
    assert sorted(net.edges) == [(0, 1), (1, 0), (1, 2), (2, 1)]
    assert sorted(s.delay for s in net.synapses) == [0, 0, 1, 1]
    assert ng.Network.from_graph(nx.path_graph(3), inputs=[0], outputs=[2], delays=1).forward([1])


def test_from_graph_self_loops_must_be_said():
    G = nx.DiGraph([("a", "a"), ("a", "b")])
    with pytest.raises(
        ng.ParameterError, match="the graph has self-loops, e.g. at 'a': say self_loops="
    ):
        ng.Network.from_graph(G, inputs=[], outputs=["b"])
    for kind in ("state", "output"):
        net = ng.Network.from_graph(G, inputs=[], outputs=["b"], self_loops=kind)
        assert (net.edges["a", "a"].reads, net.edges["a", "a"].delay) == (kind, 1)


def test_from_graph_duplicates():
    G = nx.MultiDiGraph()
    G.add_edge("a", "b", weight=1)
    G.add_edge("a", "b", weight=2)
    G.add_edge("a", "b", weight=4)
    options = {"inputs": ["a"], "outputs": ["b"], "activation": "identity"}
    with pytest.raises(
        ng.ParameterError, match="several edges lead from 'a' to 'b': say duplicates='sum'"
    ):
        ng.Network.from_graph(G, **options)
    added = ng.Network.from_graph(G, duplicates="sum", **options)
    assert added.weights.tolist() == [7]
    relayed = ng.Network.from_graph(G, duplicates="relay", **options)
    assert len(relayed) == 4
    assert relayed.forward([1]) == added.forward([1]) == [7]
    assert [s.trainable for s in relayed.synapses].count(False) == 2
    G.add_edge("a", "b", weight=1, delay=2)
    with pytest.raises(ng.ParameterError, match="differ in more than their weight"):
        ng.Network.from_graph(G, duplicates="sum", **options)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"inputs": ["z"]}, "no neuron 'z'"),
        ({"delays": "some"}, "delays must be 'auto', a number of steps or None"),
        ({"duplicates": "drop"}, "duplicates must be 'error', 'sum' or 'relay'"),
        ({"activation": "tan"}, "unknown activation 'tan'"),
        ({"weight": "name"}, "synapse 'a' -> 'b': weight must be a finite number, got 'ab'"),
    ],
)
def test_from_graph_bad_input(change, problem):
    G = nx.DiGraph([("a", "b", {"name": "ab"})])
    with pytest.raises(ng.ParameterError, match=problem):
        ng.Network.from_graph(G, **{"inputs": ["a"], "outputs": ["b"], **change})


@given(seed=st.integers(0, 10_000), p=st.floats(0, 0.6))
def test_delays_auto_always_makes_a_network_that_runs(seed, p):
    G = nx.gnp_random_graph(8, p, seed=seed, directed=True)
    net = ng.Network.from_graph(G, inputs=[0, 1], outputs=[7], delays="auto", seed=0)
    assert net.forward([1, 2]).shape == (1,)
    slow = sum(s.delay for s in net.synapses)
    assert (slow == 0) == nx.is_directed_acyclic_graph(G)


@given(net=networks(gates=False, ties=False))
def test_from_arrays_is_the_same_as_one_by_one(net):
    order = {n: i for i, n in enumerate(net)}
    loops = {s.reads for s in net.synapses if s.source == s.target}
    assume(len(loops) < 2)
    edges = list(net.synapses)
    twin = ng.Network.from_arrays(
        [order[s.source] for s in edges],
        [order[s.target] for s in edges],
        [s.weight for s in edges],
        n_neurons=len(net),
        inputs=[order[n] for n in net.inputs],
        outputs=[order[n] for n in net.outputs],
        activation=[n.activation for n in net.neurons],
        bias=net.biases,
        delay=[s.delay for s in edges],
        names=list(net),
        self_loops=loops.pop() if loops else None,
    )
    assert nx.utils.graphs_equal(net, twin)
    X = np.ones((2, 3, len(net.inputs)))
    assert (net.forward(X) == twin.forward(X)).all()


def test_from_arrays_defaults():
    net = ng.Network.from_arrays(
        range(3), [3] * 3, n_neurons=4, inputs=range(3), outputs=[3], dtype="float32"
    )
    assert net.dtype == np.float32
    assert (
        net.weights.tolist()
        == ng.Network([(i, 3) for i in range(3)], seed=0, dtype="float32").weights.tolist()
    )
    assert list(net) == [0, 1, 2, 3]
    cyclic = ng.Network.from_arrays(
        [0, 1], [1, 0], n_neurons=2, inputs=[0], outputs=[1], delay="auto"
    )
    assert sorted(s.delay for s in cyclic.synapses) == [0, 1]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"source": [0, 9]}, "source holds 9, but neurons are numbered 0 to 2"),
        ({"source": [0.5, 1]}, "source must be a sequence of whole numbers"),
        ({"target": [2]}, "target must have 2 entries, got 1"),
        ({"source": [0, 0]}, "several synapses lead from 0 to 2"),
        ({"weight": [1, np.nan]}, "weight must be finite numbers, got nan"),
        ({"weight": [1]}, "weight must have 2 entries, got 1"),
        ({"inputs": [7]}, "inputs holds 7"),
        ({"outputs": [0]}, "is an input already"),
        ({"bias": "b"}, "bias must be an array of real numbers"),
        ({"delay": [0, -1]}, "delay must be whole numbers of 0 or more, got -1"),
        ({"names": ["a", "b"]}, "names must have 3 entries, got 2"),
        ({"names": ["a", "b", "b"]}, "names must be different from each other"),
        ({"activation": ["tanh"]}, "activation must have 3 entries, got 1"),
        ({"target": [2, 1]}, "neuron 1 has a self-synapse: say self_loops="),
        ({"source": np.array([0, 1], "f2")}, "source must be a sequence of whole numbers"),
        ({"target": np.array([2, 2], object)}, "target must be a sequence of whole numbers"),
        ({"target": np.array([2, 2], complex)}, "target must be a sequence of whole numbers"),
        ({"source": [True, False]}, "source must be a sequence of whole numbers"),
        ({"source": np.array([0, 2**64 - 1], "u8")}, "source holds 18446744073709551615, but"),
        ({"source": np.array([-1, 1], "i1")}, "source holds -1, but neurons are numbered 0 to 2"),
        ({"weight": [1, 1j]}, "weight must be an array of real numbers: dtype complex128"),
        ({"weight": np.array([1, "a"], object)}, "weight must be an array of real numbers"),
        ({"weight": ["1", "2"]}, "weight must be an array of real numbers: dtype <U1"),
        ({"weight": np.array([1, 2], "M8[s]")}, "weight must be an array of real numbers: dtype"),
        ({"delay": np.array([1j, 1])}, "delay must be an array of real numbers: dtype complex"),
        (
            {"delay": [2**31, 1]},
            "delay must be whole numbers of at most 2147483647, got 2.14748e+09",
        ),
        ({"dtype": "float16"}, "dtype must be 'float64' or 'float32', got 'float16'"),
        ({"dtype": complex}, "dtype must be 'float64' or 'float32', got <class 'complex'>"),
        ({"dtype": object}, "dtype must be 'float64' or 'float32', got <class 'object'>"),
        ({"n_neurons": 2**31}, "n_neurons must be at most 2147483647, got 2147483648"),
    ],
)
def test_from_arrays_bad_input(change, problem):
    options = {
        "source": [0, 1],
        "target": [2, 2],
        "n_neurons": 3,
        "inputs": [0, 1],
        "outputs": [2],
        **change,
    }
    with pytest.raises(ng.NeurographError, match=re.escape(problem)):
        ng.Network.from_arrays(options.pop("source"), options.pop("target"), **options)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_from_arrays_takes_whole_numbers_of_every_dtype(dtype):
    ends = np.array([[0, 1], [2, 2]], dtype)
    weight = np.array([0.5, 0.25], "f2")
    net = ng.Network.from_arrays(*ends, weight, n_neurons=3, inputs=[0, 1], outputs=[2])
    assert list(net.edges) == [(0, 2), (1, 2)]
    assert net.weights.tolist() == [0.5, 0.25]


NO_ROOM = """
import resource
import neurograph as ng

def limit(megabytes):  # beyond what is mapped now
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + megabytes * 2**20, resource.RLIM_INFINITY))

def said(action):
    try:
        action()
    except ng.ParameterError as error:
        print(error)

n = 3000  # so that kernels are loaded
ng.Network.from_arrays(range(n), [n] * n, n_neurons=n + 1, inputs=range(n), outputs=[n]).plan()
net = ng.Network([("a", "b")])
limit(100)
said(lambda: net._store.synapses.append(100_000_000))
said(lambda: ng.Network.from_arrays([0], [1], n_neurons=10_000_000, inputs=[0], outputs=[1]))
net.add_edge("b", "c")  # and nothing is broken
print(net.plan().visits, len(net._store.synapses.alive()))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no limit on memory to set")
def test_what_there_is_no_memory_for_is_said():
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM], capture_output=True, text=True, check=True
    )
    table, arrays, after = done.stdout.splitlines()
    assert table.startswith("not enough memory for 100000001 rows of ")
    assert "which take about 1.6 GB; make fewer. Unable to allocate" in table
    assert arrays.startswith("not enough memory for 10000000 neurons and 1 synapses, which take")
    assert "about 10.0 GB" in arrays
    assert after == "('a', 'b', 'c') 2"


def test_a_network_counts_with_31_bits():
    net = ng.Network([("a", "b")])
    with pytest.raises(ng.ParameterError, match="at most 2147483647 synapses or neurons, not 2147"):
        net._store.synapses.append(2**31 - 1)
    with pytest.raises(ng.ParameterError, match="gives out at most 2147483647 ids"):
        net._store.synapses.burn(2**31 - 1)
    assert net.add_edge("a", "c") is None and len(net.plan().source) == 2


@given(net=networks())
def test_scipy_and_back(net):
    matrix = net.to_scipy()
    nodes = list(net)
    assert matrix.nnz == len(net.synapses)
    for s in net.synapses:
        assert matrix[nodes.index(s.source), nodes.index(s.target)] == s.weight
    net.set_weights(2 * matrix)
    assert (net.to_scipy() != 2 * matrix).nnz == 0
    net.set_weights(matrix.toarray())
    assert (net.to_scipy() != matrix).nnz == 0


def test_set_weights_bad_input():
    net = ng.Network([("a", "b", {"weight": 1})])
    with pytest.raises(
        ng.ParameterError, match="2 from 'b' to 'a', where there is no synapse; add it first"
    ):
        net.set_weights([[0, 1], [2, 0]])
    with pytest.raises(ng.ShapeError, match=r"matrix must be \(2, 2\)"):
        net.set_weights([[1]])
    assert net.weights == [1]


# ---------------------------------------------------------------- leaky neurons, initial weights


def test_a_leaky_neuron_approaches_its_input_with_its_time_constant():
    net = ng.Network([("x", "h", {"weight": 3})])
    net.inputs, net.outputs = ["x"], ["h"]
    net.nodes["h"].activation = "identity"
    net.nodes["h"].bias = 1
    s = net.make_leaky("h", 4)
    assert s is net.edges["h", "h"]
    assert s.weight == 0.75
    steps = np.arange(1, 30)
    states = net.run(np.ones((1, 29, 1)))["h"].state[0]
    assert np.allclose(states, 4 * (1 - 0.75**steps), rtol=1e-14)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_initial_weights_have_the_deviation_of_the_scheme(scheme):
    net = ng.Network(seed=0)
    x, h = net.add_layer("x", 300), net.add_layer("h", 100)
    x.project(h)
    h.project(net.add_layer("y", 50))
    net.initialize(scheme)
    W = net.to_scipy().toarray()
    kind, _, distribution = scheme.rpartition("_")
    for n_in, n_out, w in ((300, 100, W[:300, 300:400]), (100, 50, W[300:400, 400:])):
        deviation = {
            "glorot": np.sqrt(2 / (n_in + n_out)),
            "he": np.sqrt(2 / n_in),
            "lecun": np.sqrt(1 / n_in),
            "": 0.1 / np.sqrt(3) if scheme == "uniform" else 0.1,
        }[kind]
        assert w.std() == pytest.approx(deviation, rel=0.05)
        limit = np.abs(w).max() / deviation
        assert limit <= np.sqrt(3) if distribution == "uniform" else limit > 2.5


def test_initial_weights_count_real_connections_and_spare_what_is_frozen():
    net = ng.Network([(i, "y") for i in range(200)] + [("z", "y2")], seed=0)
    frozen = net.edges[0, "y"]
    frozen.weight, frozen.trainable = 7, False
    leak = net.make_leaky("y", 2)
    net.tie([net.edges[1, "y"], net.edges[2, "y"]])
    net.initialize("lecun_normal", scale=0.5)
    assert frozen.weight == 3.5
    assert leak.weight == 0.5
    assert net.edges[1, "y"].weight == net.edges[2, "y"].weight
    drawn = net.weights[3:200]
    assert drawn.std() == pytest.approx(0.5 / np.sqrt(200), rel=0.2)
    again = net.copy()
    net.initialize()
    again.initialize()
    assert (net.weights == again.weights).all()
