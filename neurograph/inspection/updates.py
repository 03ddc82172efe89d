"""Why the last update changed a weight or a bias by what it did; see `learning.lately`."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, isnan
from typing import Any, NamedTuple

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.engines.base import Limits
from neurograph.errors import ParameterError
from neurograph.graph import NeuronGraph
from neurograph.inspection.explanation import Explanation, Part, Section, short
from neurograph.inspection.formulas import SHARED, Given, parts_of_step
from neurograph.inspection.gradients import how_exact, status_of
from neurograph.learning.lately import Last, last_update, sides
from neurograph.learning.optimizers import LBFGS, Optimizer
from neurograph.learning.rules import get_rule
from neurograph.learning.updates import clipped, limits
from neurograph.table import SLOT

__all__ = ["UpdateExplanation", "explain_update"]

NEXT = "learn once more (net.fit, net.propagate, net.learn), then explain_update()"


@dataclass(frozen=True, eq=False, repr=False)
class UpdateExplanation(Explanation):
    """The last change of a weight or a bias as a sum of what made it.

    Attributes
    ----------
    of : Synapse or Neuron
    parameter : {"weight", "bias"}
    before, after, change : float
        The parameter, and their difference. With a rule of online learning the change is
        -rate · gradient, and `before` is what that makes it, to rounding.
    rate : float, optional
        Learning rate of this update; None with L-BFGS, which has none.
    update : int, optional
        Updates that this optimizer had done before; None with a rule.
    parts : tuple of Part
        They add up to the change.
    title, sections, notes
        See `Explanation`.
    """

    of: Synapse | Neuron
    parameter: str
    before: float
    after: float
    change: float
    rate: float | None
    update: int | None
    title: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """Return what the dict says before the sections."""
        names = ("parameter", "before", "after", "change", "rate", "update")
        whose = "synapse" if self.parameter == "weight" else "neuron"
        return {whose: self.of, **{name: getattr(self, name) for name in names}}


class _Own(NamedTuple):
    """A parameter: whose it is, on which side (0 weights, 1 biases), its row, and its gradient."""

    of: Synapse | Neuron
    side: int
    row: int
    before: float
    after: float
    gradient: float


def explain_update(of: Synapse | Neuron) -> UpdateExplanation:
    """Explain the last change of a weight or bias; see `Synapse.explain_update`."""
    of.require_attached()
    graph = of._home.store.graph
    graph.require_own()
    kept = _last_of(graph, of)
    held = limits(graph)
    own = _own(graph, kept, of, held)
    change = own.after - own.before
    trainable = held[own.side].trainable
    if trainable is not None and not trainable[own.row]:
        parts, how = [Part(0.0, "it is frozen: trainable is False")], [f"{_name(own)} is frozen."]
    elif kept.rule is not None:
        parts, how = _by_rule(graph, kept, own)
    elif isinstance(kept.optimizer, LBFGS):
        parts, how = _together(held, kept, own)
    else:
        parts, how = _by_optimizer(graph, kept, own, held)
    parts += _besides(graph, kept, own, fsum(p.value for p in parts), parts)
    parameter = sides(graph)[own.side][1]
    section = Section("parts", "what changed it", "", tuple(parts), change)
    title = (
        f"{parameter} of {of}: {short(own.before)} -> {short(own.after)}, changed by"
        f" {short(change)}"
    )
    return UpdateExplanation(
        of, parameter, own.before, own.after, change, None if isnan(kept.rate) else kept.rate,
        kept.number, title, (section,), (*how, *_about(graph, of)),
    )  # fmt: skip


def _name(own: _Own) -> str:
    return f"The {'bias' if own.side else 'weight'}"


def _about(graph: NeuronGraph, of: Synapse | Neuron) -> list[str]:
    """Return what is to be said of this synapse or neuron, whatever the update was."""
    if isinstance(of, Neuron):
        return ["It is an input: its bias plays no part, equation (4)."] * (of.role == "input")
    if of.tie is None:
        return []
    n = len(graph._store.synapses.ties.members(of._id))
    return [f"{n} synapses share this weight; the gradient is the sum over them."] * (n > 1)


# ---------------------------------------------------------------- what is known


def _edited(of: Synapse | Neuron) -> ParameterError:
    return ParameterError(
        f"{of} or its network was edited since the last update, so that it does not explain how"
        f" things are now (EarlyStopping, which restores the best weights, is an edit too): {NEXT}"
    )


def _last_of(graph: NeuronGraph, of: Synapse | Neuron) -> Last:
    kept = last_update(graph)
    if kept is None:
        raise ParameterError(
            "no update to explain: this network has not learned yet, or it is a copy or was"
            f" loaded, which know nothing of updates before: {NEXT}"
        )
    if not kept.fits(graph):
        raise _edited(of)
    if kept.rule is not None and kept.after is None and kept.edits != graph._store.edits:
        raise _edited(of)
    return kept


def _own(graph: NeuronGraph, kept: Last, of: Synapse | Neuron, held: tuple[Limits, Limits]) -> _Own:
    """Return one parameter, before and after."""
    side = int(isinstance(of, Neuron))
    (table, column), row = sides(graph)[side], int(of._home.row_of[of._id])
    after, gradients = float(table.array(column)[row]), kept.gradient
    gradient = float((table.array("grad") if gradients is None else gradients[side])[row])
    if kept.after is not None and float(kept.after[side][row]) != after:
        raise _edited(of)
    if kept.rule is None:
        before = float(kept.before[side][column][row])
    else:
        trainable = held[side].trainable
        free = trainable is None or bool(trainable[row])
        before = after + kept.rate * gradient if free else after
    return _Own(of, side, row, before, after, gradient)


def _besides(
    graph: NeuronGraph, kept: Last, own: _Own, explained: float, parts: list[Part]
) -> list[Part]:
    """Return what the parts leave out; too much of it tells that somebody edited the network."""
    missing = own.after - own.before - explained
    narrow = graph.dtype == np.float32
    size = max(1.0, abs(own.before), *(abs(p.value) for p in parts))
    if abs(missing) <= 1e-13 * size:
        return []
    if kept.edits != graph._store.edits and abs(missing) > (2e-6 if narrow else 1e-9) * size:
        raise _edited(own.of)
    if narrow:
        return [Part(missing, "round-off of float32")]
    return [Part(missing, "round-off, or what this optimizer does besides")]


# ---------------------------------------------------------------- who did it


def _by_rule(graph: NeuronGraph, kept: Last, own: _Own) -> tuple[list[Part], list[str]]:
    """Return the change by a rule of online learning."""
    rule = get_rule(kept.rule)
    numbers = (-kept.rate, own.gradient)
    what = f"the gradient of this step, by rule {rule.name!r}"
    parts = [Part(-kept.rate * own.gradient, what, "-rate · gradient", numbers)]
    if rule.name == "synaptic":
        return parts, ["Rule 'synaptic' does as Synaptic.js does; it is there for parity."]
    if isinstance(own.of, Neuron) and own.of.role == "input":
        return parts, []
    return parts, [how_exact(rule.name, status_of(graph, rule, own.of))]


def _together(held: tuple[Limits, Limits], kept: Last, own: _Own) -> tuple[list[Part], list[str]]:
    """Return the change by an iteration of L-BFGS-B, of which there is no more to say."""
    if kept.number is None:
        return [Part(own.after - own.before, "L-BFGS-B made no iteration")], []
    what = "an iteration of L-BFGS-B, which moves all weights together"
    notes = [f"Iteration {kept.number} of L-BFGS-B, counted from 0."]
    limit = held[own.side]
    if limit.lower is not None and limit.upper is not None and isinstance(own.of, Synapse):
        for which, bound, mine in (
            ("lower", float(limit.lower[own.row]), own.of.lower),
            ("upper", float(limit.upper[own.row]), own.of.upper),
        ):
            if own.after == bound:
                sign = "" if bound == mine else SHARED
                notes.append(f"It is held at its {which} bound {bound:g}{sign}.")
    return [Part(own.after - own.before, what)], notes


def _by_optimizer(
    graph: NeuronGraph, kept: Last, own: _Own, held: tuple[Limits, Limits]
) -> tuple[list[Part], list[str]]:
    """Return the change by the optimizer's formula."""
    optimizer: Optimizer = kept.optimizer
    gradients = kept.gradient or [table.array("grad") for table, _ in sides(graph)]
    here, side = slice(own.row, own.row + 1), own.side
    before = {name: array[here] for name, array in kept.before[side].items()}
    of, limit = own.of, held[side]
    if not side:  # bounds of now may be others, and would hide that the weight is
        lower, upper = kept.bounds
        limit = limit._replace(lower=lower, upper=upper)
    given = Given(
        optimizer.of_biases() if side else optimizer,
        kept.rate,
        before[sides(graph)[side][1]],
        {name.removeprefix(SLOT): a for name, a in before.items() if name.startswith(SLOT)},
        own.gradient,
        float(clipped(graph, optimizer, held, gradients)[side][own.row]),
        Limits(*(None if a is None else a[here] for a in limit)),
        (of.lower, of.upper) if isinstance(of, Synapse) else (-np.inf, np.inf),
    )
    parts, notes = parts_of_step(given)
    name = type(optimizer).__name__
    head = f"Update {kept.number} of {name}, counted from 0, at rate {short(kept.rate)}."
    return parts, [head, *notes]
