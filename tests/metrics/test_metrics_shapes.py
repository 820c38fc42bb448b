import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from metrics_oracles import monte_carlo_overlap, slow_share_inside
from scipy.spatial import ConvexHull
from sklearn.mixture import GaussianMixture

from unknot.metrics import MeasureWarning, best_ellipses, convex_hulls, peeled_hulls
from unknot.metrics._shapes.kernels_shapes import fraction_inside
from unknot.metrics._shapes.outlines import class_outline

SQUARE = np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def moved(points, x, y):
    return points + np.array([x, y])


def two(first, second):
    return np.concatenate([first, second]), np.repeat([0, 1], [len(first), len(second)])


@pytest.mark.parametrize(
    ("other", "overlap"),
    [
        (SQUARE, 1.0),
        (moved(SQUARE, 5, 0), 0.0),
        (moved(SQUARE, 2, 0), 0.0),  # a common side has no area
        (moved(SQUARE, 1, 1), 1 / 4),  # a unit square of an area of 4
        (SQUARE / 2 + 0.5, 1.0),  # inside
        # A triangle of area 2 with corners (1, 1), (3, 1), (1, 3): its half-plane x + y <= 4 leaves
        # of the square's corner [1, 2] x [1, 2] all, of area 1.
        (np.array([[1.0, 1], [3, 1], [1, 3]]), 1 / 2),
        # A diamond of area 2 about the corner (2, 2): a quarter lies in the square.
        (np.array([[1.0, 2], [2, 1], [3, 2], [2, 3]]), 1 / 4),
    ],
)
def test_overlaps_by_hand(other, overlap):
    hulls = convex_hulls(*two(SQUARE, other))
    assert hulls.overlap[0, 1] == pytest.approx(overlap, abs=1e-12)
    assert hulls.overlap[1, 0] == hulls.overlap[0, 1]
    assert hulls.value == hulls.overlap[0, 1]
    np.testing.assert_array_equal(hulls.overlap.diagonal(), [1, 1])


@pytest.mark.filterwarnings("ignore:there is only one class")
def test_corners_are_counter_clockwise_and_only_corners():
    # The center and the middle of a side are no corners.
    hulls = convex_hulls(np.concatenate([SQUARE, [[1, 1], [1, 0]]]), ["a"] * 4 + ["a"] * 2)
    (outline,) = hulls.vertices
    assert sorted(map(tuple, outline.tolist())) == sorted(map(tuple, SQUARE.tolist()))
    x, y = outline.T
    assert 0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) == pytest.approx(4)
    assert hulls.areas == pytest.approx([4])


@pytest.mark.parametrize("seed", range(6))
def test_intersections_against_random_points(seed):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(30, 2))
    second = rng.normal(size=(40, 2)) * [1.0, 0.3] + rng.uniform(-1, 1, size=2)
    hulls = convex_hulls(*two(first, second))
    expected = monte_carlo_overlap(*hulls.vertices, rng) / hulls.areas.min()
    assert hulls.overlap[0, 1] == pytest.approx(expected, abs=0.02)
    assert 0.05 < hulls.overlap[0, 1] < 1.0


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    angle=st.floats(0, 6.28),
    scale=st.floats(1e-3, 1e3),
    shift=st.floats(-10, 10),
)
def test_overlaps_ignore_rotation_scale_and_translation(seed, angle, scale, shift):
    rng = np.random.default_rng(seed)
    labels = np.arange(60) % 3
    map_ = rng.normal(size=(60, 2)) + labels[:, None]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = (map_ @ turn.T + shift) * scale
    for function in (convex_hulls, peeled_hulls, best_ellipses):
        before, after = function(map_, labels), function(turned, labels)
        np.testing.assert_allclose(after.overlap, before.overlap, atol=2e-5)
        np.testing.assert_allclose(after.areas, before.areas * scale**2, rtol=2e-5)
        order = rng.permutation(60)
        shuffled = function(map_[order], np.array(["c", "a", "b"])[labels[order]])
        # Class 0 became c and is last, 1 became a, 2 became b.
        np.testing.assert_allclose(
            shuffled.overlap, before.overlap[np.ix_([1, 2, 0], [1, 2, 0])], atol=1e-9
        )


def test_identical_clouds_overlap_wholly(rng):
    cloud = rng.normal(size=(50, 2))
    map_, labels = two(cloud, cloud)
    assert convex_hulls(map_, labels).value == pytest.approx(1.0, abs=1e-12)
    assert best_ellipses(map_, labels).value == pytest.approx(1.0, abs=1e-12)


FLAT_RATIO = {
    "point": np.array([[1.0, 1.0]]),
    "two points": np.array([[0.5, 0.5], [1.5, 1.5]]),
    "same point twice": np.array([[1.0, 1.0], [1.0, 1.0]]),
    "line": np.array([[0.0, 1], [0.5, 1], [1, 1], [2, 1]]),
}


