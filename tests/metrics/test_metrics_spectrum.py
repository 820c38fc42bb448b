import numpy as np
import pytest

from unknot.metrics import MeasureWarning, UndefinedMeasureError, effective_rank


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def slow_rank(points):
    values = np.linalg.svd(points, compute_uv=False)
    shares = values / values.sum() + 1e-30
    return np.exp(-(shares * np.log(shares)).sum())


@pytest.mark.parametrize("shape", [(200, 10), (30, 80)])
def test_the_rank_is_that_of_the_singular_values(rng, shape):
    points = (rng.normal(size=shape) * rng.uniform(0.1, 3, size=shape[1]) + 2).astype(np.float32)
    points = points.astype(float)
    found = effective_rank(points)
    assert found.value == pytest.approx(slow_rank(points - points.mean(axis=0)), rel=1e-6)
    assert len(found.singular_values) == min(shape[0] - 1, shape[1])
    assert effective_rank(points, center=False).value == pytest.approx(slow_rank(points), rel=1e-6)


def test_the_rank_of_each_class_is_about_its_mean(rng):
    labels = np.repeat([0, 1], 50)
    points = rng.normal(size=(100, 6)).astype(np.float32).astype(float)
    points[:50, 2:] = 7.0
    found = effective_rank(points, labels)
    for c in range(2):
        own = points[labels == c]
        assert found.per_class[c] == pytest.approx(slow_rank(own - own.mean(axis=0)), rel=1e-5)
    assert found.per_class[0] < 2.0 + 1e-9 < found.per_class[1]


def test_the_rank_of_isotropic_points_is_their_dimension(rng):
    assert effective_rank(rng.normal(size=(5000, 8))).value == pytest.approx(8, rel=0.001)
    line = rng.normal(size=(50, 1)) @ rng.normal(size=(1, 5))
    assert effective_rank(line).value == pytest.approx(1, abs=1e-5)


def test_the_rank_ignores_rotation_unit_position_and_constant_features(rng):
    points = rng.normal(size=(80, 5)) * [1, 2, 3, 4, 5]
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    moved = np.concatenate([1e-3 * points @ turn + 4, np.full((80, 2), 9.0)], axis=1)
    assert effective_rank(moved).value == pytest.approx(effective_rank(points).value, rel=1e-4)


def test_a_rank_of_a_sample_says_so(rng):
    with pytest.warns(MeasureWarning, match="that of 100 of 400 points, drawn at random"):
        found = effective_rank(rng.normal(size=(400, 5)), max_samples=100)
    assert len(found.samples) == 100
    assert found.per_class is None


def test_a_rank_of_one_place_is_undefined():
    with pytest.raises(UndefinedMeasureError, match="all points coincide"):
        effective_rank(np.ones((5, 3)))
    with pytest.warns(MeasureWarning, match="1 of 2 classes have no two different.*: b"):
        found = effective_rank(np.eye(5)[[0, 1, 2, 3, 3]], ["a", "a", "a", "b", "b"])
    assert np.isnan(found.per_class[1])


def test_huge_and_tiny_values_have_the_same_rank(rng):
    points = rng.normal(size=(40, 4))
    for factor in (1e-30, 1e30):
        for center in (True, False):
            found = effective_rank(points * factor, center=center).value
            assert found == pytest.approx(effective_rank(points, center=center).value, rel=1e-4)
