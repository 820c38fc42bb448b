import numpy as np
import pytest
from glue_oracles import drawn_by, slow_glue, spheres

import unknot
from unknot._io.stored_points import StoredPoints
from unknot.metrics import MeasureWarning, glue, manifold_capacity, simulated_capacity
from unknot.metrics.glue import glue_from_points

GEOMETRY = ("capacity", "dimension", "radius", "utility")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("sizes", "n_features", "ensemble"),
    [
        ((20, 20, 20, 20), 30, "balanced"),
        ((5, 9, 1, 14, 3), 60, "balanced"),
        ((12, 30, 7), 25, "one_vs_rest"),
        ((10, 10, 10, 10, 10, 10), 40, "random"),
        ((30, 25), 40, "balanced"),
    ],
)
@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
def test_it_is_its_definition(rng, sizes, n_features, ensemble):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    points = rng.normal(size=(len(sizes), n_features))[labels]
    points = points + 0.5 * rng.normal(size=points.shape)
    found = glue(points, labels, n_draws=40, ensemble=ensemble, random_state=3)
    directions, signs = drawn_by(3, 40, len(sizes), n_features, ensemble)
    for name, value in slow_glue(points, labels, directions, signs).items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-8, abs=1e-10), name


@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
def test_two_points_by_hand():
    # Points e1 on side 1 and e2 on side -1. The cone is spanned by e1 and -e2, so that the
    # projection of t on it is max(t1, 0) e1 + min(t2, 0) e2, and a its square.
    found = glue(np.eye(2), ["a", "b"], task=[1, -1], n_draws=500)
    t, _ = drawn_by(0, 500, 2, 2)
    expected = np.maximum(t[:, 0], 0) ** 2 + np.minimum(t[:, 1], 0) ** 2
    np.testing.assert_allclose(found.draws[0], expected, atol=1e-12)
    assert found.capacity == pytest.approx(2 / expected.mean(), rel=1e-12)
    np.testing.assert_allclose(found.activity, [(t[:, 0] > 0).mean(), (t[:, 1] < 0).mean()])


@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
def test_points_in_general_position_have_a_capacity_of_two(rng):
    # As Cover's theorem has it. The standard error of 4,000 draws is .02.
    points = rng.normal(size=(8, 200)) / 200**0.5
    found = glue(points, np.arange(8), n_draws=4000, ensemble="random")
    assert found.capacity == pytest.approx(2, abs=0.06)
    assert found.activity.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("spread", [0.01, 0.5, 3.0])
@pytest.mark.parametrize("n_classes", [2, 7])
def test_the_decomposition_is_exact(rng, spread, n_classes):
    labels = np.repeat(np.arange(n_classes), 15)
    points = rng.normal(size=(n_classes, 150))[labels] + spread * rng.normal(
        size=(len(labels), 150)
    )
    g = glue(points, labels, n_draws=50)
    parts = g.utility * (1 + g.radius**-2) / g.dimension
    assert parts == pytest.approx(g.capacity, rel=1e-10)
    # Of single points, nearly, it is 1.
    assert 0 <= g.utility <= 1.05
    assert g.critical_dimension == pytest.approx(n_classes / g.capacity)


def test_the_parts_of_the_classes_make_up_the_whole(rng):
    points, labels = spheres(6, 20, 100, 3, 1.0)
    g = glue(points, labels)
    assert 1 / np.mean(1 / g.per_class) == pytest.approx(g.capacity, rel=1e-12)
    assert g.dimension_per_class.mean() == pytest.approx(g.dimension, rel=1e-12)
    assert g.draws.mean(axis=1)[0] == pytest.approx(g.critical_dimension, rel=1e-12)
    # Equal spheres: each class's parts are about those of all.
    np.testing.assert_allclose(g.radius_per_class, g.radius, rtol=0.25)
    np.testing.assert_allclose(g.per_class, g.capacity, rtol=0.25)


# Published values of 200 points of each of two spheres in 1000 dimensions, from 200 draws of one
# data set, whose standard error is 4 %.
@pytest.mark.parametrize(
    ("n_axes", "dimension"), [(2, 2.25), (4, 4.07), (6, 5.61), (8, 6.98), (10, 8.17)]
)
def test_dimensions_of_spheres(n_axes, dimension):
    g = glue(*spheres(2, 200, 1000, n_axes, 1.0), max_samples_per_class=None, n_draws=2000)
    assert g.dimension == pytest.approx(dimension, rel=0.05)


