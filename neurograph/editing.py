"""Networkx's edit verbs on a directed graph of neurons and synapses, and what they put where.

All access to networkx's adjacency is here, so that it can be made otherwise; a test holds that.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import networkx as nx
import numpy as np

from neurograph.elements import GaterId, Neuron, Synapse, not_given
from neurograph.errors import GraphError, ParameterError, suggest
from neurograph.guard import exclusive
from neurograph.store import Store
from neurograph.table import Column, Handle, Items
from neurograph.values import float_dtype, generator, hashable

__all__ = ["EditableGraph"]

PIECE = 2**14  # synapses adopted at once, whose numbers are Python objects meanwhile


class _Nodes(dict):
    """networkx's node dict; a plain mapping put in (`relabel_nodes` does) updates the neuron.

    `came` notes under which name each neuron of another network came in that way, for gates
    that come after it.
    """

    def __setitem__(self, name: Hashable, value: Any) -> None:
        if isinstance(value, Neuron):
            super().__setitem__(name, value)
        else:
            self[name].update(value)
            if isinstance(value, Items):
                self.__dict__.setdefault("came", {})[value.token, value.id] = name

    def __getstate__(self) -> None:
        """Return nothing: what came is known by numbers that mean nothing in another process."""

    def update(self, items: Any = (), /, **more: Any) -> None:
        for name, value in dict(items, **more).items():
            self[name] = value


class EditableGraph(nx.DiGraph):
    """Networkx's edit verbs: each checks everything, then applies, so an error changes nothing."""

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
        self._store = Store(self, float_dtype(dtype))
        self._rng, self.seed = generator(seed)
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

    @exclusive
    def add_node(self, node_for_adding: Hashable, **attr: Any) -> None:
        """Add a neuron, or change the given attributes of an existing one."""
        self._put_neurons([(node_for_adding, attr)])

    @exclusive
    def add_nodes_from(self, nodes_for_adding: Iterable, **attr: Any) -> None:
        """Add many neurons: nodes, or pairs of a node and its attributes. All or none."""
        items = []
        for node in nodes_for_adding:
            pair = isinstance(node, tuple) and len(node) == 2 and not hashable(node)
            name, own = node if pair else (node, {})
            items.append((name, {**attr, **own}))
        self._put_neurons(items)

    @exclusive
    def remove_node(self, n: Hashable) -> None:
        """Remove a neuron and its synapses; their handles keep the last values."""
        n = self._as_name(n)
        if n not in self._node:
            raise GraphError(f"The node {n} is not in the graph.{suggest(n, self._node)}")
        for v in list(self._succ[n]):
            self._drop_edge(n, v)
        for u in list(self._pred[n]):
            self._drop_edge(u, n)
        self._store.remove(self._node[n])
        for adjacency in (self._node, self._succ, self._pred):
            del adjacency[n]
        nx._clear_cache(self)

    @exclusive
    def remove_nodes_from(self, nodes: Iterable) -> None:
        """Remove many neurons; those that are not there are ignored."""
        for n in [self._as_name(n) for n in nodes]:
            if n in self._node:
                self.remove_node(n)

    @exclusive
    def add_edge(self, u_of_edge: Hashable, v_of_edge: Hashable, **attr: Any) -> None:
        """Add a synapse and the neurons it needs, or change an existing one."""
        self._put_synapses([(u_of_edge, v_of_edge, attr)])

    @exclusive
    def add_edges_from(self, ebunch_to_add: Iterable, **attr: Any) -> None:
        """Add many synapses: (u, v) or (u, v, attributes). All or none."""
        self._put_synapses(self._edge_items(ebunch_to_add, attr))

    @exclusive
    def remove_edge(self, u: Hashable, v: Hashable) -> None:
        """Remove a synapse; its handle keeps the last values."""
        u, v = self._as_name(u), self._as_name(v)
        if not self.has_edge(u, v):
            raise GraphError(f"The edge {u}-{v} not in graph.")
        self._drop_edge(u, v)
        nx._clear_cache(self)

    @exclusive
    def remove_edges_from(self, ebunch: Iterable) -> None:
        """Remove many synapses; those that are not there are ignored."""
        for u, v in [(self._as_name(e[0]), self._as_name(e[1])) for e in ebunch]:
            if self.has_edge(u, v):
                self._drop_edge(u, v)
        nx._clear_cache(self)

    @exclusive
    def update(self, edges: Any = None, nodes: Any = None) -> None:
        """Add edges and nodes, or those of another graph. All or none."""
        if isinstance(edges, nx.Graph):
            if nodes is None:
                self._check_synapses(self._edge_items(edges.edges.data(), {}))
                return super().update(edges)
            edges = edges.edges.data()
        if edges is not None:
            edges = list(edges) if isinstance(edges, Iterable) else [edges]
            self._check_synapses(self._edge_items(edges, {}))
        return super().update(edges=edges, nodes=nodes)

    @exclusive
    def clear_edges(self) -> None:
        """Remove all synapses."""
        self.remove_edges_from(list(self.edges))

    @exclusive
    def clear(self) -> None:
        """Remove everything, the graph's own attributes too (`reset_state` is another thing)."""
        self.clear_edges()
        self.remove_nodes_from(list(self._node))
        self.graph.clear()
        nx._clear_cache(self)

    @exclusive
    def copy(self, as_view: bool = False) -> EditableGraph:
        """Return an independent network with the same numbers, ties, gates and generator.

        User attributes are shared, as in networkx; `copy.deepcopy` copies them too.
        """
        if as_view:
            return super().copy(as_view=True)
        return self._clone(self._empty(), dict)

    def __copy__(self) -> EditableGraph:
        return self.copy()

    @exclusive
    def __deepcopy__(self, memo: dict) -> EditableGraph:
        memo[id(self)] = twin = self._empty()
        return self._clone(twin, lambda attributes: deepcopy(attributes, memo))

    def _empty(self) -> EditableGraph:
        return self.__class__(dtype=self._root().dtype)

    @exclusive
    def adopt_synapses(self, source: np.ndarray, target: np.ndarray) -> None:
        """Add synapses between neurons given by position, all of them new pairs."""
        neurons, names = self._store.neurons.alive().astype(np.int32), list(self._node)
        table, synapse_type = self._store.synapses, self.edge_attr_dict_factory
        ids = self._store.new_synapses(neurons[source], neurons[target], len(source))
        succ, pred = [self._succ[n] for n in names], [self._pred[n] for n in names]
        with _no_garbage():
            for start in range(0, len(source), PIECE):
                piece = slice(start, start + PIECE)
                ends = source[piece].tolist(), target[piece].tolist()
                for id, i, j in zip(ids[piece], *ends, strict=True):
                    succ[i][names[j]] = pred[j][names[i]] = synapse_type(table, id)
        nx._clear_cache(self)

    # ------------------------------------------------------------ inside

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

    def _edge_items(self, edges: Iterable, attr: dict) -> list[tuple]:
        items = []
        for edge in edges:
            if len(edge) not in (2, 3):
                raise GraphError(f"Edge tuple {edge} must be a 2-tuple or 3-tuple.")
            own = self._arriving(edge) if len(edge) == 3 else {}
            items.append((edge[0], edge[1], {**attr, **own}))
        return items

    def _arriving(self, edge: Sequence) -> dict:
        """Return the attributes of an edge, with the names that gaters and ties have here."""
        data = edge[2]
        try:
            attributes = dict(data)
        except (TypeError, ValueError):
            raise GraphError(
                f"Edge tuple {edge} must hold a dict of attributes;"
                " net.add_weighted_edges_from takes weights"
            ) from None
        if not isinstance(data, (Synapse, Items)):
            return attributes
        abroad = data.token != self._store.token
        if abroad and "tie" in attributes:
            ties = self._store.synapses.ties
            attributes["tie"] = ties.local(attributes["tie"], data.token)
        if data.gater_id is not None and attributes.get("gater") == data.gater:
            came = self._node.__dict__.get("came", {})
            name = came.get((data.token, data.gater_id), attributes["gater"])
            attributes["gater"] = name if abroad else GaterId(data.gater_id)
        return attributes

    def _put_neurons(self, items: Sequence[tuple[Hashable, Mapping]]) -> None:
        neuron_type = self.node_attr_dict_factory
        roles: dict[Hashable, str] = {}
        ready = []
        for name, attributes in items:
            name = self._as_name(name)
            if name not in roles:
                roles[name] = self._node[name].role if name in self._node else "hidden"
            given = _given(attributes, neuron_type)
            ready.append((name, *neuron_type.encode(name, given, roles[name], self.dtype)))
            roles[name] = given.get("role", roles[name])
        self._create([name for name, _, _ in ready])
        for name, values, own in ready:
            self._node[name].apply(values, own)
        nx._clear_cache(self)

    def _check_synapses(self, items: Sequence[tuple[Hashable, Hashable, Mapping]]) -> list[tuple]:
        synapse_type = self.edge_attr_dict_factory
        now: dict[tuple, dict[Column, Any]] = {}
        ready = []
        for u, v, attributes in items:
            u, v = self._as_name(u), self._as_name(v)
            if (u, v) not in now and self.has_edge(u, v):
                now[u, v] = self._succ[u][v].stored_now()
            given = _given(attributes, synapse_type)
            if isinstance(given.get("gater"), Neuron):
                given["gater"] = self.neuron(given["gater"]).name
            values, own = synapse_type.encode(u, v, given, now.get((u, v)), self.dtype)
            now[u, v] = {**now.get((u, v), {}), **values}
            ready.append((u, v, values, own))
        return ready

    def _put_synapses(self, items: Sequence[tuple[Hashable, Hashable, Mapping]]) -> None:
        ready = self._check_synapses(items)
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

    # ------------------------------------------------------------ adjacency, for everybody else

    def between(self, source: Hashable, target: Hashable) -> Synapse:
        """Return the synapse between two neurons, which is there."""
        return self._succ[source][target]

    def incoming(self, name: Hashable) -> list[Synapse]:
        """Return the synapses that end in a neuron."""
        return list(self._pred[name].values())

    def outgoing(self, name: Hashable) -> list[Synapse]:
        """Return the synapses that start in a neuron."""
        return list(self._succ[name].values())

    def _rename(self, new: Mapping[Hashable, Hashable]) -> None:
        """Give every neuron its new name in networkx's dicts; those of views stay as they are."""
        nodes = self.node_dict_factory()
        for n, neuron in self._node.items():
            nodes[new[n]] = neuron
        succ = {new[u]: {new[v]: s for v, s in row.items()} for u, row in self._succ.items()}
        pred = {new[v]: {new[u]: s for u, s in row.items()} for v, row in self._pred.items()}
        self._node, self._adj, self._pred = nodes, succ, pred

    # ------------------------------------------------------------ inside

    def _as_name(self, name: Any) -> Hashable:
        if isinstance(name, Neuron):
            return self.neuron(name).name
        if name is None:
            raise ParameterError("None cannot be a node")
        if not hashable(name):
            raise ParameterError(f"the name of a neuron must be hashable, got {name!r:.80}")
        return name

    def _root(self) -> EditableGraph:
        root = self
        while hasattr(root, "_graph"):
            root = root._graph
        return root

    def _clone(self, twin: EditableGraph, copied: Callable[[dict], dict]) -> EditableGraph:
        """Fill an empty network with what this one, or this view, has."""
        root = self._root()
        twin._rng, twin.seed = deepcopy(root._rng), root.seed
        if root is not self:
            twin.add_nodes_from((n, dict(d)) for n, d in self._node.items())
            twin.add_edges_from(self.edges(data=True))
        else:
            twin._store = store = self._store.copy(twin)
            for n, old in self._node.items():
                twin._node[n] = self.node_attr_dict_factory(store.neurons, old._id)
                twin._succ[n] = twin.adjlist_inner_dict_factory()
                twin._pred[n] = twin.adjlist_inner_dict_factory()
            for u, row in self._succ.items():
                for v, old in row.items():
                    twin._succ[u][v] = self.edge_attr_dict_factory(store.synapses, old._id)
            for v, row in self._pred.items():  # in the order of arrival, another one
                twin._pred[v].update((u, twin._succ[u][v]) for u in row)
        twin.graph.update(copied(self.graph))
        for n, old in self._node.items():
            if own := old._own:
                twin._node[n]._own = copied(own)
        for u, v, old in self.edges(data=True):
            if own := old._own:
                twin._succ[u][v]._own = copied(own)
        return twin

    @exclusive
    def __getstate__(self) -> dict:
        passing = {"_plan", "_tape", "_input_gradient", "_synapse_order", "_what_if", "_held"}
        passing |= {"_last", "_probes"}
        passing |= {"adj", "nodes", "edges", "succ", "pred"}
        return {k: v for k, v in self.__dict__.items() if k not in passing}


def _given(attributes: Mapping, cls: type[Handle]) -> dict:
    """Drop parameters that are not given."""
    return {k: v for k, v in attributes.items() if not (k in cls.keyed and not_given(k, v))}


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Pause the garbage collector while many objects are made that all stay: half the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
