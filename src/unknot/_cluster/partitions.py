"""Stages of very many samples: a task for each partition, and a record of each that has ended.

The record of a task is written last, under its own name, so that it tells whole work. A task that
runs twice writes the same bytes. A driver that was killed reads the records and goes on.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np

from .._io.atomic import is_full
from .._io.folders import LinkError
from .._io.formatting import format_bytes
from .._io.lock import FolderInUseError
from .._io.shared_store import SharedStore, bytes_of
from .._parallel.lanes import Task, Workers, run_programs
from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import AbandonedError
from .._typing import Array
from .errors import ClusterError
from .remote import who
from .workers import AGAIN

# A scheduler of Dask chokes on very many tasks.
MOST_PARTITIONS: Final = 1024
# Smaller partitions cost more for their tasks than for their work.
PARTITION_BYTES: Final = 2**25


def partitions_of(
    n_samples: int, batch: int, row_bytes: int, partition_bytes: int | None = None
) -> tuple[slice, ...]:
    """Cut samples into partitions of whole batches, so that batches are those of one process.

    Parameters
    ----------
    n_samples : int
    batch : int
        Samples that a model takes at once.
    row_bytes : int
        What a sample takes in memory, about.
    partition_bytes : int, optional
        What a partition should take at least, about; the double is not exceeded, but by a single
        batch, or for the sake of `MOST_PARTITIONS`.

    Returns
    -------
    tuple of slice
        They depend on nothing else, above all not on the workers.
    """
    wanted = PARTITION_BYTES if partition_bytes is None else partition_bytes
    rows = batch
    while rows < n_samples and (
        rows * row_bytes < wanted or -(-n_samples // rows) > MOST_PARTITIONS
    ):
        rows *= 2
    return tuple(slice(start, min(start + rows, n_samples)) for start in range(0, n_samples, rows))


def part_key(folder: str, number: int, name: str = "bin") -> str:
    """Return where a task of a stage writes its arrays, or one of them alone."""
    return f"{folder}/parts/{number:06d}.{name}"


@dataclass
class Output:
    """Where a task writes, and the list of what it wrote."""

    store: SharedStore
    folder: str
    number: int
    files: dict[str, list[Any]] = field(default_factory=dict)
    chunks: dict[str, int] = field(default_factory=dict)

    def arrays(self, **arrays: Array) -> None:
        """Write small arrays, which `Records.arrays` reads."""
        key = part_key(self.folder, self.number)
        self.files[key] = self.store.write_arrays(key, **arrays)

    def raw(self, name: str, values: Array) -> None:
        """Write the values of an array alone, of which `SharedStore.read_range` reads some."""
        key = part_key(self.folder, self.number, name)
        self.files[key] = self.store.write(key, bytes_of(values))

    def rows(self, key: str, rows: slice, values: Array) -> None:
        """Write rows of a large array: whole chunks, which no other task writes."""
        self.store.open_array(key, writable=True)[rows] = values
        self.chunks |= self.store.chunks(key, rows)


# Called with where to write, the rows and the number of threads; returns plain JSON.
Work = Callable[[Output, slice, int], dict[str, Any]]


@dataclass(frozen=True)
class PartitionedStage:
    """A stage whose tasks are partitions.

    Attributes
    ----------
    store : SharedStore
    folder : str
        Of its records in the store; its name holds a fingerprint of everything that they depend on.
    label : str
        What it works on and does, for people.
    work : callable
        Importable, with plain data.
    n_bytes : int
        What a task needs, about.
    rows : str
        What is cut into partitions.
    """

    store: SharedStore
    folder: str
    label: str
    work: Work
    n_bytes: int = 0
    rows: str = "samples"

    def name_of(self, number: int, rows: slice) -> str:
        """Return the name of a task, for people."""
        what = f"{self.rows} {rows.start:,} to {rows.stop - 1:,}"
        return f"{self.label}, partition {number} ({what})"


@dataclass(frozen=True)
class Records:
    """What the tasks of a stage returned, in the order of the partitions."""

    stage: PartitionedStage
    results: tuple[dict[str, Any], ...]

    def arrays(self) -> Generator[dict[str, Array], None, None]:
        """Yield the small arrays of each task, in the order of the partitions."""
        store, label = self.stage.store, self.stage.label
        for number in range(len(self.results)):
            with explained_here(store, label):
                found = store.read_arrays(part_key(self.stage.folder, number))
            yield found


def finish_stage(
    stage: PartitionedStage,
    partitions: Sequence[slice],
    workers: Workers | None = None,
    n_jobs: int | None = None,
    on_task: Callable[[int, int], None] = lambda done, of: None,
) -> Records:
    """Run the tasks that have no valid record, and return the results of all.

    Raises
    ------
    ClusterError
        If a task fails; the message names the stage, the partition, the worker and the remedy. What
        was finished is kept.
    """
    with explained_here(stage.store, stage.label):
        found = finished(stage, partitions)
    on_task(len(found), len(partitions))

    def program(number: int, rows: slice) -> Generator[Task, Any, None]:
        found[number] = yield Task(
            partial(_do, stage, number, rows),
            label=stage.name_of(number, rows),
            n_bytes=stage.n_bytes,
        )
        on_task(len(found), len(partitions))

    run_programs(
        [program(number, rows) for number, rows in enumerate(partitions) if number not in found],
        resolve_n_jobs(n_jobs),
        0,
        overlap=False,
        workers=workers,
    )
    return Records(stage, tuple(found[number] for number in range(len(partitions))))


def finished(stage: PartitionedStage, partitions: Sequence[slice]) -> dict[int, dict[str, Any]]:
    """Return the results of the tasks that have a valid record, by their number."""
    found = {}
    there = set(stage.store.names(f"{stage.folder}/ledger"))
    for number, rows in enumerate(partitions):
        if _record_name(number) in there:
            result = _valid_result(stage, number, rows)
            if result is not None:
                found[number] = result
    return found


def _record_name(number: int) -> str:
    return f"{number:06d}.json"


def _valid_result(stage: PartitionedStage, number: int, rows: slice) -> dict[str, Any] | None:
    """Return the result of a task that has ended, if all that it wrote is there."""
    record = stage.store.read_json(f"{stage.folder}/ledger/{_record_name(number)}")
    try:
        whole = (
            record["rows"] == [rows.start, rows.stop]
            and all(stage.store.holds(key, described) for key, described in record["files"].items())
            and all(stage.store.size_of(key) == size for key, size in record["chunks"].items())
        )
        return dict(record["result"]) if whole else None
    except (KeyError, TypeError, AttributeError):
        return None


def _do(stage: PartitionedStage, number: int, rows: slice, n_threads: int) -> dict[str, Any]:
    """Do the work of a task, wherever this is."""
    try:
        output = Output(stage.store, stage.folder, number)
        result = stage.work(output, rows, n_threads)
        stage.store.write_json(
            f"{stage.folder}/ledger/{_record_name(number)}",
            {
                "rows": [rows.start, rows.stop],
                "result": result,
                "files": output.files,
                "chunks": output.chunks,
            },
        )
        return result
    except (AbandonedError, ClusterError):
        raise
    except Exception as error:
        why = _why(stage.store.place, error, stage.n_bytes)
        raise ClusterError(
            f"{stage.name_of(number, rows)}, on the worker {who()}: {why}. {AGAIN}"
        ) from error


@contextmanager
def explained_here(store: SharedStore, label: str) -> Iterator[None]:
    """Explain what fails in the calling process, between the tasks of a stage, in the store.

    Raises
    ------
    ClusterError
        It names the stage, the store and the remedy.
    """
    try:
        yield
    except (LinkError, FolderInUseError):
        raise
    except Exception as error:
        if not (isinstance(error, OSError) or _is_of_bucket(error)):
            raise
        why = _why(store.place, error, 0)
        raise ClusterError(f"{label}, in this process: {why}. {AGAIN}") from error


def _is_of_bucket(error: Exception) -> bool:
    """Whether an object store failed, whose errors are of no common type."""
    return type(error).__module__.partition(".")[0] == "obstore"


def _why(place: str, error: Exception, n_bytes: int) -> str:
    """Return why a task failed, and what to do."""
    if is_full(error):
        return f"the store {place} is full: make room"
    if isinstance(error, PermissionError):
        return f"the store {place} cannot be written to there ({error}): give workers the right"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return (
            f"{error.filename or error} is not seen there: pass store= and data on a file system "
            "that all workers share, and leave the store alone while it is used"
        )
    if isinstance(error, OSError) and error.errno == errno.EIO:
        return f"the store {place} fails ({error}): check the disk"
    if _is_of_bucket(error):
        said = " ".join(str(error).split())[:200]
        return f"the store {place} does not do what it is asked ({said}): check the server"
    if isinstance(error, MemoryError):
        return f"memory is exhausted; it needs about {format_bytes(n_bytes)}: give workers more"
    if isinstance(error, ValueError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def require_finite_rows(values: Array, rows: slice, what: str) -> None:
    """Raise a ValueError that names the first sample with NaN or infinity."""
    flat = values.reshape(len(values), -1)
    with np.errstate(invalid="ignore", over="ignore"):
        whole = bool(np.isfinite(flat.sum(dtype=np.float64)))
    if whole:
        return
    bad = np.flatnonzero(~np.isfinite(flat).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{what} holds NaN or infinity in {len(bad):,} samples, the first of them "
            f"{rows.start + int(bad[0]):,}: mend or leave out these samples"
        )
