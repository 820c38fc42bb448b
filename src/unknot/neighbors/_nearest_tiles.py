"""Approximate search among points on disk: each tile of queries visits the tiles nearest to it.

Points are first sorted into strips of points that are close, each cut into tiles. How many tiles a
tile must visit is computed from the true neighbors of some points: of how many tiles from the
nearest on they lie in. The search of the visited tiles is exact, so visiting all of them would be
the exact search. The recall is then measured on other points. Every step is a task for each part of
the points, on this machine or on workers; the results are the same bytes on both. A task that has
ended has a record in the store: a search that was killed goes on with the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from .._cluster import Output, PartitionedStage, finished, part_key
from .._io.shared_store import SharedStore
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
# The stages, by the names of their folders.
SORTED, GATHERED, TRUE, FOUND = "sorted", "gathered", "true", "found"


@dataclass(frozen=True)
class _Plan:
    """What every task needs to know.

    Attributes
    ----------
    points : StoredPoints
    home : str
        The search's folder in the store.
    digest : str
        Of the axes and centers, on which all stages depend.
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
    home: str
    digest: str
    k: int
    axes: Axes
    parts: tuple[slice, ...]
    centers: Float32[Array, "cells lead"]
    strips: tuple[slice, ...]
    n_visited: int = 0

    def folder(self, stage: str) -> str:
        """Return the name of a stage's folder in the search's."""
        return f"{stage}-{self.digest}"

    def key(self, name: str) -> str:
        """Return where the driver writes arrays."""
        return f"{self.home}/{name}.bin"

    def part(self, stage: str, number: int, name: str = "bin") -> str:
        """Return where a task writes arrays."""
        return part_key(f"{self.home}/{self.folder(stage)}", number, name)


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Points whose true neighbors are computed: their places, and their k nearest other places."""

    places: Int64[Array, " chosen"]
    neighbors: Int64[Array, "chosen k"]
    kth: Float32[Array, " chosen"]


def find_by_nearest_tiles(
    job: Job,
) -> tuple[Int32[Array, "distinct k"], Float32[Array, "distinct k"], float]:
    """Find most of the k nearest neighbors of each distinct point.

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

    def make() -> dict[str, Array]:
        with single_threaded_blas(), ThreadTeam(job.n_threads) as team:
            axes = fit_axes(job.points, job.kept, team)
            centers = _centers(job.points, job.kept, axes, CELLS_PER_STRIP * len(strips), team)
        return {**axes.arrays(), "centers": centers}

    job.once("distinct", lambda: {"kept": job.kept, "keys": job.keys})
    frame, digest = job.once("frame", make)
    axes, centers = Axes.from_arrays(frame), frame["centers"]
    plan = _Plan(job.points, job.home, digest, job.k, axes, cut(n, most, 1), centers, strips)
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

    def stage(name: str, label: str, work: Callable[..., Any], plan: _Plan) -> PartitionedStage:
        rows = "distinct points" if name == SORTED else "sorted points"
        label = f"points on disk: {label}"
        return job.stage(plan.folder(name), label, partial(work, plan), rows)

    gathering = stage(GATHERED, "gathering", _gather_strip, plan)
    if len(finished(gathering, plan.strips)) < len(plan.strips):
        sorting = stage(SORTED, "sorting", _sort_part, plan)
        counts = [each["counts"] for each in job.finish(sorting, plan.parts).arrays()]
        job.store.write_arrays(plan.key("counts"), counts=np.stack(counts))
        job.finish(gathering, plan.strips)
        # It holds all points once more.
        job.store.remove(sorting.folder)
    numbers = range(len(plan.strips))
    gathered = [job.store.map_arrays(plan.part(GATHERED, strip)) for strip in numbers]
    order = np.concatenate([each["rows"] for each in gathered])
    all_centers = np.concatenate([each["centers"] for each in gathered])
    n = len(order)
    places = np.linspace(0, n - 1, min(n, 2 * MEASURED)).astype(np.int64)
    job.store.write_arrays(
        plan.key("sorted"), keys=job.keys[order], centers=all_centers, chosen=places
    )
    searching = stage(TRUE, "true neighbors of some", _true_neighbors, plan)
    true = _merge(plan, list(job.finish(searching, plan.strips).arrays()), places)
    n_visited = _tiles_to_visit(plan, all_centers, true, slice(0, None, 2))
    visiting = replace(plan, n_visited=n_visited)
    searching = stage(f"{FOUND}-{n_visited}", "neighbors", _search_strip, visiting)

    indices = np.empty((n, plan.k), np.int32)
    distances = np.empty((n, plan.k), np.float32)
    for rows, found in zip(plan.strips, job.finish(searching, plan.strips).arrays(), strict=True):
        indices[order[rows]] = order[found["indices"]]
        distances[order[rows]] = found["distances"]
    measured = slice(1, None, 2) if len(places) > 1 else slice(None)
    limits = true.kth[measured]
    within = distances[order[places[measured]]] <= limits[:, None]
    return indices, distances, float(within.mean())


