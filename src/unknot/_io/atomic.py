"""Atomic writes: to a temporary file beside the target, which is then renamed."""

import errno
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from .._typing import Array

if sys.platform != "win32":
    import fcntl


# The name of a temporary file. A process that is killed leaves one behind; it is recognized by its
# name, and the next write in the folder removes it.
_TEMPORARY = re.compile(r"\.unknot-[a-z0-9_]{8}\.part(\..*)?")


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; on success it replaces the target.

    The temporary name has the target's suffix, by which libraries choose a format. The content is
    flushed to disk before the rename, so that a crash leaves the old file or the new one. On any
    error the temporary file is removed and the target is unchanged. A target that is a symbolic
    link is itself replaced; the file that it points to is unchanged.

    Raises
    ------
    IsADirectoryError
        If the target is a folder.
    OSError
        If the file cannot be written. The message names the target, not the temporary file; if the
        disk is full, it says how much is free.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder; name a file")
    if target.exists() and not target.is_file():
        raise OSError(f"{target} is a device or a pipe, which no file can replace; name a file")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _writing_in(target.parent):
        ending = "".join(target.suffixes[-2:]) if len(target.name) < 100 else target.suffix
        try:
            handle, name = tempfile.mkstemp(".part" + ending, ".unknot-", target.parent)
        except OSError as error:
            raise _naming_target(error, None, target) from error
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
            # mkstemp makes files that only their owner can read; a result is an ordinary file.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(target)
        except BaseException as error:  # Ctrl-C leaves no temporary file either
            # The error reports the free space, so it is built before the file is removed.
            named = (
                _naming_target(error, temporary, target) if isinstance(error, Exception) else error
            )
            with suppress(OSError):
                temporary.unlink()
            if named is error:
                raise
            raise named from error


def _naming_target(error: Exception, temporary: Path | None, target: Path) -> Exception:
    """Return an error that names the target instead of the temporary file."""
    if is_full(error):
        return OSError(
            errno.ENOSPC,
            f"{target} could not be written, as its disk is full ({_free_space(target.parent)}); "
            "make room, or name a file on another disk",
        )
    if (
        isinstance(error, OSError)
        and error.filename is not None
        and (temporary is None or os.fspath(error.filename) == str(temporary))
    ):
        error.filename, error.filename2 = str(target), None
    if temporary is not None:
        error.args = tuple(
            each.replace(str(temporary), str(target)).replace(temporary.name, target.name)
            if isinstance(each, str)
            else each
            for each in error.args
        )
    if isinstance(error, OSError) and error.filename is None and target.name not in str(error):
        message = f"{target} could not be written: {error.strerror or error}"
        return OSError(message) if error.errno is None else OSError(error.errno, message)
    return error


def is_full(error: BaseException) -> bool:
    """Whether an error, or one of its causes, is a full disk or an exhausted quota."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", -1)):
            return True
        if f"errno = {errno.ENOSPC}," in str(seen):  # the wording of HDF5
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _free_space(folder: Path) -> str:
    usage = shutil.disk_usage(folder)
    return f"{usage.free:,} of {usage.total:,} bytes are free"


@contextmanager
def _writing_in(folder: Path) -> Iterator[None]:
    """Hold a shared lock on a folder, after removing temporary files of killed processes.

    Every writer holds a shared lock, which the system releases when the process ends. A process
    that obtains an exclusive lock knows that nobody else is writing, not even in another container.
    On systems without such locks nothing is removed.
    """
    if sys.platform == "win32":
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # a folder may be writable but not readable
        yield
        return
    try:
        if _try_lock(handle, fcntl.LOCK_EX):
            _remove_temporary_files(folder)
        for _ in range(100):  # while another process removes files
            if _try_lock(handle, fcntl.LOCK_SH):
                break
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_temporary_files(folder: Path) -> None:
    with suppress(OSError):
        for path in folder.iterdir():
            if _TEMPORARY.fullmatch(path.name) and stat.S_ISREG(path.lstat().st_mode):
                path.unlink()


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write text atomically, as UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write indented JSON atomically; NaN and infinity are errors, as JSON has neither."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_array(path: str | os.PathLike[str], array: Array) -> None:
    """Write one array atomically as ``.npy``."""
    _write_stream(path, lambda stream: np.save(stream, array, allow_pickle=False))


def _write_stream(path: str | os.PathLike[str], write: Callable[[Any], None]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        write(stream)
