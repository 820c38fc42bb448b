"""Precomputed input: a graph of neighbors, or distances."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._typing import Array, Float32, Int32
from .._validation.arrays import as_numbers, is_scipy_sparse
from .._validation.points import TINY
from ..neighbors import NeighborGraph
from ._affinities import attainable_perplexity, neighbors_for

# Rows converted to float64 and sorted at a time.
ROWS_AT_ONCE = 256


def as_graph(X: Any, perplexity: float) -> NeighborGraph:
    """Return precomputed input as a graph with the neighbors that a perplexity needs."""
    if isinstance(X, NeighborGraph):
        graph = X
    else:
        X = X if is_scipy_sparse(X) else as_numbers(X, "precomputed distances")
        n = X.shape[0] if X.ndim else 0
        if n < 2:
            raise ValueError(f"TSNE needs at least 2 samples; got n_samples = {n}")
        graph = graph_of_distances(X, neighbors_for(attainable_perplexity(perplexity, n), n))
    if graph.n_samples < 2:
        raise ValueError(f"TSNE needs at least 2 samples; got n_samples = {graph.n_samples}")
    return graph


def graph_of_distances(distances: Any, k: int) -> NeighborGraph:
    """Find the k nearest neighbors in a matrix of distances.

    Parameters
    ----------
    distances : array-like or sparse matrix of shape (n_samples, n_samples)
        Entry (i, j) is the distance from i to j. Only the stored entries of a sparse matrix
        count, as in scikit-learn's ``kneighbors_graph(mode="distance")``. The diagonal is ignored.
    k : int
        Number of neighbors of each sample; fewer if a sparse row has fewer.

    Raises
    ------
    TypeError
        If the distances are not real numbers.
    ValueError
        If the matrix is not square, a distance is negative, NaN or infinite, or a sparse row has
        no neighbor.
    """
    is_sparse = is_scipy_sparse(distances)
    if is_sparse:
        if distances.dtype.kind not in "biuf":
            raise TypeError(
                f"precomputed distances must hold real numbers; got dtype {distances.dtype}"
            )
        from scipy import sparse

        return _graph_of_stored(sparse.csr_array(distances), k)
    matrix = as_numbers(distances, "precomputed distances")
    _check_square(matrix.shape)
    indices, nearest = nearest_in_rows(matrix, k, own=True)
    return NeighborGraph(indices, nearest, "precomputed")


def nearest_in_rows(
    matrix: Array, k: int, *, own: bool
) -> tuple[Int32[Array, "rows k"], Float32[Array, "rows k"]]:
    """Find the k smallest entries of each row, ties by column; ``own`` excludes the diagonal."""
    indices = np.empty((len(matrix), k), np.int32)
    nearest = np.empty((len(matrix), k), np.float32)
    for start in range(0, len(matrix), ROWS_AT_ONCE):
        rows = np.array(matrix[start : start + ROWS_AT_ONCE], dtype=np.float64)
        if own:
            rows[np.arange(len(rows)), np.arange(start, start + len(rows))] = 0
        _check_distances(rows)
        if own:
            rows[np.arange(len(rows)), np.arange(start, start + len(rows))] = np.inf
        order = np.argsort(rows, axis=1, kind="stable")[:, :k]
        indices[start : start + ROWS_AT_ONCE] = order
        nearest[start : start + ROWS_AT_ONCE] = np.take_along_axis(rows, order, axis=1)
    return indices, nearest


def _graph_of_stored(matrix: Any, k: int) -> NeighborGraph:
    _check_square(matrix.shape)
    _check_distances(matrix.data)
    n = matrix.shape[0]
    rows = np.repeat(np.arange(n), np.diff(matrix.indptr))
    others = matrix.indices != rows
    counts = np.bincount(rows[others], minlength=n)
    if counts.min() == 0:
        raise ValueError(
            f"a precomputed sparse matrix must have a neighbor in every row; "
            f"row {int(np.argmin(counts))} has none"
        )
    k = int(min(k, counts.min()))
    rows, columns, values = rows[others], matrix.indices[others], matrix.data[others]
    order = np.lexsort((columns, values, rows))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    taken = order[starts[:, None] + np.arange(k)]
    return NeighborGraph(
        columns[taken].astype(np.int32), values[taken].astype(np.float32), "precomputed"
    )


def _check_square(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(
            "precomputed distances must have the shape (n_samples, n_samples); "
            f"got {shape}. Points need metric='euclidean' or 'cosine'"
        )


def _check_distances(values: Array) -> None:
    with np.errstate(invalid="ignore"):
        valid = (values >= 0) & (values <= np.finfo(np.float32).max)
    if not valid.all():
        first = values[~valid].ravel()[0]
        raise ValueError(f"precomputed distances must be finite and not negative; got {first}")
    largest = float(values.max(initial=0.0))
    if values.dtype != np.float32 and 0.0 < largest < TINY:
        raise ValueError(
            "precomputed distances must be large enough for float32; the largest is "
            f"{largest:.3g}. Multiply them all by a constant"
        )
