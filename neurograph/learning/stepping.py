"""One step of online learning, by definition: what each rule does, neuron by neuron.

It stands to the rules as the walker does to the equations: slow, short, and what every engine
is tested against. Arrays are those of a `Job`, in the order of its plan; numbers in
brackets are the equations of docs/model.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from neurograph.engines.base import (
    Parameters,
    Signals,
    State,
    activations,
)
from neurograph.engines.finite import Back, Run, all_finite, backward_error, first
from neurograph.engines.walker import Walker
from neurograph.errors import NonFiniteError, Term
from neurograph.functions import Activation
from neurograph.learning.finite import Diagnosis, require_sweep
from neurograph.learning.gradients import share
from neurograph.learning.influences import Influences, parameters_of
from neurograph.learning.losses import Loss, Outputs, evaluate
from neurograph.learning.rules import BPTT, LSTMG, RTRL, Rule, Synaptic
from neurograph.schedule import NONE, Plan

__all__ = ["Job", "Shown", "Stepper", "Walk"]


class Shown(NamedTuple):
    """Columns of the last step: (N,) state, output and δ, and γ of every synapse or nothing."""

    state: np.ndarray
    output: np.ndarray
    delta: np.ndarray
    gain: np.ndarray


@dataclass(eq=False)
class Job:
    """Everything that a step reads and writes.

    Attributes
    ----------
    parameters, gradients, eligibility, trainable : Parameters
        Columns of the store; `eligibility` of a weight is ∂s/∂w of the neuron it ends in, and
        of a bias ∂s/∂b, through that neuron's own memory. Empty arrays where there are none.
    shown : Shown
        Columns of the store where users look.
    fields : dict of str to array
        What the rule keeps, see `Rule.fields`.
    clock : (2,) int array
        Steps since rest, and since the traces were cleared.
    taken : array of bytes
        What a step takes: `target` (n_out,) and then `x` (n_in,), side by side.
    outputs : (n_out,) array
        What it gives.
    """

    rule: Rule
    plan: Plan
    influences: Influences
    fields: dict[str, np.ndarray]
    clock: np.ndarray
    parameters: Parameters
    gradients: Parameters
    eligibility: Parameters
    trainable: Parameters
    shown: Shown
    taken: np.ndarray = field(init=False)
    x: np.ndarray = field(init=False)
    target: np.ndarray = field(init=False)
    outputs: np.ndarray = field(init=False)
    functions: list[Activation] = field(init=False)

    def __post_init__(self) -> None:
        self.functions = activations(self.plan)
        dtype, n_in, n_out = (
            self.parameters.weight.dtype,
            *map(len, (self.plan.inputs, self.plan.outputs)),
        )
        self.taken = np.zeros(8 * n_out + dtype.itemsize * n_in, np.uint8)
        self.target, self.x = (
            self.taken[: 8 * n_out].view(float),
            self.taken[8 * n_out :].view(dtype),
        )
        self.outputs = np.zeros(n_out, dtype)

    @property
    def steps(self) -> int:
        """Steps since rest."""
        return int(self.clock[0])

    def rest(self) -> None:
        """Go back to before the first step."""
        self.clock[:] = 0
        for name, kept in self.rule.fields(self.plan).items():
            self.fields[name][:] = kept.rest
        for column in self.eligibility:
            column[:] = 0

    @cached_property
    def definition(self) -> Walk:
        """What steps this job by definition."""
        return WALKS[type(self.rule)](self)

    def tape(
        self, d_output: np.ndarray, d_state: np.ndarray
    ) -> tuple[Signals, Signals, int, np.ndarray, np.ndarray]:
        """Return what the rule keeps, as of a run, and the errors at its last step.

        These are states, outputs, the number of steps, ∂ℓ/∂y and ∂ℓ/∂s.
        """
        steps = min(max(1, int(self.clock[1])), self.rule.steps)
        s = self.fields["s"][-1 - steps :, None, :, None]
        y = self.fields["y"][-self.plan.history - steps :, None, :, None]
        d = np.zeros((2, steps, len(d_output), 1), s.dtype)
        d[0, -1, :, 0], d[1, -1, :, 0] = d_output, d_state
        return Signals(s, 1), Signals(y, 1), steps, d[0], d[1]


@dataclass(eq=False)
class Course:
    """Many steps: what goes in, what is asked, what comes out.

    Attributes
    ----------
    x, target : (T, n_in), (T, n_out) arrays
        A target that is all NaN is not learned from.
    outputs, states : (T, n_out) arrays
        Of the outputs, each from before its update; to be filled.
    period : int
        Go back to rest before each step that is a multiple of it; 0: never.
    stops : bool
        Whether a probe may end it before its last step.
    look : Look, optional
        Tells probes of the steps, see `neurograph.inspection.telling`.
    done : int
        Steps that were done.
    """

    x: np.ndarray
    target: np.ndarray
    outputs: np.ndarray
    states: np.ndarray
    period: int = 0
    stops: bool = True
    look: Any = None
    done: int = 0

    def part(self, n: int) -> Course:
        """Return the first n steps."""
        return Course(self.x[:n], self.target[:n], self.outputs[:n], self.states[:n], self.period)

    def loop(self, stepper: Stepper, job: Job, rate: float, loss: Loss) -> None:
        """Do all steps, one by one."""
        while self.goes_on:
            self.one(stepper, job, rate, loss)

    @property
    def goes_on(self) -> bool:
        """Whether there is a step to do."""
        stopped = self.look is not None and self.stops and self.look.stopped
        return self.done < len(self.x) and not stopped

    def one(
        self, stepper: Stepper, job: Job, rate: float, loss: Loss, activated: bool = False
    ) -> None:
        """Do the next step, or the rest of it if it is `activated` already."""
        t = self.done
        try:
            self._one(stepper, job, t, rate, loss, activated)
        except NonFiniteError as error:
            sample, step = divmod(t, self.period) if self.period else (None, t)
            raise error.moved(step=step, sample=sample) from None
        self.done = t + 1
        if self.look is not None:
            self.look.told(t)

    def _one(
        self, stepper: Stepper, job: Job, t: int, rate: float, loss: Loss, activated: bool
    ) -> None:
        if not activated:
            if self.period and t % self.period == 0:
                job.rest()
            job.x[:] = self.x[t]
            stepper.activate()
        self.outputs[t], self.states[t] = job.outputs, job.fields["s"][-1, job.plan.outputs]
        job.target[:] = self.target[t]
        if not np.isnan(job.target).all():
            stepper.propagate(rate, loss)


class Stepper(Protocol):
    """Takes a job forward, step by step; after an error the job is as it was."""

    def activate(self) -> None:
        """Do one step with the inputs `job.x`; fill `job.outputs`."""

    def propagate(self, rate: float, loss: Loss) -> None:
        """Write the gradient of the loss of this step, then go downhill by `rate`."""

    def step(self, rate: float, loss: Loss) -> None:
        """Activate and propagate."""

    def learn(self, many: Course, rate: float, loss: Loss) -> None:
        """Activate and propagate, step by step."""


class Walk(Diagnosis):
    """What all rules have in common: a step forwards, a loss, an update in two phases."""

    def __init__(self, job: Job):
        self.job, self.plan, self.w = job, job.plan, job.parameters.weight
        self.f = job.fields
        self.inputs = set(self.plan.inputs.tolist())
        self.asked = {j: o for o, j in enumerate(self.plan.outputs.tolist())}

    # -- what a rule adds

    def remember(self) -> None:
        """Bring what the rule keeps up to this step."""

    def gradient(self, d_output: np.ndarray, d_state: np.ndarray) -> tuple[Parameters, np.ndarray]:
        """Return the gradient of the loss of this step, and δ."""
        raise NotImplementedError

    # -- the steps

    def activate(self) -> None:
        """Do one step of equations (1)-(4), then remember."""
        job, plan, s, y = self.job, self.plan, self.f["s"], self.f["y"]
        require_inputs(plan, job.x)
        start = State(y[-plan.history :, :, None], s[-1][:, None], job.steps, (), plan.neuron)
        found = Walker().forward(plan, job.parameters, job.x[None, :, None], start)
        s_now, y_now = (signals.of()[-1, :, 0] for signals in found)
        self.require_finite(s_now, y_now)
        s[:-1], y[:-1] = s[1:], y[1:]
        s[-1], y[-1] = s_now, y_now
        with np.errstate(over="ignore", invalid="ignore"):
            for j, f in enumerate(job.functions):
                self.f["slope"][j] = 0 if j in self.inputs else f.derivative(s_now[j])
            job.clock += 1
            self.remember()
        self.show()

    def show(self) -> None:
        """Write this step where users look."""
        shown, y = self.job.shown, self.f["y"][-1]
        shown.state[:], shown.output[:] = self.f["s"][-1], y
        if len(shown.gain):
            shown.gain[:] = [self.gain(e) for e in range(len(shown.gain))]
        self.job.outputs[:] = y[self.plan.outputs]

    def propagate(self, rate: float, loss: Loss) -> None:
        """Find the gradient, then go downhill."""
        job = self.job
        given = self.slopes_of(loss)
        with np.errstate(over="ignore", invalid="ignore"):
            found, delta = self.gradient(*given)
            single = found.weight.copy()
            share(self.plan, found.weight)
        updated = [
            downhill(*arrays, rate)
            for arrays in zip(job.parameters, found, job.trainable, strict=True)
        ]
        if not all(map(all_finite, (*found, *updated))):
            raise self.diverged(given, delta, single, found, updated, rate)
        job.shown.delta[:] = delta
        overwrite((*job.gradients, *job.parameters), (*found, *updated))

    def step(self, rate: float, loss: Loss) -> None:
        """Activate and propagate."""
        self.activate()
        self.propagate(rate, loss)

    def learn(self, many: Course, rate: float, loss: Loss) -> None:
        """Activate and propagate, step by step."""
        many.loop(self, self.job, rate, loss)

    def slopes_of(self, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        """Return ∂ℓ/∂y and ∂ℓ/∂s at the outputs, (n_out,) each."""
        plan, outputs = self.plan, self.plan.outputs
        seen = Outputs(
            self.f["s"][-1:, None, outputs],
            self.f["y"][-1:, None, outputs],
            [self.job.functions[j] for j in outputs],
            [plan.name(j) for j in outputs],
        )
        try:
            found = evaluate(loss, seen, self.job.target[None, None], "sum")
        except NonFiniteError as error:
            raise error.moved(step=self.job.steps - 1, sample=None) from None
        return found.d_output[0, :, 0], found.d_state[0, :, 0]

    # -- numbers of this step

    def gain(self, e: int) -> float:
        """Return γ_e of this step, equation (1)."""
        plan = self.plan
        if not plan.gater.size or plan.gater[e] == NONE:
            return 1.0
        late = int(plan.gate_delay[e])
        return 1.0 if self.job.steps - late < 1 else self.f["y"][-1 - late, plan.gater[e]]

    def incoming(self, j: int) -> Iterator[tuple[int, float]]:
        """Yield e and γ_e y_i of every synapse i -> j."""
        plan, y = self.plan, self.f["y"]
        for e in range(int(plan.indptr[j]), int(plan.indptr[j + 1])):
            yield e, self.gain(e) * y[-1 - int(plan.delay[e]), plan.source[e]]

    def decay(self, j: int) -> float:
        """Return γ_jj w_jj, how much of its state neuron j keeps; 0 if it keeps none."""
        e = self.plan.memory[j]
        return 0.0 if e == NONE else self.gain(e) * self.w[e]

    def influence(self, q: int) -> float:
        """Return ∂s_t/∂y_k through the gates of pair q = (k, t)."""
        plan, found, total = self.plan, self.job.influences, 0.0
        for e in found.gate[found.gate_indptr[q] : found.gate_indptr[q + 1]]:
            if e < plan.n_synapses:
                total += self.w[e] * self.f["y"][-1 - int(plan.delay[e]), plan.source[e]]
            else:
                total += self.w[e] * self.f["s"][-2][found.target[q]]
        return total

    def pairs(self, k: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield q, t and the extended traces of every pair q = (k, t)."""
        found = self.job.influences
        for q in range(int(found.indptr[k]), int(found.indptr[k + 1])):
            begin, end = found.trace_indptr[q : q + 2]
            yield q, int(found.target[q]), self.f["extended"][begin:end]


