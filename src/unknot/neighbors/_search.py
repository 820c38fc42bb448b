"""The public search: check the input, choose the method, put duplicates back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from .._io.sendable import sendable
from .._io.stored_points import StoredPoints, is_stored, memory_of, opened
from .._io.transformed import unit_stored
from .._parallel.n_jobs import resolve_n_jobs
from .._typing import Array, Float32, Int32, Int64
from .._validation.arrays import DENSE_BYTES, is_scipy_sparse
from .._validation.numbers import is_integer
from .._validation.points import as_points, converted, max_abs, origin_of, relative, subtract_row
from .._validation.precision import warn_if_imprecise
from . import _approximate, _blocks, _exact, _sparse, _tree
from ._duplicates import Distinct, row_hashes
from ._graph import NeighborGraph
from ._nearest_tiles import find_by_nearest_tiles
from ._strips import Find, find_by_strips, graph_by_tasks
from ._ties import tie_keys

METRICS = ("euclidean", "cosine")
# Above this many points, an exact search takes longer than the rest of a t-SNE.
APPROXIMATE_ABOVE = 300_000
# Up to this many features, a k-d tree visits fewer points than tiles do.
TREE_FEATURES = 6


def nearest_neighbors(
    points: ArrayLike | Any,
    n_neighbors: SupportsIndex,
    metric: str = "euclidean",
    n_jobs: int | None = None,
    *,
    exact: bool | None = None,
    max_memory: int | str | None = None,
    executor: Any = None,
    client: Any = None,
    store: Any = None,
    store_options: Mapping[str, Any] | None = None,
) -> NeighborGraph:
    """Find the nearest neighbors of every point.

    Exact up to 300,000 points by default: the same neighbors as a brute-force search with
    distances in float64. Few distances are computed in full, and no thread needs more than a few
    megabytes of intermediate results. Above 300,000 points the search is approximate by default;
    its recall is measured on a sample of the points and stated in the graph.

    Parameters
    ----------
    points : array-like or sparse matrix of shape (n_samples, n_features)
        Real and finite. Converted to float32; values that need more precision, such as float64 with
        a large offset, are first centered near their mean (for the cosine metric, their directions
        are), so that no precision is lost. Or an array on disk of shape (n_samples, ...): a Zarr or
        HDF5 array, or a ``numpy.memmap``.
    n_neighbors : int
        The number of neighbors of each point, excluding itself: from 1 to n_samples - 1. For
        `TSNE`, three times the perplexity.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Cosine is ``1 - cos``, in [0, 2]: 0 for the same direction. A row of zeros has no direction:
        its distance is 1 to every other row and 0 to another row of zeros.
    n_jobs : int or None, default=None
        The number of threads. None means every core (in scikit-learn, one). The result does not
        depend on it.
    exact : bool or None, default=None
        None searches exactly up to 300,000 points. Set it to True to search exactly at any size,
        which takes quadratic time; to False to search approximately, which is still slower than an
        exact search at 60,000 points. Points on disk that are searched in parts are always searched
        exactly with None. With False as many parts are visited as contain .99 of the true neighbors
        of 500 points, and a sorted copy of the points is written to a temporary folder or `store`.
    max_memory : int, str or None, default=None
        For points on disk: those that take more memory than this as float32, in bytes or as text
        such as "2 GB", are searched in parts; None means 256 MB. In addition, an exact search needs
        about 320 numbers per point. Increase it to read the points fewer times.
    executor : concurrent.futures.Executor, default=None
        For points on disk: where they are searched, in strips, each against all points. Each
        worker needs the memory of `max_memory`, and about 320 numbers for each point of two parts.
    client : distributed.Client, str or True, default=None
        The same on a Dask cluster: a client, the address of a scheduler or the path of its file, or
        True for a cluster on this machine.
    store : path or str, default=None
        The folder for what tasks read and write, which all workers must see, or the address of an
        object store, such as ``"s3://bucket/prefix"``; by default a temporary folder of this
        machine. A search that was killed goes on from there when the same one is run again, and
        removes at its end what it wrote. In a bucket, run each search once at a time.
    store_options : mapping, optional
        Of an object store, as for `obstore.store.from_url`: ``endpoint``, credentials,
        ``client_options={"allow_http": True}``.

    Returns
    -------
    NeighborGraph
        int32 indices and float32 distances, both of shape (n_samples, n_neighbors).

    Raises
    ------
    TypeError
        If the points are not real numbers.
    ValueError
        If a value is NaN or infinite, or so large that distances do not fit in float32, or a
        parameter is out of range; or if points in memory are to be sent to workers.
    ClusterError
        If workers do not answer, do not see the folder, or die; the message names the remedy.

    See Also
    --------
    NeighborGraph : The result.
    unknot.TSNE : Accepts the graph, so that the neighbors are computed only once.
    unknot.metrics.neighborhood_hit : Share of neighbors with the same label.

    Notes
    -----
    Up to 6 features, a k-d tree is used. Otherwise distances are bounded from below by a matrix
    product over the leading principal axes, and computed only where the bound is below the k-th
    distance found so far.

    Of points at the same distance, a hash of the values of the two rows decides which is nearer. So
    the neighbors do not depend on the order of the rows, and no point is preferred by all others,
    which would make it a hub. Of more copies of one point than are needed, each is taken by about
    as many samples.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> points = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    >>> graph = unknot.nearest_neighbors(points, n_neighbors=2)
    >>> graph.indices.tolist(), graph.distances.tolist(), graph.recall
    ([[1, 2], [0, 2], [1, 0]], [[1.0, 3.0], [1.0, 2.0], [2.0, 3.0]], 1.0)
    """
    n_threads = resolve_n_jobs(n_jobs)
    check_metric(metric)
    if exact is not None and not isinstance(exact, bool | np.bool_):
        raise TypeError(f"exact must be True, False or None; got {exact!r}")
    exact = None if exact is None else bool(exact)
    if store_options is not None and store is None:
        raise ValueError("store_options are of an object store: pass its address as store=")
    elsewhere = executor is not None or client not in (None, False)
    if elsewhere:
        if not is_stored(points):
            raise ValueError(
                "points must be on disk to be searched by workers: a Zarr or HDF5 array, or a "
                f"numpy.memmap; got {type(points).__name__}"
            )
        points = StoredPoints(sendable(points), memory_of(max_memory))
    elif store is not None and not (exact is False and is_stored(points)):
        raise ValueError(
            "store is for workers, or for exact=False with points on disk: pass executor= or "
            "client= too"
        )
    points = opened(points, max_memory)
    if isinstance(points, StoredPoints):
        k = _check_n_neighbors(n_neighbors, len(points))
        options = {
            "executor": executor,
            "client": client,
            "store": store,
            "store_options": store_options,
            "n_jobs": n_jobs,
        }
        find = find_by_strips if elsewhere else None
        if exact is False:
            find = find_by_nearest_tiles
        return _graph_of_stored(points, k, metric, find, options)
    space = SearchSpace.of(points, metric)
    k = _check_n_neighbors(n_neighbors, space.points.shape[0])
    return graph_of_points(space, k, n_threads, exact=exact)


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """Points converted for the search: their Euclidean distances give those of the metric.

    Attributes
    ----------
    points : ndarray of shape (n_samples, n_features), float32, or CSR matrix, float64
        A matrix if the points are sparse and too large to be made dense.
    metric : str
    origin : ndarray of shape (n_features,), or None
        Subtracted from the points (cosine: from their directions) before the conversion to float32;
        None if they do not need it.
    """

    points: Any
    metric: str
    origin: Array | None

    @classmethod
    def of(cls, points: Any, metric: str, *, name: str = "points") -> SearchSpace:
        """Check points and convert them."""
        is_sparse = is_scipy_sparse(points)
        if is_sparse and points.shape[0] * points.shape[1] * 4 > DENSE_BYTES:
            return cls(_sparse.check(points, metric, name=name), metric, None)
        array = as_points(points, name=name)
        origin, compared = origin_of(array), array
        if metric == "cosine" and origin is not None:
            # Unit vectors may be shifted: |u - v|^2 / 2 remains 1 - cos.
            compared = _unit(array)[0]
            origin = origin_of(compared)
        if origin is not None:
            warn_if_imprecise(
                lambda rows: subtract_row(compared[rows], origin), compared.shape, name=name
            )
        return cls(_as_float32(array, metric, origin, name), metric, origin)

    def take(self, points: Any, *, name: str = "points") -> Any:
        """Check other points and convert them likewise."""
        if is_scipy_sparse(self.points):
            return _sparse.check(points, self.metric, name=name)
        return _as_float32(as_points(points, name=name), self.metric, self.origin, name)


def _as_float32(array: Array, metric: str, origin: Array | None, name: str) -> Array:
    if metric == "cosine":
        return _directions(array, origin, name)
    points = relative(array, origin, name=name)
    # The distance of two opposite corners must be finite.
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
    """Find the k nearest neighbors of converted points, as `nearest_neighbors` does."""
    points, metric = space.points, space.metric
    if exact is None:
        exact = points.shape[0] <= APPROXIMATE_ABOVE
    is_sparse = is_scipy_sparse(points)
    if is_sparse:
        points, distinct = _sparse.distinct_rows(points)
    else:
        distinct = Distinct.of(points, n_threads)
    recall, half_square = 1.0, metric == "cosine"
    k_distinct = min(k, distinct.n_distinct - 1)
    if not k_distinct:
        indices = np.zeros((1, 0), np.int32)
        distances = np.zeros((1, 0), np.float32)
    elif is_sparse:
        indices, distances = _sparse.search(
            points, k_distinct, n_threads, keys=distinct.keys, half_square=half_square
        )
    else:
        indices, distances, recall = _search_distinct(
            distinct, k_distinct, n_threads, half_square, exact
        )
    indices, distances = distinct.expand(indices, distances, k)
    return NeighborGraph(indices, distances, metric, recall)


def graph_of_distinct(
    points: Array | StoredPoints, k: int, n_jobs: int | None = None
) -> tuple[NeighborGraph | None, Int64[Array, " distinct"]]:
    """Find the k nearest neighbors of the distinct rows of float32 points, by Euclidean distance.

    Returns
    -------
    graph : NeighborGraph or None
        With fewer neighbors, or None, where there are not k + 1 or not two distinct rows.
    first : ndarray of shape (n_distinct,), int64
        The first sample of each.
    """
    n_threads = resolve_n_jobs(n_jobs)
    if isinstance(points, StoredPoints):
        return _blocks.graph_of_distinct_stored(points, k, n_threads)
    distinct = Distinct.of(np.ascontiguousarray(points), n_threads)
    n = distinct.n_distinct
    if n < 2:
        return None, distinct.first
    exact = n <= APPROXIMATE_ABOVE
    found = _search_distinct(distinct, min(k, n - 1), n_threads, False, exact)
    indices, distances, recall = found
    return NeighborGraph(indices, distances, "euclidean", recall), distinct.first


def neighbors_among(
    queries: Any, points: Any, k: int, metric: str, n_threads: int
) -> tuple[Int32[Array, "queries k"], Float32[Array, "queries k"]]:
    """Find the k points nearest to each query, exactly; both converted by a `SearchSpace`."""
    half_square = metric == "cosine"
    is_sparse = is_scipy_sparse(points)
    if is_sparse:
        return _sparse.search(
            points,
            k,
            n_threads,
            keys=tie_keys(_sparse.row_hashes(points)),
            queries=queries,
            query_keys=_sparse.row_hashes(queries),
            half_square=half_square,
        )
    # Only one of the two may have the extra column for rows of zeros (`_directions`).
    width = max(points.shape[1], queries.shape[1])
    points, queries = _pad_columns(points, width), _pad_columns(queries, width)
    search = _tree.search if width <= TREE_FEATURES else _exact.search
    return search(
        points,
        k,
        n_threads,
        keys=tie_keys(row_hashes(points, n_threads)),
        queries=queries,
        # Not their number among copies: a query's neighbors do not depend on the others.
        query_keys=row_hashes(queries, n_threads),
        half_square=half_square,
    )


def _pad_columns(points: Array, width: int) -> Array:
    missing = width - points.shape[1]
    return np.pad(points, ((0, 0), (0, missing))) if missing else points


def _graph_of_stored(
    points: StoredPoints, k: int, metric: str, find: Find | None, options: dict[str, Any]
) -> NeighborGraph:
    """Find neighbors by tasks; without ``find`` in this process, exactly."""
    # Of unit vectors, |u - v|^2 / 2 is 1 - cos.
    compared = points if metric == "euclidean" else unit_stored(points)[0]
    if find is None:
        graph = _blocks.graph_of_stored(compared, k, resolve_n_jobs(options["n_jobs"]))
    else:
        graph = graph_by_tasks(compared, k, find, **options)
    if metric == "euclidean":
        return graph
    halves = np.square(graph.distances, dtype=np.float64) / 2
    return NeighborGraph(graph.indices, halves.astype(np.float32), metric, graph.recall)


def check_metric(metric: object) -> None:
    """Raise ValueError if the metric is unknown."""
    if metric not in METRICS:
        raise ValueError(
            f"metric must be one of {', '.join(map(repr, METRICS))}; got {metric!r}. "
            "For another metric, compute the distances and use TSNE(metric='precomputed')"
        )


def _directions(array: Array, origin: Array | None, name: str) -> Array:
    """Scale rows to unit length; rows of zeros get a direction orthogonal to all others."""
    unit, zero = _unit(relative(array, None, name=name) if origin is None else array)
    points = converted(unit, origin, 0)
    if zero.any():
        points = np.concatenate([points, zero[:, None].astype(np.float32)], axis=1)
    return points


def _unit(array: Array) -> tuple[Array, Array]:
    """Scale rows to unit length, in their own precision; also return which rows are zero."""
    wide = array if array.dtype.kind == "f" else array.astype(np.float64)
    reach = np.abs(wide).max(axis=1, keepdims=True)
    scaled = wide / np.where(reach > 0, reach, 1)
    norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled, dtype=np.float64))
    zero = norms == 0
    norms[zero] = 1
    return scaled / norms[:, None], zero


def _search_distinct(
    distinct: Distinct, k: int, n_threads: int, half_square: bool, exact: bool
) -> tuple[Array, Array, float]:
    points, keys = distinct.points, distinct.keys
    if points.shape[1] <= TREE_FEATURES:
        return *_tree.search(points, k, n_threads, keys=keys, half_square=half_square), 1.0
    if exact:
        return *_exact.search(points, k, n_threads, keys=keys, half_square=half_square), 1.0
    return _approximate.search(points, k, n_threads, keys=keys, half_square=half_square)


def _check_n_neighbors(n_neighbors: SupportsIndex, n: int) -> int:
    if not is_integer(n_neighbors):
        raise TypeError(f"n_neighbors must be an integer; got {n_neighbors!r}")
    if not 1 <= n_neighbors <= n - 1:
        raise ValueError(
            f"n_neighbors must be from 1 to n_samples - 1 = {n - 1}; got {n_neighbors}. "
            "A point is not its own neighbor"
        )
    return int(n_neighbors)
