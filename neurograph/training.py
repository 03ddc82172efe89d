"""Training: samples, batches, epochs. Gradients first, then updates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter
from types import MethodType
from typing import Any

import numpy as np

from neurograph.engines import get_engine
from neurograph.engines.base import (
    Batch,
    Descent,
    Engine,
    Lesson,
    Parameters,
    Recording,
    activations,
    record,
)
from neurograph.errors import NeurographError, NonFiniteError, ParameterError, ShapeError
from neurograph.graph import NeuronGraph
from neurograph.learning.gradients import backpropagate
from neurograph.learning.losses import Evaluation, Loss, Outputs, evaluate, get_loss
from neurograph.learning.online import Online
from neurograph.learning.optimizers import SGD, Optimizer
from neurograph.learning.rules import Rule
from neurograph.learning.stepping import Course
from neurograph.schedule import Plan, plan
from neurograph.values import flag, natural

__all__ = ["History", "backward", "fit", "rounds"]


@dataclass
class History:
    """What happened in training.

    Attributes
    ----------
    loss : list of float
        Mean loss over the samples of each epoch, as they were met (before each update).

    Examples
    --------
    >>> History([0.5, 0.25])
    <History of 2 epochs: loss 0.5 -> 0.25>
    """

    loss: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.loss)

    def __repr__(self) -> str:
        epochs = f"{len(self)} epoch{'s' * (len(self) != 1)}"
        ends = f": loss {self.loss[0]:.6g} -> {self.loss[-1]:.6g}" if self.loss else ""
        return f"<History of {epochs}{ends}>"


def require_outputs(plan: Plan) -> None:
    """Raise if no neuron is an output."""
    if not len(plan.outputs):
        raise ParameterError(
            "the network has no outputs; name some, e.g. net.outputs = ['y'], or"
            " net.add_neuron('y', role='output')"
        )


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
) -> tuple[Evaluation, np.ndarray]:
    """Write the gradient of a loss of a run; return the loss and ∂L/∂x, (T, n_in, B)."""
    found = evaluate(loss, seen(recording), target, reduction)
    given = found.d_output, found.d_state
    return found, backpropagate(graph, engine, recording, *given, accumulate)


def fit(graph: NeuronGraph, X: Any, Y: Any, **options: Any) -> History:
    """Train a network; see `Network.fit`."""
    history = History()
    for losses in rounds(graph, X, Y, **options):
        history.loss += losses
    return history


def rounds(
    graph: NeuronGraph,
    X: Any,
    Y: Any,
    *,
    epochs: int = 1,
    batch_size: int | None = None,
    shuffle: bool = True,
    optimizer: Optimizer | None = None,
    loss: str | Loss | None = None,
    rule: str | Rule | None = None,
    engine: str | Engine = "auto",
) -> Iterator[list[float]]:
    """Train a network; yield the mean losses of the epochs since the last time.

    Everything is checked before the first sample. The arguments are those of `Network.fit`.
    """
    graph.require_own()
    n_epochs, shuffle = natural("epochs", epochs), flag("shuffle", shuffle)
    size = (32 if rule is None else 1) if batch_size is None else natural("batch_size", batch_size)
    if not size:
        raise ParameterError("batch_size must be 1 or more, got 0")
    if rule is not None and size != 1:
        raise ParameterError(f"a rule learns step by step: leave out batch_size, got {size}")
    loss = ("squared_error" if rule is None else "matching") if loss is None else loss
    optimizer = SGD() if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer):
        raise ParameterError(
            f"optimizer must be an optimizer, as neurograph.SGD(0.1); got {optimizer!r}"
        )
    chosen = plan(graph)
    require_outputs(chosen)
    batch = Batch.of(X, chosen, graph.dtype)
    if not batch.shape:
        raise ShapeError(
            "fit takes many samples, X of shape (samples, inputs) or (samples, steps, inputs);"
            f" got one sample of shape {np.shape(X)}"
        )
    targets = get_loss(loss).prepare(Y, batch.shape, len(chosen.outputs))
    if np.isnan(targets).all():
        raise ParameterError("every target is NaN: nothing is asked of any output")
    if rule is not None:
        if type(optimizer) is not SGD:
            raise ParameterError(
                f"a rule learns by plain descent: optimizer=SGD(rate); got {optimizer}"
            )
        state = Online(rule, engine)
        state.open(graph, 0)
        state.knows(get_loss(loss))
        return _steps(graph, state, batch, targets, optimizer.rate, loss, n_epochs, shuffle)
    n_batches = -(-len(targets) // size) * n_epochs
    executor = get_engine(engine, work(chosen, batch) * n_batches)
    learner = _Learner(graph, executor, batch, targets, min(size, len(targets)))
    return _rounds(learner.start(optimizer, loss), n_epochs, shuffle)


def work(plan: Plan, batch: Batch) -> int:
    """Return the visits of the walker in one run: synapses and neurons times steps."""
    return (plan.n_synapses + plan.n_memories + plan.n_neurons) * batch.steps


@dataclass
class _Learner:
    """What stays the same while a network learns from some samples."""

    graph: NeuronGraph
    engine: Engine
    batch: Batch
    targets: np.ndarray
    batch_size: int
    optimizer: Optimizer = field(default_factory=SGD)
    loss: Loss = field(default_factory=lambda: get_loss("squared_error"))
    states: dict = field(default_factory=dict)

    def start(self, optimizer: Optimizer, loss: str | Loss) -> _Learner:
        """Set up what the rule of learning needs."""
        self.optimizer, self.loss = optimizer, get_loss(loss)
        for table, column in _learned(self.graph):
            self.states[column] = optimizer.init(table.array(column))
        return self

    def descent(self) -> Descent:
        """Return what learns batches, of the network as it is now: the engine, if it can."""
        found = None
        if type(self.optimizer) is SGD and self.loss.builtin:
            tables = [table for table, _ in _learned(self.graph)]
            trainable = [t.array("trainable") if "trainable" in t.arrays else None for t in tables]
            lesson = Lesson(
                self.batch.samples,
                self.targets,
                self.batch_size,
                self.loss.name,
                self.optimizer.rate,
                (trainable[0], trainable[1]),
            )
            gradients = Parameters(*(table.array("grad") for table in tables))
            chosen = plan(self.graph)
            found = self.engine.descent(chosen, Parameters.of(self.graph), gradients, lesson)
        return found or self.singly

    def first_pace(self) -> int:
        """Return how many batches to learn at first: a moment's work of a kernel."""
        if isinstance(self.descent(), MethodType):  # one by one
            return 1
        return max(1, 2**17 // (work(plan(self.graph), self.batch) * self.batch_size))

    def singly(self, order: np.ndarray, begin: np.ndarray, values: np.ndarray) -> int:
        """Learn batches one by one; see `Descent`."""
        for q, (first, last) in enumerate(pairwise(begin.tolist())):
            try:
                values[q] = self.step(order[first:last])
            except NeurographError:
                return q
        return len(values)

    def step(self, samples: np.ndarray) -> tuple[float, int]:
        """Learn one batch; return its loss and how many pairs were asked.

        After an error everything is as it was, and the error says what is wrong.
        """
        graph = self.graph
        part = Batch(self.batch.samples[samples], self.batch.shape)
        recording = record(self.engine, graph, plan(graph), part, None)
        columns = [table.array("grad") for table, _ in _learned(graph)]
        before = [column.copy() for column in columns]
        targets = self.targets[samples]
        found, _ = backward(graph, self.engine, recording, targets, self.loss, "mean")
        try:
            _update(graph, self.optimizer, self.states)
        except Exception:
            for column, values in zip(columns, before, strict=True):
                column[:] = values
            raise
        return found.value, found.asked


def _rounds(learner: _Learner, n_epochs: int, shuffle: bool) -> Iterator[list[float]]:
    """Learn some epochs at a time; how many at a time changes no result."""
    n_samples, rng = len(learner.targets), learner.graph.rng
    per_epoch = -(-n_samples // learner.batch_size)
    begin = np.arange(per_epoch) * learner.batch_size
    epoch, pace = 0, learner.first_pace()
    while epoch < n_epochs:
        n = max(1, min(pace // per_epoch, n_epochs - epoch))
        before = rng.bit_generator.state
        order = _orders(rng, n_samples, n, shuffle)
        begins = np.append((np.arange(n)[:, None] * n_samples + begin).ravel(), len(order))
        values = np.zeros((n * per_epoch, 2))
        q = 0
        while q < len(values):
            last, started = min(q + pace, len(values)), perf_counter()
            done = q + learner.descent()(order, begins[q : last + 1], values[q:last])
            learner.graph._store.edits += 1
            pace = _next_pace(last - q, perf_counter() - started)
            if done < last:
                after, rng.bit_generator.state = rng.bit_generator.state, before
                # No more is drawn than was learned from, or tried.
                _orders(rng, n_samples, done // per_epoch + 1 if epoch or done else 0, shuffle)
                values[done] = learner.step(order[begins[done] : begins[done + 1]])
                rng.bit_generator.state, done = after, done + 1  # it went well after all
            q = done
        loss, asked = values.reshape(n, per_epoch, 2).transpose(2, 0, 1)
        yield ((loss * asked).sum(1) / asked.sum(1)).tolist()
        epoch += n


def _steps(
    graph: NeuronGraph,
    state: Online,
    batch: Batch,
    targets: np.ndarray,
    rate: float,
    loss: str | Loss,
    n_epochs: int,
    shuffle: bool,
) -> Iterator[list[float]]:
    """Learn online, each sample a sequence of its own, from rest; some epochs at a time."""
    n_samples, n_steps, n_in = batch.samples.shape
    tables = graph._store.neurons, graph._store.synapses
    kept = [(t, t.array("eligibility").copy()) for t in tables if "eligibility" in t.arrays]
    per_call, epoch = max(1, 2**14 // (n_samples * n_steps)), 0
    try:
        while epoch < n_epochs:
            n = min(per_call, n_epochs - epoch)
            order = _orders(graph.rng, n_samples, n, shuffle)
            target = targets[order]
            many = state.follow(
                graph,
                batch.samples[order].reshape(-1, n_in),
                target.reshape(-1, target.shape[-1]),
                rate,
                get_loss(loss),
                n_steps,
            )
            yield _losses(state, many, loss, n)
            epoch += n
    finally:  # what `activate` keeps is another matter
        for table, values in kept:
            table.array("eligibility")[:] = values


def _losses(state: Online, many: Course, loss: str | Loss, n_epochs: int) -> list[float]:
    """Return the mean loss of each of some epochs."""
    made = state.job.plan
    functions = [state.job.functions[j] for j in made.outputs]
    seen = Outputs(
        many.states[:, None], many.outputs[:, None], functions, [made.name(j) for j in made.outputs]
    )
    terms, asked = get_loss(loss).measure(seen, many.target[:, None])
    n_asked = asked.reshape(n_epochs, -1).sum(1)
    return (terms.value.reshape(n_epochs, -1).sum(1) / np.maximum(1, n_asked)).tolist()


def _orders(rng: np.random.Generator, n: int, n_epochs: int, shuffle: bool) -> np.ndarray:
    """Return the samples of some epochs in the order of learning."""
    if not shuffle:
        return np.tile(np.arange(n), n_epochs)
    return np.array([rng.permutation(n) for _ in range(n_epochs)], int).ravel()


ROUND = 0.04  # seconds of learning before Python is asked for Ctrl-C and progress


def _next_pace(n: int, seconds: float) -> int:
    """Return how many batches to learn at a time, after n of them took so long."""
    return max(1, min(8 * n, int(n * ROUND / max(seconds, 1e-9))))


def _learned(graph: NeuronGraph) -> list[tuple[Any, str]]:
    return [(graph._store.synapses, "weight"), (graph._store.neurons, "bias")]


def _update(graph: NeuronGraph, optimizer: Optimizer, states: dict) -> None:
    """Apply the gradient columns to all trainable parameters, or to none after an error."""
    changes = []
    for table, column in _learned(graph):
        parameters, gradient = table.array(column), table.array("grad")
        with np.errstate(over="ignore", invalid="ignore"):
            updated, states[column] = optimizer.update(gradient, states[column], parameters)
        if "trainable" in table.arrays:
            updated = np.where(table.array("trainable"), updated, parameters)
        if not np.isfinite(updated).all():
            raise NonFiniteError(
                f"training diverged: the update makes a {column}"
                f" {updated[~np.isfinite(updated)][0]}; the network is as it was before this"
                " batch. Try a smaller rate"
            )
        changes.append((parameters, updated))
    for parameters, updated in changes:
        parameters[:] = updated
    graph._store.edits += 1
