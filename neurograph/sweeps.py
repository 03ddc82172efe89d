"""Sweeps over the synapses of a graph given as arrays: plain Python first, jitted last.

A kernel is a function of arrays that calls no other function, so that numba may keep it
compiled on disk. `sweep` runs it as it is written where the arrays are short, and jitted where
they are long; numba is imported at the first long one.

In all kernels `first` and `order` are places sorted by a key: order[first[k]:first[k + 1]] are
those where the key is k. Indices are uint32: signed ones may be negative, for which numba
looks at every access.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

__all__ = ["flaw", "levels", "picked", "reach", "sorted_by", "sweep", "taken"]

SHORT = 2000  # entries up to which a kernel runs before numba is imported


def sweep(kernel: Callable, *arrays: np.ndarray) -> Any:
    """Run a kernel on arrays, in which it leaves what it finds.

    Examples
    --------
    >>> first, order = np.zeros(3, np.uint32), np.empty(4, np.uint32)
    >>> sweep(sort_by, np.array([1, 0, 1, 0], np.uint32), first, order)
    >>> first.tolist(), order.tolist()
    ([0, 2, 4], [1, 3, 0, 2])
    """
    form = kernel if max(map(len, arrays)) <= SHORT else jitted(kernel)
    if form is kernel:  # views, because they give and take Python's own numbers
        return kernel(*[memoryview(array) for array in arrays])  # type: ignore[arg-type]
    return form(*arrays)


def taken(column: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return column[rows], for rows of uint32."""
    if len(rows) <= SHORT:
        return column[rows]
    found = np.empty(len(rows), column.dtype)
    bits = f"u{column.itemsize}"  # so that columns of all dtypes share few compiled forms
    sweep(take, rows, np.ascontiguousarray(column).view(bits), found.view(bits))
    return found


def picked(rows: np.ndarray, column: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return position[column[rows]], all of uint32."""
    found = np.empty(len(rows), np.uint32)
    sweep(pick, rows, column, position, found)
    return found


def sorted_by(key: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `first` and `order` of a key of uint32 below n."""
    first, order = np.zeros(n + 1, np.uint32), np.empty(len(key), np.uint32)
    sweep(sort_by, key, first, order)
    return first, order


@cache
def jitted(kernel: Callable) -> Callable:
    """Return the compiled form of a kernel, or the kernel itself if NUMBA_DISABLE_JIT is set."""
    import numba

    try:
        return numba.njit(cache=True, nogil=True)(kernel)
    except RuntimeError:  # nowhere to keep it
        return numba.njit(nogil=True)(kernel)


# ---------------------------------------------------------------- kernels


def sort_by(key, first, order):
    """Sort the places of a key; those of one key stay in order.

    key : (E,) uint32     below n
    first : (n+1,) uint32     zeros, to be filled
    order : (E,) uint32     to be filled
    """
    for i in range(len(key)):
        first[key[i]] += 1
    end = 0
    for k in range(len(first)):
        end += first[k]
        first[k] = end
    for i in range(len(key) - 1, -1, -1):
        k = key[i]
        first[k] -= 1
        order[first[k]] = i


def take(rows, column, taken):
    """Fill taken[i] with column[rows[i]].

    rows : (E,) uint32     below the length of `column`
    column, taken : (n,), (E,)     unsigned, of one dtype
    """
    for i in range(len(rows)):
        taken[i] = column[rows[i]]


def pick(rows, column, position, picked):
    """Fill picked[i] with position[column[rows[i]]].

    rows, picked : (E,) uint32
    column, position : uint32     each one's values below the length of the next
    """
    for i in range(len(rows)):
        picked[i] = position[column[rows[i]]]


def levels(first, after, waiting, queue, level):
    """Find the longest path to each node (Kahn); return how many of them no cycle holds up.

    first, after : (n+1,), (A,) uint32     arcs by where they start, and where they end
    waiting, level : (n,) uint32     zeros, to be filled
    queue : (n,) uint32     to be filled
    """
    for a in range(len(after)):
        waiting[after[a]] += 1
    head = tail = 0
    for j in range(len(waiting)):
        if waiting[j] == 0:
            queue[tail] = j
            tail += 1
    while head < tail:
        j = queue[head]
        head += 1
        deeper = level[j] + 1
        for a in range(first[j], first[j + 1]):
            k = after[a]
            level[k] = max(level[k], deeper)  # no branch, which would often go the other way
            left = waiting[k] - 1
            waiting[k] = left
            if left == 0:
                queue[tail] = k
                tail += 1
    return tail


def reach(out_indptr, out_synapse, gated_indptr, gated_synapse, end, seen, queue):
    """Mark the neurons to which a path of synapses and gates leads from those that are marked.

    out_indptr, out_synapse : (N+1,), (E,) uint32     synapses by source
    gated_indptr, gated_synapse : (N+1,), (G,) uint32     synapses by gater
    end : (E+M,) uint32     where they end
    seen : (N,) bool     to be filled
    queue : (N,) uint32     room for work
    """
    head = tail = 0
    for j in range(len(seen)):
        if seen[j]:
            queue[tail] = j
            tail += 1
    while head < tail:
        j = queue[head]
        head += 1
        for i in range(out_indptr[j], out_indptr[j + 1]):
            k = end[out_synapse[i]]
            if not seen[k]:
                seen[k] = True
                queue[tail] = k
                tail += 1
        for i in range(gated_indptr[j], gated_indptr[j + 1]):
            k = end[gated_synapse[i]]
            if not seen[k]:
                seen[k] = True
                queue[tail] = k
                tail += 1


def flaw(indptr, source, target, delay, level, synapse, out_indptr, out_synapse, seen):
    """Return the number of the first law of synapses that a plan breaks, 0 if it keeps all.

    seen : (E+M,) uint8     zeros, room for work
    The rest are arrays of a `Plan`, with pointers that do not fall and every index in range.
    A loop for each law and no way out of it are faster than one loop for all.
    """
    for i in range(len(synapse)):
        seen[synapse[i]] = 1
    for i in range(len(out_synapse)):
        seen[out_synapse[i]] |= 2
    once = outgoing = 0
    for s in range(len(seen)):
        once += seen[s] & 1
        outgoing += seen[s] >> 1
    if once < len(synapse):
        return 1
    if outgoing < len(out_synapse):
        return 2
    broken = False
    for j in range(len(level)):
        for e in range(indptr[j], indptr[j + 1]):
            broken |= target[e] != j
    if broken:
        return 3
    for j in range(len(level)):
        for i in range(out_indptr[j], out_indptr[j + 1]):
            broken |= source[out_synapse[i]] != j
    if broken:
        return 4
    for e in range(1, len(source)):
        broken |= (source[e] <= source[e - 1]) & (target[e] == target[e - 1])
    if broken:
        return 5
    for e in range(len(source)):
        broken |= (delay[e] == 0) & (source[e] >= target[e])
    if broken:
        return 6
    for e in range(len(source)):
        broken |= (delay[e] == 0) & (level[source[e]] >= level[target[e]])
    return 7 if broken else 0
