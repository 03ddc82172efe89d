"""The debugger: its numbers are those of the walker, bit for bit, and it touches nothing."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurograph as ng
from tests.strategies import networks, runs, sequences
from tests.test_certificates import columns


def by_neuron(events, what):
    return {(e.neuron, e.step): e.value for e in events if e.what == what}


@settings(max_examples=60)
@given(run=runs(), data=st.data())
def test_every_number_is_that_of_the_walker(run, data):
    net, X, Y = run
    X, Y = X[:1], Y[:1]
    loss = data.draw(st.sampled_from(["squared_error", "mse", "matching"]))
    state = net.run(X, engine="walker").final_state if data.draw(st.booleans()) else None
    assume(state is None or np.abs(state.s).max() < 1e3)
    before = columns(net)
    events = list(net.walk(X, Y, loss=loss, state=state))
    assert columns(net) == before

    rec = net.run(X, state=state, engine="walker")
    value = net.backward(Y, loss=loss)
    assert [e.value for e in events if e.what == "loss value"] == [value]
    outputs = by_neuron(events, "output") | by_neuron(events, "input")
    states, deltas = by_neuron(events, "state"), by_neuron(events, "delta")
    for n in net.neurons:
        trace = rec[n.name]
        for t in range(X.shape[1]):
            assert outputs[n.name, t] == trace.output[0, t]
            if n.role != "input":
                assert states[n.name, t] == trace.state[0, t]
                assert deltas[n.name, t] == trace.delta[0, t]
    weights = {e.synapse: e.value for e in events if e.what == "weight gradient"}
    assert all(weights[s] == s.grad for s in net.synapses)
    biases = {e.neuron: e.value for e in events if e.what == "bias gradient"}
    assert all(biases[n.name] == n.grad for n in net.neurons)
    found = by_neuron(events, "input gradient")
    for i, name in enumerate(net.inputs):
        for t in range(X.shape[1]):
            assert found[name, t] == net.input_gradient[0, t, i]


@settings(max_examples=40)
@given(run=runs())
def test_terms_are_products_of_their_factors_and_add_up(run):
    net, X, Y = run
    sums = {}
    ends = {"state": "s", "epsilon": "ε", "input gradient": "ε", "delta": "δ"}
    of = {"bias": "s", "memory": "s", "synapse": "s", "loss": "ε", "sent": "ε", "gate": "ε",
          "slope": "δ", "loss state": "δ", "carried": "δ"}  # fmt: skip
    for e in net.walk(X[:1], Y[:1]):
        if e.factors and e.what != "output":
            assert e.value == pytest.approx(np.prod([v for _, v in e.factors]), rel=1e-12)
        if e.what in of:
            key = of[e.what], e.neuron, e.step
            sums[key] = sums.get(key, 0.0) + e.value
            assert sums[key] == pytest.approx(e.total, rel=1e-12, abs=1e-12)
            assert not e.done
        elif e.what in ends:
            key = ends[e.what], e.neuron, e.step
            assert sums.get(key, 0.0) == pytest.approx(e.value, rel=1e-12, abs=1e-12)
            assert e.done and e.equation in repr(e)
        if e.synapse is not None:
            assert repr(e.synapse.source) in repr(e) and e.synapse in set(net.synapses)


@settings(max_examples=30)
@given(run=runs(), data=st.data())
def test_leaving_early_and_editing_meanwhile_change_nothing(run, data):
    net, X, Y = run
    X, Y = X[:1], Y[:1]
    whole = list(net.walk(X, Y))
    n = data.draw(st.integers(1, len(whole)))
    before = columns(net)
    for k, event in enumerate(net.walk(X, Y), 1):
        assert event == whole[k - 1]
        if k == n:
            break
    assert columns(net) == before
    walk = net.walk(X, Y)
    some = [next(walk) for _ in range(n)]
    net.weights = net.weights + 1
    assert some + list(walk) == whole


@settings(max_examples=30)
@given(net=networks(), data=st.data())
def test_breakpoints_choose_and_do_not_compute(net, data):
    X = data.draw(sequences(net, max_samples=1))
    Y = np.zeros((1, X.shape[1], len(net.outputs)))
    whole = list(net.walk(X, Y))
    neuron = data.draw(st.sampled_from(list(net.neurons)))
    synapse = data.draw(st.sampled_from(list(net.synapses)))
    ours = [e for e in whole if e.neuron == neuron.name]
    theirs = [e for e in whole if e.synapse is synapse]
    assert list(net.walk(X, Y, breaks=neuron)) == ours
    assert list(net.walk(X, Y, breaks=[neuron.name])) == ours
    assert list(net.walk(X, Y, breaks=synapse)) == theirs
    assert list(net.walk(X, Y, breaks=[(synapse.source, synapse.target)])) == theirs
    both = [e for e in whole if e in ours or e in theirs]
    assert list(net.walk(X, Y, breaks=[neuron, synapse])) == both
    assert list(net.walk(X, Y, breaks="delta")) == [e for e in whole if e.what == "delta"]
    assert list(net.walk(X, Y, breaks=lambda e: e.value < 0)) == [e for e in whole if e.value < 0]
    first = whole.index(ours[-1])
    later = list(net.walk(X, Y, until=lambda e: e == ours[-1]))
    assert later == whole[first:]
    assert list(net.walk(X, Y, until="loss value", breaks=lambda e: e.done)) == [
        e for e in whole[[e.what for e in whole].index("loss value"):] if e.done
    ]  # fmt: skip
    assert list(net.walk(X)) == [e for e in whole if e.phase == "forward"]


def test_it_walks_up_to_where_a_number_is_lost():
    net = ng.perceptron(1, 1, 1, seed=0, activation="identity", output_activation="identity")
    net.weights = [1e300, 1e300]
    events = []
    with pytest.raises(ng.NonFiniteError):
        events.extend(net.walk([1e200], [0]))
    assert next(e.neuron for e in events if not np.isfinite(e.value)) == "hidden.0"
    walk = net.walk([1e200])
    next(walk)
    with pytest.warns(RuntimeWarning):  # what users do in the loop warns as ever
        np.float64(1e300) * np.float64(1e300)


def test_events_are_frozen_and_float32_stays():
    net = ng.perceptron(1, 2, 1, seed=0, dtype="float32")
    event = next(net.walk([1]))
    with pytest.raises(FrozenInstanceError):
        event.value = 0
    outputs = [e.value for e in net.walk([0.3]) if e.neuron == "output.0" and e.what == "output"]
    assert outputs == net.forward([0.3], engine="walker").tolist()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda net: net.walk([[0], [1]]), ng.ShapeError, r"one sample; X has 2: take X\[b:b\+1\]"),
        (lambda net: net.walk([0, 1]), ng.ShapeError, "X must have shape"),
        (lambda net: net.walk([0], [0, 1]), ng.ShapeError, "target must have shape"),
        (lambda net: net.walk([0], [0], loss="no"), ng.ParameterError, "unknown loss"),
        (lambda net: net.walk([0], [0], reduction="no"), ng.ParameterError, "reduction"),
        (lambda net: net.walk([0], state=3), ng.ParameterError, "final_state"),
        (lambda net: net.walk([0], breaks="nobody"), ng.ParameterError, "a breakpoint is"),
        (lambda net: net.walk([0], until=[("a", "b")]), ng.ParameterError, "a breakpoint is"),
        (
            lambda net: net.walk([0], breaks=ng.perceptron(1, 1, seed=0).nodes["input.0"]),
            ng.ParameterError,
            "another network",
        ),
    ],
)
def test_what_does_not_fit_is_said_before_the_first_event(call, error, message):
    with pytest.raises(error, match=message):
        call(ng.perceptron(1, 2, 1, seed=0))
