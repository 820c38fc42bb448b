"""The workers of a Dask cluster."""

from __future__ import annotations

import secrets
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from .. import __version__
from .._extras import import_extra
from .._io.formatting import format_bytes
from .._parallel.lanes import Task
from .errors import ClusterError
from .remote import probe, run
from .workers import AGAIN, ExecutorWorkers, require_memory

# Seconds to wait for a scheduler, and for the workers' first answer.
ANSWER: Final = 8
# Clients that did not connect. Dask stops them when they are collected as garbage, and waits for
# ever if that happens while another client is being started: both take the same lock.
_FAILED: Final[list[Any]] = []
FIRST_IMPORT: Final = 120
# What a stage needs besides the points that it reads, as a multiple of them.
WORKING_SPACE: Final = 2
# Seconds between two looks at whether workers are paused.
LOOK: Final = 20
# Dask restarts a worker that has less, again and again.
LEAST_MEMORY: Final = 400_000_000
EXAMPLE: Final = "'tcp://host:8786'"


@contextmanager
def dask_workers(client: Any, n_jobs: int | None) -> Iterator[DaskWorkers]:
    """Yield the workers of a client, or connect to a scheduler and close the connection at the end.

    Parameters
    ----------
    client : distributed.Client, str or True
    """
    distributed = import_extra("distributed", feature="Running on a Dask cluster", extra="cluster")
    if isinstance(client, distributed.Client):
        if client.status != "running":
            raise ClusterError(
                f"client: it is {client.status}; connect again: distributed.Client(address)"
            )
        yield DaskWorkers(client, n_jobs)
        return
    if client is not True and not isinstance(client, str | Path):
        raise TypeError(
            "client must be a distributed.Client, the address of a scheduler, the path of its "
            f"file, or True for a cluster on this machine; got {type(client).__name__}"
        )
    with _connected(distributed, client) as own:
        yield DaskWorkers(own, n_jobs)


@contextmanager
def _connected(distributed: Any, where: Any) -> Iterator[Any]:
    if where is True:
        with distributed.Client(dashboard_address=":0") as own:
            yield own
        return
    text = str(where)
    options = {"scheduler_file": text} if text.endswith(".json") else {"address": text}
    if text.endswith(".json") and not Path(text).is_file():
        raise ClusterError(f"client: there is no scheduler file {text}")
    if not text.strip():
        raise ValueError(f"client must be the address of a scheduler, as {EXAMPLE}; got {where!r}")
    if "address" in options:
        _check_address(distributed, text)
    with _answered(distributed, options, text) as own:
        yield own


def _check_address(distributed: Any, text: str) -> None:
    """Raise a ClusterError for what cannot be an address, before anything is connected."""
    scheme, separator, _ = text.partition("://")
    if separator and scheme not in ("tcp", "tls"):
        return
    try:
        distributed.comm.get_address_host_port(text if separator else f"tcp://{text}", strict=True)
    except ValueError as error:
        raise _no_scheduler(text, error) from error
    if scheme == "tls":
        security = distributed.Security().get_connection_args("client")
        if security.get("ssl_context") is None:
            raise ClusterError(
                f"client: the scheduler {text} wants certificates. Pass "
                "distributed.Client(address, security=...)"
            )


def _no_scheduler(text: str, error: Exception) -> ClusterError:
    return ClusterError(
        f"client: {text} is not the address of a scheduler, or what answers there is none "
        f"({type(error).__name__}: {error}). Pass one such as {EXAMPLE}; a dashboard, often at "
        "port 8787, is no scheduler"
    )


def _answered(distributed: Any, options: dict[str, Any], text: str) -> Any:
    """Return a client that is connected.

    Of what answers but is no scheduler, such as a server of pages, Dask may wait for ever.
    """
    found: list[Any] = []
    answered, left = threading.Event(), threading.Event()

    def connect() -> None:
        client = distributed.Client.__new__(distributed.Client)
        _FAILED.append(client)
        try:
            client.__init__(**options, timeout=ANSWER)
        except Exception as error:
            found.append(error)
            answered.set()
            with suppress(Exception):
                client.close()
            return
        _FAILED.remove(client)
        found.append(client)
        answered.set()
        if left.is_set():
            client.close()

    threading.Thread(target=connect, daemon=True, name="unknot-client").start()
    answered.wait(ANSWER + 1)
    left.set()
    if not found:
        raise ClusterError(
            f"client: something at {text} takes the connection, and does not answer as a scheduler "
            f"does within {ANSWER} s. Check the port: a dashboard, often at 8787, is no scheduler"
        )
    error = found[0]
    if not isinstance(error, Exception):
        return error
    if isinstance(error, OSError | TimeoutError):
        raise ClusterError(
            f"client: the scheduler {text} does not answer within {ANSWER} s "
            f"({type(error).__name__}: {error}). Start it (dask scheduler), or mend the address"
        ) from error
    raise _no_scheduler(text, error) from error


def _lost(what: str, error: BaseException) -> ClusterError:
    return ClusterError(
        f"{what}: the connection to the Dask cluster is lost ({type(error).__name__}: {error}). "
        f"{AGAIN}, with a new client"
    )


