"""A folder that one process at a time writes to."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOCK: Final = ".lock"


class FolderInUseError(OSError):
    """Another process is writing to the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have a folder to oneself.

    The system holds the lock, on an empty file that stays, and lets go of it when the process ends,
    however that ends. A file system that knows no locks goes without.

    Raises
    ------
    FolderInUseError
        If somebody else has it.
    OSError
        If the lock is no ordinary file: it is not followed where it links to another one.
    """
    path = folder / LOCK
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OSError(f"{path} is not an ordinary file, as a lock must be; remove it")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        try:
            _take(handle)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise FolderInUseError(
                    f"{folder} is being written by another run: wait until it has ended, or give "
                    "another folder"
                ) from None
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
        yield
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
