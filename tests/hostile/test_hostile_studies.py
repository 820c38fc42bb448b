"""Folders of studies from strangers: nothing in them runs, hangs, or leads outside."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import unknot
from unknot.studies import Study, StudyError

STORED = Path(__file__).parents[1] / "studies" / "data" / "study-1"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(STORED, tmp_path / "study"))


def read_all(folder):
    """Read everything that a study holds."""
    study = Study.load(folder)
    for one in (study, *study.epochs.values()):
        for layer in one.layers.values():
            if layer.points is not None:
                np.asarray(layer.points[:])
            _ = layer.graph


def change(folder, edit, name="study.json"):
    path = folder / name
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def array_of(folder, name="map"):
    return sorted(folder.glob(f"parts/*/{name}"))[0]


def write_v2_pickle(path, payload):
    """An array in Zarr's older format, whose compressor unpickles."""
    import pickle

    shutil.rmtree(path)
    path.mkdir()
    described = {
        "zarr_format": 2,
        "shape": [40, 2],
        "chunks": [40, 2],
        "dtype": "<f4",
        "compressor": {"id": "pickle", "protocol": 5},
        "fill_value": 0.0,
        "order": "C",
        "filters": None,
    }
    (path / ".zarray").write_text(json.dumps(described))
    (path / "0.0").write_bytes(pickle.dumps(payload))


@pytest.mark.parametrize("name", ["labels", "map", "predictions", "graph/indices", "points"])
def test_arrays_that_unpickle_are_not_opened(folder, marker, name):
    """Some versions of Zarr run them, unless they are told which format to read."""
    write_v2_pickle(array_of(folder, name), marker.payload)
    with pytest.raises(StudyError, match="holds a study that is damaged"):
        read_all(folder)


