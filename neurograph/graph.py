"""The directed graph whose nodes are neurons and whose edges are synapses.

All access to networkx's adjacency is here; everything else asks this class.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from neurograph.elements import INPUT, OUTPUT, READS_STATE, Neuron, Store, Synapse
from neurograph.errors import GraphError, ParameterError, suggest
from neurograph.store import Column, Handle

__all__ = ["NeuronGraph", "Wiring"]


class _Nodes(dict):
    """networkx's node dict; a plain mapping put in (`relabel_nodes` does) updates the neuron."""

    def __setitem__(self, name: Hashable, value: Any) -> None:
        if isinstance(value, Neuron):
            super().__setitem__(name, value)
        else:
            self[name].update(value)

    def update(self, items: Any = (), /, **more: Any) -> None:
        for name, value in dict(items, **more).items():
            self[name] = value


@dataclass(frozen=True)
class Wiring:
    """The structure of a graph as arrays, neurons and synapses in order of insertion.

    Attributes
    ----------
    n_neurons : int
    source, target, delay : (E,) int
        Neurons by position.
    reads_state : (E,) bool
    gater : (E,) int
        Position of the gating neuron, -1 for none.
    gate_delay : (E,) int
    activation : (N,) int
        Index into `activations`.
    activations : tuple of str
    inputs, outputs : (n,) int
        In the order of the columns of X and Y.
    ties : list of (k,) int
        Groups of synapses that share a weight.
    names : sequence
        Of the neurons, by position.
    """

    n_neurons: int
    source: np.ndarray
    target: np.ndarray
    delay: np.ndarray
    reads_state: np.ndarray
    gater: np.ndarray
    gate_delay: np.ndarray
    activation: np.ndarray
    activations: tuple[str, ...]
    inputs: np.ndarray
    outputs: np.ndarray
    ties: list[np.ndarray]
    names: Sequence[Hashable]


