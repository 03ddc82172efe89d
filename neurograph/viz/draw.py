"""`draw`: a network as a picture of matplotlib, from a layout."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurograph.graph import NeuronGraph
from neurograph.values import choice
from neurograph.viz.ink import GATE as GATE_INK
from neurograph.viz.ink import NEGATIVE, POSITIVE, needs, text_width
from neurograph.viz.layout import layout
from neurograph.viz.matrix import draw_matrix
from neurograph.viz.scene import FONT, HEAD, MARGIN, MARK, SMALL, Box, Layout, Line
from neurograph.viz.shapes import Look, drawable, head, is_bar, looks

__all__ = ["draw", "is_small"]

MOST_NEURONS, MOST_LINES = 40, 150  # that a graph is drawn of unasked
KINDS = ("auto", "graph", "matrix")
COLUMNS = ("level", "visit")
DOTTED, DASHED = (0, (1, 2.2)), (0, (5, 3))
ROW = 16.0  # height of a row of the legend


def is_small(graph: NeuronGraph) -> bool:
    """Whether there is little enough for a picture with a line for each synapse."""
    return len(graph) <= MOST_NEURONS and graph.number_of_edges() <= MOST_LINES


def draw(
    graph: NeuronGraph,
    kind: str = "auto",
    *,
    ax: Any = None,
    x: str = "level",
    show: str = "weight",
    legend: bool = True,
) -> Any:
    """Draw a network; see `Network.draw`."""
    kind, x = KINDS[choice("kind", kind, KINDS)], COLUMNS[choice("x", x, COLUMNS)]
    made = drawable(graph)
    needs("draw")
    if kind == "matrix" or (kind == "auto" and not is_small(graph)):
        return draw_matrix(graph, made, ax=ax, show=show)
    found = layout(made, x=x)
    return _Painter(found, looks(graph, made, show), show).paint(ax, legend)


class _Painter:
    """Puts a layout on axes whose unit is a point."""

    def __init__(self, found: Layout, looks: dict[int, Look], show: str):
        self.layout, self.looks, self.show = found, looks, show

    def paint(self, ax: Any, legend: bool) -> Any:
        """Draw it all; return the axes."""
        entries = self._entries() if legend else []
        rows = _rows(entries, self.layout.width)
        width = max([self.layout.width, *(sum(e[1] for e in row) + 2 * MARGIN for row in rows)])
        height = self.layout.height + ROW * len(rows)
        if ax is None:
            figure = needs("draw")(figsize=(width / 72, height / 72))
            ax = figure.add_axes((0, 0, 1, 1))
        shift = (width - self.layout.width) / 2
        ax.set_xlim(-shift, width - shift)
        ax.set_ylim(height, 0)
        ax.set_aspect("equal")
        ax.set_axis_off()
        self.ax, self.scale = ax, _scale(ax, width, height)
        for line in self.layout.lines:
            self._line(line, self.looks[line.synapse])
        for box in self.layout.boxes:
            self._box(box)
        for k, row in enumerate(rows):
            self._legend(row, self.layout.height + ROW * (k + 0.5) - 4, -shift + MARGIN)
        return ax

    # ------------------------------------------------------------ parts

    def _curve(self, path: np.ndarray, gid: str, order: float = 2, **style: Any) -> None:
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        codes = [Path.MOVETO, *[Path.CURVE4] * (len(path) - 1)]
        style["linewidth"] *= self.scale
        curve = PathPatch(Path(path, codes), fill=False, capstyle="butt", gid=gid, **style)
        curve.set_zorder(order)
        self.ax.add_patch(curve)

    def _line(self, line: Line, look: Look) -> None:
        from matplotlib.patches import Circle, Polygon

        gid = f"{line.kind}:{line.synapse}"
        if line.kind == "gate":
            self._curve(line.path, gid, 3, color=GATE_INK, linewidth=1.1, linestyle=DOTTED)
            mark = Circle(tuple(line.tip), MARK, facecolor="white", edgecolor=GATE_INK, zorder=4)
            mark.set_linewidth(1.2 * self.scale)
            mark.set_gid(f"mark:{line.synapse}")
            self.ax.add_patch(mark)
        else:
            dashes: Any = "-"
            if line.late:  # matplotlib makes dashes longer where a line is wider
                dashes = (0, tuple(1.4 * n / max(1.0, look.width) for n in DASHED[1]))
            self._curve(line.path, gid, color=look.colour, linewidth=look.width, linestyle=dashes)
            outline = head(line, look.width, is_bar(look.value))
            tip = Polygon(
                outline, color=look.colour, linewidth=0, zorder=3, gid=f"head:{line.synapse}"
            )
            self.ax.add_patch(tip)
        if line.text and line.at is not None:
            delay = "gate delay" if line.kind == "gate" else "delay"
            self._text(line.at, line.text, SMALL, f"{delay}:{line.synapse}", halo=True)

    def _box(self, box: Box) -> None:
        from matplotlib.patches import FancyBboxPatch

        left, top, _, _ = box.sides
        radius = 2 if box.role == "input" else 7
        patch = FancyBboxPatch(
            (left, top),
            box.width,
            box.height,
            boxstyle=f"round,pad=0,rounding_size={radius}",
            facecolor="#e8e8e8" if box.role == "input" else "white",
            edgecolor="#222222",
            linewidth=(2.2 if box.role == "output" else 1.0) * self.scale,
            zorder=5,
            gid=f"neuron:{box.neuron}",
        )
        self.ax.add_patch(patch)
        self._text((box.x, box.y), box.text, FONT, f"name:{box.neuron}")

    def _text(
        self, at: Any, text: str, size: float, gid: str, halo: bool = False, side: str = "center"
    ) -> None:
        """Write a text as it stands: a name is no formula."""
        from matplotlib.patheffects import withStroke

        written = self.ax.text(*at, text, ha=side, va="center", size=size * self.scale, zorder=6)
        written.set(parse_math=False, gid=gid, color="#222222", clip_on=True)
        if halo:
            around = withStroke(linewidth=3 * self.scale, foreground="white")
            written.set_path_effects([around])

    # ------------------------------------------------------------ legend

    def _entries(self) -> list[tuple[str, float]]:
        """Return what there is to explain, and how wide each entry is."""
        lines = self.layout.lines
        found = [self.looks[line.synapse].value for line in lines if line.kind != "gate"]
        texts = []
        if any(v > 0 for v in found):
            texts.append(f"positive, up to {max(found):.3g}")
        if any(v < 0 for v in found):
            texts.append(f"negative, down to {min(found):.3g}")
        if any(line.late and line.kind != "gate" for line in lines):
            texts.append("late: z⁻ᵈ is d steps")
        if any(line.text.startswith("s") for line in lines):
            texts.append("s: the state")
        if any(line.kind == "gate" for line in lines):
            texts.append("gate")
        kinds = {"p": 26, "n": 26, "l": 26, "g": 26, "s": 0}
        return [(text, 0.86 * text_width(text, SMALL) + kinds[text[0]] + 10) for text in texts]

    def _legend(self, row: list[tuple[str, float]], y: float, x: float) -> None:
        for text, width in row:
            kind, start = text[0], x
            if kind != "s":
                self._key(kind, x, y)
                start = x + 27
            self._text((start, y), text, SMALL, "legend", side="left")
            x += width

    def _key(self, kind: str, x: float, y: float) -> None:
        from matplotlib.patches import Circle, Polygon

        ends = np.array([[x, y], [x + 8, y], [x + 14, y], [x + 22, y]])
        if kind == "g":
            self._curve(ends, "legend", color=GATE_INK, linewidth=1.1, linestyle=DOTTED)
            ring = Circle((x + 22, y), MARK, facecolor="white", edgecolor=GATE_INK, zorder=4)
            self.ax.add_patch(ring)
            return
        colour = NEGATIVE[1] if kind == "n" else POSITIVE[1] if kind == "p" else "#555555"
        line = Line("synapse", -1, (0, 0), False, "", tip=ends[-1].copy())
        ends[:, 0] = np.linspace(x, x + 22 - HEAD, 4)
        style = DASHED if kind == "l" else "-"
        self._curve(ends, "legend", color=colour, linewidth=1.6, linestyle=style)
        if kind == "l":
            return
        self.ax.add_patch(Polygon(head(line, 1.6, kind == "n"), color=colour, linewidth=0))


def _rows(entries: list[tuple[str, float]], width: float) -> list[list[tuple[str, float]]]:
    """Return the entries in rows, none of them wider than the picture if possible."""
    rows: list[list[tuple[str, float]]] = []
    room = 0.0
    for entry in entries:
        if not rows or entry[1] > room:
            rows.append([])
            room = max(width, 200.0) - 2 * MARGIN
        rows[-1].append(entry)
        room -= entry[1]
    return rows


def _scale(ax: Any, width: float, height: float) -> float:
    """Return how many points on paper a unit of the picture takes."""
    inches = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
    return 72 * min(inches.width / width, inches.height / height)
