"""A step of online learning, forwards with traces and backwards, as `learning.stepping` defines."""

from __future__ import annotations

import math

from numba import njit

from neurograph.engines.frames import (
    GATE,
    GATE_INDPTR,
    GIVEN,
    MATCHING,
    PAIRS,
    TARGET,
    TRACE,
)
from neurograph.engines.kernels import (
    T_BIAS,
    T_BIAS_GRAD,
    T_DELTA,
    T_GRAD,
    T_OUTPUT,
    T_STATE,
    T_WEIGHT,
    Task,
    measure,
    share,
)
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
    SYNAPSES,
    Run,
    Span,
)
from neurograph.engines.products import axpy
from neurograph.engines.single import forward_single
from neurograph.engines.updates import HELPER, INLINE, wrong
from neurograph.engines.vectors import at, cast, get, put

# ---------------------------------------------------------------- numbers of this step


@njit(**HELPER)
def gain_now(f, e):
    """Return γ_e of this step, equation (1), of a gated synapse."""
    late = get(f.p, LATE, e)
    if at(f.clock, 0) - late < 1:
        return cast(f.y, 1)
    return at(f.y, (at(f.p, HISTORY) - late) * at(f.p, NEURONS) + get(f.p, GATER, e))


@njit(**HELPER)
def gain_of(f, e):
    """Return γ_e of this step, 1 for a synapse that is not gated."""
    if not at(f.p, GATES) or get(f.p, GATER, e) == NONE:
        return cast(f.y, 1)
    return gain_now(f, e)


@njit(**HELPER)
def delay_of(f, j, e):
    """Return the delay of a synapse into neuron j."""
    kind = get(f.p, KIND, j)
    return kind if kind != NONE else get(f.p, DELAY, e)


@njit(**HELPER)
def source_of(f, j, e):
    """Return what a synapse into neuron j reads, its gate left aside."""
    begin = (at(f.p, HISTORY) - delay_of(f, j, e)) * at(f.p, NEURONS)
    return at(f.y, begin + get(f.p, SOURCE, e))


@njit(**HELPER)
def decay_of(f, j):
    """Return γ_jj w_jj, how much of its state neuron j keeps."""
    if not at(f.p, MEMORIES) or get(f.p, MEMORY, j) == NONE:
        return cast(f.y, 0)
    e = get(f.p, MEMORY, j)
    return gain_of(f, e) * at(f.w, e)


@njit(**HELPER)
def influence(f, pair):
    """Return ∂s_t/∂y_k through the gates of pair (k, t)."""
    t, total = get(f.q, TARGET, pair), cast(f.y, 0)
    for g in range(get(f.q, GATE_INDPTR, pair), get(f.q, GATE_INDPTR, pair + 1)):
        e = get(f.q, GATE, g)
        passed = source_of(f, t, e) if e < at(f.p, SYNAPSES) else at(f.s, t)
        total += at(f.w, e) * passed
    return total


@njit(**INLINE)
def bad_states(f):
    """Return 0 if all states and outputs of this step are finite."""
    n = at(f.p, NEURONS)
    now, bad = at(f.p, HISTORY) * n, cast(f.y, 0)
    for j in range(n):
        bad += wrong(at(f.s, n + j) + at(f.y, now + j))
    return bad


@njit(**INLINE)
def show(f):
    """Write this step where users look."""
    n = at(f.p, NEURONS)
    now = at(f.p, HISTORY) * n
    for j in range(n):
        put(f.state, j, at(f.s, n + j)), put(f.output, j, at(f.y, now + j))
    for e in range(len(f.gain_shown)):
        put(f.gain_shown, e, gain_of(f, e))
    for o in range(at(f.p, N_OUTPUTS)):
        put(f.outputs, o, at(f.y, now + get(f.p, OUTPUT, o)))


@njit(**HELPER)
def fill(array, value):
    """Put one number everywhere."""
    for i in range(len(array)):
        put(array, i, cast(array, value))


@njit(**HELPER)
def rest(f):
    """Go back to before the first step."""
    put(f.clock, 0, 0), put(f.clock, 1, 0)
    for array in (f.tape_s, f.tape_y, f.slope, f.ew, f.eb, f.extended, f.ds, f.dy, f.r,
                  f.projected, f.gated):  # fmt: skip
        fill(array, 0)
    fill(f.gain, 1)


