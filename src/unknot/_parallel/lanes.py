"""Programs of tasks that run at the same time, on a few threads.

A program is a generator: it yields a `Task` and receives its result, or a `Promise` and receives
what another program sets. So a program reads as a sequence of steps, one after the other, while
steps of several programs overlap. What a task writes must not depend on the others, nor on how
many threads it is given.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

from .thread_team import POLL_INTERVAL, AbandonedError, abandoned_when

Value = TypeVar("Value")

# With more lanes than this, tasks of one lane each take too long one by one.
MOST_LANES: Final = 4


@dataclass(frozen=True, eq=False)
class Task:
    """A step of a program.

    Attributes
    ----------
    work : callable
        Called with the number of threads that it may use.
    label : str
        What it does, for people.
    rank : tuple of numbers
        Of the tasks that are ready, that of the smallest rank starts first.
    n_bytes : int
        The memory that it needs.
    in_caller : bool
        Whether it must run in the thread that runs the programs, as what calls a user's code does.
    started, ended : callable
        Called, the second one with the result, in the thread that runs the programs.
    """

    work: Callable[[int], Any]
    label: str = ""
    rank: tuple[float, ...] = ()
    n_bytes: int = 0
    in_caller: bool = False
    started: Callable[[], None] = lambda: None
    ended: Callable[[Any], None] = lambda result: None


class Promise(Generic[Value]):
    """A value that one program sets and others wait for."""

    def __init__(self) -> None:
        self._values: list[Value] = []
        self._waiting: list[Callable[[Value], None]] = []

    @property
    def is_set(self) -> bool:
        """Whether there is a value."""
        return bool(self._values)

    def set(self, value: Value) -> None:
        """Set the value, once."""
        self._values.append(value)
        for resume in self._waiting:
            resume(value)
        self._waiting.clear()

    def then(self, resume: Callable[[Value], None]) -> None:
        """Call a function with the value, now or when it is set."""
        if self._values:
            resume(self._values[0])
        else:
            self._waiting.append(resume)


Program: TypeAlias = Generator[Task | Promise[Any], Any, Any]


@runtime_checkable
class Workers(Protocol):
    """Other threads, processes or machines that tasks can be sent to."""

    def n_slots(self) -> int:
        """Return how many tasks may be sent and not ended; it may change."""

    def submit(self, task: Task) -> Any:
        """Send a task; return its future, of `concurrent.futures` or like it."""

    def explained(self, task: Task, error: BaseException) -> BaseException:
        """Return the error to raise for what ended a task that was sent."""


def run_programs(
    programs: Sequence[Program],
    n_threads: int,
    max_bytes: int,
    *,
    overlap: bool = True,
    workers: Workers | None = None,
) -> list[Any]:
    """Run programs to their ends, and return their results.

    Parameters
    ----------
    programs : sequence of Program
    n_threads : int
        With 1, or without overlap, the tasks run one after the other in the calling thread.
    max_bytes : int
        The memory of tasks that run at the same time. One that needs more runs alone.
    overlap : bool
    workers : Workers, optional
        Where tasks run that need not run in the caller.

    Raises
    ------
    BaseException
        The first one that a program does not catch, or an interrupt; other tasks are abandoned.
    """
    run = _Run(programs, n_threads, max_bytes)
    if workers is not None:
        return run.on(workers)
    n_lanes = min(n_threads, MOST_LANES) if overlap and len(programs) > 1 else 1
    return run.in_lanes(n_lanes) if n_lanes > 1 else run.in_caller()


@dataclass(order=True)
class _Ready:
    """A task that can start, and the program that waits for it."""

    rank: tuple[float, ...]
    number: int
    task: Task = field(compare=False)
    program: int = field(compare=False)


class _Run:
    def __init__(self, programs: Sequence[Program], n_threads: int, max_bytes: int) -> None:
        self._programs = programs
        self._n_threads = n_threads
        self._max_bytes = max_bytes
        self._results: list[Any] = [None] * len(programs)
        self._unfinished = len(programs)
        self._ready: list[_Ready] = []
        self._n_tasks = 0
        self._running: list[int] = []
        self._error: BaseException | None = None
        # Guards all of the above; programs advance under it.
        self._changed = threading.Condition()
        # What the calling thread calls.
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._resumed: deque[tuple[int, Any, BaseException | None]] = deque()

    def in_caller(self) -> list[Any]:
        """Run one task after the other, those of the first programs first."""
        for number in range(len(self._programs)):
            self._advance(number)
        while self._ready and self._error is None:
            ready = min(self._ready, key=lambda each: (each.program, each.number))
            self._ready.remove(ready)
            self._do(ready, self._n_threads)
            self._call()
        return self._finish()

    def in_lanes(self, n_lanes: int) -> list[Any]:
        """Run tasks in threads, those of the smallest rank first."""
        share = max(1, self._n_threads // n_lanes)
        lanes = [
            threading.Thread(
                target=self._serve, args=(share,), name=f"unknot-lane-{number + 1}", daemon=True
            )
            for number in range(n_lanes)
        ]
        try:
            with self._changed:
                for number in range(len(self._programs)):
                    self._advance(number)
            for lane in lanes:
                lane.start()
            while not self._is_over():
                self._call()
                with self._changed:
                    mine = self._take(in_caller=True)
                if mine is not None:
                    self._do(mine, share)
                    continue
                with self._changed:
                    if not self._is_over() and self._calls.empty():
                        self._changed.wait(POLL_INTERVAL)
            self._call()
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            for lane in lanes:
                if lane.ident is not None:
                    lane.join()
        return self._finish()

    def on(self, workers: Workers) -> list[Any]:
        """Send tasks to workers, those of the smallest rank first, as many as they take."""
        self._max_bytes = sys.maxsize
        ended: queue.SimpleQueue[tuple[_Ready, Any]] = queue.SimpleQueue()
        sent: set[Any] = set()

        def send(ready: _Ready) -> None:
            ready.task.started()
            try:
                future = workers.submit(ready.task)
            except Exception as error:
                raise workers.explained(ready.task, error) from error
            sent.add(future)
            future.add_done_callback(lambda future: ended.put((ready, future)))

        try:
            for number in range(len(self._programs)):
                self._advance(number)
            while not self._is_over():
                if (mine := self._take(in_caller=True)) is not None:
                    self._do(mine, self._n_threads)
                while len(sent) < workers.n_slots():
                    if (ready := self._take(in_caller=False)) is None:
                        break
                    send(ready)
                self._call()
                with suppress(queue.Empty):
                    ready, future = ended.get(timeout=POLL_INTERVAL)
                    sent.discard(future)
                    self._receive(ready, future, workers)
            self._call()
        finally:
            for future in sent:
                future.cancel()
        return self._finish()

    def _receive(self, ready: _Ready, future: Any, workers: Workers) -> None:
        """Go on with the program whose task has ended elsewhere."""
        self._running.remove(ready.task.n_bytes)
        try:
            result = future.result()
        except Exception as error:
            # What the work itself raises is thrown into the program, as anywhere.
            self._advance(ready.program, None, workers.explained(ready.task, error))
        else:
            ready.task.ended(result)
            self._advance(ready.program, result)

    def _is_over(self) -> bool:
        return self._error is not None or not (self._ready or self._running)

    def _finish(self) -> list[Any]:
        if self._error is not None:
            raise self._error
        if self._unfinished:
            raise RuntimeError("programs wait for values that none of them sets")
        return self._results

    def _call(self) -> None:
        while not self._calls.empty():
            self._calls.get()()

    def _serve(self, share: int) -> None:
        with abandoned_when(lambda: self._error is not None):
            while True:
                with self._changed:
                    while (ready := self._take(in_caller=False)) is None:
                        if self._is_over():
                            return
                        self._changed.wait()
                    alone = len(self._running) == 1 and not self._ready
                self._do(ready, self._n_threads if alone else share)

    def _take(self, *, in_caller: bool) -> _Ready | None:
        """Take the first task that can start here and now."""
        if self._error is not None:
            return None
        used = sum(self._running)
        for ready in sorted(self._ready):
            fits = not self._running or used + ready.task.n_bytes <= self._max_bytes
            if ready.task.in_caller == in_caller and fits:
                self._ready.remove(ready)
                self._running.append(ready.task.n_bytes)
                return ready
        return None

    def _do(self, ready: _Ready, n_threads: int) -> None:
        """Run a task, and its program up to the next one."""
        task, result = ready.task, None
        error: Exception | None = None
        self._calls.put(task.started)
        try:
            result = task.work(n_threads)
            self._calls.put(lambda: task.ended(result))
        except AbandonedError:
            error = AbandonedError()
        except Exception as caught:  # thrown into the program
            error = caught
        except BaseException as caught:
            self._fail(caught)
            return
        with self._changed:
            if task.n_bytes in self._running:
                self._running.remove(task.n_bytes)
            if self._error is None:
                self._advance(ready.program, result, error)
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def _advance(self, program: int, value: Any = None, error: BaseException | None = None) -> None:
        """Go on with a program until it waits, and with those that it wakes."""
        self._resumed.append((program, value, error))
        while self._resumed:
            number, value, error = self._resumed.popleft()
            running = self._programs[number]
            try:
                wanted = running.send(value) if error is None else running.throw(error)
            except StopIteration as stop:
                self._results[number] = stop.value
                self._unfinished -= 1
            except BaseException as caught:  # raised in the calling thread
                self._error = self._error or caught
                return
            else:
                if isinstance(wanted, Task):
                    self._n_tasks += 1
                    self._ready.append(_Ready(wanted.rank, self._n_tasks, wanted, number))
                else:
                    wanted.then(partial(self._resume, number))

    def _resume(self, number: int, value: Any) -> None:
        self._resumed.append((number, value, None))
