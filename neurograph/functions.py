"""Activation functions: y = f(s), their derivatives f'(s), and how to register one's own.

Every function works elementwise on an array of float64 or float32 and returns the same
dtype, for |s| up to 1e4 and beyond without a warning. At a kink the derivative is the one
PyTorch takes, so that gradients agree with it there too (relu'(0) = 0).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from neurograph.errors import ParameterError, suggest

__all__ = ["ACTIVATIONS", "Activation", "activation", "get_activation"]

Elementwise = Callable[[np.ndarray], np.ndarray]

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


@dataclass(frozen=True)
class Activation:
    """A named activation function with its derivative.

    Attributes
    ----------
    name : str
        What `neuron.activation` holds.
    f, derivative : callable
        y = f(s) and dy/ds as functions of the state s, elementwise.
    integral : callable or None
        ∫₀ˢ f(u) du + constant, the value of the matching loss; None: found by quadrature.
    second : callable or None
        d²y/ds², 0 at a kink; None: found by differences of the derivative.
    builtin : bool
        Whether the library brought it; only one's own can be registered again.
    """

    name: str
    f: Elementwise = field(repr=False)
    derivative: Elementwise = field(repr=False)
    integral: Elementwise | None = field(default=None, repr=False)
    builtin: bool = False
    second: Elementwise | None = field(default=None, repr=False)

    def __call__(self, s: np.ndarray) -> np.ndarray:
        """Return f(s)."""
        return self.f(s)

    def antiderivative(self, s: np.ndarray) -> np.ndarray:
        """Return F(s) with F' = f, in closed form where there is one.

        >>> get_activation("identity").antiderivative(np.array([3.0]))
        array([4.5])
        """
        found = self.integral(s) if self.integral else _quadrature(self.f, s)
        return found.astype(s.dtype, copy=False)

    def second_derivative(self, s: np.ndarray) -> np.ndarray:
        """Return f''(s), 0 at a kink: in closed form, or by central differences of f'.

        The differences, of functions that users register, are good to about 1e-10.

        >>> get_activation("sin").second_derivative(np.array([0.0, np.pi / 2]))
        array([-0., -1.])
        """
        return self.second(s) if self.second else slope_of(self.derivative, s)


def slope_of(f: Callable, x: np.ndarray) -> np.ndarray:
    """Return df/dx by central differences, x of float64."""
    step = np.maximum(6e-6, 1e-8 * np.abs(x))
    above, below = x + step, x - step
    return (f(above) - f(below)) / (above - below)


# ---------------------------------------------------------------- the functions of the library


def _logistic(s):
    e = np.exp(-np.abs(s))
    return np.where(s >= 0, 1, e) / (1 + e)


def _logistic_derivative(s):
    e = np.exp(-np.abs(s))
    return e / (1 + e) ** 2


def softplus(s):
    """ln(1 + e^s), without overflow."""
    return np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))


def _tanh_derivative(s):
    e = np.exp(-2 * np.abs(s))  # 1 - tanh² cancels for large |s|; this does not
    return 4 * e / (1 + e) ** 2


_erf = np.frompyfunc(math.erf, 1, 1)


def _error_function(s):
    return np.asarray(_erf(s)).astype(np.asarray(s).dtype)


def _normal_cdf(s):
    return 0.5 * (1 + _error_function(s / math.sqrt(2)))


def _normal_pdf(s):
    return np.exp(-0.5 * s * s) / math.sqrt(2 * math.pi)


def _gelu_integral(s):
    return 0.5 * ((s * s - 1) * _normal_cdf(s) + s * _normal_pdf(s))


def _bent_integral(s):
    return (s * np.hypot(s, 1) + np.arcsinh(s)) / 4 + (s * s - s) / 2


def _selu(s):
    return SELU_SCALE * np.where(s > 0, s, SELU_ALPHA * np.expm1(np.minimum(s, 0)))


def _selu_derivative(s):
    return SELU_SCALE * np.where(s > 0, 1, SELU_ALPHA * np.exp(np.minimum(s, 0)))


def _selu_integral(s):
    low = np.minimum(s, 0)
    return SELU_SCALE * np.where(s > 0, s * s / 2, SELU_ALPHA * (np.expm1(low) - low))


def _hard_tanh_integral(s):
    return np.where(np.abs(s) < 1, (s * s + 1) / 2, np.abs(s))


@cache
def _legendre(n):
    return np.polynomial.legendre.leggauss(n)


def _softplus_integral(s):
    """∫₀ˢ ln(1+eᵘ) du: a square, and a tail that is over by u = 45 (a dilogarithm)."""
    x, w = _legendre(64)
    end = np.minimum(np.abs(s), 45)[..., None]
    tail = (np.log1p(np.exp(-end * (x + 1) / 2)) * w).sum(-1) * end[..., 0] / 2
    return np.where(s > 0, s * s / 2, 0) + np.sign(s) * tail


def _quadrature(f, s):
    """∫₀ˢ f(u) du on 32 panels of 16 Gauss-Legendre points each."""
    s = np.asarray(s)
    x, w = _legendre(16)
    edges = np.linspace(0, 1, 33)[:-1]
    at = (edges[:, None] + (x + 1) / 64).ravel()
    weights = np.tile(w / 64, 32)
    return (f((s[..., None] * at).astype(s.dtype)) * weights).sum(-1) * s


_BUILTIN: list[tuple[str, Elementwise, Elementwise, Elementwise]] = [
    ("logistic", _logistic, _logistic_derivative, softplus),
    (
        "tanh",
        np.tanh,
        _tanh_derivative,
        lambda s: np.abs(s) + np.log1p(np.exp(-2 * np.abs(s))) - math.log(2),
    ),
    ("identity", lambda s: s + 0, np.ones_like, lambda s: s * s / 2),
    (
        "relu",
        lambda s: np.maximum(s, 0),
        lambda s: np.where(s > 0, np.ones_like(s), 0),
        lambda s: np.maximum(s, 0) ** 2 / 2,
    ),
    (
        "leaky_relu",
        lambda s: np.where(s > 0, s, 0.01 * s),
        lambda s: np.where(s > 0, np.ones_like(s), 0.01),
        lambda s: np.where(s > 0, s * s, 0.01 * s * s) / 2,
    ),
    (
        "step",
        lambda s: np.where(s > 0, np.ones_like(s), 0),
        np.zeros_like,
        lambda s: np.maximum(s, 0),
    ),
    ("bipolar", lambda s: np.where(s > 0, np.ones_like(s), -1), np.zeros_like, np.abs),
    (
        "bipolar_logistic",
        lambda s: np.tanh(s / 2),
        lambda s: 2 * _logistic_derivative(s),
        lambda s: 2 * softplus(s) - s,
    ),
    (
        "hard_tanh",
        lambda s: np.clip(s, -1, 1),
        lambda s: np.where(np.abs(s) < 1, np.ones_like(s), 0),
        _hard_tanh_integral,
    ),
    ("absolute", np.abs, np.sign, lambda s: s * np.abs(s) / 2),
    ("inverse", lambda s: 1 - s, lambda s: -np.ones_like(s), lambda s: s - s * s / 2),
    ("selu", _selu, _selu_derivative, _selu_integral),
    ("softplus", softplus, _logistic, _softplus_integral),
    (
        "softsign",
        lambda s: s / (1 + np.abs(s)),
        lambda s: 1 / (1 + np.abs(s)) ** 2,
        lambda s: np.abs(s) - np.log1p(np.abs(s)),
    ),
    (
        "swish",
        lambda s: s * _logistic(s),
        lambda s: _logistic(s) + s * _logistic_derivative(s),
        lambda s: s * softplus(s) - _softplus_integral(s),
    ),
    (
        "gelu",
        lambda s: s * _normal_cdf(s),
        lambda s: _normal_cdf(s) + s * _normal_pdf(s),
        _gelu_integral,
    ),
    (
        "gaussian",
        lambda s: np.exp(-s * s),
        lambda s: -2 * s * np.exp(-s * s),
        lambda s: math.sqrt(math.pi) / 2 * _error_function(s),
    ),
    ("sin", np.sin, np.cos, lambda s: -np.cos(s)),
    (
        "bent_identity",
        lambda s: (np.hypot(s, 1) - 1) / 2 + s,
        lambda s: s / (2 * np.hypot(s, 1)) + 1,
        _bent_integral,
    ),
]


def _logistic_second(s):
    e = np.exp(-np.abs(s))
    return -np.sign(s) * e * (1 - e) / (1 + e) ** 3


_SECOND: dict[str, Elementwise] = {  # the others are straight between their kinks
    "logistic": _logistic_second,
    "tanh": lambda s: -2 * np.tanh(s) * _tanh_derivative(s),
    "bipolar_logistic": lambda s: 2 * _logistic_second(s),
    "selu": lambda s: SELU_SCALE * np.where(s < 0, SELU_ALPHA * np.exp(np.minimum(s, 0)), 0),
    "softplus": _logistic_derivative,
    "softsign": lambda s: -2 * np.sign(s) / (1 + np.abs(s)) ** 3,
    "swish": lambda s: 2 * _logistic_derivative(s) + s * _logistic_second(s),
    "gelu": lambda s: (2 - s * s) * _normal_pdf(s),
    "gaussian": lambda s: (4 * s * s - 2) * np.exp(-s * s),
    "sin": lambda s: -np.sin(s),
    "bent_identity": lambda s: 1 / (2 * np.hypot(s, 1) ** 3),
}

_registry = {
    name: Activation(name, f, d, i, builtin=True, second=_SECOND.get(name, np.zeros_like))
    for name, f, d, i in _BUILTIN
}
ACTIVATIONS = MappingProxyType(_registry)  # name -> Activation, for looking


def get_activation(name: str | Activation) -> Activation:
    """Return the activation of that name.

    >>> get_activation("tanh")(np.array([0.0]))
    array([0.])
    >>> get_activation("tahn")
    Traceback (most recent call last):
    neurograph.errors.ParameterError: unknown activation 'tahn'. Did you mean 'tanh'? \
