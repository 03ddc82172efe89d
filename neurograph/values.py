"""What a parameter may be: checks that return a plain value or say what is wrong."""

from __future__ import annotations

import math
from collections.abc import Hashable
from numbers import Integral, Real
from typing import Any

import numpy as np

from neurograph.errors import ParameterError, suggest

__all__ = [
    "MAX_ROWS",
    "bound",
    "choice",
    "flag",
    "float_dtype",
    "fraction",
    "generator",
    "hashable",
    "natural",
    "number",
    "positive",
    "same",
]

MAX_ROWS = 2**31 - 1


def same(a: Hashable, b: Hashable) -> bool:
    """Return whether two names are one, as keys of a dict are.

    With ==, NumPy compares a number and a tuple entry by entry.

    >>> import numpy as np
    >>> same(np.int64(3), 3), same(np.int64(3), (3, 4))
    (True, False)
    """
    return a in {b}


def number(name: str, value: Any) -> float:
    """Return `value` as a finite float, or say what it is instead."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    try:
        found = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise ParameterError(f"{name} must be a finite number, got {value!r:.50}")
    return found


def positive(name: str, value: Any) -> float:
    """Return `value` as a finite float of 0 or more."""
    found = number(name, value)
    if found < 0:
        raise ParameterError(f"{name} must be 0 or more, got {value!r}")
    return found


def fraction(name: str, value: Any) -> float:
    """Return `value` as a float in [0, 1)."""
    found = number(name, value)
    if not 0 <= found < 1:
        raise ParameterError(f"{name} must be 0 or more and less than 1, got {value!r}")
    return found


def bound(name: str, value: Any) -> float:
    """Return `value` as a float, infinity included."""
    if isinstance(value, (float, np.floating)) and math.isinf(value):
        return float(value)
    return number(name, value)


def natural(name: str, value: Any, most: int = MAX_ROWS, least: int = 0) -> int:
    """Return `value` as an int from `least` to `most`; 2.0 is fine, 0.5 and -1 are not."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    whole = isinstance(value, Integral) or (isinstance(value, Real) and float(value).is_integer())
    if not whole or not least <= int(value) <= most:
        limit = "0 or 1" if most == 1 else f"a whole number of {least} or more"
        if whole and value > most > 1:
            limit = f"at most {most}"
        raise ParameterError(f"{name} must be {limit}, got {value!r}")
    return int(value)


def flag(name: str, value: Any) -> bool:
    """Return `value` as a bool; 0 and 1 are fine, as files write them."""
    if isinstance(value, (bool, np.bool_)) or (isinstance(value, Real) and value in (0, 1)):
        return bool(value)
    raise ParameterError(f"{name} must be True or False, got {value!r}")


def choice(name: str, value: Any, among: tuple[str, ...]) -> int:
    """Return the position of `value` in `among`."""
    if isinstance(value, str) and value in among:
        return among.index(value)
    options = ", ".join(map(repr, among))
    raise ParameterError(f"{name} must be one of {options}; got {value!r}.{suggest(value, among)}")


def hashable(value: Any) -> bool:
    """Return whether a value can be a name."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def float_dtype(dtype: Any) -> np.dtype:
    """Return the dtype of that name, one in which a network can compute."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found.name not in ("float64", "float32"):
        raise ParameterError(f"dtype must be 'float64' or 'float32', got {dtype!r}")
    return found


def generator(seed: Any) -> tuple[np.random.Generator | None, int | None]:
    """Return the generator that was given, or the seed that one shall be made from, or neither."""
    if isinstance(seed, np.random.Generator):
        return seed, None
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if seed is None or (whole and seed >= 0):
        return None, None if seed is None else int(seed)
    raise ParameterError(f"seed must be a whole number of 0 or more, got {seed!r}")
