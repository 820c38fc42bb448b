"""Entanglement of classes: the soft nearest-neighbor loss."""

from dataclasses import dataclass

import numpy as np

from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Float64, Int64
from .._validation.numbers import check_number
from ._shared.among import check_limit, draw_of_classes, spread_over_classes
from ._shared.checks import check_labeled, require_classes
from ._shared.distances import scan_distances
from ._shared.results import ClassResult, UndefinedMeasureError, format_names, warn_notes

# At most this many points give the default temperature: its standard error is then about 5 %.
TEMPERATURE_SAMPLES = 256
# Sums of exponentials below this have lost digits to underflow.
SMALLEST_SUM = 1e-280


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SoftNearestNeighborLoss(ClassResult):
    """The soft nearest-neighbor loss of labeled points.

    Attributes
    ----------
    value : float
        Mean over the points, in nats.
    per_class : array of float64 (n_classes,)
        Mean over the sampled points of each class; NaN for classes without any.
    per_point : array of float64 (n_used,)
        The loss of each sampled point.
    samples : array of int64 (n_used,)
        Indices of the sampled points.
    temperature : float
        The temperature T, in the unit of the squared distances.
    classes : array (n_classes,)
        The class values, in the order of ``per_class``.

    See Also
    --------
    soft_nearest_neighbor_loss : Computes it.
    """

    per_point: Float64[Array, " used"]
    samples: Int64[Array, " used"]
    temperature: float
    higher_is_better: bool | None = False


