"""A study compares each layer with the one before: neighbors kept, and movement on the maps."""

import csv

import numpy as np
import pytest
from studies_settings import fast

import unknot
from unknot.metrics import Previous
from unknot.studies import DEFAULT_MEASURES, EpochRecorder, Study

NAMES = ["kept_neighbors", "displacement", "needless_movement", "movement_correlation"]
MEASURES = ["neighborhood_hit", *NAMES]
LABELS = np.arange(160) % 4
RNG = np.random.default_rng(0)
POINTS = (RNG.normal(size=(160, 8)) + 2 * np.eye(4, 8)[LABELS]).astype(np.float32)
APART = np.eye(4, 6, dtype=np.float32)[LABELS]
LAYERS = {
    "conv1": np.tanh(POINTS[:, :6]),
    "dead": np.zeros((160, 3), np.float32),
    "dropout": np.tanh(POINTS[:, :6]),
    "fc1": np.tanh(POINTS[:, :6]) + APART + 0.1 * RNG.normal(size=(160, 6)).astype(np.float32),
}
NO_LAYER_BEFORE = "there is no layer before it"


def study_of(layers=LAYERS, labels=LABELS, **more):
    return unknot.study(layers, (POINTS, labels), **fast(measures=MEASURES, **more))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("transitions") / "study"


@pytest.fixture(scope="module")
def study(home):
    return study_of(out=home)


def expected(study, layer, before, rows=None, labels=LABELS):
    """What `measure` says of two layers of a study; of some rows, by their own neighbors."""
    rows = np.arange(160) if rows is None else rows
    points = [np.asarray(study[name].points).reshape(160, -1)[rows] for name in (layer, before)]
    graphs = [study[name].graph for name in (layer, before)]
    if len(rows) < 160:
        graphs = [None, unknot.nearest_neighbors(points[1], 30)]
    return unknot.measure(
        points[0],
        labels[rows],
        study[layer].map[rows],
        "transition",
        graph=graphs[0],
        previous=Previous(graphs[1], study[before].map[rows]),
    )


def assert_same(scores, direct):
    for name in NAMES:
        assert scores[name].value == pytest.approx(direct[name].value), name
        assert scores[name].interval == pytest.approx(direct[name].interval), name
        assert scores[name].null == pytest.approx(direct[name].null), name


def test_each_layer_is_compared_with_the_one_before(study):
    assert_same(study["conv1"].scores, expected(study, "conv1", "inputs"))
    assert study["conv1"].scores.settings["previous"] == "inputs"
    # The numbers are of the layer, not of two that are the same.
    assert 0.0 < study["conv1"].scores["kept_neighbors"].value < 1.0


def test_the_first_layer_has_none_and_says_why(study):
    scores = study["inputs"].scores
    assert list(scores) == ["neighborhood_hit"]
    assert scores.skipped == dict.fromkeys(NAMES, NO_LAYER_BEFORE)
    assert "there is no layer before it" in " ".join(str(study.scores).split())
    assert np.isnan(study.scores.value("inputs", "displacement"))


def test_a_layer_without_a_map_is_passed_over_and_the_next_one_says_so(study):
    assert set(study["dead"].scores.skipped.values()) == {"all points coincide"}
    assert_same(study["fc1"].scores, expected(study, "fc1", "conv1"))
    note = "its transition is from conv1, as dead between them has no map"
    assert note in study["fc1"].notes
    assert not any("transition" in note for note in study["conv1"].notes)


def test_a_view_has_no_transition_of_its_own(study, tmp_path):
    assert study["dropout"].same_as == "conv1"
    study.save(tmp_path / "copy")
    for view in (study["dropout"], Study.load(tmp_path / "copy")["dropout"]):
        assert list(view.scores) == ["neighborhood_hit"]
        why = "it is the same as conv1, from which nothing changes"
        assert view.scores.skipped == dict.fromkeys(NAMES, why)


