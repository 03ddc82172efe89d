"""Reading tables and arrays from files, checked: what is wrong with a file is said by its name."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from neurograph.errors import FormatError, ParameterError

__all__ = ["at", "counts", "read_arrays", "read_columns", "shipped", "whole_numbers"]


class File(Protocol):
    """What is read: a path, or a file of the package (`importlib.resources`)."""

    def open(self, mode: Any, /) -> Any:
        """Open it."""


def shipped(name: str) -> File:
    """Return a data file of this package, wherever it is installed."""
    return resources.files("neurograph.datasets") / "data" / name


def at(what: str, path: str | os.PathLike) -> Path:
    """Return the path of an existing file, or say that there is none.

    Parameters
    ----------
    what : str
        Name of the argument, for the message.
    path : path-like
    """
    try:
        found = Path(path)
    except TypeError:
        raise ParameterError(f"{what} must be the path of a file, got {path!r:.80}") from None
    if not found.is_file():
        problem = "is not a file" if found.exists() else "does not exist"
        raise ParameterError(
            f"{what}: {str(found)!r} {problem}; this data set is not part of neurograph:"
            " see docs/datasets.md for where it comes from, and give the path of your copy"
        )
    return found


@contextmanager
def _opened(file: File, kind: str) -> Iterator[IO[bytes]]:
    """Open a file; what goes wrong in the block is a `FormatError` that names it."""
    try:
        raw = file.open("rb")
    except OSError as error:
        raise ParameterError(f"{str(file)!r} cannot be read: {error.strerror}") from None
    try:
        with raw:
            yield raw
    except FormatError as error:
        raise FormatError(f"{str(file)!r}: {error}") from None
    except (
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        zlib.error,
        zipfile.BadZipFile,
        csv.Error,
    ) as error:
        raise FormatError(f"{str(file)!r} is not a whole {kind} file: {error}") from None


def read_columns(
    file: File, required: Sequence[str], optional: Iterable[str] = ()
) -> dict[str, list[str]]:
    """Return columns of a CSV file with a header, as text; it may be compressed by gzip.

    Parameters
    ----------
    file : File
    required, optional : sequence of str
        Names of the columns to return; others are left out, in whatever order they are.

    Raises
    ------
    FormatError
        Not such a file, a required column is missing, or a row is too short or too long.
    """
    with _opened(file, "CSV") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = gzip.GzipFile(fileobj=raw) if packed else raw
        text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
        rows = [row for row in csv.reader(text, strict=True) if row]
        header = [name.strip() for name in rows[0]] if rows else []
        if missing := [name for name in required if name not in header]:
            raise FormatError(
                f"no column {missing[0]!r}; the first line must name the columns"
                f" {', '.join(required)}, but it is {','.join(header)[:80]!r}"
            )
        for number, row in enumerate(rows[1:], 1):
            if len(row) != len(header):
                raise FormatError(f"row {number} has {len(row)} fields, not {len(header)}: {row}")
        columns = list(zip(*rows[1:], strict=True)) or [()] * len(header)
    wanted = [name for name in (*required, *optional) if name in header]
    return {name: list(columns[header.index(name)]) for name in wanted}


def whole_numbers(file: File, column: str, texts: Sequence[str]) -> np.ndarray:
    """Return a column of whole numbers as int64, or name the first that is none."""
    try:
        return np.array([int(text) for text in texts], np.int64)
    except (ValueError, OverflowError):
        pass
    number, text = next((i, t) for i, t in enumerate(texts, 1) if not _is_int64(t))
    raise FormatError(f"{str(file)!r}: row {number}: {column} must be a whole number, got {text!r}")


def _is_int64(text: str) -> bool:
    try:
        return abs(int(text)) < 2**63
    except ValueError:
        return False


def counts(file: File, column: str, texts: Sequence[str]) -> np.ndarray:
    """Return a column of whole numbers of 1 or more as int64."""
    found = whole_numbers(file, column, texts)
    if (found < 1).any():
        number = int(np.argmax(found < 1))
        raise FormatError(
            f"{str(file)!r}: row {number + 1}: {column} must be 1 or more, got {found[number]}"
        )
    return found


def read_arrays(
    file: File, required: Sequence[str], optional: Iterable[str] = ()
) -> dict[str, np.ndarray]:
    """Return arrays of an .npz file; nothing in it is executed (`allow_pickle=False`).

    Raises
    ------
    FormatError
        Not such a file, a required array is missing, or one holds Python objects.
    """
    with _opened(file, ".npz") as raw:
        if not zipfile.is_zipfile(raw):
            raise FormatError("not an .npz file, as numpy.savez_compressed writes it")
        raw.seek(0)
        with np.load(raw, allow_pickle=False) as arrays:
            if missing := [name for name in required if name not in arrays]:
                raise FormatError(
                    f"no array {missing[0]!r}; there must be {', '.join(required)},"
                    f" but there are {', '.join(arrays) or 'none'}"
                )
            wanted = [name for name in (*required, *optional) if name in arrays]
            return {name: arrays[name] for name in wanted}
