"""The compact table of show, its options, the command open, and files of labels alone."""

import os
import re
import webbrowser

import numpy as np
import pytest

from unknot import Study

OPTIONS = ("--max-iter", 250, "--perplexity", 10, "--n-neighbors", 40)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three layers of 120 samples of four classes, and files of their labels."""
    folder = tmp_path_factory.mktemp("show")
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2, 3], 30)
    noise = rng.normal(size=(120, 6))
    layers = {
        f"encoder.blocks.{number}.attention.output.dense": noise + shift * np.eye(4, 6)[labels]
        for number, shift in enumerate((0.5, 2, 6))
    }
    np.savez(folder / "layers.npz", **layers)
    np.save(folder / "labels.npy", labels)
    np.savez(folder / "labels.npz", labels=labels)
    (folder / "labels.txt").write_text("\n".join("abcd"[label] for label in labels) + "\n")
    return folder


@pytest.fixture(scope="module")
def folder(files):
    from unknot import study

    with np.load(files / "layers.npz") as layers:
        study(
            dict(layers),
            (None, np.load(files / "labels.npy")),
            out=files / "study",
            measures=["neighborhood_hit", "linear_probe", "two_nn", "nc1", "silhouette"],
            max_iter=250,
            perplexity=10,
            n_neighbors=40,
            name="blocks",
            progress=False,
        )
    return files / "study"


@pytest.mark.parametrize("columns", [50, 80, 160])
def test_show_is_one_row_a_layer(call, folder, columns):
    code, out, err = call("show", folder, "--no-figures", columns=str(columns))
    assert (code, err) == (0, "")
    lines = [line.rstrip() for line in out.splitlines()]
    assert max(map(len, lines)) <= columns
    table = lines[1 : lines.index("")]
    rows = [line for line in table if re.match("enc|…", line)]
    # One for each layer, a second one only where the table is divided.
    assert len(rows) == 3 * (3 if columns == 50 else 1)
    # Names are cut where all are alike.
    names = [row.split()[0] for row in rows][:3]
    if columns == 160:
        assert names == list(Study.load(folder))
    else:
        assert names == [f"…{number}.attention.output.dense" for number in range(3)]
    assert (" to " in rows[0]) == (columns == 160)


def test_the_best_and_worst_layer_are_marked(call, folder):
    study = Study.load(folder)
    for measure in ("neighborhood_hit", "nc1"):
        _, out, _ = call("show", folder, "--no-figures", "-m", measure)
        rows = [line for line in out.splitlines() if line.startswith("encoder")]
        values = [layer.scores[measure].value for layer in study.values()]
        marks = [re.search(r"\d\.\d+ +([+-]?) ", row)[1] for row in rows]
        higher = measure == "neighborhood_hit"
        assert marks[int(np.argmax(values))] == ("+" if higher else "-")
        assert marks[int(np.argmin(values))] == ("-" if higher else "+")
        assert sorted(marks) == ["", "+", "-"]


def test_bars_are_as_long_as_the_values(call, folder):
    study = Study.load(folder)
    _, out, _ = call("show", folder, "--no-figures", "-m", "neighborhood_hit")
    rows = [line for line in out.splitlines() if line.startswith("encoder")]
    for row, layer in zip(rows, study.values(), strict=True):
        (bar,) = re.findall("[━╸]+", row)
        halves = 2 * bar.count("━") + bar.count("╸")
        # Ten characters are 1.
        assert halves == round(20 * layer.scores["neighborhood_hit"].value)


def test_wide_prints_all_scores(call, folder):
    _, out, _ = call("show", folder, "--no-figures", "--wide")
    assert "Scores of blocks, layer by layer" in out
    for title in ("silhouette", "NC1"):
        assert title in out
    code, _, err = call("show", folder, "--wide", "-m", "nc1")
    assert (code, err) == (
        2, "unknot: --wide: it prints all measures; leave out --measures, or --wide\n",
    )  # fmt: skip


def test_measures_are_checked_before_anything_is_written(call, folder, tmp_path):
    code, out, err = call("show", folder, "-m", "clstr", "--csv", tmp_path / "s.csv")
    assert (code, out) == (2, "")
    assert err == "unknot: measures: the study has no score 'clstr'; did you mean 'clusters'?\n"
    assert not (tmp_path / "s.csv").exists()
    assert not (folder / "figures").exists()


def test_control_values_stand_in_brackets():
    import unknot
    from unknot._io.formatting import render_text
    from unknot.studies import CompactTable

    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    points = rng.normal(size=(80, 4)) + 3 * labels[:, None]
    options = {"measures": "neighborhood_hit", "max_iter": 250, "perplexity": 10}
    study, other = (
        unknot.study({"fc1": each}, (None, labels), progress=False, n_neighbors=40, **options)
        for each in (points, rng.normal(size=(80, 4)))
    )
    there = {"untrained": {"fc1": other["fc1"].scores}}
    from dataclasses import replace

    text = render_text(CompactTable(replace(study, controls=there)), 80)
    value = other["fc1"].scores["neighborhood_hit"].value
    assert f"({value:.3f})" in text
    assert "in brackets the untrained network" in text
    assert "in brackets" not in render_text(CompactTable(study), 80)


@pytest.mark.parametrize("name", ["labels.npy", "labels.npz", "labels.txt"])
def test_study_takes_labels_alone(call, files, tmp_path, name):
    code, out, err = call(
        "study", files / "layers.npz", files / name, "-o", tmp_path / "s", "-m",
        "neighborhood_hit", *OPTIONS,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "layers: 120 samples of 4 classes" in out
    study = Study.load(tmp_path / "s")
    np.testing.assert_array_equal(study.labels, np.load(files / "labels.npy"))
    assert study.class_names == (("a", "b", "c", "d") if "txt" in name else ("0", "1", "2", "3"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.keras", "labels.npy"], "holds labels alone, which do for an .npz file of layers"),
        (["layers.npz", "few.npy"], "3"),
        (["layers.npz", "empty.txt"], "DATA: empty.txt must hold one label a line; it is empty"),
        (["layers.npz", "gap.txt"], "DATA: gap.txt must hold one label a line; line 2 is empty"),
        (["layers.npz", "bytes.txt"], "DATA: bytes.txt is not text in UTF-8"),
        (["layers.npz", "objects.npy"], "DATA: objects.npy is not a whole .npy file of plain"),
        (["layers.npz", "broken.npz"], "DATA: broken.npz is not a NumPy archive"),
        (["layers.npz", "other.npz"], "other.npz has the keys targets"),
    ],
)
def test_errors_of_files_of_labels(call, files, monkeypatch, arguments, message):
    monkeypatch.chdir(files)
    np.save("few.npy", np.arange(3))
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez("other.npz", targets=np.arange(120))
    (files / "empty.txt").write_text("\n")
    (files / "gap.txt").write_text("a\n\nb\n")
    (files / "bytes.txt").write_bytes(b"\xff\xfe\xfa")
    (files / "broken.npz").write_bytes(b"PK\x03\x04nothing")
    monkeypatch.setattr("unknot.representations.load_for_inference", _loaded)
    code, _, err = call("study", *arguments, "-o", "refused")
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def _loaded(path, **_):
    if path.endswith(".npz"):
        with np.load(path) as layers:
            return dict(layers)
    return object()


@pytest.fixture
def opened(monkeypatch):
    """The addresses that a browser was asked to open."""
    found = []
    monkeypatch.setattr(webbrowser, "open", lambda url: found.append(url) or True)
    return found


def test_open_writes_the_page_once_and_opens_it(call, folder, opened):
    page = folder / "report.html"
    page.unlink(missing_ok=True)
    code, out, err = call("open", folder)
    assert (code, out, err) == (0, f"{page}\n", "")
    assert opened == [page.resolve().as_uri()]
    assert b"unknot-data" in page.read_bytes()
    written = page.stat().st_mtime_ns
    assert call("open", folder, "--no-browser")[:2] == (0, f"{page}\n")
    assert len(opened) == 1
    assert page.stat().st_mtime_ns == written
    # A study that is newer than its page gets another one.
    os.utime(page, ns=(0, 0))
    assert call("open", folder, "--no-browser")[0] == 0
    assert page.stat().st_mtime_ns > 0


def test_open_says_if_there_is_no_browser(call, folder, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    code, out, err = call("open", folder)
    page = folder / "report.html"
    assert (code, out) == (0, f"{page}\n")
    assert err == f"unknot: no browser was found; open {page} in one\n"


@pytest.mark.parametrize(
    ("path", "message"),
    [("none", "none does not exist"), (".", "is not the folder of a study")],
)
def test_open_of_something_else_is_one_line(call, tmp_path, monkeypatch, opened, path, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("open", path)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not opened
    assert list(tmp_path.iterdir()) == []


def test_neighbors_on_the_page_make_it_larger(call, folder, tmp_path):
    sizes = []
    for n_neighbors in (0, 20):
        path = tmp_path / f"{n_neighbors}.html"
        assert call("report", folder, "-o", path, "--n-neighbors", n_neighbors)[0] == 0
        sizes.append(path.stat().st_size)
    # 20 neighbors of 120 samples in three layers, a byte each, by 4/3 for base64.
    assert sizes[1] - sizes[0] >= 20 * 120 * 3 * 4 / 3


def test_embed_names_the_sample_that_is_not_finite(call, files, monkeypatch):
    monkeypatch.chdir(files)
    points = np.ones((50, 3))
    points[7, 1] = np.nan
    np.save("nan.npy", points)
    for method in ("tsne", "pca"):
        code, _, err = call("embed", "nan.npy", "-o", "map.npy", "--method", method)
        assert code == 2
        assert "POINTS must be finite; got 1 NaN" in err
        assert "sample 7" in err
        assert "scikit-learn" not in err


def test_figures_of_a_width_and_their_captions(call, folder):
    import matplotlib.pyplot as plt

    figures = folder / "figures"
    code, out, err = call("show", folder, "-m", "nc1", "--width", 3.3)
    assert (code, err) == (0, "")
    names = {f"{name}.{kind}" for name in ("maps", "curves") for kind in ("png", "svg", "pdf")}
    assert {path.name for path in figures.iterdir()} == {*names, "captions.txt"}
    assert out.count("Wrote ") == 7
    assert plt.imread(figures / "maps.png").shape[1] == 990  # 3.3 inches of 300 dots
    maps, curves = (figures / "captions.txt").read_text().strip().split("\n\n")
    assert maps.startswith("maps: Maps of 120 points of 4 classes; Neighborhood Hit (NH)")
    assert "perplexity 10; seed 0." in maps
    assert curves.startswith("curves: NC1, spread within classes; ")
    code, _, err = call("show", folder, "--width", 1)
    assert code == 2
    assert "width must be a number from 2.5 to 40 inches, such as 3.3 or 6.9; got 1" in err
    for path in figures.iterdir():
        path.unlink()
    figures.rmdir()
