"""Networks as edge lists, a row for each synapse, and one for each neuron: the reader.

As CSV (RFC 4180), as DataFrames of pandas, or as rows of Python. A column is a parameter, or an
attribute of yours. CSV has no types: names are texts unless told otherwise, and a column of yours
becomes numbers if all of it can be read as numbers.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

import numpy as np

from neurograph.errors import FormatError, ParameterError
from neurograph.io.files import read_text, shown, warn_lost
from neurograph.io.plain_graph_reader import Found, build, require_plain, require_reader_options
from neurograph.network import Network
from neurograph.values import hashable

__all__ = ["READ", "inferred", "read_edge_list"]

WHOLE = re.compile(r"[+-]?[0-9]{1,2466}", re.ASCII)  # 8,192 bits
PLAIN = re.compile(r"-?(0|[1-9][0-9]{0,2465})", re.ASCII)  # 007 is a text
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf|nan", re.ASCII)
FLAGS = {"true": True, "false": False}


def read_edge_list(
    edges: Any,
    neurons: Any = None,
    *,
    source: str = "source",
    target: str = "target",
    weight: str = "weight",
    names: Callable[[str], Hashable] = str,
    delimiter: str = ",",
    self_loops: str | None = None,
    seed: Any = None,
    create_using: type[Network] = Network,
) -> Network:
    """Make a network of an edge list.

    Parameters
    ----------
    edges : path, open file, DataFrame, or rows
        A CSV with a header, a DataFrame of pandas, or a sequence of dicts. Columns that are named
        like a parameter (`delay`, `gater`, `tie` …) are that parameter, all others become your
        attributes. An empty cell, NaN in a frame, means "not given".
    neurons : path, open file, DataFrame, or rows, optional
        Likewise, with a column "name" and `role`, `bias`, `activation` and so on. Without it
        neurons come in the order in which edges name them, and ``net.inputs = […]`` makes inputs.
    source, target, weight : str
        The columns with the two ends and the weight; weights are drawn if there is no such column.
    names : callable
        From a text in a CSV to the name of a neuron, as `int`.
    delimiter : str
    self_loops : {"output", "state"}, optional
        What self-loops feed back that do not say so with `reads`.
    seed : int or numpy.random.Generator, optional
        As in `Network`.
    create_using : type, optional
        A subclass of `Network` to make.

    Returns
    -------
    Network
        float64.

    Raises
    ------
    FormatError
        Not such a table; the message names the line, or the row.

    Examples
    --------
    >>> import neurograph as ng
    >>> rows = [{"pre": 1, "post": 3, "synapses": 5}, {"pre": 2, "post": 3, "synapses": 2}]
    >>> net = ng.io.read_edge_list(rows, source="pre", target="post", weight="synapses")
    >>> net.inputs, net.outputs = [1, 2], [3]
    >>> net
    <Network: 3 neurons (2 inputs, 1 output), 2 synapses; ready>
    """
    require_reader_options(create_using, self_loops)
    ends = {source: "source", target: "target", weight: "weight"}
    if len(ends) < 3:
        raise ParameterError("source, target and weight must be three columns")
    table = _Table(edges, "edges", ends, names, delimiter, ("source", "target"))
    found = [(row.pop("source"), row.pop("target"), row) for row in table.rows]
    if neurons is None:
        known = dict.fromkeys(id for u, v, _ in found for id in (u, v))
        known.update(dict.fromkeys(r["gater"] for *_, r in found if r.get("gater") is not None))
        nodes: list[tuple[Hashable, dict]] = [(name, {}) for name in known]
        places = {"edge": table.where, "node": lambda i: f"{table.what}: neuron {i}"}
    else:
        given = _Table(neurons, "neurons", {"name": "name"}, names, delimiter, ("name",))
        nodes = [(row.pop("name"), row) for row in given.rows]
        places = {"edge": table.where, "node": given.where}
    return build(Found({}, nodes, found, lambda k, i: places[k](i)), create_using, self_loops, seed)


# ---------------------------------------------------------------- a table


class _Table:
    """The rows of a table, as values.

    Attributes
    ----------
    rows : list of dict
        Without what is not given.
    """

    def __init__(
        self,
        table: Any,
        what: str,
        renamed: dict[str, str],
        names: Callable[[str], Hashable],
        delimiter: str,
        named: tuple[str, ...],
    ):
        self.what, self.renamed, self.names, self.named = what, renamed, names, named
        self.lines: list[int] | None = None
        if isinstance(table, (str, os.PathLike)) or hasattr(table, "read"):
            if hasattr(table, "read"):
                text = table.read()
            else:
                self.what, text = os.fspath(table), read_text(table)
            columns = self._read(text, delimiter)
            n = len(self.lines or ())
            parsed = {c: self._parse(c, cells) for c, cells in columns.items()}
            self.rows = [
                {c: values[i] for c, values in parsed.items() if values[i] is not None}
                for i in range(n)
            ]
        else:
            self.rows = [self._given(i, row) for i, row in enumerate(_records(table, what))]
        for i, row in enumerate(self.rows):
            for column in named:
                self._require_name(i, row, column)

    def where(self, i: int) -> str:
        return (
            f"{self.what}: row {i}" if self.lines is None else f"{self.what}: line {self.lines[i]}"
        )

    def _require_name(self, i: int, row: dict, column: str) -> None:
        if row.get(column) is None:
            raise FormatError(f"{self.where(i)}: there is no {column}")
        if not hashable(row[column]):
            raise FormatError(
                f"{self.where(i)}: {column} {shown(row[column])} cannot be the name of a neuron"
            )

    # -- rows of Python

    def _given(self, i: int, row: Any) -> dict:
        if not isinstance(row, Mapping):
            raise FormatError(f"{self.where(i)} must be a mapping, got {shown(row)}")
        made: dict[Any, Any] = {}
        for key, value in row.items():
            key = self._column(key)
            if key in made:
                raise FormatError(f"{self.where(i)} has two columns {shown(key)}")
            if not _missing(value) or key in ("weight", "bias"):
                made[key] = value
        return made

    def _column(self, key: Any) -> Any:
        """Return what a column means here; one in whose place another came keeps its name."""
        return self.renamed.get(key, key) if isinstance(key, str) else key

    # -- CSV

    def _read(self, text: str, delimiter: str) -> dict[str, list[str]]:
        """Return the cells of each column."""
        self.lines = []
        try:
            reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
            header = [self._column(cell.strip()) for cell in next(filter(None, reader), [])]
            rows = []
            for cells in reader:
                if cells:
                    rows.append(cells)
                    self.lines.append(reader.line_num)
                    if len(cells) != len(header):
                        raise FormatError(
                            f"{self.where(len(rows) - 1)} has {len(cells)} cells, but there are"
                            f" {len(header)} columns"
                        )
        except (csv.Error, TypeError) as error:
            raise FormatError(f"{self.what}: not readable as CSV: {error}") from None
        twice = next((c for i, c in enumerate(header) if c in header[:i]), None)
        if twice is not None:
            raise FormatError(f"{self.what}: line 1: there are two columns {shown(twice)}")
        for column in self.named:
            if column not in header:
                wanted = next(k for k, v in self.renamed.items() if v == column)
                raise FormatError(
                    f"{self.what}: line 1: there is no column {wanted!r}, only"
                    f" {shown(', '.join(header))}"
                )
        if "" in header:  # the index of pandas
            warn_lost({"a column without a name is not read": [self.what]}, stacklevel=5)
        return {c: [row[k] for row in rows] for k, c in enumerate(header) if c}

    def _parse(self, column: str, cells: list[str]) -> list[Any]:
        read = READ.get(column)
        if column in ("source", "target", "name", "gater"):
            read = self._name
        if read is None:
            return inferred(cells)
        made: list[Any] = []
        for i, cell in enumerate(cells):
            if cell == "" and column == "weight":
                raise FormatError(f"{self.where(i)}: weight is empty")
            try:
                made.append(None if cell == "" else read(cell))
            except (ValueError, KeyError):
                raise FormatError(f"{self.where(i)}: {column} cannot be {shown(cell)}") from None
        return made

    def _name(self, cell: str) -> Hashable:
        return self.names(cell)


def _lines(text: str) -> Iterator[str]:
    """Return the lines of a text; those of `StringIO` take four times the memory."""
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin) + 1 or len(text)
        yield text[begin:end]
        begin = end


def _records(table: Any, what: str) -> Iterable:
    if hasattr(table, "to_dict") and hasattr(table, "columns"):
        return table.to_dict("records")
    if isinstance(table, Iterable) and not isinstance(table, (bytes, Mapping)):
        return table
    raise ParameterError(f"{what} must be a path, a DataFrame or rows, got {shown(table)}")


def _missing(value: Any) -> bool:
    """Whether it is None, NaN, or one of the values of pandas that stand for none."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(value != value)


