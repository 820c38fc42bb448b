"""Approximate search among points on disk: each tile of queries visits the tiles nearest to it.

Points are first sorted into strips of points that are close, each cut into tiles. How many tiles a
tile must visit is computed from the true neighbors of some points: of how many tiles from the
nearest on they lie in. The search of the visited tiles is exact, so visiting all of them would be
the exact search. The recall is then measured on other points. Every step is a task for each part of
the points, on this machine or on workers; the results are the same bytes on both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from .._io.atomic import write_array
from .._io.stored_points import StoredPoints
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import Array, Float32, Int32, Int64
from ._approximate import MEASURED, SAMPLE_PER_CELL, cell_centers, nearest_center
from ._axes import Axes, Coordinates
from ._blocks import fit_axes
from ._exact import SLACK
from ._strips import Job, cut, update_queries, written
from ._tiles import TILE, KNearest, TilePair, Tiles

# The share of true neighbors to be found.
RECALL: Final = 0.99
# Strips of about this many per search, if they fit in memory, and of at least this many tiles.
STRIPS: Final = 64
LEAST_TILES: Final = 8
# Strips are filled cell by cell; with more cells, the points of a strip are closer to each other.
CELLS_PER_STRIP: Final = 8


@dataclass(frozen=True)
class _Plan:
    """What every task needs to know.

    Attributes
    ----------
    points : StoredPoints
    folder : Path
        It holds ``kept.npy``, the first row of each distinct point, and ``keys.npy``; tasks write
        their results there.
    k : int
    axes : Axes
    parts : tuple of slice
        Among the distinct points.
    centers : array of float32 (n_cells, n_lead)
    strips : tuple of slice
        Among the sorted points.
    n_visited : int
        How many tiles a tile visits.
    """

    points: StoredPoints
    folder: Path
    k: int
    axes: Axes
    parts: tuple[slice, ...]
    centers: Float32[Array, "cells lead"]
    strips: tuple[slice, ...] = ()
    n_visited: int = 0

    def load(self, name: str, number: int | None = None) -> Array:
        """Map an array that the driver or a task wrote."""
        end = "" if number is None else f"-{number:06d}"
        path = self.folder / f"{name}{end}.npy"
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        return array

    def save(self, number: int | None = None, **arrays: Array) -> None:
        end = "" if number is None else f"-{number:06d}"
        for name, array in arrays.items():
            write_array(self.folder / f"{name}{end}.npy", array)


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Points whose true neighbors are computed: their places, and their k nearest other places."""

    places: Int64[Array, " chosen"]
    neighbors: Int64[Array, "chosen k"]
    kth: Float32[Array, " chosen"]


