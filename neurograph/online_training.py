"""Training online: every sample a sequence from rest, every asked step followed by an update."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurograph.errors import NonFiniteError, ParameterError
from neurograph.graph import NeuronGraph
from neurograph.inspection import probes
from neurograph.learning import lately
from neurograph.learning.losses import Loss, Outputs
from neurograph.learning.online import Online
from neurograph.learning.optimizers import SGD
from neurograph.learning.rules import Rule
from neurograph.learning.stepping import Course
from neurograph.lessons import Lessons
from neurograph.rounds import rounds

__all__ = ["OnlineLearner"]

STEPS = 64  # that are done in the first call, about


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

    # ------------------------------------------------------------ what `rounds` asks

    batch_size = 1  # a sample is what is learned as a whole: it begins and ends at rest

    @property
    def n_samples(self) -> int:
        """How many samples there are to learn from."""
        return len(self.lessons.targets)

    def epochs(self, job: Any) -> Iterator[list[float]]:
        """Learn; yield the mean losses of some epochs at a time, see `rounds`."""
        return rounds(self, job)

    def drops(self) -> bool:
        """Nobody is silenced online."""
        return False

    def first_pace(self) -> int:
        """Return how many samples to learn at first."""
        return max(1, STEPS // self.lessons.batch.steps)

    def learn(self, order: np.ndarray, begin: np.ndarray, values: np.ndarray) -> int:
        """Learn some samples; note of each the sum of its losses, and how often it was asked."""
        graph, samples = self.graph, self.lessons.batch.samples
        order = order[begin[0] : begin[-1]]
        n, n_steps, n_in = len(order), *samples.shape[1:]
        target = self.lessons.targets[order].reshape(n * n_steps, -1)
        tables = graph._store.neurons, graph._store.synapses
        kept = [(t, t.array("eligibility").copy()) for t in tables if "eligibility" in t.arrays]
        try:
            many = self.state.follow(
                graph, samples[order].reshape(-1, n_in), target, self.rate, self.loss, n_steps
            )
        finally:  # what `activate` keeps is another matter
            lately.note(graph, self.state)
            for table, eligibility in kept:
                table.array("eligibility")[:] = eligibility
        if probes.stopped(graph):
            n = many.done // n_steps
            many = many.part(n * n_steps)
        if n:
            values[:n] = self.noted(many, n)
        return n

    def noted(self, many: Course, n: int) -> np.ndarray:
        """Return of each of n samples the sum of its losses, and how often it was asked, (n, 2)."""
        job = self.state.job
        outputs = job.plan.outputs
        seen = Outputs(
            many.states[:, None],
            many.outputs[:, None],
            [job.functions[j] for j in outputs],
            [job.plan.name(j) for j in outputs],
        )
        terms, asked = self.loss.measure(seen, many.target[:, None])
        return np.stack([terms.value.reshape(n, -1).sum(1), asked.reshape(n, -1).sum(1)], 1)

    def step(self, samples: np.ndarray) -> tuple[float, float]:
        """Learn one sample."""
        values = np.zeros((1, 2))
        self.learn(samples, np.array([0, 1]), values)
        return values[0, 0], values[0, 1]

    def placed(
        self, error: NonFiniteError, order: np.ndarray, learned: int, per_epoch: int
    ) -> NonFiniteError:
        """Return an error of `learn` that names the sample as X has it, and the epoch."""
        nth = error.sample or 0  # of those that were learned at a time
        epoch = (learned + nth) // per_epoch
        return self.lessons.located(error.moved(sample=int(order[nth]), epoch=epoch))

    def losses(self, values: np.ndarray, n_epochs: int) -> list[float]:
        """Return the mean loss of each of some epochs from what was noted of their samples."""
        if not n_epochs:
            return []
        loss, asked = values.reshape(n_epochs, -1, 2).sum(1).T
        return (loss / np.maximum(1, asked)).tolist()
