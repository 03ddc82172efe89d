"""What if: a network without some of its parts, with a neuron held, or with other weights.

For the time of a block a few values in the columns of the store are others, so every engine, every
rule and all of learning take part without knowing of it. A synapse that is gone has weight 0, is
frozen, and stands outside of its tie. A neuron that is held has the activation "held", f(s) = s
with f'(s) = 0, its value as the bias, and no weight on anything that ends in it: so y = s = value
and δ = 0.

Blocks may overlap. Each keeps what it found; who leaves early hands that on to the next one that
holds the same value, and the last one to leave puts it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from neurograph.elements import INPUT, Neuron, Synapse
from neurograph.engines.base import real_array
from neurograph.errors import ParameterError, ShapeError
from neurograph.functions import activation, get_activation
from neurograph.graph import NeuronGraph
from neurograph.inspection.assignment import checked, with_tied
from neurograph.inspection.selections import Selection
from neurograph.learning import lately
from neurograph.table import GONE, Table

__all__ = ["WhatIf", "clamp", "lesion", "patch"]

HELD = activation(lambda s: s + 0, derivative=lambda s: 0 * s, name="held", check=False)
Values = dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]  # (table, column) -> ids, values


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
    find: Callable[[], tuple[Values, np.ndarray]] = field(repr=False)
    before: Values = field(default_factory=dict, repr=False)  # what was there, while in use
    loose: Any = field(default=(), repr=False)  # ids of synapses kept outside of their ties
    places: dict[int, Place] = field(default_factory=dict, repr=False)  # where they were
    made: set[tuple[str, str]] = field(default_factory=set, repr=False)  # columns nobody had

    def __post_init__(self) -> None:
        self.graph.require_own()
        self.find()

    def __enter__(self) -> NeuronGraph:
        if self in _active(self.graph):
            raise ParameterError(f"this {self.what} is in use already; make another one")
        values, loose = self.find()
        lately.settle(self.graph)  # what was learned can be explained afterwards
        _change(self, values, loose)
        _active(self.graph).append(self)
        return self.graph

    def __exit__(self, *error: object) -> None:
        active = _active(self.graph)
        later = active[active.index(self) + 1 :]
        active.remove(self)
        _restore(self, later)


def _active(graph: NeuronGraph) -> list[WhatIf]:
    """Return the blocks of a network that are in use, in order of entry."""
    return graph.__dict__.setdefault("_what_if", [])


# ---------------------------------------------------------------- what is changed


def lesion(graph: NeuronGraph, what: tuple) -> WhatIf:
    """Return what runs a network without some neurons and synapses; see `Network.lesion`."""
    if not what:
        raise ParameterError("lesion takes neurons, synapses or selections; got nothing")
    what = tuple(_kept(graph, one) for one in what)

    def find() -> tuple[Values, np.ndarray]:
        neurons, synapses = _members(graph, what)
        around = [synapses, _incoming(graph, neurons), _outgoing(graph, neurons)]
        dead = _each_once(np.concatenate(around))
        role = graph._store.neurons.values("role", neurons)
        silent = _each_once(neurons[role != INPUT])  # an input has nobody left who reads it
        return _silenced(graph, dead) | _held(graph, silent, np.zeros(len(silent))), dead

    return WhatIf(graph, "lesion", find)


def clamp(graph: NeuronGraph, neurons: Any, value: Any) -> WhatIf:
    """Return what holds the output of neurons; see `Network.clamp`."""
    neurons, value = _kept(graph, neurons), real_array("value", value, np.dtype(float)).copy()

    def find() -> tuple[Values, np.ndarray]:
        ids, synapses = _members(graph, (neurons,))
        if len(synapses):
            raise ParameterError("clamp takes neurons; net.patch gives synapses other weights")
        table = graph._store.neurons
        inputs = ids[table.values("role", ids) == INPUT]
        if len(inputs):
            raise ParameterError(
                f"neuron {graph._store.names[inputs[0]]!r} is an input: its output is what X says,"
                " so put the value into its column of X"
            )
        if value.shape not in ((), (len(ids),)):
            raise ShapeError(
                f"clamp takes a number, or one for each of {len(ids)} neurons; got shape"
                f" {value.shape}. What changes from sample to sample or from step to step is"
                " given by an input neuron"
            )
        values = checked(graph, table, ids, Neuron.bias, value)
        first = np.unique(ids, return_index=True)[1]
        if (values[first][np.searchsorted(ids[first], ids)] != values).any():
            raise ParameterError("clamp: a neuron is there twice, with two values")
        gone = _incoming(graph, ids[first])
        return _silenced(graph, gone) | _held(graph, ids[first], values[first]), gone

    return WhatIf(graph, "clamp", find)


def patch(graph: NeuronGraph, weights: Any, value: Any = None) -> WhatIf:
    """Return what gives synapses other weights; see `Network.patch`."""
    by_synapse = isinstance(weights, Mapping) and not isinstance(weights, (Synapse, Neuron))
    if by_synapse == (value is not None):
        raise ParameterError(
            "patch takes weights by synapse, net.patch({synapse: 0.5}), or synapses and weights,"
            " net.patch(net.synapses, 0.5)"
        )
    weights = dict(weights) if by_synapse else _kept(graph, weights)
    value = copy(value)

    def find() -> tuple[Values, np.ndarray]:
        table = graph._store.synapses
        if by_synapse:
            ids = np.array([_synapse(graph, key)._id for key in weights], np.int64)
            wanted: Any = list(weights.values())
        else:
            neurons, ids = _members(graph, (weights,))
            wanted = value
            if len(neurons):
                raise ParameterError("patch takes synapses; net.clamp holds the output of neurons")
        if len(_each_once(ids)) < len(ids):
            raise ParameterError("patch: a synapse is there twice; give it one weight")
        values = checked(graph, table, ids, Synapse.weight, wanted)
        if table.ties.group:
            ids, values = with_tied(table, ids, values, "weight")
        # Who is outside of a tie for the time of another block stays there for that of this one.
        apart = [id for block in _active(graph) for id in block.places]
        return {("synapses", "weight"): (ids, values)}, ids[np.isin(ids, apart)]

    return WhatIf(graph, "patch", find)


def _synapse(graph: NeuronGraph, key: Any) -> Synapse:
    """Return a synapse of this network, given itself or as (source, target)."""
    if isinstance(key, tuple) and len(key) == 2 and graph.has_edge(*key):
        return graph.edges[key]
    return graph.own(key)


def _members(graph: NeuronGraph, what: Iterable) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of the neurons and of the synapses that are meant, in the order given."""
    neurons: list[np.ndarray | list[int]] = [[]]
    synapses: list[np.ndarray | list[int]] = [[]]
    for one in what:
        if isinstance(one, Selection):
            (neurons if one._neurons else synapses).append(Selection(graph, one._kind)._ids_of(one))
            continue
        for element in one if isinstance(one, list) else (one,):
            if isinstance(element, Synapse):
                synapses.append([graph.own(element)._id])
            else:
                neurons.append([_neuron(graph, element)._id])
    return np.concatenate(neurons).astype(np.int64), np.concatenate(synapses).astype(np.int64)


