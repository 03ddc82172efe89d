"""What an explanation is: sections of parts that add up, as text, as a dict, as HTML."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from html import escape
from math import fsum
from typing import Any

from neurograph.elements import Neuron, Synapse
from neurograph.viz.plots import plot_explanation

__all__ = ["Explanation", "Part", "Section", "closed", "plain", "short"]

STYLE = "text-align:left;padding:0 1em 0 0;white-space:pre"
# A long path or product is broken, so that its value stays on the page.
BROKEN = STYLE + "-wrap;vertical-align:top;min-width:6em;overflow-wrap:anywhere"


@dataclass(frozen=True)
class Part:
    """One of the numbers that add up to what is explained.

    Attributes
    ----------
    value : float
    what : str
        Where it comes from, in words.
    formula : str
        A product in the letters of docs/model.md, or "".
    numbers : tuple of float
        Its factors, if the part is one product; their product is `value`.
    about : dict
        Whatever else there is to say: `sample`, `step`, `synapse`, `neuron`, `neurons` …
    """

    value: float
    what: str
    formula: str = ""
    numbers: tuple[float, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def product(self) -> str:
        """The factors with their numbers: "0.5 · 2", or "" if the part is not one product."""
        return " · ".join(short(n) if n >= 0 else f"({short(n)})" for n in self.numbers)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        found = {"value": self.value, "what": self.what, "formula": self.formula}
        return {**found, "numbers": list(self.numbers), **plain(self.about)}


@dataclass(frozen=True)
class Section:
    """One way to split the number that is explained.

    Attributes
    ----------
    name : str
        Key in the dict of the explanation.
    title : str
        What its parts are.
    equations : str
        By number, as in docs/model.md; or "".
    parts : tuple of Part
        They add up to `total`.
    total : float
    """

    name: str
    title: str
    equations: str
    parts: tuple[Part, ...]
    total: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        head = {"title": self.title, "equations": self.equations, "total": self.total}
        return {**head, "parts": [part.to_dict() for part in self.parts]}


class Explanation:
    """Why a number is what it is: `print` it, or let a notebook show it.

    Attributes
    ----------
    title : str
        What is explained, and its value.
    sections : tuple of Section
        The ways in which it is split.
    notes : tuple of str
    parts : tuple of Part
        Those of the first section; they add up to what is explained.
    """

    title: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the first section."""
        return self.sections[0].parts

    def section(self, name: str) -> Section:
        """Return the section of this name."""
        return next(s for s in self.sections if s.name == name)

    def facts(self) -> dict[str, Any]:
        """Return what the dict says before the sections."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that JSON can hold."""
        found = {"title": self.title, **plain(self.facts()), "notes": list(self.notes)}
        return found | {s.name: s.to_dict() for s in self.sections}

    def plot(self, section: str | None = None, ax: Any = None) -> Any:
        """Draw the parts as bars that add up; return the axes (extra `matplotlib`).

        Parameters
        ----------
        section : str, optional
            Name of the section, a key of `to_dict()`; the first unless given.
        ax : matplotlib axes, optional
            Where to draw; a new figure unless given.

        Raises
        ------
        ParameterError
            There is no section of this name, or matplotlib is missing.
        """
        return plot_explanation(self, section, ax)

    def _shown(self) -> list[Section]:
        """Return the sections that have parts: of what is given there is nothing to add up."""
        return [section for section in self.sections if section.parts]

    def __str__(self) -> str:
        lines = [self.title]
        for section in self._shown():
            lines += ["", _headline(section), *_aligned(_rows(section))]
        return "\n".join(line.rstrip() for line in [*lines, *self.notes])

    def __repr__(self) -> str:
        return f"<{self.title}>"

    def _repr_html_(self) -> str:
        tables = [f"<b>{escape(self.title)}</b>"]
        for section in self._shown():
            rows = "".join(
                "<tr>" + "".join(f'<td style="{BROKEN}">{escape(cell)}</td>' for cell in row[:-1])
                + f'<td style="{STYLE};vertical-align:top">{escape(row[-1])}</td></tr>'
                for row in _used(_rows(section))
            )  # fmt: skip
            tables.append(f"<p>{escape(_headline(section))}</p><table>{rows}</table>")
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"<div>{''.join(tables)}{notes}</div>"


def _headline(section: Section) -> str:
    return section.title + (f", {section.equations}" if section.equations else "") + ":"


def _rows(section: Section) -> list[tuple[str, ...]]:
    """Return what, formula, product and value of each part, and their sum."""
    rows = [
        (part.what, part.formula, f"= {part.product}" if part.numbers else "", short(part.value))
        for part in section.parts
    ]
    return [*rows, ("sum", "", "", short(section.total))]


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return lines with columns of one width; the last one by its sign."""
    signed = [(*row[:-1], row[-1] if row[-1][0] == "-" else f" {row[-1]}") for row in rows]
    width = [max(map(len, column)) for column in zip(*_used(signed), strict=True)]
    return [
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True))
        for row in _used(signed)
    ]


def _used(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return rows without the columns that are empty in all of them."""
    used = [i for i in range(len(rows[0])) if any(row[i] for row in rows)]
    return [tuple(row[i] for i in used) for row in rows]


def closed(parts: Sequence[Part], limit: int) -> tuple[Part, ...]:
    """Return the first `limit` parts, and all others as one."""
    parts = tuple(parts)
    if len(parts) <= limit + 1:
        return parts
    rest = parts[limit:]
    value, n = fsum(p.value for p in rest), len(rest)
    return (*parts[:limit], Part(value, f"the other {n} together", about={"others": n}))


def short(value: float) -> str:
    """Return a number in four digits.

    >>> short(0.123456), short(-2.0), short(3e-9)
    ('0.1235', '-2', '3e-09')
    """
    return f"{value + 0.0:.4g}"


def plain(value: Any) -> Any:
    """Return a value as JSON has them: handles and names that it lacks become text.

    >>> plain({"name": (1, "x"), "step": 2})
    {'name': "(1, 'x')", 'step': 2}
    """
    if isinstance(value, Synapse):
        return {"source": plain(value.source), "target": plain(value.target)}
    if isinstance(value, Neuron):
        return plain(value.name)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return float(value) if isinstance(value, float) else repr(value)


def arrow(source: Hashable, target: Hashable) -> str:
    """Return how a synapse is written."""
    return f"{source!r} -> {target!r}"
