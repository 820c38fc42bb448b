import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from unknot.metrics import UndefinedMeasureError, measure, nc3, nc4


def blobs(n=300, classes=4, features=6, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, size=n)
    means = 2 * np.random.default_rng(9).normal(size=(classes, features))
    return rng.normal(size=(n, features)) + means[labels] + 3.0, labels


def slow(points, labels, weights, bias):
    """Both measures, as they are written."""
    means = np.stack([points[labels == c].mean(axis=0) for c in np.unique(labels)])
    centered = means - means.mean(axis=0)
    duality = np.linalg.norm(
        weights / np.linalg.norm(weights) - centered / np.linalg.norm(centered)
    )
    decided = (points @ weights.T + bias).argmax(axis=1)
    nearest = np.square(points[:, None] - means).sum(axis=2).argmin(axis=1)
    return duality, np.mean(decided != nearest)


def test_they_are_the_slow_forms():
    points, labels = blobs()
    rng = np.random.default_rng(1)
    weights, bias = rng.normal(size=(4, 6)), rng.normal(size=4)
    duality, differing = slow(points, labels, weights, bias)
    assert nc3(points, labels, weights).value == pytest.approx(duality, rel=1e-6)
    found = nc4(points, labels, weights, bias)
    assert found.value == differing
    assert found.value == pytest.approx(np.average(found.per_class, weights=np.bincount(labels)))
    assert found.per_point.mean() == pytest.approx(found.value)
    rows = nc3(points, labels, weights).per_class
    assert np.sqrt(np.square(rows).sum()) == pytest.approx(duality)


def test_a_head_of_the_class_means_has_collapsed():
    points, labels = blobs()
    means = np.stack([points[labels == c].mean(axis=0) for c in range(4)])
    origin = means.mean(axis=0)
    assert nc3(points, labels, 5 * (means - origin)).value == pytest.approx(0, abs=1e-6)
    # |x - m|^2 is smallest where m.x - |m|^2 / 2 is largest.
    assert nc4(points, labels, means, -0.5 * np.square(means).sum(axis=1)).value == 0.0
    assert nc3(points, labels, origin - means).value == pytest.approx(2.0)


def test_unrelated_weights_have_nothing_in_common():
    points, labels = blobs(features=200, n=2000)
    weights = np.random.default_rng(2).normal(size=(4, 200))
    assert nc3(points, labels, weights).value == pytest.approx(np.sqrt(2), abs=0.15)


def test_moving_and_scaling_the_points_with_the_head_changes_nothing():
    points, labels = blobs()
    head = LogisticRegression(max_iter=1000).fit(points, labels)
    weights, bias = head.coef_, head.intercept_
    # Weights of points 4 x + 1000 are a quarter; the bias loses what the origin adds.
    moved, narrow = 4 * points + 1000, weights / 4
    assert nc3(moved, labels, narrow).value == pytest.approx(nc3(points, labels, weights).value)
    here = nc4(points, labels, weights, bias)
    there = nc4(moved, labels, narrow, bias - 1000 * narrow.sum(axis=1))
    np.testing.assert_array_equal(here.per_point, there.per_point)


def test_one_output_is_the_second_class_against_the_first():
    points, labels = blobs(classes=2)
    head = LogisticRegression().fit(points, labels)
    one = nc4(points, labels, head.coef_, head.intercept_)
    half = head.coef_ / 2
    two = nc4(points, labels, np.concatenate([-half, half]), np.r_[-1, 1] * head.intercept_ / 2)
    np.testing.assert_array_equal(one.per_point, two.per_point)


def test_outputs_without_points_are_left_out():
    points, labels = blobs()
    weights = np.random.default_rng(3).normal(size=(6, 6))
    with pytest.warns(UserWarning, match="2 of the head's 6 outputs have no points"):
        found = nc3(points, labels, weights)
    assert found.value == pytest.approx(slow(points, labels, weights[:4], 0.0)[0])


def test_measure_takes_a_head_and_gives_intervals():
    points, labels = blobs()
    head = LogisticRegression(max_iter=1000).fit(points, labels)
    scores = measure(points, labels, measures="collapse", head=(head.coef_, head.intercept_))
    assert list(scores) == ["nc1", "nc2", "class_distance_variance", "nc3", "nc4"]
    assert scores["nc3"].value == nc3(points, labels, head.coef_).value
    for name in ("nc3", "nc4"):
        low, high = scores[name].interval
        assert low <= scores[name].value <= high
        assert scores[name].null > scores[name].value
    without = measure(points, labels, measures="collapse")
    assert "pass head=" in without.skipped["nc3"]
    assert "nc3" not in measure(points, labels, measures="neighborhood").skipped


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ((np.zeros((4, 5)), None), r"weights must have the shape \(n_outputs, 6\).*got \(4, 5\)"),
        ((np.zeros((6, 4)), None), r"got \(6, 4\); transpose them"),
        ((np.zeros((4, 6)), np.zeros(3)), r"bias must have the shape \(4,\).*got \(3,\)"),
        ((np.zeros((3, 6)), None), "labels must be from 0 to 2.*got 0 to 3"),
        ((np.full((4, 6), np.nan), None), "must be finite"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(head, message):
    points, labels = blobs()
    with pytest.raises(ValueError, match=message):
        measure(points, labels, head=head)


def test_what_is_no_head_is_refused():
    points, labels = blobs()
    with pytest.raises(TypeError, match=r"head must be \(weights, bias\); got ndarray"):
        measure(points, labels, head=np.zeros((4, 6)))
    with pytest.raises(ValueError, match="labels must be the numbers of the head's outputs"):
        measure(points, labels.astype(str), head=(np.zeros((4, 6)), None))
    with pytest.raises(ValueError, match="pass it without preprocess"):
        measure(points, labels, head=(np.zeros((4, 6)), None), preprocess="center")
    with pytest.raises(UndefinedMeasureError, match="all 0"):
        nc3(points, labels, np.zeros((4, 6)))
    with pytest.raises(UndefinedMeasureError, match="NC3 compares classes"):
        nc3(points, np.zeros(300, int), np.ones((1, 6)))
