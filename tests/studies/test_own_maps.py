"""Maps beside t-SNE's: given or made by an estimator, measured, stored, reused and compared."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

import unknot
from unknot.studies import OwnMap, Study, StudyError

LABELS = np.repeat([0, 1, 2], 40)
POINTS = np.random.default_rng(0).normal(size=(120, 6)) + 3 * np.eye(6)[LABELS]
LAYERS = {"fc1": POINTS.astype("f4"), "fc2": (POINTS + 9 * np.eye(6)[LABELS]).astype("f4")}
GIVEN = {"mine": {"fc1": POINTS[:, :2]}}
MEASURES = ["neighborhood_hit", "map_neighborhood_hit", "trustworthiness", "linear_probe"]
OPTIONS = {"measures": MEASURES, "max_iter": 250, "progress": False, "perplexity": 10}


def study_of(**more):
    data = (POINTS, LABELS)
    return unknot.study(LAYERS, data, **{"maps": GIVEN, "mapper": PCA(2), **OPTIONS, **more})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("own") / "study"


@pytest.fixture(scope="module")
def study(home):
    return study_of(out=home)


def test_a_given_map_is_kept_and_measured(study):
    assert study.maps == ("t-SNE", "mine", "PCA") or study.maps == ("t-SNE", "PCA", "mine")
    mine = study.with_map("mine")
    np.testing.assert_array_equal(mine["fc1"].map, POINTS[:, :2].astype("f4"))
    direct = unknot.measure(
        LAYERS["fc1"], LABELS, POINTS[:, :2].astype("f4"), MEASURES, n_resamples=50,
        n_permutations=3, max_samples=300, probe_max_samples=1000,
    )  # fmt: skip
    for name in ("map_neighborhood_hit", "trustworthiness"):
        assert mine["fc1"].scores[name].value == pytest.approx(direct[name].value)
        assert mine["fc1"].scores[name].value != study["fc1"].scores[name].value
    # What knows nothing of maps is the same.
    assert mine["fc1"].scores["linear_probe"] == study["fc1"].scores["linear_probe"]


def test_a_layer_without_such_a_map_has_none(study):
    inputs = study.with_map("mine")["inputs"]
    assert inputs.map is None
    assert inputs.kl_divergence is None
    assert set(inputs.scores) == {"neighborhood_hit", "linear_probe"}


def test_an_estimator_maps_every_layer_as_by_itself(study):
    made = study.with_map("PCA")
    assert all(layer.map is not None for layer in made.values())
    expected = PCA(2).fit_transform(LAYERS["fc2"])
    # Turned as the layer before: the distances are the same.
    distances = [
        np.linalg.norm(map_[:, None] - map_[None], axis=2) for map_ in (made["fc2"].map, expected)
    ]
    np.testing.assert_allclose(*distances, atol=1e-4)


def test_the_usual_maps_come_back(study):
    again = study.with_map("PCA").with_map("t-SNE")
    assert set(again.maps) == set(study.maps)
    for name, layer in study.items():
        np.testing.assert_array_equal(again[name].map, layer.map)
        assert again[name].kl_divergence == layer.kl_divergence
        assert {k: s.value for k, s in again[name].scores.items()} == {
            k: s.value for k, s in layer.scores.items()
        }
    assert study.with_map("t-SNE") is study


def test_finished_maps_are_reused_and_others_made(home, study):
    done = []
    study_of(out=home, on_stage=lambda layer, stage, seconds, reused: done.append((stage, reused)))
    assert len(done) > 10
    assert all(reused for _, reused in done)
    done.clear()
    other = {"mine": {"fc1": POINTS[:, 1:3]}}
    study_of(
        out=home.with_name("other"), maps=other,
        on_stage=lambda layer, stage, seconds, reused: done.append((stage, reused)),
    )  # fmt: skip
    done.clear()
    study_of(
        out=home.with_name("other"),
        on_stage=lambda layer, stage, seconds, reused: done.append((stage, reused)),
    )
    anew = [stage for stage, reused in done if not reused]
    assert anew == ["map by mine", "scores of mine"]


def test_they_survive_saving_and_loading(study, tmp_path):
    study.save(tmp_path / "copy")
    loaded = Study.load(tmp_path / "copy")
    assert set(loaded.maps) == set(study.maps)
    for name in ("mine", "PCA"):
        for layer in ("inputs", "fc1"):
            one, other = (each.with_map(name)[layer] for each in (study, loaded))
            assert (one.map is None) == (other.map is None)
            assert {k: s.value for k, s in one.scores.items()} == {
                k: s.value for k, s in other.scores.items()
            }
    with pytest.raises(ValueError, match="maps by PCA; save the study that it was made from"):
        study.with_map("PCA").save(tmp_path / "no")


def test_a_damaged_map_is_told(home, tmp_path):
    import json
    import shutil

    shutil.copytree(home, tmp_path / "study")
    manifest = tmp_path / "study" / "study.json"
    values = json.loads(manifest.read_text())
    layer = next(each for each in values["layers"] if each["name"] == "fc1")
    layer["other_maps"]["PCA"]["map"] = layer["points"]
    manifest.write_text(json.dumps(values))
    with pytest.raises(StudyError, match="map must be float32"):
        Study.load(tmp_path / "study")


def test_studies_of_such_maps_are_compared(study):
    tsne, pca = (study.with_map(name) for name in ("t-SNE", "PCA"))
    rows = pca.compare(tsne, measures=["map_neighborhood_hit", "linear_probe"]).rows
    changed = {row.layer: row.difference for row in rows if row.measure == "map_neighborhood_hit"}
    for name, difference in changed.items():
        values = [each[name].scores["map_neighborhood_hit"].value for each in (pca, tsne)]
        assert difference == pytest.approx(values[1] - values[0])
    assert all(row.difference == 0 for row in rows if row.measure == "linear_probe")


def test_every_labeling_has_scores_of_them(tmp_path):
    other = np.arange(120) % 2
    found = unknot.study(
        LAYERS, (None, {"kind": LABELS, "side": other}), mapper={"flat": PCA(2)},
        out=tmp_path / "study", **OPTIONS,
    )  # fmt: skip
    for each in (found, Study.load(tmp_path / "study")):
        flat = each.with_map("flat")
        hits = {
            name: labeled["fc2"].scores["map_neighborhood_hit"].value
            for name, labeled in flat.labelings.items()
        }
        assert hits["kind"] > 0.95
        assert 0.3 < hits["side"] < 0.7


def test_rows_drawn_are_those_of_the_maps():
    drawn = study_of(max_samples=60, mapper=None)
    mine, points = drawn.with_map("mine")["fc1"].map, drawn["fc1"].points
    np.testing.assert_allclose(mine, points[:, :2], rtol=1e-6)


def test_classes_keep_their_part(study):
    part = study.select(classes=[1])
    np.testing.assert_array_equal(
        part.with_map("mine")["fc1"].map, POINTS[LABELS == 1, :2].astype("f4")
    )


class Broken:
    def fit_transform(self, points):
        return np.full((len(points), 2), np.nan)


NAN = POINTS[:, :2].copy()
NAN[7] = np.nan
BAD = {
    "unknown layer": ({"maps": {"U": {"fc9": POINTS[:, :2]}}}, ValueError, "no layer 'fc9'"),
    "rows": ({"maps": {"U": {"fc1": POINTS[:9, :2]}}}, ValueError, r"\(120, 2\).*got \(9, 2\)"),
    "columns": ({"maps": {"U": {"fc1": POINTS[:, :3]}}}, ValueError, r"got \(120, 3\)"),
    "nan": ({"maps": {"U": {"fc1": NAN}}}, ValueError, "1 samples are not, the first at index 7"),
    "text": ({"maps": {"U": {"fc1": np.full((120, 2), "x")}}}, TypeError, "real numbers"),
    "name": ({"maps": {"t-SNE": {"fc1": POINTS[:, :2]}}}, ValueError, "is taken"),
    "empty": ({"maps": {"U": {}}}, TypeError, "at least one; got none"),
    "no dict": ({"maps": [1]}, TypeError, "maps must be a dict of names"),
    "class": ({"mapper": PCA}, TypeError, "mapper must be an estimator with fit_transform"),
    "three": ({"mapper": PCA(3)}, ValueError, r"must return a map \(120, 2\); got \(120, 3\)"),
    "broken": ({"mapper": Broken()}, ValueError, "'Broken' at layer 'inputs' must be finite"),
    "same": ({"mapper": {"mine": PCA(2)}}, ValueError, "'mine', which is taken"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_maps_are_refused(case):
    arguments, error, words = BAD[case]
    with pytest.raises(error, match=words):
        study_of(**{"mapper": None, **arguments})


class Failing:
    def fit_transform(self, points):
        raise RuntimeError("out of order")


def test_what_a_mapper_raises_names_it_and_the_layer():
    with pytest.raises(RuntimeError, match="out of order") as raised:
        study_of(mapper=Failing())
    assert raised.value.__notes__ == ["raised by mapper 'Failing' at layer 'inputs'"]


def test_there_is_no_map_of_another_name(study):
    with pytest.raises(ValueError, match=r"maps by t-SNE, .*; got 'UMAP'"):
        study.with_map("UMAP")
    with pytest.raises(ValueError, match="map must be finite"):
        OwnMap(np.full((3, 2), np.inf, dtype="f4"))
    with pytest.raises(ValueError, match="must be of 120 samples; got 3"):
        replace(study["fc1"], other_maps={"U": OwnMap(np.zeros((3, 2), dtype="f4"))})


def test_figures_say_by_what_they_are(study):
    assert "Mapped by PCA" in study.with_map("PCA").figure().caption
    assert "t-SNE" in study.figure().caption


def test_each_of_several_studies_has_its_own(tmp_path):
    models = {"step 1": LAYERS, "step 2": {name: 2 * each for name, each in LAYERS.items()}}
    given = {"step 2": {"mine": {"fc1": POINTS[:, 2:4]}}}
    studies = unknot.study_many(
        models, (None, LABELS), out=tmp_path / "many", maps=given, mapper={"flat": PCA(2)},
        **OPTIONS,
    )  # fmt: skip
    assert studies["step 1"].maps == ("t-SNE", "flat")
    assert set(studies["step 2"].maps) == {"t-SNE", "flat", "mine"}
    mine = studies["step 2"].with_map("mine")["fc1"].map
    np.testing.assert_array_equal(mine, POINTS[:, 2:4].astype("f4"))
    epochs = studies.as_epochs().with_map("flat").epochs
    for name, epoch in (("step 1", 1), ("step 2", 2)):
        expected = studies[name].with_map("flat")["fc2"].map
        np.testing.assert_array_equal(epochs[epoch]["fc2"].map, expected)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (["step 1"], TypeError, "maps must be a dict of names of studies"),
        ({"stop 1": {}}, ValueError, "no study 'stop 1'.*did you mean 'step 1'"),
    ],
)
def test_maps_of_unknown_studies_are_refused(given, error, words, tmp_path):
    with pytest.raises(error, match=words):
        unknot.study_many(
            {"step 1": LAYERS}, (None, LABELS), out=tmp_path / "many", maps=given, **OPTIONS
        )
