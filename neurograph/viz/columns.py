"""Items in columns: their order from top to bottom, with few crossings, and where each stands.

A layered drawing after Sugiyama, Tagawa and Toda (1981): who is next to whom is improved by
barycentre sweeps; then every item goes as near to the middle of its neighbours as order and sizes
allow, which is an isotonic regression for each column. Arrays and lists of numbers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

__all__ = ["crossings", "order", "place"]

SWEEPS = 12  # over all columns, for the order
STEADY = 16  # over all columns, for the places
SWAPPED = 300  # links between two columns up to which neighbours are tried the other way round

Links = Sequence[tuple[int, int]]  # an item, and one in the next column


def order(columns: Sequence[Sequence[int]], links: Links) -> list[list[int]]:
    """Return the items of each column, from top to bottom, so that few links cross.

    Parameters
    ----------
    columns : sequence of sequences of int
        Items, as they come; where nothing speaks against it they stay like this.
    links : sequence of (int, int)
        Items of neighbouring columns that a line joins, the left one first.

    Examples
    --------
    >>> order([[0, 1], [2, 3]], [(0, 3), (1, 2)])
    [[0, 1], [3, 2]]
    """
    now = [list(column) for column in columns]
    left, right = _neighbours(now, links)
    best, fewest = [list(column) for column in now], crossings(now, links)
    for sweep in range(SWEEPS):
        forwards = sweep % 2 == 0
        _sweep(now, left if forwards else right, forwards)
        if len(links) <= SWAPPED:
            _swap(now, left, right)
        found = crossings(now, links)
        if found < fewest:
            best, fewest = [list(column) for column in now], found
        if not fewest:
            break
    return best


def crossings(columns: Sequence[Sequence[int]], links: Links) -> int:
    """Return how many pairs of links cross between their columns.

    >>> crossings([[0, 1], [2, 3]], [(0, 3), (1, 2)])
    1
    """
    at = {item: (c, i) for c, column in enumerate(columns) for i, item in enumerate(column)}
    total = 0
    for c in range(len(columns) - 1):
        ends = np.array([(at[a][1], at[b][1]) for a, b in links if at[a][0] == c], int)
        if len(ends) > 1:
            a, b = ends.T
            total += int(((a[:, None] < a) & (b[:, None] > b)).sum())
    return total


def _neighbours(
    columns: Sequence[Sequence[int]], links: Links
) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    left: dict[int, list[int]] = {item: [] for column in columns for item in column}
    right: dict[int, list[int]] = {item: [] for item in left}
    for a, b in links:
        right[a].append(b)
        left[b].append(a)
    return left, right


def _sweep(columns: list[list[int]], beside: dict[int, list[int]], forwards: bool) -> None:
    """Sort one column after the other by the barycentre of neighbours that were sorted before."""
    turn = range(len(columns)) if forwards else range(len(columns) - 1, -1, -1)
    for c in turn:
        column, b = columns[c], c - 1 if forwards else c + 1
        before = columns[b] if 0 <= b < len(columns) else []
        share = {item: (i + 0.5) / len(column) for i, item in enumerate(column)}
        where = {item: (i + 0.5) / len(before) for i, item in enumerate(before)}
        for item in column:
            if beside[item]:
                share[item] = sum(where[n] for n in beside[item]) / len(beside[item])
        column.sort(key=share.__getitem__)


def _swap(
    columns: list[list[int]], left: dict[int, list[int]], right: dict[int, list[int]]
) -> None:
    """Let neighbours change places wherever that takes crossings away."""
    at = {item: i for column in columns for i, item in enumerate(column)}

    def crossed(a: int, b: int) -> int:
        """Return how many links cross with a above b, less those with b above a."""
        signs = [
            (at[p] > at[q]) - (at[p] < at[q])
            for side in (left, right)
            for p in side[a]
            for q in side[b]
        ]
        return sum(signs)

    for column in columns:
        for i in range(len(column) - 1):
            a, b = column[i], column[i + 1]
            if crossed(a, b) > 0:
                column[i], column[i + 1] = b, a
                at[a], at[b] = i + 1, i


def place(
    columns: Sequence[Sequence[int]],
    links: Links,
    above: Sequence[float],
    below: Sequence[float],
    space: float,
) -> np.ndarray:
    """Return where each item stands, downwards from 0.

    Parameters
    ----------
    columns, links
        As in `order`, the columns in their final order.
    above, below : sequence of float
        How far each item reaches up and down from where it stands.
    space : float
        Between two items of a column, at least.

    Examples
    --------
    >>> place([[0, 1], [2]], [(0, 2), (1, 2)], [1, 1, 1], [1, 1, 1], space=2).tolist()
    [1.0, 5.0, 3.0]
    """
    y = np.zeros(len(above))
    offset = {}
    for c, column in enumerate(columns):
        steps = [below[a] + above[b] + space for a, b in pairwise(column)]
        offset[c] = np.concatenate([[0.0], np.cumsum(steps)])[: len(column)]
        if len(column):
            y[list(column)] = offset[c] - offset[c][-1] / 2
    left, right = _neighbours(columns, links)
    for sweep in range(STEADY):
        turn = range(len(columns)) if sweep % 2 == 0 else range(len(columns) - 1, -1, -1)
        for c in turn:
            column = list(columns[c])
            wanted = y[column]
            for i, item in enumerate(column):
                beside = left[item] + right[item]
                if beside:
                    wanted[i] = y[beside].mean()
            y[column] = _nearest(wanted - offset[c]) + offset[c]
    if len(y):
        y -= (y - np.asarray(above)).min()
    return y


def _nearest(wanted: np.ndarray) -> np.ndarray:
    """Return the growing numbers nearest to those wanted, by pooling adjacent violators.

    >>> _nearest(np.array([1.0, 3.0, 2.0])).tolist()
    [1.0, 2.5, 2.5]
    """
    pools: list[tuple[float, int]] = []
    for value in wanted.tolist():
        mean, n = value, 1
        while pools and pools[-1][0] > mean:
            before, m = pools.pop()
            mean, n = (mean * n + before * m) / (n + m), n + m
        pools.append((mean, n))
    return np.repeat([mean for mean, _ in pools], [n for _, n in pools])
