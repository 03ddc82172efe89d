"""Where the first number that is not finite was born, and from what.

Kernels only notice that something is wrong. What they computed is looked at here, after the
fact and on the definition, so that looking costs nothing as long as all is well. Numbers in
brackets are the equations of docs/model.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from neurograph.errors import NonFiniteError, Term
from neurograph.functions import get_activation
from neurograph.schedule import NONE, Plan

__all__ = ["Run", "all_finite", "backward_error", "first", "forward_error", "largest"]

MOST = 4  # terms that an error names


def all_finite(array: np.ndarray) -> bool:
    """Whether all numbers are finite.

    A sum with one that is not is not finite either, and summing needs no array of flags; a sum
    that is too large without one is looked at again.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())


def first(array: np.ndarray) -> tuple[int, ...] | None:
    """Return the index of the first number that is not finite, or None.

    >>> first(np.array([[0.0, 1.0], [np.inf, np.nan]]))
    (1, 0)
    """
    if all_finite(array):
        return None
    return tuple(np.argwhere(~np.isfinite(array))[0].tolist())


def largest(terms: Iterable[Term]) -> dict[str, Any]:
    """Return the few terms that matter most, those that are not finite first, and their number.

    >>> largest([Term("a", 1.0), Term("b", -2.0)])["terms"][0].what
    'b'
    """
    found = list(terms)
    ranked = sorted(found, key=lambda term: -_size(term.value))
    return {"terms": tuple(ranked[:MOST]), "n_terms": len(found)}


def _size(value: float) -> float:
    return abs(value) if np.isfinite(value) else np.inf


