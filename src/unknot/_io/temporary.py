"""Temporary folders that do not outlive the process that made them.

Each holds a lock file, locked for as long as the process lives, even if that is killed. Whoever
makes the next folder removes those whose lock is free.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from .folders import is_link
from .lock import LOCK, locked

PREFIX: Final = "unknot-temporary-"
_UNLOCKED: Final = "unknot-unlocked-"


class TemporaryFolder:
    """A folder in the system's place for temporary files, or in another folder.

    It is removed by `remove`, with the last reference to this object, or at the end of the process;
    after a kill, by the next process that makes one.

    Parameters
    ----------
    within : Path, optional
        The folder to make it in; it must exist.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, within: Path | None = None) -> None:
        _remove_abandoned(Path(tempfile.gettempdir()) if within is None else within)
        self._held = ExitStack()
        new = Path(tempfile.mkdtemp(prefix=_UNLOCKED, dir=within))
        self._held.enter_context(locked(new))
        self.path = new.with_name(new.name.replace(_UNLOCKED, PREFIX))
        try:
            # Nobody sees it under its final name before it is locked.
            new.rename(self.path)
        except OSError:  # a system where an open file holds its folder's name
            self.path = new
        self._finalizer = weakref.finalize(self, _remove, self.path, self._held, os.getpid())

    def remove(self) -> None:
        """Remove the folder now."""
        self._finalizer()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.remove()


def _remove(path: Path, held: ExitStack, process: int) -> None:
    if os.getpid() != process:  # a fork must not remove its parent's folder
        return
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        held.close()
    # Where an open file cannot be removed, it could not be before.
    shutil.rmtree(path, ignore_errors=True)


def _remove_abandoned(within: Path) -> None:
    """Remove the folders of processes that have ended."""
    with suppress(OSError):
        for path in within.glob(f"{PREFIX}*"):
            if is_link(path) or not (path / LOCK).is_file() or not _is_own(path):
                continue
            with suppress(OSError), locked(path):
                shutil.rmtree(path, ignore_errors=True)


def _is_own(path: Path) -> bool:
    """Whether the folder belongs to the user of this process."""
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()
