"""Approximate search for very many points: the cells around each, then neighbors of neighbors.

Libraries of approximate indices were measured first (``benchmarks/neighbors.py``). Those whose
builds are fast insert points from several threads, so that two runs differ; others bring a thread
pool that does not survive a fork; for a million points all take three times as long, or longer, at
a recall above 0.99. Here every stage reads what the one before has finished: the graph is the same
for any number of threads.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import Array, Float32, Int32
from . import _exact
from ._axes import Axes
from ._kernels import visit_neighbors
from ._tiles import TILE, Meeting, Tiles, tree_order

# Points in a cell, on average; and cells visited for each.
CELL = 400
VISITED = 32
# k-means needs to know the centers only roughly.
SAMPLE_PER_CELL = 32
MEANS_ITERATIONS = 6
# Rounds of looking at the nearest neighbors of so many nearest neighbors.
ROUNDS = 1
REACH = 24
BLOCK = 4096
# Points whose true neighbors are looked up to measure the recall.
MEASURED = 500


def search(
    points: Float32[Array, "samples features"], k: int, n_threads: int, *, half_square: bool
) -> tuple[Int32[Array, "samples k"], Float32[Array, "samples k"], float]:
    """Find most of the k nearest neighbors of each point, and measure how many.

    Points are put into cells by k-means; the points of a cell look for neighbors in the cells
    nearest to it, then among the neighbors of those found.

    Returns
    -------
    indices, distances : ndarrays of shape (n_samples, k)
    recall : float
        The fraction of the true neighbors found, of a sample of 500 points.
    """
    n = len(points)
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        axes = Axes.principal(points, team)
        coordinates = axes.coordinates(points, team)
        cells = _cells(coordinates.lead, team)
        order = np.argsort(cells, kind="stable").astype(np.int32)
        slices = _slices(cells[order])
        # In the cells' own order neighbors are near in memory.
        points = points[order]
        coordinates = coordinates.ordered(order)
        places = np.arange(n, dtype=np.int32)
        tiles = Tiles(points, coordinates, places, slices, team)
        meeting = Meeting(tiles, tiles)
        # Even were they the smallest, the tiles visited must hold k others.
        sizes = np.sort([some.stop - some.start for some in slices])
        visited = max(VISITED, int(np.searchsorted(np.cumsum(sizes), k + 1)) + 1)
        near = np.empty((n, k), np.int32)
        far = np.empty((n, k), np.float32)

        def answer(block: int) -> None:
            heaps = _exact.search_block(meeting, block, k, axes.scale, visited)
            heaps.empty_into(places[slices[block]], False, far, near)

        team.run(answer, len(slices))
        for _ in range(ROUNDS):
            near, far = _refined(points, near, far, team)
    indices = np.empty_like(near)
    distances = np.empty_like(far)
    indices[order] = order[near]
    distances[order] = far * far / 2 if half_square else far
    recall = _recall(points, near, n_threads)
    return indices, distances, recall


def _cells(lead: Array, team: ThreadTeam) -> Int32[Array, " samples"]:
    """Assign points to the cells of a rough k-means."""
    n = len(lead)
    n_cells = max(1, n // CELL)
    sample = lead[np.linspace(0, n - 1, min(n, n_cells * SAMPLE_PER_CELL)).astype(np.int64)]
    centers = sample[:: len(sample) // n_cells][:n_cells].copy()
    for _ in range(MEANS_ITERATIONS):
        nearest = _nearest_center(sample, centers, team)
        counts = np.bincount(nearest, minlength=n_cells)
        sums = np.stack(
            [np.bincount(nearest, weights=column, minlength=n_cells) for column in sample.T], axis=1
        )
        centers = np.where(
            counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centers
        ).astype(np.float32)
    # Numbered along a tree, so that cells which are near in space are near in memory.
    return _nearest_center(lead, centers[tree_order(centers, 8)], team)


def _nearest_center(points: Array, centers: Array, team: ThreadTeam) -> Int32[Array, " samples"]:
    half_norms = np.einsum("ij,ij->i", centers, centers) / 2
    nearest = np.empty(len(points), np.int32)

    def assign(block: int) -> None:
        rows = slice(block * TILE, (block + 1) * TILE)
        nearest[rows] = np.argmax(points[rows] @ centers.T - half_norms, axis=1)

    team.run(assign, -(-len(points) // TILE))
    return nearest


def _slices(cells: Array) -> list[slice]:
    """Cut places sorted by cell into tiles of one cell each, none too large."""
    bounds = [0, *(np.flatnonzero(np.diff(cells)) + 1).tolist(), len(cells)]
    return [
        slice(start, min(start + TILE, stop))
        for first, stop in pairwise(bounds)
        for start in range(first, stop, TILE)
    ]


def _refined(points: Array, near: Array, far: Array, team: ThreadTeam) -> tuple[Array, Array]:
    """Offer every point the neighbors of its neighbors."""
    n, k = near.shape
    new_near, new_far = np.empty_like(near), np.empty_like(far)

    def look(block: int) -> None:
        rows = (block * BLOCK, min(n, (block + 1) * BLOCK))
        seen = np.zeros(n, np.int32)
        visit_neighbors(points, *rows, min(k, REACH), near, far, seen, new_near, new_far)

    team.run(look, -(-n // BLOCK))
    return new_near, new_far


def _recall(points: Array, near: Array, n_threads: int) -> float:
    """Measure which fraction of the true neighbors of evenly chosen points was found."""
    n, k = near.shape
    chosen = np.linspace(0, n - 1, min(n, MEASURED)).astype(np.int64)
    true, _ = _exact.search(points, k + 1, n_threads, queries=points[chosen])
    found = 0
    for place, neighbors in zip(chosen, true, strict=True):
        others = neighbors[neighbors != place][:k]
        found += len(np.intersect1d(others, near[place]))
    fraction: float = found / (len(chosen) * k)
    return fraction
