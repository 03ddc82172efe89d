"""Slopes from central differences, extrapolated, with an estimate of their error.

Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", Advances in Engineering Software 4
(1982): differences at steps h, h/2, h/4, … are the first column of Neville's tableau in h²; each
further column takes one more power of h² off, and an entry is in error by about what it differs
from its two parents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["LARGEST", "SMALLEST", "Point", "Slope", "slope"]

LARGEST, SMALLEST = 2.0**-4, 2.0**-26  # steps, of a parameter of size 1 or less
SAFETY = 2.0  # times what an entry differs from its parents
ENOUGH = 3  # rows of the tableau before it may be called good


class Point(NamedTuple):
    """A function at one place: its value, and on which side of each of its kinks it is.

    value : float
    sides : bool array
    """

    value: float
    sides: np.ndarray


class Slope(NamedTuple):
    """A derivative by differences.

    value, error : float
        The error is infinite if there is no value.
    step : float
        The smallest step that it was made with.
    kink : int or None
        Which entry of `sides` changes however small the step is; -1 if none of them does but the
        slopes on both sides differ; None if there is no kink.
    """

    value: float
    error: float
    step: float
    kink: int | None = None


def slope(
    f: Callable[[float], Point | None],
    here: Point,
    size: float = 1.0,
    rounding: float = 0.0,
    enough: float = np.inf,
) -> Slope:
    """Return f'(0) by Ridders' extrapolation.

    Parameters
    ----------
    f : callable
        Of a step; None where it has no value.
    here : Point
        f(0).
    size : float
        Steps begin at `LARGEST` times this.
    rounding : float
        By how much a value of f may be in error.
    enough : float
        Where the error does not get this small, smaller steps are tried: f, or its curvature, may
        jump between larger ones.

    Returns
    -------
    Slope
        Steps between whose ends f has a kink take no part.

    Examples
    --------
    >>> import math
    >>> none = np.zeros(0, bool)
    >>> found = slope(lambda h: Point(math.exp(h), none), Point(1.0, none), rounding=2e-16)
    >>> abs(found.value - 1) < found.error < 1e-10
    True
    """
    best = nothing = Slope(np.nan, np.inf, 0.0)
    before: list[float] = []
    rows, bend, kink = 0, np.inf, None
    step = LARGEST * size
    while step >= SMALLEST * size:
        ahead, behind = f(step), f(-step)
        crossed = _crossed((ahead, behind), here)
        if crossed is not None or ahead is None or behind is None:
            kink = crossed
            before, rows, bend, step = [], 0, np.inf, step / 8
            continue
        noise, unbent = 2 * rounding / step, bend
        bend = abs(ahead.value + behind.value - 2 * here.value) / step  # about h f''(0)
        row = _row((ahead.value - behind.value) / (2 * step), before)
        rows += 1
        for entry, beside, above in zip(row[1:], row, before, strict=False):
            error = SAFETY * max(abs(entry - beside), abs(entry - above)) + noise
            if error <= best.error:
                best = Slope(entry, error, step)
        if rows >= ENOUGH and (
            best.error <= 2 * noise or abs(row[-1] - before[-1]) > 2 * best.error
        ):  # as good as it gets: from here on rounding has the upper hand
            if bend > max(0.75 * unbent, 8 * noise):
                best, kink = nothing, -1
            elif best.error <= enough:
                return best
            before, rows, bend, step = [], 0, np.inf, step / 8
            continue
        before, step = row, step / 2
    return best if np.isfinite(best.error) else best._replace(kink=kink)


def _row(first: float, before: list[float]) -> list[float]:
    """Return a row of Neville's tableau below another one."""
    row, power = [first], 1.0
    for entry in before:
        power *= 4
        row.append((power * row[-1] - entry) / (power - 1))
    return row


def _crossed(ends: tuple[Point | None, Point | None], here: Point) -> int | None:
    """Return the first kink between two points and a third one, None if there is none."""
    for end in ends:
        if end is not None and (end.sides != here.sides).any():
            return int(np.argmax(end.sides != here.sides))
    return None