@pytest.mark.parametrize(
    ("true", "expected"), [(0.8, 0.87), (1.0, 1.03), (1.4, 1.34), (1.7, 1.56), (2.0, 1.77)]
)
def test_radii_of_spheres(true, expected):
    g = glue(*spheres(2, 200, 1000, 4, true), max_samples_per_class=None, n_draws=400)
    assert g.radius == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize(
    ("correlation", "alignment"), [(0.0, 0.04), (0.2, 0.22), (0.4, 0.41), (0.6, 0.61), (0.8, 0.81)]
)
def test_correlated_centers_align(correlation, alignment):
    # As centers align, the radius grows from 1.02 to 1.82, and the dimension stays.
    points, labels = spheres(2, 200, 1000, 4, 1.0, correlation)
    g = glue(points, labels, max_samples_per_class=None, n_draws=400)
    assert g.center_alignment == pytest.approx(alignment, abs=0.04)
    assert g.dimension == pytest.approx(4.0, rel=0.05)
    radius = {0.0: 1.02, 0.8: 1.82}.get(correlation)
    assert radius is None or g.radius == pytest.approx(radius, rel=0.04)


@pytest.mark.parametrize(("n_classes", "capacity"), [(16, 0.434), (8, 0.440)])
def test_capacities_of_spheres(n_classes, capacity):
    g = glue(*spheres(n_classes, 60, 300, 4, 1.0), max_samples_per_class=None, n_draws=1000)
    assert g.capacity == pytest.approx(capacity, rel=0.03)


def test_large_balls_have_the_capacity_of_their_dimension_and_radius():
    # alpha = (1 + R^-2)/D of single balls leaves the utility out, which tends to 1.
    found = [
        glue(*spheres(4, 200, 400, n_axes, 20.0), max_samples_per_class=None)
        for n_axes in (2, 8, 20)
    ]
    ratios = [g.capacity / ((1 + g.radius**-2) / g.dimension) for g in found]
    assert ratios == sorted(ratios)
    assert 0.94 < ratios[-1] < 1


def test_simulation_gives_the_same_capacity():
    # By the kinematic formula the expectations are equal, whatever the points and the ensemble.
    points, labels = spheres(8, 20, 60, 3, 1.0)
    for ensemble in ("balanced", "one_vs_rest"):
        g = glue(points, labels, ensemble=ensemble, n_draws=2000)
        s = simulated_capacity(points, labels, ensemble=ensemble, n_draws=1000)
        error = np.hypot(g.standard_error_of_draws, s.standard_error_of_draws)
        assert error < 0.015 * g.capacity
        assert abs(g.capacity - s.value) < 3 * error


@pytest.mark.filterwarnings("ignore:GLUE is that of:unknot.metrics.MeasureWarning")
@pytest.mark.filterwarnings("ignore:simulated capacity is that of:unknot.metrics.MeasureWarning")
@pytest.mark.filterwarnings("ignore:manifold capacity is that of:unknot.metrics.MeasureWarning")
def test_simulation_gives_the_same_capacity_of_digits():
    # And the mean field of as few classes does not.
    test = unknot.load_dataset("mnist").test
    points, labels = test.inputs.reshape(len(test.labels), -1), test.labels
    g = glue(points, labels, max_samples_per_class=20, n_draws=400)
    s = simulated_capacity(points, labels, max_samples_per_class=20, n_draws=150)
    error = np.hypot(g.standard_error_of_draws, s.standard_error_of_draws)
    assert error < 0.02 * g.capacity
    assert abs(g.capacity - s.value) < 3 * error
    fifty = glue(points, labels, max_samples_per_class=50)
    theory = manifold_capacity(points, labels, max_samples_per_class=50, n_subsets=2)
    assert theory.capacity > 1.2 * fifty.capacity


def test_the_stated_error_is_that_of_the_draws(rng):
    points, labels = spheres(5, 15, 50, 3, 1.0)
    found = [glue(points, labels, n_draws=60, random_state=seed) for seed in range(60)]
    scatter = np.std([g.capacity for g in found], ddof=1)
    stated = np.mean([g.standard_error_of_draws for g in found])
    # A standard deviation of 60 has a standard error of 9 %.
    assert 0.75 < stated / scatter < 1.3


def test_features_of_zeros_change_nothing():
    points, labels = spheres(6, 20, 50, 3, 1.0)
    padded = np.pad(points, ((0, 0), (0, 400)))
    before, after = (glue(p, labels) for p in (points, padded))
    for name in GEOMETRY:
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=1e-9)
    narrow = glue(np.pad(points, ((0, 0), (0, 30))), labels)
    assert narrow.capacity == pytest.approx(before.capacity, rel=1e-9)


