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

from numba import config, literally, njit

from neurograph.engines.updates import HELPER, OPTIONS, descend_side, shrunk, wrong
from neurograph.engines.vectors import (
    add,
    at,
    call,
    cast,
    get,
    load,
    mad,
    mul,
    put,
    splat,
    store,
    total,
)

INLINE = {**OPTIONS, "inline": "always"}  # by numba, before types: a kernel is optimised once

NONE = 2**32 - 1
ROWS = 64  # whose slopes are found at a time

# What a program begins with: sizes, then where each of its parts begins.
SIZES = (
    "neurons",
    "synapses",
    "history",
    "inputs",
    "outputs",
    "stages",
    "blocks",
    "gates",
    "memories",
    "ties",
    "lead",
    "reads_inputs",
)
PARTS = (
    "indptr",
    "source",
    "delay",
    "kind",
    "first",
    "last",
    "out_indptr",
    "out_rank",
    "out_synapse",
    "out_target",
    "out_kind",
    "memory",
    "gater",
    "late",
    "gated_indptr",
    "gated",
    "gated_target",
    "stage",
    "run_indptr",
    "run",
    "code",
    "port",
    "input",
    "output",
    "tie_indptr",
    "tie",
    "block_indptr",
    "block_row",
    "block_end",
    "block_source",
    "block_size",
    "block_delay",
    "block_column",
)
(NEURONS, SYNAPSES, HISTORY, N_INPUTS, N_OUTPUTS, STAGES, BLOCKS, GATES, MEMORIES, TIES, LEAD,
 READS_INPUTS) = range(len(SIZES))  # fmt: skip
(INDPTR, SOURCE, DELAY, KIND, FIRST, LAST, OUT_INDPTR, OUT_RANK, OUT_SYNAPSE, OUT_TARGET, OUT_KIND,
 MEMORY, GATER, LATE, GATED_INDPTR, GATED, GATED_TARGET, STAGE, RUN_INDPTR, RUN, CODE, PORT, INPUT,
 OUTPUT, TIE_INDPTR, TIE, BLOCK_INDPTR, BLOCK_ROW, BLOCK_END, BLOCK_SOURCE, BLOCK_SIZE, BLOCK_DELAY,
 BLOCK_COLUMN) = range(len(SIZES), len(SIZES) + len(PARTS))  # fmt: skip


class Run(NamedTuple):
    """The arrays of a run, flat; T steps after H of history, K tiles, N neurons, L lanes.

    s : (1+T, K, N, L), y : (H+T, K, N, L), delta : (T, K, N, L)
    d_output, d_state : (T, K, n_out, L), d_input : (T, K, n_in, L)
    eps : (N, L)            what blocks send back within a step
    slope : f'(s) of some rows, or of all N where L is 1; then room for as many
    out_w : (E,)            weights in the order in which they are read backwards
    pack, off : (L, largest block), (L,)    a block's sources, sample by sample
    x, row : inputs as users gave them, and which sample is in each lane; or empty
    """

    s: Any
    y: Any
    delta: Any
    d_output: Any
    d_state: Any
    d_input: Any
    eps: Any
    slope: Any
    out_w: Any
    pack: Any
    off: Any
    x: Any
    row: Any


class Span(NamedTuple):
    """Which part of a run: tile k of K, all T steps, samples in this tile, steps since rest."""

    k: int
    tiles: int
    steps: int
    valid: int
    since: int


# ---------------------------------------------------------------- sums over synapses


@njit(**HELPER)
def gather(p, part, w, x, plane, e0, e1, acc, lanes):
    """Add Σ w_e x[plane + i_e] over entries e0:e1 to `acc`; `part` is where the i_e begin."""
    lanes = literally(lanes)
    if lanes == 1:  # left to LLVM, which sums many at a time: a single sum waits for itself
        found = cast(x, 0)
        for e in range(e0, e1):
            found += at(w, e) * at(x, plane + at(p, part + e))
        return add(acc, splat(found, lanes))
    for e in range(e0, e1):
        acc = mad(splat(at(w, e), lanes), load(x, plane + at(p, part + e) * lanes, lanes), acc)
    return acc


@njit(**HELPER)
def dot(a, a0, x, x0, n, width):
    """Return Σ a[a0 + i] x[x0 + i] over n neighbours."""
    width = literally(width)
    acc = splat(cast(a, 0), width)
    whole = n - n % width
    for i in range(0, whole, width):
        acc = mad(load(a, a0 + i, width), load(x, x0 + i, width), acc)
    result = total(acc)
    for i in range(whole, n):
        result += at(a, a0 + i) * at(x, x0 + i)
    return result


@njit(**HELPER)
def axpy(c, a, a0, x, x0, n, width):
    """Add c a[a0 + i] to x[x0 + i] for n neighbours."""
    width = literally(width)
    many = splat(c, width)
    whole = n - n % width
    for i in range(0, whole, width):
        store(x, x0 + i, mad(many, load(a, a0 + i, width), load(x, x0 + i, width)))
    for i in range(whole, n):
        put(x, x0 + i, at(x, x0 + i) + c * at(a, a0 + i))


