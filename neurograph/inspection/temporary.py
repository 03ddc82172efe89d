"""Values in the columns of a store that are others for the time of a block.

Blocks may overlap. Each keeps what it found; who leaves early hands that on to the next one that
holds the same value, and the last one to leave puts it back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from neurograph.errors import ParameterError
from neurograph.functions import activation
from neurograph.graph import NeuronGraph
from neurograph.learning import lately
from neurograph.table import GONE, Table

__all__ = ["HELD", "Change", "Values", "WhatIf", "active"]

HELD = activation(lambda s: s + 0, derivative=lambda s: 0 * s, name="held", check=False)
Values = dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]  # (table, column) -> ids, values


class Change(NamedTuple):
    """What a block changes.

    values : Values
    loose : (n,) array of the ids of synapses that leave their ties
    held : values (B or 1, T or 1) of neurons that become inputs, by id
    """

    values: Values
    loose: np.ndarray
    held: dict[int, np.ndarray]


class Place(NamedTuple):
    """Where a synapse was among those that it is tied to: label and ids of the whole group."""

    label: Any
    order: tuple[int, ...]


@dataclass(eq=False)
class WhatIf:
    """A change that lasts as long as a ``with`` block; what `net.lesion` and others return.

    It is checked when it is made, and again when the block begins. It can be used many times, but
    not while it is in use.
    """

    graph: NeuronGraph = field(repr=False)
    what: str
    find: Callable[[], Change] = field(repr=False)
    before: Values = field(default_factory=dict, repr=False)  # what was there, while in use
    loose: Any = field(default=(), repr=False)  # ids of synapses kept outside of their ties
    places: dict[int, Place] = field(default_factory=dict, repr=False)  # where they were
    made: set[tuple[str, str]] = field(default_factory=set, repr=False)  # columns nobody had
    held: dict[int, np.ndarray] = field(default_factory=dict, repr=False)  # as in `Change`

    def __post_init__(self) -> None:
        self.graph.require_own()
        self.find()

    def __enter__(self) -> NeuronGraph:
        if self in active(self.graph):
            raise ParameterError(f"this {self.what} is in use already; make another one")
        change = self.find()
        lately.settle(self.graph)  # what was learned can be explained afterwards
        _change(self, *change)
        active(self.graph).append(self)
        return self.graph

    def __exit__(self, *error: object) -> None:
        blocks = active(self.graph)
        later = blocks[blocks.index(self) + 1 :]
        blocks.remove(self)
        _restore(self, later)


def active(graph: NeuronGraph) -> list[WhatIf]:
    """Return the blocks of a network that are in use, in order of entry."""
    return graph.__dict__.setdefault("_what_if", [])


# ---------------------------------------------------------------- there and back


def _change(block: WhatIf, values: Values, loose: np.ndarray, held: dict[int, np.ndarray]) -> None:
    """Write values into their columns; keep what was there."""
    graph, store = block.graph, block.graph._store
    block.made = {key for key in values if key[1] not in getattr(store, key[0]).arrays}
    arrays = {key: getattr(store, key[0]).array(key[1]) for key in values}  # may need memory
    if ("neurons", "activation") in values and HELD.name not in store.activations:
        store.activations.append(HELD.name)
    block.before = {}
    for key, (ids, new) in values.items():
        rows = getattr(store, key[0]).row_of[ids]
        block.before[key] = ids, arrays[key][rows]
        arrays[key][rows] = new
    ties = store.synapses.ties
    block.loose, block.places = loose, {}
    known = [place for other in active(graph) for place in other.places.values()]
    tied = np.fromiter(ties.group, np.int64, len(ties.group))
    for id in np.sort(tied[np.isin(tied, loose)]).tolist():
        label = ties.group[id]
        orders = (place.order for place in known if place.label == label and id in place.order)
        place = Place(label, next(orders, tuple(ties.ids[label])))
        known.append(place)
        block.places[id] = place
        ties.leave(id)
    block.held = held
    graph.__dict__.setdefault("_held", {}).update(held)
    _noted(graph, bool(block.places), ("neurons", "activation") in values, bool(held))


def _restore(block: WhatIf, later: list[WhatIf]) -> None:
    """Put back what was there, but for what later blocks still hold: they get it to put back."""
    graph, store = block.graph, block.graph._store
    for key, (ids, before) in block.before.items():
        for other in later:
            if key in other.before:
                ids, before = _handed_on(ids, before, *other.before[key])
        _put_back(getattr(store, key[0]), key[1], ids, before)
    for id, place in block.places.items():
        heir = next((other for other in later if (other.loose == id).any()), None)
        if heir is not None:
            heir.places[id] = place
        elif store.synapses.row_of[id] != GONE:
            _rejoin(store.synapses, id, place)
            for other in active(graph):
                _hold_too(other, store.synapses, id)
    activated = ("neurons", "activation") in block.before
    if later:
        later[0].made |= block.made
    else:
        activated |= _forget(graph, block.made)
    for id in block.held:
        graph.__dict__["_held"].pop(id, None)
    _noted(graph, bool(block.places), activated, bool(block.held))


def _forget(graph: NeuronGraph, made: set[tuple[str, str]]) -> bool:
    """Drop columns that were made for blocks and say nothing any more, and the name "held".

    Return whether it was there.
    """
    store = graph._store
    for side, name in made:
        table = getattr(store, side)
        if name in table.arrays and (table.array(name) == table.schema[name].default).all():
            del table.arrays[name]
    names = store.activations
    unused = names[-1] == HELD.name and not (_codes(graph) == len(names) - 1).any()
    if unused:
        names.pop()
    return bool(unused)


def _codes(graph: NeuronGraph) -> np.ndarray:
    """Return the code of the activation of every row."""
    table = graph._store.neurons
    column = table.arrays.get("activation")
    return np.zeros(table.rows, np.uint16) if column is None else column[: table.rows]


def _handed_on(
    ids: np.ndarray, before: np.ndarray, others: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give what was there before to those of `others` that are among `ids`; return the rest."""
    order = np.argsort(others)
    at = np.searchsorted(others, ids, sorter=order)
    found = at < len(others)
    found[found] = others[order[at[found]]] == ids[found]
    kept[order[at[found]]] = before[found]
    return ids[~found], before[~found]


