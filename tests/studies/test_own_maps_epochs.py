"""Maps beside t-SNE's at each epoch of a training: made by an estimator, or given."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from unknot.report import build_payload
from unknot.report._packing import unpack
from unknot.studies import EpochRecorder, Study

LABELS = np.repeat([0, 1, 2], 30)
PIXELS = np.random.default_rng(0).normal(size=(90, 6)).astype("f4")
OPTIONS = {
    "measures": ["neighborhood_hit", "map_neighborhood_hit"], "max_iter": 250, "progress": False,
    "perplexity": 8,
}  # fmt: skip


def layers_at(epoch):
    moved = PIXELS + epoch * 2 * np.eye(6)[LABELS]
    return {"fc1": moved.astype("f4"), "fc2": (2 * moved + 1).astype("f4")}


def recorder_of(**more):
    recorder = EpochRecorder((PIXELS, LABELS), **{**OPTIONS, **more})
    for epoch in (0, 1, 3):
        recorder.capture(layers_at(epoch), epoch)
    return recorder


def given(epochs=(1, 3)):
    return {"mine": {epoch: {"fc2": layers_at(epoch)["fc2"][:, :2]} for epoch in epochs}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("epochs") / "study"


@pytest.fixture(scope="module")
def study(folder):
    return recorder_of(mapper={"flat": PCA(2)}, out=folder).study(maps=given())


def distances(map_):
    return np.linalg.norm(map_[:, None] - map_[None], axis=2)


def test_every_epoch_has_the_estimators_map_of_every_layer(study):
    flat = study.with_map("flat")
    assert list(flat.epochs) == [0, 1, 3]
    for epoch, there in flat.epochs.items():
        for name in ("fc1", "fc2"):
            alone = PCA(2).fit_transform(layers_at(epoch)[name])
            np.testing.assert_allclose(distances(there[name].map), distances(alone), atol=1e-3)
            assert there[name].map.shape == (90, 2)
            assert "map_neighborhood_hit" in there[name].scores
            assert there[name].kl_divergence is None
    assert np.array_equal(flat["fc2"].map, flat.epochs[3]["fc2"].map)


def test_maps_are_turned_to_those_of_the_epoch_before(study):
    flat = study.with_map("flat")
    for before, after in ((0, 1), (1, 3)):
        one, other = (
            each - each.mean(axis=0)
            for each in (flat.epochs[before]["fc1"].map, flat.epochs[after]["fc1"].map)
        )
        # No rotation brings it nearer: the product of both is symmetric and has no negative value.
        product = one.T @ other
        np.testing.assert_allclose(product, product.T, rtol=1e-3, atol=1e-3 * np.abs(product).max())
        assert np.linalg.eigvalsh(product).min() > 0


def test_a_given_map_is_of_its_epoch_alone(study):
    mine = study.with_map("mine")
    assert mine.epochs[0]["fc2"].map is None
    for epoch in (1, 3):
        np.testing.assert_array_equal(mine.epochs[epoch]["fc2"].map, layers_at(epoch)["fc2"][:, :2])
        assert mine.epochs[epoch]["fc1"].map is None
    assert set(mine.epochs[0]["fc2"].scores) == {"neighborhood_hit"}
    assert mine.epochs[3]["fc2"].scores["map_neighborhood_hit"].value > 0


def test_maps_of_an_early_epoch_alone_are_known_too():
    study = recorder_of().study(maps=given((0,)))
    assert study.maps == ("t-SNE", "mine")
    mine = study.with_map("mine")
    assert mine["fc2"].map is None
    assert mine.epochs[0]["fc2"].map is not None
    assert mine.with_map("t-SNE").epochs[3]["fc2"].map is not None


def test_they_are_loaded_reused_and_come_back(study, folder):
    loaded = Study.load(folder)
    for name in ("flat", "mine"):
        for epoch in (0, 1, 3):
            one, other = (each.with_map(name).epochs[epoch]["fc2"] for each in (study, loaded))
            assert (one.map is None) == (other.map is None)
            assert one.map is None or np.array_equal(one.map, other.map)
    again = loaded.with_map("flat").with_map("t-SNE")
    assert np.array_equal(again.epochs[1]["fc1"].map, loaded.epochs[1]["fc1"].map)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("parts/*own-map*/**/*")}
    recorder_of(mapper={"flat": PCA(2)}, out=folder).study(maps=given())
    assert before
    for path, time in before.items():
        assert path.stat().st_mtime_ns == time


def test_the_page_switches_at_every_epoch(study):
    payload = build_payload(study)
    assert [entry["name"] for entry in payload["maps"]] == ["t-SNE", "flat", "mine"]
    changes = {tuple(path): value for path, *value in payload["maps"][1]["changes"]}
    names = [layer["name"] for layer in payload["models"][0]["layers"]]
    at = ("models", 0, "epochs", "moments", 0, "layers", names.index("fc1"), "map")
    (low, high), packed = changes[*at, "xRange"][0], changes[*at, "x"][0]
    shown = unpack(packed) / 65535 * (high - low) + low
    np.testing.assert_allclose(
        shown, study.with_map("flat").epochs[0]["fc1"].map[:, 0], atol=1e-3 * (high - low)
    )


def test_a_page_of_other_maps_calls_them_by_their_name(study):
    payload = build_payload(study.with_map("flat"))
    assert [entry["name"] for entry in payload["maps"]] == ["flat", "t-SNE", "mine"]


@pytest.mark.parametrize(
    ("maps", "error", "words"),
    [
        ([1], TypeError, "maps must be a dict of names to dicts of epochs"),
        ({"mine": {}}, TypeError, "dict of epochs to dicts of layers to maps.*got {}"),
        ({"mine": {2: {"fc1": PIXELS[:, :2]}}}, ValueError, "epoch 2.*captured are 0, 1, 3"),
        (
            {"mine": {1: {"fc1": PIXELS[:5, :2]}}},
            ValueError,
            r"\[1\]\['fc1'\] must have the shape \(90, 2\)",
        ),
        ({"mine": {1: {"fc9": PIXELS[:, :2]}}}, ValueError, r"mine'\]\[1\]: .* no layer 'fc9'"),
        ({"mine": {1: {"fc1": PIXELS[:, :2] * np.nan}}}, ValueError, "must be finite"),
        ({"flat": {1: {"fc1": PIXELS[:, :2]}}}, ValueError, "'flat', which is taken"),
        ({"t-SNE": {1: {"fc1": PIXELS[:, :2]}}}, ValueError, "'t-SNE', which is taken"),
    ],
)
def test_wrong_maps_are_refused(maps, error, words):
    with pytest.raises(error, match=words):
        recorder_of(mapper={"flat": PCA(2)}).study(maps=maps)


def test_a_wrong_mapper_is_refused_before_the_training():
    with pytest.raises(TypeError, match="mapper must be an estimator with fit_transform"):
        EpochRecorder((PIXELS, LABELS), mapper=PCA)
