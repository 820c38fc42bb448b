"""Measures depend neither on place nor on unit, and outliers do not blur the other points."""

import warnings

import numpy as np
import pytest

import unknot
from unknot import metrics
from unknot._validation.points import scale_free
from unknot.metrics import MeasureWarning, UndefinedMeasureError

LABELS = np.arange(60) % 3
RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(60, 4)) + 3 * np.eye(4)[LABELS]
MAP = POINTS[:, :2] @ [[1.0, 0.2], [0.3, 1.0]]

MEASURES = {
    "neighborhood_hit": lambda x, y: metrics.neighborhood_hit(x, LABELS),
    "distance_consistency": lambda x, y: metrics.distance_consistency(x, LABELS),
    "silhouette": lambda x, y: metrics.silhouette(x, LABELS),
    "davies_bouldin": lambda x, y: metrics.davies_bouldin(x, LABELS),
    "calinski_harabasz": lambda x, y: metrics.calinski_harabasz(x, LABELS),
    "nc1": lambda x, y: metrics.nc1(x, LABELS),
    "nc2": lambda x, y: metrics.nc2(x, LABELS),
    "class_distance_variance": lambda x, y: metrics.class_distance_variance(x, LABELS),
    "linear_probe": lambda x, y: metrics.linear_probe(x, LABELS, n_folds=2),
    "manifold_capacity": lambda x, y: metrics.manifold_capacity(
        x, LABELS, n_draws=5, random_state=0
    ),
    "two_nn": lambda x, y: metrics.two_nn(x),
    "participation_ratio": lambda x, y: metrics.participation_ratio(x),
    "trustworthiness": metrics.trustworthiness,
    "continuity": metrics.continuity,
    "class_trustworthiness": lambda x, y: metrics.class_trustworthiness(x, y, LABELS),
    "class_continuity": lambda x, y: metrics.class_continuity(x, y, LABELS),
    "label_trustworthiness": lambda x, y: metrics.label_trustworthiness(x, y, LABELS),
    "label_continuity": lambda x, y: metrics.label_continuity(x, y, LABELS),
    "linear_cka": metrics.linear_cka,
    "convex_hulls": lambda x, y: metrics.convex_hulls(y, LABELS),
    "peeled_hulls": lambda x, y: metrics.peeled_hulls(y, LABELS, 0.5),
    "best_ellipses": lambda x, y: metrics.best_ellipses(y, LABELS),
}
MILLIONTHS, MAP_MILLIONTHS = (np.rint(array * 1e6).astype(np.int64) for array in (POINTS, MAP))
FAR = np.array([1e9, -1e12, 3e10, 0.0])
PLACES = {
    "1e9": (POINTS + 1e9, MAP + 1e9),
    "one place for each feature": (POINTS + FAR, MAP + FAR[:2]),
    "integers": (MILLIONTHS + 2**40, MAP_MILLIONTHS + 2**62),
    "unsigned": (MILLIONTHS.astype("u8") + np.uint64(2**63), MAP_MILLIONTHS + 2**50),
    "other byte order": ((POINTS + 1e9).astype(">f8"), (MAP + 1e9).astype(">f8")),
    "small": (POINTS * 1e-20, MAP * 1e-30),
    "below float32": (POINTS * 1e-50, MAP * 1e-100),
    "large": (POINTS * 1e20, MAP * 1e30),
    "beyond float32": (POINTS * 1e100, MAP * 1e50),
    "small float32": ((POINTS * 1e-36).astype("f4"), (MAP * 1e-36).astype("f4")),
    "large float32": ((POINTS * 1e37).astype("f4"), (MAP * 1e37).astype("f4")),
}


@pytest.fixture(autouse=True)
def _notes_are_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MeasureWarning)
        yield


@pytest.mark.parametrize("place", PLACES)
def test_no_measure_depends_on_place_or_unit(place):
    points, map_ = PLACES[place]
    for name, measure in MEASURES.items():
        there, here = float(measure(points, map_)), float(measure(POINTS, MAP))
        assert there == pytest.approx(here, rel=2e-3, abs=1e-6), name


def test_all_measures_together_depend_on_neither():
    def scores(points, map_):
        options = {"n_resamples": 3, "n_permutations": 2, "n_draws": 4}
        found = metrics.measure(points, LABELS, map_, **options)
        return {name: score.value for name, score in found.items()}

    here = scores(POINTS, MAP)
    for place in ("1e9", "below float32"):
        assert scores(*PLACES[place]) == pytest.approx(here, rel=2e-3, abs=1e-6)


def test_float32_points_of_ordinary_size_are_taken_as_they_are():
    points = (POINTS + 1e3).astype(np.float32)
    assert scale_free(points) is points


