"""A SIMD vector type of sixteen float32 lanes for compiled kernels: loads, stores, arithmetic.

LLVM's auto-vectorizer cannot prove that the rows of a transform do not overlap, and leaves the
loops scalar. Here each operation emits a vector instruction, which LLVM splits into as many
registers as the machine needs. None has fast-math flags: Numba keeps several copies of a function,
optimized separately, and the result must not depend on which one runs.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from .._parallel.simd import LANES

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTS = ir.VectorType(ir.IntType(32), LANES)
_FLOAT_BYTES = 4


class LanesType(types.Type):  # type: ignore[misc]
    """The type of sixteen float32 lanes."""

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


def _shuffle(builder, values, order):
    """Select lanes of a vector."""
    kind = ir.VectorType(ir.IntType(32), len(order))
    return builder.shuffle_vector(values, values, ir.Constant(kind, order))


def _broadcast(builder, value):
    """Copy a scalar to every lane."""
    kind = ir.VectorType(value.type, LANES)
    zero = ir.Constant(ir.IntType(32), 0)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, zero)
    return _shuffle(builder, one, [0] * LANES)


@intrinsic
def noinline(typing):
    """Keep the calling function out of line: a large one need be compiled only once."""

    def generate(context, builder, signature, arguments):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def load(typing, array, offset):
    """Load sixteen numbers of a flat array."""

    def generate(context, builder, signature, arguments):
        values = builder.load(_address(context, builder, signature.args[0], *arguments))
        values.align = _FLOAT_BYTES
        return values

    return _lanes(array, types.uint64), generate


@intrinsic
def store(typing, array, offset, values):
    """Store sixteen numbers to a flat array."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], address, align=_FLOAT_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.uint64, _lanes), generate


@intrinsic
def splat(typing, value):
    """Copy a scalar to every lane."""

    def generate(context, builder, signature, arguments):
        return _broadcast(builder, arguments[0])

    return _lanes(types.float32), generate


