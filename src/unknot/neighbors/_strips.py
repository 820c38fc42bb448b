"""Exact search among points on disk by workers: a strip of the points is a task.

A strip's task reads its own points, then all others part by part, and keeps the heaps of its own
queries only. So any strip may be done anywhere, twice, or again; each pair of parts is multiplied
twice instead of once, in return. The k nearest by (distance, hash of the pair) do not depend on the
order in which points are visited: the bytes are those of `_blocks`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final

import numpy as np

from .._cluster import ExecutorWorkers, workers_of
from .._io.shared_store import SharedStore
from .._io.stored_points import StoredPoints
from .._io.temporary import TemporaryFolder
from .._parallel.lanes import Task, run_programs
from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import Array, Float32, Int32
from ._axes import Axes
from ._blocks import checked_distinct, fit_axes
from ._duplicates import Distinct
from ._exact import SLACK, search_all_pairs
from ._graph import NeighborGraph
from ._tiles import KNearest, TilePair, Tiles

# At least this many strips for each worker, so that none waits long for the last.
STRIPS_PER_SLOT: Final = 2


@dataclass(frozen=True, eq=False)
class Job:
    """What is searched, and where.

    Attributes
    ----------
    points : StoredPoints
    kept : array of int64 (n_distinct,)
        The first row of each distinct point.
    keys : array of uint64 (n_distinct,)
    k : int
        From 1 to n_distinct - 1.
    store : SharedStore
    home : str
        A folder in it, for this search alone.
    workers : Workers or None
    n_threads : int
    """

    points: StoredPoints
    kept: Array
    keys: Array
    k: int
    store: SharedStore
    home: str
    workers: ExecutorWorkers | None
    n_threads: int

    def run(self, label: Callable[[int], str], work: Callable[[int, int], None], n: int) -> None:
        """Run n tasks, which take their number and a number of threads."""

        def program(number: int) -> Generator[Task, Any, None]:
            yield Task(
                partial(work, number), label=label(number), n_bytes=self.points.max_memory // 3
            )

        programs = [program(number) for number in range(n)]
        run_programs(programs, self.n_threads, 0, overlap=False, workers=self.workers)


# Returns indices and distances among the distinct points, and the recall.
Find = Callable[[Job], tuple[Int32[Array, "distinct k"], Float32[Array, "distinct k"], float]]


def graph_by_tasks(
    points: StoredPoints,
    k: int,
    find: Find,
    *,
    executor: Any = None,
    client: Any = None,
    store: Any = None,
    store_options: Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
) -> NeighborGraph:
    """Find the k nearest neighbors of points on disk by tasks, on workers if there are any.

    Raises
    ------
    ValueError
        As `graph_of_stored`.
    ClusterError
        If workers do not answer, do not see the folder or the points, or die.
    """
    with (
        _working_place(store, store_options) as (shared, home),
        workers_of(executor, client, n_jobs) as workers,
    ):
        if workers is not None and not shared.is_remote:
            workers.check(shared.path, "store")
        kept, group, keys = checked_distinct(points)
        distinct = Distinct(np.empty((len(kept), 0), np.float32), keys, group)
        k_distinct = min(k, len(kept) - 1)
        if k_distinct:
            job = Job(points, kept, keys, k_distinct, shared, home, workers, resolve_n_jobs(n_jobs))
            indices, distances, recall = find(job)
        else:
            indices, distances = np.zeros((1, 0), np.int32), np.zeros((1, 0), np.float32)
            recall = 1.0
    return NeighborGraph(*distinct.expand(indices, distances, k), "euclidean", recall)


@contextmanager
def _working_place(
    store: Any, options: Mapping[str, Any] | None
) -> Iterator[tuple[SharedStore, str]]:
    """Yield a store and a folder in it, which is removed at the end.

    That of a process that was killed is removed by the next search there; not in a bucket.
    """
    home = f"neighbors-{secrets.token_hex(8)}"
    shared = None if store is None else SharedStore.of(store, dict(options or {}))
    if shared is not None and shared.is_remote:
        try:
            yield shared, home
        finally:
            shared.remove(home)
        return
    with TemporaryFolder(None if shared is None else shared.path) as folder:
        yield SharedStore.of(folder), home


@dataclass(frozen=True)
class Search:
    """What every strip's task needs to know.

    Attributes
    ----------
    points : StoredPoints
    store : SharedStore
    home : str
        The folder in it that holds ``distinct.bin``, with the first row and the key of each
        distinct point; the results of strips are written there.
    k : int
    axes : Axes
    parts, strips : tuple of slice
        Among the distinct points.
    """

    points: StoredPoints
    store: SharedStore
    home: str
    k: int
    axes: Axes
    parts: tuple[slice, ...]
    strips: tuple[slice, ...]


def find_by_strips(
    job: Job,
) -> tuple[Int32[Array, "distinct k"], Float32[Array, "distinct k"], float]:
    """Find the k nearest neighbors of each distinct point, exactly."""
    job.store.write_arrays(f"{job.home}/distinct.bin", kept=job.kept, keys=job.keys)
    with single_threaded_blas(), ThreadTeam(job.n_threads) as team:
        axes = fit_axes(job.points, job.kept, team)
    n = len(job.kept)
    slots = 1 if job.workers is None else job.workers.n_slots()
    # A strip, a part and their coordinates are in memory at once.
    most = job.points.rows_in(job.points.max_memory // 6)
    parts, strips = cut(n, most, 1), cut(n, most, STRIPS_PER_SLOT * slots)
    search = Search(job.points, job.store, job.home, job.k, axes, parts, strips)

    def label(number: int) -> str:
        return f"points {strips[number].start:,} to {strips[number].stop:,}: neighbors"

    job.run(label, partial(_search_strip, search), len(strips))
    indices = np.empty((n, job.k), np.int32)
    distances = np.empty((n, job.k), np.float32)
    for number, rows in enumerate(strips):
        found = job.store.read_arrays(f"{job.home}/strip-{number:06d}.bin")
        indices[rows], distances[rows] = found["indices"], found["distances"]
    return indices, distances, 1.0


def cut(n: int, most: int, at_least: int) -> tuple[slice, ...]:
    """Cut n rows into as many parts as are wanted or as fit, of about the same size."""
    count = max(1, min(n, max(at_least, -(-n // most))))
    edges = np.linspace(0, n, count + 1).astype(np.int64).tolist()
    return tuple(slice(start, stop) for start, stop in pairwise(edges))


def _search_strip(search: Search, number: int, n_threads: int) -> None:
    distinct = search.store.read_arrays(f"{search.home}/distinct.bin")
    kept, keys = distinct["kept"], distinct["keys"]
    own = search.strips[number]
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        queries = _tiles_of(search, own, kept, keys, team)
        nearest = search_all_pairs(queries, search.k, search.axes.scale, keys, team)
        allowed = queries.slack
        for part in search.parts:
            for rows in _without(part, own):
                points = _tiles_of(search, rows, kept, keys, team)
                if points.slack > allowed:
                    nearest, allowed = nearest.inflate(points.slack - allowed), points.slack
                update_queries(queries, nearest, points, team)
        indices, distances = written(queries, nearest, search.k, team)
    key = f"{search.home}/strip-{number:06d}.bin"
    search.store.write_arrays(key, indices=indices, distances=distances)


def _without(part: slice, own: slice) -> list[slice]:
    """Return what is left of a part without the strip's own rows."""
    left = (
        slice(part.start, min(part.stop, own.start)),
        slice(max(part.start, own.stop), part.stop),
    )
    return [rows for rows in left if rows.start < rows.stop]


