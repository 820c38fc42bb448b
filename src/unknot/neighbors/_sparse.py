"""Exact search among sparse points that are too large to be made dense."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._parallel.thread_team import ThreadTeam
from .._typing import Array, UInt64
from .._validation.arrays import as_numbers, is_scipy_sparse
from .._validation.points import as_points
from ._duplicates import Distinct
from ._ties import GOLDEN, mixed, pair_hashes, tie_keys

# Distances in memory at a time, per thread.
MAX_DISTANCES = 2**22


def check(points: Any, metric: str, *, name: str) -> Any:
    """Return sparse points as CSR float64, rows of unit length if the metric is cosine."""
    from scipy import sparse

    given: Any = points if is_scipy_sparse(points) else as_points(points, name=name)
    matrix: Any = sparse.csr_array(given)
    as_numbers(matrix.data, name)
    matrix = matrix.astype(np.float64)
    matrix.sum_duplicates()
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


def distinct_rows(points: Any) -> tuple[Any, Distinct]:
    """Return the distinct rows of a checked matrix, and the distinct row of each sample."""
    hashes = row_hashes(points)
    _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    nothing = np.empty((len(first), 0), np.float32)
    if len(first) == len(hashes):
        return points, Distinct(nothing, hashes, None)
    rows = points[first]
    if (rows[group] != points).nnz:  # a hash collision: duplicates are only searched one by one
        nothing = np.empty((len(hashes), 0), np.float32)
        return points, Distinct(nothing, tie_keys(hashes), None)
    return rows, Distinct(nothing, hashes[first], group.astype(np.int32))


def search(
    points: Any,
    k: int,
    n_threads: int,
    *,
    keys: UInt64[Array, " samples"],
    queries: Any = None,
    query_keys: UInt64[Array, " queries"] | None = None,
    half_square: bool,
) -> tuple[Array, Array]:
    """Find the k points nearest to each query; as `_exact.search`.

    Computed in float64: the error of |a|^2 + |b|^2 - 2 a.b is about 1e-16 of the norms.
    """
    own = queries is None
    queries = points if own else queries
    n, n_points = queries.shape[0], points.shape[0]
    asked = keys if query_keys is None else query_keys
    norms = np.asarray(points.multiply(points).sum(axis=1)).reshape(-1)
    query_norms = np.asarray(queries.multiply(queries).sum(axis=1)).reshape(-1)
    transposed = points.T.tocsr()
    indices = np.empty((n, k), np.int32)
    distances = np.empty((n, k), np.float32)
    step = max(1, MAX_DISTANCES // n_points)

    def search_rows(task: int) -> None:
        start, stop = task * step, min((task + 1) * step, n)
        squares = (queries[start:stop] @ transposed).toarray()
        squares *= -2
        squares += norms
        squares += query_norms[start:stop, None]
        np.maximum(squares, 0, out=squares)
        # Between equal points only rounding is left.
        squares[squares <= 1e-14 * query_norms[start:stop, None]] = 0
        for row, to_points in enumerate(squares, start):
            if own:
                to_points[row] = np.inf
            kth = np.partition(to_points, k - 1)[k - 1]
            candidates = np.flatnonzero(to_points <= kth)
            hashes = pair_hashes(asked[row : row + 1], keys[candidates])
            nearest = candidates[np.lexsort((hashes, to_points[candidates]))[:k]]
            indices[row] = nearest
            found = to_points[nearest]
            distances[row] = found / 2 if half_square else np.sqrt(found)

    with ThreadTeam(n_threads) as team:
        team.run(search_rows, -(-n // step))
    return indices, distances


def row_hashes(matrix: Any) -> UInt64[Array, " rows"]:
    """Hash the rows of a CSR matrix of float64 to 64 bits; zeros stored do not count."""
    terms = mixed(matrix.data.view(np.uint64) ^ (matrix.indices.astype(np.uint64) * GOLDEN))
    terms[matrix.data == 0] = 0
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
    return mixed(sums[matrix.indptr[1:]] - sums[matrix.indptr[:-1]])
