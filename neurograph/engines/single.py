"""One step of one sample: δ is scattered on the way back, and gradients are found there."""

from __future__ import annotations

from numba import njit

from neurograph.engines.parts import (
    CODE,
    DELAY,
    GATER,
    GATES,
    HISTORY,
    INDPTR,
    INPUT,
    KIND,
    LATE,
    MEMORIES,
    MEMORY,
    N_INPUTS,
    N_OUTPUTS,
    NEURONS,
    NONE,
    OUTPUT,
    PORT,
    RUN,
    RUN_INDPTR,
    SOURCE,
    STAGES,
)
from neurograph.engines.passes import gain, mixed
from neurograph.engines.updates import HELPER, INLINE, wrong
from neurograph.engines.vectors import (
    at,
    call,
    cast,
    get,
    put,
    total,
)


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
