"""Online learning on the compiled engine: a job as kernels want it, see `learning.stepping`."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from neurograph.engines.base import NO_TAPS, Taps
from neurograph.engines.frames import GIVEN, INFLUENCES, MATCHING, U8, U32, Frame, framed
from neurograph.engines.kernels import LOSSES
from neurograph.engines.online import BPTT, LSTM_G, RTRL, SYNAPTIC, kernels
from neurograph.engines.program import program

__all__ = ["Stepping"]

CODES = {"matching": MATCHING, **{name: code for code, name in enumerate(LOSSES)}}
RULES = {"lstm-g": LSTM_G, "synaptic": SYNAPTIC, "bptt": BPTT, "rtrl": RTRL}
SHORT = 10_000  # parameters of a network whose single steps keep other threads waiting
ROUND = 0.04  # seconds of steps before Python is asked for Ctrl-C


class Stepping:
    """Steps a job with kernels; where a step goes wrong, by definition, which says what is.

    Parameters
    ----------
    job : Job
        See `neurograph.learning.stepping`.
    table : array
        Addresses of the activations of the plan.
    backward : callable
        `Engine.backward`, for the tape of rule "bptt".
    """

    def __init__(self, job: Any, table: np.ndarray, backward: Callable):
        self.job, self.backward, self.rule = job, backward, RULES[job.rule.name]
        self.arrays = _arrays(job, table)
        short = len(self.arrays["found"]) < SHORT
        self.kernels = kernels(self.rule, job.parameters.weight.dtype.type, short)
        self.frame, self._alive = framed(self.arrays)
        self.direct = self.rule in (LSTM_G, RTRL)  # kernels change nothing if they fail

    def activate(self) -> None:
        """Do one step with the inputs `job.x`."""
        before = None if self.direct else self._save()
        if not self.kernels.activate(self.frame):
            self._restore(before)
            self.job.definition.activate()

    def propagate(self, rate: float, loss: Any) -> None:
        """Learn from this step."""
        code = CODES.get(loss.name, GIVEN)
        if self.direct and code != GIVEN:
            if not self.kernels.propagate(self.frame, rate, code):
                self.job.definition.propagate(rate, loss)
            return
        before = self._save()
        if not self._propagate(rate, loss, code):
            self._restore(before)
            self.job.definition.propagate(rate, loss)

    def step(self, rate: float, loss: Any) -> None:
        """Activate and propagate."""
        code = CODES.get(loss.name, GIVEN)
        if self.direct and code != GIVEN:
            wrong = self.kernels.step(self.frame, rate, code)
            if not wrong:
                return
            if wrong == 1:
                self.job.definition.activate()
            self.job.definition.propagate(rate, loss)
        else:
            self.activate()
            self.propagate(rate, loss)

    def learn(self, many: Any, rate: float, loss: Any) -> None:
        """Activate and propagate, step by step, in rounds after which Ctrl-C is heard."""
        code = CODES.get(loss.name, GIVEN)
        if code == GIVEN or self.rule == BPTT:
            many.loop(self, self.job, rate, loss)
            return
        arrays = self.arrays | {
            "steps_x": many.x,
            "steps_target": many.target,
            "steps_outputs": many.outputs,
            "steps_states": many.states,
        }
        pace = 64
        while many.goes_on:
            t, started, since = many.done, perf_counter(), self.job.steps - many.done
            end = min(t + pace, len(many.x))
            well, again = self._some(many, arrays, rate, code, end)
            n = many.done - t
            if not well:  # By definition, which says what is wrong, or does it after all.
                expected = many.done % many.period if many.period else since + many.done
                activated = not again and self.job.steps != expected
                many.one(self, self.job, rate, loss, activated)
            pace = max(1, min(8 * pace, int(n * ROUND / max(perf_counter() - started, 1e-9))))

    # -- inside

    def _some(
        self, many: Any, arrays: dict[str, np.ndarray], rate: float, code: int, end: int
    ) -> tuple[bool, bool]:
        """Do steps up to `end`, or until a probe has seen enough.

        Returns whether all went well, and whether they were done again: then nothing of the
        step that did not go well is left.
        """
        t, tapping = many.done, None
        if many.look is not None:
            tapping = many.look.tapping(t, end)
            end = t + tapping.moments
            arrays = arrays | _tapped(tapping.taps, t)
        frame, _alive = framed(arrays)
        before = self._save(tapping is not None and tapping.watched)
        done = well = self.kernels.learn(frame, rate, code, many.period, t, end)
        if tapping is not None:
            done = t + tapping.until(well - t)
        again = before is not None and done < end
        if again:  # which gives the same bits
            self._restore(before)
            self.kernels.learn(frame, rate, code, many.period, t, done)
        many.done = done
        if tapping is not None:
            tapping.commit(done - t)
        return well == end or done < well, again

    def _propagate(self, rate: float, loss: Any, code: int) -> bool:
        if code != GIVEN and self.rule != BPTT:
            return self.kernels.propagate(self.frame, rate, code)
        given = self.job.definition.slopes_of(loss)
        if self.rule == BPTT:
            return self._through_tape(rate, *given)
        self.arrays["d_output"][:], self.arrays["d_state"][:] = given
        return self.kernels.propagate(self.frame, rate, GIVEN)

    def _through_tape(self, rate: float, d_output: np.ndarray, d_state: np.ndarray) -> bool:
        job, arrays = self.job, self.arrays
        states, outputs, steps, *given = job.tape(d_output, d_state)
        since = job.steps - steps
        found = self.backward(job.plan, job.parameters, states, outputs, since, *given)
        arrays["found"][:] = np.concatenate([found.weight, found.bias])
        arrays["delta"][:] = found.delta.of()[-1, :, 0]
        return self.kernels.update(self.frame, rate)

    def _save(self, whole: bool = False) -> dict[str, np.ndarray] | None:
        """Return copies of what Synaptic's sweeps change on their way; others change it last.

        `whole`: of all that steps change.
        """
        if whole or self.rule == SYNAPTIC:
            return {name: self.arrays[name].copy() for name in (STEPPED if whole else SWEPT)}
        return None

    def _restore(self, before: dict[str, np.ndarray] | None) -> None:
        for name, values in before.items() if before is not None else ():
            self.arrays[name][:] = values


# What a sweep of Synaptic changes, and what steps of any rule do; what users see is made anew by
# each step.
SWEPT = (
    *("clock", "w", "b", "gw", "gb", "ew", "s", "y", "slope", "extended", "gain"),
    *("r", "projected", "gated", "met", "delta_shown"),
)
STEPPED = (*SWEPT, "eb", "ds", "dy")


def _tapped(taps: Taps, t: int) -> dict[str, np.ndarray]:
    """Return the arrays of a `Frame` that say what to write down from step t on."""
    return {
        "tap_when": np.array([t + taps.first, taps.every]),
        "tap_kind": taps.kind,
        "tap_place": taps.place,
        "tap_rows": taps.rows.reshape(-1),
    }


def _arrays(job: Any, table: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays of a `Frame`, by name; those of the store and the job are views."""
    plan, fields, dtype = job.plan, job.fields, job.parameters.weight.dtype
    n, h = plan.n_neurons, plan.history
    names = [plan.activations[code] for code in plan.activation]
    nothing = np.empty(0, dtype)
    made = dict.fromkeys(Frame._fields, nothing) | {
        "p": program(plan, dense=False).packed,
        "q": _packed(job.influences),
        "clock": job.clock,
        "w": job.parameters.weight,
        "b": job.parameters.bias,
        "gw": job.gradients.weight,
        "gb": job.gradients.bias,
        "ew": job.eligibility.weight,
        "eb": job.eligibility.bias,
        "trainable_w": job.trainable.weight.view(U8),
        "trainable_b": job.trainable.bias.view(U8),
        "table": table,
        "s": fields["s"][-2:],
        "y": fields["y"][-1 - h :],
        "tape_s": fields["s"],
        "tape_y": fields["y"],
        "slope": fields["slope"],
        "spare": np.empty((3, n), dtype),
        "delta": np.zeros(n, dtype),
        "found": np.zeros(plan.n_synapses + plan.n_memories + n, dtype),
        "eps": np.zeros(n, dtype),
        "d_output": np.zeros(len(plan.outputs), dtype),
        "d_state": np.zeros(len(plan.outputs), dtype),
        "row": np.zeros(1, np.int64),
        "state": job.shown.state,
        "output": job.shown.output,
        "delta_shown": job.shown.delta,
        "gain_shown": job.shown.gain,
        "x": job.x,
        "target": job.target,
        "outputs": job.outputs,
        "steps_target": np.empty(0),
        **_tapped(NO_TAPS, 0),
        "stable": np.array([names[o] == "logistic" for o in plan.outputs], U8),
        "hard": np.array([name == "step" for name in names], U8),
    }
    kept = ("extended", "gain", "projected", "gated", "met", "ds", "dy")
    made |= {name: fields[name] for name in kept if name in fields}
    made["r"] = fields.get("responsibility", nothing)
    return {name: array.reshape(-1) for name, array in made.items()}


def _packed(influences: Any) -> np.ndarray:
    parts = [getattr(influences, name) for name in INFLUENCES]
    begin = len(parts) + np.cumsum([0, *map(len, parts)])[:-1]
    return np.concatenate([begin, *parts]).astype(U32)
