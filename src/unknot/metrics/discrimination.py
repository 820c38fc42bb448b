"""Discrimination of classes by total variances (Fisher) and by mean distances (GDV)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Float64, Int64
from ._shared.among import (
    check_limit,
    draw_of_classes,
    spread_over_classes,
    squares_among,
)
from ._shared.checks import check_labeled, require_classes
from ._shared.many import TABLE_CLASSES
from ._shared.moments import ClassMoments, class_moments, members_by_class, point_blocks
from ._shared.results import (
    ClassResult,
    UndefinedMeasureError,
    format_names,
    warn_notes,
)
from .collapse import single_point_note, squared_distances_of_means


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FisherRatio(ClassResult):
    """The Fisher ratio of labeled points.

    Attributes
    ----------
    value : float
        Variance between classes over variance within classes, in [0, inf).
    per_class : array of float64 (n_classes,)
        The term of each class in the numerator, over the denominator: the value is their sum.
    per_pair : array of float64 (n_classes, n_classes), or None
        The Fisher ratio of each pair of classes alone; 0 on the diagonal, and infinite for two
        classes without variance. None above 256 classes.
    influence : array of float64 (n_samples,), or None
        Influence of each point on the value: to first order, the value of a resample is the value
        plus the mean influence of its points. They sum to 0.
    classes : array (n_classes,)
        The class values, in the order of ``per_class`` and of both axes of ``per_pair``.

    See Also
    --------
    fisher_ratio : Computes it.
    """

    per_pair: Float64[Array, "classes classes"] | None = None
    influence: Float64[Array, " samples"] | None = None
    higher_is_better: bool | None = True


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DiscriminationValue(ClassResult):
    """The generalized discrimination value of labeled points.

    Attributes
    ----------
    value : float
        Mean distance within classes minus mean distance between classes, about [-1, 0].
    per_class : array of float64 (n_classes,)
        Mean distance within each class minus its mean distance to the others; the value is their
        mean. NaN for classes of one point.
    per_pair : array of float64 (n_classes, n_classes), or None
        Mean distance between the points of each pair of classes, and within each class on the
        diagonal, in the unit of the value; NaN for classes of one point. None above 256 classes.
    samples : array of int64 (n_used,)
        Indices of the points used.
    classes : array (n_classes,)
        The class values, in the order of ``per_class`` and of both axes of ``per_pair``.

    See Also
    --------
    generalized_discrimination_value : Computes it.
    """

    per_pair: Float64[Array, "classes classes"] | None
    samples: Int64[Array, " used"]
    higher_is_better: bool | None = False


def fisher_ratio(points: AnyArray, labels: AnyArray, *, n_jobs: int | None = None) -> FisherRatio:
    r"""Fisher ratio: total variance between classes over total variance within classes.

    .. math:: J = \frac{\operatorname{tr} S_B}{\operatorname{tr} S_W}
              = \frac{\sum_c n_c \|m_c - m\|^2}{\sum_c n_c V_c}

    with n the size, m the mean and V the variance of a class, and m the mean of all points. In
    [0, inf), higher is better: about (C - 1)/(N - C) for random labels. J/(1 + J) is the fraction
    of the variance that the classes explain.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    FisherRatio
        ``value``, ``per_class``, ``per_pair`` and ``influence``.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class, or the variance within every class is 0.

    See Also
    --------
    calinski_harabasz : The same, times (N - C)/(C - 1): it grows with the number of points.
    nc1 : Only the variance within classes that is along the class means, and smaller is better.
    class_distance_variance : The reciprocal by pairs of classes, averaged.

    References
    ----------
    [Fisher1936]_; the traces of the scatter matrices: [Fukunaga1990]_, section 10.2.

    Examples
    --------
    Means at 1 and 9 about 5: 16; within (1 + 1 + 4 + 4)/4 = 2.5.

    >>> from unknot.metrics import fisher_ratio
    >>> fisher_ratio([[0.0], [2.0], [7.0], [11.0]], [0, 0, 1, 1]).value
    6.4
    """
    points, codes, classes = check_labeled(
        points, labels, min_classes=2, measure="the Fisher ratio"
    )
    moments = class_moments(points, codes, len(classes), n_jobs)
    return warn_notes(fisher_ratio_from_moments(moments, classes, points, codes))


def fisher_ratio_from_moments(
    moments: ClassMoments,
    classes: Array,
    points: Rows | None = None,
    codes: Array | None = None,
) -> FisherRatio:
    """Compute the Fisher ratio from the class moments, and the influences if points are given."""
    require_classes(classes, 2, "the Fisher ratio")
    shares = moments.counts / moments.counts.sum()
    within = float(shares @ moments.variances)
    if within == 0.0:
        raise UndefinedMeasureError(
            "the Fisher ratio divides by the variance within classes, which is 0"
        )
    mean = shares @ moments.means
    centered = moments.means - mean
    per_class = shares * np.square(centered).sum(axis=1) / within
    value = float(per_class.sum())
    influence = None
    if points is not None and codes is not None:
        to_own, to_mean = _squares_to_means(points, codes, moments, mean)
        # tr S_B is the total variance minus tr S_W, and both are means over the points.
        influence = (to_mean - to_own - value * to_own) / within
        influence -= influence.mean()
    return FisherRatio(
        value=value,
        per_class=per_class,
        per_pair=_fisher_pairs(moments) if len(classes) <= TABLE_CLASSES else None,
        influence=influence,
        classes=classes,
        notes=single_point_note(moments, classes),
    )


def _fisher_pairs(moments: ClassMoments) -> Array:
    """Return n_a n_b |m_a - m_b|^2 / ((n_a + n_b)(n_a V_a + n_b V_b)) of each pair of classes.

    Infinite for pairs of different points, without any variance.
    """
    n = moments.counts
    total = n * moments.variances
    within = (total[:, None] + total) * (n[:, None] + n)
    between = n[:, None] * n * squared_distances_of_means(moments)
    ratio = np.where(between > 0.0, np.inf, 0.0)
    np.divide(between, within, out=ratio, where=within > 0.0)
    np.fill_diagonal(ratio, 0.0)
    return ratio


def _squares_to_means(
    points: Rows, codes: Array, moments: ClassMoments, mean: Array
) -> tuple[Array, Array]:
    """Return the squared distance of each point to its class mean, and to the mean of all."""
    to_own, to_mean = np.empty((2, len(codes)))
    own_means, overall = moments.means + moments.origin, mean + moments.origin
    for rows in point_blocks(points, points.shape[1]):
        block = points[rows].astype(np.float64)
        for out, means in ((to_own, own_means[codes[rows]]), (to_mean, overall)):
            difference = block - means
            out[rows] = np.einsum("ij,ij->i", difference, difference)
    return to_own, to_mean


def generalized_discrimination_value(
    points: AnyArray,
    labels: AnyArray,
    *,
    max_samples: int | None = 3000,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> DiscriminationValue:
    r"""Generalized discrimination value (GDV): distances within minus distances between classes.

    .. math:: GDV = \frac{1}{\sqrt D} \left[ \frac1C \sum_c \bar d_{cc}
              - \frac{2}{C(C-1)} \sum_{a<b} \bar d_{ab} \right]

    with d the mean distance of two points, of the same class or of two classes, after each feature
    is scaled to mean 0 and standard deviation 1/2; D counts the features. Lower is better: -1 for
    two classes that have each collapsed to a point; for C collapsed classes of equal size it is at
    least -sqrt(C / (2C - 2)), that is -.745 for ten. About 0 if the classes have the same
    distribution; in the limit of many points it cannot be above 0. It does not depend on the units
    of the features, and hardly on their number and that of the points.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    max_samples : int or None, default=3000
        Use the distances between a stratified sample of about this many points. None uses all,
        which takes time and memory with the square of their number.
    random_state : int or None, default=0
        Seed of the sample. The default gives the same result each time; None draws differently.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    DiscriminationValue
        ``value``, ``per_class``, ``per_pair`` and ``samples``.

    Raises
    ------
    UndefinedMeasureError
        If fewer than two classes have two points, or all points coincide.

    See Also
    --------
    silhouette : By the nearest other class of each point, and relative to distances.
    fisher_ratio : By squared distances, without scaling the features.

    Notes
    -----
    Constant features have no scale: they are left out, and D does not count them. Every class has
    the same weight, whatever its size. Rotations change the value, since features are scaled one by
    one.

    References
    ----------
    [Schilling2021]_, equations 1 to 4.

    Examples
    --------
    Two classes, each collapsed to a point:

    >>> from unknot.metrics import generalized_discrimination_value
    >>> generalized_discrimination_value([[0, 3], [0, 3], [5, 1], [5, 1]], [0, 0, 1, 1]).value
    -1.0
    """
    points, codes, classes = check_labeled(points, labels, min_classes=2, measure="the GDV")
    return warn_notes(
        discrimination_value_from_points(
            points, codes, classes, check_limit(max_samples), random_state, n_jobs
        )
    )


def discrimination_value_from_points(
    points: Rows,
    codes: Array,
    classes: Array,
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> DiscriminationValue:
    """Compute the GDV of a sample of checked points; features are scaled by all of them."""
    require_classes(classes, 2, "the GDV")
    if (np.bincount(codes) >= 2).sum() < 2:
        raise UndefinedMeasureError(
            "the GDV compares distances within and between classes; it needs at least two classes "
            "of two points or more"
        )
    sample, kept, notes = draw_of_classes(codes, max_samples, random_state, what="the GDV")
    alone = np.bincount(codes) == 1
    if alone.any():
        notes.append(
            f"{int(alone.sum())} of {len(classes)} classes have one point, and so no distance "
            f"within them; the GDV leaves them out: {format_names(classes[alone])}"
        )
    varying = points.min(axis=0) < points.max(axis=0)
    if not varying.any():
        raise UndefinedMeasureError(
            "the GDV scales each feature by its standard deviation, which is 0 for all of them"
        )
    taken = points[sample.rows][:, varying].astype(np.float64)
    mean, deviation = _mean_and_deviation(points)
    scaled = (taken - mean[varying]) / (2.0 * deviation[varying])
    distances = squares_among(scaled, n_jobs)
    np.sqrt(distances, out=distances)
    members = members_by_class(sample.codes, len(kept))
    sums = np.stack([distances[:, own].sum(axis=1) for own in members], axis=1)
    totals = np.stack([sums[own].sum(axis=0) for own in members])
    counts = np.bincount(sample.codes).astype(np.float64)
    pairs = np.outer(counts, counts)
    np.fill_diagonal(pairs, counts * (counts - 1.0))
    means = totals / pairs / np.sqrt(varying.sum())
    within = means.diagonal()
    between = (means.sum(axis=1) - within) / (len(kept) - 1.0)
    per_class = spread_over_classes(within - between, kept, len(classes))
    per_pair = None
    if len(classes) <= TABLE_CLASSES:
        per_pair = np.full((len(classes), len(classes)), np.nan)
        per_pair[np.ix_(kept, kept)] = means
    value = float((within - between).mean())
    if not sample.whole:
        notes.append(
            f"the GDV is estimated from the distances between {len(sample.rows)} of "
            f"{int(sample.sizes.sum())} points, a stratified sample"
        )
    return DiscriminationValue(
        value=value,
        per_class=per_class,
        per_pair=per_pair,
        samples=sample.rows,
        classes=classes,
        notes=tuple(notes),
    )


def _mean_and_deviation(points: Rows) -> tuple[Array, Array]:
    """Return the mean and the standard deviation of each feature."""
    mean = np.asarray(points.mean(axis=0, dtype=np.float64))
    squares = np.zeros(points.shape[1])
    for rows in point_blocks(points, points.shape[1]):
        squares += np.square(points[rows] - mean).sum(axis=0)
    return mean, np.sqrt(squares / len(points))
