"""The matrix view: the weights of all synapses, in plan order."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurograph.graph import NeuronGraph
from neurograph.schedule import NONE, Plan
from neurograph.viz.ink import NEGATIVE, POSITIVE, axes, label
from neurograph.viz.shapes import values

__all__ = ["draw_matrix", "matrix"]

NAMED = 64  # neurons up to which each has its name and each synapse a square of its own
PIXELS = 512  # of the picture of a larger one, at most
LINED = 12  # levels up to which their borders are drawn


def matrix(plan: Plan, found: np.ndarray, pixels: int = PIXELS) -> np.ndarray:
    """Return the weights as an array, target by source in the order of visits.

    Parameters
    ----------
    plan : Plan
    found : (E + M,) array
        A number for each synapse, in the order of the plan.
    pixels : int
        Rows of the array, at most; where there are more neurons, each entry is the number of the
        largest size among the synapses that fall into it.

    Returns
    -------
    (n, n) array
        NaN where there is no synapse.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network([("a", "b", {"weight": 2.0}), ("b", "b", {"weight": -1.0})])
    >>> matrix(net.plan(), net.weights).tolist()
    [[nan, nan], [2.0, -1.0]]
    """
    source, target = _ends(plan)
    n = min(plan.n_neurons, pixels)
    row, column = (ends * n // max(1, plan.n_neurons) for ends in (target, source))
    order = np.argsort(np.abs(found), kind="stable")  # the largest is written last
    made = np.full((n, n), np.nan)
    made[row[order], column[order]] = found[order]
    return made


def _ends(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Return source and target of all synapses, self-synapses that read the state included."""
    source, target = (np.concatenate([a, plan.cell]) for a in (plan.source, plan.target))
    return source.astype(np.int64), target.astype(np.int64)


def draw_matrix(graph: NeuronGraph, plan: Plan, *, ax: Any = None, show: str = "weight") -> Any:
    """Draw the matrix view; return the axes.

    Up to 64 neurons a synapse is a square whose area shows its size (Hinton diagram): filled if
    it is positive, open if it is negative; a dot in it says that it is late, a ring around it
    that it is gated. Beyond, it is an image. What lies above the diagonal is read by a neuron that
    is visited earlier, so it is late.
    """
    found, n = values(graph, plan, show), plan.n_neurons
    small = n <= NAMED
    size = np.clip(1.6 + 0.17 * n, 2.6, 7.0) if small else 5.4
    ax = axes("draw", ax, (size + (0 if small else 1.0), size))
    largest = float(np.abs(found[np.isfinite(found)]).max(initial=0.0)) or 1.0
    if small:
        _squares(ax, plan, found, largest)
        _names(ax, plan, float(size))
    else:
        _image(ax, plan, found, largest, show)
    ax.plot([-0.5, n - 0.5], [-0.5, n - 0.5], color="0.75", linewidth=0.6, zorder=0.5)
    borders = np.flatnonzero(np.diff(plan.level)) + 0.5
    if len(borders) < LINED:
        for at in borders:
            ax.axhline(at, color="0.8", linewidth=0.6, zorder=0.5)
            ax.axvline(at, color="0.8", linewidth=0.6, zorder=0.5)
    ax.set_xlim(-0.5, n - 0.5)
    ax.set_ylim(n - 0.5, -0.5)
    ax.set_aspect("equal")
    ax.set_xlabel("from, in the order of visits")
    ax.set_ylabel("to")
    return ax


def _squares(ax: Any, plan: Plan, found: np.ndarray, largest: float) -> None:
    from matplotlib.patches import Circle, Rectangle

    late = np.concatenate([plan.delay > 0, np.ones(plan.n_memories, bool)])
    gated = plan.gater != NONE if plan.gater.size else np.zeros(len(found), bool)
    for e, (i, j) in enumerate(zip(*_ends(plan), strict=True)):
        value = found[e]
        half = 0.34 * max(0.1, min(1.0, abs(value) / largest)) ** 0.5
        ink = POSITIVE[1] if value >= 0 else NEGATIVE[1]
        fill = ink if value > 0 else "white"
        corner = (i - half, j - half)
        square = Rectangle(
            corner, 2 * half, 2 * half, facecolor=fill, edgecolor=ink, gid=f"cell:{e}"
        )
        ax.add_patch(square)
        if late[e]:
            dot = Circle(
                (i, j), 0.09, color="white" if value > 0 else ink, zorder=3, gid=f"late:{e}"
            )
            ax.add_patch(dot)
        if gated[e]:
            ring = Circle((i, j), 0.47, fill=False, edgecolor="0.2", zorder=3, gid=f"gate:{e}")
            ring.set(linewidth=0.9, linestyle=(0, (1, 1.5)))
            ax.add_patch(ring)

    said = ["filled: positive, open: negative"]
    said += ["dot: late"] * bool(late.any()) + ["ring: gated"] * bool(gated.any())
    ax.set_title("\n".join([said[0], ", ".join(said[1:])]).strip(), fontsize=7, loc="left")


def _names(ax: Any, plan: Plan, inches: float) -> None:
    names = [label(name) for name in plan.visits]
    size = float(np.clip(0.72 * inches * 60 / max(1, len(names)), 3.0, 8.0))
    for axis, turned in ((ax.xaxis, 90), (ax.yaxis, 0)):
        axis.set_ticks(range(len(names)), names, rotation=turned, fontsize=size)
        for text in axis.get_ticklabels():
            text.set_parse_math(False)


def _image(ax: Any, plan: Plan, found: np.ndarray, largest: float, show: str) -> None:
    """Draw an image whose map tells the sign in grey too: what is negative stays light."""
    from matplotlib.colors import FuncNorm, LinearSegmentedColormap

    stops = [(0, "#e08214"), (0.499, "#fdc985"), (0.501, "#8073ac"), (1, POSITIVE[1])]
    chosen = LinearSegmentedColormap.from_list("weights", stops)
    norm = FuncNorm((_root, _square), vmin=-largest, vmax=largest)
    n = plan.n_neurons
    image = ax.imshow(
        matrix(plan, found), cmap=chosen, norm=norm, interpolation="nearest",
        extent=(-0.5, n - 0.5, n - 0.5, -0.5),
    )  # fmt: skip
    bar = ax.figure.colorbar(image, ax=ax, label=show, shrink=0.7)
    bar.set_ticks([share * largest for share in (-1, -0.25, 0, 0.25, 1)])


def _root(x: np.ndarray) -> np.ndarray:
    """Return a scale on which small numbers are told apart as well."""
    return np.sign(x) * np.sqrt(np.abs(x))


def _square(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.square(x)
