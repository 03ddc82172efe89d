"""The step of an optimizer as a sum: what each term of its gradient, and its memory, adds."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Any, NamedTuple

import numpy as np

from neurograph.engines.base import Limits
from neurograph.inspection.explanation import Part, short
from neurograph.learning.optimizers import (
    SGD,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
)

__all__ = ["Given", "parts_of_step"]


@dataclass(frozen=True)
class Given:
    """What an optimizer changed one parameter by.

    Attributes
    ----------
    optimizer : Optimizer
        As it is for this parameter: without penalties if that is a bias.
    rate : float
    before : array of one number
        The parameter.
    state : dict of arrays of one number
        What the optimizer kept of it.
    gradient, clipped : float
        Before and after clipping.
    limits : Limits
        Of one number each.
    own_bounds : pair of float
        The parameter's own bounds, without the sign of its source or a tie.
    """

    optimizer: Optimizer
    rate: float
    before: np.ndarray
    state: dict[str, np.ndarray]
    gradient: float
    clipped: float
    limits: Limits
    own_bounds: tuple[float, float]

    @property
    def start(self) -> float:
        """The parameter before the step."""
        return float(self.before[0])

    def slot(self, name: str) -> float:
        """Return a number that the optimizer kept."""
        return float(self.state[name][0])


class _Step(NamedTuple):
    """A step that is linear in the gradient: -scale · (take · gradient + remembered).

    remembered : value, and what it is
    """

    scale: float
    take: float
    remembered: float
    memory: str
    note: str


def parts_of_step(given: Given) -> tuple[list[Part], list[str]]:
    """Return the parts that add up to a step, and what they do not say."""
    optimizer, terms = given.optimizer, _gradient_terms(given)
    notes: list[str] = []
    if type(optimizer) in LINEAR:
        step = LINEAR[type(optimizer)](optimizer, given, fsum(value for _, value in terms))
        parts = _linear_parts(step, terms)
        notes += [step.note] * bool(step.note)
    else:
        parts = _one_by_one(given, terms)
    if isinstance(optimizer, AdamW) and optimizer.weight_decay:
        numbers = (-given.rate, optimizer.weight_decay, given.start)
        decay = Part(float(np.prod(numbers)), "weight decay", "-rate · weight_decay · w", numbers)
        parts.append(decay)
    proposed = given.start + fsum(p.value for p in parts)
    return [*parts, *_held_back(given, proposed)], notes


def _gradient_terms(given: Given) -> list[tuple[str, float]]:
    """Return what the optimizer is given, as a sum."""
    optimizer, g = given.optimizer, given.gradient
    found = [("the gradient of the batch", g)]
    if optimizer.clip_value is not None:
        inside = min(max(g, -optimizer.clip_value), optimizer.clip_value)
        found.append((f"clip_value={optimizer.clip_value:g}", inside - g))
        g = inside
    if optimizer.clip_norm is not None:
        found.append((f"clip_norm={optimizer.clip_norm:g}", given.clipped - g))
    if optimizer.l2:
        found.append((f"penalty l2={optimizer.l2:g}", optimizer.l2 * given.start))
    if optimizer.l1:
        found.append((f"penalty l1={optimizer.l1:g}", optimizer.l1 * float(np.sign(given.start))))
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


def _sgd(optimizer: Any, given: Given, g: float) -> _Step:
    return _Step(given.rate, 1.0, 0.0, "", "scale = rate.")


def _momentum(optimizer: Any, given: Given, g: float) -> _Step:
    v, mu = given.slot("velocity"), optimizer.momentum
    note = f"scale = rate; the velocity was {short(v)}, momentum is {mu:g}."
    return _Step(given.rate, 1.0, mu * v, "the velocity, momentum · v", note)


def _nesterov(optimizer: Any, given: Given, g: float) -> _Step:
    v, mu = given.slot("velocity"), optimizer.momentum
    note = f"scale = rate, share = 1 + momentum; the velocity was {short(v)}, momentum is {mu:g}."
    return _Step(given.rate, 1 + mu, mu * mu * v, "the velocity, momentum² · v", note)


def _rmsprop(optimizer: Any, given: Given, g: float) -> _Step:
    square = optimizer.decay * given.slot("square") + (1 - optimizer.decay) * g**2
    scale = given.rate / (square**0.5 + optimizer.epsilon)
    note = f"scale = rate / (√v + epsilon), where v = {short(square)}, this gradient included."
    return _Step(scale, 1.0, 0.0, "", note)


def _adam(optimizer: Any, given: Given, g: float) -> _Step:
    mean, square, age = given.slot("mean"), given.slot("square"), given.slot("age") + 1
    beta1, beta2 = optimizer.beta1, optimizer.beta2
    square = beta2 * square + (1 - beta2) * g**2
    size = (square / (1 - beta2**age)) ** 0.5 + optimizer.epsilon
    scale = given.rate / (1 - beta1**age) / size
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


def _one_by_one(given: Given, terms: list[tuple[str, float]]) -> list[Part]:
    """Return what each term adds to a step that is not linear: the step with it less without."""
    optimizer = given.optimizer

    def step(gradient: float) -> float:
        g = np.array([gradient], given.before.dtype)
        kept = {slot: a.copy() for slot, a in given.state.items()}
        new, _ = optimizer.update(g, kept, given.before.copy(), given.rate)
        return float(new[0]) - given.start

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


def _held_back(given: Given, proposed: float) -> list[Part]:
    """Return what the parameter's own rate and its bounds did to the step."""
    parts: list[Part] = []
    limits = given.limits
    if limits.factor is not None and limits.factor[0] != 1:
        factor = float(limits.factor[0])
        numbers = (factor - 1, proposed - given.start)
        what = f"its own rate: rate_factor={factor:g}"
        parts.append(Part(numbers[0] * numbers[1], what, "(factor - 1) · step", numbers))
        proposed += numbers[0] * numbers[1]
    if limits.lower is not None and limits.upper is not None:
        low, high = float(limits.lower[0]), float(limits.upper[0])
        inside = min(max(proposed, low), high)
        if inside != proposed:
            rises = inside > proposed
            sign = "" if given.own_bounds[not rises] == inside else SHARED
            which = f"lower bound {low:g}" if rises else f"upper bound {high:g}"
            parts.append(Part(inside - proposed, f"{which}{sign}", "bound - weight"))
    return parts


SHARED = ", by the sign of its source or a tie"
