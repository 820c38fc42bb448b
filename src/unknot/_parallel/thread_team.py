"""A small team of threads that share out numbered tasks.

Numba's own parallel loops share one global pool, which may not be entered by two threads at once
(workqueue) nor after a fork (GNU OpenMP): either ends the interpreter. Here each computation owns
its threads. A task is a call into a compiled kernel, a matrix product or a transform, all of which
release the GIL.

Which thread runs which task is left to chance; therefore tasks write to places of their own, and
what they write must not depend on how many threads there are.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from threadpoolctl import threadpool_limits

# Seconds between looks whether the one for whom a thread works has left.
LOOK = 0.05

_here = threading.local()


class AbandonedError(Exception):
    """Whoever asked for this work has left."""


class _Job:
    """Tasks 0..n-1 of one call, taken one at a time by whoever is free."""

    def __init__(self, task: Callable[[int], object], n_tasks: int) -> None:
        self._task = task
        self._lock = threading.Lock()
        self._idle = threading.Lock()
        self._next = 0
        self._end = n_tasks
        self._helping = 0
        self._waiting = False
        self.error: BaseException | None = None

    def _take(self, helper: int) -> int:
        with self._lock:
            number = self._next
            if number >= self._end:
                return -1
            self._next = number + 1
            self._helping += helper
            return number

    def work(self) -> None:
        """Take tasks until none is left: the caller's part.

        An interrupt may strike here anywhere, so nothing is counted that it could leave uncounted.
        """
        while (number := self._take(0)) >= 0:
            self._task(number)

    def help(self) -> None:
        """Take tasks until none is left: the part of the other threads, never interrupted."""
        _here.job = self
        while (number := self._take(1)) >= 0:
            error: BaseException | None = None
            try:
                self._task(number)
            except BaseException as caught:  # raised again by ThreadTeam.run
                error = caught
            with self._lock:
                self._helping -= 1
                if error is not None:
                    self.error = self.error or error
                    self._end = 0
                if self._waiting and not self._helping and self._next >= self._end:
                    self._waiting = False
                    self._idle.release()
        _here.job = None

    def stop(self) -> None:
        """Hand out no further task."""
        with self._lock:
            self._end = 0

    def is_stopped(self) -> bool:
        """Whether no further task is handed out, as one failed or the caller has left."""
        return self._end == 0

    def wait(self) -> None:
        """Return when no task is running and none will start.

        A thread that has not woken up yet is not waited for: it will find nothing to do.
        """
        with self._lock:
            if not self._helping:
                return
            if not self._waiting:
                self._waiting = True
                self._idle.acquire(blocking=False)
        with self._idle:
            return


class ThreadTeam:
    """Threads for one computation; a context manager, which ends them.

    Parameters
    ----------
    n_threads : int
        The caller's own thread counts as one.
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

        An error in a task, or an interrupt of the caller, stops the handing out of tasks; it is
        raised once those already running have ended.
        """
        job = _Job(task, n_tasks)
        try:
            for inbox in self._inboxes[: n_tasks - 1]:
                inbox.put(job)
            job.work()
            job.wait()
        except BaseException:
            job.stop()
            job.wait()
            raise
        if job.error is not None:
            raise job.error

    def run_all(self, task: Callable[[int], object], give_up: Callable[[], object]) -> None:
        """Run ``task(0)`` to ``task(n_threads - 1)`` at once, on a thread each.

        The tasks may wait for each other. Where one does not come, as it failed or the caller was
        interrupted before, ``give_up()`` is called, upon which the others must return.
        """

        def guarded(number: int) -> None:
            try:
                task(number)
            except BaseException:
                give_up()
                raise

        job = _Job(guarded, self.n_threads)
        try:
            for inbox in self._inboxes:
                inbox.put(job)
            job.work()
            job.wait()
        except BaseException:
            give_up()
            job.stop()
            job.wait()
            raise
        if job.error is not None:
            raise job.error


def wait_for(event: threading.Event) -> None:
    """Wait for what another thread does.

    Raises
    ------
    AbandonedError
        If this is a thread of a team whose caller has left, or another of its tasks has failed.
    """
    job: _Job | None = getattr(_here, "job", None)
    while not event.wait(LOOK):
        if job is not None and job.is_stopped():
            raise AbandonedError


def _serve(inbox: queue.SimpleQueue[_Job | None]) -> None:
    while (job := inbox.get()) is not None:
        job.help()
        del job  # its arrays are not kept alive until the next one comes


_blas_lock = threading.Lock()
_blas_users = 0
_blas_limits: threadpool_limits | None = None


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep BLAS on the calling thread, as long as anyone in this process asks for it.

    Products run on a `ThreadTeam` instead: the result of a product must not depend on the number
    of threads, and two pools that take turns spin against each other. The limit is the
    process's; the first to ask sets it and the last to leave restores what was there, so that
    computations which overlap do not restore each other's limit.
    """
    global _blas_limits, _blas_users
    with _blas_lock:
        if _blas_users == 0:
            _blas_limits = threadpool_limits(limits=1, user_api="blas")
        _blas_users += 1
    try:
        yield
    finally:
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0 and _blas_limits is not None:
                _blas_limits.restore_original_limits()
                _blas_limits = None


def _forget_blas_users() -> None:
    """Start afresh in a forked child: the threads that asked for the limit are not there."""
    global _blas_limits, _blas_lock, _blas_users
    _blas_lock = threading.Lock()
    _blas_users = 0
    _blas_limits = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_blas_users)
