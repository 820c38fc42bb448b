"""What is notable in a study."""

from dataclasses import replace

import numpy as np
import pytest

import unknot
from unknot.studies import Summary
from unknot.studies._suspects import MAX_LAYERS, neighbors_vote

QUICK = {"max_iter": 250, "perplexity": 10, "n_neighbors": 40, "progress": False}


def made(shifts, labels, *, wrong=(), measures="neighborhood_hit", seed=0, **options):
    """Study layers of clouds that are apart by ``shifts``; ``wrong`` samples have other labels."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(len(labels), 5))
    layers = {
        f"fc{number}": noise + shift * np.eye(5)[labels] for number, shift in enumerate(shifts, 1)
    }
    given = labels.copy()
    for sample in wrong:
        given[sample] = (given[sample] + 1) % (labels.max() + 1)
    return unknot.study(layers, (None, given), measures=measures, name="m", **QUICK, **options)


LABELS = np.repeat([0, 1, 2], 50)


@pytest.fixture(scope="module")
def study():
    return made((3, 9, 6, 9), LABELS, wrong=(4, 60, 111), measures=["neighborhood", "linear_probe"])


def test_wrong_labels_are_found_and_no_others(study):
    summary = study.summary()
    assert {each.sample for each in summary.suspects} == {4, 60, 111}
    for each in summary.suspects:
        assert (each.label, each.suggested) == (
            str((LABELS[each.sample] + 1) % 3),
            str(LABELS[each.sample]),
        )
        assert 2 <= each.n_layers <= 4
        assert 0.5 < each.share <= 1
    (line,) = [line for line in summary.findings if line.startswith("Labels to check: ")]
    assert "sample 4 (1; rather 0, at " in line


def test_right_labels_are_not_suspected():
    assert made((6, 9), LABELS).summary().suspects == ()


def test_nobody_is_suspected_where_classes_overlap():
    """Of clouds half on each other, more than a twentieth lie among others."""
    study = made((1, 1.2, 1.1), LABELS)
    assert study["fc1"].scores["neighborhood_hit"].value < 0.8
    assert study.summary().suspects == ()


def test_nobody_is_suspected_by_one_layer_alone():
    labels = LABELS
    assert made((9,), labels, wrong=(4,)).summary().suspects == ()


def test_unlabeled_samples_neither_vote_nor_are_named():
    labels = LABELS.copy()
    study = made((6, 9), labels, wrong=(4,))
    unlabeled = study.labels.copy()
    unlabeled[[4, 5]] = -1
    assert replace(study, labels=unlabeled).summary().suspects == ()


def test_the_vote_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 3, 200)
    indices = rng.integers(0, 200, (200, 14)).astype(np.int32)
    classes, shares = neighbors_vote(indices, labels)
    for sample in range(200):
        votes = [label for label in labels[indices[sample, :10]] if label >= 0]
        counts = {label: votes.count(label) for label in votes}
        winner = max(counts, key=counts.get, default=-1)
        most = counts.get(winner, 0)
        expected = winner if 2 * most > len(votes) and winner != labels[sample] else -1
        if labels[sample] < 0:
            expected = -1
        assert classes[sample] == expected
        assert shares[sample] == (most / len(votes) if expected >= 0 else 0)


def test_the_best_layer_is_the_highest_hit(study):
    hits = {name: layer.scores["neighborhood_hit"].value for name, layer in study.items()}
    summary = study.summary()
    assert summary.best_layer == max(hits, key=hits.get)
    assert summary.findings[0].startswith(f"Best layer: {summary.best_layer}, Neighborhood Hit 0.9")
    assert "by chance 0.3" in summary.findings[0]


def test_equal_layers_are_not_called_worse():
    """Two layers that hold the same points, mirrored: neither is surely better."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(150, 5)) + 3 * np.eye(5)[LABELS]
    layers = {
        "a": points + 0.01 * rng.normal(size=points.shape),
        "b": points,
        "c": rng.normal(size=(150, 5)),
    }
    study = unknot.study(layers, (None, LABELS), measures="neighborhood_hit", **QUICK)
    line = study.summary().findings[0]
    other = "b" if study.summary().best_layer == "a" else "a"
    assert line.endswith(f"; not surely better than {other}.")


