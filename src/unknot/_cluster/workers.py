"""The workers that tasks are sent to: those of an executor, or of a Dask cluster."""

from __future__ import annotations

import pickle
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from .. import __version__
from .._io.formatting import format_bytes
from .._parallel.lanes import Task
from .._parallel.n_jobs import resolve_n_jobs
from .errors import ClusterError
from .remote import VersionError, probe, run

AGAIN: Final = "What was finished is kept: run the same again, and it goes on from there"


@contextmanager
def workers_of(
    executor: Any = None, client: Any = None, n_jobs: int | None = None
) -> Iterator[ExecutorWorkers | None]:
    """Yield the workers of an executor or of a Dask client; None if there is neither.

    Parameters
    ----------
    executor : concurrent.futures.Executor, optional
    client : distributed.Client, str or True, optional
        Or the address of a scheduler, the path of its file, or True for a cluster on this machine.
    n_jobs : int, optional
        Threads of a task.

    Raises
    ------
    ValueError
        If both are given.
    TypeError
        If the executor has no ``submit``.
    ClusterError
        If the scheduler does not answer or the client is closed.
    MissingExtraError
        If Dask is not installed.
    """
    if executor is not None and client is not None:
        raise ValueError("executor and client: pass one of them; got both")
    if executor is not None:
        is_class = isinstance(executor, type)
        if is_class or not callable(getattr(executor, "submit", None)):
            got = f"the class {executor.__name__}" if is_class else type(executor).__name__
            raise TypeError(
                "executor must be a concurrent.futures.Executor, such as a ProcessPoolExecutor(2); "
                f"got {got}"
            )
        yield ExecutorWorkers(executor, n_jobs)
        return
    if client is None or client is False:
        yield None
        return
    from .dask import dask_workers

    with dask_workers(client, n_jobs) as found:
        yield found


class ExecutorWorkers:
    """The workers of a `concurrent.futures.Executor`."""

    # How an error names it.
    name = "executor"

    def __init__(self, executor: Any, n_jobs: int | None) -> None:
        self._executor = executor
        self._n_jobs = n_jobs

    def n_slots(self) -> int:
        """Return how many tasks may be sent and not ended: two for each worker."""
        return 2 * self._n_workers()

    def _n_workers(self) -> int:
        found = getattr(self._executor, "_max_workers", None)
        return found if isinstance(found, int) and found > 0 else resolve_n_jobs(None)

    def submit(self, task: Task) -> Any:
        """Send a task."""
        share = max(1, resolve_n_jobs(None) // self._n_workers())
        n_threads = share if self._n_jobs is None else resolve_n_jobs(self._n_jobs)
        return self._send(run, task.work, n_threads, __version__, alone=False, label=task.label)

    def _send(self, call: Callable[..., Any], *args: Any, label: str, **options: Any) -> Any:
        if not isinstance(self._executor, ThreadPoolExecutor):
            _check_sendable(partial(call, *args, **options), label)
        return self._executor.submit(call, *args, **options)

    def check(self, folder: Path, argument: str = "out") -> None:
        """Check that workers see a folder, and have this version of the package.

        Parameters
        ----------
        folder : Path
        argument : str
            What the user calls it.

        Raises
        ------
        ClusterError
            If one does not; the message names it.
        """
        token = f".probe-{secrets.token_hex(8)}"
        place = folder / token
        try:
            folder.mkdir(parents=True, exist_ok=True)
            place.write_text(token)
        except OSError as error:
            with suppress(OSError):
                place.unlink()
            why = error.strerror or error
            raise ClusterError(
                f"{argument}: the folder {folder} cannot be written to ({why}): make room, give "
                "the right, or name another folder that all workers see"
            ) from error
        try:
            for found in self._probes(str(folder), token):
                self._judge(found, folder, argument)
        finally:
            with suppress(OSError):
                place.unlink()

    def _probes(self, folder: str, token: str) -> list[dict[str, Any]]:
        label = "checking the workers"
        try:
            return [self._send(probe, folder, token, label=label).result()]
        except Exception as error:
            raise self.explained(Task(lambda n: None, label=label), error) from error

    def _judge(self, found: dict[str, Any], folder: Path, argument: str) -> None:
        worker, version = found["worker"], found["version"]
        if not found["sees"]:
            raise ClusterError(
                f"the worker {worker} does not see the folder {folder}: pass {argument}= on a file "
                "system that all workers share"
            )
        if version != __version__:
            raise ClusterError(
                f"the worker {worker} has unknot {version}, and this process {__version__}: "
                "install the same version on all"
            )

    def explained(self, task: Task, error: BaseException) -> BaseException:
        """Return the error to raise for what ended a task."""
        what = task.label or "a task"
        if isinstance(error, ClusterError):
            return error
        if isinstance(error, VersionError):
            return ClusterError(f"{what}: {error}")
        if isinstance(error, BrokenExecutor):
            return ClusterError(
                f"{what}: a worker of the {self.name} has died, for example because memory was "
                f"exhausted ({error}). {AGAIN}, with a new executor"
            )
        if isinstance(error, CancelledError):
            return ClusterError(f"{what}: the {self.name} was shut down before it ended. {AGAIN}")
        if isinstance(error, RuntimeError) and "shutdown" in str(error):
            return ClusterError(
                f"{what}: the {self.name} is closed: {error}. Pass one that is open. {AGAIN}"
            )
        return error


def _check_sendable(call: Any, label: str) -> None:
    """Check that a call can be pickled: a process pool would wait for ever, or break."""
    try:
        pickle.dumps(call)
    except Exception as error:
        raise ClusterError(
            f"{label}: it cannot be sent to another process ({type(error).__name__}: {error}). "
            "Define functions at the top of a module, pass models and data as paths, or pass a "
            "Dask client, which also sends functions defined anywhere"
        ) from error


def require_memory(n_bytes: int, limit: int | None, what: str, worker: str) -> None:
    """Refuse a task that needs more memory than a worker has, before it is killed."""
    if limit is not None and n_bytes > limit:
        raise ClusterError(
            f"{what} needs about {format_bytes(n_bytes)}, and the worker {worker} may use "
            f"{format_bytes(limit)}: give workers more memory, or pass a smaller max_memory"
        )
