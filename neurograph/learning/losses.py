"""Losses by name, the loss of a batch, and how to register a loss of one's own.

Arrays here are (samples, steps, outputs) as in `neurograph.learning.loss_base`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from neurograph.engines.base import real_array
from neurograph.engines.finite import first, largest
from neurograph.errors import NonFiniteError, ParameterError, ShapeError, Term, suggest
from neurograph.functions import elementwise, registered_name, require_derivative, softplus
from neurograph.learning.loss_base import Loss, Outputs, Terms

__all__ = ["LOSSES", "Evaluation", "Loss", "Outputs", "evaluate", "get_loss", "loss", "softmax"]


class _MeanLoss(Loss):
    """The mean over the outputs that are asked, rather than their sum."""

    def measure(self, out: Outputs, t: np.ndarray) -> tuple[Terms, np.ndarray]:
        terms, asked = super().measure(out, t)
        n = np.maximum(1, (~np.isnan(t)).sum(-1))
        return Terms(terms.value / n, terms.d_output / n[..., None], terms.d_state), asked

    def _summed(self, terms: Callable, out: Outputs, t: np.ndarray) -> np.ndarray:
        return super()._summed(terms, out, t) / np.maximum(1, (~np.isnan(t)).sum(-1))


class _BinaryCrossEntropy(Loss):
    """From the state where an output is logistic, so that nothing saturates."""

    def terms(self, out: Outputs, t: np.ndarray) -> Terms:
        stable = self.stable(out)
        open_ = (out.y > 0) & (out.y < 1)
        if not (open_ | stable).all():
            b, step, j = np.argwhere(~(open_ | stable))[0]
            raise ParameterError(
                f"{self.name} needs outputs in (0, 1); output {out.names[j]!r}"
                f" ({out.activations[j].name}) is {out.y[b, step, j]:g}."
                f" Make it logistic: net.nodes[{out.names[j]!r}].activation = 'logistic'"
            )
        y = np.where(stable, 0.5, out.y)
        d_output = np.where(stable, 0, self.derivative(y, t))
        return Terms(self.values(out, t), d_output, np.where(stable, out.y - t, 0))

    def values(self, out: Outputs, t: np.ndarray) -> np.ndarray:
        stable = self.stable(out)
        if stable.all():
            return softplus(out.s) - t * out.s
        y = np.where(stable, 0.5, out.y)
        return np.where(stable, softplus(out.s) - t * out.s, self.value(y, t))

    def bend(self, out: Outputs, t: np.ndarray, y: np.ndarray, s: np.ndarray) -> np.ndarray:
        stable = self.stable(out)
        by_output = super().bend(out._replace(y=np.where(stable, 0.5, out.y)), t, y, s)
        return np.where(stable, out.y * (1 - out.y) * s * s, by_output)

    @staticmethod
    def stable(out: Outputs) -> np.ndarray:
        """Return of which outputs the loss is found from the state."""
        return np.array([f.name == "logistic" for f in out.activations])


class _Matching(Loss):
    """F(s) - t s with F' = f: its derivative by s is y - t at every output."""

    # What makes a perfect output cost 0, where it is known; it depends on t alone.
    rest = MappingProxyType(
        {
            "identity": lambda t: t * t / 2,
            "tanh": lambda t: (_xlogx(1 + t) + _xlogx(1 - t)) / 2,
        }
    )

    def terms(self, out: Outputs, t: np.ndarray) -> Terms:
        return Terms(self.values(out, t), np.zeros_like(out.y), out.y - t)

    def values(self, out: Outputs, t: np.ndarray) -> np.ndarray:
        value = np.empty_like(out.s)
        for j, f in enumerate(out.activations):
            s = out.s[..., j]
            offset = self.rest.get(f.name, np.zeros_like)(t[..., j])
            value[..., j] = f.antiderivative(s) - t[..., j] * s + offset
        return value

    def bend(self, out: Outputs, t: np.ndarray, y: np.ndarray, s: np.ndarray) -> np.ndarray:
        return y * s  # for ∂ℓ/∂s = y - t