class DaskWorkers(ExecutorWorkers):
    """The workers of a `distributed.Client`; the dashboard shows tasks by their stage."""

    name = "Dask cluster"

    def __init__(self, client: Any, n_jobs: int | None) -> None:
        super().__init__(client, n_jobs)
        self._client = client
        self._memory: dict[str, int | None] = {}
        self._looked = time.monotonic()
        self._paused: set[str] = set()

    def _n_workers(self) -> int:
        # Read anew each time: clusters grow and shrink.
        try:
            n_workers = max(1, len(self._client.nthreads()))
            if time.monotonic() - self._looked > LOOK:
                self._looked = time.monotonic()
                self._warn_of_paused()
        except OSError as error:
            raise _lost("waiting for tasks", error) from error
        return n_workers

    def _warn_of_paused(self) -> None:
        """Say so if workers take no tasks, two looks running: for these Dask waits in silence."""
        workers = self._client.scheduler_info()["workers"]
        paused = {name for name, worker in workers.items() if worker["status"] == "paused"}
        if still := paused & self._paused:
            named = ", ".join(sorted(still)[:3])
            warnings.warn(
                f"workers of the Dask cluster are paused, as their memory is nearly full: {named}. "
                "They go on once it is free; if it stays so, stop and give workers more memory "
                "(memory_limit=), or pass a smaller max_memory. What is finished is kept",
                RuntimeWarning,
                stacklevel=2,
            )
        self._paused = paused

    def submit(self, task: Task) -> Any:
        """Send a task, unless it needs more memory than any worker has."""
        if self._memory:
            worker, limit = max(self._memory.items(), key=lambda each: each[1] or sys.maxsize)
            require_memory(task.n_bytes * (1 + WORKING_SPACE), limit, task.label, worker)
        return self._send(run, task.work, self._n_jobs, __version__, alone=True, label=task.label)

    def _send(self, call: Callable[..., Any], *args: Any, label: str, **options: Any) -> Any:
        # The dashboard groups tasks by what stands before the number: the stage, of all partitions.
        stage = label.rpartition(": ")[2].partition(", ")[0].replace("-", " ")
        key = f"{stage}-{secrets.token_hex(8)}"
        return self._client.submit(call, *args, key=key, pure=False, **options)

    def _probes(self, folder: str, token: str) -> list[dict[str, Any]]:
        what = "checking the workers"
        addresses = list(self._client.nthreads()) or self._first_workers(folder, token, what)
        sent = [
            self._send(
                probe, folder, token, label=what, workers=[address], allow_other_workers=False
            )
            for address in addresses
        ]
        found = []
        for address, future in zip(addresses, sent, strict=True):
            try:
                found.append(future.result(timeout=FIRST_IMPORT))
            except Exception as error:
                raise ClusterError(
                    f"the worker {address} does not answer ({type(error).__name__}: {error}); "
                    "unknot must be installed there, in the same version"
                ) from error
        self._memory = {each["worker"]: each["memory"] for each in found}
        for worker, limit in self._memory.items():
            if limit is not None and limit < LEAST_MEMORY:
                raise ClusterError(
                    f"the worker {worker} may use {format_bytes(limit)}, and libraries and "
                    f"compiled kernels alone take up to {format_bytes(LEAST_MEMORY)}: give workers "
                    "more memory (memory_limit=), and rather fewer of them"
                )
        return found

    def _first_workers(self, folder: str, token: str, what: str) -> list[str]:
        """Wait for workers that are being started."""
        # An adaptive cluster starts some only if there is work.
        work = self._send(probe, folder, token, label=what)
        try:
            self._client.wait_for_workers(1, timeout=ANSWER)
        except TimeoutError:
            work.cancel()
            raise ClusterError(
                f"client: the cluster has no workers, and none came within {ANSWER} s; start some, "
                "such as: dask worker ADDRESS; for those of a queue, wait before: "
                "client.wait_for_workers(1)"
            ) from None
        return list(self._client.nthreads())

    def explained(self, task: Task, error: BaseException) -> BaseException:
        """Return the error to raise for what ended a task."""
        kind = type(error).__name__
        if kind == "KilledWorker":
            return ClusterError(
                f"{task.label}: workers died while they did it, most likely because memory was "
                f"exhausted ({error}). It reads {format_bytes(task.n_bytes)} at once: give workers "
                f"more memory, or pass a smaller max_memory. {AGAIN}"
            )
        if kind in ("CommClosedError", "TimeoutError") or self._client.status != "running":
            return _lost(task.label, error)
        if "serialize" in str(error) or kind == "PicklingError":
            # Dask's own error names its graph; what could not be pickled is at its root.
            root = error
            while (deeper := root.__cause__ or root.__context__) is not None:
                root = deeper
            return ClusterError(
                f"{task.label}: it cannot be sent to a worker ({type(root).__name__}: {root}). "
                "Pass models and data as paths that all workers see"
            )
        return super().explained(task, error)
