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
SPLIT_AXES = 16


def search(
    points: Float32[Array, "samples features"],
    k: int,
    n_threads: int,
    *,
    queries: Float32[Array, "queries features"] | None = None,
    half_square: bool = False,
    max_tiles: int | None = None,
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
    max_tiles : int, optional
        Visit only that many of the nearest tiles: no longer exact.

    Returns
    -------
    indices, distances : ndarrays of shape (n_queries, k)
    """
    with single_threaded_blas(), Team(n_threads) as team:
        axes = Axes.principal(points, team)
        base = _Tiles(points, axes.coordinates(points, team), team)
        asked = base
        if queries is not None:
            asked = _Tiles(queries, axes.coordinates(queries, team), team)
        indices = np.empty((len(asked.points), k), np.int32)
        distances = np.empty((len(asked.points), k), np.float32)

        def answer(block: int) -> None:
            heap_distances, heap_indices = _fill(asked, block, base, k, axes.scale, max_tiles)
            rows = asked.order[asked.slices[block]]
            unheap(heap_distances, heap_indices, rows, half_square, distances, indices)

        team.run(answer, len(asked.slices))
    return indices, distances


class _Tiles:
    """Points in the order of a tree, cut into tiles, with the centre and radius of each."""

    def __init__(self, points: Array, coordinates: Coordinates, team: Team) -> None:
        self.order = _tree_order(coordinates.lead[:, :SPLIT_AXES])
        self.coordinates = coordinates.ordered(self.order)
        self.points = points
        self.slices = [
            slice(start, min(start + TILE, len(points))) for start in range(0, len(points), TILE)
        ]
        self.centres = np.empty((len(self.slices), coordinates.lead.shape[1]), np.float32)
        self.radii = np.empty(len(self.slices), np.float32)

        def describe(number: int) -> None:
            rows = self.slices[number]
            lead = self.coordinates.lead[rows]
            self.centres[number] = lead.mean(axis=0)
            self.radii[number] = np.sqrt(((lead - self.centres[number]) ** 2).sum(axis=1).max())

        team.run(describe, len(self.slices))


def _tree_order(coordinates: Array) -> Int32[Array, " samples"]:
    """Order points so that tiles, and pairs of tiles, and so on, are compact."""
    done = []
    waiting = [np.arange(len(coordinates), dtype=np.int32)]
    while waiting:
        some = waiting.pop()
        if len(some) <= TILE:
            done.append(some)
            continue
        values = coordinates[some]
        middle = (len(some) // TILE + 1) // 2 * TILE
        split = np.argpartition(values[:, np.argmax(values.var(axis=0))], middle)
        waiting += [some[split[middle:]], some[split[:middle]]]
    return np.concatenate(done)


def _fill(
    asked: _Tiles, block: int, base: _Tiles, k: int, scale: float, max_tiles: int | None
) -> tuple[Array, Array]:
    """Fill one heap for each query of a block, as squared distances in the points' units."""
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
