"""Exact search among points on disk, part by part.

The coordinates that bound the distances (`_axes`) stay in memory, some 320 numbers a point; the
points themselves are read two parts at a time, every pair of parts once. Each part is cut into
tiles, as in `_exact`, and the heaps of all queries last over all parts, so that distances are
computed only where the bound beats the k-th found so far anywhere.
"""

from __future__ import annotations

import numpy as np

from .._io.stored_points import StoredPoints
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import Array, Float32, Int32
from ._axes import LEADING, MANY_FEATURES, REFINING, SAMPLE, Axes, centered
from ._axes import _principal_axes as principal_axes
from ._duplicates import Distinct
from ._exact import meet_all, search_all_pairs
from ._graph import NeighborGraph
from ._kernels import hash_rows
from ._tiles import Tiles

# With fewer points than this axes are not worth their while.
FEW = 2 * (LEADING + REFINING)


def graph_of_stored(points: StoredPoints, k: int, n_threads: int) -> NeighborGraph:
    """Find the k nearest neighbors of points on disk, exactly.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, or so large that distances do not fit in float32.
    """
    hashes = np.empty(len(points), np.uint64)

    def look(rows: slice, block: Array) -> None:
        hash_rows(block.view(np.uint32), 0, len(block), hashes[rows])

    found = points.scan(look)
    limit = float(np.finfo(np.float32).max) / (2 * points.shape[1] ** 0.5)
    reach = max(float(found.high.max()), -float(found.low.min()))
    if reach > limit:
        raise ValueError(
            f"{points.name} must not exceed {limit:.3g} in size, so that distances fit in float32; "
            f"got {reach:.3g}. Divide all values by a constant"
        )
    kept, group = _distinct(points, hashes)
    few = min(k, len(kept) - 1)
    if few:
        indices, distances = _search(points, kept, few, n_threads)
    else:
        indices, distances = np.zeros((1, 0), np.int32), np.zeros((1, 0), np.float32)
    stand_for = Distinct(np.empty((len(kept), 0), np.float32), group)
    return NeighborGraph(*stand_for.expand(indices, distances, k), "euclidean")


def _distinct(points: StoredPoints, hashes: Array) -> tuple[Array, Int32[Array, " samples"] | None]:
    """Find the first of every set of equal rows, and of which set each row is."""
    everything = np.arange(len(points))
    _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    if len(first) == len(points):
        return everything, None
    doubles = np.setdiff1d(everything, first)
    step = points.rows_in(points.max_memory // 4)
    for start in range(0, len(doubles), step):
        rows = doubles[start : start + step]
        if not np.array_equal(points[rows], points[first[group[rows]]]):
            # Two rows, one hash: duplicates are then searched one by one, which is only slower.
            return everything, None
    appearance = np.argsort(first)
    rank = np.empty(len(first), np.int32)
    rank[appearance] = np.arange(len(first), dtype=np.int32)
    return first[appearance], rank[group]


def _search(
    points: StoredPoints, kept: Array, k: int, n_threads: int
) -> tuple[Int32[Array, "distinct k"], Float32[Array, "distinct k"]]:
    n = len(kept)
    step = points.rows_in(points.max_memory // 3)
    places = [slice(start, min(start + step, n)) for start in range(0, n, step)]
    nothing = np.empty((0, points.shape[1]), np.float32)
    indices, distances = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        axes = _fit_axes(points, kept, team)
        parts, heaps = [], []
        for some in places:
            block = points[kept[some]]
            part = Tiles.along_tree(block, axes.coordinates(block, team), team, some.start)
            # A part's own pairs first: they bring the k-th distances near what they will be.
            heaps.append(search_all_pairs(part, k, axes.scale, team))
            part.points = nothing
            parts.append(part)
        slack = max(part.slack for part in parts)
        heaps = [some.widened(slack - part.slack) for some, part in zip(heaps, parts, strict=True)]
        for number, part in enumerate(parts):
            if number + 1 < len(parts):
                part.points = points[kept[places[number]]]
            for later in range(number + 1, len(parts)):
                other = parts[later]
                other.points = points[kept[places[later]]]
                meet_all(part, heaps[number], other, heaps[later], team)
                other.points = nothing
            part.points = nothing

            def empty(tile: int, number: int = number) -> None:
                rows = parts[number].slices[tile]
                order = places[number].start + parts[number].order[rows]
                heaps[number].of(rows).empty_into(order, False, distances, indices)

            team.run(empty, len(part.slices))
    return indices, distances


def _fit_axes(points: StoredPoints, kept: Array, team: ThreadTeam) -> Axes:
    """Fit a frame as `Axes.principal`; rotated wherever that leaves fewer coordinates."""
    n, n_features = len(kept), points.shape[1]
    mean, low, high = points.summary
    reach = float(max((high - mean).max(), (mean - low).max(), 0.0)) * n_features**0.5
    scale = 2.0 ** -np.floor(np.log2(reach)) if reach > 0 else 1.0
    if n_features <= LEADING + REFINING // 2 or n < FEW:
        return Axes(mean, scale, None)
    # With many features only so many rows of a sample are looked at.
    wanted = SAMPLE if n_features <= MANY_FEATURES else MANY_FEATURES
    some = points[kept[np.linspace(0, n - 1, min(n, wanted)).astype(np.int64)]]
    return Axes(mean, scale, principal_axes(centered(some, slice(0, len(some)), mean, scale), team))
