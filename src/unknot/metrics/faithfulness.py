"""Faithfulness of a map: which neighbors and which classes it brings together or tears apart."""

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
        The number of neighbors looked at.
    per_point : array of float64 (n_sampled,)
        The score of each point that was looked at; the value is their (weighted) mean.
    samples : array of int64 (n_sampled,)
        Which points these are: all of them, or a sample.
    standard_error : float
        Of the value, from the sampling; 0 where all points were looked at.
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
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Faithfulness:
    r"""Trustworthiness: whether neighbors on the map are neighbors in the representation.

    .. math:: T_k = 1 - \frac{2}{N k (2N - 3k - 1)} \sum_i \sum_{j \in U_i} (r(i, j) - k)

    with U_i the points among the k nearest of i on the map but not in the representation, and
    r(i, j) the rank of j by distance from i in the representation. In [0, 1]: 1 where no stranger
    is among the neighbors on the map; about 1/2 for a map that has nothing to do with the points.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    map_ : array-like (n_samples, n_components)
        Its map.
    k : int
        The number of neighbors, below n_samples / 2.
    map_graph : NeighborGraph, optional
        The nearest neighbors on the map, at least k, where they are known already.
    max_samples : int, optional
        Look at the neighbors of about so many points instead of all; the ranks are always among
        all points. The error of this is stated.
    random_state : int, optional
        Seed of the sample.
    n_jobs : int, optional
        Threads; every core by default.

    Returns
    -------
    Faithfulness
        ``value``, ``per_point``, ``samples``, ``standard_error`` and ``k``.

    Raises
    ------
    ValueError
        If k is not below n_samples / 2, or the numbers of samples differ.

    References
    ----------
    [Venna2001]_.

    Examples
    --------
    A line whose second and fourth points change places on the map. The nearest there is, of each
    point in turn, the 4th, 3rd, 4th, 1st and 2nd: 3rd, 2nd, 3rd, 4th and 3rd nearest on the line,
    an excess over k = 1 of 2 + 1 + 2 + 3 + 2 = 10. The score is 1 - 2/(5 (10 - 3 - 1)) 10.

    >>> from unknot.metrics import trustworthiness
    >>> line = [[0.0], [1.0], [3.0], [6.0], [10.0]]
    >>> round(trustworthiness(line, [[0.0], [6.0], [3.0], [1.0], [10.0]], k=1).value, 4)
    0.3333
    """
    x, y, k = _check_pair(points, map_, k)
    sample = stratified_sample(np.zeros(len(x), dtype=np.int64), max_samples, random_state)
    ranks = neighbor_ranks(x, check_graph(y, k, map_graph, n_jobs), k, sample.rows, n_jobs)
    return warn_notes(faithfulness_from_ranks(ranks, len(x), sample, "trustworthiness"))


