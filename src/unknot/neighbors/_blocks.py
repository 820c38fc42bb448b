"""Exact search among points on disk, part by part.

The coordinates that bound the distances (`_axes`) stay in memory, some 320 numbers a point; the
points themselves are read two parts at a time, every pair of parts once. Each part is cut into
tiles, as in `_exact`, and the heaps of all queries last over all parts, so that distances are
computed only where the bound beats the k-th found so far anywhere.
"""

from __future__ import annotations

import numpy as np

from .._stored import StoredPoints
from .._team import Team, single_threaded_blas
from .._typing import Array, Float32, Float64, Int32
from ._axes import LEADING, MANY_FEATURES, REFINING, ROUNDING, SAMPLE, Axes, Coordinates, centred
from ._axes import _principal_axes as principal_axes
from ._duplicates import Distinct
from ._exact import TILE, Tiles, tree_order
from ._graph import NeighborGraph
from ._kernels import hash_rows, shift_tile, unheap, visit_tile

# With fewer points than this axes are not worth their while.
FEW = 2 * (LEADING + REFINING)


def graph_of_stored(points: StoredPoints, k: int, n_threads: int) -> NeighborGraph:
    """Find the k nearest neighbours of points on disk, exactly.

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


class _Part:
    """Some of the points: where they are on disk, and their tiles."""

    def __init__(self, points: StoredPoints, rows: Array, start: int) -> None:
        self._points = points
        self._rows = rows
        self.start = start
        self.stop = start + len(rows)
        self.tiles: Tiles

    def read(self) -> Float32[Array, "rows features"]:
        return self._points[self._rows]


def _search(
    points: StoredPoints, kept: Array, k: int, n_threads: int
) -> tuple[Int32[Array, "distinct k"], Float32[Array, "distinct k"]]:
    n = len(kept)
    step = points.rows_in(points.max_memory // 3)
    parts = [_Part(points, kept[start : start + step], start) for start in range(0, n, step)]
    heaps = np.full((n, k), np.inf), np.full((n, k), -1, np.int32)
    indices, distances = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    with single_threaded_blas(), Team(n_threads) as team:
        axes = _fit_axes(points, kept, team)
        for part in parts:
            # A part's own pairs first: they bring the k-th distances near what they will be.
            block = part.read()
            part.tiles = _tiles(block, axes.coordinates(block, team), team)
            _meet(part, block, part, block, axes.scale, heaps, team)
        for number, part in enumerate(parts):
            block = part.read() if number + 1 < len(parts) else block
            for other in parts[number + 1 :]:
                there = other.read()
                _meet(part, block, other, there, axes.scale, heaps, team)
                _meet(other, there, part, block, axes.scale, heaps, team)

        def empty(number: int) -> None:
            rows = slice(number * TILE, min(n, (number + 1) * TILE))
            order = np.arange(rows.start, rows.stop, dtype=np.int32)
            unheap(heaps[0][rows], heaps[1][rows], order, False, distances, indices)

        team.run(empty, -(-n // TILE))
    return indices, distances


def _fit_axes(points: StoredPoints, kept: Array, team: Team) -> Axes:
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
    return Axes(mean, scale, principal_axes(centred(some, slice(0, len(some)), mean, scale), team))


def _tiles(block: Array, coordinates: Coordinates, team: Team) -> Tiles:
    n = len(block)
    slices = [slice(start, min(start + TILE, n)) for start in range(0, n, TILE)]
    # Without the points, which are read when they are needed.
    nothing = np.empty((0, block.shape[1]), np.float32)
    return Tiles(nothing, coordinates, tree_order(coordinates.lead, TILE), slices, team)


def _meet(
    part: _Part,
    queries: Array,
    other: _Part,
    points: Array,
    scale: float,
    heaps: tuple[Float64[Array, "distinct k"], Int32[Array, "distinct k"]],
    team: Team,
) -> None:
    """Offer the points of one part to the heaps of another's, or of its own."""
    asked, base = part.tiles, other.tiles

    def answer(number: int) -> None:
        places = asked.slices[number]
        local = asked.order[places]
        rows = part.start + local.astype(np.int64)
        heap_distances, heap_indices = heaps[0][rows], heaps[1][rows]
        # Counted from the other part's first row: ties are decided as if from the first of all.
        heap_indices -= other.start
        _offer(
            asked,
            number,
            queries,
            base,
            points,
            scale,
            heap_distances,
            heap_indices,
            own=part is other,
        )
        heap_indices += other.start
        heaps[0][rows], heaps[1][rows] = heap_distances, heap_indices

    team.run(answer, len(asked.slices))


def _offer(
    asked: Tiles,
    number: int,
    queries: Array,
    base: Tiles,
    points: Array,
    scale: float,
    heap_distances: Array,
    heap_indices: Array,
    *,
    own: bool,
) -> None:
    """Offer all tiles of points to the heaps of a tile of queries, the nearest tiles first."""
    rows = asked.slices[number]
    n_queries = rows.stop - rows.start
    n_lead = base.centres.shape[1]
    # See `_exact.fill` for the rounding.
    shrink = np.float32(1 - (n_lead + 8) * ROUNDING)
    centre = asked.centres[number]
    own_lead, own_norms = np.empty((n_queries, n_lead), np.float32), np.empty(n_queries, np.float32)
    shift_tile(asked.coordinates.lead[rows], centre, shrink, own_lead, own_norms)
    shifted, norms = np.empty((TILE, n_lead), np.float32), np.empty(TILE, np.float32)
    products = np.empty(n_queries * TILE, np.float32)
    bounds, columns = np.empty(TILE, np.float32), np.empty(TILE, np.int32)
    apart = np.sqrt(((base.centres - centre) ** 2).sum(axis=1))
    errors = asked.coordinates.errors[rows] + base.coordinates.errors.max()
    for tile in np.argsort(apart, kind="stable"):
        gap = float(apart[tile] - asked.radii[number] - base.radii[tile]) * (1 - 1e-5)
        if gap > float(np.sqrt(heap_distances[:, 0].max()) * scale + errors.max()):
            continue
        there = base.slices[tile]
        width = there.stop - there.start
        shift_tile(base.coordinates.lead[there], centre, shrink, shifted, norms)
        part = products[: n_queries * width].reshape(n_queries, width)
        np.dot(own_lead, shifted[:width].T, out=part)
        visit_tile(
            part,
            own_norms,
            norms[:width],
            errors,
            queries,
            asked.order[rows],
            asked.coordinates.refine[rows],
            points,
            base.coordinates.refine[there],
            base.coordinates.n_axes,
            base.order[there],
            rows.start - there.start if own else -(2**30),
            scale,
            heap_distances,
            heap_indices,
            bounds,
            columns,
        )
