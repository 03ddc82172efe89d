"""From graphs of networkx to networks: graphs of any kind, with attributes of any name."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeVar

import networkx as nx

from neurograph.elements import Synapse
from neurograph.errors import ParameterError, suggest
from neurograph.graph import NeuronGraph
from neurograph.schedule import break_cycles
from neurograph.values import natural, same

__all__ = ["from_graph"]

N = TypeVar("N", bound=NeuronGraph)


def from_graph(
    cls: type[N],
    graph: nx.Graph,
    *,
    inputs: Iterable,
    outputs: Iterable,
    activation: str | Mapping | None = None,
    weight: str | None = "weight",
    delays: str | int | None = None,
    self_loops: str | None = None,
    duplicates: str = "error",
    seed: Any = None,
    dtype: Any = "float64",
) -> N:
    """Make a network from any networkx graph, directed or not, multigraph or not.

    Attributes of nodes and edges are taken over: those named like a parameter (`bias`,
    `delay`, `gater` …) are that parameter, all others stay the user's. An undirected
    edge becomes two synapses.

    Parameters
    ----------
    graph : networkx graph
    inputs, outputs : sequence of nodes
        In the order of the columns of X and Y.
    activation : str or mapping of node to str, optional
    weight : str or None
        Edge attribute that holds the weight; drawn where there is none.
    delays : "auto" or int, optional
        "auto" gives delay 1 to few edges, so that no cycle is without one; a number is
        the delay of every edge; else the attribute `delay` says it.
    self_loops : {"output", "state"}
        What self-loops feed back; must be said if there are any.
    duplicates : {"error", "sum", "relay"}
        What to do with several edges for a pair: add their weights up, or lead all but
        one through an identity neuron of its own.
    seed, dtype
        As in `Network`.

    Examples
    --------
    >>> import neurograph as ng
    >>> import networkx as nx
    >>> G = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "b")])
    >>> net = ng.Network.from_graph(G, inputs=["a"], outputs=["c"], delays="auto", seed=0)
    >>> [(s.source, s.target) for s in net.synapses if s.delay]
    [('c', 'b')]
    """
    if not isinstance(graph, nx.Graph):
        raise ParameterError(f"from_graph takes a networkx graph, got {graph!r:.80}")
    if isinstance(activation, Mapping):
        for node in activation:
            if node not in graph:
                raise ParameterError(f"activation: no node {node!r}.{suggest(node, graph)}")
    if not isinstance(delays, str) and delays is not None:
        delays = natural("delays", delays)
    elif delays not in ("auto", None):
        raise ParameterError(f"delays must be 'auto', a number of steps or None; got {delays!r}")
    directed = graph if graph.is_directed() else graph.to_directed(as_view=True)
    nodes = [(n, _node_attributes(n, d, activation)) for n, d in directed.nodes(data=True)]
    edges, relays, relayed = _simple_edges(directed, weight, duplicates, delays)
    loops = [(u, v) for u, v, _ in edges if same(u, v)]
    if self_loops == "state" and any(same(u, v) for u, v in relayed):
        raise ParameterError(
            "several self-loops of one neuron cannot all feed back its state, which a relay"
            " cannot read: say duplicates='sum' or self_loops='output'"
        )
    if loops and self_loops not in ("state", "output"):
        raise ParameterError(
            f"the graph has self-loops, e.g. at {loops[0][0]!r}: say self_loops='output' if they"
            " feed back the output, 'state' if the state"
        )
    for u, v, attributes in edges:
        if same(u, v):
            attributes.setdefault("reads", self_loops)
            if attributes["reads"] == "state" and isinstance(delays, int):
                del attributes["delay"]  # always 1

    net = cls(seed=seed, dtype=dtype)
    net.graph.update(graph.graph)
    net.add_nodes_from([*nodes, *relays])
    net.add_edges_from(edges)
    net.inputs, net.outputs = inputs, outputs
    if delays == "auto":
        break_cycles(net)
    return net


def _node_attributes(node: Hashable, found: Mapping, activation: Any) -> dict:
    attributes = {k: v for k, v in found.items() if k not in ("role", "port")}
    if isinstance(activation, Mapping):
        activation = activation.get(node)
    return attributes if activation is None else {**attributes, "activation": activation}


def _simple_edges(
    graph: Any, weight: str | None, duplicates: str, delays: str | int | None
) -> tuple[list, list, list]:
    """Return edges, one for each ordered pair, the relay neurons this took, and for what."""
    if duplicates not in ("error", "sum", "relay"):
        raise ParameterError(f"duplicates must be 'error', 'sum' or 'relay', got {duplicates!r}")
    edges: list[tuple[Hashable, Hashable, dict]] = []
    relays: list[tuple[Hashable, dict]] = []
    relayed: list[tuple[Hashable, Hashable]] = []
    first: dict[tuple, dict] = {}
    for u, v, found in graph.edges(data=True):
        attributes = _edge_attributes(found, weight)
        if isinstance(delays, int):
            attributes["delay"] = delays
        if (u, v) not in first:
            first[u, v] = attributes
            edges.append((u, v, attributes))
        elif duplicates == "error":
            raise ParameterError(
                f"several edges lead from {u!r} to {v!r}: say duplicates='sum' to add their"
                " weights, or duplicates='relay' to lead all but one through a relay neuron"
            )
        elif duplicates == "sum":
            _add_up(u, v, first[u, v], attributes)
        else:
            if same(u, v):  # the way through the relay takes the step that a self-loop takes
                attributes.setdefault("delay", 1)
            name = _relay_name(u, v, len(relays), graph)
            relays.append((name, {"activation": "identity"}))
            relayed.append((u, v))
            onwards = {"weight": 1.0, "trainable": False}
            edges += [(u, name, attributes), (name, v, onwards)]
    return edges, relays, relayed


def _edge_attributes(found: Mapping, weight: str | None) -> dict:
    attributes = {k: v for k, v in found.items() if k != "weight"}
    if weight is not None and found.get(weight) is not None:
        attributes.pop(weight, None)
        attributes["weight"] = found[weight]
    return attributes


def _add_up(u: Hashable, v: Hashable, kept: dict, more: dict) -> None:
    rest = [{k: d.get(k) for k in Synapse.keyed if k != "weight"} for d in (kept, more)]
    if rest[0] != rest[1] or ("weight" in kept) != ("weight" in more):
        raise ParameterError(
            f"the edges from {u!r} to {v!r} differ in more than their weight, so they cannot be"
            " added up: say duplicates='relay'"
        )
    if "weight" in kept:
        kept["weight"] = kept["weight"] + more["weight"]


def _relay_name(u: Hashable, v: Hashable, number: int, graph: nx.Graph) -> str:
    name = f"relay {number}: {u} -> {v}"
    while name in graph:
        name += "'"
    return name