def soft_nearest_neighbor_loss(
    points: AnyArray,
    labels: AnyArray,
    temperature: float | None = None,
    *,
    metric: str = "euclidean",
    max_samples: int | None = 1000,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> SoftNearestNeighborLoss:
    r"""Soft nearest-neighbor loss: entanglement of the classes, by distances to all points.

    .. math:: L = -\frac{1}{N} \sum_i \log
              \frac{\sum_{j \ne i,\, y_j = y_i} e^{-d_{ij}^2/T}}{\sum_{j \ne i} e^{-d_{ij}^2/T}}

    The negative log-probability that a point picks a neighbor of its class, if it picks j with a
    probability proportional to exp(-d^2/T). In [0, inf), lower is better: 0 if no point of another
    class is near; random labels give the entropy of the class fractions or more, log C for C equal
    classes.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation, or a map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    temperature : float, optional
        T, in the unit of the squared distances, above 0. By default the median squared distance
        to the nearest neighbor, of up to 256 points, so that the loss does not depend on the unit.
        Increase it for a more global measure.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Of the distances; for the cosine, d^2 is that of unit vectors, 2 (1 - cos).
    max_samples : int or None, default=1000
        Evaluate a stratified sample of about this many points, each against all points. None
        evaluates all, which takes time with the square of their number.
    random_state : int or None, default=0
        Seed of the sample. The default gives the same result each time; None draws differently.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    SoftNearestNeighborLoss
        ``value``, ``per_class``, ``per_point``, ``samples`` and ``temperature``.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class, no class has two points, or more than half of the points have
        a duplicate and no temperature is given.

    See Also
    --------
    knn_accuracy : By the k nearest points, all with the same weight.
    silhouette : By mean distances.
    linear_probe : A classifier's accuracy instead of distances.

    Notes
    -----
    Points whose class has no other point have an infinite loss; they are left out and named in
    ``notes``. Published code adds a small constant to both sums, which bounds the loss of points
    far from their class; the loss here is exact.

    References
    ----------
    [Frosst2019]_, equation 1; the default temperature is our choice.

    Examples
    --------
    Two pairs of points, 1 apart. The loss is log(1 + e^-15 + e^-24) for the outer points and
    log(1 + e^-8 + e^-15) for the inner ones:

    >>> from unknot.metrics import soft_nearest_neighbor_loss
    >>> loss = soft_nearest_neighbor_loss([[0.0], [1.0], [4.0], [5.0]], [0, 0, 1, 1], temperature=1)
    >>> round(loss.value * 1e4, 3)
    1.68
    """
    points, codes, classes = check_labeled(
        points, labels, metric=metric, min_classes=2, measure="the soft nearest-neighbor loss"
    )
    if temperature is not None:
        temperature = check_number(temperature, "temperature", 0.0, bounds="above 0", open_low=True)
    return warn_notes(
        soft_nearest_neighbor_loss_from_points(
            points, codes, classes, temperature, check_limit(max_samples), random_state, n_jobs
        )
    )


def soft_nearest_neighbor_loss_from_points(
    points: Rows,
    codes: Array,
    classes: Array,
    temperature: float | None = None,
    max_samples: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> SoftNearestNeighborLoss:
    """Compute the loss of a sample of checked points, each against all points."""
    require_classes(classes, 2, "the soft nearest-neighbor loss")
    alone = np.bincount(codes, minlength=len(classes)) < 2
    if alone.all():
        raise UndefinedMeasureError(
            "the soft nearest-neighbor loss compares a point with others of its class; none of "
            f"the {len(classes)} classes has two points"
        )
    sample, kept, notes = draw_of_classes(
        codes, max_samples, random_state, what="the soft nearest-neighbor loss"
    )
    if temperature is None:
        temperature = _median_nearest_square(points, sample.rows, n_jobs)
    losses = np.empty(len(sample.rows))

    def add(part: slice, squares: Array) -> None:
        rows = sample.rows[part]
        exponents = squares * (-1.0 / temperature)
        exponents[np.arange(len(rows)), rows] = -np.inf
        losses[part] = _log_ratios(exponents, codes[rows][:, None] == codes)

    scan_distances(points, sample.rows, [add], n_jobs)
    # With no other class near, a difference of two equal sums may round to below 0.
    losses = np.maximum(losses, 0.0)
    if alone.any():
        notes.append(
            f"{int(alone.sum())} of {len(classes)} classes have one point, whose loss is infinite; "
            f"the soft nearest-neighbor loss leaves them out: {format_names(classes[alone])}"
        )
    notes.extend(sample.note("the soft nearest-neighbor loss", sample.standard_error(losses)))
    return SoftNearestNeighborLoss(
        value=sample.mean(losses),
        per_class=spread_over_classes(sample.class_means(losses), kept, len(classes)),
        per_point=losses,
        samples=sample.rows,
        temperature=float(temperature),
        classes=classes,
        notes=tuple(notes),
    )


def _log_ratios(exponents: Array, counted: Array) -> Array:
    """Return log(sum exp / sum exp of those counted) of each row."""
    largest = exponents.max(axis=1, keepdims=True)
    terms = np.exp(exponents - largest)
    total = terms.sum(axis=1)
    terms *= counted
    own = terms.sum(axis=1)
    ratios = np.log(total) - np.log(np.where(own > 0.0, own, 1.0))
    for row in np.flatnonzero(own < SMALLEST_SUM):
        # So far away that the terms underflow: relative to the largest of those counted.
        mine = exponents[row, counted[row]]
        own_largest = mine.max()
        rest = np.log(np.exp(mine - own_largest).sum())
        ratios[row] = np.log(total[row]) + largest[row, 0] - own_largest - rest
    return np.asarray(ratios)


def _median_nearest_square(points: Rows, rows: Array, n_jobs: int | None) -> float:
    """Return the median squared distance to the nearest neighbor, of evenly spaced points."""
    some = rows
    if len(rows) > TEMPERATURE_SAMPLES:
        some = rows[np.linspace(0, len(rows) - 1, TEMPERATURE_SAMPLES).astype(np.int64)]
    nearest = np.empty(len(some))

    def keep(part: slice, squares: Array) -> None:
        squares[np.arange(squares.shape[0]), some[part]] = np.inf
        nearest[part] = squares.min(axis=1)

    scan_distances(points, some, [keep], n_jobs)
    median = float(np.median(nearest))
    if median == 0.0:
        raise UndefinedMeasureError(
            "the default temperature is the median squared distance to the nearest neighbor, which "
            "is 0: more than half of the points have a duplicate. Pass temperature="
        )
    return median
