"""Neural collapse: variability within classes, and the geometry of the class means."""

import numpy as np

from .._typing import AnyArray, Array
from ._shared.checks import check_labeled, require_classes
from ._shared.many import MANY_CLASSES, ClassPairs
from ._shared.moments import ClassMoments, class_moments
from ._shared.results import (
    ClassResult,
    PairResult,
    Result,
    UndefinedMeasureError,
    format_names,
    warn_notes,
)


def nc1(points: AnyArray, labels: AnyArray) -> ClassResult:
    r"""NC1, variability collapse: covariance within classes relative to that between classes.

    .. math:: NC_1 = \tfrac1C \operatorname{Tr}(S_W S_B^+)

    with S_W the covariance of all points about their class means, and S_B the covariance of the
    class means about their mean, with equal weights. In [0, inf), lower is better: 0 if every
    class has collapsed to a point.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.

    Returns
    -------
    ClassResult
        ``value``, and ``per_class``, the same with the covariance of one class as S_W; the value
        is their mean, weighted by class size.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class, or all class means coincide.

    See Also
    --------
    nc2 : The geometry of the class means.
    class_distance_variance : Total variance over squared distance, by pairs of classes.
    linear_probe : Separability by hyperplanes, which saturates where NC1 does not.

    References
    ----------
    [Papyan2020]_, for classes of equal size; weighting by size is our choice.

    Examples
    --------
    Means at -2 and 2, so S_B = 4; deviations of 1 and of 3, so S_W = (1 + 9)/2 = 5; 5/4/2 = .625.

    >>> from unknot.metrics import nc1
    >>> nc1([[-3.0], [-1.0], [-1.0], [5.0]], [0, 0, 1, 1]).value
    0.625
    """
    points, codes, classes = check_labeled(points, labels, min_classes=2, measure="NC1")
    return warn_notes(nc1_from_moments(class_moments(points, codes, len(classes)), classes))


def nc1_from_moments(moments: ClassMoments, classes: Array) -> ClassResult:
    """Compute NC1 from the class moments."""
    require_classes(classes, 2, "NC1")
    if moments.rank == 0:
        raise UndefinedMeasureError(
            f"NC1 divides by the spread of the class means, and all {len(classes)} of them coincide"
        )
    per_class = moments.whitened_variances / len(classes)
    return ClassResult(
        value=float(np.average(per_class, weights=moments.counts)),
        higher_is_better=False,
        per_class=per_class,
        classes=classes,
        notes=single_point_note(moments, classes),
    )


def nc2(points: AnyArray, labels: AnyArray) -> Result:
    r"""NC2, convergence to a simplex: how far the class means are from equal lengths and angles.

    .. math:: NC_2 = \left\| \frac{M M^T}{\|M M^T\|_F}
              - \frac{I - \frac1C 1 1^T}{\sqrt{C-1}} \right\|_F

    with the centered class means as the rows of M. In [0, sqrt 2), lower is better: 0 if the means
    are the vertices of a regular simplex, the largest separation of C classes. Two means always
    are. It ignores the variability within classes.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.

    Returns
    -------
    Result
        ``value``.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class, or all class means coincide.

    See Also
    --------
    nc1 : The variability within classes.
    class_distance_variance : Both, by pairs of classes.

    References
    ----------
    [Papyan2020]_.

    Examples
    --------
    Three means on a line at -1, 0 and 1: MM' has 1 and -1 in its corners and norm 2, against 1/3
    times [[2, -1, -1], ...] and norm sqrt 2; 1 + 1 - 2 <MM'/2, .../sqrt 2> = 2 - sqrt 2.

    >>> from unknot.metrics import nc2
    >>> round(nc2([[-1.0], [0.0], [1.0]], [0, 1, 2]).value ** 2, 6)
    0.585786
    """
    points, codes, classes = check_labeled(points, labels, min_classes=2, measure="NC2")
    return warn_notes(nc2_from_moments(class_moments(points, codes, len(classes)), classes))


def nc2_from_moments(moments: ClassMoments, classes: Array) -> Result:
    """Compute NC2 from the class moments."""
    require_classes(classes, 2, "NC2")
    if moments.rank == 0:
        raise UndefinedMeasureError(
            f"NC2 compares the class means, and all {len(classes)} of them coincide"
        )
    count = len(classes)
    centered = moments.centered
    if count > MANY_CLASSES and count > centered.shape[1]:
        # The square of the norm is 2 - 2 tr(MM') / (|M'M| sqrt(C - 1)), as the means sum to 0.
        narrow = (centered / np.abs(centered).max()).astype(np.float32)
        gram = narrow.T @ narrow
        cosine = np.trace(gram) / (np.linalg.norm(gram) * np.sqrt(count - 1.0))
        if cosine > 0.9:  # the difference from 1 needs more digits
            gram = centered.T @ centered
            cosine = np.trace(gram) / (np.linalg.norm(gram) * np.sqrt(count - 1.0))
        return Result(value=float(np.sqrt(max(0.0, 2.0 - 2.0 * cosine))), higher_is_better=False)
    gram = centered @ centered.T
    simplex = (np.eye(count) - 1.0 / count) / np.sqrt(count - 1.0)
    notes: tuple[str, ...] = ()
    if count == 2:
        notes = ("there are two classes: two means always form a simplex, so NC2 is 0",)
    value = float(np.linalg.norm(gram / np.linalg.norm(gram) - simplex))
    return Result(value=value, higher_is_better=False, notes=notes)


