import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.manifold import trustworthiness as reference

from unknot import nearest_neighbors
from unknot.metrics import (
    MeasureWarning,
    UndefinedMeasureError,
    class_continuity,
    class_trustworthiness,
    continuity,
    label_continuity,
    label_trustworthiness,
    trustworthiness,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def slow_scores(points, map_, labels, k):
    """Trustworthiness and continuity, plain and class-aware, with all distances."""
    n = len(points)

    def squares(x):
        return np.square(x[:, None].astype(np.float64) - x).sum(axis=2)

    def score(shown, source, counts):
        total = 0
        for i in range(n):
            for j in shown[i][:k]:
                closer = source[i] < source[i, j]
                rank = int(closer.sum()) - bool(closer[i]) + 1
                if rank > k and counts(labels[i], labels[j]):
                    total += rank - k
        return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * total

    native, on_map = (nearest_neighbors(x, k).indices for x in (points, map_))
    return (
        score(on_map, squares(points), lambda a, b: True),
        score(native, squares(map_), lambda a, b: True),
        score(on_map, squares(points), lambda a, b: a != b),
        score(native, squares(map_), lambda a, b: a == b),
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 9), grid=st.booleans())
def test_they_are_the_slow_forms(seed, k, grid):
    rng = np.random.default_rng(seed)
    # On a grid many distances are equal: such points share the best of their ranks.
    points = rng.integers(0, 3, size=(24, 3)) if grid else rng.normal(size=(24, 5))
    map_ = rng.integers(0, 3, size=(24, 2)) if grid else rng.normal(size=(24, 2))
    points, map_ = points.astype(np.float32), map_.astype(np.float32)
    labels = rng.integers(0, 3, size=24)
    expected = slow_scores(points, map_, labels, k)
    assert trustworthiness(points, map_, k).value == pytest.approx(expected[0], abs=1e-12)
    assert continuity(points, map_, k).value == pytest.approx(expected[1], abs=1e-12)
    aware = class_trustworthiness(points, map_, labels, k)
    assert aware.value == pytest.approx(expected[2], abs=1e-12)
    aware = class_continuity(points, map_, labels, k)
    assert aware.value == pytest.approx(expected[3], abs=1e-12)


def test_equally_far_points_are_faithful_whatever_the_order_of_rows(rng):
    points = rng.integers(0, 3, size=(60, 2)).astype(np.float32)
    order = rng.permutation(60)
    assert trustworthiness(points, points, 5).value == 1.0
    assert continuity(points[order], points[order], 5).value == 1.0


def test_scikit_learn_agrees(rng):
    points = rng.normal(size=(300, 8)).astype(np.float32)
    map_ = points[:, :2].copy()
    for k in (1, 5, 20):
        assert trustworthiness(points, map_, k).value == pytest.approx(
            reference(points, map_, n_neighbors=k), abs=1e-12
        )
        # Continuity is trustworthiness with the two spaces exchanged.
        assert continuity(points, map_, k).value == pytest.approx(
            reference(map_, points, n_neighbors=k), abs=1e-12
        )


def test_by_hand():
    # On a line at 0, 1, 3, 6, 10; on the map 1 and 6 have changed places: 0, 6, 3, 1, 10.
    # Nearest one on the map: of 0 the point at 1 (d), of 6 (b) 3 (c), of 3 (c) 1 (d) (2 away),
    # of 1 (d) 0 (a), of 10 (e) 6 (b). Ranks in the representation: d from a: after b, c, so 3;
    # c from b: a is 1 away, c 2: 2; d from c: b is 2 away, then a and d both at 3: 2;
    # a from d: c 3, e 4, b 5, a 6: 4; b from e: d 4, c 7, b 9: 3.
    # Excess over k = 1: 2 + 1 + 1 + 3 + 2 = 9; 1 - 2/(5 * 1 * (10 - 3 - 1)) * 9 = .4.
    points = np.array([[0.0], [1.0], [3.0], [6.0], [10.0]])
    map_ = np.array([[0.0], [6.0], [3.0], [1.0], [10.0]])
    result = trustworthiness(points, map_, 1)
    assert result.value == pytest.approx(0.4)
    np.testing.assert_allclose(result.per_point, 1 - 2 / 6 * np.array([2, 1, 1, 3, 2]))
    # Labels a a a b b: strangers of another class are d from a (2), d from c (1), a from d (3) and
    # b from e (2), so 8: 1 - 8/15.
    assert class_trustworthiness(points, map_, list("aaabb"), 1).value == pytest.approx(7 / 15)


