"""The command line; in separate processes where needed."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from unknot import cli
from unknot.lab import LabSettings


@pytest.fixture
def clouds(tmp_path):
    """Two well-separated clouds of 60 points in 5 dimensions."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    points = (rng.normal(size=(120, 5)) + 20 * labels[:, None]).astype(np.float32)
    np.save(tmp_path / "points.npy", points)
    np.save(tmp_path / "labels.npy", labels)
    return tmp_path / "points.npy", tmp_path / "labels.npy"


def test_help_lists_the_commands(call):
    code, out, _ = call("--help")
    assert code == 0
    for command in (
        "lab",
        "train",
        "embed",
        "measure",
        "study",
        "show",
        "compare",
        "similarity",
        "report",
    ):
        assert re.search(rf"^.*\b{command}\b", out, re.MULTILINE)


@pytest.mark.parametrize(
    "command",
    ["lab", "train", "embed", "measure", "study", "show", "compare", "similarity", "report"],
)
def test_every_command_has_help(call, command):
    code, out, _ = call(command, "--help")
    assert code == 0
    assert "Usage" in out


def test_no_command_at_all_prints_the_help(call):
    code, out, err = call()
    assert (code, err) == (2, "")
    assert "measure" in out


BUSY = """
import sys, time, zarr
from zarr.core import sync
zarr.zeros(3)[:]
sync.loop[0].call_soon_threadsafe(time.sleep, 1)
sys.argv = ["unknot", "--version"]
from unknot.cli import main
main()
"""


def test_slow_shutdown_of_zarr_prints_no_traceback():
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_version(call):
    from unknot import __version__

    assert call("--version")[:2] == (0, f"unknot {__version__}\n")


def test_version_in_full(call):
    """The environment for bug reports, without the dependencies of the tests."""
    code, out, err = call("--version", "--verbose")
    assert (code, err) == (0, "")
    fields = dict(re.split(r"  +", line, maxsplit=1) for line in out.splitlines())
    assert fields["numpy"] == np.__version__
    assert {"unknot", "Python", "system", "numba", "keras"} <= set(fields)
    assert re.search(r"\d+ threads", fields["processor"])
    assert "threads" in fields["BLAS"]
    assert re.match(r"\d+ in |not cached", fields["compiled kernels"])
    assert "pytest" not in out
    code, out, _ = call("--verbose", "--version")
    assert code == 0
    assert fields["numba"] in out
    code, _, err = call("--verbose", "show", "nothing")
    assert code == 2
    assert "it requires --version" in err


def test_embed_then_measure(call, clouds, tmp_path):
    points, labels = clouds
    code, out, _ = call("embed", points, "-o", tmp_path / "map.npy", "--perplexity", 10)
    assert code == 0
    assert re.search(r"Wrote .*map\.npy: 120 points, KL divergence \d", out)
    assert np.load(tmp_path / "map.npy").shape == (120, 2)
    code, out, _ = call("measure", tmp_path / "map.npy", labels, "--json", "-m", "neighborhood")
    assert code == 0
    scores = {score["name"]: score["value"] for score in json.loads(out)["scores"]}
    assert scores["neighborhood_hit"] == 1.0
    code, out, _ = call("measure", points, labels, "--map", tmp_path / "map.npy", "-m", "shape")
    assert code == 0
    assert "hull" in out.lower()


def test_embed_by_pca(call, clouds, tmp_path):
    code, _, _ = call("embed", clouds[0], "-o", tmp_path / "map.npy", "--method", "pca")
    assert code == 0
    map_ = np.load(tmp_path / "map.npy")
    assert map_.shape == (120, 2)
    assert abs(np.corrcoef(map_[:, 0], np.repeat([0, 1], 60))[0, 1]) > 0.99


def test_train_saves_model_and_history(call, tmp_path):
    path = tmp_path / "small.keras"
    code, out, err = call(
        "train", "logistic_regression", "digits", "-o", path, "--epochs", 3, "--validate"
    )
    assert code == 0, err
    assert "after 3 epochs" in out
    assert "logistic_regression: epoch 3/3" in err
    assert (tmp_path / "small.keras.csv").read_text().startswith("epoch,loss,accuracy,seconds,val_")
    code, out, err = call("train", path, "digits", "-o", tmp_path / "more.yaml", "--epochs", 1)
    assert code == 0, err
    assert (tmp_path / "more.weights.h5").is_file()


