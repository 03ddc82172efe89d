"""Activations: values, derivatives, stability, and registering one's own."""

import math
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import neurograph as ng
from neurograph.functions import ACTIVATIONS, get_activation
from tests.strategies import ALL, KINKS, close

PROMISED = """logistic tanh identity relu leaky_relu step bipolar bipolar_logistic sin bent_identity
hard_tanh absolute inverse selu softplus softsign swish gelu gaussian""".split()
AT_ONE = {
    "logistic": 1 / (1 + math.exp(-1)),
    "tanh": math.tanh(1),
    "identity": 1,
    "relu": 1,
    "leaky_relu": 1,
    "step": 1,
    "bipolar": 1,
    "bipolar_logistic": 2 / (1 + math.exp(-1)) - 1,
    "sin": math.sin(1),
    "bent_identity": (math.sqrt(2) - 1) / 2 + 1,
    "hard_tanh": 1,
    "absolute": 1,
    "inverse": 0,
    "selu": 1.0507009873554805,
    "softplus": math.log(1 + math.e),
    "softsign": 0.5,
    "swish": 1 / (1 + math.exp(-1)),
    "gelu": 0.5 * (1 + math.erf(1 / math.sqrt(2))),
    "gaussian": math.exp(-1),
}
AT_MINUS_ONE = {
    "relu": 0,
    "leaky_relu": -0.01,
    "step": 0,
    "bipolar": -1,
    "absolute": 1,
    "inverse": 2,
    "selu": 1.0507009873554805 * 1.6732632423543772 * (math.exp(-1) - 1),
    "softsign": -0.5,
    "hard_tanh": -1,
    "bent_identity": (math.sqrt(2) - 1) / 2 - 1,
}


def test_all_promised_functions_are_there():
    assert sorted(PROMISED) == sorted(f.name for f in ACTIVATIONS.values() if f.builtin)
    assert sorted(PROMISED) == sorted(ALL)


@pytest.mark.parametrize("name", PROMISED)
def test_values_are_those_of_the_formula(name):
    f = get_activation(name)
    assert f(np.array([1.0]))[0] == pytest.approx(AT_ONE[name], rel=1e-15)
    if name in AT_MINUS_ONE:
        assert f(np.array([-1.0]))[0] == pytest.approx(AT_MINUS_ONE[name], rel=1e-15)


@pytest.mark.parametrize("name", PROMISED)
@given(s=st.floats(-8, 8))
def test_derivative_is_the_slope_and_antiderivative_has_slope_f(name, s):
    kinks = (0,) if name == "softsign" else KINKS.get(name, ())  # its slope has one at 0
    assume(min((abs(s - k) for k in kinks), default=1) > 1e-3)
    f, h = get_activation(name), 1e-5
    at = np.array([s - h, s, s + h])
    assert close(f.derivative(at)[1], (f(at)[2] - f(at)[0]) / (2 * h), 1e-8)
    assert close(f(at)[1], (f.antiderivative(at)[2] - f.antiderivative(at)[0]) / (2 * h), 1e-8)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PROMISED)
def test_stable_and_silent_from_end_to_end(name, dtype):
    s = np.array([-1e4, -745.5, -100, -1, -0.0, 0, 1, 100, 745.5, 1e4], dtype)
    f = get_activation(name)
    with warnings.catch_warnings(), np.errstate(over="raise", invalid="raise", divide="raise"):
        warnings.simplefilter("error")
        for function in (f.f, f.derivative, f.antiderivative):
            values = function(s)
            assert values.dtype == dtype
            assert values.shape == s.shape
            assert np.isfinite(values).all()


@pytest.mark.parametrize("name", PROMISED)
def test_derivative_at_kinks_is_that_of_pytorch(name):
    torch = pytest.importorskip("torch")
    from tests.oracle import FUNCTIONS

    s = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64, requires_grad=True)
    FUNCTIONS[name](s).sum().backward()
    found = get_activation(name).derivative(s.detach().numpy())
    assert close(found, s.grad.numpy(), 1e-12)


def test_saturated_derivatives_do_not_cancel():
    """1 - tanh² is 0 in floating point at s = 20; the true value is 1.7e-17."""
    assert get_activation("tanh").derivative(np.array([20.0]))[0] == pytest.approx(
        4 * math.exp(-40), rel=1e-12
    )
    assert get_activation("logistic").derivative(np.array([40.0]))[0] == pytest.approx(
        math.exp(-40), rel=1e-12
    )


def test_ones_own_activation_runs_and_learns():
    @ng.activation(derivative=lambda s: 1.0 if s > 0 else 0.1)
    def tests_leak(s):  # written for one number
        return s if s > 0 else 0.1 * s

    net = ng.perceptron(2, 3, 1, activation="tests_leak", seed=0)
    same = ng.perceptron(2, 3, 1, activation=tests_leak, seed=0)
    X = np.random.default_rng(0).normal(size=(5, 2))
    assert (net.forward(X) == same.forward(X)).all()
    net.backward(gradient=np.ones((5, 1)))
    s = net.edges["input.0", "hidden.0"]
    up, down = net.copy(), net.copy()
    up.edges[s.source, s.target].weight += 1e-6
    down.edges[s.source, s.target].weight -= 1e-6
    assert s.grad == pytest.approx((up.predict(X) - down.predict(X)).sum() / 2e-6, rel=1e-6)


def test_a_wrong_derivative_is_caught_when_it_is_registered():
    with pytest.raises(ng.ParameterError, match="the derivative at .* but differences give"):
        ng.activation(lambda s: s * s, derivative=lambda s: s, name="tests_wrong")
    assert "tests_wrong" not in ACTIVATIONS
    ng.activation(lambda s: s * s, derivative=lambda s: s, name="tests_surrogate", check=False)
    assert ng.Network().add_neuron("h", activation="tests_surrogate").activation


@pytest.mark.parametrize(
    ("function", "derivative", "name", "problem"),
    [
        (np.tanh, np.cos, "tanh", "activation: 'tanh' is one of the library's"),
        (np.log, lambda s: 1 / s, "tests_log", r"f\(-3.1718\) is not a finite number"),
        (lambda s: s.missing, np.cos, "tests_raises", "fails on a number"),
    ],
)
def test_what_cannot_be_registered(function, derivative, name, problem):
    with pytest.raises(ng.ParameterError, match=problem), np.errstate(all="ignore"):
        ng.activation(function, derivative=derivative, name=name)


def test_an_activation_that_another_process_registered(tmp_path):
    code = (
        "import pickle, sys, neurograph as ng; import numpy as np;"
        "ng.activation(np.arctan, derivative=lambda s: 1 / (1 + s * s), name='tests_elsewhere');"
        "net = ng.perceptron(1, 1, activation='tests_elsewhere', seed=0);"
        "sys.stdout.buffer.write(pickle.dumps(net))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    net = pickle.loads(done.stdout)
    assert net.nodes["output.0"].activation == "tests_elsewhere"
    with pytest.raises(
        ng.ParameterError, match=r"neuron 'output.0' has activation 'tests_elsewhere', which is not"
    ) as caught:
        net.forward([1])
    assert "net.nodes['output.0'].activation = 'logistic'" in str(caught.value)
    net.nodes["output.0"].activation = "logistic"
    net.forward([1])


def test_unknown_activation_has_a_suggestion():
    with pytest.raises(ng.ParameterError, match="unknown activation 'tahn'. Did you mean 'tanh'"):
        ng.Network().add_neuron("h", activation="tahn")
