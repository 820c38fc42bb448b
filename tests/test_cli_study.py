"""The commands study and show."""

import csv
import json

import numpy as np
import pytest


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of layers and data with 100 samples."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 34)[:100]
    inputs = rng.normal(size=(100, 6)).astype(np.float32)
    fc1 = inputs + 3 * np.eye(6, dtype=np.float32)[labels]
    np.savez(folder / "layers.npz", fc1=fc1, fc2=2 * fc1 + 1, other=-fc1)
    np.savez(folder / "data.npz", inputs=inputs, labels=labels)
    return folder


ARGUMENTS = ("--max-iter", 250, "-m", "neighborhood_hit", "-m", "collapse", "--perplexity", 10)


def test_study_then_show(call, files, tmp_path):
    out = tmp_path / "study"
    command = ("study", files / "layers.npz", files / "data.npz", "-o", out, *ARGUMENTS)
    code, printed, err = call(*command, "-l", "fc*")
    assert (code, err) == (0, "")
    assert "fc1: map, " in printed
    assert "Neighborhood Hit ↑" in printed
    assert "No untrained control: arrays are not the layers of a network." in printed
    assert f"Everything is in {out}" in printed
    assert "other" not in printed
    code, printed, _ = call(*command, "-l", "fc*")
    # Data, extraction and answers; neighbors, map and scores of three layers; their coherence.
    assert printed.count("done before") == 3 + 3 * 3 + 1
    csv_path = tmp_path / "scores.csv"
    code, printed, _ = call("show", out, "--csv", csv_path)
    assert code == 0
    assert "layers: 100 samples of 3 classes" in printed
    for name in ("maps.png", "maps.svg", "curves.png", "curves.svg"):
        assert (out / "figures" / name).stat().st_size > 1000
        assert f"Wrote {out}/figures/{name}" in printed
    with csv_path.open() as stream:
        assert {row["layer"] for row in csv.DictReader(stream)} == {"inputs", "fc1", "fc2"}
    code, printed, _ = call("show", out, "--json", "-l", "fc2")
    assert list(json.loads(printed)["layers"]) == ["fc2"]
    # A folder with figures is still a valid study.
    assert call(*command, "-l", "fc*")[0] == 0


def test_a_keras_model_by_its_options(call, tmp_path):
    path = tmp_path / "m.keras"
    assert call("train", "perceptron", "digits", "-o", path, "--epochs", 2)[0] == 0
    code, printed, err = call(
        "study", path, "digits", "-o", tmp_path / "s", "--max-samples", 60, "-l", "-1", "-l", "fc1",
        "--no-keep-points", "--random-state", 3, "--project", 32, *ARGUMENTS,
    )  # fmt: skip
    assert code == 0, err
    assert "m: 60 samples of 10 classes, accuracy" in printed
    assert "untrained" in printed
    from unknot import Study

    study = Study.load(tmp_path / "s")
    assert len(study) == 3
    assert study["fc1"].points is None
    assert study["fc1"].reduction
    assert study.settings["random_state"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "none.keras", "digits"], "none.keras"),
        (["study", "layers.npz", "nonsense"], "no data set and no file or folder is called"),
        (["study", "layers.npz", "data.npz", "-l", "fc9"], "has no layer 'fc9'; did you mean 'fc"),
        (["study", "layers.npz", "data.npz", "-m", "nch"], "did you mean 'nc"),
        (["study", "layers.npz", "digits"], "each of the 360 samples of data; got the shape (100"),
        (["study", "layers.npz", "data.npz", "-o", "."], "holds something else"),
        (["study", "layers.npz", "data.npz", "-o", "data.npz"], "is a file; name a folder"),
        (["study", "layers.npz", "data.npz", "--max-iter", "3"], "Invalid value for '--max-iter"),
        (["show", "none"], "none does not exist; give the folder of a study"),
        (["show", "."], "is not the folder of a study"),
    ],
)
def test_every_error_is_one_line(call, files, monkeypatch, arguments, message):
    monkeypatch.chdir(files)
    code, _, err = call(*arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
