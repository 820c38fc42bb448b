"""Effective rank of the points, from their singular values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Float64, Int64
from .._validation.points import (
    as_points,
    check_labels,
    max_abs,
    scale_free,
    scaling_exponent,
)
from ._shared.among import check_limit, draw_rows
from ._shared.distances import stratified_sample
from ._shared.moments import members_by_class
from ._shared.results import (
    Result,
    UndefinedMeasureError,
    format_names,
    warn_notes,
)

# Singular values below this, relative to the largest, are rounding errors.
ROUNDING = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class EffectiveRank(Result):
    """The effective rank of points.

    Attributes
    ----------
    value : float
        The effective rank of all points.
    singular_values : array of float64 (rank,)
        The singular values of the points, descending, without those of 0.
    per_class : array of float64 (n_classes,), or None
        The effective rank of each class's points; NaN for classes without two different points.
        None without labels.
    classes : array (n_classes,), or None
        The class values, in the order of ``per_class``.
    samples : array of int64 (n_used,)
        Indices of the points used.

    See Also
    --------
    effective_rank : Computes it.
    """

    singular_values: Float64[Array, " rank"]
    samples: Int64[Array, " used"]
    per_class: Float64[Array, " classes"] | None = None
    classes: Array | None = None


def effective_rank(
    points: AnyArray,
    labels: AnyArray | None = None,
    *,
    center: bool = True,
    max_samples: int | None = 5000,
    random_state: int | None = 0,
) -> EffectiveRank:
    r"""Effective rank (RankMe): exponential of the entropy of the singular values.

    .. math:: \exp\Bigl(-\sum_k p_k \log p_k\Bigr), \quad p_k = \sigma_k / \sum_l \sigma_l

    From 1, if all points are on a line, to the number of features, if their spread is equal in all
    directions; neither end is better. A low rank reveals dimensional collapse; the rank of each
    class falls as the class collapses to a point or a line.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    labels : array-like (n_samples,), optional
        The class of each point: integers or strings. With them, the rank of each class, relative to
        its mean, is in ``per_class``.
    center : bool, default=True
        Subtract the mean of the points. False is RankMe as published, which counts the mean as one
        more, often the largest, direction and depends on the origin.
    max_samples : int or None, default=5000
        Use a sample of about this many points, stratified by class if there are labels. None uses
        all. A sample of n points cannot have a rank above n, so it should be several times larger
        than the number of features.
    random_state : int or None, default=0
        Seed of the sample. The default gives the same result each time; None draws differently.

    Returns
    -------
    EffectiveRank
        ``value``, ``singular_values``, ``per_class``, ``classes`` and ``samples``.

    Raises
    ------
    UndefinedMeasureError
        If all points coincide.

    See Also
    --------
    participation_ratio : From squares of variances, and so dominated by the largest directions.
    two_nn : Local dimension, which is smaller for curved manifolds.

    Notes
    -----
    Singular values, unlike variances, are not squared, so directions of little variance count for
    more than in the participation ratio. Published code adds 1e-7 to each p; here singular values
    below 1e-6 of the largest count as 0.

    References
    ----------
    [Roy2007]_; as a measure of representations: [Garrido2023]_.

    Examples
    --------
    Singular values sqrt 8 and sqrt 2, that is 2 to 1: exp(-2/3 log 2/3 - 1/3 log 1/3) = 3/4^(1/3).

    >>> from unknot.metrics import effective_rank
    >>> round(effective_rank([[2, 0], [-2, 0], [0, 1], [0, -1]]).value, 6)
    1.889882
    """
    checked = scale_free(points) if center else _as_given(points)
    codes = classes = None
    if labels is not None:
        codes, classes = check_labels(labels, len(checked))
    return warn_notes(
        effective_rank_from_points(
            checked, codes, classes, check_limit(max_samples), random_state, center=center
        )
    )


def effective_rank_from_points(
    points: Rows,
    codes: Array | None = None,
    classes: Array | None = None,
    max_samples: int | None = None,
    random_state: int | None = 0,
    *,
    center: bool = True,
) -> EffectiveRank:
    """Compute the effective rank of a sample of checked points, and of each class in it."""
    if codes is None:
        rows = draw_rows(len(points), max_samples, random_state)
    else:
        rows = stratified_sample(codes, max_samples, random_state).rows
    taken = points[rows].astype(np.float64)
    values = _singular_values(taken, center=center)
    if not len(values):
        raise UndefinedMeasureError(
            "the effective rank is that of the spread of the points, and all points coincide"
        )
    notes = []
    if len(rows) < len(points):
        notes.append(
            f"the effective rank is that of {len(rows):,} of {len(points):,} points, drawn at "
            "random; that of all is slightly larger"
        )
    per_class = None
    if codes is not None and classes is not None:
        per_class = np.full(len(classes), np.nan)
        for c, own in enumerate(members_by_class(codes[rows], len(classes))):
            if len(own) > 1 and len(found := _singular_values(taken[own], center=True)):
                per_class[c] = _exp_entropy(found)
        undefined = np.isnan(per_class)
        if undefined.any():
            notes.append(
                f"{int(undefined.sum())} of {len(classes)} classes have no two different points "
                f"among those used, and so no effective rank: {format_names(classes[undefined])}"
            )
    return EffectiveRank(
        value=_exp_entropy(values),
        singular_values=values,
        samples=rows,
        per_class=per_class,
        classes=classes,
        notes=tuple(notes),
    )


def _as_given(points: AnyArray) -> Array:
    """Return points that keep their origin, scaled so that squares neither over- nor underflow."""
    array = as_points(points)
    scaled: Array = np.ldexp(array.astype(np.float64), scaling_exponent(max_abs(array)))
    return scaled


def _singular_values(points: Array, *, center: bool) -> Array:
    """Return the nonzero singular values of points, descending."""
    if center:
        points = points - points.mean(axis=0)
    largest = float(np.abs(points).max())
    if largest == 0.0:
        return np.empty(0)
    # Eigenvalues of the smaller product: their roots are exact to about 1e-7 of the largest.
    unit = points / largest
    product = unit.T @ unit if unit.shape[1] <= unit.shape[0] else unit @ unit.T
    squares = np.linalg.eigvalsh(product)[::-1]
    values: Array = np.sqrt(np.maximum(squares, 0.0)) * largest
    kept: Array = values[values > ROUNDING * values[0]]
    return kept


def _exp_entropy(values: Array) -> float:
    shares = values / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
