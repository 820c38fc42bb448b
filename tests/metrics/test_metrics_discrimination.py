import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from unknot._io.stored_points import StoredPoints
from unknot.metrics import (
    MeasureWarning,
    UndefinedMeasureError,
    calinski_harabasz,
    fisher_ratio,
    generalized_discrimination_value,
)
from unknot.metrics.discrimination import discrimination_value_from_points


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def blobs(rng):
    labels = np.repeat([0, 1, 2], [20, 50, 80])
    points = rng.normal(size=(150, 5)) * [1, 2, 1, 1, 3] + 2 * np.eye(3, 5)[labels]
    return points.astype(np.float32).astype(float), labels


def test_the_fisher_ratio_is_that_of_the_traces(blobs):
    points, labels = blobs
    model = LinearDiscriminantAnalysis(solver="eigen", store_covariance=True).fit(points, labels)
    within = np.trace(model.covariance_)
    between = np.trace(np.cov(points.T, ddof=0)) - within
    found = fisher_ratio(points, labels)
    assert found.value == pytest.approx(between / within, rel=1e-6)
    assert found.per_class.sum() == pytest.approx(found.value)
    assert found.value == pytest.approx(calinski_harabasz(points, labels).value * 2 / 147, rel=1e-6)


def test_pairs_are_those_classes_alone(blobs):
    points, labels = blobs
    found = fisher_ratio(points, labels)
    for a, b in [(0, 1), (0, 2), (1, 2)]:
        two = np.isin(labels, [a, b])
        alone = fisher_ratio(points[two], labels[two]).value
        assert found.per_pair[a, b] == found.per_pair[b, a] == pytest.approx(alone, rel=1e-6)


def test_the_fisher_ratios_influence_is_the_derivative_by_a_points_weight(blobs):
    points, labels = blobs
    found = fisher_ratio(points, labels)
    assert found.influence.mean() == pytest.approx(0, abs=1e-12)

    def weighted(weights):
        weights = weights / weights.sum()
        within = 0.0
        for c in range(3):
            own = labels == c
            mean = np.average(points[own], axis=0, weights=weights[own])
            within += (weights[own] * ((points[own] - mean) ** 2).sum(axis=1)).sum()
        total = (weights * ((points - weights @ points) ** 2).sum(axis=1)).sum()
        return total / within - 1.0

    for i in (0, 30, 149):
        up, down = np.ones(150), np.ones(150)
        up[i] += 1e-4
        down[i] -= 1e-4
        slope = (weighted(up) - weighted(down)) / 2e-4
        assert slope == pytest.approx(found.influence[i] / 150, rel=1e-4, abs=1e-8)


def test_random_labels_explain_next_to_nothing(rng):
    # (C - 1)/(N - C) on average: 9/990.
    values = [
        fisher_ratio(rng.normal(size=(1000, 20)), np.arange(1000) % 10).value for _ in range(9)
    ]
    assert np.mean(values) == pytest.approx(9 / 990, rel=0.1)


@pytest.mark.parametrize("measure", [fisher_ratio, generalized_discrimination_value])
def test_they_ignore_position_unit_order_and_names(blobs, rng, measure):
    points, labels = blobs
    order = rng.permutation(150)
    moved = measure((points * 40 + 300)[order], np.array(["q", "r", "s"])[labels[order]])
    assert moved.value == pytest.approx(measure(points, labels).value, rel=1e-4)


def test_the_fisher_ratio_ignores_rotation(blobs, rng):
    points, labels = blobs
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert fisher_ratio(points @ turn, labels).value == pytest.approx(
        fisher_ratio(points, labels).value, rel=1e-5
    )


def test_classes_without_variance_have_no_fisher_ratio():
    with pytest.raises(UndefinedMeasureError, match="variance within classes, which is 0"):
        fisher_ratio([[0.0], [0.0], [1.0]], [0, 0, 1])
    with pytest.raises(UndefinedMeasureError, match="needs at least 2 of them"):
        fisher_ratio([[0.0], [1.0]], [0, 0])
    with pytest.warns(MeasureWarning, match="1 of 3 classes have one point"):
        found = fisher_ratio([[0.0], [0.0], [1.0], [5.0], [7.0]], [0, 0, 1, 2, 2])
    assert found.per_pair[0, 1] == np.inf


