"""The laws of explained gradients of online learning: the parts add up, and nothing is stale."""

import json
from math import fsum

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurograph as ng
from tests.strategies import close, networks, ready_for, sequences

RULES = ["lstm-g", "rtrl", ng.BPTT(2), ng.BPTT(20), "synaptic"]
ENGINES = st.sampled_from(["walker", "compiled"])


def total(parts):
    return fsum(part.value for part in parts)


@st.composite
def taught(draw, rule, dtype="float64"):
    """A network that has just learned from the last of some steps, by a rule."""
    net = draw(networks(ties=rule != "synaptic", dtype=dtype))
    assume(ready_for(net, rule))
    net.engine = draw(ENGINES)
    for one in net.synapses:
        if one.tie is None:
            one.trainable = draw(st.booleans())
    X = draw(sequences(net))[0]
    Y = np.random.default_rng(draw(st.integers(0, 99))).uniform(
        0.1, 0.9, (len(X), len(net.outputs))
    )
    loss = "matching" if rule == "synaptic" else draw(st.sampled_from(["matching", "mse"]))
    way = draw(st.sampled_from(["propagate", "learn", "stepper"]))
    step = net.stepper(0.1, loss=loss) if way == "stepper" else None
    if way == "learn":
        net.learn(X, Y, 0.1, loss=loss)
    for x, y in zip(X, Y, strict=True) if way != "learn" else ():
        if step:
            step(x, y)
        else:
            net.activate(x)
            net.propagate(0.1, y, loss=loss)
    return net


@pytest.mark.parametrize("rule", RULES, ids=str)
@settings(max_examples=50)
@given(data=st.data())
def test_the_parts_add_up_to_what_propagate_found(rule, data):
    net = data.draw(taught(rule))
    status = net.gradient_status()
    for synapse in net.synapses:
        e = synapse.explain(terms=10**6)
        assert e.gradient == synapse.grad
        assert e.status == status[synapse]
        for section in e.sections:
            assert close(total(section.parts), e.gradient, 1e-12)
            for part in section.parts:
                if part.numbers:
                    assert close(np.prod(part.numbers), part.value, 1e-12)
        reason = "exact" if status[synapse].exact else f"truncated: {status[synapse].reason}"
        assert f"finds of it is {reason}." in str(e)
        few = synapse.explain(terms=1, paths=1)
        assert all(len(section.parts) <= 2 for section in few.sections)
        read = json.loads(json.dumps(e.to_dict(), allow_nan=False))
        assert close(sum(p["value"] for p in read["parts"]["parts"]), e.gradient, 1e-12)


@pytest.mark.parametrize("rule", RULES[:4], ids=str)
@settings(max_examples=15)
@given(data=st.data())
def test_single_precision_adds_up_with_its_round_off(rule, data):
    net = data.draw(taught(rule, "float32"))
    for synapse in net.synapses:
        for section in synapse.explain().sections:
            assert close(total(section.parts), synapse.grad, 1e-12)
            off = [abs(p.value) for p in section.parts if p.what.startswith("round-off")]
            assert max(off, default=0) <= 1e-4 * max([1, *(abs(p.value) for p in section.parts)])


@pytest.mark.parametrize("rule", ["lstm-g", "rtrl", ng.BPTT(20)], ids=str)
@settings(max_examples=20)
@given(data=st.data())
def test_whichever_came_last_is_explained(rule, data):
    net = data.draw(taught(rule))
    X = data.draw(sequences(net))
    online = [s.explain().title for s in net.synapses]
    net.forward(X)  # no gradient of it yet
    assert [s.explain().title for s in net.synapses] == online
    net.backward(np.zeros((*X.shape[:2], len(net.outputs))))
    for synapse in net.synapses:
        e = synapse.explain()
        assert e.title.startswith("∂L/∂w") and e.status.exact
        assert close(total(e.parts), synapse.grad, 1e-12)
    net.activate(X[0, 0])  # leaves that gradient as it is
    assert net.edges[next(iter(net.edges))].explain().title.startswith("∂L/∂w")
    net.propagate(0.1, np.full(len(net.outputs), 0.5))
    for synapse in net.synapses:
        e = synapse.explain()
        assert e.title.startswith("∂ℓ/∂w")
        assert close(total(e.parts), synapse.grad, 1e-12)


def lstm():
    net = ng.lstm(1, 2, 1, seed=0)
    for x in 1.0, -1.0, 0.5:
        net.activate([x])
        net.propagate(0.3, [0.2])
    return net


def test_a_gater_is_explained_by_its_extended_traces():
    net = lstm()
    gater, cell = next((s.gater, s.target) for s in net.synapses if s.gater and s.loop)
    synapse = net.nodes[gater].incoming[0]
    e = synapse.explain()
    traces = {t.target: t.value for t in net.extended_traces() if t.of is synapse}
    part = next(p for p in e.parts if p.about["kind"] == "gate" and p.about["neuron"] == cell)
    assert part.numbers == (net.nodes[cell].delta, traces[cell])
    assert part in e.hops
    own = next(p for p in e.parts if p.about["kind"] == "trace")
    assert own.numbers[1] == synapse.eligibility


