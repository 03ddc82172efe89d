"""The reference walker: the meaning of a network, equation by equation.

It visits one neuron after the other, and at each one its synapses, in the order of the plan
forwards and in the reverse order backwards. It is slow and short on purpose; every other
engine is tested against it. Numbers in brackets are the equations of docs/model.md.

Who watches gets every term at which it stops; who does not pays for a test of `watch`.

Rows of `y` and `s` are steps. The first `h` rows of y and the first row of s are what was
before the run, so y[h + t] and s[1 + t] belong to step t = 0, 1, … of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import numpy as np

from neurograph.engines.base import Engine, Gradients, Parameters, Signals, State, activations
from neurograph.schedule import NONE, Plan

__all__ = ["Seen", "Walker"]


class Seen(NamedTuple):
    """What a walk has just found, for who watches it: a term of a sum, or what became of one.

    what : str
        Of a state: "bias", "memory", "synapse". Of ε: "loss", "sent", "gate". Of δ: "slope",
        "loss state", "carried". Of ∂L/∂w: "moved". What became of them: "input", "state",
        "output", "epsilon", "input gradient", "delta".
    t, j, e : int
        Step, neuron and synapse; e is -1 if it is about none.
    factors : tuple
        Of the term, in the order of the equation.
    value, total : (B,) arrays, or numbers
        The term, and the sum so far; read them before the walk goes on.
    """

    what: str
    t: int
    j: int
    e: int
    factors: tuple
    value: Any
    total: Any


class Walker(Engine):
    """Visits neuron by neuron and synapse by synapse."""

    def forward(
        self, plan: Plan, parameters: Parameters, x: np.ndarray, start: State
    ) -> tuple[Signals, Signals]:
        """Run equations (1)-(4); see `Engine.forward`."""
        return _to_the_end(self.walk_forward(plan, parameters, x, start))

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
        given = plan, parameters, states, outputs, steps, d_output, d_state
        return _to_the_end(self.walk_backward(*given))

    def walk_forward(
        self, plan: Plan, parameters: Parameters, x: np.ndarray, start: State, watch: bool = False
    ) -> Generator[Seen, None, tuple[Signals, Signals]]:
        """Return what `forward` does, as a generator that stops at every term if one watches."""
        n_steps, _, n_samples = x.shape
        h, f = plan.history, activations(plan)
        w, b = parameters.weight.tolist(), parameters.bias.tolist()
        y = np.concatenate([start.y, np.zeros((n_steps, plan.n_neurons, n_samples), x.dtype)])
        s = np.concatenate([start.s[None], np.zeros_like(y[h:])])
        gain = _gain(plan, y, start.steps)
        column = {j: i for i, j in enumerate(plan.inputs.tolist())}
        visits = _visits(plan)

        for t in range(n_steps):
            for j, (memory, incoming, _, _) in enumerate(visits):
                if j in column:
                    y[h + t, j] = x[t, column[j]]  # (4)
                    if watch:
                        yield Seen("input", t, j, -1, (), y[h + t, j], y[h + t, j])
                    continue
                total = np.full(n_samples, b[j], x.dtype)
                if watch:
                    yield Seen("bias", t, j, -1, (), b[j], total)
                if memory is not None:
                    term = gain(memory, t) * w[memory] * s[t, j]  # (2), s_j(t - 1)
                    total += term
                    if watch:
                        given = gain(memory, t), w[memory], s[t, j]
                        yield Seen("memory", t, j, memory, given, term, total)
                for e, i, d in incoming:
                    term = gain(e, t) * w[e] * y[h + t - d, i]  # (2)
                    total += term
                    if watch:
                        given = gain(e, t), w[e], y[h + t - d, i]
                        yield Seen("synapse", t, j, e, given, term, total)
                s[1 + t, j] = total
                y[h + t, j] = f[j](total)  # (3)
                if watch:
                    yield Seen("state", t, j, -1, (), total, total)
                    yield Seen("output", t, j, -1, (total,), y[h + t, j], y[h + t, j])
        return Signals(s[:, None], n_samples), Signals(y[:, None], n_samples)

    def walk_backward(
        self,
        plan: Plan,
        parameters: Parameters,
        states: Signals,
        outputs: Signals,
        steps: int,
        d_output: np.ndarray,
        d_state: np.ndarray,
        watch: bool = False,
    ) -> Generator[Seen, None, Gradients]:
        """Return what `backward` does, as a generator that stops at every term if one watches."""
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

        for t in reversed(range(n_steps)):
            for j, (memory, _, outgoing, gated) in reversed(list(enumerate(visits))):
                epsilon = np.zeros(n_samples, s.dtype)  # (5), ∂L/∂y_j(t)
                if j in asked:
                    epsilon += d_output[t, asked[j]]
                    if watch:
                        yield Seen("loss", t, j, -1, (), d_output[t, asked[j]], epsilon)
                for e, m, d in outgoing:
                    if t + d < n_steps:
                        term = gain(e, t + d) * w[e] * delta[t + d, m]
                        epsilon += term
                        if watch:
                            given = gain(e, t + d), w[e], delta[t + d, m]
                            yield Seen("sent", t, j, e, given, term, epsilon)
                for e, i, m, d, late in gated:
                    u = t + late
                    if u < n_steps:
                        passed = s[u, m] if i is None else y[h + u - d, i]
                        term = w[e] * passed * delta[u, m]
                        epsilon += term
                        if watch:
                            yield Seen("gate", t, j, e, (w[e], passed, delta[u, m]), term, epsilon)
                if j in inputs:
                    d_input[t, inputs[j]] = epsilon
                    if watch:
                        yield Seen("input gradient", t, j, -1, (), epsilon, epsilon)
                    continue
                if watch:
                    yield Seen("epsilon", t, j, -1, (), epsilon, epsilon)
                slope = f[j].derivative(s[1 + t, j])
                delta[t, j] = slope * epsilon  # (6)
                if watch:
                    yield Seen("slope", t, j, -1, (slope, epsilon), delta[t, j], delta[t, j])
                if j in asked:
                    delta[t, j] += d_state[t, asked[j]]
                    if watch:
                        yield Seen("loss state", t, j, -1, (), d_state[t, asked[j]], delta[t, j])
                if memory is not None and t + 1 < n_steps:
                    term = gain(memory, t + 1) * w[memory] * delta[t + 1, j]
                    delta[t, j] += term
                    if watch:
                        given = gain(memory, t + 1), w[memory], delta[t + 1, j]
                        yield Seen("carried", t, j, memory, given, term, delta[t, j])
                if watch:
                    yield Seen("delta", t, j, -1, (), delta[t, j], delta[t, j])

        d_weight = np.zeros_like(parameters.weight)  # (7)
        for j, (memory, incoming, _, _) in enumerate(visits):
            for t in range(n_steps):
                for e, i, d in incoming:
                    term = (delta[t, j] * gain(e, t) * y[h + t - d, i]).sum()
                    d_weight[e] += term
                    if watch:
                        given = delta[t, j], gain(e, t), y[h + t - d, i]
                        yield Seen("moved", t, j, e, given, term, d_weight[e])
                if memory is not None:
                    term = (delta[t, j] * gain(memory, t) * s[t, j]).sum()
                    d_weight[memory] += term
                    if watch:
                        given = delta[t, j], gain(memory, t), s[t, j]
                        yield Seen("moved", t, j, memory, given, term, d_weight[memory])
        d_bias = delta.sum(axis=(0, 2))
        return Gradients(d_weight, d_bias, Signals(delta[:, None], n_samples), d_input)


def _to_the_end(walk: Generator[Seen, None, Any]) -> Any:
    """Return what a walk returns."""
    with np.errstate(over="ignore", invalid="ignore"):
        while True:
            try:
                next(walk)
            except StopIteration as end:
                return end.value


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
