"""A study on disk: whole or not at all, read as it was written, clear about what is wrong."""

import errno
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from studies_settings import fast

import unknot
from unknot.studies import Study, StudyError
from unknot.studies._store import format as _format

STORED = Path(__file__).parent / "data" / "study-1"


def assert_same(first, second):
    assert list(first) == list(second)
    for name, layer in first.items():
        other = second[name]
        for field in ("kind", "shape", "kl_divergence", "same_as", "notes", "reduction"):
            assert getattr(layer, field) == getattr(other, field)
        for field in ("map", "points"):
            mine, theirs = getattr(layer, field), getattr(other, field)
            assert (mine is None) == (theirs is None)
            if mine is not None:
                np.testing.assert_array_equal(mine[:], theirs[:])
        if layer.graph is not None:
            np.testing.assert_array_equal(layer.graph.indices, other.graph.indices)
            np.testing.assert_array_equal(layer.graph.distances, other.graph.distances)
    for field in ("labels", "predictions", "probabilities", "thumbnails"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
    for field in ("name", "class_names", "snippets", "settings", "versions", "notes", "seconds"):
        assert getattr(first, field) == getattr(second, field)
    assert first.scores.to_dict() == second.scores.to_dict()


def test_saved_and_loaded_it_is_the_same(study, tmp_path):
    study.save(tmp_path / "copy")
    assert_same(study, Study.load(tmp_path / "copy"))
    study.save(tmp_path / "again")
    files = [
        {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.name != "seconds.json"
        }
        for folder in (tmp_path / "copy", tmp_path / "again")
    ]
    assert files[0] == files[1]


def test_a_slice_can_be_saved(study, tmp_path):
    part = study.select(layers="fc2", classes=[1, 2])
    part.save(tmp_path / "part")
    assert_same(part, Study.load(tmp_path / "part"))


def test_points_stay_on_disk(study):
    import zarr

    assert isinstance(study["fc2"].points, zarr.Array)
    assert "graph" not in study["fc2"].__dict__


def test_another_study_is_replaced_whole(study, tmp_path, monkeypatch):
    target = tmp_path / "study"
    study.save(target)
    other = study.select("fc2")

    def full(path, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("unknot.studies._store.saving.write_zarr", full)
        with pytest.raises(OSError, match="is full: data could not be written") as caught:
            other.save(target)
        assert caught.value.errno == errno.ENOSPC
    assert_same(study, Study.load(target))  # nothing was lost
    other.save(target)
    assert list(Study.load(target)) == ["fc2"]
    assert len(list((target / "parts").iterdir())) == 3  # data, model, one layer


def test_what_is_no_study_is_left_alone(study, tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(FileExistsError, match="holds something else than an unknot study; name a"):
        study.save(tmp_path)
    with pytest.raises(FileExistsError, match=r"thesis\.txt is a file; name a folder"):
        study.save(tmp_path / "thesis.txt")


def test_a_study_is_not_saved_over_what_it_reads(study, folder):
    with pytest.raises(ValueError, match=r"reads its points from .*; choose another folder"):
        study.select(classes=1).save(folder)


def test_folders_that_hold_no_study(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match="none does not exist; give the folder of a study"):
        Study.load(tmp_path / "none")
    with pytest.raises(StudyError, match=r"is not the folder of a study: it has no study\.json"):
        Study.load(tmp_path)
    inside = tmp_path / "studies" / "lenet"
    shutil.copytree(folder, inside)
    with pytest.raises(StudyError, match=rf"Did you mean {re.escape(str(inside))}\?"):
        Study.load(tmp_path)
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(StudyError, match=r"study\.json is of something else"):
        Study.load(tmp_path)
    unfinished = tmp_path / "unfinished"
    shutil.copytree(folder, unfinished)
    (unfinished / "study.json").unlink()
    with pytest.raises(StudyError, match="is not finished; run the same unknot study again"):
        Study.load(unfinished)


def test_a_newer_format_asks_for_an_upgrade(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    manifest = json.loads((copy / "study.json").read_text())
    manifest |= {"version": 3, "written_by": "9.1.0"}
    (copy / "study.json").write_text(json.dumps(manifest))
    with pytest.raises(StudyError, match=r"written by unknot 9\.1\.0 in format 3; .* Upgrade: pip"):
        Study.load(copy)


def read_all(folder):
    """Read every array of a study; return what is wrong with it."""
    try:
        for layer in Study.load(folder).layers.values():
            if layer.points is not None:
                layer.points[:]
            _ = layer.graph
    except (ValueError, RuntimeError, FileNotFoundError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("damage", ["cut", "gone", "changed"])
def test_damaged_files_are_named_and_made_anew(folder, digits, layers, tmp_path, damage):
    copy = shutil.copytree(folder, tmp_path / "copy")
    whole = {path: path.read_bytes() for path in sorted(copy.rglob("*")) if path.is_file()}
    rng = np.random.default_rng(["cut", "gone", "changed"].index(damage))
    chosen = [path for path in whole if path.name != "seconds.json" and whole[path]]
    for path in rng.choice(np.array(chosen, dtype=object), 4, replace=False):
        content = whole[path]
        if damage == "cut":
            path.write_bytes(content[: len(content) // 2])
        elif damage == "gone":
            path.unlink()
        else:
            spot = len(content) // 2
            path.write_bytes(content[:spot] + bytes([content[spot] ^ 1]) + content[spot + 1 :])
        said = read_all(copy)
        named = path.relative_to(copy)
        if damage == "changed":
            # A changed number is a number: the checksums are compared when the study is run again.
            assert said is None or str(Path(*named.parts[:2])) in said or "decompress" in said
        else:
            assert str(named) in said or named.name == "study.json"
        if path.name == "study.json":
            path.write_bytes(content)
            continue
        unknot.study(layers, digits, out=copy, name="made up", **fast())
        assert {
            name: name.read_bytes() == content
            for name, content in whole.items()
            if name.name != "seconds.json"
        } == {name: True for name in whole if name.name != "seconds.json"}


def test_scores_keep_infinite_ranges(study):
    assert study["fc2"].scores["nc1"].range == (0.0, np.inf)


def test_chunks_hold_whole_samples():
    assert _format.chunk_rows((10, 3), 4) == 10
    assert _format.chunk_rows((10**6, 1024, 1024), 4) == 2
    assert _format.chunk_rows((5, 10**8), 4) == 1


def test_arrays_are_written_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(_format, "CHUNK_BYTES", 100)
    array = np.arange(60, dtype=np.float32).reshape(20, 3)
    _format.write_zarr(tmp_path / "a", array)
    stored = _format.open_zarr(tmp_path, "a")
    assert stored.chunks == (8, 3)
    np.testing.assert_array_equal(stored[:], array)


def test_a_study_of_this_release_is_read_by_later_ones():
    """Format 1, written with make_stored.py; never to be rewritten."""
    study = Study.load(STORED)
    assert repr(study) == (
        "Study('tiny': 40 samples, 4 classes, accuracy 100.00 %; layers: inputs, fc1, dropout, "
        "fc2; controls: untrained; epochs: 1, 2)"
    )
    assert study.predictions.tolist() == study.labels.tolist()
    np.testing.assert_allclose(study.probabilities.sum(axis=1), 1, atol=1e-5)
    assert study.thumbnails.shape == (40, 8, 8)
    expected = json.loads((STORED.parent / "study-1-expected.json").read_text())
    for name, there in expected["layers"].items():
        layer = study[name]
        assert layer.same_as == there["same_as"]
        assert layer.map[3].tolist() == there["map"]
        assert layer.graph.indices[3, :5].tolist() == there["neighbors"]
        assert layer.scores["neighborhood_hit"].value == there["hit"]
        # It was "neighbourhood" in the first releases.
        assert layer.scores["neighborhood_hit"].family == "neighborhood"
        assert study.controls["untrained"][name]["neighborhood_hit"].value == there["untrained"]
        assert study.epochs[1][name].scores["neighborhood_hit"].value == there["epoch 1"]
        if layer.points is not None:
            assert layer.points[3].ravel()[:3].tolist() == there["points"]
    assert study.settings["random_state"] == 0
    assert study.versions["unknot"]
