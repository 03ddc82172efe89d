"""The last update of a network: what is kept of it, so that `explain_update` can say why.

Nothing is computed for that. An update by an optimizer leaves behind what it began from, parameters
and the state of the optimizer, in arrays that are used again: 8 bytes (float64) for a synapse and
each slot of the optimizer. Its gradient is in the columns `grad` until a backward pass writes
there, which saves it first (`settle`). A step of online learning is -rate · gradient, so its rate
is enough. Copies and files of a network have none of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurograph.engines.base import Limits
from neurograph.graph import NeuronGraph
from neurograph.schedule import plan
from neurograph.table import SLOT, Table

__all__ = ["Last", "Room", "fill", "keep", "last_update", "note", "room", "settle", "sides", "take"]

UNLIMITED = Limits(None, None, None, None)
Room = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]


@dataclass(eq=False)
class Last:
    """What is known of an update.

    Attributes
    ----------
    rows : array
        `Plan.synapse` of that time: as long as the plan has it, rows are where they were.
    edits : int
        Of the store, when it was done.
    rate : float
        NaN: the optimizer has none.
    number : int, optional
        Updates that the optimizer had done before; unknown with a rule.
    optimizer : Optimizer or LBFGS, optional
    rule : Rule or str, optional
        Of online learning.
    before : pair of dicts of arrays
        Parameters, and what the optimizer keeps, by the names of their columns: of weights, of
        biases. With a rule empty.
    bounds : pair of arrays, optional
        Least and largest weights of that time, if there were any.
    gradient : pair of arrays, optional
        Of weights, of biases, if the columns hold another one by now.
    after : pair of arrays, optional
        Parameters, if a rule was it and its gradient was saved, or L-BFGS.
    """

    rows: np.ndarray
    edits: int
    rate: float
    number: int | None = None
    optimizer: Any = None
    rule: Any = None
    before: Room = ({}, {})
    bounds: tuple[Any, Any] = (None, None)
    gradient: tuple[np.ndarray, ...] | None = None
    after: tuple[np.ndarray, ...] | None = None

    def fits(self, graph: NeuronGraph) -> bool:
        """Whether nobody has edited the structure of the network since."""
        made: Any = graph.__dict__.get("_plan")
        return made.synapse is self.rows and made.version == graph._store.version


def sides(graph: NeuronGraph) -> tuple[tuple[Table, str], tuple[Table, str]]:
    """Return the two tables and their columns that are learned."""
    return (graph._store.synapses, "weight"), (graph._store.neurons, "bias")


# ---------------------------------------------------------------- updates by an optimizer


def room(graph: NeuronGraph, slots: tuple[str, ...]) -> Room:
    """Return arrays for what an update begins from, by column; those of the last one if they fit.

    They hold anything. Whoever fills them takes away what was kept (`take`).
    """
    kept = graph.__dict__.get("_last")

    def array(k: int, like: np.ndarray, name: str) -> np.ndarray:
        old = None if kept is None else kept.before[k].get(name)
        if old is None or (old.shape, old.dtype) != (like.shape, like.dtype):
            return np.empty_like(like)
        return old

    weights, biases = (
        {name: array(k, table.array(name), name) for name in (column, *(SLOT + s for s in slots))}
        for k, (table, column) in enumerate(sides(graph))
    )
    return weights, biases


def fill(graph: NeuronGraph, before: Room) -> None:
    """Copy what the columns hold now."""
    for (table, _), own in zip(sides(graph), before, strict=True):
        for name, array in own.items():
            np.copyto(array, table.array(name))


def take(graph: NeuronGraph) -> Last | None:
    """Take away what is kept: what comes next may be cut off in the middle."""
    return graph.__dict__.pop("_last", None)


def keep(
    graph: NeuronGraph,
    optimizer: Any,
    rate: float,
    number: int | None,
    before: Room,
    held: Limits = UNLIMITED,
) -> Last:
    """Keep what an update was made of that has just been done."""
    rows, edits, bounds = plan(graph).synapse, graph._store.edits, (held.lower, held.upper)
    made = Last(rows, edits, float(rate), number, optimizer, before=before, bounds=bounds)
    graph.__dict__["_last"] = made
    return made


# ---------------------------------------------------------------- updates by a rule


def note(graph: NeuronGraph, online: Any) -> None:
    """Keep what a rule of online learning did last, of an `Online` that will be gone."""
    kept = graph.__dict__.get("_last")
    if online.taught > (-1 if kept is None else kept.edits):
        rows = online.job.plan.synapse
        graph.__dict__["_last"] = Last(rows, online.taught, online.rate, rule=online.rule)


def settle(graph: Any) -> None:
    """Save what the last update needs of the columns, before others are written there."""
    note(graph, graph._online)
    kept = graph.__dict__.get("_last")
    if kept is None or kept.gradient is not None or not kept.fits(graph):
        return
    if kept.rule is not None:
        if kept.edits != graph._store.edits:
            return
        kept.after = tuple(table.array(column).copy() for table, column in sides(graph))
    kept.gradient = tuple(table.array("grad").copy() for table, _ in sides(graph))


def last_update(graph: Any) -> Last | None:
    """Return what is known of the last update, or None if there was none."""
    note(graph, graph._online)
    return graph.__dict__.get("_last")
