"""Checkpoints of a training: when they are due, and what tells whether data are the same."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from neurograph.errors import NeurographError, NeurographWarning, ParameterError, ShapeError
from neurograph.lessons import Lessons
from neurograph.values import MAX_ROWS, natural

__all__ = ["UNITS", "Every", "Saver", "Split", "digests"]

SECONDS = {"s": 1, "min": 60, "h": 3600}
UNITS = ("epochs", "batches", *SECONDS)
_EVERY = re.compile(r"(\d+)\s*([a-z]*)")
_MEANT = {"": "epochs", "epoch": "epochs", "batch": "batches", "sec": "s", "seconds": "s",
          "minutes": "min", "hours": "h"}  # fmt: skip


class Every(NamedTuple):
    """How often a checkpoint is written.

    >>> Every.of(5), Every.of("10min")
    (Every(number=5, unit='epochs'), Every(number=10, unit='min'))
    """

    number: int
    unit: str

    @classmethod
    def of(cls, given: Any) -> Every:
        """Return what 5 or "500 batches" or "10 min" says; once a minute unless given."""
        if given is None:
            return cls(1, "min")
        if isinstance(given, Every):
            return given
        text = given.strip().lower() if isinstance(given, str) else ""
        found = _EVERY.fullmatch(text)
        if isinstance(given, str):
            unit = _MEANT.get(found[2], found[2]) if found else ""
            if not found or unit not in UNITS:
                raise ParameterError(
                    "every must be a number of epochs, or one with a unit, as '500 batches',"
                    f" '30 s', '10 min' or '1 h'; got {given!r:.50}"
                )
            return cls._checked(int(found[1]), unit, given)
        return cls._checked(natural("every", given), "epochs", given)

    @classmethod
    def _checked(cls, number: int, unit: str, given: Any) -> Every:
        if not 0 < number <= MAX_ROWS:
            raise ParameterError(f"every must be from 1 to {MAX_ROWS}, got {given!r:.50}")
        return cls(number, unit)

    def __str__(self) -> str:
        return f"{self.number} {self.unit}"

    @property
    def seconds(self) -> int | None:
        """How many seconds it is, if it is an amount of time."""
        return self.number * SECONDS[self.unit] if self.unit in SECONDS else None


@dataclass
class Saver:
    """Writes checkpoints of a training when they are due.

    path : where to; every : how often
    write(path, job) : writes one
    due : whether one is
    """

    path: str | os.PathLike
    every: Every
    write: Callable[[str | os.PathLike, Any], None]
    due: bool = False
    at: float = field(default_factory=perf_counter)

    @classmethod
    def of(
        cls, path: Any, every: Any, write: Callable[[str | os.PathLike, Any], None]
    ) -> Saver | None:
        """Return who writes checkpoints, if any are wanted."""
        if path is None:
            if every is not None:
                raise ParameterError(
                    "every says how often a checkpoint is written; say where, too: checkpoint=path"
                )
            return None
        if not isinstance(path, (str, os.PathLike)):
            raise ParameterError(f"checkpoint must be the path of a file, got {path!r:.50}")
        return cls(path, Every.of(every), write)

    def batches_left(self, learned: int, per_epoch: int) -> int:
        """Return after how many more batches the next is due, if that goes by batches."""
        period = self._period(per_epoch)
        return MAX_ROWS if period is None else period - learned % period

    def look(self, learned: int, per_epoch: int) -> bool:
        """Return whether one is due, after so many batches since training began."""
        period = self._period(per_epoch)
        if period is None:
            self.due |= perf_counter() - self.at >= (self.every.seconds or 0)
        else:
            self.due |= learned % period == 0
        return self.due

    def _period(self, per_epoch: int) -> int | None:
        if self.every.seconds is not None:
            return None
        return self.every.number * (per_epoch if self.every.unit == "epochs" else 1)

    def save(self, job: Any) -> None:
        """Write a checkpoint, or raise."""
        self.due = False
        self.write(self.path, job)
        self.at = perf_counter()  # saving takes time as well, and shall not take all of it

    def try_to_save(self, job: Any) -> None:
        """Write a checkpoint, or warn: a night of training is worth more than one file."""
        try:
            self.save(job)
        except (OSError, NeurographError) as error:
            self.at = perf_counter()
            warnings.warn(
                f"no checkpoint after epoch {job.done}, training goes on: {error}",
                NeurographWarning,
                stacklevel=2,
            )


class Split(NamedTuple):
    """Which samples are learned from, and which are held out.

    order : (n,) int array, the samples; the last n_held of them are held out
    part : float, the fraction that was asked for
    """

    order: np.ndarray
    n_held: int
    part: float

    def of(self, given: Lessons) -> tuple[Lessons, Lessons]:
        """Return both parts.

        Raises
        ------
        ShapeError
            There are not as many samples.
        """
        if len(given.targets) != len(self.order):
            raise ShapeError(
                f"X has {len(given.targets)} samples, but the training began with {len(self.order)}"
            )
        n = len(self.order) - self.n_held
        return given.part(self.order[:n]), given.part(self.order[n:])


class Told(NamedTuple):
    """What a training was told, beside data and callbacks; see `Network.fit`.

    batch_size : as it was found; engine : name of the one that runs it
    split : Split if a fraction is held out
    digests : of the data, if there shall be checkpoints
    """

    batch_size: int
    shuffle: bool
    optimizer: Any
    rule: Any
    engine: str
    split: Split | None
    digests: dict[str, Any]


def digests(given: Lessons, other: Lessons | None = None) -> dict[str, Any]:
    """Return shape and SHA-256 of inputs, targets and weights of samples, by their name in `fit`.

    They are taken of what is learned from, so a list is the same as an array of equal numbers.
    `other` : data for validation
    """
    return dict(_digests(given, "X", "Y", "sample_weight")) | (
        {} if other is None else dict(_digests(other, "validation X", "validation Y", ""))
    )


def _digests(lessons: Lessons, *names: str) -> Iterator[tuple[str, Any]]:
    for name, array in zip(
        names, (lessons.batch.samples, lessons.targets, lessons.weight), strict=True
    ):
        if array is not None:
            little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            little = np.where(np.isnan(little), np.nan, little)  # there are many NaNs
            made = hashlib.sha256(f"{little.dtype.str} {array.shape} ".encode())
            made.update(little.data.cast("B"))
            yield name, (list(array.shape), made.hexdigest())