def _number(text: str) -> float:
    if not NUMBER.fullmatch(text.strip().lower()):
        raise ValueError
    return float(text)


def _whole(text: str) -> int:
    if not WHOLE.fullmatch(text.strip()):
        raise ValueError
    return require_plain(int(text), "a cell")


def _flag(text: str) -> bool:
    return {**FLAGS, "1": True, "0": False}[text.strip().lower()]


READ: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("weight", "bias", "rate_factor", "lower", "upper", "dropout"), _number),
    **dict.fromkeys(("delay", "gate_delay", "port", "sign"), _whole),
    "trainable": _flag,
    **dict.fromkeys(("role", "activation", "reads", "tie"), str),
}


def inferred(cells: list[str]) -> list[Any]:
    """Return what a column of the user's holds: numbers if all of it is, else texts."""
    there = [cell for cell in cells if cell != ""]
    if all(PLAIN.fullmatch(cell) for cell in there):
        read: Callable[[str], Any] = int
    elif all(
        NUMBER.fullmatch(c.lower()) and (c[-1] in "fFnN" or isfinite(float(c))) for c in there
    ):
        read = float
    elif all(cell.lower() in FLAGS for cell in there):
        read = _flag
    else:
        read = str
    return [None if cell == "" else read(cell) for cell in cells]
