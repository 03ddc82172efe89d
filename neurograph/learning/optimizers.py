"""Optimizers: how a gradient changes a parameter.

An optimizer is a frozen pair of functions without state of its own: `init` makes the state
for an array of parameters, `update` returns the new parameters and the next state. Both work
elementwise, so that what is tied stays equal and what is frozen can be left out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurograph.errors import ParameterError
from neurograph.values import number

__all__ = ["SGD", "Optimizer"]


class Optimizer(ABC):
    """A rule by which gradients change parameters."""

    @abstractmethod
    def init(self, parameters: np.ndarray) -> Any:
        """Return the state before the first update of these parameters."""

    @abstractmethod
    def update(
        self, gradient: np.ndarray, state: Any, parameters: np.ndarray
    ) -> tuple[np.ndarray, Any]:
        """Return new parameters and the next state."""


@dataclass(frozen=True)
class SGD(Optimizer):
    """Plain gradient descent: θ ← θ - rate · ∂L/∂θ.

    Parameters
    ----------
    rate : float
        Learning rate, above 0.

    Examples
    --------
    >>> SGD(0.5).update(np.array([1.0]), None, np.array([2.0]))
    (array([1.5]), None)
    """

    rate: float = 0.1

    def __post_init__(self) -> None:
        if number("rate", self.rate) <= 0:
            raise ParameterError(f"rate must be above 0, got {self.rate!r}")

    def init(self, parameters: np.ndarray) -> None:
        """Return None: plain descent remembers nothing."""

    def update(
        self, gradient: np.ndarray, state: None, parameters: np.ndarray
    ) -> tuple[np.ndarray, None]:
        """Return the parameters one step downhill."""
        return parameters - self.rate * gradient, None
