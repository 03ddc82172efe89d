"""What pictures have in common: colours, widths, and names as they can be shown.

Positive weights are purple, negative ones orange, the ends of the map PuOr of ColorBrewer (Harrower
and Brewer 2003), which colour-blind people tell apart. In print the sign shows by something else:
the end of a line, a filled or an open square, light or dark.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable
from typing import Any

from neurograph.errors import ParameterError

__all__ = ["GATE", "NEGATIVE", "POSITIVE", "label", "later", "needs", "stroke", "text_width"]

POSITIVE = ("#998ec3", "#3f1a6b")  # from a weight near 0 to the largest
NEGATIVE = ("#f1a340", "#a34a05")
ZERO = "#999999"
GATE = "#1b6e5a"
SERIES = ("#3f1a6b", "#d9740d", "#1b6e5a", "#777777")
WIDTHS = (0.8, 3.4)  # of a line, in points
LONGEST = 16  # characters of a name that a picture shows
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def stroke(value: float, largest: float) -> tuple[str, float]:
    """Return colour and width of a line for a weight, given the largest |weight|.

    >>> stroke(-2.0, 2.0)[0], stroke(0.0, 2.0)
    ('#a34a05', ('#999999', 0.8))
    """
    share = min(1.0, abs(value) / largest) if largest > 0 else 0.0
    width = WIDTHS[0] + (WIDTHS[1] - WIDTHS[0]) * share
    if not share:
        return ZERO, width
    ends = POSITIVE if value > 0 else NEGATIVE
    return mixed(*ends, share**0.5), width


def mixed(first: str, second: str, share: float) -> str:
    """Return a colour between two."""
    both = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (first, second)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(*both, strict=True))


def label(name: Hashable, longest: int = LONGEST) -> str:
    """Return a name as a picture shows it: on one line, printable, shortened in the middle.

    A blank one is in quotes.

    >>> label("hidden.0"), label(("a", 1)), label("two\\nlines"), label("x" * 40), label("")
    ('hidden.0', "('a', 1)", 'two\\\\nlines', 'xxxxxxxxx…xxxxxx', "''")
    """
    text = name if isinstance(name, str) and name.strip() else repr(name)
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    if len(text) > longest:
        text = text[: longest * 3 // 5] + "…" + text[-(longest - longest * 3 // 5 - 1) :]
    return text


def later(steps: int) -> str:
    """Return a delay as it is written in signal processing.

    >>> later(1), later(12)
    ('z⁻¹', 'z⁻¹²')
    """
    return "z⁻" + str(steps).translate(SUPERSCRIPT)


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is, rather too much, in the unit of its font size."""
    total = 0.0
    for c in text:
        if unicodedata.east_asian_width(c) in "WF":
            total += 1.05
        elif c in "mwMW@%—…":
            total += 0.98
        else:
            total += 0.76 if c.isupper() else 0.64
    return total * size


def needs(what: str) -> Any:
    """Return matplotlib's `Figure`, or say what to install."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ParameterError(
            f"{what} needs matplotlib: pip install 'neurograph[matplotlib]'"
        ) from None
    return Figure


def axes(what: str, ax: Any = None, size: tuple[float, float] = (5.0, 3.2)) -> Any:
    """Return the axes to draw on: those given, or new ones of this size in inches."""
    figure = needs(what)
    if ax is not None:
        return ax
    return figure(figsize=size, layout="constrained").add_subplot()
