"""Graphs of NIR: what is written is read, and what others write is read."""

import os
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.io import nir_file
from tests.strategies import close, near_kink, networks, sequences

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
from tests.fuzz.nir_mutants import nir_mutants, nir_seeds, try_nir  # noqa: E402  needs nir

TOLERANCE = 1e-12
HELD = ["identity", "step"]
nets = networks(gates=False, ties=False, activations=HELD)
dts = st.sampled_from([1e-4, 1.0, 0.3, 1e-3])


def quiet_write(net, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ng.NeurographWarning)
        return ng.io.write_nir(net, *args, **options)


def warned(net):
    with pytest.warns(ng.NeurographWarning) as caught:
        ng.io.write_nir(net)
    return "\n".join(str(w.message) for w in caught)


def tame(net):
    """Bring self-synapses that read the state to weights that NIR can hold."""
    for s in net.synapses:
        if s.loop and s.reads == "state":
            s.weight = 1.0 if s.weight > 0.9 else abs(s.weight) / 2 + 0.01
    return net


# ---------------------------------------------------------------- laws


@settings(max_examples=20)
@given(net=nets, data=st.data(), dt=dts)
def test_what_is_written_computes_the_same_when_it_is_read(net, data, dt):
    tame(net)
    X = data.draw(sequences(net))
    assume(not near_kink(net, X))  # 1 - dt/τ is w but for its last digit
    twin = ng.io.read_nir(quiet_write(net, dt=dt))
    assert close(net.forward(X, engine="walker"), twin.forward(X, engine="walker"), TOLERANCE)


@settings(max_examples=15)
@given(net=nets, dt=dts)
def test_a_second_round_changes_nothing(net, dt):
    """What has been through NIR once has the names and the structure that NIR gives."""
    once = ng.io.read_nir(quiet_write(tame(net), dt=dt))
    twice = ng.io.read_nir(quiet_write(once, dt=dt))
    assert twice.inputs == once.inputs and twice.outputs == once.outputs
    X = np.linspace(-1, 1, 3 * len(net.inputs)).reshape(1, 3, -1)
    assume(not near_kink(once, X))
    assert close(once.forward(X, engine="walker"), twice.forward(X, engine="walker"), TOLERANCE)


