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

__all__ = ["levels", "pick", "place", "reach", "sort_by", "sweep"]

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
        return kernel(*map(memoryview, arrays))
    return form(*arrays)


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


def pick(rows, column, position, picked):
    """Fill picked[i] with position[column[rows[i]]].

    rows, picked : (E,) uint32
    column, position : uint32
    """
    for i in range(len(rows)):
        picked[i] = position[column[rows[i]]]


def levels(first, order, after, late, waiting, queue, level):
    """Find the longest path to each node (Kahn), return how many nodes are in no cycle.

    first, order : (n+1,), (A,) uint32     arcs, by where they start
    after : (A,) uint32     where they end
    late : (A,) bool     arcs that fix no order
    waiting, level : (n,) uint32     zeros, to be filled
    queue : (n,) uint32     to be filled
    """
    for a in range(len(after)):
        if not late[a]:
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
        for i in range(first[j], first[j + 1]):
            a = order[i]
            if not late[a]:
                k = after[a]
                if level[k] < deeper:
                    level[k] = deeper
                waiting[k] -= 1
                if waiting[k] == 0:
                    queue[tail] = k
                    tail += 1
    return tail


def place(first, order, neuron, rank, target, state, indptr, synapse, source):
    """Order the synapses that do not read the state by target and then source.

    first, order : (N+1,), (A,) uint32     synapses by source, and arcs of gates
    neuron, rank : (N,) uint32     the neuron that is visited p-th, and p of each neuron
    target, state : (E,) uint32, bool     of every synapse: its end, whether it reads the state
    indptr : (N+1,) uint32     zeros, to be filled with the runs of each target
    synapse, source : uint32     to be filled: number and source of each one, in order
    """
    for s in range(len(target)):
        if not state[s]:
            indptr[rank[target[s]]] += 1
    end = 0
    for k in range(len(indptr)):
        end += indptr[k]
        indptr[k] = end
    for p in range(len(neuron) - 1, -1, -1):
        j = neuron[p]
        for i in range(first[j + 1] - 1, first[j] - 1, -1):
            s = order[i]
            if s < len(target) and not state[s]:
                k = rank[target[s]]
                indptr[k] -= 1
                synapse[indptr[k]] = s
                source[indptr[k]] = p


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
    The rest are arrays of a `Plan`; every index is in range, pointers do not fall.
    """
    for i in range(len(synapse)):
        if seen[synapse[i]] == 1:
            return 1
        seen[synapse[i]] = 1
    for i in range(len(out_synapse)):
        if seen[out_synapse[i]] == 2:
            return 2
        seen[out_synapse[i]] = 2
    for j in range(len(level)):
        for e in range(indptr[j], indptr[j + 1]):
            if target[e] != j:
                return 3
    for j in range(len(level)):
        for i in range(out_indptr[j], out_indptr[j + 1]):
            if source[out_synapse[i]] != j:
                return 4
    for e in range(1, len(source)):
        if source[e] <= source[e - 1] and target[e] == target[e - 1]:
            return 5
    for e in range(len(source)):
        if delay[e] == 0 and source[e] >= target[e]:
            return 6
    for e in range(len(source)):
        if delay[e] == 0 and level[source[e]] >= level[target[e]]:
            return 7
    return 0
