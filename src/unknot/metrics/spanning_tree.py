"""Edges of the minimum spanning tree between classes: the Friedman-Rafsky test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Float64, Int64
from ._shared.among import check_limit, draw_rows, note_on_density, squares_among
from ._shared.checks import check_labeled, require_classes
from ._shared.results import ClassResult, UndefinedMeasureError, warn_notes


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SpanningTreeEdges(ClassResult):
    """The edges of the minimum spanning tree that join two classes.

    Attributes
    ----------
    value : float
        Fraction of the edges that join points of different classes, in [0, 1].
    per_class : array of float64 (n_classes,)
        The same of the edges at the points of each class; NaN for classes that were not drawn.
    expected : float
        Mean of the value over all permutations of the labels, with the tree fixed.
    deviation : float
        Standard deviation of the value over all permutations of the labels.
    z : float
        (value - expected) / deviation, negative if classes are separated; 0 if the deviation is.
    edges : array of int64 (n_used - 1, 2)
        The two ends of each edge: indices into all points.
    samples : array of int64 (n_used,)
        Indices of the points in the tree.
    classes : array (n_classes,)
        The class values, in the order of ``per_class``.

    See Also
    --------
    spanning_tree_edges : Computes it.
    """

    expected: float
    deviation: float
    z: float
    edges: Int64[Array, "edges 2"]
    samples: Int64[Array, " used"]
    higher_is_better: bool | None = False


def spanning_tree_edges(
    points: AnyArray,
    labels: AnyArray,
    *,
    metric: str = "euclidean",
    max_samples: int | None = 4000,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> SpanningTreeEdges:
    r"""Class edges of the minimum spanning tree: the fraction that join two classes.

    The tree joins all points by the shortest edges. In [0, 1], lower is better: (C - 1)/(N - 1) if
    each of C classes is one piece, closer to itself than to others. With permuted labels it is
    ``expected``,

    .. math:: 1 - \sum_c \frac{n_c (n_c - 1)}{N (N - 1)},

    and its exact standard deviation over all permutations follows from the degrees of the tree;
    ``z`` compares the two. For two classes this is the multivariate two-sample test of Friedman and
    Rafsky, and z is about standard normal if the classes have the same distribution.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    metric : {"euclidean", "cosine"}, default="euclidean"
        The distance by which the edges are short.
    max_samples : int or None, default=4000
        Use the tree of this many points, drawn at random. None uses all, which takes time and
        memory with the square of their number (8 bytes a pair). The fraction falls as their number
        grows, and the size of z grows with its square root.
    random_state : int or None, default=0
        Seed of the sample. The default gives the same result each time; None draws differently.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    SpanningTreeEdges
        ``value``, ``per_class``, ``expected``, ``deviation``, ``z``, ``edges`` and ``samples``.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class, or all points coincide.

    See Also
    --------
    neighbor_confusion : By k nearest neighbors, and pairs of classes.
    knn_accuracy : Whether most neighbors are of the class.

    Notes
    -----
    Unlike neighbors, the edges connect all points: a class in two pieces has at least one edge more
    that leaves it. Among equally long edges those between earlier points are taken.

    References
    ----------
    [Friedman1979]_; the tree: [Prim1957]_.

    Examples
    --------
    On a line, the tree joins neighbors; two of its four edges join two classes. The permutations'
    mean is 1 - (3 * 2 + 2 * 1)/(5 * 4):

    >>> from unknot.metrics import spanning_tree_edges
    >>> tree = spanning_tree_edges([[0.0], [1.0], [3.0], [6.0], [10.0]], ["a", "a", "b", "b", "a"])
    >>> tree.value, tree.expected
    (0.5, 0.6)
    """
    points, codes, classes = check_labeled(
        points, labels, metric=metric, min_classes=2, measure="the spanning tree's class edges"
    )
    return warn_notes(
        spanning_tree_from_points(
            points, codes, classes, check_limit(max_samples), random_state, n_jobs
        )
    )


def spanning_tree_from_points(
    points: Rows,
    codes: Array,
    classes: Array,
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> SpanningTreeEdges:
    """Count the class edges in the spanning tree of a sample of checked points."""
    require_classes(classes, 2, "the spanning tree's class edges")
    rows = draw_rows(len(points), max_samples, random_state)
    own = codes[rows]
    if (own == own[0]).all():
        raise UndefinedMeasureError(
            "the spanning tree's class edges compare classes, and all "
            f"{len(rows)} points drawn are of class {classes[own[0]]}. Increase max_samples"
        )
    squares = squares_among(np.asarray(points[rows]), n_jobs)
    if not squares.any():
        raise UndefinedMeasureError(
            "the spanning tree joins the nearest points, and all points coincide"
        )
    edges = minimum_spanning_tree(squares)
    ends = own[edges]
    between = ends[:, 0] != ends[:, 1]
    notes = note_on_density(
        "the fraction of class edges in the spanning tree", len(rows), len(points), "falls"
    )
    at_once = int((squares[edges[:, 0], edges[:, 1]][between] == 0.0).sum())
    if at_once:
        notes += (
            f"{at_once} of {len(edges)} edges join duplicates of different classes, and which "
            "edges do so is arbitrary",
        )
    value = float(between.mean())
    expected, deviation = permutation_moments(edges, np.bincount(own))
    at_class = np.bincount(ends.ravel(), minlength=len(classes))
    leaving = np.bincount(ends[between].ravel(), minlength=len(classes))
    per_class = np.divide(leaving, at_class, out=np.full(len(classes), np.nan), where=at_class > 0)
    return SpanningTreeEdges(
        value=value,
        per_class=per_class,
        expected=expected,
        deviation=deviation,
        z=(value - expected) / deviation if deviation > 0.0 else 0.0,
        edges=rows[edges],
        samples=rows,
        classes=classes,
        notes=notes,
    )


def minimum_spanning_tree(lengths: Float64[Array, "points points"]) -> Int64[Array, "edges 2"]:
    """Return the edges of the minimum spanning tree, from the lengths of all (Prim).

    Edges of length 0, which sparse solvers take for missing ones, count.
    """
    n = len(lengths)
    nearest = lengths[0].copy()
    parent = np.zeros(n, dtype=np.int64)
    # Points in the tree are at an infinite distance, so that none is added twice.
    nearest[0] = np.inf
    outside = np.ones(n, dtype=bool)
    outside[0] = False
    edges = np.empty((n - 1, 2), dtype=np.int64)
    for step in range(n - 1):
        added = int(nearest.argmin())
        edges[step] = parent[added], added
        outside[added] = False
        closer = (lengths[added] < nearest) & outside
        nearest[closer] = lengths[added][closer]
        parent[closer] = added
        nearest[added] = np.inf
    return edges


def permutation_moments(edges: Array, counts: Array) -> tuple[float, float]:
    r"""Return mean and standard deviation of the fraction of edges between classes.

    Over all permutations of labels with these counts. The number S of edges within classes is a
    sum over edges; two edges share both ends, one end (with degrees g, sum g (g - 1) ordered pairs
    of edges) or none:

    .. math:: E S = E p_2, \quad E S^2 = E p_2 + (\textstyle\sum g^2 - 2E) p_3
              + (E^2 + E - \sum g^2) p_4

    with p_2, p_3 the probabilities that two or three points are of one class, and p_4 that two and
    two others are, by falling factorials of the counts.
    """
    n_edges, n = len(edges), float(counts.sum())
    degrees = np.bincount(edges.ravel())
    squares = float(np.square(degrees).sum())
    c = counts.astype(np.float64)
    two, three = c * (c - 1.0), c * (c - 1.0) * (c - 2.0)
    p2 = two.sum() / (n * (n - 1.0))
    # Without three or four points there are no such pairs of edges.
    p3 = three.sum() / max(n * (n - 1.0) * (n - 2.0), 1.0)
    four = (three * (c - 3.0)).sum() + two.sum() ** 2 - np.square(two).sum()
    p4 = four / max(n * (n - 1.0) * (n - 2.0) * (n - 3.0), 1.0)
    mean = n_edges * p2
    second = mean + (squares - 2.0 * n_edges) * p3 + (n_edges**2 + n_edges - squares) * p4
    variance = max(second - mean**2, 0.0)
    return float(1.0 - p2), float(np.sqrt(variance)) / n_edges
