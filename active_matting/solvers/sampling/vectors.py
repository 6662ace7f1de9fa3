"""Vectors of eight numbers in numba kernels: what stays in registers needs no buffers, slices or checks of aliasing.

In a kernel, `load(array, at)` gives eight consecutive numbers of a contiguous array, of any number of axes, counted
flat; they are added, subtracted, multiplied, divided, compared and combined like one number, and stored again. All
operands of an operator are vectors: `splat(x)` is eight times x. Numbers are float32 or int32; a comparison gives a
vector of bools, for `select` and `any_of`.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, models, register_model

from active_matting.compiled import njit

LANES = 8

_ELEMENTS = {types.float32: ir.FloatType(), types.int32: ir.IntType(32), types.boolean: ir.IntType(1)}


def _intrinsic(function: Any) -> Any:
    return intrinsic(function)  # whose own type tells of more arguments than a kernel gives


class _Vector(types.Type):
    def __init__(self, element: Any) -> None:
        self.element = element
        super().__init__(name=f"Vector({element})")


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: _Vector) -> None:
        super().__init__(manager, vector, _llvm(vector))  # type: ignore[no-untyped-call]


_FLOATS, _INTEGERS, _BOOLS = _Vector(types.float32), _Vector(types.int32), _Vector(types.boolean)


def _address(context: Any, builder: Any, array: Any, value: Any, at: Any, vector: Any) -> Any:
    data = context.make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


def _llvm(vector: _Vector) -> Any:
    return ir.VectorType(_ELEMENTS[vector.element], LANES)


def _broadcast(builder: Any, vector: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


@_intrinsic
def load(typing: Any, array: Any, at: Any) -> Any:
    """The eight numbers from index `at` on."""
    vector = _Vector(array.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _address(context, builder, array, arguments[0], arguments[1], _llvm(vector))
        return builder.load(place, align=4)

    return vector(array, types.intp), generate


@_intrinsic
def store(typing: Any, array: Any, at: Any, value: Any) -> Any:
    """Write eight numbers from index `at` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _address(context, builder, array, arguments[0], arguments[1], _llvm(value))
        builder.store(arguments[2], place, align=4)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), generate


def _splat_as(element: Any) -> Any:
    def splatted(typing: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _broadcast(builder, _llvm(_Vector(element)), arguments[0])

        return _Vector(element)(element), generate

    return _intrinsic(splatted)


splat = _splat_as(types.float32)
"""Eight times one float."""

splat_integer = _splat_as(types.int32)
"""Eight times one integer."""


@_intrinsic
def select(typing: Any, condition: Any, yes: Any, no: Any) -> Any:
    """`yes` where the condition holds, else `no`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return yes(condition, yes, no), generate


@_intrinsic
def bits_of(typing: Any, condition: Any) -> Any:
    """A comparison as an integer: its lowest bit tells of the first number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.zext(builder.bitcast(arguments[0], ir.IntType(LANES)), ir.IntType(64))

    return types.int64(condition), generate


@_intrinsic
def lowest_bit(typing: Any, word: Any) -> Any:
    """Which is the lowest bit set of a uint64 other than 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


def _converted(source: _Vector, target: _Vector, instruction: str) -> Any:
    def convert(typing: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(arguments[0], _llvm(target))

        return target(source), generate

    return _intrinsic(convert)


as_bits = _converted(_FLOATS, _INTEGERS, "bitcast")
"""The bits that floats are made of, as integers."""

as_floats = _converted(_INTEGERS, _FLOATS, "bitcast")
"""The floats that integers are the bits of."""

truncate = _converted(_FLOATS, _INTEGERS, "fptosi")
"""Floats as integers, towards zero."""

to_floats = _converted(_INTEGERS, _FLOATS, "sitofp")
"""Integers as floats."""


def _call(builder: Any, name: str, arguments: Any) -> Any:
    vector = _llvm(_FLOATS)
    signature = ir.FunctionType(vector, [vector] * len(arguments))
    return builder.call(builder.module.declare_intrinsic(f"llvm.{name}.v{LANES}f32", fnty=signature), arguments)


def _of_llvm(name: str) -> Any:
    def call(typing: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _call(builder, name, arguments)

        return _FLOATS(_FLOATS), generate

    return _intrinsic(call)


@_intrinsic
def multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once where the processor can do so as fast."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(builder, "fmuladd", arguments)

    return _FLOATS(a, b, c), generate


square_root = _of_llvm("sqrt")
"""√x."""

absolute = _of_llvm("fabs")
"""|x|."""


def _define(function: Any, result: Any, of_floats: str, of_integers: str, *sign: str) -> None:
    # An operator between two like vectors, as the builder's method for either kind; result: its type if it is another.
    def generic(self: Any, arguments: Any, keywords: Any) -> Any:
        a, b = arguments
        return (result or a)(a, a) if isinstance(a, _Vector) and a == b else None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        is_float = signature.args[0] == _FLOATS
        return getattr(builder, of_floats if is_float else of_integers)(*sign, *arguments)

    infer_global(function)(type("VectorTemplate", (AbstractTemplate,), {"key": function, "generic": generic}))
    lower_builtin(function, _Vector, _Vector)(generate)


_define(operator.add, None, "fadd", "add")
_define(operator.sub, None, "fsub", "sub")
_define(operator.mul, None, "fmul", "mul")
_define(operator.truediv, None, "fdiv", "sdiv")
_define(operator.and_, None, "and_", "and_")
_define(operator.or_, None, "or_", "or_")
_define(operator.lshift, None, "shl", "shl")
for _comparison, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.eq, "=="),
    (operator.ne, "!="),
):
    _define(_comparison, _BOOLS, "fcmp_ordered", "icmp_signed", _sign)


def _chosen(sign: str) -> Any:
    def choose(typing: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            compare = builder.fcmp_ordered if a == _FLOATS else builder.icmp_signed
            return builder.select(compare(sign, *arguments), *arguments)

        return a(a, a), generate

    return _intrinsic(choose)


least = _chosen("<")
"""The lesser of two, number by number; of floats, none is NaN."""

greatest = _chosen(">")
"""The greater of two, likewise."""


@njit(cache=True, nogil=True)
def exponential(exponent: Any) -> Any:
    """exp(x) for x ≤ 0: 2^(i + f), 2^i made of its bits, 2^f a polynomial of degree 6.

    Good to 2e-7, relative, down to exp(-87), and that for all below.
    """
    t = greatest(exponent, splat(np.float32(-87))) * splat(np.float32(1.4426950408889634))
    whole = truncate(t - splat(np.float32(1))) + splat_integer(np.int32(1))
    whole = select(to_floats(whole) > t, whole - splat_integer(np.int32(1)), whole)
    f = t - to_floats(whole)
    power = as_floats((whole + splat_integer(np.int32(127))) << splat_integer(np.int32(23)))
    p = splat(np.float32(2.1866e-4)) * f + splat(np.float32(1.23890e-3))
    p = p * f + splat(np.float32(9.68430e-3))
    p = p * f + splat(np.float32(5.548024e-2))
    p = p * f + splat(np.float32(2.4022984e-1))
    p = p * f + splat(np.float32(6.9314699e-1))
    return (p * f + splat(np.float32(1))) * power