class WalkLSTMG(Walk):
    """Traces first, once every state of the step is known; so the order of visits plays no part."""

    def remember(self) -> None:
        """Bring eligibilities and extended traces up to this step."""
        plan, (weight, bias), slope = self.plan, self.job.eligibility, self.f["slope"]
        for j in range(plan.n_neurons):
            if j in self.inputs:
                continue
            keep, e = self.decay(j), plan.memory[j]
            for c, arriving in self.incoming(j):
                weight[c] = keep * weight[c] + arriving
            if e != NONE:
                weight[e] = keep * weight[e] + self.gain(e) * self.f["s"][-2, j]
            bias[j] = keep * bias[j] + 1
            own = np.concatenate(self.job.eligibility)[parameters_of(plan, j)]
            for q, t, extended in self.pairs(j):
                extended[:] = self.decay(t) * extended + slope[j] * own * self.influence(q)

    def gradient(self, d_output: np.ndarray, d_state: np.ndarray) -> tuple[Parameters, np.ndarray]:
        """Send δ back through what acts within the step; meet the traces with it."""
        plan, slope = self.plan, self.f["slope"]
        elig = np.concatenate(self.job.eligibility)
        delta, found = np.zeros_like(slope), np.zeros_like(elig)
        for j in reversed(range(plan.n_neurons)):
            if j in self.inputs:
                continue
            out = plan.out_synapse[plan.out_indptr[j] : plan.out_indptr[j + 1]]
            now = out[plan.delay[out] == 0]
            projected = sum(self.gain(e) * self.w[e] * delta[plan.target[e]] for e in now)
            if j in self.asked:
                projected += d_output[self.asked[j]]
            projected *= slope[j]
            if j in self.asked:
                projected += d_state[self.asked[j]]
            theta = parameters_of(plan, j)
            found[theta] = projected * elig[theta]
            delta[j] = projected
            for q, t, extended in self.pairs(j):
                delta[j] += slope[j] * self.influence(q) * delta[t]
                found[theta] += delta[t] * extended
        return Parameters(*np.split(found, [len(self.w)])), delta

    def gradient_terms(
        self, theta: int, given: tuple[np.ndarray, np.ndarray], delta: np.ndarray
    ) -> list[Term]:
        """Return δ × trace, of the neuron itself and of those that it gates."""
        plan, n = self.plan, len(self.w)
        run = Run.idle(plan, *self.parameters)
        j = int(run.target[theta]) if theta < n else theta - n
        trace = float(np.concatenate(self.job.eligibility)[theta])
        d, name = float(delta[j]), plan.name(j)
        found = [Term(f"delta {d:.4g} of {name!r} × eligibility {trace:.4g}", d * trace)]
        at = int(np.flatnonzero(np.arange(n + plan.n_neurons)[parameters_of(plan, j)] == theta)[0])
        for _, t, extended in self.pairs(j):
            d, trace = float(delta[t]), float(extended[at])
            words = f"delta {d:.4g} of {plan.name(t)!r} × extended trace {trace:.4g}"
            found.append(Term(words, d * trace))
        return found


