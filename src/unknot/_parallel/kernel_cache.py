"""Compiled kernels on disk, where nobody but the user can have put them.

Numba's own cache unpickles whatever it finds, in a folder that a file beside the work can name, and
a damaged file ends the program. Here the folder must be the user's, a file must be whole before
anything of it is unpickled, and whatever is wrong with it means only that the kernel is compiled.

A file holds the compiled forms of one kernel, one for each kind of arguments. They are those of
the sources of all kernels together, since one is compiled into another.
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
    """What a dispatcher asks for a compiled kernel before it compiles, and hands it to after."""

    def __init__(self, function: Callable[..., Any]) -> None:
        # What the base class would set up looks for a folder in ways that are not ours.
        self._py_func = function
        self._source = Path(function.__code__.co_filename)
        version = f"py{sys.version_info[0]}{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
        name = f"{function.__module__}.{function.__qualname__}".replace("<", "").replace(">", "")
        self._name = f"{name}-{function.__code__.co_firstlineno}.{version}.kernel"

    @property
    def cache_path(self) -> str | None:
        """The folder where a kernel would be kept; None if there is none."""
        folder = folder_of(self._source)
        return None if folder is None else str(folder)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return a kernel as it was compiled, or None."""
        target_context.refresh()
        key = self._index_key(sig, target_context.codegen())
        for folder in _folders(self._source):
            if (content := self._read(folder).get(key)) is not None:
                # Whole as it is, it can be of a library that the process has another version of.
                with suppress(Exception):
                    return CompileResult._rebuild(target_context, *pickle.loads(content))
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel, wherever there is a place."""
        if data.lifted or data.library.has_dynamic_globals:
            warnings.warn(f"{self._name} cannot be kept compiled", stacklevel=2)
            return
        key, content = self._index_key(sig, data.codegen), dumps(data._reduce())
        for folder in _folders(self._source, make=True):
            with suppress(OSError):
                self._write(folder, {**self._read(folder), key: content})
                return

    def flush(self) -> None:
        """Forget what is kept."""
        for folder in _folders(self._source):
            with suppress(OSError):
                (folder / self._name).unlink()

    def _read(self, folder: Path) -> dict[Any, bytes]:
        """Return what a folder holds of the kernel; nothing where that is damaged or outdated."""
        content = _read_own(folder / self._name)
        stamp = _stamp(self._source)
        if content[:_DIGEST] != stamp:
            return {}
        kept = content[2 * _DIGEST :]
        if content[_DIGEST : 2 * _DIGEST] != hashlib.sha256(kept).digest():
            return {}
        with suppress(Exception):
            found = pickle.loads(kept)
            return found if isinstance(found, dict) else {}
        return {}

    def _write(self, folder: Path, entries: dict[Any, bytes]) -> None:
        kept = dumps(entries)
        content = _stamp(self._source) + hashlib.sha256(kept).digest() + kept
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
# A pipe in place of a file must not be waited for.
_READ = os.O_RDONLY | _BINARY | getattr(os, "O_NONBLOCK", 0)


def folder_of(source: Path) -> Path | None:
    """Return the folder where the kernels of a file of source are kept; None if there is none."""
    return next(_folders(source), None)


def _read_own(path: Path) -> bytes:
    """Read a file that nobody but the owner of its folder can have written."""
    try:
        with os.fdopen(os.open(path, _READ), "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode) or (os.name == "posix" and not _alone(found, path)):
                return b""
            return stream.read()
    except OSError:
        return b""


def _alone(found: os.stat_result, path: Path) -> bool:
    mine = found.st_uid in (os.geteuid(), path.parent.stat().st_uid)
    return mine and not found.st_mode & _OTHERS_WRITE


@functools.cache
def _stamp(source: Path) -> bytes:
    """Return what changes whenever the code of a kernel, or of one that it calls, may have."""
    stamp = hashlib.sha256(f"{__version__} {numba.__version__} {llvmlite.__version__}".encode())
    own = Path(__file__).parent
    parts = own / "barrier.py", own / "simd.py"
    for path in sorted({source, *parts, *own.parent.rglob("*kernels*.py")}):
        with suppress(OSError):  # a package that is read from an archive is of one version
            stamp.update(hashlib.sha256(path.read_bytes()).digest())
    return stamp.digest()


def _folders(source: Path, *, make: bool = False) -> Iterator[Path]:
    """Yield the folders that may hold a kernel, the one to write to first.

    NUMBA_CACHE_DIR where it is set; else the package's own ``__pycache__``, as safe as the code
    beside it; and the user's folder for caches.
    """
    if folder := _named_by_user():
        yield from _private(folder / _subfolder(source), make)
        return
    beside = source.parent / "__pycache__"
    if make and source.parent.is_dir():
        with suppress(OSError):
            beside.mkdir(exist_ok=True)
    if _as_safe(beside, source.parent):
        yield beside
    if folder := _of_user():
        yield from _private(folder / "unknot" / _subfolder(source), make)


def _subfolder(source: Path) -> str:
    folder = str(source.parent)
    return f"{source.parent.name}_{hashlib.sha256(os.fsencode(folder)).hexdigest()[:24]}"


def _private(folder: Path, make: bool) -> Iterator[Path]:
    """Yield a folder if it and the one around it are the user's, and only the user writes there."""
    try:
        if make:
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        if os.name != "posix" or all(
            found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_WRITE
            for found in (folder.stat(), folder.parent.stat())
        ):
            yield folder
    except OSError:
        return


def _as_safe(folder: Path, around: Path) -> bool:
    """Whether nobody can write to a folder but those who can write to the one around it."""
    if os.name != "posix":
        return True
    try:
        inner, outer = folder.stat(), around.stat()
    except OSError:
        return False
    owned = inner.st_uid in (outer.st_uid, os.geteuid())
    return owned and not inner.st_mode & _OTHERS_WRITE & ~outer.st_mode


def _named_by_user() -> Path | None:
    """Return NUMBA_CACHE_DIR; a relative one would let the current folder decide."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    return Path(named) if named and Path(named).is_absolute() else None


def _of_user() -> Path | None:
    """Return the user's folder for caches; None for a user without a home."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 # stays "~" where there is none
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        folder = home / "Library" / "Caches"
    else:
        named = Path(os.environ.get("XDG_CACHE_HOME") or "")
        folder = named if named.is_absolute() else home / ".cache"
    return folder if folder.is_absolute() else None
