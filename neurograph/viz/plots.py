"""Plots of what inspection returns: explanations, attributions, lesion maps, probes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.errors import ParameterError
from neurograph.values import natural
from neurograph.viz.ink import NEGATIVE, POSITIVE, SERIES, axes, label

__all__ = ["plot_attribution", "plot_explanation", "plot_lesions", "plot_probe"]

ROW = 0.27  # inches that a bar takes
DASHES = ("-", "--", "-.", ":")
LINES = 8  # of a probe that have a colour and a name each
LONG = 44  # characters of the text beside a bar


def plot_explanation(explanation: Any, section: str | None = None, ax: Any = None) -> Any:
    """Draw the parts of an explanation as bars, each of which begins where the last one ended.

    The last bar is the sum. See `Explanation.plot`.
    """
    chosen = explanation.sections[0]
    if section is not None:
        known = {one.name: one for one in explanation.sections}
        if section not in known:
            names = ", ".join(map(repr, known))
            raise ParameterError(f"section must be one of {names}; got {section!r}")
        chosen = known[section]
    sizes = np.array([part.value for part in chosen.parts])
    starts = np.concatenate([[0.0], np.cumsum(sizes)[:-1]])[: len(sizes)]
    texts = [part.what for part in chosen.parts]
    ax = _bars(ax, [*texts, "sum"], [*sizes, chosen.total], [*starts, 0.0])
    n = len(sizes)
    ax.axhline(n - 0.5, color="0.6", linewidth=0.6)
    for k, start in enumerate(starts):  # where the next one begins
        end = start + sizes[k]
        ax.plot([end, end], [k, k + 1], color="0.6", linewidth=0.6, zorder=1)
    ax.set_title(label(explanation.title, 70), fontsize=9, loc="left", parse_math=False)
    return ax


def plot_attribution(attribution: Any, sample: int = 0, k: int = 20, ax: Any = None) -> Any:
    """Draw what is attributed to each input, neuron or synapse; see `Attribution.plot`."""
    n = len(attribution.target)
    if natural("sample", sample) >= n:
        raise ParameterError(f"sample must be below {n}, the number of samples; got {sample}")
    if attribution.method == "path":
        texts = [" -> ".join(map(_text, attribution.of))]
        sizes = attribution.values.reshape(n)[[sample]]
    else:
        texts = [_text(what) for what in attribution.of]
        sizes = attribution.values.reshape(n, -1, max(1, len(texts)))[sample]
        if len(sizes) > 1 and not isinstance(attribution.of[0], Synapse):
            return _steps(ax, texts, sizes, attribution)
        sizes = sizes.sum(0)
    most = np.argsort(-np.abs(sizes), kind="stable")[: natural("k", k)]
    ax = _bars(ax, [texts[i] for i in most], sizes[most])
    ax.set_title(_headline(attribution), fontsize=9, loc="left", parse_math=False)
    return ax


def _headline(attribution: Any) -> str:
    method = attribution.method.replace("_", " ")
    return f"{method} of output {label(attribution.output)}"


def _steps(ax: Any, texts: Sequence[str], sizes: np.ndarray, attribution: Any) -> Any:
    """Draw attributions at each step as an image, name by step."""
    from matplotlib.colors import LinearSegmentedColormap

    ax = axes("plot", ax, (5.4, max(2.0, 0.8 + ROW * len(texts))))
    largest = float(np.abs(sizes).max(initial=0.0)) or 1.0
    ends = [NEGATIVE[1], NEGATIVE[0], "#f7f7f7", POSITIVE[0], POSITIVE[1]]
    chosen = LinearSegmentedColormap.from_list("attributions", ends)
    image = ax.imshow(sizes.T, cmap=chosen, vmin=-largest, vmax=largest, aspect="auto")
    for (t, i), value in np.ndenumerate(sizes):
        if value < -0.05 * largest and sizes.size <= 600:  # the sign, where there is no colour
            ax.text(t, i, "−", ha="center", va="center", fontsize=7)
    _ticks(ax, texts)
    ax.set_xlabel("step")
    ax.set_title(_headline(attribution), fontsize=9, loc="left", parse_math=False)
    ax.figure.colorbar(image, ax=ax, label="attribution")
    return ax


def plot_lesions(lesions: Any, k: int = 20, ax: Any = None) -> Any:
    """Draw the k lesions that matter most, beside their estimates; see `Lesions.plot`."""
    if not len(lesions):
        raise ParameterError(f"there is no {lesions.kind} in this map, so nothing to draw")
    top = lesions.strongest(natural("k", k))
    texts = [" -> ".join(map(label, ends)) for ends in zip(*top._keys.values(), strict=True)]
    finite = np.isfinite(top.exact)
    sizes = np.where(finite, top.exact, 0.0)
    ax = _bars(ax, texts, sizes, numbers=False)
    for row in np.flatnonzero(~finite):
        ax.text(0, row, " ∞", va="center", fontsize=9)
    rows = np.arange(len(top))
    marks = {
        "first_order": ("o", 7.5, "first order"),
        "obd": ("s", 4.5, "OBD"),
        "obs": ("^", 6, "OBS"),
    }
    for name, (mark, size, text) in marks.items():
        if name in top.columns:
            ax.plot(
                getattr(top, name), rows, mark, label=text, color="black", zorder=3,
                markerfacecolor="white", markersize=size, markeredgewidth=1,
            )  # fmt: skip
    ax.set_xlabel("change of the loss without it; bars: exact")
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8)
    return ax


def plot_probe(probe: Any, what: str | None = None, ax: Any = None) -> Any:
    """Draw what a probe wrote down against the moments.

    Parameters
    ----------
    probe : Probe
    what : str, optional
        Kind of number, one of `probe.what`; the first unless given.
    ax : matplotlib axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    axes
        A line for each synapse or neuron. Up to eight have a name; of more, only a band of all
        and the one in the middle are told apart.

    Raises
    ------
    ParameterError
        The probe does not write that down, has no records yet, or matplotlib is missing.
    """
    kind = probe.what[0] if what is None else what
    if kind not in probe.what:
        names = ", ".join(map(repr, probe.what))
        raise ParameterError(f"what must be one of {names}, which this probe has; got {what!r}")
    moments = np.asarray(probe.moments)
    if not len(moments):
        raise ParameterError("the probe has no records yet: run or train the network first")
    series = np.asarray(probe[kind])
    owners = [element for name, element in probe.columns if name == kind]
    ax = axes("plot_probe", ax)
    if len(owners) <= LINES:
        for i, (owner, values) in enumerate(zip(owners, series.T, strict=True)):
            style = DASHES[(i // len(SERIES) + i) % len(DASHES)]
            text = _text(owner) + (" (removed)" if owner.detached else "")
            colour = SERIES[i % len(SERIES)]
            ax.plot(moments, values, style, color=colour, label=f"\u200b{text}", linewidth=1.4)
        legend = ax.legend(frameon=False, fontsize=8)
        for text in legend.get_texts():
            text.set(parse_math=False)
    else:
        ax.plot(moments, series, color="0.75", linewidth=0.6)
        known = ~np.isnan(series).all(1)  # a run has no gradients
        middle = np.full(len(series), np.nan)
        middle[known] = np.nanmedian(series[known], axis=1)
        ax.plot(moments, middle, color=SERIES[0], label=f"median of {len(owners)}")
        ax.legend(frameon=False, fontsize=8)
    ax.set_xlabel("moment")
    ax.set_ylabel(kind)
    return ax


# ---------------------------------------------------------------- bars


def _text(what: Any) -> str:
    """Return how a bar is called: a name, or "source -> target"."""
    if isinstance(what, Synapse):
        return f"{label(what.source)} -> {label(what.target)}"
    return label(what.name if isinstance(what, Neuron) else what)


def _bars(
    ax: Any, texts: Sequence[str], sizes: Any, starts: Any = 0.0, numbers: bool = True
) -> Any:
    """Draw bars from top to bottom: filled to the right, hatched to the left."""
    ax = axes("plot", ax, (6.2, max(1.6, 0.9 + ROW * len(texts))))
    sizes, starts = np.asarray(sizes, float), np.broadcast_to(starts, len(texts)).astype(float)
    for positive in (True, False):
        rows = np.flatnonzero((sizes >= 0) == positive)
        ax.barh(
            rows, sizes[rows], left=starts[rows], height=0.7,
            color=POSITIVE[1] if positive else NEGATIVE[0], edgecolor=POSITIVE[1] if positive
            else NEGATIVE[1], hatch=None if positive else "////", linewidth=0.8, zorder=2,
        )  # fmt: skip
    _ticks(ax, texts)
    ax.invert_yaxis()
    ax.axvline(0, color="0.4", linewidth=0.8)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    if numbers:
        ends = np.maximum(starts, starts + sizes)
        for row, (end, size) in enumerate(zip(ends, sizes, strict=True)):
            note = ax.annotate(f"{size:.3g}", (end, row), (3, 0), textcoords="offset points")
            note.set(va="center", fontsize=8)
        ax.margins(x=0.12)
    return ax


def _ticks(ax: Any, texts: Sequence[str]) -> None:
    ax.yaxis.set_ticks(range(len(texts)), [label(text, LONG) for text in texts], fontsize=8)
    ax.tick_params(axis="y", length=0)
    for text in ax.yaxis.get_ticklabels():
        text.set_parse_math(False)
