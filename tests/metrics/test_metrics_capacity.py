import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from unknot._parallel.thread_team import ThreadTeam
from unknot.metrics import MeasureWarning, UndefinedMeasureError, manifold_capacity
from unknot.metrics._shared.centers import find_shared_directions, mean_correlation
from unknot.metrics._shared.kernels_capacity import anchors
from unknot.metrics._shared.kernels_centers import (
    minimize_correlation,
    orthonormalize,
    shared_correlation,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def slow_anchor(points, draw, kappa):
    """By scipy's non-negative least squares: |S a - w| with S'w = S't + kappa.

    Such a w is t + kappa e, with e = (0, ..., 0, 1), because every s ends in 1.
    """
    target = draw.copy()
    target[-1] += kappa
    if (points @ target).max() <= 0:
        return points[(points @ draw).argmax()]
    alpha, _ = nnls(points.T, target)
    return alpha @ points / alpha.sum()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 30),
    d=st.integers(1, 12),
    kappa=st.sampled_from([0.0, 0.5]),
    copies=st.booleans(),
)
def test_anchors_are_those_of_least_squares(seed, n, d, kappa, copies):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, d)) * rng.uniform(0.1, 3)
    if copies:  # many duplicates, and points on lines
        points = np.round(points[rng.integers(n, size=n)])
    points = np.concatenate([points, np.ones((n, 1))], axis=1)
    draws = rng.normal(size=(20, d + 1))
    found = np.empty_like(draws)
    assert anchors(points, points @ points.T, draws, kappa, found) == 0
    for draw, anchor in zip(draws, found, strict=True):
        np.testing.assert_allclose(anchor, slow_anchor(points, draw, kappa), atol=1e-7)


def test_anchors_meet_the_conditions_of_a_minimum(rng):
    # v = t - lambda s~ keeps every constraint, and lambda s~ is orthogonal to v (kappa = 0).
    points = np.concatenate([rng.normal(size=(50, 40)), np.ones((50, 1))], axis=1)
    draws = rng.normal(size=(100, 41))
    found = np.empty_like(draws)
    assert anchors(points, points @ points.T, draws, 0.0, found) == 0
    for draw, anchor in zip(draws, found, strict=True):
        length = max(0.0, draw @ anchor) / (anchor @ anchor)
        v = draw - length * anchor
        assert (points @ v).max() < 1e-8
        assert abs(v @ anchor) * length < 1e-8


def test_an_anchor_by_hand():
    # One point s = (1, 1) in one dimension and the center. t = (2, 0): s.t = 2 > 0, the projection
    # off s: v = t - s (t.s/s.s) = (1, -1), s~ = s. t = (-1, 0): s.t < 0, so v = t and s~ = s.
    # Two points (1, 1) and (-1, 1), t = (0, 1): both press alike, s~ is their middle (0, 1).
    one = np.array([[1.0, 1.0]])
    found = np.empty((2, 2))
    anchors(one, one @ one.T, np.array([[2.0, 0], [-1, 0]]), 0.0, found)
    np.testing.assert_allclose(found, [[1, 1], [1, 1]])
    two = np.array([[1.0, 1], [-1, 1]])
    anchors(two, two @ two.T, np.array([[0.0, 1], [0.0, -1]]), 0.0, found)
    np.testing.assert_allclose(found[0], [0, 1], atol=1e-12)


def test_the_published_numbers_hold():
    # Published with the reference implementation: capacity .04, radius 1.47 to 1.48, dimension
    # 36.17, center correlation .01, for the same data and other draws. Over 100 manifolds of 200
    # draws the means of radius and dimension scatter by less than .01 and .1.
    np.random.seed(0)  # noqa: NPY002
    manifolds = [np.random.randn(5000, 50) for _ in range(100)]  # noqa: NPY002
    points = np.concatenate([m.T for m in manifolds])
    result = manifold_capacity(points, np.repeat(np.arange(100), 50), n_draws=200, random_state=0)
    assert result.capacity == pytest.approx(0.04, abs=0.001)
    assert result.radius == pytest.approx(1.475, abs=0.01)
    assert result.dimension == pytest.approx(36.17, abs=0.15)
    assert result.center_correlation == pytest.approx(0.01, abs=0.005)
    assert result.shared_directions == 1


