"""From a recorded run to the gradient columns of the store."""

from __future__ import annotations

import numpy as np

from neurograph.engines.base import Engine, Gradients, Parameters, Recording
from neurograph.errors import NonFiniteError
from neurograph.graph import NeuronGraph
from neurograph.schedule import Plan

__all__ = ["backpropagate"]


def backpropagate(
    graph: NeuronGraph,
    engine: Engine,
    recording: Recording,
    d_output: np.ndarray,
    d_state: np.ndarray,
    accumulate: bool = False,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Write the exact gradient of a run into the columns `grad`; return ∂L/∂x, (T, n_in, B).

    Tied synapses get the gradient of their group, each of them. `accumulate` adds to what the
    columns hold. `mask` is what multiplied each weight in the run, 1 unless given. Deltas go
    into the recording, and what they were made from: explanations ask for it.
    """
    found = engine.backward(
        recording.plan,
        Parameters.of(graph),
        recording._s,
        recording._y,
        recording._start.steps,
        d_output,
        d_state,
    )
    _require_finite(recording.plan, found)
    if mask is not None:
        found.weight[:] *= mask
    share(recording.plan, found.weight)
    for table, gradient in (
        (graph._store.synapses, found.weight),
        (graph._store.neurons, found.bias),
    ):
        column = table.array("grad")
        column[:] = column + gradient if accumulate else gradient
    recording._delta, recording._pass = found.delta, (d_output, d_state, accumulate)
    return found.inputs


def _require_finite(plan: Plan, found: Gradients) -> None:
    """Raise unless all gradients are finite numbers; name where the first was not, backwards."""
    if all(np.isfinite(a).all() for a in (found.weight, found.bias, found.inputs)):
        return
    delta = found.delta.of()
    wrong = ~np.isfinite(delta[::-1, ::-1])
    if wrong.any():
        t, j, b = np.argwhere(wrong)[0]
        t, j = len(wrong) - 1 - t, plan.n_neurons - 1 - j
        where = f"delta of neuron {plan.name(j)!r} is {delta[t, j, b]} at step {t} of sample {b}"
    else:
        where = "a sum of finite terms is too large"
    raise NonFiniteError(f"the gradient is not finite: {where}; the columns grad are unchanged")


def share(plan: Plan, gradient: np.ndarray) -> None:
    """Give each tied synapse the sum over its group, in place."""
    for first, last in zip(plan.tie_indptr[:-1], plan.tie_indptr[1:], strict=True):
        group = plan.tie_synapse[first:last]
        gradient[group] = gradient[group].sum()