def test_the_first_layer_whose_probe_is_enough(study):
    values = {name: layer.scores["linear_probe"].value for name, layer in study.items()}
    last = list(values.values())[-1]
    first = next(name for name, value in values.items() if value >= last - 0.01)
    assert study.summary().enough_layer == first
    assert [line for line in study.summary().findings if line.startswith(f"From {first} on, ")]


def test_only_the_last_layer_is_enough():
    study = made((0.3, 6), LABELS, measures="linear_probe")
    assert study.summary().enough_layer == "fc2"
    assert "Before the last layer, fc2, linear probe accuracy is more than 0.01 below" in str(
        study.summary()
    )


def test_the_worst_pair_is_that_of_the_last_layer():
    """Class 2 lies beside class 1; class 0 is far away."""
    rng = np.random.default_rng(0)
    centers = np.array([[-40.0, 0], [0, 0], [2.5, 0]])
    points = rng.normal(size=(150, 2)) + centers[LABELS]
    layers = {"fc1": points[:, ::-1] + rng.normal(size=(150, 2)), "fc2": points}
    names = ["cat", "dog", "wolf"]
    study = unknot.study(layers, (None, np.array(names)[LABELS]), measures="neighborhood", **QUICK)
    first, second, share = study.summary().worst_pair
    assert (first, second) == ("dog", "wolf")
    table = study["fc2"].scores["neighbor_confusion"].per_pair
    assert share == pytest.approx((table[1, 2] + table[2, 1]) / 2)
    assert f"Most mixed pair of classes at fc2: dog and wolf; {100 * share:.1f} %" in str(
        study.summary()
    )


def test_numbers_as_labels_have_no_pair_and_no_suspects():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(100, 4))
    values = points[:, 0] + 0.1
    layers = {"a": points, "b": points[:, :2]}
    study = unknot.study(layers, (None, values), measures="regression", **QUICK)
    summary = study.summary()
    assert summary.worst_pair is None
    assert summary.suspects == ()
    assert summary.best_layer == "b"


def test_one_layer_without_scores_has_only_notes():
    labels = np.repeat([0, 1], 30)
    points = np.zeros((60, 3))
    points[:, 0] = labels
    study = unknot.study(
        {"a": np.random.default_rng(0).normal(size=(60, 3))}, (None, labels),
        measures="nc1", **QUICK,
    )  # fmt: skip
    summary = study.summary()
    assert (summary.best_layer, summary.enough_layer, summary.worst_pair) == (None, None, None)
    assert summary.findings == ()
    assert summary.notes == ("No untrained control: arrays are not the layers of a network.",)
    assert isinstance(summary, Summary)


def test_layers_with_the_same_note_share_a_line(study):
    layers = {
        name: replace(layer, notes=("all points coincide",)) for name, layer in study.layers.items()
    }
    notes = replace(study, layers=layers).summary().notes
    assert "fc1, fc2, fc3, fc4: all points coincide." in notes


def test_graphs_of_a_stored_study_are_read_and_not_kept(study, tmp_path):
    study.save(tmp_path / "s")
    loaded = unknot.Study.load(tmp_path / "s")
    assert loaded.summary() == study.summary()
    assert not any("graph" in layer.__dict__ for layer in loaded.values())


def test_many_layers_are_asked_in_part():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 30)
    points = rng.normal(size=(60, 3)) + 9 * labels[:, None]
    given = labels.copy()
    given[7] = 1
    layers = {f"l{number}": np.roll(points, number, axis=1) * (1 + number) for number in range(14)}
    study = unknot.study(layers, (None, given), measures="nc1", **QUICK)
    (suspect,) = study.summary().suspects
    assert (suspect.sample, suspect.n_layers) == (7, MAX_LAYERS)


def test_the_page_gets_the_lines(study):
    from unknot.report import build_payload

    payload = build_payload(study)
    assert payload["summary"] == list(study.summary().lines)
    both = build_payload(study, other=study)["summary"]
    assert both[0].startswith("m (1): Best layer")
    assert len(both) == 2 * len(payload["summary"])