def test_points_have_the_capacity_of_points(rng):
    # A manifold of one point is the perceptron's pattern: 1/alpha = E max(0, t)^2 = 1/2.
    with pytest.warns(MeasureWarning, match="6 of 6 classes have one point"):
        result = manifold_capacity(rng.normal(size=(6, 20)), np.arange(6), 0.0, 20_000, 0)
    # max(0, t)^2 has the standard deviation sqrt(3/2 - 1/4) = 1.1, over 120,000 draws .003.
    assert result.capacity == pytest.approx(2, abs=0.06)
    np.testing.assert_array_equal(result.radius_per_class, 0)
    np.testing.assert_array_equal(result.dimension_per_class, 0)


def test_a_margin_lowers_the_capacity(rng):
    points = np.repeat(rng.normal(size=(6, 50)), 10, axis=0) + 0.1 * rng.normal(size=(60, 50))
    labels = np.repeat(np.arange(6), 10)
    without, with_margin = (
        manifold_capacity(points, labels, k, 400, 0).capacity for k in (0.0, 1.0)
    )
    assert with_margin < 0.6 * without


def test_parts_make_up_the_whole(rng):
    points = np.repeat(rng.normal(size=(5, 30)), 12, axis=0) + 0.3 * rng.normal(size=(60, 30))
    result = manifold_capacity(points, np.repeat(list("abcde"), 12), random_state=3)
    assert result.value == result.capacity == pytest.approx(1 / np.mean(1 / result.per_class))
    assert result.radius == pytest.approx(result.radius_per_class.mean())
    assert result.dimension == pytest.approx(result.dimension_per_class.mean())
    # 12 points about their center span 11 dimensions.
    np.testing.assert_array_equal(result.spans, 11)


def test_the_same_seed_gives_the_same_for_any_number_of_threads(rng):
    points, labels = rng.normal(size=(80, 40)), np.arange(80) % 8
    one, four = (manifold_capacity(points, labels, random_state=1, n_jobs=jobs) for jobs in (1, 4))
    np.testing.assert_array_equal(one.draws, four.draws)
    assert one.capacity != manifold_capacity(points, labels, random_state=2).capacity


def test_it_ignores_rotation_scale_translation_and_order(rng):
    points = np.repeat(rng.normal(size=(6, 20)), 10, axis=0) + 0.5 * rng.normal(size=(60, 20))
    labels = np.repeat(np.arange(6), 10)
    turn = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    order = np.argsort(rng.uniform(size=60) + 10 * labels)  # within classes
    before = manifold_capacity(points, labels, n_draws=3000, random_state=0)
    after = manifold_capacity((points @ turn * 30 + 5)[order], labels[order], 0.0, 3000, 1)
    # Other draws: the standard error of a mean over 18,000.
    assert after.capacity == pytest.approx(before.capacity, rel=0.03)
    assert after.radius == pytest.approx(before.radius, rel=0.03)
    assert after.dimension == pytest.approx(before.dimension, rel=0.03)
    assert after.center_correlation == pytest.approx(before.center_correlation, rel=1e-3)


def test_a_sample_of_points_is_said(rng):
    points, labels = rng.normal(size=(200, 30)), np.arange(200) % 4
    with pytest.warns(MeasureWarning, match="that of 20 points of each class"):
        sampled = manifold_capacity(points, labels, random_state=0, max_samples_per_class=20)
    # Fewer points of a class are easier to keep on one side.
    assert sampled.capacity > manifold_capacity(points, labels, random_state=0).capacity