@dataclass(frozen=True, eq=False)
class Run:
    """A run as it was computed, in the order of its plan.

    s : (1+T, N, B), y : (H+T, N, B) arrays, the step before the first, or the H before, included
    since : steps since rest when it began
    """

    plan: Plan
    weight: np.ndarray
    bias: np.ndarray
    s: np.ndarray
    y: np.ndarray
    since: int

    @classmethod
    def idle(cls, plan: Plan, weight: np.ndarray, bias: np.ndarray) -> Run:
        """Return one without steps: for names and parameters."""
        return cls(plan, weight, bias, np.empty(0), np.empty(0), 0)

    @property
    def n_steps(self) -> int:
        """Number of steps T."""
        return len(self.s) - 1

    @cached_property
    def target(self) -> np.ndarray:
        """Where every synapse ends, self-synapses that read the state included."""
        return np.concatenate([self.plan.target, self.plan.cell])

    def synapse(self, e: int) -> tuple[Any, Any]:
        """Return the names of source and target."""
        plan = self.plan
        j = int(self.target[e])
        i = j if e >= plan.n_synapses else int(plan.source[e])
        return plan.name(i), plan.name(j)

    def weighted(self, e: int) -> str:
        """Return the words for a weight."""
        source, target = self.synapse(e)
        return f"weight {self.weight[e]:.4g} of {source!r} -> {target!r}"

    def gate(self, e: int, t: int, b: int) -> tuple[float, str]:
        """Return γ_e(t), equation (1), and the words for it."""
        plan = self.plan
        if not plan.gater.size or plan.gater[e] == NONE:
            return 1.0, ""
        late, k = int(plan.gate_delay[e]), int(plan.gater[e])
        if self.since + t - late < 0:
            return 1.0, ""
        value = float(self.y[plan.history + t - late, k, b])
        return value, f" × gain {value:.4g} of {plan.name(k)!r}"

    def passed(self, e: int, t: int, b: int) -> tuple[float, str]:
        """Return what synapse e passes on at step t, and the words for it."""
        plan = self.plan
        if e >= plan.n_synapses:
            j = int(plan.cell[e - plan.n_synapses])
            value = float(self.s[t, j, b])
            return value, f" × state {value:.4g} of {plan.name(j)!r}, a step before"
        late, i = int(plan.delay[e]), int(plan.source[e])
        value = float(self.y[plan.history + t - late, i, b])
        before = f", {late} step{'s' * (late > 1)} before" if late else ""
        return value, f" × output {value:.4g} of {plan.name(i)!r}{before}"

    def incoming(self, j: int) -> list[int]:
        """Return the synapses that end in neuron j."""
        plan = self.plan
        found = list(range(int(plan.indptr[j]), int(plan.indptr[j + 1])))
        return found if plan.memory[j] == NONE else [*found, int(plan.memory[j])]

    def state_terms(self, t: int, j: int, b: int) -> list[Term]:
        """Return what equation (2) adds up."""
        found = [Term(f"bias {self.bias[j]:.4g}", float(self.bias[j]))]
        for e in self.incoming(j):
            (gain, gated), (x, read) = self.gate(e, t, b), self.passed(e, t, b)
            value = gain * float(self.weight[e]) * x
            found.append(Term(f"{self.weighted(e)}{gated}{read}", value))
        return found

    def epsilon_terms(self, delta: np.ndarray, t: int, j: int, b: int) -> list[Term]:
        """Return what the sums of equation (5) add up; `delta` (T, N, B)."""
        plan, found = self.plan, []
        for e in plan.out_synapse[plan.out_indptr[j] : plan.out_indptr[j + 1]].tolist():
            u, m = t + int(plan.delay[e]), int(plan.target[e])
            if u < self.n_steps:
                (gain, gated), d = self.gate(e, u, b), float(delta[u, m, b])
                what = f"{self.weighted(e)}{gated} × delta {d:.4g} of {plan.name(m)!r}"
                found.append(Term(what, gain * float(self.weight[e]) * d))
        for e in plan.gated_synapse[plan.gated_indptr[j] : plan.gated_indptr[j + 1]].tolist():
            u, m = t + int(plan.gate_delay[e]), int(self.target[e])
            if u < self.n_steps:
                (x, read), d = self.passed(e, u, b), float(delta[u, m, b])
                what = f"{self.weighted(e)}, which it gates,{read} × delta {d:.4g}"
                found.append(Term(f"{what} of {plan.name(m)!r}", float(self.weight[e]) * x * d))
        return found

    def delta_terms(self, delta: np.ndarray, given: Any, t: int, j: int, b: int) -> list[Term]:
        """Return what equation (6) adds up; `given` : ∂ℓ/∂y and ∂ℓ/∂s, (T, n_out, B) each."""
        plan, found = self.plan, self.epsilon_terms(delta, t, j, b)
        state = self.s[1 + t, j, b]
        name = plan.activations[plan.activation[j]]
        slope = float(get_activation(name).derivative(state))
        ports = np.flatnonzero(plan.outputs == j)
        if len(ports):
            d = float(given[0][t, ports[0], b])
            found.append(Term(f"derivative {d:.4g} of the loss by the output", d))
        times = f" × slope {slope:.4g} of {name!r}"
        found = [Term(term.what + times, slope * term.value) for term in found]
        if len(ports):
            d = float(given[1][t, ports[0], b])
            found.append(Term(f"derivative {d:.4g} of the loss by the state", d))
        e = plan.memory[j]
        if e != NONE and t + 1 < self.n_steps:
            (gain, gated), d = self.gate(int(e), t + 1, b), float(delta[t + 1, j, b])
            what = f"{self.weighted(int(e))}{gated} × delta {d:.4g}, a step later"
            found.append(Term(what, gain * float(self.weight[e]) * d))
        return found

    def weight_terms(self, delta: np.ndarray, e: int) -> np.ndarray:
        """Return the terms (T, B) of the sum of equation (7) for a weight."""
        plan, j, n, h = self.plan, int(self.target[e]), self.n_steps, self.plan.history
        if e >= plan.n_synapses:
            x = self.s[:n, j]
        else:
            late = int(plan.delay[e])
            x = self.y[h - late : h - late + n, int(plan.source[e])]
        found = delta[:, j].astype(float) * x
        if plan.gater.size and plan.gater[e] != NONE:
            late, k = int(plan.gate_delay[e]), int(plan.gater[e])
            acts = np.arange(n) >= late - self.since
            gain = self.y[h - late : h - late + n, k].astype(float)
            found *= np.where(acts[:, None], gain, 1)
        return found