def _put_back(table: Table, name: str, ids: np.ndarray, values: np.ndarray) -> None:
    """Write stored values of those that are still there, and of all that are tied to them."""
    there = table.row_of[ids] != GONE
    ids, values = ids[there], values[there]
    array = table.array(name)
    array[table.row_of[ids]] = values
    if table.ties.group and table.schema[name].shared:
        for id, value in zip(ids.tolist(), values, strict=True):
            if id in table.ties.group:
                array[table.row_of[table.ties.members(id)]] = value


def _rejoin(table: Table, id: int, place: Place) -> None:
    """Put a synapse back into its tie; what the others have learned since is its own too."""
    ties = table.ties
    ties.leave(id)
    others = ties.ids.setdefault(place.label, [])
    if others:
        for name, column in table.schema.items():
            if column.shared and name in table.arrays:
                array = table.array(name)
                array[table.row_of[id]] = array[table.row_of[others[0]]]
    rank = {member: i for i, member in enumerate(place.order)}
    after = (i for i, other in enumerate(others) if rank.get(other, len(rank)) > rank[id])
    at = next(after, len(others))
    others.insert(at, id)
    ties.group[id] = place.label
    if len(others) > 1:
        table.share_slots(others[1] if at == 0 else others[0])


def _hold_too(block: WhatIf, table: Table, id: int) -> None:
    """Let a block that changed those that a synapse is tied to again put this one back as well."""
    for key, (ids, before) in block.before.items():
        if key[0] != "synapses" or not table.schema[key[1]].shared or (ids == id).any():
            continue
        for at in np.flatnonzero(np.isin(ids, table.ties.members(id)))[:1]:
            block.before[key] = np.append(ids, id), np.append(before, before[at])


def _noted(graph: NeuronGraph, tied: bool, activated: bool, driven: bool) -> None:
    """Note the edit; where a plan knows of it, it is the same plan but for that.

    Only where a neuron became an input, or is none any more, it is planned anew.
    """
    store = graph._store
    store.edits += 1
    if not (tied or activated or driven):
        return
    made: Any = graph.__dict__.get("_plan")
    current = made is not None and made.version == store.version and not driven
    store.version += 1
    if not current:
        return
    amended: dict[str, Any] = {"version": store.version}
    if activated:
        # Rows are in the order of the plan.
        code = _codes(graph).astype(np.uint16)
        code.flags.writeable = False
        amended |= {"activation": code, "activations": tuple(store.activations)}
    if tied:
        groups = [store.synapses.row_of[group] for group in store.synapses.ties.groups()]
        indptr = np.cumsum([0, *map(len, groups)]).astype(np.uint32)
        members = np.concatenate([*groups, []]).astype(np.uint32)
        indptr.flags.writeable = members.flags.writeable = False
        amended |= {"tie_indptr": indptr, "tie_synapse": members}
    graph._plan = replace(made, **amended)
