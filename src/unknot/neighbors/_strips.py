"""Exact search among points on disk by workers: a strip of the points is a task.

A strip's task reads its own points, then all others part by part, and keeps the heaps of its own
queries only. So any strip may be done anywhere, twice, or again; each pair of parts is multiplied
twice instead of once, in return. The k nearest by (distance, hash of the pair) do not depend on the
order in which points are visited: the bytes are those of `_blocks`.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final

import numpy as np

from .._cluster import workers_of
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


def graph_by_strips(
    points: StoredPoints,
    k: int,
    *,
    executor: Any = None,
    client: Any = None,
    store: Any = None,
    store_options: Mapping[str, Any] | None = None,
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
    with (
        working_place(store, store_options) as (shared, home),
        workers_of(executor, client, n_jobs) as workers,
    ):
        if workers is not None and not shared.is_remote:
            workers.check(shared.path, "store")
        kept, group, keys = checked_distinct(points)
        k_distinct = min(k, len(kept) - 1)
        distinct = Distinct(np.empty((len(kept), 0), np.float32), keys, group)
        if not k_distinct:
            nothing = np.zeros((1, 0), np.int32), np.zeros((1, 0), np.float32)
            return NeighborGraph(*distinct.expand(*nothing, k), "euclidean")
        shared.write_arrays(f"{home}/distinct.bin", kept=kept, keys=keys)
        with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
            axes = fit_axes(points, kept, team)
        slots = 1 if workers is None else workers.n_slots()
        # A strip, a part and their coordinates are in memory at once.
        most = points.rows_in(points.max_memory // 6)
        search = Search(
            points,
            shared,
            home,
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
            found = shared.read_arrays(f"{home}/strip-{number:06d}.bin")
            indices[rows], distances[rows] = found["indices"], found["distances"]
    return NeighborGraph(*distinct.expand(indices, distances, k), "euclidean")


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


@contextmanager
def working_place(store: Any, options: Mapping[str, Any] | None) -> Iterator[tuple[Any, str]]:
    """Yield a store and a folder in it, which is removed at the end."""
    home = f"neighbors-{secrets.token_hex(8)}"
    if store is None:
        with TemporaryFolder() as folder:
            yield SharedStore.of(folder), home
        return
    shared = SharedStore.of(store, dict(options or {}))
    try:
        yield shared, home
    finally:
        shared.remove(home)


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