class WalkBPTT(Walk):
    """The exact gradient, equations (5)-(7), of a loss at the last step of a window."""

    def gradient(self, d_output: np.ndarray, d_state: np.ndarray) -> tuple[Parameters, np.ndarray]:
        """Go back through the tape."""
        states, outputs, steps, *given = self.job.tape(d_output, d_state)
        found = Walker().backward(
            self.plan, self.job.parameters, states, outputs, self.job.steps - steps, *given
        )
        return Parameters(found.weight, found.bias), found.delta.of()[-1, :, 0]

    def gradient_error(
        self, given: tuple[np.ndarray, np.ndarray], delta: np.ndarray, found: Parameters
    ) -> NonFiniteError | None:
        """Go back through the tape once more, and look."""
        states, outputs, steps, *errors = self.job.tape(*given)
        since = self.job.steps - steps
        back = Walker().backward(self.plan, self.job.parameters, states, outputs, since, *errors)
        run = Run(self.plan, *self.parameters, states.of(), outputs.of(), since)
        zero = np.zeros_like(back.inputs)
        seen = Back((errors[0], errors[1]), back.delta.of(), zero, back.weight, back.bias)
        return backward_error(run, seen)


class WalkRTRL(Walk):
    """∂s/∂θ of every neuron for every parameter, forwards: equation (2) differentiated."""

    def remember(self) -> None:
        """Bring the sensitivities up to this step."""
        plan, ds, dy = self.plan, self.f["ds"], self.f["dy"]
        dy[:-1] = dy[1:]
        for j in range(plan.n_neurons):
            if j in self.inputs:
                dy[-1, j] = 0
                continue
            total = self.decay(j) * ds[j]
            for e, arriving in self.incoming(j):
                total += self.gain(e) * self.w[e] * dy[-1 - int(plan.delay[e]), plan.source[e]]
                total += self.through_gate(e, arriving)
                total[e] += arriving
            e = plan.memory[j]
            if e != NONE:
                total += self.through_gate(e, self.gain(e) * self.f["s"][-2, j])
                total[e] += self.gain(e) * self.f["s"][-2, j]
            total[len(self.w) + j] += 1
            ds[j] = total
            dy[-1, j] = self.f["slope"][j] * total

    def through_gate(self, e: int, arriving: float) -> np.ndarray | float:
        """Return what θ changes in w_e x_e through the gater of synapse e."""
        plan, y = self.plan, self.f["y"]
        if not plan.gater.size or plan.gater[e] == NONE:
            return 0.0
        late = int(plan.gate_delay[e])
        if self.job.steps - late < 1:
            return 0.0
        if e < plan.n_synapses:
            passed = y[-1 - int(plan.delay[e]), plan.source[e]]
        else:
            passed = self.f["s"][-2, plan.cell[e - plan.n_synapses]]
        return self.w[e] * passed * self.f["dy"][-1 - late, plan.gater[e]]

    def gradient(self, d_output: np.ndarray, d_state: np.ndarray) -> tuple[Parameters, np.ndarray]:
        """Meet the sensitivities of the outputs with the loss; δ is not needed for that."""
        outputs = self.plan.outputs
        found = d_output @ self.f["dy"][-1, outputs] + d_state @ self.f["ds"][outputs]
        # What everybody sees as δ: of this step alone.
        delta = step_deltas(self.job, d_output, d_state)
        return Parameters(*np.split(found, [len(self.w)])), delta

    def gradient_error(
        self, given: tuple[np.ndarray, np.ndarray], delta: np.ndarray, found: Parameters
    ) -> NonFiniteError | None:
        """Look at the gradients alone, for δ has no part in them."""
        return super().gradient_error(given, np.zeros_like(delta), found)

    def gradient_terms(
        self, theta: int, given: tuple[np.ndarray, np.ndarray], delta: np.ndarray
    ) -> list[Term]:
        """Return derivative of the loss × sensitivity, of every output."""
        found = []
        for o, j in enumerate(self.plan.outputs.tolist()):
            for what, slopes, kept in (
                ("output", given[0], self.f["dy"][-1]),
                ("state", given[1], self.f["ds"]),
            ):
                d, sensitivity = float(slopes[o]), float(kept[j, theta])
                words = f"derivative {d:.4g} of the loss by the {what} of {self.plan.name(j)!r}"
                found.append(Term(f"{words} × sensitivity {sensitivity:.4g}", d * sensitivity))
        return found


