"""Directions of the points: alignment of those of a class, and uniformity of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Float64, Int64
from .._validation.numbers import check_number
from .._validation.points import as_points, check_labels
from ._shared.among import check_limit, draw_rows, squares_among
from ._shared.metric import COSINE, in_metric
from ._shared.moments import point_blocks
from ._shared.results import (
    ClassResult,
    Result,
    UndefinedMeasureError,
    format_names,
    warn_notes,
)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Alignment(ClassResult):
    """The alignment of labeled points.

    Attributes
    ----------
    value : float
        Mean squared distance of two points of a class, in [0, 4].
    per_class : array of float64 (n_classes,)
        The same within each class; NaN for classes of fewer than two points.
    per_point : array of float64 (n_used,)
        Mean squared distance of each point to the others of its class.
    influence : array of float64 (n_used,)
        Influence of each point on the value: to first order, the value of a resample is the value
        plus the mean influence of its points. They sum to 0.
    samples : array of int64 (n_used,)
        Indices of the points used: those with a direction, and others of their class.
    classes : array (n_classes,)
        The class values, in the order of ``per_class``.

    See Also
    --------
    alignment : Computes it.
    """

    per_point: Float64[Array, " used"]
    influence: Float64[Array, " used"]
    samples: Int64[Array, " used"]
    higher_is_better: bool | None = False


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Uniformity(Result):
    """The uniformity of points on the sphere.

    Attributes
    ----------
    value : float
        Logarithm of the mean Gaussian potential of two points, in [-4t, 0].
    influence : array of float64 (n_used,)
        Influence of each point on the value: to first order, the value of a resample is the value
        plus the mean influence of its points. They sum to 0.
    samples : array of int64 (n_used,)
        Indices of the points used.
    t : float
        Width parameter of the potential.

    See Also
    --------
    uniformity : Computes it.
    """

    influence: Float64[Array, " used"]
    samples: Int64[Array, " used"]
    t: float


def alignment(points: AnyArray, labels: AnyArray) -> Alignment:
    r"""Alignment: mean squared distance of two points of a class, as directions.

    .. math:: \frac1N \sum_i \operatorname*{mean}_{j \ne i,\, y_j = y_i} \|u_i - u_j\|^2, \quad
              u = x / \|x\|

    In [0, 4], lower is better: 0 if the points of each class have one direction. It ignores the
    distances between classes: read it with `uniformity`, since all points in one direction are
    perfectly aligned, too.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation. Directions are relative to its origin, which therefore matters.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.

    Returns
    -------
    Alignment
        ``value``, ``per_class``, ``per_point``, ``influence`` and ``samples``.

    Raises
    ------
    UndefinedMeasureError
        If no class has two points with a direction.

    See Also
    --------
    uniformity : How evenly all points are spread over the sphere.
    class_distance_variance : Spread within classes relative to their distance.

    Notes
    -----
    In contrastive learning the two points are views of one image; here they are any two points of
    a class. All pairs count, whatever the number of points. Points that are zero in all features
    have no direction and are left out.

    References
    ----------
    [Wang2020]_, with the exponent 2.

    Examples
    --------
    Two directions at a right angle, and a class in a single one: (2 + 2 + 0 + 0)/4.

    >>> from unknot.metrics import alignment
    >>> result = alignment([[1, 0], [0, 3], [1, 1], [2, 2]], ["a", "a", "b", "b"])
    >>> round(result.value, 6), result.per_class.round(6).tolist()
    (1.0, [2.0, 0.0])
    """
    rows = _with_direction(points)
    codes, classes = check_labels(labels, len(rows))
    unit, _ = in_metric(points, COSINE)
    return warn_notes(alignment_from_directions(unit, codes, classes, rows))


def alignment_from_directions(
    points: Rows, codes: Array, classes: Array, has_direction: Array | None = None
) -> Alignment:
    """Compute the alignment of points of unit length, those that `in_metric` returned.

    Parameters
    ----------
    has_direction : array of bool (n_samples,), optional
        Which points were not 0 in all features; all by default.
    """
    used = np.ones(len(codes), dtype=bool) if has_direction is None else has_direction
    counts = np.bincount(codes[used], minlength=len(classes))
    paired = counts >= 2
    if not paired.any():
        raise UndefinedMeasureError(
            "alignment compares two points of a class; no class has two points with a direction"
        )
    notes = _zero_notes("alignment", used)
    if not paired.all():
        notes.append(
            f"{int((~paired).sum())} of {len(classes)} classes have fewer than two points with a "
            f"direction; alignment leaves them out: {format_names(classes[~paired])}"
        )
    kept = used & paired[codes]
    blocks = point_blocks(points, points.shape[1])
    totals = np.zeros((len(classes), points.shape[1]))
    for rows in blocks:
        rows = rows[kept[rows]]
        np.add.at(totals, codes[rows], points[rows].astype(np.float64))
    means = totals / np.maximum(counts, 1)[:, None]
    squares = np.empty(len(codes))
    for rows in blocks:
        centered = points[rows] - means[codes[rows]]
        squares[rows] = np.einsum("ij,ij->i", centered, centered)
    samples = np.flatnonzero(kept)
    own, squares = codes[samples], squares[samples]
    spread = np.bincount(own, weights=squares, minlength=len(classes))
    # The sum of |u_i - u_j|^2 over j is n |u_i - m|^2 + n V, and n V is the spread.
    per_point = (counts[own] * squares + spread[own]) / (counts[own] - 1)
    per_class = np.full(len(classes), np.nan)
    per_class[paired] = 2.0 * spread[paired] / (counts[paired] - 1)
    value = float(per_point.mean())
    # A point is one end of its own pairs, and the other end of those of all others.
    influence = 2.0 * squares * counts[own] / (counts[own] - 1) - value
    return Alignment(
        value=value,
        per_class=per_class,
        per_point=per_point,
        influence=influence,
        samples=samples,
        classes=classes,
        notes=tuple(notes),
    )


def uniformity(
    points: AnyArray,
    t: float = 2.0,
    *,
    max_samples: int | None = 4000,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Uniformity:
    r"""Uniformity: how evenly the directions of the points are spread over the sphere.

    .. math:: \log \operatorname*{mean}_{i \ne j} e^{-t \|u_i - u_j\|^2}, \quad u = x / \|x\|

    In [-4t, 0]: 0 if all points have the same direction; about -2t if they are spread evenly over a
    sphere of many dimensions. Lower is more uniform; neither end is better: as classes collapse to
    their means, uniformity rises although they are perfectly separated.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation. Directions are relative to its origin, which therefore matters.
    t : float, default=2.0
        Width parameter, above 0. Increase it for a more local measure.
    max_samples : int or None, default=4000
        Use all pairs of this many points, drawn at random. None uses all pairs of all points, which
        takes time and memory with the square of their number.
    random_state : int or None, default=0
        Seed of the sample. The default gives the same result each time; None draws differently.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    Uniformity
        ``value``, ``influence``, ``samples`` and ``t``.

    Raises
    ------
    UndefinedMeasureError
        If fewer than two points have a direction.

    See Also
    --------
    alignment : Whether the points of each class have the same direction.
    effective_rank : How many directions the points use.

    References
    ----------
    [Wang2020]_.

    Examples
    --------
    Opposite directions: log e^(-2 * 4).

    >>> from unknot.metrics import uniformity
    >>> uniformity([[1.0, 0.0], [-3.0, 0.0]]).value
    -8.0
    """
    t = check_number(t, "t", 0.0, bounds="above 0", open_low=True)
    has_direction = _with_direction(points)
    unit, _ = in_metric(points, COSINE)
    limit = check_limit(max_samples)
    return warn_notes(
        uniformity_from_directions(unit, t, limit, random_state, n_jobs, has_direction)
    )


def uniformity_from_directions(
    points: Rows,
    t: float = 2.0,
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
    has_direction: Array | None = None,
) -> Uniformity:
    """Compute the uniformity of a sample of points of unit length, as `alignment_from_directions`.

    The standard error in the note is that of a U-statistic, twice that of the points' means.
    """
    used = np.ones(len(points), dtype=bool) if has_direction is None else has_direction
    usable = np.flatnonzero(used)
    if len(usable) < 2:
        raise UndefinedMeasureError(
            f"uniformity compares directions, and {len(usable)} of {len(points)} points have one"
        )
    samples = usable[draw_rows(len(usable), max_samples, random_state)]
    potentials = squares_among(np.asarray(points[samples]), n_jobs)
    potentials *= -t
    np.exp(potentials, out=potentials)
    np.fill_diagonal(potentials, 0.0)
    of_point = potentials.sum(axis=1) / (len(samples) - 1)
    mean = of_point.mean()
    if mean == 0.0:
        raise UndefinedMeasureError(f"all potentials are 0 in float64 for t = {t}; decrease t")
    influence = 2.0 * (of_point / mean - 1.0)
    notes = _zero_notes("uniformity", used)
    if len(samples) < len(usable):
        left_out = 1.0 - len(samples) / len(usable)
        error = influence.std(ddof=1) * np.sqrt(left_out / len(samples))
        notes.append(
            f"uniformity is estimated from {len(samples):,} of {len(usable):,} points, drawn at "
            f"random; its standard error is {error:.2g}"
        )
    return Uniformity(
        value=float(min(0.0, np.log(mean))),
        influence=influence,
        samples=samples,
        t=float(t),
        notes=tuple(notes),
    )


def _with_direction(points: AnyArray) -> Array:
    """Return which points are not 0 in all features."""
    return np.asarray(as_points(points).any(axis=1))


def _zero_notes(what: str, used: Array) -> list[str]:
    if used.all():
        return []
    return [
        f"{int((~used).sum())} of {len(used)} points are zero in all features and have no "
        f"direction; {what} leaves them out"
    ]