def _tiles_of(search: Search, rows: slice, kept: Array, keys: Array, team: ThreadTeam) -> Tiles:
    data = search.points[np.asarray(kept[rows])]
    coordinates = search.axes.coordinates(data, team)
    return Tiles.along_tree(data, coordinates, np.asarray(keys[rows]), team, rows.start)


def update_queries(queries: Tiles, nearest: KNearest, points: Tiles, team: ThreadTeam) -> None:
    """Update the nearest neighbors of the queries alone, nearest tiles first."""
    pair = TilePair(queries, points)

    def update(tile: int) -> None:
        mine = nearest.view(queries.slices[tile])
        between = points.distances_to(queries.centers[tile])
        gaps = (between - queries.radii[tile] - points.radii) * (1 - SLACK)
        for other in np.argsort(between, kind="stable"):
            if gaps[other] <= mine.max_distance():
                pair.update(tile, int(other), mine, None)

    team.run(update, len(queries.slices))


def written(
    queries: Tiles, nearest: KNearest, k: int, team: ThreadTeam
) -> tuple[Int32[Array, "queries k"], Float32[Array, "queries k"]]:
    """Return the neighbors, nearest first, in the order of the data. This empties the heaps."""
    indices = np.empty((len(queries.order), k), np.int32)
    distances = np.empty((len(queries.order), k), np.float32)

    def write(tile: int) -> None:
        rows = queries.slices[tile]
        nearest.view(rows).write_sorted(queries.order[rows], False, distances, indices)

    team.run(write, len(queries.slices))
    return indices, distances
