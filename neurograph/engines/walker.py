"""The reference walker: the meaning of a network, equation by equation.

It visits one neuron after the other, and at each one its synapses, in the order of the plan
forwards and in the reverse order backwards. It is slow and short on purpose; every other
engine is tested against it. Numbers in brackets are the equations of docs/model.md.

Rows of `y` and `s` are steps. The first `h` rows of y and the first row of s are what was
before the run, so y[h + t] and s[1 + t] belong to step t = 0, 1, … of the run.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neurograph.engines.base import Engine, Gradients, Parameters, Signals, State, activations
from neurograph.schedule import NONE, Plan

__all__ = ["Walker"]


class Walker(Engine):
    """Visits neuron by neuron and synapse by synapse."""

    def forward(
        self, plan: Plan, parameters: Parameters, x: np.ndarray, start: State
    ) -> tuple[Signals, Signals]:
        """Run equations (1)-(4); see `Engine.forward`."""
        n_steps, _, n_samples = x.shape
        h, f = plan.history, activations(plan)
        w, b = parameters.weight.tolist(), parameters.bias.tolist()
        y = np.concatenate([start.y, np.zeros((n_steps, plan.n_neurons, n_samples), x.dtype)])
        s = np.concatenate([start.s[None], np.zeros_like(y[h:])])
        gain = _gain(plan, y, start.steps)
        column = {j: i for i, j in enumerate(plan.inputs.tolist())}
        visits = _visits(plan)

        with np.errstate(over="ignore", invalid="ignore"):
            for t in range(n_steps):
                for j, (memory, incoming, _, _) in enumerate(visits):
                    if j in column:
                        y[h + t, j] = x[t, column[j]]  # (4)
                        continue
                    total = np.full(n_samples, b[j], x.dtype)
                    if memory is not None:
                        total += gain(memory, t) * w[memory] * s[t, j]  # (2), s_j(t - 1)
                    for e, i, d in incoming:
                        total += gain(e, t) * w[e] * y[h + t - d, i]  # (2)
                    s[1 + t, j] = total
                    y[h + t, j] = f[j](total)  # (3)
        return Signals(s[:, None], n_samples), Signals(y[:, None], n_samples)

    def backward(
        self,
        plan: Plan,
        parameters: Parameters,
        states: Signals,
        outputs: Signals,
        steps: int,
        d_output: np.ndarray,
        d_state: np.ndarray,
    ) -> Gradients:
        """Run equations (5)-(7); see `Engine.backward`."""
        n_steps, _, n_samples = d_output.shape
        s, y = states.of(), outputs.of()
        h, f = plan.history, activations(plan)
        w = parameters.weight.tolist()
        gain = _gain(plan, y, steps)
        visits = _visits(plan)
        inputs = {j: i for i, j in enumerate(plan.inputs.tolist())}
        asked = {j: i for i, j in enumerate(plan.outputs.tolist())}
        delta = np.zeros((n_steps, plan.n_neurons, n_samples), s.dtype)
        d_input = np.zeros((n_steps, len(inputs), n_samples), s.dtype)

        with np.errstate(over="ignore", invalid="ignore"):
            for t in reversed(range(n_steps)):
                for j, (memory, _, outgoing, gated) in reversed(list(enumerate(visits))):
                    epsilon = np.zeros(n_samples, s.dtype)  # (5), ∂L/∂y_j(t)
                    if j in asked:
                        epsilon += d_output[t, asked[j]]
                    for e, m, d in outgoing:
                        if t + d < n_steps:
                            epsilon += gain(e, t + d) * w[e] * delta[t + d, m]
                    for e, i, m, d, late in gated:
                        u = t + late
                        if u < n_steps:
                            passed = s[u, m] if i is None else y[h + u - d, i]
                            epsilon += w[e] * passed * delta[u, m]
                    if j in inputs:
                        d_input[t, inputs[j]] = epsilon
                        continue
                    delta[t, j] = f[j].derivative(s[1 + t, j]) * epsilon  # (6)
                    if j in asked:
                        delta[t, j] += d_state[t, asked[j]]
                    if memory is not None and t + 1 < n_steps:
                        delta[t, j] += gain(memory, t + 1) * w[memory] * delta[t + 1, j]

            d_weight = np.zeros_like(parameters.weight)  # (7)
            for j, (memory, incoming, _, _) in enumerate(visits):
                for t in range(n_steps):
                    for e, i, d in incoming:
                        d_weight[e] += (delta[t, j] * gain(e, t) * y[h + t - d, i]).sum()
                    if memory is not None:
                        d_weight[memory] += (delta[t, j] * gain(memory, t) * s[t, j]).sum()
            d_bias = delta.sum(axis=(0, 2))
            return Gradients(d_weight, d_bias, Signals(delta[:, None], n_samples), d_input)


def _gain(plan: Plan, y: np.ndarray, steps: int) -> Callable:
    """Return γ_e(t), equation (1): the output of the gater, 1 without one and before it acts."""
    if not plan.gater.size:
        return lambda e, t: 1
    h, none = plan.history, int(NONE)
    gater, late = plan.gater.tolist(), plan.gate_delay.tolist()

    def gain(e: int, t: int) -> np.ndarray | int:
        if gater[e] == none or steps + t - late[e] < 0:
            return 1
        return y[h + t - late[e], gater[e]]

    return gain


def _visits(plan: Plan) -> list[tuple]:
    """Return for each neuron j, in order, all that the equations sum over.

    memory : e of the self-synapse that reads the state of j, or None
    incoming : (e, i, d) of every synapse i -> j
    outgoing : (e, m, d) of every synapse j -> m
    gated : (e, i, m, d, late) of every synapse i -> m gated by j; i is None if it reads a state
    """
    source, target, delay = plan.source.tolist(), plan.target.tolist(), plan.delay.tolist()
    late, cell, n = plan.gate_delay.tolist(), plan.cell.tolist(), plan.n_synapses

    def gated(e: int) -> tuple:
        if e >= n:
            return e, None, cell[e - n], 1, late[e]
        return e, source[e], target[e], delay[e], late[e]

    return [
        (
            None if plan.memory[j] == NONE else int(plan.memory[j]),
            [(e, source[e], delay[e]) for e in range(plan.indptr[j], plan.indptr[j + 1])],
            [(e, target[e], delay[e]) for e in _row(plan.out_indptr, plan.out_synapse, j)],
            [gated(e) for e in _row(plan.gated_indptr, plan.gated_synapse, j)],
        )
        for j in range(plan.n_neurons)
    ]


def _row(indptr: np.ndarray, values: np.ndarray, j: int) -> list[int]:
    return values[indptr[j] : indptr[j + 1]].tolist()
