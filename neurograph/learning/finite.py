"""What went wrong in a step of online learning: where, and from what.

Steppers only notice that a number is not finite; a `Walk` does that step by definition and
looks at what it finds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurograph.engines.base import Parameters
from neurograph.engines.finite import Back, Run, all_finite, backward_error, first, largest
from neurograph.errors import NonFiniteError, Term
from neurograph.schedule import Plan

__all__ = ["AS_BEFORE", "Diagnosis", "require_sweep"]

AS_BEFORE = "the network is as it was before propagate. Try a smaller rate"


class Diagnosis:
    """What every rule has in common: it names the first number of a step that is not finite."""

    job: Any
    plan: Plan
    w: np.ndarray
    f: dict[str, np.ndarray]

    @property
    def parameters(self) -> Parameters:
        """Those of the job."""
        return self.job.parameters

    def require_finite(self, s: np.ndarray, y: np.ndarray) -> None:
        """Raise unless the states and outputs of a step are finite; name the first neuron."""
        if all_finite(s) and all_finite(y):
            return
        found = first(np.where(np.isfinite(y), s, np.nan)) or (0,)
        j, name, job = found[0], self.plan.name(found[0]), self.job
        quantity, value = ("output", y[j]) if np.isfinite(s[j]) else ("state", s[j])
        with np.errstate(all="ignore"):
            terms = self.state_terms(j, s, y, quantity)
        raise NonFiniteError(
            f"neuron {name!r} would have state {s[j]} and output {y[j]}",
            quantity=quantity, value=float(value), neuron=name, step=job.steps,
            **largest(terms),
            advice="the network is as it was before this step. Weights or inputs are too large,"
            " or a loop amplifies",
        )  # fmt: skip

    def state_terms(self, j: int, s: np.ndarray, y: np.ndarray, quantity: str) -> list[Term]:
        """Return what a state adds up, or what an output was made of."""
        if quantity == "output":
            name = self.job.functions[j].name
            return [Term(f"activation {name!r} of state {s[j]:.4g}", float(y[j]))]
        ys = np.concatenate([self.f["y"][-self.plan.history :], y[None]])[..., None]
        ss = np.stack([self.f["s"][-1], s])[..., None]
        run = Run(self.plan, *self.parameters, ss, ys, self.job.steps)
        return run.state_terms(0, j, 0)

    def diverged(
        self,
        given: tuple[np.ndarray, np.ndarray],
        delta: np.ndarray,
        single: np.ndarray,
        found: Parameters,
        updated: list[np.ndarray],
        rate: float,
    ) -> NonFiniteError:
        """Return what says where the gradient, or what it makes of a parameter, is not finite."""
        with np.errstate(all="ignore"):
            error = self.gradient_error(given, delta, Parameters(single, found.bias))
        if error is not None:
            advice = f"learning diverged; {AS_BEFORE}"
            return error.moved(step=self.job.steps - 1, sample=None, advice=advice)
        for what, values in (("gradient", found), ("update", updated)):
            for side, new in zip(("weight", "bias"), values, strict=True):
                place = first(new)
                if place is not None:
                    terms = self.update_terms(side, place[0], found, single, rate, what)
                    return self.parameter_error(what, side, place[0], float(new[place]), terms)
        raise AssertionError("nothing is wrong")

    def update_terms(
        self, side: str, row: int, found: Parameters, single: np.ndarray, rate: float, what: str
    ) -> list[Term]:
        """Return what an updated parameter, or the gradient of a tie group, is made of."""
        k = int(side == "bias")
        if what == "gradient":
            return [Term(f"{value:.4g} of a tied synapse", float(value)) for value in
                    single[self.tied(row)]]  # fmt: skip
        before, slope = float(self.job.parameters[k][row]), float(found[k][row])
        with np.errstate(all="ignore"):
            step = Term(f"rate {rate:.4g} × gradient {slope:.4g}", float(np.float64(rate) * slope))
        return [Term(f"{side} {before:.4g} before", before), step]

    def tied(self, e: int) -> np.ndarray:
        """Return the synapses that share the weight of e."""
        plan = self.plan
        for begin, end in zip(plan.tie_indptr[:-1], plan.tie_indptr[1:], strict=True):
            if e in plan.tie_synapse[begin:end]:
                return plan.tie_synapse[begin:end]
        return np.array([e])

    def parameter_error(
        self, what: str, side: str, row: int, value: float, terms: list[Term]
    ) -> NonFiniteError:
        """Return what says that a gradient, or a parameter after the update, is not finite."""
        if side == "weight":
            run = Run.idle(self.plan, *self.parameters)
            place: dict = {"synapse": run.synapse(row)}
            whose = " -> ".join(map(repr, place["synapse"]))
        else:
            place, whose = {"neuron": self.plan.name(row)}, repr(self.plan.name(row))
        made = "the gradient of" if what == "gradient" else "the update of"
        return NonFiniteError(
            f"learning diverged: {made} the {side} of {whose} is not finite but {value}",
            quantity="gradient" if what == "gradient" else side, value=value, **place,
            step=self.job.steps - 1, **largest(terms), advice=AS_BEFORE,
        )  # fmt: skip

    def gradient_error(
        self, given: tuple[np.ndarray, np.ndarray], delta: np.ndarray, found: Parameters
    ) -> NonFiniteError | None:
        """Return what says where δ, or a gradient, is not finite: the first on the way back."""
        back = Back(
            (given[0][None, :, None], given[1][None, :, None]),
            delta[None, :, None],
            np.zeros((1, len(self.plan.inputs), 1)),
            *(np.zeros_like(a) for a in found),
        )
        s, y = self.f["s"][-2:, :, None], self.f["y"][-self.plan.history - 1 :, :, None]
        run = Run(self.plan, *self.parameters, s, y, self.job.steps - 1)
        error = backward_error(run, back)
        if error is not None:
            return error
        for k, side in enumerate(("weight", "bias")):
            place = first(found[k])
            if place is not None:
                theta = place[0] + k * len(self.w)
                terms = self.gradient_terms(theta, given, delta)
                value = float(found[k][place])
                return self.parameter_error("gradient", side, place[0], value, terms)
        return None

    def gradient_terms(
        self, theta: int, given: tuple[np.ndarray, np.ndarray], delta: np.ndarray
    ) -> list[Term]:
        """Return what the gradient of a parameter adds up."""
        return []


def require_sweep(walk: Any, before: list[np.ndarray], rate: float) -> None:
    """Raise unless a sweep left finite numbers; name the first one that is not."""
    job, plan, r = walk.job, walk.plan, walk.f["responsibility"]
    if all(map(all_finite, (*job.gradients, *job.parameters))):
        return
    weight, bias = before[:2]
    for j in reversed(range(plan.n_neurons)):
        if j in walk.inputs:
            continue
        if not np.isfinite(r[j]):
            parts = [
                Term(f"{what} {float(walk.f[what][j]):.4g}", float(walk.f[what][j]))
                for what in ("projected", "gated")
            ]
            name = plan.name(j)
            raise NonFiniteError(
                f"learning diverged: the responsibility of neuron {name!r} is not finite but"
                f" {r[j]}", quantity="delta", value=float(r[j]), neuron=name,
                step=job.steps - 1, **largest(parts), advice=AS_BEFORE,
            )  # fmt: skip
        rows = [("weight", e, weight) for e in range(int(plan.indptr[j]), int(plan.indptr[j + 1]))]
        for side, row, old in [*rows, ("bias", j, bias)]:
            k = int(side == "bias")
            slope, new = float(job.gradients[k][row]), float(job.parameters[k][row])
            what = "update" if np.isfinite(slope) else "gradient"
            if not np.isfinite(slope) or not np.isfinite(new):
                terms = [
                    Term(f"{side} {old[row]:.4g} before", float(old[row])),
                    Term(f"rate {rate:.4g} × gradient {slope:.4g}", float(rate * slope)),
                ]
                value = new if np.isfinite(slope) else slope
                raise walk.parameter_error(what, side, row, value, terms)
