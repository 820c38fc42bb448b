"""Faithfulness of a map to classes: whether it preserves the separation of each pair."""

import numpy as np

from .._typing import AnyArray, Array
from .._validation.points import check_labels
from ._shared.checks import check_mapped, require_classes
from ._shared.moments import class_moments, members_by_class
from ._shared.results import PairResult, warn_notes
from .clusters import compare_centroid_distances


def label_trustworthiness(points: AnyArray, map_: AnyArray, labels: AnyArray) -> PairResult:
    r"""Label-trustworthiness: whether classes separated in the representation stay so on the map.

    .. math:: LT = 1 - \operatorname*{mean}_{a<b} \max(0, s_{ab} - \hat s_{ab})

    with s the separation of a pair of classes in the representation and s^ that on the map:
    s = 2 DSC - 1 for the distance consistency of the pair, 0 if half of the points are nearer to
    the other centroid. In [0, 1], higher is better: 1 if no pair is less separated on the map.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    map_ : array-like (n_samples, n_components)
        Its map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.

    Returns
    -------
    PairResult
        ``value``, and ``per_pair``, the loss max(0, s - s^) of each pair.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class.

    See Also
    --------
    label_continuity : The converse: separation that only the map shows.
    class_trustworthiness : Compares neighbors instead of separations.
    distance_consistency : The separation of all classes in one space.

    References
    ----------
    [Jeon2024]_.

    Examples
    --------
    Separated in the representation; on the map each class has a point on either side:

    >>> from unknot.metrics import label_trustworthiness
    >>> points = [[0.0], [1.0], [9.0], [10.0]]
    >>> label_trustworthiness(points, [[0.0], [9.0], [1.0], [9.5]], [0, 0, 1, 1]).value
    0.0
    """
    tables, codes, classes = _separations(points, map_, labels, "label-trustworthiness")
    return warn_notes(faithfulness_from_pairs(*tables, codes, classes, trustworthiness=True))


def label_continuity(points: AnyArray, map_: AnyArray, labels: AnyArray) -> PairResult:
    r"""Label-continuity: whether classes that overlap in the representation do so on the map.

    .. math:: LC = 1 - \operatorname*{mean}_{a<b} \max(0, \hat s_{ab} - s_{ab})

    with s and s^ as in `label_trustworthiness`. In [0, 1], higher is better: 1 if no pair is more
    separated on the map. A low value means that the map shows a separation which the representation
    does not have.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    map_ : array-like (n_samples, n_components)
        Its map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.

    Returns
    -------
    PairResult
        ``value``, and ``per_pair``, the gain max(0, s^ - s) of each pair.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class.

    See Also
    --------
    label_trustworthiness : The converse: separation that the map loses.
    class_continuity : Compares neighbors instead of separations.
    distance_consistency : The separation of all classes in one space.

    References
    ----------
    [Jeon2024]_.

    Examples
    --------
    >>> from unknot.metrics import label_continuity
    >>> tangled, apart = [[0.0], [9.0], [1.0], [9.5]], [[0.0], [1.0], [9.0], [10.0]]
    >>> label_continuity(tangled, apart, [0, 0, 1, 1]).value
    0.0
    """
    tables, codes, classes = _separations(points, map_, labels, "label-continuity")
    return warn_notes(faithfulness_from_pairs(*tables, codes, classes, trustworthiness=False))


def _separations(
    points: AnyArray, map_: AnyArray, labels: AnyArray, measure: str
) -> tuple[tuple[Array, Array], Array, Array]:
    x, y = check_mapped(points, map_)
    codes, classes = check_labels(labels, len(x))
    require_classes(classes, 2, measure)
    native, shown = (
        compare_centroid_distances(space, codes, class_moments(space, codes, len(classes)))
        for space in (x, y)
    )
    return (native, shown), codes, classes


def faithfulness_from_pairs(
    native: Array, shown: Array, codes: Array, classes: Array, *, trustworthiness: bool
) -> PairResult:
    """Compute label-trustworthiness, or label-continuity, from comparisons of distances."""
    require_classes(classes, 2, "label-trustworthiness" if trustworthiness else "label-continuity")
    weights = np.ones((1, len(codes)))
    difference = separations(native, codes, weights)[0] - separations(shown, codes, weights)[0]
    per_pair = np.maximum(difference if trustworthiness else -difference, 0.0)
    np.fill_diagonal(per_pair, 0.0)
    return PairResult(
        higher_is_better=True,
        value=float(1.0 - per_pair[np.triu_indices(len(classes), 1)].mean()),
        per_pair=per_pair,
        classes=classes,
    )


def separations(table: Array, codes: Array, weights: Array) -> Array:
    """Return the separation of each pair of classes, 2 DSC - 1, for each row of weights.

    Parameters
    ----------
    table : array of int8 (n_samples, n_classes)
        As returned by `clusters.compare_centroid_distances`.
    weights : array (n_rows, n_samples)
        How many times each point counts: ones for the data, counts for a resample.

    Returns
    -------
    array of float64 (n_rows, n_classes, n_classes)
    """
    n_classes = table.shape[1]
    nearer = np.empty((len(weights), n_classes, n_classes))
    counts = np.empty((len(weights), n_classes))
    members = members_by_class(codes, n_classes)
    for c in range(n_classes):
        own = members[c]
        nearer[:, c] = weights[:, own].astype(np.float64) @ (table[own] * 0.5)
        counts[:, c] = weights[:, own].sum(axis=1)
    consistent = nearer + nearer.transpose(0, 2, 1)
    return np.asarray(2.0 * consistent / (counts[:, :, None] + counts[:, None, :]) - 1.0)


def faithfulness_influence(
    native: Array, shown: Array, codes: Array, *, trustworthiness: bool
) -> Array:
    """Return the influence of each point through its own comparisons (n_samples,).

    Of a pair of classes that loses separation, a point shifts the difference by that of its own
    comparisons from the mean of the pair.
    """
    n_classes = native.shape[1]
    counts = np.bincount(codes, minlength=n_classes).astype(np.float64)
    weights = np.ones((1, len(codes)))
    means = [0.5 * (separations(each, codes, weights)[0] + 1.0) for each in (native, shown)]
    sign = 1.0 if trustworthiness else -1.0
    difference = sign * 2.0 * (means[0] - means[1])
    losing = np.where(difference > 0.0, sign * 2.0 / (counts[:, None] + counts), 0.0)
    np.fill_diagonal(losing, 0.0)
    losing /= n_classes * (n_classes - 1) / 2
    influence = np.empty(len(codes))
    for c, own in enumerate(members_by_class(codes, n_classes)):
        apart = 0.5 * (native[own].astype(np.float64) - shown[own]) - (means[0][c] - means[1][c])
        influence[own] = -(apart @ losing[c])
    return influence