def step_deltas(job: Job, d_output: np.ndarray, d_state: np.ndarray) -> np.ndarray:
    """Return δ of this step, equation (6) without later steps."""
    s, y = job.fields["s"][-2:, None, :, None], job.fields["y"][-job.plan.history - 1 :]
    given = d_output[None, :, None], d_state[None, :, None]
    back = Walker().backward(
        job.plan, job.parameters, Signals(s, 1), Signals(y[:, None, :, None], 1), job.steps - 1,
        *given,
    )  # fmt: skip
    return back.delta.of()[0, :, 0]


class WalkSynaptic(Walk):
    """The library's sweeps: each neuron reads what the others hold at that moment."""

    def activate(self) -> None:
        """Visit every neuron once: state, traces, then the gains that it gives."""
        require_inputs(self.plan, self.job.x)
        changed = (*self.f.values(), *self.job.eligibility)
        before = [array.copy() for array in changed]
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                self.sweep_forwards()
            self.require_finite(self.f["s"][-1], self.f["y"][-1])
        except NonFiniteError:
            overwrite(changed, before)
            raise
        self.job.clock += 1
        self.show()

    def sweep_forwards(self) -> None:
        """Visit every neuron once."""
        job, plan, weight = self.job, self.plan, self.job.eligibility.weight
        old, s = self.f["s"]
        y, slope, gain = self.f["y"][-1], self.f["slope"], self.f["gain"]
        column = {j: c for c, j in enumerate(plan.inputs.tolist())}
        self.f["y"][:-1] = self.f["y"][1:]
        for j in range(plan.n_neurons):
            if j in self.inputs:
                y[j] = job.x[column[j]]
                continue
            old[j] = s[j]
            s[j] = self.decay(j) * s[j] + job.parameters.bias[j]
            s[j] += sum(self.w[e] * arriving for e, arriving in self.incoming(j))
            f = job.functions[j]
            y[j], slope[j] = f(s[j]), 1 if f.name == "step" else f.derivative(s[j])
            keep = self.decay(j)
            for c, arriving in self.incoming(j):
                weight[c] = keep * weight[c] + arriving
            own = np.concatenate(job.eligibility)[parameters_of(plan, j)]
            for q, t, extended in self.pairs(j):
                extended[:] = self.decay(t) * extended + slope[j] * own * self.influence(q)
            gain[plan.gated_synapse[plan.gated_indptr[j] : plan.gated_indptr[j + 1]]] = y[j]

    def gain(self, e: int) -> float:
        """Return what its gater has last written into synapse e."""
        return self.f["gain"][e]

    def incoming(self, j: int) -> Iterator[tuple[int, float]]:
        """Yield e and γ_e y_i of every synapse i -> j, with what i holds now."""
        plan = self.plan
        for e in range(int(plan.indptr[j]), int(plan.indptr[j + 1])):
            yield e, self.gain(e) * self.f["y"][-1, plan.source[e]]

    def influence(self, q: int) -> float:
        """Return Synaptic's influence: a gated self-synapse adds the old state and w_tt y_t."""
        plan, found, total = self.plan, self.job.influences, 0.0
        old, y, t = self.f["s"][0], self.f["y"][-1], found.target[q]
        for e in found.gate[found.gate_indptr[q] : found.gate_indptr[q + 1]]:
            if e < plan.n_synapses:
                total += self.w[e] * y[plan.source[e]]
            else:
                total += old[t] + self.w[e] * y[t]
        return total

    def propagate(self, rate: float, loss: Loss) -> None:
        """Visit every neuron backwards; its weights change before the next one is visited."""
        job = self.job
        changed = (*job.parameters, *job.gradients, *self.f.values())
        before = [array.copy() for array in changed]
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                self.sweep(-self.slopes_of(loss)[1], rate)
            require_sweep(self, before, rate)
        except NonFiniteError:
            overwrite(changed, before)
            raise
        job.shown.delta[:] = -self.f["responsibility"]

    def sweep(self, error: np.ndarray, rate: float) -> None:
        """Find responsibilities, target - output being `error` at the outputs, and learn."""
        job, plan, slope = self.job, self.plan, self.f["slope"]
        r, p, g = (self.f[name] for name in ("responsibility", "projected", "gated"))
        elig = job.eligibility.weight
        self.f["met"][:] = r  # what gaters with a delay meet at targets that come later
        for column in job.gradients:
            column[:] = 0
        for j in reversed(range(plan.n_neurons)):
            if j in self.inputs:
                continue
            if j in self.asked:
                r[j] = p[j] = error[self.asked[j]]
            else:
                out = plan.out_synapse[plan.out_indptr[j] : plan.out_indptr[j + 1]]
                p[j] = slope[j] * sum(r[plan.target[e]] * self.gain(e) * self.w[e] for e in out)
                g[j] = slope[j] * sum(r[t] * self.influence(q) for q, t, _ in self.pairs(j))
                r[j] = p[j] + g[j]
            first = int(plan.indptr[j])
            for e in range(first, int(plan.indptr[j + 1])):
                found = p[j] * elig[e]
                found += sum(r[t] * extended[e - first] for _, t, extended in self.pairs(j))
                self.change(job.gradients.weight, self.w, job.trainable.weight, e, -found, rate)
            self.change(job.gradients.bias, job.parameters.bias, job.trainable.bias, j, -r[j], rate)

    def state_terms(self, j: int, s: np.ndarray, y: np.ndarray, quantity: str) -> list[Term]:
        """Return what a state adds up, as the sweep has left it."""
        if quantity == "output":
            return super().state_terms(j, s, y, quantity)
        plan, run = self.plan, Run.idle(self.plan, *self.parameters)
        bias = float(self.job.parameters.bias[j])
        found, decay = [Term(f"bias {bias:.4g}", bias)], self.decay(j)
        if plan.memory[j] != NONE:
            old = float(self.f["s"][0, j])
            found.append(
                Term(f"{run.weighted(int(plan.memory[j]))} × state {old:.4g}", decay * old)
            )
        for e, arriving in self.incoming(j):
            words = f"{run.weighted(e)} × {arriving:.4g} of {plan.name(int(plan.source[e]))!r}"
            found.append(Term(words, float(self.w[e] * arriving)))
        return found

    @staticmethod
    def change(
        gradient: np.ndarray,
        parameters: np.ndarray,
        trainable: np.ndarray,
        e: int,
        found: float,
        rate: float,
    ) -> None:
        """Write a gradient and go downhill on the spot."""
        gradient[e] = found
        if not len(trainable) or trainable[e]:
            parameters[e] -= rate * found


WALKS = {LSTMG: WalkLSTMG, BPTT: WalkBPTT, RTRL: WalkRTRL, Synaptic: WalkSynaptic}


# ---------------------------------------------------------------- checks and updates


def downhill(
    parameters: np.ndarray, gradient: np.ndarray, trainable: np.ndarray, rate: float
) -> np.ndarray:
    """Return θ - rate · ∂ℓ/∂θ, where θ is trainable."""
    with np.errstate(over="ignore", invalid="ignore"):
        updated = parameters - rate * gradient
    return np.where(trainable, updated, parameters) if len(trainable) else updated


def overwrite(arrays: Iterable[np.ndarray], values: Iterable[np.ndarray]) -> None:
    """Put values into arrays, one by one."""
    for array, new in zip(arrays, values, strict=True):
        array[:] = new


def require_inputs(plan: Plan, x: np.ndarray) -> None:
    """Raise unless all inputs are finite."""
    found = first(x)
    if found is not None:
        name = plan.name(plan.inputs[found[0]])
        raise NonFiniteError(
            f"x holds {x[found]} for input {name!r}",
            quantity="X", value=float(x[found]), neuron=name, column=found[0],
            advice="inputs must be finite numbers",
        )  # fmt: skip
