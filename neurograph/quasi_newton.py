"""Training by SciPy's L-BFGS-B: all samples at once, for small problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from neurograph.engines.base import Engine
from neurograph.errors import NonFiniteError, ParameterError
from neurograph.graph import NeuronGraph
from neurograph.inspection import probes, telling
from neurograph.learner import Learner
from neurograph.learning import lately
from neurograph.learning.losses import Loss
from neurograph.learning.optimizers import LBFGS, SGD
from neurograph.learning.updates import limits, open_state, sides
from neurograph.lessons import Lessons
from neurograph.schedule import plan

__all__ = ["minimize"]


class Stop(StopIteration):
    """SciPy ends where its callback raises this."""


def minimize(
    graph: NeuronGraph, engine: Engine, lessons: Lessons, optimizer: LBFGS, loss: Loss
) -> Callable[..., Iterator[list[float]]]:
    """Return what minimizes the mean loss of all samples; an iteration is an epoch."""
    learner = Learner(graph, engine, lessons, len(lessons.targets), SGD(), loss)
    if learner.drops():
        raise ParameterError("L-BFGS needs a loss that stays as it is: no dropout with it")

    def epochs(job: Any) -> Iterator[list[float]]:
        # SciPy calls, it cannot be asked for one iteration after the other; so the job is told
        # of each epoch here, and nothing is left to yield.
        free = _Free(graph)
        values: list[float] = []
        n_done, kept = 0, free.snapshot()  # after the last iteration
        before = kept  # and before it

        def function(theta: np.ndarray) -> tuple[float, np.ndarray]:
            free.write(theta)
            found = learner.gradient(lessons)
            weights = free.both(theta)[0]
            value = found.value + optimizer.l2 / 2 * float(weights @ weights)
            values.append(found.value)
            return value, free.gradient() + free.penalty(theta, optimizer.l2)

        def seen(theta: np.ndarray) -> None:
            nonlocal n_done, kept, before
            free.write(theta)
            n_done, kept, before = n_done + 1, free.snapshot(), kept
            job.ended([learner.gradient(lessons).value])
            if probes.probes_of(graph):
                telling.observe(graph, "update", learner.recording)
            if job.stopped or job.interrupted() or probes.stopped(graph):
                raise Stop

        open_state(graph, learner.optimizer)
        if not job.epochs:
            return
        start = free.read()
        lately.take(graph)
        try:
            best = optimizer.minimize(function, start, free.bounds, job.epochs, seen)
        except NonFiniteError as error:
            free.restore(kept)
            free.keep(optimizer, before, kept, n_done)
            raise error.moved(
                epoch=n_done, prefix=error.prefix or "L-BFGS tried a step that is too long: "
            ) from None
        ended = job.stopped or job.interrupted() or probes.stopped(graph)
        free.write(free.read() if ended else best.x)
        free.keep(optimizer, before, kept, n_done)
        yield []

    return epochs


class _Free:
    """The parameters that may change, as one vector; of a tie group the first."""

    def __init__(self, graph: NeuronGraph):
        self.graph, made = graph, plan(graph)
        held = limits(graph)
        self.where = []
        for (table, column), limit in zip(sides(graph), held, strict=True):
            free = np.ones(len(table.array(column)), bool)
            if limit.trainable is not None:
                free &= limit.trainable
            if column == "weight":
                for first, last in zip(made.tie_indptr[:-1], made.tie_indptr[1:], strict=True):
                    free[made.tie_synapse[first + 1 : last]] = False
            self.where.append(np.flatnonzero(free))
        self.ties = [made.tie_synapse[a:b] for a, b in
                     zip(made.tie_indptr[:-1], made.tie_indptr[1:], strict=True)]  # fmt: skip
        limit = held[0]
        self.bounds = None
        if limit.lower is not None and limit.upper is not None:
            rows = self.where[0]
            open_ = np.full(len(self.where[1]), np.inf)
            self.bounds = list(zip(
                np.append(limit.lower[rows], -open_), np.append(limit.upper[rows], open_),
                strict=True,
            ))  # fmt: skip

    def both(self, theta: np.ndarray) -> list[np.ndarray]:
        """Return the part of the weights and that of the biases."""
        return np.split(theta, [len(self.where[0])])

    def read(self) -> np.ndarray:
        """Return the vector."""
        return np.concatenate([t.array(c)[rows].astype(float) for (t, c), rows in
                               zip(sides(self.graph), self.where, strict=True)])  # fmt: skip

    def write(self, theta: np.ndarray) -> None:
        """Write the vector into the columns."""
        for (table, column), rows, values in zip(
            sides(self.graph), self.where, self.both(theta), strict=True
        ):
            table.array(column)[rows] = values
        weights = sides(self.graph)[0][0].array("weight")
        for group in self.ties:
            weights[group] = weights[group[0]]
        self.graph._store.edits += 1

    def snapshot(self) -> list[np.ndarray]:
        """Return copies of the parameters and their gradients."""
        return [t.array(name).copy() for t, c in sides(self.graph) for name in (c, "grad")]

    def restore(self, kept: list[np.ndarray]) -> None:
        """Go back to a snapshot."""
        columns = [t.array(name) for t, c in sides(self.graph) for name in (c, "grad")]
        for column, values in zip(columns, kept, strict=True):
            column[:] = values
        self.graph._store.edits += 1

    def keep(
        self, optimizer: LBFGS, before: list[np.ndarray], after: list[np.ndarray], n_done: int
    ) -> None:
        """Keep what the last of some iterations did, for explanations; see `learning.lately`."""
        here = self.snapshot()
        now = here[0], here[2]  # no formula would tell that somebody edits them
        if not all(np.array_equal(here[k], after[k]) for k in (0, 2)):
            before = after  # SciPy went on, and did not say so
        number = n_done - 1 if n_done else None
        weights, biases = {"weight": before[0]}, {"bias": before[2]}
        lately.keep(self.graph, optimizer, np.nan, number, (weights, biases)).after = now

    def gradient(self) -> np.ndarray:
        """Return the gradient in the columns; that of a tie group is a sum already."""
        return np.concatenate([t.array("grad")[rows].astype(float) for (t, _), rows in
                               zip(sides(self.graph), self.where, strict=True)])  # fmt: skip

    def penalty(self, theta: np.ndarray, l2: float) -> np.ndarray:
        """Return the gradient of the penalty."""
        weights, biases = self.both(theta)
        return np.append(l2 * weights, np.zeros(len(biases)))
