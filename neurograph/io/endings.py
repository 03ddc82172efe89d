"""Which reader and writer a file has, by the end of its name.

`READERS` and `WRITERS` are the whole registry: an ending, and a function of a path, or of a network
and a path. The longest ending that fits counts, so ".synaptic.json" comes before ".json".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from neurograph.errors import FormatError, ParameterError
from neurograph.io.dot import write_dot
from neurograph.io.edge_list import read_edge_list
from neurograph.io.edge_list_writer import write_edge_list
from neurograph.io.files import parse_json, read_text, shown
from neurograph.io.graphml import read_graphml, write_graphml
from neurograph.io.native import save
from neurograph.io.native_reader import load
from neurograph.io.neataptic import read_neataptic
from neurograph.io.nir import read_nir
from neurograph.io.nir_writer import write_nir
from neurograph.io.node_link import read_node_link, write_node_link
from neurograph.io.standalone import write_standalone
from neurograph.io.synaptic import read_synaptic
from neurograph.io.synaptic_writer import write_synaptic
from neurograph.network import Network

__all__ = ["READERS", "WRITERS", "read", "write"]


def read(path: str | os.PathLike) -> Network:
    """Read a network from a file of any format that is known, by the end of its name.

    Parameters
    ----------
    path : path
        .ng, .graphml, .csv (with the neurons in a .neurons.csv beside it, if there is one), .nir,
        or .json: node-link, Synaptic's or Neataptic's, whichever it is.

    Returns
    -------
    Network

    Raises
    ------
    ParameterError
        The ending says nothing.
    FormatError
        Not a file of this format.

    Examples
    --------
    >>> import neurograph as ng, os, tempfile
    >>> net = ng.perceptron(2, 3, 1, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.graphml")
    ...     ng.io.write(net, path)
    ...     twin = ng.io.read(path)
    >>> twin
    <Network: 6 neurons (2 inputs, 1 output), 9 synapses; ready>
    """
    return _of(path, READERS, "read from")(path)


def write(net: Network, path: str | os.PathLike) -> None:
    """Write a network into a file of any format that is known, by the end of its name.

    Parameters
    ----------
    net : Network
    path : path
        .ng, .json (node-link), .synaptic.json, .graphml, .csv (and .neurons.csv beside it), .dot,
        .nir; .py, .c or .js: source that needs nothing, see `write_standalone`.

    Raises
    ------
    ParameterError
        The ending says nothing, or the network cannot be written like that.

    Warns
    -----
    NeurographWarning
        What the format cannot hold.
    """
    _of(path, WRITERS, "write to")(net, path)


def _of(path: str | os.PathLike, registry: Mapping[str, Callable], what: str) -> Callable[..., Any]:
    if not isinstance(path, (str, os.PathLike)):
        raise ParameterError(f"there must be a path to {what}, got {shown(path)}")
    name = os.fspath(path).lower()
    for ending in sorted(registry, key=len, reverse=True):
        if name.endswith(ending):
            return registry[ending]
    known = ", ".join(registry)
    raise ParameterError(f"{os.fspath(path)}: no format to {what} has this ending; known: {known}")


# ---------------------------------------------------------------- JSON, and pairs of tables


def _read_json(path: str | os.PathLike) -> Network:
    """Read JSON of whatever kind it is."""
    try:
        found = parse_json(read_text(path))
    except FormatError as error:
        raise FormatError(f"{os.fspath(path)}: {error}") from None
    keys = set(found) if isinstance(found, dict) else set()
    for wanted, reader in _KINDS.items():
        if keys.issuperset(wanted):
            try:
                return reader(found)
            except FormatError as error:
                raise FormatError(f"{os.fspath(path)}: {error}") from None
    kinds = "; ".join(f"{' and '.join(map(repr, keys))} ({name})" for keys, name in _NAMES.items())
    raise FormatError(f"{os.fspath(path)}: JSON of no kind that is known; it must have {kinds}")


_KINDS: dict[tuple[str, str], Callable[[Any], Network]] = {
    ("neurons", "connections"): read_synaptic,
    ("nodes", "connections"): read_neataptic,
    ("nodes", "edges"): read_node_link,
    ("nodes", "links"): read_node_link,
}
_NAMES = {
    ("nodes", "edges"): "node-link",
    ("neurons", "connections"): "Synaptic",
    ("nodes", "connections"): "Neataptic",
}


def _write_source(language: str, net: Network, path: str | os.PathLike) -> None:
    write_standalone(net, language, path)


def _neurons_beside(path: str | os.PathLike) -> Path:
    file = Path(path)
    return file.with_name(f"{file.name[: -len('.csv')]}.neurons.csv")


def _read_csv(path: str | os.PathLike) -> Network:
    beside = _neurons_beside(path)
    return read_edge_list(path, beside if beside.is_file() else None)


def _write_csv(net: Network, path: str | os.PathLike) -> None:
    write_edge_list(net, path, _neurons_beside(path))


READERS: dict[str, Callable[[Any], Network]] = {
    ".ng": load,
    ".json": _read_json,
    ".graphml": read_graphml,
    ".csv": _read_csv,
    ".nir": read_nir,
}
WRITERS: dict[str, Callable[[Network, Any], Any]] = {
    ".ng": save,
    ".json": write_node_link,
    ".synaptic.json": write_synaptic,
    ".graphml": write_graphml,
    ".csv": _write_csv,
    ".dot": write_dot,
    ".nir": write_nir,
    ".py": partial(_write_source, "python"),
    ".c": partial(_write_source, "c"),
    ".js": partial(_write_source, "javascript"),
}
