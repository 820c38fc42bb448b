import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from unknot.metrics import MeasureWarning, UndefinedMeasureError, control_task, linear_probe


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw(rng, n, features):
    labels = np.arange(n) % 4
    return rng.normal(size=(n, features)) + 3 * np.eye(4, features)[labels], labels


def test_the_accuracy_is_the_linear_probes(rng):
    points, labels = draw(rng, 300, 6)
    found, probe = control_task(points, labels), linear_probe(points, labels)
    assert found.accuracy == pytest.approx(probe.value, abs=0.01)
    assert found.value == found.accuracy - found.control_accuracy
    expected = probe.per_class - found.control_accuracy
    np.testing.assert_allclose(found.per_class, expected, atol=0.03)


def test_the_control_accuracy_is_that_of_random_labels_on_the_points_trained_on(rng):
    points, labels = draw(rng, 300, 40)
    scaled = points - points.mean(axis=0)
    scaled /= np.sqrt(np.mean(scaled**2))
    random = np.random.default_rng([0, 6]).permutation(labels)
    expected = LogisticRegression(C=1, max_iter=5000).fit(scaled, random).score(scaled, random)
    assert control_task(points, labels).control_accuracy == pytest.approx(expected, abs=0.03)
    assert 0.4 < expected < 0.9


def test_many_features_are_learned_by_heart(rng):
    few, labels = draw(rng, 400, 4)
    many = np.concatenate([few, rng.normal(size=(400, 800))], axis=1)
    selective, not_selective = control_task(few, labels), control_task(many, labels)
    assert not_selective.control_accuracy > 0.99 > 0.5 > selective.control_accuracy
    assert selective.value > 0.3 > not_selective.value


def test_a_strong_penalty_forgets(rng):
    points, labels = draw(rng, 400, 300)
    weak, strong = (control_task(points, labels, penalty=p) for p in (1.0, 1000.0))
    assert strong.control_accuracy < weak.control_accuracy - 0.1


def test_control_labels_of_groups_are_tested_on_other_points(rng):
    # Twenty places with four points each at almost the same position.
    groups = np.repeat(np.arange(20), 20)
    places = 10 * np.eye(20)
    points = places[groups] + 0.01 * rng.normal(size=(400, 20))
    labels = (groups < 10).astype(int)
    by_place = control_task(points, labels, groups=[f"word {g}" for g in groups])
    # Whatever label a place has can be read from the place.
    assert by_place.control_accuracy == 1.0
    assert by_place.value == pytest.approx(0.0, abs=1e-9)
    # Groups that have nothing to do with the position cannot be read.
    scattered = control_task(points, labels, groups=rng.integers(0, 40, size=400))
    assert scattered.control_accuracy < 0.75


def test_two_groups_may_draw_one_label(rng):
    points, labels = draw(rng, 40, 3)
    with pytest.warns(MeasureWarning, match="all groups drew the same control label"):
        assert control_task(points, labels, groups=np.zeros(40, int)).control_accuracy == 1.0


def test_samples_are_said_and_threads_do_not_matter(rng):
    points, labels = draw(rng, 1200, 5)
    one, three = (control_task(points, labels, n_jobs=jobs) for jobs in (1, 3))
    assert (one.value, one.control_accuracy) == (three.value, three.control_accuracy)
    with pytest.warns(MeasureWarning, match="that of 200 of 1200 points.*it grows with"):
        assert len(control_task(points, labels, max_samples=200).samples) == 200


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n_folds": 1}, "n_folds must be an integer from 2 to 100; got 1"),
        ({"penalty": -1.0}, "penalty must be a number above 0; got -1.0"),
        ({"groups": [0, 1]}, "groups must hold one label for each of the 4 samples"),
    ],
)
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        control_task(np.eye(4), [0, 0, 1, 1], **arguments)


def test_one_class_is_refused():
    with pytest.raises(UndefinedMeasureError, match="at least two classes of two points or more"):
        control_task(np.eye(4), [0, 0, 0, 0])