def class_distance_variance(points: AnyArray, labels: AnyArray) -> PairResult:
    r"""Class-distance normalized variance (CDNV) of pairs of classes.

    .. math:: CDNV = \operatorname*{mean}_{i<j} \frac{V_i + V_j}{2 \|m_i - m_j\|^2}

    with m the mean of a class and V the mean squared distance of its points to m. In [0, inf),
    lower is better: 0 if every class has collapsed to a point.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.

    Returns
    -------
    PairResult
        ``value``, and ``per_pair`` (symmetric, 0 on the diagonal).

    Raises
    ------
    UndefinedMeasureError
        If there is only one class, or two class means coincide.

    See Also
    --------
    nc1 : Counts variance along the class means only, not in other directions.
    davies_bouldin : Mean distances instead of variances, by the worst pair of each class.
    neighbor_confusion : Pairs of classes by their nearest neighbors.

    References
    ----------
    [Galanti2022]_, definition 1.

    Examples
    --------
    Means 4 apart, V of 1 and of 9: 10/(2 * 16) = .3125.

    >>> from unknot.metrics import class_distance_variance
    >>> class_distance_variance([[-3.0], [-1.0], [-1.0], [5.0]], [0, 0, 1, 1]).value
    0.3125
    """
    points, codes, classes = check_labeled(
        points, labels, min_classes=2, measure="class-distance normalized variance"
    )
    return warn_notes(cdnv_from_moments(class_moments(points, codes, len(classes)), classes))


def cdnv_from_moments(moments: ClassMoments, classes: Array) -> PairResult:
    """Compute the class-distance normalized variance from the class moments."""
    require_classes(classes, 2, "class-distance normalized variance")
    squares = squared_distances_of_means(moments)
    require_distinct_means(squares, moments, classes, "class-distance normalized variance")
    spread = 0.5 * (moments.variances[:, None] + moments.variances[None])
    np.fill_diagonal(squares, 1.0)
    per_pair = spread / squares
    np.fill_diagonal(per_pair, 0.0)
    return PairResult(
        value=float(per_pair[np.triu_indices(len(classes), 1)].mean()),
        higher_is_better=False,
        per_pair=per_pair,
        classes=classes,
        notes=single_point_note(moments, classes),
    )


def cdnv_from_pairs(moments: ClassMoments, classes: Array, pairs: ClassPairs) -> Result:
    """Estimate the class-distance normalized variance from a part of the pairs of classes."""
    from ._shared.kernels_distances import pair_squares

    squares = np.empty(len(pairs.first))
    pair_squares(moments.means, pairs.first, pairs.second, squares)
    require_distinct_pairs(squares, moments, classes, pairs, "class-distance normalized variance")
    spread = 0.5 * (moments.variances[pairs.first] + moments.variances[pairs.second])
    values = spread / squares
    note = pairs.note_on_pairs("class-distance normalized variance", values)
    return Result(
        value=float(values.mean()),
        higher_is_better=False,
        notes=(note, *single_point_note(moments, classes)),
    )


def squared_distances_of_means(moments: ClassMoments) -> Array:
    """Return the squared distances between class means (n_classes, n_classes)."""
    count = len(moments.means)
    squares = np.zeros((count, count))
    for c in range(count):
        squares[c] = np.square(moments.means - moments.means[c]).sum(axis=1)
    return squares


def require_distinct_means(
    squares: Array, moments: ClassMoments, classes: Array, measure: str
) -> None:
    """Raise `UndefinedMeasureError` if two class means coincide."""
    lengths = np.square(moments.means).sum(axis=1)
    # A distant mean does not affect the precision of the distances between the others.
    size = np.minimum(squares.max(), 4.0 * np.maximum(lengths[:, None], lengths[None]))
    apart = squares > size * 1e-24
    np.fill_diagonal(apart, True)
    if not apart.all():
        first, second = np.argwhere(~apart)[0]
        raise UndefinedMeasureError(
            f"{measure} divides by the distance between class means, and those of "
            f"{classes[first]} and {classes[second]} coincide"
        )


def require_distinct_pairs(
    squares: Array, moments: ClassMoments, classes: Array, pairs: ClassPairs, measure: str
) -> None:
    """Do what `require_distinct_means` does for a part of the pairs."""
    lengths = np.square(moments.means).sum(axis=1)
    longer = np.maximum(lengths[pairs.first], lengths[pairs.second])
    same = squares <= np.minimum(squares.max(), 4.0 * longer) * 1e-24
    if same.any():
        place = int(same.argmax())
        raise UndefinedMeasureError(
            f"{measure} divides by the distance between class means, and those of "
            f"{classes[pairs.first[place]]} and {classes[pairs.second[place]]} coincide"
        )


def single_point_note(moments: ClassMoments, classes: Array) -> tuple[str, ...]:
    """Return a note naming the classes of one point, whose variance is unknown."""
    single = moments.counts == 1
    if not single.any():
        return ()
    return (
        f"{int(single.sum())} of {len(classes)} classes have one point, and their variance counts "
        f"as 0: {format_names(classes[single])}",
    )