@njit(**HELPER)
def gain(p, y, e, t, plane, z, lanes):
    """Return γ_e(t), equation (1), for a gated synapse; `plane` is where y(t) begins."""
    lanes = literally(lanes)
    late = get(p, LATE, e)
    if z.since + t < late:
        return splat(cast(y, 1), lanes)
    row = at(p, NEURONS) * lanes
    return load(y, plane - late * z.tiles * row + get(p, GATER, e) * lanes, lanes)


# ---------------------------------------------------------------- forward


@njit(**INLINE)
def forward_rows(p, w, b, table, run, z, t, stage, lo, hi, lanes, width):
    """Fill rows lo:hi of a stage at step t, equations (1)-(3)."""
    s, y = run.s, run.y
    row = at(p, NEURONS) * lanes
    step = z.tiles * row
    now = at(p, HISTORY) * step + t * step + z.k * row  # y(t)
    before = t * step + z.k * row  # s(t - 1)
    here = before + step  # s(t)
    blocks, gates, memories, source = at(p, BLOCKS), at(p, GATES), at(p, MEMORIES), at(p, SOURCE)
    if blocks and lanes > 1:
        forward_blocks(p, w, run, z, t, stage, lo, hi, now, here, lanes, width)
    for r in range(get(p, RUN_INDPTR, stage), get(p, RUN_INDPTR, stage + 1)):
        code = get(p, CODE, r)
        j0, j1 = max(lo, get(p, RUN, r)), min(hi, get(p, RUN, r + 1))
        if code == NONE or j0 >= j1:
            continue  # (4)
        for j in range(j0, j1):
            acc = splat(at(b, j), lanes)
            e0, e1, kind = get(p, INDPTR, j), get(p, INDPTR, j + 1), get(p, KIND, j)
            plane = now - kind * step
            if kind == NONE:
                acc = add(acc, mixed(p, w, y, j, t, now, z, lanes))
            elif blocks:
                f0, f1 = get(p, FIRST, j), get(p, LAST, j)
                if f0 < f1:
                    if lanes > 1:
                        acc = add(acc, load(s, here + j * lanes, lanes))
                    else:
                        x0 = plane + get(p, SOURCE, f0)
                        acc = add(acc, splat(dot(w, f0, y, x0, f1 - f0, width), lanes))
                acc = gather(p, source, w, y, plane, e0, f0, acc, lanes)
                acc = gather(p, source, w, y, plane, f1, e1, acc, lanes)
            else:
                acc = gather(p, source, w, y, plane, e0, e1, acc, lanes)
            if memories:
                e = get(p, MEMORY, j)
                if e != NONE:
                    term = mul(splat(at(w, e), lanes), load(s, before + j * lanes, lanes))
                    if gates and get(p, GATER, e) != NONE:
                        term = mul(term, gain(p, y, e, t, now, z, lanes))
                    acc = add(acc, term)
            store(s, here + j * lanes, acc)
        call(at(table, 2 * code), s, here + j0 * lanes, y, now + j0 * lanes, run.slope,
             j0 * lanes, (j1 - j0) * lanes)  # fmt: skip


@njit(**OPTIONS)
def mixed(p, w, y, j, t, now, z, lanes):
    """Return Σ γ w y of a row whose synapses differ in delay, or are gated, equation (2)."""
    lanes = literally(lanes)
    step = z.tiles * at(p, NEURONS) * lanes
    acc = splat(cast(w, 0), lanes)
    for e in range(get(p, INDPTR, j), get(p, INDPTR, j + 1)):
        x = load(y, now - get(p, DELAY, e) * step + get(p, SOURCE, e) * lanes, lanes)
        term = mul(splat(at(w, e), lanes), x)
        if at(p, GATES) and get(p, GATER, e) != NONE:
            term = mul(term, gain(p, y, e, t, now, z, lanes))
        acc = add(acc, term)
    return acc


@njit(**INLINE)
def forward_blocks(p, w, run, z, t, stage, lo, hi, now, here, lanes, width):
    """Put what rows lo:hi get from the dense blocks of a stage into their states."""
    step = z.tiles * at(p, NEURONS) * lanes
    for q in range(get(p, BLOCK_INDPTR, stage), get(p, BLOCK_INDPTR, stage + 1)):
        r0, r1 = max(lo, get(p, BLOCK_ROW, q)), min(hi, get(p, BLOCK_END, q))
        if r0 < r1:
            plane = now - get(p, BLOCK_DELAY, q) * step
            if from_x(p, run, z, t, q):
                products(p, w, r0, r1, q, run.x, run, z, here, lanes, width)
            else:
                transpose(p, run, z, q, plane, lanes)
                products(p, w, r0, r1, q, run.pack, run, z, here, lanes, width)


