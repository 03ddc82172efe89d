"""The directed graph whose nodes are neurons and whose edges are synapses.

All access to networkx's adjacency is in its base class (`neurograph.editing`); everything else asks
that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import networkx as nx
import numpy as np

from neurograph.editing import EditableGraph
from neurograph.elements import INPUT, OUTPUT, Neuron, Synapse
from neurograph.errors import GraphError, ParameterError
from neurograph.guard import exclusive
from neurograph.table import Handle

__all__ = ["NeuronGraph"]


class NeuronGraph(EditableGraph):
    """A `networkx.DiGraph` with `Neuron` and `Synapse` objects as attribute mappings.

    Parameters
    ----------
    incoming_graph_data : graph, optional
        Anything from which networkx makes a graph; attributes are taken over.
    seed : int or numpy.random.Generator, optional
        Of the random numbers of this network; one is drawn unless given.
    dtype : {"float64", "float32"}
        Of weights, biases, states and gradients.
    **attr
        Attributes of the graph, as in networkx.
    """

    # ------------------------------------------------------------ verbs of our own

    @exclusive
    def relabel(self, mapping: Mapping | Callable) -> None:
        """Rename neurons in place; gates, ties, handles and every order stay.

        Parameters
        ----------
        mapping : mapping of old to new names, or callable
            May be partial, and may swap names.

        Raises
        ------
        ParameterError
            An old name is not there, or two neurons would have one name.

        Examples
        --------
        >>> net = NeuronGraph([("a", "b")])
        >>> b = net.nodes["b"]
        >>> net.relabel({"b": "B"})
        >>> list(net.edges), b.name
        ([('a', 'B')], 'B')
        """
        self.require_own()
        if nx.is_frozen(self):
            raise GraphError("Frozen graph can't be modified; net.copy() can")
        if callable(mapping):
            mapping = {n: mapping(n) for n in self._node}
        for old in mapping:
            self.neuron(old)
        new = {n: self._as_name(mapping.get(n, n)) for n in self._node}
        if len(set(new.values())) < len(new):
            raise ParameterError("relabel: two neurons would get one name")
        names = list(self._store.names)  # a new list: a plan made before keeps the old names
        for name, neuron in self._node.items():
            names[neuron._id] = new[name]
        # A gate that waits for a neuron of this name finds it now.
        for ghost in [g for g in self._store.ghosts if g in set(new.values())]:
            gater = self._store.synapses.array("gater")
            gater[gater == self._store.ghosts.pop(ghost)] = next(
                self._node[old]._id for old, name in new.items() if name == ghost
            )
        self._store.names = names
        self._rename(new)
        self._store.changed()
        nx._clear_cache(self)

    @exclusive
    def gate(self, gater: Hashable | Neuron, synapse: Synapse, delay: int = 0) -> None:
        """Let the output of `gater` multiply `synapse`: γ of equation (1).

        Parameters
        ----------
        gater : name or Neuron
        synapse : Synapse
        delay : {0, 1}
            1 uses the output of the step before.

        Examples
        --------
        >>> net = NeuronGraph([("a", "b"), ("g", "h")])
        >>> net.gate("g", net.edges["a", "b"])
        >>> net.edges["a", "b"].gater
        'g'
        """
        neuron = self.neuron(gater)
        self.own(synapse).update({"gater": neuron.name, "gate_delay": delay})

    @exclusive
    def ungate(self, synapse: Synapse) -> None:
        """Let nothing multiply `synapse` any more."""
        self.own(synapse).update({"gater": None, "gate_delay": 0})

    @exclusive
    def tie(self, synapses: Iterable[Synapse]) -> None:
        """Let synapses share one weight, that of the first; groups that touch become one.

        Examples
        --------
        >>> net = NeuronGraph([("a", "b", {"weight": 1}), ("b", "c", {"weight": 2})])
        >>> net.tie(net.edges[e] for e in net.edges)
        >>> net.edges["b", "c"].weight
        1.0
        """
        if not isinstance(synapses, Iterable):
            raise ParameterError(f"tie takes synapses, as net.tie([s1, s2]); got {synapses!r}")
        synapses = [self.own(s) for s in synapses]
        if len(set(synapses)) < 2:
            raise ParameterError("tie needs at least two different synapses")
        ties = self._store.synapses.ties
        first = synapses[0]
        label = ties.new() if first.tie is None else first.tie
        shared = {k: getattr(first, k) for k, c in first.columns.items() if c.shared}
        for s in synapses:
            if s.tie is None:
                ties.join(s._id, label)
            elif s.tie != label:
                for id in list(ties.members(s._id)):
                    ties.join(id, label)
        self._store.touch(Synapse.tie)
        first.update(shared)
        self._store.synapses.share_slots(first._id)

    @exclusive
    def untie(self, synapse: Synapse) -> None:
        """Let a synapse have its own weight again, at first the one it shared."""
        label, ties = self.own(synapse).tie, self._store.synapses.ties
        synapse.update({"tie": None})
        if label is not None and len(ties.ids[label]) == 1:  # nothing is left to share with
            ties.leave(ties.ids[label][0])

    # ------------------------------------------------------------ inputs and outputs

    @property
    def inputs(self) -> list:
        """Names of the input neurons, in the order of the columns of X; settable."""
        return self._port_names(INPUT)

    @inputs.setter
    def inputs(self, names: Iterable) -> None:
        self._set_ports("input", names)

    @property
    def outputs(self) -> list:
        """Names of the output neurons, in the order of the columns of Y; settable."""
        return self._port_names(OUTPUT)

    @outputs.setter
    def outputs(self, names: Iterable) -> None:
        self._set_ports("output", names)

    def _port_names(self, role: int) -> list:
        root = self._root()  # a view shows those that it has
        names = [root._store.names[id] for id in root.ports(role)]
        return names if root is self else [n for n in names if n in self]

    def ports(self, role: int) -> np.ndarray:
        """Return the ids of the inputs, or outputs, in the order of their columns."""
        table = self._store.neurons
        ids = table.alive()
        ids = ids[table.values("role", ids) == role]
        return ids[np.argsort(table.values("port", ids), kind="stable")]

    @exclusive
    def _set_ports(self, role: str, names: Iterable) -> None:
        self.require_own()
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise ParameterError(f"{role}s must be a list of names, got {names!r}")
        neurons = [self.neuron(n) for n in names]
        seen: set[int] = set()
        for neuron in neurons:
            if neuron._id in seen:
                raise ParameterError(f"{role}s: {neuron} is named twice")
            seen.add(neuron._id)
        for other in (n for n in neurons if n.role not in ("hidden", role)):
            raise ParameterError(f"{role}s: {other} is an {other.role} already; one role each")
        for name in getattr(self, f"{role}s"):
            self._node[name].role = "hidden"
        for port, neuron in enumerate(neurons):
            neuron.update(role=role, port=port)

    # ------------------------------------------------------------ looking up

    def own(self, synapse: Any) -> Synapse:
        """Return `synapse` if it is one of this network, or raise."""
        if not isinstance(synapse, Synapse):
            raise ParameterError(
                f"expected a synapse of this network, as net.edges[source, target], got {synapse!r}"
            )
        synapse.require_attached()
        if synapse._home is not self._store.synapses:
            raise ParameterError(f"{synapse} belongs to another network")
        return synapse

    def gated_by(self, name: Hashable) -> list[Synapse]:
        """Return the synapses that a neuron gates, oldest first."""
        table = self._store.synapses
        if "gater" not in table.arrays:
            return []
        ids = table.alive()
        return self.handles(Synapse, ids[table.values("gater", ids) == self._node[name]._id])

    def handles(self, kind: type[Handle], ids: np.ndarray) -> list:
        """Return the neurons or synapses of these ids, which are there."""
        names, table = self._store.names, self._store.synapses
        if issubclass(kind, Neuron):
            return [self._node[names[id]] for id in ids.tolist()]
        ends = (table.values(end, ids).tolist() for end in ("source", "target"))
        return [self.between(names[u], names[v]) for u, v in zip(*ends, strict=True)]

    def require_own(self) -> None:
        """Raise if this is a networkx view, which has no numbers of its own."""
        if hasattr(self, "_graph"):
            raise GraphError(
                "this is a read-only view of a network; take net.copy() of it to run or change it"
            )

    # ------------------------------------------------------------ numbers, in networkx's order

    def neuron_ids(self) -> np.ndarray:
        """Return the ids of all neurons in the order of `net.nodes`."""
        return self._store.neurons.alive()

    def synapse_ids(self) -> np.ndarray:
        """Return the ids of all synapses in the order of `net.edges`."""
        cached = self.__dict__.get("_synapse_order")
        if cached is None or cached[0] != self._store.members:
            ids = self._store.synapses.alive()
            order = _stable_order(self._store.synapses.values("source", ids))
            cached = self._synapse_order = (self._store.members, ids[order].astype(np.int32))
        return cached[1]

    def arrange(self, neurons: np.ndarray, synapses: np.ndarray) -> None:
        """Bring the rows into the order of a plan, given by positions of a `Wiring`."""
        store = self._store
        self._node.__dict__.pop("came", None)
        store.neurons.arrange(neurons)
        store.synapses.arrange(synapses)


def _stable_order(key: np.ndarray) -> np.ndarray:
    """Return the stable order of keys of 0 or more, by halves: NumPy sorts 16 bits by counting."""
    order = np.argsort(key.astype(np.uint16), kind="stable")
    if key.max(initial=0) < 2**16:
        return order
    return order[np.argsort((key >> 16).astype(np.uint16)[order], kind="stable")]
