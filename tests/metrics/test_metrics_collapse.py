import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unknot.metrics import MeasureWarning, UndefinedMeasureError, class_distance_variance, nc1, nc2
from unknot.metrics._shared import moments as _moments
from unknot.metrics._shared.moments import class_moments
from unknot.metrics._suite import permuted as _permuted
from unknot.metrics._suite.permuted import permuted_moments
from unknot.metrics.clusters import compare_centroid_distances, consistency_shares

ALL = (nc1, nc2, class_distance_variance)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def slow_collapse(points, labels):
    """NC1 with the pseudo-inverse, NC2 and CDNV by loops, on full covariance matrices."""
    points = np.asarray(points, dtype=np.float64)
    classes = np.unique(labels)
    means = np.array([points[labels == c].mean(axis=0) for c in classes])
    within = sum(np.outer(x - means[y], x - means[y]) for x, y in zip(points, labels, strict=True))
    within /= len(points)
    centered = means - means.mean(axis=0)
    between = centered.T @ centered / len(classes)
    one = np.trace(within @ np.linalg.pinv(between, rcond=1e-10, hermitian=True)) / len(classes)
    count = len(classes)
    gram = centered @ centered.T
    simplex = (np.eye(count) - np.ones((count, count)) / count) / np.sqrt(count - 1)
    two = np.linalg.norm(gram / np.linalg.norm(gram) - simplex)
    spread = [((points[labels == c] - means[c]) ** 2).sum(axis=1).mean() for c in classes]
    pairs = [
        (spread[i] + spread[j]) / 2 / ((means[i] - means[j]) ** 2).sum()
        for i in range(count)
        for j in range(i)
    ]
    return one, two, np.mean(pairs)


@pytest.mark.filterwarnings("ignore:there are two classes")
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(2, 6),
    features=st.integers(1, 8),
    offset=st.sampled_from([0.0, 50.0]),
)
def test_they_are_the_slow_forms(seed, classes, features, offset):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes).repeat(2), rng.integers(0, classes, size=30)])
    points = rng.normal(size=(len(labels), features)) + rng.normal(size=(classes, features))[labels]
    points = (points + offset).astype(np.float32)
    for function, expected in zip(ALL, slow_collapse(points, labels), strict=True):
        assert float(function(points, labels)) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_simplex_scores_zero():
    # Four means at the corners of a regular tetrahedron, each class a pair of points about one.
    corners = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    shift = np.array([0.1, 0.2, -0.1])
    points = np.concatenate([corners + 5 + shift, corners + 5 - shift])
    assert nc2(points, [0, 1, 2, 3] * 2).value == pytest.approx(0, abs=1e-6)


def test_collapsed_classes_score_zero():
    points = np.repeat([[0.0, 0], [3, 0], [0, 4]], 5, axis=0)
    labels = np.repeat([0, 1, 2], 5)
    assert nc1(points, labels).value == 0.0
    assert class_distance_variance(points, labels).value == 0.0


def test_by_hand():
    # Means (0, 0) and (4, 0), their mean (2, 0): S_B has 4 along the first axis and no second.
    # Deviations +-1 along both axes in the first class, +-2 in the second: S_W along the first
    # axis (1 + 4)/2 = 5/2, so NC1 = 5/2 / 4 / 2; the second axis does not count.
    # CDNV: V = 2 and 8 (1 + 1 and 4 + 4), (2 + 8)/(2 * 16).
    corners = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    points = np.concatenate([corners, 2 * corners + np.array([4, 0])])
    labels = np.repeat([0, 1], 4)
    result = nc1(points, labels)
    assert result.value == pytest.approx(5 / 16)
    np.testing.assert_allclose(result.per_class, [1 / 8, 4 / 8])
    assert class_distance_variance(points, labels).value == pytest.approx(10 / 32)


@pytest.mark.filterwarnings("ignore:there are two classes")
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-2, 1e2))
def test_they_ignore_rotation_scale_translation_order_and_names(seed, scale):
    rng = np.random.default_rng(seed)
    labels = np.arange(60) % 3
    points = rng.normal(size=(60, 4)) + 2 * np.eye(4)[labels]
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    order = rng.permutation(60)
    moved = ((points @ turn + 3) * scale)[order]
    names = np.array(["z", "a", "m"])[labels][order]
    for function in ALL:
        before, after = function(points, labels), function(moved, names)
        assert float(after) == pytest.approx(float(before), rel=1e-4)


@pytest.mark.parametrize("function", ALL)
def test_one_class_is_refused(function):
    with pytest.raises(UndefinedMeasureError, match="needs at least 2 of them"):
        function(np.eye(3), ["only"] * 3)


@pytest.mark.parametrize("function", ALL)
def test_a_dead_layer_is_named(function):
    with pytest.raises(UndefinedMeasureError, match="coincide"):
        function(np.full((6, 3), 0.7), [0, 0, 0, 1, 1, 1])


def test_two_equal_means_are_named():
    points = np.array([[-1.0], [1.0], [-2.0], [2.0], [5.0], [6.0]])
    with pytest.raises(UndefinedMeasureError, match="those of a and b coincide"):
        class_distance_variance(points, list("aabbcc"))


def test_two_classes_are_always_a_simplex(rng):
    with pytest.warns(MeasureWarning, match="two means always form a simplex"):
        assert nc2(rng.normal(size=(10, 3)), np.arange(10) % 2).value == pytest.approx(0, abs=1e-9)


def test_classes_of_one_point_are_named(rng):
    with pytest.warns(MeasureWarning, match="1 of 3 classes have one point"):
        nc1(rng.normal(size=(5, 2)), [0, 0, 1, 1, 2])


@pytest.mark.parametrize(("classes", "offset", "together"), [(3, 0.0, 512), (6, 100.0, 12)])
def test_permuted_moments_are_those_of_the_permuted_labels(
    rng, monkeypatch, classes, offset, together
):
    monkeypatch.setattr(_permuted, "MAX_CLASSES_AT_ONCE", together)
    monkeypatch.setattr(_moments, "BLOCK_BYTES", 8 * 5 * 40)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, size=90)])
    points = (rng.normal(size=(len(labels), 5)) + offset + labels[:, None]).astype(np.float32)
    permuted = [rng.permutation(labels) for _ in range(5)]
    observed = class_moments(points, labels, classes)
    found = list(permuted_moments(points, permuted, observed, n_jobs=2))
    assert len(found) == 5
    for codes, (fast, shares) in zip(permuted, found, strict=True):
        slow = class_moments(points, codes, classes)
        for name in ("counts", "means", "variances", "mean_distances", "whitened_variances"):
            expected = getattr(slow, name)
            np.testing.assert_allclose(getattr(fast, name), expected, rtol=1e-7, atol=1e-9)
        assert fast.rank == slow.rank
        expected = consistency_shares(compare_centroid_distances(points, codes, slow))
        np.testing.assert_array_equal(shares, expected)


def test_moments_do_not_depend_on_the_number_of_threads(rng):
    points = rng.normal(size=(500, 40)).astype(np.float32)
    labels = np.arange(500) % 7
    one, many = (class_moments(points, labels, 7, n_jobs=jobs) for jobs in (1, 3))
    for name in ("means", "variances", "mean_distances", "whitened_variances"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))
