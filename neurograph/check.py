"""Every invariant of a `Plan`, as code: nothing that was not checked reaches an engine."""

from __future__ import annotations

import numpy as np

from neurograph.errors import ParameterError
from neurograph.sweeps import flaw, sweep

__all__ = ["check"]

LAWS = (  # what `flaw` looks for
    "all is well",
    "synapse is a permutation",
    "out_synapse is a permutation",
    "synapses are sorted by target",
    "out_synapse is by source",
    "a pair of neurons has one synapse",
    "sources come before their targets",
    "levels rise",
)


def check(plan) -> None:
    """Raise unless every index of a plan is in range and the order of visits is valid.

    Parameters
    ----------
    plan : Plan

    Raises
    ------
    ParameterError
        Names the first invariant that does not hold.

    Examples
    --------
    >>> from neurograph.graph import NeuronGraph
    >>> from neurograph.schedule import plan
    >>> check(plan(NeuronGraph([("a", "b")])))
    """
    n, e, m = plan.n_neurons, plan.n_synapses, plan.n_memories
    total = e + m
    none = np.iinfo(np.uint32).max

    for name, array, length, bound in (
        ("neuron", plan.neuron, n, n),
        ("synapse", plan.synapse, total, total),
        ("source", plan.source, e, n),
        ("target", plan.target, e, n),
        ("delay", plan.delay, e, none),
        ("out_synapse", plan.out_synapse, e, e),
        ("cell", plan.cell, m, n),
        ("activation", plan.activation, n, len(plan.activations)),
        ("level", plan.level, n, max(n, 1)),
        ("inputs", plan.inputs, len(plan.inputs), n),
        ("outputs", plan.outputs, len(plan.outputs), n),
        ("tie_synapse", plan.tie_synapse, len(plan.tie_synapse), total),
        ("gated_synapse", plan.gated_synapse, len(plan.gated_synapse), total),
    ):
        _require(array.shape == (length,), f"{name} has {length} entries")
        _require(not array.size or int(array.max()) < bound, f"{name} is below {bound}")

    for name, pointers, n_rows, size in (
        ("indptr", plan.indptr, n, e),
        ("out_indptr", plan.out_indptr, n, e),
        ("gated_indptr", plan.gated_indptr, n, len(plan.gated_synapse)),
        ("tie_indptr", plan.tie_indptr, len(plan.tie_indptr) - 1, len(plan.tie_synapse)),
    ):
        _require(pointers.shape == (n_rows + 1,), f"{name} has {n_rows + 1} entries")
        _require(pointers[0] == 0 and pointers[-1] == size, f"{name} runs from 0 to {size}")
        _require((pointers[1:] >= pointers[:-1]).all(), f"{name} does not fall")

    _require((np.bincount(plan.neuron, minlength=n) == 1).all(), "neuron is a permutation")
    law = sweep(
        flaw,
        plan.indptr,
        plan.source,
        plan.target,
        plan.delay,
        plan.level,
        plan.synapse,
        plan.out_indptr,
        plan.out_synapse,
        np.zeros(total, np.uint8),
    )
    _require(not law, LAWS[law])

    _require(plan.memory.shape == (n,), f"memory has {n} entries")
    cells = np.flatnonzero(plan.memory != none)
    _require(np.array_equal(cells, np.sort(plan.cell)), "memory names the cells")
    _require(np.array_equal(plan.memory[plan.cell], np.arange(e, total)), "memory is by cell")

    _require(plan.history >= max(1, int(plan.delay.max(initial=0))), "history covers all delays")
    _check_gates(plan, total, none)
    _require(np.unique(plan.inputs).size == plan.inputs.size, "an input has one column")
    _require(np.unique(plan.outputs).size == plan.outputs.size, "an output has one column")
    _require(not np.isin(plan.inputs, plan.outputs).any(), "no input is an output")
    _require(np.unique(plan.tie_synapse).size == plan.tie_synapse.size, "ties do not overlap")


def _check_gates(plan, total: int, none: int) -> None:
    if not plan.gater.size:
        _require(not plan.gate_delay.size and not plan.gated_synapse.size, "no gates at all")
        return
    _require(plan.gater.shape == plan.gate_delay.shape == (total,), f"gater has {total} entries")
    gated = plan.gater != none
    _require((plan.gater[gated] < plan.n_neurons).all(), "gater is a neuron")
    _require((plan.gate_delay <= 1).all(), "gate_delay is 0 or 1")
    gaters = plan.gater[plan.gated_synapse]
    _require(np.array_equal(gaters, _runs(plan.gated_indptr)), "gated_synapse is by gater")
    _require(gated.sum() == plan.gated_synapse.size, "every gate is listed")
    ends = np.concatenate([plan.target, plan.cell])
    now = gated & (plan.gate_delay == 0)
    _require((plan.gater[now] < ends[now]).all(), "gaters come before the targets they act on")


def _runs(indptr: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(indptr) - 1, dtype=np.uint32), np.diff(indptr))


def _require(holds: object, invariant: str) -> None:
    if not holds:
        raise ParameterError(f"not a valid plan: it must be that {invariant}")
