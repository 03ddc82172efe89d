"""Synaptic.js's own sweeps as kernels: each neuron reads what the others hold at that moment."""

from __future__ import annotations

from numba import njit

from neurograph.engines.frames import (
    GATE,
    GATE_INDPTR,
    PAIRS,
    TARGET,
    TRACE,
)
from neurograph.engines.parts import (
    CODE,
    GATED,
    GATED_INDPTR,
    GATES,
    HISTORY,
    INDPTR,
    MEMORIES,
    MEMORY,
    N_OUTPUTS,
    NEURONS,
    NONE,
    OUT_INDPTR,
    OUT_SYNAPSE,
    OUT_TARGET,
    OUTPUT,
    PORT,
    RUN,
    RUN_INDPTR,
    SOURCE,
    STAGES,
    SYNAPSES,
)
from neurograph.engines.traces import (
    bad_states,
)
from neurograph.engines.updates import HELPER, INLINE, wrong
from neurograph.engines.vectors import at, call, cast, get, put


@njit(**INLINE)
def synaptic_influence(f, pair):
    """Return what Synaptic takes for the influence of k on t, from what all hold now."""
    t, total, n = get(f.q, TARGET, pair), cast(f.y, 0), at(f.p, NEURONS)
    now = at(f.p, HISTORY) * n
    for g in range(get(f.q, GATE_INDPTR, pair), get(f.q, GATE_INDPTR, pair + 1)):
        e = get(f.q, GATE, g)
        if e < at(f.p, SYNAPSES):
            total += at(f.w, e) * at(f.y, now + get(f.p, SOURCE, e))
        else:
            total += at(f.s, t) + at(f.w, e) * at(f.y, now + t)
    return total


@njit(**HELPER)
def synaptic_decay(f, j):
    """Return what a neuron keeps of its state, with the gain that was last written."""
    if not at(f.p, MEMORIES) or get(f.p, MEMORY, j) == NONE:
        return cast(f.y, 0)
    e = get(f.p, MEMORY, j)
    return at(f.gain, e) * at(f.w, e)


@njit(**INLINE)
def synaptic_activate(f):
    """Visit every neuron once: state, traces, then the gains that it gives."""
    p, n, h = f.p, at(f.p, NEURONS), at(f.p, HISTORY)
    now = h * n
    for i in range(h * n):
        put(f.y, i, at(f.y, n + i))
    for r in range(get(p, RUN_INDPTR, at(p, STAGES))):
        code = get(p, CODE, r)
        if code == NONE:  # in their turn: who comes before an input reads what it was
            for j in range(get(p, RUN, r), get(p, RUN, r + 1)):
                put(f.y, now + j, at(f.x, get(p, PORT, j)))
            continue
        for j in range(get(p, RUN, r), get(p, RUN, r + 1)):
            put(f.s, j, at(f.s, n + j))
            keep = synaptic_decay(f, j)
            total = keep * at(f.s, n + j) + at(f.b, j)
            for e in range(get(p, INDPTR, j), get(p, INDPTR, j + 1)):
                total += at(f.w, e) * at(f.gain, e) * at(f.y, now + get(p, SOURCE, e))
            put(f.s, n + j, total)
            call(at(f.table, 2 * code + 1), f.s, n + j, f.y, now + j, f.slope, j, 1)
            if at(f.hard, j):
                put(f.slope, j, cast(f.y, 1))
            for e in range(get(p, INDPTR, j), get(p, INDPTR, j + 1)):
                arriving = at(f.gain, e) * at(f.y, now + get(p, SOURCE, e))
                put(f.ew, e, keep * at(f.ew, e) + arriving)
            for pair in range(get(f.q, PAIRS, j), get(f.q, PAIRS, j + 1)):
                d, i = at(f.slope, j) * synaptic_influence(f, pair), get(f.q, TRACE, pair)
                keeps = synaptic_decay(f, get(f.q, TARGET, pair))
                for e in range(get(p, INDPTR, j), get(p, INDPTR, j + 1)):
                    put(f.extended, i, keeps * at(f.extended, i) + d * at(f.ew, e))
                    i += 1
            if at(p, GATES):
                for g in range(get(p, GATED_INDPTR, j), get(p, GATED_INDPTR, j + 1)):
                    put(f.gain, get(p, GATED, g), at(f.y, now + j))
    put(f.clock, 0, at(f.clock, 0) + 1), put(f.clock, 1, at(f.clock, 1) + 1)
    return bad_states(f) == 0


