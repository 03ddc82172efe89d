"""Vectors of a fixed number of lanes, for the loops that everything else waits for.

`load`, `store`, `splat`, `add`, `mul`, `mad` and `total` work on a row of lanes: LLVM's own
vector type inside a kernel, a NumPy array where nothing is compiled (NUMBA_DISABLE_JIT=1).
`at` and `put` are array access without numba's wrap-around check, and give indices as int64;
`get` is entry i of one part of a program; `array_at` makes array i of a frame of
addresses and lengths, given by its own. With NUMBA_BOUNDSCHECK=1 they check their bounds, as do
`load` and `store`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model
from numba.np.arrayobj import populate_array

from neurograph.engines.natives import PLAIN

__all__ = [
    "add",
    "array_at",
    "at",
    "call",
    "cast",
    "get",
    "load",
    "mad",
    "mul",
    "nought",
    "put",
    "splat",
    "store",
    "total",
]

# What floating-point arithmetic may do: fuse a product with a sum, and sum in the order that
# suits the vectors. Both are fixed when a kernel is compiled, so results do not vary.
FAST = ("contract", "reassoc", "nsz")


class Vector(types.Type):
    """Numba's type of a row of lanes."""

    def __init__(self, dtype: Any, lanes: int):
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vector({dtype}, {lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Vector):
        element = dmm.lookup(fe_type.dtype).get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(element, fe_type.lanes))


def _lanes(literal: Any) -> int | None:
    return literal.literal_value if isinstance(literal, types.IntegerLiteral) else None


def _address(context: Any, builder: Any, kind: Any, array: Any, at: Any, n: int) -> Any:
    """Return a pointer to element `at`, of which `n` follow."""
    made = context.make_array(kind)(context, builder, array)
    if config.BOUNDSCHECK:
        last = builder.add(at, ir.Constant(at.type, n))
        outside = builder.or_(
            builder.icmp_signed("<", at, ir.Constant(at.type, 0)),
            builder.icmp_signed(">", last, made.nitems),
        )
        with builder.if_then(outside, likely=False):
            context.call_conv.return_user_exc(
                builder, IndexError, ("a kernel reads or writes outside an array",)
            )
    return builder.gep(made.data, [at])


@intrinsic
def _at(typing, array, i):
    index = isinstance(array.dtype, types.Integer)
    result = types.int64 if index else array.dtype

    def generate(context, builder, signature, args):
        found = builder.load(_address(context, builder, array, *args, 1))
        return builder.zext(found, ir.IntType(64)) if index and found.type.width < 64 else found

    return result(array, types.int64), generate


@intrinsic
def _get(typing, program, part, i):
    def generate(context, builder, signature, args):
        begin = builder.load(_address(context, builder, program, args[0], args[1], 1))
        i = builder.add(builder.zext(begin, ir.IntType(64)), args[2])
        found = builder.load(_address(context, builder, program, args[0], i, 1))
        return builder.zext(found, ir.IntType(64))

    return types.int64(program, types.int64, types.int64), generate


@intrinsic
def _array_at(typing, frame, i, real):
    result = types.Array(real.instance_type, 1, "C")

    def generate(context, builder, signature, args):
        entry = builder.mul(args[1], ir.Constant(args[1].type, 2))
        begin = builder.inttoptr(args[0], args[1].type.as_pointer())
        first = builder.gep(begin, [entry])
        length = builder.gep(first, [ir.Constant(args[1].type, 1)])
        element = context.get_data_type(result.dtype)
        size = context.get_constant(types.intp, context.get_abi_sizeof(element))
        made = context.make_array(result)(context, builder)
        populate_array(
            made,
            data=builder.inttoptr(builder.load(first), element.as_pointer()),
            shape=[builder.load(length)],
            strides=[size],
            itemsize=size,
            meminfo=None,
        )
        return made._getvalue()

    return result(types.int64, types.int64, real), generate


@intrinsic
def _put(typing, array, i, value):
    def generate(context, builder, signature, args):
        builder.store(args[2], _address(context, builder, array, args[0], args[1], 1))
        return context.get_dummy_value()

    return types.void(array, types.int64, array.dtype), generate


@intrinsic
def _cast(typing, array, number):
    return array.dtype(array, array.dtype), lambda context, builder, signature, args: args[1]


@intrinsic
def _nought(typing, number):
    return number(number), lambda context, builder, signature, args: ir.Constant(args[0].type, 0)


@intrinsic
def _load(typing, array, i, lanes):
    n = _lanes(lanes)
    if n is None:
        return None
    vector = Vector(array.dtype, n)

    def generate(context, builder, signature, args):
        pointer = _address(context, builder, array, args[0], args[1], n)
        pointer = builder.bitcast(pointer, context.get_value_type(vector).as_pointer())
        found = builder.load(pointer)
        found.align = array.dtype.bitwidth // 8
        return found

    return vector(array, types.int64, lanes), generate


