"""The claim of one recorder to a folder, so that epochs of two trainings never mix."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

from ..._io.lock import FolderInUseError, lock_for_process

LOCK: Final = ".recording"

# By process, as one that was forked has none of these locks: the handle, and who holds it.
_HELD: dict[tuple[int, Path], tuple[int, FolderClaim]] = {}
_GUARD: Final = threading.Lock()


class FolderClaim:
    """The right of one recorder to write epochs into a folder.

    It is held from the first epoch until the study is made, or the process ends in any way; it is
    not inherited by a process that the training forks. Within a process the newest recorder has it,
    as where a cell of a notebook runs again.
    """

    def __init__(self) -> None:
        self._is_lost = False

    def take(self, folder: Path) -> bool:
        """Take the folder, or keep it.

        Returns
        -------
        bool
            Whether it was not held before.

        Raises
        ------
        FolderInUseError
            If a recorder of another process, or a newer one of this process, has it.
        """
        key = os.getpid(), folder.resolve()
        with _GUARD:
            handle, holder = _HELD.get(key, (None, None))
            if holder is self:
                return False
            if self._is_lost:
                raise FolderInUseError(
                    f"{folder}: another recorder has begun to record into it since; go on with "
                    "that one, or give each recorder a folder of its own"
                )
            if handle is None:
                handle = lock_for_process(
                    folder / LOCK,
                    f"{folder}: another process records a training into it. Give each training a "
                    "folder of its own; of several processes of one training, let one record",
                )
            if holder is not None:
                holder._is_lost = True
            _HELD[key] = handle, self
            return True

    def release(self, folder: Path) -> None:
        """Let others have the folder, if it is held."""
        key = os.getpid(), folder.resolve()
        with _GUARD:
            handle, holder = _HELD.get(key, (None, None))
            if handle is not None and holder is self:
                del _HELD[key]
                os.close(handle)
