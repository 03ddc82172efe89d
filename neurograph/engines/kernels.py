"""The loops of the compiled engine, equations (1)-(7) over a `Program`.

Arrays are flat. States, outputs and deltas are (steps, tiles, neurons, lanes): the samples of a
batch are cut into tiles of `lanes` samples, side by side in a vector. `p` is the packed
program (see `neurograph.engines.program`), `w`, `b` the weights and biases, rows of the store.
`lanes` and `width` are constants of a compiled kernel: samples in a tile, and numbers in a
vector that runs along synapses.

A kernel never sees an index that `check(plan)` did not. Sums have one order, whatever the
number of threads.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

from numba import config, njit

from neurograph.engines.parts import (
    HISTORY,
    INDPTR,
    INPUT,
    LEAD,
    MEMORIES,
    MEMORY,
    N_INPUTS,
    N_OUTPUTS,
    NEURONS,
    NONE,
    OUT_INDPTR,
    OUT_RANK,
    OUTPUT,
    READS_INPUTS,
    SYNAPSES,
    TIE,
    TIE_INDPTR,
    TIES,
    Span,
)
from neurograph.engines.passes import (
    backward_rows,
    backward_steps,
    forward_rows,
    forward_steps,
    gradient_in_time,
    gradient_rows,
)
from neurograph.engines.single import backward_single, clear_inputs, forward_single, slopes
from neurograph.engines.updates import HELPER, INLINE, OPTIONS, descend_side, shrunk, wrong
from neurograph.engines.vectors import (
    at,
    cast,
    get,
    put,
)

# ---------------------------------------------------------------- losses

LOSSES = ("squared_error", "mse", "binary_cross_entropy", "categorical_cross_entropy", "hinge")
SQUARED_ERROR, MSE, BINARY, CATEGORICAL, HINGE = range(len(LOSSES))


class Task(NamedTuple):
    """What plain descent learns from, sample by sample.

    x : (samples, T, n_in), target : (samples, T, n_out) float64, flat
    order : samples in the order of learning; begin : where each batch begins, and the end
    loss : index into `LOSSES`; stable : (n_out,) 1 where an output is logistic
    weight : of each sample in the mean, if they are `weighted`
    asked : whether some target is NaN
    """

    x: Any
    target: Any
    order: Any
    begin: Any
    loss: int
    stable: Any
    weight: Any
    weighted: bool
    asked: bool


@njit(**INLINE)
def measure(p, run, task, z, t, scale, lanes):
    """Set ∂ℓ/∂y and ∂ℓ/∂s at the outputs at step t; return the loss, NaN where it has none."""
    n_out, loss = at(p, N_OUTPUTS), task.loss
    now = (at(p, HISTORY) + t) * at(p, NEURONS) * lanes
    here = (1 + t) * at(p, NEURONS) * lanes
    value = 0.0
    for lane in range(lanes):
        first = (at(run.row, lane) * z.steps + t) * n_out
        weight = scale * at(task.weight, at(run.row, lane)) if task.weighted else scale
        if loss == MSE:
            asked = 0
            for o in range(n_out):
                asked += 0 if math.isnan(at(task.target, first + o)) else 1
            weight = 2 * weight / max(1, asked)
        if loss == CATEGORICAL:
            top, z_sum, t_sum = -math.inf, 0.0, 0.0
            for o in range(n_out):
                top = max(top, float(at(run.y, now + get(p, OUTPUT, o) * lanes + lane)))
                t_sum += at(task.target, first + o)
            for o in range(n_out):
                z_sum += math.exp(at(run.y, now + get(p, OUTPUT, o) * lanes + lane) - top)
        for o in range(n_out):
            j = get(p, OUTPUT, o)
            target, y = at(task.target, first + o), float(at(run.y, now + j * lanes + lane))
            found, d_output, d_state = 0.0, 0.0, 0.0
            if not math.isnan(target) and lane < z.valid:
                if loss <= MSE:
                    found, d_output = 0.5 * (y - target) ** 2, y - target
                elif loss == BINARY and at(task.stable, o):
                    s = float(at(run.s, here + j * lanes + lane))
                    found = max(s, 0.0) + math.log1p(math.exp(-abs(s))) - target * s
                    d_state = y - target
                elif loss == BINARY and 0 < y < 1:
                    found = -target * math.log(y) - (1 - target) * math.log1p(-y)
                    d_output = (y - target) / (y * (1 - y))
                elif loss == BINARY:
                    found = math.nan
                elif loss == CATEGORICAL:
                    found = -target * (y - top - math.log(z_sum))
                    d_output = math.exp(y - top) / z_sum * t_sum - target
                elif target * y < 1:
                    found, d_output = 1 - target * y, -target
            value += found * weight
            put(run.d_output, (t * n_out + o) * lanes + lane, d_output * weight)
            put(run.d_state, (t * n_out + o) * lanes + lane, d_state * weight)
    return value


@njit(**INLINE)
def count_asked(p, task, first, last, n_steps):
    """Return how many pairs of sample and step of a batch are asked anything, by weight."""
    if not task.asked and not task.weighted:
        return float((last - first) * n_steps)
    n_out, asked = at(p, N_OUTPUTS), 0.0
    for q in range(first, last):
        for t in range(n_steps):
            o, any_ = (at(task.order, q) * n_steps + t) * n_out, 0
            for i in range(n_out):
                any_ |= 0 if math.isnan(at(task.target, o + i)) else 1
            asked += any_ * at(task.weight, at(task.order, q)) if task.weighted else any_
    return asked


# ---------------------------------------------------------------- whole loops


@njit(**INLINE)
def fill_inputs(p, run, task, n_steps, lanes):
    """Copy the inputs of the samples in `run.row` into y."""
    n_in, n = at(p, N_INPUTS), at(p, NEURONS)
    for t in range(n_steps):
        now = (at(p, HISTORY) + t) * n * lanes
        for lane in range(lanes):
            x0 = (at(run.row, lane) * n_steps + t) * n_in
            for c in range(n_in):
                put(run.y, now + get(p, INPUT, c) * lanes + lane, at(task.x, x0 + c))


@njit(**HELPER)
def share(p, gw):
    """Give each tied synapse the sum over its group."""
    for group in range(at(p, TIES)):
        q0, q1 = get(p, TIE_INDPTR, group), get(p, TIE_INDPTR, group + 1)
        found = cast(gw, 0)
        for q in range(q0, q1):
            found += at(gw, get(p, TIE, q))
        for q in range(q0, q1):
            put(gw, get(p, TIE, q), found)


@njit(**OPTIONS)
def update(p, w, b, gw, gb, recipe, rate, done):
    """Let an optimizer change all parameters; return 0 if all numbers are finite."""
    scale = 1.0
    if recipe.clip_norm > 0:
        scale = shrunk(p, TIES, TIE_INDPTR, TIE, gw, gb, recipe)
    bad = descend_side(recipe.weights, w, gw, recipe, recipe.l1, recipe.l2, recipe.decay, scale,
                       rate, done)  # fmt: skip
    return bad + descend_side(recipe.biases, b, gb, recipe, 0.0, 0.0, 0.0, scale, rate, done)


# What is written down for probes, in the order of `base.TAPPED`; what is gone is not a number.
T_WEIGHT, T_GRAD, T_BIAS, T_BIAS_GRAD, T_STATE, T_OUTPUT, T_DELTA, T_INPUT = range(8)


@njit(**OPTIONS)
def tap(p, w, b, gw, gb, run, task, taps, z, q, lanes):
    """Write down what probes ask for after update q: of the last step of the last sample."""
    if q < taps.first or (q - taps.first) % taps.every:
        return
    kinds, n = len(taps.kind), at(p, NEURONS)
    begin, lane = (q - taps.first) // taps.every * kinds, z.valid - 1
    for k in range(kinds):
        kind, i = at(taps.kind, k), at(taps.place, k)
        found = math.nan
        if kind == T_WEIGHT:
            found = float(at(w, i))
        elif kind == T_GRAD:
            found = float(at(gw, i))
        elif kind == T_BIAS:
            found = float(at(b, i))
        elif kind == T_BIAS_GRAD:
            found = float(at(gb, i))
        elif kind == T_STATE:
            found = float(at(run.s, (z.steps * n + i) * lanes + lane))
        elif kind == T_OUTPUT:
            found = float(at(run.y, ((at(p, HISTORY) + z.steps - 1) * n + i) * lanes + lane))
        elif kind == T_DELTA:
            found = float(at(run.delta, ((z.steps - 1) * n + i) * lanes + lane))
        elif kind == T_INPUT:
            x = (at(run.row, lane) * z.steps + z.steps - 1) * at(p, N_INPUTS)
            found = float(at(task.x, x + i))
        put(taps.rows, begin + k, found)


# ---------------------------------------------------------------- what is called from Python
# Plain functions; `kernels` compiles them for given LANES and WIDTH, and links them to each other.

LANES, WIDTH = 1, 4


def forward(p, w, b, table, run, z, t0, t1):
    """Run steps t0:t1 of a tile."""
    forward_steps(p, w, b, table, run, z, t0, t1, LANES, WIDTH)


def forward_part(p, w, b, table, run, z, t, stage, lo, hi):
    """Run rows lo:hi of a stage of a tile at step t."""
    forward_rows(p, w, b, table, run, z, t, stage, lo, hi, LANES, WIDTH)


def backward(p, w, table, run, z, t0, t1, want):
    """Run steps t1-1 … t0 of a tile backwards; `want`: ∂L/∂x too."""
    backward_steps(p, w, table, run, z, t0, t1, want, LANES, WIDTH)


def backward_part(p, w, table, run, z, t, stage, lo, hi):
    """Run rows lo:hi of a stage of a tile backwards at step t."""
    backward_rows(p, w, table, run, z, t, stage, lo, hi, True, LANES, WIDTH)


def reorder(p, w, run, z, e0, e1, needed):
    """Copy weights e0:e1 to the first `needed` places in which a backward pass streams them.

    Scattered stores need not be waited for: half the time of scattered loads.
    """
    for e in range(e0, e1):
        q = get(p, OUT_RANK, e)
        if q < needed:
            put(run.out_w, q, at(w, e))


def gradient(p, gw, gb, run, z, lo, hi, more):
    """Find the gradients of rows lo:hi from a tile, or add them to those of others."""
    gradient_rows(p, gw, gb, run, z, lo, hi, more, LANES, WIDTH)


def in_time(p, gw, gb, run, z, lo, hi, steps):
    """Find the gradients of rows lo:hi of one sample, whose steps lie side by side."""
    gradient_in_time(p, gw, gb, run, lo, hi, steps, WIDTH)


def single(p, w, gw, gb, table, run, z):
    """Find δ and gradients of one step of one sample."""
    slopes(p, table, run)
    clear_inputs(p, gw, gb, run.delta)
    backward_single(p, w, gb, gw, gb, run, z, True, True, False, 0.0, w, w)


def single_deltas(p, w, table, run, z):
    """Find δ of one step of one sample."""
    slopes(p, table, run)
    backward_single(p, w, w, w, w, run, z, True, False, False, 0.0, w, w)


def learn_single(p, w, b, gw, gb, table, run, task, recipe, taps, n_steps, q0, q1, values):
    """As `learn`, sample by sample, each of one step."""
    z = Span(0, 1, 1, 1, 0)
    clear_inputs(p, gw, gb, run.delta)
    alone = recipe.plain and not at(p, TIES)  # updated on the spot
    trainable_w, trainable_b = recipe.weights.trainable, recipe.biases.trainable
    for q in range(q0, q1):
        if not alone:  # a tie may have given them the gradient of its group
            clear_inputs(p, gw, gb, run.delta)
        put(run.row, 0, at(task.order, at(task.begin, q)))
        asked = count_asked(p, task, at(task.begin, q), at(task.begin, q + 1), 1)
        fill_inputs(p, run, task, 1, 1)
        forward_single(p, w, b, table, run, z)
        rate = at(recipe.rates, q)
        value = measure(p, run, task, z, 0, 1 / asked if asked > 0 else 1.0, 1)
        bad = backward_single(p, w, b, gw, gb, run, z, False, True, alone, rate,
                              trainable_w, trainable_b)  # fmt: skip
        if not alone:
            share(p, gw)
            bad += update(p, w, b, gw, gb, recipe, rate, q - q0)
        if len(taps.kind):
            tap(p, w, b, gw, gb, run, task, taps, z, q, 1)
        put(values, 2 * q, value), put(values, 2 * q + 1, asked)
        if not bad + value < math.inf:
            return q
    return q1


def learn(p, w, b, gw, gb, table, run, task, recipe, taps, n_steps, q0, q1, values):
    """Learn batches q0:q1 by gradient descent, each: gradients first, then the update.

    Returns the first batch that did not go well (a number is not finite, a loss has no value),
    with everything as that batch has left it, or q1. values[q] are loss and pairs asked.
    """
    n, lead = at(p, NEURONS), at(p, LEAD)
    row = n * LANES
    needed = get(p, OUT_INDPTR, n - lead)
    ends = get(p, INDPTR, lead)  # synapses that end at one of the first neurons, all inputs
    if at(p, MEMORIES):
        for j in range(lead):
            ends += get(p, MEMORY, j) != NONE
    if ends > 0:
        lead = 0
    for j in range(lead):
        put(gb, j, cast(gb, 0))
    for q in range(q0, q1):
        first, last = at(task.begin, q), at(task.begin, q + 1)
        asked = count_asked(p, task, first, last, n_steps)
        value, bad = 0.0, 0.0
        for tile in range(first, last, LANES):
            z = Span(0, 1, n_steps, min(LANES, last - tile), 0)
            if tile == first and needed > 0:
                reorder(p, w, run, z, 0, at(p, SYNAPSES), needed)
            for lane in range(LANES):
                put(run.row, lane, at(task.order, min(tile + lane, last - 1)))
            if at(p, READS_INPUTS) or LANES == 1:
                fill_inputs(p, run, task, n_steps, LANES)
            forward(p, w, b, table, run, z, 0, n_steps)
            late = (at(p, HISTORY) - 1) * row  # where y of the same step and neuron is
            for t in range(1, 1 + n_steps):
                for i in range(t * row + lead * LANES, (t + 1) * row):
                    bad += wrong(at(run.s, i) + at(run.y, late + i))
            for t in range(n_steps):
                value += measure(p, run, task, z, t, 1 / asked if asked > 0 else 1.0, LANES)
            backward(p, w, table, run, z, 0, n_steps, False)
            gradient(p, gw, gb, run, z, lead, n, tile > first)
        share(p, gw)
        bad += update(p, w, b, gw, gb, recipe, at(recipe.rates, q), q - q0)
        if len(taps.kind):
            last_tile = first + (last - first - 1) // LANES * LANES
            z = Span(0, 1, n_steps, last - last_tile, 0)
            tap(p, w, b, gw, gb, run, task, taps, z, q, LANES)
        put(values, 2 * q, value), put(values, 2 * q + 1, asked)
        if not bad + value < math.inf:
            return q
    return q1


class Kernels(NamedTuple):
    """The functions above, compiled for one number of lanes and one width."""

    forward: Any
    forward_part: Any
    backward: Any
    backward_part: Any
    reorder: Any
    gradient: Any
    in_time: Any
    single: Any
    single_deltas: Any
    learn_single: Any
    learn: Any


def digest(*names: str) -> str:
    """Return a digest of all code that is in some kernels, and of how it is compiled."""
    here = Path(__file__)
    source = b"".join(here.with_name(f"{name}.py").read_bytes() for name in names)
    source += str(config.BOUNDSCHECK).encode()  # which numba does not keep apart
    return hashlib.sha256(source).hexdigest()[:16]


# Of the files from which these modules have just been loaded: a later version on the disk, as while
# a package is updated, would have kernels of this one kept under its name.
CODE_OF = ("kernels", "natives", "parts", "passes", "products", "single", "updates", "vectors")
CODE = digest(*CODE_OF)


@cache
def kernels(lanes: int, width: int) -> Kernels:
    """Return the kernels for tiles of `lanes` samples and vectors of `width` numbers.

    Numba keeps them on disk under a name that tells both, and the digest of all code that is
    in them.
    """
    made: dict[str, Any] = {"LANES": lanes, "WIDTH": width}
    for name in Kernels._fields:
        kernel = FunctionType(globals()[name].__code__, {**globals(), **made}, name)
        kernel.__qualname__ = f"{name}_{lanes}_{width}_{CODE}"
        made[name] = njit(cache=True, **OPTIONS)(kernel)
    return Kernels(*(made[name] for name in Kernels._fields))