@settings(max_examples=15)
@given(net=networks(), data=st.data())
def test_a_network_of_any_kind_is_written_and_what_is_lost_is_named(net, data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        twin = ng.io.read_nir(ng.io.write_nir(net))
    said = "\n".join(str(w.message) for w in caught)
    assert len(twin.inputs) == len(net.inputs) and len(twin.outputs) == len(net.outputs)
    inputs = set(net.inputs)
    assert ("gates" in said) == any(
        s.gater is not None and s.target not in inputs for s in net.synapses
    )
    assert ("no such activation" in said) == any(
        n.activation not in HELD and n.role != "input" for n in net.neurons
    )
    assert ("'tie'" in said) == any(s.tie is not None for s in net.synapses)


def layered():
    net = ng.Network(seed=0)
    x, h = net.add_layer("x", 2, role="input"), net.add_layer("h", 3, activation="identity")
    y = net.add_layer("y", 2, role="output", activation="step", bias=-0.1)
    x.project(h), h.project(y), y.project(h, delay=3), h.project(h, delay=1, kind="all_to_else")
    for n in h:
        net.make_leaky(n, tau=2.5)
    net.add_synapse("y.1", "y.1", weight=1)
    return net


def test_layers_names_weights_and_delays_come_back(tmp_path):
    net = layered()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # y.0 keeps nothing, y.1 all: two populations
        warnings.filterwarnings("ignore", ".*layers that are no population", ng.NeurographWarning)
        warnings.filterwarnings("ignore", ".*names are lost", ng.NeurographWarning)
        ng.io.write_nir(net, tmp_path / "a.nir")
    net.add_synapse("y.0", "y.0", weight=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ng.io.write_nir(net, tmp_path / "a.nir", dt=0.125)
    assert os.listdir(tmp_path) == ["a.nir"]
    twin = ng.io.read_nir(tmp_path / "a.nir")
    assert set(twin) == set(net) and set(twin.edges) == set(net.edges)
    assert {k: v.names for k, v in twin.layers.items()} == {
        k: v.names for k, v in net.layers.items()
    }
    for u, v, s in net.edges(data=True):
        t = twin.edges[u, v]
        assert (t.delay, t.reads) == (s.delay, s.reads) and close(t.weight, s.weight, TOLERANCE)
    for n in net:
        a, b = net.nodes[n], twin.nodes[n]
        assert (a.role, a.bias) == (b.role, b.bias)
        assert a.role == "input" or a.activation == b.activation


def test_float32_stays(tmp_path):
    net = ng.perceptron(
        2, 3, 1, activation="identity", output_activation="step", seed=0, dtype="float32"
    )
    ng.io.write_nir(net, tmp_path / "a.nir")
    twin = ng.io.read_nir(tmp_path / "a.nir")
    assert twin.dtype == np.float32 and set(twin) == set(net)
    assert all(twin.edges[e].weight == net.edges[e].weight for e in net.edges)


def test_nir_itself_reads_the_file(tmp_path):
    """With its check of types, which adds nothing: every node is between input and output."""
    net = layered()
    net.add_neuron("alone", activation="step", bias=1)
    net.add_neuron("end", activation="identity")
    net.add_synapse("h.0", "end")
    graph = quiet_write(net, tmp_path / "a.nir")
    read = nir.read(tmp_path / "a.nir")
    assert set(read.nodes) == set(graph.nodes) and set(read.edges) == set(graph.edges)
    assert list(read.inputs) == ["x"] and list(read.outputs) == ["y"]
    assert read.metadata["dt"] == 1e-4


def test_names_of_layers_that_clash_get_a_number():
    net = ng.Network(seed=0)
    a = net.add_layer("output", 1, role="input")
    b = net.add_layer("output_to_a", 1, activation="identity")
    c = net.add_layer("a", 1, activation="identity", role="output")
    a.project(b), b.project(c), a.project(c), b.project(b, delay=1, reads="output")
    twin = ng.io.read_nir(quiet_write(net))
    X = np.ones((1, 3, 1))
    assert close(twin.forward(X), net.forward(X), TOLERANCE)


# ---------------------------------------------------------------- what others write


def read(nodes, edges, **options):
    return ng.io.read_nir(nir.NIRGraph(nodes, edges, type_check=False), **options)


def euler(graph_step, X):
    return np.array([graph_step(x) for x in X])


def test_leaky_integrators_by_euler_s_method():
    rng = np.random.default_rng(0)
    W, b, V = rng.normal(size=(3, 2)), rng.normal(size=3), rng.normal(size=(2, 3))
    tau, r, leak = rng.uniform(1e-3, 1e-2, 3), rng.normal(size=3), rng.normal(size=3)
    graph = nir.NIRGraph.from_list(nir.Affine(W, b), nir.LI(tau, r, leak), nir.Linear(V))
    X, v, expected, dt = rng.normal(size=(20, 2)), np.zeros(3), [], 1e-4
    for x in X:
        v = v + dt / tau * (leak - v + r * (W @ x + b))
        expected.append(V @ v)
    net = ng.io.read_nir(graph)
    assert close(net.forward(X[None])[0], np.array(expected), TOLERANCE)
    assert list(net.layers) == ["input", "li", "output"]


def test_currents_of_a_cuba_li_and_an_integrator():
    rng = np.random.default_rng(1)
    syn, mem, r, leak, w, k = rng.uniform(0.5, 2, (6, 2))
    graph = nir.NIRGraph.from_list(nir.CubaLI(syn, mem, r, leak, w), nir.I(k))
    X, i, v, s, expected, dt = rng.normal(size=(9, 2)), 0, 0, 0, [], 0.25
    for x in X:
        i = i + dt / syn * (w * x - i)
        v = v + dt / mem * (leak - v + r * i)
        s = s + dt * k * v
        expected.append(s)
    net = ng.io.read_nir(graph, dt=dt)
    assert close(net.forward(X[None])[0], np.array(expected), TOLERANCE)


def test_thresholds_scales_delays_and_maps_in_a_row():
    rng = np.random.default_rng(2)
    A, B = rng.normal(size=(3, 2)), rng.normal(size=(2, 3))
    graph = nir.NIRGraph.from_list(
        nir.Scale(np.array([2.0, -1.0])), nir.Linear(A), nir.Delay(np.array([0.0, 1, 2])),
        nir.Delay(np.array([1.0, 0, 0])), nir.Linear(B), nir.Threshold(np.array([0.3, -0.2])),
    )  # fmt: skip
    X = rng.normal(size=(9, 2))
    inner = np.vstack([np.zeros((2, 3)), (X * [2, -1]) @ A.T])
    late = np.stack([inner[1:10, 0], inner[1:10, 1], inner[0:9, 2]], 1)
    expected = (late @ B.T > [0.3, -0.2]).astype(float)
    assert (ng.io.read_nir(graph, dt=1.0).forward(X[None])[0] == expected).all()


def test_a_cycle_without_delay_is_one_step_late_as_a_whole():
    """All of a recurrent matrix, as tools of NIR do it, and its diagonal adds to the memory."""
    W = np.array([[0.5, -0.3], [0.2, 0.1]])
    li = nir.LI(np.full(2, 4.0), np.ones(2), np.zeros(2))
    nodes = {
        "i": nir.Input(np.array([2])),
        "li": li,
        "w": nir.Linear(W),
        "o": nir.Output(np.array([2])),
    }
    with pytest.warns(ng.NeurographWarning, match="without a Delay.*'o' -> 'o'"):
        net = read(nodes, [("i", "li"), ("li", "w"), ("w", "li"), ("li", "o")], dt=1.0)
    X, v, expected = np.random.default_rng(0).normal(size=(9, 2)), np.zeros(2), []
    for x in X:
        v = v + (x + W @ v - v) / 4
        expected.append(v)
    assert close(net.forward(X[None])[0], np.array(expected), TOLERANCE)
    assert net.edges["o.0", "o.0"].reads == "state" and len(net.synapses) == 2 + 4


def test_two_delays_for_one_pair_take_a_relay():
    nodes = {
        "i": nir.Input(np.array([1])), "d": nir.Delay(np.array([2.0])), "a": nir.Linear(np.array([[3.0]])),
        "b": nir.Linear(np.array([[5.0]])), "c": nir.Linear(np.array([[7.0]])), "s": nir.Scale(np.ones(1)),
        "o": nir.Output(np.array([1])),
    }  # fmt: skip
    edges = [("i", "a"), ("i", "b"), ("i", "d"), ("d", "c"), ("s", "o"), *((m, "s") for m in "abc")]
    net = read(nodes, edges, dt=1.0)
    assert net.forward([[[1], [0], [0], [0]]]).ravel().tolist() == [8, 0, 7, 0]
    assert net.edges["i.0", "o.0"].weight == 8


def test_a_neuron_that_keeps_its_state_feeds_back_later_through_a_relay():
    one = np.ones(1)
    nodes = {
        "i": nir.Input(np.array([1])), "k": nir.I(one), "d": nir.Delay(2 * one),
        "w": nir.Linear(np.array([[3.0]])), "o": nir.Output(np.array([1])),
    }  # fmt: skip
    net = read(nodes, [("i", "k"), ("k", "d"), ("d", "w"), ("w", "k"), ("k", "o")], dt=1.0)
    assert net.forward([[[1], [0], [0], [0]]]).ravel().tolist() == [1, 1, 4, 7]
    assert list(net) == ["i.0", "o.0", "o.0.relay0"]


def test_keeping_before_a_threshold_is_one_neuron_only_if_it_is_the_same():
    def counted(threshold, order):
        a, b = order
        nodes = {
            "i": nir.Input(np.array([1])), a: nir.I(np.ones(1)), b: nir.Threshold(np.array([threshold])),
            "o": nir.Output(np.array([1])),
        }  # fmt: skip
        net = read(nodes, [("i", a), (a, b), (b, "o")], dt=1.0)
        assert net.forward([[[0.6], [0.6], [-1.0], [-1.0]]]).ravel().tolist() == [
            float(s > threshold) for s in (0.6, 1.2, 0.2, -0.8)
        ]
        return len(net)

    assert [counted(0.0, "ab"), counted(0.0, "ba")] == [2, 2]
    assert [counted(0.5, "ab"), counted(0.5, "ba")] == [3, 3]


def test_several_inputs_and_outputs_in_the_order_of_their_names():
    nodes = {"i1": nir.Input(np.array([1])), "i0": nir.Input(np.array([2])), "o1": nir.Output(np.array([1])),
             "o0": nir.Output(np.array([2])), "o2": nir.Output(np.array([2]))}  # fmt: skip
    net = read(nodes, [("i1", "o1"), ("i0", "o0"), ("i0", "o2")])
    assert net.inputs == ["i0.0", "i0.1", "i1.0"]
    assert net.forward([1, 2, 3]).tolist() == [1, 2, 3, 1, 2]


def test_a_time_constant_shorter_than_a_step_is_warned_of():
    graph = nir.NIRGraph.from_list(nir.LI(np.array([0.5]), np.ones(1), np.zeros(1)))
    with pytest.warns(ng.NeurographWarning, match="shorter than a step.*'li'"):
        net = ng.io.read_nir(graph, dt=1.0)
    assert net.edges["output.0", "output.0"].weight == -1


# ---------------------------------------------------------------- what is lost


def test_every_kind_of_thing_that_is_lost_is_named():
    net = ng.perceptron(2, 2, 1, output_activation="identity", seed=0)
    net.gate("input.0", net.edges["hidden.0", "output.0"])
    net.add_synapse("hidden.1", "hidden.1", weight=-0.5)
    net.add_synapse("hidden.0", "hidden.0", weight=1.5)
    net.add_synapse("output.0", "input.1", delay=1)
    net.edges["input.0", "hidden.0"].weight = 0
    net.edges["input.1", "hidden.0"].update(dropout=0.5, colour="red", trainable=False)
    net.tie([net.edges["input.0", "hidden.1"], net.edges["input.1", "hidden.1"]])
    net.nodes["hidden.0"].activation = "step"
    net.nodes["hidden.1"].sign = 1
    net.graph["title"] = "x"
    net.activate([1, 1])
    said = warned(net)
    for text in (
        "no such activation, so the neuron is an identity there: neuron 'hidden.1' has 'logistic'",
        "no gates; what these multiply has the gain 1 there: 'input.0' gates synapse 'hidden.0' -> 'output.0'",
        "are left out: synapse 'hidden.0' -> 'hidden.0' has weight 1.5, synapse 'hidden.1'",
        "nothing leads to an input of NIR; left out: synapse 'output.0' -> 'input.1'",
        "a synapse of weight 0 is none: synapse 'input.0' -> 'hidden.0'",
        "no 'dropout'", "no 'colour'", "no 'trainable'", "no 'tie'", "no 'sign'",
        "names are lost", "layers that are no population of NIR are lost: 'hidden'",
        "start at rest", "'title'",
    ):  # fmt: skip
        assert text in said, text


def test_a_network_that_nir_holds_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ng.io.write_nir(ng.perceptron(2, 3, 1, activation="identity", output_activation="step"))


@pytest.mark.parametrize(
    ("net", "error", "message"),
    [
        (ng.Network([("a", "b"), ("b", "a")]), ng.CycleError, "form a cycle"),
        (ng.Network([("a", "b")]), ng.ParameterError, "has no inputs"),
        ([], ng.ParameterError, "takes a Network"),
    ],
)
def test_what_is_not_ready_is_not_written(tmp_path, net, error, message):
    with pytest.raises(error, match=message):
        ng.io.write_nir(net, tmp_path / "a.nir")
    assert not os.listdir(tmp_path)


def test_other_refusals(monkeypatch, tmp_path):
    net = ng.perceptron(2, 3, 1, seed=0)
    for dt in (0, -1, np.nan, "x", None):
        with pytest.raises(ng.ParameterError, match="dt must be"):
            ng.io.write_nir(net, dt=dt)
    with pytest.raises(ng.ParameterError, match="dt must be"):
        ng.io.read_nir(quiet_write(net), dt=0)
    with pytest.raises(ng.ParameterError, match="a path or a NIRGraph"):
        ng.io.read_nir([])
    with pytest.raises(ng.ParameterError, match="create_using"):
        ng.io.read_nir(quiet_write(net), create_using=dict)
    with pytest.raises(OSError, match="No such file"):
        ng.io.read_nir(tmp_path / "none.nir")
    monkeypatch.setattr("neurograph.io.nir_writer.MAX_NUMBERS", 8)
    with pytest.raises(ng.ParameterError, match="dense matrices: .* have 9 numbers"):
        ng.io.write_nir(net)


def test_a_graph_of_nothing_is_a_network_of_nothing():
    assert len(read({}, [])) == 0
    assert len(read({"o": nir.Output(np.array([2]))}, [])) == 2


def test_a_subclass_is_made():
    class Mine(ng.Network):
        pass

    assert type(ng.io.read_nir(quiet_write(ng.perceptron(1, 1)), create_using=Mine)) is Mine


# ---------------------------------------------------------------- files that are not what they say


def li(n=1, **other):
    return nir.LI(**{k: np.ones(n) for k in ("tau", "r", "v_leak")} | other)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (nir.LIF(*np.ones((4, 1))), "nodes.n is LIF, a spiking neuron that is reset"),
        (
            nir.Conv1d(3, np.ones((1, 1, 1)), 1, 0, 1, 1, np.ones(1)),
            "nodes.n is 'Conv1d', which is not read",
        ),
        (nir.NIRGraph({}, [], type_check=False), "nodes.n is 'NIRGraph', which is not read"),
        (nir.Linear(np.ones((2, 1, 1))), r"nodes.n.weight must be a matrix, got shape \(2, 1, 1\)"),
        (nir.Linear(np.ones((1, 2))), "'i' gives 1 numbers, but 'n' takes 2"),
        (nir.Affine(np.ones((1, 1)), np.ones(3)), "nodes.n.bias must have 1 numbers, got 3"),
        (nir.Scale(np.array([np.nan])), "nodes.n.scale holds a number that is not finite"),
        (nir.Scale(np.array([1e308 * 1j])), "nodes.n.scale must hold numbers, got complex"),
        (nir.Delay(np.array([1.5e-4])), "nodes.n.delay is no whole number of steps of 0.0001 s"),
        (nir.Delay(np.array([-1e-4])), "nodes.n.delay is no whole number"),
        (nir.Delay(np.array([1e30])), "nodes.n.delay is no whole number"),
        (li(tau=np.zeros(1)), "nodes.n: a time constant must be more than 0"),
        (li(tau=-np.ones(1)), "nodes.n: a time constant must be more than 0"),
        (li(tau=np.full(1, 5e-324)), "nodes.n: a time constant must be more than 0"),
        (li(tau=np.full(1, 1e-300), r=np.full(1, 1e300)), "no finite number in float64"),
    ],
)
def test_nodes_that_are_refused(tmp_path, node, message):
    nodes = {"i": nir.Input(np.array([1])), "n": node, "o": nir.Output(np.array([1]))}
    graph = nir.NIRGraph(nodes, [("i", "n"), ("n", "o")], type_check=False)
    nir.write(tmp_path / "a.nir", graph)
    with pytest.raises(ng.FormatError, match=message):
        ng.io.read_nir(tmp_path / "a.nir")


