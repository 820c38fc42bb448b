"""Separation of classes by their means and variances: Davies-Bouldin, Calinski-Harabasz."""

from dataclasses import dataclass

import numpy as np

from .._typing import AnyArray, Array, Float64
from ._shared.checks import check_labeled, require_classes
from ._shared.many import ClassPairs
from ._shared.moments import ClassMoments, class_moments
from ._shared.results import (
    ClassResult,
    PairResult,
    Result,
    UndefinedMeasureError,
    warn_notes,
)
from .collapse import require_distinct_means, single_point_note, squared_distances_of_means


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DaviesBouldin(PairResult):
    """The Davies-Bouldin index of labeled points.

    Attributes
    ----------
    value, per_pair, classes
        As in `PairResult`.
    per_class : array of float64 (n_classes,)
        For each class, the largest value of its pairs; the value is their mean.

    See Also
    --------
    davies_bouldin : Computes it.
    """

    per_class: Float64[Array, " classes"]
    higher_is_better: bool | None = False


def davies_bouldin(points: AnyArray, labels: AnyArray) -> DaviesBouldin:
    r"""Davies-Bouldin index: spread of pairs of classes relative to the distance of centroids.

    .. math:: R_{ij} = \frac{s_i + s_j}{\|m_i - m_j\|}, \quad DB = \tfrac1C \sum_i \max_j R_{ij}

    with s the mean distance of a class's points to its centroid m. In [0, inf), lower is better:
    0 if every class has collapsed to a point.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.

    Returns
    -------
    DaviesBouldin
        ``value``, ``per_class`` (the largest of each class's pairs) and ``per_pair``.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class, or two centroids coincide.

    See Also
    --------
    class_distance_variance : The same with variances, averaged over all pairs.
    calinski_harabasz : A ratio of variances over all classes.
    silhouette : Uses all distances instead of centroids.

    References
    ----------
    [Davies1979]_.

    Examples
    --------
    Centroids at 1 and 9, spreads of 1 and 2: 3/8.

    >>> from unknot.metrics import davies_bouldin
    >>> davies_bouldin([[0.0], [2.0], [7.0], [11.0]], [0, 0, 1, 1]).value
    0.375
    """
    points, codes, classes = check_labeled(
        points, labels, min_classes=2, measure="the Davies-Bouldin index"
    )
    return warn_notes(
        davies_bouldin_from_moments(class_moments(points, codes, len(classes)), classes)
    )


def davies_bouldin_from_moments(moments: ClassMoments, classes: Array) -> DaviesBouldin:
    """Compute the Davies-Bouldin index from the class moments."""
    require_classes(classes, 2, "the Davies-Bouldin index")
    squares = squared_distances_of_means(moments)
    require_distinct_means(squares, moments, classes, "the Davies-Bouldin index")
    spread = moments.mean_distances[:, None] + moments.mean_distances[None]
    np.fill_diagonal(squares, 1.0)
    per_pair = spread / np.sqrt(squares)
    np.fill_diagonal(per_pair, 0.0)
    per_class = per_pair.max(axis=1)
    return DaviesBouldin(
        value=float(per_class.mean()),
        per_class=per_class,
        per_pair=per_pair,
        classes=classes,
        notes=single_point_note(moments, classes),
    )


def davies_bouldin_from_classes(moments: ClassMoments, classes: Array, pairs: ClassPairs) -> Result:
    """Estimate the Davies-Bouldin index from a part of the classes, each against all others."""
    from ._shared.kernels_distances import worst_ratios

    worst, nearest = np.empty((2, len(pairs.drawn)))
    worst_ratios(moments.means, moments.mean_distances, pairs.drawn, worst, nearest)
    lengths = np.square(moments.means).sum(axis=1)
    same = nearest <= 4e-24 * lengths[pairs.drawn]
    if same.any():
        raise UndefinedMeasureError(
            "the Davies-Bouldin index divides by the distance between class means, and that of "
            f"{classes[pairs.drawn[same.argmax()]]} coincides with another"
        )
    left_out = 1.0 - len(pairs.drawn) / len(classes)
    error = float(worst.std(ddof=1) * np.sqrt(left_out / len(worst)))
    note = pairs.note_on_classes("the Davies-Bouldin index", error)
    return Result(
        value=float(worst.mean()),
        higher_is_better=False,
        notes=(note, *single_point_note(moments, classes)),
    )


def calinski_harabasz(points: AnyArray, labels: AnyArray) -> ClassResult:
    r"""Calinski-Harabasz index: variance between classes over variance within classes.

    .. math:: CH = \frac{\sum_c n_c \|m_c - m\|^2 / (C - 1)}{\sum_c n_c V_c / (N - C)}

    with n the size, m the centroid and V the variance of a class, and m the mean of all points. In
    [0, inf), higher is better: about 1 for random labels. It is proportional to the number of
    points, so compare layers of the same samples, not data sets.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.

    Returns
    -------
    ClassResult
        ``value``, and ``per_class``, the term of each class in the numerator: the value is their
        sum.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class, or the variance within every class is 0.

    See Also
    --------
    davies_bouldin : Judges each class by its worst pair.
    nc1 : A ratio of covariances, which does not depend on the number of points.

    References
    ----------
    [Calinski1974]_.

    Examples
    --------
    Centroids at 1 and 9 about 5: 2 * 16 * 2 = 64; within 1 + 1 + 4 + 4 = 10 over 4 - 2: 64/5.

    >>> from unknot.metrics import calinski_harabasz
    >>> calinski_harabasz([[0.0], [2.0], [7.0], [11.0]], [0, 0, 1, 1]).value
    12.8
    """
    points, codes, classes = check_labeled(
        points, labels, min_classes=2, measure="the Calinski-Harabasz index"
    )
    return warn_notes(
        calinski_harabasz_from_moments(class_moments(points, codes, len(classes)), classes)
    )


def calinski_harabasz_from_moments(moments: ClassMoments, classes: Array) -> ClassResult:
    """Compute the Calinski-Harabasz index from the class moments."""
    require_classes(classes, 2, "the Calinski-Harabasz index")
    counts = moments.counts
    within = float(counts @ moments.variances)
    if within == 0.0:
        raise UndefinedMeasureError(
            "the Calinski-Harabasz index divides by the variance within classes, which is 0"
        )
    centered = moments.means - np.average(moments.means, axis=0, weights=counts)
    between = counts * np.square(centered).sum(axis=1)
    freedom = (counts.sum() - len(classes)) / (len(classes) - 1.0)
    per_class = between / within * freedom
    return ClassResult(
        value=float(per_class.sum()),
        higher_is_better=True,
        per_class=per_class,
        classes=classes,
        notes=single_point_note(moments, classes),
    )