@pytest.mark.parametrize("since", [
    lambda net: net.activate([1.0]),
    lambda net: net.learn([[1.0]], [[np.nan]], 0.1),
    lambda net: net.reset_state(),
    lambda net: net.clear_traces(),
    lambda net: (net.forward([[1.0]]), net.backward([[0.5]]), net.forward([[1.0]])),
])  # fmt: skip
def test_what_was_learned_from_is_not_there_for_ever(since):
    net = lstm()
    synapse = next(iter(net.synapses))
    synapse.explain()
    since(net)
    with pytest.raises(ng.ParameterError, match=r"is gone: .*then explain\(\), before the next"):
        synapse.explain()
    net.activate([1.0])
    net.propagate(0.1, [0.5])
    synapse.explain()


def test_a_step_that_failed_is_not_explained():
    net = ng.Network([("x", "y", {"weight": 1.0})])
    net.inputs, net.outputs, net.nodes["y"].activation = ["x"], ["y"], "identity"
    step = net.stepper(0.1)
    step([1.0], [0.5])
    net.edges["x", "y"].explain()
    with pytest.raises(ng.NonFiniteError):
        step([1e300], [0.0])
    with pytest.raises(ng.ParameterError, match="is gone"):
        net.edges["x", "y"].explain()


def test_after_fit_an_error_says_what_to_do():
    for options in ({}, {"rule": "lstm-g", "loss": "matching"}):
        net = lstm()
        net.fit(np.ones((1, 3, 1)), np.ones((1, 3, 1)), **options)
        with pytest.raises(ng.ParameterError, match=r"net.forward\(X\), then net.backward"):
            next(iter(net.synapses)).explain()


@pytest.mark.parametrize("options", [{"sample": 0}, {"step": 0}])
def test_there_is_no_sample_and_no_step_to_choose(options):
    with pytest.raises(ng.ParameterError, match="one step of `propagate`: leave them out"):
        next(iter(lstm().synapses)).explain(**options)


def test_a_gradient_that_somebody_else_wrote_is_not_explained():
    for rule in "lstm-g", "bptt":
        net = ng.perceptron(1, 1, seed=0)
        net.rule = rule
        net.activate([1.0])
        net.propagate(0.0, [0.5])
        net._store.synapses.array("grad")[:] = 7
        with pytest.raises(ng.ParameterError, match="is 7 now, and the last propagate made it"):
            net.edges["input.0", "output.0"].explain()


def test_the_window_of_bptt_counts_back():
    net = ng.Network([("x", "y", {"weight": 0.5}), ("y", "y", {"weight": 0.9})])
    net.inputs, net.outputs, net.rule = ["x"], ["y"], ng.BPTT(3)
    net.learn([[1.0], [2.0], [3.0], [4.0]], np.zeros((4, 1)), 0.1)
    e = net.edges["x", "y"].explain()
    assert [p.what for p in e.parts] == ["2 steps ago", "1 step ago", "this step"]
    assert "3 steps" in str(e) and not e.status.exact and e.title.startswith("∂ℓ/∂w")


def test_a_synapse_into_an_input_has_no_gradient():
    for rule in "lstm-g", "rtrl":
        net = ng.Network([("a", "y"), ("y", "a", {"delay": 1})])
        net.inputs, net.outputs, net.rule = ["a"], ["y"], rule
        net.activate([1.0])
        net.propagate(0.1, [0.0])
        e = net.edges["y", "a"].explain()
        assert e.gradient == 0 and "is an input" in str(e)


@pytest.mark.parametrize("engine", ["walker", "compiled"])
def test_a_late_gate_of_synaptic_meets_what_the_sweep_before_left(engine):
    """Failed on a sweep that visits the gater before the target of its gate."""
    net = ng.Network([("x", "h"), ("h", "g"), ("x", "g"), ("h", "y")], seed=1)
    net.inputs, net.outputs, net.rule, net.engine = ["x"], ["y", "g"], "synaptic", engine
    net.add_edge("x", "h", weight=0.7, gater="g", gate_delay=1)
    for x, target in (1.0, 0.2), (0.5, 0.9), (-1.0, 0.4):
        net.activate([x])
        before = -net.nodes["h"].delta
        net.propagate(0.3, [target, 1 - target])
    e = net.edges["h", "g"].explain()
    assert close(total(e.parts), net.edges["h", "g"].grad, 1e-12)
    (gate,) = (part for part in e.parts if part.about["kind"] == "gate")
    assert gate.value and gate.numbers[0] == -before != net.nodes["h"].delta
    assert "responsibility of the sweep before of 'h'" in str(e)
