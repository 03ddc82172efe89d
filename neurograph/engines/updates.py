"""Updates of parameters inside a kernel: what `neurograph.learning.updates` defines.

All loops run over one array of parameters, so that each becomes vector instructions.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from numba import njit

from neurograph.engines.vectors import at, cast, get, nought, put

# Error model and rounding of every kernel; see `vectors.FAST`.
OPTIONS = {
    "nogil": True,
    "_nrt": False,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz"},
}
HELPER = {**OPTIONS, "forceinline": True}  # by LLVM: small, and called from several places
INLINE = {**OPTIONS, "inline": "always"}  # by numba, before types: a kernel is optimised once

# Optimizers, by the name of their class.
RULES = ("SGD", "Momentum", "Nesterov", "RMSprop", "Adam", "AdamW", "Rprop")
SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAMW, RPROP = range(len(RULES))


class Side(NamedTuple):
    """What belongs to the weights, or to the biases.

    one, two, three : what the optimizer keeps, in the order of its slots; empty if not used
    trainable : uint8, 0 where frozen; factor, lower, upper : empty where nothing is limited
    change, before : room
    steps, scales : for each batch rate / (1 - β1^n) and (1 - β2^n)^-1/2, of Adam's correction of n
        updates; empty if parameters differ in their n. Not found here: LLVM would divide by
        them at every parameter, for it may sort products and quotients anew
    """

    one: Any
    two: Any
    three: Any
    trainable: Any
    factor: Any
    lower: Any
    upper: Any
    change: Any
    before: Any
    steps: Any
    scales: Any


class Recipe(NamedTuple):
    """An optimizer: its rule, its constants, the rate of each batch; 0: not clipped.

    l1, l2, decay : of the weights only
    tiny : the least normal number; a running mean below it counts as 0 (see `normal`)
    plain : whether it is SGD and nothing else
    """

    rule: int
    constants: Any
    rates: Any
    clip_value: float
    clip_norm: float
    l1: float
    l2: float
    decay: float
    weights: Side
    biases: Side
    tiny: float
    plain: bool


@njit(**HELPER)
def wrong(x):
    """Return 0 if x is finite, else NaN.

    A product with 0, which the compiler must not take for 0. Where it adds many numbers before
    the product, their sum may be infinite though they are not: so what fails is done again,
    step by step, and only that decides. x - x would not do: of a sum, the terms cancel.
    """
    return x * nought(x)


@njit(**HELPER)
def normal(x, tiny):
    """Return x, or 0 if it is subnormal.

    The running mean of a gradient that stays 0 would end among subnormal numbers, which slowed
    an update by Adam to a third.
    """
    return tiny - tiny if abs(x) < tiny else x


@njit(**OPTIONS)
def prepare(side, w, g, recipe, l1, l2, scale):
    """Fill `change` with the gradient clipped, penalised, and 0 where frozen."""
    most, bad = cast(w, recipe.clip_value), cast(w, 0)
    a, b, c = cast(w, l1), cast(w, l2), cast(w, scale)
    for e in range(len(w)):
        d = at(g, e)
        bad += wrong(d)
        if len(side.trainable) and not at(side.trainable, e):
            put(side.change, e, cast(w, 0))
            continue
        if most > 0:
            d = min(max(d, -most), most)
        here = at(w, e)
        slope = 1 if here > 0 else (-1 if here < 0 else 0)
        put(side.change, e, d * c + b * here + a * cast(w, slope))
    return bad


@njit(**OPTIONS)
def square_norm(side, g, most):
    """Return Σ g² over what is trainable, each entry clipped if `most` > 0."""
    total = 0.0
    for e in range(len(g)):
        if len(side.trainable) and not at(side.trainable, e):
            continue
        d = float(at(g, e))
        if most > 0:
            d = min(max(d, -most), most)
        total += d * d
    return total


@njit(**OPTIONS)
def shrunk(p, ties, tie_indptr, tie, gw, gb, recipe):
    """Return the factor that brings the gradient to its greatest norm; ties count once."""
    side, most = recipe.weights, recipe.clip_value
    total = square_norm(side, gw, most) + square_norm(recipe.biases, gb, most)
    for group in range(at(p, ties)):
        q0, q1 = get(p, tie_indptr, group), get(p, tie_indptr, group + 1)
        e = get(p, tie, q0)
        if len(side.trainable) and not at(side.trainable, e):
            continue
        d = float(at(gw, e))
        if most > 0:
            d = min(max(d, -most), most)
        total -= (q1 - q0 - 1) * d * d
    norm = math.sqrt(max(total, 0.0))
    return recipe.clip_norm / norm + wrong(norm) if norm > recipe.clip_norm else 1.0


@njit(**OPTIONS)
def move(side, w, d, recipe, decay, rate, done):
    """Let the optimizer change w along d; return 0 if all numbers are finite."""
    k, step, bad, one_ = recipe.constants, cast(w, rate), cast(w, 0), cast(w, 1)
    a, b, c = cast(w, at(k, 0)), cast(w, at(k, 1)), cast(w, at(k, 2))
    rule, one, two, tiny = recipe.rule, side.one, side.two, cast(w, recipe.tiny)
    if rule == SGD:
        for e in range(len(w)):
            put(w, e, at(w, e) - step * at(d, e))
            bad += wrong(at(w, e))
    elif rule == MOMENTUM:
        for e in range(len(w)):
            v = normal(a * at(one, e) + at(d, e), tiny)
            put(one, e, v), put(w, e, at(w, e) - step * v)
            bad += wrong(at(w, e))
    elif rule == NESTEROV:
        for e in range(len(w)):
            v = normal(a * at(one, e) + at(d, e), tiny)
            put(one, e, v), put(w, e, at(w, e) - step * (at(d, e) + a * v))
            bad += wrong(at(w, e))
    elif rule == RMSPROP:
        for e in range(len(w)):
            v = normal(a * at(one, e) + (one_ - a) * at(d, e) * at(d, e), tiny)
            put(one, e, v), put(w, e, at(w, e) - step * at(d, e) / (math.sqrt(v) + b))
            bad += wrong(at(w, e)) + wrong(v)
    elif rule == RPROP:
        bad = resilient(side, w, d, a, b, c, cast(w, at(k, 3)), step)
    else:
        keep = one_ - step * cast(w, decay)
        if len(side.steps) == 0:
            bad = adam_by_age(side, w, d, at(k, 0), at(k, 1), c, keep, rate, tiny)
        else:
            step, scale = at(side.steps, done), at(side.scales, done)
            for e in range(len(w)):
                m = normal(a * at(one, e) + (one_ - a) * at(d, e), tiny)
                v = normal(b * at(two, e) + (one_ - b) * at(d, e) * at(d, e), tiny)
                put(one, e, m), put(two, e, v)
                put(w, e, keep * at(w, e) - step * (m / (math.sqrt(v) * scale + c)))
                bad += wrong(at(w, e)) + wrong(v)
    return bad


@njit(**OPTIONS)
def adam_by_age(side, w, d, beta1, beta2, epsilon, keep, rate, tiny):
    """As `move`, for Adam, where parameters differ in age."""
    one, two, three, bad, one_ = side.one, side.two, side.three, cast(w, 0), cast(w, 1)
    a, b = cast(w, beta1), cast(w, beta2)
    for e in range(len(w)):
        n = float(at(three, e)) + 1
        m = normal(a * at(one, e) + (one_ - a) * at(d, e), tiny)
        v = normal(b * at(two, e) + (one_ - b) * at(d, e) * at(d, e), tiny)
        put(one, e, m), put(two, e, v), put(three, e, cast(w, n))
        size = math.sqrt(v) * cast(w, 1 / math.sqrt(1 - beta2**n)) + epsilon
        put(w, e, keep * at(w, e) - cast(w, rate / (1 - beta1**n)) * (m / size))
        bad += wrong(at(w, e)) + wrong(v)
    return bad


@njit(**OPTIONS)
def resilient(side, w, d, shrink, grow, least, most, rate):
    """As `move`, for Rprop."""
    before, sizes, bad, zero = side.one, side.two, cast(w, 0), cast(w, 0)
    for e in range(len(w)):
        found = at(d, e)
        turned = found * at(before, e)
        size = at(sizes, e) if at(sizes, e) > 0 else rate
        if turned > 0:
            size *= grow
        elif turned < 0:
            size *= shrink
            found = zero
        size = min(max(size, least), most)
        put(before, e, found), put(sizes, e, size)
        if found > 0:
            put(w, e, at(w, e) - size)
        elif found < 0:
            put(w, e, at(w, e) + size)
        bad += wrong(at(w, e)) + wrong(turned)
    return bad


@njit(**OPTIONS)
def hold(side, w):
    """Keep parameters where they are frozen, at their own rates, and within bounds."""
    for e in range(len(w)):
        was, new = at(side.before, e), at(w, e)
        if len(side.factor):
            new = was + at(side.factor, e) * (new - was)
        if len(side.trainable) and not at(side.trainable, e):
            new = was
        elif len(side.lower):
            new = min(max(new, at(side.lower, e)), at(side.upper, e))
        put(w, e, new)


@njit(**OPTIONS)
def descend_side(side, w, g, recipe, l1, l2, decay, scale, rate, done):
    """Change the weights, or the biases; return 0 if all numbers are finite."""
    held = len(side.trainable) > 0 or len(side.factor) > 0 or len(side.lower) > 0
    bad = cast(w, 0)
    if held:
        for e in range(len(w)):
            put(side.before, e, at(w, e))
    if len(side.change):
        bad += prepare(side, w, g, recipe, l1, l2, scale)
        bad += move(side, w, side.change, recipe, decay, rate, done)
    else:
        bad += move(side, w, g, recipe, decay, rate, done)
    if held:
        hold(side, w)
    return bad
