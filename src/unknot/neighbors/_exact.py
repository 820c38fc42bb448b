"""Exact search by tiles: a matrix product bounds every distance, few are computed in full.

Points are ordered by a tree of median splits, so that a block of queries shares its candidates;
a block visits the nearest tiles first, so that the k-th distance shrinks at once. Tiles are small
enough for their products to stay in the cache of a core.
"""

from __future__ import annotations

import numpy as np

from .._team import Team, single_threaded_blas
from .._typing import Array, Float32, Int32
from ._axes import ROUNDING, Axes, Coordinates
from ._kernels import shift_tile, unheap, visit_tile

TILE = 512
# A split needs to know its direction only roughly.
SPLIT_SAMPLE = 1024
POWER_ITERATIONS = 8


def search(
    points: Float32[Array, "samples features"],
    k: int,
    n_threads: int,
    *,
    queries: Float32[Array, "queries features"] | None = None,
    half_square: bool = False,
) -> tuple[Int32[Array, "queries k"], Float32[Array, "queries k"]]:
    """Find the k points nearest to each query, ties by index.

    Parameters
    ----------
    points : ndarray of shape (n_samples, n_features), float32
        C-contiguous and finite.
    k : int
        At most n_samples, and less if the points are the queries.
    n_threads : int
        The result does not depend on it.
    queries : ndarray of shape (n_queries, n_features), float32, optional
        By default the points themselves, none of which is then its own neighbour.
    half_square : bool
        Return half the squared distance, which for unit vectors is ``1 - cos``.

    Returns
    -------
    indices, distances : ndarrays of shape (n_queries, k)
    """
    with single_threaded_blas(), Team(n_threads) as team:
        axes = Axes.principal(points, team)
        base = Tiles.along_tree(points, axes.coordinates(points, team), team)
        asked = base
        if queries is not None:
            asked = Tiles.along_tree(queries, axes.coordinates(queries, team), team)
        indices = np.empty((len(asked.points), k), np.int32)
        distances = np.empty((len(asked.points), k), np.float32)

        def answer(block: int) -> None:
            heap_distances, heap_indices = fill(asked, block, base, k, axes.scale)
            rows = asked.order[asked.slices[block]]
            unheap(heap_distances, heap_indices, rows, half_square, distances, indices)

        team.run(answer, len(asked.slices))
    return indices, distances


class Tiles:
    """Points in an order cut into tiles, with the centre and radius of each.

    Attributes
    ----------
    points : ndarray of shape (n_samples, n_features), float32
        In the caller's order.
    order : ndarray of shape (n_samples,), int32
        The point at each place of the tiles' order.
    coordinates : Coordinates
        In the tiles' order.
    slices : list of slice
        Places of each tile, at most 512.
    centres : ndarray of shape (n_tiles, n_lead), float32
    radii : ndarray of shape (n_tiles,), float32
        The greatest distance of a tile's leading coordinates from its centre.
    """

    def __init__(
        self,
        points: Array,
        coordinates: Coordinates,
        order: Array,
        slices: list[slice],
        team: Team,
    ) -> None:
        self.points = points
        self.order = order
        self.coordinates = coordinates.ordered(order)
        self.slices = slices
        self.centres = np.empty((len(slices), coordinates.lead.shape[1]), np.float32)
        self.radii = np.empty(len(slices), np.float32)

        def describe(number: int) -> None:
            lead = self.coordinates.lead[slices[number]]
            self.centres[number] = lead.mean(axis=0)
            self.radii[number] = np.sqrt(((lead - self.centres[number]) ** 2).sum(axis=1).max())

        team.run(describe, len(slices))

    @classmethod
    def along_tree(cls, points: Array, coordinates: Coordinates, team: Team) -> Tiles:
        """Cut points into tiles of 512 along a tree of median splits."""
        n = len(points)
        slices = [slice(start, min(start + TILE, n)) for start in range(0, n, TILE)]
        return cls(points, coordinates, tree_order(coordinates.lead, TILE), slices, team)


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
    centred = sample - sample.mean(axis=0)
    direction: Array = centred[np.argmax(np.einsum("ij,ij->i", centred, centred))]
    for _ in range(POWER_ITERATIONS):
        direction = (centred @ direction) @ centred
        direction /= max(float(np.linalg.norm(direction)), 1e-30)
    return direction


def fill(
    asked: Tiles, block: int, base: Tiles, k: int, scale: float, max_tiles: int | None = None
) -> tuple[Array, Array]:
    """Fill one heap for each query of a block, with squared distances in the points' units.

    With ``max_tiles`` only so many of the nearest tiles are visited: no longer exact.
    """
    rows = asked.slices[block]
    n_queries = rows.stop - rows.start
    n_lead = base.centres.shape[1]
    heap_distances = np.full((n_queries, k), np.inf)
    heap_indices = np.full((n_queries, k), -1, np.int32)
    # The error of a product of m terms is at most m roundings of its factors' norms, and
    # |a||b| <= (|a|^2 + |b|^2) / 2: it is subtracted from the squared norms.
    shrink = np.float32(1 - (n_lead + 8) * ROUNDING)
    centre = asked.centres[block]
    own_lead = np.empty((n_queries, n_lead), np.float32)
    own_norms = np.empty(n_queries, np.float32)
    shift_tile(asked.coordinates.lead[rows], centre, shrink, own_lead, own_norms)
    shifted = np.empty((TILE, n_lead), np.float32)
    norms = np.empty(TILE, np.float32)
    products = np.empty(n_queries * TILE, np.float32)
    bounds = np.empty(TILE, np.float32)
    columns = np.empty(TILE, np.int32)
    apart = np.sqrt(((base.centres - centre) ** 2).sum(axis=1))
    nearest_first = np.argsort(apart, kind="stable")
    errors = asked.coordinates.errors[rows] + base.coordinates.errors.max()
    for tile in nearest_first[:max_tiles]:
        gap = float(apart[tile] - asked.radii[block] - base.radii[tile]) * (1 - 1e-5)
        if gap > float(np.sqrt(heap_distances[:, 0].max()) * scale + errors.max()):
            continue
        columns_of = base.slices[tile]
        width = columns_of.stop - columns_of.start
        shift_tile(base.coordinates.lead[columns_of], centre, shrink, shifted, norms)
        part = products[: n_queries * width].reshape(n_queries, width)
        np.dot(own_lead, shifted[:width].T, out=part)
        visit_tile(
            part,
            own_norms,
            norms[:width],
            errors,
            asked.points,
            asked.order[rows],
            asked.coordinates.refine[rows],
            base.points,
            base.coordinates.refine[columns_of],
            base.coordinates.n_axes,
            base.order[columns_of],
            rows.start - columns_of.start if asked is base else -(2**30),
            scale,
            heap_distances,
            heap_indices,
            bounds,
            columns,
        )
    return heap_distances, heap_indices
