"""The safetensors layout, with a SHA-256 over everything.

Eight bytes with the length of a header; the header in JSON, which says of each tensor its dtype,
shape and place; then the tensors, one after the other. Any reader of safetensors reads it. Source:
https://github.com/huggingface/safetensors, "Format".

The digest is in the metadata, at a fixed place of the file: first in the header. It is that of the
whole file with 64 zeros in its place, so no byte can change unseen.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from neurograph.errors import FormatError, ParameterError
from neurograph.io.files import is_text, parse_json, shown

__all__ = ["DTYPES", "MAX_HEADER_BYTES", "MAX_TENSORS", "dtype_code", "pack", "unpack"]

MAX_HEADER_BYTES = 100_000_000  # the limit of safetensors itself
MAX_TENSORS = 1000
MAX_DIMENSIONS = 32

DTYPES = {
    code: np.dtype(name)
    for code, name in {
        "BOOL": "bool",
        "U8": "u1",
        "I8": "i1",
        "U16": "<u2",
        "I16": "<i2",
        "U32": "<u4",
        "I32": "<i4",
        "U64": "<u8",
        "I64": "<i8",
        "F16": "<f2",
        "F32": "<f4",
        "F64": "<f8",
    }.items()
}
_CODES = {dtype: code for code, dtype in DTYPES.items()}
LENGTH = 8
HEAD = b'{"__metadata__":{"sha256":"'
DIGEST = LENGTH + len(HEAD)  # where it begins
ZEROS = "0" * 64


def dtype_code(dtype: np.dtype) -> str | None:
    """Return what safetensors calls a dtype, or None if it has no such.

    >>> dtype_code(np.dtype("float64")), dtype_code(np.dtype("complex64"))
    ('F64', None)
    """
    return _CODES.get(dtype.newbyteorder("<") if dtype.isnative else dtype)


# ---------------------------------------------------------------- writing


def pack(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> list[Any]:
    """Return the bytes of a file, piece by piece.

    Parameters
    ----------
    tensors : mapping of names to arrays
        Of dtypes that `dtype_code` knows.
    metadata : mapping of str to str

    Raises
    ------
    ParameterError
        The header would be longer than safetensors allows.
    """
    header: dict[str, Any] = {"__metadata__": {"sha256": ZEROS, **metadata}}
    ordered = sorted(tensors.items(), key=lambda item: -item[1].itemsize)  # each is aligned then
    pieces, end = [], 0
    for name, array in ordered:
        code = _CODES[array.dtype.newbyteorder("<")]
        piece = np.ascontiguousarray(array, DTYPES[code]).reshape(-1).view(np.uint8)
        begin, end = end, end + len(piece)
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [begin, end]}
        pieces.append(piece)
    try:
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:  # names of activations and optimizers
        raise ParameterError(
            f"a name holds half a surrogate pair, {error.object[error.start]!r}, which a file"
            " cannot hold"
        ) from None
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER_BYTES:
        raise ParameterError(
            f"names and attributes take {len(text):,} bytes, more than the {MAX_HEADER_BYTES:,} of"
            " a safetensors header; keep large data in arrays, which do not count"
        )
    raw = bytearray(len(text).to_bytes(LENGTH, "little") + text)
    raw[DIGEST : DIGEST + 64] = _digest([raw, *pieces]).encode()
    return [raw, *pieces]


def _digest(pieces: list[Any]) -> str:
    made = hashlib.sha256()
    for piece in pieces:
        made.update(piece)
    return made.hexdigest()


# ---------------------------------------------------------------- reading


def unpack(raw: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the tensors and the metadata of a file that `pack` made, all of it checked.

    Tensors are read-only views of `raw`.

    Raises
    ------
    FormatError
        Not such a file, or a byte of it has changed since.
    """
    _require_digest(raw)
    size = int.from_bytes(raw[:LENGTH], "little")
    if size > MAX_HEADER_BYTES:
        raise FormatError(f"the header has {size:,} bytes, more than {MAX_HEADER_BYTES:,}")
    if LENGTH + size > len(raw):
        raise FormatError(f"the header has {size:,} bytes, but the file only {len(raw):,}")
    try:
        header = parse_json(str(memoryview(raw)[LENGTH : LENGTH + size], "utf-8"))
    except UnicodeDecodeError as error:
        raise FormatError(f"the header is not UTF-8: {error}") from None
    metadata = header.pop("__metadata__")  # an object whose first key this is: see HEAD
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise FormatError(f"metadata {key!r} must be a string, got {shown(value)}")
    if len(header) > MAX_TENSORS:
        raise FormatError(f"there are {len(header):,} tensors, more than {MAX_TENSORS:,}")
    return dict(_tensors(header, memoryview(raw)[LENGTH + size :])), metadata


def _require_digest(raw: bytes) -> None:
    if raw[LENGTH:DIGEST] != HEAD or len(raw) < DIGEST + 64:
        raise FormatError("not a file of neurograph, or its beginning is damaged")
    view = memoryview(raw)
    found = _digest([view[:DIGEST], ZEROS.encode(), view[DIGEST + 64 :]])
    if found.encode() != view[DIGEST : DIGEST + 64]:
        raise FormatError("the file is damaged: its bytes do not have the SHA-256 that it names")


def _tensors(header: Mapping[str, Any], data: memoryview) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each tensor; together they are all of the data, without holes."""
    places = []
    for name, told in header.items():
        if not is_text(name):
            raise FormatError(f"the name of a tensor must be a text, got {name!r:.50}")
        if not isinstance(told, dict) or told.keys() != {"dtype", "shape", "data_offsets"}:
            raise FormatError(f"tensor {name!r} must have dtype, shape and data_offsets")
        dtype = DTYPES.get(told["dtype"]) if isinstance(told["dtype"], str) else None
        if dtype is None:
            known = ", ".join(DTYPES)
            raise FormatError(f"tensor {name!r}: dtype {shown(told['dtype'])} is none of {known}")
        shape, place = told["shape"], told["data_offsets"]
        if not _naturals(shape) or len(shape) > MAX_DIMENSIONS:
            raise FormatError(f"tensor {name!r}: shape must be a list of sizes, got {shown(shape)}")
        if not _naturals(place) or len(place) != 2:
            raise FormatError(f"tensor {name!r}: data_offsets must be two places: {shown(place)}")
        if place[1] - place[0] != math.prod(shape) * dtype.itemsize:
            raise FormatError(f"tensor {name!r}: shape and data_offsets do not fit each other")
        places.append((place[0], place[1], name, dtype, shape))
    at = 0
    for begin, end, name, _, _ in sorted(places, key=lambda place: place[:2]):
        if begin != at:
            raise FormatError(f"tensor {name!r} begins at {begin}, but the one before ends at {at}")
        at = end
    if at != len(data):
        raise FormatError(f"tensors end at {at}, but there are {len(data)} bytes of them")
    for begin, end, name, dtype, shape in places:
        truth = dtype.kind == "b"
        array = np.frombuffer(data[begin:end], np.uint8 if truth else dtype)
        if truth:
            if (array > 1).any():
                raise FormatError(f"tensor {name!r} must hold 0 and 1")
            array = array.view(bool)
        yield name, shaped(array, shape, f"tensor {name!r}")


def shaped(array: np.ndarray, shape: list[int], where: str) -> np.ndarray:
    """Return an array in a shape of as many entries."""
    try:
        return array.reshape(shape)
    except (ValueError, OverflowError):  # of no entries, and yet too large for numpy
        raise FormatError(f"{where}: an array cannot have shape {shown(shape)}") from None


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)
