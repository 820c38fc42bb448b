"""Dimension: local (TwoNN) and global (participation ratio)."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._io.stored_points import Rows, StoredPoints
from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import AnyArray, Array, Float64, Int64
from .._validation.numbers import check_number
from .._validation.points import scale_free
from ._shared.moments import point_blocks
from ._shared.results import Result, UndefinedMeasureError, warn_notes
from .neighborhood import check_graph

if TYPE_CHECKING:
    from ..neighbors import NeighborGraph
else:  # importing it would import Numba
    NeighborGraph = Any

# Above this share of points with two neighbors at the same distance, a note says so.
MANY_LEVEL = 0.05
# Points per block in products of all pairs.
PAIR_ROWS = 512
# Up to this many products of coordinates, they are in float64.
DOUBLE_PRODUCTS = 2**33
# Up to this many values, points in memory are centered once for all products, so many rows at a
# time.
MOST_CENTERED = 2**27
CENTERED_ROWS = 64


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class IntrinsicDimension(Result):
    """The intrinsic dimension of points, from their two nearest neighbors.

    Attributes
    ----------
    value : float
        The dimension.
    log_ratios : array of float64 (n_used,)
        log(r2/r1) of each point used.
    samples : array of int64 (n_used,)
        Indices of the points used. Of identical points, this is the first.
    discard : float
        Fraction of the largest ratios that was discarded.
    method : {"fit", "likelihood"}
        The estimator.

    See Also
    --------
    two_nn : Computes it.
    """

    log_ratios: Float64[Array, " used"]
    samples: Int64[Array, " used"]
    discard: float
    method: str


def two_nn(
    points: AnyArray,
    *,
    discard: float = 0.1,
    method: Literal["fit", "likelihood"] = "fit",
    graph: NeighborGraph | None = None,
    n_jobs: int | None = None,
) -> IntrinsicDimension:
    r"""TwoNN: intrinsic dimension from the distances to the two nearest neighbors.

    If the density is constant up to the second neighbor, the ratio mu = r2/r1 has the distribution
    F(mu) = 1 - mu^-d in dimension d. "fit" is the published estimator: the slope of a line through
    the origin fitted to -log(1 - F) against log mu, with F the empirical distribution.
    "likelihood" is the maximum-likelihood estimator, with the discarded ratios treated as censored
    at the largest one kept:

    .. math:: d = \frac{m}{\sum_{i \le m} \log \mu_i + (N - m) \log \mu_m}

    For ``discard=0`` this is N / sum log mu. (The same over the smallest 90 % of ratios only would
    be a third too large.) The value is above 0; neither end is better.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    discard : float, default=0.1
        Fraction of the largest ratios to discard, in [0, 1). These belong to outliers, around which
        the density is not constant. Decrease it for clean data.
    method : {"fit", "likelihood"}, default="fit"
        The estimator, see above. "likelihood" has the smaller variance; "fit" is comparable to
        published values.
    graph : NeighborGraph, optional
        Precomputed nearest neighbors of these points, at least two of each.
    n_jobs : int, optional
        Number of threads of the neighbor search. None uses every core (scikit-learn's None is
        one).

    Returns
    -------
    IntrinsicDimension
        ``value``, ``log_ratios``, ``samples``, ``discard`` and ``method``.

    Raises
    ------
    UndefinedMeasureError
        If there are fewer than three distinct points, or if the two neighbors of all points are
        equally far.

    See Also
    --------
    participation_ratio : Dimension of the linear span, from the covariance.
    manifold_capacity : Includes the dimension of each class manifold.

    Notes
    -----
    Identical points count as one: the neighbors are the two nearest distinct points. (With them as
    neighbors, at equal distances, the estimate would be too high.) How many there are is in
    ``notes``, and so is the number of ratios of 1, if they are more than 5 %: on a lattice, or with
    rounded data, they make the estimate too high.

    Above a dimension of about 20 the estimate is too low for any practical number of points.

    References
    ----------
    [Facco2017]_; layers of networks: [Ansuini2019]_.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.metrics import two_nn
    >>> plane = np.random.default_rng(0).uniform(size=(2000, 2))
    >>> in_space = plane @ np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> round(two_nn(in_space).value, 1)
    2.0
    """
    points = scale_free(points, min_samples=3)
    discard = check_number(discard, "discard", 0.0, 1.0, bounds="from 0 to below 1", open_high=True)
    if method not in ("fit", "likelihood"):
        raise ValueError(f'method must be "fit" or "likelihood"; got {method!r}')
    graph = check_graph(points, 2, graph, n_jobs)
    return warn_notes(two_nn_of_distinct(points, graph.distances, discard, method, n_jobs))


def two_nn_of_distinct(
    points: Rows,
    distances: Array,
    discard: float = 0.1,
    method: str = "fit",
    n_jobs: int | None = None,
) -> IntrinsicDimension:
    """Compute the TwoNN dimension of the distinct points among these.

    Parameters
    ----------
    points : array or StoredPoints, (n_samples, n_features)
        float32, in a space of Euclidean distances.
    distances : array (n_samples, k >= 2)
        Their distances to their nearest neighbors, which show whether there are duplicates.
    """
    if (distances[:, 0] > 0.0).all():
        return two_nn_from_distances(distances, discard, method)
    from ..neighbors import graph_of_distinct

    graph, first = graph_of_distinct(points, 2, n_jobs)
    n_samples = len(points)
    if graph is None or len(first) < 3:
        raise UndefinedMeasureError(
            f"TwoNN needs at least 3 distinct points; {len(first)} of {n_samples} points are "
            "distinct"
        )
    found = two_nn_from_distances(graph.distances, discard, method)
    note = (
        f"{n_samples - len(first)} of {n_samples} points are identical to others; TwoNN counts "
        "identical points once"
    )
    return replace(found, samples=first[found.samples], notes=(note, *found.notes))


def two_nn_from_distances(
    distances: Array, discard: float = 0.1, method: str = "fit"
) -> IntrinsicDimension:
    """Compute the TwoNN dimension from distances to the nearest neighbors (n_samples, k >= 2)."""
    first, second = distances[:, 0].astype(np.float64), distances[:, 1].astype(np.float64)
    used = np.flatnonzero(first > 0.0)
    left_out = len(first) - len(used)
    if len(used) < 3:
        raise UndefinedMeasureError(
            f"TwoNN needs at least 3 points without a duplicate; {left_out} of {len(first)} points "
            "have one. Remove the duplicates"
        )
    log_ratios = np.log(second[used] / first[used])
    notes = []
    if left_out:
        notes.append(
            f"{left_out} of {len(first)} points have a duplicate, so their ratio of distances is "
            "undefined; TwoNN leaves them out"
        )
    level = int((log_ratios == 0.0).sum())
    if level > MANY_LEVEL * len(used):
        notes.append(
            f"the two nearest neighbors of {level} of {len(used)} points are equally far, as on a "
            "lattice; TwoNN is then too high"
        )
    value = estimate_dimension(np.sort(log_ratios), np.ones((1, len(used))), discard, method)[0]
    if not np.isfinite(value):
        raise UndefinedMeasureError(
            "TwoNN compares the distances to the two nearest neighbors, which are equal for too "
            "many points, as on a grid"
        )
    return IntrinsicDimension(
        value=float(value),
        log_ratios=log_ratios,
        samples=used,
        discard=discard,
        method=method,
        notes=tuple(notes),
    )


def estimate_dimension(ordered: Array, weights: Array, discard: float, method: str) -> Array:
    """Estimate the dimension from ascending log ratios, for each row of weights.

    Weights are ones for the data and counts for a resample. The result is infinite if all ratios
    kept are 1.
    """
    total = weights.sum(axis=1, keepdims=True)
    below = np.cumsum(weights, axis=1)
    kept = np.where(below <= (1.0 - discard) * total + 1e-9, weights, 0.0)
    if method == "likelihood":
        count = kept.sum(axis=1)
        largest = np.where(kept > 0.0, ordered, 0.0).max(axis=1)
        length = kept @ ordered + (total[:, 0] - count) * largest
    else:
        # F is 1 at the last point, where log(1 - F) diverges.
        rest = np.maximum(total - below, 0.0)
        kept = np.where(rest > 0.0, kept, 0.0)
        heights = -np.log(np.divide(rest, total, out=np.ones_like(rest), where=rest > 0.0))
        count = (kept * heights) @ ordered
        length = kept @ np.square(ordered)
    slope = np.divide(count, length, out=np.full(len(count), np.inf), where=length > 0.0)
    return np.asarray(slope)


def dimension_influence(log_ratios: Array, value: float, discard: float) -> Array:
    r"""Return the influence of each ratio on the fitted dimension (n_used,).

    With x the sorted log ratios, u_i = i / n, h = -log(1 - u), and B = 1/n sum x_i^2 over the m
    kept ones,

    .. math:: \psi(z) = \frac{1}{nB} \sum_{i \le m} (h_i - 2 d x_i) (x_{i+1} - x_i)
              (u_i - [z \le x_i])
    """
    ordered = np.sort(log_ratios)
    size = len(ordered)
    kept = min(int(np.floor((1.0 - discard) * size + 1e-9)), size - 1)
    heights = np.arange(1, kept + 1) / size
    terms = -np.log(1.0 - heights) - 2.0 * value * ordered[:kept]
    terms *= np.diff(ordered)[:kept]
    above = np.append(np.cumsum(terms[::-1])[::-1], 0.0)
    square = float(ordered[:kept] @ ordered[:kept])
    psi = (float(terms @ heights) - above[np.searchsorted(ordered[:kept], log_ratios)]) / square
    return np.asarray(psi - psi.mean())


def _by_pairs(points: Rows, origin: Array, n_jobs: int | None) -> tuple[Array, Array]:
    """Return x'x and x'Sx of each centered point: x'Sx is the mean over y of (x'y)^2.

    Each product serves both points of a pair, so this takes a third of the time that the covariance
    takes if there are as many features as points. The products are in float64 if there are
    few, and else in float32, which costs some 1e-7 of the value.
    """
    n_samples = len(points)
    dtype: Any = np.float64 if n_samples * points.size <= DOUBLE_PRODUCTS else np.float32
    blocks = [slice(i, min(i + PAIR_ROWS, n_samples)) for i in range(0, n_samples, PAIR_ROWS)]
    whole = None
    if not isinstance(points, StoredPoints) and points.size <= MOST_CENTERED:
        whole = np.empty(points.shape, dtype)

    def centered(rows: slice) -> Array:
        if whole is not None:
            return whole[rows]
        return (points[rows] - origin).astype(dtype, copy=False)

    def center(number: int) -> None:
        assert whole is not None
        for start in range(blocks[number].start, blocks[number].stop, CENTERED_ROWS):
            rows = slice(start, min(start + CENTERED_ROWS, blocks[number].stop))
            np.subtract(points[rows], origin, out=whole[rows], casting="same_kind")

    squares = np.empty(n_samples)
    # What each block of points adds to each point.
    parts = np.zeros((len(blocks), n_samples))

    def multiply(number: int) -> None:
        # The largest tasks first: a block and all before it.
        number = len(blocks) - 1 - number
        own = centered(blocks[number])
        squares[blocks[number]] = np.einsum("ij,ij->i", own, own, dtype=np.float64)
        for other in range(number + 1):
            products = np.square(own @ centered(blocks[other]).T, dtype=np.float64)
            parts[number, blocks[number]] += products.sum(axis=1)
            if other != number:
                parts[number, blocks[other]] += products.sum(axis=0)

    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        if whole is not None:
            team.run(center, len(blocks))
        team.run(multiply, len(blocks))
    return squares, parts.sum(axis=0) / n_samples


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ParticipationRatio(Result):
    """The participation ratio of points.

    Attributes
    ----------
    value : float
        The ratio.
    influence : array of float64 (n_samples,)
        Influence of each point on the value: to first order, the value of a resample is the value
        plus the mean influence of its points. They sum to 0.

    See Also
    --------
    participation_ratio : Computes it.
    """

    influence: Float64[Array, " samples"]


def participation_ratio(points: AnyArray) -> ParticipationRatio:
    r"""Participation ratio: effective number of directions that carry the variance.

    .. math:: PR = \frac{(\sum_i \lambda_i)^2}{\sum_i \lambda_i^2}

    with lambda the eigenvalues of the covariance. From 1, if all variance is along one direction,
    to the number of features, if it is equal along all; neither end is better. Constant features
    have no effect.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.

    Returns
    -------
    ParticipationRatio
        ``value`` and ``influence``.

    Raises
    ------
    UndefinedMeasureError
        If all points coincide.

    See Also
    --------
    two_nn : Local dimension, which is smaller for curved manifolds.
    unknot.PCA : Projects on the leading eigenvectors.

    References
    ----------
    [Gao2017]_.

    Examples
    --------
    Variances of 2 and 1/2 along the axes: 2.5^2 / (4 + 1/4).

    >>> from unknot.metrics import participation_ratio
    >>> round(participation_ratio([[2, 0], [-2, 0], [0, 1], [0, -1]]).value, 6)
    1.470588
    """
    return participation_from_points(scale_free(points))


def participation_from_points(points: Rows, n_jobs: int | None = None) -> ParticipationRatio:
    """Compute the participation ratio of checked points, in memory or on disk."""
    n_samples, n_features = points.shape
    origin = points.mean(axis=0, dtype=np.float64)
    if n_samples < 3 * n_features:
        squares, weighted = _by_pairs(points, origin, n_jobs)
    else:
        squares, weighted = np.empty((2, n_samples))
        covariance = np.zeros((n_features, n_features))
        for rows in point_blocks(points, n_features):
            centered = points[rows] - origin
            covariance += centered.T @ centered / n_samples
        for rows in point_blocks(points, n_features):
            centered = points[rows] - origin
            squares[rows] = np.einsum("ij,ij->i", centered, centered)
            weighted[rows] = np.einsum("ij,ij->i", centered @ covariance, centered)
    trace, trace_of_square = squares.mean(), weighted.mean()
    if trace_of_square == 0.0:
        raise UndefinedMeasureError(
            "the participation ratio divides by the variance, which is 0: all points coincide"
        )
    value = trace**2 / trace_of_square
    # Derivatives by the weight of a point: d tr S = |x|^2 - tr S, d tr S^2 = 2 (x'Sx - tr S^2).
    influence = value * (2.0 * (squares / trace - 1.0) - 2.0 * (weighted / trace_of_square - 1.0))
    return ParticipationRatio(value=float(value), influence=influence)
