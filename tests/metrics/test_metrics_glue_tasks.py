import numpy as np
import pytest
from glue_oracles import spheres

from unknot.metrics import MeasureWarning, UndefinedMeasureError, glue
from unknot.metrics._shared.anchor_geometry import radius_of
from unknot.metrics._shared.dichotomies import draw_dichotomies, sides_of

GEOMETRY = ("capacity", "dimension", "radius", "utility")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_some_of_many_classes_are_drawn():
    points, labels = spheres(12, 5, 60, 2, 1.0)
    with pytest.warns(MeasureWarning, match="GLUE is that of 5 of 12 classes, drawn at random"):
        found = glue(points, labels, max_classes=5, pairs=True)
    assert len(found.drawn) == 5
    assert np.isfinite(found.per_class).sum() == np.isfinite(found.activity).sum() == 5
    assert np.isfinite(found.pair_capacity).sum() == 20
    task = [1] + 11 * [-1]
    with pytest.warns(MeasureWarning, match="5 of 12 classes"):
        assert 0 in glue(points, labels, max_classes=5, task=task).drawn


def test_a_pair_is_a_study_of_two_classes():
    points, labels = spheres(5, 15, 80, 3, 1.0)
    tables = glue(points, labels, pairs=True)
    assert glue(points, labels).pair_capacity is None
    for name in GEOMETRY:
        table = getattr(tables, f"pair_{name}")
        np.testing.assert_array_equal(table, table.T)
        assert np.isnan(table.diagonal()).all()
        kept = np.isin(labels, [1, 3])
        alone = glue(points[kept], labels[kept])
        assert table[1, 3] == pytest.approx(getattr(alone, name), rel=1e-9)
        assert np.isfinite(table[~np.eye(5, dtype=bool)]).all()


def test_confused_classes_have_the_lowest_capacity(rng):
    points, labels = spheres(4, 15, 80, 3, 0.5)
    points[labels == 2] += 0.9 * (
        points[labels == 1].mean(axis=0) - points[labels == 2].mean(axis=0)
    )
    table = glue(points, labels, pairs=True).pair_capacity
    assert np.nanargmin(table) == 1 * 4 + 2


def test_a_task_is_given_in_many_ways():
    points, labels = spheres(4, 12, 40, 3, 1.0)
    names = np.array(["cat", "dog", "car", "bus"])
    # Sorted: bus, car, cat, dog.
    expected = glue(points, names[labels], task=[-1, -1, 1, 1])
    assert expected.ensemble == "task"
    for task in (
        {"cat": 1, "dog": 1, "car": -1, "bus": -1},
        {"cat": True, "dog": True, "car": False, "bus": False},
        {"cat": "pet", "dog": "pet", "car": "engine", "bus": "engine"},
        np.array([False, False, True, True]),
        ("engine", "engine", "pet", "pet"),
    ):
        np.testing.assert_array_equal(glue(points, names[labels], task=task).draws, expected.draws)
    numbered = glue(points, labels, task={np.int64(0): 1, 1: 1, 2: -1, 3: -1}, n_draws=20)
    assert numbered.capacity > 0


def test_a_task_and_its_reverse_are_the_same(rng):
    points, labels = spheres(4, 12, 40, 3, 1.0)
    one, other = (
        glue(points, labels, task=[s, s, s, -s], n_draws=3000, random_state=2) for s in (1, -1)
    )
    assert other.capacity == pytest.approx(one.capacity, rel=0.05)


def test_a_task_that_follows_the_centers_is_easier():
    points, labels = spheres(4, 20, 60, 3, 0.7)
    # Classes 0 and 1 on one side of a hyperplane, 2 and 3 on the other.
    points[:, 0] += np.where(labels < 2, 1.0, -1.0)
    along, across = (glue(points, labels, task=task) for task in ([1, 1, -1, -1], [1, -1, 1, -1]))
    assert along.capacity > 1.5 * across.capacity


@pytest.mark.parametrize("n_classes", [2, 3, 6, 7])
def test_dichotomies(rng, n_classes):
    balanced = draw_dichotomies("balanced", 500, n_classes, rng)
    assert set(np.abs(balanced.sum(axis=1))) == {n_classes % 2}
    assert (balanced[:, 0] == 1).all()
    one = draw_dichotomies("one_vs_rest", 2000, n_classes, rng)
    assert ((one == 1).sum(axis=1) == 1).all()
    np.testing.assert_allclose((one == 1).mean(axis=0), 1 / n_classes, atol=0.05)
    anything = draw_dichotomies("random", 2000, n_classes, rng)
    # The others are on the side of the first one half of the time.
    np.testing.assert_allclose(anything[:, 1:].mean(axis=0), 0, atol=0.1)


def test_balanced_dichotomies_are_equally_likely(rng):
    # Four classes: the first with one of three others. 3000 draws: 1000 +- 26.
    drawn = draw_dichotomies("balanced", 3000, 4, rng)
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(counts) == 3
    np.testing.assert_allclose(counts, 1000, atol=100)


def test_radius_where_it_has_a_limit():
    b, c = np.array([2.0, 2.0, 0.0, 2.0, -1.0, 1.0]), np.array([1.0, 2.0, 0.0, 0.0, 1.0, -1.0])
    np.testing.assert_array_equal(radius_of(b, c), [1, np.inf, 0, 0, np.nan, np.nan])


def test_one_class_is_refused():
    with pytest.raises(UndefinedMeasureError, match="GLUE compares classes and needs at least 2"):
        glue(np.eye(4), [0, 0, 0, 0])


def test_a_dead_layer_is_named():
    with pytest.raises(UndefinedMeasureError, match="all 10 points used lie there"):
        glue(np.zeros((10, 4)), np.arange(10) % 2)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n_draws": 1}, "n_draws must be an integer from 2 to 1,000,000; got 1"),
        ({"ensemble": "all"}, 'ensemble must be one of "balanced", "one_vs_rest", "random"; got'),
        ({"max_samples_per_class": 0}, "max_samples_per_class must be an integer of at least 1"),
        ({"max_classes": 1}, "max_classes must be an integer of at least 2"),
        ({"task": [1, 1, 1]}, r"task must divide the classes into two groups.*got 1: 1"),
        ({"task": [1, 0, -1]}, r"task must divide the classes into two groups.*got 3: -1, 0, 1"),
        ({"task": [1, -1]}, r"one group for each of the 3 classes.*got the shape \(2,\)"),
        ({"task": "ab"}, r"one group for each of the 3 classes.*got the shape \(\)"),
        ({"task": {0: 1, 1: -1}}, "task must name a group for every class; 2 have none"),
        ({"task": {0: 1, 1: -1, 2: 1, "x": 1}}, "got 'x', which are none of 0, 1, 2"),
        ({"task": [1.0, np.nan, -1.0]}, "task has 1 missing values"),
    ],
)
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        glue(np.eye(6), [0, 0, 1, 1, 2, 2], **arguments)


def test_points_without_features_are_refused():
    with pytest.raises(ValueError, match="points must have at least one feature"):
        glue(np.empty((4, 0)), [0, 0, 1, 1])


def test_sides_of_a_task():
    assert sides_of([3, 5, 3], np.arange(3)).tolist() == [-1, 1, -1]
    assert sides_of({"b": "no", "a": "yes"}, np.array(["a", "b"])).tolist() == [1, -1]
