"""Rows of numbers in bounded memory: spread over all of time, or the last ones."""

from __future__ import annotations

import numpy as np

__all__ = ["Records"]


class Records:
    """Rows, each with the number of its moment.

    Parameters
    ----------
    columns : int
    capacity : int
        Rows at most.
    keep : {"spread", "last"}
        When it is full: forget every second row and write down half as often, so that what is
        kept is spread evenly over all moments; or forget the oldest row.
    every : int
        Moments between two rows: those whose number is a multiple of it.

    Attributes
    ----------
    asked : int
        What `every` was at first.
    count : int
        Moments so far.
    """

    def __init__(self, columns: int, capacity: int, keep: str, every: int):
        self.columns, self.capacity, self.keep = columns, capacity, keep
        self.every = self.asked = every
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.count, self.every = 0, self.asked
        self._rows = np.empty((0, self.columns))
        self._numbers, self._events = np.empty(0, np.int64), np.empty(0, np.uint8)
        self._size = self._next = 0

    def __len__(self) -> int:
        return self._size

    def append(self, numbers: np.ndarray, events: np.ndarray, rows: np.ndarray) -> None:
        """Add rows; those that are not due take no part."""
        while True:
            due = numbers % self.every == 0
            if not due.all():
                numbers, events, rows = numbers[due], events[due], rows[due]
            if not len(rows):
                return
            if self._size == self.capacity and self.keep == "spread":
                self._thin()
                continue
            self._grow(len(rows))
            n = min(len(rows), len(self._rows) - self._next)
            place = slice(self._next, self._next + n)
            self._rows[place], self._numbers[place] = rows[:n], numbers[:n]
            self._events[place] = events[:n]
            self._next += n
            self._size = max(self._size, self._next)
            if self._next == self.capacity and self.keep == "last":
                self._next = 0
            numbers, events, rows = numbers[n:], events[n:], rows[n:]

    def _grow(self, n: int) -> None:
        """Make room for n rows more, as far as the capacity allows."""
        room = len(self._rows)
        if self._size + n <= room or room == self.capacity:
            return
        room = min(self.capacity, max(2 * room, self._size + n, 16))
        for name in ("_rows", "_numbers", "_events"):
            old = getattr(self, name)
            new = np.empty((room, *old.shape[1:]), old.dtype)
            new[: self._size] = old[: self._size]
            setattr(self, name, new)

    def _thin(self) -> None:
        """Keep every second row."""
        self.every *= 2
        kept = np.flatnonzero(self._numbers[: self._size] % self.every == 0)
        self._size = self._next = len(kept)
        for array in (self._rows, self._numbers, self._events):
            array[: len(kept)] = array[kept]

    def _in_order(self, array: np.ndarray) -> np.ndarray:
        found = array[: self._size]
        return np.roll(found, -self._next, 0) if self._size == self.capacity else found.copy()

    def rows(self) -> np.ndarray:
        """Return the rows, oldest first, (records, columns)."""
        return self._in_order(self._rows)

    def numbers(self) -> np.ndarray:
        """Return the numbers of their moments."""
        return self._in_order(self._numbers)

    def events(self) -> np.ndarray:
        """Return what happened at each of them."""
        return self._in_order(self._events)
