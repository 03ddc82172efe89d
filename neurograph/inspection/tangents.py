"""How a run changes with its inputs: equations (1)-(4) differentiated along a direction.

Together with δ that says how much of the change of an output goes through each neuron and synapse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from neurograph.inspection.routes import Route
from neurograph.inspection.unrolled import MEMORY, Hop, Unrolled
from neurograph.schedule import NONE

__all__ = ["Pass", "Tangents", "flows", "tangents"]


class Tangents(NamedTuple):
    """Derivatives of a run along a direction in the space of inputs.

    s : (1+T, N, B), y : (H+T, N, B), rows as those of the run
    """

    s: np.ndarray
    y: np.ndarray


def tangents(run: Unrolled, x: np.ndarray) -> Tangents:
    """Return the derivatives of states and outputs for inputs that move by x (T, n_in, B).

    What was before the run does not move.
    """
    plan, found = run.plan, Tangents(np.zeros_like(run.s), np.zeros_like(run.y))
    column = {j: i for i, j in enumerate(plan.inputs.tolist())}
    incoming = [np.array(run.incoming(j), np.int64) for j in range(plan.n_neurons)]
    for t in range(run.steps):
        for j in range(plan.n_neurons):
            if j in column:
                found.y[run.h + t, j] = x[t, column[j]]
                continue
            e = incoming[j]
            along, gates = flows(run, found, e, np.full(len(e), t))
            found.s[1 + t, j] = along.sum(0) + gates.sum(0)
            found.y[run.h + t, j] = run.slope(j)[t] * found.s[1 + t, j]
    return found


def flows(
    run: Unrolled, moved: Tangents, e: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how much of the derivative of their targets' states synapses e carry at steps t.

    Along the synapse, w γ ẏ, and through its gate, w γ̇ y: (n, B) each.
    """
    w = run.w[e][:, None]
    along = w * run.gain(e, t) * run.passed(e, t, moved.y, moved.s)
    return along, w * run.gated(e, t, moved.y, 0.0) * run.read(e, t)


@dataclass
class Pass:
    """A run, and the derivatives of F: δ, (T, N, B), and by inputs, (T, n_in, B).

    d : (2, T, n_out, B), ∂F/∂y and ∂F/∂s at the outputs, direct
    direction : (T, n_in, B), how inputs move along the line
    """

    run: Unrolled
    delta: np.ndarray
    inputs: np.ndarray
    d: np.ndarray
    direction: np.ndarray | None = None

    @cached_property
    def moved(self) -> Tangents:
        """How everything moves along the line."""
        assert self.direction is not None
        return tangents(self.run, self.direction)

    def of_inputs(self) -> np.ndarray:
        """Return ∂F/∂x · ẋ, (T, n_in, B)."""
        assert self.direction is not None
        return self.inputs * self.direction

    def of_neurons(self) -> np.ndarray:
        """Return ∂F/∂y · ẏ of every neuron, (T, N, B); what its own memory keeps is not in it.

        With ∂F/∂y f' = δ - γ w δ(t + 1), equation (6), f' is not divided by.
        """
        run, delta = self.run, self.delta.copy()
        for j in range(run.plan.n_neurons):
            if run.plan.memory[j] != NONE and run.steps > 1:
                hop = Hop(MEMORY, int(run.plan.memory[j]), j, 1)
                delta[:-1, j] -= run.arc(hop) * self.delta[1:, j]
        found = delta * self.moved.s[1:]
        found[:, run.plan.inputs] = self.of_inputs()
        return found

    def of_synapses(self) -> np.ndarray:
        """Return δ w γ ẏ and δ w γ̇ y of every synapse, summed over steps, (2, E, B)."""
        return self._over_steps(lambda e, t: flows(self.run, self.moved, e, t))

    def arriving(self) -> np.ndarray:
        """Return δ w γ y of every synapse, summed over steps, (E, B): w · ∂F/∂w."""
        run = self.run
        return self._over_steps(
            lambda e, t: (run.w[e][:, None] * run.gain(e, t) * run.read(e, t),)
        )[0]

    def _over_steps(self, carried: Callable) -> np.ndarray:
        """Return Σ_t δ_target(t) times each of what synapses carry."""
        plan = self.run.plan
        e, target = np.arange(len(self.run.w)), np.concatenate([plan.target, plan.cell])
        total: Any = 0.0
        for t in range(self.run.steps):
            given = np.array(carried(e, np.full(len(e), t)))
            total = total + given * self.delta[t, target]
        return total

    def of_route(self, along: Route, direct: np.ndarray) -> np.ndarray:
        """Return what goes along a path, summed over steps, (B,); `direct` is ∂F/∂s at its end."""
        run, moved, j = self.run, self.moved, along.start
        by_state = not along.hops or along.hops[0].kind == MEMORY
        carried = moved.s[1:, j] if by_state else moved.y[run.h :, j]
        for i, hop in enumerate(along.hops):
            factor = run.factor(j, hop) if i else run.arc(hop)
            arrived = np.zeros_like(carried)
            if hop.shift < run.steps:
                arrived[hop.shift :] = carried[: len(factor)] * factor
            carried, j = arrived, hop.to
        return (carried * direct).sum(0)
