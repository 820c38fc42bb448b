"""Output of the commands for any encoding, width, name and path."""

import io
import json
import os
import sys

import numpy as np
import pytest
from rich.console import Console

import unknot
from unknot import cli
from unknot.training import History

NASTY = (
    "m [x]",
    "m[/b]",
    "[link=http://a]b[/link]",
    "[red]",
    "\x1b[31mred\x07",
    "a\rb\nc",
    "\u202eabc",
)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    points = rng.normal(size=(40, 3)) + 3 * labels[:, None]
    np.save("p.npy", points)
    np.save("y.npy", labels)
    np.savez("layers.npz", a=points)
    np.savez("data.npz", inputs=points, labels=labels)
    return tmp_path


@pytest.fixture
def call_in(monkeypatch):
    """Run a command with a given output encoding; return exit code, stdout and stderr as bytes."""

    def run(encoding, *arguments, errors="strict"):
        streams = [io.TextIOWrapper(io.BytesIO(), encoding, errors) for _ in range(2)]
        monkeypatch.setattr(sys, "argv", ["unknot", *map(str, arguments)])
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            with pytest.raises(SystemExit) as caught:
                cli.main()
        for stream in streams:
            stream.flush()
        return caught.value.code, *(stream.buffer.getvalue() for stream in streams)

    return run


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_output_works_in_any_encoding(call_in, files, encoding):
    code, out, err = call_in(encoding, "measure", "p.npy", "y.npy", "-m", "neighborhood_hit")
    assert (code, err) == (0, b"")
    assert (b"^ more is better" in out) == (encoding != "utf-8")
    code, out, _ = call_in(encoding, "--help")
    assert code == 0
    assert b"Usage" in out
    strange = "größe-π-\udce9-😀"
    np.save(f"{strange}.npy", np.load("p.npy"))
    code, out, err = call_in(
        encoding, "embed", f"{strange}.npy", "-o", f"{strange}2.npy", "--method", "pca"
    )
    assert (code, err) == (0, b"")
    assert b"\\udce9" in out
    code, out, err = call_in(encoding, "embed", "none-π-\udce9.npy", "-o", "m.npy")
    assert (code, out) == (2, b"")
    assert b"no such file" in err
    options = ("-m", "neighborhood_hit", "--max-iter", 250, "--perplexity", 5)
    (files / "layers.npz").rename(f"{strange}.npz")
    code, out, err = call_in(encoding, "study", f"{strange}.npz", "data.npz", "-o", "s", *options)
    assert (code, err) == (0, b"")
    code, out, err = call_in(encoding, "show", "s", "--json")
    assert json.loads(out)["name"].startswith("gr")


@pytest.mark.parametrize("size", ["0", "1", "19", "abc", "-5", "", "²", "9" * 30, "9" * 5000])
def test_implausible_terminal_sizes_are_ignored(call, files, monkeypatch, size):
    monkeypatch.setenv("LINES", size)
    for arguments in (["measure", "p.npy", "y.npy", "-m", "neighborhood_hit"], ["measure", "-h"]):
        code, out, err = call(*arguments, columns=size)
        assert (code, err) == (0, "")
        assert "Neighborhood Hit" in out
    assert "─" * 30 in out


@pytest.mark.parametrize("name", NASTY)
def test_control_characters_in_names_are_escaped(name):
    points = np.random.default_rng(0).normal(size=(40, 3))
    labels = np.array([name, "other"])[np.arange(40) % 2]
    study = unknot.study(
        {name: points}, (None, labels), name=name, progress=False, measures="neighborhood_hit",
        max_iter=250, perplexity=5,
    )  # fmt: skip
    other = (
        unknot.studies.compare(study, study) if hasattr(unknot.studies, "compare") else study.scores
    )
    for printed in (study.scores, other, study[name].scores):
        out = io.StringIO()
        Console(file=out, width=200, force_terminal=False).print(printed)
        for text in (out.getvalue(), str(printed)):
            assert not set(text) & {"\x1b", "\x07", "\r", "\u202e"}
    text = " ".join(str(study.scores).split())
    shown = name.replace("\x1b", "\\x1b").replace("\x07", "\\x07").replace("\r", "\\r")
    shown = shown.replace("\n", "\\n").replace("\u202e", "\\u202e")
    assert f"Scores of {shown}, layer by layer" in text
    assert text.count(shown) >= 2


@pytest.mark.parametrize("name", NASTY)
def test_progress_and_errors_take_any_name(name, call, files, monkeypatch):
    from unknot.training._progress import TrainingProgress

    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    with TrainingProgress(name, 2, 0, shown=True) as shown:
        shown.finished(1, {"epoch": 1.0, "loss": 0.5, name: 0.25, "seconds": 0.1})
        shown.interrupted(1)
    monkeypatch.undo()
    assert not set(err.getvalue()) & {"\x1b", "\x07", "\r", "\u202e"}
    code, _, message = call("embed", f"{name}.npy", "-o", "m.npy")
    assert code == 2
    assert not set(message[:-1]) & set("\x1b\x07\r\n\u202e")


