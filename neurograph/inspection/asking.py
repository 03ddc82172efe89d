"""What was run last, and which sample and step of it are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurograph.elements import Synapse
from neurograph.engines.base import Recording
from neurograph.errors import ParameterError
from neurograph.graph import NeuronGraph

__all__ = ["ago", "chosen", "last_run", "later", "many", "tied"]


def last_run(graph: NeuronGraph, what: str, cure: str) -> Recording:
    """Return the last run of a network that is as it was then; `cure` says how to get one."""
    graph.require_own()
    tape = graph.__dict__.get("_tape")
    if tape is None:
        raise ParameterError(f"no run to explain: {cure}")
    recording, _, version, edits = tape
    if (version, edits) != (graph._store.version, graph._store.edits):
        raise ParameterError(
            "the network was edited (or learned) since its last run, so there is no"
            f" {what} of it as it is now: {cure}"
        )
    return recording


def chosen(name: str, index: Any, size: int) -> slice:
    """Return which samples or steps were asked for; -1 is the last."""
    if index is None:
        return slice(None)
    whole = not isinstance(index, bool) and isinstance(index, (int, np.integer))
    if not whole or not -size <= index < size:
        raise ParameterError(
            f"{name} must be a whole number from 0 to {size - 1} (-1 is the last) in a run of"
            f" {size} {name}{'s' * (size != 1)}; got {index!r}"
        )
    return slice(int(index) % size, int(index) % size + 1)


def tied(graph: NeuronGraph, synapse: Synapse) -> list[int]:
    """Return a synapse and those that it shares its weight with, by number of the plan."""
    table, id = graph._store.synapses, synapse._id
    ids = table.ties.members(id) if id in table.ties.group else [id]
    return [int(table.row_of[i]) for i in sorted(ids, key=lambda i: i != id)]


def ago(steps: int) -> str:
    """Return when something was read, in words."""
    return "" if not steps else f" {many(steps, 'step')} ago"


def later(steps: int) -> str:
    """Return when something acts, in words."""
    return "" if not steps else f" {many(steps, 'step')} later"


def many(n: int, what: str) -> str:
    """Return a number of things.

    >>> many(1, "path"), many(1200, "path")
    ('1 path', '1,200 paths')
    """
    return f"{n:,} {what}{'s' * (n != 1)}"
