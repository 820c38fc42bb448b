"""Intrinsic dimension by class, and by scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Float64, Int64
from .._validation.numbers import check_integer, random_generator
from .._validation.points import scale_free
from ._shared.among import check_limit
from ._shared.checks import check_labeled
from ._shared.many import MANY_CLASSES, draw_classes
from ._shared.moments import members_by_class
from ._shared.results import (
    ClassResult,
    Result,
    UndefinedMeasureError,
    format_names,
    warn_notes,
)
from .dimension import estimate_dimension
from .neighborhood import check_graph

if TYPE_CHECKING:
    from ..neighbors import NeighborGraph
else:  # importing it would import Numba
    NeighborGraph = Any

# The published share of the largest ratios that TwoNN discards.
DISCARD = 0.1
# Relative accuracy of the dimension at each scale.
TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ClassDimension(ClassResult):
    """The intrinsic dimension of each class.

    Attributes
    ----------
    value : float
        Mean over the classes.
    per_class : array of float64 (n_classes,)
        The dimension of each class; NaN for classes for which it is undefined, or that were not
        drawn.
    method : {"two_nn", "mle"}
        The estimator.
    k : int
        Number of neighbors used: 2 for TwoNN.
    classes : array (n_classes,)
        The class values, in the order of ``per_class``.

    See Also
    --------
    class_dimension : Computes it.
    """

    method: str
    k: int


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DimensionByScale(Result):
    """The intrinsic dimension of points at several scales.

    Attributes
    ----------
    value : float
        The dimension at the smallest scale.
    dimensions : array of float64 (n_scales,)
        The dimension at each scale.
    ranks : array of int64 (n_scales,)
        The rank n1 of the nearer of the two neighbors compared; the other's is 2 n1.
    distances : array of float64 (n_scales,)
        Mean distance to the farther neighbor, in the unit of the points: the scale.
    standard_errors : array of float64 (n_scales,)
        Standard error of each dimension if the ratios of different points were independent. They
        are not, so it is a lower bound.

    See Also
    --------
    gride : Computes it.
    """

    dimensions: Float64[Array, " scales"]
    ranks: Int64[Array, " scales"]
    distances: Float64[Array, " scales"]
    standard_errors: Float64[Array, " scales"]


def class_dimension(
    points: AnyArray,
    labels: AnyArray,
    *,
    method: Literal["two_nn", "mle"] = "two_nn",
    k: int = 20,
    max_samples_per_class: int | None = 3000,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> ClassDimension:
    r"""Class dimension: intrinsic dimension of each class, by its own nearest neighbors.

    "two_nn" is the estimator of `two_nn`. "mle" is the maximum-likelihood estimator from the
    distances r to the k nearest neighbors within the class,

    .. math:: d = \left[ \frac{1}{N (k - 1)} \sum_i \sum_{j < k} \log \frac{r_{ik}}{r_{ij}}
              \right]^{-1}

    The value is the mean over the classes, above 0; neither end is better. The dimension of all
    points together also counts neighbors of other classes, where classes touch; it is that of the
    classes if they are far apart.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    method : {"two_nn", "mle"}, default="two_nn"
        The estimator. "mle" has the smaller variance, but at a larger scale, where curvature and
        the boundary of the class count.
    k : int, default=20
        Number of neighbors for "mle", at least 2.
    max_samples_per_class : int or None, default=3000
        Use at most this many points of each class, drawn at random; None uses all. The fewer the
        points, the larger the scale at which the dimension is measured.
    random_state : int or None, default=0
        Seed of the sample. The default gives the same result each time; None draws differently.
    n_jobs : int, optional
        Number of threads of the neighbor search. None uses every core (scikit-learn's None is
        one).

    Returns
    -------
    ClassDimension
        ``value``, ``per_class``, ``method`` and ``k``.

    Raises
    ------
    UndefinedMeasureError
        If the dimension of every class is undefined.

    See Also
    --------
    two_nn : The dimension of all points together.
    gride : The dimension by scale.
    manifold_capacity : Includes another dimension of each class, that matters for separability.

    Notes
    -----
    Classes of fewer points than neighbors, and those whose points are duplicates or on a grid,
    have no dimension and are named in ``notes``. Duplicates of a point are left out first. With
    more than 100 classes, 100 are drawn at random.

    References
    ----------
    [Facco2017]_; [Levina2004]_, with the average over points of [MacKay2005]_.

    Examples
    --------
    A plane and a line:

    >>> import numpy as np
    >>> from unknot.metrics import class_dimension
    >>> points = np.random.default_rng(0).uniform(size=(4000, 2))
    >>> points[2000:, 1] = 5.0
    >>> class_dimension(points, np.repeat(["plane", "line"], 2000)).per_class.round().tolist()
    [1.0, 2.0]
    """
    points, codes, classes = check_labeled(points, labels)
    if method not in ("two_nn", "mle"):
        raise ValueError(f'method must be "two_nn" or "mle"; got {method!r}')
    k = check_integer(k, "k", 2, 2**31, "of at least 2")
    limit = check_limit(max_samples_per_class, "max_samples_per_class", 3)
    return warn_notes(
        class_dimension_from_points(points, codes, classes, method, k, limit, random_state, n_jobs)
    )


def class_dimension_from_points(
    points: Rows,
    codes: Array,
    classes: Array,
    method: str = "two_nn",
    k: int = 20,
    max_samples_per_class: int | None = None,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> ClassDimension:
    """Compute the dimension of each class of checked points."""
    from ..neighbors import nearest_neighbors

    k = 2 if method == "two_nn" else k
    rng = random_generator(random_state)
    per_class = np.full(len(classes), np.nan)
    members = members_by_class(codes, len(classes))
    drawn = draw_classes(len(classes), MANY_CLASSES, rng)
    limited = 0
    for c in drawn:
        own = members[c]
        if max_samples_per_class is not None and len(own) > max_samples_per_class:
            own = np.sort(rng.choice(own, size=max_samples_per_class, replace=False))
            limited += 1
        # A copy of a point is at no distance from it, and would make the next neighbor the second.
        distinct = np.unique(points[own], axis=0)
        if len(distinct) > k:
            distances = nearest_neighbors(distinct, k, n_jobs=n_jobs).distances
            per_class[c] = _dimension_of(distances.astype(np.float64), method)
    undefined = np.isnan(per_class)
    if undefined.all():
        raise UndefinedMeasureError(
            f"the class dimension needs more than {k} different points of a class, not on a grid; "
            f"none of the {len(classes)} classes has them"
        )
    notes = []
    if len(drawn) < len(classes):
        notes.append(
            f"the class dimension is that of {len(drawn)} of {len(classes):,} classes, drawn at "
            "random"
        )
    without = drawn[undefined[drawn]]
    if len(without):
        notes.append(
            f"{len(without)} of {len(classes)} classes have no more than {k} different "
            "points, or points on a grid, and no dimension; the value leaves them out: "
            f"{format_names(classes[without])}"
        )
    if limited:
        notes.append(
            f"the dimension of {limited} of {len(classes)} classes is that of "
            f"{max_samples_per_class:,} of their points, drawn at random"
        )
    return ClassDimension(
        value=float(per_class[~undefined].mean()),
        per_class=per_class,
        method=method,
        k=k,
        classes=classes,
        notes=tuple(notes),
    )


def _dimension_of(distances: Array, method: str) -> float:
    """Return the dimension from the distances to the nearest neighbors; NaN if undefined."""
    # Different points may still be at no distance in float32.
    distances = distances[distances[:, 0] > 0.0]
    if len(distances) < 3:
        return float("nan")
    if method == "two_nn":
        ratios = np.sort(np.log(distances[:, 1] / distances[:, 0]))
        found = float(estimate_dimension(ratios, np.ones((1, len(ratios))), DISCARD, "fit")[0])
        return found if np.isfinite(found) else float("nan")
    total = np.log(distances[:, -1:] / distances[:, :-1]).mean()
    return float(1.0 / total) if total > 0.0 else float("nan")


def gride(
    points: AnyArray,
    *,
    max_rank: int = 32,
    graph: NeighborGraph | None = None,
    n_jobs: int | None = None,
) -> DimensionByScale:
    r"""Gride: intrinsic dimension by scale, from the ratios of distances to two neighbors.

    For n1 = 1, 2, 4, ... up to ``max_rank``, the dimension d of greatest likelihood for the ratios
    mu of the distances to the neighbors of rank n2 = 2 n1 and n1, whose density is

    .. math:: f(\mu) = \frac{d (\mu^d - 1)^{n_2 - n_1 - 1}}
              {\mu^{(n_2 - 1) d + 1} B(n_2 - n_1, n_1)}

    if the density of the points is constant up to the farther neighbor. Above 0; neither end is
    better. A dimension that falls with the scale is one of noise at small scales; one that stays
    the same over several scales, a plateau, can be trusted.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    max_rank : int, default=32
        The largest n1, at least 1. Neighbors up to twice this rank are compared, and there are more
        points than that.
    graph : NeighborGraph, optional
        Precomputed nearest neighbors of these points, at least 2 ``max_rank`` of each.
    n_jobs : int, optional
        Number of threads of the neighbor search. None uses every core (scikit-learn's None is
        one).

    Returns
    -------
    DimensionByScale
        ``value``, ``dimensions``, ``ranks``, ``distances`` and ``standard_errors``.

    Raises
    ------
    ValueError
        If there are no more than 2 ``max_rank`` points.
    UndefinedMeasureError
        If the distances to both neighbors are equal for all points, as on a grid.

    See Also
    --------
    two_nn : The smallest scale, by a fit without the largest ratios.
    class_dimension : The dimension of each class.
    participation_ratio : At the largest scale, that of all points.

    Notes
    -----
    At the smallest scale it is the maximum-likelihood form of TwoNN, N / sum log mu. Points whose
    nearer neighbor is a duplicate have no ratio at that scale; they are left out and counted in
    ``notes``.

    References
    ----------
    [Denti2022]_.

    Examples
    --------
    A line with a little noise is of dimension 2 at small scales and 1 at large ones:

    >>> import numpy as np
    >>> from unknot.metrics import gride
    >>> rng = np.random.default_rng(0)
    >>> line = rng.uniform(size=(2000, 1)) * [1.0, 0.0] + 0.002 * rng.normal(size=(2000, 2))
    >>> gride(line).dimensions[[0, -1]].round().tolist()
    [2.0, 1.0]
    """
    points = scale_free(points, min_samples=3)
    max_rank = check_integer(max_rank, "max_rank", 1, 2**30, "of at least 1")
    if len(points) <= 2 * max_rank:
        raise ValueError(
            f"max_rank must be below half of the number of points, {len(points)}; got {max_rank}"
        )
    ranks = 2 ** np.arange(int(np.log2(max_rank)) + 1)
    graph = check_graph(points, int(2 * ranks[-1]), graph, n_jobs)
    return warn_notes(gride_from_distances(graph.distances, int(ranks[-1])))


def gride_from_distances(distances: Array, max_rank: int) -> DimensionByScale:
    """Compute the dimension by scale from distances to neighbors (n_samples, k >= 2 max_rank)."""
    ranks = 2 ** np.arange(int(np.log2(max_rank)) + 1)
    dimensions, scales, errors = np.empty((3, len(ranks)))
    notes = []
    for place, rank in enumerate(ranks):
        near = distances[:, rank - 1].astype(np.float64)
        far = distances[:, 2 * rank - 1].astype(np.float64)
        used = near > 0.0
        log_ratios = np.log(far[used] / near[used])
        if not used.any() or log_ratios.max() == 0.0:
            raise UndefinedMeasureError(
                f"Gride compares the distances to neighbors {rank} and {2 * rank}, which are equal "
                "or 0 for all points. Remove duplicates"
            )
        if place == 0 and not used.all():
            notes.append(
                f"{int((~used).sum())} of {len(used)} points have a duplicate, so their ratio of "
                "distances is undefined at the smallest scale; Gride leaves them out"
            )
        dimensions[place], errors[place] = _most_likely_dimension(log_ratios, int(rank))
        scales[place] = far.mean()
    return DimensionByScale(
        value=float(dimensions[0]),
        dimensions=dimensions,
        ranks=ranks.astype(np.int64),
        distances=scales,
        standard_errors=errors,
        notes=tuple(notes),
    )


def _most_likely_dimension(log_ratios: Array, rank: int) -> tuple[float, float]:
    r"""Return the dimension of greatest likelihood for n2 = 2 n1, and its standard error.

    With x = d log mu and m = n1 - 1, the derivative of the log-likelihood by d, times d, is

    .. math:: N + m \sum \frac{x}{1 - e^{-x}} - (2 n_1 - 1) \sum x,

    which decreases in d; its root is bracketed and halved.
    """

    def slope(d: float) -> float:
        x = d * log_ratios
        grown = np.divide(x, -np.expm1(-x), out=np.ones_like(x), where=x > 0.0)
        return float(len(x) + (rank - 1) * grown.sum() - (2 * rank - 1) * x.sum())

    low = high = 1.0 / log_ratios.mean()
    while slope(low) < 0.0:
        low /= 2.0
    while slope(high) > 0.0:
        high *= 2.0
    from scipy.optimize import brentq

    d = low if low == high else float(brentq(slope, low, high, rtol=TOLERANCE))
    x = d * log_ratios
    # Minus the second derivative by d, times d^2: N + m sum x^2 e^-x / (1 - e^-x)^2.
    curved = np.divide(
        x, 2.0 * np.sinh(np.minimum(x / 2.0, 350.0)), out=np.ones_like(x), where=x > 0.0
    )
    information = len(x) + (rank - 1) * np.square(curved).sum()
    return d, float(d / np.sqrt(information))