@intrinsic
def store_pairs(typing, array, offset, x, y):
    """Store sixteen pairs (x, y), interleaved."""

    def generate(context, builder, signature, arguments):
        array, offset, x, y = arguments
        for first in (0, LANES // 2):
            order = [n for lane in range(first, first + LANES // 2) for n in (lane, LANES + lane)]
            pairs = builder.shuffle_vector(x, y, ir.Constant(_INTS, order))
            at = builder.add(offset, ir.Constant(offset.type, 2 * first))
            address = _address(context, builder, signature.args[0], array, at)
            builder.store(pairs, address, align=_FLOAT_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.uint64, _lanes, _lanes), generate


@intrinsic
def gather_pairs(typing, array, indices, offset):
    """Load the pairs (x, y) at sixteen indices, read from ``indices`` at an offset.

    One 8-byte load per pair: twice as fast as gathering x and y, and independent of gather
    instructions, which some machines lack and others have slowed down.
    """

    def generate(context, builder, signature, arguments):
        array, indices, offset = arguments
        pair = ir.IntType(64)
        data = context.make_array(signature.args[0])(context, builder, array).data
        pairs = builder.bitcast(data, pair.as_pointer())
        first = builder.gep(
            context.make_array(signature.args[1])(context, builder, indices).data, [offset]
        )
        values = ir.Constant(ir.VectorType(pair, LANES), ir.Undefined)
        for number in range(LANES):
            place = ir.Constant(ir.IntType(32), number)
            # Indices are never negative.
            index = builder.load(builder.gep(first, [place]))
            index = builder.zext(index, pair)
            value = builder.load(builder.gep(pairs, [index]))
            value.align = _FLOAT_BYTES
            values = builder.insert_element(values, value, place)
        values = builder.bitcast(values, ir.VectorType(ir.FloatType(), 2 * LANES))
        parts = [_shuffle(builder, values, list(range(part, 2 * LANES, 2))) for part in (0, 1)]
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(_lanes, 2)(array, indices, types.uint64), generate


@intrinsic
def load_uint16(typing, array, offset):
    """Load sixteen uint16 numbers and convert them to float32."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        kind = ir.VectorType(ir.IntType(16), LANES)
        values = builder.load(builder.bitcast(builder.gep(data, [arguments[1]]), kind.as_pointer()))
        values.align = 2
        return builder.sitofp(builder.zext(values, _INTS), _FLOATS)

    return _lanes(array, types.uint64), generate


@intrinsic
def keep_first(typing, values, count):
    """Keep the first ``count`` lanes and set the others to zero."""

    def generate(context, builder, signature, arguments):
        values, count = arguments
        count = _broadcast(builder, builder.trunc(count, ir.IntType(32)))
        kept = builder.icmp_signed("<", ir.Constant(_INTS, list(range(LANES))), count)
        return builder.select(kept, values, ir.Constant(_FLOATS, [0.0] * LANES))

    return _lanes(_lanes, types.uint64), generate


def _reduce(combine):
    """Reduce the lanes pairwise: the halves, then halves of the result, and so on."""

    def generate(context, builder, signature, arguments):
        (values,) = arguments
        size = LANES
        while size > 1:
            size //= 2
            low = _shuffle(builder, values, list(range(size)))
            high = _shuffle(builder, values, list(range(size, 2 * size)))
            values = combine(builder, low, high)
        return builder.extract_element(values, ir.Constant(ir.IntType(32), 0))

    return generate


def _minimum(builder, left, right):
    return builder.select(builder.fcmp_ordered("<", left, right), left, right)


def _maximum(builder, left, right):
    return builder.select(builder.fcmp_ordered("<", right, left), left, right)


@intrinsic
def reduce_sum(typing, values):
    """Sum the lanes."""
    return types.float32(_lanes), _reduce(lambda builder, low, high: builder.fadd(low, high))


@intrinsic
def reduce_min(typing, values):
    """Return the minimum of the lanes."""
    return types.float32(_lanes), _reduce(_minimum)


@intrinsic
def reduce_max(typing, values):
    """Return the maximum of the lanes."""
    return types.float32(_lanes), _reduce(_maximum)


@intrinsic
def truncate(typing, values):
    """Round nonnegative numbers down to integers."""

    def generate(context, builder, signature, arguments):
        return builder.sitofp(builder.fptosi(arguments[0], _INTS), _FLOATS)

    return _lanes(_lanes), generate


@intrinsic
def store_int(typing, array, offset, values):
    """Store integers in the bits of a float32 array, for `load_int`."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments[:2])
        bits = builder.bitcast(builder.fptosi(arguments[2], _INTS), _FLOATS)
        builder.store(bits, address, align=_FLOAT_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.uint64, _lanes), generate


@intrinsic
def load_int(typing, array, offset):
    """Load one integer written by `store_int`."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(32).as_pointer())
        return builder.zext(builder.load(place), ir.IntType(64))

    return types.uint64(array, types.uint64), generate


@intrinsic
def split_floats(typing, values):
    """Split positive numbers into exponents e and mantissas m in [1, 2): m 2^e."""

    def generate(context, builder, signature, arguments):
        def all_of(number):
            return ir.Constant(_INTS, [number] * LANES)

        bits = builder.bitcast(arguments[0], _INTS)
        exponents = builder.sub(builder.lshr(bits, all_of(23)), all_of(127))
        mantissas = builder.or_(builder.and_(bits, all_of(0x7FFFFF)), all_of(0x3F800000))
        parts = builder.sitofp(exponents, _FLOATS), builder.bitcast(mantissas, _FLOATS)
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(_lanes, 2)(_lanes), generate


@intrinsic
def weigh_square(typing, array, offset, stride, weights):
    """Compute three weighted sums of 4 x 4 numbers at an offset, with rows a stride apart.

    ``weights`` are w, s, v, t, four lanes each: w and s weigh the rows, v and t the columns.
    Returns the terms, one lane per column, of sum w a v, sum w a t and sum s a v.
    """

    def generate(context, builder, signature, arguments):
        array, offset, stride, weights = arguments
        data = context.make_array(signature.args[0])(context, builder, array).data

        eight = ir.VectorType(ir.FloatType(), 8)
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(eight, [eight] * 3), "llvm.fma.v8f32"
        )
        sums = ir.Constant(eight, [0.0] * 8)
        for row in range(4):
            kind = ir.VectorType(ir.FloatType(), 4).as_pointer()
            numbers = builder.load(builder.bitcast(builder.gep(data, [offset]), kind))
            numbers.align = _FLOAT_BYTES
            of_row = _shuffle(builder, weights, [row] * 4 + [4 + row] * 4)
            sums = builder.call(fma, [of_row, _shuffle(builder, numbers, [0, 1, 2, 3] * 2), sums])
            offset = builder.add(offset, stride)
        first, again = [0, 1, 2, 3], [4, 5, 6, 7]
        left = _shuffle(builder, sums, first + first + again + again)
        columns, columns_again = [8, 9, 10, 11], [12, 13, 14, 15]
        return builder.fmul(
            left, _shuffle(builder, weights, columns + columns_again + columns + columns)
        )

    return _lanes(array, types.uint64, types.uint64, _lanes), generate


@intrinsic
def transpose(typing, source, start, target, to):
    """Transpose a contiguous block of 16 x 16 numbers."""

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
        low, high = (ir.Constant(_INTS, part) for part in (pairs[:LANES], pairs[LANES:]))
        # Interleaving rows i and i + 8 four times transposes the block.
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
def select_less(typing, left, right, then, otherwise):
    """Select ``then`` in the lanes where left < right, and ``otherwise`` in the others."""

    def generate(context, builder, signature, arguments):
        less = builder.fcmp_ordered("<", *arguments[:2])
        return builder.select(less, *arguments[2:])

    return _lanes(_lanes, _lanes, _lanes, _lanes), generate


@intrinsic
def sqrt(typing, values):
    """Compute the square root of each lane."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(_FLOATS, [_FLOATS])
        name = f"llvm.sqrt.v{LANES}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)

    return _lanes(_lanes), generate


@intrinsic
def fma(typing, a, b, c):
    """Compute a b + c, rounded once (fused multiply-add)."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
        name = f"llvm.fma.v{LANES}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)

    return _lanes(_lanes, _lanes, _lanes), generate


def _define(symbol, instruction):
    """Define an operator on Lanes, or on Lanes and a float32, by one LLVM instruction."""

    @type_callable(symbol)
    def of_operands(context):
        def result(left, right):
            operands = {left, right}
            return _lanes if _lanes in operands and operands <= {_lanes, types.float32} else None

        return result

    for kinds in ((_lanes, _lanes), (_lanes, types.float32), (types.float32, _lanes)):

        @lower_builtin(symbol, *kinds)
        def operate(context, builder, signature, arguments):
            operands = [
                value if kind == _lanes else _broadcast(builder, value)
                for kind, value in zip(signature.args, arguments, strict=True)
            ]
            return getattr(builder, instruction)(*operands)


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
_define(operator.truediv, "fdiv")
