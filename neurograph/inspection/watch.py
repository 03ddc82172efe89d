"""Conditions for watchpoints: what in a row of records, beside the rows before, is worth a stop.

A condition sees the columns of its kind only. It is met at the first row of a change, not for as
long as it lasts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurograph.errors import ParameterError
from neurograph.values import natural, number, positive

__all__ = ["Condition", "crosses", "dies", "explodes"]


class Condition(ABC):
    """What a watchpoint waits for.

    Attributes
    ----------
    what : str
        Kind of number that it looks at: "weight", "grad", "output" …
    """

    what: str

    @abstractmethod
    def met(self, rows: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """Return (R, K) bool: where it is met in rows (R, K), given what was before them."""

    @abstractmethod
    def remember(self, rows: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """Return what has to be known of some rows, and of those before: (K,)."""


@dataclass(frozen=True)
class Crosses(Condition):
    """See `crosses`."""

    value: float
    what: str

    def met(self, rows: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """From one side to the other; being at the value is being above."""
        before = np.vstack([memory, rows[:-1]])
        known = ~(np.isnan(before) | np.isnan(rows))
        return known & ((before >= self.value) != (rows >= self.value))

    def remember(self, rows: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """The last row."""
        return rows[-1]


@dataclass(frozen=True)
class Explodes(Condition):
    """See `explodes`."""

    limit: float
    what: str

    def met(self, rows: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """Beyond the limit, and not in the row before."""
        beyond = np.abs(np.vstack([memory, rows])) > self.limit
        return beyond[1:] & ~beyond[:-1]

    def remember(self, rows: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """The last row."""
        return rows[-1]


@dataclass(frozen=True)
class Dies(Condition):
    """See `dies`."""

    records: int
    what: str
    below: float

    def run(self, rows: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """Return for how many records up to each row it has been quiet; memory is that before."""
        memory = np.nan_to_num(memory)
        place = np.arange(1, len(rows) + 1)[:, None]
        loud = np.where(np.abs(rows) <= self.below, 0, place)  # NaN is not quiet
        since = place - np.maximum.accumulate(loud, axis=0)
        return np.where(since == place, since + memory, since)

    def met(self, rows: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """Quiet for so many records."""
        return self.run(rows, memory) == self.records

    def remember(self, rows: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """For how many records it has been quiet."""
        return self.run(rows, memory)[-1]


def crosses(value: float, what: str = "weight") -> Condition:
    """Wait for a number to cross a value, in either direction.

    >>> crosses(0.0)
    Crosses(value=0.0, what='weight')
    """
    return Crosses(number("value", value), _kind(what))


def explodes(limit: float, what: str = "grad") -> Condition:
    """Wait for a number to grow beyond a limit, in absolute value.

    >>> explodes(1e3).what
    'grad'
    """
    return Explodes(positive("limit", limit), _kind(what))


def dies(records: int = 100, what: str = "output", below: float = 0.0) -> Condition:
    """Wait for a number to be 0 (in absolute value at most `below`) for so many records on end.

    >>> dies(50).records
    50
    """
    if not natural("records", records):
        raise ParameterError("records must be 1 or more, got 0")
    return Dies(int(records), _kind(what), positive("below", below))


def _kind(what: Any) -> str:
    if not isinstance(what, str):
        raise ParameterError(f"what must be a kind of number, as 'weight'; got {what!r}")
    return what
