"""The laws of explained updates: the parts add up to the change, and each is what it says."""

import json
import pickle
from dataclasses import dataclass, replace
from math import fsum

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.learning.lately import last_update
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


ENGINES = st.sampled_from(["walker", "compiled"])


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


def lessons(data, net):
    X = data.draw(sequences(net, max_samples=3))
    return X, np.random.default_rng(0).normal(size=(*X.shape[:2], len(net.outputs)))


def explained(net):
    """Every weight and bias, explained."""
    return [one.explain_update() for one in (*net.synapses, *net.neurons)]


def parameters(net):
    return np.concatenate([net.weights, net.biases])


def looked_at(net, how, X, Y):
    """Do what is none of an update's business."""
    if how == "forward":
        net.forward(X)
    elif how == "backward":
        for _ in range(2):
            net.forward(X)
            net.backward(Y)
    elif how == "lesion":
        with net.lesion(next(iter(net.synapses))), net.clamp(net.outputs[0], 0.5):
            net.forward(X)
            net.backward(Y)
    elif how == "activate":
        net.activate(X[0, 0])
    elif how == "ask":
        net.predict(X)
        net.copy().fit(X, Y)
        net.reset_state()


LOOKS = st.sampled_from(["", "forward", "backward", "lesion", "activate", "ask"])


@settings(max_examples=80)
@given(
    net=held_networks(),
    optimizer=st.sampled_from(OPTIMIZERS),
    more=settings_of,
    engine=ENGINES,
    look=LOOKS,
    data=st.data(),
)
def test_the_parts_are_the_change_that_fit_made(net, optimizer, more, engine, look, data):
    X, Y = lessons(data, net)
    optimizer = replace(optimizer, **more)
    options = {"optimizer": optimizer, "batch_size": 1, "shuffle": False, "engine": engine}
    plain = net.copy()
    if len(X) > 1:
        plain.fit(X[:-1], Y[:-1], **options)
    before = parameters(plain)
    plain.fit(X[-1:], Y[-1:], **options)
    net.fit(X, Y, **options)
    after, gradients = parameters(net), [*net.gradients, *net.bias_gradients]
    assert np.array_equal(after, parameters(plain))
    looked_at(net, look, X, Y)
    for e, old, new, g in zip(explained(net), before, after, gradients, strict=True):
        assert (e.before, e.after, e.change) == (old, new, new - old)
        assert e.update == len(X) - 1
        assert close(total(e.parts), e.change, 1e-13)
        assert not any(p.what.startswith("round-off") for p in e.parts)
        for part in e.parts:
            if part.numbers:
                assert close(np.prod(part.numbers), part.value, 1e-13)
        if e.of.trainable:
            first = e.parts[0]
            assert first.what.startswith("the gradient of the batch")
            assert not first.numbers or first.numbers[-1] == g
        else:
            assert [p.what for p in e.parts] == ["it is frozen: trainable is False"]
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
        net.fit([[1.0]], [[1.0]], optimizer=optimizer)
        first = synapse.explain_update()
        assert [p.value for p in first.parts if word in p.what] == [0]
        net.forward([[0.0]])
        net.fit([[0.0]], [[1.0]], optimizer=optimizer)  # an input of 0: no gradient
        e = synapse.explain_update()
        assert synapse.grad == 0 and e.change != 0
        assert [p.value for p in e.parts if word in p.what] == [pytest.approx(e.change, rel=1e-9)]


