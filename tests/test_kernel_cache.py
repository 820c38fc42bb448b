"""The cache of compiled kernels: protected from other users, atomic, and never outdated."""

import importlib
import os
import pickle
import sys
from pathlib import Path

import pytest

from unknot._parallel import kernel_cache as _kernel_cache
from unknot._parallel.jit import kernel

SOURCE = """
from unknot._parallel.jit import kernel


@kernel()
def quick(number):
    return 1 + number
"""
POSIX = pytest.mark.skipif(os.name != "posix", reason="owners and modes are those of POSIX")


class Opens:
    """Creates a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the source of a kernel, which is the only place to cache it."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "kept_kernels.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    _kernel_cache._stamp.cache_clear()
    yield folder
    sys.modules.pop("kept_kernels", None)


def run(number=1):
    """Run the kernel as a new process would; return the number of cache hits."""
    sys.modules.pop("kept_kernels", None)
    importlib.invalidate_caches()
    module = importlib.import_module("kept_kernels")
    assert module.quick(number) == 1 + number
    return sum(module.quick.stats.cache_hits.values())


def kept(folder):
    return sorted(folder.rglob("*.kernel"))


def test_a_kernel_is_cached_beside_its_source_per_argument_types(place):
    assert (run(), run(), run(1.5), run(1.5), run()) == (0, 1, 0, 1, 1)
    assert [path.parent for path in kept(place)] == [place / "__pycache__"]
    assert list((place / "__pycache__").glob("*.tmp")) == []


def test_an_absolute_folder_in_the_environment_is_used(place, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "named"))
    assert (run(), run()) == (0, 1)
    assert len(kept(tmp_path / "named")) == 1
    assert kept(place) == []


def test_a_relative_folder_in_the_environment_is_ignored(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "here")
    run()
    assert not Path("here").exists()
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path / "there"))
    monkeypatch.setattr("numba.core.config.CACHE_LOCATOR_CLASSES", "nonsense.Nonsense")
    assert run() == 1
    assert not (tmp_path / "there").exists()


def blocked(folder):
    """Put a file where a folder would be created, which also stops root."""
    folder.write_text("")


def test_the_users_folder_is_used_where_the_package_is_read_only(place, tmp_path):
    blocked(place / "__pycache__")
    assert (run(), run()) == (0, 1)
    assert len(kept(tmp_path / "home" / "unknot")) == 1
    if os.name == "posix":
        assert (tmp_path / "home" / "unknot").stat().st_mode & 0o77 == 0


def test_without_any_folder_kernels_are_compiled_silently(place, tmp_path, monkeypatch, capfd):
    blocked(place / "__pycache__")
    blocked(tmp_path / "home")
    assert (run(), run()) == (0, 0)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # a user without a home
    monkeypatch.chdir(tmp_path)
    assert run() == 0
    assert not Path("~").exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:50],
        lambda content: content[:-1],
        lambda content: content[:-100] + bytes(100),
        lambda content: bytes(100) + content[100:],
        lambda content: b"garbage" * 100,
        lambda content: content + b"more",
    ],
    ids=["empty", "head only", "one byte less", "tail", "foreign version", "garbage", "longer"],
)
def test_a_damaged_file_is_ignored_and_rewritten(place, damage):
    run()
    (path,) = kept(place)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert (run(), run()) == (0, 1)
    assert len(kept(place)) == 1


def test_a_folder_or_a_pipe_in_place_of_the_file_does_not_block(place):
    run()
    (path,) = kept(place)
    path.unlink()
    path.mkdir()
    (path / "kept").touch()
    # A kernel that cannot be written here is written to the next folder.
    assert (run(), run()) == (0, 1)
    if hasattr(os, "mkfifo"):
        (path / "kept").unlink()
        path.rmdir()
        os.mkfifo(path)
        assert run() == 1


def test_a_full_disk_is_ignored(place, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    assert run() == 0
    assert list(place.rglob("*.tmp")) == kept(place) == []


@POSIX
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
@pytest.mark.parametrize("which", ["root", "leaf"])
def test_nothing_is_unpickled_where_others_can_write(place, tmp_path, monkeypatch, mode, which):
    named, marker = tmp_path / "named", tmp_path / "marker"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(named))
    run()
    (path,) = kept(named)
    content = pickle.dumps(Opens(marker))
    stamp = path.read_bytes()[:32]
    path.write_bytes(stamp + _kernel_cache.hashlib.sha256(content).digest() + content)
    (named if which == "root" else path.parent).chmod(mode)
    assert run() == 0
    assert not marker.exists()
    (named if which == "root" else path.parent).chmod(0o755)
    run()
    assert marker.exists()  # the check can fail: this folder is trusted


@POSIX
def test_a_package_folder_open_to_all_is_as_protected_as_its_code(place, tmp_path):
    blocked(tmp_path / "home")
    run()
    cache = place / "__pycache__"
    cache.chmod(0o777)
    assert run() == 0
    place.chmod(0o777)
    assert run() == 1
    (path,) = kept(place)
    path.chmod(0o666)
    assert run() == 0


def test_a_change_of_any_kernel_invalidates_all(place, monkeypatch):
    run()
    assert run() == 1
    _kernel_cache._stamp.cache_clear()
    monkeypatch.setattr(_kernel_cache, "__version__", "another")
    assert (run(), run()) == (0, 1)
    _kernel_cache._stamp.cache_clear()
    (place / "kept_kernels.py").write_text(SOURCE + "\n\n")
    assert run() == 0


def test_the_stamp_covers_the_kernels_of_every_subpackage(tmp_path, monkeypatch):
    (tmp_path / "room").mkdir()
    inner = tmp_path / "room" / "_kernels_inner.py"
    inner.write_text("1")
    monkeypatch.setattr(_kernel_cache, "__file__", str(tmp_path / "_kernel_cache.py"))
    stamps = set()
    for content in ("1", "2", "1"):
        inner.write_text(content)
        _kernel_cache._stamp.cache_clear()
        stamps.add(_kernel_cache._stamp(tmp_path / "outer.py"))
    _kernel_cache._stamp.cache_clear()
    assert len(stamps) == 2


def test_a_disabled_compiler_raises(monkeypatch):
    monkeypatch.setattr("numba.core.config.DISABLE_JIT", 1)
    with pytest.raises(RuntimeError, match=r"NUMBA_DISABLE_JIT .* is set, but unknot"):
        kernel()(lambda number: number)