def edit(path, change):
    quiet_write(layered(), path)
    with h5py.File(path, "r+") as file:
        change(file)


def replace(file, key, value):
    del file[key]
    file[key] = value


def link(file, key):
    del file[key]
    file[key] = h5py.ExternalLink("/etc/passwd", "/x")


def soft(file, key):
    del file[key]
    file[key] = h5py.SoftLink("/version")


def huge(file):
    del file["node/nodes/x_to_h/weight"]
    file.create_dataset("node/nodes/x_to_h/weight", (2**20, 2**20), chunks=(8, 8), dtype="f8")


def elsewhere(file):
    del file["node/nodes/x_to_h/weight"]
    file.create_dataset(
        "node/nodes/x_to_h/weight", (3, 2), dtype="f8", external=[("/etc/passwd", 0, 48)]
    )


def virtual(file):
    del file["node/nodes/x_to_h/weight"]
    layout = h5py.VirtualLayout((3, 2), "f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3, 2))
    file.create_virtual_dataset("node/nodes/x_to_h/weight", layout)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.__delitem__("node"), "the file has no 'node'"),
        (lambda f: replace(f, "node", 1), "node must be a group"),
        (lambda f: replace(f, "node/type", "LI"), "node must be of type NIRGraph, got 'LI'"),
        (lambda f: f.__delitem__("node/nodes/h/tau"), "nodes.h has no 'tau'"),
        (lambda f: replace(f, "node/nodes/h/type", "Lo"), "nodes.h is 'Lo', no primitive"),
        (lambda f: replace(f, "node/nodes/h/type", 5), "nodes.h is '5', no primitive"),
        (lambda f: replace(f, "node/nodes/h/type", b"\xff"), "nodes.h.type must be a text in UTF-8"),
        (lambda f: replace(f, "node/nodes/h/type", [1, 2]), "nodes.h.type must be a text"),
        (lambda f: replace(f, "node/nodes/h/tau", np.ones(4)), "nodes.h: tau, r, v_leak must have the same"),
        (lambda f: replace(f, "node/nodes/h/tau", ["a", "b", "c"]), "nodes.h.tau must hold numbers"),
        (lambda f: replace(f, "node/nodes/h/tau", h5py.Empty("f8")), "nodes.h.tau must be an array"),
        (lambda f: replace(f, "node/nodes/x/shape", [2.5]), "nodes.x.shape must hold whole numbers"),
        (lambda f: replace(f, "node/nodes/x/shape", [2**40]), "nodes.x.shape must hold whole numbers"),
        (lambda f: replace(f, "node/nodes/x/shape", [2**15] * 2), "nodes.x has more than 1,048,576"),
        (lambda f: replace(f, "node/edges", [b"x", b"h"]), "edges must be pairs of names"),
        (lambda f: replace(f, "node/edges", [[b"x", b"zz"]]), r"edges\[0\]: no node 'zz'"),
        (lambda f: replace(f, "node/edges", [[b"x", b"x_to_h"]] * 2), r"edges\[1\] is there twice"),
        (lambda f: replace(f, "node/edges", [[b"y", b"x"]]), "leaves an Output or enters an Input"),
        (lambda f: replace(f, "node/metadata/dt", 0.0), "metadata.dt must be one number"),
        (lambda f: replace(f, "node/metadata/dt", "x"), "metadata.dt must hold numbers"),
        (lambda f: link(f, "node/nodes/h"), "nodes.h is a link to somewhere else"),
        (lambda f: soft(f, "node/nodes/h/type"), "nodes.h.type is a link to somewhere else"),
        (lambda f: f["node/nodes"].create_group("a" * 201), "nodes has a name that is none"),
        (huge, "arrays have more than 67,108,864 numbers"),
        (elsewhere, "lies in another file"),
        (virtual, "lies in another file"),
    ],
)  # fmt: skip
def test_files_that_are_refused(tmp_path, change, message):
    edit(tmp_path / "a.nir", change)
    with pytest.raises(ng.FormatError, match=f"a.nir: .*{message}"):
        ng.io.read_nir(tmp_path / "a.nir")


