"""Activation functions as machine code, which every kernel calls by address.

Each activation is one C function over a run of neurons, `f(s, y, slope, n)`, so that a kernel
is compiled once and for all functions, those that users register included; inside, a loop over
contiguous numbers vectorises. Built-in functions are written here a second time, one number at
a time, with value and derivative together, because they share their exponential; a test holds
them to `neurograph.functions`. What numba cannot compile is called back in Python.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba import carray, cfunc, config, types
from numba.core.errors import NumbaError
from numba.extending import overload, register_jitable

from neurograph.functions import SELU_ALPHA, SELU_SCALE, Activation

__all__ = ["PLAIN", "address"]

OPTIONS = {"error_model": "numpy", "fastmath": {"contract"}}
PLAIN: list[Callable] = []  # what an "address" is where nothing is compiled

# ---------------------------------------------------------------- arithmetic

LOG2_E, LN2 = 1.4426950408889634, 0.6931471805599453
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # Cody & Waite (1980)
ROUND32, ROUND64 = 1.5 * 2.0**23, 1.5 * 2.0**52  # added to a number, it leaves a whole one


def exp(x, real):
    """e^x to 2 units in the last place; |x| counts as 87 (float32) or 700 if it is larger."""
    return real(math.exp(min(max(x, -700), 700)))


def _exp32(x, real):
    x = min(max(x, real(-87)), real(87))
    z = x * real(LOG2_E) + real(ROUND32)
    r = x - (z - real(ROUND32)) * real(LN2)
    p = real(1 / 5040) * r + real(1 / 720)  # Taylor's series, enough for |r| <= ln 2 / 2
    p = ((p * r + real(1 / 120)) * r + real(1 / 24)) * r + real(1 / 6)
    p = ((p * r + real(0.5)) * r + real(1)) * r + real(1)
    # The low bits of z are the power of 2, which goes where a number has its exponent.
    return p * np.int32((np.float32(z).view(np.int32) << np.int32(23)) + np.int32(127 << 23)).view(
        np.float32
    )


def _exp64(x, real):
    x = min(max(x, -700.0), 700.0)
    z = x * LOG2_E + ROUND64
    k = z - ROUND64
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    # Taylor's series in pairs, pairs of pairs, …: short chains, where one number is all there is.
    r2 = r * r
    r4 = r2 * r2
    a = (1 + r) + r2 * (0.5 + r * (1 / 6))
    b = (1 / 24 + r * (1 / 120)) + r2 * (1 / 720 + r * (1 / 5040))
    c = (1 / 40320 + r * (1 / 362880)) + r2 * (1 / 3628800 + r * (1 / 39916800))
    d = 1 / 479001600 + r * (1 / 6227020800)
    p = (a + r4 * b) + (r4 * r4) * (c + r4 * d)
    return p * np.int64((np.float64(z).view(np.int64) << 52) + (1023 << 52)).view(np.float64)


@overload(exp, jit_options=OPTIONS, inline="never")
def _exp(x, real):
    return _exp32 if x == types.float32 else _exp64


# ---------------------------------------------------------------- the functions of the library
# Each returns f(s) and f'(s), in the type of s: `real` makes its constants.


def logistic(s, real):
    e = exp(-s, real)
    r = real(1) / (real(1) + e)
    return r, (e * r) * r


def tanh(s, real):
    # Near 0 a rational function (Cephes), which does not cancel there. Both are computed and
    # one is taken: a branch would be slower.
    z = min(s * s, real(0.4))
    p = (real(-0.964399179425052238628) * z + real(-99.2877231001918586564)) * z
    q = ((z + real(112.811678491632931402)) * z + real(2235.48839060100448583)) * z
    near = (p + real(-1614.68768441708447952)) / (q + real(4844.06305325125486048))
    near = s + s * z * near
    e = exp(real(-2) * abs(s), real)
    r = real(1) / (real(1) + e)
    far = (real(1) - e) * r
    far = far if s > real(0) else -far
    return (near if z < real(0.39) else far), real(4) * e * r * r


def identity(s, real):
    return s, real(1)


def relu(s, real):
    return (real(0) if s <= real(0) else s), (real(1) if s > real(0) else real(0))


def leaky_relu(s, real):
    slope = real(1) if s > real(0) else real(0.01)
    return s * slope, slope


def step(s, real):
    return (real(1) if s > real(0) else real(0)), real(0)


def bipolar(s, real):
    return (real(1) if s > real(0) else real(-1)), real(0)


def bipolar_logistic(s, real):
    y, slope = tanh(real(0.5) * s, real)
    return y, real(0.5) * slope


def hard_tanh(s, real):
    y = min(max(s, real(-1)), real(1))
    return (y if s == s else s), (real(1) if abs(s) < real(1) else real(0))


def absolute(s, real):
    return abs(s), (real(1) if s > real(0) else (real(-1) if s < real(0) else real(0)))


def inverse(s, real):
    return real(1) - s, real(-1)


def selu(s, real):
    scale, low = real(SELU_SCALE), real(SELU_SCALE * SELU_ALPHA)
    down = min(s, real(0))
    y = scale * s if s > real(0) else low * real(math.expm1(down))
    return y, (scale if s > real(0) else low * exp(down, real))


def softplus(s, real):
    e = exp(-abs(s), real)
    r = real(1) / (real(1) + e)
    return max(s, real(0)) + real(math.log1p(e)), (r if s >= real(0) else e * r)


def softsign(s, real):
    r = real(1) / (real(1) + abs(s))
    return s * r, r * r


def swish(s, real):
    y, slope = logistic(s, real)
    return s * y, y + s * slope


def gelu(s, real):
    cdf = real(0.5) * (real(1) + real(math.erf(s * real(math.sqrt(0.5)))))
    pdf = exp(real(-0.5) * s * s, real) * real(1 / math.sqrt(2 * math.pi))
    return s * cdf, cdf + s * pdf


def gaussian(s, real):
    y = exp(-s * s, real)
    return y, real(-2) * s * y


def sin(s, real):
    return real(math.sin(s)), real(math.cos(s))


def bent_identity(s, real):
    h = real(math.hypot(s, real(1)))
    return (h - real(1)) * real(0.5) + s, s / (real(2) * h) + real(1)


BUILTIN = {
    f.__name__: register_jitable(f)
    for f in (
        logistic,
        tanh,
        identity,
        relu,
        leaky_relu,
        step,
        bipolar,
        bipolar_logistic,
        hard_tanh,
        absolute,
        inverse,
        selu,
        softplus,
        softsign,
        swish,
        gelu,
        gaussian,
        sin,
        bent_identity,
    )
}

# ---------------------------------------------------------------- C functions


@cache
def address(activation: Activation, dtype: np.dtype) -> tuple[int, int]:
    """Return where the C functions of an activation are, for float64 or float32.

    Both are `f(s, y, slope, n)` over n numbers; the first leaves `slope` alone.
    """
    values, both = _compiled(activation, dtype) or _called_back(activation, dtype)
    _kept.append((values, both))
    if config.DISABLE_JIT:
        PLAIN.extend((values, both))
        return len(PLAIN) - 2, len(PLAIN) - 1
    return _pointer(values), _pointer(both)


_kept: list[Any] = []  # so that no C function goes while a kernel may still call it


def _pointer(function: Any) -> int:
    if isinstance(function, ctypes._CFuncPtr):
        return ctypes.cast(function, ctypes.c_void_p).value or 0
    return function.address


def _compiled(activation: Activation, dtype: np.dtype) -> tuple[Any, Any] | None:
    """Return both C functions, or None where numba cannot make them, or makes something else."""
    if config.DISABLE_JIT:
        return None
    if activation.builtin:
        pair, mark = BUILTIN[activation.name], activation.name
    else:
        f, derivative = (
            getattr(g, "__wrapped__", g) for g in (activation.f, activation.derivative)
        )
        pair, mark = _pair(f, derivative), fingerprint(f, derivative)
    number = types.float32 if dtype == np.float32 else types.float64
    pointer = types.CPointer(number)
    signature = types.void(pointer, pointer, pointer, types.intp)
    made = []
    for loop in (_values(pair, dtype.type), _both(pair, dtype.type)):
        loop.__qualname__ = f"{loop.__name__}_{mark}"  # the name of its file in numba's cache
        try:
            made.append(cfunc(signature, cache=mark is not None, **OPTIONS)(loop))
        except (NumbaError, NotImplementedError, TypeError, ValueError, AttributeError):
            return None
    if not activation.builtin and not _agrees(made[1], activation, dtype):
        return None
    return made[0], made[1]


def _values(pair: Callable, real: type) -> Callable:
    def values(state, output, slope, n):
        s, y = carray(state, n), carray(output, n)
        for i in range(n):
            y[i] = pair(s[i], real)[0]

    return values


def _both(pair: Callable, real: type) -> Callable:
    def both(state, output, slope, n):
        s, y, d = carray(state, n), carray(output, n), carray(slope, n)
        for i in range(n):
            y[i], d[i] = pair(s[i], real)

    return both


def _pair(f: Callable, derivative: Callable) -> Callable:
    """Return a user's two functions as one that numba can inline."""
    f, derivative = (
        register_jitable(g) if isinstance(g, FunctionType) else g for g in (f, derivative)
    )

    def pair(s, real):
        return real(f(s)), real(derivative(s))

    return register_jitable(pair)


