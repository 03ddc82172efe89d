"""The loop over batches: gradients first, then the update, batch by batch or inside a kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from types import MethodType
from typing import Any

import numpy as np

from neurograph.engines.base import (
    Batch,
    Descent,
    Engine,
    Lesson,
    Limits,
    Parameters,
    Recording,
    activations,
    record,
)
from neurograph.errors import NeurographError, NonFiniteError
from neurograph.graph import NeuronGraph
from neurograph.inspection import probes, telling
from neurograph.learning import lately
from neurograph.learning.gradients import backpropagate
from neurograph.learning.losses import Evaluation, Loss, Outputs, evaluate
from neurograph.learning.optimizers import Optimizer
from neurograph.learning.schedules import rate_at
from neurograph.learning.updates import in_kernel, limits, open_state, sides, update
from neurograph.lessons import Lessons
from neurograph.rounds import rounds
from neurograph.schedule import NONE, Plan, plan

__all__ = ["Learner", "backward", "mean_loss", "work"]

PART = 2**22  # neurons times steps and samples that are run at once where only the loss is wanted


def work(plan: Plan, batch: Batch) -> int:
    """Return the visits of the walker in one run: synapses and neurons times steps."""
    return (plan.n_synapses + plan.n_memories + plan.n_neurons) * batch.steps


def seen(recording: Recording) -> Outputs:
    """Return what a loss sees of a run."""
    plan, steps = recording.plan, recording.steps
    functions = activations(plan)
    return Outputs(
        recording._s[1:].of(plan.outputs).transpose(2, 0, 1),
        recording._y[-steps:].of(plan.outputs).transpose(2, 0, 1),
        [functions[j] for j in plan.outputs],
        [plan.name(j) for j in plan.outputs],
    )


def backward(
    graph: NeuronGraph,
    engine: Engine,
    recording: Recording,
    target: np.ndarray,
    loss: str | Loss,
    reduction: str,
    accumulate: bool = False,
    weight: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    inputs: bool = True,
) -> tuple[Evaluation, np.ndarray]:
    """Write the gradient of a loss of a run; return the loss and ∂L/∂x, (T, n_in, B).

    `weight` : of each sample; `mask` : what multiplied each weight in the run; `inputs` : whether
    ∂L/∂x has to be finite.
    """
    found = evaluate(loss, seen(recording), target, reduction, weight)
    given = found.d_output, found.d_state
    return found, backpropagate(graph, engine, recording, *given, accumulate, mask, inputs)


def gradient_given(made: Plan, full: np.ndarray) -> NonFiniteError:
    """Return what says where a given ∂L/∂Y, (B, T, n_out), is not finite."""
    b, t, o = np.argwhere(~np.isfinite(full))[0].tolist()
    name = made.name(int(made.outputs[o]))
    return NonFiniteError(
        f"gradient holds {full[b, t, o]} for output {name!r}",
        quantity="gradient", value=float(full[b, t, o]), neuron=name, step=t, sample=b, column=o,
        advice="it must be finite",
    )  # fmt: skip


def mean_loss(
    graph: NeuronGraph,
    engine: Engine,
    lessons: Lessons,
    loss: Loss,
    interrupted: Callable[[], bool],
) -> float | None:
    """Return the mean loss of the network as it is, or None if that was interrupted.

    Nothing is changed.
    """
    made = plan(graph)
    at_once = max(1, PART // (made.n_neurons * lessons.batch.steps))
    total = asked = 0.0
    for first in range(0, len(lessons.targets), at_once):
        if interrupted():
            return None
        some = lessons.part(np.arange(first, min(first + at_once, len(lessons.targets))))
        try:
            recording = record(engine, graph, made, some.batch, None)
            found = evaluate(loss, seen(recording), some.targets, "sum", some.weight)
        except NonFiniteError as error:
            raise some.located(error) from None
        total, asked = total + found.value, asked + found.asked
    return total / (asked or 1.0)


@dataclass
class Learner:
    """What stays the same while a network learns from some samples."""

    graph: NeuronGraph
    engine: Engine
    lessons: Lessons
    batch_size: int
    optimizer: Optimizer
    loss: Loss
    limits: tuple[Limits, Limits] = field(init=False)
    room: lately.Room = field(default=({}, {}), init=False)  # what an update begins from
    recording: Recording | None = field(default=None, init=False)  # of the last batch, for probes

    def __post_init__(self) -> None:
        self.batch_size = min(self.batch_size, len(self.lessons.targets))
        self.limits = limits(self.graph)

    # ------------------------------------------------------------ who learns

    def descent(self, tapping: telling.Tapping | None = None) -> Descent:
        """Return what learns batches, of the network as it is now: the engine, if it can."""
        self.limits = limits(self.graph)
        open_state(self.graph, self.optimizer)
        updating = in_kernel(self.graph, self.optimizer, self.limits)
        if updating is None or not self.loss.builtin or self.drops():
            return self.singly
        self.room = lately.room(self.graph, self.optimizer.slots)
        lesson = Lesson(
            self.lessons.batch.samples,
            self.lessons.targets,
            self.lessons.weight,
            self.batch_size,
            self.loss.name,
            updating,
            before=tuple(list(own.values()) for own in self.room),
        )
        if tapping is not None:
            lesson = lesson._replace(taps=tapping.taps, until=tapping.until)
        gradients = Parameters(*(table.array("grad") for table, _ in sides(self.graph)))
        chosen = plan(self.graph)
        found = self.engine.descent(chosen, Parameters.of(self.graph), gradients, lesson)
        return found or self.singly

    def drops(self) -> bool:
        """Whether somebody is silenced now and then."""
        store = self.graph._store
        return any("dropout" in t.arrays and t.array("dropout").any()
                   for t in (store.neurons, store.synapses))  # fmt: skip

    def learn(self, order: np.ndarray, begin: np.ndarray, values: np.ndarray) -> int:
        """Learn some batches; return how many went well, or came before a probe stopped."""
        done, well = 0, True
        while done < len(values) and well and not probes.stopped(self.graph):
            last, tapping = len(values), None
            if probes.probes_of(self.graph):
                tapping = telling.updates(self.graph, last - done, plan(self.graph))
                last = done + tapping.moments
            n = self.learn_on(order, begin[done : last + 1], values[done:last], tapping)
            well = done + n == last or (tapping is not None and bool(tapping.met))
            done += n
        return done

    def learn_on(
        self,
        order: np.ndarray,
        begin: np.ndarray,
        values: np.ndarray,
        tapping: telling.Tapping | None,
    ) -> int:
        """Learn some batches; return how many went well, or come before something to tell."""
        store = self.graph._store
        before, rate = store.updates, self.optimizer.rate
        if callable(rate):
            rates = np.array([rate_at(rate, before + q) for q in range(len(values))], float)
        else:
            rates = np.full(len(values), float(rate))
        descent = self.descent(tapping)
        if isinstance(descent, MethodType):  # `update` keeps the last one, probes are told
            return descent(order, begin, rates, values)
        kept = lately.take(self.graph)
        done = descent(order, begin, rates, values)
        if done:
            store.updates = before + done
            store.edits += 1
            rate, number, held = rates[done - 1], store.updates - 1, self.limits[0]
            lately.keep(self.graph, self.optimizer, rate, number, self.room, held)
        elif kept is not None:
            self.graph.__dict__["_last"] = kept  # it is still the last one
        if tapping is not None:
            tapping.commit(done)
        return done

    def singly(
        self, order: np.ndarray, begin: np.ndarray, rates: np.ndarray, values: np.ndarray
    ) -> int:
        """Learn batches one by one; see `Descent`."""
        for q, (first, last) in enumerate(pairwise(begin.tolist())):
            state = self.graph.rng.bit_generator.state
            try:
                values[q] = self.step(order[first:last])
            except NeurographError:
                self.graph.rng.bit_generator.state = state
                return q
            if probes.stopped(self.graph):
                return q + 1
        return len(values)

    def step(self, samples: np.ndarray) -> tuple[float, float]:
        """Learn one batch; return its loss and the sum of weights of what was asked.

        After an error everything is as it was, and the error says what is wrong.
        """
        graph = self.graph
        columns = [table.array("grad") for table, _ in sides(graph)]
        before = [column.copy() for column in columns]
        found = self.gradient(self.lessons.part(samples))
        try:
            update(graph, self.optimizer, self.limits)
        except Exception:
            for column, values in zip(columns, before, strict=True):
                column[:] = values
            raise
        if probes.probes_of(graph):
            telling.observe(graph, "update", self.recording)
        return found.value, found.asked

    def placed(
        self, error: NonFiniteError, order: np.ndarray, learned: int, per_epoch: int
    ) -> NonFiniteError:
        """Return an error of `step` that names the epoch, the batch in it, and the update."""
        epoch, batch = divmod(learned, per_epoch)
        return error.moved(epoch=epoch, batch=batch, update=self.graph._store.updates)

    def gradient(self, part: Lessons) -> Evaluation:
        """Write the gradient of the mean loss of some samples."""
        graph, made = self.graph, plan(self.graph)
        mask = self.mask(made) if self.drops() else None
        weights = graph._store.synapses.array("weight")
        whole = weights.copy() if mask is not None else None
        try:
            if mask is not None:
                weights *= mask
            recording = record(self.engine, graph, made, part.batch, None)
            found, _ = backward(graph, self.engine, recording, part.targets, self.loss, "mean",
                                weight=part.weight, mask=mask, inputs=False)  # fmt: skip
            self.recording = recording if probes.probes_of(graph) else None
        except NonFiniteError as error:
            raise part.located(error) from None
        finally:
            if whole is not None:
                weights[:] = whole
        return found

    def mask(self, made: Plan) -> np.ndarray:
        """Draw what multiplies each weight for a batch: 0, or 1 / (1 - p) (dropout).

        A neuron that is silenced sends nothing and gates with 0 (Srivastava et al. 2014); a
        synapse may be silenced by itself (Wan et al. 2013).
        """
        graph, rng = self.graph, self.graph.rng
        neurons, synapses = graph._store.neurons, graph._store.synapses
        mask = np.ones(made.n_synapses + made.n_memories)
        if "dropout" in neurons.arrays:
            p = np.array(neurons.array("dropout"), float)
            sends = np.where(rng.random(len(p)) < p, 0, 1 / (1 - p))
            mask[: made.n_synapses] *= sends[made.source]
            if made.gater.size:
                gated = made.gater != NONE
                mask[gated] *= sends[made.gater[gated]]
        if "dropout" in synapses.arrays:
            p = np.array(synapses.array("dropout"), float)
            mask *= np.where(rng.random(len(p)) < p, 0, 1 / (1 - p))
        return mask.astype(graph.dtype)

    # ------------------------------------------------------------ epochs

    @property
    def n_samples(self) -> int:
        """How many samples there are to learn from."""
        return len(self.lessons.targets)

    def epochs(self, job: Any) -> Iterator[list[float]]:
        """Learn; yield the mean losses of some epochs at a time, see `rounds`."""
        open_state(self.graph, self.optimizer)
        return rounds(self, job)

    def first_pace(self) -> int:
        """Return how many batches to learn at first: a moment's work of a kernel."""
        if isinstance(self.descent(), MethodType):  # one by one
            return 1
        made = plan(self.graph)
        return max(1, 2**17 // (work(made, self.lessons.batch) * self.batch_size))

    def losses(self, values: np.ndarray, n_epochs: int) -> list[float]:
        """Return the mean loss of each of some epochs from losses and weights of their batches."""
        if not n_epochs:
            return []
        loss, asked = values.reshape(n_epochs, -1, 2).transpose(2, 0, 1)
        return ((loss * asked).sum(1) / np.maximum(asked.sum(1), 1e-300)).tolist()