@intrinsic
def _store(typing, array, i, vector):
    def generate(context, builder, signature, args):
        pointer = _address(context, builder, array, args[0], args[1], vector.lanes)
        written = builder.store(args[2], builder.bitcast(pointer, args[2].type.as_pointer()))
        written.align = array.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(array, types.int64, vector), generate


@intrinsic
def _splat(typing, number, lanes):
    n = _lanes(lanes)
    if n is None:
        return None
    vector = Vector(number, n)

    def generate(context, builder, signature, args):
        kind = context.get_value_type(vector)
        nothing = ir.Constant(kind, ir.Undefined)
        first = builder.insert_element(nothing, args[0], ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), n), [0] * n)
        return builder.shuffle_vector(first, nothing, mask)

    return vector(number, lanes), generate


def _arithmetic(generate):
    """Return an operation on vectors of one type."""

    @intrinsic
    def operation(typing, a, b):
        return a(a, b), lambda context, builder, signature, args: generate(builder, *args)

    return operation


_add = _arithmetic(lambda builder, a, b: builder.fadd(a, b, flags=FAST))
_mul = _arithmetic(lambda builder, a, b: builder.fmul(a, b, flags=FAST))


@intrinsic
def _mad(typing, a, b, c):
    def generate(context, builder, signature, args):
        product = builder.fmul(args[0], args[1], flags=FAST)
        return builder.fadd(product, args[2], flags=FAST)

    return a(a, b, c), generate


@intrinsic
def _total(typing, vector):
    def generate(context, builder, signature, args):
        element = args[0].type.element
        suffix = "f32" if isinstance(element, ir.FloatType) else "f64"
        reduce = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(element, [element, args[0].type]),
            f"llvm.vector.reduce.fadd.v{vector.lanes}{suffix}",
        )
        return builder.call(reduce, [ir.Constant(element, -0.0), args[0]], fastmath=FAST)

    return vector.dtype(vector), generate


@intrinsic
def _call(typing, address, s, s0, y, y0, slope, slope0, n):
    def generate(context, builder, signature, args):
        pointers = [
            _address(context, builder, kind, args[k], args[k + 1], 0)
            for kind, k in ((s, 1), (y, 3), (slope, 5))
        ]
        kind = ir.FunctionType(
            ir.VoidType(), [*(p.type for p in pointers), context.get_value_type(types.intp)]
        )
        function = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(function, [*pointers, args[7]])
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, s, i, y, i, slope, i, types.intp), generate


# ---------------------------------------------------------------- the same in plain Python


class _Plain:
    """What the intrinsics do, where nothing is compiled."""

    @staticmethod
    def at(array, i):
        assert i >= 0
        return int(array[i]) if array.dtype.kind in "iu" else array[i]

    @staticmethod
    def get(program, part, i):
        assert i >= 0
        return int(program[int(program[part]) + i])

    @staticmethod
    def array_at(frame, i, real):
        return frame[i]

    @staticmethod
    def put(array, i, value):
        assert i >= 0
        array[i] = value

    @staticmethod
    def cast(array, number):
        return array.dtype.type(number)

    @staticmethod
    def nought(number):
        return type(number)(0)

    @staticmethod
    def load(array, i, lanes):
        assert 0 <= i <= i + lanes <= len(array)
        return array[i : i + lanes].copy()

    @staticmethod
    def store(array, i, vector):
        assert 0 <= i <= i + len(vector) <= len(array)
        array[i : i + len(vector)] = vector

    @staticmethod
    def splat(number, lanes):
        return np.full(lanes, number)

    @staticmethod
    def add(a, b):
        return a + b

    @staticmethod
    def mul(a, b):
        return a * b

    @staticmethod
    def mad(a, b, c):
        return a * b + c

    @staticmethod
    def total(vector):
        return vector.sum()

    @staticmethod
    def call(address, s, s0, y, y0, slope, slope0, n):
        d = slope[slope0 : slope0 + n] if len(slope) else None
        PLAIN[address](s[s0 : s0 + n], y[y0 : y0 + n], d)


if config.DISABLE_JIT:
    at, put, load, store, splat = _Plain.at, _Plain.put, _Plain.load, _Plain.store, _Plain.splat
    add, mul, mad, total = _Plain.add, _Plain.mul, _Plain.mad, _Plain.total
    call, cast, get, array_at = _Plain.call, _Plain.cast, _Plain.get, _Plain.array_at
    nought = _Plain.nought
else:
    at, put, load, store, splat = _at, _put, _load, _store, _splat
    add, mul, mad, total = _add, _mul, _mad, _total
    call, cast, get, array_at, nought = _call, _cast, _get, _array_at, _nought
