"""Rules of online learning: what each one keeps, and which networks it can handle.

A rule estimates the gradient of the loss of this step. What it keeps from step to step is a
set of *fields*: arrays whose axes are neurons, synapses, parameters, extended traces or steps.
How a rule steps is in `neurograph.learning.stepping`, and once more in the engines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from neurograph.errors import ParameterError, suggest
from neurograph.learning.influences import Influences, find_influences
from neurograph.schedule import Plan
from neurograph.values import natural

__all__ = ["BPTT", "LSTMG", "RTRL", "RULES", "Field", "Rule", "Synaptic", "get_rule"]


class Field(NamedTuple):
    """An array that a rule keeps: its axes, and what it holds at rest.

    An axis is "neuron", "synapse", "parameter" (synapses, then biases), "extended", or a number
    of steps, the newest last.
    """

    axes: tuple[str | int, ...]
    rest: float = 0.0


@dataclass(frozen=True)
class Rule:
    """How `propagate` finds the gradient of the loss of this step.

    Attributes
    ----------
    name : str
        What `net.rule` may be set to.
    traces : bool
        Whether there are eligibility traces.
    """

    name: ClassVar[str]
    traces: ClassVar[bool] = False
    steps: ClassVar[int] = 1  # that are kept

    def fields(self, plan: Plan) -> dict[str, Field]:
        """Return what the rule keeps from step to step: states, outputs and slopes at least."""
        return {
            "s": Field((self.steps + 1, "neuron")),
            "y": Field((self.steps + plan.history, "neuron")),
            "slope": Field(("neuron",)),
        }

    def influences(self, plan: Plan) -> Influences:
        """Return where the extended traces are, if the rule has any."""
        return Influences.none(plan)

    def require(self, plan: Plan, dtype: np.dtype) -> None:
        """Raise `ParameterError` if the rule cannot handle this network."""


@dataclass(frozen=True)
class LSTMG(Rule):
    """Eligibility traces (Monner & Reggia 2012, eq. 15-24), repaired so that they are exact
    wherever `net.gradient_status()` says so.

    Examples
    --------
    >>> LSTMG().name
    'lstm-g'
    """

    name = "lstm-g"
    traces = True

    def fields(self, plan: Plan) -> dict[str, Field]:
        """Return states, outputs, slopes and extended traces."""
        return {**super().fields(plan), "extended": Field(("extended",))}

    def influences(self, plan: Plan) -> Influences:
        """Return those of gates that act in the same step."""
        return find_influences(plan)


@dataclass(frozen=True)
class Synaptic(Rule):
    """Everything as unoptimised Synaptic.js 1.1.4 does it, for parity with it.

    It visits neurons one after the other, each reading whatever the others hold at that moment,
    and changes weights during the backward sweep. `step` has derivative 1, an input neuron that
    gates leaves its synapses alone, self-synapses are never learned, an output's
    responsibility is target - output.

    Examples
    --------
    >>> Synaptic().name
    'synaptic'
    """

    name = "synaptic"
    traces = True

    def fields(self, plan: Plan) -> dict[str, Field]:
        """Return what Synaptic's neurons and connections hold."""
        return {
            **super().fields(plan),
            "extended": Field(("extended",)),
            "gain": Field(("synapse",), 1.0),
            "responsibility": Field(("neuron",)),
            "projected": Field(("neuron",)),
            "gated": Field(("neuron",)),
            "met": Field(("neuron",)),
        }

    def influences(self, plan: Plan) -> Influences:
        """Return those of all gates."""
        return find_influences(plan, late=True)

    def require(self, plan: Plan, dtype: np.dtype) -> None:
        """Raise unless all delays are those that Synaptic's order of activation makes."""
        wrong = np.flatnonzero(plan.delay != (plan.source >= plan.target))
        if len(wrong):
            e = wrong[0]
            raise ParameterError(
                "rule 'synaptic' knows only delays that the order of neurons makes, 1 for a"
                f" synapse that runs back in it and else 0; {plan.name(plan.source[e])!r} ->"
                f" {plan.name(plan.target[e])!r} has {plan.delay[e]}. Take rule 'lstm-g'"
            )
        loops = np.flatnonzero(plan.source == plan.target)
        if len(loops):
            raise ParameterError(
                "rule 'synaptic' knows self-synapses that read the state only; that of"
                f" {plan.name(plan.source[loops[0]])!r} reads the output. Take rule 'lstm-g'"
            )
        gated = plan.gated_synapse
        ends = np.concatenate([plan.target, plan.cell])
        runs_back = plan.gater[gated] >= ends[gated] if len(gated) else gated
        wrong = np.flatnonzero(plan.gate_delay[gated] != runs_back) if len(gated) else gated
        if len(wrong):
            e = gated[wrong[0]]
            raise ParameterError(
                "rule 'synaptic' knows only gate delays that the order of neurons makes: the gate"
                f" of {plan.name(plan.gater[e])!r} on a synapse into {plan.name(ends[e])!r} has"
                f" {plan.gate_delay[e]}. Take rule 'lstm-g'"
            )
        if len(plan.tie_indptr) > 1:
            raise ParameterError("rule 'synaptic' has no tied weights; net.untie, or 'lstm-g'")