@njit(**INLINE)
def synaptic_propagate(f, rate):
    """Visit every neuron backwards; its weights change before the next one is visited."""
    p, n, slope, bad = f.p, at(f.p, NEURONS), f.slope, cast(f.y, 0)
    step = cast(f.w, rate)
    for j in range(n):  # what gaters with a delay meet at targets that come later
        put(f.met, j, at(f.r, j))
    for r in range(get(p, RUN_INDPTR, at(p, STAGES)) - 1, -1, -1):
        for j in range(get(p, RUN, r + 1) - 1, get(p, RUN, r) - 1, -1):
            if get(p, CODE, r) == NONE:
                continue
            port = get(p, PORT, j)
            if port != NONE:
                put(f.projected, j, -at(f.d_state, port))
            else:
                put(f.projected, j, at(slope, j) * synaptic_projected(f, j))
                total = cast(f.y, 0)
                for pair in range(get(f.q, PAIRS, j), get(f.q, PAIRS, j + 1)):
                    total += at(f.r, get(f.q, TARGET, pair)) * synaptic_influence(f, pair)
                put(f.gated, j, at(slope, j) * total)
            put(f.r, j, at(f.projected, j) + at(f.gated, j))
            e0 = get(p, INDPTR, j)
            for e in range(e0, get(p, INDPTR, j + 1)):
                put(f.found, e, at(f.projected, j) * at(f.ew, e))
            for pair in range(get(f.q, PAIRS, j), get(f.q, PAIRS, j + 1)):
                r_t, i = at(f.r, get(f.q, TARGET, pair)), get(f.q, TRACE, pair) - e0
                for e in range(e0, get(p, INDPTR, j + 1)):
                    put(f.found, e, at(f.found, e) + r_t * at(f.extended, i + e))
            for e in range(e0, get(p, INDPTR, j + 1)):
                put(f.gw, e, -at(f.found, e))
                if len(f.trainable_w) == 0 or at(f.trainable_w, e):
                    put(f.w, e, at(f.w, e) + step * at(f.found, e))
                bad += wrong(at(f.w, e)) + wrong(at(f.gw, e))
            put(f.gb, j, -at(f.r, j))
            if len(f.trainable_b) == 0 or at(f.trainable_b, j):
                put(f.b, j, at(f.b, j) + step * at(f.r, j))
            bad += wrong(at(f.b, j)) + wrong(at(f.r, j))
    for j in range(n):
        put(f.delta_shown, j, -at(f.r, j))
    return bad == 0


@njit(**HELPER)
def synaptic_projected(f, j):
    """Return Σ r_t γ w over synapses that leave neuron j, with what all hold now."""
    out, total = at(f.p, NEURONS) - 1 - j, cast(f.y, 0)
    for q in range(get(f.p, OUT_INDPTR, out), get(f.p, OUT_INDPTR, out + 1)):
        e = get(f.p, OUT_SYNAPSE, q)
        total += at(f.r, get(f.p, OUT_TARGET, q)) * at(f.gain, e) * at(f.w, e)
    return total


@njit(**INLINE)
def synaptic_show(f):
    """Write this step where users look."""
    n = at(f.p, NEURONS)
    now = at(f.p, HISTORY) * n
    for j in range(n):
        put(f.state, j, at(f.s, n + j)), put(f.output, j, at(f.y, now + j))
    for e in range(len(f.gain_shown)):
        put(f.gain_shown, e, at(f.gain, e))
    for o in range(at(f.p, N_OUTPUTS)):
        put(f.outputs, o, at(f.y, now + get(f.p, OUTPUT, o)))