class NeuronGraph(nx.DiGraph):
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

    _node: Any  # networkx's own dicts, under its own names
    _adj: Any
    _succ: Any
    _pred: Any
    node_dict_factory = _Nodes
    node_attr_dict_factory: type[Neuron] = Neuron  # what the attribute mappings are
    edge_attr_dict_factory: type[Synapse] = Synapse

    def __init__(
        self,
        incoming_graph_data: Any = None,
        *,
        seed: int | np.random.Generator | None = None,
        dtype: Any = "float64",
        **attr: Any,
    ):
        self._store = Store(self, _float_dtype(dtype))
        self._rng, self.seed = _generator(seed)
        super().__init__(incoming_graph_data, **attr)

    @property
    def dtype(self) -> np.dtype:
        """Dtype of weights, biases, states and gradients."""
        return self._store.dtype

    @property
    def rng(self) -> np.random.Generator:
        """The generator from which everything random in this network is drawn."""
        if self._rng is None:
            if self.seed is None:
                self.seed = np.random.SeedSequence().entropy  # type: ignore[assignment]
            self._rng = np.random.default_rng(self.seed)
        return self._rng

    # ------------------------------------------------------------ networkx's edit verbs

    def add_node(self, node_for_adding: Hashable, **attr: Any) -> None:
        """Add a neuron, or change the given attributes of an existing one."""
        self._put_neurons([(node_for_adding, attr)])

    def add_nodes_from(self, nodes_for_adding: Iterable, **attr: Any) -> None:
        """Add many neurons: nodes, or pairs of a node and its attributes. All or none."""
        items = []
        for node in nodes_for_adding:
            try:
                node in self._node  # noqa: B015  # unhashable: a (node, attributes) pair
                items.append((node, attr))
            except TypeError:
                node, own = node
                items.append((node, {**attr, **own}))
        self._put_neurons(items)

    def remove_node(self, n: Hashable) -> None:
        """Remove a neuron and its synapses; their handles keep the last values."""
        if n not in self._node:
            raise GraphError(f"The node {n} is not in the graph.")
        for v in list(self._succ[n]):
            self._drop_edge(n, v)
        for u in list(self._pred[n]):
            self._drop_edge(u, n)
        self._store.remove(self._node[n])
        for adjacency in (self._node, self._succ, self._pred):
            del adjacency[n]
        nx._clear_cache(self)

    def remove_nodes_from(self, nodes: Iterable) -> None:
        """Remove many neurons; those that are not there are ignored."""
        for n in nodes:
            if n in self._node:
                self.remove_node(n)

    def add_edge(self, u_of_edge: Hashable, v_of_edge: Hashable, **attr: Any) -> None:
        """Add a synapse and the neurons it needs, or change an existing one."""
        self._put_synapses([(u_of_edge, v_of_edge, attr)])

    def add_edges_from(self, ebunch_to_add: Iterable, **attr: Any) -> None:
        """Add many synapses: (u, v) or (u, v, attributes). All or none."""
        items = []
        for edge in ebunch_to_add:
            if len(edge) == 3:
                items.append((edge[0], edge[1], {**attr, **edge[2]}))
            elif len(edge) == 2:
                items.append((*edge, attr))
            else:
                raise GraphError(f"Edge tuple {edge} must be a 2-tuple or 3-tuple.")
        self._put_synapses(items)

    def remove_edge(self, u: Hashable, v: Hashable) -> None:
        """Remove a synapse; its handle keeps the last values."""
        if not self.has_edge(u, v):
            raise GraphError(f"The edge {u}-{v} not in graph.")
        self._drop_edge(u, v)
        nx._clear_cache(self)

    def remove_edges_from(self, ebunch: Iterable) -> None:
        """Remove many synapses; those that are not there are ignored."""
        for edge in ebunch:
            if self.has_edge(*edge[:2]):
                self._drop_edge(*edge[:2])
        nx._clear_cache(self)

    def clear_edges(self) -> None:
        """Remove all synapses."""
        self.remove_edges_from(list(self.edges))

    def clear(self) -> None:
        """Remove everything, the graph's own attributes too (`reset_state` is another thing)."""
        self.clear_edges()
        self.remove_nodes_from(list(self._node))
        self.graph.clear()
        nx._clear_cache(self)

    def copy(self, as_view: bool = False) -> NeuronGraph:
        """Return an independent network with the same numbers, ties, gates and generator.

        User attributes are shared, as in networkx; `copy.deepcopy` copies them too.
        """
        return super().copy(as_view=True) if as_view else self._clone(dict)

    def __copy__(self) -> NeuronGraph:
        return self.copy()

    def __deepcopy__(self, memo: dict) -> NeuronGraph:
        return self._clone(lambda attributes: deepcopy(attributes, memo))

    # ------------------------------------------------------------ verbs of our own

    def relabel(self, mapping: Mapping) -> None:
        """Rename neurons in place; gates, ties, handles and every order stay.

        Parameters
        ----------
        mapping : mapping of old to new names
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
        for old in mapping:
            self.neuron(old)
        new = {n: mapping.get(n, n) for n in self._node}
        if len(set(new.values())) < len(new) or None in new.values():
            raise ParameterError(
                f"relabel: two neurons would get one name, or None, by {mapping!r}"
            )
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
        nodes = _Nodes()
        for n, neuron in self._node.items():
            nodes[new[n]] = neuron
        succ = {new[u]: {new[v]: s for v, s in row.items()} for u, row in self._succ.items()}
        pred = {new[v]: {new[u]: s for u, s in row.items()} for v, row in self._pred.items()}
        self._node, self._adj, self._pred = nodes, succ, pred
        self._store.changed()
        nx._clear_cache(self)

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

    def ungate(self, synapse: Synapse) -> None:
        """Let nothing multiply `synapse` any more."""
        self.own(synapse).update({"gater": None, "gate_delay": 0})

    def tie(self, synapses: Iterable[Synapse]) -> None:
        """Let synapses share one weight, that of the first; groups that touch become one.

        Examples
        --------
        >>> net = NeuronGraph([("a", "b", {"weight": 1}), ("b", "c", {"weight": 2})])
        >>> net.tie(net.edges[e] for e in net.edges)
        >>> net.edges["b", "c"].weight
        1.0
        """
        synapses = [self.own(s) for s in synapses]
        if len({s._id for s in synapses}) < 2:
            raise ParameterError("tie needs at least two different synapses")
        ties = self._store.synapses.ties
        ids = [id for s in synapses for id in (ties.members(s._id) if s.tie else [s._id])]
        first = synapses[0]
        label = first.tie or ties.new()
        weight, trainable = first.weight, first.trainable
        for id in ids:
            ties.join(id, label)
        self._store.touch(Synapse.tie)
        first.update(weight=weight, trainable=trainable)

    def untie(self, synapse: Synapse) -> None:
        """Let a synapse have its own weight again, at first the one it shared."""
        self.own(synapse).update({"tie": None})
        for ids in self._store.synapses.ties.ids.values():
            if len(ids) == 1:  # nothing is left to share with
                self._store.synapses.ties.leave(ids[0])

    @property
    def inputs(self) -> list:
        """Names of the input neurons, in the order of the columns of X; settable."""
        return [self._store.names[id] for id in self._ports(INPUT)]

    @inputs.setter
    def inputs(self, names: Iterable) -> None:
        self._set_ports("input", names)

    @property
    def outputs(self) -> list:
        """Names of the output neurons, in the order of the columns of Y; settable."""
        return [self._store.names[id] for id in self._ports(OUTPUT)]

    @outputs.setter
    def outputs(self, names: Iterable) -> None:
        self._set_ports("output", names)

    # ------------------------------------------------------------ looking up

    def neuron(self, name: Any) -> Neuron:
        """Return the neuron of that name (a handle is fine too), or say that there is none."""
        if isinstance(name, Neuron):
            name.require_attached()
            if name._home is not self._store.neurons:
                raise ParameterError(f"{name} belongs to another network")
            return name
        try:
            return self._node[name]
        except (KeyError, TypeError):
            raise ParameterError(
                f"no neuron {name!r} in this network.{suggest(name, self._node)}"
            ) from None

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

    def incoming(self, name: Hashable) -> list[Synapse]:
        """Return the synapses that end in a neuron."""
        return list(self._pred[name].values())

    def outgoing(self, name: Hashable) -> list[Synapse]:
        """Return the synapses that start in a neuron."""
        return list(self._succ[name].values())

    def gated_by(self, name: Hashable) -> list[Synapse]:
        """Return the synapses that a neuron gates, oldest first."""
        table = self._store.synapses
        if "gater" not in table.arrays:
            return []
        ids = table.alive()
        ids = ids[table.values("gater", ids) == self._node[name]._id]
        ends = zip(table.values("source", ids), table.values("target", ids), strict=True)
        names = self._store.names
        return [self._succ[names[u]][names[v]] for u, v in ends]

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
            order = np.argsort(self._store.synapses.values("source", ids), kind="stable")
            cached = self._synapse_order = (self._store.members, ids[order])
        return cached[1]

    def wiring(self) -> Wiring:
        """Return the structure as arrays; raise if a gater is not in the graph."""
        store = self._store
        neurons, synapses = self.neuron_ids(), store.synapses.alive()
        position = np.full(max(1, store.neurons.ids), -1, np.int64)
        position[neurons] = np.arange(len(neurons))
        gater = store.synapses.values("gater", synapses)
        lost = np.flatnonzero((gater >= 0) & (position[gater] < 0))
        if len(lost):
            self._raise_lost_gater(synapses[lost[0]])
        index = np.full(max(1, store.synapses.ids), -1, np.int64)
        index[synapses] = np.arange(len(synapses))
        values = store.synapses.values
        return Wiring(
            n_neurons=len(neurons),
            source=position[values("source", synapses)],
            target=position[values("target", synapses)],
            delay=values("delay", synapses),
            reads_state=values("reads", synapses) == READS_STATE,
            gater=np.where(gater >= 0, position[gater], -1),
            gate_delay=values("gate_delay", synapses),
            activation=store.neurons.values("activation", neurons),
            activations=tuple(store.activations),
            inputs=position[self._ports(INPUT)],
            outputs=position[self._ports(OUTPUT)],
            ties=[index[group] for group in store.synapses.ties.groups()],
            names=[store.names[id] for id in neurons],
        )

    def adopt_synapses(self, source: np.ndarray, target: np.ndarray) -> None:
        """Add synapses between neurons given by position, all of them new pairs."""
        neurons, names = self.neuron_ids(), list(self._node)
        table, synapse_type = self._store.synapses, self.edge_attr_dict_factory
        ids = self._store.new_synapses(neurons[source], neurons[target], len(source))
        succ, pred = [self._succ[n] for n in names], [self._pred[n] for n in names]
        for id, i, j in zip(ids, source.tolist(), target.tolist(), strict=True):
            succ[i][names[j]] = pred[j][names[i]] = synapse_type(table, id)
        nx._clear_cache(self)

    def arrange(self, neurons: np.ndarray, synapses: np.ndarray) -> None:
        """Bring the rows into the order of a plan, given by positions of a `Wiring`."""
        store = self._store
        store.neurons.arrange(store.neurons.alive()[neurons])
        store.synapses.arrange(store.synapses.alive()[synapses])

    # ------------------------------------------------------------ inside

    def _put_neurons(self, items: Sequence[tuple[Hashable, Mapping]]) -> None:
        neuron_type = self.node_attr_dict_factory
        roles: dict[Hashable, str] = {}
        ready = []
        for name, attributes in items:
            name = self._as_name(name)
            if name not in roles:
                roles[name] = self._node[name].role if name in self._node else "hidden"
            ready.append(
                (name, *neuron_type.encode(name, _given(attributes, neuron_type), roles[name]))
            )
            roles[name] = attributes.get("role") or roles[name]
        self._create([name for name, _, _ in ready])
        for name, values, own in ready:
            self._node[name].apply(values, own)
        nx._clear_cache(self)

    def _put_synapses(self, items: Sequence[tuple[Hashable, Hashable, Mapping]]) -> None:
        synapse_type = self.edge_attr_dict_factory
        now: dict[tuple, dict[Column, Any]] = {}
        ready = []
        for u, v, attributes in items:
            u, v = self._as_name(u), self._as_name(v)
            if (u, v) not in now and self.has_edge(u, v):
                now[u, v] = Synapse.stored_now(self._succ[u][v])
            values, own = synapse_type.encode(
                u, v, _given(attributes, synapse_type), now.get((u, v))
            )
            now[u, v] = {**now.get((u, v), {}), **values}
            ready.append((u, v, values, own))
        self._create([name for u, v, _, _ in ready for name in (u, v)])
        for u, v, values, own in ready:
            synapse = self._succ[u].get(v) or self._new_synapse(u, v, Synapse.weight in values)
            synapse.apply(values, own)
        nx._clear_cache(self)

    def _create(self, names: list[Hashable]) -> None:
        missing = list(dict.fromkeys(n for n in names if n not in self._node))
        if missing:
            for name, id in zip(missing, self._store.new_neurons(missing), strict=True):
                self._succ[name] = self.adjlist_inner_dict_factory()
                self._pred[name] = self.adjlist_inner_dict_factory()
                self._node[name] = self.node_attr_dict_factory(self._store.neurons, id)

    def _new_synapse(self, u: Hashable, v: Hashable, has_weight: bool) -> Synapse:
        ends = self._node[u]._id, self._node[v]._id
        id = self._store.new_synapses(*ends, 1)[0]
        synapse = self.edge_attr_dict_factory(self._store.synapses, id)
        self._succ[u][v] = self._pred[v][u] = synapse
        if not has_weight:
            Synapse.weight.save(self._store.synapses, synapse._id, self.rng.uniform(-0.1, 0.1))
        return synapse

    def _drop_edge(self, u: Hashable, v: Hashable) -> None:
        self._store.remove(self._succ[u][v])
        del self._succ[u][v]
        del self._pred[v][u]

    def _as_name(self, name: Any) -> Hashable:
        if isinstance(name, Neuron):
            return self.neuron(name).name
        if name is None:
            raise ParameterError("None cannot be a node")
        hash(name)
        return name

    def _clone(self, copied: Callable[[dict], dict]) -> NeuronGraph:
        root = self
        while hasattr(root, "_graph"):
            root = root._graph
        twin = self.__class__(dtype=root.dtype)
        twin._rng, twin.seed = deepcopy(root._rng), root.seed
        twin.graph.update(copied(self.graph))
        if root is not self:  # a view: what it shows, as a network of its own
            twin.add_nodes_from((n, copied(dict(d))) for n, d in self._node.items())
            twin.add_edges_from((u, v, copied(dict(d))) for u, v, d in self.edges(data=True))
            return twin
        twin._store = store = self._store.copy(twin)
        for n, old in self._node.items():
            own = old._own and copied(old._own)
            twin._node[n] = self.node_attr_dict_factory(store.neurons, old._id, own)
            twin._pred[n] = twin.adjlist_inner_dict_factory()
        for u, row in self._succ.items():
            twin._succ[u] = {
                v: self.edge_attr_dict_factory(
                    store.synapses, old._id, old._own and copied(old._own)
                )
                for v, old in row.items()
            }
        for v, row in self._pred.items():
            twin._pred[v].update((u, twin._succ[u][v]) for u in row)
        return twin

    def __getstate__(self) -> dict:
        passing = ("_plan", "_tape", "_synapse_order", "adj", "nodes", "edges", "succ", "pred")
        return {k: v for k, v in self.__dict__.items() if k not in passing}

    def _ports(self, role: int) -> np.ndarray:
        table = self._store.neurons
        ids = table.alive()
        ids = ids[table.values("role", ids) == role]
        return ids[np.argsort(table.values("port", ids), kind="stable")]

    def _set_ports(self, role: str, names: Iterable) -> None:
        self.require_own()
        neurons = [self.neuron(n) for n in names]
        for twice in (n for i, n in enumerate(neurons) if n in neurons[:i]):
            raise ParameterError(f"{role}s: {twice} is named twice")
        for other in (n for n in neurons if n.role not in ("hidden", role)):
            raise ParameterError(f"{role}s: {other} is an {other.role} already; one role each")
        for name in getattr(self, f"{role}s"):
            self._node[name].role = "hidden"
        for port, neuron in enumerate(neurons):
            neuron.update(role=role, port=port)

    def _raise_lost_gater(self, id: int) -> None:
        table = self._store.synapses
        u, v, k = (table.read(id, c) for c in (Synapse.source, Synapse.target, Synapse.gater))
        raise ParameterError(
            f"synapse {u!r} -> {v!r} is gated by {k!r}, which is not in the graph."
            f"{suggest(k, self._node)} Name another gater, net.edges[{u!r}, {v!r}].gater = ...,"
            f" or net.ungate(net.edges[{u!r}, {v!r}]); net.relabel keeps gates when names change"
        )


def _given(attributes: Mapping, cls: type[Handle]) -> dict:
    """Drop parameters that are None: not given."""
    return {k: v for k, v in attributes.items() if v is not None or k not in cls.keyed}


def _float_dtype(dtype: Any) -> np.dtype:
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found not in (np.dtype("float64"), np.dtype("float32")):
        raise ParameterError(f"dtype must be 'float64' or 'float32', got {dtype!r}")
    return found


def _generator(seed: Any) -> tuple[np.random.Generator | None, int | None]:
    if isinstance(seed, np.random.Generator):
        return seed, None
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if seed is None or (whole and seed >= 0):
        return None, None if seed is None else int(seed)
    raise ParameterError(f"seed must be a whole number of 0 or more, got {seed!r}")
