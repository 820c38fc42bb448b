"""Files of compiled code, in folders that only the user can write to."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_BINARY = getattr(os, "O_BINARY", 0)
# Opening a named pipe must not block.
_READ = os.O_RDONLY | _BINARY | getattr(os, "O_NONBLOCK", 0)


def folder_of(source: Path) -> Path | None:
    """Return the cache folder for the kernels of a source file; None if there is none."""
    return next(private_folders(source), None)


def read_own(path: Path) -> bytes:
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


def write_own(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, and rename it."""
    temporary = path.with_name(f"{path.name}.{uuid4().hex[:16]}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o644)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def private_folders(source: Path, *, make: bool = False) -> Iterator[Path]:
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
