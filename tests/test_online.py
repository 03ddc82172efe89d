"""Online learning: rules against the exact gradient, against each other, and as recorded."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import neurograph as ng
from neurograph.engines import ENGINES
from tests import replay
from tests.strategies import SMOOTH, close, networks, sequences

DATA = Path(__file__).parent / "data" / "synaptic"
RECORDED = [
    case
    for path in sorted(DATA.glob("*.json"))
    for case in (replay.cases(path) if path.stem not in ("trainer", "hopfield") else [])
]


def last_loss_gradient(net, X, target, loss, engine="walker"):
    """Exact gradients of the loss of the last step of one sequence, back to rest."""
    targets = np.full((1, len(X), len(net.outputs)), np.nan)
    targets[0, -1] = target
    net.forward(X[None], engine=engine)
    net.backward(targets, loss=loss, reduction="sum")
    return net.gradients, net.bias_gradients


def online_gradient(net, X, target, loss, rule):
    """What a rule finds at the last step; nothing is learned on the way."""
    net.reset_state()
    net.rule = rule
    for x in X:
        net.activate(x)
    net.propagate(0, target, loss=loss)
    return net.gradients, net.bias_gradients


def memories_are_bounded(net):
    return all(abs(s.weight) <= 1 for s in net.synapses if s.reads == "state")


# ---------------------------------------------------------------- Synaptic, digit for digit


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["name"])
def test_synaptic_does_what_was_recorded(case, engine):
    if case["name"] in replay.REJECTED:
        assert case["quirk"]
        with pytest.raises(ng.GraphError):
            replay.build(case)
        return
    errors = replay.Replay(case, engine).run()
    assert {"output", "weights", "biases", "states"} <= errors.keys()
    assert max(errors.values()) <= 1e-12, errors


# ---------------------------------------------------------------- exact, where it is said


@st.composite
def lessons(draw, **options):
    """A network, one sequence for it, and a target of its last step."""
    net = draw(networks(**options))
    assume(memories_are_bounded(net))
    X = draw(sequences(net, max_steps=6, max_samples=1))[0]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return net, X, rng.uniform(-1, 1, len(net.outputs))


def claims(net, rule):
    status = net.gradient_status(rule)
    synapses = np.array([status[s].exact for s in net.synapses], bool)
    neurons = np.array([n.role == "input" or status[n].exact for n in net.neurons], bool)
    return synapses, neurons


RULES = ["lstm-g", ng.BPTT(2), ng.BPTT(20), "rtrl"]


@pytest.mark.parametrize("rule", RULES, ids=str)
@given(data=st.data())
def test_what_is_called_exact_is_the_exact_gradient(rule, data):
    net, X, target = data.draw(lessons())
    exact = last_loss_gradient(net, X, target, "squared_error")
    found = online_gradient(net, X, target, "squared_error", rule)
    for a, b, claimed in zip(found, exact, claims(net, rule), strict=True):
        assert close(np.where(claimed, a, 0), np.where(claimed, b, 0), 1e-10)


@pytest.mark.parametrize("rule", RULES, ids=str)
@given(data=st.data())
def test_what_is_called_exact_equals_differences_through_time(rule, data):
    net, X, target = data.draw(lessons(activations=SMOOTH, ties=False))
    assume(np.abs(net.forward(X[None])).max() < 100)  # else rounding drowns the difference
    found = np.concatenate(online_gradient(net, X, target, "squared_error", rule))
    claimed = np.concatenate(claims(net, rule))
    h, parameters = (
        1e-5,
        [*((s, "weight") for s in net.synapses), *((n, "bias") for n in net.neurons)],
    )

    def loss():
        return ((net.forward(X[None])[0, -1] - target) ** 2).sum() / 2

    for (handle, name), a, exact in zip(parameters, found, claimed, strict=True):
        if exact:
            value = getattr(handle, name)
            setattr(handle, name, value + h)
            above = loss()
            setattr(handle, name, value - h)
            difference = (above - loss()) / (2 * h)
            setattr(handle, name, value)
            assert abs(a - difference) <= 1e-6 * max(1, abs(difference)), handle


@given(data=st.data())
def test_rtrl_and_an_untruncated_bptt_are_exact_for_everything(data):
    net, X, target = data.draw(lessons())
    exact = last_loss_gradient(net, X, target, "squared_error")
    for rule in ("rtrl", ng.BPTT(len(X))):
        for a, b in zip(online_gradient(net, X, target, "squared_error", rule), exact, strict=True):
            assert close(a, b, 1e-10)
    assert net.gradient_status("rtrl").synapses.all()


@given(data=st.data())
def test_lstm_g_is_exact_on_every_acyclic_network_without_delay(data):
    net, X, target = data.draw(lessons(recurrent=False))
    loss = data.draw(st.sampled_from(["squared_error", "matching"]))
    exact = last_loss_gradient(net, X, target, loss)
    for a, b in zip(online_gradient(net, X, target, loss, "lstm-g"), exact, strict=True):
        assert close(a, b, 1e-10)
    assert net.gradient_status("lstm-g").synapses.all()


@given(data=st.data())
def test_synaptic_at_rate_0_is_the_exact_gradient_of_the_matching_loss(data):
    net, X, target = data.draw(
        lessons(
            recurrent=False, gates=False, ties=False,
            activations=["logistic", "tanh", "identity", "relu"],
        )
    )  # fmt: skip
    assume(not any(net.out_degree(o) for o in net.outputs))
    status = net.gradient_status("synaptic")
    found = online_gradient(net, X, target, "matching", "synaptic")
    for a, b in zip(found, last_loss_gradient(net, X, target, "matching"), strict=True):
        assert close(a, b, 1e-10)
    assert status.synapses.all()


# ---------------------------------------------------------------- both engines, every rule

EVERY_RULE = ["lstm-g", "synaptic", ng.BPTT(3), "rtrl"]


def everything(net):
    """All numbers that online learning reads and writes, by name."""
    kept = {name: array.copy() for name, array in net._online.fields.items()}
    for name in ("state", "output", "delta", "eligibility", "grad", "bias"):
        kept[f"neuron {name}"] = np.array([getattr(n, name) for n in net.neurons])
    for name in ("gain", "eligibility", "grad", "weight"):
        kept[f"synapse {name}"] = np.array([getattr(s, name) for s in net.synapses])
    return kept


def require_same(a, b, tolerance=1e-12):
    first, second = everything(a), everything(b)
    assert first.keys() == second.keys()
    for name in first:
        assert close(first[name], second[name], tolerance), name


def settled(net):
    """Whether no number is so large that rounding alone makes engines differ."""
    return all(np.abs(v).max(initial=0) < 1e4 for v in everything(net).values())


def ready_for(net, rule):
    """Whether the rule can handle the network; if so, it is set."""
    net.rule = rule
    try:
        net.gradient_status()
    except ng.ParameterError:
        assert rule == "synaptic"
        return False
    return True


def targets_for(net, X, rng):
    """Targets in (0, 1), some of them not asked, some steps not asked at all."""
    Y = rng.uniform(0.1, 0.9, (len(X), len(net.outputs)))
    Y[rng.random(Y.shape) < 0.2] = np.nan
    return Y


@pytest.mark.parametrize("rule", EVERY_RULE, ids=str)
@given(data=st.data())
def test_the_compiled_engine_learns_online_as_the_walker(rule, data):
    net, X, _ = data.draw(lessons(ties=rule != "synaptic"))
    assume(ready_for(net, rule))
    for s in list(net.synapses)[:1]:
        s.trainable = False
    loss = "matching" if rule == "synaptic" else data.draw(st.sampled_from(["matching", "mse"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    Y = targets_for(net, X, rng)
    twin = net.copy()
    net.engine, twin.engine = "walker", "compiled"
    for x, y in zip(X, Y, strict=True):
        try:
            a, b = net.activate(x), twin.activate(x)
            if not np.isnan(y).all():
                net.propagate(0.1, y, loss=loss), twin.propagate(0.1, y, loss=loss)
        except ng.NonFiniteError:
            assume(False)
        assume(settled(net))
        assert close(a, b, 1e-12)
        require_same(net, twin)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", EVERY_RULE, ids=str)
@given(data=st.data())
def test_learn_is_a_loop_of_activate_and_propagate(rule, engine, data):
    net, X, _ = data.draw(lessons(ties=rule != "synaptic"))
    assume(ready_for(net, rule))
    Y = targets_for(net, X, np.random.default_rng(0))
    net.engine = engine
    twin, outputs = net.copy(), []
    try:
        for x, y in zip(X, Y, strict=True):
            outputs.append(net.activate(x))
            if not np.isnan(y).all():
                net.propagate(0.1, y)
    except ng.NonFiniteError:
        assume(False)
    assume(settled(net))
    found = twin.learn(X, Y, 0.1)
    assert close(found, outputs, 1e-12)
    require_same(net, twin)


@pytest.mark.parametrize("rule", EVERY_RULE, ids=str)
@given(data=st.data())
def test_online_learning_in_float32_is_near_that_in_float64(rule, data):
    net, X, _ = data.draw(lessons(ties=rule != "synaptic", activations=SMOOTH, dtype="float32"))
    assume(ready_for(net, rule))
    Y = targets_for(net, X, np.random.default_rng(0))
    twin = net.copy()
    net.engine, twin.engine = "walker", "compiled"
    try:
        net.learn(X, Y, 0.1)
    except ng.NonFiniteError:
        assume(False)
    assume(all(np.abs(v).max(initial=0) < 10 for v in everything(net).values()))
    twin.learn(X, Y, 0.1)
    require_same(net, twin, 2e-4)


def test_xor_after_20000_epochs_is_what_synaptic_has():
    for case in replay.cases(DATA / "xor.json"):
        errors = replay.Replay(case, "compiled").long_run()
        assert {"output", "weights", "biases"} <= errors.keys()
        assert max(errors.values()) <= 1e-10, errors
    errors = replay.Replay(case, "walker").long_run(most_epochs=100)
    assert max(errors.values()) <= 1e-10, errors