@dataclass(frozen=True)
class BPTT(Rule):
    """Backpropagation through the last steps (Williams & Peng 1990).

    Parameters
    ----------
    window : int
        How many steps back, this one included.

    Examples
    --------
    >>> BPTT(window=50)
    BPTT(window=50)
    """

    window: int = 20
    name = "bptt"

    def __post_init__(self) -> None:
        if natural("window", self.window) < 1:
            raise ParameterError("window must be 1 step or more, got 0")

    @property
    def steps(self) -> int:  # type: ignore[override]
        """Steps that are kept."""
        return int(self.window)


@dataclass(frozen=True)
class RTRL(Rule):
    """Real-time recurrent learning (Williams & Zipser 1989): always exact, for small networks.

    It keeps ∂s/∂θ and the last ∂y/∂θ of every neuron for every parameter.

    Parameters
    ----------
    most_bytes : int
        Refuse networks that need more.

    Examples
    --------
    >>> RTRL().name
    'rtrl'
    """

    most_bytes: int = 2**30
    name = "rtrl"

    def __post_init__(self) -> None:
        natural("most_bytes", self.most_bytes, 2**62)

    def fields(self, plan: Plan) -> dict[str, Field]:
        """Return states, outputs, slopes and sensitivities."""
        return {
            **super().fields(plan),
            "ds": Field(("neuron", "parameter")),
            "dy": Field((plan.history + 1, "neuron", "parameter")),
        }

    def influences(self, plan: Plan) -> Influences:
        """Return those of gates that act in the same step; δ goes through them."""
        return find_influences(plan)

    def require(self, plan: Plan, dtype: np.dtype) -> None:
        """Raise if the sensitivities would be too large."""
        parameters = plan.n_synapses + plan.n_memories + plan.n_neurons
        size = (plan.history + 2) * plan.n_neurons * parameters * np.dtype(dtype).itemsize
        if size > self.most_bytes:
            raise ParameterError(
                f"rule 'rtrl' would keep {size:,} bytes for {plan.n_neurons} neurons and"
                f" {parameters} parameters, more than {self.most_bytes:,}; take 'lstm-g' or 'bptt',"
                " or neurograph.RTRL(most_bytes=...)"
            )


RULES = {rule.name: rule for rule in (LSTMG(), Synaptic(), BPTT(), RTRL())}


def get_rule(rule: str | Rule) -> Rule:
    """Return the rule of that name, or the one that is given."""
    if isinstance(rule, Rule):
        return rule
    if isinstance(rule, str) and rule in RULES:
        return RULES[rule]
    known = ", ".join(map(repr, RULES))
    raise ParameterError(
        f"rule must be one of {known}, or a rule as neurograph.BPTT(50); got {rule!r}."
        f"{suggest(rule, RULES)}"
    )
