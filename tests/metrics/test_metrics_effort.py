import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from unknot._io.stored_points import StoredPoints
from unknot.metrics import (
    MeasureWarning,
    UndefinedMeasureError,
    description_length,
    linear_probe,
    v_information,
)
from unknot.metrics._probe.models import fit_softmax, folds_of, hold_out, log_softmax
from unknot.metrics.effort import v_information_from_points


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw(rng, n, features=8, classes=3, apart=2.0):
    labels = np.arange(n) % classes
    points = rng.normal(size=(n, features)) * rng.uniform(0.3, 2, size=features)
    return (points + apart * np.eye(classes, features)[labels]).astype(np.float32), labels


def scaled_like(points, reference):
    center = reference.mean(axis=0)
    return (points - center) / np.sqrt(np.mean((reference - center) ** 2))


def trained(points, labels, penalty):
    model = LogisticRegression(C=1 / penalty, max_iter=10_000, tol=1e-9)
    return model.fit(points, labels)


@pytest.mark.parametrize(("shape", "penalty"), [((200, 8), 1.0), ((60, 150), 3.0)])
def test_a_trained_classifier_is_scikit_learns(rng, shape, penalty):
    points, labels = draw(rng, *shape)
    points += 5
    new = draw(rng, 50, shape[1])[0] + 5
    model = fit_softmax(points, labels, penalty)
    wide = points.astype(float)
    oracle = trained(scaled_like(wide, wide), labels, penalty)
    expected = oracle.predict_log_proba(scaled_like(new.astype(float), wide))
    found = np.stack([log_softmax(model.logits(new), np.full(50, c)) for c in range(3)], axis=1)
    # Ours is trained until the loss is within 3e-4 of its minimum.
    np.testing.assert_allclose(np.exp(found), np.exp(expected), atol=0.1)
    assert np.abs(np.exp(found) - np.exp(expected)).mean() < 0.01


def test_held_out_probabilities_are_scikit_learns(rng):
    points, labels = draw(rng, 300)
    folds = folds_of(labels, 5, 0)
    held = hold_out(points, labels, folds, 1.0)
    scaled = scaled_like(points.astype(float), points.astype(float))
    expected = np.empty(300)
    for fold in range(5):
        out = folds == fold
        oracle = trained(scaled[~out], labels[~out], 1.0)
        expected[out] = oracle.predict_proba(scaled[out])[np.arange(out.sum()), labels[out]]
        weights = oracle.coef_ - oracle.coef_.mean(axis=0)
        own = held.products[fold]
        centered = own - own.mean(axis=0) - own.mean(axis=1)[:, None] + own.mean()
        np.testing.assert_allclose(centered, weights @ weights.T, rtol=0.05, atol=0.1)
    np.testing.assert_allclose(np.exp(held.log_probabilities(labels)), expected, atol=0.1)


def test_v_information_is_entropy_minus_scikit_learns_loss(rng):
    points, labels = draw(rng, 300)
    labels = np.where(labels == 2, 1, labels)
    found = v_information(points, labels, penalty=1.0)
    folds = folds_of(labels, 5, 0)
    scaled = scaled_like(points.astype(float), points.astype(float))
    bits = np.empty(300)
    for fold in range(5):
        out = folds == fold
        chances = trained(scaled[~out], labels[~out], 1.0).predict_proba(scaled[out])
        bits[out] = -np.log2(chances[np.arange(out.sum()), labels[out]])
    # Two thirds and one third: log2 3 - 2/3 bits.
    assert found.entropy == pytest.approx(np.log2(3) - 2 / 3)
    assert found.conditional_entropy == pytest.approx(bits.mean(), abs=0.005)
    assert found.value == pytest.approx(found.per_point.mean())
    assert found.per_class[0] == pytest.approx(np.log2(3) - bits[labels == 0].mean(), abs=0.02)


def test_description_length_is_that_of_scikit_learns_classifiers(rng):
    points, labels = draw(rng, 200)
    found = description_length(points, labels, penalty=1.0)
    assert found.blocks.tolist() == [6, 12, 25, 50, 100, 200]
    order = np.random.default_rng(0).permutation(200)
    wide, total = points.astype(float), 6 * np.log2(3)
    for start, stop in [(6, 12), (12, 25), (25, 50), (50, 100), (100, 200)]:
        sent, coming = order[:start], order[start:stop]
        oracle = trained(scaled_like(wide[sent], wide[sent]), labels[sent], 1.0)
        chances = np.zeros((len(coming), 3))
        chances[:, oracle.classes_] = oracle.predict_proba(scaled_like(wide[coming], wide[sent]))
        own = chances[np.arange(len(coming)), labels[coming]]
        total -= np.log2((start * own + 1 / 3) / (start + 1)).sum()
    assert found.bits == pytest.approx(total, rel=0.015)
    assert found.uniform_bits == pytest.approx(200 * np.log2(3))
    assert found.value == pytest.approx(found.bits / found.uniform_bits)
    assert found.compression == pytest.approx(1 / found.value)


