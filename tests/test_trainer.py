"""The trainer: as recorded, as a loop of activate and propagate, and what it refuses."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.costs import COSTS
from neurograph.engines import ENGINES
from tests import replay
from tests.strategies import close, networks
from tests.test_online import (
    EVERY_RULE,
    everything,
    memories_are_bounded,
    ready_for,
    require_same,
    settled,
)

RECORDED = replay.cases(
    Path(__file__).parent / "data" / "synaptic" / "trainer.json", replay.TRAINER
)
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
Y = np.array([[0], [1], [1], [0]], float)


def xor(**options):
    return ng.Trainer(ng.perceptron(2, 3, 1, seed=0), **options)


# ---------------------------------------------------------------- Synaptic, digit for digit


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["name"])
def test_the_trainer_does_what_was_recorded(case, engine):
    errors = replay.TrainerReplay(case, engine).run()
    expected = {"errors", "rates", "iterations", "error", "weights", "biases"}
    expected |= {f"test {cost}" for cost in ("MSE", "CROSS_ENTROPY", "BINARY")}
    assert (expected if "neurons" in case else {"MSE", "CROSS_ENTROPY", "BINARY"}) <= errors.keys()
    assert max(errors.values()) <= 1e-12, errors


def test_replay_as_a_command(capsys):
    data = Path(__file__).parent / "data" / "synaptic"
    files = [str(data / "trainer.json"), str(data / "xor.json")]
    assert replay.main([*files, "--engine", "compiled"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("train_cross_validate_stop") for line in lines)
    assert any(line.startswith("xor_a") for line in lines)
    with pytest.raises(ValueError, match="hopfield"):
        replay.main([str(data / "hopfield.json")])


# ---------------------------------------------------------------- a loop, and nothing else


@st.composite
def tame_networks(draw, rule, **options):
    """Networks that the rule can handle, and whose numbers stay small."""
    synaptic = rule == "synaptic"
    net = draw(
        networks(
            recurrent=not synaptic,
            ties=not synaptic,
            activations=["logistic", "tanh", "gaussian", "sin"],
            **options,
        )
    )
    assume(memories_are_bounded(net) and ready_for(net, rule))
    return net


def by_hand(net, X, Y, cost, rates, n_test):
    """What a trainer does, written out; the error of each iteration."""
    errors, n_train = [], len(X) - n_test
    for rate in rates:
        costs = []
        for i, (x, y) in enumerate(zip(X, Y, strict=True)):
            output = net.activate(x)
            asked = ~np.isnan(y)
            if asked.any() and i < n_train:
                net.propagate(rate, y)
            if asked.any() and (i >= n_train or not n_test):
                costs.append(cost(y[asked], output[asked]))
        errors.append(np.mean(costs))
    return errors


SIMPLE = {
    "mse": lambda t, y: ((t - y) ** 2).mean(),
    "cross_entropy": lambda t, y: (
        -sum(
            a * math.log(b + 1e-15) + (1 - a) * math.log(1 + 1e-15 - b)
            for a, b in zip(t.tolist(), y.tolist(), strict=True)
        )
    ),
    "binary": lambda t, y: sum(
        (a >= 0.25) + (a >= 0.75) != (b >= 0.25) + (b >= 0.75)
        for a, b in zip(t.tolist(), y.tolist(), strict=True)
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", EVERY_RULE, ids=str)
@settings(max_examples=8)
@given(data=st.data())
def test_a_trainer_is_a_loop_of_activate_and_propagate(rule, engine, data):
    net = data.draw(tame_networks(rule, output_activation="logistic"))
    n, n_test = data.draw(st.sampled_from([(1, 0), (3, 0), (4, 1), (5, 2)]))
    cost = data.draw(st.sampled_from([*COSTS]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    X = rng.uniform(-1, 1, (n, len(net.inputs)))
    Y = rng.choice([0.0, 1.0, np.nan], (n, len(net.outputs)), p=[0.4, 0.4, 0.2])
    Y[[0, -1]] = 1.0
    rates = data.draw(st.lists(st.sampled_from([0.0, 0.1, 0.3]), min_size=1, max_size=12))
    net.engine = engine
    twin = net.copy()
    errors = by_hand(net, X, Y, SIMPLE[cost], rates, n_test)
    assume(settled(net))
    options = {"cross_validate": {"test_size": n_test / n}} if n_test else {}
    result = ng.Trainer(twin, error=-1, iterations=len(rates), cost=cost, **options).train(
        X, Y, rate=lambda n, last: rates[n - 1]
    )
    assert result.stopped == "iterations" and result.iterations == len(rates)
    assert close(result.errors, errors, 1e-11)
    assert list(result.rates) == rates
    require_same(net, twin, 1e-11)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", EVERY_RULE, ids=str)
@settings(max_examples=8)
@given(data=st.data())
def test_how_many_iterations_are_done_at_once_changes_no_bit(rule, engine, data):
    net = data.draw(tame_networks(rule))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    X = rng.uniform(-1, 1, (4, len(net.inputs)))
    Y = rng.uniform(0, 1, (4, len(net.outputs)))
    net.engine = engine
    twin = net.copy()
    wanted = data.draw(st.sampled_from([-1.0, 0.2, 0.3]))
    options = {"shuffle": True, "iterations": 11, "error": wanted, "rate": [0.2, 0.1]}

    def train(net, **more):
        result = ng.Trainer(net, **options, **more).train(X, Y)
        return result.errors.tolist(), result.rates.tolist(), result.stopped

    assert train(net) == train(twin, schedule=lambda progress: None)
    first, second = everything(net), everything(twin)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert net.rng.bit_generator.state == twin.rng.bit_generator.state
    assert net.activate(X[0]).tolist() == twin.activate(X[0]).tolist()


def test_xor_is_solved_and_tested():
    trainer = xor(rate=1.0, shuffle=True, error=1e-3)
    result = trainer.train(X, Y)
    assert result.stopped == "error" and result.error <= 1e-3 < result.errors[-2]
    assert result.iterations == len(result.errors) == len(result.rates)
    assert trainer.test(X, Y) == pytest.approx(((trainer.net.predict(X) - Y) ** 2).mean())
    assert trainer.test(X, Y, cost="binary") == 0
    assert trainer.test(X[:1], Y[:1], cost=lambda t, y: 7) == 7


# ---------------------------------------------------------------- rates, costs, orders


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.integers(0, 20))
def test_a_list_of_rates_is_shared_out(rates, more):
    iterations = len(rates) + more
    found = xor(rate=rates, iterations=iterations, error=-1).train(X, Y).rates
    bucket = iterations // len(rates)
    expected = [rates[min(n // bucket, len(rates) - 1)] for n in range(1, iterations + 1)]
    assert list(found) == expected


def test_rate_0_learns_nothing():
    trainer = xor(rate=0, iterations=5)
    before = trainer.net.weights
    result = trainer.train(X, Y)
    assert (trainer.net.weights == before).all() and len(set(result.errors)) == 1
    rates = xor(iterations=4).train(X, Y, rate=[0.1, 0, 0.2, 0]).rates
    assert list(rates) == [0, 0.2, 0, 0]


def test_a_function_of_the_rate_sees_the_iteration_and_the_last_error():
    seen = []

    def rate(iteration, last_error):
        seen.append((iteration, last_error))
        return 0.1

    result = xor().train(X, Y, rate=rate, iterations=5)
    assert seen == list(zip(range(1, 6), [0, *result.errors[:-1]], strict=True))


def test_a_cost_of_ones_own_sees_targets_and_outputs():
    seen = []

    def cost(target, output):
        seen.append((target.tolist(), output.tolist()))
        return abs(target - output).max()

    net = ng.perceptron(2, 3, 1, seed=0)
    outputs = net.copy().learn(X, Y, 0.2)
    result = ng.Trainer(net, cost=cost).train(X, Y, iterations=1)
    assert seen == list(zip(Y.tolist(), outputs.tolist(), strict=True))
    assert result.error == pytest.approx(abs(Y - outputs).mean())


def test_what_is_learned_is_the_loss_not_the_cost():
    a, b, c = (ng.perceptron(2, 3, 1, seed=0) for _ in range(3))
    ng.Trainer(a, cost="binary", error=-1).train(X, Y, iterations=3)
    ng.Trainer(b, loss="mse", error=-1).train(X, Y, iterations=3)
    for _ in range(3):
        c.learn(X, Y, 0.2, loss="mse")
    assert (b.weights == c.weights).all() and not (a.weights == c.weights).any()


def test_shuffle_draws_from_the_generator_given_and_leaves_test_patterns_alone():
    order = []

    def cost(target, output):
        order.append(target.item())
        return 1.0

    net = ng.Network(seed=0)
    net.add_neuron("x", role="input"), net.add_neuron("y", role="output", activation="identity")
    net.add_synapse("x", "y")
    numbers = np.arange(10.0)[:, None]
    rng, twin = np.random.default_rng(3), np.random.default_rng(3)
    ng.Trainer(net, shuffle=rng, cost=cost, rate=0).train(numbers, numbers, iterations=3)
    assert order == [*twin.permutation(10), *twin.permutation(10), *twin.permutation(10)]
    order.clear()
    split = {"test_size": 0.4}
    ng.Trainer(net, shuffle=True, cost=cost, cross_validate=split).train(
        numbers, numbers, iterations=2, rate=0
    )
    assert order == [6, 7, 8, 9] * 2


def test_cross_validation_stops_by_the_error_of_the_test():
    net = ng.perceptron(2, 4, 1, seed=1)
    rng = np.random.default_rng(0)
    inputs = rng.uniform(size=(40, 2))
    targets = inputs[:, :1]
    split = {"test_size": 0.25, "test_error": 0.01}
    trainer = ng.Trainer(net, cross_validate=split, error=1e-9)
    result = trainer.train(inputs, targets)
    assert result.stopped == "test_error" and result.error <= 0.01 < result.errors[-2]
    assert trainer.test(inputs[30:], targets[30:]) == pytest.approx(result.error)
    assert trainer.test(inputs[:1], targets[:1]) >= 0  # one pattern cannot be split: no need to


# ---------------------------------------------------------------- schedule and log


@pytest.mark.parametrize("form", ["dict", "attribute"])
def test_a_schedule_looks_and_stops(form):
    seen = []

    def look(progress):
        seen.append(progress)
        return progress.iterations >= 9

    schedule = {"every": 3, "do": look}
    if form == "attribute":
        look.every, schedule = 3, look
    result = xor(schedule=schedule).train(X, Y)
    assert [p.iterations for p in seen] == [3, 6, 9] and result.stopped == "schedule"
    assert [p.error for p in seen] == [result.errors[i] for i in (2, 5, 8)]
    assert [p.rate for p in seen] == [0.2] * 3


def test_a_schedule_may_edit_the_network():
    trainer = xor(iterations=20)
    net = trainer.net

    def prune(progress):
        if net.has_edge("input.0", "hidden.0"):
            net.remove_edge("input.0", "hidden.0")

    twin = net.copy()
    trainer.train(X, Y, schedule={"every": 10, "do": prune})
    for _ in range(10):
        twin.learn(X, Y, 0.2)
    twin.remove_edge("input.0", "hidden.0")
    for _ in range(10):
        twin.learn(X, Y, 0.2)
    assert close(net.weights, twin.weights, 1e-14)

    def cut_an_input(progress):
        net.remove_node("input.0")

    with pytest.raises(ng.ShapeError, match=r"X must have shape \(steps, 1\)"):
        trainer.train(X, Y, schedule=cut_an_input)


def test_log_writes_a_line_every_so_often(capsys):
    xor(log=10).train(X, Y, iterations=25)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["iteration 10", "iteration 20"]
    assert lines[0].endswith("rate 0.2") and "error 0." in lines[0]
    kept = []
    xor(log=25, write=kept.append).train(X, Y, iterations=25)
    assert len(kept) == 1 and capsys.readouterr().out == ""


def test_options_of_train_are_for_that_call():
    trainer = xor(iterations=7)
    assert trainer.train(X, Y, iterations=3).iterations == 3
    assert trainer.train(X, Y, iterations=None).iterations == 7
    assert repr(trainer).endswith("ready>, iterations=7)")
    assert "cost='cross_entropy'" in repr(xor(cost="cross_entropy"))


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rates": 0.1}, "Did you mean 'rate'"),
        ({"rate": [0.1] * 11}, "11 rates cannot be shared out over 10 iterations"),
        ({"rate": []}, "one rate at least"),
        ({"rate": [0.1, "x"]}, r"rate\[1\] must be a finite number"),
        ({"rate": math.nan}, "rate must be a finite number"),
        ({"rate": lambda n, e: math.nan}, "rate of iteration 1 must be a finite number"),
        ({"iterations": 0}, "iterations must be 1 or more"),
        ({"error": "small"}, "error must be a finite number"),
        ({"cost": "MSE"}, "cost must be one of 'mse', 'cross_entropy', 'binary'"),
        ({"loss": "mze"}, "Did you mean 'mse'"),
        ({"cross_validate": 0.3}, "cross_validate takes a dict"),
        ({"cross_validate": {"test_sice": 0.3}}, "cross_validate takes a dict"),
        ({"cross_validate": {"test_size": 0.3, "test_eror": 1}}, "Did you mean 'test_error'"),
        ({"cross_validate": {"test_size": 1}}, "between 0 and 1"),
        ({"cross_validate": {"test_size": 0.1}}, "leaves 4 of 4 patterns to train and 0 to test"),
        ({"shuffle": 7}, "shuffle must be True or False"),
        ({"schedule": 3}, "schedule takes a function"),
        ({"schedule": {"every": 0, "do": print}}, "every must be 1 iteration or more"),
        ({"schedule": {"each": 2, "do": print}}, "schedule takes a function"),
        ({"log": -1}, "log must be"),
        ({"write": 3}, "write takes a function"),
    ],
)
def test_a_bad_option_is_refused_before_anything_is_learned(options, message):
    trainer = xor(iterations=10)
    before = everything(trainer.net)
    with pytest.raises(ng.ParameterError, match=message):
        trainer.train(X, Y, **options)
    after = everything(trainer.net)
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("X", "Y", "error", "message"),
    [
        (X[:, :1], Y, ng.ShapeError, r"X must have shape \(steps, 2\)"),
        (X, Y[:3], ng.ShapeError, "target must have shape"),
        (X[None], Y[None], ng.ShapeError, r"net.fit\(X, Y, rule=...\)"),
        (X[:0], Y[:0], ng.ShapeError, "a pattern at least"),
        (X + np.inf, Y, ng.NonFiniteError, "X holds"),
        (X, Y * np.nan, ng.ParameterError, "nothing is asked"),
        (X, Y + np.inf, ng.NonFiniteError, "target holds inf"),
    ],
)
def test_bad_patterns_are_refused_before_anything_is_learned(X, Y, error, message):
    trainer = xor()
    before = everything(trainer.net)
    for call in (trainer.train, trainer.test):
        with pytest.raises(error, match=message):
            call(X, Y)
    after = everything(trainer.net)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_not_a_network_and_no_outputs():
    with pytest.raises(ng.ParameterError, match="Trainer takes a network"):
        ng.Trainer("net")
    net = ng.Network()
    net.add_neuron("x", role="input")
    with pytest.raises(ng.ParameterError, match="no outputs"):
        ng.Trainer(net).train([[1]], [[1]])
    net = ng.perceptron(2, 1)
    net.rule = "synaptic"
    with pytest.raises(ng.ParameterError, match="matching loss only"):
        ng.Trainer(net, loss="mse").train(X, Y)


@pytest.mark.parametrize("engine", ENGINES)
def test_divergence_says_when_and_leaves_the_last_good_step(engine):
    net = ng.perceptron(1, 1, output_activation="identity", seed=0)
    net.engine = engine
    twin, third = net.copy(), net.copy()
    patterns = np.array([[1.0], [2.0]])
    with pytest.raises(ng.NonFiniteError, match=r"^iteration \d\d+: ") as caught:
        ng.Trainer(net, rate=10.0, cost="binary").train(patterns, patterns)
    n = int(str(caught.value).split(":")[0].removeprefix("iteration "))
    for _ in range(n - 1):
        twin.learn(patterns, patterns, 10.0)
    with pytest.raises(ng.NonFiniteError):
        twin.learn(patterns, patterns, 10.0)
    assert np.isfinite(net.weights).all() and (net.weights == twin.weights).all()
    with pytest.raises(
        ng.NonFiniteError, match=r"^iteration \d\d: .*(the error is inf|is not finite)"
    ):
        ng.Trainer(third, rate=10.0).train(patterns, patterns)
    assert np.isfinite(third.weights).all()


def test_an_error_that_is_not_a_number_ends_the_training():
    net = ng.perceptron(1, 1, output_activation="identity", seed=0)
    net.biases = [0, -2]
    twin = net.copy()
    with pytest.raises(ng.NonFiniteError, match="iteration 1: the error is nan, for the cost 'cr"):
        ng.Trainer(net, cost="cross_entropy").train([[1.0]], [[1.0]])
    twin.learn([[1.0]], [[1.0]], 0.2)
    assert (net.weights == twin.weights).all()
