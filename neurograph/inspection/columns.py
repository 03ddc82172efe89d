"""Columns of some neurons or synapses: numbers as arrays, names and words as labels.

A label is kept once and pointed at, so that a question about a million sources is asked of
each neuron once.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.graph import NeuronGraph
from neurograph.table import FLOAT, Column, Table

__all__ = ["Columns", "Labels"]

ENDS = ("source", "target", "gater")  # columns that hold a neuron
FEW = 256  # values of a column that are decoded without looking which of them occur


class Labels(NamedTuple):
    """A column of names or words: those that there are, and which one each element has.

    codes : (n,) int array, -1 for None
    values : list
    """

    codes: np.ndarray
    values: list

    def objects(self) -> np.ndarray:
        """Return the labels themselves, an array of objects.

        >>> Labels(np.array([1, -1]), ["a", "b"]).objects()
        array(['b', None], dtype=object)
        """
        return np.fromiter((*self.values, None), object, len(self.values) + 1)[self.codes]

    def where(self, true: np.ndarray) -> np.ndarray:
        """Return for each element what `true` says of its label; its last entry is of None."""
        return true.take(self.codes)


class Columns:
    """What there is to know of some neurons or synapses; a column is read when it is asked for.

    Parameters
    ----------
    graph : NeuronGraph
        With numbers of its own: not a view.
    kind : Neuron or Synapse
    ids : (n,) int array, optional
        Those of elements that are there, each once; all in the order of rows unless given, for
        that nothing has to be gathered.
    """

    def __init__(self, graph: NeuronGraph, kind: type, ids: np.ndarray | None = None):
        self.graph, self.store = graph, graph._store
        self.neurons = issubclass(kind, Neuron)
        self.table: Table = self.store.neurons if self.neurons else self.store.synapses
        self.schema = self.table.schema
        self.rows: Any = slice(self.table.rows) if ids is None else self.table.row_of[ids]
        if ids is not None:
            self.ids = ids

    @cached_property
    def ids(self) -> np.ndarray:
        """Ids in the order of rows, none of which is a gap."""
        alive = self.table.alive()
        ids = np.empty(self.table.rows, np.int64)
        ids[self.table.row_of[alive]] = alive
        return ids

    def __len__(self) -> int:
        return self.table.rows if isinstance(self.rows, slice) else len(self.rows)

    # ------------------------------------------------------------ which there are

    @property
    def derived(self) -> tuple[str, ...]:
        """Names of the columns that are counted from the graph."""
        return ("in_degree", "out_degree", "n_gated") if self.neurons else ("loop",)

    @property
    def names(self) -> list[str]:
        """Names of the columns of the table, without the user's own."""
        first = ("name",) if self.neurons else ("source", "target")
        return [*first, *(name for name in self.schema if name not in first), *self.derived]

    @property
    def own(self) -> list:
        """Names of the user's own attributes, in order of appearance."""
        own = self.table.own
        if not own:
            return []
        found: dict[Any, None] = {}
        for _, id in self.in_own():
            found.update(dict.fromkeys(own[id]))
        return list(found)

    def known(self) -> list[str]:
        """Return all that a query may name, those of the neurons at the ends included."""
        found = [*self.names, *(key for key in self.own if isinstance(key, str))]
        if not self.neurons:
            ends = Columns(self.graph, Neuron, self.graph.neuron_ids())
            found += [f"{end}.{name}" for end in ENDS for name in ends.known()]
        return found

    # ------------------------------------------------------------ reading

    def get(self, name: Any) -> np.ndarray | Labels:
        """Return a column; `KeyError` if there is none.

        Numbers have the dtype in which they are kept. "source.bias" is a column of the
        neurons where synapses start; "target." and "gater." likewise.
        """
        if name in self.schema:
            return self.stored(self.schema[name])
        if self.neurons and name == "name":
            return Labels(self.ids, self.store.names)
        if name in self.derived:
            return self.counted(name)
        if isinstance(name, str) and not self.neurons:
            end, _, rest = name.partition(".")
            if end in ENDS and rest:
                return self.of_end(end, rest)
        return self.own_values(name)

    def stored(self, column: Column) -> np.ndarray | Labels:
        """Return a column of the store."""
        name = column.name
        if name == Synapse.tie.name and not self.neurons:
            return self.ties()
        values = self.numbers(column)
        if not self.neurons and name in ENDS:
            return Labels(values, self.store.names)
        return values if column.decode is None else self.decoded(column, values)

    def numbers(self, column: Column) -> np.ndarray:
        """Return a column as it is kept."""
        array = self.table.arrays.get(column.name)
        if array is not None:
            return array[self.rows]
        dtype = self.store.dtype if column.dtype is FLOAT else column.dtype
        return np.full(len(self), column.default, dtype)

    def decoded(self, column: Column, values: np.ndarray) -> Labels:
        """Return what users see in place of stored codes."""
        if len(values) and (values.min() < 0 or values.max() >= FEW):
            stored, codes = np.unique(values, return_inverse=True)
        else:
            stored, codes = np.arange(values.max(initial=-1) + 1), values
        decode: Any = column.decode
        return Labels(codes, [decode(self.store, code) for code in stored.tolist()])

    def of_end(self, end: str, name: str) -> np.ndarray | Labels:
        """Return a column of the neurons at one end; None or NaN where there is no neuron."""
        ends = Columns(self.graph, Neuron, self.graph.neuron_ids())
        at, column = ends.place()[self.numbers(self.schema[end])], ends.get(name)
        if isinstance(column, Labels):
            return Labels(np.append(column.codes, -1)[at], column.values)
        return np.append(column, np.nan)[at] if (at < 0).any() else column[at]

    def place(self) -> np.ndarray:
        """Return where each id is among ours, -1 for those that are not."""
        place = np.full(self.table.ids + 1, -1)  # the last entry is that of id -1
        place[self.ids] = np.arange(len(self))
        return place

    def ties(self) -> Labels:
        """Return the labels of groups of tied synapses."""
        group = self.table.ties.group
        codes = np.full(len(self), -1)
        values = list(dict.fromkeys(group.values()))
        if group:
            number = {label: code for code, label in enumerate(values)}
            at = self.place()[list(group)]
            found = np.array([number[label] for label in group.values()])
            codes[at[at >= 0]] = found[at >= 0]
        return Labels(codes, values)

    def counted(self, name: str) -> np.ndarray:
        """Return a column that the graph says."""
        synapses = self.store.synapses
        if name == "loop":
            return self.numbers(self.schema["source"]) == self.numbers(self.schema["target"])
        end = {"in_degree": "target", "out_degree": "source", "n_gated": "gater"}[name]
        ends = synapses.values(end, synapses.alive())
        counts = np.bincount(ends[ends >= 0], minlength=max(1, self.store.neurons.ids))
        return counts[self.ids]

    def own_values(self, name: Any) -> np.ndarray | Labels:
        """Return a user's own attribute: numbers, NaN where there is none, or else labels.

        Which of them it is depends on all elements that the network has, not on ours.
        """
        own = self.table.own
        every = [own[id][name] for id in own if name in own[id]]
        if not every:
            raise KeyError(name)
        pairs = [(i, own[id][name]) for i, id in self.in_own() if name in own[id]]
        at, values = np.array([i for i, _ in pairs], int), [value for _, value in pairs]
        if all(isinstance(v, (bool, np.bool_)) for v in every) and len(every) == self.table.live:
            found = np.zeros(len(self), bool)
        elif all(isinstance(v, (int, float, np.number, np.bool_)) for v in every):
            found = np.full(len(self), np.nan)
        else:
            return self.own_labels(at, values)
        try:
            found[at] = values
        except OverflowError:  # a whole number beyond all floats
            return self.own_labels(at, values)
        return found

    def in_own(self) -> Iterable[tuple[int, int]]:
        """Return place and id of our elements that have attributes of the user."""
        own = self.table.own
        if len(own) < len(self):
            place = self.place()
            return sorted((int(place[id]), id) for id in own if place[id] >= 0)
        return [(i, id) for i, id in enumerate(self.ids.tolist()) if id in own]

    def own_labels(self, at: np.ndarray, values: list) -> Labels:
        """Return labels of any kind; those that cannot be hashed stay apart."""
        codes = np.full(len(self), -1)
        kinds: dict[Any, int] = {}
        labels: list = []
        for i, value in zip(at.tolist(), values, strict=True):
            if value is None:
                continue
            try:
                code = kinds.setdefault((type(value), value), len(labels))
            except TypeError:
                code = len(labels)
            if code == len(labels):
                labels.append(value)
            codes[i] = code
        return Labels(codes, labels)

    # ------------------------------------------------------------ tables

    def table_of_all(self) -> dict[Any, np.ndarray]:
        """Return every column by its name; a user's own whose name is taken says so."""
        found = {}
        for name in self.names:
            found[name] = _plain(self.get(name))
        for key in self.own:
            found[f"{key} (own)" if key in found else key] = _plain(self.own_values(key))
        return found


def _plain(column: np.ndarray | Labels) -> np.ndarray:
    return column.objects() if isinstance(column, Labels) else column
