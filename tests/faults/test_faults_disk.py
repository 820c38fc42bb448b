"""Disks that are full, outputs that are closed, and writers that are killed."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest

import unknot
from unknot._io.atomic import atomic_path, write_array, write_bytes, write_json, write_text
from unknot.figures import save_figure
from unknot.training import History

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@pytest.fixture
def points(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 30)
    np.save(tmp_path / "points.npy", rng.normal(size=(60, 3)) + labels[:, None])
    np.save(tmp_path / "labels.npy", labels)
    return tmp_path / "points.npy", tmp_path / "labels.npy"


@pytest.fixture
def full_disk(monkeypatch):
    """Let every file that is to be written whole lie on a disk that has no room."""

    def make(suffix, prefix, folder):
        path = Path(folder) / f"{prefix}12345678{suffix}"
        path.symlink_to("/dev/full")
        return os.open(os.devnull, os.O_RDONLY), str(path)

    monkeypatch.setattr(tempfile, "mkstemp", make)


def drawn():
    figure = matplotlib.figure.Figure()
    figure.text(0.5, 0.5, "text")
    return figure


WRITERS = {
    "text.txt": lambda path: write_text(path, "text"),
    "bytes.bin": lambda path: write_bytes(path, b"bytes"),
    "large.bin": lambda path: write_bytes(path, bytes(1 << 20)),
    "values.json": lambda path: write_json(path, {"a": 1}),
    "map.npy": lambda path: write_array(path, np.zeros((100, 2))),
    "history.csv": lambda path: History({"epoch": [1.0]}).to_csv(path),
    "figure.png": lambda path: save_figure(drawn(), path),
    "figure.svg": lambda path: save_figure(drawn(), path),
    "figure.pdf": lambda path: save_figure(drawn(), path),
}


@FULL
@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_names_the_file_and_keeps_the_old_one(tmp_path, full_disk, name):
    path = tmp_path / name
    path.write_text("old")
    with pytest.raises(OSError, match=r"its disk is full \([\d,]+ of [\d,]+ bytes are") as caught:
        WRITERS[name](path)
    assert caught.value.errno == 28
    assert str(caught.value).count(str(path)) == 1
    assert "unknot-" not in str(caught.value)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == [name]


@FULL
def test_a_command_says_in_a_line_what_is_full(call, points, tmp_path, full_disk):
    out = tmp_path / "map.npy"
    code, printed, err = call("embed", points[0], "-o", out, "--method", "pca")
    assert (code, printed, err.count("\n")) == (2, "", 1)
    assert f"unknot: {out} could not be written, as its disk is full" in err


def test_a_study_is_safe_where_its_page_finds_no_room(call, points, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "layers.npz", a=rng.normal(size=(60, 3)))
    np.savez(tmp_path / "data.npz", inputs=rng.normal(size=(60, 3)), labels=np.arange(60) % 2)

    def full(*_, **__):
        raise OSError(28, "No space left on device", "report.html")

    monkeypatch.setattr("unknot.report.write_report", full)
    code, _, err = call(
        "study", tmp_path / "layers.npz", tmp_path / "data.npz", "-o", tmp_path / "out",
        "-m", "neighborhood_hit", "--max-iter", 250, "--perplexity", 5,
    )  # fmt: skip
    assert code == 2
    assert f"the study is complete in {tmp_path / 'out'}; write its page with unknot report" in err
    assert len(unknot.Study.load(tmp_path / "out")) == 2


def run(arguments, redirection, **options):
    line = f'"{sys.executable}" -m unknot {arguments} {redirection}'
    return subprocess.run(line, shell=True, capture_output=True, text=True, **options)


@FULL
def test_an_output_that_is_full_closed_or_cut_off(points, tmp_path):
    out = tmp_path / "map.npy"
    embed = f"embed {points[0]} -o {out} --method pca"
    done = run(embed, "> /dev/full")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    message = "standard output cannot be written: No space left on device; the map was written to"
    assert f"{message} {out}" in done.stderr
    whole = out.read_bytes()
    out.unlink()
    done = run(embed, ">&- 2>&- <&-")
    assert done.returncode == 0
    assert out.read_bytes() == whole  # the file has not got the output's number
    done = run("--help", "| head -1")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_error_of_a_library_names_the_target(tmp_path):
    path = tmp_path / "model.h5"

    def write(raised):
        with atomic_path(path) as temporary:
            raise raised(temporary)

    for raised in (
        lambda temporary: ValueError(f"cannot write {temporary}"),
        lambda temporary: OSError(f"name = '{temporary.name}', errno = 5"),
        lambda temporary: PermissionError(13, "Permission denied", str(temporary)),
        lambda temporary: OSError(5, "Input/output error"),
    ):
        with pytest.raises((OSError, ValueError)) as caught:
            write(raised)
        assert "model.h5" in str(caught.value)
        assert ".part" not in str(caught.value)
    other = FileNotFoundError(2, "No such file", "another.txt")
    with pytest.raises(FileNotFoundError, match=r"another\.txt"):
        write(lambda temporary: other)
    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys, time
from unknot._io.atomic import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no locks there")
def test_what_a_killed_writer_left_goes_with_the_next_write_and_a_living_ones_stays(tmp_path):
    mine = tmp_path / ".unknot-notes.txt"
    mine.write_text("mine")

    def start():
        started = subprocess.Popen(
            [sys.executable, "-c", KILLED, tmp_path / "a.npy"], stdout=subprocess.PIPE
        )
        assert started.stdout.readline() == b"writing\n"
        return started

    def left():
        return {path.name for path in tmp_path.glob(".unknot-*.part*")}

    with start() as dead, start() as alive:
        both = left()
        assert len(both) == 2
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        write_text(tmp_path / "b.txt", "b")
        assert left() == both  # nobody can tell whose is whose while one is writing
        alive.kill()
        alive.wait()
    write_text(tmp_path / "b.txt", "b")
    assert left() == set()
    assert mine.read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, "b.txt"}


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no locks there")
def test_a_lock_of_somebody_else_on_the_folder_holds_nobody_up(tmp_path):
    import fcntl

    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        started = time.monotonic()
        write_text(tmp_path / "b.txt", "b")
        assert time.monotonic() - started < 30
    finally:
        os.close(handle)
    assert (tmp_path / "b.txt").read_text() == "b"
