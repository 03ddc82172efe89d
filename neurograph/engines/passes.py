"""Steps of a tile forwards and backwards, and the gradients of rows: equations (1)-(7).

Three passes: forward gather, δ by gather over outgoing synapses, gradient of each synapse from
the two. Every sum belongs to one neuron or synapse and has one order.
"""

from __future__ import annotations

from numba import literally, njit

from neurograph.engines.parts import (
    BLOCK_DELAY,
    BLOCK_END,
    BLOCK_INDPTR,
    BLOCK_ROW,
    BLOCK_SIZE,
    BLOCK_SOURCE,
    BLOCKS,
    CODE,
    DELAY,
    FIRST,
    GATED,
    GATED_INDPTR,
    GATED_TARGET,
    GATER,
    GATES,
    HISTORY,
    INDPTR,
    KIND,
    LAST,
    LATE,
    LEAD,
    MEMORIES,
    MEMORY,
    N_INPUTS,
    N_OUTPUTS,
    NEURONS,
    NONE,
    OUT_INDPTR,
    OUT_KIND,
    OUT_SYNAPSE,
    OUT_TARGET,
    PORT,
    ROWS,
    RUN,
    RUN_INDPTR,
    SOURCE,
    STAGES,
    SYNAPSES,
)
from neurograph.engines.products import axpy, dot, from_x, gather, outer, products, transpose
from neurograph.engines.updates import HELPER, INLINE, OPTIONS
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
