"""Exact search among points on disk by workers: a strip of the points is a task.

A strip's task reads its own points, then all others part by part, and keeps the heaps of its own
queries only. So any strip may be done anywhere, twice, or again; each pair of parts is multiplied
twice instead of once, in return. The k nearest by (distance, hash of the pair) do not depend on the
order in which points are visited: the bytes are those of `_blocks`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from .._cluster import workers_of
from .._io.atomic import write_array
from .._io.stored_points import StoredPoints
from .._io.temporary import TemporaryFolder
from .._parallel.lanes import Task, Workers, run_programs
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


@dataclass(frozen=True)
class Search:
    """What every strip's task needs to know.

    Attributes
    ----------
    points : StoredPoints
    folder : Path
        It holds ``kept.npy``, the first row of each distinct point, and ``keys.npy``; the results
        of strips are written there.
    k : int
    axes : Axes
    parts, strips : tuple of slice
        Among the distinct points.
    """

    points: StoredPoints
    folder: Path
    k: int
    axes: Axes
    parts: tuple[slice, ...]
    strips: tuple[slice, ...]


def graph_by_strips(
    points: StoredPoints,
    k: int,
    *,
    executor: Any = None,
    client: Any = None,
    store: Any = None,
    n_jobs: int | None = None,
) -> NeighborGraph:
    """Find the k nearest neighbors of points on disk, exactly, on workers.

    Raises
    ------
    ValueError
        As `graph_of_stored`.
    ClusterError
        If workers do not answer, do not see the folder or the points, or die.
    """
    with working_folder(store, executor, client, n_jobs) as (folder, workers):
        kept, group, keys = checked_distinct(points)
        k_distinct = min(k, len(kept) - 1)
        distinct = Distinct(np.empty((len(kept), 0), np.float32), keys, group)
        if not k_distinct:
            nothing = np.zeros((1, 0), np.int32), np.zeros((1, 0), np.float32)
            return NeighborGraph(*distinct.expand(*nothing, k), "euclidean")
        write_array(folder / "kept.npy", kept)
        write_array(folder / "keys.npy", keys)
        with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
            axes = fit_axes(points, kept, team)
        slots = 1 if workers is None else workers.n_slots()
        # A strip, a part and their coordinates are in memory at once.
        most = points.rows_in(points.max_memory // 6)
        search = Search(
            points,
            folder,
            k_distinct,
            axes,
            cut(len(kept), most, 1),
            cut(len(kept), most, STRIPS_PER_SLOT * slots),
        )
        run_programs(
            [_program(search, number) for number in range(len(search.strips))],
            resolve_n_jobs(n_jobs),
            0,
            overlap=False,
            workers=workers,
        )
        indices = np.empty((len(kept), k_distinct), np.int32)
        distances = np.empty((len(kept), k_distinct), np.float32)
        for number, rows in enumerate(search.strips):
            for name, found in (("indices", indices), ("distances", distances)):
                found[rows] = np.load(folder / f"{name}-{number:06d}.npy", allow_pickle=False)
    return NeighborGraph(*distinct.expand(indices, distances, k), "euclidean")


@contextmanager
def working_folder(
    store: Any, executor: Any, client: Any, n_jobs: int | None
) -> Iterator[tuple[Path, Workers | None]]:
    """Yield a temporary folder for what tasks write, and the workers; all of them see it."""
    if "://" in str(store):
        raise ValueError(
            f"store must be a folder that all workers see; got {store!r}. Object stores are not "
            "supported: mount it, or use a shared file system"
        )
    if store is not None:
        Path(store).mkdir(parents=True, exist_ok=True)
    with (
        TemporaryFolder(None if store is None else Path(store)) as folder,
        workers_of(executor, client, n_jobs) as workers,
    ):
        if workers is not None:
            workers.check(folder)
        yield folder, workers


def _program(search: Search, number: int) -> Generator[Task, Any, None]:
    rows = search.strips[number]
    yield Task(
        partial(_search_strip, search, number),
        label=f"points {rows.start:,} to {rows.stop:,}: neighbors",
        n_bytes=search.points.max_memory // 3,
    )


def cut(n: int, most: int, at_least: int) -> tuple[slice, ...]:
    """Cut n rows into as many parts as are wanted or as fit, of about the same size."""
    count = max(1, min(n, max(at_least, -(-n // most))))
    edges = np.linspace(0, n, count + 1).astype(np.int64).tolist()
    return tuple(slice(start, stop) for start, stop in pairwise(edges))


def _search_strip(search: Search, number: int, n_threads: int) -> None:
    kept = np.load(search.folder / "kept.npy", mmap_mode="r")
    keys = np.load(search.folder / "keys.npy", mmap_mode="r")
    all_keys = np.asarray(keys)
    own = search.strips[number]
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        queries = _tiles_of(search, own, kept, keys, team)
        nearest = search_all_pairs(queries, search.k, search.axes.scale, all_keys, team)
        allowed = queries.slack
        for part in search.parts:
            for rows in _without(part, own):
                points = _tiles_of(search, rows, kept, keys, team)
                if points.slack > allowed:
                    nearest, allowed = nearest.inflate(points.slack - allowed), points.slack
                update_queries(queries, nearest, points, team)
        indices, distances = written(queries, nearest, search.k, team)
    write_array(search.folder / f"indices-{number:06d}.npy", indices)
    write_array(search.folder / f"distances-{number:06d}.npy", distances)


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
