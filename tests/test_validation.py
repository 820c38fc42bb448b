import numpy as np
import pytest

from unknot import metrics
from unknot._parallel.n_jobs import MOST_THREADS, resolve_n_jobs
from unknot._validation.numbers import check_number, random_generator
from unknot._validation.points import (
    check_labels,
    check_points,
    loses_precision,
    origin_of,
    scale_free,
    subtract_row,
)


@pytest.mark.parametrize(
    "given",
    [
        [[1, 2], [3, 4]],
        np.array([[1, 2], [3, 4]], dtype=np.uint8),
        np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]),
        np.array([[1.0, 0, 2.0], [3.0, 0, 4.0]])[:, ::2],
    ],
)
def test_points_become_contiguous_float32(given):
    points = check_points(given)
    assert points.dtype == np.float32
    assert points.flags.c_contiguous
    np.testing.assert_array_equal(points, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (np.zeros(3), ValueError, r"shape \(n_samples, n_features\); got \(3,\)"),
        (np.zeros((2, 3, 4)), ValueError, r"points.reshape\(len\(points\), -1\)"),
        (np.array(3.0), ValueError, r"got \(\)"),
        (np.zeros((3, 0)), ValueError, "at least one feature"),
        (np.zeros((1, 2)), ValueError, "at least 2 samples; got 1"),
        ([["a", "b"], ["c", "d"]], TypeError, "real numbers; got dtype <U1"),
        ([[1j, 2], [3, 4]], TypeError, "real numbers; got dtype complex"),
        (
            [[1, np.nan], [3, 4]],
            ValueError,
            "must be finite; got 1 NaN or infinite values.*sample 0",
        ),
        ([[1, 2], [np.inf, -np.inf]], ValueError, "2 NaN or infinite.*sample 1"),
        ([[1, 2], [1e300, 4]], ValueError, "too large"),
    ],
)
def test_bad_points_say_what_is_wrong(given, error, message):
    with pytest.raises(error, match=message):
        check_points(given, min_samples=2)


@pytest.mark.parametrize(
    ("given", "codes", "values"),
    [
        ([5, 2, 5], [1, 0, 1], [2, 5]),
        (["b", "a", "b"], [1, 0, 1], ["a", "b"]),
        (np.array(["b", "a", "b"], dtype=object), [1, 0, 1], ["a", "b"]),
        ([True, False, True], [1, 0, 1], [False, True]),
        ([-1.0, 3.0, -1.0], [0, 1, 0], [-1, 3]),
    ],
)
def test_labels_become_codes(given, codes, values):
    found, classes = check_labels(given, 3)
    assert found.dtype == np.int64
    assert found.tolist() == codes
    assert classes.tolist() == values


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([1, 2], ValueError, r"each of the 3 samples; got the shape \(2,\)"),
        ([[1], [2], [3]], ValueError, r"got the shape \(3, 1\)"),
        ([1.0, np.nan, 2.0], ValueError, "1 missing values"),
        ([1.0, 1.5, 2.0], TypeError, "fractions such as 1.5"),
        ([1, None, 2], ValueError, "1 missing values"),
        ([1j, 2, 3], TypeError, "got dtype complex"),
    ],
)
def test_bad_labels_say_what_is_wrong(given, error, message):
    with pytest.raises(error, match=message):
        check_labels(given, 3)


