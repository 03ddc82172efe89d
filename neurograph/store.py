"""The numbers of one graph: a table of neurons, a table of synapses, and their names."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Hashable
from typing import Any

import numpy as np

from neurograph.errors import DetachedError
from neurograph.guard import Guard
from neurograph.table import Column, Handle, Table

__all__ = ["Store"]

_tokens = itertools.count()


class Store:
    """The numbers of one graph: a table of neurons, a table of synapses, and their names.

    Attributes
    ----------
    graph : NeuronGraph
        Whose they are.
    token : int
        That no other store in this process has.
    dtype : numpy.dtype
        Of weights, biases, states and gradients.
    names : list
        Node of every neuron id.
    activations : list of str
        Name of every activation code of this store.
    version : int
        Grows with every change that makes a plan stale.
    members : int
        Grows with every neuron or synapse added or removed.
    edits : int
        Grows with every change at all: whoever has looked since need not look again.
    optimizer : str
        Name of the one whose state is in the columns, "" if none is.
    updates : int
        How many updates it has done.
    guard : Guard
        Which thread uses the network.
    """

    def __init__(self, graph: Any, dtype: np.dtype):
        self._graph = weakref.ref(graph)  # so that a graph goes when its last user lets go
        self.dtype, self.token = dtype, next(_tokens)
        self.neurons = Table(self, graph.node_attr_dict_factory)
        self.synapses = Table(self, graph.edge_attr_dict_factory)
        self.names: list[Hashable] = []
        self.activations = ["logistic"]
        self.ghosts: dict[Hashable, int] = {}  # names that gate, but never were in the graph
        self.next_port = [0, 0, 0]
        self.version = self.members = self.edits = 0
        self.optimizer, self.updates = "", 0
        self.guard = Guard()

    @property
    def graph(self) -> Any:
        """Whose numbers these are, or `DetachedError` if that network is gone."""
        graph = self._graph()
        if graph is None:
            raise DetachedError(
                "the network of this neuron or synapse is gone: keep a reference to it as long as"
                " you ask its neurons for their neighbours"
            )
        return graph

    def touch(self, column: Column) -> None:
        """Note that a value of this column was changed by the user."""
        if column.structural:
            self.version += 1
        self.edits += 1

    def changed(self) -> None:
        """Note that neurons or synapses came or went."""
        self.members += 1
        self.version += 1
        self.edits += 1

    def forget_optimizer(self, name: str = "") -> None:
        """Drop what an optimizer keeps, and make room for that of another."""
        for table in (self.neurons, self.synapses):
            for slot in table.slots():
                del table.arrays[slot]
        self.optimizer, self.updates = name, 0

    # -- rows

    def new_neurons(self, names: list[Hashable]) -> range:
        """Take rows for neurons; return their ids."""
        first = self.neurons.append(len(names))
        self.names += names
        for id, name in enumerate(names, first) if self.ghosts else ():
            if name in self.ghosts:
                gater = self.synapses.array("gater")
                gater[gater == self.ghosts.pop(name)] = id
        self.changed()
        return range(first, first + len(names))

    def new_synapses(self, source: Any, target: Any, n: int) -> range:
        """Take rows for synapses between neurons given by id; return their ids."""
        first = self.synapses.append(n)
        rows = slice(self.synapses.rows - n, self.synapses.rows)
        self.synapses.array("source")[rows] = source
        self.synapses.array("target")[rows] = target
        self.changed()
        return range(first, first + n)

    def remove(self, handle: Handle) -> None:
        """Detach a handle; what a removed neuron gates still names it, by its id."""
        handle.detach()
        self.changed()

    def id_of(self, name: Hashable) -> int:
        """Return the id of a neuron; a name that is not in the graph gets one without a row."""
        neuron = self.graph._node.get(name)
        if neuron is not None:
            return neuron._id
        if name not in self.ghosts:
            self.ghosts[name] = self.neurons.burn()
            self.names.append(name)
        return self.ghosts[name]

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_graph": self.graph, "guard": None}

    def __setstate__(self, state: dict) -> None:
        # The token of another process may be taken in this one.
        graph = weakref.ref(state["_graph"])
        self.__dict__.update(state, _graph=graph, token=next(_tokens), guard=Guard())

    def copy(self, graph: Any) -> Store:
        """Return the same numbers, ids and names for another graph."""
        twin = object.__new__(Store)
        twin.__dict__.update(self.__dict__)
        twin._graph, twin.token, twin.guard = weakref.ref(graph), next(_tokens), Guard()
        twin.neurons, twin.synapses = self.neurons.copy(twin), self.synapses.copy(twin)
        twin.names, twin.activations = list(self.names), list(self.activations)
        twin.ghosts, twin.next_port = dict(self.ghosts), list(self.next_port)
        return twin
