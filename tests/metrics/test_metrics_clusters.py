import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_samples

from unknot.metrics import (
    MeasureWarning,
    UndefinedMeasureError,
    calinski_harabasz,
    davies_bouldin,
    distance_consistency,
    silhouette,
)
from unknot.metrics._shared.distances import stratified_sample


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def blobs(rng, n=120, classes=4, features=6, apart=2.0):
    labels = np.sort(rng.integers(0, classes, size=n))
    labels[:classes] = np.arange(classes)
    return (rng.normal(size=(n, features)) + apart * np.eye(classes, features)[labels]), labels


def test_distance_consistency_by_hand():
    # Centroids: a (0 + 2 + 7)/3 = 3, b (6 + 8)/2 = 7. 0 and 2 are nearer to 3; 7 is nearer to 7;
    # 6 and 8 are nearer to 7. Class a 2/3, class b 1, in all 4/5.
    result = distance_consistency([[0.0], [2.0], [7.0], [6.0], [8.0]], list("aaabb"))
    assert result.value == pytest.approx(4 / 5)
    np.testing.assert_allclose(result.per_class, [2 / 3, 1])
    np.testing.assert_array_equal(result.per_point, [1, 1, 0, 1, 1])


@pytest.mark.parametrize("seed", range(4))
def test_distance_consistency_is_the_double_loop(seed):
    rng = np.random.default_rng(seed)
    points, labels = blobs(rng, apart=1.0)
    points = points.astype(np.float32).astype(float)
    centroids = [points[labels == c].mean(axis=0) for c in range(4)]
    right = [
        min(range(4), key=lambda c, x=x: np.linalg.norm(x - centroids[c])) == y
        for x, y in zip(points, labels, strict=True)
    ]
    result = distance_consistency(points, labels)
    assert result.value == pytest.approx(np.mean(right), abs=1e-12)
    assert 0.2 < result.value < 1.0


def test_equally_near_centroids_divide_a_point():
    # Both centroids are at 0: every point is half right.
    with pytest.warns(MeasureWarning, match="all class centroids coincide"):
        result = distance_consistency([[-1.0], [1.0], [-2.0], [2.0]], [0, 0, 1, 1])
    np.testing.assert_array_equal(result.per_point, 0.5)


def test_one_class_is_consistent_and_said_to_be():
    with pytest.warns(MeasureWarning, match="there is only one class"):
        assert distance_consistency(np.eye(3), [0, 0, 0]).value == 1.0


@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), offset=st.sampled_from([0.0, 100.0]))
def test_scikit_learn_agrees(seed, offset):
    rng = np.random.default_rng(seed)
    points, labels = blobs(rng, n=60)
    points = (points + offset).astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(
        silhouette(points, labels).per_point,
        np.where(np.bincount(labels)[labels] == 1, 0, silhouette_samples(points, labels)),
        atol=1e-7,
    )
    assert davies_bouldin(points, labels).value == pytest.approx(
        davies_bouldin_score(points, labels), rel=1e-9
    )
    assert calinski_harabasz(points, labels).value == pytest.approx(
        calinski_harabasz_score(points, labels), rel=1e-9
    )


def test_the_parts_of_a_score_make_it_up(rng):
    points, labels = blobs(rng)
    sizes = np.bincount(labels)
    s = silhouette(points, labels)
    assert np.average(s.per_class, weights=sizes) == pytest.approx(s.value)
    db = davies_bouldin(points, labels)
    np.testing.assert_allclose(db.per_pair.max(axis=1), db.per_class)
    assert db.per_class.mean() == pytest.approx(db.value)
    ch = calinski_harabasz(points, labels)
    assert ch.per_class.sum() == pytest.approx(ch.value)


def test_silhouettes_of_collapsed_classes_keep_their_digits():
    # Classes of spread 1e-3 at a distance of 1000 from the origin and 1 from each other: the
    # squared distances within are 1e-12 of the points' squared norms.
    rng = np.random.default_rng(0)
    centers = np.repeat([[1000.0, 0.0], [1000.0, 1.0]], 50, axis=0)
    points = (centers + 1e-3 * rng.normal(size=(100, 2))).astype(np.float32).astype(float)
    labels = np.repeat([0, 1], 50)
    np.testing.assert_allclose(
        silhouette(points, labels).per_point, silhouette_samples(points, labels), atol=1e-6
    )


