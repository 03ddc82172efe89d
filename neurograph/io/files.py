"""What formats share: strict JSON, files written whole or not at all, options, and what was lost.

Whatever is read here was written by others: it is checked, and never executed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import reprlib
import secrets
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from neurograph.errors import FormatError, NeurographWarning, ParameterError
from neurograph.network import Network
from neurograph.values import MAX_ROWS

__all__ = [
    "MAX_BYTES",
    "Object",
    "among",
    "is_text",
    "natural_in",
    "parse_json",
    "read_bytes",
    "read_json",
    "read_text",
    "require_class",
    "shown",
    "warn_lost",
    "write_bytes",
    "write_text",
]

MAX_BYTES = 2**29  # of a file that is read: about 5 million connections in JSON
CHUNK = 2**20  # bytes that are written at once
NAMED = 3  # neurons or synapses that a warning names


def read_bytes(path: str | os.PathLike, most: int) -> bytes:
    """Return what is in a file of at most `most` bytes.

    Raises
    ------
    FormatError
        Too large.
    OSError
        There is no such file, or it cannot be read.
    """
    with open(path, "rb") as file:
        raw = file.read(min(most, max(os.fstat(file.fileno()).st_size, CHUNK)) + 1)
        raw += file.read(most + 1 - len(raw)) if len(raw) <= most else b""
    if len(raw) > most:
        raise FormatError(f"the file has more than {most:,} bytes, the most that is read")
    return raw


def read_text(path: str | os.PathLike) -> str:
    """Return the text of a UTF-8 file of at most `MAX_BYTES`; errors as in `read_bytes`."""
    try:
        return read_bytes(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"not a text in UTF-8: {error}") from None


def read_json(source: Any, read: Callable[[Any], Network]) -> Network:
    """Return what `read` makes of a mapping, or of the JSON in a file, which its errors name.

    Raises
    ------
    FormatError
        Not JSON, or nothing of which `read` can make a network.
    ParameterError
        Neither a path nor a mapping.
    """
    if isinstance(source, Mapping):
        return read(dict(source))
    if isinstance(source, str) and source.lstrip().startswith("{"):
        raise ParameterError("source is JSON itself; give a path, or json.loads(source)")
    if not isinstance(source, (str, os.PathLike)):
        raise ParameterError(f"source must be a path or a mapping, got {shown(source)}")
    try:
        return read(parse_json(read_text(source)))
    except FormatError as error:
        raise FormatError(f"{os.fspath(source)}: {error}") from None


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


class Object:
    """A JSON object, whose values must have the type that is asked for."""

    def __init__(self, found: Any, where: str):
        if not isinstance(found, dict):
            raise FormatError(f"{where} must be an object, got {shown(found)}")
        self.found, self.where = found, where

    def get(self, key: str, *types: type) -> Any:
        """Return a value of one of these types."""
        if key not in self.found:
            raise FormatError(f"{self.where} has no {key!r}")
        value = self.found[key]
        if type(value) not in types or (isinstance(value, str) and not is_text(value)):
            wanted = " or ".join(t.__name__ for t in types)
            raise FormatError(f"{self.where}.{key} must be of type {wanted}, got {shown(value)}")
        return value

    def natural(self, key: str, most: int = MAX_ROWS) -> int:
        """Return an int from 0 to `most`."""
        return natural_in(self.get(key, int), f"{self.where}.{key}", most)

    def naturals(self, key: str, most: int = MAX_ROWS) -> list[int]:
        """Return a list of ints from 0 to `most`."""
        where = f"{self.where}.{key}"
        return [natural_in(n, where, most) for n in self.get(key, list)]

    def object(self, key: str) -> Object:
        """Return an object in the object."""
        return Object(self.get(key, dict), f"{self.where}.{key}")


def require_class(create_using: Any) -> None:
    """Raise unless it is a class of networks."""
    if not (isinstance(create_using, type) and issubclass(create_using, Network)):
        raise ParameterError(f"create_using must be a subclass of Network, got {create_using!r}")


def is_text(value: Any) -> bool:
    """Whether it is a string that can be written, without halves of surrogate pairs."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def natural_in(value: Any, where: str, most: int) -> int:
    """Return an int from 0 to `most` that was found somewhere."""
    if type(value) is not int or not 0 <= value <= most:
        raise FormatError(f"{where} must be a whole number from 0 to {most}, got {shown(value)}")
    return value


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text in UTF-8, whole or not at all; see `write_bytes`."""
    write_bytes(path, [text.encode()])


def write_bytes(path: str | os.PathLike, pieces: Iterable[Any]) -> None:
    """Write a file whole or not at all.

    To a neighbour first, which is brought to the disk and then takes the name; then the folder is
    brought to the disk. Whenever the process or the machine stops, the old file is there or the new
    one. After an error the old one is there.

    Parameters
    ----------
    path : path
        A link is followed.
    pieces : iterable of bytes-like
        One after the other.

    Raises
    ------
    OSError
        The disk is full, say. The message names the file, which is as it was.
    """
    target = Path(os.path.realpath(path))
    neighbour = f"{target.parent}/.{target.name[:100]}.{secrets.token_hex(8)}"
    before = neighbour + ".old"  # another name of the old file, until the new one is safe
    outcome = "what was there is as it was"
    try:
        if target.exists() and not target.is_file():
            raise OSError(errno.EINVAL, "this is not a file")
        _write(neighbour, pieces, _mode(target))
        new, kept = not target.exists(), _keep(target, before)
        os.replace(neighbour, target)
        try:
            _flush_folder(target.parent)
        except OSError:
            if kept:
                os.replace(before, target)
            elif new:
                os.unlink(target)
            else:
                outcome = "the new file is there, but a power cut may undo that"
            raise
    except OSError as error:
        why = f"not saved: {error.strerror or error}; {outcome}"
        raise OSError(error.errno or errno.EIO, why, os.fspath(path)) from error
    finally:
        for stray in (neighbour, before):
            with contextlib.suppress(OSError):
                os.unlink(stray)


def _write(path: str, pieces: Iterable[Any], mode: int) -> None:
    """Write a new file, and bring it to the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        for piece in pieces:
            view = memoryview(piece).cast("B")
            while len(view):
                view = view[os.write(handle, view[:CHUNK]) :]
        os.chmod(path, mode)
        os.fsync(handle)
    finally:
        os.close(handle)


def _keep(target: Path, before: str) -> bool:
    """Give a file a second name, and say whether that went well; not every disk has links."""
    try:
        os.link(target, before)
    except OSError:
        return False
    return True


def _flush_folder(folder: Path) -> None:
    """Bring a rename to the disk, where that can be done: not on Windows, nor on some shares."""
    if os.name == "nt":
        return
    handle = None
    try:
        handle = os.open(folder, os.O_RDONLY)
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES):
            raise
    finally:
        if handle is not None:
            os.close(handle)


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
    try:
        return reprlib.repr(value)
    except ValueError:  # more digits than Python shows
        return f"a huge {type(value).__name__}"


def among(keys: Iterable[Any]) -> str:
    """Return keys for the end of "must be one of …".

    >>> among({"a": 1, "b": 2})
    "'a', 'b'"
    """
    return ", ".join(map(repr, keys))
