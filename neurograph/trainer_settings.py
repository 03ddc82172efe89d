"""How a trainer trains: its options, checked as soon as they are given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np

from neurograph.costs import COSTS, get_cost
from neurograph.errors import ParameterError, suggest
from neurograph.learning.losses import Loss, get_loss
from neurograph.values import flag, natural, number

__all__ = ["CrossValidation", "Progress", "Schedule", "Settings"]


class Progress(NamedTuple):
    """What a schedule is told.

    iterations : int   passes so far
    error : float      of the last one
    rate : float       with which it learned
    """

    iterations: int
    error: float
    rate: float


class CrossValidation(NamedTuple):
    """The share of patterns that test, and the error of theirs that is good enough."""

    test_size: float
    test_error: float

    @classmethod
    def of(cls, given: Any) -> CrossValidation:
        """Return what {"test_size": 0.3, "test_error": 0.01} says."""
        if isinstance(given, CrossValidation):
            return given
        example = "{'test_size': 0.3, 'test_error': 0.01}"
        if not isinstance(given, Mapping) or "test_size" not in given:
            raise ParameterError(f"cross_validate takes a dict as {example}; got {given!r}")
        for key in given.keys() - set(cls._fields):
            raise ParameterError(
                f"cross_validate has no {key!r}.{suggest(key, cls._fields)} It takes {example}"
            )
        size, error = number("test_size", given["test_size"]), given.get("test_error")
        if not 0 < size < 1:
            raise ParameterError(f"test_size must be a share between 0 and 1, got {size!r}")
        return cls(size, -math.inf if error is None else number("test_error", error))

    def n_train(self, n: int) -> int:
        """Return how many of n patterns, the first ones, are trained."""
        found = math.ceil((1 - self.test_size) * n)
        if not 0 < found < n:
            raise ParameterError(
                f"test_size {self.test_size!r} leaves {found} of {n} patterns to train and"
                f" {n - found} to test; there must be one of each at least"
            )
        return found


class Schedule(NamedTuple):
    """Call `do(progress)` whenever `every` more iterations are done; True stops."""

    every: int
    do: Callable[[Progress], Any]

    @classmethod
    def of(cls, given: Any) -> Schedule:
        """Return what a callable says, with an attribute `every` or without, or a mapping."""
        if isinstance(given, Mapping) and given.keys() == {"every", "do"}:
            every, do = given["every"], given["do"]
        elif isinstance(given, Schedule):
            every, do = given
        else:
            every, do = getattr(given, "every", 1), given
        if not callable(do):
            raise ParameterError(
                "schedule takes a function of the progress, or {'every': 10, 'do': function};"
                f" got {given!r}"
            )
        if not natural("every", every):
            raise ParameterError("every must be 1 iteration or more, got 0")
        return cls(int(every), do)


@dataclass(frozen=True)
class Settings:
    """How to train; see `Trainer`. Checked as soon as it is made."""

    rate: Any = 0.2
    iterations: int = 100_000
    error: float = 0.005
    cost: Any = "mse"
    loss: str | Loss = "matching"
    cross_validate: Any = None
    shuffle: Any = False
    schedule: Any = None
    log: int = 0
    write: Callable[[str], Any] = print

    def __post_init__(self) -> None:
        made: dict[str, Any] = {
            "iterations": natural("iterations", self.iterations),
            "error": number("error", self.error),
            "cost": get_cost(self.cost),
            "loss": get_loss(self.loss),
            "log": natural("log", self.log),
        }
        if not made["iterations"]:
            raise ParameterError("iterations must be 1 or more, got 0")
        made["rate"] = _rates(self.rate, made["iterations"])
        if self.cross_validate is not None:
            made["cross_validate"] = CrossValidation.of(self.cross_validate)
        if self.schedule is not None:
            made["schedule"] = Schedule.of(self.schedule)
        if not isinstance(self.shuffle, np.random.Generator):
            made["shuffle"] = flag("shuffle", self.shuffle)
        if not callable(self.write):
            raise ParameterError(f"write takes a function of a line, as print; got {self.write!r}")
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def changed(self, **given: Any) -> Settings:
        """Return other settings; None changes nothing."""
        known = [f.name for f in fields(self)]
        for name in given.keys() - set(known):
            raise ParameterError(
                f"a trainer has no {name!r}.{suggest(name, known)} There are {', '.join(known)}"
            )
        return replace(self, **{name: v for name, v in given.items() if v is not None})

    def rate_of(self, iteration: int, last_error: float) -> float:
        """Return the learning rate of an iteration, counted from 1."""
        if callable(self.rate):
            return number(f"rate of iteration {iteration}", self.rate(iteration, last_error))
        if isinstance(self.rate, tuple):
            return self.rate[min(iteration // self.bucket, len(self.rate) - 1)]
        return self.rate

    @property
    def bucket(self) -> int:
        """Iterations for each entry of a list of rates."""
        return self.iterations // len(self.rate)

    def at_once(self, iteration: int) -> int:
        """Return how many iterations from this one on can be done before somebody must be asked."""
        if callable(self.rate) or self.cost not in COSTS.values():
            return 1
        found = self.iterations - iteration + 1
        if isinstance(self.rate, tuple) and iteration // self.bucket < len(self.rate) - 1:
            found = min(found, self.bucket - iteration % self.bucket)
        for every in (self.log, self.schedule.every if self.schedule else 0):
            if every:
                found = min(found, every - (iteration - 1) % every)
        return found


def _rates(rate: Any, iterations: int) -> Any:
    """Return a number, a tuple or a function."""
    if callable(rate):
        return rate
    if not isinstance(rate, (Sequence, np.ndarray)) or np.ndim(rate) == 0:
        return number("rate", rate)
    found = tuple(number(f"rate[{i}]", r) for i, r in enumerate(rate))
    if not 0 < len(found) <= iterations:
        raise ParameterError(
            f"a list of {len(found)} rates cannot be shared out over {iterations} iterations;"
            " give one rate at least, and no more rates than iterations"
        )
    return found
