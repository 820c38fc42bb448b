"""Neighborhood Hit and confusion: the classes of each point's nearest neighbors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Float32, Float64, Shaped
from .._validation.numbers import check_integer
from .._validation.points import check_labels
from ._shared.metric import check_metric, graph_of, in_metric
from ._shared.results import ClassResult, PairResult, Result, format_names, warn_notes
from ._shared.ties import tied_neighbors

if TYPE_CHECKING:
    from ..neighbors import NeighborGraph
else:  # importing it would import Numba
    NeighborGraph = Any


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class NeighborhoodHit(Result):
    """The Neighborhood Hit of labeled points.

    Attributes
    ----------
    value : float
        Mean over the points, in [0, 1].
    k : int
        Number of neighbors. Report it with the value, which depends on it.
    per_class : array of float64 (n_classes,)
        Mean over the points of each class.
    per_point : array of float32 (n_samples,)
        Fraction of each point's k neighbors that are of its class.
    classes : array (n_classes,)
        The class values, in the order of ``per_class``.

    See Also
    --------
    neighborhood_hit : Computes it.
    """

    k: int
    per_class: Float64[Array, " classes"]
    per_point: Float32[Array, " samples"]
    classes: Shaped[Array, " classes"]
    higher_is_better: bool | None = True


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class NeighborConfusion(PairResult):
    """The class confusion of neighbors.

    Attributes
    ----------
    value : float
        Fraction of all neighbors that are of another class than the point, in [0, 1].
    per_pair : array of float64 (n_classes, n_classes)
        Entry (a, b) is the fraction of the neighbors of class a's points that are of class b.
    classes : array (n_classes,)
        The class values, in the order of both axes.
    per_point : array of float32 (n_samples,)
        Fraction of each point's k neighbors that are of another class.
    k : int
        Number of neighbors.

    See Also
    --------
    neighbor_confusion : Computes it.
    """

    per_point: Float32[Array, " samples"]
    k: int
    higher_is_better: bool | None = False


def neighborhood_hit(
    points: AnyArray,
    labels: AnyArray,
    k: int = 6,
    *,
    metric: str = "euclidean",
    graph: NeighborGraph | None = None,
    n_jobs: int | None = None,
) -> NeighborhoodHit:
    r"""Neighborhood Hit: the fraction of a point's k nearest neighbors that are of its own class.

    .. math:: NH_k = \frac{1}{N} \sum_i \frac{|\{j \in kNN(i) : y_j = y_i\}|}{k}

    A point is never its own neighbor. In [0, 1], higher is better: 1 means that every neighborhood
    is pure; random labels give the sum of the squared class fractions, 1/C for C equal classes.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    k : int, default=6
        Number of neighbors, from 1 to n_samples - 1. Increase it for a less local measure; only
        compare values of the same k.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance by which neighbors are nearest.
    graph : NeighborGraph, optional
        Precomputed nearest neighbors of these points, at least k of each. Pass it if several
        measures use the same points. One more than k shows where the k-th has ties; without it,
        the neighbors are searched again if a sample of the points has ties.
    n_jobs : int, optional
        Number of threads of the neighbor search. None uses every core (scikit-learn's None is
        one).

    Returns
    -------
    NeighborhoodHit
        ``value``, ``per_class``, ``per_point``, ``k`` and ``classes``.

    Raises
    ------
    ValueError
        If k is not from 1 to n_samples - 1, or the graph has another number of points or too few
        neighbors.

    See Also
    --------
    neighbor_confusion : The same neighbors, by pairs of classes.
    trustworthiness : Whether the neighbors on a map are true neighbors, whatever their class.
    linear_probe : A global measure of separability.
    nearest_neighbors : Computes ``graph``.

    Notes
    -----
    A class of n points cannot score more than (n - 1)/k, so classes of k points or fewer are
    named in ``notes``. The Neighborhood Hit of a map depends on the map as much as on the points:
    report it next to that of the representation.

    Where several points are as far as the k-th neighbor, as in rounded data, the choice among them
    would be arbitrary. The Neighborhood Hit is the mean over all choices: of the h points that are
    nearer all count, of the others the share of their class, as k - h neighbors. If there are
    ties at more than 1 % of the points, ``notes`` say so. With very many of them among many points,
    only some are compared with all points, and for the rest the mean is over the choices among the
    neighbors in the graph.

    References
    ----------
    [Paulovich2008]_, section 4.

    Examples
    --------
    Two groups of three points on a line; the last point has the other group's label:

    >>> from unknot.metrics import neighborhood_hit
    >>> points = [[0.0], [1.0], [2.5], [10.0], [11.0], [12.5]]
    >>> hit = neighborhood_hit(points, ["a", "a", "a", "b", "b", "a"], k=1)
    >>> hit.value
    0.8333333333333334
    >>> hit.per_class
    array([0.75, 1.  ])
    """
    found, _ = in_metric(points, check_metric(metric), min_samples=2)
    codes, classes = check_labels(labels, len(found))
    graph = check_graph(found, k, graph, n_jobs, metric, further=1)
    return warn_notes(hit_from_graph(graph, k, codes, classes, found, n_jobs))


def neighbor_confusion(
    points: AnyArray,
    labels: AnyArray,
    k: int = 6,
    *,
    metric: str = "euclidean",
    graph: NeighborGraph | None = None,
    n_jobs: int | None = None,
) -> NeighborConfusion:
    r"""Neighbor confusion: how the neighbors of each class are distributed over the classes.

    .. math:: M_{ab} = \operatorname*{mean}_{i : y_i = a} \frac{|\{j \in kNN(i) : y_j = b\}|}{k}

    Each row sums to 1, and the diagonal is the Neighborhood Hit of each class. The value is the
    fraction of all neighbors that are of another class, 1 - NH. In [0, 1], lower is better.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    k : int, default=6
        Number of neighbors, from 1 to n_samples - 1. Increase it for a less local measure; only
        compare values of the same k.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance by which neighbors are nearest.
    graph : NeighborGraph, optional
        Precomputed nearest neighbors of these points, at least k of each; better k + 1, see
        `neighborhood_hit`.
    n_jobs : int, optional
        Number of threads of the neighbor search. None uses every core (scikit-learn's None is
        one).

    Returns
    -------
    NeighborConfusion
        ``value``, ``per_pair`` (not symmetric), ``k`` and ``classes``.

    Raises
    ------
    ValueError
        If k is not from 1 to n_samples - 1, or the graph has another number of points or too few
        neighbors.

    See Also
    --------
    neighborhood_hit : The diagonal of the table, with a value for each point.
    class_distance_variance : Separation of pairs of classes from their means and variances.
    unknot.figures.confusion_heatmap : Draws the table.

    References
    ----------
    The Neighborhood Hit [Paulovich2008]_, by pairs of classes.

    Examples
    --------
    >>> from unknot.metrics import neighbor_confusion
    >>> points = [[0.0], [1.0], [2.5], [10.0], [11.0], [12.5]]
    >>> neighbor_confusion(points, ["a", "a", "a", "b", "b", "a"], k=1).per_pair
    array([[0.75, 0.25],
           [0.  , 1.  ]])
    """
    found, _ = in_metric(points, check_metric(metric), min_samples=2)
    codes, classes = check_labels(labels, len(found))
    graph = check_graph(found, k, graph, n_jobs, metric, further=1)
    return warn_notes(confusion_from_graph(graph, k, codes, classes, found, n_jobs))


def check_graph(
    points: Rows,
    k: int,
    graph: NeighborGraph | None,
    n_jobs: int | None,
    metric: str = "euclidean",
    further: int = 0,
) -> NeighborGraph:
    """Check k, and return the given graph if it has at least k neighbors, or compute one.

    The points are those that `in_metric` returned. A graph that is computed has ``further`` more
    neighbors, if there are so many points.
    """
    n_samples = len(points)
    k = check_integer(k, "k", 1, n_samples - 1, f"from 1 to n_samples - 1 = {n_samples - 1}")
    if graph is None:
        return graph_of(points, min(k + further, n_samples - 1), metric, n_jobs)
    if not hasattr(graph, "indices"):
        raise TypeError(
            f"graph must be a NeighborGraph; got {type(graph).__name__}. Compute one with "
            f"nearest_neighbors(points, {k})"
        )
    rows, columns = graph.indices.shape
    if rows != n_samples:
        raise ValueError(f"graph must have these {n_samples} points; it has {rows}")
    other = getattr(graph, "metric", metric)
    if other != metric and other in ("euclidean", "cosine"):
        raise ValueError(
            f"graph must be of the metric {metric!r}; got one of {other!r}. Pass "
            f"metric={other!r}, or compute it with nearest_neighbors(points, {k}, {metric!r})"
        )
    if columns < k:
        raise ValueError(
            f"graph must hold at least k = {k} neighbors; it holds {columns}. Compute it with "
            f"nearest_neighbors(points, {k}), or pass k={columns}"
        )
    return graph


def confusion_without_table(
    graph: NeighborGraph,
    k: int,
    codes: Array,
    classes: Array,
    points: Rows | None = None,
    n_jobs: int | None = None,
) -> Result:
    """Compute the share of neighbors of other classes, without a table of all pairs of classes."""
    hit = hit_from_graph(graph, k, codes, classes, points, n_jobs)
    note = (
        f"the table of all pairs of {len(classes):,} classes is left out; neighbor_confusion "
        "computes it"
    )
    return ClassResult(
        value=1.0 - hit.value,
        higher_is_better=False,
        per_class=1.0 - hit.per_class,
        classes=classes,
        notes=(note, *hit.notes),
    )


def confusion_from_graph(
    graph: NeighborGraph,
    k: int,
    codes: Array,
    classes: Array,
    points: Rows | None = None,
    n_jobs: int | None = None,
) -> NeighborConfusion:
    """Count the neighbors of each class by class; for ties see `tied_neighbors`."""
    n_samples, count = len(codes), len(classes)
    tied = tied_neighbors(graph, k, codes, points, by_class=True, n_jobs=n_jobs)
    counts = np.bincount(codes)
    chosen = np.ones(n_samples, dtype=np.bool_)
    chosen[tied.rows] = False
    pairs = np.zeros(count * count, dtype=np.int64)
    others = np.zeros(n_samples)
    row = codes * count
    for column in range(k):
        neighbors = codes[graph.indices[:, column]]
        pairs += np.bincount((row + neighbors)[chosen], minlength=count * count)
        others += neighbors != codes
    table = pairs.reshape(count, count).astype(np.float64)
    np.add.at(table, codes[tied.rows], tied.expected)
    own = codes[tied.rows]
    others[tied.rows] = k - tied.expected[np.arange(len(own)), own]
    return NeighborConfusion(
        value=float(1.0 - np.trace(table) / (k * n_samples)),
        k=k,
        per_pair=table / (k * counts)[:, None],
        per_point=(others / k).astype(np.float32),
        classes=classes,
        notes=(
            *_class_notes(k, counts, classes),
            *(tied.note("the confusion", n_samples) if count > 1 else ()),
        ),
    )


def hit_from_graph(
    graph: NeighborGraph,
    k: int,
    codes: Array,
    classes: Array,
    points: Rows | None = None,
    n_jobs: int | None = None,
) -> NeighborhoodHit:
    """Count each point's neighbors of its own class; for ties see `tied_neighbors`."""
    n_samples = len(codes)
    tied = tied_neighbors(graph, k, codes, points, by_class=False, n_jobs=n_jobs)
    indices = graph.indices
    small = codes.astype(np.int32)
    same = np.zeros(n_samples)
    # One column at a time avoids a table (n, k) of the neighbors' labels.
    for column in range(k):
        same += small[indices[:, column]] == small
    same[tied.rows] = tied.expected[:, 0]
    counts = np.bincount(codes)
    hits = np.bincount(codes, weights=same)
    return NeighborhoodHit(
        value=float(hits.sum() / (k * n_samples)),
        k=k,
        per_class=hits / (k * counts),
        per_point=(same / k).astype(np.float32),
        classes=classes,
        notes=(
            *_class_notes(k, counts, classes),
            *(tied.note("the Neighborhood Hit", n_samples) if len(classes) > 1 else ()),
        ),
    )


def _class_notes(k: int, counts: Array, classes: Array) -> tuple[str, ...]:
    if len(classes) == 1:
        return (f"there is only one class ({classes[0]}): every neighbor is of that class",)
    capped = counts <= k
    if not capped.any():
        return ()
    return (
        f"{int(capped.sum())} of {len(classes)} classes have no more than k = {k} points, so "
        f"their Neighborhood Hit cannot reach 1: {format_names(classes[capped])}",
    )
