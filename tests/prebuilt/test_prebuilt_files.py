"""Machine code of prebuilt kernels: its cache, interrupts and forks, and the wheel with bitcode."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import zipfile

import pytest
from prebuilt_kernels import ROOT, columns_and_counts, count_columns, variant

from unknot._parallel import private_files
from unknot._prebuilt import library, machine_code

POSIX = pytest.mark.skipif(os.name != "posix", reason="owners and modes are those of POSIX")


# The cache of machine code.


def machine_files(folder):
    return sorted(folder.rglob("*.object"))


def compiled_again(own, monkeypatch):
    """Load as a new process would; return whether code was made of bitcode."""
    made = []
    original = machine_code._Target.object_code
    with monkeypatch.context() as patch:
        patch.setattr(
            machine_code._Target,
            "object_code",
            lambda *given: made.append(1) or original(*given),
        )
        machine_code._entries.clear()
        columns, counts = columns_and_counts()
        assert variant(own, "count_columns").load().call((columns, 0, 3, counts)) == (True, None)
        assert counts.tolist() == [1, 1, 4]
    return bool(made)


def test_machine_code_is_cached(own, monkeypatch, tmp_path):
    assert compiled_again(own, monkeypatch)
    assert not compiled_again(own, monkeypatch)
    assert len(machine_files(tmp_path / "cache")) == 1
    assert list((tmp_path / "cache").rglob("*.tmp")) == []
    # Another processor has code of its own.
    monkeypatch.setenv("NUMBA_CPU_NAME", "x86-64-v2")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "")
    machine_code._target.cache_clear()
    assert compiled_again(own, monkeypatch)
    machine_code._target.cache_clear()
    assert len(machine_files(tmp_path / "cache")) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:32],
        lambda content: content + b"more",
        lambda content: content[:200] + bytes(8) + content[208:],
    ],
    ids=["empty", "one byte less", "head only", "longer", "a few bytes"],
)
def test_damaged_machine_code_is_not_loaded_but_made_again(own, monkeypatch, tmp_path, damage):
    compiled_again(own, monkeypatch)
    (path,) = machine_files(tmp_path / "cache")
    path.write_bytes(damage(path.read_bytes()))
    assert compiled_again(own, monkeypatch)
    assert not compiled_again(own, monkeypatch)


def test_without_a_folder_for_it_machine_code_is_not_cached(own, monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("")  # also stops root
    assert compiled_again(own, monkeypatch)
    assert compiled_again(own, monkeypatch)


def test_a_full_disk_is_ignored(own, monkeypatch, tmp_path):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_files, "write_own", full)
    monkeypatch.setattr(machine_code, "write_own", full)
    assert compiled_again(own, monkeypatch)
    assert machine_files(tmp_path) == []


@POSIX
def test_machine_code_is_not_taken_from_where_others_can_write(own, monkeypatch, tmp_path):
    compiled_again(own, monkeypatch)
    (path,) = machine_files(tmp_path / "cache")
    path.parent.chmod(0o777)
    assert compiled_again(own, monkeypatch)
    path.parent.chmod(0o755)
    assert not compiled_again(own, monkeypatch)
    path.chmod(0o666)
    assert compiled_again(own, monkeypatch)


def test_nothing_is_taken_from_the_current_folder(own, monkeypatch, tmp_path):
    compiled_again(own, monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "cache")  # relative: where the working directory is
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(private_files, "_is_as_protected", lambda *_: False)
    assert compiled_again(own, monkeypatch)


# Interrupts and forks.


@pytest.fixture
def slow(own, monkeypatch):
    """Loading lasts until the test lets it end."""
    started, may_end = threading.Event(), threading.Event()
    original = library.Variant.load

    def load(self):
        with machine_code.held_over_forks:
            started.set()
            assert may_end.wait(60)
            return original(self)

    monkeypatch.setattr(library.Variant, "load", load)
    yield started, may_end
    may_end.set()


def test_an_interrupt_does_not_wait_for_the_machine_code(slow):
    started, may_end = slow
    kernel = count_columns()
    columns, counts = columns_and_counts()

    def interrupt():
        assert started.wait(60)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        kernel(columns, 0, 3, counts)
    assert (counts == 9).all()
    may_end.set()
    kernel(columns, 0, 3, counts)
    assert counts.tolist() == [1, 1, 4]
    assert kernel._last is not None


# Forking a multi-threaded process warns; that is what is tested.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:os.fork\\(\\) was called:RuntimeWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_forked_while_code_is_made_has_its_kernels(slow):
    started, may_end = slow
    arguments_ = columns_and_counts()
    loading = threading.Thread(target=lambda: count_columns()(arguments_[0], 0, 3, arguments_[1]))
    loading.start()
    assert started.wait(60)
    threading.Timer(0.2, may_end.set).start()
    ours, theirs = multiprocessing.get_context("fork").Pipe()

    def answer():
        columns, counts = columns_and_counts()
        count_columns()(columns, 0, 3, counts)
        theirs.send(counts.tolist())

    child = multiprocessing.get_context("fork").Process(target=answer)
    child.start()
    assert ours.poll(60)
    assert ours.recv() == [1, 1, 4]
    child.join()
    loading.join()
    assert child.exitcode == 0


# The wheel.


def test_the_wheel_has_the_bitcode_where_it_is_asked_for(folder, tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", str(ROOT)]
    for name, environment in {
        "plain": {},
        "release": {"HATCH_BUILD_HOOK_ENABLE_CUSTOM": "true", "UNKNOT_PREBUILT": str(folder)},
    }.items():
        to = ["--wheel-dir", str(tmp_path / name)]
        done = subprocess.run(
            [*command, *to], capture_output=True, text=True, env=os.environ | environment
        )
        assert done.returncode == 0, done.stderr
    held = {}
    for name in ("plain", "release"):
        (wheel,) = (tmp_path / name).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            held[name] = [part for part in archive.namelist() if "_prebuilt/bitcode/" in part]
    assert held["plain"] == []
    expected = {
        f"unknot/_prebuilt/bitcode/{path.name}" for path in folder.iterdir() if path.is_file()
    }
    assert set(held["release"]) == expected


def test_a_wheel_without_the_folder_that_it_is_to_have_is_not_built(tmp_path):
    environment = {"HATCH_BUILD_HOOK_ENABLE_CUSTOM": "true", "UNKNOT_PREBUILT": str(tmp_path)}
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode != 0
    assert "UNKNOT_PREBUILT must name a folder written by" in done.stderr + done.stdout


def test_the_build_does_not_write_to_a_folder_in_use(tmp_path):
    (tmp_path / "kept").write_text("")
    program = str(ROOT / "release" / "first_fits.py")
    command = [sys.executable, "-m", "unknot._prebuilt.build", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert "is not empty: name a new folder, or empty it" in done.stderr
