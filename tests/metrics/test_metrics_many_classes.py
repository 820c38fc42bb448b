"""More than a hundred classes: parts of the pairs and classes, beside the values of all."""

import sys
import time

import numpy as np
import pytest

import unknot
from unknot.metrics import (
    class_distance_variance,
    davies_bouldin,
    manifold_capacity,
    measure,
    nc1,
    nc2,
    neighbor_confusion,
)
from unknot.metrics._shared.distances import stratified_sample
from unknot.metrics._shared.many import ClassPairs

FAST = {"n_resamples": 20, "n_permutations": 2, "max_samples": 500, "n_draws": 20}


def many(n_classes=150, per_class=10, features=12, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n_classes * per_class) % n_classes
    centers = rng.normal(size=(n_classes, features)) * np.linspace(2, 0.5, features)
    spread = rng.uniform(0.3, 1.0, size=n_classes)[labels]
    return centers[labels] + spread[:, None] * rng.normal(size=(len(labels), features)), labels


@pytest.fixture
def as_few(monkeypatch):
    """Make every number of classes count as few."""

    def change():
        for name, module in list(sys.modules.items()):
            if name.startswith("unknot.metrics") and hasattr(module, "MANY_CLASSES"):
                monkeypatch.setattr(module, "MANY_CLASSES", 10**6)

    return change


def test_a_part_of_the_pairs_gives_the_value_of_all_within_its_error(as_few):
    points, labels = many()
    names = ["class_distance_variance", "davies_bouldin", "nc1", "nc2", "distance_consistency"]
    names += ["label_trustworthiness", "convex_hulls", "best_ellipses", "calinski_harabasz"]
    parts = measure(points, labels, points[:, :2], names, **FAST)
    as_few()
    whole = measure(points, labels, points[:, :2], names, **FAST)
    # Parts of pairs and of classes are estimates; functions of all classes are not.
    for name in ("nc1", "nc2", "distance_consistency", "calinski_harabasz"):
        assert parts[name].value == pytest.approx(whole[name].value, rel=1e-4), name
    assert parts["class_distance_variance"].value == pytest.approx(
        whole["class_distance_variance"].value, rel=0.02
    )
    for name in ("davies_bouldin", "label_trustworthiness", "convex_hulls", "best_ellipses"):
        (note,) = [note for note in parts[name].notes if "100 of 150 classes" in note]
        error = float(note.rpartition(" ")[2])
        assert abs(parts[name].value - whole[name].value) < 4 * error, name
    assert parts["class_distance_variance"].value != whole["class_distance_variance"].value
    # Intervals and nulls are of the same size.
    for name in ("class_distance_variance", "nc1", "nc2"):
        wide, narrow = np.diff(parts[name].interval), np.diff(whole[name].interval)
        assert 0.4 < wide / narrow < 2.5, name
        assert parts[name].null == pytest.approx(whole[name].null, rel=0.1), name


def test_the_values_of_the_functions_do_not_depend_on_parts():
    points, labels = many()
    few = measure(points, labels, measures=["nc1", "nc2"], n_resamples=0, n_permutations=0)
    assert few["nc1"].value == nc1(points, labels).value
    assert few["nc2"].value == nc2(points, labels).value
    assert davies_bouldin(points, labels).per_pair.shape == (150, 150)
    table = class_distance_variance(points, labels)
    part = measure(points, labels, measures="class_distance_variance", n_resamples=0)
    (note,) = part["class_distance_variance"].notes
    assert "3,000 of 11,175 pairs of classes" in note
    assert part["class_distance_variance"].value == pytest.approx(table.value, rel=0.02)


def test_nc2_by_the_smaller_product_is_that_of_the_definition():
    points, labels = many(n_classes=130, per_class=3, features=5)
    means = np.stack([points[labels == c].mean(axis=0) for c in range(130)])
    centered = means - means.mean(axis=0)
    gram = centered @ centered.T
    simplex = (np.eye(130) - 1 / 130) / np.sqrt(129)
    wanted = np.linalg.norm(gram / np.linalg.norm(gram) - simplex)
    assert nc2(points, labels).value == pytest.approx(wanted, rel=1e-6)