def test_a_dead_layer_is_named():
    with pytest.raises(UndefinedMeasureError, match="in units of the distance of a class center"):
        manifold_capacity(np.ones((10, 4)), np.arange(10) % 2)


def test_one_class_is_refused():
    with pytest.raises(UndefinedMeasureError, match="needs at least 2 of them"):
        manifold_capacity(np.eye(4), [0, 0, 0, 0])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"kappa": -1.0}, "kappa must be at least 0 and finite; got -1.0"),
        ({"n_draws": 1}, "n_draws must be an integer from 2"),
        ({"max_samples_per_class": 0}, "max_samples_per_class must be an integer of at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        manifold_capacity(np.eye(4), [0, 0, 1, 1], **arguments)


def slow_shared_correlation(centers, directions):
    left = centers - (centers @ directions) @ directions.T
    norms = np.linalg.norm(left, axis=1)
    return 0.5 * np.square(left @ left.T / np.outer(norms, norms)).sum()


@pytest.mark.parametrize(("count", "k"), [(5, 1), (8, 3), (12, 6)])
def test_the_cost_of_directions_and_its_gradient(rng, count, k):
    centers = rng.normal(size=(count, count - 1))
    directions = np.linalg.qr(rng.normal(size=(count - 1, k)))[0]
    gradient = np.empty_like(directions)
    along, slope = np.empty((2, count, k))
    products = centers @ centers.T
    cost = shared_correlation(centers, products, directions, along, slope, gradient)
    assert cost == pytest.approx(slow_shared_correlation(centers, directions), rel=1e-12)
    # The formula holds for orthonormal directions: compare along tangents, where to first order
    # they stay so.
    for _ in range(3):
        step = rng.normal(size=directions.shape)
        step -= directions @ (directions.T @ step)
        h = 1e-5
        up, down = (np.linalg.qr(directions + s * h * step)[0] for s in (1, -1))
        expected = (
            slow_shared_correlation(centers, up) - slow_shared_correlation(centers, down)
        ) / (2 * h)
        assert np.sum(gradient * step) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_the_search_ends_in_a_minimum(rng):
    centers = np.ascontiguousarray(rng.normal(size=(9, 8)))
    start = np.ascontiguousarray(rng.normal(size=(8, 2)))
    orthonormalize(start)
    before = slow_shared_correlation(centers, start)
    cost = minimize_correlation(centers, centers @ centers.T, start)
    np.testing.assert_allclose(start.T @ start, np.eye(2), atol=1e-10)
    assert cost == pytest.approx(slow_shared_correlation(centers, start), rel=1e-9)
    assert cost < before
    for _ in range(200):
        near = np.linalg.qr(start + 1e-3 * rng.normal(size=start.shape))[0]
        assert slow_shared_correlation(centers, near) > cost - 1e-6


def test_a_direction_that_all_centers_share_is_found(rng):
    # Centers at +-5 along one axis, and otherwise at random: it is that axis.
    axis = np.linalg.qr(rng.normal(size=(40, 1)))[0]
    sides = np.where(np.arange(10) % 2 == 0, 5.0, -5.0)
    centers = 0.5 * rng.normal(size=(10, 40)) + sides[:, None] * axis.T
    with ThreadTeam(2) as team:
        shared, before = find_shared_directions(centers, np.random.default_rng(0), team)
    centered = centers - centers.mean(axis=0)
    assert before == pytest.approx(mean_correlation(centered))
    assert before > 0.5
    assert np.linalg.norm(shared.T @ axis) > 0.95
    np.testing.assert_allclose(shared.T @ shared, np.eye(shared.shape[1]), atol=1e-9)
    assert mean_correlation(centered - centered @ shared @ shared.T) < 0.35


@pytest.mark.parametrize("count", [2, 3])
def test_few_centers_share_nothing(rng, count):
    with ThreadTeam(1) as team:
        shared, before = find_shared_directions(rng.normal(size=(count, 10)), rng, team)
    assert shared.shape == (10, 0)
    assert 0 < before <= 1 + 1e-12