@settings(max_examples=60)
@given(
    net=networks(),
    rule=st.sampled_from(["lstm-g", "bptt", "rtrl"]),
    engine=ENGINES,
    look=LOOKS,
    data=st.data(),
)
def test_the_change_that_propagate_made_is_its_gradient(net, rule, engine, look, data):
    net.rule, net.engine = rule, engine
    for one in (*net.synapses, *net.neurons):
        if isinstance(one, ng.Neuron) or one.tie is None:
            one.trainable = data.draw(st.booleans())
    X, Y = lessons(data, net)
    way = data.draw(st.sampled_from(["propagate", "learn", "stepper", "fit"]))

    def learn(net, steps):
        x, target = X[0, steps], Y[0, steps]
        if way == "learn" and len(x):
            net.learn(x, target, 0.1)
        step = net.stepper(0.1) if way == "stepper" else None
        for row, wanted in zip(x, target, strict=True) if way not in ("learn", "fit") else ():
            if step:
                step(row, wanted)
                step.rate = 7.0  # of steps to come
                step.rate = 0.1
            else:
                net.activate(row)
                net.propagate(0.1, wanted)

    if way == "fit":
        net.fit(X, Y, rule=rule, optimizer=ng.SGD(0.1), engine=engine)
        before = None
    else:
        learn(net, slice(-1))
        before = parameters(net)
        learn(net, slice(-1, None))
    after, gradients = parameters(net), np.array([*net.gradients, *net.bias_gradients])
    looked_at(net, look, X, Y)
    for n, e in enumerate(explained(net)):
        assert e.after == after[n] and e.update is None and e.rate == 0.1
        assert before is None or close(e.before, before[n], 1e-14)
        assert close(total(e.parts), e.change, 1e-13)
        assert close(e.change, -0.1 * gradients[n] * e.of.trainable, 1e-13)


def test_all_that_learns_online_is_kept():
    X, Y = [[0, 1], [1, 1]], [[1], [0]]
    for learn in (
        lambda net: net.fit(X, Y, rule="lstm-g", optimizer=ng.SGD(0.1)),
        lambda net: ng.Trainer(net, iterations=2).train(X, Y),
    ):
        net = ng.perceptron(2, 2, 1, seed=0)
        learn(net)
        e = net.edges["input.1", "hidden.0"].explain_update()
        assert e.change and total(e.parts) == pytest.approx(e.change, abs=1e-15)


def test_synaptic_adds_up_too():
    net = ng.perceptron(2, 2, 1, seed=0)
    net.rule = "synaptic"
    net.activate([1, 1])
    net.propagate(0.3, [0])
    for synapse in net.synapses:
        e = synapse.explain_update()
        assert e.change and total(e.parts) == pytest.approx(e.change, abs=1e-15)


@settings(max_examples=20)
@given(optimizer=st.sampled_from(OPTIMIZERS), net=networks(dtype="float32"))
def test_single_precision_adds_up_with_its_round_off(optimizer, net):
    net.fit(np.ones((1, len(net.inputs))), np.ones((1, len(net.outputs))), optimizer=optimizer)
    for synapse in net.synapses:
        e = synapse.explain_update()
        assert close(total(e.parts), e.change, 1e-12)
        assert all(abs(p.value) < 1e-5 for p in e.parts if p.what.startswith("round-off"))


def test_what_is_tied_says_so():
    net = ng.perceptron(2, 2, 1, seed=0)
    net.tie([net.edges["input.0", "hidden.0"], net.edges["input.1", "hidden.1"]])
    net.fit([[1, 1]], [[1]])
    e = net.edges["input.0", "hidden.0"].explain_update()
    assert "2 synapses share this weight" in str(e)


def learned():
    net = ng.perceptron(2, 2, 1, seed=0)
    net.fit([[1, 1]], [[1]])
    return net, net.edges["input.0", "hidden.0"]


def test_a_network_that_has_not_learned_says_so():
    net, synapse = learned()
    fresh = ng.perceptron(2, 2, 1, seed=0)
    fresh.forward([[0, 1]])
    fresh.backward([[1]])
    fresh.activate([0, 1])
    for other in (fresh, net.copy(), pickle.loads(pickle.dumps(net))):
        for one in (other.edges["input.0", "hidden.0"], other.nodes["hidden.0"]):
            with pytest.raises(ng.ParameterError, match="not learned yet, or it is a copy"):
                one.explain_update()
    synapse.explain_update()


