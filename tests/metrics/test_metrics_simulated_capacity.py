import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from unknot._io.stored_points import StoredPoints
from unknot.metrics import (
    MeasureWarning,
    UndefinedMeasureError,
    manifold_capacity,
    simulated_capacity,
)
from unknot.metrics.simulated_capacity import separates, simulated_from_points


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def balls(n_classes, n_points, n_features, spread, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_classes), n_points)
    points = rng.normal(size=(n_classes, n_features))[labels]
    return points + spread * rng.normal(size=points.shape), labels


def slow_separates(points, signs, bias):
    """By a linear program: is there a w with y w.x >= 1 for every point?"""
    if bias:
        points = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    constraints = -signs[:, None] * points
    found = linprog(
        np.zeros(points.shape[1]),
        A_ub=constraints,
        b_ub=-np.ones(len(points)),
        bounds=(None, None),
        method="highs",
    )
    return found.status == 0


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 60),
    d=st.integers(1, 20),
    bias=st.booleans(),
    apart=st.sampled_from([0.0, 1.0, 2.0]),
    copies=st.booleans(),
)
def test_separability_is_that_of_a_linear_program(seed, n, d, bias, apart, copies):
    rng = np.random.default_rng(seed)
    points, signs = rng.normal(size=(n, d)), rng.choice([-1.0, 1.0], size=n)
    points[:, 0] += apart * signs
    if copies:  # Points of the same side many times.
        rows = rng.integers(n, size=2 * n)
        points, signs = points[rows], signs[rows]
    assert separates(points, signs, bias) == slow_separates(points, signs, bias)


def test_a_search_may_start_anywhere(rng):
    for _ in range(50):
        points, signs = rng.normal(size=(30, 12)), rng.choice([-1.0, 1.0], size=30)
        weights = np.where(rng.uniform(size=30) < 0.5, rng.uniform(size=30), 0.0)
        expected = separates(points, signs, False)
        assert separates(points, signs, False, weights) == expected
        # From where it ended, in fewer dimensions.
        fewer = separates(points[:, :9], signs, False)
        assert separates(points[:, :9], signs, False, weights) == fewer


def test_separability_by_hand():
    line = np.array([[1.0], [2.0], [3.0], [4.0]])
    signs = np.array([-1.0, -1.0, 1.0, 1.0])
    # All on one side of the origin: only a threshold of 2.5 divides them.
    assert not separates(line, signs, False)
    assert separates(line, signs, True)
    assert separates(line - 2.5, signs, False)
    assert not separates(line, signs * [1, -1, 1, -1], True)
    square = np.array([[0.0, 0], [1, 1], [0, 1], [1, 0]])
    assert not separates(square, signs, True)


@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
def test_points_in_general_position_have_a_capacity_of_two(rng):
    # Cover: P points are separable in n dimensions with the probability that of P - 1 fair coins
    # less than n show heads. The least n is one more than the heads, 1 + (P - 1)/2 in the mean, and
    # N_c half less: P/2.
    points = rng.normal(size=(20, 40))
    found = simulated_capacity(points, np.arange(20), n_draws=3000, ensemble="random")
    assert found.critical_dimension == pytest.approx(10, abs=0.15)
    assert found.value == pytest.approx(2, abs=0.03)
    # A threshold is as good as one more dimension.
    biased = simulated_capacity(points, np.arange(20), n_draws=3000, ensemble="random", bias=True)
    assert biased.critical_dimension == pytest.approx(9, abs=0.15)


def test_parts_of_the_result():
    points, labels = balls(6, 10, 80, 0.5)
    found = simulated_capacity(points, labels)
    assert found.value == pytest.approx(6 / found.critical_dimension)
    assert found.critical_dimension == pytest.approx(found.dimensions.mean())
    # Each is half a dimension below a whole number.
    np.testing.assert_array_equal(found.dimensions % 1, 0.5)
    assert found.separable == 1
    assert found.ensemble == "balanced"
    assert found.drawn.tolist() == list(range(6))
    assert simulated_capacity(points, labels, task=[1, 1, 1, -1, -1, -1]).ensemble == "task"


def test_the_stated_error_is_that_of_the_draws():
    points, labels = balls(4, 8, 40, 0.5)
    found = [simulated_capacity(points, labels, n_draws=40, random_state=s) for s in range(50)]
    scatter = np.std([f.value for f in found], ddof=1)
    assert 0.7 < np.mean([f.standard_error_of_draws for f in found]) / scatter < 1.4


def test_the_least_dimension_is_the_least(rng):
    # The search projects as a linear program over all numbers of dimensions does.
    from unknot.metrics.simulated_capacity import _least_dimension

    points, labels = balls(4, 8, 24, 0.7)
    for seed in range(10):
        signs = rng.permutation([1.0, 1.0, -1.0, -1.0])[labels]
        axes = np.random.default_rng(seed).normal(size=(24, 24))
        projected = points @ axes.T
        expected = next(n for n in range(1, 25) if slow_separates(projected[:, :n], signs, False))
        for guess in (1, 3, 24):
            found = _least_dimension(points, signs, False, guess, np.random.default_rng(seed))
            assert found == expected


