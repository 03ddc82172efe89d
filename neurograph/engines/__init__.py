"""Engines execute a plan: the walker is the definition, the others are fast."""

from __future__ import annotations

from neurograph.engines.base import Engine
from neurograph.engines.walker import Walker
from neurograph.errors import ParameterError, suggest

__all__ = ["ENGINES", "get_engine"]

ENGINES: dict[str, Engine] = {"walker": Walker()}


def get_engine(name: str) -> Engine:
    """Return the engine of that name; "auto" takes the best that there is."""
    if name == "auto":
        return ENGINES["walker"]
    if not isinstance(name, str) or name not in ENGINES:
        known = ", ".join(map(repr, ("auto", *ENGINES)))
        raise ParameterError(
            f"engine must be one of {known}; got {name!r}.{suggest(name, ENGINES)}"
        )
    return ENGINES[name]
