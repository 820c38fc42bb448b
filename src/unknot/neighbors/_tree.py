"""Exact search in few dimensions, such as a map's two, by SciPy's k-d tree."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import KDTree

from .._typing import Array, Float32, Int32

# Rows of ties resolved at a time; each may be as long as there are points.
TIED_ROWS = 256
# The tree's distances and ours may differ in their last bits.
LAST_BITS = 1 + 1e-12


def search(
    points: Float32[Array, "samples features"],
    k: int,
    n_threads: int,
    *,
    queries: Float32[Array, "queries features"] | None = None,
    half_square: bool = False,
) -> tuple[Int32[Array, "queries k"], Float32[Array, "queries k"]]:
    """Find the k points nearest to each query, ties by index; as `_exact.search`.

    The points must be distinct: one that is its own query is then the only one at distance 0.
    """
    data = points.astype(np.float64)
    tree = KDTree(data)
    own = 0 if queries is not None else 1
    asked = data if queries is None else queries.astype(np.float64)
    wanted = k + own
    # One more than wanted, to see whether a point left out is as near as the last one kept.
    reach = min(wanted + 1, len(points))
    answer: Any = tree.query(asked, np.arange(1, reach + 1), workers=n_threads)
    rough, found = answer
    squares = _squares(data, found, asked)
    _sort(squares, found)
    if reach > wanted:
        tied = np.flatnonzero(squares[:, -1] <= squares[:, -2] * LAST_BITS)
        for start in range(0, len(tied), TIED_ROWS):
            rows = tied[start : start + TIED_ROWS]
            radii = rough[rows, -1] * LAST_BITS
            balls = tree.query_ball_point(asked[rows], radii, workers=n_threads)
            for row, ball in zip(rows, balls, strict=True):
                some = np.array([ball])
                near = _squares(data, some, asked[row : row + 1])
                nearest = np.lexsort((some[0], near[0]))[:wanted]
                found[row, :wanted], squares[row, :wanted] = some[0, nearest], near[0, nearest]
    indices = np.ascontiguousarray(found[:, own:wanted], dtype=np.int32)
    squares = squares[:, own:wanted]
    return indices, (squares / 2 if half_square else np.sqrt(squares)).astype(np.float32)


def _squares(data: Array, found: Array, asked: Array) -> Array:
    total = np.zeros(found.shape)
    for axis in range(data.shape[1]):
        total += (data[found, axis] - asked[:, axis, None]) ** 2
    return total


def _sort(squares: Array, found: Array) -> None:
    """Sort rows by (distance, index), in place; most are sorted as they come."""
    rows = np.flatnonzero(np.any(squares[:, 1:] <= squares[:, :-1], axis=1))
    order = np.lexsort((found[rows], squares[rows]), axis=1)
    squares[rows] = np.take_along_axis(squares[rows], order, axis=1)
    found[rows] = np.take_along_axis(found[rows], order, axis=1)
