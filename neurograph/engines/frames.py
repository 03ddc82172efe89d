"""The arrays of a job of online learning, and how a kernel comes by them.

A call of one step is so short that unpacking its arguments would be most of it. So all arrays
of a job are in one *frame*, addresses and lengths, and a kernel makes arrays of it again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import config, njit

from neurograph.engines.updates import INLINE
from neurograph.engines.vectors import array_at

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
    extended, gain, r, projected, gated, met, ds, dy : what rules keep
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
    met: Any
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
        array_at(frame, 23, real),  # met
        array_at(frame, 24, real),  # ds
        array_at(frame, 25, real),  # dy
        array_at(frame, 26, real),  # delta
        array_at(frame, 27, real),  # found
        array_at(frame, 28, real),  # eps
        array_at(frame, 29, real),  # d_output
        array_at(frame, 30, real),  # d_state
        array_at(frame, 31, I64),  # row
        array_at(frame, 32, real),  # state
        array_at(frame, 33, real),  # output
        array_at(frame, 34, real),  # delta_shown
        array_at(frame, 35, real),  # gain_shown
        array_at(frame, 36, real),  # x
        array_at(frame, 37, F64),  # target
        array_at(frame, 38, real),  # outputs
        array_at(frame, 39, real),  # steps_x
        array_at(frame, 40, F64),  # steps_target
        array_at(frame, 41, real),  # steps_outputs
        array_at(frame, 42, real),  # steps_states
        array_at(frame, 43, I64),  # tap_when
        array_at(frame, 44, I64),  # tap_kind
        array_at(frame, 45, I64),  # tap_place
        array_at(frame, 46, F64),  # tap_rows
        array_at(frame, 47, U8),  # stable
        array_at(frame, 48, U8),  # hard
    )
