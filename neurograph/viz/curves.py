"""Curves as chains of cubic Béziers, arrays of 3 k + 1 points: what both painters can draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["bend", "chain", "point", "sampled", "straight", "turn"]

EASE = 0.45  # of the way is spent on leaving and on arriving horizontally


def straight(p: Sequence[float], q: Sequence[float]) -> np.ndarray:
    """Return the line from p to q.

    >>> straight((0, 0), (3, 0)).tolist()
    [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]
    """
    a, b = np.asarray(p, float), np.asarray(q, float)
    return a + np.linspace(0, 1, 4)[:, None] * (b - a)


def bend(p: Sequence[float], q: Sequence[float]) -> np.ndarray:
    """Return a curve from p to q that leaves and arrives horizontally, and never turns back."""
    reach = EASE * (q[0] - p[0])
    return np.array([p, (p[0] + reach, p[1]), (q[0] - reach, q[1]), q], float)


def turn(p: Sequence[float], q: Sequence[float], x: float) -> np.ndarray:
    """Return a curve from p to q that goes out as far as about x in between, and comes back."""
    out = [end[0] + (x - end[0]) * 4 / 3 for end in (p, q)]
    return np.array([p, (out[0], p[1]), (out[1], q[1]), q], float)


def chain(*pieces: np.ndarray) -> np.ndarray:
    """Return one curve of several, each of which begins where the one before ends."""
    return np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])


def point(piece: np.ndarray, t: float | np.ndarray) -> np.ndarray:
    """Return the point at t, 0 to 1, of one Bézier, (4, 2); of many t, (n, 2).

    >>> point(straight((0, 0), (4, 2)), 0.5).tolist()
    [2.0, 1.0]
    """
    t = np.asarray(t, float)[..., None]
    a, b, c, d = piece
    return (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d


def sampled(curve: np.ndarray, n: int = 24) -> np.ndarray:
    """Return n points of each piece of a curve."""
    t = np.linspace(0, 1, n)
    return np.concatenate([point(curve[i : i + 4], t) for i in range(0, len(curve) - 1, 3)])