def test_it_ignores_rotation_scale_and_order(rng):
    points, labels = spheres(6, 20, 60, 3, 1.0)
    before = glue(points, labels, n_draws=2000)
    turn = np.linalg.qr(rng.normal(size=(60, 60)))[0]
    turned = glue(points @ turn, labels, n_draws=2000, random_state=1)
    scaled = glue(points * 3, labels, n_draws=2000)
    order = rng.permutation(len(points))
    shuffled = glue(points[order], labels[order], n_draws=2000)
    for name in GEOMETRY:
        value = getattr(before, name)
        assert getattr(turned, name) == pytest.approx(value, rel=0.05)
        assert getattr(scaled, name) == pytest.approx(value, rel=1e-9)
        assert getattr(shuffled, name) == value
    # Inner products are in squared units; cosines have none.
    assert scaled.center_alignment == pytest.approx(9 * before.center_alignment, rel=1e-9)
    assert scaled.axis_alignment == pytest.approx(9 * before.axis_alignment, rel=1e-9)
    assert scaled.axis_cosine == pytest.approx(before.axis_cosine, rel=1e-6)
    np.testing.assert_array_equal(shuffled.draws, before.draws)


def test_the_origin_takes_one_dimension():
    # Far from the origin all centers align, and a hyperplane gives up the direction of all of them.
    points, labels = spheres(6, 20, 60, 3, 1.0)
    near, far = (glue(points + by, labels, n_draws=2000) for by in (0.0, 5.0))
    assert far.center_cosine > 0.9 > near.center_cosine
    assert 0 < far.critical_dimension - near.critical_dimension < 1.5


def test_extremely_far_points_have_the_value_of_the_limit():
    points, labels = spheres(6, 20, 60, 3, 1.0)
    near = glue(points + 10.0, labels)
    for by in (1e4, 1e7):
        with pytest.warns(MeasureWarning, match="times as far from the origin as they are spread"):
            far = glue(points + by, labels)
        for name in GEOMETRY:
            assert getattr(far, name) == pytest.approx(getattr(near, name), rel=2e-3)


@pytest.mark.filterwarnings("ignore:in . of 2000 draws the classes leave no room")
@pytest.mark.parametrize("spread", [1e-5, 1e-7, 1e-9])
def test_collapsed_classes_are_points(rng, spread):
    labels = np.repeat(np.arange(8), 10)
    points = rng.normal(size=(8, 60))[labels]
    points = points + spread * rng.normal(size=points.shape)
    assert glue(points, labels, n_draws=2000).capacity == pytest.approx(2, abs=0.1)


def test_nearly_parallel_anchors_are_said(rng):
    # Two opposite classes at a distance of 1e-6 among others of 1: the pseudo-inverse takes their
    # difference for none.
    labels = np.repeat([0, 1, 2, 3], 5)
    points = 1e-7 * rng.normal(size=(20, 40)) + rng.normal(size=(4, 40))[labels]
    points[labels == 1] += points[0] - points[5] + 1e-6 * rng.normal(size=40)
    with pytest.warns(MeasureWarning, match="so nearly parallel that the capacity is imprecise"):
        glue(points, labels, task=[1, -1, 1, -1])


def test_names_of_classes_do_not_matter():
    points, labels = spheres(4, 12, 40, 3, 1.0)
    numbers, names = glue(points, labels), glue(points, np.array(list("abcd"))[labels])
    np.testing.assert_array_equal(numbers.draws, names.draws)
    assert names.classes.tolist() == list("abcd")


def test_the_same_seed_gives_the_same_for_any_number_of_threads():
    points, labels = spheres(7, 20, 90, 3, 1.0)
    one, four = (glue(points, labels, random_state=5, n_jobs=jobs, pairs=True) for jobs in (1, 4))
    np.testing.assert_array_equal(one.draws, four.draws)
    np.testing.assert_array_equal(one.pair_capacity, four.pair_capacity)
    assert one.axis_alignment == four.axis_alignment
    assert one.capacity != glue(points, labels, random_state=6).capacity
    unseeded = [glue(points, labels, random_state=None).capacity for _ in range(2)]
    assert unseeded[0] != unseeded[1]


