"""Networks as plain graphs with attributes: the reader of `neurograph.io.plain_graph`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurograph.elements import Synapse
from neurograph.errors import FormatError, ParameterError
from neurograph.io.files import Object, is_text, require_class, shown
from neurograph.io.generators import restored
from neurograph.io.plain import (
    MAX_ALIKE,
    MAX_DEPTH,
    MAX_INT_BITS,
    MAX_NAME,
    Reader,
    require_distinct,
)
from neurograph.io.plain_graph import OWN, VERSION
from neurograph.io.tensors import DTYPES
from neurograph.layers import Layer
from neurograph.network import Network

__all__ = ["Found", "build", "require_plain", "require_reader_options"]

SHARED = [name for name, column in Synapse.columns.items() if column.shared]


@dataclass
class Found:
    """What a file says; its values are plain, all else is still to be checked.

    Attributes
    ----------
    graph : dict
    nodes : list of (id, attributes)
        Ids are hashable.
    edges : list of (source, target, attributes)
    where : callable
        From "node" or "edge" and a number to the place in the file.
    own : callable
        From the attribute of our own to JSON.
    graph_where : str
    """

    graph: dict[str, Any]
    nodes: list[tuple[Hashable, dict[str, Any]]]
    edges: list[tuple[Hashable, Hashable, dict[str, Any]]]
    where: Callable[[str, int], str]
    own: Callable[[Any], Any] = lambda found: found
    graph_where: str = "graph"


def require_reader_options(create_using: Any, self_loops: Any) -> None:
    """Raise unless the options of a reader are what they can be."""
    require_class(create_using)
    if self_loops not in (None, "state", "output"):
        raise ParameterError(f"self_loops must be 'state' or 'output', got {self_loops!r}")


def require_plain(value: Any, where: str, depth: int = 0) -> Any:
    """Return a value of JSON that a network can carry, or say why it cannot."""
    if depth > MAX_DEPTH:
        raise FormatError(f"{where} is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            require_plain(key, where, depth + 1)
            require_plain(inner, where, depth + 1)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            require_plain(inner, where, depth + 1)
    elif isinstance(value, str) and not is_text(value):
        raise FormatError(f"{where} has half a surrogate pair in it: {shown(value)}")
    elif isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
        raise FormatError(f"{where} is a number of more than {MAX_INT_BITS} bits")
    return value


def build(
    found: Found, cls: type[Network], self_loops: str | None = None, seed: Any = None
) -> Network:
    """Make the network that a file tells of.

    Parameters
    ----------
    found : Found
    cls : type
    self_loops : {"output", "state"}, optional
        What self-loops feed back that do not say so.
    seed : optional
        As in `Network`, instead of that of the file.

    Raises
    ------
    FormatError
        With the place in the file.
    """
    net = cls(seed=seed)  # its complaints are about `seed`, not about the file
    return _Builder(found, cls, self_loops).made(net.seed if seed is None else seed)


class _Builder:
    """What a file says, checked; then a network."""

    def __init__(self, found: Found, cls: type[Network], self_loops: str | None):
        self.found, self.cls, self.self_loops = found, cls, self_loops
        self.sizes = {"neuron": len(found.nodes), "synapse": len(found.edges)}
        self.where = f"{found.graph_where}.{OWN}"
        self.marked = OWN in found.graph
        told = found.own(found.graph[OWN]) if self.marked else {"version": VERSION}
        self.told = Object(told, self.where)
        if self.told.found.get("version") != VERSION:
            raise FormatError(
                f"{self.where}.version is {shown(self.told.found.get('version'))}; this neurograph"
                f" reads {VERSION}. A newer neurograph reads more"
            )
        self.arrays = self._arrays()
        self.names = self._names()

    def _arrays(self) -> dict[str, np.ndarray]:
        """Return the entries of all arrays, by dtype."""
        made = {}
        told = self.told.found.get("arrays", {})
        for code, text in Object(told, f"{self.where}.arrays").found.items():
            try:
                made[code] = np.frombuffer(bytes.fromhex(text), DTYPES[code])
                if code == "BOOL" and (made[code].view(np.uint8) > 1).any():
                    raise ValueError
            except (KeyError, TypeError, ValueError):
                raise FormatError(f"{self.where}.arrays[{code!r:.20}] is no array") from None
        return made

    def own(self, kind: str, i: int, attributes: dict) -> dict:
        """Return what the attribute of our own says of a neuron or synapse."""
        if not self.marked or OWN not in attributes:
            return {}
        where = f"{self.found.where(kind, i)}.{OWN}"
        told = Object(self.found.own(attributes[OWN]), where).found
        for key in told.keys() - {"name", "attributes"}:
            raise FormatError(f"{where} has {key!r:.50}, which means nothing")
        return told

    def _names(self) -> dict[Hashable, Hashable]:
        """Return the name of each neuron, by its id."""
        nodes = self.found.nodes
        reader = Reader({}, dict.fromkeys(self.sizes, 0))  # names hold no handles, no arrays
        require_distinct([id for id, _ in nodes], "ids of nodes")
        names: dict[Hashable, Hashable] = {}
        for i, (id, attributes) in enumerate(nodes):
            own = self.own("node", i, attributes)
            where = self.found.where("node", i) if own or isinstance(id, (str, tuple)) else ""
            names[id] = reader.name(own["name"], where) if "name" in own else id
            if isinstance(id, (str, tuple)) and len(str(id)) > MAX_NAME:
                raise FormatError(f"{where} has an id of more than {MAX_NAME:,} characters")
        require_distinct(list(names.values()), "names of neurons")
        return names

    def made(self, seed: Any) -> Network:
        reader = Reader(self.arrays, self.sizes)
        graph, nodes, edges = self.attributes(reader)
        reader.require_end()
        dtype = self.told.found.get("dtype", "float64")
        if dtype not in ("float64", "float32"):
            raise FormatError(f"{self.where}.dtype must be 'float64' or 'float32'")
        file_seed = reader.value(self.told.found.get("seed"), f"{self.where}.seed")
        if file_seed is not None and (type(file_seed) is not int or file_seed < 0):
            raise FormatError(f"{self.where}.seed must be 0 or more, got {shown(file_seed)}")
        for e, (_, _, attributes) in enumerate(edges):
            self._gate(e, attributes)
        self._check_ties(edges)
        layers = list(self._layers())
        net = self.cls(seed=file_seed if seed is None else seed, dtype=dtype)
        try:
            net.add_nodes_from(nodes)
            net.add_edges_from(edges)
        except ParameterError as error:
            raise FormatError(str(error)) from None
        if seed is None and self.generator is not None:
            net._rng = self.generator
        for key, name, members in layers:
            net.layers[key] = Layer(net, name, [net.nodes[n] for n in members])
        net.graph.update(graph)
        if reader.met:
            self._put_handles(net)
        return net

    # -- attributes

    def attributes(self, reader: Reader) -> tuple[dict, list, list]:
        """Return the attributes of the graph, of nodes and of edges, in the order of the file."""
        found = self.found
        graph = self._merged(reader, found.graph, self.told.found, self.where)
        generator = self.told.found.get("generator")
        self.generator = restored(generator, reader)
        nodes = [
            (self.names[id], self._of("node", reader, i, given))
            for i, (id, given) in enumerate(found.nodes)
        ]
        edges = [
            (*self._ends(e, source, target), self._of("edge", reader, e, given))
            for e, (source, target, given) in enumerate(found.edges)
        ]
        self._require_single(edges)
        return graph, nodes, edges

    def _of(self, kind: str, reader: Reader, i: int, given: dict) -> dict:
        if not self.marked or OWN not in given:
            return dict(given)
        return self._merged(reader, given, self.own(kind, i, given), self.found.where(kind, i))

    def _merged(self, reader: Reader, given: dict, own: dict, where: str) -> dict:
        """Return attributes, those in ours among them."""
        made = {k: v for k, v in given.items() if not (self.marked and k == OWN)}
        pairs = own.get("attributes", [])
        if not isinstance(pairs, list) or not all(
            isinstance(p, list) and len(p) == 2 for p in pairs
        ):
            raise FormatError(f"{where}.attributes must be pairs, got {shown(pairs)}")
        keys = [reader.value(key, where) for key, _ in pairs]
        require_distinct([*made, *keys], where)
        for key, (_, value) in zip(keys, pairs, strict=True):
            made[key] = reader.value(value, f"{where}: attribute {shown(key)}")
        return made

    def _put_handles(self, net: Network) -> None:
        """Read once more, now that there are neurons and synapses to stand in attributes."""
        neurons = list(net._node.values())
        synapses = [net.edges[self._ends(e, u, v)] for e, (u, v, _) in enumerate(self.found.edges)]
        handles: dict[str, Callable[[int], Any]] = {
            "neuron": neurons.__getitem__,
            "synapse": synapses.__getitem__,
        }
        graph, nodes, edges = self.attributes(Reader(self.arrays, self.sizes, handles))
        net.graph.update(graph)
        pairs = [*zip(neurons, nodes, strict=True), *zip(synapses, edges, strict=True)]
        for handle, (*_, attributes) in pairs:
            own = {k: v for k, v in attributes.items() if k not in handle.keyed}
            if own:
                handle._own = own

    # -- edges

    def _ends(self, e: int, source: Any, target: Any) -> tuple[Hashable, Hashable]:
        for end, id in (("source", source), ("target", target)):
            if id not in self.names:
                raise FormatError(
                    f"{self.found.where('edge', e)}: its {end} {shown(id)} is no node"
                )
        return self.names[source], self.names[target]

    def _require_single(self, edges: list) -> None:
        first: dict[tuple, int] = {}
        for e, (source, target, _) in enumerate(edges):
            n = first.setdefault((source, target), e)
            if n != e:
                raise FormatError(
                    f"{self.found.where('edge', e)} leads from {shown(source)} to {shown(target)}"
                    f" as {self.found.where('edge', n)} does; an ordered pair of neurons holds one"
                    " synapse. Network.from_graph can merge them"
                )

    def _gate(self, e: int, attributes: dict) -> None:
        """Put the names of gaters in place, and what a self-loop feeds back."""
        source, target, _ = self.found.edges[e]
        gater = attributes.get("gater")
        if gater is not None:
            gater = tuple(gater) if isinstance(gater, list) else gater
            try:
                attributes["gater"] = self.names[gater]
            except (KeyError, TypeError):
                where = self.found.where("edge", e)
                raise FormatError(f"{where}: its gater {shown(gater)} is no node") from None
        if self.names[source] == self.names[target] and attributes.get("reads") is None:
            if self.self_loops is None:
                raise FormatError(
                    f"{self.found.where('edge', e)} is a self-loop, but does not say what it feeds"
                    " back: give it 'reads', 'state' or 'output', or read with self_loops='output'"
                )
            attributes["reads"] = self.self_loops

    def _check_ties(self, edges: list) -> None:
        """Raise unless tied synapses agree in what they share."""
        leaders: dict[Hashable, dict] = {}
        for e, (_, _, attributes) in enumerate(edges):
            label = attributes.get("tie")
            if label is None:
                continue
            try:
                leader = leaders.setdefault(label, attributes)
            except TypeError:
                where = self.found.where("edge", e)
                raise FormatError(f"{where}: its tie {shown(label)} cannot be a label") from None
            if leader is attributes and len(leaders) % MAX_ALIKE == 0:
                require_distinct(list(leaders), "labels of ties")
            for name in SHARED:
                values = leader.get(name), attributes.get(name)
                if values[0] != values[1]:
                    raise FormatError(
                        f"{self.found.where('edge', e)} is tied by {shown(label)}, but its {name}"
                        f" is {shown(values[1])}, not that of its group, {shown(values[0])}"
                    )

    def _layers(self) -> Iterator[tuple[Any, Any, list]]:
        where, seen = f"{self.where}.layers", []
        told = self.told.get("layers", list) if "layers" in self.told.found else []
        reader = Reader({}, dict.fromkeys(self.sizes, 0))
        for i, item in enumerate(told):
            if not isinstance(item, list) or len(item) != 3 or not isinstance(item[2], list):
                raise FormatError(f"{where}[{i}] must be a key, a name and ids")
            key, name = (reader.value(told, f"{where}[{i}]") for told in item[:2])
            ids = [tuple(id) if isinstance(id, list) else id for id in item[2]]
            try:
                members = [self.names[id] for id in ids]
            except (KeyError, TypeError):
                raise FormatError(f"{where}[{i}] has a neuron that is no node") from None
            seen.append(key)
            yield key, name, members
        require_distinct(seen, where)