@njit(**INLINE)
def forward_steps(p, w, b, table, run, z, t0, t1, lanes, width):
    """Run steps t0:t1, all stages."""
    n = at(p, NEURONS)
    for t in range(t0, t1):
        for stage in range(at(p, STAGES)):
            forward_rows(p, w, b, table, run, z, t, stage, 0, n, lanes, width)


# ---------------------------------------------------------------- backward


@njit(**INLINE)
def backward_rows(p, w, table, run, z, t, stage, lo, hi, want, lanes, width):
    """Fill δ(t) of rows lo:hi of a stage, equations (5) and (6), from what their neurons reach.

    `want`: ∂L/∂x too.
    """
    s, y, delta, slope = run.s, run.y, run.delta, run.slope
    n = at(p, NEURONS)
    row = n * lanes
    step = z.tiles * row
    here = t * step + z.k * row  # δ(t); s(t) is one step on
    now = at(p, HISTORY) * step + here
    blocks, gates, memories = at(p, BLOCKS), at(p, GATES), at(p, MEMORIES)
    target = at(p, OUT_TARGET)
    for r in range(get(p, RUN_INDPTR, stage), get(p, RUN_INDPTR, stage + 1)):
        code = get(p, CODE, r)
        j0, j1 = max(lo, get(p, RUN, r)), min(hi, get(p, RUN, r + 1))
        if j0 >= j1 or (code == NONE and not want):
            continue
        for c1 in range(j1, j0, -ROWS):  # few rows, whose slopes stay in the first-level cache
            c0 = max(c1 - ROWS, j0)
            if code != NONE:
                call(at(table, 2 * code + 1), s, here + step + c0 * lanes, slope, ROWS * lanes,
                     slope, 0, (c1 - c0) * lanes)  # fmt: skip
            for j in range(c1 - 1, c0 - 1, -1):  # as `out_w` is ordered
                acc = load(run.eps, j * lanes, lanes) if blocks else splat(cast(y, 0), lanes)
                out = n - 1 - j
                kind = get(p, OUT_KIND, out)
                if kind == NONE:
                    acc = add(acc, sent(p, w, y, delta, out, t, z, lanes))
                elif t + kind < z.steps:
                    q0, q1 = get(p, OUT_INDPTR, out), get(p, OUT_INDPTR, out + 1)
                    plane = here + kind * step
                    acc = gather(p, target, run.out_w, delta, plane, q0, q1, acc, lanes)
                if gates:
                    acc = add(acc, gated(p, w, s, y, delta, j, t, z, lanes))
                port = get(p, PORT, j)
                if code == NONE:
                    store(run.d_input, ((t * z.tiles + z.k) * at(p, N_INPUTS) + port) * lanes, acc)
                    continue
                o = ((t * z.tiles + z.k) * at(p, N_OUTPUTS) + port) * lanes
                if port != NONE:
                    acc = add(acc, load(run.d_output, o, lanes))
                acc = mul(acc, load(slope, (j - c0) * lanes, lanes))
                if port != NONE:
                    acc = add(acc, load(run.d_state, o, lanes))
                if memories and t + 1 < z.steps:
                    e = get(p, MEMORY, j)
                    if e != NONE:
                        d = load(delta, here + step + j * lanes, lanes)
                        term = mul(splat(at(w, e), lanes), d)
                        if gates and get(p, GATER, e) != NONE:
                            term = mul(term, gain(p, y, e, t + 1, now + step, z, lanes))
                        acc = add(acc, term)
                store(delta, here + j * lanes, acc)


@njit(**OPTIONS)
def sent(p, w, y, delta, out, t, z, lanes):
    """Return Σ γ w δ over synapses that leave a neuron with different delays, or gated."""
    lanes = literally(lanes)
    row = at(p, NEURONS) * lanes
    acc = splat(cast(w, 0), lanes)
    for q in range(get(p, OUT_INDPTR, out), get(p, OUT_INDPTR, out + 1)):
        e = get(p, OUT_SYNAPSE, q)
        u = t + get(p, DELAY, e)
        if u < z.steps:
            plane = (u * z.tiles + z.k) * row
            d = load(delta, plane + get(p, OUT_TARGET, q) * lanes, lanes)
            term = mul(splat(at(w, e), lanes), d)
            if at(p, GATES) and get(p, GATER, e) != NONE:
                now = plane + at(p, HISTORY) * z.tiles * row
                term = mul(term, gain(p, y, e, u, now, z, lanes))
            acc = add(acc, term)
    return acc


