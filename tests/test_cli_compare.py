"""The command compare."""

import csv
import json

import numpy as np
import pytest

import unknot


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two studies of the same samples, of which the second is better, and one of fewer."""
    home = tmp_path_factory.mktemp("compare")
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 30)
    inputs = rng.normal(size=(90, 6)).astype(np.float32)
    apart = np.eye(6, dtype=np.float32)[labels]
    paths = []
    for name, shift, rows in (("small", 1.2, 90), ("large", 3, 90), ("fewer", 3, 60)):
        order = np.arange(90) if rows == 90 else np.arange(0, 90, 1)[labels != 2]
        paths.append(home / name)
        unknot.study(
            {"fc1": inputs[order] + apart[order], "fc2": inputs[order] + shift * apart[order]},
            (inputs[order], labels[order]),
            out=paths[-1],
            name=name,
            measures=["neighborhood_hit", "map_neighborhood_hit", "class_distance_variance"],
            max_iter=250,
            perplexity=10,
            progress=False,
        )
    return paths


def test_two_studies(call, folders):
    small, large, _ = folders
    code, out, err = call("compare", small, large)
    assert (code, err) == (0, "")
    assert out.startswith("large less small")
    assert "Of the same samples; p corrected by Holm for " in out
    assert "† given these maps" in out
    lines = [line for line in out.splitlines() if line.startswith("│   fc2 ")]
    assert len(lines) == 3
    assert "< 0.001*" in lines[0]


def test_the_layers_of_one(call, folders):
    code, out, err = call("compare", folders[0], "-m", "neighborhood_hit", "-m", "collapse")
    assert (code, err) == (0, "")
    assert out.startswith("small: each layer less the one before it")
    assert "inputs / fc1" in out
    assert "fc1 / fc2" in out
    assert "map" not in out
    code, out, _ = call("compare", folders[0], "--measure", "collapse", "--reference", "inputs")
    assert code == 0
    assert "inputs / fc2" in out
    assert "fc1 / fc2" not in out


def test_narrow_terminals_have_no_values(call, folders):
    wide = call("compare", *folders[:2], "-m", "collapse")[1]
    narrow = call("compare", *folders[:2], "-m", "collapse", columns="80")[1]
    assert "p alone" in wide
    assert "p alone" not in narrow
    assert max(map(len, narrow.splitlines())) <= 80


def test_json_and_csv(call, folders, tmp_path):
    path = tmp_path / "differences.csv"
    code, out, err = call("compare", *folders[:2], "-l", "fc*", "--json", "--csv", path)
    assert (code, err) == (0, "")
    rows = json.loads(out)["rows"]
    assert {row["layer"] for row in rows} == {"fc1", "fc2"}
    assert {"p", "p_corrected", "interval", "given_map"} <= rows[0].keys()
    with path.open() as stream:
        assert [float(row["difference"]) for row in csv.DictReader(stream)] == [
            row["difference"] for row in rows
        ]
    printed = call("compare", *folders[:2], "--csv", path)[1]
    assert printed.endswith(f"Wrote {path}\n")


def test_other_samples_are_refused_in_one_line_with_the_remedy(call, folders):
    small, _, fewer = folders
    code, out, err = call("compare", small, fewer)
    assert (code, out) == (2, "")
    assert err.startswith("unknot: small and fewer cannot be paired: ")
    assert "the first has 90 samples, the second 60" in err
    assert err.endswith("paired=False (--independent)\n")
    assert err.count("\n") == 1
    code, out, err = call("compare", small, fewer, "--independent")
    assert (code, err) == (0, "")
    assert "Of independent samples" in out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--independent"], "--independent: it is for two studies; got one folder"),
        (["-m", "nc9"], "measures: there is no score 'nc9' to compare; there are neighborhood_hit"),
        (["--reference", "fc"], "the study has no layer 'fc'; did you mean 'fc"),
        (["-l", "fc1"], "a comparison of layers needs at least two with scores"),
        (["--labels", "place"], "--labels: the study has no labeling 'place'; it has labels"),
    ],
)
def test_errors_are_one_line(call, folders, more, message):
    code, out, err = call("compare", folders[0], *more)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_reference_is_for_one_study(call, folders):
    code, _, err = call("compare", *folders[:2], "--reference", "fc1")
    assert code == 2
    assert "--reference: layers are compared within one study; got two folders" in err
