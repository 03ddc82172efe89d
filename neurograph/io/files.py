"""What formats share: strict JSON, files that are written whole or not at all, and what was lost.

Whatever is read here was written by others: it is checked, and never executed.
"""

from __future__ import annotations

import json
import os
import reprlib
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from neurograph.errors import FormatError, NeurographWarning

__all__ = ["MAX_BYTES", "parse_json", "read_text", "warn_lost", "write_text"]

MAX_BYTES = 2**29  # of a file that is read: about 5 million connections in JSON
NAMED = 3  # neurons or synapses that a warning names


def read_text(path: str | os.PathLike) -> str:
    """Return the text of a UTF-8 file of at most `MAX_BYTES`.

    Raises
    ------
    FormatError
        Too large, or not UTF-8.
    OSError
        There is no such file, or it cannot be read.
    """
    with open(path, "rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise FormatError(f"the file has more than {MAX_BYTES:,} bytes, the most that is read")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"not a text in UTF-8: {error}") from None


def parse_json(text: str) -> Any:
    """Parse JSON as its standard (RFC 8259) has it: no NaN, no Infinity, no key twice.

    Raises
    ------
    FormatError
        Not JSON, or nested too deeply for Python's parser.

    Examples
    --------
    >>> parse_json('{"a": NaN}')
    Traceback (most recent call last):
    neurograph.errors.FormatError: not valid JSON: NaN is not a number of JSON
    """
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_key_twice)
    except RecursionError:
        raise FormatError("not readable: it is nested too deeply") from None
    except ValueError as error:  # a number of more digits than Python reads is one, too
        raise FormatError(f"not valid JSON: {error}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"an object has the key {twice!r} twice")
    return made


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a file whole or not at all: to a neighbour first, which then takes its name."""
    path = Path(path)
    handle, neighbour = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(neighbour, _mode(path))
        os.replace(neighbour, path)
    except BaseException:
        os.unlink(neighbour)
        raise


def _mode(path: Path) -> int:
    """Return the permissions of the file that is there, or of any new one."""
    if path.exists():
        return path.stat().st_mode & 0o7777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def warn_lost(lost: Mapping[str, Iterable[Any]], stacklevel: int = 3) -> None:
    """Warn once for each kind of thing that a format cannot hold, and name the first of them."""
    for what, things in lost.items():
        named = [str(thing) for thing in things]
        if named:
            more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
            text = f"{what}: {', '.join(named[:NAMED])}{more}"
            warnings.warn(text, NeurographWarning, stacklevel=stacklevel)


def shown(value: Any) -> str:
    """Return a short text for any value, however large or deep."""
    return reprlib.repr(value)
