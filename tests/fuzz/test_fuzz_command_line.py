"""Odd command lines: each ends in time, with a known code and no more than one clear error."""

import contextlib
import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn  # noqa: F401 # sets a variable of the environment when it is first imported
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from unknot import cli

COMMANDS = ("lab", "train", "embed", "measure", "study", "show", "similarity", "report")
OPTIONS = (
    "--out", "-o", "--method", "--perplexity", "--max-iter", "--metric", "--random-state",
    "--n-jobs",
    "--map", "--measures", "-m", "-k", "--json", "--layers", "-l", "--max-samples", "--factory",
    "--trust-pickle", "--untrained", "--no-keep-points", "--max-memory", "--pool", "--project",
    "--backend", "--csv", "--no-figures", "--compare", "--title", "--epochs", "--batch-size",
    "--learning-rate", "--validate", "--quick", "--help", "-h", "--version", "--", "-",
)  # fmt: skip
PATHS = (
    "p.npy", "y.npy", "text.npy", "empty.npy", "layers.npz", "data.npz", "folder", "folder/x.npy",
    "none.npy", "text.npy/x.npy", "dangling.npy", ".", "..", "", "out.npy", "m.keras", "m.pt2",
    "m.onnx", "m.yaml", "m.h5", "study", "/dev/null", "mnist", "digits", "nan.npy",
)  # fmt: skip
NUMBERS = (
    "0", "-1", "1", "5", "250", "1e999", "nan", "-inf", "1e-320", str(2**63), "9" * 400, "0x10",
    "1_0", "٣", "½", "2 GB", "all", "euclidean", "cosine", "pca", "tsne", "jax",
)  # fmt: skip
ODD = st.one_of(
    st.sampled_from(PATHS),
    st.sampled_from(NUMBERS),
    st.sampled_from(OPTIONS),
    st.text(max_size=8),
    st.sampled_from(["\0", "a\0b.npy", "\udcff.npy", "\x1b[31m", "[/b]", "%s", "{}", "x" * 5000]),
)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """A folder of small files, the work taken out of the commands that take minutes."""
    here = tmp_path_factory.mktemp("fuzz")
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 2
    points = rng.normal(size=(30, 3)) + labels[:, None]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setenv("COLUMNS", "100")
        np.save("p.npy", points)
        np.save("y.npy", labels)
        np.save("nan.npy", np.full((30, 3), np.nan))
        np.savez("layers.npz", a=points)
        np.savez("data.npz", inputs=points, labels=labels)
        Path("text.npy").write_text("text")
        Path("empty.npy").touch()
        Path("folder").mkdir()
        Path("dangling.npy").symlink_to("nowhere.npy")
        for name in ("m.keras", "m.pt2", "m.onnx", "m.yaml", "m.h5"):
            Path(name).write_bytes(b"not a model")

        def ended(*_, **__):
            raise ValueError("the work would begin")

        patch.setattr("unknot.lab.run_lab", ended)
        patch.setattr("unknot.training.train", ended)
        patch.setattr("unknot.studies.study", ended)
        patch.setattr("unknot.projection.TSNE.fit_transform", ended)
        yield here


def run(arguments):
    """Run a command line; return the exit code, what was printed and what was said of errors."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setattr(sys, "argv", ["unknot", *arguments])
        patch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as caught:
            cli.main()
    return caught.value.code, out.getvalue(), err.getvalue()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from((*COMMANDS, "", "nonsense", "--version")), st.lists(ODD, max_size=6))
@example("embed", ["p.npy", "-o", "a\0b.npy"])
@example("embed", ["p.npy", "--method", "pca", "-o", "\udcff.npy"])
@example("measure", ["p.npy", "y.npy", "-m", "\x1b[31m"])
@example("measure", ["p.npy", "y.npy", "--random-state", "9" * 400])
@example("study", ["layers.npz", "data.npz", "-l", "9" * 5000])
@example("study", ["layers.npz", "data.npz", "--pool", "½"])
@example("study", ["layers.npz", "data.npz", "--pool", "9" * 5000])
@example("study", ["\0", "data.npz"])
@example("study", ["layers.npz", "\0"])
@example("report", ["folder", "--compare", "\0"])
@example("show", ["\udcff", "--csv", "x" * 5000])
@example("train", ["lenet", "digits", "-o", "x" * 5000 + ".keras"])
@example("lab", ["x" * 5000, "y" * 5000])
@example("study", ["x" * 5000] * 6)
def test_any_command_line_ends_in_one_clear_error_or_none(command, arguments):
    before = os.environ.copy()
    code, _, err = run([command, *arguments])
    assert code in (0, 1, 2, 130)
    assert "Traceback" not in err
    assert "UNKNOT_TRACEBACK" not in err  # said of errors that nobody thought of
    assert err.count("\n") <= 1
    assert len(err) < 7000
    assert not set(err) & set("\x1b\x07\r\0")
    if code == 2 and err:
        assert err.startswith("unknot: ")
    assert not list(Path().rglob(".unknot-*.part*"))
    assert dict(os.environ) == dict(before)