@pytest.mark.parametrize("edit", [
    lambda net, s: setattr(s, "weight", 5),
    lambda net, s: setattr(s, "weight", s.weight + 1e-6),
    lambda net, s: setattr(s, "trainable", False),
    lambda net, s: net.add_synapse("input.0", "output.0"),
    lambda net, s: net.remove_node("hidden.1"),
    lambda net, s: (net.add_synapse("input.0", "output.0"), net.forward([0, 1])),
])  # fmt: skip
@pytest.mark.parametrize("online", [False, True])
def test_what_was_edited_since_is_not_explained(edit, online):
    net, synapse = learned()
    if online:
        net.activate([1, 1])
        net.propagate(0.1, [1])
    synapse.explain_update()
    edit(net, synapse)
    with pytest.raises(ng.ParameterError, match=r"edited since the last update.*learn once more"):
        synapse.explain_update()
    net.fit([[1, 1]], [[1]])
    synapse.explain_update()


def test_an_edit_elsewhere_does_not_matter_to_an_optimizer():
    net, synapse = learned()
    before = synapse.explain_update().to_dict()
    net.edges["input.1", "hidden.1"].weight = 7.0
    synapse.lower = -100.0
    assert synapse.explain_update().to_dict() == before
    with pytest.raises(ng.ParameterError, match="edited since"):
        net.edges["input.1", "hidden.1"].explain_update()


def test_what_was_removed_is_not_explained():
    net, synapse = learned()
    net.remove_edge("input.0", "hidden.0")
    with pytest.raises(ng.DetachedError, match="no longer part of a network"):
        synapse.explain_update()


def test_the_sign_of_a_source_is_a_bound():
    net = ng.Network([("x", "y", {"weight": 0.1})], seed=0)
    net.inputs, net.outputs, net.nodes["x"].sign = ["x"], ["y"], 1
    net.fit([[1.0]], [[-9.0]], optimizer=ng.SGD(1.0))
    e = net.edges["x", "y"].explain_update()
    assert e.after == 0 and e.parts[-1].what == "lower bound 0, by the sign of its source or a tie"
    assert total(e.parts) == pytest.approx(-0.1, rel=1e-12)


@settings(max_examples=25)
@given(
    net=networks(activations=["tanh", "logistic", "identity"]),
    optimizer=st.sampled_from(OPTIMIZERS[:-1]),
    engine=ENGINES,
    data=st.data(),
)
def test_a_training_that_ends_early_is_explained_by_its_last_update(net, optimizer, engine, data):
    X, Y = (np.tile(a, (4, 1, 1)) for a in lessons(data, net))
    optimizer = replace(optimizer, rate=ng.schedules.Exponential(0.1, 0.5))
    options = {"optimizer": optimizer, "batch_size": 1, "shuffle": False, "engine": engine}
    n = data.draw(st.integers(1, len(X) - 1))
    plain = net.copy()
    if n > 1:
        plain.fit(X[: n - 1], Y[: n - 1], **options)
    before = parameters(plain)
    plain.fit(X[n - 1 : n], Y[n - 1 : n], **options)
    if data.draw(st.booleans()):
        with net.probe(neurons=net.outputs, when=lambda moment: moment.number == n):
            net.fit(X, Y, **options)
    else:
        Y[n] = 1e200 * np.sign(Y[n])
        with pytest.raises(ng.NonFiniteError):
            net.fit(X, Y, loss="squared_error", **options)
    assert np.array_equal(parameters(net), parameters(plain))
    for e, old in zip(explained(net), before, strict=True):
        assert e.before == old and e.update == n - 1
        assert close(total(e.parts), e.change, 1e-13)


def test_an_update_that_failed_leaves_the_one_before():
    for engine in ("walker", "compiled"):
        net, synapse = learned()
        before = synapse.explain_update().to_dict()
        for _ in range(2):
            with pytest.raises(ng.NonFiniteError):
                net.fit([[0, 1]], [[1e308]], optimizer=ng.SGD(1e300), engine=engine)
            assert synapse.explain_update().to_dict() == before


def test_steps_that_nobody_asked_about_change_nothing():
    net = ng.perceptron(2, 2, 1, seed=0)
    trainer = ng.Trainer(net, iterations=2)
    X, Y = [[0, 1], [1, 1]], [[1], [0]]
    trainer.train(X, Y)
    synapse = net.edges["input.1", "hidden.0"]
    before = synapse.explain_update().to_dict()
    trainer.test(X, Y)
    net.learn([[1, 1]], [[np.nan]], 0.5)
    assert synapse.explain_update().to_dict() == before


