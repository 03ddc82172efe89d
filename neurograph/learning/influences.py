"""Which neuron acts on which through a gate, and where its extended traces are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurograph.schedule import NONE, Plan

__all__ = ["Influences", "find_influences"]


@dataclass(frozen=True, eq=False)
class Influences:
    """Pairs (k, t) of a gater and a neuron in which synapses end that it gates.

    For each pair there is an extended trace of every parameter of k: one for each synapse into
    k, then one for its self-synapse if that reads the state, then one for its bias.

    Attributes
    ----------
    indptr : (N+1,) array
        Pairs indptr[k]:indptr[k+1] are those of neuron k.
    target : (Q,) array
        The gated neuron t of each pair.
    gate_indptr, gate : (Q+1,), (G,) arrays
        Synapses gate[gate_indptr[q]:gate_indptr[q+1]] end in t and are gated by k.
    trace_indptr : (Q+1,) array
        Where the extended traces of each pair begin.
    """

    indptr: np.ndarray
    target: np.ndarray
    gate_indptr: np.ndarray
    gate: np.ndarray
    trace_indptr: np.ndarray

    @classmethod
    def none(cls, plan: Plan) -> Influences:
        """Return no pairs at all."""
        nothing = np.empty(0, np.int64)
        return cls(np.zeros(plan.n_neurons + 1, np.int64), nothing, np.zeros(1, np.int64), nothing,
                   np.zeros(1, np.int64))  # fmt: skip

    @property
    def size(self) -> int:
        """Number of extended traces."""
        return int(self.trace_indptr[-1])

    def keys(self, plan: Plan) -> np.ndarray:
        """Return (k, t, parameter) of every extended trace; parameters as `parameters_of`."""
        gater = np.searchsorted(self.indptr, np.arange(len(self.target)), side="right") - 1
        rows = [
            (k, t, theta)
            for k, t in zip(gater.tolist(), self.target.tolist(), strict=True)
            for theta in parameters_of(plan, k)
        ]
        return np.array(rows, np.int64).reshape(-1, 3)


def parameters_of(plan: Plan, k: int) -> list[int]:
    """Return the parameters of neuron k: synapses e that end there, then E+M+k, its bias."""
    found = list(range(int(plan.indptr[k]), int(plan.indptr[k + 1])))
    if plan.memory[k] != NONE:
        found.append(int(plan.memory[k]))
    return [*found, plan.n_synapses + plan.n_memories + k]


def find_influences(plan: Plan, *, late: bool = False) -> Influences:
    """Return the influences of a plan: of gates without delay, or with `late` of all of them.

    Input neurons have no parameters, so they have none.
    """
    n = plan.n_neurons
    counts: np.ndarray = np.diff(plan.gated_indptr.astype(np.int64))
    gater = np.repeat(np.arange(n), counts)
    gate = plan.gated_synapse.astype(np.int64)
    target = np.concatenate([plan.target, plan.cell]).astype(np.int64)[gate]
    kept = ~np.isin(gater, plan.inputs)
    if len(gate) and not late:
        kept &= plan.gate_delay[gate] == 0
    gater, gate, target = gater[kept], gate[kept], target[kept]
    order = np.lexsort((gate, target, gater))
    gater, gate, target = gater[order], gate[order], target[order]
    first = np.ones(len(gate), bool)
    first[1:] = (gater[1:] != gater[:-1]) | (target[1:] != target[:-1])
    begin = np.flatnonzero(first)
    sizes = np.diff(plan.indptr.astype(np.int64)) + (plan.memory != NONE) + 1
    return Influences(
        indptr=np.searchsorted(gater[begin], np.arange(n + 1)),
        target=target[begin],
        gate_indptr=np.append(begin, len(gate)),
        gate=gate,
        trace_indptr=np.cumsum([0, *sizes[gater[begin]]]),
    )
