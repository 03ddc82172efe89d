"""Engines execute a plan: the walker is the definition, the others are fast."""

from __future__ import annotations

from functools import cache

from neurograph.engines.base import Engine
from neurograph.engines.walker import Walker
from neurograph.errors import ParameterError, suggest

__all__ = ["ENGINES", "Engine", "get_engine"]

ENGINES = ("walker", "compiled")
SMALL = 30_000  # synapse-steps, about a second of the walker: less than loading kernels at first


def get_engine(name: str | Engine, work: int = 0) -> Engine:
    """Return the engine of that name, or the one that is given.

    "auto" goes by the work alone: synapses and neurons times steps, and times updates where a
    network learns. A kernel that is not worth loading is not loaded.
    """
    if isinstance(name, Engine):
        return name
    if name == "auto":
        name = "walker" if work < SMALL else "compiled"
    if name in ENGINES:
        return _engine(name)
    known = ", ".join(map(repr, ("auto", *ENGINES)))
    raise ParameterError(f"engine must be one of {known}; got {name!r}.{suggest(name, ENGINES)}")


@cache
def _engine(name: str) -> Engine:
    if name == "walker":
        return Walker()
    from neurograph.engines.compiled import Compiled  # numba takes a while to import

    return Compiled()
