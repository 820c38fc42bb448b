"""Labels on the command line: their names, the unlabeled, several labelings, requirements."""

import json

import numpy as np
import pytest

import unknot


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    points = rng.normal(size=(80, 3)) + 6 * labels[:, None]
    partly = np.where(np.arange(80) % 8, labels, -1)
    path = tmp_path_factory.mktemp("cli") / "study"
    unknot.study(
        {"fc1": points, "fc2": rng.normal(size=(80, 3))},
        (None, {"side": partly, "place": np.array(["sea", "land"])[np.arange(80) % 2]}),
        out=path,
        measures=["neighborhood_hit"],
        max_iter=250,
        progress=False,
    )
    return str(path)


def test_show_takes_one_of_several_labelings(call, folder, tmp_path):
    code, out, _ = call("show", folder, "--no-figures")
    assert code == 0
    assert "80 samples of 2 classes, 10 unlabeled" in out
    csv = tmp_path / "scores.csv"
    options = ["--labels", "place", "--no-figures", "--csv", str(csv)]
    code, out, _ = call("show", folder, *options)
    assert code == 0
    assert "unlabeled" not in out.splitlines()[0]
    assert "land" in csv.read_text()
    code, _, err = call("show", folder, "--labels", "plaice", "--no-figures")
    assert code == 2
    assert "no labeling 'plaice'; it has side, place" in err


def test_requirements_set_the_exit_code(call, folder):
    holding = ["--require", "neighborhood_hit(fc1) >= 0.95"]
    failing = ["--require", "neighborhood_hit(fc*) > 95 %", "--require", "accuracy > 0"]
    assert call("show", folder, "--no-figures", *holding)[0] == 0
    code, out, err = call("show", folder, "--no-figures", *holding, *failing)
    assert code == 1
    assert "Requirements of arrays" in out
    assert "2 requirements do not hold" in err
    assert "the study has no accuracy" in err
    code, out, err = call("show", folder, "--json", *failing)
    assert code == 1
    assert json.loads(out)["name"] == "arrays"
    code, _, err = call("show", folder, "--no-figures", "--require", "neighborhod(fc1) > 1")
    assert code == 2
    assert "no measure 'neighborhod'" in err
    # They are of the labeling that is shown.
    code, _, _ = call("show", folder, "--no-figures", "--labels", "place", *holding)
    assert code == 1


def test_study_takes_names_and_ignored_labels(call, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.array(["cat", "dog", "?"])[np.arange(60) % 3]
    points = rng.normal(size=(60, 4)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=points, y=labels)
    np.savez(tmp_path / "model.npz", fc1=2 * points)
    (tmp_path / "names.txt").write_text("dog\ncat\n?\n", encoding="utf-8")
    out = tmp_path / "out"
    paths = [str(tmp_path / name) for name in ("model.npz", "data.npz")]
    options = ["-m", "neighborhood_hit", "--max-iter", "250", "--no-untrained", "-o", str(out)]
    names = ["--class-names", str(tmp_path / "names.txt"), "--ignore-label", "?"]
    code, _, err = call("study", *paths, *options, *names)
    assert code == 0, err
    study = unknot.Study.load(out)
    assert study.class_names == ("dog", "cat", "?")
    assert [study.class_names[code] for code in study.labels[:2]] == ["cat", "dog"]
    assert study.labels[2] == -1
    assert (~study.labeled).sum() == 20
    code, _, err = call("study", *paths, *options, "--class-names", "dog,cat")
    assert code == 2
    assert "class_names must hold every label" in err or "class_names must name" in err