Register your own with @neurograph.activation(derivative=...)
    """
    name = name.name if isinstance(name, Activation) else name
    try:
        return _registry[name]
    except (KeyError, TypeError):
        raise ParameterError(
            f"unknown activation {name!r}.{suggest(name, _registry)}"
            " Register your own with @neurograph.activation(derivative=...)"
        ) from None


# ---------------------------------------------------------------- one's own


def activation(
    function: Callable | None = None,
    *,
    derivative: Callable,
    name: str | None = None,
    check: bool = True,
):
    """Register an activation function of one's own, for every engine.

    Parameters
    ----------
    function : callable
        f(s) of one number (an array is fine too), in plain Python or NumPy.
    derivative : callable
        f'(s), likewise.
    name : str, optional
        Name to use in `neuron.activation`; the function's own unless given.
    check : bool
        Compare the derivative with central differences at a few points, the default. False
        for a surrogate derivative (a spiking threshold, say).

    Returns
    -------
    Activation
        Usable wherever a name is.

    Raises
    ------
    ParameterError
        The derivative is not that of the function, a value is not finite, or the name is
        one of the library's.

    Examples
    --------
    >>> import neurograph as ng
    >>> @ng.activation(derivative=lambda s: 3 * s * s)
    ... def cube(s):
    ...     return s**3
    >>> ng.Network().add_neuron("h", activation="cube").activation
    'cube'
    """
    if function is None:
        return lambda f: activation(f, derivative=derivative, name=name, check=check)
    name = registered_name("activation", name, function, _registry)
    made = Activation(name, elementwise(function), elementwise(derivative))
    _check_registered(made, check)
    _registry[name] = made
    return made


def registered_name(
    kind: str, name: str | None, function: Callable, registry: Mapping[str, Any]
) -> str:
    """Return the name under which to register a function, if it may have it."""
    name = getattr(function, "__name__", None) if name is None else name
    if not isinstance(name, str) or not name:
        raise ParameterError(f"{kind}: the name must be a string, got {name!r}; give name=")
    if name in registry and registry[name].builtin:
        raise ParameterError(f"{kind}: {name!r} is one of the library's; give yours another name=")
    return name


def elementwise(function: Callable) -> Callable:
    """Return `function` for arrays of any shape, also if it was written for one number.

    >>> elementwise(lambda s: s if s > 0 else 0.0)(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def one(*numbers):
        try:
            return function(*numbers)
        except (ArithmeticError, ValueError):  # math.exp(1000): who runs the network names where
            return math.nan

    def one_by_one(*arrays):
        arrays = np.broadcast_arrays(*arrays)
        values = [
            one(*numbers) for numbers in zip(*(a.ravel().tolist() for a in arrays), strict=True)
        ]
        return np.array(values, arrays[0].dtype).reshape(arrays[0].shape)

    def apply(*arrays):
        shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
        if math.prod(shape) == 1:  # which math.exp would take for a number, with a warning
            return apply(*(np.repeat(np.ravel(a), 2) for a in arrays))[:1].reshape(shape)
        try:
            result = np.asarray(function(*arrays))
        except (TypeError, ValueError, ArithmeticError):  # for numbers: `if s > 0`, math.exp
            return one_by_one(*arrays)
        if result.shape != shape:
            return one_by_one(*arrays)  # a constant, say
        return result.astype(arrays[0].dtype, copy=False)

    apply.__wrapped__ = function  # type: ignore[attr-defined]  # for engines that compile
    return apply


# Irregular, so that a kink of somebody's function at a round number is not hit.
_POINTS = np.array([-3.1718, -1.4129, -0.5323, -0.1377, 0.0713, 0.3791, 0.8317, 1.7153, 2.9411])


def _check_registered(made: Activation, against_differences: bool) -> None:
    try:
        values, slopes = made.f(_POINTS), made.derivative(_POINTS)
    except Exception as error:
        raise ParameterError(f"activation {made.name!r} fails on a number: {error}") from error
    for label, array in (("f", values), ("derivative", slopes)):
        if not np.isfinite(array).all():
            at = _POINTS[~np.isfinite(array)][0]
            raise ParameterError(f"activation {made.name!r}: {label}({at}) is not a finite number")
    if against_differences:
        require_derivative(f"activation {made.name!r}", made.f, slopes, _POINTS)


def require_derivative(what: str, f: Callable, slopes: np.ndarray, at: np.ndarray) -> None:
    """Raise unless `slopes` are the derivative of `f` at the points `at`."""
    h = 1e-5
    differences = (f(at + h) - f(at - h)) / (2 * h)
    wrong = ~(np.abs(slopes - differences) <= 1e-6 * np.maximum(1, np.abs(differences)))
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ParameterError(
            f"{what}: the derivative at {at[i]} is {slopes[i]:.6g}, but differences give"
            f" {differences[i]:.6g}. Correct derivative=, or pass check=False if it is a"
            " surrogate on purpose"
        )