def continuity(
    points: AnyArray,
    map_: AnyArray,
    k: int = 10,
    *,
    graph: NeighborGraph | None = None,
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Faithfulness:
    r"""Continuity: whether neighbors in the representation are neighbors on the map.

    .. math:: C_k = 1 - \frac{2}{N k (2N - 3k - 1)} \sum_i \sum_{j \in V_i} (\hat r(i, j) - k)

    with V_i the points among the k nearest of i in the representation but not on the map, and
    r^(i, j) the rank of j by distance from i on the map. In [0, 1]: 1 where no neighbor is
    missing on the map.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    map_ : array-like (n_samples, n_components)
        Its map.
    k : int
        The number of neighbors, below n_samples / 2.
    graph : NeighborGraph, optional
        The nearest neighbors in the representation, at least k, where they are known already.
    max_samples, random_state, n_jobs
        As in `trustworthiness`.

    Returns
    -------
    Faithfulness
        ``value``, ``per_point``, ``samples``, ``standard_error`` and ``k``.

    Raises
    ------
    ValueError
        If k is not below n_samples / 2, or the numbers of samples differ.

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
    x, y, k = _check_pair(points, map_, k)
    sample = stratified_sample(np.zeros(len(x), dtype=np.int64), max_samples, random_state)
    ranks = neighbor_ranks(y, check_graph(x, k, graph, n_jobs), k, sample.rows, n_jobs)
    return warn_notes(faithfulness_from_ranks(ranks, len(x), sample, "continuity"))


def class_trustworthiness(
    points: AnyArray,
    map_: AnyArray,
    labels: AnyArray,
    k: int = 10,
    *,
    map_graph: NeighborGraph | None = None,
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Faithfulness:
    """Class-aware trustworthiness: only strangers of another class count against the map.

    As `trustworthiness`, with U_i the points of another class than i that are among its k nearest
    on the map but not in the representation. A stranger of the same class does no harm to a
    picture of classes.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    map_ : array-like (n_samples, n_components)
        Its map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    k, map_graph, max_samples, random_state, n_jobs
        As in `trustworthiness`; the sample is drawn from each class in its share.

    Returns
    -------
    Faithfulness
        ``value``, ``per_point``, ``samples``, ``standard_error`` and ``k``.

    Raises
    ------
    ValueError
        If k is not below n_samples / 2, or the numbers of samples differ.

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
    x, y, k = _check_pair(points, map_, k)
    codes, _ = check_labels(labels, len(x))
    sample = stratified_sample(codes, max_samples, random_state)
    graph = check_graph(y, k, map_graph, n_jobs)
    ranks = neighbor_ranks(x, graph, k, sample.rows, n_jobs)
    strangers = codes[graph.indices[sample.rows, :k]] != codes[sample.rows][:, None]
    return warn_notes(
        faithfulness_from_ranks(ranks, len(x), sample, "class-aware trustworthiness", strangers)
    )


def class_continuity(
    points: AnyArray,
    map_: AnyArray,
    labels: AnyArray,
    k: int = 10,
    *,
    graph: NeighborGraph | None = None,
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Faithfulness:
    """Class-aware continuity: only missing neighbors of the same class count against the map.

    As `continuity`, with V_i the points of the class of i that are among its k nearest in the
    representation but not on the map. To tear classes from each other does no harm to a picture of
    them; to tear one apart does.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    map_ : array-like (n_samples, n_components)
        Its map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    k, graph, max_samples, random_state, n_jobs
        As in `continuity`; the sample is drawn from each class in its share.

    Returns
    -------
    Faithfulness
        ``value``, ``per_point``, ``samples``, ``standard_error`` and ``k``.

    Raises
    ------
    ValueError
        If k is not below n_samples / 2, or the numbers of samples differ.

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
    x, y, k = _check_pair(points, map_, k)
    codes, _ = check_labels(labels, len(x))
    sample = stratified_sample(codes, max_samples, random_state)
    graph = check_graph(x, k, graph, n_jobs)
    ranks = neighbor_ranks(y, graph, k, sample.rows, n_jobs)
    own = codes[graph.indices[sample.rows, :k]] == codes[sample.rows][:, None]
    return warn_notes(faithfulness_from_ranks(ranks, len(x), sample, "class-aware continuity", own))


def _check_pair(points: AnyArray, map_: AnyArray, k: int) -> tuple[Array, Array, int]:
    x, y = check_mapped(points, map_, min_samples=3)
    return x, y, check_neighbors(k, len(x))


def check_neighbors(k: int, n_samples: int) -> int:
    """Return k if trustworthiness and continuity are defined for it."""
    largest = (n_samples - 1) // 2
    return check_integer(k, "k", 1, largest, f"from 1 to below n_samples / 2 = {n_samples / 2:g}")


class NeighborRanks:
    """Collects, for each chosen point, the ranks that its neighbors elsewhere have here."""

    def __init__(self, rows: Array, targets: Array) -> None:
        self.rows = rows
        self.targets = targets
        self.ranks = np.empty(targets.shape, dtype=np.int64)

    def __call__(self, part: slice, squares: Array) -> None:
        """Rank those of a block of points."""
        from ._shared.kernels_distances import ranks

        ranks(squares, self.rows[part], self.targets[part], self.ranks[part])


def neighbor_ranks(
    points: Array, graph: NeighborGraph, k: int, rows: Array, n_jobs: int | None
) -> Array:
    """Ranks, by distance between the points, of the k nearest in a graph made elsewhere."""
    collected = NeighborRanks(rows, graph.indices[rows, :k])
    scan_distances(points, rows, [collected], n_jobs)
    return collected.ranks


def excess_ranks(ranks: Array, counted: Array | None) -> Array:
    """By how much the rank of each neighbor exceeds k; 0 for those that do not count."""
    excess: Array = np.maximum(ranks - ranks.shape[1], 0)
    return excess if counted is None else excess * counted


def faithfulness_from_ranks(
    ranks: Array, n_samples: int, sample: Sample, name: str, counted: Array | None = None
) -> Faithfulness:
    """Compute the score from the ranks of neighbors; only those ``counted`` can do harm."""
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
