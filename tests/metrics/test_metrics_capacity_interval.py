"""Intervals of the manifold capacity: from thirds of the points, left out in turn."""

import numpy as np
import pytest

from unknot.metrics import MeasureWarning, manifold_capacity
from unknot.metrics._shared.capacity_interval import interval_by_thirds

# How the value is computed is said, and tested elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore:.*manifold capacity:unknot.metrics.MeasureWarning")


def blobs(n, seed=0, spread=0.7, n_classes=5, features=20):
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(n_classes, features))
    labels = np.arange(n) % n_classes
    return centers[labels] + spread * rng.normal(size=(n, features)), labels


def test_thirds_cover_the_expectation_of_a_function_of_means():
    # Two classes of 30 values; T = ratio of the means, and the root of their product.
    def estimate(values):
        first, second = (v.mean() for v in values)
        return np.array([first / second, np.sqrt(first * second)])

    rng = np.random.default_rng(0)
    rows, widths = [], []
    for seed in range(300):
        values = [rng.gamma(4.0, size=30), rng.gamma(9.0, size=30)]
        members = [np.arange(30), np.arange(30)]

        def of_members(members, own_rng, values=values):
            return estimate([v[m] for v, m in zip(values, members, strict=True)])

        own = estimate(values)
        found = interval_by_thirds(
            of_members, members, own, np.zeros(2), np.random.default_rng(seed)
        )
        rows.append(own)
        widths.append(found)
    rows, widths = np.array(rows), np.array(widths)
    mean, sd = rows.mean(axis=0), rows.std(axis=0, ddof=1)
    covered = ((widths[..., 0] <= mean) & (mean <= widths[..., 1])).mean(axis=0)
    # 95 % of 300, with a standard error of 1.3.
    assert (np.abs(covered - 0.95) < 0.04).all()
    # Student's t with ten degrees of freedom is 1.14 times as wide as the normal distribution.
    ratio = np.diff(widths, axis=2)[..., 0].mean(axis=0) / (2 * 1.96 * sd)
    assert (np.abs(ratio - 1.12) < 0.12).all()


def test_thirds_by_hand():
    # Without any third the estimate is 1, 1 and e: var(log T) = 2/9, V = 2 * 2/9 in every
    # partition, and t_10 = 2.228.
    logs = iter([0.0, 0.0, 1.0] * 5)
    (found,) = interval_by_thirds(
        lambda members, rng: np.array([np.exp(next(logs))]),
        [np.arange(9)],
        np.array([2.0]),
        np.zeros(1),
        np.random.default_rng(0),
    )
    half = 2.228139 * np.sqrt(4 / 9)
    assert found == pytest.approx((2 * np.exp(-half), 2 * np.exp(half)), rel=1e-6)


def test_every_third_is_left_out_once():
    left_out = []

    def estimate(members, rng):
        left_out.append(
            [np.setdiff1d(np.arange(s), m) for s, m in zip((7, 12), members, strict=True)]
        )
        return np.ones(1)

    members = [np.arange(7), np.arange(12)]
    (found,) = interval_by_thirds(
        estimate, members, np.ones(1), np.zeros(1), np.random.default_rng(0)
    )
    assert found == (1.0, 1.0)
    assert len(left_out) == 15
    for partition in range(5):
        for c, size in enumerate((7, 12)):
            thirds = [out[c] for out in left_out[3 * partition : 3 * partition + 3]]
            np.testing.assert_array_equal(np.sort(np.concatenate(thirds)), np.arange(size))
            assert {len(third) for third in thirds} <= {size // 3, size // 3 + 1}


def test_an_estimate_of_zero_has_no_interval():
    found = interval_by_thirds(
        lambda members, rng: np.array([0.0, 1.0]),
        [np.arange(9)],
        np.array([0.0, 1.0]),
        np.zeros(2),
        np.random.default_rng(0),
    )
    assert found == [None, (1.0, 1.0)]


def test_by_default_there_is_no_interval():
    result = manifold_capacity(*blobs(100), n_draws=20)
    assert result.interval is result.radius_interval is result.dimension_interval is None
    assert result.notes == ()


@pytest.mark.parametrize("limit", [None, 10])
def test_the_intervals_hold_their_values(limit):
    points, labels = blobs(150)
    settings = {"n_draws": 60, "max_samples_per_class": limit}
    result = manifold_capacity(points, labels, interval=True, **settings)
    for name in ("", "radius_", "dimension_"):
        low, high = getattr(result, name + "interval")
        value = getattr(result, name[:-1] or "value")
        assert 0 < low < value < high
        # In logarithms the value is in the middle.
        assert np.sqrt(low * high) == pytest.approx(value)
    assert any("5 divisions of each class into thirds" in note for note in result.notes)
    # The choice of points is more than the draws.
    assert np.diff(result.interval)[0] > 2 * result.draw_error
    without = manifold_capacity(points, labels, **settings)
    assert without.value == result.value
    again = manifold_capacity(points, labels, interval=True, n_jobs=3, **settings)
    assert again.interval == result.interval


def test_more_points_have_a_narrower_interval():
    few, more = (
        manifold_capacity(
            *blobs(n), n_draws=200, interval=True, max_samples_per_class=12, random_state=1
        )
        for n in (60, 900)
    )
    assert np.diff(more.radius_interval)[0] < np.diff(few.radius_interval)[0]


def test_the_error_of_the_drawn_classes_widens_it():
    points, labels = blobs(360, n_classes=30)
    some, whole = (
        manifold_capacity(points, labels, n_draws=40, interval=True, max_classes=classes)
        for classes in (10, None)
    )
    assert some.standard_error > 0 == whole.standard_error
    assert np.log(some.interval[1] / some.value) > 2.22 * some.standard_error / some.value


def test_a_class_of_few_points_has_no_interval():
    points, labels = blobs(60)
    labels[:5] = 7
    labels[labels == 4] = 3
    with pytest.warns(MeasureWarning, match="has no interval: fewer than 6 points of 7"):
        result = manifold_capacity(points, labels, n_draws=20, interval=True)
    assert result.interval is None
    assert result.value > 0
