"""Cluster validity: whether classes are compact and separated."""

from dataclasses import dataclass

import numpy as np

from .._io.stored_points import Rows
from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import AnyArray, Array, Float32, Float64, Int64
from .._validation.numbers import check_integer
from ._shared.checks import check_labeled, require_classes
from ._shared.distances import Sample, scan_distances, stratified_sample
from ._shared.moments import ClassMoments, class_moments, point_blocks
from ._shared.results import (
    ClassResult,
    PairResult,
    UndefinedMeasureError,
    format_names,
    warn_notes,
)
from .collapse import require_distinct_means, single_point_note, squared_distances_of_means


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DistanceConsistency(ClassResult):
    """The distance consistency of labeled points.

    Attributes
    ----------
    value, per_class, classes
        As in `ClassResult`; fractions in [0, 1].
    per_point : array of float32 (n_samples,)
        1 if the nearest centroid is that of the point's class, 0 if it is another, and 1/m if it
        is among m equally near ones.

    See Also
    --------
    distance_consistency : Computes it.
    """

    per_point: Float32[Array, " samples"]
    higher_is_better: bool | None = True


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Silhouette(ClassResult):
    """The silhouette of labeled points.

    Attributes
    ----------
    value, per_class, classes
        As in `ClassResult`; in [-1, 1].
    per_point : array of float64 (n_sampled,)
        The silhouette of each evaluated point.
    samples : array of int64 (n_sampled,)
        Indices of the evaluated points: all, or a stratified sample.
    standard_error : float
        Standard error of the value due to the sampling; 0 if all points were evaluated.

    See Also
    --------
    silhouette : Computes it.
    """

    per_point: Float64[Array, " sampled"]
    samples: Int64[Array, " sampled"]
    standard_error: float
    higher_is_better: bool | None = True


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


def distance_consistency(points: AnyArray, labels: AnyArray) -> DistanceConsistency:
    r"""Distance consistency: the fraction of points whose nearest class centroid is their own.

    .. math:: DSC = \frac1N \left|\{i : y_i = \arg\min_c \|x_i - m_c\|\}\right|

    In [0, 1], higher is better: 1 if every point is nearest to the centroid m of its class; about
    1/C for random labels. A point with several nearest centroids counts by an equal fraction.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.

    Returns
    -------
    DistanceConsistency
        ``value``, ``per_class`` and ``per_point``.

    Raises
    ------
    ValueError
        If points or labels have the wrong shape, or contain NaN or infinity.

    See Also
    --------
    silhouette : Uses all distances instead of centroids.
    linear_probe : Uses the best hyperplanes instead of those halfway between centroids.
    label_trustworthiness : Compares it between a representation and its map.

    References
    ----------
    [Sips2009]_.

    Examples
    --------
    Centroids at 1 and 5; the point at 4 of the first class is nearer to the second.

    >>> from unknot.metrics import distance_consistency
    >>> distance_consistency([[-1.0], [0.0], [4.0], [5.0], [5.0]], [0, 0, 0, 1, 1]).value
    0.8
    """
    points, codes, classes = check_labeled(points, labels)
    moments = class_moments(points, codes, len(classes))
    table = compare_centroid_distances(points, codes, moments)
    return warn_notes(consistency_from_shares(consistency_shares(table), codes, classes))


def compare_centroid_distances(
    points: Rows, codes: Array, moments: ClassMoments, n_jobs: int | None = None
) -> Array:
    """Compare each point's distance to its own class centroid with that to every centroid.

    Returns
    -------
    array of int8 (n_samples, n_classes)
        2 if the own centroid is nearer, 1 if both are equally near (within rounding), 0 if the
        other is nearer. The own column is 1.
    """
    table = np.empty((len(points), len(moments.means)), dtype=np.int8)
    lengths = np.einsum("ij,ij->i", moments.means, moments.means)
    blocks = point_blocks(points, points.shape[1])

    def compare(number: int) -> None:
        rows = blocks[number]
        centered = points[rows] - moments.origin
        squares = lengths - 2.0 * (centered @ moments.means.T)
        size = np.einsum("ij,ij->i", centered, centered)
        longer = np.maximum(lengths, lengths[codes[rows]][:, None])
        rounding = 1e-12 * (size[:, None] + longer)
        ahead = squares - squares[np.arange(len(rows)), codes[rows]][:, None]
        table[rows] = 1 + (ahead > rounding) - (ahead < -rounding)

    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        team.run(compare, len(blocks))
    return table


def consistency_shares(table: Array) -> Array:
    """Return 1 for points nearest to their own centroid, 1/m for ties of m, otherwise 0."""
    return np.where(table.min(axis=1) == 0, 0.0, 1.0 / (table == 1).sum(axis=1))


