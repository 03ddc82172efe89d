"""Online learning: rules against the exact gradient, against each other, and as recorded."""

from copy import deepcopy
from pathlib import Path
from pickle import dumps, loads

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import neurograph as ng
from neurograph.engines import ENGINES
from tests import replay
from tests.strategies import SMOOTH, close, networks, ready_for, sequences

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


# ---------------------------------------------------------------- what users rely on


@pytest.mark.parametrize("engine", ENGINES)
@given(data=st.data())
def test_steps_are_those_of_a_sequence_and_runs_leave_them_alone(engine, data):
    net, X, _ = data.draw(lessons())
    net.engine = engine
    whole = net.forward(X[None])[0]
    steps = []
    for x in X:
        steps.append(net.activate(x))
        shown = [(n.state, n.output) for n in net.neurons]
        assert [net.nodes[o].output for o in net.outputs] == list(steps[-1])
        net.forward(np.ones((2, 3, len(x))))
        net.predict(x)
        if X.shape[0] == 1:
            assert shown  # of the step, until something else runs
    assert close(steps, whole, 1e-12)
    net.reset_state()
    assert close([net.activate(x) for x in X], whole, 1e-12)


@pytest.mark.parametrize("rule", EVERY_RULE, ids=str)
@given(data=st.data())
def test_an_edit_in_between_leaves_everybody_else_their_state(rule, data):
    net, X, _ = data.draw(lessons(ties=False))
    assume(ready_for(net, rule))
    twin = net.copy()
    for x in X[:-1]:
        net.activate(x), twin.activate(x)
    net.add_neuron(("new", "neuron"))
    net.add_synapse(net.inputs[0], ("new", "neuron"))
    net.add_neuron(("another", "one"))
    net.remove_node(("another", "one"))
    target = np.full(len(net.outputs), 0.3)
    if len(X) > 1:
        with pytest.raises(ng.ParameterError, match="edited since"):
            net.propagate(0.1, target)
    assert close(net.activate(X[-1]), twin.activate(X[-1]), 1e-12)
    net.propagate(0, target), twin.propagate(0, target)
    for s in twin.synapses:
        assert close(net.edges[s.source, s.target].grad, s.grad, 1e-12)
        assert close(net.edges[s.source, s.target].eligibility, s.eligibility, 1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", EVERY_RULE, ids=str)
@pytest.mark.parametrize("copied", [ng.Network.copy, deepcopy, lambda n: loads(dumps(n))])
def test_a_copy_goes_on_where_the_network_was(rule, copied, engine):
    net = memory_net()
    net.rule, net.engine = rule, engine
    rng = np.random.default_rng(0)
    net.learn(rng.uniform(size=(3, 2)), rng.uniform(size=(3, 1)), 0.1)
    twin = copied(net)
    assert twin.rule == rule
    X, Y = rng.uniform(size=(4, 2)), rng.uniform(size=(4, 1))
    assert (net.learn(X, Y, 0.1) == twin.learn(X, Y, 0.1)).all()
    first, second = everything(net), everything(twin)
    assert all((first[name] == second[name]).all() for name in first)


def memory_net():
    """Two inputs, a cell with a gated memory, an output."""
    net = ng.Network(seed=0)
    for name in ("a", "b"):
        net.add_neuron(name, role="input")
    net.add_neuron("gate"), net.add_neuron("cell", activation="tanh", bias=0.1)
    net.add_neuron("y", role="output")
    for pair in ("a", "gate"), ("b", "gate"), ("a", "cell"), ("b", "cell"), ("cell", "y"):
        net.add_synapse(*pair)
    net.gate("gate", net.add_synapse("cell", "cell", weight=1))
    return net


@pytest.mark.parametrize("engine", ENGINES)
def test_bad_input_changes_nothing(engine):
    net = memory_net()
    net.engine = engine
    with pytest.raises(ng.ParameterError, match="activate"):
        net.propagate(0.1, [1])
    net.activate([0.5, 1])
    net.propagate(0.1, [1])
    net.activate([1, 0.5])
    before = everything(net)
    for call, error, message in [
        (lambda: net.activate([1]), ng.ShapeError, r"x must have shape \(2,\)"),
        (lambda: net.activate([[1, 2]]), ng.ShapeError, "one step of one sample"),
        (lambda: net.activate(["a", 1]), ng.ParameterError, "real numbers"),
        (lambda: net.activate([np.nan, 1]), ng.NonFiniteError, "input 'a'"),
        (lambda: net.activate(np.array([1, np.inf])), ng.NonFiniteError, "input 'b'"),
        (lambda: net.activate([1e308, 1e308]), ng.NonFiniteError, "would have state"),
        (lambda: net.propagate(0.1, [1, 0]), ng.ShapeError, r"shape \(1,\)"),
        (lambda: net.propagate(0.1, [np.inf]), ng.NonFiniteError, "finite"),
        (lambda: net.propagate(0.1, ["x"]), ng.ParameterError, "real numbers"),
        (lambda: net.propagate("x", [1]), ng.ParameterError, "rate"),
        (lambda: net.propagate(np.nan, [1]), ng.ParameterError, "rate"),
        (lambda: net.propagate(1.7e308, [1e200]), ng.NonFiniteError, "smaller rate"),
        (lambda: net.propagate(0.1, [3], loss="hinge"), ng.ParameterError, "-1 or 1"),
        (lambda: net.propagate(0.1, [1], loss="no"), ng.ParameterError, "unknown loss"),
        (lambda: net.learn([[1, 2]], [[1], [2]], 0.1), ng.ShapeError, "shape"),
        (lambda: net.learn([[1, np.nan]], [[1]], 0.1), ng.NonFiniteError, "step 0"),
        (lambda: setattr(net, "rule", "rtrl"), ng.ParameterError, "reset_state"),
        (lambda: setattr(net, "rule", "lstm"), ng.ParameterError, "lstm-g"),
        (lambda: net.stepper(0.1, loss="hinge"), ng.ParameterError, "stepper"),
    ]:
        if message == "would have state":  # states are finite here, if large
            net.edges["a", "cell"].weight = 1e300
            before["synapse weight"] = np.array([s.weight for s in net.synapses])
        with pytest.raises(error, match=message):
            call()
        after = everything(net)
        assert all((before[name] == after[name]).all() for name in before), message


def test_rules_refuse_what_they_cannot_handle():
    net = memory_net()
    net.rule = ng.RTRL(most_bytes=100)
    with pytest.raises(ng.ParameterError, match="would keep .* bytes"):
        net.activate([0, 1])
    assert not net._online.steps
    net.rule = "synaptic"
    for synapse, values, message in [
        (("a", "cell"), {"delay": 1}, "'a' -> 'cell' has 1"),
        (("y", "y"), {"reads": "output"}, "self-synapses"),
        (("cell", "cell"), {"gate_delay": 1}, "gate of 'gate'"),
    ]:
        other = net.copy()
        other.add_edge(*synapse, **values)
        with pytest.raises(ng.ParameterError, match=message):
            other.activate([0, 1])
    tied = net.copy()
    tied.tie([tied.edges["a", "cell"], tied.edges["b", "cell"]])
    with pytest.raises(ng.ParameterError, match="untie"):
        tied.activate([0, 1])
    net.activate([0, 1])
    with pytest.raises(ng.ParameterError, match="matching"):
        net.propagate(0.1, [1], loss="mse")
    with pytest.raises(ng.ParameterError, match="window"):
        ng.BPTT(0)


@pytest.mark.parametrize("engine", ENGINES)
def test_learning_that_diverges_stops_after_the_last_good_step(engine):
    net = memory_net()
    net.engine = engine
    X, Y = np.ones((5, 2)), np.ones((5, 1))
    twin = net.copy()
    Y[3] = 1e308
    with pytest.raises(ng.NonFiniteError, match="not finite"):
        net.learn(X, Y, 1e200)
    for x, y in zip(X[:3], Y[:3], strict=True):
        twin.activate(x)
        twin.propagate(1e200, y)
    twin.activate(X[3])
    with pytest.raises(ng.NonFiniteError, match="not finite"):
        twin.propagate(1e200, Y[3])
    require_same(net, twin)


@pytest.mark.parametrize("engine", ENGINES)
def test_clear_traces_leaves_states_and_propagate_may_follow(engine):
    net = memory_net()
    net.engine = engine
    net.activate([1, 1])
    net.activate([1, 1])
    assert net.edges["a", "cell"].eligibility > 1
    assert any(trace.value for trace in net.extended_traces())
    states = [n.state for n in net.neurons]
    net.clear_traces()
    assert [n.state for n in net.neurons] == states
    assert not any(trace.value for trace in net.extended_traces())
    net.propagate(0.1, [1])
    assert not net.gradients.any()
    net.activate([1, 1])
    assert net.edges["a", "cell"].eligibility == 1  # and nothing of the first step
    net.reset_state()
    assert not any([*[n.state for n in net.neurons], *[s.eligibility for s in net.synapses]])


def test_a_stepper_does_what_activate_and_propagate_do():
    net = memory_net()
    net.engine = "compiled"
    twin, step = net.copy(), net.stepper(0.3)
    for x, y in ([0, 1], [1]), (np.ones(2), np.zeros(1)), ((1, 0), [np.nan]):
        assert (step(x, y) == twin.activate(x)).all()
        twin.propagate(0.3, y)
        require_same(net, twin, 0)
    with pytest.raises(ng.ShapeError):
        step([1], [1])
    with pytest.raises(ng.ShapeError):
        step([1, 2], [])
    with pytest.raises(ng.NonFiniteError):
        step([np.nan, 2], [1])
    net.edges["a", "gate"].weight = twin.edges["a", "gate"].weight = 2
    net.add_edge("b", "y", weight=1), twin.add_edge("b", "y", weight=1)
    step.rate = 0.5
    assert (step([1, 1], [0]) == twin.activate([1, 1])).all()
    twin.propagate(0.5, [0])
    require_same(net, twin, 0)
    net.reset_state(), twin.reset_state()
    assert (step([1, 1], [0]) == twin.activate([1, 1])).all()  # it goes on, from rest
    net.reset_state()
    net.rule = "bptt"
    with pytest.raises(ng.ParameterError, match="new net.stepper"):
        step([1, 1], [0])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", EVERY_RULE, ids=str)
def test_fit_by_a_rule_learns_each_sequence_from_rest(rule, engine):
    net = memory_net()
    rng = np.random.default_rng(0)
    X, Y = rng.uniform(size=(3, 4, 2)), rng.uniform(size=(3, 4, 1))
    Y[0, 1] = np.nan
    net.rule = rule
    twin = net.copy()
    net.activate([1, 1])
    before = [s.eligibility for s in net.synapses]
    history = net.fit(
        X, Y, epochs=2, rule=rule, optimizer=ng.SGD(0.2), shuffle=False, engine=engine
    )
    assert [s.eligibility for s in net.synapses] == before  # `activate` goes on undisturbed
    losses = []
    for _ in range(2):
        total = 0.0
        for x, y in zip(X, Y, strict=True):
            twin.reset_state()
            for a, b in zip(x, y, strict=True):
                out = twin.activate(a)
                if not np.isnan(b):
                    twin.propagate(0.2, b)
                    s = twin.nodes["y"].state
                    total += np.log1p(np.exp(s)) - b[0] * s
                    assert out == twin.nodes["y"].output
        losses.append(total / 11)
    assert close(history.loss, losses, 1e-12)
    assert close(net.weights, twin.weights, 1e-12)
    assert close(net.biases, twin.biases, 1e-12)


def test_fit_by_a_rule_says_what_it_cannot_take():
    net = memory_net()
    X, Y = np.zeros((2, 3, 2)), np.zeros((2, 3, 1))
    with pytest.raises(ng.ParameterError, match="batch_size"):
        net.fit(X, Y, rule="lstm-g", batch_size=2)
    with pytest.raises(ng.ParameterError, match="rule must be"):
        net.fit(X, Y, rule="sgd")
    with pytest.raises(ng.ParameterError, match="matching"):
        net.fit(X, Y, rule="synaptic", loss="mse")


def test_status_says_why():
    net = memory_net()
    status = net.gradient_status()
    assert status["a", "gate"].exact
    assert status["cell"].exact
    net.add_synapse("cell", "gate", delay=1)
    status = net.gradient_status()
    assert not status["a", "gate"].exact
    assert "'cell'" in status["gate"].reason
    assert status[net.edges["cell", "y"]].exact
    assert "4 of 7" in str(status) or "exact" in str(status)
    assert not net.gradient_status("synaptic").synapses.any()
    assert "longer than 20 steps" in net.gradient_status("bptt")["cell"].reason
    with pytest.raises(ng.ParameterError, match="no synapse"):
        status["nobody"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(5))
def test_lstm_g_is_exact_on_one_block_of_gated_memory_cells(seed, engine):
    """Monner & Reggia 2012: with their repairs, traces find what BPTT finds."""
    rng = np.random.default_rng(seed)
    net = ng.lstm(2, 3, 2, peepholes=None, seed=seed)
    net.engine = engine
    net.weights = np.where(
        [s.loop for s in net.synapses], net.weights, rng.normal(size=net.number_of_edges())
    )
    status = net.gradient_status("lstm-g")
    assert status.synapses.all() and all(status[n].exact for n in net.neurons if n.role != "input")
    X, target = rng.normal(size=(8, 2)), rng.uniform(size=2)
    exact = last_loss_gradient(net, X, target, "matching")
    for a, b in zip(online_gradient(net, X, target, "matching", "lstm-g"), exact, strict=True):
        assert close(a, b, 1e-13)
    # With peepholes into the gates it is not exact, and the status says so.
    peeping = ng.lstm(2, 3, 2, seed=seed).gradient_status("lstm-g")
    assert not peeping.synapses.all()