def forward_error(run: Run) -> NonFiniteError | None:
    """Return what says where a state or an output is not finite: first in time, then in order."""
    states, outputs = run.s[1:], run.y[run.plan.history :]
    found = first(np.where(np.isfinite(outputs), states, np.nan))
    if found is None:
        return None
    t, j, b = found
    state, output = float(states[found]), float(outputs[found])
    with np.errstate(all="ignore"):
        if np.isfinite(state):
            name = run.plan.activations[run.plan.activation[j]]
            terms = [Term(f"activation {name!r} of state {state:.4g}", output)]
        else:
            terms = run.state_terms(t, j, b)
    return NonFiniteError(
        f"neuron {run.plan.name(j)!r} has state {state} and output {output}",
        quantity="output" if np.isfinite(state) else "state",
        value=output if np.isfinite(state) else state,
        neuron=run.plan.name(j), step=t, sample=b, **largest(terms),
        advice="weights or inputs are too large, or a loop amplifies",
    )  # fmt: skip


class Back(NamedTuple):
    """What a backward pass found: see `neurograph.engines.base.Gradients`.

    given : ∂ℓ/∂y and ∂ℓ/∂s at the outputs, (T, n_out, B) each
    delta : (T, N, B), inputs : (T, n_in, B), weight : (E+M,), bias : (N,)
    """

    given: tuple[np.ndarray, np.ndarray]
    delta: np.ndarray
    inputs: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


UNCHANGED = "the columns grad are unchanged"


def backward_error(run: Run, back: Back) -> NonFiniteError | None:
    """Return what says where a gradient is not finite: the first in the order of a way back."""
    plan = run.plan
    with np.errstate(all="ignore"):
        delta = back.delta.copy()
        delta[:, plan.inputs] = back.inputs
        found = first(delta[::-1, ::-1])
        if found is not None:
            t, j, b = run.n_steps - 1 - found[0], plan.n_neurons - 1 - found[1], found[2]
            reads = j in plan.inputs.tolist()
            terms = (
                run.epsilon_terms(back.delta, t, j, b)
                if reads
                else run.delta_terms(back.delta, back.given, t, j, b)
            )
            value = float(delta[t, j, b])
            what = "gradient of input" if reads else "delta of neuron"
            return NonFiniteError(
                f"the gradient is not finite: {what} {plan.name(j)!r} is {value}",
                quantity="input_gradient" if reads else "delta", value=value,
                neuron=plan.name(j), step=t, sample=b, **largest(terms), advice=UNCHANGED,
            )  # fmt: skip
        for what, array in (("weight", back.weight), ("bias", back.bias)):
            place = first(array)
            if place is not None:
                return gradient_error(run, back.delta, what, place[0], float(array[place[0]]))
    return None


def gradient_error(
    run: Run, delta: np.ndarray, what: str, row: int, value: float
) -> NonFiniteError:
    """Return what says that a sum of equation (7) is too large, over steps and samples."""
    j = int(run.target[row]) if what == "weight" else row
    terms = run.weight_terms(delta, row) if what == "weight" else delta[:, j].astype(float)
    ranked = np.argsort(-np.where(np.isfinite(terms), abs(terms), np.inf), axis=None)[:MOST]
    named = []
    for t, b in zip(*(i.tolist() for i in np.unravel_index(ranked, terms.shape)), strict=True):
        words = f"delta {delta[t, j, b]:.4g} of {run.plan.name(j)!r}"
        if what == "weight":
            words += run.gate(row, t, b)[1] + run.passed(row, t, b)[1]
        named.append((t, b, Term(f"{words} (step {t}, sample {b})", float(terms[t, b]))))
    step, sample, _ = named[0]
    place: dict[str, Any] = {"neuron": run.plan.name(j)}
    if what == "weight":
        place = {"synapse": run.synapse(row)}
    whose = " -> ".join(map(repr, *place.values())) if what == "weight" else repr(place["neuron"])
    return NonFiniteError(
        f"the gradient is not finite: that of the {what} of {whose} is {value}",
        quantity="gradient", value=value, step=step, sample=sample, **place,
        terms=tuple(term for *_, term in named), n_terms=terms.size, advice=UNCHANGED,
    )  # fmt: skip
