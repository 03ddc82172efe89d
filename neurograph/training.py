"""Training: samples, batches, epochs. Gradients first, then updates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurograph.engines import get_engine
from neurograph.engines.base import Batch, Engine, Recording, activations, record
from neurograph.errors import NonFiniteError, ParameterError, ShapeError
from neurograph.graph import NeuronGraph
from neurograph.learning.gradients import backpropagate
from neurograph.learning.losses import Evaluation, Loss, Outputs, evaluate, get_loss
from neurograph.learning.optimizers import SGD, Optimizer
from neurograph.schedule import Plan, plan
from neurograph.values import flag, natural

__all__ = ["History", "backward", "epochs", "fit"]


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
    for loss in epochs(graph, X, Y, **options):
        history.loss.append(loss)
    return history


def epochs(
    graph: NeuronGraph,
    X: Any,
    Y: Any,
    *,
    epochs: int = 1,
    batch_size: int = 32,
    shuffle: bool = True,
    optimizer: Optimizer | None = None,
    loss: str | Loss = "squared_error",
    engine: str = "auto",
) -> Iterator[float]:
    """Train a network epoch by epoch, and yield the mean loss of each.

    Everything is checked before the first sample. The arguments are those of `Network.fit`.
    """
    graph.require_own()
    n_epochs = natural("epochs", epochs)
    batch_size, shuffle = natural("batch_size", batch_size), flag("shuffle", shuffle)
    if not batch_size:
        raise ParameterError("batch_size must be 1 or more, got 0")
    optimizer = SGD() if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer):
        raise ParameterError(
            f"optimizer must be an optimizer, as neurograph.SGD(0.1); got {optimizer!r}"
        )
    executor, chosen = get_engine(engine), plan(graph)
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

    def step(samples: np.ndarray, states: dict) -> tuple[float, int]:
        part = Batch(np.ascontiguousarray(batch.x[:, :, samples]), batch.shape)
        recording = record(executor, graph, plan(graph), part, None)
        columns = [table.array("grad") for table, _ in _learned(graph)]
        before = [column.copy() for column in columns]
        found, _ = backward(graph, executor, recording, targets[samples], loss, "mean")
        try:
            _update(graph, optimizer, states)
        except Exception:
            for column, values in zip(columns, before, strict=True):
                column[:] = values
            raise
        return found.value, found.asked

    def run() -> Iterator[float]:
        n_samples = len(targets)
        states = {column: optimizer.init(table.array(column)) for table, column in _learned(graph)}
        before = graph.rng.bit_generator.state
        for epoch in range(n_epochs):
            order = graph.rng.permutation(n_samples) if shuffle else np.arange(n_samples)
            total, n_asked = 0.0, 0
            for first in range(0, n_samples, batch_size):
                try:
                    value, asked = step(order[first : first + batch_size], states)
                except Exception:
                    if not epoch and not first:  # nothing was learned, so nothing was drawn
                        graph.rng.bit_generator.state = before
                    raise
                total, n_asked = total + value * asked, n_asked + asked
            yield total / n_asked

    return run()


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