# ---------------------------------------------------------------- a step forwards


@njit(**HELPER)
def forward_step(f):
    """Do one step of equations (1)-(4); return whether it went well, else nothing is changed."""
    p, n, h = f.p, at(f.p, NEURONS), at(f.p, HISTORY)
    window = len(f.tape_s) - n
    for j in range(n):
        put(f.spare, j, at(f.tape_s, j)), put(f.spare, n + j, at(f.tape_y, j))
        put(f.spare, 2 * n + j, at(f.slope, j))
    for i in range(window):
        put(f.tape_s, i, at(f.tape_s, n + i))
    for i in range(len(f.tape_y) - n):
        put(f.tape_y, i, at(f.tape_y, n + i))
    for c in range(at(p, N_INPUTS)):
        put(f.y, h * n + get(p, INPUT, c), at(f.x, c))
        put(f.s, n + get(p, INPUT, c), cast(f.s, 0))
    forward_single(p, f.w, f.b, f.table, run_of(f), Span(0, 1, 1, 1, at(f.clock, 0)))
    if bad_states(f) == 0:
        put(f.clock, 0, at(f.clock, 0) + 1), put(f.clock, 1, at(f.clock, 1) + 1)
        return True
    for i in range(window - 1, -1, -1):
        put(f.tape_s, n + i, at(f.tape_s, i))
    for i in range(len(f.tape_y) - n - 1, -1, -1):
        put(f.tape_y, n + i, at(f.tape_y, i))
    for j in range(n):
        put(f.tape_s, j, at(f.spare, j)), put(f.tape_y, j, at(f.spare, n + j))
        put(f.slope, j, at(f.spare, 2 * n + j))
    return False


@njit(**INLINE)
def run_of(f):
    """Return the arrays of a job as of a run of one step."""
    none = f.ds
    return Run(f.s, f.y, f.delta, f.d_output, f.d_state, none, f.eps, f.slope, none, none,
               f.row, none, f.row)  # fmt: skip


@njit(**INLINE)
def traces(f):
    """Bring eligibilities and extended traces up to this step."""
    p, n = f.p, at(f.p, NEURONS)
    pairs = get(f.q, PAIRS, n) > 0
    for r in range(get(p, RUN_INDPTR, at(p, STAGES))):
        if get(p, CODE, r) == NONE:
            continue
        for j in range(get(p, RUN, r), get(p, RUN, r + 1)):
            keep = decay_of(f, j)
            for e in range(get(p, INDPTR, j), get(p, INDPTR, j + 1)):
                put(f.ew, e, keep * at(f.ew, e) + gain_of(f, e) * source_of(f, j, e))
            if at(p, MEMORIES) and get(p, MEMORY, j) != NONE:
                e = get(p, MEMORY, j)
                put(f.ew, e, keep * at(f.ew, e) + gain_of(f, e) * at(f.s, j))
            put(f.eb, j, keep * at(f.eb, j) + cast(f.y, 1))
            if pairs:
                for pair in range(get(f.q, PAIRS, j), get(f.q, PAIRS, j + 1)):
                    extend(f, j, pair, decay_of(f, get(f.q, TARGET, pair)))


@njit(**INLINE)
def extend(f, j, pair, keep):
    """Bring the extended traces of pair (j, t) up to this step."""
    d, i = at(f.slope, j) * influence(f, pair), get(f.q, TRACE, pair)
    for e in range(get(f.p, INDPTR, j), get(f.p, INDPTR, j + 1)):
        put(f.extended, i, keep * at(f.extended, i) + d * at(f.ew, e))
        i += 1
    if at(f.p, MEMORIES) and get(f.p, MEMORY, j) != NONE:
        e = get(f.p, MEMORY, j)
        put(f.extended, i, keep * at(f.extended, i) + d * at(f.ew, e))
        i += 1
    put(f.extended, i, keep * at(f.extended, i) + d * at(f.eb, j))


