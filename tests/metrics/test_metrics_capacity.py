import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from unknot._parallel.thread_team import ThreadTeam
from unknot.metrics import MeasureWarning, UndefinedMeasureError, manifold_capacity
from unknot.metrics._shared.centers import find_shared_directions
from unknot.metrics._shared.kernels_capacity import anchors
from unknot.metrics._shared.manifolds import draw_subsets


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
    # The reference always removes a direction; from nearly orthogonal centers none should be.
    assert result.shared_directions == 0


def test_points_have_the_capacity_of_points(rng):
    # A manifold of one point is the perceptron's pattern: 1/alpha = E max(0, t)^2 = 1/2.
    with pytest.warns(MeasureWarning, match="6 of 6 classes have one point"):
        result = manifold_capacity(rng.normal(size=(6, 20)), np.arange(6), 0.0, 20_000, 0)
    # max(0, t)^2 has the standard deviation sqrt(3/2 - 1/4) = 1.1, over 120,000 draws .003.
    assert result.capacity == pytest.approx(2, abs=0.06)
    np.testing.assert_array_equal(result.radius_per_class, 0)
    np.testing.assert_array_equal(result.dimension_per_class, 0)


def test_many_classes_of_one_point_have_the_capacity_of_points(rng):
    with (
        pytest.warns(MeasureWarning, match="30 of 30 classes have one point"),
        pytest.warns(MeasureWarning, match="estimated from 20 of 30 classes"),
    ):
        result = manifold_capacity(rng.normal(size=(30, 40)), np.arange(30), max_classes=20)
    assert result.capacity == pytest.approx(2, abs=0.2)
    assert result.radius == result.dimension == 0
    assert result.standard_error > 0


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
    with pytest.warns(MeasureWarning, match="that of 6 points"):
        one, four = (
            manifold_capacity(points, labels, random_state=1, n_jobs=jobs, max_samples_per_class=6)
            for jobs in (1, 4)
        )
    np.testing.assert_array_equal(one.draws, four.draws)


def test_it_ignores_rotation_scale_translation_and_order(rng):
    points = np.repeat(rng.normal(size=(6, 20)), 30, axis=0) + 0.5 * rng.normal(size=(180, 20))
    points -= np.abs(rng.normal(size=(180, 20)))
    labels = np.repeat(np.arange(6), 30)
    turn = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    order = rng.permutation(180)
    before = manifold_capacity(points, labels)
    after = manifold_capacity((points @ turn * 30 + 5)[order], labels[order])
    for name in ("capacity", "radius", "dimension", "center_correlation"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=2e-3), name
    # With other names the classes have the draws of others: the Monte Carlo error.
    renamed = manifold_capacity(points, 9 - labels, n_draws=3000)
    before = manifold_capacity(points, labels, n_draws=3000)
    assert renamed.shared_directions == before.shared_directions
    assert abs(renamed.value - before.value) < 5 * before.draw_error


def test_the_whole_is_that_of_least_squares(rng):
    # The slow twin of all that follows the search, with the same draws.
    points = np.repeat(rng.normal(size=(5, 30)), 12, axis=0) + 0.3 * rng.normal(size=(60, 30))
    labels = np.repeat(np.arange(5), 12)
    result = manifold_capacity(points, labels, kappa=0.2, n_draws=40, random_state=3)
    points = points.astype(np.float32).astype(np.float64)
    points -= points.mean(axis=0)
    means = np.stack([points[labels == c].mean(axis=0) for c in range(5)])
    with ThreadTeam(1) as team:
        shared, _ = find_shared_directions(means, team)
    assert shared.shape[1] == result.shared_directions
    for c, seed in enumerate(np.random.default_rng(3).spawn(5)):
        own = points[labels == c] @ (np.eye(30) - shared @ shared.T)
        center = own.mean(axis=0)
        own = (own - center) / np.linalg.norm(center)
        values, axes = np.linalg.eigh(own.T @ own)
        own = own @ axes[:, np.argsort(-values)[:11]]
        own *= np.sign((own**3).sum(axis=0))
        own = np.concatenate([own, np.ones((12, 1))], axis=1)
        t = seed.spawn(1)[0].normal(size=(40, 12))
        found = np.stack([slow_anchor(own, draw, 0.2) for draw in t])
        inverse = np.square(np.maximum((t * found).sum(axis=1) + 0.2, 0))
        inverse /= np.square(found).sum(axis=1)
        np.testing.assert_allclose(result.draws[0, c], inverse, rtol=1e-6, atol=1e-6)
        deviations = found - found.mean(axis=0)
        radius = np.sqrt(np.square(deviations).sum() / 39)
        assert result.radius_per_class[c] == pytest.approx(radius, rel=1e-6)
        unit = found[:, :-1] / np.linalg.norm(found[:, :-1], axis=1)[:, None]
        cosines = (unit * t[:, :-1]).sum(axis=1) / np.linalg.norm(t[:, :-1], axis=1)
        assert result.dimension_per_class[c] == pytest.approx(11 * cosines.mean() ** 2, rel=1e-6)