def test_they_are_in_the_tables(study, tmp_path):
    study.scores.to_csv(tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    whole = {(row["layer"], row["measure"]): row for row in rows if not row["class"]}
    assert not any(("inputs", name) in whole for name in NAMES)
    for name in NAMES:
        row, score = whole["fc1", name], study["fc1"].scores[name]
        assert float(row["value"]) == score.value
        assert row["family"] == "transition"
        assert (
            row["higher_is_better"]
            == {None: "", True: "True", False: "False"}[score.higher_is_better]
        )
    classes = [row for row in rows if row["layer"] == "fc1" and row["class"]]
    assert {row["measure"] for row in classes} == set(MEASURES)
    assert study.scores.measures == tuple(MEASURES)
    frame = study.scores.to_pandas()
    assert set(frame[frame.layer == "fc1"].measure) == set(MEASURES)


def test_a_study_measures_them_by_default():
    assert DEFAULT_MEASURES[-4:] == tuple(NAMES)


def test_what_was_measured_is_read_again_and_resumed(home, study):
    again = Study.load(home)
    for name in NAMES:
        assert again["fc1"].scores[name].value == study["fc1"].scores[name].value
    influence = expected(study, "fc1", "conv1")["kept_neighbors"].influence
    np.testing.assert_allclose(again["fc1"].influences["kept_neighbors"], influence, rtol=1e-5)
    stages = []
    study_of(out=home, on_stage=lambda layer, stage, seconds, reused: stages.append(reused))
    assert stages
    assert all(stages)


def test_another_layer_before_is_another_score(home, study, tmp_path):
    """The scores of fc1 are not taken from a study in which another layer came before it."""
    first = study_of({"conv1": LAYERS["conv1"], "fc1": LAYERS["fc1"]}, out=tmp_path / "study")
    other = {"conv1": 3.0 * LAYERS["conv1"][:, ::2], "fc1": LAYERS["fc1"]}
    second = study_of(other, out=tmp_path / "study")
    values = [each["fc1"].scores["kept_neighbors"].value for each in (first, second)]
    assert values[0] == study["fc1"].scores["kept_neighbors"].value
    assert values[1] == expected(second, "fc1", "conv1")["kept_neighbors"].value
    assert values[0] != values[1]


def test_samples_without_a_label_are_left_out_of_both_layers():
    labels = np.where(np.arange(160) % 3 == 0, -1, LABELS)
    found = study_of(labels=labels)
    rows = np.flatnonzero(labels >= 0)
    for layer, before in (("conv1", "inputs"), ("fc1", "conv1")):
        scores = found[layer].scores
        assert_same(scores, expected(found, layer, before, rows, labels))
        assert scores["kept_neighbors"].n_samples == len(rows)


def test_labels_may_be_numbers(study):
    found = study_of(labels=POINTS[:, 0].astype(float))
    for name in NAMES:
        score = found["fc1"].scores[name]
        assert score.value == pytest.approx(study["fc1"].scores[name].value)
        assert score.per_class is None


def test_maps_of_ones_own_are_compared_with_those_of_their_name():
    maps = {"mine": {name: LAYERS[name][:, :2] for name in ("conv1", "fc1")}}
    found = study_of(maps=maps)
    mine = found.with_map("mine")
    assert mine["conv1"].scores.skipped["displacement"] == NO_LAYER_BEFORE
    previous = Previous(found["conv1"].graph, LAYERS["conv1"][:, :2])
    direct = unknot.measure(
        LAYERS["fc1"], LABELS, LAYERS["fc1"][:, :2], "transition",
        graph=found["fc1"].graph, previous=previous,
    )  # fmt: skip
    assert_same(mine["fc1"].scores, direct)
    assert mine["fc1"].scores["displacement"].value != found["fc1"].scores["displacement"].value
    assert "fc1 by mine: its transition is from conv1" in " ".join(found.notes)


def test_two_studies_are_compared_by_them(study):
    other = study_of({"conv1": LAYERS["conv1"], "fc1": 2 * LAYERS["fc1"] + APART})
    rows = study.compare(other, layers=["conv1", "fc1"]).rows
    names = {row.measure for row in rows if row.layers[0] == "fc1"}
    assert set(NAMES) <= names


def test_transitions_from_different_layers_are_no_difference_between_studies(study):
    other = study_of({"conv0": np.tanh(POINTS[:, 2:8]), "fc1": LAYERS["fc1"]})
    comparison = study.compare(other, layers=["fc1"])
    for row in comparison.rows:
        if row.measure in NAMES:
            assert row.no_interval == "they are transitions from different layers, conv1 and conv0"
            assert row.p is row.untangled is row.interval is None
        else:
            assert row.interval is not None
    assert "they are transitions from different layers" in str(comparison)
    # Layers that are compared with each other may have other names.
    named = study.compare(other, layers={"conv1": "conv0", "fc1": "fc1"})
    assert all(row.interval is not None for row in named.rows if row.layers[0] == "fc1")
    # In one study every layer has another one before it.
    assert any(row.interval for row in study.compare_layers("transition").rows)


def test_each_epoch_is_compared_within_itself(tmp_path):
    recorder = EpochRecorder(
        (POINTS, LABELS), out=tmp_path / "study", **fast(measures=MEASURES), untrained=False
    )
    for epoch in (0, 1):
        layers = {"conv1": LAYERS["conv1"], "fc1": LAYERS["conv1"] + (1 + 3 * epoch) * APART}
        recorder.record(layers, epoch)
    found = recorder.study()
    values = []
    for epoch in (0, 1):
        there = found.epochs[epoch]
        assert there["inputs"].scores.skipped["displacement"] == NO_LAYER_BEFORE
        assert_same(there["fc1"].scores, expected(there, "fc1", "conv1"))
        values.append(there["fc1"].scores["kept_neighbors"].value)
    assert values[0] > values[1]


def test_controls_which_have_no_maps_have_none_of_them():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.ReLU(), torch.nn.Linear(6, 4))
    found = study_of(network)
    assert found.controls["untrained"]
    for layer, scores in found.controls["untrained"].items():
        if layer == "inputs":
            continue
        assert list(scores) == ["neighborhood_hit"]
        assert not scores.skipped
    *_, last = found.values()
    assert set(NAMES) <= set(last.scores)
