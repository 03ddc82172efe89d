"""Online learning as kernels: what `neurograph.learning.stepping` defines, at the speed of C.

A call of one step is so short that unpacking its arguments would be most of it. So all arrays
of a job are in one *frame*, addresses and lengths, and a kernel makes arrays of it again.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
from numba import config, njit, types

from neurograph.engines.kernels import (
    CODE,
    DELAY,
    GATED,
    GATED_INDPTR,
    GATER,
    GATES,
    HELPER,
    HISTORY,
    INDPTR,
    INLINE,
    INPUT,
    KIND,
    LATE,
    MEMORIES,
    MEMORY,
    N_INPUTS,
    N_OUTPUTS,
    NEURONS,
    NONE,
    OPTIONS,
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
    T_BIAS,
    T_BIAS_GRAD,
    T_DELTA,
    T_GRAD,
    T_OUTPUT,
    T_STATE,
    T_WEIGHT,
    Run,
    Span,
    Task,
    axpy,
    forward_single,
    measure,
    share,
    wrong,
)
from neurograph.engines.vectors import array_at, at, call, cast, get, put

# The parts of packed influences, see `neurograph.learning.influences`; each begins where a word
# at the head says.
INFLUENCES = ("indptr", "target", "gate_indptr", "gate", "trace_indptr")
PAIRS, TARGET, GATE_INDPTR, GATE, TRACE = range(len(INFLUENCES))

MATCHING = -1  # a loss that `measure` does not know, for it has no value without an integral
GIVEN = -2  # ∂ℓ/∂y and ∂ℓ/∂s are there already

U8, U32, I64, F64 = np.uint8, np.uint32, np.int64, np.float64


class Frame(NamedTuple):
    """The arrays of a job, flat.

    p, q : program, packed influences
    clock : steps since rest, since the traces were cleared
    w, b, gw, gb, ew, eb : parameters, gradients, eligibilities
    trainable_w, trainable_b : 0 where frozen; empty if nothing is
    table : addresses of activations
    s, y, slope : (2, N), (H+1, N), (N,) of this step and those before
    spare : (3, N)  what an activation that fails puts back
    tape_s, tape_y : s and y of the whole window
    extended, gain, r, projected, gated, ds, dy : what rules keep
    delta, found : (N,), (E+M+N,) δ and gradients until they are known to be finite
    eps, d_output, d_state, row : room
    state, output, delta_shown, gain_shown : where users look
    x, target, outputs : what a step takes and gives
    steps_x, steps_target, steps_outputs, steps_states : the same for many steps, and the states
    tap_when, tap_kind, tap_place, tap_rows : first step and distance; see `Taps`
    stable : (n_out,) 1 where an output is logistic
    hard : (N,) 1 where Synaptic takes the derivative 1
    """

    p: Any
    q: Any
    clock: Any
    w: Any
    b: Any
    gw: Any
    gb: Any
    ew: Any
    eb: Any
    trainable_w: Any
    trainable_b: Any
    table: Any
    s: Any
    y: Any
    slope: Any
    spare: Any
    tape_s: Any
    tape_y: Any
    extended: Any
    gain: Any
    r: Any
    projected: Any
    gated: Any
    ds: Any
    dy: Any
    delta: Any
    found: Any
    eps: Any
    d_output: Any
    d_state: Any
    row: Any
    state: Any
    output: Any
    delta_shown: Any
    gain_shown: Any
    x: Any
    target: Any
    outputs: Any
    steps_x: Any
    steps_target: Any
    steps_outputs: Any
    steps_states: Any
    tap_when: Any
    tap_kind: Any
    tap_place: Any
    tap_rows: Any
    stable: Any
    hard: Any


def framed(arrays):
    """Return what kernels take for arrays given by name, and what has to live as long.

    It is the address of a frame: addresses and lengths in the order of `Frame`; where nothing
    is compiled, the arrays themselves.
    """
    flat = [arrays[name].reshape(-1) for name in Frame._fields]
    if config.DISABLE_JIT:
        return flat, flat
    frame = np.array([(_place(array), len(array)) for array in flat], np.int64)
    return _place(frame), (frame, flat)


def _place(array):
    return array.__array_interface__["data"][0]


@njit(**INLINE)
def opened(frame, real):
    """Return the arrays of a frame, in the order of `Frame`; `real` is the network's dtype."""
    return Frame(
        array_at(frame, 0, U32),  # p
        array_at(frame, 1, U32),  # q
        array_at(frame, 2, I64),  # clock
        array_at(frame, 3, real),  # w
        array_at(frame, 4, real),  # b
        array_at(frame, 5, real),  # gw
        array_at(frame, 6, real),  # gb
        array_at(frame, 7, real),  # ew
        array_at(frame, 8, real),  # eb
        array_at(frame, 9, U8),  # trainable_w
        array_at(frame, 10, U8),  # trainable_b
        array_at(frame, 11, I64),  # table
        array_at(frame, 12, real),  # s
        array_at(frame, 13, real),  # y
        array_at(frame, 14, real),  # slope
        array_at(frame, 15, real),  # spare
        array_at(frame, 16, real),  # tape_s
        array_at(frame, 17, real),  # tape_y
        array_at(frame, 18, real),  # extended
        array_at(frame, 19, real),  # gain
        array_at(frame, 20, real),  # r
        array_at(frame, 21, real),  # projected
        array_at(frame, 22, real),  # gated
        array_at(frame, 23, real),  # ds
        array_at(frame, 24, real),  # dy
        array_at(frame, 25, real),  # delta
        array_at(frame, 26, real),  # found
        array_at(frame, 27, real),  # eps
        array_at(frame, 28, real),  # d_output
        array_at(frame, 29, real),  # d_state
        array_at(frame, 30, I64),  # row
        array_at(frame, 31, real),  # state
        array_at(frame, 32, real),  # output
        array_at(frame, 33, real),  # delta_shown
        array_at(frame, 34, real),  # gain_shown
        array_at(frame, 35, real),  # x
        array_at(frame, 36, F64),  # target
        array_at(frame, 37, real),  # outputs
        array_at(frame, 38, real),  # steps_x
        array_at(frame, 39, F64),  # steps_target
        array_at(frame, 40, real),  # steps_outputs
        array_at(frame, 41, real),  # steps_states
        array_at(frame, 42, I64),  # tap_when
        array_at(frame, 43, I64),  # tap_kind
        array_at(frame, 44, I64),  # tap_place
        array_at(frame, 45, F64),  # tap_rows
        array_at(frame, 46, U8),  # stable
        array_at(frame, 47, U8),  # hard
    )


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


