"""A small network as SVG, from the same layout as `draw`; without matplotlib."""

from __future__ import annotations

from html import escape

import numpy as np

from neurograph.viz.ink import GATE as GATE_INK
from neurograph.viz.scene import FONT, MARK, SMALL, Box, Layout, Line
from neurograph.viz.shapes import Look, head, is_bar

__all__ = ["svg"]

SCALE = 4 / 3  # pixels in a point


def svg(found: Layout, looks: dict[int, Look]) -> str:
    """Return the picture as text; all names are escaped.

    Parameters
    ----------
    found : Layout
    looks : dict of int to Look
        By number of the synapse in the plan.
    """
    width, height = found.width, found.height
    body = [_line(line, looks[line.synapse]) for line in found.lines]
    body += [_box(box) for box in found.boxes]
    body += [_text(line.at, line.text, SMALL, halo=True) for line in found.lines if line.text]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' width="{width * SCALE:.0f}" height="{height * SCALE:.0f}" style="max-width:100%;'
        f'height:auto;background:#fff" font-family="DejaVu Sans, Verdana, sans-serif">'
        f"{''.join(body)}</svg>"
    )


def _n(*values: float) -> str:
    return " ".join(f"{value:.1f}" for value in values)


def _curve(path: np.ndarray) -> str:
    pieces = [f"C{_n(*path[i : i + 3].ravel())}" for i in range(1, len(path), 3)]
    return f"M{_n(*path[0])}{''.join(pieces)}"


def _line(line: Line, look: Look) -> str:
    title = f"<title>{escape(look.title)}</title>"
    if line.kind == "gate":
        x, y = line.tip
        return (
            f'<g class="gate">{title}<path d="{_curve(line.path)}" fill="none" stroke="{GATE_INK}"'
            f' stroke-width="1.1" stroke-dasharray="1 2.2"/><circle cx="{x:.1f}" cy="{y:.1f}"'
            f' r="{MARK}" fill="#fff" stroke="{GATE_INK}" stroke-width="1.2"/></g>'
        )
    dashes = ' stroke-dasharray="5 3"' if line.late else ""
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in head(line, look.width, is_bar(look.value)))
    return (
        f'<g class="synapse">{title}<path d="{_curve(line.path)}" fill="none"'
        f' stroke="{look.colour}" stroke-width="{look.width:.2f}"{dashes}/>'
        f'<polygon points="{points}" fill="{look.colour}"/></g>'
    )


def _box(box: Box) -> str:
    left, top, _, _ = box.sides
    fill = "#e8e8e8" if box.role == "input" else "#fff"
    radius = 2 if box.role == "input" else 7
    line = 2.2 if box.role == "output" else 1.0
    return (
        f'<g class="neuron"><rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}"'
        f' height="{box.height:.1f}" rx="{radius}" fill="{fill}" stroke="#222"'
        f' stroke-width="{line}"/>{_text((box.x, box.y), box.text, FONT)}</g>'
    )


def _text(at: object, text: str, size: float, halo: bool = False) -> str:
    x, y = np.asarray(at, float)
    around = ' stroke="#fff" stroke-width="3" paint-order="stroke"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" dy=".35em" font-size="{size}" text-anchor="middle"'
        f' fill="#222"{around}>{escape(text)}</text>'
    )
