"""The laws of explained updates: the parts add up to the change, and each is what it says."""

import json
from dataclasses import dataclass, replace
from math import fsum

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurograph as ng
from tests.strategies import close, networks, sequences


@dataclass(frozen=True)
class Signed(ng.Optimizer):
    """Not linear in the gradient, and with a memory: one of one's own."""

    slots = ("mean",)

    def update(self, gradient, state, parameters, rate):
        mean = 0.5 * state["mean"] + gradient
        return parameters - rate * np.tanh(mean), {"mean": mean}


OPTIMIZERS = [
    ng.SGD(0.3),
    ng.Momentum(0.2),
    ng.Nesterov(0.2, momentum=0.7),
    ng.RMSprop(0.02),
    ng.Adam(0.05),
    ng.AdamW(0.05, weight_decay=0.1),
    ng.Rprop(0.02),
    Signed(0.1),
]
settings_of = st.fixed_dictionaries(
    {},
    optional={
        "clip_value": st.sampled_from([1e-3, 1.0]),
        "clip_norm": st.sampled_from([1e-3, 1.0]),
        "l1": st.just(0.01),
        "l2": st.just(0.02),
        "rate": st.just(ng.schedules.Exponential(0.1, 0.5)),
    },
)


def total(parts):
    return fsum(part.value for part in parts)


@st.composite
def held_networks(draw, **options):
    """Networks with frozen synapses, rates of their own, bounds and signs."""
    net = draw(networks(**options))
    for synapse in net.synapses:
        kind = draw(st.integers(0, 5))
        if kind == 1:
            synapse.trainable = False
        elif kind == 2:
            synapse.rate_factor = 0.25
        elif kind == 3 and synapse.tie is None:
            synapse.lower = synapse.weight - 1e-3
            synapse.upper = synapse.weight + 1e-3
    return net


@settings(max_examples=60)
@given(net=held_networks(), optimizer=st.sampled_from(OPTIMIZERS), more=settings_of, data=st.data())
def test_the_parts_are_the_change_that_fit_made(net, optimizer, more, data):
    X = data.draw(sequences(net, max_samples=2))
    Y = np.random.default_rng(0).normal(size=(*X.shape[:2], len(net.outputs)))
    optimizer = replace(optimizer, **more)
    options = {"optimizer": optimizer, "batch_size": 1, "shuffle": False, "engine": "walker"}
    plain = net.copy()
    before = plain.weights
    for b in range(len(X)):
        before = plain.weights
        plain.fit(X[b : b + 1], Y[b : b + 1], **options)
    with net.keep_updates():
        net.fit(X, Y, **options)
    assert np.array_equal(net.weights, plain.weights)
    for synapse, old, new in zip(net.synapses, before, net.weights, strict=True):
        e = synapse.explain_update()
        assert (e.before, e.after, e.change) == (old, new, new - old)
        assert e.update == len(X) - 1
        assert close(total(e.parts), e.change, 1e-13)
        for part in e.parts:
            if part.numbers:
                assert close(np.prod(part.numbers), part.value, 1e-13)
        assert synapse.trainable or e.parts[0].what.startswith("it is frozen")
        json.dumps(e.to_dict(), allow_nan=False)


OPTIONS = {
    "clip_value": ({"clip_value": 0.01}, {}),
    "clip_norm": ({"clip_norm": 0.01}, {}),
    "l1": ({"l1": 0.3}, {}),
    "l2": ({"l2": 0.3}, {}),
    "rate_factor": ({}, {"rate_factor": 0.25}),
    "upper": ({}, {"upper": 0.61}),
    "lower": ({}, {"lower": 0.59}),
}


@pytest.mark.parametrize("target", [-3.0, 3.0])
@pytest.mark.parametrize("name", OPTIONS)
def test_a_part_is_what_its_option_changed(name, target):
    def learned(options, attributes):
        net = ng.Network([("x", "y", {"weight": 0.6, **attributes})], seed=0)
        net.inputs, net.outputs = ["x"], ["y"]
        with net.keep_updates():
            net.fit([[1.0]], [[target]], optimizer=ng.SGD(0.5, **options))
        return net.edges["x", "y"].explain_update()

    with_it, without = learned(*OPTIONS[name]), learned({}, {})
    found = [p for p in with_it.parts if name in p.what]
    assert with_it.parts[0].value == pytest.approx(without.change, rel=1e-12)
    assert total(found) == pytest.approx(with_it.change - without.change, rel=1e-12, abs=1e-15)
    reached = with_it.change == without.change  # a bound on the other side
    assert bool(found) != (reached and name in ("upper", "lower"))


