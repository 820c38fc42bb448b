"""Files are written whole or not at all: to a temporary name beside the target, then renamed."""

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


# What a write that has not ended is called, so that one whose process was killed can be told from
# everything else: nobody is told this name, and the next write in the folder removes the file.
_TEMPORARY = re.compile(r"\.unknot-[a-z0-9_]{8}\.part(\..*)?")


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; on success it replaces the target.

    The temporary name ends as the target does (libraries choose a format by it). The content is
    flushed to disk before the rename, so that a crash leaves the old file or the new one. On any
    error the temporary file is removed and the target is as it was. A target that is a link is
    itself replaced, and what it leads to stays as it is.

    Raises
    ------
    IsADirectoryError
        If the target is a folder.
    OSError
        If the file cannot be written; it names the target, never the temporary file, and says how
        full the disk is where that is why.
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
            raise _of_target(error, None, target) from error
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
            # How full the disk is, is asked before what filled it is removed.
            told = _of_target(error, temporary, target) if isinstance(error, Exception) else error
            with suppress(OSError):
                temporary.unlink()
            if told is error:
                raise
            raise told from error


def _of_target(error: Exception, temporary: Path | None, target: Path) -> Exception:
    """Return an error of writing as one of the target, not of the temporary file."""
    if is_full(error):
        return OSError(
            errno.ENOSPC,
            f"{target} could not be written, as its disk is full ({_room(target.parent)}); "
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
    """Whether an error, or one that it comes from, is that a disk is full or a quota used up."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", -1)):
            return True
        if f"errno = {errno.ENOSPC}," in str(seen):  # as HDF5 says it
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _room(folder: Path) -> str:
    usage = shutil.disk_usage(folder)
    return f"{usage.free:,} of {usage.total:,} bytes are free"


@contextmanager
def _writing_in(folder: Path) -> Iterator[None]:
    """Hold a folder as one that is being written to, after removing what killed writes left.

    All who write share the system's lock on the folder, which ends with its process. Whoever gets
    it alone knows that nobody is writing, here or in another container. Where a system knows no
    such locks, nothing is removed.
    """
    if sys.platform == "win32":
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # one may write in a folder that one may not list
        yield
        return
    try:
        if _take(handle, fcntl.LOCK_EX):
            _remove_left_over(folder)
        for _ in range(100):  # while somebody is removing
            if _take(handle, fcntl.LOCK_SH):
                break
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _take(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_left_over(folder: Path) -> None:
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
    """Write JSON atomically, indented; NaN and infinity are errors, as JSON cannot say them."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_array(path: str | os.PathLike[str], array: Array) -> None:
    """Write one array atomically as ``.npy``."""
    _write_stream(path, lambda stream: np.save(stream, array, allow_pickle=False))


def _write_stream(path: str | os.PathLike[str], write: Callable[[Any], None]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        write(stream)