def find_by_nearest_tiles(
    job: Job,
) -> tuple[Int32[Array, "distinct k"], Float32[Array, "distinct k"], float]:
    """Find most of the k nearest neighbors of each distinct point; the store is a folder.

    Returns
    -------
    indices, distances : ndarrays of shape (n_distinct, k)
    recall : float
        The share of the true neighbors found, measured on 500 points.
    """
    n = len(job.kept)
    # A strip, another and their coordinates are in memory at once.
    most = job.points.rows_in(job.points.max_memory // 6)
    strips = cut(n, min(most, max(LEAST_TILES * TILE, n // STRIPS)), 1)
    with single_threaded_blas(), ThreadTeam(job.n_threads) as team:
        axes = fit_axes(job.points, job.kept, team)
        centers = _centers(job.points, job.kept, axes, CELLS_PER_STRIP * len(strips), team)
    folder = job.store.path / job.home
    folder.mkdir()
    plan = _Plan(job.points, folder, job.k, axes, cut(n, most, 1), centers, strips)
    plan.save(kept=job.kept, keys=job.keys)
    return _search(plan, job)


def _centers(
    points: StoredPoints, kept: Array, axes: Axes, n_cells: int, team: ThreadTeam
) -> Float32[Array, "cells lead"]:
    n_sampled = min(len(kept), n_cells * SAMPLE_PER_CELL)
    rows = kept[np.linspace(0, len(kept) - 1, n_sampled).astype(np.int64)]
    lead = axes.coordinates(points[rows], team).lead
    return cell_centers(lead, min(n_cells, len(lead)), team)


def _search(
    plan: _Plan, job: Job
) -> tuple[Int32[Array, "distinct k"], Float32[Array, "distinct k"], float]:
    """Run the steps; return the neighbors in the order of the distinct points, and the recall."""

    def run(work: Callable[[int, int], None], count: int, label: str) -> None:
        job.run(lambda number: f"{label}, {number + 1} of {count}", work, count)

    run(partial(_sort_part, plan), len(plan.parts), "sorting")
    counts = np.stack([plan.load("counts", part) for part in range(len(plan.parts))])
    plan.save(counts=counts)
    run(partial(_gather_strip, plan), len(plan.strips), "gathering")
    for path in plan.folder.glob("part_points-*.npy"):
        path.unlink()
    numbers = range(len(plan.strips))
    order = np.concatenate([plan.load("rows", strip) for strip in numbers])
    plan.save(sorted_keys=np.asarray(plan.load("keys"))[order])
    plan.save(all_centers=np.concatenate([plan.load("centers", strip) for strip in numbers]))

    n = len(order)
    places = np.linspace(0, n - 1, min(n, 2 * MEASURED)).astype(np.int64)
    plan.save(chosen=places)
    run(partial(_true_neighbors, plan), len(plan.strips), "true neighbors of some points")
    true = _merge(plan, places)
    plan = replace(plan, n_visited=_tiles_to_visit(plan, true, slice(0, None, 2)))
    run(partial(_search_strip, plan), len(plan.strips), "neighbors")

    indices = np.empty((n, plan.k), np.int32)
    distances = np.empty((n, plan.k), np.float32)
    for strip, rows in enumerate(plan.strips):
        indices[order[rows]] = order[plan.load("indices", strip)]
        distances[order[rows]] = plan.load("distances", strip)
    measured = slice(1, None, 2) if len(places) > 1 else slice(None)
    limits = true.kth[measured]
    within = distances[order[places[measured]]] <= limits[:, None]
    return indices, distances, float(within.mean())


def _sort_part(plan: _Plan, number: int, n_threads: int) -> None:
    """Write the points of a part, sorted by cell."""
    rows = plan.parts[number]
    data = plan.points[np.asarray(plan.load("kept")[rows])]
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        cells = nearest_center(plan.axes.coordinates(data, team).lead, plan.centers, team)
    order = np.argsort(cells, kind="stable")
    counts = np.bincount(cells, minlength=len(plan.centers))
    plan.save(number, part_points=data[order], part_rows=rows.start + order, counts=counts)


def _gather_strip(plan: _Plan, number: int, n_threads: int) -> None:
    """Write the points of a strip, in the order of its tiles."""
    strip = plan.strips[number]
    segments = _segments(plan.load("counts"), strip)
    data = np.concatenate([plan.load("part_points", part)[rows] for part, rows in segments])
    rows = np.concatenate([plan.load("part_rows", part)[rows] for part, rows in segments])
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        coordinates = plan.axes.coordinates(data, team)
        keys = np.asarray(plan.load("keys"))[rows]
        tiles = Tiles.along_tree(data, coordinates, keys, team, strip.start)
    plan.save(number, points=data[tiles.order], rows=rows[tiles.order], centers=tiles.centers)
    if plan.axes.basis is not None:
        # Many other strips read them.
        sorted_ = tiles.coordinates
        plan.save(number, lead=sorted_.lead, refine=sorted_.refine, errors=sorted_.errors)


def _segments(counts: Array, strip: slice) -> list[tuple[int, slice]]:
    """Return which rows of which sorted parts are those of a strip: cell by cell, part by part."""
    within_part = np.cumsum(counts, axis=1) - counts
    sizes = counts.T.ravel()
    ends = np.cumsum(sizes)
    n_parts = len(counts)
    segments = []
    for place in range(int(np.searchsorted(ends, strip.start, side="right")), len(sizes)):
        cell, part = divmod(place, n_parts)
        begin = int(ends[place] - sizes[place])
        if begin >= strip.stop:
            break
        start = within_part[part, cell] + max(strip.start - begin, 0)
        stop = within_part[part, cell] + min(strip.stop - begin, int(sizes[place]))
        if start < stop:
            segments.append((part, slice(int(start), int(stop))))
    return segments


def _tiles_of(plan: _Plan, number: int, team: ThreadTeam) -> Tiles:
    """Load the tiles of a strip."""
    strip = plan.strips[number]
    data = np.asarray(plan.load("points", number))
    order = np.arange(len(data), dtype=np.int32)
    slices = cut_tiles(len(data))
    keys = np.asarray(plan.load("sorted_keys")[strip])
    if plan.axes.basis is None:
        coordinates = plan.axes.coordinates(data, team)
    else:
        names = ("lead", "refine", "errors")
        coordinates = Coordinates(*(np.asarray(plan.load(name, number)) for name in names))
    return Tiles(data, coordinates, keys, order, slices, team, strip.start)


def cut_tiles(n: int) -> list[slice]:
    """Cut the rows of a strip into tiles, as `Tiles.along_tree` does."""
    return [slice(start, min(start + TILE, n)) for start in range(0, n, TILE)]


def _true_neighbors(plan: _Plan, number: int, n_threads: int) -> None:
    """Write the nearest points of a strip to each of the chosen points."""
    places = np.asarray(plan.load("chosen"))
    data = np.concatenate(
        [
            plan.load("points", strip)[places[_in(rows, places)] - rows.start]
            for strip, rows in enumerate(plan.strips)
        ]
    )
    keys = np.asarray(plan.load("sorted_keys"))
    k = min(plan.k + 1, plan.strips[number].stop - plan.strips[number].start)
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        points = _tiles_of(plan, number, team)
        queries = Tiles.along_tree(data, plan.axes.coordinates(data, team), keys[places], team)
        errors = queries.coordinates.errors + points.slack
        nearest = KNearest.empty(errors, k, plan.axes.scale, queries.keys, keys)
        update_queries(queries, nearest, points, team)
        indices, distances = written(queries, nearest, k, team)
    plan.save(number, true_indices=indices, true_distances=distances)


def _in(rows: slice, places: Array) -> slice:
    """Return which of the ascending places are within some rows."""
    first, last = np.searchsorted(places, [rows.start, rows.stop])
    return slice(int(first), int(last))


def _merge(plan: _Plan, places: Array) -> _Chosen:
    """Merge what the strips found near the chosen points."""
    numbers = range(len(plan.strips))
    indices = np.concatenate([plan.load("true_indices", strip) for strip in numbers], axis=1)
    distances = np.concatenate([plan.load("true_distances", strip) for strip in numbers], axis=1)
    distances = np.where(indices == places[:, None], np.inf, distances)
    order = np.argsort(distances, axis=1, kind="stable")[:, : plan.k]
    neighbors = np.take_along_axis(indices, order, axis=1).astype(np.int64)
    return _Chosen(places, neighbors, np.take_along_axis(distances, order[:, -1:], axis=1)[:, 0])


def _first_tiles(strips: Sequence[slice]) -> Int64[Array, " strips"]:
    """Return the number of the first tile of each strip, and of all tiles."""
    return np.cumsum([0, *(len(cut_tiles(rows.stop - rows.start)) for rows in strips)])


def _tiles_to_visit(plan: _Plan, true: _Chosen, used: slice) -> int:
    """Return among how many nearest tiles the wanted share of the true neighbors lies."""
    starts = np.array([rows.start for rows in plan.strips])
    first = _first_tiles(plan.strips)

    def tile_of(places: Array) -> Array:
        strip = np.searchsorted(starts, places, side="right") - 1
        return np.asarray(first[strip] + (places - starts[strip]) // TILE)

    centers = np.asarray(plan.load("all_centers"))
    ranks = []
    for own, neighbors in zip(tile_of(true.places[used]), true.neighbors[used], strict=True):
        between = np.sqrt(((centers - centers[own]) ** 2).sum(axis=1))
        rank = np.empty(len(centers), np.int64)
        rank[np.argsort(between, kind="stable")] = np.arange(len(centers))
        ranks.append(rank[tile_of(neighbors)])
    ordered = np.sort(np.concatenate(ranks))
    wanted = int(ordered[int(np.ceil(RECALL * len(ordered))) - 1]) + 1
    # Even the smallest tiles must together hold k other points.
    sizes = np.sort([t.stop - t.start for s in plan.strips for t in cut_tiles(s.stop - s.start)])
    enough = int(np.searchsorted(np.cumsum(sizes), plan.k + 1)) + 1
    return min(len(centers), max(wanted, enough))


def _search_strip(plan: _Plan, number: int, n_threads: int) -> None:
    """Write the nearest points of each point of a strip, among the tiles that its tile visits."""
    centers = np.asarray(plan.load("all_centers"))
    first = _first_tiles(plan.strips)
    keys = np.asarray(plan.load("sorted_keys"))
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        queries = _tiles_of(plan, number, team)
        visits: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        nearness: dict[int, float] = defaultdict(lambda: np.inf)
        for tile, center in enumerate(queries.centers):
            between = np.sqrt(((centers - center) ** 2).sum(axis=1))
            for visited in np.argsort(between, kind="stable")[: plan.n_visited].tolist():
                strip = int(np.searchsorted(first, visited, side="right")) - 1
                visits[strip][tile].append(visited - int(first[strip]))
                nearness[strip] = min(nearness[strip], float(between[visited]))
        nearest = KNearest.empty(
            queries.coordinates.errors + queries.slack,
            plan.k,
            plan.axes.scale,
            queries.keys,
            keys,
        )
        allowed = queries.slack
        # The strip itself first: that brings the k-th distances close to their final values.
        for strip in sorted(visits, key=lambda strip: (strip != number, nearness[strip], strip)):
            points = queries if strip == number else _tiles_of(plan, strip, team)
            if points.slack > allowed:
                nearest, allowed = nearest.inflate(points.slack - allowed), points.slack
            _visit(queries, nearest, points, visits[strip], team)
        indices, distances = written(queries, nearest, plan.k, team)
    plan.save(number, indices=indices, distances=distances)


def _visit(
    queries: Tiles,
    nearest: KNearest,
    points: Tiles,
    visits: dict[int, list[int]],
    team: ThreadTeam,
) -> None:
    """Update the nearest neighbors of tiles of queries from the tiles that each one visits."""
    pair = TilePair(queries, points)
    tiles = list(visits)

    def update(place: int) -> None:
        tile = tiles[place]
        mine = nearest.view(queries.slices[tile])
        others = np.array(visits[tile])
        between = np.sqrt(((points.centers[others] - queries.centers[tile]) ** 2).sum(axis=1))
        gaps = (between - queries.radii[tile] - points.radii[others]) * (1 - SLACK)
        for gap, other in zip(gaps, others.tolist(), strict=True):
            if gap <= mine.max_distance():
                pair.update(tile, other, mine, None)

    team.run(update, len(tiles))