def test_momentum_and_the_mean_of_adam_are_parts():
    for optimizer, word in ((ng.Momentum(0.1), "velocity"), (ng.Adam(0.1), "mean of earlier")):
        net = ng.perceptron(1, 1, seed=0)
        synapse = net.edges["input.0", "output.0"]
        with net.keep_updates():
            net.fit([[1.0]], [[1.0]], optimizer=optimizer)
        first = synapse.explain_update()
        assert [p.value for p in first.parts if word in p.what] == [0]
        net.forward([[0.0]])
        with net.keep_updates():
            net.fit([[0.0]], [[1.0]], optimizer=optimizer)  # an input of 0: no gradient
        e = synapse.explain_update()
        assert synapse.grad == 0 and e.change != 0
        assert [p.value for p in e.parts if word in p.what] == [pytest.approx(e.change, rel=1e-9)]


@settings(max_examples=40)
@given(
    net=networks(),
    rule=st.sampled_from(["lstm-g", "bptt", "rtrl"]),
    engine=st.sampled_from(["walker", "compiled"]),
    data=st.data(),
)
def test_the_change_that_propagate_made_is_its_gradient(net, rule, engine, data):
    net.rule, net.engine = rule, engine
    for synapse in net.synapses:
        if synapse.tie is None:
            synapse.trainable = data.draw(st.booleans())
    x = data.draw(sequences(net))[0]
    target = np.random.default_rng(0).normal(size=(len(x), len(net.outputs)))
    plain = net.copy()
    way = data.draw(st.sampled_from(["propagate", "learn", "stepper"]))

    def learn(net):
        if way == "learn":
            net.learn(x, target, 0.1)
        step = net.stepper(0.1) if way == "stepper" else None
        for row, wanted in zip(x, target, strict=True) if way != "learn" else ():
            if step:
                step(row, wanted)
            else:
                net.activate(row)
                net.propagate(0.1, wanted)

    learn(plain)
    with net.keep_updates():
        learn(net)
    assert np.array_equal(plain.weights, net.weights)
    for synapse in net.synapses:
        e = synapse.explain_update()
        assert e.after == synapse.weight and e.update == len(x) - 1
        assert close(total(e.parts), e.change, 1e-13)
        assert close(e.change, -0.1 * synapse.grad * synapse.trainable, 1e-13)


def test_all_that_learns_online_is_kept():
    X, Y = [[0, 1], [1, 1]], [[1], [0]]
    for learn in (
        lambda net: net.fit(X, Y, rule="lstm-g", optimizer=ng.SGD(0.1)),
        lambda net: ng.Trainer(net, iterations=2).train(X, Y),
    ):
        net = ng.perceptron(2, 2, 1, seed=0)
        with net.keep_updates():
            learn(net)
        e = net.edges["input.1", "hidden.0"].explain_update()
        assert e.change and total(e.parts) == pytest.approx(e.change, abs=1e-15)


def test_synaptic_adds_up_too():
    net = ng.perceptron(2, 2, 1, seed=0)
    net.rule = "synaptic"
    with net.keep_updates():
        net.activate([1, 1])
        net.propagate(0.3, [0])
    for synapse in net.synapses:
        e = synapse.explain_update()
        assert e.change and total(e.parts) == pytest.approx(e.change, abs=1e-15)


@settings(max_examples=20)
@given(optimizer=st.sampled_from(OPTIMIZERS), net=networks(dtype="float32"))
def test_single_precision_adds_up_with_its_round_off(optimizer, net):
    with net.keep_updates():
        net.fit(np.ones((1, len(net.inputs))), np.ones((1, len(net.outputs))), optimizer=optimizer)
    for synapse in net.synapses:
        e = synapse.explain_update()
        assert close(total(e.parts), e.change, 1e-12)
        assert all(abs(p.value) < 1e-5 for p in e.parts if p.what.startswith("round-off"))