def test_directions_are_not_the_points_of_the_same_seed():
    # A generator of the same seed in the same space would draw the points as directions.
    def made_by(seed):
        return np.random.default_rng(seed).normal(size=(30, 60))

    labels = np.repeat(np.arange(6), 5)
    same, other = (glue(made_by(seed), labels, random_state=7) for seed in (7, 8))
    assert same.capacity == pytest.approx(other.capacity, rel=0.1)
    assert same.utility < 1


@pytest.mark.parametrize("seed", range(3))
def test_permuted_labels_have_a_lower_capacity(seed):
    points, labels = spheres(6, 20, 100, 3, 0.7, seed=seed)
    permuted = np.random.default_rng(seed).permutation(labels)
    assert glue(points, permuted).capacity < 0.5 * glue(points, labels).capacity


def test_stored_points_are_read_where_they_were(tmp_path):
    points, labels = spheres(4, 30, 40, 3, 1.0)
    for name, given in (("near", points.astype(np.float32)), ("far", points + 20.0)):
        np.save(tmp_path / f"{name}.npy", given)
        stored = StoredPoints(np.load(tmp_path / f"{name}.npy", mmap_mode="r"), 4096)
        of_stored = glue_from_points(stored, labels, np.arange(4), n_draws=20)
        of_array = glue_from_points(given, labels, np.arange(4), n_draws=20)
        assert (stored.origin is None) == (name == "near")
        assert of_stored.capacity == pytest.approx(of_array.capacity, rel=1e-4)
        assert of_stored.center_alignment == pytest.approx(of_array.center_alignment, rel=1e-6)


@pytest.mark.parametrize("scale", [1e150, 1e-150, 1e-300])
def test_units_beyond_float32(scale):
    points, labels = spheres(4, 12, 30, 3, 1.0)
    before, after = glue(points, labels, n_draws=30), glue(points * scale, labels, n_draws=30)
    assert after.capacity == pytest.approx(before.capacity, rel=1e-9)
    assert after.radius == pytest.approx(before.radius, rel=1e-9)
    assert after.center_cosine == pytest.approx(before.center_cosine, rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32])
def test_other_types_of_points(dtype):
    points, labels = spheres(4, 12, 30, 3, 1.0)
    points = (100 * points).astype(dtype)
    given, wide = glue(points, labels, n_draws=20), glue(points.astype(float), labels, n_draws=20)
    assert given.capacity == pytest.approx(wide.capacity, rel=1e-12)


def test_duplicates_change_nothing(rng):
    points, labels = spheres(5, 10, 80, 3, 1.0)
    once, twice = (glue(np.tile(points, (k, 1)), np.tile(labels, k)) for k in (1, 2))
    for name in GEOMETRY:
        assert getattr(twice, name) == pytest.approx(getattr(once, name), rel=1e-8)


def test_constant_features_are_part_of_the_center():
    points, labels = spheres(4, 12, 30, 3, 1.0)
    constant = np.concatenate([points, np.ones((len(points), 2))], axis=1)
    assert glue(constant, labels).center_alignment > glue(points, labels).center_alignment + 1


def test_classes_of_one_point_are_said(rng):
    points, labels = rng.normal(size=(9, 30)), [0, 0, 0, 0, 1, 1, 1, 1, 2]
    with pytest.warns(MeasureWarning, match="1 of 3 classes have one point.*: 2"):
        found = glue(points, labels)
    assert np.isfinite(found.capacity)


def test_a_class_at_the_origin_constrains_nothing(rng):
    points, labels = rng.normal(size=(12, 30)), np.repeat([0, 1, 2], 4)
    points[labels == 1] = 0
    found = glue(points, labels)
    assert found.activity.tolist()[1] == 0
    assert np.isnan(found.per_class[1])
    assert np.isfinite(found.capacity)


def test_classes_that_cannot_be_separated_are_said(rng):
    # Points all around the origin: nothing but v = 0 meets all constraints, so that a = |t|^2.
    points, labels = rng.normal(size=(60, 3)), np.repeat([0, 1, 2], 20)
    with pytest.warns(MeasureWarning, match="in 100 of 100 draws the classes leave no room"):
        found = glue(points, labels, n_draws=100)
    t, _ = drawn_by(0, 100, 3, 3)
    np.testing.assert_allclose(found.draws[0], np.square(t).sum(axis=1), rtol=1e-9)


def test_more_points_have_a_lower_capacity():
    points, labels = spheres(4, 100, 60, 8, 1.0)
    with pytest.warns(MeasureWarning, match="that of 20 points of each class, drawn at random"):
        few = glue(points, labels, max_samples_per_class=20)
    assert few.capacity > 1.1 * glue(points, labels, max_samples_per_class=None).capacity
