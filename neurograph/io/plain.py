"""Plain values as JSON, lossless: names of neurons, and attributes of one's own.

JSON has no tuples, no sets, no infinity and no numbers of more than 53 bits that all readers agree
on. What it lacks is an object with one key, the kind of thing: ``{"tuple": [1, 2]}``. Nothing else
is an object, so the two cannot be confused.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.errors import FormatError, ParameterError
from neurograph.io.files import is_text, shown
from neurograph.io.tensors import DTYPES, MAX_DIMENSIONS, dtype_code, shaped
from neurograph.values import hashable

__all__ = ["MAX_DEPTH", "MAX_NAME", "Reader", "Writer"]

MAX_DEPTH = 32  # containers in containers
MAX_NAME = 2**16  # characters of a name, as JSON
MAX_ALIKE = 1000  # entries with one hash, which would make a dict slow
MAX_INT_BITS = 2**13  # Python shows up to 4300 digits
SAFE = 2**53  # every reader of JSON agrees on integers up to here
SCALARS = {
    name: np.dtype(name)
    for name in (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64"),
    )
}


class Writer:
    """From values to JSON; arrays are collected beside it.

    Attributes
    ----------
    arrays : dict of str to list of array
        By what safetensors calls their dtype, in the order in which they were met.
    """

    def __init__(self, neuron: Callable[[Neuron], int], synapse: Callable[[Synapse], int]):
        self.neuron, self.synapse = neuron, synapse  # the number of a handle, -1 for a stranger
        self.arrays: dict[str, list[np.ndarray]] = {}

    def tensors(self) -> dict[str, np.ndarray]:
        """Return all arrays of one dtype in one, end to end."""
        return {
            f"array.{code}": np.concatenate([array.reshape(-1) for array in arrays])
            for code, arrays in self.arrays.items()
        }

    def name(self, name: Hashable, where: str) -> Any:
        """Return the name of a neuron as JSON."""
        made = self.value(name, where)
        if not isinstance(name, (int, float)) and len(json.dumps(made)) > MAX_NAME:
            raise ParameterError(f"{where}: a file holds names of up to {MAX_NAME:,} characters")
        return made

    def value(self, value: Any, where: Any, depth: int = 0) -> Any:
        """Return a value as JSON, or raise `ParameterError` that says which one it cannot be."""
        if depth > MAX_DEPTH:
            raise ParameterError(f"{where} is nested more than {MAX_DEPTH} deep, or in itself")
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            raw = value.encode("utf-8", "surrogatepass")
            return value if is_text(value) else {"str": raw.hex()}
        if kind is int and value.bit_length() <= MAX_INT_BITS:
            return value if -SAFE <= value <= SAFE else {"int": hex(value)}
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        made = self._scalar(value, kind) or self._container(value, kind, where, depth + 1)
        if made is None:
            raise ParameterError(
                f"{where} is {shown(value)}, of type {kind.__name__}, which a file cannot hold:"
                " it holds None, bool, int, float, complex, str, bytes, NumPy's numbers and"
                " arrays of them, list, tuple, dict, set, frozenset, and neurons and synapses of"
                " this network. Turn it into these, or take it away before you save"
            )
        return made

    def _scalar(self, value: Any, kind: type) -> Any:
        if kind is bytes:
            return {"bytes": value.hex()}
        if kind is complex:
            return {"complex": [repr(value.real), repr(value.imag)]}
        if kind is np.str_:
            return {"numpy": ["str", self.value(str(value), "")]}
        if isinstance(value, np.generic) and value.dtype.name in SCALARS:
            return {"numpy": [value.dtype.name, self.value(value.item(), "")]}
        if isinstance(value, Neuron) and not value.detached and self.neuron(value) >= 0:
            return {"neuron": self.neuron(value)}
        if isinstance(value, Synapse) and not value.detached and self.synapse(value) >= 0:
            return {"synapse": self.synapse(value)}
        return None

    def _container(self, value: Any, kind: type, where: Any, depth: int) -> Any:
        def each(values: Iterable) -> list:
            return [self.value(v, where, depth) for v in values]

        if kind is list:
            return each(value)
        if kind is tuple:
            return {"tuple": each(value)}
        if kind in (set, frozenset):
            return {kind.__name__: sorted(each(value), key=json.dumps)}
        if kind is dict:
            return {"dict": [each(pair) for pair in value.items()]}
        if kind is np.ndarray and dtype_code(value.dtype) and value.ndim <= MAX_DIMENSIONS:
            code = dtype_code(value.dtype)
            self.arrays.setdefault(str(code), []).append(value)
            return {"array": [code, list(value.shape)]}
        return None


class _Neuron:
    """Stands for a neuron while there is none."""

    __hash__ = None  # type: ignore[assignment]


class Reader:
    """From JSON to values, checked; the other way round of `Writer`.

    Parameters
    ----------
    arrays : dict of str to array
        As `Writer.tensors` made them, by what safetensors calls their dtype.
    sizes : dict
        How many neurons and synapses there are: "neuron" and "synapse" to int.
    handles : dict, optional
        "neuron" and "synapse" to a function from a number to a handle. Without it something
        stands for each: values can be checked before there is a network.

    Attributes
    ----------
    met : bool
        Whether there was any handle.
    """

    def __init__(
        self,
        arrays: dict[str, np.ndarray],
        sizes: dict[str, int],
        handles: dict[str, Callable[[int], Any]] | None = None,
    ):
        self.arrays, self.used = arrays, dict.fromkeys(arrays, 0)
        self.sizes, self.met = sizes, False
        self.handles = handles or {"neuron": lambda n: _Neuron(), "synapse": lambda n: object()}

    def require_end(self) -> None:
        """Raise unless every entry of every array was used."""
        for code, array in self.arrays.items():
            if self.used[code] != len(array):
                raise FormatError(f"tensor 'array.{code}' holds more than there are arrays")

    def name(self, found: Any, where: str) -> Hashable:
        """Return the name of a neuron."""
        made = self.value(found, where)
        if made is None or not hashable(made):
            raise FormatError(f"{where} cannot be the name of a neuron: {shown(made)}")
        if not isinstance(found, (int, float)) and len(json.dumps(found)) > MAX_NAME:
            raise FormatError(f"{where} is a name of more than {MAX_NAME:,} characters")
        return made

    def value(self, found: Any, where: str, depth: int = 0) -> Any:
        """Return the value that a piece of JSON stands for."""
        if depth > MAX_DEPTH:
            raise FormatError(f"{where} is nested more than {MAX_DEPTH} deep")
        if isinstance(found, list):
            return [self.value(v, where, depth + 1) for v in found]
        if not isinstance(found, dict):
            return found
        if len(found) != 1:
            raise FormatError(f"{where} must have one kind, got {shown(list(found))}")
        (kind, told), = found.items()  # fmt: skip
        read = _READERS.get(kind)
        if read is None:
            raise FormatError(f"{where}: there is no kind {kind!r:.50}; known are {_KINDS}")
        try:
            return read(self, told, where, depth + 1)
        except (ValueError, TypeError, OverflowError, KeyError) as error:
            if isinstance(error, FormatError):
                raise
            raise FormatError(f"{where}: {shown(told)} is no {kind}") from None

    def _tuple(self, told: Any, where: str, depth: int) -> tuple:
        return tuple(self.value(_list(told), where, depth))

    def _dict(self, told: Any, where: str, depth: int) -> dict:
        pairs = [_list(self.value(pair, where, depth)) for pair in _list(told)]
        keys = [key for key, _ in pairs]
        require_distinct(keys, where)
        return dict(zip(keys, (value for _, value in pairs), strict=True))

    def _set(self, told: Any, where: str, depth: int) -> set:
        members = [self.value(v, where, depth) for v in _list(told)]
        require_distinct(members, where)
        return set(members)

    def _numpy(self, told: Any, where: str, depth: int) -> Any:
        name, value = _list(told)
        value = self.value(value, where, depth)
        if name == "str":
            return np.str_(_text(value))
        with np.errstate(all="ignore"):
            made = SCALARS[name].type(value)
        if type(made.item()) is not type(value) or not (made.item() == value or value != value):
            raise ValueError
        return made

    def _array(self, told: Any, where: str, depth: int) -> np.ndarray:
        code, shape = _list(told)
        if code not in DTYPES or not all(type(n) is int and n >= 0 for n in _list(shape)):
            raise FormatError(f"{where}: {shown(told)} is no dtype and shape")
        size, all_of_it = math.prod(shape), self.arrays.get(code, np.empty(0, DTYPES[code]))
        begin = self.used.get(code, 0)
        if len(shape) > MAX_DIMENSIONS or begin + size > len(all_of_it):
            raise FormatError(
                f"{where}: there is no array of shape {shown(shape)} in 'array.{code}'"
            )
        self.used[code] = begin + size
        array = all_of_it[begin : begin + size].astype(DTYPES[code].newbyteorder("="))
        return shaped(array, shape, where)

    def _handle(self, kind: str, told: Any, where: str) -> Any:
        if type(told) is not int or not 0 <= told < self.sizes[kind]:
            raise FormatError(f"{where}: there is no {kind} {shown(told)}")
        self.met = True
        return self.handles[kind](told)


_READERS: dict[str, Callable[[Reader, Any, str, int], Any]] = {
    "int": lambda r, told, where, depth: int(_text(told, MAX_INT_BITS // 4 + 3), 16),
    "float": lambda r, told, where, depth: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[
        _text(told)
    ],
    "str": lambda r, told, where, depth: bytes.fromhex(_text(told)).decode(
        "utf-8", "surrogatepass"
    ),
    "bytes": lambda r, told, where, depth: bytes.fromhex(_text(told)),
    "complex": lambda r, told, where, depth: complex(*map(float, map(_text, _list(told)))),
    "tuple": Reader._tuple,
    "dict": Reader._dict,
    "set": Reader._set,
    "frozenset": lambda r, told, where, depth: frozenset(r._set(told, where, depth)),
    "numpy": Reader._numpy,
    "array": Reader._array,
    "neuron": lambda r, told, where, depth: r._handle("neuron", told, where),
    "synapse": lambda r, told, where, depth: r._handle("synapse", told, where),
}
_KINDS = ", ".join(_READERS)


def require_distinct(keys: list, where: str) -> None:
    """Raise unless keys are hashable and different, and their hashes are too, by and large."""
    try:
        hashes = [hash(key) for key in keys]
    except TypeError as error:
        raise FormatError(f"{where}: {error}, so it cannot be here") from None
    if len(set(hashes)) == len(keys):
        return
    if max(Counter(hashes).values()) > MAX_ALIKE:
        raise FormatError(f"{where}: more than {MAX_ALIKE:,} entries have one hash")
    seen: set = set()
    for key in keys if len(set(keys)) < len(keys) else ():
        if key in seen:
            raise FormatError(f"{where}: {shown(key)} is there twice")
        seen.add(key)


def _list(value: Any) -> list:
    if not isinstance(value, list):
        raise TypeError(value)
    return value


def _text(value: Any, most: int | None = None) -> str:
    if not isinstance(value, str) or (most and len(value) > most):
        raise TypeError(value)
    return value
