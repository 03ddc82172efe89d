"""Data as people have them: a CSV with a header, or an .npz; and how they become arrays."""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurograph.errors import FormatError, ParameterError, suggest

__all__ = ["Recipe", "Table", "read_table"]

MOST_CLASSES = 20  # different whole numbers up to which a target is a class and not a quantity


@dataclass(frozen=True)
class Table:
    """What a file holds.

    X : (rows, columns) or (samples, steps, columns) array; columns : their names
    y : (rows,) array of numbers or strings, or None; target : its name
    lengths : (samples,) array or None
    """

    X: np.ndarray
    columns: list[str]
    y: np.ndarray | None
    target: str
    lengths: np.ndarray | None = None

    @property
    def known(self) -> np.ndarray:
        """The target, or an error if it is not there."""
        if self.y is None:
            raise ParameterError(f"the data have no {self.target!r} to predict")
        return self.y


@dataclass(frozen=True)
class Recipe:
    """How rows become inputs and outputs become answers: what is saved with a network.

    columns, mean, scale : of the inputs; x is (column - mean) / scale
    target : name of what is predicted
    classes : of a classification, in the order of the outputs; else None
    center, spread : of the target of a regression
    """

    columns: list[str]
    mean: list[float]
    scale: list[float]
    target: str
    classes: list[Any] | None
    center: float = 0.0
    spread: float = 1.0

    @classmethod
    def of(cls, table: Table) -> Recipe:
        """Find the task from the type of the target, and the scales from the rows."""
        rows = table.X.reshape(-1, table.X.shape[-1])
        if table.lengths is not None:
            steps = np.arange(table.X.shape[1]) < table.lengths[:, None]
            rows = table.X[steps]
        scale = rows.std(0)
        scale = np.where(scale > 0, scale, 1.0)
        y = table.known
        whole = y.dtype.kind in "US" or bool((y == np.round(y)).all())
        names = np.unique(y)
        if y.dtype.kind in "US" or (whole and len(names) <= MOST_CLASSES):
            if len(names) < 2:
                raise ParameterError(
                    f"target {table.target!r} has one class only, {names[0].item()!r}: there is"
                    " nothing to learn"
                )
            classes, center, spread = names.tolist(), 0.0, 1.0
        else:
            classes, center, spread = None, float(y.mean()), float(y.std())
        return cls(
            table.columns, rows.mean(0).tolist(), scale.tolist(), table.target, classes, center,
            spread,
        )  # fmt: skip

    def inputs(self, table: Table) -> np.ndarray:
        """Return inputs for rows with these columns."""
        return (table.X - np.array(self.mean)) / np.array(self.scale)

    def targets(self, y: np.ndarray) -> np.ndarray:
        """Return the class indices, or the scaled target."""
        if self.classes is not None:
            return np.searchsorted(np.array(self.classes), y)
        return (y - self.center) / self.spread

    def answers(self, outputs: np.ndarray) -> np.ndarray:
        """Return predicted classes or numbers, (rows,), for outputs (rows, n_out)."""
        if self.classes is not None:
            return np.array(self.classes)[outputs.argmax(-1)]
        return outputs[:, 0] * self.spread + self.center

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a file."""
        return dict(vars(self))


def read_table(path: str, target: str | None, columns: Sequence[str] | None = None) -> Table:
    """Read a CSV or .npz file.

    Parameters
    ----------
    path : str
    target : str or None
        Name of the column to be predicted; the last one unless given.
    columns : list of str, optional
        The inputs that are wanted, for a prediction; then a target need not be there.
    """
    file = Path(path)
    if not file.is_file():
        raise ParameterError(f"there is no file {path!r}")
    if file.suffix == ".npz":
        return _read_npz(file, target)
    return _read_csv(file, target, columns)


def _read_csv(file: Path, target: str | None, columns: Sequence[str] | None) -> Table:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = [row for row in csv.reader(lines) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{file.name} is not a CSV file in UTF-8: {error}") from None
    if len(rows) < 2:
        raise FormatError(f"{file.name} needs a header and a row at least")
    header = [name.strip() for name in rows[0]]
    if all(_is_number(name) for name in header):
        raise FormatError(f"{file.name} needs a header: its first line has numbers only")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise FormatError(f"{file.name} has two columns {twice!r}")
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise FormatError(
                f"{file.name}, row {line}: {len(row)} values, but the header has {len(header)}"
            )
    if columns is None:
        target = header[-1] if target is None else target
        if target not in header:
            raise ParameterError(
                f"{file.name} has no column {target!r} to predict.{suggest(target, header)}"
                f" There are {', '.join(map(repr, header))}"
            )
    wanted = [name for name in header if name != target] if columns is None else list(columns)
    missing = [name for name in wanted if name not in header]
    if missing:
        raise ParameterError(f"{file.name} has no column {missing[0]!r}, which the network needs")
    X = np.array([[_number(file, line, name, row[header.index(name)]) for name in wanted]
                  for line, row in enumerate(rows[1:], 2)])  # fmt: skip
    if not wanted:
        raise ParameterError(f"{file.name} has nothing to predict {target!r} from")
    y = None
    if target in header:
        y = _target(file, target, [row[header.index(target)] for row in rows[1:]])
    return Table(X, wanted, y, target or "")


def _target(file: Path, name: str, texts: list[str]) -> np.ndarray:
    """Return numbers if all are, else texts."""
    stripped = [text.strip() for text in texts]
    if "" in stripped:
        line = stripped.index("") + 2
        raise FormatError(f"{file.name}, row {line}: nothing in column {name!r}")
    if all(map(_is_number, stripped)):
        return np.array([_number(file, line, name, t) for line, t in enumerate(stripped, 2)])
    return np.array(stripped)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(file: Path, line: int, name: str, text: str) -> float:
    if not text.strip():
        raise FormatError(
            f"{file.name}, row {line}: nothing in column {name!r}; fill the gap or drop the row"
        )
    try:
        value = float(text)
    except ValueError:
        raise FormatError(
            f"{file.name}, row {line}: {text!r} in column {name!r} is not a number; inputs must be"
            " numbers, so give each kind of it a column of 0 and 1"
        ) from None
    if not math.isfinite(value):
        raise FormatError(f"{file.name}, row {line}: {text!r} in column {name!r} is not finite")
    return value


def _read_npz(file: Path, target: str | None) -> Table:
    """Read arrays X, y, and lengths of sequences if they are there."""
    target = "y" if target is None else target
    try:
        with np.load(file, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise FormatError(f"{file.name} is not an .npz of plain arrays: {error}") from None
    if "X" not in found:
        raise FormatError(f"{file.name} needs an array 'X'; it has {', '.join(found) or 'none'}")
    X, y = found["X"], found.get(target)
    if X.dtype.kind not in "fiub" or X.ndim not in (2, 3) or not X.size:
        raise FormatError(
            f"{file.name}: X must be numbers of shape (rows, columns) or (samples, steps,"
            f" columns); got {X.dtype} {X.shape}"
        )
    if not np.isfinite(X).all():
        raise FormatError(f"{file.name}: X holds a number that is not finite")
    if y is not None and (y.ndim != 1 or len(y) != len(X) or y.dtype.kind not in "fiubUS"):
        raise FormatError(
            f"{file.name}: {target} must be {len(X)} numbers or texts, one a row of X; got"
            f" {y.dtype} {y.shape}"
        )
    if y is not None and y.dtype.kind == "f" and not np.isfinite(y).all():
        raise FormatError(f"{file.name}: {target} holds a number that is not finite")
    names = [f"x{i}" for i in range(X.shape[-1])]
    return Table(X.astype(float), names, y, target, found.get("lengths"))