def consistency_from_shares(share: Array, codes: Array, classes: Array) -> DistanceConsistency:
    """Compute the distance consistency from the result of `consistency_shares`."""
    counts = np.bincount(codes)
    notes: tuple[str, ...] = ()
    if len(classes) == 1:
        notes = (f"there is only one class ({classes[0]}): its centroid is always the nearest",)
    elif (share == 1.0 / len(classes)).all():
        notes = ("all class centroids coincide: every point counts by 1/C",)
    return DistanceConsistency(
        value=float(share.mean()),
        per_class=np.bincount(codes, weights=share) / counts,
        per_point=share.astype(np.float32),
        classes=classes,
        notes=notes,
    )


def silhouette(
    points: AnyArray,
    labels: AnyArray,
    *,
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Silhouette:
    r"""Silhouette: how much nearer a point is to its own class than to the nearest other class.

    .. math:: s_i = \frac{b_i - a_i}{\max(a_i, b_i)}

    with a the mean distance to the other points of the same class, and b that to the points of the
    nearest other class. The value is the mean over the points. In [-1, 1], higher is better: 1 for
    compact classes far apart, 0 for overlapping classes, below 0 if points are closer to another
    class than to their own. The silhouette of a class of one point is 0 by convention.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    max_samples : int, optional
        Evaluate a stratified sample of about this many points, each against all others; all by
        default. Set it for more than about 20,000 points, because the time grows with their
        square; the standard error is reported.
    random_state : int or None, default=0
        Seed of the sample. The default draws the same sample each time; None a different one.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    Silhouette
        ``value``, ``per_class``, ``per_point``, ``samples`` and ``standard_error``.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class.

    See Also
    --------
    davies_bouldin, calinski_harabasz : Faster, from centroids only.
    neighborhood_hit : A local measure, insensitive to the shape of classes.
    sklearn.metrics.silhouette_score : The same value, without values per class.

    References
    ----------
    [Rousseeuw1987]_.

    Examples
    --------
    For the point at 0, a = 1 and b = 9.5, so s = 8.5/9.5; for that at 1, a = 1 and b = 8.5, so
    s = 7.5/8.5. The other class is symmetric.

    >>> from unknot.metrics import silhouette
    >>> silhouette([[0.0], [1.0], [9.0], [10.0]], [0, 0, 1, 1]).per_point
    array([0.89473684, 0.88235294, 0.88235294, 0.89473684])
    """
    points, codes, classes = check_labeled(points, labels, min_classes=2, measure="silhouette")
    if max_samples is not None:
        max_samples = check_integer(max_samples, "max_samples", 1, 2**62, "of at least 1, or None")
    sample = stratified_sample(codes, max_samples, random_state)
    sums = DistanceSums([codes], len(sample.rows), len(classes))
    scan_distances(points, sample.rows, [sums], n_jobs)
    return warn_notes(silhouette_from_sums(sums.sums[:, 0], sample, classes))


class DistanceSums:
    """Accumulates the sums of distances from each evaluated point to each class.

    For several labelings at once; ``sums`` has the shape (n_rows, n_labelings, n_classes).
    """

    def __init__(self, labelings: list[Array], n_rows: int, n_classes: int) -> None:
        self.codes = np.stack(labelings, axis=1)
        self.sums = np.zeros((n_rows, len(labelings), n_classes))

    def __call__(self, part: slice, squares: Array) -> None:
        """Add the distances of a block of rows."""
        from ._shared.kernels_distances import add_class_distances

        add_class_distances(squares, self.codes, self.sums[part])


def silhouette_from_sums(sums: Array, sample: Sample, classes: Array) -> Silhouette:
    """Compute the silhouette from the sums of distances to the classes."""
    require_classes(classes, 2, "silhouette")
    sizes = sample.sizes
    share = silhouettes(sums, sample.codes, sizes)
    error = sample.standard_error(share)
    notes = list(sample.note("the silhouette", error))
    if (sizes == 1).any():
        notes.append(
            f"{int((sizes == 1).sum())} of {len(classes)} classes have one point, whose silhouette "
            f"is 0 by convention: {format_names(classes[sizes == 1])}"
        )
    if not sums.any():
        notes.append("all points coincide: every silhouette is 0")
    return Silhouette(
        value=sample.mean(share),
        per_class=np.bincount(sample.codes, weights=share) / np.bincount(sample.codes),
        per_point=share,
        samples=sample.rows,
        standard_error=error,
        classes=classes,
        notes=tuple(notes),
    )


def silhouettes(sums: Array, codes: Array, sizes: Array) -> Array:
    """Return the silhouette of each evaluated point, given the sizes of the classes."""
    own = np.arange(len(codes)), codes
    within = sums[own] / np.maximum(sizes[codes] - 1, 1)
    between = sums / sizes
    between[own] = np.inf
    nearest = between.min(axis=1)
    larger = np.maximum(within, nearest)
    defined = (larger > 0.0) & (sizes[codes] > 1)
    share = np.divide(nearest - within, larger, out=np.zeros(len(codes)), where=defined)
    return np.asarray(share)


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
