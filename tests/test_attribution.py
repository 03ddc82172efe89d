"""The laws of attribution: nothing is lost between the inputs and an output."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.inspection.tangents import tangents
from neurograph.inspection.unrolled import Unrolled
from tests.strategies import SMOOTH, close, networks, sequences

CALM = [f for f in SMOOTH if f not in ("gaussian", "sin", "softsign")]  # analytic far from the line
ENGINES = st.sampled_from(["walker", "compiled"])


@st.composite
def questions(draw, **options):
    """A network, inputs, a baseline, an output, a step."""
    net = draw(networks(activations=CALM, **options))
    X = draw(sequences(net, max_steps=3, max_samples=2))
    start = draw(sequences(net, max_steps=1, max_samples=1))[0, 0]
    output = draw(st.sampled_from(net.outputs))
    more = {"output": output, "baseline": start, "step": draw(st.integers(0, X.shape[1] - 1))}
    return net, X, more


def value(net, X, output, step, **_):
    return net.predict(X)[:, step, net.outputs.index(output)]


def attributed(net, X, **options):
    return net.attribute(X, points=48, tolerance=1e-7, **options)


@settings(max_examples=60)
@given(question=questions(), engine=ENGINES)
def test_integrated_gradients_are_complete_to_the_stated_tolerance(question, engine):
    net, X, more = question
    found = attributed(net, X, engine=engine, **more)
    start = np.broadcast_to(more["baseline"], X.shape)
    change = value(net, X, **more) - value(net, start, **more)
    assert found.complete and found.values.shape == X.shape
    assert close(found.change, change, 1e-12)
    assert close(found.values.sum((1, 2)), change, 1e-6)
    assert close(found.residual, found.values.sum((1, 2)) - change, 1e-12)


@settings(max_examples=20)
@given(question=questions())
def test_gradients_times_inputs_and_weights_are_differences(question):
    net, X, more = question
    more.pop("baseline")
    h = 1e-5
    found = net.attribute(X, method="gradient_x_input", **more)
    for i in np.ndindex(X.shape):
        moved = np.zeros_like(X)
        moved[i] = h
        slope = (value(net, X + moved, **more) - value(net, X - moved, **more))[i[0]] / (2 * h)
        assert close(found.values[i], slope * X[i], 1e-6)
    found = net.attribute(X, method="gradient_x_weight", **more)
    assert found.of == list(net.synapses) and found.baseline is None and not found.complete
    groups = {}
    for k, synapse in enumerate(net.synapses):
        groups.setdefault(synapse.tie or synapse, []).append(k)
    for members in groups.values():
        synapse = found.of[members[0]]
        w = synapse.weight
        synapse.weight = w + h
        above = value(net, X, **more)
        synapse.weight = w - h
        below = value(net, X, **more)
        synapse.weight = w
        assert close(found.values[:, members].sum(1), w * (above - below) / (2 * h), 1e-6)


@settings(max_examples=30)
@given(question=questions())
def test_tangents_are_differences_along_the_line(question):
    net, X, _ = question
    direction = np.random.default_rng(0).normal(size=X.shape)
    h = 1e-5
    here, above, below = (net.run(X + sign * h * direction) for sign in (0, 1, -1))
    run = Unrolled.of(here, ng.engines.base.Parameters.of(net))
    moved = tangents(run, direction.transpose(1, 2, 0))
    for j, name in enumerate(run.plan.visits):
        for found, what in ((moved.s[1:], "state"), (moved.y[run.h :], "output")):
            ends = [getattr(r[name], what) for r in (above, below)]
            assert close(found[:, j].T, (ends[0] - ends[1]) / (2 * h), 1e-6)


@settings(max_examples=50)
@given(question=questions(), data=st.data(), quantity=st.sampled_from(["output", "state"]))
def test_what_flows_out_of_any_part_is_the_change_of_the_output(question, data, quantity):
    net, X, more = question
    more["quantity"] = quantity
    found = attributed(net, X, method="synapse_conductance", **more)
    inner = [n.name for n in net.neurons if n.role == "hidden"]
    part = set(net.inputs) | set(data.draw(st.lists(st.sampled_from(inner))) if inner else ())
    total = np.zeros(len(X))
    for k, synapse in enumerate(found.of):
        ends = (
            (synapse.source, found.values[:, k]),
            (synapse.gater, found.gates[:, k]),
        )
        for begin, carried in ends:
            if begin is not None or carried.any():
                total += carried * ((begin in part) - (synapse.target in part))
    assert found.complete
    assert close(total, found.change, 1e-6)


@settings(max_examples=50)
@given(question=questions())
def test_what_leaves_a_neuron_is_its_conductance(question):
    net, X, more = question
    neurons = attributed(net, X, method="conductance", **more)
    synapses = attributed(net, X, method="synapse_conductance", **more)
    ig = attributed(net, X, **more)
    assert neurons.values.shape == (*X.shape[:2], len(net))
    for name in net.inputs:
        assert close(neurons[name], ig[name], 1e-12)
    for neuron in net.neurons:
        out = np.zeros(len(X))
        for k, synapse in enumerate(synapses.of):
            state = synapse.loop and synapse.reads == "state"
            out += synapses.values[:, k] * (synapse.source == neuron.name and not state)
            out += synapses.gates[:, k] * (synapse.gater == neuron.name)
        out += neurons.change * (neuron.name == more["output"])  # straight to F
        assert close(neurons[neuron].sum(1), out, 1e-6)


def test_a_layer_carries_everything_but_what_skips_it():
    net = ng.perceptron(3, 4, 2, 1, seed=0)
    X = np.random.default_rng(0).normal(size=(5, 3))
    found = net.attribute(X, method="conductance", points=48)
    for layer in net.layers.values():
        assert close(sum(found[n] for n in layer), found.change, 1e-9)
    skip = net.add_synapse("input.0", "output.0", weight=0.5)
    found = net.attribute(X, method="conductance", points=48)
    flow = net.attribute(X, method="synapse_conductance", points=48)[skip]
    hidden = sum(found[n] for n in list(net.layers.values())[1])
    assert not close(hidden, found.change, 1e-3)
    assert close(hidden + flow, found.change, 1e-9)


def test_what_a_cell_remembers_goes_out_of_it_once():
    net = ng.Network([("x", "c", {"weight": 2.0}), ("c", "y", {"weight": 0.5})])
    net.inputs, net.outputs = ["x"], ["y"]
    net.add_synapse("y", "c", weight=-1.0, delay=1)
    net.gate("x", net.add_synapse("c", "c", weight=0.9))
    X = np.random.default_rng(0).normal(size=(2, 4, 1))
    found = net.attribute(X, method="conductance", step=-1)
    back = net.attribute(X, method="synapse_conductance")[net.edges["y", "c"]]
    assert close(found["c"].sum(1) - back, found.change, 1e-9)
    assert close(found["y"].sum(1) - back, found.change, 1e-9) and np.abs(back).min() > 1e-4


@settings(max_examples=40)
@given(question=questions(max_hidden=2), data=st.data())
def test_all_paths_from_an_input_carry_what_it_is_due(question, data):
    net, X, more = question
    name = data.draw(st.sampled_from(net.inputs))
    paths, waiting = [], [(name, [], 0)]
    while waiting:
        at, so_far, steps = waiting.pop()
        if at == more["output"] and so_far:
            paths.append(so_far)
        for s in net.synapses:
            assume(s.gater is None or s.gater != s.source)  # one step of a path could be two
            steps_after = steps + (s.delay if s.source == at else s.gate_delay)
            leads = at == s.gater or (at == s.source and (so_far or s.reads != "state"))
            if leads and net.nodes[s.target].role != "input" and steps_after < X.shape[1]:
                waiting.append((s.target, [*so_far, s], steps_after))
        assume(len(paths) + len(waiting) < 60)
    ig = attributed(net, X, **more)[name].sum(1)
    total = sum(
        (attributed(net, X, path=[name, *p], **more).values for p in paths), np.zeros(len(X))
    )
    assert close(total, ig, 1e-9)


def test_a_path_by_neurons_is_that_of_its_synapses():
    net = ng.perceptron(2, 2, 1, seed=0)
    by_name = net.attribute([1, 2], path=["input.0", "hidden.1", "output.0"])
    handles = [net.edges["input.0", "hidden.1"], net.edges["hidden.1", "output.0"]]
    by_synapse = net.attribute([1, 2], path=handles)
    assert by_name.values == by_synapse.values != 0 and by_name.of == handles
    neuron = net.attribute([1, 2], method="conductance")["hidden.1"]
    assert close(net.attribute([1, 2], path=["hidden.1", "output.0"]).values, neuron, 1e-12)
    assert close(net.attribute([1, 2], path=["output.0"]).values, by_name.change[0], 1e-9)


def test_trapezoids_and_many_runs_come_to_the_same(monkeypatch):
    net = ng.lstm(2, 2, 1, seed=0)
    X = np.random.default_rng(0).normal(size=(3, 4, 2))
    for method in ("integrated_gradients", "conductance", "synapse_conductance"):
        fine = net.attribute(X, method=method, points=16)
        other = net.attribute(
            X, method=method, points=2000, quadrature="trapezoid", engine="walker"
        )
        assert close(fine.values, other.values, 1e-6)
        with monkeypatch.context() as m:
            m.setattr(ng.inspection.attribution, "PART", 1)
            parts = net.attribute(X, method=method, points=16)
        assert close(parts.values, fine.values, 1e-12)


def test_attributing_leaves_no_trace():
    net = ng.lstm(1, 2, 1, seed=0)
    X = np.ones((2, 3, 1))
    net.activate([1])
    net.forward(X)
    names = ("state", "output", "delta", "grad")
    shown = [[getattr(n, name) for name in names] for n in net.neurons]
    for method in ng.inspection.attribution.METHODS:
        net.attribute(X, method=method)
    assert shown == [[getattr(n, name) for name in names] for n in net.neurons]
    assert not net.gradients.any()
    net.backward(np.zeros((2, 3, 1)))  # of the run before


def test_what_misses_the_tolerance_is_said():
    net = ng.Network([("x", "y", {"weight": 20.0})])
    net.inputs, net.outputs, net.nodes["y"].bias = ["x"], ["y"], -10.0
    with pytest.warns(ng.NeurographWarning, match=r"sample 0 .* misses the tolerance .* points=8"):
        found = net.attribute([1], points=2)
    assert not found.complete and abs(found.residual[0]) > 1e-4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert net.attribute([1], points=2, tolerance=10).complete
        assert net.attribute([1], points=64).complete


def test_frames_have_rows_for_samples_and_columns_for_names():
    net = ng.perceptron(2, 2, 1, seed=0)
    net.relabel({"input.1": (1, "b")})
    X = np.ones((3, 2, 2))
    frame = net.attribute(X).to_pandas()
    assert frame.shape == (6, 2) and list(frame.columns) == ["input.0", (1, "b")]
    assert frame.index.names == ["sample", "step"]
    found = net.attribute(X, method="synapse_conductance")
    frame = found.to_pandas()
    assert list(frame.columns) == ["sample", "source", "target", "value", "gate"]
    row = frame[(frame["sample"] == 2) & (frame["target"] == "output.0")].iloc[0]
    assert row["value"] == found[net.edges[row["source"], "output.0"]][2]
    path = net.attribute(X, path=[(1, "b"), "hidden.0", "output.0"]).to_pandas()
    assert path.shape == (3, 1)
    assert net.attribute([1, 1], method="gradient_x_weight").to_pandas().shape == (6, 4)


WRONG = [
    ({"method": "integrated_gradient"}, "method must be one of", ng.ParameterError),
    ({"output": "hidden.0"}, "is no output of the network", ng.ParameterError),
    ({"output": "y"}, "no neuron 'y'", ng.ParameterError),
    ({"output": None}, "of which output", ng.ParameterError),
    ({"step": 1}, "step must be a whole number from 0 to 0", ng.ParameterError),
    ({"quantity": "delta"}, "quantity must be one of", ng.ParameterError),
    ({"points": 0}, "points must be 1 or more", ng.ParameterError),
    ({"points": 1, "quadrature": "trapezoid"}, "points must be 2 or more", ng.ParameterError),
    ({"quadrature": "simpson"}, "quadrature must be one of", ng.ParameterError),
    ({"tolerance": -1}, "tolerance must be 0 or more", ng.ParameterError),
    ({"baseline": [0, 0, 0]}, "baseline must be a number, or an array", ng.ShapeError),
    ({"baseline": np.nan}, "baseline must hold finite numbers", ng.NonFiniteError),
    ({"method": "gradient_x_input", "baseline": 0}, "has no baseline", ng.ParameterError),
    ({"method": "conductance", "path": ["output.0"]}, "one method", ng.ParameterError),
    ({"path": []}, "at least a neuron or a synapse", ng.ParameterError),
    ({"path": ["input.0", "output.0"]}, "no synapse 'input.0' -> 'output.0'", ng.ParameterError),
    ({"path": ["input.0", "hidden.0"]}, "ends in 'hidden.0', not in output", ng.ParameterError),
]


@pytest.mark.parametrize(("options", "text", "error"), WRONG)
def test_what_cannot_be_asked(options, text, error):
    net = ng.perceptron(2, 2, 2, seed=0)
    with pytest.raises(error, match=text):
        net.attribute([1, 1], **{"output": "output.0", **options})


def test_paths_that_are_none():
    net = ng.Network([("x", "h"), ("h", "y"), ("y", "x", {"delay": 1})], seed=0)
    net.inputs, net.outputs = ["x"], ["y"]
    first, last, back = net.edges["x", "h"], net.edges["h", "y"], net.edges["y", "x"]
    with pytest.raises(ng.ParameterError, match="has a gap: .* does not start in 'y'"):
        net.attribute([1], path=[last, last])
    with pytest.raises(ng.ParameterError, match="nothing passes .* is an input"):
        net.attribute([1], path=[first, last, back, first, last])
    other = ng.perceptron(1, 1, seed=0)
    with pytest.raises(ng.ParameterError, match="belongs to another network"):
        net.attribute([1], path=list(other.synapses))
    net.remove_edge("x", "h")
    with pytest.raises(ng.DetachedError, match="no longer part"):
        net.attribute([1], path=[first, last])
    with pytest.raises(ng.ParameterError, match="expected a synapse"):
        net.attribute([1], path=[last, "y"])
    with pytest.raises(ng.ParameterError, match="nothing is attributed to 'z'"):
        net.attribute([1])["z"]


def test_a_path_through_a_gate_has_the_half_of_a_product():
    net = ng.Network()
    for name, role in (("x", "input"), ("g", "input"), ("h", None), ("y", "output")):
        net.add_neuron(name, role=role, activation="identity")
    first = [net.add_synapse("x", "h", weight=1), net.add_synapse("g", "h", weight=-1)]
    gated = net.add_synapse("h", "y", weight=3)
    net.gate("g", gated)
    # y = 3 g (x - g): ∫ 3 (x - g) a g da from 0 to 1, and the same once more through h
    x, g = 5, 2
    for path, due in (
        (["g", gated], 1.5 * (x - g) * g),
        (["x", first[0], gated], 1.5 * x * g),
        (["g", first[1], gated], -1.5 * g * g),
    ):
        assert net.attribute([x, g], path=path).values == pytest.approx(due, rel=1e-9)
