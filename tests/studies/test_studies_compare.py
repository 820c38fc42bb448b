"""Differences of scores with intervals and p values, of two studies and of the layers of one."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from studies_settings import fast

import unknot
from unknot.metrics import holm
from unknot.studies import StudyError

STORED = Path(__file__).parent / "data" / "study-1"


def study_of(digits, layers, **options):
    return unknot.study(layers, digits, **fast(untrained=False, **options))


@pytest.fixture(scope="module")
def better(digits, layers):
    """The same samples in another network, whose first layer is better."""
    apart = np.eye(12, dtype=np.float32)[digits.labels]
    fc1 = layers["fc1"] + 20 * apart
    return study_of(digits, {**layers, "fc1": fc1, "dropout": fc1.copy()}, name="better")


def row_of(comparison, layer, measure="neighborhood_hit"):
    return next(row for row in comparison if (row.layer, row.measure) == (layer, measure))


def test_a_better_layer_is_found_and_equal_ones_are_not(study, better):
    found = study.compare(better)
    assert found.paired
    hit = row_of(found, "fc1")
    assert hit.untangled == "second"
    assert hit.p <= hit.p_corrected < 1e-3
    assert hit.interval[0] > 0
    assert hit.interval[0] < hit.difference < hit.interval[1]
    same = row_of(found, "fc2")
    assert (same.difference, same.p, same.p_corrected, same.untangled) == (0, 1, 1, None)
    assert same.interval == (0, 0)
    # NC1 is lower where classes are more untangled.
    assert row_of(found, "fc1", "nc1").untangled in ("second", None)


def test_the_other_way_round_signs_change(study, better):
    there, back = row_of(study.compare(better), "fc1"), row_of(better.compare(study), "fc1")
    assert back.difference == -there.difference
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))
    assert back.p == pytest.approx(there.p)
    assert back.untangled == "first"


def test_p_values_are_corrected_once_for_layer_and_view(study, better):
    found = study.compare(better)
    # The dropout is a view of fc1 in both. The inputs and fc2 are the same; their maps are not,
    # which are coupled with that of fc1.
    counted = [row for row in found if row.layer == "fc1"]
    counted += [row for row in found if row.layer in ("inputs", "fc2") and row.given_map]
    assert len(counted) == 9
    assert found.n_compared == 9
    expected = holm([row.p for row in counted])
    assert [row.p_corrected for row in counted] == pytest.approx(expected.tolist())
    assert row_of(found, "dropout").p_corrected == row_of(found, "fc1").p_corrected
    one = study.compare(better, measures="neighborhood_hit")
    assert [row.measure for row in one] == ["neighborhood_hit"] * len(one)
    assert row_of(one, "fc1").p_corrected < row_of(found, "fc1").p_corrected


def test_a_family_of_measures_can_be_named(study, better):
    found = study.compare(better, ["fc1"], measures=["neighborhood", "two_nn"])
    assert {row.measure for row in found} == {"neighborhood_hit", "map_neighborhood_hit", "two_nn"}
    with pytest.raises(ValueError, match="no score 'neighborhod_hit' to compare; did you mean 'ne"):
        study.compare(better, measures="neighborhod_hit")


def test_scores_of_maps_are_said_to_be_given_the_map(study, better):
    found = study.compare(better)
    given = {row.measure for row in found if row.given_map}
    assert given == {"map_neighborhood_hit", "trustworthiness"}
    assert "† given these maps: other samples have other maps." in str(found)
    assert "†" not in str(study.compare(better, measures="nc1"))


def test_a_study_saved_and_loaded_compares_the_same(study, better, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    study.save(first)
    better.save(second)
    loaded = unknot.Study.load(first), unknot.Study.load(second)
    assert loaded[0].compare(loaded[1]).to_dict() == study.compare(better).to_dict()
    assert loaded[0].compare_layers().to_dict() == study.compare_layers().to_dict()


def test_influences_are_stored_as_one_array_a_layer(study, folder):
    layer = json.loads((folder / "study.json").read_text())["layers"][1]
    array = unknot.studies._store.format.read_zarr(folder, layer["influences"]["path"])
    assert array.dtype == np.float32
    assert array.shape == (200, len(layer["influences"]["measures"]))
    held = study["fc1"].influences
    assert list(held) == layer["influences"]["measures"]
    number = layer["influences"]["measures"].index("nc1")
    np.testing.assert_array_equal(held["nc1"], array[:, number])
    points = study["fc1"].points[...]
    scores = unknot.measure(
        points, study.labels, measures="nc1", k=6, n_resamples=20, n_permutations=3
    )
    np.testing.assert_allclose(held["nc1"], scores["nc1"].influence, rtol=1e-4, atol=1e-7)


def test_influences_are_read_when_they_are_used(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "study")
    layer = json.loads((tmp_path / "study" / "study.json").read_text())["layers"][1]
    found = unknot.Study.load(tmp_path / "study")
    chunk = tmp_path / "study" / layer["influences"]["path"] / "c" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[0] ^= 1
    chunk.write_bytes(content)
    assert found["fc1"].scores["nc1"].value > 0
    with pytest.raises(StudyError, match="influences cannot be read"):
        found.compare_layers()


def test_influences_of_another_shape_are_damage(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "study")
    path = tmp_path / "study" / "study.json"
    manifest = json.loads(path.read_text())
    manifest["layers"][1]["influences"]["measures"].append("more")
    path.write_text(json.dumps(manifest))
    with pytest.raises(StudyError, match=r"float32 \(200, 5\), and there are 6 measures"):
        unknot.Study.load(tmp_path / "study")["fc1"].influences  # noqa: B018


def test_influences_of_other_samples_are_refused(study):
    fewer = {name: values[:9] for name, values in study["fc1"].influences.items()}
    layers = {**study.layers, "fc1": replace(study["fc1"], influences=fewer)}
    with pytest.raises(ValueError, match=r"layer 'fc1' have the shape \(9,\), and there are 200"):
        replace(study, layers=layers).compare_layers()


def test_influences_that_are_not_finite_give_no_interval(study):
    broken = {name: values * np.inf for name, values in study["fc1"].influences.items()}
    layers = {**study.layers, "fc1": replace(study["fc1"], influences=broken)}
    found = replace(study, layers=layers).compare_layers("nc1")
    assert {row.no_interval for row in found} == {"how much some samples shift it is not finite"}
    assert json.loads(found.to_json())["rows"][0]["p"] is None


def test_a_study_stored_before_has_differences_without_intervals():
    old = unknot.Study.load(STORED)
    assert old["fc1"].influences is None
    found = old.compare_layers()
    assert len(found)
    for row in found:
        assert row.difference == row.second - row.first
        assert (row.interval, row.p, row.p_corrected, row.untangled) == (None, None, None, None)
        assert "how much each sample shifts it is not known" in row.no_interval
    text = " ".join(str(found).split())
    assert "or the study was stored before that was kept." in text


def test_scores_of_measure_are_enough(digits, layers):
    # A study built by hand, whose influences are those of its scores.
    made = {
        name: unknot.studies.LayerStudy(
            name, "array", points.shape[1:], points, scores=unknot.measure(
                points, digits.labels, measures=["nc1", "two_nn"], n_permutations=0
            )
        )
        for name, points in layers.items() if name in ("fc1", "fc2")
    }  # fmt: skip
    study = unknot.Study("made", made, digits.labels, tuple("0123456789"))
    found = study.compare_layers()
    assert [row.layer for row in found] == ["fc1 / fc2"] * 2
    assert all(row.p is not None for row in found)


def test_layers_are_compared_with_the_one_before(study):
    found = study.compare_layers("neighborhood_hit")
    # The dropout is a view, the dead layer has no scores.
    assert [row.layers for row in found] == [("inputs", "fc1"), ("fc1", "fc2")]
    assert [row.layer for row in found] == ["inputs / fc1", "fc1 / fc2"]
    hits = [study[name].scores["neighborhood_hit"].value for name in ("inputs", "fc1", "fc2")]
    assert [row.difference for row in found] == [hits[1] - hits[0], hits[2] - hits[1]]
    assert found.title == "made up: each layer less the one before it"


def test_layers_are_compared_with_a_reference(study):
    found = study.compare_layers("nc1", reference="fc2")
    assert [row.layers for row in found] == [("fc2", "inputs"), ("fc2", "fc1")]
    assert str(found).startswith("made up: each layer less fc2")
    assert [row.layers for row in study.compare_layers("nc1", "dropout")] == [
        ("fc1", "inputs"), ("fc1", "fc2"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no layer 'fc9'; did you mean 'fc"):
        study.compare_layers(reference="fc9")
    with pytest.raises(ValueError, match="reference must name one layer; 'fc\\*' matches fc1, fc2"):
        study.compare_layers(reference="fc*")
    with pytest.raises(ValueError, match="reference: the layer 'dead' has no scores"):
        study.compare_layers(reference="dead")


def test_one_layer_cannot_be_compared(study):
    with pytest.raises(ValueError, match=r"needs at least two with scores, .* made up has fc2"):
        study.select(["fc2", "dead"]).compare_layers()


def test_other_samples_are_refused_by_name(study, better, digits, layers):
    fewer = {name: points[:150] for name, points in layers.items()}
    other = study_of(digits.take(np.arange(150)), fewer, name="fewer")
    message = (
        "made up and fewer cannot be paired: .*the first has 200 samples, the second 150.* "
        r"paired=False \(--independent\)"
    )
    with pytest.raises(ValueError, match=message):
        study.compare(other)
    order = np.random.default_rng(0).permutation(200)
    shuffled = study_of(
        digits.take(order), {name: points[order] for name, points in layers.items()}, name="turned"
    )
    with pytest.raises(ValueError, match=r"made up and turned cannot be paired: .*inputs differ"):
        study.compare(shuffled)


def test_other_labels_are_refused_with_the_first_that_differs(study):
    labels = study.labels.copy()
    labels[3] = (labels[3] + 1) % 10
    other = replace(study, name="relabeled", labels=labels)
    names = study.class_names
    with pytest.raises(ValueError) as caught:
        study.compare(other)
    assert f"their labels differ, first at index 3 ('{names[study.labels[3]]}' and " in str(
        caught.value
    )
    numbers = replace(study, targets=study.labels.astype(float), labels=study.labels * 0 - 1)
    with pytest.raises(ValueError, match="their labels differ, first at index 0"):
        study.compare(numbers)


def test_independent_samples_have_the_sum_of_variances(study, digits, layers):
    fewer = {name: points[:150] for name, points in layers.items()}
    other = study_of(digits.take(np.arange(150)), fewer, name="fewer")
    found = study.compare(other, paired=False)
    assert not found.paired
    row = row_of(found, "fc1", "two_nn")
    errors = [each["fc1"].scores["two_nn"].standard_error for each in (study, other)]
    assert row.standard_error == pytest.approx(np.hypot(*errors))
    assert row.notes[0] == "computed from 200 and 150 points, which scores depend on"
    assert "Of independent samples" in str(found)


def test_pairing_is_sharper_than_not(study, digits, layers):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=layers["fc2"].shape).astype(np.float32)
    other = study_of(digits, {**layers, "fc2": layers["fc2"] + 0.3 * noise}, name="noisier")
    for measure in ("neighborhood_hit", "nc1"):
        paired, not_paired = (
            row_of(study.compare(other, paired=how), "fc2", measure) for how in (True, False)
        )
        assert paired.standard_error < 0.9 * not_paired.standard_error
        assert paired.p < not_paired.p


def test_measures_without_influences_have_differences_alone(digits, layers):
    two = {name: layers[name] for name in ("fc1", "fc2")}
    study = study_of(digits, two, measures=["manifold_capacity", "nc1"])
    rows = {row.measure: row for row in study.compare_layers() if row.layer == "fc1 / fc2"}
    capacity = rows["manifold_capacity"]
    assert (capacity.interval, capacity.p) == (None, None)
    assert capacity.no_interval
    assert rows["nc1"].p_corrected is not None


def test_settings_that_differ_are_said(study, digits, layers):
    other = study_of(digits, layers, name="by ten", k=10)
    (note,) = study.compare(other).notes
    assert note.startswith("k is 6 in made up and 10 in by ten: the scores that depend on it")
    assert "K is 6 in made up" in " ".join(str(study.compare(other)).split())


def test_unlabeled_samples_are_left_out_on_both_sides(digits, layers):
    labels = digits.labels.copy()
    labels[::4] = -1
    two = {name: layers[name] for name in ("fc1", "fc2")}
    study = study_of((digits.inputs, labels), two)
    held = study["fc1"].influences["nc1"]
    assert np.isnan(held[::4]).all()
    assert np.isfinite(held[labels >= 0]).all()
    alone = study_of(
        digits.take(np.flatnonzero(labels >= 0)),
        {name: points[labels >= 0] for name, points in two.items()},
        measures=["nc1"],
    )
    mine, theirs = (row_of(each.compare_layers(), "fc1 / fc2", "nc1") for each in (study, alone))
    assert mine.interval == pytest.approx(theirs.interval)
    assert mine.p == pytest.approx(theirs.p)


def test_every_labeling_has_its_own(digits, layers, tmp_path):
    two = {name: layers[name] for name in ("fc1", "fc2")}
    data = (digits.inputs, {"digit": digits.labels, "odd": digits.labels % 2})
    out = tmp_path / "study"
    study = study_of(data, two, out=out)
    again = tmp_path / "again"
    study.save(again)
    for each in (study, unknot.Study.load(again)):
        odd = each.labelings["odd"]
        digit, other = (view["fc1"].influences["nc1"] for view in (each, odd))
        assert np.abs(digit - other).max() > 0
        assert row_of(odd.compare_layers(), "fc1 / fc2", "nc1").p is not None
    first = study.labelings["odd"].compare_layers().to_dict()
    assert unknot.Study.load(again).labelings["odd"].compare_layers().to_dict() == first


def test_epochs_are_compared(digits):
    recorder = unknot.studies.EpochRecorder(digits, **fast())
    pixels = digits.inputs.reshape(200, -1)[:, 20:40].astype(np.float32)
    apart = np.eye(20, dtype=np.float32)[digits.labels]
    for epoch in (1, 2):
        recorder.capture({"fc1": pixels + (epoch - 1) * apart}, epoch)
    epochs = recorder.study().epochs
    assert row_of(epochs[1].compare(epochs[2]), "fc1").untangled == "second"


def test_a_selection_of_classes_has_no_influences(study):
    assert study.select(classes=[0, 1])["fc1"].influences is None
    assert study.select("fc1")["fc1"].influences is not None


def test_tables_as_files(study, better, tmp_path):
    found = study.compare(better)
    path = tmp_path / "differences.csv"
    found.to_csv(path)
    with path.open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(found)
    hit = next(r for r in rows if (r["layer"], r["measure"]) == ("fc1", "neighborhood_hit"))
    expected = row_of(found, "fc1")
    assert (float(hit["low"]), float(hit["high"])) == expected.interval
    assert float(hit["p_corrected"]) == expected.p_corrected
    assert (hit["first_layer"], hit["second_layer"]) == ("fc1", "fc1")
    assert list(found.to_pandas().columns) == list(rows[0])
    values = json.loads(found.to_json())
    assert values["names"] == ["made up", "better"]
    assert values["rows"][0]["interval"] == [0.0, 0.0]


def test_scores_of_a_study_say_which_intervals_are_given_the_map(study):
    given = {row["measure"] for row in study.scores.rows() if row["given_map"]}
    assert given == {"map_neighborhood_hit", "trustworthiness"}
