"""One update of all parameters: the definition, which engines do inside a kernel too.

Gradients come first, all of them, and are in the columns `grad`. Then: clip, add penalties, let
the optimizer go, at each parameter's own rate, and bring what left its bounds back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurograph.engines import finite
from neurograph.engines.base import Limits, Parameters, Updating
from neurograph.engines.finite import Run, all_finite
from neurograph.errors import NonFiniteError, ParameterError, Term
from neurograph.graph import NeuronGraph
from neurograph.learning import lately
from neurograph.learning.lately import sides
from neurograph.learning.optimizers import (
    SGD,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
    Rprop,
    State,
)
from neurograph.learning.schedules import rate_at
from neurograph.schedule import Plan, plan
from neurograph.table import SLOT, Table

__all__ = ["clipped", "in_kernel", "limits", "open_state", "update"]

BUILTIN = (SGD, Momentum, Nesterov, RMSprop, Adam, AdamW, Rprop)


def open_state(graph: NeuronGraph, optimizer: Optimizer) -> None:
    """Make columns for what an optimizer keeps; those of one of the same class go on."""
    store, name = graph._store, type(optimizer).__name__
    if store.optimizer != name:
        store.forget_optimizer(name)
    for table, _ in sides(graph):
        for slot in optimizer.slots:
            table.array(SLOT + slot)


def state_of(table: Table, optimizer: Optimizer) -> State:
    """Return views of the columns that an optimizer keeps."""
    return {slot: table.array(SLOT + slot) for slot in optimizer.slots}


# ---------------------------------------------------------------- limits


def limits(graph: NeuronGraph) -> tuple[Limits, Limits]:
    """Return what holds weights and biases back, in the order of the plan.

    Raises
    ------
    ParameterError
        No weight could satisfy the bounds, the sign of the source and those it is tied to.
    """
    made, store = plan(graph), graph._store

    def column(table: Table, name: str) -> np.ndarray | None:
        return table.array(name) if name in table.arrays else None

    lower, upper = _bounds(graph, made)
    synapses, neurons = store.synapses, store.neurons
    return (
        Limits(column(synapses, "trainable"), column(synapses, "rate_factor"), lower, upper),
        Limits(column(neurons, "trainable"), column(neurons, "rate_factor"), None, None),
    )


def _bounds(graph: NeuronGraph, made: Plan) -> tuple[np.ndarray | None, np.ndarray | None]:
    store = graph._store
    synapses, neurons = store.synapses, store.neurons
    if not ({"lower", "upper"} & synapses.arrays.keys() or "sign" in neurons.arrays):
        return None, None
    lower, upper = synapses.array("lower").copy(), synapses.array("upper").copy()
    if "sign" in neurons.arrays:
        sign = neurons.array("sign")[neurons.row_of[synapses.array("source")]]
        lower[sign > 0] = np.maximum(lower[sign > 0], 0)
        upper[sign < 0] = np.minimum(upper[sign < 0], 0)
    for first, last in zip(made.tie_indptr[:-1], made.tie_indptr[1:], strict=True):
        group = made.tie_synapse[first:last]
        lower[group], upper[group] = lower[group].max(), upper[group].min()
    wrong = np.flatnonzero(lower > upper)
    if len(wrong):
        e = wrong[0]
        source, target = (store.names[synapses.array(end)[e]] for end in ("source", "target"))
        raise ParameterError(
            f"the weight of {source!r} -> {target!r} would have to be at least {lower[e]:g} and at"
            f" most {upper[e]:g}: its bounds, the sign of its source and those of synapses tied to"
            " it leave nothing"
        )
    return lower, upper


def held(limit: Limits, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return parameters at their own rates, within bounds, and frozen ones as before."""
    if limit.factor is not None:
        after = before + limit.factor * (after - before)
    if limit.lower is not None:
        after = np.clip(after, limit.lower, limit.upper)
    return after if limit.trainable is None else np.where(limit.trainable, after, before)


# ---------------------------------------------------------------- one update


def update(graph: NeuronGraph, optimizer: Optimizer, both: tuple[Limits, Limits]) -> None:
    """Apply the gradient columns to all trainable parameters, or to none after an error."""
    store, changes = graph._store, []
    rate = rate_at(optimizer.rate, store.updates)
    with np.errstate(over="ignore", invalid="ignore"):
        for (table, column), mine, limit, gradient in zip(
            sides(graph),
            (optimizer, optimizer.of_biases()),
            both,
            clipped(graph, optimizer, both, [table.array("grad") for table, _ in sides(graph)]),
            strict=True,
        ):
            parameters = table.array(column)
            new, after = _one_side(mine, limit, parameters, gradient, table, rate)
            for what, values in {**{s: after[s] for s in mine.slots}, column: new}.items():
                if not all_finite(values):
                    raise _diverged(graph, mine, column, what, values, gradient, rate)
            changes.append((parameters, new))
            changes += [(table.array(SLOT + slot), after[slot]) for slot in mine.slots]
    before = lately.room(graph, optimizer.slots)
    lately.take(graph)
    lately.fill(graph, before)
    for old, values in changes:
        old[:] = values
    store.updates += 1
    store.edits += 1
    lately.keep(graph, optimizer, rate, store.updates - 1, before, both[0])