@njit(**INLINE)
def sensitivities(f, width):
    """Bring ∂s/∂θ and ∂y/∂θ of every neuron up to this step."""
    p, n, h = f.p, at(f.p, NEURONS), at(f.p, HISTORY)
    m = len(f.w) + n
    for i in range(h * n * m):
        put(f.dy, i, at(f.dy, n * m + i))
    now = h * n * m
    for i in range(now, now + n * m):
        put(f.dy, i, cast(f.y, 0))
    for r in range(get(p, RUN_INDPTR, at(p, STAGES))):
        if get(p, CODE, r) == NONE:
            continue
        for j in range(get(p, RUN, r), get(p, RUN, r + 1)):
            row, keep = j * m, decay_of(f, j)
            for i in range(row, row + m):
                put(f.ds, i, keep * at(f.ds, i))
            for e in range(get(p, INDPTR, j), get(p, INDPTR, j + 1)):
                passed, gain = source_of(f, j, e), gain_of(f, e)
                i = now - delay_of(f, j, e) * n * m + get(p, SOURCE, e) * m
                axpy(gain * at(f.w, e), f.dy, i, f.ds, row, m, width)
                put(f.ds, row + e, at(f.ds, row + e) + gain * passed)
                through_gate(f, e, row, at(f.w, e) * passed, width)
            if at(p, MEMORIES) and get(p, MEMORY, j) != NONE:
                e = get(p, MEMORY, j)
                put(f.ds, row + e, at(f.ds, row + e) + gain_of(f, e) * at(f.s, j))
                through_gate(f, e, row, at(f.w, e) * at(f.s, j), width)
            i = row + len(f.w) + j
            put(f.ds, i, at(f.ds, i) + cast(f.y, 1))
            axpy(at(f.slope, j), f.ds, row, f.dy, now + row, m, width)


@njit(**INLINE)
def through_gate(f, e, row, passed, width):
    """Add what θ changes in a synapse through its gater."""
    if at(f.p, GATES) and get(f.p, GATER, e) != NONE:
        late, n = get(f.p, LATE, e), at(f.p, NEURONS)
        if at(f.clock, 0) - late >= 1:
            m = len(f.w) + n
            i = ((at(f.p, HISTORY) - late) * n + get(f.p, GATER, e)) * m
            axpy(passed, f.dy, i, f.ds, row, m, width)


# ---------------------------------------------------------------- and backwards


@njit(**HELPER)
def errors(f, loss):
    """Set ∂ℓ/∂y and ∂ℓ/∂s at the outputs; return 0 where the loss has a value."""
    p, n_out = f.p, at(f.p, N_OUTPUTS)
    now = at(p, HISTORY) * at(p, NEURONS)
    if loss == GIVEN:
        return 0.0
    if loss == MATCHING:
        for o in range(n_out):
            target = at(f.target, o)
            d = cast(f.y, at(f.y, now + get(p, OUTPUT, o)) - target)
            put(f.d_state, o, d if not math.isnan(target) else cast(f.y, 0))
            put(f.d_output, o, cast(f.y, 0))
        return 0.0
    task = Task(f.x, f.target, f.row, f.row, loss, f.stable, f.target, False, False)
    value = measure(p, run_of(f), task, Span(0, 1, 1, 1, 0), 0, 1.0, 1)
    return wrong(value)


@njit(**INLINE)
def deltas(f, find):
    """Fill δ of this step, and with `find` the gradients that the traces give."""
    p, n, w = f.p, at(f.p, NEURONS), f.w
    pairs = get(f.q, PAIRS, n) > 0
    for j in range(n):
        put(f.eps, j, cast(f.y, 0))
    for o in range(at(p, N_OUTPUTS)):
        put(f.eps, get(p, OUTPUT, o), at(f.d_output, o))
    for r in range(get(p, RUN_INDPTR, at(p, STAGES)) - 1, -1, -1):
        for j in range(get(p, RUN, r + 1) - 1, get(p, RUN, r) - 1, -1):
            if get(p, CODE, r) == NONE:
                put(f.delta, j, cast(f.y, 0))
                if find:
                    own_gradient(f, j, cast(f.y, 0))
                continue
            port, d = get(p, PORT, j), at(f.eps, j) * at(f.slope, j)
            if port != NONE:
                d += at(f.d_state, port)
            if find:
                own_gradient(f, j, d)
            if pairs:
                for pair in range(get(f.q, PAIRS, j), get(f.q, PAIRS, j + 1)):
                    sent = at(f.delta, get(f.q, TARGET, pair))
                    d += at(f.slope, j) * influence(f, pair) * sent
                    if find:
                        extended_gradient(f, j, pair, sent)
            put(f.delta, j, d)
            for e in range(get(p, INDPTR, j), get(p, INDPTR, j + 1)):
                if delay_of(f, j, e) == 0:
                    i = get(p, SOURCE, e)
                    put(f.eps, i, at(f.eps, i) + gain_of(f, e) * at(w, e) * d)