@njit(**OPTIONS)
def gated(p, w, s, y, delta, j, t, z, lanes):
    """Return Σ w x δ over synapses gated by j, the last two sums of equation (5)."""
    lanes = literally(lanes)
    row = at(p, NEURONS) * lanes
    n_synapses = at(p, SYNAPSES)
    acc = splat(cast(w, 0), lanes)
    for q in range(get(p, GATED_INDPTR, j), get(p, GATED_INDPTR, j + 1)):
        e = get(p, GATED, q)
        u = t + get(p, LATE, e)
        if u < z.steps:
            target = get(p, GATED_TARGET, q)
            if e >= n_synapses:
                x = load(s, (u * z.tiles + z.k) * row + target * lanes, lanes)
            else:
                v = at(p, HISTORY) + u - get(p, DELAY, e)
                x = load(y, (v * z.tiles + z.k) * row + get(p, SOURCE, e) * lanes, lanes)
            d = load(delta, (u * z.tiles + z.k) * row + target * lanes, lanes)
            acc = add(acc, mul(mul(splat(at(w, e), lanes), x), d))
    return acc


@njit(**INLINE)
def backward_steps(p, w, table, run, z, t0, t1, want, lanes, width):
    """Run steps t1-1 … t0 backwards, all stages."""
    n, n_stages = at(p, NEURONS), at(p, STAGES)
    for t in range(t1 - 1, t0 - 1, -1):
        if at(p, BLOCKS):
            for i in range(0 if want else at(p, LEAD) * lanes, n * lanes):
                put(run.eps, i, cast(run.y, 0))
        # First what blocks with a delay send, from later steps; then stage by stage.
        for turn in range(2 * n_stages - 1 if at(p, BLOCKS) else n_stages - 1, -1, -1):
            if turn < n_stages:
                backward_rows(p, w, table, run, z, t, turn, 0, n, want, lanes, width)
            if at(p, BLOCKS):
                push(p, w, run, z, t, turn % n_stages, turn >= n_stages, want, lanes, width)


@njit(**OPTIONS)
def push(p, w, run, z, t, stage, delayed, want, lanes, width):
    """Add what the blocks of a stage send back to `eps`: those with a delay, or those without."""
    lanes, width = literally(lanes), literally(width)
    row = at(p, NEURONS) * lanes
    for q in range(get(p, BLOCK_INDPTR, stage), get(p, BLOCK_INDPTR, stage + 1)):
        i0, size, d = get(p, BLOCK_SOURCE, q), get(p, BLOCK_SIZE, q), get(p, BLOCK_DELAY, q)
        if (d > 0) != delayed or t + d >= z.steps or not (want or i0 + size > at(p, LEAD)):
            continue
        r0, r1 = get(p, BLOCK_ROW, q), get(p, BLOCK_END, q)
        plane = ((t + d) * z.tiles + z.k) * row
        if lanes == 1:
            for j in range(r0, r1):
                axpy(at(run.delta, plane + j), w, get(p, FIRST, j), run.eps, i0, size, width)
            continue
        for i in range(z.valid * size):
            put(run.pack, i, cast(w, 0))
        for j in range(r0, r1):
            e = get(p, FIRST, j)
            for lane in range(z.valid):
                d = at(run.delta, plane + j * lanes + lane)
                axpy(d, w, e, run.pack, lane * size, size, width)
        for i in range(size):
            for lane in range(z.valid):
                o = (i0 + i) * lanes + lane
                put(run.eps, o, at(run.eps, o) + at(run.pack, lane * size + i))


# ---------------------------------------------------------------- gradients


@njit(**INLINE)
def gradient_rows(p, gw, gb, run, z, lo, hi, more, lanes, width):
    """Find ∂L/∂w and ∂L/∂b of rows lo:hi from a tile, equation (7); `more` adds them up.

    Every synapse has its own sum, so rows can be shared out among threads.
    """
    s, y, delta = run.s, run.y, run.delta
    row = at(p, NEURONS) * lanes
    step = z.tiles * row
    first = at(p, HISTORY) * step + z.k * row  # y(0)
    blocks, gates, source = at(p, BLOCKS), at(p, GATES), at(p, SOURCE)
    for j in range(lo, hi):
        d0 = z.k * row + j * lanes
        acc = splat(cast(y, 0), lanes)
        for t in range(z.steps):
            acc = add(acc, load(delta, d0 + t * step, lanes))
        collect(gb, j, total(acc), more)
        e0, e1, kind = get(p, INDPTR, j), get(p, INDPTR, j + 1), get(p, KIND, j)
        f0 = f1 = e1
        if blocks:
            f0, f1 = get(p, FIRST, j), get(p, LAST, j)
            if lanes == 1 and f0 < f1:
                gradient_run(p, gw, run, z, j, f0, f1, more, width)
        for half in range(2):
            begin, end = (e0, f0) if half == 0 else (f1, e1)
            if z.steps == 1 and kind != NONE:
                d, plane = load(delta, d0, lanes), first - kind * step
                for e in range(begin, end):
                    x = load(y, plane + at(p, source + e) * lanes, lanes)
                    collect(gw, e, total(mul(d, x)), more)
                continue
            for e in range(begin, end):
                x0 = first + at(p, source + e) * lanes
                x0 -= (kind if kind != NONE else get(p, DELAY, e)) * step
                if kind == NONE and gates and get(p, GATER, e) != NONE:
                    found = gradient_gated(p, y, delta, z, e, d0, y, x0, lanes)
                else:
                    acc = mul(load(delta, d0, lanes), load(y, x0, lanes))
                    for t in range(1, z.steps):
                        d = load(delta, d0 + t * step, lanes)
                        acc = mad(d, load(y, x0 + t * step, lanes), acc)
                    found = total(acc)
                collect(gw, e, found, more)
        if at(p, MEMORIES):
            e = get(p, MEMORY, j)
            if e != NONE:
                collect(gw, e, gradient_gated(p, y, delta, z, e, d0, s, d0, lanes), more)
    if blocks and lanes > 1:
        gradient_blocks(p, gw, run, z, lo, hi, more, lanes, width)