def digits_layers():
    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels / 16
    weights = np.random.default_rng(5).normal(size=(64, 100)) / 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 20 epochs are not to convergence
        network = MLPClassifier((32,), max_iter=20, random_state=0).fit(pixels, labels)
    hidden = np.maximum(0, pixels @ network.coefs_[0] + network.intercepts_[0])
    return {"pixels": pixels, "tanh": np.tanh(pixels @ weights), "hidden": hidden}, labels


@pytest.mark.filterwarnings("ignore:manifold capacity is that of:unknot.metrics.MeasureWarning")
def test_the_value_does_not_depend_on_the_seed():
    layers, labels = digits_layers()
    for name, points in layers.items():
        results = [
            manifold_capacity(
                points, labels, n_draws=2000, random_state=seed, max_samples_per_class=50
            )
            for seed in range(5)
        ]
        assert len({result.shared_directions for result in results}) == 1, name
        for part in ("capacity", "radius", "dimension"):
            values = np.array([getattr(result, part) for result in results])
            assert values.std(ddof=1) / values.mean() < 0.02, (name, part)


@pytest.mark.filterwarnings("ignore:manifold capacity is that of:unknot.metrics.MeasureWarning")
@pytest.mark.parametrize("limit", [None, 10])
def test_the_draw_error_is_that_of_other_seeds(rng, limit):
    points = np.repeat(rng.normal(size=(6, 30)), 80, axis=0) + rng.normal(size=(480, 30))
    labels = np.repeat(np.arange(6), 80)
    results = [
        manifold_capacity(points, labels, n_draws=80, random_state=s, max_samples_per_class=limit)
        for s in range(40)
    ]
    told = np.mean([result.draw_error for result in results])
    # The standard deviation of 40 values is known to 11 %.
    assert told == pytest.approx(np.std([r.value for r in results], ddof=1), rel=0.35)


@pytest.mark.parametrize(("size", "limit"), [(40, 5), (41, 5), (7, 5), (12, 11), (100, 1)])
def test_subsets_hold_every_point_as_often(rng, size, limit):
    own = 3 * np.arange(size)
    subsets = draw_subsets(own, limit, 8, rng)
    assert subsets.shape == (8, limit)
    assert np.isin(subsets, own).all()
    assert (np.diff(subsets, axis=1) > 0).all()  # sorted, none twice
    times = np.bincount(subsets.ravel(), minlength=own[-1] + 1)[own]
    assert np.ptp(times) <= 1
    assert times.sum() == 8 * limit


def test_a_small_class_is_its_only_subset(rng):
    own = np.arange(5)
    np.testing.assert_array_equal(draw_subsets(own, 5, 8, rng), own[None])
    np.testing.assert_array_equal(draw_subsets(own, None, 8, rng), own[None])


def test_classes_of_different_sizes_have_as_many_draws(rng):
    labels = np.repeat(np.arange(4), [4, 10, 30, 90])
    points = rng.normal(size=(4, 20))[labels] + 0.5 * rng.normal(size=(134, 20))
    with pytest.warns(MeasureWarning, match="10 points of each class, the mean over 16 subsets"):
        result = manifold_capacity(points, labels, max_samples_per_class=10, n_draws=90)
    assert result.draws.shape == (3, 4, 90)
    assert np.isfinite(result.draws).all()
    np.testing.assert_array_equal(result.spans, [3, 9, 9, 9])
    with pytest.warns(MeasureWarning, match="10 points of each class, one subset drawn"):
        manifold_capacity(points, labels, max_samples_per_class=10, n_subsets=1)
    with pytest.warns(MeasureWarning, match="the mean over 2 subsets"):
        manifold_capacity(points, labels, max_samples_per_class=10, n_draws=5)


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
        ({"kappa": -1.0}, "kappa must be a number of at least 0; got -1.0"),
        ({"n_draws": 1}, "n_draws must be an integer from 2"),
        ({"n_subsets": 0}, "n_subsets must be an integer from 1"),
        ({"max_samples_per_class": 0}, "max_samples_per_class must be an integer of at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        manifold_capacity(np.eye(4), [0, 0, 1, 1], **arguments)
