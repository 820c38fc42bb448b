"""Tiles of nearby points, and the update of the k nearest points of two tiles from each other.

A tile is small enough for the matrix product of two tiles to stay in a core's cache.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace

import numpy as np

from .._parallel.thread_team import ThreadTeam
from .._prebuilt.kernel import Kernel
from .._typing import Array, Float32, Float64, Int32, UInt64
from ._axes import ROUNDING, Coordinates
from ._kernels_rules import CLASSES

unheap = Kernel(f"{__package__}._kernels", "unheap")
collect = Kernel(f"{__package__}._kernels_tiles", "collect")
offer = Kernel(f"{__package__}._kernels_tiles", "offer")
shift_tile = Kernel(f"{__package__}._kernels_tiles", "shift_tile")

TILE = 512
# A split needs to know its direction only roughly.
SPLIT_SAMPLE = 1024
POWER_ITERATIONS = 8
# Limits that no distance is within: for queries that need no update.
NO_LIMITS = np.full(TILE, -np.inf, np.float32)


class Tiles:
    """Points reordered and cut into tiles, with the center and radius of each tile.

    Attributes
    ----------
    data : ndarray of shape (n_samples, n_features), float32
        The points, in the caller's order. May be unloaded while no distance is computed.
    first : int
        Index of row 0 of ``data`` among all points searched.
    order : ndarray of shape (n_samples,), int32
        The row of ``data`` at each position of the tiles' order.
    coordinates : Coordinates
        In the tiles' order.
    keys : ndarray of shape (n_samples,), uint64
        The keys that break ties (`_ties`), in the tiles' order.
    slices : list of slice
        Positions of each tile, at most 512.
    centers : ndarray of shape (n_tiles, n_lead), float32
    radii : ndarray of shape (n_tiles,), float32
        The largest distance of a tile's leading coordinates from its center.
    """

    def __init__(
        self,
        data: Array,
        coordinates: Coordinates,
        keys: Array,
        order: Array,
        slices: list[slice],
        team: ThreadTeam,
        first: int = 0,
    ) -> None:
        self.data = data
        self.first = first
        self.order = order
        self.coordinates = coordinates.ordered(order)
        self.keys = keys[order]
        self.slices = slices
        self.centers = np.empty((len(slices), coordinates.lead.shape[1]), np.float32)
        self.radii = np.empty(len(slices), np.float32)

        def describe(number: int) -> None:
            lead = self.coordinates.lead[slices[number]]
            self.centers[number] = lead.mean(axis=0)
            self.radii[number] = np.sqrt(((lead - self.centers[number]) ** 2).sum(axis=1).max())

        team.run(describe, len(slices))

    @classmethod
    def along_tree(
        cls, data: Array, coordinates: Coordinates, keys: Array, team: ThreadTeam, first: int = 0
    ) -> Tiles:
        """Cut points into tiles of 512 along a tree of median splits."""
        n = len(data)
        slices = [slice(start, min(start + TILE, n)) for start in range(0, n, TILE)]
        order = tree_order(coordinates.lead, TILE)
        return cls(data, coordinates, keys, order, slices, team, first)

    @property
    def slack(self) -> np.float32:
        """The largest rounding error of any point's coordinates."""
        return np.float32(self.coordinates.errors.max())

    def distances_to(self, center: Array) -> Float32[Array, " tiles"]:
        """Compute the distance of each tile's center from a point."""
        distances: Array = np.sqrt(((self.centers - center) ** 2).sum(axis=1))
        return distances