@njit(**HELPER)
def collect(g, i, found, more):
    """Write a sum, or add it to what is there."""
    put(g, i, found + at(g, i) if more else found)


@njit(**OPTIONS)
def gradient_gated(p, y, delta, z, e, d0, x, x0, lanes):
    """Return Σ_t δ(t) γ_e(t) x(t) of one synapse, gated or not."""
    lanes = literally(lanes)
    row = at(p, NEURONS) * lanes
    step = z.tiles * row
    first = at(p, HISTORY) * step + z.k * row
    acc = splat(cast(x, 0), lanes)
    for t in range(z.steps):
        term = load(x, x0 + t * step, lanes)
        if at(p, GATES) and get(p, GATER, e) != NONE:
            term = mul(term, gain(p, y, e, t, first + t * step, z, lanes))
        acc = mad(load(delta, d0 + t * step, lanes), term, acc)
    return total(acc)


@njit(**INLINE)
def gradient_run(p, gw, run, z, j, f0, f1, more, width):
    """Find ∂L/∂w of the block's synapses f0:f1 of row j, one lane."""
    row = at(p, NEURONS)
    step = z.tiles * row
    x0 = (at(p, HISTORY) - get(p, KIND, j)) * step + z.k * row + get(p, SOURCE, f0)
    if not more:
        for e in range(f0, f1):
            put(gw, e, cast(run.y, 0))
    for t in range(z.steps):
        d = at(run.delta, t * step + z.k * row + j)
        axpy(d, run.y, x0 + t * step, gw, f0, f1 - f0, width)


@njit(**INLINE)
def gradient_blocks(p, gw, run, z, lo, hi, more, lanes, width):
    """Find ∂L/∂w of the dense blocks in rows lo:hi."""
    row = at(p, NEURONS) * lanes
    step = z.tiles * row
    for q in range(get(p, BLOCK_INDPTR, at(p, STAGES))):
        r0, r1 = max(lo, get(p, BLOCK_ROW, q)), min(hi, get(p, BLOCK_END, q))
        if r0 >= r1:
            continue
        for t in range(z.steps):
            here = t * step + z.k * row
            again = more or t > 0
            if from_x(p, run, z, t, q):
                outer(p, gw, r0, r1, q, run.x, run, z, here, again, lanes, width)
            else:
                plane = here + (at(p, HISTORY) - get(p, BLOCK_DELAY, q)) * step
                transpose(p, run, z, q, plane, lanes)
                outer(p, gw, r0, r1, q, run.pack, run, z, here, again, lanes, width)


@njit(**INLINE)
def gradient_in_time(p, gw, gb, run, lo, hi, steps, width):
    """As `gradient_rows`, for one sample and rows without gates: steps lie side by side.

    run.y is (N, H + steps), run.delta is (N, steps), both filled up with 0 at the end.
    """
    source, history = at(p, SOURCE), at(p, HISTORY)
    for j in range(lo, hi):
        d0, kind = j * steps, get(p, KIND, j)
        acc = splat(cast(run.y, 0), width)
        for i in range(0, steps, width):
            acc = add(acc, load(run.delta, d0 + i, width))
        put(gb, j, total(acc))
        for e in range(get(p, INDPTR, j), get(p, INDPTR, j + 1)):
            x0 = at(p, source + e) * (history + steps) + history - kind
            acc = splat(cast(run.y, 0), width)
            for i in range(0, steps, width):
                acc = mad(load(run.delta, d0 + i, width), load(run.y, x0 + i, width), acc)
            put(gw, e, total(acc))


# ---------------------------------------------------------------- dense blocks


@njit(**OPTIONS)
def from_x(p, run, z, t, q):
    """Whether a block's sources are columns of x at this step; if so, set `off`."""
    column = get(p, BLOCK_COLUMN, q)
    if len(run.x) == 0 or column == NONE or get(p, BLOCK_DELAY, q) > 0:
        return False
    for lane in range(z.valid):
        put(run.off, lane, (at(run.row, lane) * z.steps + t) * at(p, N_INPUTS) + column)
    return True