def test_shapes_are_in_the_coordinates_given():
    square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
    far = np.array([1e9, -4e11])
    hull = metrics.convex_hulls(square + far, [0] * 4)
    assert sorted(map(tuple, hull.vertices[0] - far)) == sorted(map(tuple, square))
    assert hull.areas.tolist() == [2.0]
    ellipses = metrics.best_ellipses(square * 1e20, [0] * 4)
    np.testing.assert_allclose(ellipses.means, [[1e20, 0.5e20]])
    np.testing.assert_allclose(ellipses.semi_axes, [[np.sqrt(2) * 1e20, np.sqrt(0.5) * 1e20]])
    np.testing.assert_allclose(ellipses.areas, [np.pi * 1e40])
    with pytest.raises(ValueError, match="areas within the range of float64"):
        metrics.convex_hulls(square * 1e200, [0] * 4)


def with_outlier(points, far):
    return np.concatenate([points, np.full((1, points.shape[1]), far)]), np.append(LABELS, 0)


@pytest.mark.parametrize("far", [1e12, 1e18, 1e30])
def test_an_outlier_of_one_class_leaves_the_others_as_they_are(far):
    points, labels = with_outlier(POINTS, far)
    for measure in (metrics.class_distance_variance, metrics.davies_bouldin):
        pair = measure(points, labels).per_pair[1, 2]
        assert pair == pytest.approx(measure(POINTS, LABELS).per_pair[1, 2], rel=1e-5)
    # The centroid that the outlier has drawn away is no rival any longer.
    others = POINTS[LABELS > 0]
    alone = metrics.distance_consistency(others, LABELS[LABELS > 0]).per_class
    assert metrics.distance_consistency(points, labels).per_class[1:].tolist() == alone.tolist()
    assert metrics.trustworthiness(points, points).value == 1.0
    share = metrics.silhouette(others, LABELS[LABELS > 0]).per_class
    np.testing.assert_allclose(metrics.silhouette(points, labels).per_class[1:], share, rtol=1e-6)


@pytest.mark.parametrize("far", [1e18, 1e30])
def test_peeled_hulls_are_those_without_the_outlier(far):
    map_, labels = with_outlier(MAP, far)
    peeled = metrics.peeled_hulls(map_, labels, 0.5)
    for c in (1, 2):
        own = metrics.peeled_hulls(MAP, LABELS, 0.5).areas[c]
        assert peeled.areas[c] == pytest.approx(own, rel=1e-6)
    with pytest.raises(
        UndefinedMeasureError, match=r"hull of class 1, 2 is .* Remove the outliers"
    ):
        metrics.convex_hulls(map_, labels)


@pytest.mark.parametrize("seed", range(3))
def test_classes_at_one_place_each_have_no_spread_at_all(seed):
    # Their means are thirds and sevenths of sums, which rounding would leave 1e-34 beside them.
    labels = np.arange(63) % 7
    points = np.random.default_rng(seed).normal(size=(7, 5))[labels]
    scores = metrics.measure(points, labels, measures=["nc1", "davies_bouldin"], n_resamples=5)
    for score in scores.values():
        assert (score.value, score.interval) == (0.0, (0.0, 0.0))
    with pytest.raises(UndefinedMeasureError, match="within classes, which is 0"):
        metrics.calinski_harabasz(points, labels)


def test_points_at_one_place_and_on_a_line_are_told():
    same = np.full((12, 2), 0.1)
    labels = np.arange(12) % 2
    assert metrics.convex_hulls(same, labels).value == 1.0
    line = np.linspace(0.0, 1.0, 12)[:, None] * [1e-40, 2e-40]
    assert metrics.convex_hulls(line, labels).value == pytest.approx(10 / 11 * 11 / 10, abs=0.1)
    assert metrics.participation_ratio(line).value == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [1e-50, 1e300])
def test_distances_that_float32_does_not_hold_are_refused(scale):
    for entry in (unknot.PCA(1).fit, unknot.TSNE().fit, lambda x: unknot.nearest_neighbors(x, 3)):
        with pytest.raises(ValueError, match=r"in float32; .* all values by a constant"):
            entry(POINTS * scale)


def test_directions_far_from_0_keep_their_angles():
    points = (POINTS + 1e5).astype(np.longdouble)
    unit = points / np.sqrt((points**2).sum(axis=1))[:, None]
    distances = np.square(unit[:, None] - unit[None]).sum(axis=2) / 2
    np.fill_diagonal(distances, np.inf)
    graph = unknot.nearest_neighbors(POINTS + 1e5, 5, metric="cosine")
    # Float64 itself holds the angles to some 1e-16 / 1e-10 of them.
    np.testing.assert_allclose(graph.distances, np.sort(distances, axis=1)[:, :5], rtol=1e-4)
