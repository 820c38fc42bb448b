"""Exact search in few dimensions, such as a map's two, by SciPy's k-d tree."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import Array, Float32, Int32, UInt64
from ._ties import pair_hashes

# Rows with ties resolved at a time; each may be as long as there are points.
TIED_ROWS = 256
# The tree's distances and ours may differ in the last bits.
LAST_BITS = 1 + 1e-12


def search(
    points: Float32[Array, "samples features"],
    k: int,
    n_threads: int,
    *,
    keys: UInt64[Array, " samples"],
    queries: Float32[Array, "queries features"] | None = None,
    query_keys: UInt64[Array, " queries"] | None = None,
    half_square: bool = False,
) -> tuple[Int32[Array, "queries k"], Float32[Array, "queries k"]]:
    """Find the k points nearest to each query; as `_exact.search`.

    Without ``queries``, points must be distinct: each is then the only one at distance 0 of itself.
    """
    from scipy.spatial import KDTree

    data = points.astype(np.float64)
    tree = KDTree(data)
    own = 0 if queries is not None else 1
    query_data = data if queries is None else queries.astype(np.float64)
    asked = keys if query_keys is None else query_keys
    end = k + own
    # One more, to detect whether a point left out is as near as the last one kept.
    n_found = min(end + 1, len(points))
    result: Any = tree.query(query_data, np.arange(1, n_found + 1), workers=n_threads)
    tree_distances, found = result
    squares = _squares(data, found, query_data)
    _sort(squares, found, asked, keys)
    if n_found > end:
        tied = np.flatnonzero(squares[:, -1] <= squares[:, -2] * LAST_BITS)
        for start in range(0, len(tied), TIED_ROWS):
            rows = tied[start : start + TIED_ROWS]
            radii = tree_distances[rows, -1] * LAST_BITS
            balls = tree.query_ball_point(query_data[rows], radii, workers=n_threads)
            for row, ball in zip(rows, balls, strict=True):
                inside = np.array([ball])
                to_query = _squares(data, inside, query_data[row : row + 1])
                order = pair_hashes(asked[row : row + 1], keys[inside[0]])
                nearest = np.lexsort((order, to_query[0]))[:end]
                found[row, :end], squares[row, :end] = inside[0, nearest], to_query[0, nearest]
    indices = np.ascontiguousarray(found[:, own:end], dtype=np.int32)
    squares = squares[:, own:end]
    return indices, (squares / 2 if half_square else np.sqrt(squares)).astype(np.float32)


def _squares(data: Array, found: Array, queries: Array) -> Array:
    total = np.zeros(found.shape)
    for axis in range(data.shape[1]):
        total += (data[found, axis] - queries[:, axis, None]) ** 2
    return total


def _sort(squares: Array, found: Array, asked: Array, keys: Array) -> None:
    """Sort rows by (distance, hash of the pair), in place; most are already sorted."""
    rows = np.flatnonzero(np.any(squares[:, 1:] <= squares[:, :-1], axis=1))
    hashes = pair_hashes(asked[rows, None], keys[found[rows]])
    order = np.lexsort((hashes, squares[rows]), axis=1)
    squares[rows] = np.take_along_axis(squares[rows], order, axis=1)
    found[rows] = np.take_along_axis(found[rows], order, axis=1)