@njit(**OPTIONS)
def transpose(p, run, z, q, plane, lanes):
    """Copy a block's sources, from y at `plane`, into `pack`, sample by sample; set `off`."""
    size = get(p, BLOCK_SIZE, q)
    begin = plane + get(p, BLOCK_SOURCE, q) * lanes
    for lane in range(z.valid):
        put(run.off, lane, lane * size)
    for i in range(size):
        for lane in range(z.valid):
            put(run.pack, lane * size + i, at(run.y, begin + i * lanes + lane))


@njit(**OPTIONS)
def products(p, w, r0, r1, q, x, run, z, plane, lanes, width):
    """Fill s[j, lane] = Σ_i w_ji x[off[lane] + i] for rows r0:r1 of a block, two rows at a time.

    Five samples stay in the first-level cache while all rows go by.
    """
    lanes, width = literally(lanes), literally(width)
    s, off, valid, size = run.s, run.off, z.valid, get(p, BLOCK_SIZE, q)
    whole = size - size % width
    zero = splat(cast(w, 0), width)
    many = valid - valid % 5
    for lane in range(0, many, 5):
        o0, o1, o2 = at(off, lane), at(off, lane + 1), at(off, lane + 2)
        o3, o4 = at(off, lane + 3), at(off, lane + 4)
        for j in range(r0, r1, 2):
            k = min(j + 1, r1 - 1)
            e, f = get(p, FIRST, j), get(p, FIRST, k)
            a0 = a1 = a2 = a3 = a4 = b0 = b1 = b2 = b3 = b4 = zero
            for i in range(0, whole, width):
                u, v = load(w, e + i, width), load(w, f + i, width)
                x0, x1 = load(x, o0 + i, width), load(x, o1 + i, width)
                a0, b0, a1, b1 = mad(u, x0, a0), mad(v, x0, b0), mad(u, x1, a1), mad(v, x1, b1)
                x2, x3 = load(x, o2 + i, width), load(x, o3 + i, width)
                a2, b2, a3, b3 = mad(u, x2, a2), mad(v, x2, b2), mad(u, x3, a3), mad(v, x3, b3)
                x4 = load(x, o4 + i, width)
                a4, b4 = mad(u, x4, a4), mad(v, x4, b4)
            c0, c1, c2, c3, c4 = total(a0), total(a1), total(a2), total(a3), total(a4)
            g0, g1, g2, g3, g4 = total(b0), total(b1), total(b2), total(b3), total(b4)
            for i in range(whole, size):
                m, n = at(w, e + i), at(w, f + i)
                c0, g0 = c0 + m * at(x, o0 + i), g0 + n * at(x, o0 + i)
                c1, g1 = c1 + m * at(x, o1 + i), g1 + n * at(x, o1 + i)
                c2, g2 = c2 + m * at(x, o2 + i), g2 + n * at(x, o2 + i)
                c3, g3 = c3 + m * at(x, o3 + i), g3 + n * at(x, o3 + i)
                c4, g4 = c4 + m * at(x, o4 + i), g4 + n * at(x, o4 + i)
            sj, sk = plane + j * lanes + lane, plane + k * lanes + lane
            put(s, sj, c0), put(s, sj + 1, c1), put(s, sj + 2, c2)
            put(s, sj + 3, c3), put(s, sj + 4, c4)
            put(s, sk, g0), put(s, sk + 1, g1), put(s, sk + 2, g2)
            put(s, sk + 3, g3), put(s, sk + 4, g4)
    for lane in range(many, valid):
        o0 = at(off, lane)
        for j in range(r0, r1, 2):
            k = min(j + 1, r1 - 1)
            e, f = get(p, FIRST, j), get(p, FIRST, k)
            a0 = b0 = zero
            for i in range(0, whole, width):
                x0 = load(x, o0 + i, width)
                a0, b0 = mad(load(w, e + i, width), x0, a0), mad(load(w, f + i, width), x0, b0)
            c0, g0 = total(a0), total(b0)
            for i in range(whole, size):
                c0 += at(w, e + i) * at(x, o0 + i)
                g0 += at(w, f + i) * at(x, o0 + i)
            put(s, plane + j * lanes + lane, c0), put(s, plane + k * lanes + lane, g0)
    for j in range(r0, r1):
        for lane in range(valid, lanes):  # no sample, but still numbers
            put(s, plane + j * lanes + lane, at(s, plane + j * lanes))


