import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from unknot.metrics import MeasureWarning, UndefinedMeasureError, linear_probe
from unknot.metrics._probe.softmax import fit_folds
from unknot.metrics.linear import assign_folds, permuted_probes


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_it_is_scikit_learns_classifier_fold_by_fold(rng):
    labels = rng.integers(0, 4, size=400)
    points = rng.normal(size=(400, 15)) * rng.uniform(0.1, 3, size=15) + 3 * np.eye(4, 15)[labels]
    points = points.astype(np.float32).astype(float)
    probe = linear_probe(points, labels)
    folds = assign_folds(labels, 5, 0)
    scaled = points - points.mean(axis=0)
    scaled /= np.sqrt(np.mean(scaled**2))
    predicted = np.empty(400, dtype=int)
    for fold in range(5):
        model = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8)
        model.fit(scaled[folds != fold], labels[folds != fold])
        predicted[folds == fold] = model.predict(scaled[folds == fold])
    # Ours is trained until the loss is within 3e-4; a few points lie on a border.
    assert np.mean((predicted == labels) == probe.per_point) > 0.985
    assert 0.4 < probe.value < 0.95


def test_separable_classes_score_one(rng):
    labels = np.arange(90) % 3
    points = rng.normal(size=(90, 4)) + 20 * np.eye(3, 4)[labels]
    probe = linear_probe(points, labels)
    assert probe.value == 1.0
    np.testing.assert_array_equal(probe.confusion, np.eye(3))


def test_shuffled_labels_score_by_chance_though_they_can_be_learned_by_heart(rng):
    # 200 points in 300 dimensions: any labeling is separable, and in-sample accuracy would be 1.
    points, labels = rng.normal(size=(200, 300)), np.arange(200) % 4
    # A standard deviation of sqrt(.25 * .75 / 200) = .03.
    assert linear_probe(points, labels).value == pytest.approx(0.25, abs=0.12)


def test_rings_are_not_linear(rng):
    angle = rng.uniform(0, 2 * np.pi, size=400)
    labels = np.arange(400) % 2
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (1 + 2 * labels)[:, None]
    assert linear_probe(ring, labels).value < 0.7
    with_radius = np.column_stack([ring, (ring**2).sum(axis=1)])
    assert linear_probe(with_radius, labels).value == 1.0


def test_it_ignores_rotation_scale_translation_and_names(rng):
    labels = rng.integers(0, 3, size=200)
    points = rng.normal(size=(200, 6)) + 1.5 * np.eye(3, 6)[labels]
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    probe = linear_probe(points, labels)
    moved = linear_probe((points @ turn) * 50 + 700, np.array(["p", "q", "r"])[labels])
    assert np.mean(probe.per_point == moved.per_point) > 0.98
    assert moved.classes.tolist() == ["p", "q", "r"]


def test_folds_are_of_equal_size_and_share_every_class(rng):
    codes = np.repeat(np.arange(5), [2, 3, 7, 40, 48])
    folds = assign_folds(codes, 5, 0)
    assert np.ptp(np.bincount(folds)) <= 1
    for c in range(5):
        assert np.ptp(np.bincount(folds[codes == c], minlength=5)) <= 1
    assert not np.array_equal(folds, assign_folds(codes, 5, 1))


def test_confusion_counts_where_each_class_went(rng):
    labels = np.repeat([0, 1, 2], 100)
    points = rng.normal(size=(300, 2)) * 0.1 + np.array([[0, 0], [0, 0.1], [9, 9]])[labels]
    probe = linear_probe(points, labels)
    np.testing.assert_allclose(probe.confusion.sum(axis=1), 1)
    np.testing.assert_allclose(probe.confusion.diagonal(), probe.per_class)
    assert probe.confusion[0, 1] > 0.1
    assert probe.confusion[0, 2] == 0.0