def test_a_faithful_map_scores_one(rng):
    points = rng.normal(size=(50, 2))
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    labels = np.arange(50) % 3
    map_ = 7 * points @ turn + 3
    assert trustworthiness(points, map_).value == 1.0
    assert continuity(points, map_).value == 1.0
    assert label_trustworthiness(points, map_, labels).value == pytest.approx(1.0)
    assert label_continuity(points, map_, labels).value == pytest.approx(1.0)


def test_an_unrelated_map_scores_by_chance(rng):
    # Ranks of strangers are uniform: with N = 500 and k = 10 the mean excess of a neighbor is
    # about (N - k)/2 * (N - k)/N = 240, times N k * 2/(N k (2N - 3k - 1)) = 2/969: 1 - .495.
    score = trustworthiness(rng.normal(size=(500, 5)), rng.normal(size=(500, 2)))
    assert score.value == pytest.approx(0.505, abs=0.03)


def test_a_sample_is_near_and_says_its_error(rng):
    points, map_ = rng.normal(size=(2000, 5)), rng.normal(size=(2000, 2))
    labels = rng.integers(0, 3, size=2000)
    for function in (trustworthiness, continuity):
        exact = function(points, map_)
        with pytest.warns(MeasureWarning, match="estimated from 500 of 2000 points"):
            sampled = function(points, map_, max_samples=500)
        assert 0 < abs(sampled.value - exact.value) < 4 * sampled.standard_error
        np.testing.assert_array_equal(sampled.per_point, exact.per_point[sampled.samples])
    with pytest.warns(MeasureWarning, match="class-aware continuity is estimated"):
        class_continuity(points, map_, labels, max_samples=500)


@pytest.mark.parametrize("k", [0, 10, 15])
def test_k_must_be_below_half_the_points(rng, k):
    points = rng.normal(size=(20, 3))
    for function in (trustworthiness, continuity):
        with pytest.raises(ValueError, match=r"k must be an integer from 1 to below n_samples / 2"):
            function(points, points, k)


def test_other_samples_are_refused(rng):
    for function in (trustworthiness, continuity):
        with pytest.raises(ValueError, match="same samples; got 20 and 21"):
            function(rng.normal(size=(20, 3)), rng.normal(size=(21, 2)))
    for function in (label_trustworthiness, label_continuity):
        with pytest.raises(ValueError, match="same samples; got 20 and 21"):
            function(rng.normal(size=(20, 3)), rng.normal(size=(21, 2)), np.arange(20))


def test_given_graphs_are_used(rng):
    points, map_ = (
        rng.normal(size=(60, 5)).astype(np.float32),
        rng.normal(size=(60, 2)).astype(np.float32),
    )
    assert (
        trustworthiness(points, map_, 4, map_graph=nearest_neighbors(map_, 9)).value
        == trustworthiness(points, map_, 4).value
    )
    assert (
        continuity(points, map_, 4, graph=nearest_neighbors(points, 9)).value
        == continuity(points, map_, 4).value
    )


def test_label_faithfulness_by_hand():
    # Classes a (0, 1), b (10, 11), c (20, 21); on the map a and b lie in each other: a (0, 10),
    # b (1, 9), c (20, 21). There the centroids of a and b are both 5, every point is equally near
    # to both, and half counts: DSC 1/2, on the scale from 0 to 1: 0. The other pairs: a and c,
    # centroids 5 and 20.5, all consistent. So LT = 1 - (1 + 0 + 0)/3, and nothing is gained: LC 1.
    points = np.array([[0.0], [1], [10], [11], [20], [21]])
    map_ = np.array([[0.0], [10], [1], [9], [20], [21]])
    labels = list("aabbcc")
    trust = label_trustworthiness(points, map_, labels)
    assert trust.value == pytest.approx(2 / 3)
    np.testing.assert_allclose(trust.per_pair, [[0, 1, 0], [1, 0, 0], [0, 0, 0]])
    assert label_continuity(points, map_, labels).value == 1.0
    # The other way round the map gains what the points have not.
    assert label_trustworthiness(map_, points, labels).value == 1.0
    assert label_continuity(map_, points, labels).value == pytest.approx(2 / 3)


def test_one_class_is_refused():
    for function in (label_trustworthiness, label_continuity):
        with pytest.raises(UndefinedMeasureError, match="needs at least 2 of them"):
            function(np.eye(4), np.eye(4), [0, 0, 0, 0])