def tree_order(coordinates: Array, leaf: int) -> Int32[Array, " samples"]:
    """Order points so that leaves, pairs of leaves, and so on, are compact.

    Every node larger than a leaf is split near the median along its own principal direction.
    """
    leaves = []
    stack = [np.arange(len(coordinates), dtype=np.int32)]
    while stack:
        node = stack.pop()
        if len(node) <= leaf:
            leaves.append(node)
            continue
        sample = coordinates[node[:: -(-len(node) // SPLIT_SAMPLE)]]
        values = coordinates[node] @ _direction(sample)
        middle = (len(node) // leaf + 1) // 2 * leaf
        split = np.argpartition(values, middle)
        stack += [node[split[middle:]], node[split[:middle]]]
    return np.concatenate(leaves)


def _direction(sample: Array) -> Array:
    """Approximate the first principal direction of a sample by power iteration."""
    centered = sample - sample.mean(axis=0)
    direction: Array = centered[np.argmax(np.einsum("ij,ij->i", centered, centered))]
    for _ in range(POWER_ITERATIONS):
        direction = (centered @ direction) @ centered
        direction /= max(float(np.linalg.norm(direction)), 1e-30)
    return direction


@dataclass(frozen=True, eq=False)
class KNearest:
    """The k nearest points found so far for each query, in the tiles' order.

    Attributes
    ----------
    errors : ndarray of shape (n_queries,), float32
        Bound of the rounding error of a query's distance to any point, in units of the coordinates.
    scale : float
        Converts the points' unit to the coordinates'.
    own, keys : ndarrays of shape (n_queries,) and (n_points,), uint64
        The keys of the queries, and of all points by their index, which break ties.
    distances : ndarray of shape (n_queries, k), float64
        One max-heap per query, of squared distances in the points' unit.
    indices : ndarray of shape (n_queries, k), int32
    limits : ndarray of shape (n_queries,), float32
        Squared distances, in the coordinates' unit, beyond which no point can be among the nearest.
    """

    errors: Float32[Array, " queries"]
    scale: float
    own: UInt64[Array, " queries"]
    keys: UInt64[Array, " points"]
    distances: Float64[Array, "queries k"]
    indices: Int32[Array, "queries k"]
    limits: Float32[Array, " queries"]

    @classmethod
    def empty(cls, errors: Array, k: int, scale: float, own: Array, keys: Array) -> KNearest:
        n = len(errors)
        return cls(
            errors,
            scale,
            own,
            keys,
            distances=np.full((n, k), np.inf),
            indices=np.full((n, k), -1, np.int32),
            limits=np.full(n, np.inf, np.float32),
        )

    def view(self, rows: slice) -> KNearest:
        """Return a view of some queries' heaps."""
        return KNearest(
            self.errors[rows],
            self.scale,
            self.own[rows],
            self.keys,
            self.distances[rows],
            self.indices[rows],
            self.limits[rows],
        )

    def inflate(self, error: np.float32) -> KNearest:
        """Return the same heaps with limits that allow for an additional rounding error."""
        errors = self.errors + error
        kth = np.sqrt(self.distances[:, 0]) * self.scale + errors
        limits = (kth * kth).astype(np.float32)
        return replace(self, errors=errors, limits=limits)

    def max_distance(self) -> float:
        """Compute the distance beyond which no point can be among any query's nearest."""
        return math.sqrt(self.limits.max())

    def write_sorted(
        self, rows: Array, half_square: bool, distances: Array, indices: Array
    ) -> None:
        """Write the neighbors, nearest first, to rows of a result. This empties the heaps."""
        heaps = (self.distances, self.indices, self.own, self.keys)
        unheap(*heaps, rows, half_square, distances, indices)


class _Hits:
    """For each query of a tile, the points whose distance may be within its limit."""

    def __init__(self) -> None:
        self.starts = np.empty(TILE + 1, np.int32)
        self.members = np.empty(TILE * TILE, np.int32)
        self.bounds = np.empty(TILE * TILE, np.float32)


class _Scratch(threading.local):
    """One thread's buffers for the update of a pair of tiles."""

    def __init__(self, n_lead: int) -> None:
        self.shifted = np.empty((2, TILE, n_lead), np.float32)
        self.norms = np.empty((2, TILE), np.float32)
        self.products = np.empty(TILE * TILE, np.float32)
        self.cuts = np.empty(TILE, np.float32)
        self.places = np.empty(TILE * TILE, np.int32)
        self.values = np.empty(TILE * TILE, np.float32)
        self.row_hits, self.column_hits = _Hits(), _Hits()
        self.sorting = (
            np.empty(CLASSES + 1, np.int32),
            np.empty(TILE, np.float32),
            np.empty(TILE, np.int32),
        )


class TilePair:
    """Updates the k nearest neighbors of two tiles from the distances between them.

    Parameters
    ----------
    queries, points : Tiles
        Where the two tiles come from. If both are the same object, no point is its own neighbor.
    """

    def __init__(self, queries: Tiles, points: Tiles) -> None:
        self.queries = queries
        self.points = points
        self._scratch = _Scratch(queries.centers.shape[1])

    def update(
        self,
        row_tile: int,
        column_tile: int,
        of_rows: KNearest | None,
        of_columns: KNearest | None,
    ) -> None:
        """Update the nearest neighbors of a tile of queries, of a tile of points, or of both.

        ``of_rows`` are the heaps of the query tile ``row_tile``, ``of_columns`` those of the point
        tile ``column_tile``; None skips that side. For a tile with itself pass only ``of_rows``.
        """
        scratch = self._scratch
        queries, points = self.queries, self.points
        rows, columns = queries.slices[row_tile], points.slices[column_tile]
        n_rows, n_columns = rows.stop - rows.start, columns.stop - columns.start
        own, shifted = scratch.shifted[0, :n_rows], scratch.shifted[1, :n_columns]
        own_norms, norms = scratch.norms[0, :n_rows], scratch.norms[1, :n_columns]
        # The error of a product of m terms is at most m roundings of its factors' norms, and
        # |a||b| <= (|a|^2 + |b|^2) / 2: it is subtracted from the squared norms.
        shrink = np.float32(1 - (own.shape[1] + 8) * ROUNDING)
        center = queries.centers[row_tile]
        shift_tile(queries.coordinates.lead[rows], center, shrink, own, own_norms)
        shift_tile(points.coordinates.lead[columns], center, shrink, shifted, norms)
        products = scratch.products[: n_rows * n_columns].reshape(n_rows, n_columns)
        np.dot(own, shifted.T, out=products)
        collect(
            products,
            own_norms,
            norms,
            NO_LIMITS if of_rows is None else of_rows.limits,
            NO_LIMITS if of_columns is None else of_columns.limits,
            rows.start - columns.start if queries is points else -TILE,
            scratch.cuts,
            scratch.places,
            scratch.values,
            scratch.row_hits.starts,
            scratch.row_hits.members,
            scratch.row_hits.bounds,
            scratch.column_hits.starts,
            scratch.column_hits.members,
            scratch.column_hits.bounds,
        )
        if of_rows is not None:
            _offer(scratch, scratch.row_hits, of_rows, queries, rows, points, columns)
        if of_columns is not None:
            _offer(scratch, scratch.column_hits, of_columns, points, columns, queries, rows)


def _offer(
    scratch: _Scratch,
    hits: _Hits,
    nearest: KNearest,
    queries: Tiles,
    rows: slice,
    points: Tiles,
    columns: slice,
) -> None:
    offer(
        hits.starts[: rows.stop - rows.start + 1],
        hits.members,
        hits.bounds,
        queries.data,
        queries.order[rows],
        queries.coordinates.refine[rows],
        nearest.own,
        nearest.errors,
        points.data,
        points.order[columns],
        points.coordinates.refine[columns],
        nearest.keys,
        points.coordinates.n_axes,
        points.first,
        nearest.scale,
        nearest.limits,
        *scratch.sorting,
        nearest.distances,
        nearest.indices,
    )
