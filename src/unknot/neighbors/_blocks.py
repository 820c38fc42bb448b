"""Exact search among points on disk, part by part.

The coordinates that bound the distances (`_axes`) stay in memory, about 320 numbers per point. The
points themselves are read two parts at a time, each pair of parts once. Each part is cut into
tiles, as in `_exact`, and the heaps of all queries are kept across parts, so that distances are
computed only where the bound is below the k-th distance found so far in any part.
"""

from __future__ import annotations

import numpy as np

from .._io.stored_points import StoredPoints
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._prebuilt.kernel import Kernel
from .._typing import Array, Float32, Int32, Int64, UInt64
from ._axes import (
    LEADING,
    MANY_FEATURES,
    MIN_STORED_SAMPLES_FOR_AXES,
    REFINING,
    SAMPLE,
    Axes,
    centered,
    principal_axes,
)
from ._duplicates import Distinct
from ._exact import search_all_pairs, update_all_pairs
from ._graph import NeighborGraph
from ._ties import tie_keys
from ._tiles import Tiles

hash_rows = Kernel(f"{__package__}._kernels", "hash_rows")


def graph_of_stored(points: StoredPoints, k: int, n_threads: int) -> NeighborGraph:
    """Find the k nearest neighbors of points on disk, exactly.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, or so large that distances do not fit in float32.
    """
    kept, group, keys = checked_distinct(points)
    indices, distances = _search_distinct(points, kept, keys, k, n_threads)
    distinct = Distinct(np.empty((len(kept), 0), np.float32), keys, group)
    return NeighborGraph(*distinct.expand(indices, distances, k), "euclidean")


def graph_of_distinct_stored(
    points: StoredPoints, k: int, n_threads: int
) -> tuple[NeighborGraph | None, Int64[Array, " distinct"]]:
    """Find the neighbors of the distinct rows, as `_search.graph_of_distinct`."""
    kept, _, keys = checked_distinct(points)
    if len(kept) < 2:
        return None, kept
    found = _search_distinct(points, kept, keys, k, n_threads)
    return NeighborGraph(*found, "euclidean"), kept


def checked_distinct(
    points: StoredPoints,
) -> tuple[Array, Int32[Array, " samples"] | None, UInt64[Array, " distinct"]]:
    """Check the values, and find the distinct rows, each row's group and the keys."""
    hashes = np.empty(len(points), np.uint64)

    def hash_slab(rows: slice, slab: Array) -> None:
        hash_rows(slab.view(np.uint32), 0, len(slab), hashes[rows])

    summary = points.scan(hash_slab)
    limit = float(np.finfo(np.float32).max) / (2 * points.shape[1] ** 0.5)
    reach = max(float(summary.high.max()), -float(summary.low.min()))
    if reach > limit:
        raise ValueError(
            f"{points.name} must not exceed {limit:.3g} in size, so that distances fit in float32; "
            f"got {reach:.3g}. Divide all values by a constant"
        )
    kept, group = _distinct(points, hashes)
    return kept, group, tie_keys(hashes[kept])


def _search_distinct(
    points: StoredPoints, kept: Array, keys: Array, k: int, n_threads: int
) -> tuple[Int32[Array, "distinct k"], Float32[Array, "distinct k"]]:
    k_distinct = min(k, len(kept) - 1)
    if not k_distinct:
        return np.zeros((1, 0), np.int32), np.zeros((1, 0), np.float32)
    return _search(points, kept, keys, k_distinct, n_threads)


def _distinct(points: StoredPoints, hashes: Array) -> tuple[Array, Int32[Array, " samples"] | None]:
    """Find the first row of each group of equal rows, and each row's group."""
    all_rows = np.arange(len(points))
    _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    if len(first) == len(points):
        return all_rows, None
    duplicates = np.setdiff1d(all_rows, first)
    step = points.rows_in(points.max_memory // 4)
    for start in range(0, len(duplicates), step):
        rows = duplicates[start : start + step]
        if not np.array_equal(points[rows], points[first[group[rows]]]):
            # A hash collision: duplicates are then searched one by one, which is only slower.
            return all_rows, None
    appearance = np.argsort(first)
    rank = np.empty(len(first), np.int32)
    rank[appearance] = np.arange(len(first), dtype=np.int32)
    return first[appearance], rank[group]


def _search(
    points: StoredPoints, kept: Array, keys: Array, k: int, n_threads: int
) -> tuple[Int32[Array, "distinct k"], Float32[Array, "distinct k"]]:
    n = len(kept)
    step = points.rows_in(points.max_memory // 3)
    places = [slice(start, min(start + step, n)) for start in range(0, n, step)]
    unloaded = np.empty((0, points.shape[1]), np.float32)
    indices, distances = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        axes = fit_axes(points, kept, team)
        parts, nearest = [], []
        for rows in places:
            data = points[kept[rows]]
            coordinates = axes.coordinates(data, team)
            part = Tiles.along_tree(data, coordinates, keys[rows], team, rows.start)
            # Pairs within a part first: they bring the k-th distances close to their final values.
            nearest.append(search_all_pairs(part, k, axes.scale, keys, team))
            part.data = unloaded
            parts.append(part)
        slack = max(part.slack for part in parts)
        nearest = [
            found.inflate(slack - part.slack) for found, part in zip(nearest, parts, strict=True)
        ]
        for number, part in enumerate(parts):
            if number + 1 < len(parts):
                part.data = points[kept[places[number]]]
            for later in range(number + 1, len(parts)):
                other = parts[later]
                other.data = points[kept[places[later]]]
                update_all_pairs(part, nearest[number], other, nearest[later], team)
                other.data = unloaded
            part.data = unloaded

            def write(tile: int, number: int = number) -> None:
                rows = parts[number].slices[tile]
                order = places[number].start + parts[number].order[rows]
                nearest[number].view(rows).write_sorted(order, False, distances, indices)

            team.run(write, len(part.slices))
    return indices, distances


def fit_axes(points: StoredPoints, kept: Array, team: ThreadTeam) -> Axes:
    """Fit a frame as `Axes.principal` does; rotated wherever that leaves fewer coordinates."""
    n, n_features = len(kept), points.shape[1]
    mean, low, high = points.summary
    reach = float(max((high - mean).max(), (mean - low).max(), 0.0)) * n_features**0.5
    scale = 2.0 ** -np.floor(np.log2(reach)) if reach > 0 else 1.0
    if n_features <= LEADING + REFINING // 2 or n < MIN_STORED_SAMPLES_FOR_AXES:
        return Axes(mean, scale, None)
    # With many features, `principal_axes` uses no more rows than this.
    n_rows = min(n, SAMPLE if n_features <= MANY_FEATURES else MANY_FEATURES)
    chosen = points[kept[np.linspace(0, n - 1, n_rows).astype(np.int64)]]
    sample = centered(chosen, slice(0, n_rows), mean, scale)
    return Axes(mean, scale, principal_axes(sample, team))
