"""What a notebook shows of a network, a neuron, a synapse and a plan. Every name is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from neurograph.errors import NeurographError
from neurograph.inspection.explanation import STYLE, arrow, short
from neurograph.schedule import NONE, Plan
from neurograph.viz.draw import is_small
from neurograph.viz.layout import layout
from neurograph.viz.shapes import drawable, looks
from neurograph.viz.svg import svg

__all__ = ["of_network", "of_neuron", "of_plan", "of_synapse", "picture"]

ROWS = 20  # of a table
HEAD = STYLE + ";font-weight:bold"


def picture(graph: Any) -> str | None:
    """Return a small network as SVG; None if it is large, empty, a view or not well-formed."""
    if not is_small(graph):
        return None
    try:
        made = drawable(graph)
        return svg(layout(made), looks(graph, made))
    except NeurographError:
        return None


def of_network(graph: Any) -> str:
    """Return a summary, the picture of a small network, and a table of the neurons."""
    rows = [_neuron_row(neuron) for _, neuron in zip(range(ROWS), _handles(graph), strict=False)]
    head = ("neuron", "role", "activation", "bias", "in", "out", "gates")
    more = _more(len(graph), "neuron")
    drawn = picture(graph) or ""
    return _page(repr(graph), drawn, _table([head, *rows]) if rows else "", more)


def of_neuron(neuron: Any) -> str:
    """Return the parameters and numbers of a neuron, and its synapses."""
    facts = [
        ("role", neuron.role),
        ("activation", neuron.activation),
        *_numbers(neuron, ("bias", "state", "output", "delta", "grad")),
        *_attributes(neuron, ("role", "activation", "bias")),
    ]
    tables = [_table(facts, heads=False)]
    for title, found in (("incoming", neuron.incoming), ("outgoing", neuron.outgoing),
                         ("gated", neuron.gated)):  # fmt: skip
        if found:
            rows = [_synapse_row(s) for s in found[:ROWS]]
            head = (title, "weight", "delay", "gater", "grad")
            tables += [_table([head, *rows]), _more(len(found), title)]
    return _page(_what(neuron), *tables)


def of_synapse(synapse: Any) -> str:
    """Return the parameters and numbers of a synapse."""
    facts = [
        ("delay", str(synapse.delay)),
        *([("reads", synapse.reads)] if synapse.loop else []),
        *([("gater", repr(synapse.gater))] if synapse.gater is not None else []),
        *([("tie", repr(synapse.tie))] if synapse.tie is not None else []),
        *_numbers(synapse, ("weight", "gain", "grad")),
        *_attributes(synapse, ("weight", "delay", "reads", "gater", "tie")),
    ]
    return _page(_what(synapse), _table(facts, heads=False))


def of_plan(plan: Plan) -> str:
    """Return the neurons of each level, and what is read from an earlier step."""
    first = str(plan).splitlines()[0]
    by_level: dict[int, list[int]] = {}
    for j, level in enumerate(plan.level.tolist()):
        by_level.setdefault(level, []).append(j)
    rows = []
    for level, found in list(by_level.items())[:ROWS]:
        names = ", ".join(repr(plan.name(j)) for j in found[:12])
        more = f" and {len(found) - 12} more" if len(found) > 12 else ""
        rows.append((str(level), str(len(found)), names + more))
    tables = [_table([("level", "neurons", ""), *rows]), _more(len(by_level), "level")]
    late = [e for e in range(plan.n_synapses) if plan.delay[e]][: ROWS + 1]
    late_rows = [
        (arrow(plan.name(plan.source[e]), plan.name(plan.target[e])), str(plan.delay[e]))
        for e in late[:ROWS]
    ]
    late_rows += [(arrow(plan.name(j), plan.name(j)), "1, its state") for j in plan.cell[:ROWS]]
    if plan.gater.size:
        gates = [e for e in (plan.gater != NONE).nonzero()[0] if plan.gate_delay[e]]
        late_rows += [(f"gate of {plan.name(plan.gater[e])!r}", "1") for e in gates[:ROWS]]
    if late_rows:
        tables.append(_table([("read from an earlier step", "steps ago"), *late_rows[:ROWS]]))
    return _page(f"Plan: {first}", *tables)


# ---------------------------------------------------------------- pieces


def _handles(graph: Any) -> Iterable[Any]:
    return (data for _, data in graph.nodes(data=True))


def _what(handle: Any) -> str:
    gone = ", removed from its network: its last values" if handle.detached else ""
    return f"{handle}{gone}"


def _neuron_row(neuron: Any) -> tuple[str, ...]:
    counts = (len(neuron.incoming), len(neuron.outgoing), len(neuron.gated))
    bias = "" if neuron.role == "input" else short(neuron.bias)
    return (repr(neuron.name), neuron.role, neuron.activation, bias, *map(str, counts))


def _synapse_row(synapse: Any) -> tuple[str, ...]:
    gater = "" if synapse.gater is None else repr(synapse.gater)
    ends = arrow(synapse.source, synapse.target)
    return (ends, short(synapse.weight), str(synapse.delay), gater, short(synapse.grad))


def _numbers(handle: Any, names: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, short(getattr(handle, name))) for name in names]


def _attributes(handle: Any, but: Sequence[str]) -> list[tuple[str, str]]:
    """Return the other parameters that differ from the default, and the user's own."""
    return [(str(key), _cut(repr(value))) for key, value in handle.items() if key not in but]


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "…"


def _more(n: int, what: str) -> str:
    return f"<p>… and {n - ROWS} more ({what})</p>" if n > ROWS else ""


def _table(rows: Sequence[Sequence[str]], heads: bool = True) -> str:
    """Return a table; its first row, or else its first column, is a head."""
    lines = []
    for i, row in enumerate(rows):
        cells = []
        for k, cell in enumerate(row):
            bold = i == 0 if heads else k == 0
            cells.append(f'<td style="{HEAD if bold else STYLE}">{escape(_clean(cell))}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _clean(text: str) -> str:
    """Return text without what no page can hold: surrogates and control characters."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _page(title: str, *parts: str) -> str:
    return f"<div><b>{escape(_clean(title))}</b>{''.join(parts)}</div>"