def _agrees(compiled: Any, activation: Activation, dtype: np.dtype) -> bool:
    """Whether machine code computes what Python does: numbers there are not always Python's."""
    s = np.linspace(-3.3, 3.7, 15).astype(dtype)
    y, d = np.empty_like(s), np.empty_like(s)
    compiled.ctypes(*(a.ctypes.data_as(compiled.ctypes.argtypes[0]) for a in (s, y, d)), len(s))
    near = 1e-12 if dtype == np.float64 else 1e-5
    return np.allclose(y, activation.f(s), near, near) and np.allclose(
        d, activation.derivative(s), near, near
    )


def _called_back(activation: Activation, dtype: np.dtype) -> tuple[Any, Any]:
    """Return C functions that call Python, run by run; slow, but never wrong."""
    if config.DISABLE_JIT:

        def plain(s, y, d):
            y[:] = activation.f(s)
            if d is not None:
                d[:] = activation.derivative(s)

        return plain, plain

    number = np.ctypeslib.as_ctypes_type(dtype)
    pointer = ctypes.POINTER(number)
    kind = ctypes.CFUNCTYPE(None, pointer, pointer, pointer, ctypes.c_ssize_t)

    def fill(array, f, state, n):
        filled = np.ctypeslib.as_array(array, (n,))
        try:
            filled[:] = f(np.ctypeslib.as_array(state, (n,)).copy())
        except Exception:  # there is nobody above to catch it: the run names the neuron
            filled[:] = np.nan

    def values(state, output, slope, n):
        fill(output, activation.f, state, n)

    def both(state, output, slope, n):
        fill(output, activation.f, state, n)
        fill(slope, activation.derivative, state, n)

    return kind(values), kind(both)


