"""Networks as node-link JSON, which networkx and d3.js read and write.

Source: `networkx.node_link_data`. What is written here,
``networkx.node_link_graph(json.load(file))`` opens as it is.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

from neurograph.errors import FormatError
from neurograph.io.files import Object, is_text, read_json, shown, warn_lost, write_text
from neurograph.io.plain import MAX_DEPTH, SAFE
from neurograph.io.plain_graph import Form, passing, plain_graph
from neurograph.io.plain_graph_reader import Found, build, require_plain, require_reader_options
from neurograph.network import Network
from neurograph.values import hashable

__all__ = ["read_node_link", "write_node_link"]


def write_node_link(net: Network, path: str | os.PathLike | None = None) -> dict:
    """Write a network as node-link JSON; networkx's `node_link_graph` opens it as it is.

    Neurons have their parameters and your attributes, and so have synapses, in the order of
    insertion; a gate is the attribute "gater" of a synapse. What JSON cannot hold as it is (a name
    that is a frozenset, an attribute that is an array) is in the attribute "neurograph", so that
    `read_node_link` finds it again. Everything that decides what `run` and `fit` compute is in the
    file: ties, layers, ports, bounds, signs, dtype, seed and random generator.

    Parameters
    ----------
    net : Network
    path : path, optional
        A file to write too, whole or not at all.

    Returns
    -------
    dict
        What is in the file, as `networkx.node_link_data` has it.

    Raises
    ------
    ParameterError
        A name or an attribute that a file cannot hold, or a gater that is not in the network.

    Warns
    -----
    NeurographWarning
        States and traces in the middle of a sequence, what an optimizer keeps, and the rule of
        online learning are not in the file.

    Examples
    --------
    >>> import networkx as nx
    >>> import neurograph as ng
    >>> net = ng.lstm(1, 2, 1, seed=0)
    >>> described = ng.io.write_node_link(net)
    >>> nx.node_link_graph(described).edges["cell.0", "cell.0"]["gater"]
    'forget_gate.0'
    >>> twin = ng.io.read_node_link(described)
    >>> bool((twin.forward([[[1], [0]]]) == net.forward([[[1], [0]]])).all())
    True
    """
    plain = plain_graph(net, FORM)
    described = {
        "directed": True,
        "multigraph": False,
        "graph": plain.graph,
        "nodes": [{"id": id, **attributes} for id, attributes in plain.nodes],
        "edges": [{"source": u, "target": v, **attributes} for u, v, attributes in plain.edges],
    }
    warn_lost(passing(net))
    if path is not None:
        write_text(path, json.dumps(described, ensure_ascii=False, allow_nan=False) + "\n")
    return described


def read_node_link(
    source: str | os.PathLike | Mapping,
    *,
    create_using: type[Network] = Network,
    self_loops: str | None = None,
    seed: Any = None,
) -> Network:
    """Make a network of node-link JSON.

    Attributes of nodes and edges that are named like a parameter (`bias`, `delay`, `gater` …) are
    that parameter, all others stay yours. Of a file that others wrote, `net.inputs = […]` and
    `net.outputs = […]` are set afterwards; an undirected graph or a multigraph is read by networkx,
    and `Network.from_graph` makes a network of it.

    Parameters
    ----------
    source : path or mapping
        A file, or what `json.load` made of it.
    create_using : type, optional
        A subclass of `Network` to make.
    self_loops : {"output", "state"}, optional
        What self-loops feed back that do not say so with `reads`.
    seed : int or numpy.random.Generator, optional
        As in `Network`, instead of that of the file; weights that are not in the file are drawn.

    Returns
    -------
    Network

    Raises
    ------
    FormatError
        Not such a file; the message names the place, as ``edges[3]``.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.io.read_node_link({
    ...     "directed": True, "multigraph": False, "graph": {},
    ...     "nodes": [{"id": "x", "role": "input"}, {"id": "y", "role": "output", "bias": 1}],
    ...     "edges": [{"source": "x", "target": "y", "weight": 2.5, "colour": "red"}]})
    >>> dict(net.edges["x", "y"])
    {'weight': 2.5, 'colour': 'red'}
    """
    require_reader_options(create_using, self_loops)
    return read_json(source, lambda found: build(_found(found), create_using, self_loops, seed))


# ---------------------------------------------------------------- what JSON holds


def _scalar(value: Any) -> bool:
    kind = type(value)
    return (
        kind is bool
        or (kind is int and -SAFE <= value <= SAFE)
        or (kind is float and math.isfinite(value))
        or (kind is str and is_text(value))
    )


def _holds(value: Any, depth: int = 0) -> bool:
    if value is None or _scalar(value):
        return True
    if depth >= MAX_DEPTH:
        return False
    if type(value) is list:
        return all(_holds(v, depth + 1) for v in value)
    return type(value) is dict and all(
        _key(key) and _holds(v, depth + 1) for key, v in value.items()
    )


def _key(key: Any) -> bool:
    return type(key) is str and is_text(key)


def _name(name: Any) -> bool:
    """Whether networkx finds the name again; a tuple in a tuple it does not at ends of edges."""
    return _scalar(name) or (type(name) is tuple and all(map(_scalar, name)))


FORM = Form(_holds, _name, _key, (set(), {"id"}, {"source", "target"}))


# ---------------------------------------------------------------- reading


def _found(told: Any) -> Found:
    file = Object(told, "the file")
    for key, wanted in (("directed", True), ("multigraph", False)):
        if file.found.get(key) is not wanted:
            raise FormatError(
                f"{key} must be {str(wanted).lower()}, got {shown(file.found.get(key))}; networkx"
                " reads other graphs, and Network.from_graph makes networks of them"
            )
    listed = "links" if "links" in told and "edges" not in told else "edges"  # as networkx < 3.4
    graph = file.get("graph", dict) if "graph" in told else {}
    require_plain(graph, "graph")
    nodes = []
    for i, item in enumerate(file.get("nodes", list)):
        attributes = _attributes(item, f"nodes[{i}]")
        nodes.append((_id(attributes, "id", f"nodes[{i}]"), attributes))
    edges = []
    for i, item in enumerate(file.get(listed, list)):
        attributes = _attributes(item, f"{listed}[{i}]")
        ends = [_id(attributes, end, f"{listed}[{i}]") for end in ("source", "target")]
        edges.append((*ends, attributes))
    lists = {"node": "nodes", "edge": listed}
    return Found(graph, nodes, edges, lambda kind, i: f"{lists[kind]}[{i}]")


def _attributes(item: Any, where: str) -> dict:
    if not isinstance(item, Mapping):
        raise FormatError(f"{where} must be an object, got {shown(item)}")
    return require_plain(dict(item), where)


def _id(attributes: dict, key: str, where: str) -> Any:
    """Take an id out of the attributes; a list in JSON stands for a tuple."""
    if key not in attributes:
        raise FormatError(f"{where} has no {key!r}")
    id = _tuples(attributes.pop(key))
    if id is None or not hashable(id):
        raise FormatError(f"{where}.{key} must be the name of a neuron, and cannot be")
    return id


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
