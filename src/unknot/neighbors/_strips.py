"""Exact search among points on disk by workers: a strip of the points is a task.

A strip's task reads its own points, then all others part by part, and keeps the heaps of its own
queries only. So any strip may be done anywhere, twice, or again; each pair of parts is multiplied
twice instead of once, in return. The k nearest by (distance, hash of the pair) do not depend on the
order in which points are visited: the bytes are those of `_blocks`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final

import numpy as np

from .. import __version__
from .._cluster import (
    ExecutorWorkers,
    Output,
    PartitionedStage,
    Records,
    Work,
    explained_here,
    finish_stage,
    workers_of,
)
from .._io.shared_store import SharedStore
from .._io.stored_points import StoredPoints
from .._io.temporary import TemporaryFolder
from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import Array, Float32, Int32, Int64
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

    def stage(self, folder: str, label: str, work: Work, rows: str) -> PartitionedStage:
        """Return a stage of the search, which `finish` runs."""
        n_bytes = self.points.max_memory // 3
        return PartitionedStage(self.store, f"{self.home}/{folder}", label, work, n_bytes, rows)

    def finish(self, stage: PartitionedStage, partitions: Sequence[slice]) -> Records:
        """Run the tasks of a stage that have not ended before."""
        return finish_stage(stage, partitions, self.workers, self.n_threads)

    def once(self, name: str, make: Callable[[], dict[str, Array]]) -> tuple[dict[str, Array], str]:
        """Return arrays that an earlier run of this search made, or make and keep them.

        All tasks must use the same ones, whoever runs them. Also returns their checksum.
        """
        key, record = f"{self.home}/{name}.bin", f"{self.home}/{name}.json"
        described = self.store.read_json(record)
        if not isinstance(described, list) or not self.store.holds(key, described):
            described = self.store.write_arrays(key, **make())
            self.store.write_json(record, described)
        return self.store.read_arrays(key), str(described[1])[:16]


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
    FolderInUseError
        If another run does the same search in the same folder.
    ClusterError
        If workers do not answer, do not see the folder or the points, or die.
    """
    with (
        _working_place(store, store_options) as shared,
        workers_of(executor, client, n_jobs) as workers,
    ):
        if workers is not None and not shared.is_remote:
            workers.check(shared.path, "store")
        kept, group, keys = checked_distinct(points)
        distinct = Distinct(np.empty((len(kept), 0), np.float32), keys, group)
        k_distinct = min(k, len(kept) - 1)
        if k_distinct:
            home = f"neighbors-{_fingerprint(points, distinct, kept, k_distinct, find)}"
            with explained_here(shared, "neighbors of points on disk"), shared.alone(home):
                threads = resolve_n_jobs(n_jobs)
                job = Job(points, kept, keys, k_distinct, shared, home, workers, threads)
                indices, distances, recall = find(job)
                shared.remove(home)
        else:
            indices, distances = np.zeros((1, 0), np.int32), np.zeros((1, 0), np.float32)
            recall = 1.0
    return NeighborGraph(*distinct.expand(indices, distances, k), "euclidean", recall)


@contextmanager
def _working_place(store: Any, options: Mapping[str, Any] | None) -> Iterator[SharedStore]:
    """Yield the store; without one a temporary folder, which is removed at the end."""
    if store is not None:
        yield SharedStore.of(store, dict(options or {}))
        return
    with TemporaryFolder() as folder:
        yield SharedStore.of(folder)


def _fingerprint(points: StoredPoints, distinct: Distinct, kept: Array, k: int, find: Find) -> str:
    """Return what tells this search from others: the hashes of all points among it."""
    origin = points.origin
    settings = {
        "version": __version__,
        "search": find.__name__,
        "k": k,
        "max_memory": points.max_memory,
        "shape": list(points.shape),
        "exponent": points.exponent,
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for array in (kept, distinct.keys, distinct.group, origin):
        digest.update(b"|")
        if array is not None:
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Search:
    """What every strip's task needs to know.

    Attributes
    ----------
    points : StoredPoints
    distinct : str
        Where the first row and the key of each distinct point are in the store.
    k : int
    axes : Axes
    parts : tuple of slice
        Among the distinct points.
    """

    points: StoredPoints
    distinct: str
    k: int
    axes: Axes
    parts: tuple[slice, ...]


def find_by_strips(
    job: Job,
) -> tuple[Int32[Array, "distinct k"], Float32[Array, "distinct k"], float]:
    """Find the k nearest neighbors of each distinct point, exactly."""
    n = len(job.kept)
    job.once("distinct", lambda: {"kept": job.kept, "keys": job.keys})

    def make() -> dict[str, Array]:
        with single_threaded_blas(), ThreadTeam(job.n_threads) as team:
            axes = fit_axes(job.points, job.kept, team)
        slots = 1 if job.workers is None else job.workers.n_slots()
        # A strip, a part and their coordinates are in memory at once.
        most = job.points.rows_in(job.points.max_memory // 6)
        parts, strips = cut(n, most, 1), cut(n, most, STRIPS_PER_SLOT * slots)
        return {**axes.arrays(), "parts": edges_of(parts), "strips": edges_of(strips)}

    frame, digest = job.once("frame", make)
    parts, strips = slices_of(frame["parts"]), slices_of(frame["strips"])
    search = Search(job.points, f"{job.home}/distinct.bin", job.k, Axes.from_arrays(frame), parts)
    work = partial(_search_strip, search)
    stage = job.stage(f"strips-{digest}", "points on disk: neighbors", work, "distinct points")
    indices = np.empty((n, job.k), np.int32)
    distances = np.empty((n, job.k), np.float32)
    for rows, found in zip(strips, job.finish(stage, strips).arrays(), strict=True):
        indices[rows], distances[rows] = found["indices"], found["distances"]
    return indices, distances, 1.0


def edges_of(slices: Sequence[slice]) -> Int64[Array, " edges"]:
    """Return where slices that follow each other begin, and where the last one ends."""
    return np.array([*(each.start for each in slices), slices[-1].stop], np.int64)


def slices_of(edges: Array) -> tuple[slice, ...]:
    """Return slices from what `edges_of` returned."""
    return tuple(slice(start, stop) for start, stop in pairwise(edges.tolist()))


def cut(n: int, most: int, at_least: int) -> tuple[slice, ...]:
    """Cut n rows into as many parts as are wanted or as fit, of about the same size."""
    count = max(1, min(n, max(at_least, -(-n // most))))
    edges = np.linspace(0, n, count + 1).astype(np.int64).tolist()
    return tuple(slice(start, stop) for start, stop in pairwise(edges))


def _search_strip(search: Search, output: Output, own: slice, n_threads: int) -> dict[str, Any]:
    distinct = output.store.map_arrays(search.distinct)
    kept, keys = distinct["kept"], np.asarray(distinct["keys"])
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
    output.arrays(indices=indices, distances=distances)
    return {"n": len(indices)}


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