def _diverged(
    graph: NeuronGraph,
    optimizer: Optimizer,
    column: str,
    what: str,
    values: np.ndarray,
    gradient: np.ndarray,
    rate: float,
) -> NonFiniteError:
    """Return what says which parameter, or what an optimizer keeps of it, is not finite."""
    (row,) = finite.first(values) or (0,)
    made, table = plan(graph), sides(graph)[column == "bias"][0]
    place: dict[str, Any] = {}
    if column == "weight":
        place["synapse"] = Run.idle(made, *Parameters.of(graph)).synapse(row)
        whose = " -> ".join(map(repr, place["synapse"]))
    else:
        place["neuron"] = made.name(row)
        whose = repr(place["neuron"])
    before, found = float(table.array(column)[row]), float(gradient[row])
    terms = [Term(f"{column} {before:.4g} before", before)]
    terms += [Term(f"rate {rate:.4g} × gradient {found:.4g}", rate * found)]
    for slot in optimizer.slots:
        kept = float(table.array(SLOT + slot)[row])
        terms.append(Term(f"what {type(optimizer).__name__} keeps as {slot} {kept:.4g}", kept))
    whole = f"the {column} of {whose}" if what == column else f"{what} of the {column} of {whose}"
    return NonFiniteError(
        f"training diverged: the update makes {whole} {values[row]}",
        quantity=what, value=float(values[row]), **place, update=graph._store.updates,
        terms=tuple(terms), n_terms=len(terms),
        advice="the network is as it was before this batch. Try a smaller rate, or clip_norm=1.0",
    )  # fmt: skip


def _one_side(
    optimizer: Optimizer,
    limit: Limits,
    parameters: np.ndarray,
    gradient: np.ndarray,
    table: Table,
    rate: float,
) -> tuple[np.ndarray, State]:
    if optimizer.l2:
        gradient = gradient + optimizer.l2 * parameters
    if optimizer.l1:
        gradient = gradient + optimizer.l1 * np.sign(parameters)
    if limit.trainable is not None:  # what an optimizer keeps of it fades
        gradient = np.where(limit.trainable, gradient, 0).astype(parameters.dtype)
    new, after = optimizer.update(gradient, state_of(table, optimizer), parameters, rate)
    return held(limit, parameters, new), after


def clipped(
    graph: NeuronGraph,
    optimizer: Optimizer,
    both: tuple[Limits, Limits],
    found: Sequence[np.ndarray],
) -> Sequence[np.ndarray]:
    """Return gradients of weights and biases as the optimizer clips them."""
    if optimizer.clip_value is not None:
        found = [np.clip(g, -optimizer.clip_value, optimizer.clip_value) for g in found]
    if optimizer.clip_norm is not None:
        counted = [np.ones(len(g)) if k.trainable is None else k.trainable.astype(float)
                   for g, k in zip(found, both, strict=True)]  # fmt: skip
        made = plan(graph)
        for first, last in zip(made.tie_indptr[:-1], made.tie_indptr[1:], strict=True):
            counted[0][made.tie_synapse[first + 1 : last]] = 0
        total = sum(float(n @ g.astype(float) ** 2) for n, g in zip(counted, found, strict=True))
        norm = total**0.5
        if not np.isfinite(norm):
            raise _norm_error(graph, found)
        if norm > optimizer.clip_norm:
            found = [g * (optimizer.clip_norm / norm) for g in found]
    return found


def _norm_error(graph: NeuronGraph, found: Sequence[np.ndarray]) -> NonFiniteError:
    """Return what says that a gradient is so large that its norm is not a number."""
    made = plan(graph)
    k = int(abs(found[1]).max(initial=0) > abs(found[0]).max(initial=0))
    row = int(np.argmax(abs(found[k])))
    run = Run.idle(made, *Parameters.of(graph))
    place: dict[str, Any] = {"neuron": made.name(row)} if k else {"synapse": run.synapse(row)}
    return NonFiniteError(
        f"training diverged: the norm of the gradient is inf, whose largest part is"
        f" {found[k][row]:.4g}, that of {next(iter(place.values()))!r}",
        quantity="gradient", value=np.inf, **place, update=graph._store.updates,
        advice="the network is as it was before this batch. Try clip_value=1.0 first",
    )  # fmt: skip


# ---------------------------------------------------------------- for kernels


def in_kernel(graph: NeuronGraph, optimizer: Optimizer, both: tuple[Limits, Limits]) -> Any:
    """Return what a kernel needs for the same updates, or None for an optimizer of one's own."""
    if type(optimizer) not in BUILTIN:
        return None
    slots = [[table.array(SLOT + slot) for slot in optimizer.slots] for table, _ in sides(graph)]
    return Updating(
        rule=type(optimizer).__name__,
        constants=optimizer.constants(),
        clip_value=optimizer.clip_value or 0.0,
        clip_norm=optimizer.clip_norm or 0.0,
        l1=optimizer.l1,
        l2=optimizer.l2,
        slots=(slots[0], slots[1]),
        limits=both,
    )
