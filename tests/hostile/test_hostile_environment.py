"""A current folder that is somebody else's: nothing in it sets up the command, or runs."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A strange folder, and the points that somebody measures in it."""
    strange = tmp_path / "strange"
    strange.mkdir()
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    np.save(strange / "p.npy", rng.normal(size=(40, 3)) + labels[:, None])
    np.save(strange / "y.npy", labels)
    monkeypatch.chdir(strange)
    return strange


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "unknot", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


EVIL = "import pathlib\npathlib.Path({path!r}).touch()\n"
RC = (
    "backend: module://evil\ntext.usetex: True\n"
    "axes.prop_cycle: cycler(color=[(g for g in [1]).gi_frame.f_builtins['open']({path!r}, 'w')])\n"
)


def test_settings_and_modules_of_the_folder_are_not_read(folder, marker):
    (folder / "evil.py").write_text(EVIL.format(path=str(marker.path)))
    for name in ("yaml", "numba", "typer", "matplotlib"):
        (folder / f"{name}.py").write_text(EVIL.format(path=str(marker.path)))
    (folder / "matplotlibrc").write_text(RC.format(path=str(marker.path)))
    (folder / ".numba_config.yaml").write_text(
        "cache_dir: cache\ncache_locator_classes: evil.Locator\ndisable_jit: 1\n"
    )
    done = run("measure", "p.npy", "y.npy", "-m", "neighborhood_hit", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "neighborhood_hit" in done.stdout
    assert not (folder / "cache").exists()


CODE = """
import sys
sys.path.insert(0, {source!r})
from unknot import cli
sys.argv = ["unknot", "--version"]
try:
    cli.main()
except SystemExit as ended:
    assert not ended.code
import matplotlib
from numba.core import config
print(matplotlib.rcParams["lines.linewidth"], config.CACHE_DIR, config.OPT)
config.reload_config()
print(config.OPT)
"""


def test_only_where_such_files_are_the_libraries_are_imported_elsewhere(folder):
    import unknot

    source = str(Path(unknot.__file__).parents[1])
    code = CODE.format(source=source)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}

    def said():
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment
        )
        assert done.stderr == ""
        return done.stdout.split("\n")[1:3]

    expected = said()
    (folder / "matplotlibrc").write_text("lines.linewidth: 7\n")
    (folder / ".numba_config.yaml").write_text("opt: 1\ncache_dir: here\n")
    assert said() == expected
    (folder / ".numba_config.yaml").write_text("not: [a: mapping")
    assert said() == expected


def test_a_cache_that_the_folder_names_is_not_unpickled(folder, marker, tmp_path):
    # Whatever a cache of Numba's or of ours would be called there.
    (folder / ".numba_config.yaml").write_text("cache_dir: .\n")
    names = [
        "unknot.neighbors._kernels.nearest-1.py311.kernel",
        "_kernels.nearest-1.py311.nbi",
        "_kernels.nearest-1.py311.1.nbc",
    ]
    for name in names:
        (folder / name).write_bytes(marker.pickled)
    done = run("measure", "p.npy", "y.npy", "-m", "neighborhood_hit", NUMBA_CACHE_DIR="cache")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (folder / "cache").exists()
    assert pickle.loads  # the marker's own way in