# ---------------------------------------------------------------- Synaptic's own sweeps


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


# ---------------------------------------------------------------- what is called from Python
# Plain functions; `kernels` compiles them for a rule, a dtype and a width, and links them.

REAL, WIDTH, RULE = np.float64, 4, 0
LSTM_G, SYNAPTIC, BPTT, RTRL = range(4)


def activate(frame):
    """Do one step; return whether it went well."""
    f = opened(frame, REAL)
    if RULE == SYNAPTIC:
        well = synaptic_activate(f)
        if well:
            synaptic_show(f)
        return well
    if not forward_step(f):
        return False
    if RULE == LSTM_G:
        traces(f)
    elif RULE == RTRL:
        sensitivities(f, WIDTH)
    show(f)
    return True


def propagate(frame, rate, loss):
    """Find the gradient of the loss of this step, then go downhill; return whether it went well."""
    f = opened(frame, REAL)
    if errors(f, loss) != 0:
        return False
    if RULE == SYNAPTIC:
        return synaptic_propagate(f, rate)
    deltas(f, RULE == LSTM_G)
    if RULE == RTRL:
        meet(f, WIDTH)
    return descend(f, rate)


def step(frame, rate, loss):
    """Activate and propagate; return 0 if both went well, 1 or 2 if the first or second did not."""
    if not activate(frame):
        return 1
    return 0 if propagate(frame, rate, loss) else 2


def update(frame, rate):
    """Go downhill along gradients that were found elsewhere; return whether it went well."""
    return descend(opened(frame, REAL), rate)


def learn(frame, rate, loss, period, t0, t1):
    """Activate and propagate, steps t0:t1; return the first that did not go well, or t1.

    `period`: go back to rest before each step that is a multiple of it; 0: never.
    """
    f = opened(frame, REAL)
    n, n_in, n_out = at(f.p, NEURONS), at(f.p, N_INPUTS), at(f.p, N_OUTPUTS)
    for t in range(t0, t1):
        if period and t % period == 0:
            rest(f)
        for c in range(n_in):
            put(f.x, c, at(f.steps_x, t * n_in + c))
        if not activate(frame):
            return t
        asked = 0
        for o in range(n_out):
            target = at(f.steps_target, t * n_out + o)
            put(f.target, o, target)
            put(f.steps_outputs, t * n_out + o, at(f.outputs, o))
            put(f.steps_states, t * n_out + o, at(f.s, n + get(f.p, OUTPUT, o)))
            asked += 0 if math.isnan(target) else 1
        if asked and not propagate(frame, rate, loss):
            return t
        if len(f.tap_kind):
            tap(f, t, asked)
    return t1


class Kernels(NamedTuple):
    """The functions above, compiled for one rule and one dtype."""

    activate: Any
    propagate: Any
    step: Any
    update: Any
    learn: Any


ARGUMENTS = {
    "activate": (types.int64,),
    "propagate": (types.int64, types.float64, types.int64),
    "step": (types.int64, types.float64, types.int64),
    "update": (types.int64, types.float64),
    "learn": (types.int64, types.float64, *(types.int64,) * 4),
}


@cache
def kernels(rule: int, real: Any, short: bool) -> Kernels:
    """Return the kernels of a rule for a dtype; numba keeps them on disk, see `kernels.kernels`.

    `short`: single steps take so little time that letting other threads run costs more.
    """
    width = 32 // np.dtype(real).itemsize
    made: dict[str, Any] = {"REAL": real, "WIDTH": width, "RULE": rule}
    found = {}
    for name in Kernels._fields:
        kernel = FunctionType(globals()[name].__code__, {**globals(), **made}, name)
        nogil = name == "learn" or not short
        kernel.__qualname__ = f"{name}_{rule}_{np.dtype(real).name}_{nogil:d}_{_digest()}"
        made[name] = njit(cache=True, **{**OPTIONS, "nogil": nogil})(kernel)
        found[name] = _entry(made[name], ARGUMENTS[name])
    return Kernels(**found)


def _entry(kernel, arguments):
    """Return what a kernel is for these types, without the dispatcher: it takes half of a call."""
    if config.DISABLE_JIT:
        return kernel
    kernel.compile(arguments)
    return kernel.overloads[arguments].entry_point


@cache
def _digest() -> str:
    here = Path(__file__)
    source = b"".join(
        here.with_name(name).read_bytes()
        for name in ("traces.py", "kernels.py", "updates.py", "vectors.py")
    )
    source += str(config.BOUNDSCHECK).encode()
    return hashlib.sha256(source).hexdigest()[:16]