def test_the_best_penalty_is_chosen_and_sent_with_two_bits(rng):
    # 150 points of 300 features: a weak penalty is too sure of itself.
    points, labels = draw(rng, 150, 300, apart=1.5)
    each = [description_length(points, labels, penalty=p) for p in (1.0, 10.0, 100.0, 1000.0)]
    best = min(each, key=lambda result: result.bits)
    found = description_length(points, labels)
    assert found.penalty == best.penalty > 1.0
    assert found.bits == pytest.approx(best.bits + 2.0)
    assert v_information(points, labels).value > v_information(points, labels, penalty=1.0).value
    assert v_information(points, labels).penalty > 1.0


def test_separable_classes_take_few_bits(rng):
    points, labels = draw(rng, 400, apart=60.0)
    assert description_length(points, labels).value < 0.1
    # All of log2 3 = 1.585 bits.
    assert v_information(points, labels).value == pytest.approx(np.log2(3), abs=0.05)


def test_random_labels_take_all_bits(rng):
    points, labels = rng.normal(size=(400, 5)), rng.permutation(np.arange(400) % 4)
    assert description_length(points, labels).value == pytest.approx(1.0, abs=0.05)
    found = v_information(points, labels)
    # 5 features and 4 classes fit noise: 15 parameters cost about 15/400/2/log 2 = .03 bits.
    assert found.value == pytest.approx(0.0, abs=0.08)
    assert found.entropy == pytest.approx(2.0)


def test_a_classifier_that_is_sure_and_wrong_loses_information(rng):
    # 100 points of 300 features say nothing, and a weak penalty separates any labels.
    points, labels = rng.normal(size=(100, 300)), np.arange(100) % 2
    assert v_information(points, labels, penalty=1e-2).value < -0.2


@pytest.mark.parametrize("measure", [description_length, v_information])
def test_they_ignore_rotation_unit_position_and_names(rng, measure):
    points, labels = draw(rng, 240)
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    moved = measure((points @ turn) * 50 + 700, np.array(["p", "q", "r"])[labels])
    assert moved.value == pytest.approx(measure(points, labels).value, rel=0.02, abs=0.01)
    assert moved.classes.tolist() == ["p", "q", "r"]


@pytest.mark.parametrize("measure", [description_length, v_information])
def test_the_same_seed_gives_the_same_for_any_number_of_threads(rng, measure):
    points, labels = draw(rng, 1500, 5)
    one, three = (measure(points, labels, n_jobs=jobs) for jobs in (1, 3))
    np.testing.assert_array_equal(one.per_point, three.per_point)


@pytest.mark.parametrize("measure", [description_length, v_information])
def test_samples_and_single_points_are_said(rng, measure):
    points, labels = draw(rng, 500)
    with pytest.warns(MeasureWarning, match="that of 99 of 500 points, a stratified sample"):
        assert len(measure(points, labels, max_samples=100).samples) == 99
    labels = labels.copy()
    labels[17] = 8
    with pytest.warns(MeasureWarning, match="1 of 4 classes have one point.*: 8"):
        found = measure(points, labels)
    assert 17 not in found.samples
    assert np.isnan(found.per_class[3])


@pytest.mark.parametrize("measure", [description_length, v_information])
def test_what_cannot_be_learned_is_refused(measure):
    with pytest.raises(UndefinedMeasureError, match="at least two classes of two points or more"):
        measure(np.eye(4), [0, 1, 2, 2])
    with pytest.raises(ValueError, match=r"penalty must be a number above 0; got 0\.0"):
        measure(np.eye(4), [0, 0, 1, 1], penalty=0.0)


def test_a_dead_layer_says_nothing():
    labels = np.repeat([0, 1], [30, 10])
    assert v_information(np.zeros((40, 3)), labels).value == pytest.approx(0, abs=0.02)
    assert description_length(np.zeros((40, 3)), labels).value < 1.1


def test_with_many_classes_one_fold_is_tested(rng):
    labels = np.repeat(np.arange(110), 6)
    points = rng.normal(size=(660, 4)) + 20 * rng.normal(size=(110, 4))[labels]
    found = v_information(points, labels, penalty=1.0)
    assert len(found.samples) == pytest.approx(660 / 5, abs=3)
    assert found.value > 3
    probe = linear_probe(points[labels < 100], labels[labels < 100])
    assert probe.value > 0.5


def test_points_on_disk_give_the_same(rng, tmp_path):
    points, labels = draw(rng, 300)
    np.save(tmp_path / "points.npy", points)
    stored = StoredPoints(np.load(tmp_path / "points.npy", mmap_mode="r"), max_memory=4000)
    found = v_information_from_points(stored, labels, np.arange(3))
    np.testing.assert_array_equal(found.per_point, v_information(points, labels).per_point)