def test_what_is_tied_says_so():
    net = ng.perceptron(2, 2, 1, seed=0)
    net.tie([net.edges["input.0", "hidden.0"], net.edges["input.1", "hidden.1"]])
    with net.keep_updates():
        net.fit([[0, 1]], [[1]])
    e = net.edges["input.0", "hidden.0"].explain_update()
    assert "2 synapses share this weight" in str(e)


def learned():
    net = ng.perceptron(2, 2, 1, seed=0)
    synapse = net.edges["input.0", "hidden.0"]
    with net.keep_updates():
        net.fit([[0, 1]], [[1]])
    return net, synapse


def test_an_update_that_was_not_kept_says_what_to_write():
    net = ng.perceptron(2, 2, 1, seed=0)
    net.fit([[0, 1]], [[1]])
    with pytest.raises(ng.ParameterError, match=r"with net.keep_updates\(\): net.fit"):
        net.edges["input.0", "hidden.0"].explain_update()


def test_what_learned_or_was_edited_since_is_not_explained():
    for edit in (
        lambda net, s: net.fit([[0, 1]], [[1]]),
        lambda net, s: setattr(s, "weight", 5),
        lambda net, s: (net.activate([0, 1]), net.propagate(0.1, [1])),
        lambda net, s: net.add_synapse("input.0", "output.0"),
    ):
        net, synapse = learned()
        synapse.explain_update()
        edit(net, synapse)
        with pytest.raises(ng.ParameterError, match=r"edited .*since the last update"):
            synapse.explain_update()
    net, _ = learned()
    with net.keep_updates():
        net.fit([[0, 1]], [[1]])
        synapse = net.add_synapse("input.0", "output.0")
        with pytest.raises(ng.ParameterError, match=r"edited since the last update"):
            synapse.explain_update()


def test_what_was_removed_is_not_explained():
    net, synapse = learned()
    net.remove_edge("input.0", "hidden.0")
    with pytest.raises(ng.DetachedError, match="no longer part of a network"):
        synapse.explain_update()


def test_an_error_inside_leaves_nothing_behind():
    net = ng.perceptron(2, 2, 1, seed=0)

    def fail():
        with net.keep_updates(), net.keep_updates():
            net.fit([[0, 1]], [[1]])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert "_journal" not in vars(net)
    net.edges["input.0", "hidden.0"].explain_update()
    assert "_kept_update" in vars(net)
    assert "_kept_update" not in vars(net.copy()) | net.__getstate__()


def test_the_sign_of_a_source_is_a_bound():
    net = ng.Network([("x", "y", {"weight": 0.1})], seed=0)
    net.inputs, net.outputs, net.nodes["x"].sign = ["x"], ["y"], 1
    with net.keep_updates():
        net.fit([[1.0]], [[-9.0]], optimizer=ng.SGD(1.0))
    e = net.edges["x", "y"].explain_update()
    assert e.after == 0 and e.parts[-1].what == "lower bound 0, by the sign of its source or a tie"
    assert total(e.parts) == pytest.approx(-0.1, rel=1e-12)


def test_no_kernel_learns_past_the_journal():
    X, Y = np.random.default_rng(0).uniform(size=(2, 6, 2)).round()
    options = {"optimizer": ng.SGD(0.1), "batch_size": 2, "shuffle": False, "engine": "compiled"}
    net = ng.perceptron(2, 3, 2, seed=0)
    plain = net.copy()
    plain.fit(X, Y, **options)
    with net.keep_updates():
        net.fit(X, Y, **options)
    assert close(net.weights, plain.weights, 1e-14)
    assert net.edges["input.0", "hidden.0"].explain_update().update == 2


def test_a_step_after_the_block_is_not_kept():
    net = ng.perceptron(2, 2, 1, seed=0)
    net.engine = "walker"  # with "auto" a network asks anew who steps it, at each step
    synapse = net.edges["input.0", "hidden.0"]
    with net.keep_updates():
        net.activate([1, 1])
        net.propagate(0.1, [1])
    synapse.explain_update()
    net.activate([1, 1])
    net.propagate(0.1, [1])
    with pytest.raises(ng.ParameterError, match="edited .or learned. since"):
        synapse.explain_update()
