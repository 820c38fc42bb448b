"""Sixteen float32 numbers that compiled kernels treat as one: loads, stores, arithmetic.

The compiler does not see that the rows of a transform do not overlap, and so leaves its loops
scalar. Here each operation is a vector instruction of LLVM's from the start, which splits it into
as many registers as the machine needs. Each is rounded as it stands: Numba keeps several copies of
a function, optimized apart, and which one runs must not show in the result.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from .._parallel.simd import LANES

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


def _choose(builder, values, order):
    """Take the numbers at some places of a vector."""
    kind = ir.VectorType(ir.IntType(32), len(order))
    return builder.shuffle_vector(values, values, ir.Constant(kind, order))


def _repeat(builder, value):
    """Repeat one number sixteen times."""
    kind = ir.VectorType(value.type, LANES)
    zero = ir.Constant(ir.IntType(32), 0)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, zero)
    return _choose(builder, one, [0] * LANES)


@intrinsic
def noinline(typing):
    """Do not compile the function that calls this into its callers: a large one once is enough."""

    def generate(context, builder, signature, arguments):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), generate


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
        return _repeat(builder, arguments[0])

    return _lanes(types.float32), generate


@intrinsic
def store_pairs(typing, array, offset, x, y):
    """Write sixteen pairs (x, y), one after the other, from an offset on."""

    def generate(context, builder, signature, arguments):
        array, offset, x, y = arguments
        for first in (0, LANES // 2):
            order = [n for lane in range(first, first + LANES // 2) for n in (lane, LANES + lane)]
            pairs = builder.shuffle_vector(x, y, ir.Constant(_CHOICE, order))
            at = builder.add(offset, ir.Constant(offset.type, 2 * first))
            address = _address(context, builder, signature.args[0], array, at)
            builder.store(pairs, address, align=_FLOAT_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.uint64, _lanes, _lanes), generate


@intrinsic
def pairs_at(typing, array, indices, offset):
    """Read the pairs (x, y) that sixteen whole numbers, from an offset on, are the indices of.

    A load for each pair, 8 bytes at once: twice as fast as gathers of x and of y, and needing no
    instruction that some machines lack, and others have made slow.
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
            # None is negative.
            index = builder.load(builder.gep(first, [place]))
            index = builder.zext(index, pair)
            value = builder.load(builder.gep(pairs, [index]))
            value.align = _FLOAT_BYTES
            values = builder.insert_element(values, value, place)
        values = builder.bitcast(values, ir.VectorType(ir.FloatType(), 2 * LANES))
        parts = [_choose(builder, values, list(range(part, 2 * LANES, 2))) for part in (0, 1)]
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(_lanes, 2)(array, indices, types.uint64), generate


@intrinsic
def load_small(typing, array, offset):
    """Read sixteen whole numbers of 16 bits, which are not negative."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        kind = ir.VectorType(ir.IntType(16), LANES)
        values = builder.load(builder.bitcast(builder.gep(data, [arguments[1]]), kind.as_pointer()))
        values.align = 2
        return builder.sitofp(builder.zext(values, _CHOICE), _FLOATS)

    return _lanes(array, types.uint64), generate


@intrinsic
def first_of(typing, values, count):
    """Keep the first ``count`` numbers and make the others zero."""

    def generate(context, builder, signature, arguments):
        values, count = arguments
        count = _repeat(builder, builder.trunc(count, ir.IntType(32)))
        among = builder.icmp_signed("<", ir.Constant(_CHOICE, list(range(LANES))), count)
        return builder.select(among, values, ir.Constant(_FLOATS, [0.0] * LANES))

    return _lanes(_lanes, types.uint64), generate


def _fold(combine):
    """Make one number of sixteen: of their halves, then of the halves' halves."""

    def generate(context, builder, signature, arguments):
        (values,) = arguments
        size = LANES
        while size > 1:
            size //= 2
            low = _choose(builder, values, list(range(size)))
            high = _choose(builder, values, list(range(size, 2 * size)))
            values = combine(builder, low, high)
        return builder.extract_element(values, ir.Constant(ir.IntType(32), 0))

    return generate


def _lesser(builder, left, right):
    return builder.select(builder.fcmp_ordered("<", left, right), left, right)


def _greater(builder, left, right):
    return builder.select(builder.fcmp_ordered("<", right, left), left, right)


@intrinsic
def total(typing, values):
    """Add sixteen numbers."""
    return types.float32(_lanes), _fold(lambda builder, low, high: builder.fadd(low, high))


@intrinsic
def least(typing, values):
    """Take the least of sixteen numbers."""
    return types.float32(_lanes), _fold(_lesser)


@intrinsic
def greatest(typing, values):
    """Take the greatest of sixteen numbers."""
    return types.float32(_lanes), _fold(_greater)


@intrinsic
def whole(typing, values):
    """Cut numbers that are not negative down to whole ones."""

    def generate(context, builder, signature, arguments):
        return builder.sitofp(builder.fptosi(arguments[0], _CHOICE), _FLOATS)

    return _lanes(_lanes), generate


@intrinsic
def store_whole(typing, array, offset, values):
    """Write whole numbers in the bits of a float32 array, for `read_whole`."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments[:2])
        bits = builder.bitcast(builder.fptosi(arguments[2], _CHOICE), _FLOATS)
        builder.store(bits, address, align=_FLOAT_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.uint64, _lanes), generate


@intrinsic
def read_whole(typing, array, offset):
    """Read a number written by `store_whole`."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(32).as_pointer())
        return builder.zext(builder.load(place), ir.IntType(64))

    return types.uint64(array, types.uint64), generate


@intrinsic
def part_floats(typing, values):
    """Part positive numbers into exponents e and mantissas m in [1, 2): m 2^e."""

    def generate(context, builder, signature, arguments):
        def all_of(number):
            return ir.Constant(_CHOICE, [number] * LANES)

        bits = builder.bitcast(arguments[0], _CHOICE)
        exponents = builder.sub(builder.lshr(bits, all_of(23)), all_of(127))
        mantissas = builder.or_(builder.and_(bits, all_of(0x7FFFFF)), all_of(0x3F800000))
        parts = builder.sitofp(exponents, _FLOATS), builder.bitcast(mantissas, _FLOATS)
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(_lanes, 2)(_lanes), generate


@intrinsic
def weigh_square(typing, array, offset, stride, weights):
    """Weigh 4 x 4 numbers that begin at an offset, rows a stride apart.

    ``weights`` are four of rows, four of rows once more, four of columns and four of columns once
    more: w, s, v, t. Returns the parts, a column each, of sum w a v, sum w a t and sum s a v.
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
            of_row = _choose(builder, weights, [row] * 4 + [4 + row] * 4)
            sums = builder.call(fma, [of_row, _choose(builder, numbers, [0, 1, 2, 3] * 2), sums])
            offset = builder.add(offset, stride)
        first, again = [0, 1, 2, 3], [4, 5, 6, 7]
        left = _choose(builder, sums, first + first + again + again)
        columns, columns_again = [8, 9, 10, 11], [12, 13, 14, 15]
        return builder.fmul(
            left, _choose(builder, weights, columns + columns_again + columns + columns)
        )

    return _lanes(array, types.uint64, types.uint64, _lanes), generate


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


def _define(symbol, instruction):
    """Let an operator take Lanes, or Lanes and a float32; lowered at once, nothing to compile."""

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
                value if kind == _lanes else _repeat(builder, value)
                for kind, value in zip(signature.args, arguments, strict=True)
            ]
            return getattr(builder, instruction)(*operands)


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
_define(operator.truediv, "fdiv")
