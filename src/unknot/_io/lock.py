"""An exclusive lock on a folder, so that one process at a time writes to it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOCK: Final = ".lock"


class FolderInUseError(OSError):
    """Another process is writing to the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold an exclusive lock on a folder; yield the handle that holds it.

    The operating system locks an empty file, which stays, and releases the lock when the process
    ends, even if it is killed, and all to which it has passed the handle. On a file system without
    locks nothing is locked.

    Raises
    ------
    FolderInUseError
        If another process holds the lock.
    OSError
        If the lock file is not a regular file; a link is not followed.
    """
    handle = _locked_by(
        _lock_exclusively,
        folder / LOCK,
        f"{folder} is being written by another run: wait until it has ended, or give another "
        "folder",
    )
    try:
        yield handle
    finally:
        os.close(handle)


def lock_for_process(path: Path, refused: str) -> int:
    """Lock a file until it is closed, or the process ends in any way; return its handle.

    Unlike `locked`, processes that this one forks do not hold the lock when it has ended. A process
    must open the file once only: to close it a second time would release the lock, too.

    Parameters
    ----------
    path : Path
        Created if it is missing.
    refused : str
        The message of the error.

    Raises
    ------
    FolderInUseError
        If another process holds the lock.
    OSError
        If the lock file is not a regular file; a link is not followed.
    """
    return _locked_by(_lock_for_process, path, refused)


def _locked_by(lock: Callable[[int], None], path: Path, refused: str) -> int:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OSError(f"{path} is not an ordinary file, as a lock must be; remove it")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        lock(handle)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            return handle
        os.close(handle)
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            raise FolderInUseError(refused) from None
        raise
    return handle


if sys.platform == "win32":
    import msvcrt

    def _lock_exclusively(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    _lock_for_process = _lock_exclusively

else:
    import fcntl

    def _lock_exclusively(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _lock_for_process(handle: int) -> None:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
