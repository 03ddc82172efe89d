"""`Samples` and `DataSet`: what a network learns from, in the shapes that `fit` takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurograph.errors import ParameterError, ShapeError

__all__ = ["DataSet", "Samples"]


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples, or sequences of different lengths, with a class for each.

    Attributes
    ----------
    X : (B, n_in) or (B, T, n_in) float32
        Sequences are filled up with 0 at the end, to the T steps of the longest.
    y : (B,) int64
        Classes, from 0 on.
    n_classes : int
    lengths : (B,) int64 or None
        Steps of each sequence; None for samples of one step.

    Examples
    --------
    >>> X = np.zeros((2, 3, 1), np.float32)
    >>> samples = Samples(X, np.array([1, 0]), n_classes=2, lengths=np.array([3, 1]))
    >>> samples
    <2 sequences of up to 3 steps, 1 input, 2 classes>
    >>> samples.targets()
    array([[nan, nan,  1.],
           [ 0., nan, nan]])
    """

    X: np.ndarray
    y: np.ndarray
    n_classes: int
    lengths: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.X)

    def __repr__(self) -> str:
        what, steps = "samples", ""
        if self.lengths is not None:
            what, steps = "sequences", f" of up to {self.X.shape[1]} steps"
        inputs = f"{self.X.shape[-1]} input{'s' * (self.X.shape[-1] != 1)}"
        return f"<{len(self)} {what}{steps}, {inputs}, {self.n_classes} classes>"

    @property
    def mask(self) -> np.ndarray | None:
        """Which steps are part of a sequence, (B, T) bool; None for samples of one step."""
        if self.lengths is None:
            return None
        return np.arange(self.X.shape[1]) < self.lengths[:, None]

    def targets(self, at: str = "last", *, one_hot: bool = False) -> np.ndarray:
        """Return targets for `fit` and `backward`; NaN where nothing is asked.

        Parameters
        ----------
        at : {"last", "every"}
            For sequences: ask at the last step of each, or at every step of it; never after
            its end.
        one_hot : bool
            Rows with 1 at the class and 0 elsewhere, for any loss; else the class itself,
            as categorical cross-entropy takes it.

        Returns
        -------
        (B,) or (B, T) float64
            With `one_hot` (B, n_classes) or (B, T, n_classes).
        """
        if at not in ("last", "every"):
            raise ParameterError(f"at must be 'last' or 'every', got {at!r}")
        values = np.eye(self.n_classes)[self.y] if one_hot else self.y.astype(float)
        if self.lengths is None:
            return values
        steps = np.arange(self.X.shape[1])
        last = self.lengths[:, None] - 1
        asked = steps == last if at == "last" else steps <= last
        if one_hot:
            return np.where(asked[..., None], values[:, None], np.nan)
        return np.where(asked, values[:, None], np.nan)

    def accuracy(self, outputs: Any) -> float:
        """Return the share of samples whose largest output is that of their class.

        Parameters
        ----------
        outputs : (B, n_classes) or (B, T, n_classes)
            As `net.predict(X)` returns them; of a sequence its own last step counts.
        """
        outputs = np.asarray(outputs)
        shape = (*self.X.shape[:-1], self.n_classes)
        if outputs.shape != shape:
            raise ShapeError(f"outputs must have shape {shape}, got {outputs.shape}")
        if self.lengths is not None:
            outputs = outputs[np.arange(len(self)), self.lengths - 1]
        return float((outputs.argmax(-1) == self.y).mean())


@dataclass(frozen=True, eq=False)
class DataSet:
    """The parts of a data set; iterating gives those that there are.

    Attributes
    ----------
    train, test : Samples
    valid : Samples or None
        To choose settings by, where the data set has such a part.
    """

    train: Samples
    test: Samples
    valid: Samples | None = None

    def __iter__(self) -> Iterator[Samples]:
        return (part for part in (self.train, self.valid, self.test) if part is not None)

    def __repr__(self) -> str:
        valid = f", valid={self.valid}" if self.valid is not None else ""
        return f"DataSet(train={self.train}{valid}, test={self.test})"
