"""Training online: every sample a sequence from rest, every asked step followed by an update."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurograph.errors import ParameterError
from neurograph.graph import NeuronGraph
from neurograph.inspection import probes
from neurograph.learner import orders
from neurograph.learning.losses import Loss, Outputs
from neurograph.learning.online import Online
from neurograph.learning.optimizers import SGD
from neurograph.learning.rules import Rule
from neurograph.learning.stepping import Course
from neurograph.lessons import Lessons

__all__ = ["OnlineLearner"]

STEPS = 2**14  # that are done in one call, about


@dataclass
class OnlineLearner:
    """Learns by a rule of online learning, with a state of its own."""

    graph: NeuronGraph
    state: Online
    lessons: Lessons
    rate: float
    loss: Loss

    @classmethod
    def of(
        cls,
        graph: NeuronGraph,
        rule: str | Rule,
        engine: Any,
        lessons: Lessons,
        batch_size: int,
        optimizer: Any,
        loss: Loss,
    ) -> OnlineLearner:
        """Check what a rule can take."""
        if batch_size != 1:
            raise ParameterError(
                f"a rule learns step by step: leave out batch_size, got {batch_size}"
            )
        if (
            type(optimizer) is not SGD
            or optimizer != SGD(optimizer.rate)
            or callable(optimizer.rate)
        ):
            raise ParameterError(
                f"a rule learns by plain descent: optimizer=SGD(rate); got {optimizer}"
            )
        if lessons.weight is not None:
            raise ParameterError("a rule learns from samples of one weight; leave weights out")
        state = Online(rule, engine)
        state.open(graph, 0)
        state.knows(loss)
        return cls(graph, state, lessons, float(optimizer.rate), loss)

    def epochs(
        self,
        job: Any,
        n_epochs: int,
        shuffle: bool,
        at_once: int | None,
        interrupted: Callable[[], bool],
    ) -> Iterator[list[float]]:
        """Learn; yield the mean losses of some epochs at a time."""
        graph, samples, targets = self.graph, self.lessons.batch.samples, self.lessons.targets
        n_samples, n_steps, n_in = samples.shape
        tables = graph._store.neurons, graph._store.synapses
        kept = [(t, t.array("eligibility").copy()) for t in tables if "eligibility" in t.arrays]
        most = min(at_once or n_epochs, max(1, STEPS // (n_samples * n_steps)))
        epoch = 0
        try:
            while epoch < n_epochs and not interrupted():
                n = min(most, n_epochs - epoch)
                order = orders(graph.rng, n_samples, n, shuffle)
                target = targets[order]
                many = self.state.follow(
                    graph,
                    samples[order].reshape(-1, n_in),
                    target.reshape(-1, target.shape[-1]),
                    self.rate,
                    self.loss,
                    n_steps,
                )
                if probes.stopped(graph):
                    full = many.done // (n_samples * n_steps)
                    yield self.losses(many.part(full * n_samples * n_steps), full) if full else []
                    return
                yield self.losses(many, n)
                epoch += n
        finally:  # what `activate` keeps is another matter
            for table, values in kept:
                table.array("eligibility")[:] = values

    def losses(self, many: Course, n_epochs: int) -> list[float]:
        """Return the mean loss of each of some epochs."""
        job = self.state.job
        outputs = job.plan.outputs
        seen = Outputs(
            many.states[:, None],
            many.outputs[:, None],
            [job.functions[j] for j in outputs],
            [job.plan.name(j) for j in outputs],
        )
        terms, asked = self.loss.measure(seen, many.target[:, None])
        n_asked = asked.reshape(n_epochs, -1).sum(1)
        return (terms.value.reshape(n_epochs, -1).sum(1) / np.maximum(1, n_asked)).tolist()
