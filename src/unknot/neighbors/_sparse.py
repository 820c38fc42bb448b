"""Exact search among sparse points that would be too large if made dense."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from .._parallel.thread_team import ThreadTeam
from .._typing import Array
from .._validation.arrays import as_numbers
from .._validation.points import as_points

# Distances held at a time, per thread.
DISTANCES = 2**22


def check(points: Any, metric: str, *, name: str) -> Any:
    """Return sparse points as CSR float64, rows of unit length if the metric is cosine."""
    given: Any = points if sparse.issparse(points) else as_points(points, name=name)
    matrix: Any = sparse.csr_array(given)
    as_numbers(matrix.data, name)
    matrix = matrix.astype(np.float64)
    if not np.isfinite(matrix.data).all():
        raise ValueError(
            f"{name} must be finite; got NaN or infinite values. Remove or replace them"
        )
    if metric == "cosine":
        norms = np.sqrt(matrix.multiply(matrix).sum(axis=1)).reshape(-1)
        zero = norms == 0
        norms[zero] = 1
        own = sparse.csr_array(zero[:, None].astype(np.float64))
        matrix = sparse.hstack([sparse.diags_array(1 / norms) @ matrix, own], format="csr")
    return matrix


def search(
    points: Any, k: int, n_threads: int, *, queries: Any = None, half_square: bool
) -> tuple[Array, Array]:
    """Find the k points nearest to each query, ties by index; as `_exact.search`.

    All products in float64: |a|^2 + |b|^2 - 2 a.b is off by some 1e-16 of the norms.
    """
    asked = points if queries is None else queries
    n, n_points = asked.shape[0], points.shape[0]
    norms = np.asarray(points.multiply(points).sum(axis=1)).reshape(-1)
    own_norms = np.asarray(asked.multiply(asked).sum(axis=1)).reshape(-1)
    transposed = points.T.tocsr()
    indices = np.empty((n, k), np.int32)
    distances = np.empty((n, k), np.float32)
    step = max(1, DISTANCES // n_points)

    def answer(block: int) -> None:
        start, stop = block * step, min((block + 1) * step, n)
        squares = (asked[start:stop] @ transposed).toarray()
        squares *= -2
        squares += norms
        squares += own_norms[start:stop, None]
        np.maximum(squares, 0, out=squares)
        # What is left of equal points is rounding.
        squares[squares <= 1e-14 * own_norms[start:stop, None]] = 0
        for row, of_row in enumerate(squares, start):
            if queries is None:
                of_row[row] = np.inf
            kth = np.partition(of_row, k - 1)[k - 1]
            near = np.flatnonzero(of_row <= kth)
            nearest = near[np.argsort(of_row[near], kind="stable")[:k]]
            indices[row] = nearest
            distances[row] = of_row[nearest] / 2 if half_square else np.sqrt(of_row[nearest])

    with ThreadTeam(n_threads) as team:
        team.run(answer, -(-n // step))
    return indices, distances