class _CategoricalCrossEntropy(Loss):
    """Softmax over all outputs: a target is a class index or a row of probabilities."""

    def prepare(self, target: object, shape: tuple[int, ...], n_out: int) -> np.ndarray:
        t = real_array("target", target, np.dtype(float))
        if t.shape == shape:
            asked = ~np.isnan(t)
            classes = np.where(asked, t, 0)
            valid = (classes == np.floor(classes)) & (classes >= 0) & (classes < n_out)
            if not valid.all():
                raise ParameterError(
                    f"{self.name} takes classes 0 to {n_out - 1}; got {classes[~valid].flat[0]:g}"
                )
            rows = np.eye(n_out)[classes.astype(int)]
            t = np.where(asked[..., None], rows, np.nan)
        elif t.shape != (*shape, n_out):
            raise ShapeError(
                f"target must hold class indices of shape {shape} or rows of shape"
                f" {(*shape, n_out)}; got {t.shape}"
            )
        unasked = np.isnan(t)
        self.require(unasked | ((t >= 0) & (t <= 1)), t)
        total = t.sum(-1)
        whole = unasked.all(-1) | (np.abs(total - 1) < 1e-6)
        if not whole.all():
            raise ParameterError(
                f"{self.name} takes rows that are one-hot or add up to 1 (or are all NaN);"
                f" got {t[~whole][0]}"
            )
        return t.reshape((*shape, *(1,) * (2 - len(shape)), n_out))

    def terms(self, out: Outputs, t: np.ndarray) -> Terms:
        d_output = softmax(out.y) * t.sum(-1, keepdims=True) - t
        return Terms(self.values(out, t), d_output, np.zeros_like(out.y))

    def values(self, out: Outputs, t: np.ndarray) -> np.ndarray:
        top = out.y.max(-1, keepdims=True)
        log_p = out.y - top - np.log(np.exp(out.y - top).sum(-1, keepdims=True))
        return -t * log_p

    def bend(self, out: Outputs, t: np.ndarray, y: np.ndarray, s: np.ndarray) -> np.ndarray:
        p = softmax(out.y)
        return t.sum(-1, keepdims=True) * p * y * (y - (p * y).sum(-1, keepdims=True))


