import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from unknot.metrics import MeasureWarning, UndefinedMeasureError, alignment, uniformity


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def unit(points):
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_alignment_is_the_mean_over_pairs(rng):
    labels = np.repeat([0, 1, 2], [5, 20, 35])
    points = rng.normal(size=(60, 4)) + 2 * np.eye(3, 4)[labels]
    squares = squareform(pdist(unit(points), "sqeuclidean"))
    same = (labels[:, None] == labels) & ~np.eye(60, dtype=bool)
    expected = (squares * same).sum(axis=1) / same.sum(axis=1)
    found = alignment(points, labels)
    np.testing.assert_allclose(found.per_point, expected, rtol=1e-5)
    assert found.value == pytest.approx(expected.mean(), rel=1e-6)
    for c in range(3):
        assert found.per_class[c] == pytest.approx(
            pdist(unit(points[labels == c]), "sqeuclidean").mean(), rel=1e-5
        )


def test_alignments_influence_is_the_variance_of_new_samples(rng):
    # Over new samples of one population the variance is that of the mean of the influences.
    def draw(n=200):
        labels = rng.integers(0, 2, size=n)
        return rng.normal(size=(n, 3)) + 1.5 * np.eye(2, 3)[labels], labels

    values, errors = [], []
    for _ in range(300):
        found = alignment(*draw())
        values.append(found.value)
        errors.append(found.influence.var() / 200)
        assert found.influence.mean() == pytest.approx(0, abs=1e-9)
    # The variance of 300 values is known to about 8 %.
    assert np.mean(errors) == pytest.approx(np.var(values), rel=0.3)


def test_alignment_ignores_rotation_length_order_and_names(rng):
    labels = rng.integers(0, 3, size=90)
    points = rng.normal(size=(90, 4)) + np.eye(3, 4)[labels]
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    order = rng.permutation(90)
    scaled = (points @ turn) * rng.uniform(0.1, 9, size=(90, 1))
    names = np.array(["q", "r", "s"])[labels]
    assert alignment(scaled[order], names[order]).value == pytest.approx(
        alignment(points, labels).value, rel=1e-5
    )
    assert uniformity(scaled[order]).value == pytest.approx(uniformity(points).value, rel=1e-5)


def test_zeros_have_no_direction():
    points = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [3.0, 0.0], [1.0, 0.0]]
    with pytest.warns(MeasureWarning, match="1 of 5 points are zero.*alignment leaves them out"):
        found = alignment(points, [0, 0, 0, 1, 1])
    # Two directions at a right angle, 2; two that are the same, 0.
    np.testing.assert_allclose(found.per_class, [2.0, 0.0], atol=1e-6)
    np.testing.assert_array_equal(found.samples, [1, 2, 3, 4])
    with pytest.warns(MeasureWarning, match="uniformity leaves them out"):
        value = uniformity(points).value
    # Of six pairs three have a squared distance of 2, and three of 0.
    assert value == pytest.approx(np.log((3 + 3 * np.exp(-4)) / 6), rel=1e-6)


def test_alignment_leaves_out_classes_of_one_point():
    with pytest.warns(MeasureWarning, match="1 of 2 classes have fewer than two points.*: 5"):
        found = alignment([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0, 0, 5])
    assert found.value == pytest.approx(2.0, rel=1e-6)
    assert np.isnan(found.per_class[1])
    with pytest.raises(UndefinedMeasureError, match="no class has two points with a direction"):
        alignment(np.eye(3), [0, 1, 2])


def test_uniformity_is_the_mean_over_pairs(rng):
    points = rng.normal(size=(80, 4)) + 1
    for t in (0.5, 2.0):
        expected = np.log(np.exp(-t * pdist(unit(points), "sqeuclidean")).mean())
        assert uniformity(points, t).value == pytest.approx(expected, rel=1e-5)


def test_uniformity_of_many_dimensions_is_minus_2t(rng):
    # Directions are nearly orthogonal: d^2 = 2 with a variance of 4/D.
    assert uniformity(rng.normal(size=(500, 4000))).value == pytest.approx(-4.0, abs=0.02)
    assert uniformity(np.ones((5, 3))).value == 0.0


def test_uniformity_of_a_sample_says_its_error(rng):
    points = rng.normal(size=(3000, 3)) + 0.5
    whole = uniformity(points, max_samples=None).value
    with pytest.warns(MeasureWarning, match="estimated from 1,000 of 3,000 points.*error is"):
        part = uniformity(points, max_samples=1000)
    error = float(part.notes[0].rsplit(" ", 1)[1])
    assert abs(part.value - whole) < 4 * error < 0.3


def test_uniformity_needs_two_directions():
    with pytest.raises(UndefinedMeasureError, match="1 of 2 points have one"):
        uniformity([[0.0, 0.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="t must be a number above 0; got 0"):
        uniformity(np.eye(3), 0.0)
    with pytest.raises(UndefinedMeasureError, match="decrease t"):
        uniformity([[1.0, 0.0], [-1.0, 0.0]], 1e6)
