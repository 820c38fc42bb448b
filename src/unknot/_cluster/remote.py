"""What runs in a worker: importable there, and called with plain data."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from .. import __version__
from .._parallel.n_jobs import resolve_n_jobs

# Of glibc's mallopt: from which size on memory is returned to the system at once.
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
# One task at a time in a process of several worker threads: it gets the threads of all.
_ALONE: Final = threading.Lock()
_done: set[str] = set()


def run(work: Callable[[int], Any], n_threads: int | None, version: str, *, alone: bool) -> Any:
    """Do the work of a task.

    Parameters
    ----------
    work : callable
        Called with the number of threads that it may use.
    n_threads : int or None
        None for as many as the Dask worker has.
    version : str
        That of the caller: another one may compute something else.
    alone : bool
        Whether this is the only task at a time in this process.
    """
    if version != __version__:
        raise VersionError(
            f"the worker {who()} has unknot {__version__}, and the caller {version}: install the "
            "same version on all"
        )
    _keep_memory()
    if n_threads is None:
        n_threads = _threads_of_worker()
    if not alone:
        return work(n_threads)
    with _ALONE:
        try:
            return work(n_threads)
        finally:
            _return_memory()


class VersionError(Exception):
    """Raised in a worker that has another version of the package."""


def probe(folder: str | None, token: str | None) -> dict[str, Any]:
    """Say what the worker is, and whether it sees a file of the caller.

    Returns
    -------
    dict
        ``worker``, ``version``, ``memory`` (its limit in bytes, or None) and ``sees``.
    """
    sees = True
    if folder is not None and token is not None:
        sees = False
        with suppress(OSError):
            sees = Path(folder, token).read_text() == token
    return {
        "worker": who(),
        "version": __version__,
        "memory": _memory_limit(),
        "sees": sees,
    }


def who() -> str:
    """Return the worker's address, or its process and machine."""
    with suppress(Exception):
        if "distributed" in sys.modules:
            from distributed import get_worker

            return str(get_worker().address)
    return f"process {os.getpid()} on {platform.node()}"


def _threads_of_worker() -> int:
    with suppress(Exception):
        from distributed import get_worker

        return int(get_worker().state.nthreads)
    return resolve_n_jobs(None)


def _memory_limit() -> int | None:
    with suppress(Exception):
        from distributed import get_worker

        limit = get_worker().memory_manager.memory_limit
        return None if limit is None else int(limit)
    return None


def _return_memory() -> None:
    """Return what is free to the system at the end of a task.

    Dask pauses a worker whose process is large, and one that keeps free blocks stays paused.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def _keep_memory() -> None:
    """Undo Dask's setting that returns every freed block to the system.

    Its nanny sets MALLOC_TRIM_THRESHOLD_ to 64 KiB: scores then take 1.6 times the time, most of it
    for page faults.
    """
    if "malloc" in _done:
        return
    _done.add("malloc")
    if sys.platform == "linux" and os.environ.get("MALLOC_TRIM_THRESHOLD_"):
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(None)
            library.mallopt(_MMAP_THRESHOLD, 2**30)
            library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
