"""The loss of some samples as a function of the parameters: a number, and no network is touched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neurograph.engines.base import (
    Batch,
    Engine,
    Gradients,
    Parameters,
    Recording,
    State,
    activations,
)
from neurograph.errors import NeurographError
from neurograph.inspection.differences import Point
from neurograph.learner import seen
from neurograph.learning.gradients import share
from neurograph.learning.losses import Evaluation, Loss, evaluate
from neurograph.learning.rules import Rule
from neurograph.learning.stepping import Job, Shown
from neurograph.schedule import NONE, Plan

__all__ = ["KINKS", "Objective"]

KINKS = {
    "relu": (0.0,),
    "leaky_relu": (0.0,),
    "selu": (0.0,),
    "step": (0.0,),
    "bipolar": (0.0,),
    "absolute": (0.0,),
    "hard_tanh": (-1.0, 1.0),
}


@dataclass(frozen=True, eq=False)
class Objective:
    """A loss as a function of weights and biases, on one engine.

    Attributes
    ----------
    target : (B, T, n_out) array
        As `Loss.prepare` returns it.
    reduction : {"mean", "sum"}
    """

    plan: Plan
    engine: Engine
    batch: Batch
    target: np.ndarray
    loss: Loss
    reduction: str

    def run(self, at: Parameters) -> Recording:
        """Return what happens with these parameters; numbers may be infinite."""
        n_samples, dtype = len(self.batch.samples), at.weight.dtype
        ids = np.arange(self.plan.n_neurons)
        start = State.rest(self.plan, ids, n_samples, dtype)
        s, y = self.engine.forward(self.plan, at, self.batch.x.astype(dtype), start)
        return Recording(self.plan, s, y, start, self.batch.shape)

    def measure(self, recording: Recording) -> Evaluation:
        """Return the loss of a run and its slopes."""
        return evaluate(self.loss, seen(recording), self.target, self.reduction)

    def __call__(self, at: Parameters) -> Point | None:
        """Return the loss and the sides of all kinks; None where there is no loss."""
        try:
            recording = self.run(at)
            value = self.measure(recording).value
        except NeurographError:  # outside the domain of the loss, say
            return None
        return Point(value, self.sides(recording)) if np.isfinite(value) else None

    # ------------------------------------------------------------ kinks

    @cached_property
    def bent(self) -> list[tuple[int, float]]:
        """Return neuron and state of every kink."""
        inputs = set(self.plan.inputs.tolist())
        names = [self.plan.activations[code] for code in self.plan.activation.tolist()]
        return [(j, at) for j, name in enumerate(names) if j not in inputs
                for at in KINKS.get(name, ())]  # fmt: skip

    def sides(self, recording: Recording) -> np.ndarray:
        """Return on which side of every kink each neuron is, at every step of every sample.

        Behind them, for the hinge, whether each output costs anything.
        """
        bent = self.bent
        s = recording._s[1:].of([j for j, _ in bent]) if bent else np.empty((0, 0, 0))
        found = [(s[:, k] > at).ravel() for k, (_, at) in enumerate(bent)]
        if self.loss.name == "hinge":
            y = recording._y[-recording.steps :].of(self.plan.outputs).transpose(2, 0, 1)
            with np.errstate(invalid="ignore"):
                found.append((y * self.target < 1).ravel())
        return np.concatenate(found) if found else np.empty(0, bool)

    def side_name(self, k: int) -> str:
        """Say whose kink entry k of `sides` is; -1: nobody knows."""
        bent, size = self.bent, self.target.shape[0] * self.target.shape[1]
        if k < 0:
            own = sorted({f.name for f in activations(self.plan) if not f.builtin})
            whose = [f"activation {name!r}" for name in own]
            whose += [] if self.loss.builtin else [f"loss {self.loss.name!r}"]
            return f"the slopes on both sides differ; {' or '.join(whose) or 'it'} may have a kink"
        if k >= size * len(bent):
            return "the hinge is at its kink within the smallest step"
        j, at = bent[k // size]
        name = self.plan.activations[self.plan.activation[j]]
        return f"{name} of {self.plan.name(j)!r} is at its kink ({at:g}) within the smallest step"

    # ------------------------------------------------------------ analytic gradients

    def backward(self, at: Parameters) -> Gradients:
        """Return the exact gradient, a tie group's to each of its members."""
        recording = self.run(at)
        found = self.measure(recording)
        made = self.engine.backward(
            self.plan, at, recording._s, recording._y, 0, found.d_output, found.d_state
        )
        share(self.plan, made.weight)
        return made

    def by_rule(self, rule: Rule, at: Parameters) -> Parameters:
        """Return the gradient that a rule finds: the sum over its steps, weights held fixed."""
        job, dtype = self._job(rule, at), at.weight.dtype
        stepper = self.engine.stepper(job) or job.definition
        total = Parameters(*(np.zeros_like(part) for part in at))
        for sample, target in zip(self.batch.samples.astype(dtype), self.target, strict=True):
            job.rest()
            for x, asked in zip(sample, target, strict=True):
                job.x[:], job.target[:] = x, asked
                stepper.activate()
                if np.isnan(asked).all():
                    continue
                stepper.propagate(0.0, self.loss)
                for sums, part in zip(total, job.gradients, strict=True):
                    sums += part
        n_asked = (~np.isnan(self.target)).any(-1).sum()
        scale = 1 / max(1, n_asked) if self.reduction == "mean" else 1.0
        return Parameters(*(part * dtype.type(scale) for part in total))

    def _job(self, rule: Rule, at: Parameters) -> Job:
        """Return an online job on arrays of its own."""
        plan, dtype = self.plan, at.weight.dtype
        n, total, nothing = plan.n_neurons, len(at.weight), np.empty(0, dtype)
        found = rule.influences(plan)
        size = {"neuron": n, "synapse": total, "parameter": total + n, "extended": found.size}
        fields = {
            name: np.full(
                [a if isinstance(a, int) else size[a] for a in kept.axes], kept.rest, dtype
            )
            for name, kept in rule.fields(plan).items()
        }
        zeros = [Parameters(*(np.zeros_like(part) for part in at)) for _ in range(2)]
        return Job(
            rule,
            plan,
            found,
            fields,
            np.zeros(2, np.int64),
            Parameters(*(part.copy() for part in at)),
            zeros[0],
            zeros[1] if rule.traces else Parameters(nothing, nothing),
            Parameters(np.empty(0, bool), np.empty(0, bool)),
            Shown(
                np.zeros(n, dtype), np.zeros(n, dtype), np.zeros(n, dtype), np.ones(total, dtype)
            ),
        )

    # ------------------------------------------------------------ rounding

    def rounding(self, at: Parameters) -> tuple[float, float]:
        """Return bounds of the rounding of the loss, and of its gradient by any parameter.

        To first order: each operation is in error by at most ε times its result, a sum by ε times
        its length times the sum of its absolute terms, and what a state is in error by reaches
        the loss times δ. The absolute terms are bounded by the greatest output of each neuron. Of
        the gradient, the largest sum of absolute terms of equation (7) is taken, ε times the
        operations on the longest way to it.
        """
        plan, eps = self.plan, float(np.finfo(at.weight.dtype).eps)
        recording = self.run(at)
        found = self.measure(recording)
        made = self.engine.backward(
            plan, at, recording._s, recording._y, 0, found.d_output, found.d_state
        )
        y, s = (np.abs(signals.of()).max((0, 2)) for signals in (recording._y, recording._s))
        delta = np.abs(made.delta.of()).sum((0, 2))
        w, gain = np.abs(at.weight), np.ones(len(at.weight))
        gated = plan.gated_synapse
        if len(gated):
            gain[gated] = np.maximum(y[plan.gater[gated]], 1)
        end = np.concatenate([plan.target, plan.cell])
        passed = np.concatenate([y[plan.source], s[plan.cell]])
        states = np.abs(at.bias) + np.bincount(end, w * gain * passed, plan.n_neurons)
        back = np.bincount(plan.source, (w * gain)[: plan.n_synapses] * delta[plan.target],
                           plan.n_neurons)  # fmt: skip
        if len(gated):
            back += np.bincount(plan.gater[gated], (w * passed)[gated] * delta[end[gated]],
                                plan.n_neurons)  # fmt: skip
        back[plan.outputs] += np.abs(found.d_output).sum((0, 2))
        fan = np.bincount(end, minlength=plan.n_neurons)
        scale = 1 / max(1.0, found.asked) if self.reduction == "mean" else 1.0
        ends = np.abs(seen(recording).s) + np.abs(seen(recording).y) + 1
        ends = ends[~np.isnan(self.target)].sum() * scale + abs(found.value)
        loss = eps * ((delta * (fan + 4) * states).sum() + 8 * (back * y).sum() + 16 * ends)
        longest = int(plan.level.max(initial=0) + 1) * self.batch.steps + int(fan.max(initial=0))
        largest = max((delta[end] * gain * passed).max(initial=0), delta.max(initial=0))
        return float(loss), float(eps * (longest + 8) * largest)


def reaching(plan: Plan, heads: np.ndarray) -> np.ndarray:
    """Return which neurons act on one of `heads`, in this step or later; they themselves do."""
    end = np.concatenate([plan.target, plan.cell])
    tail, head = plan.source, plan.target
    if len(plan.gater):
        gated = plan.gater != NONE
        tail, head = np.append(tail, plan.gater[gated]), np.append(head, end[gated])
    found = np.zeros(plan.n_neurons, bool)
    found[heads] = True
    while True:
        more = found.copy()
        more[tail[found[head]]] = True
        if (more == found).all():
            return found
        found = more