def test_n_jobs_is_scikit_learns(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    assert [resolve_n_jobs(n) for n in (None, -1, -2, -9, 1, 16)] == [4, 4, 3, 1, 1, 16]


@pytest.mark.parametrize("n_jobs", [0, 1.5, True, "2"])
def test_n_jobs_must_be_a_count(n_jobs):
    with pytest.raises(ValueError, match="n_jobs must be an integer"):
        resolve_n_jobs(n_jobs)


def test_the_middle_is_a_row_only_if_float32_cannot_hold_the_points():
    lattice = np.array([[0, 0], [1, 0], [5, 5]]) + 2**30
    assert origin_of(lattice).tolist() == [2**30 + 1, 2**30]
    for held in (lattice.astype(np.float32), lattice - 2**30, np.ones((2, 2), bool)):
        assert origin_of(held) is None
    points = scale_free(lattice + 0.5)
    assert points.tolist() == [[-1, 0], [0, 0], [4, 5]]


@pytest.mark.parametrize(
    "array",
    [
        np.array([[2**63 + 1], [2**63 + 3], [2**63 + 6]], np.uint64),
        np.array([[-(2**63)], [-(2**63) + 2], [-(2**63) + 5]]),
        np.array([[2**31 - 6], [2**31 - 4], [2**31 - 1]], np.int32),
    ],
)
def test_differences_of_integers_do_not_wrap(array):
    assert subtract_row(array, array[1]).ravel().tolist() == [-2, 0, 3]


@pytest.mark.parametrize(
    ("value", "dtype", "held"),
    [
        (2**31 - 1, np.int32, False),  # float32 has 2**31 instead, which is no int32
        (2**31 - 64, np.int32, False),
        (-(2**31), np.int32, True),
        (2**32 - 1, np.uint32, False),
        (2**32 - 256, np.uint32, True),
        (2**40, np.int64, True),
        (2**61 + 1, np.uint64, False),
    ],
)
def test_integers_that_float32_holds_stay_where_they_are(value, dtype, held):
    assert (origin_of(np.full((3, 2), value, dtype)) is None) is held


def test_opposite_ends_of_integers_are_apart():
    ends = np.array([[-(2**63)], [2**63 - 1]])
    np.testing.assert_allclose(subtract_row(ends, ends[0]), [[0], [2.0**64]], rtol=1e-15)


@pytest.mark.parametrize(
    ("values", "blurred"),
    [
        ([[1e9, 0], [1e9 + 1, 1]], True),
        ([[1e9, 0], [1e9, 1]], False),  # tells nothing apart
        ([[1e9, 0], [1e9 + 1, 1e8]], False),  # next to nothing
        ([[100, 0], [101, 1]], False),
    ],
)
def test_blurred_is_what_float32_loses(values, blurred):
    assert loses_precision(np.array(values, np.float64), 256) is blurred
    assert not loses_precision(np.array(values, np.float32), 256)


@pytest.mark.parametrize(
    "value", [np.ones(3), "3", None, np.nan, np.inf, 1j, True, [1], 10**400, -0.1, 1.0]
)
def test_a_number_out_of_bounds_or_of_another_type_is_one_error(value):
    with pytest.raises(ValueError, match=r"^discard must be a number from 0 to below 1; got "):
        check_number(value, "discard", 0.0, 1.0, bounds="from 0 to below 1", open_high=True)


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.5), np.int64(0)])
def test_numbers_of_python_and_numpy_are_numbers(value):
    found = check_number(value, "discard", 0.0, 1.0, bounds="from 0 to below 1", open_high=True)
    assert type(found) is float
    assert found == value


@pytest.mark.parametrize("value", [np.ones(2), "3", np.nan, 1.5, True, [1], -1])
def test_a_seed_is_an_integer_or_none(value):
    with pytest.raises(
        ValueError, match=r"^random_state must be an integer of at least 0, or None"
    ):
        random_generator(value)


def test_random_numbers_are_numpys():
    for seed in (0, np.int64(7), 2**70):
        expected = np.random.default_rng(int(seed)).random(3)
        np.testing.assert_array_equal(random_generator(seed).random(3), expected)
    expected = np.random.default_rng([7, 5]).random(3)
    np.testing.assert_array_equal(random_generator(7, 5).random(3), expected)
    assert random_generator(None, 5).random() != random_generator(None, 5).random()


@pytest.mark.parametrize("value", [True, 0, -3])
@pytest.mark.parametrize(
    "measure_of",
    [
        lambda x, y, limit: metrics.trustworthiness(x, x[:, :2], max_samples=limit),
        lambda x, y, limit: metrics.silhouette(x, y, max_samples=limit),
        lambda x, y, limit: metrics.linear_probe(x, y, max_samples=limit),
        lambda x, y, limit: metrics.linear_r2(x, x[:, 0], max_samples=limit),
    ],
)
def test_a_limit_of_samples_is_an_integer(measure_of, value):
    points = np.random.default_rng(0).normal(size=(30, 3))
    with pytest.raises(ValueError, match=r"^max_samples must be an integer of at least "):
        measure_of(points, np.arange(30) % 2, value)


def test_more_threads_than_can_be_started_are_fewer():
    assert resolve_n_jobs(10**30) == max(MOST_THREADS, resolve_n_jobs(None))