@njit(**OPTIONS)
def outer(p, gw, r0, r1, q, x, run, z, plane, more, lanes, width):
    """Fill (or add to) ∂L/∂w_ji = Σ_l δ[j, lane] x[off[lane] + i] for rows r0:r1 of a block.

    A strip of x, four vectors of every sample, stays in the first-level cache while all rows,
    two at a time, go by.
    """
    lanes, width = literally(lanes), literally(width)
    delta, off, valid, size = run.delta, run.off, z.valid, get(p, BLOCK_SIZE, q)
    quads = size - size % (4 * width)
    whole = size - size % width
    zero = splat(cast(gw, 0), width)
    none = cast(gw, 0)
    for i in range(0, quads, 4 * width):
        for j in range(r0, r1, 2):
            k = min(j + 1, r1 - 1)
            e, f = get(p, FIRST, j) + i, get(p, FIRST, k) + i
            dj, dk = plane + j * lanes, plane + k * lanes
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zero
            if more:
                a0, a1 = load(gw, e, width), load(gw, e + width, width)
                a2, a3 = load(gw, e + 2 * width, width), load(gw, e + 3 * width, width)
                b0, b1 = load(gw, f, width), load(gw, f + width, width)
                b2, b3 = load(gw, f + 2 * width, width), load(gw, f + 3 * width, width)
            for lane in range(valid):
                o = at(off, lane) + i
                c, d = splat(at(delta, dj + lane), width), splat(at(delta, dk + lane), width)
                x0, x1 = load(x, o, width), load(x, o + width, width)
                a0, b0, a1, b1 = mad(c, x0, a0), mad(d, x0, b0), mad(c, x1, a1), mad(d, x1, b1)
                x2, x3 = load(x, o + 2 * width, width), load(x, o + 3 * width, width)
                a2, b2, a3, b3 = mad(c, x2, a2), mad(d, x2, b2), mad(c, x3, a3), mad(d, x3, b3)
            store(gw, e, a0), store(gw, e + width, a1)
            store(gw, e + 2 * width, a2), store(gw, e + 3 * width, a3)
            store(gw, f, b0), store(gw, f + width, b1)
            store(gw, f + 2 * width, b2), store(gw, f + 3 * width, b3)
    for j in range(r0, r1):
        e, dj = get(p, FIRST, j), plane + j * lanes
        for i in range(quads, whole, width):
            a0 = load(gw, e + i, width) if more else zero
            for lane in range(valid):
                a0 = mad(splat(at(delta, dj + lane), width), load(x, at(off, lane) + i, width), a0)
            store(gw, e + i, a0)
        for i in range(whole, size):
            c = at(gw, e + i) if more else none
            for lane in range(valid):
                c += at(delta, dj + lane) * at(x, at(off, lane) + i)
            put(gw, e + i, c)


# ---------------------------------------------------------------- one step, one sample


@njit(**INLINE)
def forward_single(p, w, b, table, run, z):
    """Run one step of one sample, equations (1)-(3); keep the slopes."""
    s, y = run.s, run.y
    n, now = at(p, NEURONS), at(p, HISTORY) * at(p, NEURONS)
    gates, memories, indptr, source = at(p, GATES), at(p, MEMORIES), at(p, INDPTR), at(p, SOURCE)
    for r in range(get(p, RUN_INDPTR, at(p, STAGES))):
        code, j0, j1 = get(p, CODE, r), get(p, RUN, r), get(p, RUN, r + 1)
        if code == NONE:
            continue  # (4)
        for j in range(j0, j1):
            acc, kind = at(b, j), get(p, KIND, j)
            if kind == NONE:
                acc += total(mixed(p, w, y, j, 0, now, z, 1))
            else:
                plane = now - kind * n
                for e in range(at(p, indptr + j), at(p, indptr + j + 1)):
                    acc += at(w, e) * at(y, plane + at(p, source + e))
            if memories and get(p, MEMORY, j) != NONE:
                e = get(p, MEMORY, j)
                g = cast(y, 1)
                if gates and get(p, GATER, e) != NONE:
                    g = total(gain(p, y, e, 0, now, z, 1))
                acc += g * at(w, e) * at(s, j)
            put(s, n + j, acc)
        call(at(table, 2 * code + 1), s, n + j0, y, now + j0, run.slope, j0, j1 - j0)


@njit(**INLINE)
def clear_inputs(p, gw, gb, delta):
    """Set δ and gradients of input neurons, and of synapses that end there, to 0."""
    for c in range(at(p, N_INPUTS)):
        j = get(p, INPUT, c)
        put(delta, j, cast(gb, 0)), put(gb, j, cast(gb, 0))
        for e in range(get(p, INDPTR, j), get(p, INDPTR, j + 1)):
            put(gw, e, cast(gb, 0))
        if at(p, MEMORIES) and get(p, MEMORY, j) != NONE:
            put(gw, get(p, MEMORY, j), cast(gb, 0))


