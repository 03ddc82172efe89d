"""From a recorded run to the gradient columns of the store."""

from __future__ import annotations

import numpy as np

from neurograph.engines.base import Engine, Parameters, Recording
from neurograph.engines.finite import Back, Run, all_finite, backward_error, first, largest
from neurograph.errors import NonFiniteError, Term
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
    inputs: bool = True,
) -> np.ndarray:
    """Write the exact gradient of a run into the columns `grad`; return ∂L/∂x, (T, n_in, B).

    Tied synapses get the gradient of their group, each of them. `accumulate` adds to what the
    columns hold. `mask` is what multiplied each weight in the run, 1 unless given. Deltas go
    into the recording, and what they were made from: explanations ask for it. `inputs`: whether
    ∂L/∂x has to be finite too.

    Raises
    ------
    NonFiniteError
        The first number of the way back that is not finite; the columns are unchanged.
    """
    plan, parameters = recording.plan, Parameters.of(graph)
    states, outputs, since = recording._s, recording._y, recording._start.steps
    found = engine.backward(plan, parameters, states, outputs, since, d_output, d_state)
    if not all(map(all_finite, (found.weight, found.bias, *(found.inputs,) * inputs))):
        run = Run(plan, *parameters, states.of(), outputs.of(), since)
        error = backward_error(
            run,
            Back(
                (d_output, d_state),
                found.delta.of(),
                found.inputs if inputs else np.zeros_like(found.inputs),
                found.weight,
                found.bias,
            ),
        )
        if error is not None:
            raise error
    tables = graph._store.synapses, graph._store.neurons
    columns = [table.array("grad") for table in tables]
    with np.errstate(over="ignore", invalid="ignore"):
        if mask is not None:
            found.weight[:] *= mask
        single = found.weight.copy() if len(plan.tie_synapse) else found.weight
        share(plan, found.weight)
        new = [found.weight, found.bias]
        if accumulate:
            new = [column + gradient for column, gradient in zip(columns, new, strict=True)]
    for k, values in enumerate(new):
        if not all_finite(values):
            raise _sum_error(Run.idle(plan, *parameters), k, values, single,
                             columns[k] if accumulate else None)  # fmt: skip
    for column, values in zip(columns, new, strict=True):
        column[:] = values
    recording._delta, recording._pass = found.delta, (d_output, d_state, accumulate)
    return found.inputs


def _sum_error(
    run: Run, k: int, values: np.ndarray, single: np.ndarray, before: np.ndarray | None
) -> NonFiniteError:
    """Return what says which sum over tied synapses, or with what was there, is too large."""
    (row,) = first(values) or (0,)
    terms = [] if before is None else [Term(f"{before[row]:.4g} from before", float(before[row]))]
    if k == 0:
        group = _group(run.plan, row)
        for e in group:
            whose = " -> ".join(map(repr, run.synapse(e)))
            terms.append(Term(f"gradient {single[e]:.4g} of {whose}", float(single[e])))
        whose = " -> ".join(map(repr, run.synapse(row)))
        place: dict = {"synapse": run.synapse(row)}
        what = f"weight of {whose}" + f", tied to {len(group) - 1} more" * (len(group) > 1)
    else:
        place, what = {"neuron": run.plan.name(row)}, f"bias of {run.plan.name(row)!r}"
    return NonFiniteError(
        f"the gradient is not finite: that of the {what} is {values[row]}",
        quantity="gradient", value=float(values[row]), **place, **largest(terms),
        advice="the columns grad are unchanged",
    )  # fmt: skip


def _group(plan: Plan, e: int) -> list[int]:
    """Return the synapses that are tied to e, itself included."""
    for begin, end in zip(plan.tie_indptr[:-1], plan.tie_indptr[1:], strict=True):
        group = plan.tie_synapse[begin:end].tolist()
        if e in group:
            return group
    return [e]


def share(plan: Plan, gradient: np.ndarray) -> None:
    """Give each tied synapse the sum over its group, in place."""
    for begin, end in zip(plan.tie_indptr[:-1], plan.tie_indptr[1:], strict=True):
        group = plan.tie_synapse[begin:end]
        gradient[group] = gradient[group].sum()