@pytest.mark.parametrize("name", FLAT_RATIO)
@pytest.mark.parametrize("function", [convex_hulls, peeled_hulls, best_ellipses])
def test_flat_classes_are_said_and_finite(name, function):
    with pytest.warns(MeasureWarning, match=r"1 of 2 classes lie on a line.*: flat"):
        shapes = function(
            np.concatenate([SQUARE, FLAT_RATIO[name]]),
            ["square"] * 4 + ["flat"] * len(FLAT_RATIO[name]),
        )
    assert shapes.classes.tolist() == ["flat", "square"]
    assert shapes.areas[0] == 0.0
    assert np.isfinite(shapes.overlap).all()
    if function is convex_hulls:  # all of them lie inside the square
        assert shapes.overlap[0, 1] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ([[1.0, 1]], [[1.0, 1]], 1.0),
        ([[1.0, 1]], [[1.0, 2]], 0.0),
        ([[1.0, 1]], [[0.0, 1], [2, 1]], 1.0),  # a point on a segment
        ([[1.0, 1]], [[0.0, 0], [2, 0]], 0.0),
        ([[0.0, 0], [2, 0]], [[1.0, 0], [4, 0]], 1 / 2),  # half of the shorter, 2 long
        ([[0.0, 0], [2, 0]], [[1.0, -1], [1, 1]], 0.0),  # crossing at a point
        ([[1.0, -1], [1, 1]], SQUARE, 1 / 2),  # from y = -1 to 1, inside from 0
        ([[5.0, 5]], SQUARE, 0.0),
    ],
)
def test_overlaps_of_flat_hulls(first, second, overlap):
    for pair in ((first, second), (second, first)):
        hulls = convex_hulls(*two(np.array(pair[0]), np.array(pair[1])))
        assert hulls.overlap[0, 1] == pytest.approx(overlap, abs=1e-6)
        assert hulls.overlap[1, 0] == hulls.overlap[0, 1]


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), corners=st.integers(1, 6), grid=st.booleans())
def test_shares_of_segments_are_the_slow_form(seed, corners, grid):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, size=(corners + 2, 2))
    points = np.round(3 * points) / 3 if grid else points
    outline = class_outline(points[:corners], 1.0)
    segment = class_outline(points[corners:], 1.0)
    assert fraction_inside(segment, outline) == pytest.approx(slow_share_inside(segment, outline))


@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
def test_a_map_with_every_point_at_one_place():
    map_, labels = np.full((6, 2), 3.0), [0, 0, 0, 1, 1, 1]
    assert convex_hulls(map_, labels).value == 1.0
    ellipses = best_ellipses(map_, labels)
    assert ellipses.value == 1.0
    np.testing.assert_array_equal(ellipses.semi_axes, 0)


def test_peeling_removes_whole_layers():
    # Ten nested squares of half-sides 1 to 10: of 40 points, 70 % are 28, so three layers of four
    # go (40 - 12 = 28), and the square of half-side 7 is left, with an area of 14^2 = 196.
    layers = np.concatenate(
        [h * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) for h in range(1, 11)]
    )
    labels = np.zeros(40, int)
    with pytest.warns(MeasureWarning, match="only one class"):
        assert peeled_hulls(layers, labels, depth=0.7).areas[0] == pytest.approx(196)
    with pytest.warns(MeasureWarning):
        assert peeled_hulls(layers, labels, depth=0.71).areas[0] == pytest.approx(256)
    with pytest.warns(MeasureWarning):
        assert peeled_hulls(layers, labels, depth=1.0).areas[0] == pytest.approx(400)


def test_peeling_drops_a_stray_point(rng):
    map_, labels = two(rng.normal(size=(500, 2)), moved(rng.normal(size=(500, 2)), 8, 0))
    map_[0] = [8, 0]  # one point of the first class in the middle of the second
    assert convex_hulls(map_, labels).overlap[0, 1] > 0.1
    assert peeled_hulls(map_, labels).overlap[0, 1] == 0.0


