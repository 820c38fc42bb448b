"""Sixteen float32 numbers that compiled kernels treat as one: loads, stores, sums and products.

The compiler does not see that the rows of a transform do not overlap, and so leaves its loops
scalar. Here each operation is a vector instruction of LLVM's from the start, which splits it into
as many registers as the machine needs. Each is rounded as it stands: Numba keeps several copies of
a function, optimised apart, and which one runs must not show in the result.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 16
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_CHOICE = ir.VectorType(ir.IntType(32), LANES)
_FLOAT_BYTES = 4


class LanesType(types.Type):  # type: ignore[misc]
    """The type of sixteen float32 numbers."""

    def __init__(self):
        super().__init__(name="Lanes")


_lanes = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, _FLOATS)


def _address(context, builder, array_type, array, offset):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _FLOATS.as_pointer())


@intrinsic
def load(typing, array, offset):
    """Read sixteen numbers of a flat array from an offset on."""

    def generate(context, builder, signature, arguments):
        values = builder.load(_address(context, builder, signature.args[0], *arguments))
        values.align = _FLOAT_BYTES
        return values

    return _lanes(array, types.uint64), generate


@intrinsic
def store(typing, array, offset, values):
    """Write sixteen numbers to a flat array from an offset on."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], address, align=_FLOAT_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.uint64, _lanes), generate


@intrinsic
def splat(typing, value):
    """Repeat one number sixteen times."""

    def generate(context, builder, signature, arguments):
        zero = ir.Constant(ir.IntType(32), 0)
        one = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), arguments[0], zero)
        return builder.shuffle_vector(one, one, ir.Constant(_CHOICE, [0] * LANES))

    return _lanes(types.float32), generate


@intrinsic
def transpose(typing, source, start, target, to):
    """Transpose 16 x 16 numbers that lie together."""

    def generate(context, builder, signature, arguments):
        source, start, target, to = arguments

        def place(kind, array, first, row):
            offset = builder.add(first, ir.Constant(first.type, row * LANES))
            return _address(context, builder, kind, array, offset)

        rows = []
        for number in range(LANES):
            values = builder.load(place(signature.args[0], source, start, number))
            values.align = _FLOAT_BYTES
            rows.append(values)
        half = LANES // 2
        pairs = [index for lane in range(LANES) for index in (lane, LANES + lane)]
        low, high = (ir.Constant(_CHOICE, part) for part in (pairs[:LANES], pairs[LANES:]))
        # To interleave rows i and i + 8, four times over, is to transpose.
        for _ in range(4):
            rows = [
                builder.shuffle_vector(rows[i], rows[i + half], part)
                for i in range(half)
                for part in (low, high)
            ]
        for number, values in enumerate(rows):
            address = place(signature.args[2], target, to, number)
            builder.store(values, address, align=_FLOAT_BYTES)
        return context.get_dummy_value()

    return types.void(source, types.uint64, target, types.uint64), generate


@intrinsic
def choose_less(typing, left, right, then, otherwise):
    """Take ``then`` in the lanes where left < right, and ``otherwise`` in the others."""

    def generate(context, builder, signature, arguments):
        less = builder.fcmp_ordered("<", *arguments[:2])
        return builder.select(less, *arguments[2:])

    return _lanes(_lanes, _lanes, _lanes, _lanes), generate


@intrinsic
def root(typing, values):
    """Take the square root in each lane."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(_FLOATS, [_FLOATS])
        name = f"llvm.sqrt.v{LANES}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)

    return _lanes(_lanes), generate


@intrinsic
def fused(typing, a, b, c):
    """Compute a b + c, rounded once."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
        name = f"llvm.fma.v{LANES}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)

    return _lanes(_lanes, _lanes, _lanes), generate


@intrinsic
def lane(typing, values, number):
    """Read one lane."""

    def generate(context, builder, signature, arguments):
        return builder.extract_element(*arguments)

    return types.float32(_lanes, types.uint64), generate


def _define(symbol, instruction):
    @intrinsic
    def operate(typing, left, right):
        def generate(context, builder, signature, arguments):
            return getattr(builder, instruction)(*arguments)

        return _lanes(_lanes, _lanes), generate

    @overload(symbol)
    def choose(left, right):
        if not isinstance(right, LanesType):
            return None
        if isinstance(left, LanesType):
            return lambda left, right: operate(left, right)
        if left == types.float32:
            return lambda left, right: operate(splat(left), right)
        return None


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
_define(operator.truediv, "fdiv")
