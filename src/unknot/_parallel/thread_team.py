"""A small pool of threads that run numbered tasks.

Numba's own parallel loops share one global pool, which two threads must not enter at once
(workqueue), nor a forked child (GNU OpenMP): either ends the interpreter. Here each computation
owns its threads. A task is a call of a compiled kernel, a matrix product or a transform, all of
which release the GIL. The README beside this file states the alternatives and what was measured.

Which thread runs which task is not determined. So each task writes to its own part of the result,
and what it writes must not depend on the number of threads.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from .blas_libraries import limit_this_thread, limit_whole_process

# Seconds between checks whether a worker's caller has been interrupted.
POLL_INTERVAL = 0.05

_local = threading.local()


class AbandonedError(Exception):
    """Raised in a thread whose work nobody waits for any more."""


@contextmanager
def abandoned_when(is_abandoned: Callable[[], bool]) -> Iterator[None]:
    """End the computations of this thread, and of the teams that it starts, once a test is true.

    An interrupt reaches the main thread alone: so others learn of it. A computation then ends with
    an `AbandonedError` before its next task.
    """
    before = _abandonment()
    _local.is_abandoned = is_abandoned
    try:
        yield
    finally:
        _local.is_abandoned = before


class _Job:
    """Tasks 0..n-1 of one call, taken one at a time by the caller and the workers."""

    def __init__(
        self,
        task: Callable[[int], object],
        n_tasks: int,
        is_abandoned: Callable[[], bool] | None = None,
    ) -> None:
        self._task = task
        self._is_abandoned = is_abandoned
        self._lock = threading.Lock()
        self._idle = threading.Lock()
        self._next = 0
        self._end = n_tasks
        self._n_busy_workers = 0
        self._waiting = False
        self.error: BaseException | None = None

    def _take(self, n_workers: int) -> int:
        abandoned = self._is_abandoned is not None and self._is_abandoned()
        with self._lock:
            if abandoned:
                self.error = self.error or AbandonedError()
                self._end = 0
            number = self._next
            if number >= self._end:
                return -1
            self._next = number + 1
            self._n_busy_workers += n_workers
            return number

    def run_in_caller(self) -> None:
        """Run tasks in the caller's thread until none is left.

        An interrupt may occur anywhere here, so no counter depends on this thread.
        """
        while (number := self._take(0)) >= 0:
            self._task(number)

    def run_in_worker(self) -> None:
        """Run tasks in a worker thread, which is never interrupted, until none is left."""
        _local.job = self
        _local.is_abandoned = self._is_abandoned
        while (number := self._take(1)) >= 0:
            error: BaseException | None = None
            try:
                self._task(number)
            except BaseException as caught:  # re-raised by ThreadTeam.run
                error = caught
            with self._lock:
                self._n_busy_workers -= 1
                if error is not None:
                    self.error = self.error or error
                    self._end = 0
                if self._waiting and not self._n_busy_workers and self._next >= self._end:
                    self._waiting = False
                    self._idle.release()
        _local.job = None
        _local.is_abandoned = None

    def stop(self) -> None:
        """Start no further task."""
        with self._lock:
            self._end = 0

    def is_stopped(self) -> bool:
        """Whether a task failed or the caller was interrupted, so that no further task starts."""
        return self._end == 0

    def wait(self) -> None:
        """Return when no task is running and none will start.

        Does not wait for a worker that has not woken up yet: it will find no task.
        """
        with self._lock:
            if not self._n_busy_workers:
                return
            if not self._waiting:
                self._waiting = True
                self._idle.acquire(blocking=False)
        with self._idle:
            return


class ThreadTeam:
    """Threads of one computation; a context manager that starts and joins them.

    Parameters
    ----------
    n_threads : int
        Including the caller's own thread.
    """

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads
        self._inboxes: list[queue.SimpleQueue[_Job | None]] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> ThreadTeam:
        for number in range(self.n_threads - 1):
            inbox: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
            thread = threading.Thread(
                target=_serve, args=(inbox,), name=f"unknot-{number + 1}", daemon=True
            )
            self._inboxes.append(inbox)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for inbox in self._inboxes:
            inbox.put(None)
        for thread in self._threads:
            thread.join()
        self._inboxes.clear()
        self._threads.clear()

    def run(self, task: Callable[[int], object], n_tasks: int) -> None:
        """Run ``task(0)`` to ``task(n_tasks - 1)``, in any order, and wait for all of them.

        After an error in a task or an interrupt of the caller no further task starts; it is raised
        when the running tasks have ended.
        """
        job = _Job(task, n_tasks, _abandonment())
        try:
            for inbox in self._inboxes[: n_tasks - 1]:
                inbox.put(job)
            job.run_in_caller()
            job.wait()
        except BaseException:
            job.stop()
            job.wait()
            raise
        if job.error is not None:
            raise job.error

    def run_all(self, task: Callable[[int], object], give_up: Callable[[], object]) -> None:
        """Run ``task(0)`` to ``task(n_threads - 1)`` concurrently, one per thread.

        The tasks may wait for each other. If a task fails, or the caller is interrupted before all
        have started, ``give_up()`` is called, after which the others must return.
        """

        def guarded(number: int) -> None:
            try:
                task(number)
            except BaseException:
                give_up()
                raise

        is_abandoned = _abandonment()
        if is_abandoned is not None and is_abandoned():
            raise AbandonedError
        # All tasks start, or those that did would wait for the others.
        job = _Job(guarded, self.n_threads)
        try:
            for inbox in self._inboxes:
                inbox.put(job)
            job.run_in_caller()
            job.wait()
        except BaseException:
            give_up()
            job.stop()
            job.wait()
            raise
        if job.error is not None:
            raise job.error


def _abandonment() -> Callable[[], bool] | None:
    """Return the test of `abandoned_when` that holds in this thread."""
    found: Callable[[], bool] | None = getattr(_local, "is_abandoned", None)
    return found


def wait_for(event: threading.Event) -> None:
    """Wait for an event that another thread sets.

    Raises
    ------
    AbandonedError
        In a worker thread whose caller was interrupted, or where another task has failed.
    """
    job: _Job | None = getattr(_local, "job", None)
    is_abandoned = _abandonment()
    while not event.wait(POLL_INTERVAL):
        if (job is not None and job.is_stopped()) or (is_abandoned is not None and is_abandoned()):
            raise AbandonedError


def _serve(inbox: queue.SimpleQueue[_Job | None]) -> None:
    limit_this_thread()
    while (job := inbox.get()) is not None:
        job.run_in_worker()
        del job  # else its arrays would stay alive until the next job


_blas_lock = threading.Lock()
_blas_users = 0
_restore_blas: Callable[[], object] | None = None


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit BLAS to the calling thread while any such context is active in this process.

    Products run on a `ThreadTeam` instead: the result of a product must not depend on the number
    of threads, and two alternating pools spin against each other. The limit applies to the whole
    process: the first context sets it and the last one restores the previous limit, so that
    overlapping computations do not restore each other's. Of libraries that have a limit for each
    thread, it is set in the calling one; threads of a team are always limited.
    """
    # SciPy brings a BLAS of its own: one that is loaded inside would not be limited.
    import scipy.linalg  # noqa: F401

    global _blas_users, _restore_blas
    with _blas_lock:
        if _blas_users == 0:
            _restore_blas = limit_whole_process()
        _blas_users += 1
    restore_here = limit_this_thread()
    try:
        yield
    finally:
        restore_here()
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0 and _restore_blas is not None:
                _restore_blas()
                _restore_blas = None


def _reset_blas_users() -> None:
    """Reset the count in a forked child, which does not have the threads that hold the limit."""
    global _blas_lock, _blas_users, _restore_blas
    _blas_lock = threading.Lock()
    _blas_users = 0
    _restore_blas = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_blas_users)