def _sort_part(plan: _Plan, output: Output, rows: slice, n_threads: int) -> dict[str, Any]:
    """Write the points of a part, sorted by cell."""
    kept = output.store.map_arrays(plan.key("distinct"))["kept"]
    data = plan.points[np.asarray(kept[rows])]
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        cells = nearest_center(plan.axes.coordinates(data, team).lead, plan.centers, team)
    order = np.argsort(cells, kind="stable")
    output.arrays(counts=np.bincount(cells, minlength=len(plan.centers)))
    output.raw("points", data[order])
    output.raw("rows", rows.start + order)
    return {"n": len(order)}


def _gather_strip(plan: _Plan, output: Output, strip: slice, n_threads: int) -> dict[str, Any]:
    """Write the points of a strip, in the order of its tiles."""
    store = output.store
    data, rows = _rows_of_strip(plan, store, strip)
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        coordinates = plan.axes.coordinates(data, team)
        keys = np.asarray(store.map_arrays(plan.key("distinct"))["keys"])[rows]
        tiles = Tiles.along_tree(data, coordinates, keys, team, strip.start)
    found = {"points": data[tiles.order], "rows": rows[tiles.order], "centers": tiles.centers}
    if plan.axes.basis is not None:
        # Many other strips read them.
        sorted_ = tiles.coordinates
        found |= {"lead": sorted_.lead, "refine": sorted_.refine, "errors": sorted_.errors}
    output.arrays(**found)
    return {"n": len(rows)}


def _rows_of_strip(plan: _Plan, store: SharedStore, strip: slice) -> tuple[Array, Array]:
    """Read the points of a strip from the sorted parts, and their places before the sorting."""
    segments = _segments(store.map_arrays(plan.key("counts"))["counts"], strip)
    # The cells of a strip follow each other in every part: one range of each part is read.
    ranges: dict[int, slice] = {}
    for part, rows in segments:
        before = ranges.get(part, rows)
        ranges[part] = slice(min(before.start, rows.start), max(before.stop, rows.stop))

    def read(name: str, kind: str, width: int) -> Array:
        size = np.dtype(kind).itemsize * width
        read = {}
        for part, rows in ranges.items():
            key = plan.part(SORTED, part, name)
            data = store.read_range(key, rows.start * size, (rows.stop - rows.start) * size)
            read[part] = np.frombuffer(data, kind).reshape(-1, width)
        return np.concatenate(
            [
                read[part][rows.start - ranges[part].start : rows.stop - ranges[part].start]
                for part, rows in segments
            ]
        )

    return read("points", "<f4", plan.points.shape[1]), read("rows", "<i8", 1)[:, 0]


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


def _tiles_of(plan: _Plan, store: SharedStore, number: int, keys: Array, team: ThreadTeam) -> Tiles:
    """Load the tiles of a strip; the keys are those of all sorted points."""
    strip = plan.strips[number]
    stored = store.map_arrays(plan.part(GATHERED, number))
    data = np.asarray(stored["points"])
    order = np.arange(len(data), dtype=np.int32)
    slices = cut_tiles(len(data))
    keys = keys[strip]
    if plan.axes.basis is None:
        coordinates = plan.axes.coordinates(data, team)
    else:
        names = ("lead", "refine", "errors")
        coordinates = Coordinates(*(np.asarray(stored[name]) for name in names))
    return Tiles(data, coordinates, keys, order, slices, team, strip.start)


