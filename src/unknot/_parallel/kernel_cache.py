"""A cache of compiled kernels on disk, in folders that only the user can write to.

The first t-SNE of a process takes 1.8 s with cached kernels, 11.9 s without (docs/benchmarks.md).

Numba's own cache unpickles any file it finds, in a folder that a configuration file in the working
directory can name, and a damaged file raises. Here the folder must belong to the user, a file's
checksum is verified before it is unpickled, and with any problem the kernel is recompiled.

A file holds the compiled versions of one kernel, one per argument types. It is valid for the
sources of all kernels together, since kernels are inlined into each other.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import llvmlite
import numba
from numba.core.caching import FunctionCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from .. import __version__

_DIGEST = hashlib.sha256().digest_size
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class KernelCache(FunctionCache):  # type: ignore[misc] # Numba's classes are untyped
    """The cache of one kernel, as a Numba dispatcher uses it: load before compiling, save after."""

    def __init__(self, function: Callable[..., Any]) -> None:
        # The base class is not initialized: it would choose a folder by Numba's rules.
        self._py_func = function
        self._source = Path(function.__code__.co_filename)
        version = f"py{sys.version_info[0]}{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
        name = f"{function.__module__}.{function.__qualname__}".replace("<", "").replace(">", "")
        self._name = f"{name}-{function.__code__.co_firstlineno}.{version}.kernel"

    @property
    def cache_path(self) -> str | None:
        """The folder to cache the kernel in; None if there is none."""
        folder = folder_of(self._source)
        return None if folder is None else str(folder)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the cached kernel, or None."""
        target_context.refresh()
        key = self._index_key(sig, target_context.codegen())
        for folder in _folders(self._source):
            if (content := self._read(folder).get(key)) is not None:
                # A valid file may refer to a library of which another version is loaded.
                with suppress(Exception):
                    return CompileResult._rebuild(target_context, *pickle.loads(content))
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write a compiled kernel to the first folder that can be written to."""
        if data.lifted or data.library.has_dynamic_globals:
            warnings.warn(f"{self._name} cannot be cached", stacklevel=2)
            return
        key, content = self._index_key(sig, data.codegen), dumps(data._reduce())
        for folder in _folders(self._source, make=True):
            with suppress(OSError):
                self._write(folder, {**self._read(folder), key: content})
                return

    def flush(self) -> None:
        """Delete the kernel's cached files."""
        for folder in _folders(self._source):
            with suppress(OSError):
                (folder / self._name).unlink()

    def _read(self, folder: Path) -> dict[Any, bytes]:
        """Return the entries of a folder's file; empty if it is missing, damaged or outdated."""
        content = _read_own(folder / self._name)
        stamp = _stamp(self._source)
        if content[:_DIGEST] != stamp:
            return {}
        payload = content[2 * _DIGEST :]
        if content[_DIGEST : 2 * _DIGEST] != hashlib.sha256(payload).digest():
            return {}
        with suppress(Exception):
            entries = pickle.loads(payload)
            return entries if isinstance(entries, dict) else {}
        return {}

    def _write(self, folder: Path, entries: dict[Any, bytes]) -> None:
        payload = dumps(entries)
        content = _stamp(self._source) + hashlib.sha256(payload).digest() + payload
        path = folder / self._name
        temporary = folder / f"{self._name}.{uuid4().hex[:16]}.tmp"
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o644)
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


_BINARY = getattr(os, "O_BINARY", 0)
# Opening a named pipe must not block.
_READ = os.O_RDONLY | _BINARY | getattr(os, "O_NONBLOCK", 0)


def folder_of(source: Path) -> Path | None:
    """Return the cache folder for the kernels of a source file; None if there is none."""
    return next(_folders(source), None)


def _read_own(path: Path) -> bytes:
    """Read a file that only the user, or the owner of its folder, can have written."""
    try:
        with os.fdopen(os.open(path, _READ), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return b""
            if os.name == "posix" and not _is_trusted(status, path):
                return b""
            return stream.read()
    except OSError:
        return b""


def _is_trusted(status: os.stat_result, path: Path) -> bool:
    owned = status.st_uid in (os.geteuid(), path.parent.stat().st_uid)
    return owned and not status.st_mode & _OTHERS_WRITE


@functools.cache
def _stamp(source: Path) -> bytes:
    """Return a digest of all sources that a kernel may be compiled from, and of the versions."""
    stamp = hashlib.sha256(f"{__version__} {numba.__version__} {llvmlite.__version__}".encode())
    own = Path(__file__).parent
    parts = own / "barrier.py", own / "simd.py"
    for path in sorted({source, *parts, *own.parent.rglob("*kernels*.py")}):
        with suppress(OSError):  # a package imported from an archive has one version only
            stamp.update(hashlib.sha256(path.read_bytes()).digest())
    return stamp.digest()


def _folders(source: Path, *, make: bool = False) -> Iterator[Path]:
    """Yield the folders that may hold a kernel, the preferred one first.

    NUMBA_CACHE_DIR if it is set; otherwise the package's ``__pycache__``, if it is as protected as
    the code beside it, and the user's cache folder.
    """
    if folder := _numba_cache_dir():
        yield from _private(folder / _subfolder(source), make)
        return
    beside = source.parent / "__pycache__"
    if make and source.parent.is_dir():
        with suppress(OSError):
            beside.mkdir(exist_ok=True)
    if _is_as_protected(beside, source.parent):
        yield beside
    if folder := _user_cache_folder():
        yield from _private(folder / "unknot" / _subfolder(source), make)


def _subfolder(source: Path) -> str:
    folder = str(source.parent)
    return f"{source.parent.name}_{hashlib.sha256(os.fsencode(folder)).hexdigest()[:24]}"


def _private(folder: Path, make: bool) -> Iterator[Path]:
    """Yield a folder if it and its parent belong to the user, and only the user can write there."""
    try:
        if make:
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        if os.name != "posix" or all(
            status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_WRITE
            for status in (folder.stat(), folder.parent.stat())
        ):
            yield folder
    except OSError:
        return


def _is_as_protected(folder: Path, parent: Path) -> bool:
    """Whether only those who can write to a folder's parent can write to the folder."""
    if os.name != "posix":
        return True
    try:
        inner, outer = folder.stat(), parent.stat()
    except OSError:
        return False
    owned = inner.st_uid in (outer.st_uid, os.geteuid())
    return owned and not inner.st_mode & _OTHERS_WRITE & ~outer.st_mode


def _numba_cache_dir() -> Path | None:
    """Return NUMBA_CACHE_DIR, unless it is relative: the working directory must not matter."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    return Path(named) if named and Path(named).is_absolute() else None


def _user_cache_folder() -> Path | None:
    """Return the user's cache folder; None for a user without a home directory."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 # stays "~" where there is none
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        folder = home / "Library" / "Caches"
    else:
        named = Path(os.environ.get("XDG_CACHE_HOME") or "")
        folder = named if named.is_absolute() else home / ".cache"
    return folder if folder.is_absolute() else None