def test_another_rule_explains_what_the_one_before_did():
    net = ng.perceptron(2, 2, 1, seed=0)
    net.activate([1, 1])
    net.propagate(0.1, [1])
    net.reset_state()
    net.rule = "rtrl"
    e = net.edges["input.1", "hidden.0"].explain_update()
    assert e.change and "'lstm-g'" in str(e)


def test_copies_and_files_of_a_network_that_learned_online_know_nothing(tmp_path):
    net = ng.perceptron(2, 2, 1, seed=0)
    net.activate([1, 1])
    net.propagate(0.1, [1])
    net.save(tmp_path / "net.ng")
    for other in (net.copy(), pickle.loads(pickle.dumps(net)), ng.load(tmp_path / "net.ng")):
        with pytest.raises(ng.ParameterError, match="not learned yet, or it is a copy"):
            other.edges["input.1", "hidden.0"].explain_update()
    net.edges["input.1", "hidden.0"].explain_update()


def test_a_step_that_failed_leaves_the_one_before():
    net = ng.Network([("x", "y", {"weight": 1.0})])
    net.inputs, net.outputs, net.nodes["y"].activation = ["x"], ["y"], "identity"
    synapse = net.edges["x", "y"]
    X, Y = np.array([[1.0], [2.0], [1e300]]), np.array([[0.5], [0.5], [0.0]])
    with pytest.raises(ng.NonFiniteError):
        net.learn(X, Y, 0.1)
    e = synapse.explain_update()
    assert e.rate == 0.1 and e.change == pytest.approx(-0.1 * synapse.grad, rel=1e-12)
    with pytest.raises(ng.NonFiniteError):
        net.learn(X[2:], Y[2:], 0.3)
    with pytest.raises(ng.ParameterError, match="edited"):
        synapse.explain_update()  # it may have learned; nobody knows


def test_an_iteration_of_lbfgs_moves_all_together():
    X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    net = ng.perceptron(2, 3, 1, seed=1)
    held = net.edges["input.0", "hidden.0"]
    held.upper, net.edges["input.1", "hidden.0"].trainable = held.weight, False
    plain = net.copy()
    plain.fit(X, Y, epochs=4, optimizer=ng.LBFGS())
    net.fit(X, Y, epochs=5, optimizer=ng.LBFGS())
    for e, old, new in zip(explained(net), parameters(plain), parameters(net), strict=True):
        assert (e.before, e.after, e.rate, e.update) == (old, new, None, 4)
        assert len(e.parts) == 1 and total(e.parts) == e.change
        json.dumps(e.to_dict(), allow_nan=False)
    assert any(e.change for e in explained(net))
    assert held.weight != held.upper or "held at its upper bound" in str(held.explain_update())
    stays = ng.perceptron(1, 1, output_activation="identity", seed=0)
    stays.weights, stays.biases = [2], [0, 0]
    stays.fit([[1]], [[2]], optimizer=ng.LBFGS())
    e = stays.edges["input.0", "output.0"].explain_update()
    assert e.change == 0 and e.parts[0].what == "L-BFGS-B made no iteration"


def test_what_is_kept_is_used_again_and_takes_what_the_docs_say():
    X, Y = np.random.default_rng(0).uniform(size=(2, 6, 2)).round()
    for engine in ("walker", "compiled"):
        net = ng.perceptron(2, 3, 2, seed=0)
        net.fit(X, Y, optimizer=ng.Adam(), engine=engine)
        kept = last_update(net).before
        assert sum(a.nbytes for a in kept[0].values()) == 4 * 8 * len(net.synapses)
        net.fit(X, Y, optimizer=ng.Adam(), batch_size=2, engine=engine)
        again = last_update(net).before
        assert all(again[k][name] is a for k in (0, 1) for name, a in kept[k].items())


def test_a_bias_of_an_input_plays_no_part():
    net, _ = learned()
    net.activate([1, 1])
    net.propagate(0.1, [1])
    e = net.nodes["input.0"].explain_update()
    assert e.change == 0 and "plays no part" in str(e)
    assert e.to_dict()["neuron"] == "input.0" and e.parameter == "bias"
