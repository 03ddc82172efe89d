"""Random generators of NumPy as plain values, and back: the state, and what `spawn` goes by."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurograph.errors import FormatError, ParameterError
from neurograph.io.files import Object
from neurograph.io.plain import Reader, Writer

__all__ = ["GENERATORS", "described", "restored"]

GENERATORS = {
    cls.__name__: cls
    for cls in (
        np.random.PCG64,
        np.random.PCG64DXSM,
        np.random.MT19937,
        np.random.Philox,
        np.random.SFC64,
    )
}
MAX_POOL = 64  # words of a seed sequence
# NumPy looks at none of these, and reads beyond its memory if one is too large.
MOST = {"pos": 624, "buffer_pos": 4, "has_uint32": 1, "uinteger": 2**32 - 1}


def described(rng: np.random.Generator | None, writer: Writer) -> Any:
    """Return a generator as JSON, or raise `ParameterError` if it is not one of NumPy's."""
    if rng is None:
        return None
    bits = rng.bit_generator
    if type(rng) is not np.random.Generator or GENERATORS.get(type(bits).__name__) is not type(
        bits
    ):
        raise ParameterError(
            f"net.rng draws from {bits!r:.80}, which a file cannot hold; take one of NumPy's:"
            f" {', '.join(GENERATORS)}"
        )
    seeds = getattr(bits, "seed_seq", None)
    origin = seeds.state if type(seeds) is np.random.SeedSequence else None
    return {
        "name": type(bits).__name__,
        "state": writer.value(dict(bits.state), "net.rng"),
        "seed_sequence": writer.value(origin, "net.rng.bit_generator.seed_seq"),
    }


def restored(told: Any, reader: Reader) -> np.random.Generator | None:
    """Return a generator in the state that is told."""
    if told is None:
        return None
    where = "network.generator"
    found = Object(told, where)
    cls = GENERATORS.get(found.get("name", str))
    if cls is None:
        raise FormatError(f"{where}.name must be one of {', '.join(GENERATORS)}")
    state = reader.value(found.get("state", dict), where)
    origin = reader.value(found.get("seed_sequence", dict, type(None)), where)
    try:
        bits: Any = cls(0 if origin is None else _seed_sequence(origin))
        if not _alike(bits.state, state) or state["bit_generator"] != cls.__name__:
            raise ValueError
        bits.state = state
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"{where} is in no state that {cls.__name__} can have") from error
    return np.random.Generator(bits)


def _seed_sequence(origin: Any) -> np.random.SeedSequence:
    if not isinstance(origin, dict) or origin.keys() != np.random.SeedSequence(0).state.keys():
        raise ValueError
    for key, most in (("pool_size", MAX_POOL), ("n_children_spawned", 2**32)):
        if type(origin[key]) is not int or not 0 <= origin[key] <= most:
            raise ValueError
    return np.random.SeedSequence(**origin)


def _alike(pattern: Any, found: Any, key: str = "") -> bool:
    """Whether a state is built as this one, and its numbers are in range."""
    if isinstance(pattern, dict):
        return (
            isinstance(found, dict)
            and found.keys() == pattern.keys()
            and all(_alike(pattern[k], found[k], k) for k in pattern)
        )
    if isinstance(pattern, np.ndarray):
        same = isinstance(found, np.ndarray) and found.shape == pattern.shape
        return same and found.dtype == pattern.dtype
    if isinstance(pattern, int):
        return type(found) is int and 0 <= found <= MOST.get(key, 2**128 - 1)
    return type(found) is type(pattern)