# ---------------------------------------------------------------- what a function depends on


def fingerprint(*functions: Callable) -> str | None:
    """Return a digest of all that functions compute with, or None if it cannot be told.

    Numba keeps machine code by file and line; this keeps it by content, so that an edited
    helper or constant is never missed.
    """
    digest = hashlib.sha256()
    try:
        for f in functions:
            _digest(f, digest, 0)
    except TypeError:
        return None
    return digest.hexdigest()[:16]


def _digest(thing: Any, digest: Any, depth: int) -> None:
    if depth > 20:
        raise TypeError("too deep")
    if isinstance(thing, FunctionType):
        code = thing.__code__
        _digest(code, digest, depth + 1)
        cells = [c.cell_contents for c in thing.__closure__ or ()]
        names = [n for c in _codes(code) for n in c.co_names if n in thing.__globals__]
        for used in (*cells, *(thing.__globals__[n] for n in names), thing.__defaults__):
            _digest(used, digest, depth + 1)
    elif isinstance(thing, CodeType):
        digest.update(thing.co_code + repr(thing.co_names).encode())
        for constant in thing.co_consts:
            _digest(constant, digest, depth + 1)
    elif isinstance(thing, tuple):
        for item in thing:
            _digest(item, digest, depth + 1)
    elif isinstance(thing, (bool, int, float, complex, str, type(None))):
        digest.update(repr((type(thing).__name__, thing)).encode())
    elif isinstance(thing, (ModuleType, np.ufunc, type)) or type(thing) is type(math.exp):
        digest.update(getattr(thing, "__name__", "?").encode())
    else:
        raise TypeError(f"cannot tell what {thing!r} holds")


def _codes(code: CodeType) -> list[CodeType]:
    """Return a function's code and that of the functions inside it."""
    return [code, *(c for k in code.co_consts if isinstance(k, CodeType) for c in _codes(k))]