def test_duplicates_have_no_distance():
    points = np.repeat([[0.3, 1.7], [5.1, 2.9]], 10, axis=0)
    labels = np.repeat([0, 1], 10)
    assert silhouette(points, labels).value == 1.0


def test_a_sampled_silhouette_is_near_and_says_its_error(rng):
    points, labels = blobs(rng, n=3000)
    exact = silhouette(points, labels).value
    with pytest.warns(MeasureWarning, match=r"estimated from \d+ of 3000 points.*standard error"):
        sampled = silhouette(points, labels, max_samples=600, random_state=1)
    assert len(sampled.samples) == pytest.approx(600, abs=4)
    assert sampled.standard_error > 0
    assert abs(sampled.value - exact) < 4 * sampled.standard_error
    assert sampled.value != exact


@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
def test_the_stated_error_is_that_of_many_samples(rng):
    # Over 200 seeds the estimates scatter by the standard error: to within 20 %, four standard
    # errors of a standard deviation of 200.
    points, labels = blobs(rng, n=1000)
    estimates = [silhouette(points, labels, max_samples=100, random_state=s) for s in range(200)]
    spread = np.std([estimate.value for estimate in estimates])
    assert spread == pytest.approx(np.mean([e.standard_error for e in estimates]), rel=0.2)
    bias = np.mean([e.value for e in estimates]) - silhouette(points, labels).value
    assert abs(bias) < 4 * spread / np.sqrt(200)


@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
def test_samples_are_the_same_for_a_seed_and_any_number_of_threads(rng):
    points, labels = blobs(rng, n=1000)
    results = [
        silhouette(points, labels, max_samples=300, random_state=5, n_jobs=jobs).per_point
        for jobs in (1, 2, 5)
    ]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    other = silhouette(points, labels, max_samples=300, random_state=6)
    assert not np.array_equal(other.per_point, results[0])


def test_every_class_is_in_a_sample():
    codes = np.concatenate([np.zeros(10_000, int), np.arange(1, 50).repeat(3)])
    sample = stratified_sample(codes, 100, 0)
    assert np.unique(sample.codes).size == 50
    assert sample.weights.sum() == pytest.approx(1)
    # Two of each small class are drawn, which stand for three.
    np.testing.assert_allclose(sample.weights[sample.codes > 0], 1.5 / len(codes))


@pytest.mark.parametrize("function", [silhouette, davies_bouldin, calinski_harabasz])
def test_one_class_is_refused(function):
    with pytest.raises(
        UndefinedMeasureError, match="needs at least 2 of them; labels contain 1: 7"
    ):
        function(np.eye(4), [7, 7, 7, 7])


def test_a_dead_layer_is_named():
    points, labels = np.ones((6, 3)), [0, 0, 0, 1, 1, 1]
    with pytest.warns(MeasureWarning, match="all points coincide"):
        assert silhouette(points, labels).value == 0.0
    with pytest.raises(UndefinedMeasureError, match="those of 0 and 1 coincide"):
        davies_bouldin(points, labels)
    with pytest.raises(UndefinedMeasureError, match="within classes, which is 0"):
        calinski_harabasz(points, labels)


def test_classes_of_one_point_are_named(rng):
    points = rng.normal(size=(5, 2))
    labels = ["a", "a", "b", "b", "lone"]
    with pytest.warns(MeasureWarning, match="1 of 3 classes have one point.*lone"):
        assert silhouette(points, labels).per_point[4] == 0.0
    for function in (davies_bouldin, calinski_harabasz):
        with pytest.warns(MeasureWarning, match="1 of 3 classes have one point.*lone"):
            assert np.isfinite(function(points, labels).value)


def test_shuffled_labels_score_by_chance(rng):
    points = rng.normal(size=(2000, 5))
    labels = np.arange(2000) % 4
    # Silhouettes of random classes are within a few hundredths of 0; Calinski-Harabasz has the
    # mean 1 of an F ratio and, over 5 features, a standard deviation of about .4.
    assert abs(silhouette(points, labels).value) < 0.03
    assert 0.2 < calinski_harabasz(points, labels).value < 3
    assert distance_consistency(points, labels).value < 0.4
