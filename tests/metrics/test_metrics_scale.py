import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist
from scipy.special import betaln

from unknot.metrics import (
    MeasureWarning,
    UndefinedMeasureError,
    class_dimension,
    gride,
    two_nn,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def nearest(points, k):
    distances = cdist(points, points)
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, :k]


def test_mle_is_levina_and_bickels(rng):
    labels = np.repeat([0, 1], [60, 90])
    points = rng.normal(size=(150, 5)).astype(np.float32).astype(float)
    found = class_dimension(points, labels, method="mle", k=7)
    for c in range(2):
        r = nearest(points[labels == c], 7)
        # The inverse of each point's estimate, averaged over the points.
        inverse = [sum(np.log(row[6] / row[j]) for j in range(6)) / 6 for row in r]
        assert found.per_class[c] == pytest.approx(1 / np.mean(inverse), rel=1e-5)
    assert found.value == pytest.approx(found.per_class.mean())


def test_two_nn_of_a_class_is_that_of_its_points(rng):
    labels = np.repeat([0, 1], [200, 300])
    points = rng.normal(size=(500, 4))
    found = class_dimension(points, labels)
    assert found.per_class[1] == pytest.approx(two_nn(points[labels == 1]).value, rel=1e-5)
    assert (found.method, found.k) == ("two_nn", 2)


@pytest.mark.parametrize("method", ["two_nn", "mle"])
def test_each_class_has_its_dimension(rng, method):
    parts = [np.pad(rng.uniform(size=(1500, d)), [(0, 0), (0, 6 - d)]) + 9 * d for d in (1, 2, 5)]
    found = class_dimension(np.concatenate(parts), np.repeat([1, 2, 5], 1500), method=method)
    # The boundary takes some of the five off.
    np.testing.assert_allclose(found.per_class, [1, 2, 5], rtol=0.15)


def test_classes_do_not_count_each_others_points(rng):
    # Eight lines side by side, as one sheet: by classes, dimension 1.
    line = rng.uniform(size=(800, 1)) * [1.0, 0.0]
    points = np.concatenate([line + np.array([0, i * 1e-3]) for i in range(8)])
    found = class_dimension(points, np.repeat(np.arange(8), 800))
    assert found.value == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("method", ["two_nn", "mle"])
def test_class_dimension_ignores_position_unit_order_and_duplicates(rng, method):
    labels = np.arange(400) % 2
    points = rng.normal(size=(400, 5))
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    order = np.concatenate([rng.permutation(400), np.arange(0, 400, 7)])
    moved = class_dimension(((points @ turn) * 40 + 20)[order], labels[order], method=method)
    # The copies are left out. Rounded differently, distances change in the last digits.
    np.testing.assert_allclose(
        moved.per_class, class_dimension(points, labels, method=method).per_class, rtol=0.05
    )


def test_small_classes_are_left_out_and_named(rng):
    points = rng.normal(size=(105, 3))
    labels = np.repeat(["a", "b", "c"], [100, 2, 3])
    with pytest.warns(MeasureWarning, match="1 of 3 classes have no more than 2.*: b"):
        found = class_dimension(points, labels)
    assert np.isnan(found.per_class[1])
    with pytest.raises(UndefinedMeasureError, match="more than 20 different points of a class"):
        class_dimension(points[:20], np.arange(20) % 2, method="mle")


def test_a_sample_of_a_class_says_so(rng):
    with pytest.warns(MeasureWarning, match="of 1 of 2 classes is that of 100 of their points"):
        class_dimension(
            rng.normal(size=(400, 3)), np.repeat([0, 1], [350, 50]), max_samples_per_class=100
        )


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"k": 1}, "k must be an integer of at least 2; got 1"),
        ({"max_samples_per_class": 2}, "max_samples_per_class must be an integer of at least 3"),
    ],
)
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        class_dimension(np.eye(6), [0, 0, 0, 1, 1, 1], **arguments)


@pytest.mark.parametrize("rank", [1, 2, 4, 8])
def test_gride_has_the_greatest_likelihood(rng, rank):
    points = rng.normal(size=(400, 4)).astype(np.float32).astype(float)
    found = gride(points, max_rank=8)
    r = nearest(points, 16)
    mu = r[:, 2 * rank - 1] / r[:, rank - 1]

    def loss(d):
        terms = np.log(d) + (rank - 1) * np.log(mu**d - 1) - ((2 * rank - 1) * d + 1) * np.log(mu)
        return -(terms - betaln(rank, rank)).sum()

    best = minimize_scalar(loss, bounds=(0.1, 50), method="bounded", options={"xatol": 1e-9}).x
    place = int(np.log2(rank))
    assert found.ranks[place] == rank
    assert found.dimensions[place] == pytest.approx(best, rel=1e-5)
    assert found.distances[place] == pytest.approx(r[:, 2 * rank - 1].mean(), rel=1e-5)
    # The standard error is from the curvature of the loss.
    h = 1e-3 * best
    curvature = (loss(best + h) - 2 * loss(best) + loss(best - h)) / h**2
    assert found.standard_errors[place] == pytest.approx(1 / np.sqrt(curvature), rel=1e-2)


def test_the_smallest_scale_is_two_nn_by_likelihood(rng):
    points = rng.normal(size=(300, 3))
    expected = two_nn(points, discard=0.0, method="likelihood").value
    assert gride(points).value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("d", [2, 5])
def test_gride_of_a_torus_is_the_same_at_all_scales(rng, d):
    # Without a boundary and with constant density: 2,000 points, errors of 2 % and less.
    angle = rng.uniform(0, 2 * np.pi, size=(4000, d))
    points = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_allclose(gride(points, max_rank=8).dimensions, d, rtol=0.12)


def test_gride_ignores_position_and_unit(rng):
    points = rng.normal(size=(300, 4))
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    moved, found = gride((points @ turn) * 50 + 20), gride(points)
    np.testing.assert_allclose(moved.dimensions, found.dimensions, rtol=1e-3)
    np.testing.assert_allclose(moved.distances, 50 * found.distances, rtol=1e-4)


def test_duplicates_are_left_out_and_counted(rng):
    points = rng.normal(size=(300, 3))
    points[10] = points[11]
    with pytest.warns(MeasureWarning, match="2 of 300 points have a duplicate"):
        gride(points)


def test_a_grid_has_no_dimension_at_the_smallest_scale():
    grid = np.stack(np.meshgrid(np.arange(10), np.arange(10)), axis=-1).reshape(-1, 2)
    with pytest.raises(UndefinedMeasureError, match="neighbors 1 and 2, which are equal or 0"):
        gride(grid, max_rank=1)


@pytest.mark.parametrize(
    ("rank", "match"),
    [(0, "max_rank must be an integer of at least 1"), (10, "below half of the number of points")],
)
def test_a_bad_rank_is_named(rng, rank, match):
    with pytest.raises(ValueError, match=match):
        gride(rng.normal(size=(20, 2)), max_rank=rank)


def test_of_many_classes_some_are_drawn(rng):
    with pytest.warns(MeasureWarning, match="that of 100 of 120 classes, drawn at random"):
        found = class_dimension(rng.normal(size=(1200, 2)), np.arange(1200) % 120)
    assert np.isnan(found.per_class).sum() == 20