@pytest.mark.parametrize(
    "edit",
    [
        {"data_type": "string"},
        {"node_type": "group"},
        {"codecs": [{"name": "numcodecs.pickle"}]},
        {"codecs": [{"name": "bytes"}, {"name": "sharding_indexed"}]},
        {"storage_transformers": [{"name": "other"}]},
        {"shape": [10**12, 2]},
        {"shape": [-1, 2]},
        {"shape": "long"},
        {"zarr_format": 2},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_arrays_of_another_kind_are_not_read(folder, edit):
    array = array_of(folder, "thumbnails" if "shape" in edit else "map")
    path = array.relative_to(folder) / "zarr.json"
    change(folder, lambda content: content.update(edit), path)
    record = array.parent / "part.json"
    size = (folder / path).stat().st_size
    change(
        folder,
        lambda content: content["files"][f"{array.name}/zarr.json"].__setitem__(0, size),
        record.relative_to(folder),
    )
    with pytest.raises(StudyError, match="is damaged"):
        read_all(folder)


def test_chunks_that_grow_are_not_read(folder):
    """The frame says that it holds 16 TB."""
    (chunk,) = array_of(folder, "map").glob("c/0/*")
    content = bytearray(chunk.read_bytes())
    content[4] |= 0xE0
    content[5:13] = (2**44).to_bytes(8, "little")
    chunk.write_bytes(content)
    (record,) = chunk.parents[3].glob("part.json")
    name = chunk.relative_to(record.parent).as_posix()
    change(
        folder,
        lambda content: content["files"][name].__setitem__(0, chunk.stat().st_size),
        record.relative_to(folder),
    )
    with pytest.raises(StudyError, match="does not say that it holds at most 320 bytes"):
        read_all(folder)


@pytest.mark.parametrize(
    "name", ["study.json", "seconds.json", "parts", "part", "array", "chunk", "scores", "record"]
)
@pytest.mark.parametrize("kind", ["link", "pipe", "device"])
def test_what_is_no_ordinary_file_is_not_read(folder, outside, name, kind):
    """A pipe would be waited for, /dev/zero read for ever, a link followed."""
    part = array_of(folder).parent
    path = {
        "parts": folder / "parts",
        "part": part,
        "array": part / "map",
        "chunk": part / "map" / "c" / "0" / "0",
        "scores": part / "scores.json",
        "record": part / "part.json",
    }.get(name, folder / name)
    moved = path.rename(folder.parent / "moved")
    if kind == "link":
        path.symlink_to(moved)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif hasattr(os, "mkfifo"):
        os.mkfifo(path)
    with pytest.raises(ValueError, match=r"is damaged|is not the folder of a study"):
        read_all(folder)


@pytest.mark.parametrize(
    "edit",
    [
        {"labels": "../outside/labels"},
        {"labels": "/etc"},
        {"parts": ["../outside"]},
        {"parts": ["/etc"]},
        {"parts": 3},
        {"predictions": "parts/../../outside"},
        {"snippets": "../outside/precious.txt"},
        {"layers": {}},
        {"layers": [{"name": "x"}]},
        {"layers": None},
        {"class_names": 5},
        {"controls": {"untrained": {"inputs": "../outside/precious.txt"}}},
        {"epochs": {"one": {}}},
        {"epochs": []},
        {"version": "1"},
        {"labels": None},
        {"notes": 7},
        {"notes": [10**400]},
        {"name": -1},
        {"class_names": [1.5, "b", "c"]},
        {"class_names": [[[]], "b", "c"]},
        {"versions": 0},
        {"settings": []},
    ],
    ids=str,
)
def test_whatever_the_manifest_says_it_is_one_error(folder, outside, edit):
    change(folder, lambda content: content.update(edit))
    with pytest.raises(StudyError, match=r"holds a study that is damaged") as caught:
        read_all(folder)
    assert len(str(caught.value)) < 900


@pytest.mark.parametrize(
    "edit",
    [
        {"reduction": "x"},
        {"reduction": 10**30},
        {"reduction": {"pool": ["x"]}},
        {"reduction": {"projection": "sparse random", "from": "a", "to": 2}},
        {"reduction": {"projection": "sparse random"}},
        {"shape": [None]},
        {"shape": ["3"]},
        {"kl_divergence": {"a": 1}},
        {"name": 3},
        {"notes": "text"},
        {"influences": {"path": 1, "measures": ["nc1"]}},
        {"influences": {"path": "parts", "measures": "nc1"}},
    ],
    ids=str,
)
def test_whatever_the_manifest_says_of_a_layer_it_is_one_error(folder, edit):
    change(folder, lambda content: content["layers"][0].update(edit))
    with pytest.raises(StudyError, match=r"holds a study that is damaged: study\.json") as caught:
        read_all(folder)
    assert len(str(caught.value)) < 900


def change_scores(folder, edit):
    """Edit the scores of a layer as a stranger would: its part's record tells of the new ones."""
    path = min(folder.glob("parts/*/scores.json"))
    change(folder, edit, path.relative_to(folder))
    record = path.parent / "part.json"
    described = json.loads(record.read_text())
    described["files"][path.name][0] = path.stat().st_size
    record.write_text(json.dumps(described))


@pytest.mark.parametrize(
    "edit",
    [
        {"classes": [{}, 1, 2]},
        {"classes": [0, 1, 7]},
        {"classes": [0, 0, 1]},
        {"classes": float("inf")},
        {"classes": "abc"},
        {"counts": [1]},
        {"settings": {"k": "x"}},
        {"settings": {"k": float("inf")}},
        {"settings": {"preprocess": 1.5}},
        {"skipped": {"nc1": 3}},
        {"notes": [None]},
        {"shared_seconds": {"graph": []}},
    ],
    ids=str,
)
def test_scores_of_other_types_are_refused(folder, edit):
    change_scores(folder, lambda content: content.update(edit))
    with pytest.raises(StudyError, match=r"damaged: parts/.*scores\.json cannot be read") as caught:
        read_all(folder)
    assert len(str(caught.value)) < 900


@pytest.mark.parametrize(
    "edit",
    [
        {"higher_is_better": -1},
        {"higher_is_better": []},
        {"n_samples": ""},
        {"n_samples": float("inf")},
        {"n_samples": {"a": 1}},
        {"per_class": [None]},
        {"per_class": [[]]},
        {"per_pair": [1.0]},
        {"interval": [1.0]},
        {"range": None},
        {"value": True},
        {"null": []},
        {"standard_error": [1]},
        {"notes": [3]},
        {"space": "elsewhere"},
        {"title": None},
        {"more": 1},
    ],
    ids=str,
)
def test_a_score_of_another_type_is_refused(folder, edit):
    def change_one(content):
        score = content["scores"][0]
        score.pop("better")  # as the first releases called it
        score.update({"higher_is_better": True, **edit})

    change_scores(folder, change_one)
    with pytest.raises(StudyError, match=r"damaged: parts/.*scores\.json cannot be read") as caught:
        read_all(folder)
    assert len(str(caught.value)) < 900


@pytest.mark.parametrize(
    "read",
    [
        lambda study, layer: np.asarray(layer.points),
        lambda study, layer: layer.points[3:5],
        lambda study, layer: layer.points[[0, 2]],
        lambda study, layer: layer.points.oindex[[0, 2]],
        lambda study, layer: study.similarity(),
        lambda study, layer: study.compare(study.select(list(study))),
        lambda study, layer: unknot.measure(layer.points, study.labels, measures="nc1"),
    ],
    ids=["array", "slice", "index", "oindex", "similarity", "compare", "measure"],
)
def test_points_that_are_damaged_are_named_when_they_are_read(folder, read):
    for chunk in folder.glob("parts/*/points/c/**/0"):
        if chunk.is_file():
            content = chunk.read_bytes()
            chunk.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    study = Study.load(folder)
    with pytest.raises(StudyError, match=r"is damaged: parts/.* cannot be read \(.*checksum"):
        read(study, study["inputs"])


def test_points_on_disk_stay_arrays_of_zarr(folder):
    import pickle

    import zarr

    points = Study.load(folder)["inputs"].points
    assert isinstance(points, zarr.Array)
    assert np.array_equal(pickle.loads(pickle.dumps(points))[:], points[:])
    assert np.array_equal(points[[2, 0]], points[:][[2, 0]])
    with pytest.raises(IndexError):
        points[10**6]


@pytest.mark.parametrize("name", ["study.json", "seconds.json", "scores.json"])
def test_json_without_end(folder, name):
    path = folder / name if name != "scores.json" else array_of(folder).parent / name
    for content in ("[" * 200_000, '{"a":' * 100_000, b"\xff" * 100):
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(StudyError, match=r"is damaged|is of something else"):
            read_all(folder)


def test_neighbors_that_do_not_exist_are_refused(folder):
    """They would be places in memory."""
    import zarr

    graph = array_of(folder, "graph")
    stored = zarr.open_array(store=graph / "indices", mode="r+")
    stored[0, 0] = 2**30
    size = (graph / "indices/c/0/0").stat().st_size
    change(
        folder,
        lambda content: content["files"]["graph/indices/c/0/0"].__setitem__(0, size),
        (graph.parent / "part.json").relative_to(folder),
    )
    with pytest.raises(StudyError, match=r"graph cannot be read \(indices must name samples"):
        read_all(folder)


@pytest.mark.parametrize("name", ["figures", "figures/maps.png", "report.html", "figures/maps.svg"])
def test_nothing_is_written_through_a_link(call, folder, outside, name):
    target = outside if name == "figures" else outside / "precious.txt"
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).symlink_to(target)
    command = ["report", folder] if name == "report.html" else ["show", folder]
    code, _, said = call(*command)
    assert code == 2
    assert "is a link; unknot follows none inside its folders" in said


@pytest.mark.parametrize("name", ["parts", "study.json", "seconds.json", ".lock", ".unknot"])
def test_a_new_study_follows_no_link(folder, outside, name, call):
    if (folder / name).exists():
        (folder / name).rename(folder / f"{name}-moved")
    (folder / name).symlink_to(outside if name == "parts" else outside / "precious.txt")
    study = Study.load(STORED)
    with pytest.raises(OSError, match=r"is a link|not an ordinary file|holds something else"):
        study.save(folder)


def test_a_part_that_links_outside_is_not_used(folder, outside, tmp_path):
    labels = np.repeat([0, 1], 20)
    layers = {"a": np.random.default_rng(0).normal(size=(40, 3)) + labels[:, None]}
    options = {"measures": "neighborhood_hit", "max_iter": 250, "progress": False}
    target = tmp_path / "made"
    unknot.study(layers, (None, labels), out=target, **options)
    (part,) = target.glob("parts/*-map-*")
    part.rename(tmp_path / "moved")
    part.symlink_to(outside)
    with pytest.raises(OSError, match="is a link; unknot follows none"):
        unknot.study(layers, (None, labels), out=target, **options)


@pytest.mark.parametrize("kept", ["study.json", "parts/new.csv", ".unknot", "linked.csv", "scores"])
@pytest.mark.parametrize(
    "command",
    [
        ["compare", "{study}", "--csv"],
        ["show", "{study}", "--csv"],
        ["report", "{study}", "--out"],
        ["report", "{other}", "--out"],
    ],
    ids=lambda command: f"{command[0]} {command[1]}",
)
def test_no_command_writes_over_the_results_of_a_study(call, folder, tmp_path, command, kept):
    other = shutil.copytree(folder, tmp_path / "other")
    target = folder / kept
    if kept == "linked.csv":
        target = tmp_path / kept
        target.symlink_to(folder / "study.json")
    elif kept == "scores":
        target = min(folder.glob("parts/*/scores.json"))
    elif kept == ".unknot":
        target.write_text("{}")  # as of no study, and so of none that it could be mistaken for
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    words = [word.format(study=folder, other=other) for word in command]
    code, out, err = call(*words, target)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{target} is, or would be, one of the files of the study or lab in {folder}" in err
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_beside_its_results_a_folder_takes_what_is_named(call, folder):
    for name in ("scores.csv", "tables/scores.csv"):
        code, _, err = call("show", folder, "--csv", folder / name)
        assert (code, err) == (0, "")
        assert (folder / name).read_text().startswith("network,layer,measure")
