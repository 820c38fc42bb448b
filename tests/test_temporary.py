"""Temporary folders: removed with their object, their process, or by whoever comes next."""

import gc
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from unknot._io.temporary import PREFIX, TemporaryFolder


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_goes_with_its_object(home):
    folder = TemporaryFolder()
    (folder.path / "file").write_text("x")
    assert folder.path.parent == home
    del folder
    gc.collect()
    assert list(home.iterdir()) == []


def test_it_goes_with_its_block(home):
    with TemporaryFolder() as path:
        assert path.is_dir()
    assert list(home.iterdir()) == []


CODE = """
import tempfile, sys, time
tempfile.tempdir = sys.argv[1]
from unknot._io.temporary import TemporaryFolder
folder = TemporaryFolder()
(folder.path / "file").write_text("x")
print(folder.path, flush=True)
time.sleep(float(sys.argv[2]))
"""


def started(home, *arguments, code=CODE):
    """Start a process; return it, and the first line that it prints."""
    command = [sys.executable, "-c", code, str(home), *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with process.stdout:
        return process, process.stdout.readline().strip()


def test_it_goes_with_its_process(home):
    process, path = started(home, 0)
    assert process.wait(60) == 0
    assert not os.path.exists(path)  # noqa: PTH110


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_that_of_a_killed_process_is_removed_by_the_next(home, how):
    process, _ = started(home, 60)
    process.send_signal(getattr(signal, how))
    process.wait(60)
    with TemporaryFolder() as mine:
        assert list(home.iterdir()) == [mine]


def test_that_of_a_running_process_is_kept(home):
    process, path = started(home, 60)
    try:
        with TemporaryFolder():
            assert os.path.exists(path)  # noqa: PTH110
    finally:
        process.kill()
        process.wait(60)


def test_only_folders_with_our_lock_are_removed(home, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / ".lock").write_text("")
    (home / f"{PREFIX}of-somebody").mkdir()
    (home / f"{PREFIX}link").symlink_to(other)
    (home / f"{PREFIX}file").write_text("x")
    with TemporaryFolder():
        pass
    assert sorted(path.name for path in home.iterdir()) == [
        f"{PREFIX}file",
        f"{PREFIX}link",
        f"{PREFIX}of-somebody",
    ]
    assert (other / ".lock").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_does_not_remove_its_parents(home):
    folder = TemporaryFolder()
    child = os.fork()
    if child == 0:
        folder.remove()
        os._exit(0)
    os.waitpid(child, 0)
    assert folder.path.is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM as elsewhere")
def test_the_command_line_ends_at_sigterm_as_at_ctrl_c(home):
    code = (
        "import sys, tempfile; tempfile.tempdir = sys.argv.pop(1)\n"
        "import unknot.cli._app as a\n"
        "from unknot import cli\n"
        "from unknot._io.temporary import TemporaryFolder\n"
        "import time\n"
        "def work(**_):\n"
        "    with TemporaryFolder() as folder:\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(60)\n"
        "cli.app = work\n"
        "cli.main()\n"
    )
    process, line = started(home, code=code)
    assert line == "ready"
    time.sleep(0.2)
    process.terminate()
    assert process.wait(60) == 130
    assert list(home.iterdir()) == []