def test_lab_passes_its_options_on(call, monkeypatch, tmp_path):
    given = {}
    monkeypatch.setattr("unknot.lab.run_lab", lambda out, **options: given.update(options, out=out))
    assert (
        call("lab", "--quick", "--random-state", 3, "--backend", "jax", "--out", tmp_path)[0] == 0
    )
    assert given.pop("console").file is not None
    assert given == {"out": tmp_path, "quick": True, "random_state": 3, "backend": "jax"}
    assert call("lab", "--quick")[0] == 0
    assert given["out"].name == "unknot-lab-quick"
    assert LabSettings.quick(3, "jax").random_state == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embed", "none.npy", "-o", "m.npy"], "POINTS: none.npy: no such file"),
        (["embed", "points.npy", "-o", "m.txt"], "--out must be an .npy file; got 'm.txt'"),
        (["embed", "points.npy"], "Missing option '--out' / '-o'. (unknot embed --help says more)"),
        (["embed", "points.npy", "-o", "m.npy", "--perplexity", "500"], "perplexity"),
        (["embed", "text.npy", "-o", "m.npy"], "text.npy is not a whole .npy file"),
        (["embed", "many.npz", "-o", "m.npy"], "many.npz holds several arrays"),
        (["embed", "objects.npy", "-o", "m.npy"], "objects.npy is not a whole .npy file of plain"),
        (["measure", "points.npy", "few.npy"], "one label for each of the 120 samples"),
        (["measure", "points.npy", "labels.npy", "-k", "0"], "Invalid value for '-k'"),
        (["measure", "points.npy", "labels.npy", "-k", "120"], "k must be"),
        (["train", "nonsense", "digits", "-o", "m.keras"], "network must be lenet"),
        (["train", "lenet", "nonsense", "-o", "m.keras"], "nonsense"),
        (["train", "perceptron", "digits", "-o", "m.pkl"], "path must end in .keras"),
        (["train", "lenet", "digits", "-o", "m.keras"], "at least 16 x 16 pixels"),
        (["lab", "--backend", "abacus"], "'abacus' is not one of"),
        (["lab", "--out", "text.npy"], "text.npy is a file; name a folder"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_every_error_is_one_line_and_exit_code_2(
    call, clouds, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    np.save("few.npy", np.zeros(3, int))
    np.savez("many.npz", a=np.zeros(3))
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "text.npy").write_text("not an array")
    code, _, err = call(*arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert err.startswith("unknot: ")
    assert "Traceback" not in err


def test_an_unexpected_error_is_one_line(call, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise ZeroDivisionError("inside")

    monkeypatch.setattr("unknot.lab.run_lab", fail)
    code, _, err = call("lab", "--out", tmp_path)
    assert code == 2
    assert err == "unknot: unexpected ZeroDivisionError: inside (UNKNOT_TRACEBACK=1 shows where)\n"
    monkeypatch.setenv("UNKNOT_TRACEBACK", "1")
    monkeypatch.setattr(sys, "argv", ["unknot", "lab"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_out_of_memory_and_ctrl_c(call, monkeypatch, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr("unknot.lab.run_lab", full)
    assert call("lab", "--out", tmp_path)[::2] == (2, "unknot: out of memory\n")
    monkeypatch.setattr("unknot.lab.run_lab", interrupted)
    assert call("lab", "--out", tmp_path)[0] == 130


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "unknot", "measure", "none.npy", "none.npy"],
        capture_output=True,
        text=True,
        env=os.environ.copy(),
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "unknot: POINTS: none.npy: no such file\n"


def test_a_closed_pipe_is_quiet(clouds):
    done = subprocess.run(
        f"{sys.executable} -m unknot measure {clouds[0]} {clouds[1]} --json | true",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


def test_os_errors_are_shown_without_errno():
    from unknot.cli import _one_line

    assert _one_line(OSError(28, "the disk is full")) == "the disk is full"
    assert _one_line(ValueError("k [Errno 2] stays")) == "k [Errno 2] stays"
