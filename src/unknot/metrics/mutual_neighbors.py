"""Mutual nearest neighbors: how many neighbors of a sample two representations agree on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._typing import AnyArray, Array, Float64
from .._validation.numbers import check_integer
from ._shared.metric import EUCLIDEAN, check_metric, graph_of, in_metric
from ._shared.results import Result, warn_notes

if TYPE_CHECKING:
    from ..neighbors import NeighborGraph
else:  # importing it would import Numba
    NeighborGraph = Any

# Pairs of neighbors that are compared at a time.
PAIRS = 2**24
# Up to this share of tied samples, nothing is said.
FEW = 0.01


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MutualNeighbors(Result):
    """The overlap of nearest neighbors in two representations.

    Attributes
    ----------
    value : float
        In [0, 1].
    chance : float
        The value of representations that have nothing in common: k / (n_samples - 1).
    k : int
        The number of neighbors.
    per_point : array of float64 (n_samples,)
        The share of each sample's neighbors that it has in both representations.

    See Also
    --------
    mutual_knn : Computes it.
    """

    chance: float
    k: int
    per_point: Float64[Array, " samples"]


def mutual_knn(
    first: AnyArray,
    second: AnyArray,
    *,
    k: int = 10,
    metric: str = "euclidean",
    n_jobs: int | None = None,
) -> MutualNeighbors:
    r"""Mutual nearest neighbors: the share of neighbors that two representations agree on.

    .. math:: A_k(X, Y) = \frac1n \sum_i \frac{|N_k^X(i) \cap N_k^Y(i)|}{k}

    with the k nearest neighbors N of each sample. In [0, 1], neither end is better: 1 if all
    neighborhoods are the same, k / (n - 1) by chance.

    Parameters
    ----------
    first, second : array-like (n_samples, n_features)
        Two representations of the same samples in the same order, with any numbers of features.
    k : int, default=10
        The number of neighbors, less than n_samples. Increase it to compare coarser structure.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance between points; [Huh2024]_ uses the cosine.
    n_jobs : int, optional
        Number of threads; None uses every core.

    Returns
    -------
    MutualNeighbors
        ``value``, ``chance``, ``k`` and ``per_point``.

    Raises
    ------
    ValueError
        If the numbers of samples differ, or k or the metric is not possible.

    See Also
    --------
    trustworthiness, continuity : Of a map, by the ranks of the neighbors that differ.
    linear_cka : Compares global geometry.
    unknot.similarity_matrix : Compares all layers with each other.

    References
    ----------
    [Huh2024]_.

    Examples
    --------
    The points 0, 1, 3, 7 have the nearest neighbors 1, 0, 1, 3; with the last moved next to the
    first they are 7, 0, 1, 0, of which two agree.

    >>> from unknot.metrics import mutual_knn
    >>> found = mutual_knn([[0.0], [1.0], [3.0], [7.0]], [[0.0], [1.0], [3.0], [-0.5]], k=1)
    >>> found.value, found.per_point.tolist(), round(found.chance, 3)
    (0.5, [0.0, 1.0, 1.0, 0.0], 0.333)
    """
    metric = check_metric(metric)
    x, x_notes = in_metric(first, metric, name="first", min_samples=2)
    y, y_notes = in_metric(second, metric, name="second", min_samples=2)
    if len(x) != len(y):
        raise ValueError(
            f"first and second must have the same samples; got {len(x)} and {len(y)} of them"
        )
    k = check_integer(k, "k", 1, len(x) - 1, f"from 1 to n_samples - 1 = {len(x) - 1}")
    graphs = [graph_of(each, min(k + 1, len(x) - 1), metric, n_jobs) for each in (x, y)]
    ties = [
        tie_note(graph, k, name) for graph, name in zip(graphs, ("first", "second"), strict=True)
    ]
    result = mutual_of_graphs(*(sorted_neighbors(graph, k) for graph in graphs))
    notes = (
        *(f"first: {note}" for note in x_notes),
        *(f"second: {note}" for note in y_notes),
        *(note for note in ties if note),
    )
    return warn_notes(
        MutualNeighbors(
            value=float(result.mean()),
            chance=k / (len(x) - 1),
            k=k,
            per_point=result,
            notes=notes,
        )
    )


def neighbors_in(points: Array, k: int, metric: str = EUCLIDEAN) -> Array:
    """Return the k nearest neighbors of each point, in the order of their indices."""
    found, _ = in_metric(points, metric)
    return sorted_neighbors(graph_of(found, k, metric, None), k)


def sorted_neighbors(graph: NeighborGraph, k: int) -> Array:
    """Return the first k neighbors of each point, in the order of their indices."""
    return np.sort(graph.indices[:, :k], axis=1)


def mutual_of_graphs(first: Array, second: Array) -> Float64[Array, " samples"]:
    """Return the share of neighbors that each sample has in both, as `sorted_neighbors` gives."""
    n_samples, k = first.shape
    shares = np.empty(n_samples)
    step = max(1, PAIRS // (2 * k))
    for start in range(0, n_samples, step):
        both = np.concatenate([first[start : start + step], second[start : start + step]], axis=1)
        both.sort(axis=1)
        shares[start : start + step] = (both[:, 1:] == both[:, :-1]).sum(axis=1) / k
    return shares


def tie_note(graph: NeighborGraph, k: int, name: str) -> str:
    """Return a note if the k-th neighbor of many samples is one of several as near."""
    distances = graph.distances
    if distances.shape[1] <= k:
        return ""
    tied = int((distances[:, k] == distances[:, k - 1]).sum())
    if tied <= FEW * len(distances):
        return ""
    return (
        f"{tied} of {len(distances)} samples have more neighbors at the distance of their k-th "
        f"than k counts in {name}; which of them count is drawn at random"
    )