def slow_gdv(points, labels):
    """Equations 1 to 4 of the paper."""
    scaled = 0.5 * (points - points.mean(axis=0)) / points.std(axis=0)
    names = np.unique(labels)
    within = [pdist(scaled[labels == c]).mean() for c in names]
    between = [
        cdist(scaled[labels == a], scaled[labels == b]).mean()
        for a in names
        for b in names
        if a < b
    ]
    return (np.mean(within) - np.mean(between)) / np.sqrt(points.shape[1])


def test_the_gdv_is_the_definition(blobs):
    points, labels = blobs
    found = generalized_discrimination_value(points, labels)
    assert found.value == pytest.approx(slow_gdv(points, labels), rel=1e-6)
    assert found.value == pytest.approx(found.per_class.mean())
    scaled = 0.5 * (points - points.mean(axis=0)) / points.std(axis=0) / np.sqrt(5)
    zero, one = scaled[labels == 0], scaled[labels == 1]
    assert found.per_pair[0, 0] == pytest.approx(pdist(zero).mean(), rel=1e-6)
    assert found.per_pair[0, 1] == pytest.approx(cdist(zero, one).mean(), rel=1e-6)
    np.testing.assert_allclose(found.per_pair, found.per_pair.T, rtol=1e-12)


def test_the_gdv_of_ten_collapsed_classes_is_at_its_bound():
    # Each feature is 1 for a tenth of the points, a deviation of .3: two classes differ by
    # 1/(2 * .3) in two of ten features, sqrt(2) / .6 / sqrt(10) = .745.
    points = np.repeat(np.eye(10), 6, axis=0)
    value = generalized_discrimination_value(points, np.repeat(np.arange(10), 6)).value
    assert value == pytest.approx(-np.sqrt(10 / 18), rel=1e-6)


def test_the_gdv_of_random_labels_is_zero(rng):
    labels = rng.permutation(np.arange(1000) % 4)
    value = generalized_discrimination_value(rng.normal(size=(1000, 6)), labels).value
    assert value == pytest.approx(0, abs=0.01)


def test_constant_features_do_not_count(blobs):
    points, labels = blobs
    more = np.concatenate([points, np.full((150, 3), 0.1)], axis=1)
    assert generalized_discrimination_value(more, labels).value == pytest.approx(
        generalized_discrimination_value(points, labels).value, rel=1e-9
    )


def test_the_gdv_of_a_sample_estimates_the_whole(blobs, rng):
    labels = rng.integers(0, 3, size=3000)
    points = rng.normal(size=(3000, 4)) + 2 * np.eye(3, 4)[labels]
    whole = generalized_discrimination_value(points, labels, max_samples=None).value
    with pytest.warns(MeasureWarning, match="distances between 600 of 3000 points"):
        part = generalized_discrimination_value(points, labels, max_samples=600)
    assert part.value == pytest.approx(whole, abs=0.02)
    assert len(part.samples) == 600


def test_the_gdv_of_points_on_disk_is_the_same(blobs, tmp_path):
    points, labels = blobs
    np.save(tmp_path / "points.npy", points.astype(np.float32))
    stored = StoredPoints(np.load(tmp_path / "points.npy", mmap_mode="r"), max_memory=1000)
    found = discrimination_value_from_points(stored, labels, np.arange(3))
    assert found.value == pytest.approx(slow_gdv(points, labels), rel=1e-6)


def test_the_gdv_leaves_out_classes_of_one_point(blobs):
    points, labels = blobs
    labels = labels.copy()
    labels[7] = 9
    with pytest.warns(MeasureWarning, match="1 of 4 classes have one point.*: 9"):
        found = generalized_discrimination_value(points, labels)
    assert np.isnan(found.per_class[3])
    assert np.isnan(found.per_pair[3, 0])


@pytest.mark.parametrize(
    ("points", "labels", "match"),
    [
        ([[0.0], [1.0], [2.0]], [0, 0, 1], "at least two classes of two points or more"),
        ([[5.0]] * 4, [0, 0, 1, 1], "standard deviation, which is 0 for all of them"),
        ([[5.0], [1.0]], [0, 0], "needs at least 2 of them"),
    ],
)
def test_what_has_no_gdv(points, labels, match):
    with pytest.raises(UndefinedMeasureError, match=match):
        generalized_discrimination_value(points, labels)