@njit(**INLINE)
def backward_single(p, w, b, gw, gb, run, z, want, find, learn, rate, trainable_w, trainable_b):
    """Find δ and all gradients of a run of one step and one sample, slopes being known.

    A synapse is visited once, when its target's δ is known: its own gradient, and what its
    source gets; so with `learn` it can be updated on the spot, for nobody needs its weight any
    more (if it is not tied). `clear_inputs` comes first, once. `want`: ∂L/∂x too; without
    `find` only δ. Returns 0 if all numbers are finite.
    """
    s, y, delta, eps, slope = run.s, run.y, run.delta, run.eps, run.slope
    n = at(p, NEURONS)
    now = at(p, HISTORY) * n
    gates, memories, indptr, source = at(p, GATES), at(p, MEMORIES), at(p, INDPTR), at(p, SOURCE)
    step, bad = cast(w, rate), cast(w, 0)
    for j in range(n):
        put(eps, j, cast(y, 0))
    for o in range(at(p, N_OUTPUTS)):
        put(eps, get(p, OUTPUT, o), at(run.d_output, o))
    for r in range(get(p, RUN_INDPTR, at(p, STAGES)) - 1, -1, -1):
        if get(p, CODE, r) == NONE:
            continue
        for j in range(get(p, RUN, r + 1) - 1, get(p, RUN, r) - 1, -1):
            port = get(p, PORT, j)
            bad += wrong(at(s, n + j) + at(y, now + j))
            d = at(eps, j) * at(slope, j)
            if port != NONE:
                d += at(run.d_state, port)
            put(delta, j, d)
            bad += learn_one(b, gb, j, d, find, learn, step, trainable_b)
            kind, e0, e1 = get(p, KIND, j), at(p, indptr + j), at(p, indptr + j + 1)
            if kind == 0:
                for e in range(e0, e1):
                    i = at(p, source + e)
                    put(eps, i, at(eps, i) + at(w, e) * d)
                    bad += learn_one(w, gw, e, d * at(y, now + i), find, learn, step, trainable_w)
            else:
                for e in range(e0, e1):
                    late = kind if kind != NONE else get(p, DELAY, e)
                    x = at(y, now - late * n + at(p, source + e))
                    g = cast(y, 1)
                    if gates and get(p, GATER, e) != NONE:
                        g = gain_single(p, y, eps, z, e, at(w, e) * x * d)
                    if late == 0:
                        i = at(p, source + e)
                        put(eps, i, at(eps, i) + g * at(w, e) * d)
                    bad += learn_one(w, gw, e, d * g * x, find, learn, step, trainable_w)
            if memories and get(p, MEMORY, j) != NONE:
                e = get(p, MEMORY, j)
                g = cast(y, 1)
                if gates and get(p, GATER, e) != NONE:
                    g = gain_single(p, y, eps, z, e, at(w, e) * at(s, j) * d)
                bad += learn_one(w, gw, e, d * g * at(s, j), find, learn, step, trainable_w)
    if want:
        for c in range(at(p, N_INPUTS)):
            put(run.d_input, c, at(eps, get(p, INPUT, c)))
    return bad


@njit(**INLINE)
def learn_one(w, gw, e, found, find, learn, step, trainable):
    """Write a gradient, and with `learn` go a step downhill; return 0 if that went well."""
    bad = cast(w, 0)
    if find:
        put(gw, e, found)
    if learn:
        change = step * found
        new = at(w, e) - change
        if len(trainable) and not at(trainable, e):
            bad, new = wrong(change), at(w, e)
        put(w, e, new)
        bad += wrong(new)
    return bad


@njit(**HELPER)
def slopes(p, table, run):
    """Fill `slope` for a run of one step and one sample."""
    n = at(p, NEURONS)
    for r in range(get(p, RUN_INDPTR, at(p, STAGES))):
        code, j = get(p, CODE, r), get(p, RUN, r)
        if code != NONE:
            call(at(table, 2 * code + 1), run.s, n + j, run.slope, n + j, run.slope, j,
                 get(p, RUN, r + 1) - j)  # fmt: skip


@njit(**HELPER)
def gain_single(p, y, eps, z, e, send):
    """Return γ_e, and send its gater what it gets, if it acted in this step."""
    late, k = get(p, LATE, e), get(p, GATER, e)
    if late == 0:
        put(eps, k, at(eps, k) + send)
    if z.since < late:
        return cast(y, 1)
    return at(y, (at(p, HISTORY) - late) * at(p, NEURONS) + k)


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


@cache
def kernels(lanes: int, width: int) -> Kernels:
    """Return the kernels for tiles of `lanes` samples and vectors of `width` numbers.

    Numba keeps them on disk under a name that tells both, and the digest of all code that is
    in them.
    """
    made: dict[str, Any] = {"LANES": lanes, "WIDTH": width}
    for name in Kernels._fields:
        kernel = FunctionType(globals()[name].__code__, {**globals(), **made}, name)
        kernel.__qualname__ = f"{name}_{lanes}_{width}_{_digest()}"
        made[name] = njit(cache=True, **OPTIONS)(kernel)
    return Kernels(*(made[name] for name in Kernels._fields))


@cache
def _digest() -> str:
    here = Path(__file__)
    source = b"".join(here.with_name(f"{name}.py").read_bytes() for name in
                      ("kernels", "updates", "vectors"))  # fmt: skip
    source += str(config.BOUNDSCHECK).encode()  # which numba does not keep apart
    return hashlib.sha256(source).hexdigest()[:16]