@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), grid=st.booleans(), depth=st.floats(0.3, 1))
@example(seed=18086, grid=False, depth=0.30000000000000004)
def test_hulls_are_those_of_qhull(seed, grid, depth):
    rng = np.random.default_rng(seed)
    # A grid has many points on the sides and many copies of each corner.
    map_ = rng.integers(0, 6, size=(80, 2)).astype(float) if grid else rng.normal(size=(80, 2))
    map_ = map_.astype(np.float32).astype(np.float64)
    labels = np.zeros(80, int)
    whole = ConvexHull(map_)
    (outline,) = convex_hulls(map_, labels).vertices
    expected = map_[whole.vertices]
    turn = np.abs(expected - outline[0]).sum(axis=1).argmin()
    np.testing.assert_allclose(outline, np.roll(expected, -turn, axis=0), atol=1e-9)
    (peeled,) = peeled_hulls(map_, labels, depth=depth).vertices
    left = map_
    while True:
        hull = left[ConvexHull(left).vertices]
        inner = left[~(left[:, None] == hull[None]).all(axis=2).any(axis=1)]
        if len(inner) < depth * 80 - 1e-9:  # 0.3 of 80 is 24, however 0.3 is rounded
            break
        left = inner
    turn = np.abs(hull - peeled[0]).sum(axis=1).argmin()
    np.testing.assert_allclose(peeled, np.roll(hull, -turn, axis=0), atol=1e-9)


@pytest.mark.parametrize("depth", [0.0, -0.1, 1.1, float("nan")])
def test_depth_out_of_range(depth):
    with pytest.raises(ValueError, match="depth must be a number above 0, up to 1; got"):
        peeled_hulls(SQUARE, [0, 0, 1, 1], depth=depth)


def test_ellipses_are_the_gaussian_mixture(rng):
    map_ = (rng.normal(size=(300, 2)) @ rng.normal(size=(2, 2)) + [3, -5]).astype(np.float32)
    labels = np.arange(300) % 3
    ellipses = best_ellipses(map_, labels)
    for c in range(3):
        own = map_[labels == c].astype(np.float32).astype(np.float64)
        mixture = GaussianMixture(1, reg_covar=0).fit(own)
        np.testing.assert_allclose(ellipses.means[c], mixture.means_[0], rtol=1e-10)
        np.testing.assert_allclose(ellipses.covariances[c], mixture.covariances_[0], rtol=1e-9)


def test_an_ellipse_by_hand():
    # (+-2, 0) and (0, +-1) turned by 30 degrees: variances 8/4 = 2 and 2/4 = 1/2, so semi-axes
    # sqrt(4) = 2 and sqrt(1) = 1, area 2 pi, the major axis at 30 degrees.
    turn = np.array([[np.sqrt(3), -1], [1, np.sqrt(3)]]) / 2
    cross = np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]]) @ turn.T
    with pytest.warns(MeasureWarning, match="only one class"):
        ellipses = best_ellipses(moved(cross, 10, 20), [7] * 4)
    np.testing.assert_allclose(ellipses.semi_axes, [[2, 1]], rtol=1e-6)
    np.testing.assert_allclose(ellipses.angles, [np.pi / 6], rtol=1e-6)
    np.testing.assert_allclose(ellipses.areas, [2 * np.pi], rtol=1e-6)


def test_a_large_gaussian_sample_has_63_percent_inside(rng):
    map_ = rng.normal(size=(20_000, 2)) * [3, 0.5]
    with pytest.warns(MeasureWarning):
        ellipses = best_ellipses(map_, np.zeros(20_000, int))
    inside = ((map_ / ellipses.semi_axes[0]) ** 2).sum(axis=1) <= 1
    # 1 - 1/e = .632, with a standard error of .0034.
    assert inside.mean() == pytest.approx(1 - np.exp(-1), abs=0.012)


def test_bhattacharyya_by_hand():
    # Both of covariance I/2 with centers 2 apart: d' S^-1 d / 8 = 4 * 2 / 8 = 1, so exp(-1).
    # Scaled by 2 about the same center: S1 = I/2, S2 = 2 I, S = 5/4 I:
    # ln(det S / sqrt(det S1 det S2)) / 2 = ln((25/16) / 1) / 2, so BC = 4/5.
    cross = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    assert best_ellipses(*two(cross, moved(cross, 2, 0))).value == pytest.approx(
        np.exp(-1), abs=1e-12
    )
    assert best_ellipses(*two(cross, 2 * cross)).value == pytest.approx(4 / 5, abs=1e-12)


@pytest.mark.parametrize("function", [convex_hulls, peeled_hulls, best_ellipses])
def test_maps_of_three_dimensions_are_refused(function):
    with pytest.raises(
        ValueError, match=r"map_ must have the shape \(n_samples, 2\); got \(4, 3\)"
    ):
        function(np.zeros((4, 3)), [0, 0, 1, 1])


def test_a_hundred_classes_of_two_points(rng):
    map_ = rng.normal(size=(200, 2))
    with pytest.warns(MeasureWarning, match="100 of 100 classes lie on a line"):
        hulls = convex_hulls(map_, np.arange(200) % 100)
    assert hulls.value == pytest.approx(0, abs=1e-6)  # segments that cross share no length
    with pytest.warns(MeasureWarning):
        assert 0 <= best_ellipses(map_, np.arange(200) % 100).value <= 1