@njit(**INLINE)
def own_gradient(f, j, d):
    """Fill the gradients of the parameters of neuron j that d reaches through its state."""
    for e in range(get(f.p, INDPTR, j), get(f.p, INDPTR, j + 1)):
        put(f.found, e, d * at(f.ew, e))
    if at(f.p, MEMORIES) and get(f.p, MEMORY, j) != NONE:
        e = get(f.p, MEMORY, j)
        put(f.found, e, d * at(f.ew, e))
    put(f.found, len(f.w) + j, d * at(f.eb, j))


@njit(**INLINE)
def extended_gradient(f, j, pair, d):
    """Add what the neuron gated by j owes to the parameters of j."""
    i = get(f.q, TRACE, pair)
    for e in range(get(f.p, INDPTR, j), get(f.p, INDPTR, j + 1)):
        put(f.found, e, at(f.found, e) + d * at(f.extended, i))
        i += 1
    if at(f.p, MEMORIES) and get(f.p, MEMORY, j) != NONE:
        e = get(f.p, MEMORY, j)
        put(f.found, e, at(f.found, e) + d * at(f.extended, i))
        i += 1
    e = len(f.w) + j
    put(f.found, e, at(f.found, e) + d * at(f.extended, i))


@njit(**INLINE)
def meet(f, width):
    """Fill the gradients from the sensitivities of the outputs."""
    n, m = at(f.p, NEURONS), len(f.found)
    now = at(f.p, HISTORY) * n * m
    for i in range(m):
        put(f.found, i, cast(f.y, 0))
    for o in range(at(f.p, N_OUTPUTS)):
        j = get(f.p, OUTPUT, o)
        axpy(at(f.d_output, o), f.dy, now + j * m, f.found, 0, m, width)
        axpy(at(f.d_state, o), f.ds, j * m, f.found, 0, m, width)


@njit(**HELPER)
def descend(f, rate):
    """Write the gradients and go downhill; return whether all was finite, else nothing changes."""
    share(f.p, f.found)
    step, bad, m = cast(f.w, rate), cast(f.w, 0), len(f.w)
    for e in range(m):
        new = at(f.w, e) - step * at(f.found, e)
        bad += wrong(new)  # no multiple of a gradient that is not finite is
    for j in range(len(f.b)):
        new = at(f.b, j) - step * at(f.found, m + j)
        bad += wrong(new)
    if bad != 0:
        return False
    for e in range(m):
        put(f.gw, e, at(f.found, e))
        if len(f.trainable_w) == 0 or at(f.trainable_w, e):
            put(f.w, e, at(f.w, e) - step * at(f.found, e))
    for j in range(len(f.b)):
        put(f.gb, j, at(f.found, m + j))
        if len(f.trainable_b) == 0 or at(f.trainable_b, j):
            put(f.b, j, at(f.b, j) - step * at(f.found, m + j))
        put(f.delta_shown, j, at(f.delta, j))
    return True


@njit(**HELPER)
def tap(f, t, asked):
    """Write down what probes ask for after step t; without an update there is no δ, no gradient."""
    first, every = at(f.tap_when, 0), at(f.tap_when, 1)
    if t < first or (t - first) % every:
        return
    begin = (t - first) // every * len(f.tap_kind)
    for k in range(len(f.tap_kind)):
        kind, i = at(f.tap_kind, k), at(f.tap_place, k)
        found = math.nan
        if kind == T_WEIGHT:
            found = float(at(f.w, i))
        elif kind == T_GRAD and asked:
            found = float(at(f.gw, i))
        elif kind == T_BIAS:
            found = float(at(f.b, i))
        elif kind == T_BIAS_GRAD and asked:
            found = float(at(f.gb, i))
        elif kind == T_STATE:
            found = float(at(f.state, i))
        elif kind == T_OUTPUT:
            found = float(at(f.output, i))
        elif kind == T_DELTA and asked:
            found = float(at(f.delta_shown, i))
        put(f.tap_rows, begin + k, found)
