"""Many studies: each a task, one table and page over all."""

import json
import multiprocessing
import re
import threading
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import zarr
from cluster_helpers import OPTIONS, files

import unknot
from unknot.studies import ClusterError, Studies, StudyError


@pytest.fixture(scope="module")
def checkpoints(data, tmp_path_factory):
    """Files of layers that untangle ever more, and the labels."""
    folder = tmp_path_factory.mktemp("checkpoints")
    points, labels = data
    paths = []
    for step in (1, 2, 10):
        path = folder / f"step-{step}.npz"
        apart = np.eye(4, 16, dtype=np.float32)[labels]
        np.savez(path, fc1=points + apart * step, fc2=points[:, :8] + 2 * apart[:, :8] * step)
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def studies(checkpoints, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("many") / "runs"
    return unknot.study_many(checkpoints, (None, data[1]), out=folder, **OPTIONS)


def test_each_study_has_the_files_that_it_has_alone(
    studies, checkpoints, data, client, tmp_path, tmp_path_factory
):
    alone = tmp_path / "alone"
    for path in checkpoints:
        unknot.study(
            unknot.load_model(path),
            (None, data[1]),
            out=alone / path.stem,
            name=path.stem,
            **OPTIONS,
        )
    by_client = tmp_path / "client"
    unknot.study_many(checkpoints, (None, data[1]), out=by_client, client=client, **OPTIONS)
    by_processes = tmp_path / "processes"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        unknot.study_many(
            checkpoints, (None, data[1]), out=by_processes, executor=executor, **OPTIONS
        )
    for path in checkpoints:
        wanted = files(alone / path.stem)
        assert files(by_client / path.stem) == wanted
        assert files(by_processes / path.stem) == wanted
    assert files(by_client) == files(by_processes)


def test_a_model_that_fails_does_not_stop_the_others(checkpoints, data, tmp_path):
    missing, broken = tmp_path / "missing.npz", tmp_path / "broken.npz"
    broken.write_bytes(b"no archive")
    short = {"fc1": np.zeros((3, 2))}
    models = {"good": checkpoints[0], "missing": missing, "broken": broken, "short": short}
    ended = []
    found = unknot.study_many(
        models,
        (None, data[1]),
        out=tmp_path / "runs",
        on_study=lambda *study: ended.append(study),
        **OPTIONS,
    )
    assert list(found) == ["good"]
    assert list(found.failed) == ["missing", "broken", "short"]
    assert "no such file" in found.failed["missing"]
    assert "must have a row for each" in found.failed["short"]
    assert [name for name, _, error in ended if not error] == ["good"]
    again = Studies.load(tmp_path / "runs")
    assert again.failed == found.failed
    assert "missing failed" in str(again)


def test_arrays_on_disk_that_a_worker_does_not_see_are_not_taken_for_zeros(data, client, tmp_path):
    points, labels = data
    arrays = {}
    for name in ("seen", "unseen", "inputs"):
        arrays[name] = zarr.create_array(str(tmp_path / f"{name}.zarr"), data=points)
    models = {"a": {"fc1": arrays["seen"]}, "b": {"fc1": arrays["unseen"]}}
    given = arrays["inputs"], labels
    unknot.study_many(models, given, out=tmp_path / "alone", **OPTIONS)
    unknot.study_many(models, given, out=tmp_path / "client", client=client, **OPTIONS)
    assert files(tmp_path / "client") == files(tmp_path / "alone")
    (tmp_path / "unseen.zarr").rename(tmp_path / "moved.zarr")
    found = unknot.study_many(models, given, out=tmp_path / "again", client=client, **OPTIONS)
    assert list(found) == ["a"]
    assert "there is no Zarr array" in found.failed["b"]
    assert "unseen.zarr" in found.failed["b"]


def test_what_cannot_be_sent_is_named_by_its_root(data, client, tmp_path):
    class Locked(dict):
        pass

    model = Locked({"fc1": data[0]})
    model.lock = threading.Lock()
    with pytest.raises(ClusterError, match=r"a: study: it cannot be sent to a worker \(.*[Ll]ock"):
        unknot.study_many(
            {"a": model}, (None, data[1]), out=tmp_path / "r", client=client, **OPTIONS
        )


def test_if_all_models_fail_it_is_an_error(data, tmp_path):
    with pytest.raises(
        ValueError, match=r"none of the 2 models could be studied; a: .*no such file"
    ):
        unknot.study_many(
            {"a": tmp_path / "a.npz", "b": tmp_path / "b.npz"},
            (None, data[1]),
            out=tmp_path / "runs",
            **OPTIONS,
        )


def test_finished_studies_are_reused(studies, checkpoints, data, tmp_path):
    out = tmp_path / "runs"
    unknot.study_many(checkpoints[:2], (None, data[1]), out=out, **OPTIONS)
    before = files(out / "step-1")
    times = {
        path: path.stat().st_mtime_ns for path in (out / "step-1" / "parts").rglob("part.json")
    }
    found = unknot.study_many(checkpoints, (None, data[1]), out=out, **OPTIONS)
    assert list(found) == ["step-1", "step-2", "step-10"]
    assert files(out / "step-1") == before
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_the_best_layer_the_differences_and_the_rows(studies):
    best = studies.best("neighborhood_hit")
    assert list(best) == ["step-1", "step-2", "step-10"]
    values = [score.value for _, score in best.values()]
    assert values == sorted(values)
    for name, (layer, score) in best.items():
        there = studies[name].scores
        assert score.value == max(there.value(each, "neighborhood_hit") for each in there)
        assert there.value(layer, "neighborhood_hit") == score.value
    compared = studies.compare("neighborhood_hit")
    assert list(compared) == ["step-2", "step-10"]
    alone = studies["step-1"].compare(studies["step-10"], measures="neighborhood_hit")
    assert [row.difference for row in compared["step-10"]] == [row.difference for row in alone]
    assert list(studies.compare(reference="step-10")) == ["step-1", "step-2"]
    rows = studies.rows()
    assert {row["network"] for row in rows} == {"step-1", "step-2", "step-10"}
    assert len(rows) == sum(len(study.scores.rows()) for study in studies.values())
    with pytest.raises(ValueError, match="no study has 'nothing'"):
        studies.best("nothing")
    with pytest.raises(ValueError, match="neither more nor less of two_nn is better"):
        studies.best("two_nn")
    with pytest.raises(KeyError, match="did you mean 'step-1'"):
        studies["step1"]


def test_rows_are_written_as_csv(studies, tmp_path):
    import csv

    studies.to_csv(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == len(studies.rows())
    assert len(studies.to_pandas()) == len(studies.rows())


def test_checkpoints_are_numbered_by_their_names(studies):
    assert studies.steps == {1: "step-1", 2: "step-2", 10: "step-10"}
    unnumbered = Studies({"b": studies["step-1"], "a7": studies["step-2"]})
    assert unnumbered.steps == {0: "b", 1: "a7"}
    twice = Studies({"run1-5": studies["step-1"], "run2-5": studies["step-2"]})
    assert twice.steps == {0: "run1-5", 1: "run2-5"}


def test_checkpoints_are_epochs_of_one_study(studies, tmp_path):
    whole = studies.as_epochs()
    assert list(whole.epochs) == [1, 2, 10]
    assert whole.scores.value("fc2", "neighborhood_hit") == studies["step-10"].scores.value(
        "fc2", "neighborhood_hit"
    )
    assert any("10: step-10" in note for note in whole.notes)
    whole.report(tmp_path / "maps.html")
    whole.save(tmp_path / "saved")
    assert list(unknot.Study.load(tmp_path / "saved").epochs) == [1, 2, 10]
    other = studies["step-1"].select("fc1")
    with pytest.raises(ValueError, match="not of one training"):
        Studies({"one": other, "two": studies["step-2"]}).as_epochs()


def test_the_page_has_a_table_curves_and_differences_and_asks_for_nothing(studies, tmp_path):
    path = tmp_path / "report.html"
    studies.report(path)
    page = path.read_text()
    assert "<h1>3 studies</h1>" in page
    assert page.count("<tr>") > 4
    assert "data:image/svg+xml" in page
    assert "Differences from step-1" in page
    assert "paired" in page
    assert "<script" not in page
    assert not re.search(r"""(src|href)=["']?(?!data:)\w""", page)


def test_hostile_names_stay_text(studies, tmp_path):
    name = "<img src=x onerror=alert(1)>&'\""
    Studies({name: studies["step-1"], "b": studies["step-2"]}, {name + "2": name}).report(
        tmp_path / "page.html"
    )
    page = (tmp_path / "page.html").read_text()
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert "\x1b" not in str(Studies({"\x1b[31mred": studies["step-1"]}))


@pytest.mark.parametrize(
    "name", ["a/b", "../up", "a:b", ".hidden", "CON", "x" * 300, "", "é ü", "studies.json"]
)
def test_any_name_has_a_folder_of_its_own_inside(name, data, tmp_path):
    points, labels = data
    out = tmp_path / "runs"
    models = {name: {"fc1": points}, name.upper() + " ": {"fc1": points}}
    found = unknot.study_many(models, (None, labels), out=out, **OPTIONS)
    assert list(found) == list(models)
    folders = json.loads((out / "studies.json").read_text())["studies"]
    places = list(folders.values())
    assert len({place.lower() for place in places}) == 2
    assert all((out / place).resolve().parent == out.resolve() for place in places)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


@pytest.mark.parametrize(
    ("models", "error", "message"),
    [
        ([], ValueError, "at least one model"),
        ("a.keras", TypeError, "several models"),
        (3, TypeError, "sequence or a mapping"),
        (["x/a.npz", "x/a.npz"], ValueError, "name of more than one"),
    ],
)
def test_bad_models_are_refused(models, error, message, data, tmp_path):
    with pytest.raises(error, match=message):
        unknot.study_many(models, (None, data[1]), out=tmp_path / "runs", **OPTIONS)


def test_files_of_one_name_are_called_by_their_folders_too(checkpoints, data, tmp_path):
    paths = []
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        path = tmp_path / run / "last.npz"
        path.write_bytes(checkpoints[0].read_bytes())
        paths.append(path)
    found = unknot.study_many(paths, (None, data[1]), out=tmp_path / "runs", **OPTIONS)
    assert list(found) == ["first-last", "second-last"]


def test_a_folder_of_others_is_refused_and_left_alone(checkpoints, data, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds something else"):
        unknot.study_many(checkpoints, (None, data[1]), out=out, **OPTIONS)
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
    with pytest.raises(TypeError, match="takes no name="):
        unknot.study_many(checkpoints, (None, data[1]), out=tmp_path / "r", name="x", **OPTIONS)


def test_an_object_store_is_refused_as_a_folder(checkpoints, data):
    with pytest.raises(ValueError, match="is a URL; name a folder"):
        unknot.study_many(checkpoints, (None, data[1]), out="s3://bucket/runs", **OPTIONS)


def test_what_is_no_folder_of_studies_is_said(tmp_path, studies):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        Studies.load(tmp_path / "nothing")
    with pytest.raises(StudyError, match="missing"):
        Studies.load(tmp_path)
    for content in ("{", "[]", '{"format": "x", "version": 1}', '{"format": "unknot studies"}'):
        (tmp_path / "studies.json").write_text(content)
        with pytest.raises(StudyError):
            Studies.load(tmp_path)
    outside = {"format": "unknot studies", "version": 1, "studies": {"a": "../.."}, "failed": {}}
    (tmp_path / "studies.json").write_text(json.dumps(outside))
    with pytest.raises((StudyError, ValueError, OSError)):
        Studies.load(tmp_path)


def test_the_command_line_takes_several_models(checkpoints, data, tmp_path, capfd, cluster):
    from unknot.cli import app

    np.save(tmp_path / "labels.npy", data[1])
    out = tmp_path / "runs"
    arguments = ["study", *map(str, checkpoints[:2]), str(tmp_path / "labels.npy"), "-o", str(out)]
    arguments += ["-m", "neighborhood_hit", "--max-iter", "250"]
    app([*arguments, "--scheduler", cluster.scheduler_address], standalone_mode=False)
    printed = capfd.readouterr()
    assert "step-1: " in printed.out + printed.err
    assert (out / "report.html").is_file()
    assert list(Studies.load(out)) == ["step-1", "step-2"]
