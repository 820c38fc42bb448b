import operator

import numpy as np
import pytest
from numba import njit

from unknot.projection import _kernels_lanes as lanes
from unknot.projection._kernels_optimizer import log_lanes

AT = np.uint64(3)
TO = np.uint64(5)


def run_on(operate, values):
    """Apply an operation to the sixteen numbers at offset 3; return its result, stored at 5."""

    @njit
    def run(source, target):
        lanes.store(target, TO, operate(lanes.load(source, AT)))

    source, target = np.full(30, np.nan, np.float32), np.zeros(40, np.float32)
    source[3:19] = values
    run(source, target)
    assert not target[:5].any()
    assert not target[21:].any()
    return target[5:21]


def test_transpose():
    @njit
    def transposed(source, target):
        lanes.transpose(source, np.uint64(3), target, np.uint64(5))

    source, target = np.arange(300, dtype=np.float32), np.zeros(300, np.float32)
    transposed(source, target)
    np.testing.assert_array_equal(target[5:261].reshape(16, 16), source[3:259].reshape(16, 16).T)
    assert not target[:5].any()
    assert not target[261:].any()


@pytest.mark.parametrize(
    "symbol", [operator.add, operator.sub, operator.mul, operator.truediv], ids=lambda s: s.__name__
)
def test_arithmetic_with_one_number_on_either_side(symbol):
    values, number = np.linspace(-3, 4, 16, dtype=np.float32), np.float32(1.5)
    right = njit(lambda some: symbol(some, number))
    left = njit(lambda some: symbol(number, some))
    both = njit(lambda some: symbol(some, some))
    np.testing.assert_array_equal(run_on(right, values), symbol(values, number))
    np.testing.assert_array_equal(run_on(left, values), symbol(number, values))
    np.testing.assert_array_equal(run_on(both, values), symbol(values, values))


def test_reductions():
    @njit
    def fold(source):
        some = lanes.load(source, AT)
        return lanes.reduce_sum(some), lanes.reduce_min(some), lanes.reduce_max(some)

    values = np.random.default_rng(0).permutation(16).astype(np.float32) - 4
    padded = np.concatenate([np.full(3, -99, np.float32), values, np.full(3, 99, np.float32)])
    # -4 - 3 ... + 11 = 16 * 3.5 = 56.
    assert fold(padded) == (56, -4, 11)


@pytest.mark.parametrize("count", [0, 1, 7, 16])
def test_keep_first(count):
    many = np.uint64(count)
    values = np.arange(1, 17, dtype=np.float32)
    kept = run_on(njit(lambda some: lanes.keep_first(some, many)), values)
    np.testing.assert_array_equal(kept, np.where(np.arange(16) < count, values, 0))


def test_integers():
    values = np.array([0, 0.25, 0.999, 1, 7.5, 255.9, 4000, 8388607] * 2, np.float32)
    np.testing.assert_array_equal(
        run_on(njit(lambda some: lanes.truncate(some)), values), np.floor(values)
    )

    @njit
    def there_and_back(source, scratch):
        lanes.store_int(scratch, AT, lanes.load(source, AT))
        return lanes.load_int(scratch, AT), lanes.load_int(scratch, AT + np.uint64(15))

    padded = np.concatenate([np.zeros(3, np.float32), np.floor(values)])
    assert there_and_back(padded, np.zeros(20, np.float32)) == (0, 8388607)


@pytest.mark.parametrize("kind", [np.uint16, np.int32])
def test_pairs_are_stored_and_gathered(kind):
    @njit
    def run(x, y, pairs, indices, out):
        lanes.store_pairs(pairs, TO, lanes.load(x, AT), lanes.load(y, AT))
        a, b = lanes.gather_pairs(pairs, indices, AT)
        lanes.store(out, np.uint64(0), a)
        lanes.store(out, np.uint64(16), b)

    rng = np.random.default_rng(1)
    x, y, pairs = rng.random(19, np.float32), rng.random(19, np.float32), np.zeros(37, np.float32)
    pairs[0] = 9
    # The last pair, at an index that would be negative as int16.
    many = 40_000 if kind == np.uint16 else 70_000
    pairs = np.concatenate([pairs, rng.random(2 * many - 37, np.float32)])
    indices = np.array([5] * 3 + [many - 1, *rng.integers(0, many, 15)]).astype(kind)
    out = np.empty(32, np.float32)
    run(x, y, pairs, indices, out)
    np.testing.assert_array_equal(pairs[5:37].reshape(16, 2), np.stack([x[3:], y[3:]], axis=1))
    np.testing.assert_array_equal(out.reshape(2, 16), pairs.reshape(-1, 2)[indices[3:]].T)


def test_uint16():
    @njit
    def run(source, target):
        lanes.store(target, TO, lanes.load_uint16(source, AT))

    source = np.array([0] * 3 + [65535, 1, 32768, *range(13)], np.uint16)
    target = np.zeros(21, np.float32)
    run(source, target)
    np.testing.assert_array_equal(target[5:], source[3:])


def test_logarithms_equal_the_library():
    @njit
    def run(x, out):
        for at in range(np.uint64(0), np.uint64(len(x)), np.uint64(16)):
            lanes.store(out, at, log_lanes(lanes.load(x, at)))

    x = np.concatenate([np.linspace(1, 4, 4800), np.logspace(0, 12, 4800)]).astype(np.float32)
    found = np.empty_like(x)
    run(x, found)
    np.testing.assert_allclose(found, np.log(x.astype(np.float64)), rtol=2e-6, atol=1e-7)


def test_weigh_square_equals_slow_twin():
    @njit
    def run(numbers, weights, target):
        some = lanes.load(weights, np.uint64(0))
        square = lanes.weigh_square(numbers, np.uint64(13), np.uint64(10), some)
        lanes.store(target, np.uint64(0), square)

    rng = np.random.default_rng(2)
    numbers, weights = rng.random(60).astype(np.float32), rng.random(16).astype(np.float32)
    target = np.empty(16, np.float32)
    run(numbers, weights, target)
    # 4 x 4 numbers from place 13 on, rows 10 apart.
    a = numbers.reshape(6, 10)[1:5, 3:7].astype(np.float64)
    w, s, v, t = weights.reshape(4, 4)
    true = [(w @ a) @ v, (w @ a) @ t, (s @ a) @ v]
    np.testing.assert_allclose(target.reshape(4, 4).sum(axis=1)[:3], true, rtol=1e-6)
