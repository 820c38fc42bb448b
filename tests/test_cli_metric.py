"""``--metric`` and ``--preprocess`` of the commands that measure."""

import json

import numpy as np
import pytest

import unknot


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 60)
    points = np.eye(8)[labels] + 0.4 * rng.normal(size=(180, 8))
    points = (points * np.exp(2 * rng.normal(size=180))[:, None]).astype(np.float32)
    np.save(tmp_path / "points.npy", points)
    np.save(tmp_path / "labels.npy", labels)
    return points, labels, tmp_path / "points.npy", tmp_path / "labels.npy"


def test_measure_takes_a_metric_and_steps_in_order(call, files):
    points, labels, *paths = files
    options = ["-m", "neighborhood_hit", "--metric", "cosine", "--json"]
    steps = ["--preprocess", "remove_top_1", "--preprocess", "standardize"]
    code, out, _ = call("measure", *map(str, paths), *options, *steps)
    assert code == 0
    found = json.loads(out)
    assert found["settings"]["metric"] == "cosine"
    assert found["settings"]["preprocess"] == ["remove_top_1", "standardize"]
    wanted = unknot.measure(
        points,
        labels,
        measures="neighborhood_hit",
        metric="cosine",
        preprocess=["remove_top_1", "standardize"],
    )
    assert found["scores"][0]["value"] == wanted["neighborhood_hit"].value


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--metric", "l1", "metric must be 'euclidean' or 'cosine'; got 'l1'"),
        ("--preprocess", "sphere", "got 'sphere'"),
    ],
)
def test_what_there_is_not_is_named(call, files, option, value, message):
    *_, points, labels = files
    code, _, err = call("measure", str(points), str(labels), option, value)
    assert code != 0
    assert message in " ".join(err.split())


def test_study_takes_them_too(call, files, tmp_path):
    points, labels, *_ = files
    np.savez(tmp_path / "layers.npz", fc=points)
    np.savez(tmp_path / "data.npz", x=points, y=labels)
    arguments = [str(tmp_path / "layers.npz"), str(tmp_path / "data.npz")]
    arguments += ["--out", str(tmp_path / "study"), "-m", "neighborhood_hit", "--max-iter", "250"]
    code, _, err = call("study", *arguments, "--metric", "cosine", "--preprocess", "center")
    assert code == 0, err
    study = unknot.Study.load(tmp_path / "study")
    assert (study.settings["metric"], study.settings["preprocess"]) == ("cosine", ["center"])
    assert study.layers["fc"].graph.metric == "cosine"
