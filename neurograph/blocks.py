"""Stages and dense blocks of a plan: what an engine may compute side by side.

A *stage* is a run of neurons, in the order of visits, none of which needs another within one
step. A *block* is a set of neighbouring rows in a stage whose synapses come, with one delay
and without gates, from the same run of neurons: a matrix, found in any graph, whose entries
are still single synapses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurograph.schedule import NONE, Plan

__all__ = ["Blocks", "find_blocks", "row_delays", "shared", "stages"]

SOURCES, TARGETS = 16, 4  # a smaller block is not worth its packing


@dataclass(frozen=True, eq=False)
class Blocks:
    """The dense blocks of a plan, at most one in a row, in the order of their targets.

    Attributes
    ----------
    row, row_end, source, size, delay : (n,) int64
        Targets row:row_end read sources source:source+size, `delay` steps ago.
    first, last : (N,) int64
        Synapses first[j]:last[j] of row j are those of its block; first[j] == last[j] at the
        end of the row where there is none.
    """

    row: np.ndarray
    row_end: np.ndarray
    source: np.ndarray
    size: np.ndarray
    delay: np.ndarray
    first: np.ndarray
    last: np.ndarray


def stages(plan: Plan) -> np.ndarray:
    """Return where each stage begins, and N: neurons stages[k]:stages[k + 1] are stage k.

    Examples
    --------
    >>> import neurograph as ng
    >>> stages(ng.plan(ng.perceptron(2, 3, 1, seed=0))).tolist()
    [0, 2, 5, 6]
    """
    needed = np.zeros(plan.n_neurons + 1, np.int64)  # one more than the last neuron it waits for
    now = plan.delay == 0
    rows = np.flatnonzero(np.diff(plan.indptr.astype(np.int64)))
    if len(rows):
        waits = np.where(now, plan.source.astype(np.int64) + 1, 0)
        needed[rows] = np.maximum.reduceat(waits, plan.indptr[rows].astype(np.int64))
    if plan.gater.size:
        ends = np.concatenate([plan.target, plan.cell])
        gates = np.flatnonzero((plan.gater != NONE) & (plan.gate_delay == 0))
        np.maximum.at(needed, ends[gates], plan.gater[gates].astype(np.int64) + 1)
    begins, first = [0], 0
    for j, last in enumerate(needed[:-1].tolist()):
        if last > first:
            first = j
            begins.append(j)
    return np.array([*begins, plan.n_neurons] if plan.n_neurons else [0])


def shared(values: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """Return the value that all entries indptr[j]:indptr[j + 1] have, `NONE` if they differ.

    >>> shared(np.array([1, 1, 0, 2]), np.array([0, 2, 4, 4])).tolist()
    [1, 4294967295, 0]
    """
    found = np.zeros(len(indptr) - 1, np.int64)
    rows = np.flatnonzero(indptr[1:] > indptr[:-1])
    if not values.any():
        return found
    least = np.minimum.reduceat(values, indptr[rows].astype(np.int64))
    most = np.maximum.reduceat(values, indptr[rows].astype(np.int64))
    found[rows] = np.where(least == most, least, NONE)
    return found


def row_delays(plan: Plan) -> np.ndarray:
    """Return the delay of each row's synapses; `NONE` if they differ, or one is gated."""
    found = shared(plan.delay, plan.indptr)
    if plan.gater.size:
        found[plan.target[plan.gater[: plan.n_synapses] != NONE]] = NONE
    return found


def find_blocks(plan: Plan, stages: np.ndarray, delays: np.ndarray) -> Blocks:
    """Return the dense blocks: the longest run of sources of each row, where rows share it.

    Only of rows that have one delay, as `row_delays` tells.

    Examples
    --------
    >>> import neurograph as ng
    >>> plan = ng.plan(ng.perceptron(20, 5, 1, seed=0))
    >>> found = find_blocks(plan, stages(plan), row_delays(plan))
    >>> found.row.tolist(), found.row_end.tolist(), found.source.tolist(), found.size.tolist()
    ([20], [25], [0], [20])
    """
    indptr = plan.indptr.astype(np.int64)
    run, run_end, target = _longest_runs(plan, delays)
    source, size = plan.source[run].astype(np.int64), run_end - run
    delay = plan.delay[run].astype(np.int64)
    stage = np.searchsorted(stages, target, side="right")
    key = np.stack([source, size, delay, stage, target - np.arange(len(target))])
    begins = np.flatnonzero(np.any(key[:, 1:] != key[:, :-1], axis=0)) + 1
    begins = np.concatenate([[0], begins]) if len(target) else np.empty(0, np.int64)
    ends = np.concatenate([begins[1:], [len(target)]]) if len(target) else begins
    large = ends - begins >= TARGETS
    begins, ends = begins[large], ends[large]
    first, last = indptr[1:].copy(), indptr[1:].copy()
    kept = np.zeros(len(target), bool)
    for a, b in zip(begins, ends, strict=True):
        kept[a:b] = True
    first[target[kept]], last[target[kept]] = run[kept], run_end[kept]
    row = target[begins]
    return Blocks(
        row, row + ends - begins, source[begins], size[begins], delay[begins], first, last
    )


def _longest_runs(plan: Plan, delays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return begin and end of the longest run of each row that has one of `SOURCES` or more."""
    e = plan.n_synapses
    if e < SOURCES * TARGETS:
        nothing = np.empty(0, np.int64)
        return nothing, nothing, nothing
    follows = np.diff(plan.source) == 1
    follows &= plan.target[1:] == plan.target[:-1]
    begin = np.flatnonzero(np.concatenate([[True], ~follows]))
    end = np.concatenate([begin[1:], [e]])
    long = end - begin >= SOURCES
    begin, end = begin[long], end[long]
    target = plan.target[begin].astype(np.int64)
    is_input = np.zeros(plan.n_neurons, bool)
    is_input[plan.inputs] = True
    order = np.lexsort((begin - end, target))  # the longest first in each row
    order = order[~is_input[target[order]] & (delays[target[order]] != NONE)]
    _, best = np.unique(target[order], return_index=True)
    chosen = order[best]
    return begin[chosen], end[chosen], target[chosen]