def test_the_same_seed_gives_the_same_for_any_number_of_threads(rng):
    labels = rng.integers(0, 4, size=9000)
    points = rng.normal(size=(9000, 5)) + np.eye(4, 5)[labels]
    one, three = (linear_probe(points, labels, n_jobs=jobs) for jobs in (1, 3))
    np.testing.assert_array_equal(one.per_point, three.per_point)


def test_a_sample_is_said(rng):
    points, labels = rng.normal(size=(500, 4)), np.arange(500) % 2
    with pytest.warns(MeasureWarning, match="trained and tested on 100 of 500 points"):
        assert len(linear_probe(points, labels, max_samples=100).samples) == 100


def test_classes_of_one_point_are_left_out_and_named(rng):
    points = rng.normal(size=(21, 3))
    labels = [0, 1] * 10 + [7]
    with pytest.warns(MeasureWarning, match="1 of 3 classes have one point.*: 7"):
        probe = linear_probe(points, labels)
    assert 20 not in probe.samples
    assert probe.per_class[2] == 0.0


def test_classes_of_two_points(rng):
    points = np.repeat(np.eye(5), 2, axis=0) * 10 + rng.normal(size=(10, 5)) * 0.1
    assert linear_probe(points, np.repeat(np.arange(5), 2)).value == 1.0


def test_points_of_more_features_than_samples_are_turned_into_the_space_they_span(rng, monkeypatch):
    # The classifiers are the same in any axes.
    labels = np.repeat(np.arange(3), 20)
    points = rng.normal(size=(60, 200)) + np.eye(200)[labels] * 3 + 5.0
    turned = linear_probe(points, labels)
    assert linear_probe(np.ones((60, 200)), labels).value <= 1 / 3
    monkeypatch.setattr(
        "unknot.metrics._probe.softmax.reduce_features", lambda points, team: points
    )
    plain = linear_probe(points, labels)
    assert 0.5 < turned.value < 1.0
    np.testing.assert_array_equal(turned.per_point, plain.per_point)


def test_a_dead_layer_scores_no_more_than_the_largest_class():
    labels = np.array([0] * 30 + [1] * 10)
    assert linear_probe(np.zeros((40, 3)), labels).value == pytest.approx(0.75)


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3], [0, 0, 1, 2]])
def test_fewer_than_two_classes_of_two_points_are_refused(labels):
    with pytest.raises(UndefinedMeasureError, match="at least two classes of two points or more"):
        linear_probe(np.eye(4), labels)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n_folds": 1}, "n_folds must be an integer from 2 to 100; got 1"),
        ({"penalty": 0.0}, "penalty must be a number above 0; got 0.0"),
    ],
)
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        linear_probe(np.eye(4), [0, 0, 1, 1], **arguments)


def test_labelings_trained_together_are_answered_as_alone(rng):
    labels = np.stack([np.arange(90) % 3, rng.permutation(np.arange(90) % 3)])
    points = (rng.normal(size=(90, 8)) + 3 * np.eye(8)[labels[0]]).astype(np.float32)
    folds = np.stack([assign_folds(each, 5, 0) for each in labels])
    together, _ = fit_folds(points, labels, folds, 1.0)
    for run in range(2):
        alone, _ = fit_folds(points, labels[run : run + 1], folds[run : run + 1], 1.0)
        # Trained until all are done, some go a step further together than alone.
        assert np.mean(together[run] == alone[0]) > 0.97
    assert np.mean(together[0] == labels[0]) > 0.9


def test_probes_by_chance_know_nothing_of_the_labels(rng):
    labels = np.concatenate([np.arange(400) % 4, [4]])
    points = (rng.normal(size=(401, 10)) + 9 * np.eye(10)[labels]).astype(np.float32)
    found = permuted_probes(points, labels, np.arange(5), 200, 3, random_state=0)
    assert found.shape == (3,)
    assert len(set(found)) > 1
    np.testing.assert_allclose(found, 1 / 4, atol=0.15)
    assert linear_probe(points[:400], labels[:400]).value > 0.9