def softmax(y: np.ndarray) -> np.ndarray:
    """Return e^y / Σ e^y along the last axis.

    >>> softmax(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """
    e = np.exp(y - y.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _xlogx(x: np.ndarray) -> np.ndarray:
    inside = x > 0  # outside the range of tanh there is no perfect output; 0 will do
    return np.where(inside, x * np.log(np.where(inside, x, 1)), 0)


def _cross_entropy(y: np.ndarray, t: np.ndarray) -> np.ndarray:
    return -t * np.log(y) - (1 - t) * np.log1p(-y)


def _cross_entropy_bend(y: np.ndarray, t: np.ndarray) -> np.ndarray:
    return t / y**2 + (1 - t) / (1 - y) ** 2


def _hinge_slope(y: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.where(t * y < 1, -t, 0)


def _constant(value: float) -> Callable:
    return lambda y, t: np.full_like(y, value)


_registry = {
    made.name: made
    for made in (
        Loss(
            "squared_error",
            lambda y, t: (y - t) ** 2 / 2,
            lambda y, t: y - t,
            builtin=True,
            second=_constant(1),
        ),
        _MeanLoss(
            "mse",
            lambda y, t: (y - t) ** 2,
            lambda y, t: 2 * (y - t),
            builtin=True,
            second=_constant(2),
        ),
        _BinaryCrossEntropy(
            "binary_cross_entropy",
            _cross_entropy,
            lambda y, t: (y - t) / (y * (1 - y)),
            lambda t: (t >= 0) & (t <= 1),
            "in [0, 1]",
            builtin=True,
            second=_cross_entropy_bend,
        ),
        _CategoricalCrossEntropy(
            "categorical_cross_entropy",
            np.subtract,
            np.subtract,
            targets="probabilities",
            builtin=True,
        ),
        Loss(
            "hinge",
            lambda y, t: np.maximum(0, 1 - t * y),
            _hinge_slope,
            lambda t: np.abs(t) == 1,
            "-1 or 1",
            builtin=True,
            second=_constant(0),
        ),
        _Matching("matching", np.subtract, np.subtract, builtin=True),
    )
}
LOSSES = MappingProxyType(_registry)  # name -> Loss, for looking


def get_loss(name: str | Loss) -> Loss:
    """Return the loss of that name."""
    name = name.name if isinstance(name, Loss) else name
    try:
        return _registry[name]
    except (KeyError, TypeError):
        raise ParameterError(
            f"unknown loss {name!r}.{suggest(name, _registry)}"
            f" There are {', '.join(_registry)}; or register one with @neurograph.loss"
        ) from None


class Evaluation(NamedTuple):
    """The loss of a batch, its derivatives at the outputs, and how many pairs were asked.

    value : float, d_output, d_state : (T, n_out, B) arrays
    asked : float, how many, each by the weight of its sample
    """

    value: float
    d_output: np.ndarray
    d_state: np.ndarray
    asked: float


def evaluate(
    loss: str | Loss,
    out: Outputs,
    target: np.ndarray,
    reduction: str,
    weight: np.ndarray | None = None,
) -> Evaluation:
    """Return the loss of a batch and ∂L/∂y, ∂L/∂s at the outputs.

    Parameters
    ----------
    target : (B, T, n_out) array
        As `Loss.prepare` returns it.
    reduction : {"mean", "sum"}
        Over samples and steps; the mean is over those that are asked anything.
    weight : (B,) array, optional
        Of each sample in sum and mean.
    """
    if reduction not in ("mean", "sum"):
        raise ParameterError(f"reduction must be 'mean' or 'sum', got {reduction!r}")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        terms, asked = get_loss(loss).measure(out, target)
        n_asked = float(asked.sum() if weight is None else weight @ asked.sum(1))
        scale = 1 / (n_asked or 1.0) if reduction == "mean" else 1.0
        if weight is not None:
            terms = Terms(*(a * weight.reshape(-1, *(1,) * (a.ndim - 1)) for a in terms))
        value, d_output, d_state = (
            a.astype(out.y.dtype)
            for a in (terms.value, terms.d_output * scale, terms.d_state * scale)
        )
        total = float(terms.value.sum() * scale)
        for what, array in (("value", value), ("derivative", d_output), ("derivative", d_state)):
            place = first(array)
            if place is not None:
                raise _loss_error(get_loss(loss), what, array, place, out, target)
    if not np.isfinite(total):
        sums = [Term(f"loss {v:.4g} of sample {b}", v) for b, v in enumerate(value.sum(1).tolist())]
        b, t = (int(i) for i in np.unravel_index(np.argmax(value), value.shape))
        raise NonFiniteError(
            f"loss {get_loss(loss).name!r} has a sum that is not finite, the most",
            quantity="loss", value=total, step=t, sample=b, **largest(sums),
        )  # fmt: skip
    return Evaluation(total, d_output.transpose(1, 2, 0), d_state.transpose(1, 2, 0), n_asked)


def _loss_error(
    loss: Loss, what: str, array: np.ndarray, place: tuple, out: Outputs, target: np.ndarray
) -> NonFiniteError:
    """Return what says at which output a loss, or its derivative, is not finite."""
    b, t = place[:2]
    here = slice(b, b + 1), slice(t, t + 1)
    seen, asked = out._replace(s=out.s[here], y=out.y[here]), target[here]
    found = {}
    for o in np.flatnonzero(~np.isnan(target[b, t])).tolist():
        alone = np.where(np.arange(asked.shape[-1]) == o, asked, np.nan)
        value = float(loss.measure(seen, alone)[0].value[0, 0])
        y, wanted = out.y[b, t, o], target[b, t, o]
        words = f"{value:.4g} of output {out.names[o]!r}, which is {y:.4g} where {wanted:.4g}"
        found[o] = Term(f"loss {words} is asked", value)
    ranked = largest(found.values())
    chosen = {term: o for o, term in found.items()}
    o = place[2] if len(place) > 2 else chosen[ranked["terms"][0]]
    return NonFiniteError(
        f"loss {loss.name!r} has a {what} that is not finite for output {out.names[o]!r}",
        quantity="loss", value=float(array[place]), neuron=out.names[o], step=t, sample=b, **ranked,
    )  # fmt: skip


# ---------------------------------------------------------------- one's own


def loss(
    function: Callable | None = None,
    *,
    derivative: Callable,
    name: str | None = None,
    check: bool = True,
):
    """Register a loss of one's own; the loss of a sample is the sum over its outputs.

    Parameters
    ----------
    function : callable
        ℓ(y, t) of an output and its target, two numbers (arrays are fine too).
    derivative : callable
        ∂ℓ/∂y, likewise.
    name : str, optional
        Name to use in `loss=`; the function's own unless given.
    check : bool
        Compare the derivative with central differences at a few points, the default.

    Returns
    -------
    Loss

    Raises
    ------
    ParameterError
        The derivative is wrong, or the name is one of the library's.

    Examples
    --------
    >>> import neurograph as ng
    >>> @ng.loss(derivative=lambda y, t: 4 * (y - t) ** 3)
    ... def quartic(y, t):
    ...     return (y - t) ** 4
    >>> quartic.name
    'quartic'
    """
    if function is None:
        return lambda f: loss(f, derivative=derivative, name=name, check=check)
    name = registered_name("loss", name, function, _registry)
    made = Loss(name, elementwise(function), elementwise(derivative))
    if check:
        _check_registered(made)
    _registry[name] = made
    return made


def _check_registered(made: Loss) -> None:
    y = np.array([0.1371, 0.3119, 0.5723, 0.8317])  # where any loss is defined
    for t in (0.0, 1.0, 0.4217):
        target = np.full_like(y, t)
        try:
            values, slopes = made.value(y, target), made.derivative(y, target)
        except Exception as error:
            raise ParameterError(f"loss {made.name!r} fails on a number: {error}") from error
        if not (np.isfinite(values).all() and np.isfinite(slopes).all()):
            raise ParameterError(f"loss {made.name!r} is not a finite number at target {t}")
        require_derivative(
            f"loss {made.name!r} at target {t}", lambda y, t=target: made.value(y, t), slopes, y
        )
