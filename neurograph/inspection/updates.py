"""Why the last update changed a weight by what it did.

An update leaves nothing behind from which it could be told, and keeping that would cost every
update. So it is kept where somebody asks for it: inside `with net.keep_updates():`, where batches
are learned one by one, by the definition of an update (`learning.updates`), and steps of online
learning likewise. What is kept is the last one, a copy of a few columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import fsum
from typing import Any, NamedTuple

import numpy as np

from neurograph.elements import Synapse
from neurograph.engines.base import Limits
from neurograph.errors import ParameterError
from neurograph.graph import NeuronGraph
from neurograph.inspection.explanation import Explanation, Part, Section, short
from neurograph.learning.losses import Loss
from neurograph.learning.optimizers import (
    SGD,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
)
from neurograph.learning.rules import Rule
from neurograph.learning.status import gradient_status
from neurograph.learning.stepping import Course, Job, Stepper
from neurograph.learning.updates import state_of

__all__ = ["UpdateExplanation", "explain_update", "keep_updates"]

KEEP = "with net.keep_updates(): net.fit(X, Y, ...), then synapse.explain_update()"


# ---------------------------------------------------------------- keeping


@dataclass(frozen=True, eq=False)
class _Kept:
    """What one update of the weights was made of; arrays have an entry for each row."""

    row_of: np.ndarray
    before: np.ndarray
    after: np.ndarray
    gradient: np.ndarray
    rate: float
    number: int
    optimizer: Optimizer | None = None
    rule: Rule | None = None
    clipped: np.ndarray | None = None
    state: dict[str, np.ndarray] | None = None
    trainable: np.ndarray | None = None
    factor: np.ndarray | None = None
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None


class Journal:
    """Keeps the last update of a network, as long as it is open."""

    def __init__(self, graph: NeuronGraph):
        self.graph, self.steps = graph, 0

    def keep(self, before: np.ndarray, after: np.ndarray, rate: float, n: int, **more: Any) -> None:
        """Replace what is kept."""
        table = self.graph._store.synapses
        row_of, gradient = table.row_of.copy(), table.array("grad").copy()
        kept = _Kept(row_of, before.copy(), after.copy(), gradient, float(rate), n, **more)
        self.graph.__dict__["_kept_update"] = [kept, None]

    def batch(
        self, optimizer: Optimizer, limit: Limits, rate: float, clipped: np.ndarray,
        after: np.ndarray,
    ) -> None:  # fmt: skip
        """Keep an update by a batch, which is about to be made."""
        table = self.graph._store.synapses
        held = {name: None if a is None else a.copy() for name, a in limit._asdict().items()}
        state = {slot: a.copy() for slot, a in state_of(table, optimizer).items()}
        before, number = table.array("weight"), self.graph._store.updates
        self.keep(before, after, rate, number, optimizer=optimizer, clipped=clipped.copy(),
                  state=state, **held)  # fmt: skip

    def witness(self, job: Job, stepper: Stepper) -> Stepper:
        """Return what steps a job and keeps each of its updates."""
        return _Witness(self, job, stepper)


class _Witness:
    """A stepper whose updates are kept."""

    def __init__(self, journal: Journal, job: Job, stepper: Stepper):
        self.journal, self.job, self.stepper = journal, job, stepper

    def activate(self) -> None:
        """Do one step."""
        self.stepper.activate()

    def propagate(self, rate: float, loss: Loss) -> None:
        """Learn from it, and keep what that did."""
        job, journal = self.job, self.journal
        before = job.parameters.weight.copy()
        self.stepper.propagate(rate, loss)
        trainable = job.trainable.weight.copy() if len(job.trainable.weight) else None
        journal.keep(before, job.parameters.weight, rate, journal.steps, rule=job.rule,
                     trainable=trainable)  # fmt: skip
        journal.steps += 1

    def step(self, rate: float, loss: Loss) -> None:
        """Activate and propagate."""
        self.activate()
        self.propagate(rate, loss)

    def learn(self, many: Course, rate: float, loss: Loss) -> None:
        """Activate and propagate, step by step."""
        many.loop(self, self.job, rate, loss)


@contextmanager
def keep_updates(graph: NeuronGraph) -> Iterator[None]:
    """Keep what the last update was made of; see `Network.keep_updates`."""
    graph.require_own()
    state: Any = graph
    online, outer = state._online, graph.__dict__.get("_journal")
    graph.__dict__["_journal"] = Journal(graph) if outer is None else outer
    online.edits = -1  # whoever steps gets ready again, with the journal
    try:
        yield
    finally:
        if outer is None:
            del graph.__dict__["_journal"]
            state._online.edits = -1
            if "_kept_update" in graph.__dict__:
                graph.__dict__["_kept_update"][1] = graph._store.edits


# ---------------------------------------------------------------- explaining


@dataclass(frozen=True, eq=False, repr=False)
class UpdateExplanation(Explanation):
    """The last change of a weight as a sum of what made it.

    Attributes
    ----------
    synapse : Synapse
    before, after, change : float
        The weight, and their difference.
    rate : float
        Learning rate of this update.
    update : int
        Updates that this optimizer had done before; with a rule, since `keep_updates` began.
    parts : tuple of Part
        They add up to the change.
    title, sections, notes
        See `Explanation`.
    """

    synapse: Synapse
    before: float
    after: float
    change: float
    rate: float
    update: int
    title: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """Return what the dict says before the sections."""
        names = ("synapse", "before", "after", "change", "rate", "update")
        return {name: getattr(self, name) for name in names}


class _Own(NamedTuple):
    """What is kept of one synapse: plain numbers."""

    before: float
    after: float
    gradient: float
    row: int


def explain_update(synapse: Synapse) -> UpdateExplanation:
    """Explain the last change of a weight; see `Synapse.explain_update`."""
    synapse.require_attached()
    graph = synapse._home.store.graph
    kept = _last_kept(graph)
    row = int(kept.row_of[synapse._id]) if synapse._id < len(kept.row_of) else -1
    if not 0 <= row < len(kept.after) or float(kept.after[row]) != synapse.weight:
        raise ParameterError(f"{synapse} was edited since the last update that was kept: {KEEP}")
    before, after, gradient = (float(a[row]) for a in (kept.before, kept.after, kept.gradient))
    own = _Own(before, after, gradient, row)
    change = after - before
    narrow = graph.dtype == np.float32
    if kept.trainable is not None and not kept.trainable[row]:
        parts, how = [Part(0.0, "it is frozen: trainable is False")], ["The weight is frozen."]
    elif kept.optimizer is None:
        parts, how = _by_rule(kept, own), _about_rule(graph, synapse, kept)
    else:
        parts, how = _by_optimizer(graph, synapse, kept, own)
    missing = change - fsum(p.value for p in parts)
    size = max(1.0, abs(own.before), *(abs(p.value) for p in parts))
    sweeps = kept.rule is not None and kept.rule.name == "synaptic"
    if abs(missing) > 1e-13 * size and (narrow or sweeps):
        parts.append(Part(missing, "round-off of float32" if narrow else "ties, swept in place"))
    section = Section("parts", "what changed it", "", tuple(parts), change)
    title = f"weight of {synapse}: {short(before)} -> {short(after)}, changed by {short(change)}"
    notes = (*how, *_about_ties(graph, synapse))
    return UpdateExplanation(
        synapse, before, after, change, kept.rate, kept.number, title, (section,), notes
    )


def _last_kept(graph: NeuronGraph) -> _Kept:
    graph.require_own()
    found = graph.__dict__.get("_kept_update")
    if found is None:
        raise ParameterError(
            "nothing was kept of the last update, for that would cost every update (and L-BFGS"
            f" moves all weights at once): {KEEP}"
        )
    kept, edits = found
    if edits is not None and edits != graph._store.edits:
        raise ParameterError(
            f"the network was edited (or learned) since the last update that was kept: {KEEP}"
        )
    return kept


def _about_ties(graph: NeuronGraph, synapse: Synapse) -> list[str]:
    if synapse.tie is None:
        return []
    n = len(graph._store.synapses.ties.members(synapse._id))
    return [f"{n} synapses share this weight; the gradient is the sum over them."] * (n > 1)


# ---------------------------------------------------------------- by a rule


def _by_rule(kept: _Kept, own: _Own) -> list[Part]:
    assert kept.rule is not None
    numbers = (-kept.rate, own.gradient)
    what = f"the gradient of this step, by rule {kept.rule.name!r}"
    return [Part(-kept.rate * own.gradient, what, "-rate · gradient", numbers)]


def _about_rule(graph: NeuronGraph, synapse: Synapse, kept: _Kept) -> list[str]:
    assert kept.rule is not None
    if kept.rule.name == "synaptic":
        return ["Rule 'synaptic' does as Synaptic.js does; it is there for parity."]
    status = gradient_status(graph, kept.rule)[synapse]
    how = "exact" if status.exact else f"truncated: {status.reason}"
    return [f"The gradient that rule {kept.rule.name!r} finds of it is {how}."]


# ---------------------------------------------------------------- by an optimizer


class _Step(NamedTuple):
    """A step that is linear in the gradient: -scale · (take · gradient + remembered).

    remembered : value, and what it is
    """

    scale: float
    take: float
    remembered: float
    memory: str
    note: str


def _by_optimizer(
    graph: NeuronGraph, synapse: Synapse, kept: _Kept, own: _Own
) -> tuple[list[Part], list[str]]:
    assert kept.optimizer is not None
    optimizer, terms = kept.optimizer, _gradient_terms(kept, own)
    name = type(optimizer).__name__
    notes = [f"Update {kept.number} of {name}, counted from 0, at rate {short(kept.rate)}."]
    if type(optimizer) in LINEAR:
        step = LINEAR[type(optimizer)](optimizer, kept, own, fsum(value for _, value in terms))
        parts = _linear_parts(step, terms)
        notes += [step.note] * bool(step.note)
    else:
        parts = _one_by_one(kept, own, terms)
    if isinstance(optimizer, AdamW) and optimizer.weight_decay:
        numbers = (-kept.rate, optimizer.weight_decay, own.before)
        decay = Part(float(np.prod(numbers)), "weight decay", "-rate · weight_decay · w", numbers)
        parts.append(decay)
    proposed = own.before + fsum(p.value for p in parts)
    return [*parts, *_held_back(graph, synapse, kept, own, proposed)], notes


def _gradient_terms(kept: _Kept, own: _Own) -> list[tuple[str, float]]:
    """Return what the optimizer is given, as a sum."""
    optimizer, g = kept.optimizer, own.gradient
    assert optimizer is not None and kept.clipped is not None
    found = [("the gradient of the batch", g)]
    if optimizer.clip_value is not None:
        inside = min(max(g, -optimizer.clip_value), optimizer.clip_value)
        found.append((f"clip_value={optimizer.clip_value:g}", inside - g))
        g = inside
    if optimizer.clip_norm is not None:
        found.append((f"clip_norm={optimizer.clip_norm:g}", float(kept.clipped[own.row]) - g))
    if optimizer.l2:
        found.append((f"penalty l2={optimizer.l2:g}", optimizer.l2 * own.before))
    if optimizer.l1:
        found.append((f"penalty l1={optimizer.l1:g}", optimizer.l1 * float(np.sign(own.before))))
    return found


def _linear_parts(step: _Step, terms: list[tuple[str, float]]) -> list[Part]:
    parts = []
    for what, value in terms:
        letters, numbers = ["-scale", "gradient"], [-step.scale, value]
        if step.take != 1:
            letters.insert(1, "share")
            numbers.insert(1, step.take)
        product = float(np.prod(numbers))
        parts.append(Part(product, what, " · ".join(letters), tuple(numbers)))
    if step.memory:
        numbers = [-step.scale, step.remembered]
        parts.append(Part(-step.scale * step.remembered, step.memory, "-scale · memory",
                          tuple(numbers)))  # fmt: skip
    return parts


def _sgd(optimizer: Any, kept: _Kept, own: _Own, g: float) -> _Step:
    return _Step(kept.rate, 1.0, 0.0, "", "scale = rate.")


def _momentum(optimizer: Any, kept: _Kept, own: _Own, g: float) -> _Step:
    v, mu = _slot(kept, own, "velocity"), optimizer.momentum
    note = f"scale = rate; the velocity was {short(v)}, momentum is {mu:g}."
    return _Step(kept.rate, 1.0, mu * v, "the velocity, momentum · v", note)


def _nesterov(optimizer: Any, kept: _Kept, own: _Own, g: float) -> _Step:
    v, mu = _slot(kept, own, "velocity"), optimizer.momentum
    note = f"scale = rate, share = 1 + momentum; the velocity was {short(v)}, momentum is {mu:g}."
    return _Step(kept.rate, 1 + mu, mu * mu * v, "the velocity, momentum² · v", note)


def _rmsprop(optimizer: Any, kept: _Kept, own: _Own, g: float) -> _Step:
    square = optimizer.decay * _slot(kept, own, "square") + (1 - optimizer.decay) * g**2
    scale = kept.rate / (square**0.5 + optimizer.epsilon)
    note = f"scale = rate / (√v + epsilon), where v = {short(square)}, this gradient included."
    return _Step(scale, 1.0, 0.0, "", note)


def _adam(optimizer: Any, kept: _Kept, own: _Own, g: float) -> _Step:
    mean, square = _slot(kept, own, "mean"), _slot(kept, own, "square")
    age = _slot(kept, own, "age") + 1
    beta1, beta2 = optimizer.beta1, optimizer.beta2
    square = beta2 * square + (1 - beta2) * g**2
    size = (square / (1 - beta2**age)) ** 0.5 + optimizer.epsilon
    scale = kept.rate / (1 - beta1**age) / size
    note = (
        f"scale = rate / (1 - β₁ⁿ) / (√(v / (1 - β₂ⁿ)) + epsilon), where n = {age:g}, v ="
        f" {short(square)}, this gradient included; share = 1 - β₁; the mean was {short(mean)}."
    )
    return _Step(scale, 1 - beta1, beta1 * mean, "the mean of earlier gradients, β₁ · m", note)


LINEAR: dict[type, Any] = {
    SGD: _sgd,
    Momentum: _momentum,
    Nesterov: _nesterov,
    RMSprop: _rmsprop,
    Adam: _adam,
    AdamW: _adam,
}


def _slot(kept: _Kept, own: _Own, name: str) -> float:
    assert kept.state is not None
    return float(kept.state[name][own.row])


def _one_by_one(kept: _Kept, own: _Own, terms: list[tuple[str, float]]) -> list[Part]:
    """Return what each term adds to a step that is not linear: the step with it less without."""
    optimizer, state = kept.optimizer, kept.state
    assert optimizer is not None and state is not None
    here = slice(own.row, own.row + 1)
    dtype = kept.before.dtype

    def step(gradient: float) -> float:
        g = np.array([gradient], dtype)
        given = {slot: a[here].copy() for slot, a in state.items()}
        new, _ = optimizer.update(g, given, kept.before[here].copy(), kept.rate)
        return float(new[0]) - own.before

    parts: list[Part] = []
    g = last = 0.0
    for what, value in terms:
        g += value
        now = step(g)
        with_it = what if parts else f"{what}, and what {type(optimizer).__name__} remembers"
        formula = f"step for {short(g)}" + (f" - step for {short(g - value)}" if parts else "")
        parts.append(Part(now - last, with_it, formula))
        last = now
    return parts


def _held_back(
    graph: NeuronGraph, synapse: Synapse, kept: _Kept, own: _Own, proposed: float
) -> list[Part]:
    """Return what the synapse's own rate and its bounds did to the step."""
    parts: list[Part] = []
    row = own.row
    if kept.factor is not None and kept.factor[row] != 1:
        factor = float(kept.factor[row])
        numbers = (factor - 1, proposed - own.before)
        what = f"its own rate: rate_factor={factor:g}"
        parts.append(Part(numbers[0] * numbers[1], what, "(factor - 1) · step", numbers))
        proposed += numbers[0] * numbers[1]
    if kept.lower is not None and kept.upper is not None:
        low, high = float(kept.lower[row]), float(kept.upper[row])
        inside = min(max(proposed, low), high)
        if inside != proposed:
            which = f"lower bound {low:g}" if inside > proposed else f"upper bound {high:g}"
            own_bound = synapse.lower if inside > proposed else synapse.upper
            sign = "" if own_bound == inside else ", by the sign of its source or a tie"
            parts.append(Part(inside - proposed, f"{which}{sign}", "bound - weight"))
    return parts