def test_files_that_are_no_hdf5(tmp_path):
    for raw in (b"", b"x" * 99, b"\x89HDF\r\n\x1a\n" + b"\x00" * 99):
        (tmp_path / "a.nir").write_bytes(raw)
        with pytest.raises(ng.FormatError, match="a.nir: not readable as HDF5"):
            ng.io.read_nir(tmp_path / "a.nir")


def test_a_heap_whose_objects_have_no_size_does_not_hold_the_library_for_ever(tmp_path):
    quiet_write(layered(), tmp_path / "a.nir")
    raw = bytearray((tmp_path / "a.nir").read_bytes())
    heap = raw.index(b"GCOL") + 16
    raw[heap : heap + 16] = bytes(16)
    (tmp_path / "a.nir").write_bytes(raw)
    with pytest.raises(ng.FormatError, match="the heap at byte [0-9]+ is broken"):
        ng.io.read_nir(tmp_path / "a.nir")


def test_few_numbers_cannot_become_many_synapses(monkeypatch):
    """One matrix behind many populations: each edge takes it once more."""
    monkeypatch.setattr("neurograph.io.nir_populations.MAX_NUMBERS", 50)
    assert nir_file.MAX_NUMBERS == 2**26
    nodes = {"w": nir.Linear(np.ones((3, 3))), "o": nir.Output(np.array([3]))}
    nodes |= {f"i{n}": nir.Input(np.array([3])) for n in range(6)}
    edges = [("w", "o"), *((f"i{n}", "w") for n in range(6))]
    with pytest.raises(ng.FormatError, match="more than 50 synapses"):
        read(nodes, edges)


# ---------------------------------------------------------------- mutants

MUTANTS = 100_000 if os.environ.get("NEUROGRAPH_THOROUGH") else 5_000  # about 8 ms each
CONSTANT = 2**18  # bytes that HDF5's objects take anyhow


@pytest.mark.filterwarnings("ignore")
def test_a_mutant_is_refused_or_as_good_as_any():
    accepted = 0
    for n, raw in enumerate(nir_mutants(MUTANTS, seed=0)):
        began, traced = time.process_time(), n % 5 == 0
        if traced:
            tracemalloc.start()
        try:
            accepted += try_nir(raw)
        finally:
            peak = tracemalloc.get_traced_memory()[1] if traced else 0
            tracemalloc.stop()
        assert time.process_time() - began < 2, raw
        assert peak <= 10 * len(raw) + CONSTANT
    assert MUTANTS // 20 < accepted < MUTANTS // 2  # neither all the same nor all broken


def test_the_files_to_start_from_are_fine():
    assert all(map(try_nir, nir_seeds())) and not try_nir(b"")
