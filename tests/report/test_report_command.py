"""Commands that write the page."""

import re

import numpy as np
import pytest
from report_browser import payload_of
from report_studies import study_of


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two studies of the same samples, and one of other samples."""
    folder = tmp_path_factory.mktemp("studies")
    for name, n_samples in (("good", 80), ("poor", 80), ("small", 60)):
        study_of(n_samples, 4, 2, name=name).save(folder / name)
    return folder


def test_the_page_of_a_saved_study(call, folders):
    code, out, err = call("report", folders / "good")
    assert (code, err) == (0, "")
    path = folders / "good" / "report.html"
    assert re.fullmatch(r"Wrote .*report\.html: \d+\.\d [kM]B\.\n", out)
    payload = payload_of(path)
    assert payload["title"] == "good"
    layer = payload["models"][0]["layers"][1]
    assert layer["neighbors"]["k"] == 8
    assert layer["scores"]["neighborhood_hit"]["value"] > 0.5


def test_two_studies_with_a_title_and_a_path(call, folders, tmp_path):
    path = tmp_path / "new" / "both.html"
    code, _, _ = call(
        "report", folders / "good", "--compare", folders / "poor", "--out", path, "--title", "<x>"
    )
    assert code == 0
    payload = payload_of(path)
    assert payload["title"] == "<x>"
    assert [model["name"] for model in payload["models"]] == ["good", "poor"]


def test_fewer_points_and_neighbors_make_a_smaller_page(call, folders, tmp_path):
    sizes = []
    for options in ((), ("--n-neighbors", "2"), ("--max-points", "40", "--n-neighbors", "2")):
        path = tmp_path / f"{len(sizes)}.html"
        assert call("report", folders / "good", "--out", path, *options)[0] == 0
        sizes.append(path.stat().st_size)
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3
    few, all_ = payload_of(path), payload_of(tmp_path / "0.html")
    assert len(few["labels"]["data"]) < len(all_["labels"]["data"])


def test_what_cannot_be_shown_is_one_line(call, folders, tmp_path):
    code, _, err = call("report", folders / "good", "--compare", folders / "small")
    assert code == 2
    assert err == "unknot: other must have the same 80 samples; it has 60\n"
    code, _, err = call("report", tmp_path / "none")
    assert code == 2
    assert str(tmp_path / "none") in err
    assert err.count("\n") == 1


def test_a_study_writes_its_page_at_its_end(call, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    points = rng.normal(size=(80, 5)) + 3 * labels[:, None]
    np.savez(tmp_path / "layers.npz", fc1=points, fc2=2 * points + labels[:, None])
    np.savez(tmp_path / "data.npz", x_test=points, y_test=labels, x_train=points, y_train=labels)
    code, out, err = call(
        "study", tmp_path / "layers.npz", tmp_path / "data.npz", "--out", tmp_path / "out",
        "--max-iter", 250, "--perplexity", 5, "-m", "neighborhood_hit", "--no-untrained",
    )  # fmt: skip
    assert code == 0, err
    assert "report.html" in out.replace("\n", "")
    payload = payload_of(tmp_path / "out" / "report.html")
    assert [layer["name"] for layer in payload["models"][0]["layers"]] == ["inputs", "fc1", "fc2"]