def _kept(graph: NeuronGraph, one: Any) -> Any:
    """Return a list of what is several: not a name, also of nobody, nor a handle or selection."""
    if isinstance(one, (Neuron, Synapse, Selection, str, bytes, tuple, frozenset)):
        return one
    if not isinstance(one, Iterable) or one in graph:
        return one
    return list(one)


def _neuron(graph: NeuronGraph, name: Any) -> Neuron:
    try:
        return graph.neuron(name)
    except ParameterError as error:
        if isinstance(name, tuple) and len(name) == 2 and graph.has_edge(*name):
            u, v = name
            raise ParameterError(f"{error} The synapse is net.edges[{u!r}, {v!r}]") from None
        raise


def _each_once(ids: np.ndarray) -> np.ndarray:
    """Return ids in order, each once; `numpy.unique` hashes, which takes ten times as long."""
    ids = np.sort(ids)
    return ids[np.append(True, ids[1:] != ids[:-1])[: len(ids)]]


def _incoming(graph: NeuronGraph, neurons: np.ndarray) -> np.ndarray:
    """Return the ids of the synapses that end in these neurons."""
    names = [graph._store.names[id] for id in neurons.tolist()]
    return np.array([s._id for name in names for s in graph.incoming(name)], np.int64)


def _outgoing(graph: NeuronGraph, neurons: np.ndarray) -> np.ndarray:
    """Return the ids of the synapses that start in these neurons, or that they gate."""
    names, table = [graph._store.names[id] for id in neurons.tolist()], graph._store.synapses
    found = np.array([s._id for name in names for s in graph.outgoing(name)], np.int64)
    if len(neurons) and "gater" in table.arrays:
        ids = table.alive()
        found = np.append(found, ids[np.isin(table.values("gater", ids), neurons)])
    return found


def _silenced(graph: NeuronGraph, ids: np.ndarray) -> Values:
    """Return values with which synapses do nothing and learn nothing."""
    return {
        ("synapses", "weight"): (ids, np.zeros(len(ids), graph.dtype)),
        ("synapses", "trainable"): (ids, np.zeros(len(ids), bool)),
    }


def _held(graph: NeuronGraph, ids: np.ndarray, values: np.ndarray) -> Values:
    """Return values with which neurons have these outputs, once nothing arrives any more."""
    if not len(ids):
        return {}
    if get_activation(HELD.name) is not HELD:
        raise ParameterError(
            f"an activation {HELD.name!r} of your own takes the place of the one with which neurons"
            " are held; register yours under another name="
        )
    names = graph._store.activations
    code = names.index(HELD.name) if HELD.name in names else len(names)
    return {
        ("neurons", "bias"): (ids, values.astype(graph.dtype)),
        ("neurons", "trainable"): (ids, np.zeros(len(ids), bool)),
        ("neurons", "activation"): (ids, np.full(len(ids), code)),
    }


# ---------------------------------------------------------------- there and back


def _change(block: WhatIf, values: Values, loose: np.ndarray) -> None:
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
    known = [place for other in _active(graph) for place in other.places.values()]
    tied = np.fromiter(ties.group, np.int64, len(ties.group))
    for id in np.sort(tied[np.isin(tied, loose)]).tolist():
        label = ties.group[id]
        orders = (place.order for place in known if place.label == label and id in place.order)
        place = Place(label, next(orders, tuple(ties.ids[label])))
        known.append(place)
        block.places[id] = place
        ties.leave(id)
    _noted(graph, bool(block.places), ("neurons", "activation") in values)


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
    activated = ("neurons", "activation") in block.before
    if later:
        later[0].made |= block.made
    else:
        activated |= _forget(graph, block.made)
    _noted(graph, bool(block.places), activated)


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


def _noted(graph: NeuronGraph, tied: bool, activated: bool) -> None:
    """Note the edit; where a plan knows of it, it is the same plan but for that."""
    store = graph._store
    store.edits += 1
    if not (tied or activated):
        return
    made: Any = graph.__dict__.get("_plan")
    current = made is not None and made.version == store.version
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