def test_it_ignores_rotation_scale_and_order(rng):
    points, labels = balls(5, 10, 30, 0.6)
    before = simulated_capacity(points, labels, n_draws=400)
    turn = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    turned = simulated_capacity(points @ turn, labels, n_draws=400)
    assert turned.value == pytest.approx(before.value, rel=0.06)
    assert simulated_capacity(1e200 * points, labels, n_draws=400).value == pytest.approx(
        before.value, rel=0.005
    )
    order = rng.permutation(len(points))
    shuffled = simulated_capacity(points[order], labels[order], n_draws=400)
    np.testing.assert_array_equal(shuffled.dimensions, before.dimensions)


def test_a_bias_ignores_the_origin():
    points, labels = balls(5, 10, 30, 0.6)
    near, far = (
        simulated_capacity(points + by, labels, bias=True, n_draws=300) for by in (0.0, 100.0)
    )
    assert far.value == pytest.approx(near.value, rel=0.04)
    through_origin = simulated_capacity(points, labels, n_draws=300)
    assert near.critical_dimension < through_origin.critical_dimension


def test_the_same_seed_gives_the_same_for_any_number_of_threads():
    points, labels = balls(5, 10, 70, 0.6)
    one, four = (simulated_capacity(points, labels, n_jobs=jobs) for jobs in (1, 4))
    np.testing.assert_array_equal(one.dimensions, four.dimensions)
    other = simulated_capacity(points, labels, random_state=1)
    assert (other.dimensions != one.dimensions).any()


def test_permuted_labels_have_a_lower_capacity(rng):
    points, labels = balls(6, 10, 100, 0.3)
    permuted = simulated_capacity(points, rng.permutation(labels)).value
    assert permuted < 0.5 * simulated_capacity(points, labels).value


def test_with_many_classes_the_mean_field_agrees():
    # Of 60 classes the theory of infinitely many is within 5 %.
    points, labels = balls(60, 12, 400, 0.5)
    simulated = simulated_capacity(points, labels, n_draws=60)
    theory = manifold_capacity(points, labels)
    assert theory.capacity == pytest.approx(simulated.value, rel=0.08)


def test_classes_that_cannot_be_separated_are_said(rng):
    points, labels = rng.normal(size=(60, 3)), np.repeat([0, 1, 2], 20)
    # A feature that adds no dimension.
    points = np.concatenate([points, points[:, :1]], axis=1)
    with pytest.warns(MeasureWarning, match="50 of 50 dichotomies are not linearly separable"):
        found = simulated_capacity(points, labels, n_draws=50)
    assert found.separable == 0
    assert found.value == 1.0  # three classes, three dimensions


def test_stored_points(tmp_path):
    points, labels = balls(4, 15, 20, 0.5)
    np.save(tmp_path / "points.npy", points + 1e6)
    stored = StoredPoints(np.load(tmp_path / "points.npy", mmap_mode="r"), 2048)
    found = simulated_from_points(stored, labels, np.arange(4), n_draws=30)
    np.testing.assert_allclose(
        found.value, simulated_capacity(points + 1e6, labels, n_draws=30).value, rtol=0.02
    )


@pytest.mark.parametrize("bias", [False, True])
def test_degenerate_points(rng, bias):
    # Duplicates, constant features, a class of one point and a point at the origin.
    points = np.repeat(rng.normal(size=(7, 20)), 2, axis=0)
    points = np.concatenate([points, np.zeros((14, 2))], axis=1)
    points[0] = points[1] = 0
    labels = np.repeat([0, 0, 0, 1, 1, 1, 2], 2)
    labels[-1] = 1
    points[-1] = points[7]
    with pytest.warns(MeasureWarning, match="1 of 3 classes have one point"):
        found = simulated_capacity(points, labels, bias=bias, n_draws=50)
    assert found.separable == 1


def test_one_class_is_refused():
    with pytest.raises(UndefinedMeasureError, match="simulated capacity compares classes"):
        simulated_capacity(np.eye(4), [0, 0, 0, 0])


def test_a_dead_layer_is_named():
    with pytest.raises(UndefinedMeasureError, match="the representation is dead"):
        simulated_capacity(np.zeros((10, 4)), np.arange(10) % 2)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n_draws": 1}, "n_draws must be an integer from 2"),
        ({"ensemble": "all"}, "ensemble must be one of"),
        ({"task": [1, 1]}, "task must divide the classes into two groups"),
        ({"max_samples_per_class": 0}, "max_samples_per_class must be an integer of at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        simulated_capacity(np.eye(4), [0, 0, 1, 1], **arguments)


def test_points_far_from_the_origin_remain_separable():
    # All centers then lie in one direction, which a hyperplane through the origin gives up.
    points, labels = balls(5, 10, 60, 0.5)
    found = [simulated_capacity(points + by, labels, n_draws=200) for by in (1e2, 1e4, 1e7)]
    assert [f.separable for f in found] == [1, 1, 1]
    assert found[2].value == pytest.approx(found[1].value, rel=0.06)
