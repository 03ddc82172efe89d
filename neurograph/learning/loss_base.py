"""What a loss ℓ(y, t) is: `Loss`, and what it sees and gives.

A loss gives ∂ℓ/∂y for equation (5), or ∂ℓ/∂s for equation (6) where that is the stable way.
Arrays here are (samples, steps, outputs). A NaN in a target means that this output is not
asked at that step: it adds nothing to the loss and its derivatives are 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurograph.engines.base import real_array
from neurograph.errors import NonFiniteError, ParameterError, ShapeError
from neurograph.functions import Activation, slope_of

__all__ = ["Loss", "Outputs", "Terms"]


class Outputs(NamedTuple):
    """What a loss sees of a run: states and outputs (B, T, n_out), activations and names."""

    s: np.ndarray
    y: np.ndarray
    activations: Sequence[Activation]
    names: Sequence


class Terms(NamedTuple):
    """A loss at every sample and step, (B, T), and its derivatives, (B, T, n_out)."""

    value: np.ndarray
    d_output: np.ndarray
    d_state: np.ndarray


@dataclass(frozen=True)
class Loss:
    """A loss that is a sum over outputs of value(y, t).

    Attributes
    ----------
    name : str
    value, derivative : callable
        ℓ(y, t) and ∂ℓ/∂y, elementwise.
    domain : callable
        Whether each target is one that this loss can take.
    targets : str
        The domain in words.
    builtin : bool
        Whether the library brought it.
    second : callable or None
        ∂²ℓ/∂y², elementwise, 0 at a kink; None: found by differences of the derivative.
    """

    name: str
    value: Callable
    derivative: Callable
    domain: Callable = np.isfinite
    targets: str = "finite numbers"
    builtin: bool = False
    second: Callable | None = None

    def prepare(self, target: object, shape: tuple[int, ...], n_out: int) -> np.ndarray:
        """Return targets of the given leading shape as (B, T, n_out), checked."""
        t = real_array("target", target, np.dtype(float))
        if n_out == 1 and t.shape == shape and shape:
            t = t[..., None]
        if t.shape != (*shape, n_out):
            hint = ""
            if len(shape) == 2 and t.shape == (shape[0], n_out):
                hint = "; to ask for the last step only, fill the other steps with NaN"
            raise ShapeError(f"target must have shape {(*shape, n_out)}; got {t.shape}{hint}")
        full = t.reshape((*shape, *(1,) * (2 - len(shape)), n_out))
        infinite = np.argwhere(np.isinf(full))
        if len(infinite):
            b, step, o = infinite[0].tolist()
            raise NonFiniteError(
                f"target holds {full[b, step, o]}",
                quantity="target", value=float(full[b, step, o]), step=step, sample=b, column=o,
                advice="targets must be finite numbers, or NaN where nothing is asked",
            )  # fmt: skip
        self.require(self.domain(t) | np.isnan(t), t)
        return full

    def require(self, valid: np.ndarray, t: np.ndarray) -> None:
        """Raise unless every target is valid."""
        if not valid.all():
            raise ParameterError(
                f"{self.name} takes targets that are {self.targets} (or NaN: not asked);"
                f" got {t[~valid].flat[0]:g}"
            )

    def terms(self, out: Outputs, t: np.ndarray) -> Terms:
        """Return the value and the derivatives for targets without NaN."""
        return Terms(self.values(out, t), self.derivative(out.y, t), np.zeros_like(out.y))

    def values(self, out: Outputs, t: np.ndarray) -> np.ndarray:
        """Return the value alone, (B, T, n_out), for targets without NaN.

        Where a loss is not defined it is not a finite number.
        """
        return self.value(out.y, t)

    def bend(self, out: Outputs, t: np.ndarray, y: np.ndarray, s: np.ndarray) -> np.ndarray:
        """Return vᵀ ℓ'' v for a direction v in which outputs and states move by y and s.

        (B, T, n_out) as all arrays here, to be summed over the outputs; targets without NaN.
        """
        found = self.second or (lambda at, t: slope_of(lambda a: self.derivative(a, t), at))
        return found(out.y, t) * y * y

    def total(self, out: Outputs, t: np.ndarray) -> np.ndarray:
        """Return the loss of every sample and step, (B, T); NaN in a target: not asked."""
        return self._summed(self.values, out, t)

    def curvature(self, out: Outputs, t: np.ndarray, y: np.ndarray, s: np.ndarray) -> np.ndarray:
        """Return vᵀ ℓ'' v of every sample and step, (B, T), see `bend`."""
        asked = ~np.isnan(t)  # who is not asked does not move
        y, s = np.where(asked, y, 0), np.where(asked, s, 0)
        return self._summed(lambda out, t: self.bend(out, t, y, s), out, t)

    def _summed(self, terms: Callable, out: Outputs, t: np.ndarray) -> np.ndarray:
        asked = ~np.isnan(t)
        if asked.all():
            return terms(out, t).sum(-1)
        out = out._replace(y=np.where(asked, out.y, 0.5))
        return np.where(asked, terms(out, np.where(asked, t, 0)), 0).sum(-1)

    def measure(self, out: Outputs, t: np.ndarray) -> tuple[Terms, np.ndarray]:
        """Return the terms of every sample and step, and whether it was asked anything."""
        asked = ~np.isnan(t)
        filler = np.where(asked, t, 0)
        # What is not asked takes no part, so its output may lie outside the domain.
        value, d_output, d_state = self.terms(out._replace(y=np.where(asked, out.y, 0.5)), filler)
        value, d_output, d_state = (np.where(asked, a, 0) for a in (value, d_output, d_state))
        return Terms(value.sum(-1), d_output, d_state), asked.any(-1)
