"""Schedules: the learning rate of each update.

A rate is a number, one of these, or any function of the number of updates done so far (from 0).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeAlias

from neurograph.errors import ParameterError
from neurograph.values import natural, number

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "Inverse",
    "Rate",
    "Schedule",
    "StepDecay",
    "WarmUp",
    "rate_at",
]


@dataclass(frozen=True)
class Schedule(ABC):
    """A function of the number of updates done so far; frozen, so that it can be compared."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("steps", "every"):
                if natural(field.name, value) < 1:
                    raise ParameterError(f"{field.name} must be 1 update or more, got 0")
            elif not callable(value) and number(field.name, value) < 0:
                raise ParameterError(f"{field.name} must be 0 or more, got {value!r}")

    @abstractmethod
    def __call__(self, update: int) -> float:
        """Return the rate of the update after so many."""


Rate: TypeAlias = float | Schedule | Callable[[int], float]


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate always.

    >>> Constant(0.1)(1000)
    0.1
    """

    rate: float

    def __call__(self, update: int) -> float:
        """Return the rate."""
        return self.rate


@dataclass(frozen=True)
class StepDecay(Schedule):
    """The rate times `factor` after each `every` updates.

    >>> [StepDecay(1.0, every=10, factor=0.5)(n) for n in (0, 9, 10, 25)]
    [1.0, 1.0, 0.5, 0.25]
    """

    rate: float
    every: int
    factor: float = 0.1

    def __call__(self, update: int) -> float:
        """Return rate · factor^⌊n / every⌋."""
        return self.rate * self.factor ** (update // self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """rate · decay^n, `decay` for each update.

    >>> Exponential(1.0, decay=0.5)(3)
    0.125
    """

    rate: float
    decay: float

    def __call__(self, update: int) -> float:
        """Return rate · decay^n."""
        return self.rate * self.decay**update


@dataclass(frozen=True)
class Inverse(Schedule):
    """rate / (1 + decay · n) (Robbins & Monro 1951).

    >>> Inverse(1.0, decay=0.5)(2)
    0.5
    """

    rate: float
    decay: float

    def __call__(self, update: int) -> float:
        """Return rate / (1 + decay n)."""
        return self.rate / (1 + self.decay * update)


@dataclass(frozen=True)
class Cosine(Schedule):
    """From `rate` down to `final` along half a cosine in `steps` updates, then `final`
    (Loshchilov & Hutter 2017, without restarts).

    >>> [round(Cosine(1.0, steps=4)(n), 3) for n in (0, 2, 4, 9)]
    [1.0, 0.5, 0.0, 0.0]
    """

    rate: float
    steps: int
    final: float = 0.0

    def __call__(self, update: int) -> float:
        """Return final + (rate - final) (1 + cos(π n / steps)) / 2."""
        done = min(update, self.steps) / self.steps
        return self.final + (self.rate - self.final) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class WarmUp(Schedule):
    """Linearly up to `then` in `steps` updates; `then` is a rate, or a schedule that starts there.

    >>> [WarmUp(0.4, steps=4)(n) for n in (0, 1, 3, 10)]
    [0.1, 0.2, 0.4, 0.4]
    >>> round(WarmUp(Exponential(1.0, 0.5), steps=2)(3), 3)
    0.5
    """

    then: Rate
    steps: int

    def __call__(self, update: int) -> float:
        """Return the rate; the last update of the warm-up has the full one."""
        if update < self.steps:
            return rate_at(self.then, 0) * (update + 1) / self.steps
        return rate_at(self.then, update - self.steps)


def rate_at(rate: Rate, update: int) -> float:
    """Return a rate after so many updates, checked.

    Raises
    ------
    ParameterError
        A function of the user's returns what is not a number of 0 or more.
    """
    if not callable(rate):
        return float(rate)
    try:
        found = number(f"the rate of update {update}", rate(update))
    except OverflowError as error:
        raise ParameterError(f"the rate of update {update} is too large: {error}") from None
    if found < 0:
        raise ParameterError(f"the rate of update {update} must be 0 or more, got {found!r}")
    return found
