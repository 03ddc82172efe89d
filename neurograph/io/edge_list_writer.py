"""Networks as edge lists: the writer. What a table holds is told in `neurograph.io.edge_list`."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np

from neurograph.errors import ParameterError
from neurograph.io.edge_list import READ, inferred
from neurograph.io.files import is_text, shown, warn_lost, write_text
from neurograph.io.plain_graph import passing, require_gaters
from neurograph.network import Network

__all__ = ["Tables", "write_edge_list"]


class Tables(NamedTuple):
    """The rows of a network: ``pandas.DataFrame(tables.synapses)`` makes a frame."""

    synapses: list[dict[str, Any]]
    neurons: list[dict[str, Any]]


def write_edge_list(
    net: Network,
    path: str | os.PathLike | None = None,
    neurons: str | os.PathLike | None = None,
    *,
    delimiter: str = ",",
) -> Tables:
    """Write a network as an edge list, in the order in which synapses were added.

    Parameters
    ----------
    net : Network
    path : path, optional
        A CSV for the synapses: source, target, weight, and a column for each other parameter or
        attribute that one of them has.
    neurons : path, optional
        Another one for the neurons: name, role, port, activation, bias and so on.
    delimiter : str

    Returns
    -------
    Tables
        Rows of both, with values as they are.

    Raises
    ------
    ParameterError
        A gater that is not in the network, or names that cannot be told apart as texts.

    Warns
    -----
    NeurographWarning
        What CSV cannot hold: neurons without a file of their own, names that are no texts,
        attributes that would be read as something else, layers, attributes of the graph, float32,
        and what a network has in the middle of a sequence.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network([("a", "y", {"weight": 0.5}), ("b", "y", {"weight": -1.0, "delay": 2})])
    >>> tables = ng.io.write_edge_list(net)
    >>> tables.synapses[1]
    {'source': 'b', 'target': 'y', 'weight': -1.0, 'delay': 2}
    >>> import pandas
    >>> twin = ng.io.read_edge_list(pandas.DataFrame(tables.synapses))
    >>> twin.edges["b", "y"].delay, twin.edges["a", "y"].delay
    (2, 0)
    """
    if not isinstance(net, Network):
        raise ParameterError(f"there must be a Network to write, got {shown(net)}")
    net.require_own()
    if not (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n'):
        raise ParameterError(f"delimiter must be one character, got {delimiter!r}")
    synapses = [
        {
            "source": s.source,
            "target": s.target,
            **dict(s),
            **({"reads": s.reads} if s.loop else {}),
        }
        for s in require_gaters(net)
    ]
    tables = Tables(synapses, [{"name": n, **dict(d)} for n, d in net._node.items()])
    lost: dict[str, list[Any]] = {}
    if path is not None or neurons is not None:
        texts = _Texts(net)
        written = [
            (file, _csv(rows, fixed, texts, delimiter, lost))
            for file, rows, fixed in (
                (neurons, tables.neurons, ("name",)),
                (path, tables.synapses, ("source", "target", "weight")),
            )
            if file is not None
        ]
        warn_lost({**_lost(net, neurons, texts), **lost, **passing(net)})
        for file, text in written:
            write_text(file, text)
    return tables


# ---------------------------------------------------------------- what CSV holds


class _Texts:
    """Names and ties as texts that can be told apart."""

    def __init__(self, net: Network):
        self.names = _apart(list(net), "neurons")
        self.ties = _apart(
            list(dict.fromkeys(s.tie for s in net.synapses if s.tie is not None)), "ties"
        )

    def cell(self, column: str, value: Any) -> str:
        if column in ("source", "target", "name", "gater"):
            return self.names[value]
        return self.ties[value] if column == "tie" else str(value)


def _apart(things: list, what: str) -> dict[Hashable, str]:
    texts = {thing: thing if type(thing) is str else str(thing) for thing in things}
    seen: dict[str, Any] = {}
    for thing, text in texts.items():
        if not text or not is_text(text):
            raise ParameterError(f"{what}: a CSV has no text for {thing!r:.80}; rename it first")
        if text in seen:
            raise ParameterError(
                f"{what}: {seen[text]!r:.80} and {thing!r:.80} are one text in a CSV; rename one"
            )
        seen[text] = thing
    return texts


def _csv(
    rows: list[dict], fixed: tuple[str, ...], texts: _Texts, delimiter: str, lost: dict
) -> str:
    """Return a table as CSV, and note what it would be read as otherwise."""
    columns = list(dict.fromkeys([*fixed, *(key for row in rows for key in row)]))
    kept: dict[str, list[str]] = {}
    what = "attributes that a CSV does not hold, or reads as something else, are lost or changed"
    for column in columns:
        cells = [texts.cell(column, row[column]) if column in row else "" for row in rows]
        own = column not in READ and column not in (*fixed, "gater")
        fits = type(column) is str and column == column.strip() != "" and is_text(column)
        fits = fits and all(map(is_text, cells))
        if own and not (fits and _alike(inferred(cells), [row.get(column, _NONE) for row in rows])):
            lost.setdefault(what, []).append(repr(column))
        if fits:
            kept[column] = cells
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(kept)
    writer.writerows(zip(*kept.values(), strict=True))
    return text.getvalue()


_NONE = object()


def _alike(read: list, given: list) -> bool:
    return all(
        (a is None and b is _NONE) or (type(a) is type(b) and repr(a) == repr(b))
        for a, b in zip(read, given, strict=True)
    )


def _lost(net: Network, neurons: Any, texts: _Texts) -> dict[str, list]:
    """Return what is in the network but not in the files."""
    others = [repr(name) for name in net if type(name) is not str]
    bare = [
        repr(name)
        for name, neuron in net._node.items()
        if len(neuron) or not (net.outgoing(name) or net.incoming(name))
    ]
    return {
        "an edge list has no neurons; give their table a path too, with neurons=, or these lose"
        " their parameters": bare if neurons is None else [],
        "CSV holds texts; these names are read as texts unless read_edge_list(names=…) makes them"
        " something else": others,
        "CSV holds no layers": list(map(repr, net.layers)),
        "CSV holds no attributes of the graph": list(map(repr, net.graph)),
        "CSV is read as float64": [net.dtype] if net.dtype != np.float64 else [],
    }
