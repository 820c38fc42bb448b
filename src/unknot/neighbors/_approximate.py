"""Approximate search for very many points: nearest cells first, then neighbors of neighbors.

The 90 nearest neighbors of a million points take 25.2 s at a recall of 0.994; faiss, the fastest
rival, 87.6 s at 0.999 (docs/benchmarks.md). Libraries with fast builds insert points from several
threads, so that two runs differ; others bring a thread pool that does not survive a fork. Here each
stage reads only what the one before has finished: the graph is the same for any number of threads.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._prebuilt.kernel import Kernel
from .._typing import Array, Float32, Int32, UInt64
from . import _exact
from ._axes import Axes
from ._duplicates import ROWS_PER_TASK
from ._tiles import TILE, TilePair, Tiles, tree_order

visit_neighbors = Kernel(f"{__package__}._kernels", "visit_neighbors")

# Mean number of points in a cell, and of cells visited per query.
CELL = 400
VISITED = 32
# k-means needs only rough centers.
SAMPLE_PER_CELL = 32
MEANS_ITERATIONS = 6
# Rounds of neighbor expansion, and how many nearest neighbors of each neighbor it visits.
ROUNDS = 1
REACH = 24
# Points whose true neighbors are computed to measure the recall.
MEASURED = 500


def search(
    points: Float32[Array, "samples features"],
    k: int,
    n_threads: int,
    *,
    keys: UInt64[Array, " samples"],
    half_square: bool,
) -> tuple[Int32[Array, "samples k"], Float32[Array, "samples k"], float]:
    """Find most of the k nearest neighbors of each point, and measure the recall.

    k-means assigns points to cells. Each point searches the cells nearest to its own, then the
    neighbors of the neighbors found.

    Returns
    -------
    indices, distances : ndarrays of shape (n_samples, k)
    recall : float
        The fraction of the true neighbors found, measured on 500 points.
    """
    n = len(points)
    with single_threaded_blas(), ThreadTeam(n_threads) as team:
        axes = Axes.principal(points, team)
        coordinates = axes.coordinates(points, team)
        cells = _cells(coordinates.lead, team)
        order = np.argsort(cells, kind="stable").astype(np.int32)
        slices = _slices(cells[order])
        # In the order of the cells, neighbors are close in memory.
        points, keys = points[order], keys[order]
        coordinates = coordinates.ordered(order)
        places = np.arange(n, dtype=np.int32)
        tiles = Tiles(points, coordinates, keys, places, slices, team)
        pair = TilePair(tiles, tiles)
        # Even the smallest tiles must together hold k other points.
        sizes = np.sort([rows.stop - rows.start for rows in slices])
        visited = max(VISITED, int(np.searchsorted(np.cumsum(sizes), k + 1)) + 1)
        nearest = np.empty((n, k), np.int32)
        lengths = np.empty((n, k), np.float32)

        def search_tile(tile: int) -> None:
            found = _exact.search_query_tile(pair, tile, k, axes.scale, keys, visited)
            found.write_sorted(places[slices[tile]], False, lengths, nearest)

        team.run(search_tile, len(slices))
        for _ in range(ROUNDS):
            nearest, lengths = _expand(points, keys, nearest, lengths, team)
    indices = np.empty_like(nearest)
    distances = np.empty_like(lengths)
    indices[order] = order[nearest]
    distances[order] = lengths * lengths / 2 if half_square else lengths
    recall = _recall(points, keys, nearest, n_threads)
    return indices, distances, recall


def _cells(lead: Array, team: ThreadTeam) -> Int32[Array, " samples"]:
    """Assign points to the cells of a rough k-means."""
    n = len(lead)
    n_cells = max(1, n // CELL)
    sample = lead[np.linspace(0, n - 1, min(n, n_cells * SAMPLE_PER_CELL)).astype(np.int64)]
    return nearest_center(lead, cell_centers(sample, n_cells, team), team)


def cell_centers(
    sample: Float32[Array, "samples lead"], n_cells: int, team: ThreadTeam
) -> Float32[Array, "cells lead"]:
    """Compute the centers of a rough k-means, numbered so that cells close in space are close."""
    centers = sample[:: len(sample) // n_cells][:n_cells].copy()
    for _ in range(MEANS_ITERATIONS):
        nearest = nearest_center(sample, centers, team)
        counts = np.bincount(nearest, minlength=n_cells)
        sums = np.stack(
            [np.bincount(nearest, weights=column, minlength=n_cells) for column in sample.T], axis=1
        )
        centers = np.where(
            counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centers
        ).astype(np.float32)
    ordered: Array = centers[tree_order(centers, 8)]
    return ordered


def nearest_center(points: Array, centers: Array, team: ThreadTeam) -> Int32[Array, " samples"]:
    """Assign each point to the nearest center."""
    half_norms = np.einsum("ij,ij->i", centers, centers) / 2
    nearest = np.empty(len(points), np.int32)

    def assign(task: int) -> None:
        rows = slice(task * TILE, (task + 1) * TILE)
        nearest[rows] = np.argmax(points[rows] @ centers.T - half_norms, axis=1)

    team.run(assign, -(-len(points) // TILE))
    return nearest


def _slices(cells: Array) -> list[slice]:
    """Cut positions sorted by cell into tiles of at most 512 points of one cell."""
    bounds = [0, *(np.flatnonzero(np.diff(cells)) + 1).tolist(), len(cells)]
    return [
        slice(start, min(start + TILE, stop))
        for first, stop in pairwise(bounds)
        for start in range(first, stop, TILE)
    ]


def _expand(
    points: Array, keys: Array, nearest: Array, distances: Array, team: ThreadTeam
) -> tuple[Array, Array]:
    """Consider the neighbors of each point's neighbors as its own."""
    n, k = nearest.shape
    new_nearest, new_distances = np.empty_like(nearest), np.empty_like(distances)

    def visit(task: int) -> None:
        rows = (task * ROWS_PER_TASK, min(n, (task + 1) * ROWS_PER_TASK))
        seen = np.zeros(n, np.int32)
        old, new = (nearest, distances), (new_nearest, new_distances)
        visit_neighbors(points, keys, *rows, min(k, REACH), *old, seen, *new)

    team.run(visit, -(-n // ROWS_PER_TASK))
    return new_nearest, new_distances


def _recall(points: Array, keys: Array, nearest: Array, n_threads: int) -> float:
    """Measure the fraction of the true neighbors found, on evenly spaced points."""
    n, k = nearest.shape
    chosen = np.linspace(0, n - 1, min(n, MEASURED)).astype(np.int64)
    true, _ = _exact.search(
        points, k + 1, n_threads, keys=keys, queries=points[chosen], query_keys=keys[chosen]
    )
    found = 0
    for place, neighbors in zip(chosen, true, strict=True):
        others = neighbors[neighbors != place][:k]
        found += len(np.intersect1d(others, nearest[place]))
    fraction: float = found / (len(chosen) * k)
    return fraction
