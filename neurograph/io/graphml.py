"""Networks as GraphML, which networkx, yEd, Gephi, igraph and Cytoscape read.

Source: http://graphml.graphdrawing.org/specification.html. What is written here,
`networkx.read_graphml` opens as it is.
"""

from __future__ import annotations

import html
import json
import math
import os
from collections.abc import Iterator
from typing import Any

from neurograph.errors import FormatError, ParameterError
from neurograph.io.files import read_text, shown, warn_lost, write_text
from neurograph.io.graphml_parser import NAMESPACE, parse
from neurograph.io.plain_graph import Form, PlainGraph, passing, plain_graph
from neurograph.io.plain_graph_reader import build, require_reader_options
from neurograph.network import Network

__all__ = ["read_graphml", "write_graphml"]

LONG = 2**63
TYPES = {bool: "boolean", int: "long", float: "double", str: "string"}


def write_graphml(net: Network, path: str | os.PathLike | None = None) -> str:
    """Write a network as GraphML; `networkx.read_graphml` opens it as it is.

    Neurons have their parameters and your attributes, and so have synapses, in the order of
    insertion; a gate is the attribute "gater" of a synapse. What GraphML cannot hold as it is (a
    name that is no text, an attribute that is no number or text) is JSON in the attribute
    "neurograph", so that `read_graphml` finds it again. Everything that decides what `run` and
    `fit` compute is in the file, as in that of `write_node_link`.

    Parameters
    ----------
    net : Network
    path : path, optional
        A file to write too, whole or not at all.

    Returns
    -------
    str
        What is in the file.

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
    >>> text = ng.io.write_graphml(net)                # or write_graphml(net, "net.graphml")
    >>> nx.parse_graphml(text).edges["cell.0", "cell.0"]["gater"]
    'forget_gate.0'
    """
    text = "".join(_lines(plain_graph(net, FORM)))
    warn_lost(passing(net))
    if path is not None:
        write_text(path, text)
    return text


def read_graphml(
    source: str | os.PathLike,
    *,
    create_using: type[Network] = Network,
    self_loops: str | None = None,
    seed: Any = None,
) -> Network:
    """Make a network of a GraphML file.

    Attributes of nodes and edges that are named like a parameter (`bias`, `delay`, `gater` …) are
    that parameter, all others stay yours; ids are the names of neurons. Of a file that others
    wrote, `net.inputs = […]` and `net.outputs = […]` are set afterwards; an undirected graph or a
    multigraph is read by networkx, and `Network.from_graph` makes a network of it.

    A document with a DOCTYPE, and so with entities, is refused before anything of it is parsed:
    those can make a parser read other files, or fill the memory.

    Parameters
    ----------
    source : path
        UTF-8.
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
        Not such a file; the message names the line.

    Warns
    -----
    NeurographWarning
        What other programs put in there and networks have not: graphics of yEd, ports.
    """
    require_reader_options(create_using, self_loops)
    if isinstance(source, str) and source.lstrip().startswith("<"):
        raise ParameterError("source is XML itself; give the path of a file")
    if not isinstance(source, (str, os.PathLike)):
        raise ParameterError(f"source must be a path, got {shown(source)}")
    try:
        found, unread = parse(read_text(source))
        net = build(found, create_using, self_loops, seed)
    except FormatError as error:
        raise FormatError(f"{os.fspath(source)}: {error}") from None
    warn_lost({"a network has no place for what other programs put in GraphML, not read": unread})
    return net


# ---------------------------------------------------------------- what GraphML holds


def _text(value: Any) -> bool:
    """Whether it is made of characters that XML 1.0 can hold."""
    return type(value) is str and all(
        c in "\t\n\r" or " " <= c < "\ud800" or "\udfff" < c < "\ufffe" or c > "\uffff"
        for c in value
    )


def _holds(value: Any) -> bool:
    kind = type(value)
    return kind in (bool, float) or (kind is int and -LONG <= value < LONG) or _text(value)


FORM = Form(_holds, _text, _text, (set(), set(), set()))


# ---------------------------------------------------------------- writing


class _Keys:
    """Numbers of what has one name, one type and one place."""

    def __init__(self) -> None:
        self.ids: dict[tuple[str, str, str], str] = {}

    def data(self, attributes: dict[str, Any], place: str) -> str:
        """Return the attributes of something as elements."""
        return "".join(
            f"<data key={self.key(k, v, place)}>{_said(v)}</data>" for k, v in attributes.items()
        )

    def key(self, name: str, value: Any, place: str) -> str:
        kind = TYPES.get(type(value), "string")
        return f'"{self.ids.setdefault((name, kind, place), f"d{len(self.ids)}")}"'


def _lines(plain: PlainGraph) -> Iterator[str]:
    keys = _Keys()
    of_graph = keys.data(plain.graph, "graph")
    nodes = [f"    <node id={_quoted(id)}>{keys.data(d, 'node')}</node>\n" for id, d in plain.nodes]
    edges = [
        f"    <edge source={_quoted(u)} target={_quoted(v)}>{keys.data(d, 'edge')}</edge>\n"
        for u, v, d in plain.edges
    ]
    yield f'<?xml version="1.0" encoding="utf-8"?>\n<graphml xmlns="{NAMESPACE}">\n'
    for (name, kind, place), id in keys.ids.items():
        yield f'  <key id="{id}" for="{place}" attr.name={_quoted(name)} attr.type="{kind}"/>\n'
    yield f'  <graph edgedefault="directed">{of_graph}\n'
    yield from nodes
    yield from edges
    yield "  </graph>\n</graphml>\n"


def _said(value: Any) -> str:
    """Return a value as the text of an element."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "INF" if value > 0 else "-INF"
    if isinstance(value, (dict, list)):
        value = json.dumps(value, allow_nan=False)
    return html.escape(str(value), quote=False).replace("\r", "&#13;")


def _quoted(text: str) -> str:
    """Return a text as the value of an attribute, in which white space would become blanks."""
    made = html.escape(text)
    for c in "\t\n\r":
        made = made.replace(c, f"&#{ord(c)};")
    return f'"{made}"'
