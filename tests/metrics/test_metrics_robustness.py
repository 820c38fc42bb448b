import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from unknot.metrics import (
    MeasureWarning,
    UndefinedMeasureError,
    linear_probe,
    probe_noise,
    probe_transfer,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw(rng, n, features=6):
    labels = np.arange(n) % 3
    return rng.normal(size=(n, features)) + 2 * np.eye(3, features)[labels], labels


@pytest.mark.parametrize("features", [6, 300])
def test_transfer_is_scikit_learns_score_on_the_test_points(rng, features):
    points, labels = draw(rng, 200, features)
    test_points, test_labels = draw(rng, 400, features)
    found = probe_transfer(points, labels, test_points, test_labels)
    center = points.mean(axis=0)
    scale = np.sqrt(np.mean((points - center) ** 2))
    model = LogisticRegression(C=1, max_iter=5000, tol=1e-8).fit((points - center) / scale, labels)
    correct = model.predict((test_points - center) / scale) == test_labels
    # Ours is trained until the loss is within 3e-4; a few points lie on a border.
    assert np.mean(found.per_point == correct) > 0.97
    assert found.train_accuracy == pytest.approx(
        model.score((points - center) / scale, labels), abs=0.02
    )
    assert found.per_class[0] == pytest.approx(found.per_point[test_labels == 0].mean())


def test_transfer_to_shifted_points_fails(rng):
    points, labels = draw(rng, 300)
    same = probe_transfer(points, labels, *draw(rng, 300))
    shifted, own = draw(rng, 300)
    moved = probe_transfer(points, labels, shifted + 8 * np.eye(6)[0], own)
    assert same.value > 0.7 > 0.5 > moved.value
    # Both parts moved together are the same.
    both = probe_transfer(points * 9 + 4e3, labels, (shifted + 8 * np.eye(6)[0]) * 9 + 4e3, own)
    assert both.value == pytest.approx(moved.value, abs=0.02)


def test_float64_with_an_offset_is_moved_together(rng):
    points, labels = draw(rng, 120)
    test_points, test_labels = draw(rng, 120)
    far = probe_transfer(points + 1e8, labels, test_points + 1e8, test_labels)
    near = probe_transfer(points, labels, test_points, test_labels)
    assert np.mean(far.per_point == near.per_point) > 0.98


def test_classes_that_were_not_trained_are_wrong(rng):
    points, labels = draw(rng, 90)
    test_points, test_labels = draw(rng, 90)
    names = np.array(["a", "b", "c"])
    test_names = np.where(np.arange(90) < 9, "zebra", names[test_labels])
    with pytest.warns(
        MeasureWarning, match="1 classes of the test points were not trained.*: zebra"
    ):
        found = probe_transfer(points, names[labels], test_points, test_names)
    assert found.per_class[3] == 0.0
    assert found.classes.tolist() == ["a", "b", "c", "zebra"]


def test_a_class_without_test_points_has_no_accuracy(rng):
    points, labels = draw(rng, 90)
    found = probe_transfer(points, labels, points[labels < 2], labels[labels < 2])
    assert np.isnan(found.per_class[2])


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (([[0.0, 1.0]], [0]), ValueError, "must have the same features.*got 1 and 2 of them"),
        (([[0.0]], ["a"]), ValueError, "labels and test_labels must be of the same type"),
        (([[np.nan]], [0]), ValueError, "test_points must be finite"),
        (([[0.0]], [0, 1]), ValueError, "test_labels must hold one label for each of the 1 sample"),
    ],
)
def test_what_does_not_fit_is_named(arguments, error, match):
    with pytest.raises(error, match=match):
        probe_transfer([[0.0], [0.1], [1.0], [1.1]], [0, 0, 1, 1], *arguments)


def test_transfer_from_a_sample_says_so(rng):
    with pytest.warns(MeasureWarning, match="that of 60 of 300 points, a stratified sample"):
        found = probe_transfer(*draw(rng, 300), *draw(rng, 30), max_samples=60)
    assert len(found.samples) == 60


def test_noise_of_two_classes_on_a_line_is_the_normal_distribution():
    # At -1 and 1 the root mean square is 1, and noise of s crosses 0 with a probability of
    # F(-1/s): .159 and .309. 30,000 draws: a standard error of .003.
    labels = np.arange(3000) % 2
    points = np.where(labels, 1.0, -1.0)[:, None]
    found = probe_noise(points, labels)
    np.testing.assert_allclose(found.accuracies, norm.cdf([1.0, 0.5]), atol=0.012)
    assert found.value == pytest.approx(found.accuracies.mean())
    assert found.clean_accuracy == 1.0
    # In other units and with empty features: the root mean square over four features is half.
    wide = np.concatenate([7 * points, np.zeros((3000, 3))], axis=1)
    np.testing.assert_allclose(
        probe_noise(wide, labels).accuracies, norm.cdf([2.0, 1.0]), atol=0.012
    )


@pytest.mark.parametrize("features", [6, 300])
def test_noise_of_the_logits_is_noise_of_the_points(rng, features):
    points, labels = draw(rng, 240, features)
    found = probe_noise(points, labels, noise=[0.5, 1.5])
    from unknot.metrics._probe.models import folds_of

    folds = folds_of(labels, 5, 0)
    scaled = points - points.mean(axis=0)
    scaled /= np.sqrt(np.mean(scaled**2))
    hits = np.zeros(2)
    for fold in range(5):
        out = folds == fold
        model = LogisticRegression(C=1, max_iter=5000).fit(scaled[~out], labels[~out])
        for place, level in enumerate([0.5, 1.5]):
            for _ in range(20):
                noisy = scaled[out] + level * rng.normal(size=(out.sum(), features))
                hits[place] += (model.predict(noisy) == labels[out]).sum() / 240 / 20
    # Standard errors of about .01, from the draws of both.
    np.testing.assert_allclose(found.accuracies, hits, atol=0.04)


def test_without_noise_it_is_the_linear_probe(rng):
    points, labels = draw(rng, 300)
    found = probe_noise(points, labels, noise=[0.0])
    assert found.value == found.clean_accuracy
    assert found.value == pytest.approx(linear_probe(points, labels).value, abs=0.01)


def test_overwhelming_noise_leaves_chance(rng):
    points, labels = draw(rng, 900)
    assert probe_noise(points, labels, noise=[1e3]).value == pytest.approx(1 / 3, abs=0.03)


def test_noise_is_the_same_for_any_number_of_threads_and_is_seeded(rng):
    points, labels = draw(rng, 1500)
    one, three = (probe_noise(points, labels, n_jobs=jobs) for jobs in (1, 3))
    np.testing.assert_array_equal(one.per_point, three.per_point)
    other = probe_noise(points, labels, random_state=1)
    assert not np.array_equal(one.per_point, other.per_point)


@pytest.mark.parametrize("noise", [[], [-1.0], [np.nan], [np.inf]])
def test_bad_noise_is_named(noise):
    with pytest.raises(ValueError, match="noise must be one or more standard deviations"):
        probe_noise(np.eye(4), [0, 0, 1, 1], noise)


def test_single_points_and_samples_are_said(rng):
    points, labels = draw(rng, 300)
    with pytest.warns(MeasureWarning, match="that of 60 of 300 points"):
        probe_noise(points, labels, max_samples=60)
    with pytest.raises(UndefinedMeasureError, match="at least two classes of two points or more"):
        probe_noise(np.eye(4), [0, 1, 2, 3])
