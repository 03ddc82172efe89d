"""Online learning as kernels: what `neurograph.learning.stepping` defines, at the speed of C."""

from __future__ import annotations

import math
from functools import cache
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
from numba import config, njit, types

from neurograph.engines.frames import (
    opened,
)
from neurograph.engines.kernels import CODE_OF as KERNELS
from neurograph.engines.kernels import digest
from neurograph.engines.parts import (
    N_INPUTS,
    N_OUTPUTS,
    NEURONS,
    OUTPUT,
)
from neurograph.engines.sweeping import (
    synaptic_activate,
    synaptic_propagate,
    synaptic_show,
)
from neurograph.engines.traces import (
    deltas,
    descend,
    errors,
    forward_step,
    meet,
    rest,
    sensitivities,
    show,
    tap,
    traces,
)
from neurograph.engines.updates import OPTIONS
from neurograph.engines.vectors import at, get, put

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


CODE_OF = ("frames", "online", "sweeping", "traces")
CODE = digest(*CODE_OF, *KERNELS)  # now, as in `kernels`


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
        kernel.__qualname__ = f"{name}_{rule}_{np.dtype(real).name}_{nogil:d}_{CODE}"
        made[name] = njit(cache=True, **{**OPTIONS, "nogil": nogil})(kernel)
        found[name] = _entry(made[name], ARGUMENTS[name])
    return Kernels(**found)


def _entry(kernel, arguments):
    """Return what a kernel is for these types, without the dispatcher: it takes half of a call."""
    if config.DISABLE_JIT:
        return kernel
    kernel.compile(arguments)
    return kernel.overloads[arguments].entry_point
