import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from metrics_oracles import brute_graph

import unknot
from unknot._io.stored_points import opened
from unknot.metrics import (
    MeasureWarning,
    UndefinedMeasureError,
    participation_ratio,
    two_nn,
)
from unknot.metrics.dimension import (
    estimate_dimension,
    two_nn_from_distances,
    two_nn_of_distinct,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def ball(rng, n, d):
    points = rng.normal(size=(n, d))
    return (
        points / np.linalg.norm(points, axis=1, keepdims=True) * rng.uniform(size=(n, 1)) ** (1 / d)
    )


@pytest.mark.parametrize("method", ["fit", "likelihood"])
@pytest.mark.parametrize(
    ("dimension", "low", "high"), [(2, 1.9, 2.1), (5, 4.6, 5.3), (10, 8.0, 10.5)]
)
def test_a_ball_has_its_dimension(rng, method, dimension, low, high):
    # 4000 points: a standard error of d/sqrt(4000) = 1.6 %; at d = 10 the boundary takes some off.
    points = ball(rng, 4000, dimension) @ np.linalg.qr(rng.normal(size=(20, dimension)))[0].T
    assert low < two_nn(points, method=method).value < high


def test_exact_ratios_give_the_dimension_by_both_methods():
    # log mu at the quantiles of 1 - mu^-d: the fit is exact, and the likelihood nearly.
    d, n = 3.0, 10_000
    share = np.arange(1, n + 1) / n
    ordered = -np.log1p(-share[:-1]) / d
    ordered = np.append(ordered, ordered[-1] + 1)
    ones = np.ones((1, n))
    assert estimate_dimension(ordered, ones, 0.1, "fit")[0] == pytest.approx(d, rel=1e-9)
    assert estimate_dimension(ordered, ones, 0.1, "likelihood")[0] == pytest.approx(d, rel=1e-3)
    assert estimate_dimension(ordered, ones, 0.0, "likelihood")[0] == pytest.approx(d, rel=1e-2)


def test_leaving_out_a_tenth_without_a_correction_would_be_a_third_too_large(rng):
    # The mean of the smallest 90 % of an exponential is 1 - .1 ln(10)/.9 = .744 of the mean.
    ordered = np.sort(rng.exponential(size=100_000))
    naive = 90_000 / ordered[:90_000].sum()
    assert naive == pytest.approx(1 / 0.744, rel=0.02)
    assert estimate_dimension(ordered, np.ones((1, 100_000)), 0.1, "likelihood")[
        0
    ] == pytest.approx(1, rel=0.02)


def test_by_hand():
    # On a line at 0, 1, 3, 7: nearest two of each at 1 and 3; 1 and 2; 2 and 3; 4 and 6.
    # log mu: log 3, log 2, log 1.5, log 1.5; in all log(3 * 2 * 1.5 * 1.5) = log 13.5.
    points = np.array([[0.0], [1.0], [3.0], [7.0]])
    result = two_nn(points, discard=0.0, method="likelihood")
    assert result.value == pytest.approx(4 / np.log(13.5), rel=1e-6)
    np.testing.assert_allclose(np.exp(result.log_ratios), [3, 2, 1.5, 1.5], rtol=1e-6)
    # Fit: F = 1/4, 2/4, 3/4 and 1, the last of which has no logarithm of 1 - F.
    heights, x = -np.log([3 / 4, 2 / 4, 1 / 4]), np.log([1.5, 1.5, 2])
    expected = (x * heights).sum() / (x**2).sum()
    assert two_nn(points, discard=0.0).value == pytest.approx(expected, rel=1e-6)


def test_weights_are_copies(rng):
    ordered = np.sort(rng.exponential(size=50))
    weights = rng.integers(0, 4, size=50)
    copies = np.repeat(ordered, weights)
    for method in ("fit", "likelihood"):
        fast = estimate_dimension(ordered, weights[None].astype(float), 0.0, method)[0]
        if method == "likelihood":
            slow = estimate_dimension(copies, np.ones((1, len(copies))), 0.0, method)[0]
            assert fast == pytest.approx(slow, rel=1e-12)
        else:
            # A value that is there three times stands at the last of its three places.
            below = np.cumsum(weights)
            use = (weights > 0) & (below < below[-1])
            y = -np.log1p(-below[use] / below[-1])
            x, w = ordered[use], weights[use]
            assert fast == pytest.approx((w * x * y).sum() / (w * x * x).sum(), rel=1e-12)


def with_copies(rng, points, share):
    """Copies of a share of the points, one or two of each, anywhere among the rows."""
    n = int(share * len(points))
    copied = rng.choice(len(points), n, replace=False)
    rows = np.concatenate([np.arange(len(points)), copied, copied[: n // 2]])
    return points[rng.permutation(rows)]


@pytest.mark.parametrize("share", [0.1, 0.2, 1.0])
@pytest.mark.parametrize("features", [3, 12])
def test_identical_points_count_once(rng, tmp_path, share, features):
    points = rng.normal(size=(700, features)).astype(np.float32)
    given = with_copies(rng, points, share)
    alone = two_nn(points).value
    stored = np.memmap(tmp_path / "points", np.float32, "w+", shape=given.shape)
    stored[:] = given
    count = f"{len(given) - 700} of {len(given)} points are identical to others"
    with pytest.warns(MeasureWarning, match=count):
        result = two_nn(given)
    assert result.value == pytest.approx(alone, rel=1e-12)
    distances = unknot.nearest_neighbors(given, 2).distances
    on_disk = two_nn_of_distinct(opened(stored, given.nbytes // 3), distances)
    assert on_disk.value == pytest.approx(alone, rel=1e-6)
    for found in (result, on_disk):
        assert len(np.unique(given[found.samples], axis=0)) == len(found.samples) == 700
        for i in found.samples:
            assert i == np.flatnonzero((given == given[i]).all(axis=1))[0]


def test_rows_of_zeros_behind_a_relu_count_once(rng):
    points = ball(rng, 1000, 3)
    dead = np.concatenate([points, np.zeros((3, 3))])
    with pytest.warns(MeasureWarning, match="2 of 1003 points are identical"):
        assert two_nn(dead).value == pytest.approx(
            two_nn(np.concatenate([points, np.zeros((1, 3))])).value, rel=1e-12
        )


def test_doubled_points_are_as_those_of_one_ball(rng):
    # As neighbors at equal distances, copies would raise it to 5.5 and 6.1.
    points = ball(rng, 3000, 5)
    for share in (0.1, 0.2):
        with pytest.warns(MeasureWarning, match="identical"):
            assert 4.6 < two_nn(with_copies(rng, points, share)).value < 5.3


def test_ratios_of_one_are_counted_if_they_are_many(rng):
    points = np.unique(np.round(rng.normal(size=(500, 3)) * 8), axis=0)
    with pytest.warns(MeasureWarning, match="are equally far, as on a lattice"):
        two_nn(points)


@pytest.mark.parametrize("n_distinct", [1, 2])
def test_too_few_distinct_points_are_an_error(n_distinct):
    points = np.ones((10, 3))
    points[: n_distinct - 1] = 0
    message = f"at least 3 distinct points; {n_distinct} of 10 points are distinct"
    with pytest.raises(UndefinedMeasureError, match=message):
        two_nn(points)


def test_distances_alone_leave_out_points_with_a_duplicate():
    distances = np.array([[0, 1], [0, 1], [1, 2], [1, 3], [2, 3]], np.float32)
    result = two_nn_from_distances(distances)
    assert result.samples.tolist() == [2, 3, 4]
    assert result.notes[0].startswith("2 of 5 points have a duplicate")
    with pytest.raises(UndefinedMeasureError, match="Remove the duplicates"):
        two_nn_from_distances(distances[:4])


def test_a_grid_is_an_error():
    grid = np.stack(np.meshgrid(np.arange(10), np.arange(10)), axis=-1).reshape(-1, 2)
    with pytest.raises(UndefinedMeasureError, match="as on a grid"):
        two_nn(grid)


@pytest.mark.parametrize("discard", [1.0, -0.1, float("nan")])
def test_a_share_to_discard_out_of_range_is_named(discard):
    with pytest.raises(ValueError, match="discard must be a number from 0 to below 1; got"):
        two_nn(np.eye(5), discard=discard)


def test_a_given_graph_is_used(rng):
    points = rng.normal(size=(100, 3)).astype(np.float32)
    assert two_nn(points, graph=brute_graph(points, 5)).value == pytest.approx(
        two_nn(points).value, rel=1e-6
    )


@settings(max_examples=30, deadline=None)
@example(seed=10372, n=11, features=11)  # with as many features as points, in products of pairs
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 40), features=st.integers(1, 40))
def test_the_participation_ratio_is_that_of_the_eigenvalues(seed, n, features):
    rng = np.random.default_rng(seed)
    points = (rng.normal(size=(n, features)) * rng.uniform(0, 2, size=features) + 10).astype(
        np.float32
    )
    values = np.linalg.eigvalsh(np.cov(points.T.astype(np.float64), ddof=0).reshape(features, -1))
    expected = values.sum() ** 2 / (values**2).sum()
    assert participation_ratio(points).value == pytest.approx(expected, rel=1e-7)


def test_isotropic_points_have_their_dimension(rng):
    assert participation_ratio(rng.normal(size=(20_000, 8))).value == pytest.approx(8, rel=0.01)
    assert participation_ratio(rng.normal(size=(100, 1)) @ rng.normal(size=(1, 5))).value == (
        pytest.approx(1, rel=1e-6)
    )


def test_constant_features_count_for_nothing(rng):
    points = rng.normal(size=(50, 4))
    more = np.concatenate([points, np.full((50, 3), 9.0)], axis=1)
    assert participation_ratio(more).value == pytest.approx(participation_ratio(points).value)


@pytest.mark.parametrize("shape", [(60, 5), (20, 50)])
def test_the_influence_is_the_derivative_by_a_points_weight(rng, shape):
    # A weight of 1 + h on one point of n moves every mean by h/n of its difference.
    points = rng.normal(size=shape).astype(np.float32).astype(float)
    result = participation_ratio(points)
    assert result.influence.sum() == pytest.approx(0, abs=1e-9)

    def weighted(weights):
        weights = weights / weights.sum()
        centered = points - weights @ points
        values = np.linalg.eigvalsh(centered.T @ (centered * weights[:, None]))
        return values.sum() ** 2 / (values**2).sum()

    h = 1e-4
    for i in (0, 7, 19):
        up, down = np.ones(len(points)), np.ones(len(points))
        up[i] += h
        down[i] -= h
        slope = (weighted(up) - weighted(down)) / (2 * h)
        assert slope == pytest.approx(result.influence[i] / len(points), rel=1e-3, abs=1e-7)


def test_a_dead_layer_has_no_participation_ratio():
    with pytest.raises(UndefinedMeasureError, match="all points coincide"):
        participation_ratio(np.zeros((5, 3)))
