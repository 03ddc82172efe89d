"""Everything that can go wrong; each class is also the closest builtin or networkx class."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import networkx as nx

__all__ = [
    "CycleError",
    "DetachedError",
    "FormatError",
    "GraphError",
    "NeurographError",
    "NeurographWarning",
    "NonFiniteError",
    "ParameterError",
    "ShapeError",
]

LONGEST = 200  # characters of a name for which another is suggested


class NeurographError(Exception):
    """Base of every error that neurograph raises."""


class ParameterError(NeurographError, ValueError):
    """A value that a neuron, a synapse or an option cannot have, or a name that does not exist."""


class ShapeError(NeurographError, ValueError):
    """An array of the wrong shape."""


class FormatError(NeurographError, ValueError):
    """A file that is not what it says it is."""


class CycleError(NeurographError, nx.NetworkXUnfeasible):
    """Synapses without delay form a cycle, so no order of visits exists."""


class GraphError(NeurographError, nx.NetworkXError):
    """An edit that the graph cannot take, or work asked of a read-only view."""


class DetachedError(NeurographError, LookupError):
    """A handle whose neuron or synapse is no longer part of a network."""


class NonFiniteError(NeurographError, ArithmeticError):
    """A NaN or an infinity; the message names where it appeared first."""


class NeurographWarning(UserWarning):
    """Something legal that is probably a mistake."""


@contextmanager
def room_for(what: str, n_bytes: int) -> Iterator[None]:
    """Let a `MemoryError` say for what there was no room, and about how much it takes."""
    try:
        yield
    except MemoryError as error:
        raise ParameterError(
            f"not enough memory for {what}, which take about {n_bytes / 1e9:.1f} GB;"
            f" make fewer. {error}".rstrip()
        ) from None


def suggest(name: object, known: Iterable[Any]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, or nothing.

    >>> suggest("tahn", ["tanh", "relu"])
    " Did you mean 'tanh'?"
    """
    if len(str(name)) > LONGEST:  # comparing takes 40 times the memory of the text
        return ""
    by_text = {str(k): k for k in known}
    near = difflib.get_close_matches(str(name), by_text, n=1)
    return f" Did you mean {by_text[near[0]]!r}?" if near else ""