def cut_tiles(n: int) -> list[slice]:
    """Cut the rows of a strip into tiles, as `Tiles.along_tree` does."""
    return [slice(start, min(start + TILE, n)) for start in range(0, n, TILE)]


def _true_neighbors(plan: _Plan, output: Output, strip: slice, n_threads: int) -> dict[str, Any]:
    """Write the nearest points of a strip to each of the chosen points."""
    store = output.store
    everything = store.map_arrays(plan.key("sorted"))
    keys, places = np.asarray(everything["keys"]), np.asarray(everything["chosen"])
    data = np.concatenate(
        [
            store.map_arrays(plan.part(GATHERED, number))["points"][
                places[_in(rows, places)] - rows.start
            ]
            for number, rows in enumerate(plan.strips)
        ]
    )
    k = min(plan.k + 1, strip.stop - strip.start)
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        points = _tiles_of(plan, store, output.number, keys, team)
        queries = Tiles.along_tree(data, plan.axes.coordinates(data, team), keys[places], team)
        errors = queries.coordinates.errors + points.slack
        nearest = KNearest.empty(errors, k, plan.axes.scale, queries.keys, keys)
        update_queries(queries, nearest, points, team)
        indices, distances = written(queries, nearest, k, team)
    output.arrays(indices=indices, distances=distances)
    return {"n": len(indices)}


def _in(rows: slice, places: Array) -> slice:
    """Return which of the ascending places are within some rows."""
    first, last = np.searchsorted(places, [rows.start, rows.stop])
    return slice(int(first), int(last))


def _merge(plan: _Plan, found: Sequence[dict[str, Array]], places: Array) -> _Chosen:
    """Merge what the strips found near the chosen points."""
    indices = np.concatenate([each["indices"] for each in found], axis=1)
    distances = np.concatenate([each["distances"] for each in found], axis=1)
    distances = np.where(indices == places[:, None], np.inf, distances)
    order = np.argsort(distances, axis=1, kind="stable")[:, : plan.k]
    neighbors = np.take_along_axis(indices, order, axis=1).astype(np.int64)
    return _Chosen(places, neighbors, np.take_along_axis(distances, order[:, -1:], axis=1)[:, 0])


def _first_tiles(strips: Sequence[slice]) -> Int64[Array, " strips"]:
    """Return the number of the first tile of each strip, and of all tiles."""
    return np.cumsum([0, *(len(cut_tiles(rows.stop - rows.start)) for rows in strips)])


def _tiles_to_visit(plan: _Plan, centers: Array, true: _Chosen, used: slice) -> int:
    """Return among how many nearest tiles the wanted share of the true neighbors lies."""
    starts = np.array([rows.start for rows in plan.strips])
    first = _first_tiles(plan.strips)

    def tile_of(places: Array) -> Array:
        strip = np.searchsorted(starts, places, side="right") - 1
        return np.asarray(first[strip] + (places - starts[strip]) // TILE)

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


def _search_strip(plan: _Plan, output: Output, rows: slice, n_threads: int) -> dict[str, Any]:
    """Write the nearest points of each point of a strip, among the tiles that its tile visits."""
    store, number = output.store, output.number
    everything = store.map_arrays(plan.key("sorted"))
    keys, centers = np.asarray(everything["keys"]), np.asarray(everything["centers"])
    first = _first_tiles(plan.strips)
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        queries = _tiles_of(plan, store, number, keys, team)
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
            points = queries if strip == number else _tiles_of(plan, store, strip, keys, team)
            if points.slack > allowed:
                nearest, allowed = nearest.inflate(points.slack - allowed), points.slack
            _visit(queries, nearest, points, visits[strip], team)
        indices, distances = written(queries, nearest, plan.k, team)
    output.arrays(indices=indices, distances=distances)
    return {"n": rows.stop - rows.start}


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