def no_fit(*_, **__):
    raise AssertionError("the computation started")


def test_output_paths_are_checked_before_the_computation(call, files, monkeypatch):
    (files / "folder.npy").mkdir()
    (files / "dangling.npy").symlink_to("nowhere.npy")
    (files / "dangling").symlink_to("nowhere")
    (files / "loop.npy").symlink_to("loop.npy")
    (files / "file").write_text("")
    monkeypatch.setattr("unknot.projection.TSNE", no_fit)
    monkeypatch.setattr("unknot.projection.PCA", no_fit)
    monkeypatch.setattr("unknot.studies.study", no_fit)
    monkeypatch.setattr("unknot.lab.run_lab", no_fit)
    monkeypatch.setattr("unknot.training.train", no_fit)
    for arguments, message in [
        (["embed", "p.npy", "-o", "folder.npy"], "--out: folder.npy is a folder"),
        (["embed", "p.npy", "-o", "dangling.npy"], "which does not exist; name the target"),
        (["embed", "p.npy", "-o", "loop.npy"], "loop.npy"),
        (["embed", "p.npy", "-o", "file/m.npy"], "file, which is not a folder"),
        (["embed", "p.npy", "-o", "./p.npy"], "is also the input; name another file"),
        (["embed", "p.npy", "-o", "a\0.npy"], "embedded null byte"),
        (["embed", "p.npy", "-o", "m" * 300 + ".npy"], "File name too long"),
        (["train", "perceptron", "digits", "-o", "dangling"], "path must end in .keras"),
        (["train", "perceptron", "digits", "-o", "file/m.keras"], "which is not a folder"),
        (["study", "layers.npz", "data.npz", "-o", "dangling"], "which does not exist"),
        (["study", "layers.npz", "data.npz", "-o", "file"], "is a file; name a folder"),
        (["study", "layers.npz", "data.npz", "-o", "file/s"], "which is not a folder"),
        (["lab", "--out", "dangling"], "which does not exist"),
        (["lab", "--out", "file/lab"], "which is not a folder"),
        (["report", "none", "-o", "folder.npy"], "--out: folder.npy is a folder"),
        (["show", "none", "--csv", "dangling.npy"], "which does not exist"),
    ]:
        code, _, err = call(*arguments)
        assert (code, err.count("\n")) == (2, 1), arguments
        assert message in err, (arguments, err)


def test_output_follows_symbolic_links(call, files):
    (files / "run1.npy").write_bytes(b"old")
    (files / "latest.npy").symlink_to("run1.npy")
    assert call("embed", "p.npy", "-o", "latest.npy", "--method", "pca")[0] == 0
    assert (files / "latest.npy").is_symlink()
    assert np.load("run1.npy").shape == (40, 2)


def trained(monkeypatch, loss):
    monkeypatch.setattr(
        "unknot.training.train", lambda *_, **__: History({"epoch": [1.0], "loss": [loss]})
    )


def test_each_model_has_a_history_of_its_own(call, files, monkeypatch):
    names = ("a.keras", "a.h5", "a.yaml", "run.1.keras", "run.2.keras", "b.weights.h5")
    for number, name in enumerate(names):
        trained(monkeypatch, number)
        code, out, err = call("train", "perceptron", "digits", "-o", name)
        assert code == 0, err
        assert f"Saved {name} and {name}.csv after 1 epochs." in out
    for number, name in enumerate(names):
        assert History.from_csv(f"{name}.csv")["loss"] == [number]


@pytest.mark.parametrize("content", [b"name,price\nbread,3\n", b"", b"\0\xff", b"a,b\n1,2,3\n"])
def test_a_foreign_file_is_not_overwritten(call, files, monkeypatch, content):
    monkeypatch.setattr("unknot.training.train", no_fit)
    (files / "m.keras.csv").write_bytes(content)
    code, _, err = call("train", "perceptron", "digits", "-o", "m.keras")
    assert code == 2
    assert "m.keras.csv, which exists and is not a training history" in err
    assert (files / "m.keras.csv").read_bytes() == content
    from unknot.training._train import train

    split = unknot.load_dataset("digits").train
    with pytest.raises(ValueError, match="exists and is not a training history"):
        train(unknot.networks.perceptron(10, (8, 8, 1)), split, checkpoint="m.keras")


def test_studies_of_two_files_of_one_stem_have_two_folders(call, files, monkeypatch):
    options = ("-m", "neighborhood_hit", "--max-iter", 250, "--perplexity", 5)
    (files / "layers.2.npz").write_bytes((files / "layers.npz").read_bytes())
    for name in ("layers.npz", "layers.2.npz"):
        code, _, err = call("study", name, "data.npz", *options)
        assert code == 0, err
        assert (files / f"study-{name}" / "report.html").is_file()
    assert os.environ["COLUMNS"] == "140"
