"""Losses: their values, targets, reductions, and registering one's own."""

import numpy as np
import pytest

import neurograph as ng
from neurograph.learning.losses import LOSSES


def outputs_net(values, activation="identity", **options):
    """A network whose outputs are f(value): one input that is 1."""
    net = ng.Network(**options)
    net.add_neuron("x", role="input")
    for i, v in enumerate(values):
        net.add_neuron(f"y{i}", role="output", activation=activation)
        net.add_synapse("x", f"y{i}", weight=v)
    return net


def loss_of(net, target, loss, X=(1,), **options):
    net.forward(list(X))
    return net.backward(target, loss=loss, **options)


def test_all_promised_losses_are_there():
    promised = "squared_error mse binary_cross_entropy categorical_cross_entropy hinge matching"
    assert set(promised.split()) == {k for k, v in LOSSES.items() if v.builtin}


@pytest.mark.parametrize(
    ("loss", "values", "activation", "target", "expected"),
    [
        ("squared_error", [1, 2], "identity", [0, 0], 2.5),
        ("mse", [1, 2], "identity", [0, 0], 2.5),
        ("mse", [1, 2], "identity", [0, np.nan], 1.0),
        ("binary_cross_entropy", [0], "logistic", [1], np.log(2)),
        ("binary_cross_entropy", [0.25], "identity", [0], -np.log(0.75)),
        ("categorical_cross_entropy", [0, 0], "identity", [1, 0], np.log(2)),
        ("hinge", [0.5, -2], "identity", [1, -1], 0.5),
        ("matching", [2], "identity", [1], 0.5),
        ("matching", [0.3], "logistic", [1], np.log1p(np.exp(-0.3))),
    ],
)
def test_value(loss, values, activation, target, expected):
    assert loss_of(outputs_net(values, activation), target, loss) == pytest.approx(
        expected, rel=1e-14
    )


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "matching"])
def test_logistic_output_does_not_saturate(loss):
    net = outputs_net([800.0], "logistic")
    assert loss_of(net, [0], loss) == 800
    assert net.nodes["y0"].delta == 1


def test_categorical_takes_large_logits_and_class_indices():
    net = outputs_net([1000.0, -1000.0])
    assert loss_of(net, [0, 1], "categorical_cross_entropy") == 2000
    by_row = net.gradients
    assert loss_of(net, 1, "categorical_cross_entropy") == 2000
    assert (net.gradients == by_row).all()
    net.forward([[1], [1], [1]])
    assert net.backward([0, 1, np.nan], loss="categorical_cross_entropy") == 1000
    assert net.predict_proba([1]).tolist() == [1, 0]


def test_mean_is_over_what_is_asked():
    net = outputs_net([1.0])
    X = [[[1], [2], [3]], [[4], [5], [6]]]
    target = [[[0], [0], [np.nan]], [[np.nan], [np.nan], [np.nan]]]
    assert loss_of(net, target, "squared_error", X) == (0.5 + 2) / 2
    assert loss_of(net, target, "squared_error", X, reduction="sum") == 2.5


@pytest.mark.parametrize(
    ("loss", "activation", "target", "problem"),
    [
        ("binary_cross_entropy", "logistic", [2], r"targets that are in \[0, 1\] .*; got 2"),
        ("binary_cross_entropy", "identity", [1], r"needs outputs in \(0, 1\); output 'y0'"),
        ("hinge", "identity", [0], "targets that are -1 or 1 .*; got 0"),
        ("categorical_cross_entropy", "identity", 3, "takes classes 0 to 0; got 3"),
        ("categorical_cross_entropy", "identity", 0.5, "takes classes 0 to 0; got 0.5"),
        ("categorical_cross_entropy", "identity", [0.5], "add up to 1"),
        ("squared_error", "identity", [np.inf], "target holds inf at step 0 of sample 0"),
        ("squared_error", "identity", ["a"], "target must be an array of real numbers"),
        ("crossentropy", "identity", [1], "unknown loss 'crossentropy'"),
    ],
)
def test_bad_targets(loss, activation, target, problem):
    net = outputs_net([3.0], activation)
    before = net.gradients
    with pytest.raises((ng.ParameterError, ng.NonFiniteError), match=problem):
        loss_of(net, target, loss)
    assert (net.gradients == before).all()


@pytest.mark.parametrize("shape", [(3,), (2, 2), (1, 1, 1), (2, 1, 1)])
def test_shape_of_the_target(shape):
    net = outputs_net([1.0])
    net.forward([[1], [1]])
    with pytest.raises(ng.ShapeError, match=r"target must have shape \(2, 1\); got"):
        net.backward(np.zeros(shape))


def test_target_for_the_last_step_only_has_a_hint():
    net = outputs_net([1.0, 1.0])
    net.forward(np.ones((2, 3, 1)))
    with pytest.raises(ng.ShapeError, match="fill the other steps with NaN"):
        net.backward(np.zeros((2, 2)))


def test_ones_own_loss():
    @ng.loss(derivative=lambda y, t: np.sign(y - t) * min(abs(y - t), 0.5))
    def tests_huber(y, t):
        r = abs(y - t)
        return r * r / 2 if r < 0.5 else 0.5 * (r - 0.25)

    net = outputs_net([2.0, 0.25])
    assert loss_of(net, [0, 0], "tests_huber") == 0.5 * 1.75 + 0.25**2 / 2
    assert net.gradients.tolist() == [0.5, 0.25]
    assert loss_of(net, [0, 0], tests_huber) == 0.5 * 1.75 + 0.25**2 / 2
    assert loss_of(net, [0, np.nan], "tests_huber") == 0.5 * 1.75


def test_a_wrong_derivative_of_a_loss_is_caught():
    with pytest.raises(ng.ParameterError, match="'tests_off' at target .* differences give"):
        ng.loss(lambda y, t: (y - t) ** 2, derivative=lambda y, t: y - t, name="tests_off")
    with pytest.raises(ng.ParameterError, match="loss: 'mse' is one of the library's"):
        ng.loss(lambda y, t: y, derivative=lambda y, t: 1, name="mse")


def test_reduction_is_mean_or_sum():
    with pytest.raises(ng.ParameterError, match="reduction must be 'mean' or 'sum', got 'max'"):
        loss_of(outputs_net([1.0]), [1], "mse", reduction="max")
