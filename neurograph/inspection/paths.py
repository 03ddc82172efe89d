"""The strongest paths from a synapse to the loss, found without looking at all of them.

A path is a sequence of hops (`Hop`), in an unrolled run from any step on. What it carries is
Σ a(t) · Π (factors of its hops) · ∂ℓ/∂s over steps and samples, and all paths together carry the
gradient. There may be more of them than atoms, so they are searched best first (Hart, Nilsson and
Raphael 1968): what a beginning can still carry is at most Σ |a · Π factors| · M, where M of a
neuron at a step is the largest product from there to the loss, found backwards in one sweep. With
one sample and one step that bound is exact, so nothing is looked at in vain: k paths of L hops
cost O(k L · degree) after the sweep. Over many samples terms may cancel, bounds are looser, and a
limit on hops ends the search; the bound on what was left out is given then too.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

import numpy as np

from neurograph.inspection.unrolled import Hop, Unrolled

__all__ = ["Found", "Path", "count_paths", "strongest_paths"]

MOST_HOPS = 50_000  # looked at, before the search says what it has


class Path(NamedTuple):
    """A way from the target of a synapse to the loss.

    value : float, what it carries
    begin : the synapse
    start : its target
    hops : tuple of Hop, the way from there
    """

    value: float
    begin: int
    start: int
    hops: tuple[Hop, ...]

    @property
    def end(self) -> int:
        """The neuron in which it ends: an output."""
        return self.hops[-1].to if self.hops else self.start


class Found(NamedTuple):
    """Paths, the strongest first, and what any other one carries at most."""

    paths: list[Path]
    others_at_most: float


class _Beginning(NamedTuple):
    """Hops so far; what they carry, (T, B) by the step at which they arrive."""

    begin: int
    start: int
    at: int
    carried: np.ndarray
    hops: tuple[Hop, ...]


def strongest_paths(
    run: Unrolled, loss: dict[int, np.ndarray], begins: Iterable[tuple[int, np.ndarray]], k: int
) -> Found:
    """Return the k paths whose contributions are largest in absolute value.

    Parameters
    ----------
    run : Unrolled
    loss : dict
        ∂ℓ/∂s of each output, all of it that is direct, (T, B).
    begins : pairs
        Synapse e, and what it feeds into its target, (T, B).
    k : int

    Returns
    -------
    Found
        If more than `MOST_HOPS` hops were looked at (cancellation between samples can make
        bounds loose), the best paths so far, with the bound on all others.
    """
    begins = list(begins)
    order = downstream(run, [run.target(e) for e, _ in begins])
    most, tie, looked_at = _most(run, loss, order), count(), 0
    queue: list[tuple[float, int, _Beginning | Path]] = []

    def push(beginning: _Beginning) -> None:
        at_most = float((np.abs(beginning.carried) * most[beginning.at]).sum())
        if at_most:
            heapq.heappush(queue, (-at_most, next(tie), beginning))

    for e, carried in begins:
        j = run.target(e)
        if j in most:
            push(_Beginning(e, j, j, carried, ()))
    paths: list[Path] = []
    while queue and len(paths) < k and looked_at < MOST_HOPS:
        _, _, best = heapq.heappop(queue)
        if isinstance(best, Path):
            paths.append(best)
            continue
        e, start, j, carried, hops = best
        if j in loss:
            value = float((carried * loss[j]).sum())
            if value:
                path = Path(value, e, start, hops)
                heapq.heappush(queue, (-abs(value), next(tie), path))
        for hop in run.hops(j):
            if hop.shift < run.steps:
                push(_Beginning(e, start, hop.to, _moved(run, j, hop, carried), (*hops, hop)))
                looked_at += 1
    return _best(paths, queue, k)


def _best(paths: list[Path], queue: list, k: int) -> Found:
    """Take the best complete paths that are still queued; bound what is left."""
    while queue and len(paths) < k:
        complete = [item for item in queue if isinstance(item[2], Path)]
        if not complete:
            break
        best = min(complete)
        queue.remove(best)
        paths.append(best[2])
    paths.sort(key=lambda path: -abs(path.value))
    return Found(paths, max((-item[0] for item in queue), default=0.0))


def _moved(run: Unrolled, j: int, hop: Hop, carried: np.ndarray) -> np.ndarray:
    """Return what arrives over a hop, by the step at which it arrives."""
    found = np.zeros_like(carried)
    found[hop.shift :] = carried[: len(carried) - hop.shift] * run.factor(j, hop)
    return found


def downstream(run: Unrolled, starts: Iterable[int]) -> list[int]:
    """Return the neurons that hops reach from these, in the order of the plan; no inputs."""
    reached = {j for j in starts if j not in run.inputs}
    waiting = list(reached)
    while waiting:
        for hop in run.hops(waiting.pop()):
            if hop.to not in reached:
                reached.add(hop.to)
                waiting.append(hop.to)
    return sorted(reached)


def _most(run: Unrolled, loss: dict[int, np.ndarray], order: list[int]) -> dict[int, np.ndarray]:
    """Return for each neuron the largest |product| from it to the loss, (T, B)."""
    shape = run.steps, run.samples
    most = {j: np.abs(loss[j]) if j in loss else np.zeros(shape) for j in order}
    factors = {
        j: [(hop, np.abs(run.factor(j, hop))) for hop in run.hops(j) if hop.shift < run.steps]
        for j in order
    }
    for t in reversed(range(run.steps)):
        for j in reversed(order):
            best = most[j][t]
            for hop, factor in factors[j]:
                if t < len(factor):
                    np.maximum(best, factor[t] * most[hop.to][t + hop.shift], out=best)
    return most


def count_paths(run: Unrolled, asked: dict[int, set[int]], starts: Iterable[int]) -> int:
    """Return how many paths there are, whatever they carry.

    Parameters
    ----------
    asked : dict
        How many steps after its beginning a path may end in each output.
    starts : sequence of int
        Targets of the synapses.
    """
    starts, total = list(starts), 0
    order = downstream(run, starts)
    for start in starts:
        if start not in order:
            continue
        ways = {j: [0] * run.steps for j in order}  # by the steps that they take
        ways[start][0] = 1
        for t in range(run.steps):
            for j in order:
                if not ways[j][t]:
                    continue
                total += ways[j][t] * (t in asked.get(j, ()))
                for hop in run.hops(j):
                    if t + hop.shift < run.steps:
                        ways[hop.to][t + hop.shift] += ways[j][t]
    return total
