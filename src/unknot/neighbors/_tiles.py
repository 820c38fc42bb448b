"""Tiles of points that are near to each other, and what happens when two of them meet.

Tiles are small enough for the product of two to stay in the cache of a core.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import numpy as np

from .._parallel.thread_team import ThreadTeam
from .._typing import Array, Float32, Float64, Int32
from ._axes import ROUNDING, Coordinates
from ._kernels import unheap
from ._kernels_tiles import CLASSES, collect, offer, shift_tile

TILE = 512
# A split needs to know its direction only roughly.
SPLIT_SAMPLE = 1024
POWER_ITERATIONS = 8
# The limits of queries that ask for nothing.
NOTHING = np.full(TILE, -np.inf, np.float32)


class Tiles:
    """Points in an order cut into tiles, with the center and radius of each.

    Attributes
    ----------
    points : ndarray of shape (n_samples, n_features), float32
        In the caller's order; they may be taken away while they are not needed.
    first : int
        What row 0 of the points counts as among all that are searched.
    order : ndarray of shape (n_samples,), int32
        The point at each place of the tiles' order.
    coordinates : Coordinates
        In the tiles' order.
    slices : list of slice
        Places of each tile, at most 512.
    centers : ndarray of shape (n_tiles, n_lead), float32
    radii : ndarray of shape (n_tiles,), float32
        The greatest distance of a tile's leading coordinates from its center.
    """

    def __init__(
        self,
        points: Array,
        coordinates: Coordinates,
        order: Array,
        slices: list[slice],
        team: ThreadTeam,
        first: int = 0,
    ) -> None:
        self.points = points
        self.first = first
        self.order = order
        self.coordinates = coordinates.ordered(order)
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
        cls, points: Array, coordinates: Coordinates, team: ThreadTeam, first: int = 0
    ) -> Tiles:
        """Cut points into tiles of 512 along a tree of median splits."""
        n = len(points)
        slices = [slice(start, min(start + TILE, n)) for start in range(0, n, TILE)]
        return cls(points, coordinates, tree_order(coordinates.lead, TILE), slices, team, first)

    @property
    def slack(self) -> np.float32:
        """How far the place of any of the points may be off."""
        return np.float32(self.coordinates.errors.max())

    def distances_to(self, center: Array) -> Float32[Array, " tiles"]:
        """Compute how far the tiles' centers are from a point."""
        apart: Array = np.sqrt(((self.centers - center) ** 2).sum(axis=1))
        return apart


