"""The kernels that the wheel would have, and this process with them."""

import subprocess
import sys

import pytest
from prebuilt_kernels import ROOT

from unknot._prebuilt import library, machine_code


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "prebuilt":
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _supported():
    if not library.is_supported():
        pytest.skip("not made for this platform")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """What the wheel would have, made with the Numba that is installed."""
    folder = tmp_path_factory.mktemp("prebuilt") / "bitcode"
    program = ROOT / "release" / "first_fits.py"
    command = [sys.executable, "-m", "unknot._prebuilt.build", str(program), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def own(folder, tmp_path, monkeypatch):
    """The folder as this process's, with a cache of its own and nothing loaded."""
    monkeypatch.setattr(library, "FOLDER", folder)
    monkeypatch.setattr(library, "_is_measured", lambda: False)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(machine_code, "_entries", {})
    for each in (library._library, library._may_be_used):
        each.cache_clear()
    yield folder
    for each in (library._library, library._may_be_used):
        each.cache_clear()


@pytest.fixture
def never(monkeypatch):
    """Nothing may be handed to LLVM."""

    def load(*_):
        raise AssertionError("bitcode was handed to LLVM")

    monkeypatch.setattr(machine_code, "load", load)