def test_every_class_is_in_as_many_pairs():
    pairs = ClassPairs.draw(230, 3)
    counts = np.bincount(np.concatenate([pairs.first, pairs.second]))
    assert (counts == 40).all()
    assert (pairs.first != pairs.second).all()
    unordered = {frozenset(pair) for pair in zip(pairs.first, pairs.second, strict=True)}
    assert len(unordered) == len(pairs.first) == 230 * 20
    assert len(pairs.drawn) == 100
    again = ClassPairs.draw(230, 3)
    assert (pairs.first == again.first).all()
    assert not np.array_equal(pairs.drawn, ClassPairs.draw(230, 4).drawn)


def test_the_capacity_of_a_part_of_the_classes_is_near_that_of_all():
    points, labels = many(n_classes=120, per_class=12, features=20)
    with pytest.warns(unknot.metrics.MeasureWarning, match="100 of 120 classes"):
        part = manifold_capacity(points, labels, n_draws=60)
    whole = manifold_capacity(points, labels, n_draws=60, max_classes=None)
    assert part.capacity == pytest.approx(whole.capacity, rel=0.05)
    assert len(part.drawn) == 100
    assert np.isnan(part.per_class).sum() == 20
    assert part.standard_error > 0 == whole.standard_error
    assert not np.isnan(whole.per_class).any()


def test_tables_of_all_pairs_are_left_out_and_said_so():
    points, labels = many(n_classes=300, per_class=4)
    scores = measure(points, labels, measures=["neighbor_confusion", "linear_probe"], n_resamples=0)
    assert scores["neighbor_confusion"].per_pair is None
    assert scores["linear_probe"].per_pair is None
    with pytest.warns(unknot.metrics.MeasureWarning, match="cannot reach 1"):
        whole = neighbor_confusion(points, labels)
    assert scores["neighbor_confusion"].value == pytest.approx(whole.value)
    assert any("all pairs of 300 classes" in note for note in scores["neighbor_confusion"].notes)
    assert measure(*many(n_classes=120), measures="neighbor_confusion")[
        "neighbor_confusion"
    ].per_pair.shape == (120, 120)


def test_a_sampled_score_of_many_classes_has_an_interval():
    # A point or two of each class are tested: resampled class by class, none would ever change.
    points, labels = many(n_classes=200, per_class=12)
    points += 2 * np.random.default_rng(1).normal(size=points.shape)
    probe = measure(points, labels, measures="linear_probe", probe_max_samples=600)["linear_probe"]
    low, high = probe.interval
    assert 0.01 < high - low < 0.3
    assert any("one of 3 folds" in note for note in probe.notes)


def test_samples_of_more_classes_than_points_are_systematic():
    codes = np.repeat(np.arange(1500), 3)
    sample = stratified_sample(codes, 300, 0)
    assert len(sample.rows) == 2000
    assert len(np.unique(sample.rows)) == 2000
    assert not sample.by_class
    # Every so many-th point in the order of the classes: at most one or two of three.
    assert np.bincount(sample.codes, minlength=1500).max() <= 2
    values = (codes % 7.0)[sample.rows]
    error = abs(sample.mean(values) - (codes % 7.0).mean())
    assert error < 4 * sample.standard_error(values)
    missing = np.isnan(sample.class_means(values))
    assert missing.sum() == 1500 - len(np.unique(sample.codes))


def test_the_time_does_not_grow_with_the_square_of_the_classes():
    names = ["class_distance_variance", "davies_bouldin", "neighbor_confusion", "capacity", "nc2"]
    names += ["distance_consistency", "shape", "label_trustworthiness"]

    def seconds(n_classes):
        points, labels = many(n_classes=n_classes, per_class=3, features=6)
        graph = unknot.nearest_neighbors(points, 10)
        start = time.perf_counter()
        scores = measure(points, labels, points[:, :2], names, graph=graph, **FAST)
        assert not scores.skipped
        return time.perf_counter() - start

    seconds(150)  # compile
    # With the square it would be 36 times as much.
    assert seconds(1800) < 18 * max(seconds(300), 0.5)


def test_up_to_a_hundred_classes_every_pair_counts():
    points, labels = many(n_classes=100, per_class=4)
    scores = measure(points, labels, measures=["class_distance_variance"], **FAST)
    assert scores["class_distance_variance"].per_pair.shape == (100, 100)
    assert scores["class_distance_variance"].value == pytest.approx(
        class_distance_variance(points, labels).value, rel=1e-12
    )
    assert scores.notes == ()