def tree_order(coordinates: Array, leaf: int) -> Int32[Array, " samples"]:
    """Order points so that leaves, and pairs of leaves, and so on, are compact.

    Every part larger than a leaf is split near the median along its own principal direction.
    """
    done = []
    waiting = [np.arange(len(coordinates), dtype=np.int32)]
    while waiting:
        some = waiting.pop()
        if len(some) <= leaf:
            done.append(some)
            continue
        values = coordinates[some] @ _direction(coordinates[some[:: -(-len(some) // SPLIT_SAMPLE)]])
        middle = (len(some) // leaf + 1) // 2 * leaf
        split = np.argpartition(values, middle)
        waiting += [some[split[middle:]], some[split[:middle]]]
    return np.concatenate(done)


def _direction(sample: Array) -> Array:
    """Find, by power iteration, about the direction in which a sample varies most."""
    centered = sample - sample.mean(axis=0)
    direction: Array = centered[np.argmax(np.einsum("ij,ij->i", centered, centered))]
    for _ in range(POWER_ITERATIONS):
        direction = (centered @ direction) @ centered
        direction /= max(float(np.linalg.norm(direction)), 1e-30)
    return direction


@dataclass(frozen=True, eq=False)
class Heaps:
    """The nearest points found so far for each of some queries, in their tiles' order.

    Attributes
    ----------
    errors : ndarray of shape (n_queries,), float32
        How far the distance to any point may be off, by rounding, in the coordinates' unit.
    scale : float
        Takes the points' unit to the coordinates'.
    distances : ndarray of shape (n_queries, k), float64
        A heap for each query, of squared distances in the points' unit.
    indices : ndarray of shape (n_queries, k), int32
    limits : ndarray of shape (n_queries,), float32
        Squared distances in the coordinates' unit beyond which nothing can be among the nearest.
    """

    errors: Float32[Array, " queries"]
    scale: float
    distances: Float64[Array, "queries k"]
    indices: Int32[Array, "queries k"]
    limits: Float32[Array, " queries"]

    @classmethod
    def unfilled(cls, errors: Array, k: int, scale: float) -> Heaps:
        n = len(errors)
        return cls(
            errors,
            scale,
            distances=np.full((n, k), np.inf),
            indices=np.full((n, k), -1, np.int32),
            limits=np.full(n, np.inf, np.float32),
        )

    def of(self, rows: slice) -> Heaps:
        """Return the heaps of some queries, not copied."""
        return Heaps(
            self.errors[rows],
            self.scale,
            self.distances[rows],
            self.indices[rows],
            self.limits[rows],
        )

    def widened(self, more: np.float32) -> Heaps:
        """Return the same heaps, for points whose places may be off by so much more."""
        errors = self.errors + more
        worst = np.sqrt(self.distances[:, 0]) * self.scale + errors
        limits = (worst * worst).astype(np.float32)
        return Heaps(errors, self.scale, self.distances, self.indices, limits)

    def reach(self) -> float:
        """Compute the distance beyond which nothing can be near any of the queries."""
        return math.sqrt(self.limits.max())

    def empty_into(self, rows: Array, half_square: bool, distances: Array, indices: Array) -> None:
        """Write the heaps as ascending rows of a result, which ends them."""
        unheap(self.distances, self.indices, rows, half_square, distances, indices)


class _Hits:
    """For each query of a tile, the points whose distance may be within its limit."""

    def __init__(self) -> None:
        self.starts = np.empty(TILE + 1, np.int32)
        self.members = np.empty(TILE * TILE, np.int32)
        self.bounds = np.empty(TILE * TILE, np.float32)


class _Room(threading.local):
    """What a thread needs for the meeting of two tiles."""

    def __init__(self, n_lead: int) -> None:
        self.shifted = np.empty((2, TILE, n_lead), np.float32)
        self.norms = np.empty((2, TILE), np.float32)
        self.products = np.empty(TILE * TILE, np.float32)
        self.cuts = np.empty(TILE, np.float32)
        self.places = np.empty(TILE * TILE, np.int32)
        self.values = np.empty(TILE * TILE, np.float32)
        self.near, self.far = _Hits(), _Hits()
        self.sorting = (
            np.empty(CLASSES + 1, np.int32),
            np.empty(TILE, np.float32),
            np.empty(TILE, np.int32),
        )


class Meeting:
    """Tiles of queries that meet tiles of points, which may be queries as well.

    Parameters
    ----------
    asked, base : Tiles
        If they are the same, no point is its own neighbor.
    """

    def __init__(self, asked: Tiles, base: Tiles) -> None:
        self.asked = asked
        self.base = base
        self._room = _Room(asked.centers.shape[1])

    def meet(self, block: int, tile: int, near: Heaps | None, far: Heaps | None) -> None:
        """Offer a tile of points to the heaps of a block of queries, and the other way round.

        ``near`` are the heaps of the block, ``far`` those of the tile; None where nothing is asked
        for. Of the meeting of a tile with itself only ``near`` is of use.
        """
        room = self._room
        asked, base = self.asked, self.base
        rows, columns = asked.slices[block], base.slices[tile]
        n_rows, n_columns = rows.stop - rows.start, columns.stop - columns.start
        own, shifted = room.shifted[0, :n_rows], room.shifted[1, :n_columns]
        own_norms, norms = room.norms[0, :n_rows], room.norms[1, :n_columns]
        # The error of a product of m terms is at most m roundings of its factors' norms, and
        # |a||b| <= (|a|^2 + |b|^2) / 2: it is subtracted from the squared norms.
        shrink = np.float32(1 - (own.shape[1] + 8) * ROUNDING)
        center = asked.centers[block]
        shift_tile(asked.coordinates.lead[rows], center, shrink, own, own_norms)
        shift_tile(base.coordinates.lead[columns], center, shrink, shifted, norms)
        products = room.products[: n_rows * n_columns].reshape(n_rows, n_columns)
        np.dot(own, shifted.T, out=products)
        collect(
            products,
            own_norms,
            norms,
            NOTHING if near is None else near.limits,
            NOTHING if far is None else far.limits,
            rows.start - columns.start if asked is base else -TILE,
            room.cuts,
            room.places,
            room.values,
            room.near.starts,
            room.near.members,
            room.near.bounds,
            room.far.starts,
            room.far.members,
            room.far.bounds,
        )
        if near is not None:
            _offer(room, room.near, near, asked, rows, base, columns)
        if far is not None:
            _offer(room, room.far, far, base, columns, asked, rows)


def _offer(
    room: _Room,
    hits: _Hits,
    heaps: Heaps,
    asked: Tiles,
    rows: slice,
    base: Tiles,
    columns: slice,
) -> None:
    offer(
        hits.starts[: rows.stop - rows.start + 1],
        hits.members,
        hits.bounds,
        asked.points,
        asked.order[rows],
        asked.coordinates.refine[rows],
        heaps.errors,
        base.points,
        base.order[columns],
        base.coordinates.refine[columns],
        base.coordinates.n_axes,
        base.first,
        heaps.scale,
        heaps.limits,
        *room.sorting,
        heaps.distances,
        heaps.indices,
    )
