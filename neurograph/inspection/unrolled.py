"""A run, unrolled in time: what each synapse, gate and self-synapse carries, and what it does to δ.

Everything is in float64, in the order of a plan; numbers in brackets are the equations of
docs/model.md. Steps t are those of the run, 0 … T-1.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from neurograph.engines.base import Parameters, Recording, activations
from neurograph.schedule import NONE, Plan

__all__ = ["GATE", "MEMORY", "SYNAPSE", "Hop", "Unrolled"]

SYNAPSE, GATE, MEMORY = range(3)


class Hop(NamedTuple):
    """One term of equations (5) and (6): how δ of a neuron depends on that of another one.

    kind : SYNAPSE, GATE or MEMORY
    e : the synapse over which, or whose gain
    to : the neuron whose δ it is
    shift : how many steps later
    """

    kind: int
    e: int
    to: int
    shift: int


class Unrolled:
    """States and outputs of a run with the parameters that made them.

    Parameters
    ----------
    plan : Plan
    parameters : Parameters
    s : (1+T, N, B) array
        States, that of the step before the first included.
    y : (H+T, N, B) array
        Outputs, those of the H steps before included.
    before : int
        Steps since rest when the run began.
    """

    def __init__(
        self, plan: Plan, parameters: Parameters, s: np.ndarray, y: np.ndarray, before: int
    ):
        self.plan, self.before = plan, before
        self.s, self.y = np.asarray(s, float), np.asarray(y, float)
        self.w, self.b = (np.asarray(a, float) for a in parameters)
        self.steps, self.samples = len(self.s) - 1, self.s.shape[2]
        self.h = len(self.y) - self.steps
        self._slopes: dict[int, np.ndarray] = {}
        self._hops: dict[int, list[Hop]] = {}

    @classmethod
    def of(cls, recording: Recording, parameters: Parameters) -> Unrolled:
        """Return the run that was recorded."""
        s, y = recording._s.of(), recording._y.of()
        return cls(recording.plan, parameters, s, y, recording._start.steps)

    @cached_property
    def inputs(self) -> set[int]:
        """Neurons whose δ is 0, (4)."""
        return set(self.plan.inputs.tolist())

    @cached_property
    def functions(self) -> list:
        """Activation of every neuron."""
        return activations(self.plan)

    # ------------------------------------------------------------ forwards

    def gated(self, e: np.ndarray, t: np.ndarray, y: np.ndarray, rest: float) -> np.ndarray:
        """Return what the gaters of synapses e have in y, `rest` where none acts."""
        plan, found = self.plan, np.full((len(e), self.samples), rest)
        if plan.gater.size:
            gater, late = plan.gater[e], plan.gate_delay[e].astype(np.int64)
            acts = (gater != NONE) & (self.before + t - late >= 0)
            found[acts] = y[self.h + t[acts] - late[acts], gater[acts]]
        return found

    def gain(self, e: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Return γ_e(t), (1), of synapses e (n,) at steps t (n,), as (n, B)."""
        return self.gated(e, t, self.y, 1.0)

    def passed(self, e: np.ndarray, t: np.ndarray, y: np.ndarray, s: np.ndarray) -> np.ndarray:
        """Return what synapses read of y, or of s: at t - d, or at t - 1 where it is the state."""
        plan, n = self.plan, self.plan.n_synapses
        found, ordinary = np.empty((len(e), self.samples)), e < n
        i, d = plan.source[e[ordinary]], plan.delay[e[ordinary]].astype(np.int64)
        found[ordinary] = y[self.h + t[ordinary] - d, i]
        found[~ordinary] = s[t[~ordinary], plan.cell[e[~ordinary] - n]]
        return found

    def read(self, e: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Return what synapses e (n,) read at steps t (n,), as (n, B)."""
        return self.passed(e, t, self.y, self.s)

    def over_time(self, e: int) -> tuple[np.ndarray, np.ndarray]:
        """Return γ_e(t) and what e reads, (T, B) each, for all steps."""
        all_e, t = np.full(self.steps, e), np.arange(self.steps)
        return self.gain(all_e, t), self.read(all_e, t)

    def target(self, e: int) -> int:
        """Return the neuron in which synapse e ends."""
        n = self.plan.n_synapses
        return int(self.plan.target[e] if e < n else self.plan.cell[e - n])

    def source(self, e: int) -> int:
        """Return the neuron in which synapse e starts."""
        n = self.plan.n_synapses
        return int(self.plan.source[e] if e < n else self.plan.cell[e - n])

    def incoming(self, j: int) -> list[int]:
        """Return the synapses that end in j, the one that reads its state first."""
        plan = self.plan
        memory = [] if plan.memory[j] == NONE else [int(plan.memory[j])]
        return memory + list(range(int(plan.indptr[j]), int(plan.indptr[j + 1])))

    # ------------------------------------------------------------ backwards

    def slope(self, j: int) -> np.ndarray:
        """Return f'_j(s_j(t)), (T, B)."""
        if j not in self._slopes:
            with np.errstate(over="ignore", invalid="ignore"):
                found = self.functions[j].derivative(self.s[1:, j])
            self._slopes[j] = np.broadcast_to(np.asarray(found, float), self.s[1:, j].shape)
        return self._slopes[j]

    def hops(self, j: int) -> list[Hop]:
        """Return the terms of δ_j but those of the loss, (5) and (6)."""
        if j not in self._hops:
            self._hops[j] = [hop for hop in self._all_hops(j) if hop.to not in self.inputs]
        return self._hops[j]

    def _all_hops(self, j: int) -> Iterator[Hop]:
        plan = self.plan
        for e in plan.out_synapse[plan.out_indptr[j] : plan.out_indptr[j + 1]].tolist():
            yield Hop(SYNAPSE, e, int(plan.target[e]), int(plan.delay[e]))
        for e in plan.gated_synapse[plan.gated_indptr[j] : plan.gated_indptr[j + 1]].tolist():
            yield Hop(GATE, e, self.target(e), int(plan.gate_delay[e]))
        if plan.memory[j] != NONE:
            yield Hop(MEMORY, int(plan.memory[j]), j, 1)

    def factor(self, j: int, hop: Hop) -> np.ndarray:
        """Return ∂s_to(t + shift)/∂s_j(t), (T - shift, B): by what a hop multiplies δ."""
        found = self.arc(hop)
        return found if hop.kind == MEMORY else found * self.slope(j)[: len(found)]

    def arc(self, hop: Hop) -> np.ndarray:
        """Return ∂s_to(t + shift)/∂y_j(t), or by s_j(t) for a memory, (T - shift, B)."""
        t = np.arange(hop.shift, self.steps)
        e = np.full(len(t), hop.e)
        return self.w[hop.e] * (self.read(e, t) if hop.kind == GATE else self.gain(e, t))
