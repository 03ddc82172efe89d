"""GraphML as a plain graph: the parser, on top of Python's expat.

A DOCTYPE ends it, so there are no entities but the five of XML. The text is UTF-8 whatever it says
of itself. Everything that is wrong is told with its line.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, NoReturn
from xml.parsers import expat

from neurograph.errors import FormatError
from neurograph.io.files import parse_json, shown
from neurograph.io.plain import MAX_DEPTH
from neurograph.io.plain_graph import OWN
from neurograph.io.plain_graph_reader import Found, require_plain

__all__ = ["NAMESPACE", "parse"]

NAMESPACE = "http://graphml.graphdrawing.org/xmlns"
WHOLE = re.compile(r"\s*[+-]?[0-9]{1,2466}\s*", re.ASCII)  # 8,192 bits
INSIDE = {  # which elements have a place in which
    "": {"graphml"},
    "graphml": {"key", "graph", "data", "desc"},
    "key": {"desc", "default"},
    "graph": {"node", "edge", "data", "desc"},
    "node": {"data", "desc", "port"},
    "edge": {"data", "desc"},
}
TOLD = {"data", "default", "desc", "port"}  # what may have anything inside


def parse(text: str) -> tuple[Found, list[str]]:
    """Return what a document says, and what in it a network has no place for.

    Raises
    ------
    FormatError
        With the line.
    """
    parser = expat.ParserCreate("utf-8", " ")
    document = _Document(parser)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = document.refuse_doctype
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.text
    try:
        parser.Parse(text.encode("utf-8"), True)
    except expat.ExpatError as error:
        raise FormatError(f"not valid XML: {error}") from None
    finally:
        # the parser holds methods of the document, which holds the parser
        parser.StartDoctypeDeclHandler = parser.StartElementHandler = None
        parser.EndElementHandler = parser.CharacterDataHandler = None
    return document.found()


class _Key(NamedTuple):
    """What a declaration says: a name, how to read a value, and where it belongs."""

    name: str | None
    read: Callable[[str], Any]
    place: str


def _boolean(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]


def _whole(text: str) -> int:
    if not WHOLE.fullmatch(text):
        raise ValueError
    return int(text)


def _number(text: str) -> float:
    if "_" in text:
        raise ValueError
    return float(text)


READ: dict[str, Callable[[str], Any]] = {
    "boolean": _boolean,
    "int": _whole,
    "integer": _whole,  # Gephi
    "long": _whole,
    "float": _number,
    "double": _number,
    "string": str,
}


class _Document:
    """What was found so far."""

    def __init__(self, parser: Any):
        self.parser = parser
        self.open: list[str] = []
        self.keys: dict[str, _Key] = {}
        self.defaults: dict[str, dict[str, Any]] = {"node": {}, "edge": {}, "graph": {}}
        self.graph: dict[str, Any] = {}
        self.graphs = 0
        self.nodes: list[tuple[Hashable, dict[str, Any]]] = []
        self.edges: list[tuple[Hashable, Hashable, dict[str, Any]]] = []
        self.lines = {"node": array("q"), "edge": array("q")}
        self.foreign = 0  # how deep we are in what others have put in
        self.at: dict[str, Any] = {}  # attributes of what is being read
        self.key: _Key | None = None
        self.pieces: list[str] | None = None
        self.unread: dict[str, None] = {}

    def fail(self, problem: str) -> NoReturn:
        raise FormatError(f"line {self.parser.CurrentLineNumber}: {problem}")

    def refuse_doctype(self, *declared: Any) -> NoReturn:
        self.fail(
            "a DOCTYPE, which GraphML does without, so it is refused; it can declare entities"
        )

    # -- what expat calls

    def start(self, tag: str, given: dict[str, str]) -> None:
        outer = self.open[-1] if self.open else ""
        space, _, name = tag.rpartition(" ")
        if len(self.open) >= MAX_DEPTH:
            self.fail(f"elements are nested more than {MAX_DEPTH} deep")
        if self.foreign or outer in TOLD:
            self.foreign += 1
            if self.foreign == 1 and outer != "desc":
                self.unread[f"<{shown(name)[1:-1]}> in <{outer}>"] = None
            self.pieces = None
        elif space not in ("", NAMESPACE) or name not in INSIDE[outer]:
            place = f"<{outer}>" if outer else "GraphML"
            self.fail(f"<{shown(name)[1:-1]}> has no place in {place}{_WHY.get(name, '')}")
        else:
            start = getattr(self, f"start_{name}", None)
            if start is not None:
                start(given, outer)
        self.open.append(name)

    def end(self, tag: str) -> None:
        name = self.open.pop()
        if self.foreign:
            self.foreign -= 1
        elif name in ("data", "default") and self.pieces is not None and self.key is not None:
            self.take("".join(self.pieces), name)
        if name in ("data", "default"):
            self.pieces = None

    def text(self, piece: str) -> None:
        if self.pieces is not None and not self.foreign:
            self.pieces.append(piece)

    # -- elements

    def need(self, given: dict[str, str], key: str, name: str) -> str:
        if key not in given:
            self.fail(f"<{name}> has no {key!r}")
        return given[key]

    def start_key(self, given: dict[str, str], outer: str) -> None:
        id = self.need(given, "id", "key")
        kind = given.get("attr.type", "string")
        if kind not in READ:
            self.fail(f"key {shown(id)} has type {shown(kind)}, none of {', '.join(READ)}")
        if id in self.keys:
            self.fail(f"there are two keys {shown(id)}")
        self.key = _Key(given.get("attr.name"), READ[kind], given.get("for", "all"))
        self.keys[id] = self.key

    def start_default(self, given: dict[str, str], outer: str) -> None:
        self.pieces = []

    def start_graph(self, given: dict[str, str], outer: str) -> None:
        self.graphs += 1
        if self.graphs > 1:
            self.fail("a second graph")
        if given.get("edgedefault") != "directed":
            self.fail(
                f"the graph is {shown(given.get('edgedefault'))}, not 'directed'; networkx reads"
                " such graphs, and Network.from_graph makes networks of them"
            )
        self.at = self.graph

    def start_node(self, given: dict[str, str], outer: str) -> None:
        self.at = {}
        self.nodes.append((self.need(given, "id", "node"), self.at))
        self.lines["node"].append(self.parser.CurrentLineNumber)

    def start_edge(self, given: dict[str, str], outer: str) -> None:
        source, target = (self.need(given, end, "edge") for end in ("source", "target"))
        if given.get("directed", "true") != "true":
            self.fail("an edge that is not directed")
        self.at = {"id": given["id"]} if "id" in given else {}  # as networkx has it
        self.edges.append((source, target, self.at))
        self.lines["edge"].append(self.parser.CurrentLineNumber)

    def start_port(self, given: dict[str, str], outer: str) -> None:
        self.unread["ports"] = None

    def start_data(self, given: dict[str, str], outer: str) -> None:
        id = self.need(given, "key", "data")
        if id not in self.keys:
            self.fail(f"no key {shown(id)} was declared")
        self.key = self.keys[id]
        self.pieces = []
        if outer == "graph":
            self.at = self.graph
        if outer == "graphml" or self.key.name is None:
            self.unread["data of programs' own"] = None
            self.key = None

    def take(self, text: str, name: str) -> None:
        """Keep the value that an element has."""
        key = self.key
        assert key is not None
        try:
            value = key.read(text)
        except (ValueError, KeyError):
            self.fail(f"{key.name} is {shown(text)}, which is not of its type")
        if key.name is not None and name == "data":
            self.at[key.name] = value
        elif key.name is not None:
            for place in self.defaults if key.place == "all" else [key.place]:
                self.defaults.get(place, {})[key.name] = value

    # -- at the end

    def found(self) -> tuple[Found, list[str]]:
        if not self.graphs:
            raise FormatError("there is no <graph> in it")
        if any(self.defaults.values()):
            for place, items in (("node", self.nodes), ("edge", self.edges)):
                for *_, attributes in items:
                    for name, value in self.defaults[place].items():
                        attributes.setdefault(name, value)
            self.graph = {**self.defaults["graph"], **self.graph}
        for *_, attributes in self.edges:
            if "gater" in attributes:
                attributes["gater"] = str(attributes["gater"])  # ids are texts
        lines = self.lines

        def where(kind: str, i: int) -> str:
            return f"line {lines[kind][i]}"

        told = Found(self.graph, self.nodes, self.edges, where, _own, "the graph")
        return told, list(self.unread)


_WHY = {
    "graph": ": graphs in nodes are not read",
    "hyperedge": ": a synapse has one source and one target",
}


def _own(found: Any) -> Any:
    if not isinstance(found, str):
        raise FormatError(f"{OWN} must be JSON, got {shown(found)}")
    return require_plain(parse_json(found), OWN)
