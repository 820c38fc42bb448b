"""The public search: check the input, choose the method, put duplicates back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from .._io.stored_points import StoredPoints, opened
from .._parallel.n_jobs import resolve_n_jobs
from .._typing import Array, Float32, Int32
from .._validation.arrays import DENSE_BYTES
from .._validation.numbers import is_integer
from .._validation.points import as_points, converted, max_abs, origin_of, relative, subtract_row
from .._validation.precision import warn_if_imprecise
from . import _approximate, _blocks, _exact, _sparse, _tree
from ._duplicates import Distinct
from ._graph import NeighborGraph

METRICS = ("euclidean", "cosine")
# Beyond this many points a search of all pairs takes longer than all else together.
APPROXIMATE_ABOVE = 300_000
# Up to this many features a k-d tree looks at fewer points than tiles do.
TREE_FEATURES = 6


def nearest_neighbors(
    points: ArrayLike | Any,
    k: SupportsIndex,
    metric: str = "euclidean",
    n_jobs: int | None = None,
    *,
    exact: bool | None = None,
    max_memory: int | None = None,
) -> NeighborGraph:
    """Find the k nearest neighbors of every point.

    Exact up to 300,000 points, by default: the neighbors are those of a search through all pairs
    with distances in float64, equally distant ones ordered by index. The search looks at few pairs
    in full, and never holds more than a few megabytes of products per thread. Above, the search
    looks at the most promising parts of the points and refines what it finds; its recall is
    measured on a sample of the points and stated in the graph.

    Parameters
    ----------
    points : array-like or sparse matrix of shape (n_samples, n_features)
        Real and finite. Computed in float32; values that it cannot hold, such as float64 with a
        large offset, are first taken relative to a point near their mean (for the cosine: their
        directions are), so that the offset costs no precision. Or an array on disk, (n_samples,
        *shape): a Zarr or HDF5 array, or a ``numpy.memmap``.
    k : int
        Neighbors of each point, itself not counted: from 1 to n_samples - 1.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Cosine is ``1 - cos``, in [0, 2]: 0 for the same direction. A row of zeros has no direction:
        its distance is 1 to every other row and 0 to another row of zeros.
    n_jobs : int, optional
        Threads; by default every core. The result is the same for any number.
    exact : bool, optional
        True or False to search exactly or approximately at any size.
    max_memory : int, optional
        Points on disk that take more bytes than this as float32, by default 256 MB, are searched in
        parts, exactly at any size. Beside so many bytes of points the search holds some 320 numbers
        for each. It is for the Euclidean metric.

    Returns
    -------
    NeighborGraph
        int32 indices and float32 distances, (n_samples, k).

    Raises
    ------
    TypeError
        If the points are not real numbers.
    ValueError
        If a value is NaN or infinite, or so large that distances do not fit in float32, or a
        parameter is out of its range.

    Notes
    -----
    Up to 6 features: a k-d tree. Otherwise distances are bounded from below by a matrix product
    over the leading principal axes, and computed only where the bound beats the k-th distance so
    far.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> points = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    >>> graph = unknot.nearest_neighbors(points, k=2)
    >>> graph.indices.tolist(), graph.distances.tolist(), graph.recall
    ([[1, 2], [0, 2], [1, 0]], [[1.0, 3.0], [1.0, 2.0], [2.0, 3.0]], 1.0)
    """
    n_threads = resolve_n_jobs(n_jobs)
    check_metric(metric)
    points = opened(points, max_memory)
    if isinstance(points, StoredPoints):
        return _graph_of_stored(points, _check_k(k, len(points)), metric, n_threads, exact)
    space = SearchSpace.of(points, metric)
    return graph_of_points(space, _check_k(k, space.points.shape[0]), n_threads, exact=exact)


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """Points as the search takes them: their Euclidean distances are those of the metric.

    Attributes
    ----------
    points : ndarray of shape (n_samples, n_features), float32, or CSR matrix, float64
        A matrix if the points came sparse and are too large to be made dense.
    metric : str
    origin : ndarray of shape (n_features,), or None
        What was subtracted from points, or from their directions, that float32 cannot hold.
    """

    points: Any
    metric: str
    origin: Array | None

    @classmethod
    def of(cls, points: Any, metric: str, *, name: str = "points") -> SearchSpace:
        """Check points and convert them."""
        is_sparse = bool(sparse.issparse(points))
        if is_sparse and points.shape[0] * points.shape[1] * 4 > DENSE_BYTES:
            return cls(_sparse.check(points, metric, name=name), metric, None)
        array = as_points(points, name=name)
        origin, compared = origin_of(array), array
        if metric == "cosine" and origin is not None:
            # Directions, unlike points, may be moved: half of |u - v|^2 stays 1 - cos.
            compared = _unit(array)[0]
            origin = origin_of(compared)
        if origin is not None:
            warn_if_imprecise(lambda rows: subtract_row(compared[rows], origin), compared.shape, name=name)
        return cls(_as_float32(array, metric, origin, name), metric, origin)

    def take(self, points: Any, *, name: str = "points") -> Any:
        """Check other points and convert them in the same way."""
        if sparse.issparse(self.points):
            return _sparse.check(points, self.metric, name=name)
        return _as_float32(as_points(points, name=name), self.metric, self.origin, name)


def _as_float32(array: Array, metric: str, origin: Array | None, name: str) -> Array:
    if metric == "cosine":
        return _directions(array, origin, name)
    points = relative(array, origin, name=name)
    # Two points at opposite corners must have a distance.
    limit = float(np.finfo(np.float32).max) / (2 * points.shape[1] ** 0.5)
    reach = max_abs(points)
    if reach > limit:
        raise ValueError(
            f"{name} must not exceed {limit:.3g} in size, so that distances fit in float32; got "
            f"{reach:.3g}. Divide all values by a constant"
        )
    return points


def graph_of_points(
    space: SearchSpace, k: int, n_threads: int, *, exact: bool | None = None
) -> NeighborGraph:
    """Find the k nearest neighbors of checked points; as `nearest_neighbors`."""
    points, metric = space.points, space.metric
    if exact is None:
        exact = points.shape[0] <= APPROXIMATE_ABOVE
    is_sparse = bool(sparse.issparse(points))
    if is_sparse:
        indices, distances = _sparse.search(points, k, n_threads, half_square=metric == "cosine")
        return NeighborGraph(indices, distances, metric)
    distinct = Distinct.of(points, n_threads)
    recall = 1.0
    if distinct.n_distinct == 1:
        indices = np.zeros((1, 0), np.int32)
        distances = np.zeros((1, 0), np.float32)
    else:
        few = min(k, distinct.n_distinct - 1)
        indices, distances, recall = _search_distinct(
            distinct.points, few, n_threads, metric == "cosine", exact
        )
    indices, distances = distinct.expand(indices, distances, k)
    return NeighborGraph(indices, distances, metric, recall)


def neighbors_among(
    queries: Any, points: Any, k: int, metric: str, n_threads: int
) -> tuple[Int32[Array, "queries k"], Float32[Array, "queries k"]]:
    """Find the k points nearest to each query, exactly; both as a `SearchSpace` takes them."""
    half_square = metric == "cosine"
    is_sparse = bool(sparse.issparse(points))
    if is_sparse:
        return _sparse.search(points, k, n_threads, queries=queries, half_square=half_square)
    # Rows of zeros, whose directions are a column of their own, may be on one side only.
    width = max(points.shape[1], queries.shape[1])
    points, queries = _widened(points, width), _widened(queries, width)
    if width <= TREE_FEATURES:
        return _tree.search(points, k, n_threads, queries=queries, half_square=half_square)
    return _exact.search(points, k, n_threads, queries=queries, half_square=half_square)


def _widened(points: Array, width: int) -> Array:
    missing = width - points.shape[1]
    return np.pad(points, ((0, 0), (0, missing))) if missing else points


def _graph_of_stored(
    points: StoredPoints, k: int, metric: str, n_threads: int, exact: bool | None
) -> NeighborGraph:
    if metric != "euclidean" or exact is False:
        asked = f"metric={metric!r}" if metric != "euclidean" else "exact=False"
        raise ValueError(
            f"points on disk of {4 * points.size:,} bytes are searched in parts, exactly and by "
            f"the Euclidean metric; got {asked}. Pass max_memory={4 * points.size} to read them "
            "whole"
        )
    return _blocks.graph_of_stored(points, k, n_threads)


def check_metric(metric: object) -> None:
    """Raise ValueError unless the metric is one of those there are."""
    if metric not in METRICS:
        raise ValueError(
            f"metric must be one of {', '.join(map(repr, METRICS))}; got {metric!r}. "
            "For another one, compute the distances and use TSNE(metric='precomputed')"
        )


def _directions(array: Array, origin: Array | None, name: str) -> Array:
    """Scale rows to unit length; a row of zeros gets a direction of its own, at right angles."""
    unit, zero = _unit(relative(array, None, name=name) if origin is None else array)
    points = converted(unit, origin, 0)
    if zero.any():
        points = np.concatenate([points, zero[:, None].astype(np.float32)], axis=1)
    return points


def _unit(array: Array) -> tuple[Array, Array]:
    """Scale rows to unit length, in their own precision; say which are zeros, and stay so."""
    wide = array if array.dtype.kind == "f" else array.astype(np.float64)
    reach = np.abs(wide).max(axis=1, keepdims=True)
    scaled = wide / np.where(reach > 0, reach, 1)
    norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled, dtype=np.float64))
    zero = norms == 0
    norms[zero] = 1
    return scaled / norms[:, None], zero


def _search_distinct(
    points: Array, k: int, n_threads: int, half_square: bool, exact: bool
) -> tuple[Array, Array, float]:
    if points.shape[1] <= TREE_FEATURES:
        return *_tree.search(points, k, n_threads, half_square=half_square), 1.0
    if exact:
        return *_exact.search(points, k, n_threads, half_square=half_square), 1.0
    return _approximate.search(points, k, n_threads, half_square=half_square)


def _check_k(k: SupportsIndex, n: int) -> int:
    if not is_integer(k):
        raise TypeError(f"k must be an integer; got {k!r}")
    if not 1 <= k <= n - 1:
        raise ValueError(
            f"k must be from 1 to n_samples - 1 = {n - 1}; got {k}. A point is not its own neighbor"
        )
    return int(k)
