"""Faithfulness of a map: whether it preserves neighborhoods."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._typing import AnyArray, Array, Float64, Int64
from .._validation.numbers import check_integer
from .._validation.points import check_labels
from ._shared.checks import check_mapped
from ._shared.distances import Sample, scan_distances, stratified_sample
from ._shared.results import Result, warn_notes
from .neighborhood import check_graph

if TYPE_CHECKING:
    from ..neighbors import NeighborGraph
else:  # importing it would import Numba
    NeighborGraph = Any


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Faithfulness(Result):
    """How well neighbors agree between a representation and its map.

    Attributes
    ----------
    value : float
        In [0, 1].
    k : int
        Number of neighbors.
    per_point : array of float64 (n_sampled,)
        The score of each evaluated point; the value is their (weighted) mean.
    samples : array of int64 (n_sampled,)
        Indices of the evaluated points: all, or a sample.
    standard_error : float
        Standard error of the value due to the sampling; 0 if all points were evaluated.

    See Also
    --------
    trustworthiness, continuity, class_trustworthiness, class_continuity : Compute it.
    """

    k: int
    per_point: Float64[Array, " sampled"]
    samples: Int64[Array, " sampled"]
    standard_error: float
    higher_is_better: bool | None = True


def trustworthiness(
    points: AnyArray,
    map_: AnyArray,
    k: int = 10,
    *,
    map_graph: NeighborGraph | None = None,
    metric: str = "euclidean",
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Faithfulness:
    r"""Trustworthiness: whether neighbors on the map are neighbors in the representation.

    .. math:: T_k = 1 - \frac{2}{N k (2N - 3k - 1)} \sum_i \sum_{j \in U_i} (r(i, j) - k)

    with U_i the points among the k nearest of i on the map but not in the representation, and
    r(i, j) the rank of j by distance from i in the representation: one more than the number of
    nearer points, so that equally far ones share the best of their ranks. In [0, 1], higher is
    better: 1 if all neighbors on the map are true neighbors; about 1/2 for a random map.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    map_ : array-like (n_samples, n_components)
        Its map.
    k : int, default=10
        Number of neighbors, below n_samples / 2. Increase it to judge larger neighborhoods; only
        compare values of the same k.
    map_graph : NeighborGraph, optional
        Precomputed nearest neighbors on the map, at least k of each.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance in the representation; on the map it is always the Euclidean one.
    max_samples : int, optional
        Evaluate a sample of about this many points, ranking their neighbors among all points; all
        by default. Set it for more than about 20,000 points, because the time grows with their
        square; the standard error is reported.
    random_state : int or None, default=0
        Seed of the sample. The default draws the same sample each time; None a different one.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    Faithfulness
        ``value``, ``per_point``, ``samples``, ``standard_error`` and ``k``.

    Raises
    ------
    ValueError
        If k is not below n_samples / 2, or the numbers of samples differ.

    See Also
    --------
    continuity : The converse: whether true neighbors stay neighbors on the map.
    class_trustworthiness : Counts only false neighbors of another class.
    label_trustworthiness : Compares the separation of classes instead of neighbors.
    sklearn.manifold.trustworthiness : The same value, from the distances of all pairs.

    References
    ----------
    [Venna2001]_.

    Examples
    --------
    A line whose second and fourth points are exchanged on the map. The nearest points on the map
    are the 4th, 3rd, 4th, 1st and 2nd; on the line these have the ranks 3, 2, 2, 4 and 3, which
    exceed k = 1 by 2 + 1 + 1 + 3 + 2 = 9. The score is 1 - 2/(5 (10 - 3 - 1)) 9.

    >>> from unknot.metrics import trustworthiness
    >>> line = [[0.0], [1.0], [3.0], [6.0], [10.0]]
    >>> round(trustworthiness(line, [[0.0], [6.0], [3.0], [1.0], [10.0]], k=1).value, 4)
    0.4
    """
    x, y, k = _check_pair(points, map_, k, metric)
    sample = stratified_sample(np.zeros(len(x), dtype=np.int64), max_samples, random_state)
    ranks = neighbor_ranks(x, check_graph(y, k, map_graph, n_jobs), k, sample.rows, n_jobs)
    return warn_notes(faithfulness_from_ranks(ranks, len(x), sample, "trustworthiness"))


def continuity(
    points: AnyArray,
    map_: AnyArray,
    k: int = 10,
    *,
    graph: NeighborGraph | None = None,
    metric: str = "euclidean",
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Faithfulness:
    r"""Continuity: whether neighbors in the representation are neighbors on the map.

    .. math:: C_k = 1 - \frac{2}{N k (2N - 3k - 1)} \sum_i \sum_{j \in V_i} (\hat r(i, j) - k)

    with V_i the points among the k nearest of i in the representation but not on the map, and
    r^(i, j) the rank of j by distance from i on the map. In [0, 1], higher is better: 1 if all
    neighbors in the representation are neighbors on the map.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    map_ : array-like (n_samples, n_components)
        Its map.
    k : int, default=10
        Number of neighbors, below n_samples / 2. Increase it to judge larger neighborhoods; only
        compare values of the same k.
    graph : NeighborGraph, optional
        Precomputed nearest neighbors in the representation, at least k of each.
    metric, max_samples, random_state, n_jobs
        As in `trustworthiness`.

    Returns
    -------
    Faithfulness
        ``value``, ``per_point``, ``samples``, ``standard_error`` and ``k``.

    Raises
    ------
    ValueError
        If k is not below n_samples / 2, or the numbers of samples differ.

    See Also
    --------
    trustworthiness : The converse: whether neighbors on the map are true neighbors.
    class_continuity : Counts only missing neighbors of the same class.
    label_continuity : Compares the separation of classes instead of neighbors.

    References
    ----------
    [Venna2001]_.

    Examples
    --------
    >>> from unknot.metrics import continuity
    >>> line = [[0.0], [1.0], [3.0], [6.0], [10.0]]
    >>> continuity(line, line, k=1).value
    1.0
    """
    x, y, k = _check_pair(points, map_, k, metric)
    sample = stratified_sample(np.zeros(len(x), dtype=np.int64), max_samples, random_state)
    ranks = neighbor_ranks(y, check_graph(x, k, graph, n_jobs, metric), k, sample.rows, n_jobs)
    return warn_notes(faithfulness_from_ranks(ranks, len(x), sample, "continuity"))


def class_trustworthiness(
    points: AnyArray,
    map_: AnyArray,
    labels: AnyArray,
    k: int = 10,
    *,
    map_graph: NeighborGraph | None = None,
    metric: str = "euclidean",
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Faithfulness:
    """Class-aware trustworthiness: counts only false neighbors of another class.

    As `trustworthiness`, with U_i restricted to points of another class than i: false neighbors of
    the same class do not distort a picture of classes. In [0, 1], higher is better.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    map_ : array-like (n_samples, n_components)
        Its map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    k, map_graph, metric, max_samples, random_state, n_jobs
        As in `trustworthiness`; the sample is stratified by class.

    Returns
    -------
    Faithfulness
        ``value``, ``per_point``, ``samples``, ``standard_error`` and ``k``.

    Raises
    ------
    ValueError
        If k is not below n_samples / 2, or the numbers of samples differ.

    See Also
    --------
    trustworthiness : Counts false neighbors of any class.
    class_continuity : The converse: missing neighbors of the same class.
    label_trustworthiness : Compares the separation of classes instead of neighbors.

    References
    ----------
    [Colange2020]_.

    Examples
    --------
    >>> from unknot.metrics import class_trustworthiness
    >>> line = [[0.0], [1.0], [3.0], [6.0], [10.0]]
    >>> shuffled = [[10.0], [6.0], [3.0], [1.0], [0.0]]
    >>> class_trustworthiness(line, shuffled, [0, 0, 0, 0, 0], k=1).value
    1.0
    """
    x, y, k = _check_pair(points, map_, k, metric)
    codes, _ = check_labels(labels, len(x))
    sample = stratified_sample(codes, max_samples, random_state)
    graph = check_graph(y, k, map_graph, n_jobs)
    ranks = neighbor_ranks(x, graph, k, sample.rows, n_jobs)
    counted = codes[graph.indices[sample.rows, :k]] != codes[sample.rows][:, None]
    return warn_notes(
        faithfulness_from_ranks(ranks, len(x), sample, "class-aware trustworthiness", counted)
    )


def class_continuity(
    points: AnyArray,
    map_: AnyArray,
    labels: AnyArray,
    k: int = 10,
    *,
    graph: NeighborGraph | None = None,
    metric: str = "euclidean",
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Faithfulness:
    """Class-aware continuity: counts only missing neighbors of the same class.

    As `continuity`, with V_i restricted to points of the class of i: separating two classes does
    not distort a picture of them, but splitting one does. In [0, 1], higher is better.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    map_ : array-like (n_samples, n_components)
        Its map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    k, graph, metric, max_samples, random_state, n_jobs
        As in `continuity`; the sample is stratified by class.

    Returns
    -------
    Faithfulness
        ``value``, ``per_point``, ``samples``, ``standard_error`` and ``k``.

    Raises
    ------
    ValueError
        If k is not below n_samples / 2, or the numbers of samples differ.

    See Also
    --------
    continuity : Counts missing neighbors of any class.
    class_trustworthiness : The converse: false neighbors of another class.
    label_continuity : Compares the separation of classes instead of neighbors.

    References
    ----------
    [Colange2020]_.

    Examples
    --------
    >>> from unknot.metrics import class_continuity
    >>> line = [[0.0], [1.0], [3.0], [6.0], [10.0]]
    >>> shuffled = [[3.0], [10.0], [1.0], [6.0], [0.0]]
    >>> class_continuity(line, shuffled, [0, 1, 2, 3, 4], k=1).value
    1.0
    """
    x, y, k = _check_pair(points, map_, k, metric)
    codes, _ = check_labels(labels, len(x))
    sample = stratified_sample(codes, max_samples, random_state)
    graph = check_graph(x, k, graph, n_jobs, metric)
    ranks = neighbor_ranks(y, graph, k, sample.rows, n_jobs)
    counted = codes[graph.indices[sample.rows, :k]] == codes[sample.rows][:, None]
    return warn_notes(
        faithfulness_from_ranks(ranks, len(x), sample, "class-aware continuity", counted)
    )


def _check_pair(points: AnyArray, map_: AnyArray, k: int, metric: str) -> tuple[Array, Array, int]:
    x, y = check_mapped(points, map_, min_samples=3, metric=metric)
    return x, y, check_neighbors(k, len(x))


def check_neighbors(k: int, n_samples: int) -> int:
    """Check that trustworthiness and continuity are defined for k, and return it."""
    largest = (n_samples - 1) // 2
    return check_integer(k, "k", 1, largest, f"from 1 to below n_samples / 2 = {n_samples / 2:g}")


class NeighborRanks:
    """Collects the ranks in this space of each evaluated point's neighbors in another space.

    Parameters
    ----------
    rows : array of int64 (n_rows,)
        The evaluated points.
    targets : array of int (n_rows, k)
        Their neighbors in the other space.
    weights : array of float64 (2, n_rows, k), optional
        For `closer`: the weights of the neighbors in two scores.
    """

    def __init__(self, rows: Array, targets: Array, weights: Array | None = None) -> None:
        self.rows = rows
        self.targets = targets
        self.ranks = np.empty(targets.shape, dtype=np.int64)
        self._weights = weights
        # By the first row of each block, which threads finish in any order.
        self._closer: dict[int, Array] = {}

    def __call__(self, part: slice, squares: Array) -> None:
        """Rank the neighbors of a block of rows."""
        from ._shared.kernels_distances import count_closer, ranks

        rows, targets = self.rows[part], self.targets[part]
        ranks(squares, rows, targets, self.ranks[part])
        if self._weights is not None:
            found = np.zeros((len(self._weights), squares.shape[1]))
            weights = np.ascontiguousarray(self._weights[:, part])
            count_closer(squares, rows, targets, self.ranks[part], targets.shape[1], weights, found)
            self._closer[part.start] = found

    @property
    def closer(self) -> Array:
        """The weights of all neighbors of a rank above k that are farther than each point.

        (2, n_samples): by how much the sum of ranks would grow with one more such point.
        """
        return np.asarray(sum(self._closer[start] for start in sorted(self._closer)))


def neighbor_ranks(
    points: Array, graph: NeighborGraph, k: int, rows: Array, n_jobs: int | None
) -> Array:
    """Return the ranks, by distance of the points, of the k neighbors in another space's graph."""
    collected = NeighborRanks(rows, graph.indices[rows, :k])
    scan_distances(points, rows, [collected], n_jobs)
    return collected.ranks


def excess_ranks(ranks: Array, counted: Array | None) -> Array:
    """Return by how much each rank exceeds k; 0 for neighbors that are not counted."""
    excess: Array = np.maximum(ranks - ranks.shape[1], 0)
    return excess if counted is None else excess * counted


def faithfulness_from_ranks(
    ranks: Array, n_samples: int, sample: Sample, name: str, counted: Array | None = None
) -> Faithfulness:
    """Compute the score from the ranks of neighbors, or only of those that are counted."""
    k = ranks.shape[1]
    excess = excess_ranks(ranks, counted).sum(axis=1)
    per_point = 1.0 - 2.0 / (k * (2 * n_samples - 3 * k - 1)) * excess
    error = sample.standard_error(per_point)
    return Faithfulness(
        value=sample.mean(per_point),
        k=k,
        per_point=per_point,
        samples=sample.rows,
        standard_error=error,
        notes=sample.note(name, error),
    )
