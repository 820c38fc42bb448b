"""Simulated capacity: class manifolds per dimension that hyperplanes do separate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._io.stored_points import Rows
from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import AnyArray, Array, Float64, Int64, Shaped
from .._validation.labels import check_labels
from .._validation.numbers import check_integer
from .._validation.points import as_points
from ._shared.among import check_limit
from ._shared.checks import require_classes
from ._shared.dichotomies import (
    check_ensemble,
    draw_dichotomies,
    sides_of,
    streams,
    take_manifolds,
)
from ._shared.many import MANY_CLASSES
from ._shared.results import Result, warn_notes


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SimulatedCapacity(Result):
    """The simulated capacity of class manifolds.

    Attributes
    ----------
    value : float
        Number of classes divided by ``critical_dimension``.
    critical_dimension : float
        Mean number of dimensions above which a dichotomy is linearly separable.
    dimensions : array of float64 (n_draws,)
        The critical dimension of each draw: half a dimension less than the least number in which
        it was separable; for dichotomies that are not separable in the points' own space, the
        number of dimensions that the points span.
    separable : float
        Fraction of the draws that are separable in the points' own space.
    standard_error_of_draws : float
        Standard error of the value due to its draws alone; the choice of the points is not in it.
    ensemble : str
        The dichotomies; "task" for a fixed one.
    bias : bool
        Whether hyperplanes may miss the origin.
    drawn : array of int64 (n_drawn,)
        Indices of the classes used: all, or ``max_classes`` of them.
    classes : array (n_classes,)
        The class values.

    See Also
    --------
    simulated_capacity : Computes it.
    """

    critical_dimension: float
    dimensions: Float64[Array, " draws"]
    separable: float
    standard_error_of_draws: float
    ensemble: str
    bias: bool
    drawn: Int64[Array, " drawn"]
    classes: Shaped[Array, " classes"]
    higher_is_better: bool | None = True


def simulated_capacity(
    points: AnyArray,
    labels: AnyArray,
    *,
    n_draws: int = 100,
    ensemble: str = "balanced",
    task: AnyArray = None,
    bias: bool = False,
    max_samples_per_class: int | None = 50,
    max_classes: int | None = MANY_CLASSES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> SimulatedCapacity:
    r"""Simulate the capacity: classes per dimension at which hyperplanes cease to separate them.

    Each draw divides the classes into two sides, projects all points by one random Gaussian matrix
    to n dimensions, and finds by bisection the least n in which a hyperplane separates the sides.
    With p_n the probability that one does,

    .. math:: \alpha = \frac{P}{N_c}, \quad N_c = \sum_{n \ge 0} (1 - p_n) - \tfrac12

    for P classes. Above 0, higher is better; P single points in general position have 2. This is
    the definition that the theories approximate or evaluate: without bias, the expectation of N_c
    is that of the critical dimension of `glue`.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation. The origin matters, unless ``bias=True``.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    n_draws : int, default=100
        Number of draws of a dichotomy and a projection, at least 2.
    ensemble : {"balanced", "one_vs_rest", "random"}, default="balanced"
        The dichotomies, as in `glue`.
    task : mapping or array-like (n_classes,), optional
        One fixed dichotomy instead, as in `glue`.
    bias : bool, default=False
        Whether hyperplanes may miss the origin.
    max_samples_per_class : int or None, default=50
        Use at most this many points of each class, drawn at random; None uses all. The value falls
        as their number grows.
    max_classes : int or None, default=100
        With more classes, use this many, drawn at random; None uses all.
    random_state : int or None, default=0
        Seed. The default gives the same result each time; None draws differently.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    SimulatedCapacity
        ``value``, ``critical_dimension``, ``dimensions`` and ``standard_error_of_draws``.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class, or all points are 0.
    ValueError
        If the ensemble is unknown, or the task does not divide the classes into two groups.

    See Also
    --------
    glue : Without simulation, and with the geometry that explains the value.
    manifold_capacity : The theory of many classes.

    Notes
    -----
    A hyperplane in n dimensions exists as long as the cone of all hyperplanes of the dichotomy
    meets a random subspace of n dimensions. By the kinematic formula of conic geometry, the
    expected least n exceeds the statistical dimension of the polar cone by half a dimension.

    Points at the origin are on no side, and are left out.

    References
    ----------
    [Chou2025]_, algorithm 1; by support vector machines there. The formula of cones:
    [Amelunxen2014]_.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.metrics import simulated_capacity
    >>> rng = np.random.default_rng(0)
    >>> centers = np.repeat(rng.normal(size=(8, 100)), 20, axis=0)
    >>> near, far = (centers + spread * rng.normal(size=(160, 100)) for spread in (0.1, 1.0))
    >>> labels = np.repeat(np.arange(8), 20)
    >>> near, far = (simulated_capacity(p, labels, n_draws=50).value for p in (near, far))
    >>> near > 2 * far
    True
    """
    points = as_points(points)
    codes, classes = check_labels(labels, len(points))
    return warn_notes(
        simulated_from_points(
            points,
            codes,
            classes,
            n_draws=n_draws,
            ensemble=ensemble,
            task=task,
            bias=bias,
            max_samples_per_class=max_samples_per_class,
            max_classes=max_classes,
            random_state=random_state,
            n_jobs=n_jobs,
        )
    )


def simulated_from_points(
    points: Rows,
    codes: Array,
    classes: Array,
    *,
    n_draws: int = 100,
    ensemble: str = "balanced",
    task: AnyArray = None,
    bias: bool = False,
    max_samples_per_class: int | None = 50,
    max_classes: int | None = MANY_CLASSES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> SimulatedCapacity:
    """Simulate the capacity of checked points, neither moved nor scaled."""
    require_classes(classes, 2, "simulated capacity")
    n_draws = check_integer(n_draws, "n_draws", 2, 10**6, "from 2 to 1,000,000")
    ensemble = check_ensemble(ensemble)
    sides = None if task is None else sides_of(task, classes)
    rows_rng, sides_rng, rng = streams(random_state)
    manifolds = take_manifolds(
        points,
        codes,
        classes,
        max_samples_per_class=check_limit(max_samples_per_class, "max_samples_per_class", 1),
        max_classes=check_limit(max_classes, "max_classes"),
        sides=sides,
        rng=rows_rng,
        what="simulated capacity",
    )
    drawn, notes = manifolds.drawn, list(manifolds.notes)
    if sides is None:
        signs = draw_dichotomies(ensemble, n_draws, len(drawn), sides_rng)
    else:
        signs = np.tile(sides[drawn], (n_draws, 1))
    signs = np.repeat(signs, manifolds.sizes, axis=1)
    seeds = rng.spawn(n_draws)
    least = np.empty(n_draws, dtype=np.int64)
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        coordinates = manifolds.coordinates()

        def simulate(d: int) -> None:
            least[d] = _least_dimension(coordinates, signs[d], bias, 2 * len(drawn), seeds[d])

        team.run(simulate, n_draws)
        dimensions = least - 0.5
        lost = least > coordinates.shape[1]
        if lost.any():
            dimensions[lost] = _rank(coordinates)
            notes.append(
                f"{int(lost.sum())} of {n_draws} dichotomies are not linearly separable in the "
                "points' own space; they count as critical in all its dimensions, so the capacity "
                "is at most this"
            )
    critical = float(dimensions.mean())
    value = len(drawn) / critical
    return SimulatedCapacity(
        value=value,
        critical_dimension=critical,
        dimensions=dimensions,
        separable=float(1.0 - lost.mean()),
        standard_error_of_draws=float(value / critical * dimensions.std(ddof=1) / np.sqrt(n_draws)),
        ensemble="task" if sides is not None else ensemble,
        bias=bool(bias),
        drawn=drawn,
        classes=classes,
        notes=tuple(notes),
    )


def _least_dimension(
    coordinates: Array, signs: Array, bias: bool, guess: int, rng: np.random.Generator
) -> int:
    """Return the least number of random dimensions in which the sides are separable.

    Projections to fewer dimensions are the first coordinates of those to more, so that the sides
    remain separable once they are. One more than all dimensions if they never are.
    """
    n_points, n_axes = map(int, coordinates.shape)
    projected = np.empty((n_points, 0))
    # The search in one number of dimensions starts from where that in another one ended.
    weights = np.zeros(n_points)

    def separable(n: int) -> bool:
        nonlocal projected
        if n > projected.shape[1]:
            axes = rng.normal(size=(n - projected.shape[1], n_axes))
            projected = np.concatenate([projected, coordinates @ axes.T], axis=1)
        return separates(projected[:, :n], signs, bias, weights)

    low, high = 0, min(guess, n_axes)
    while not separable(high):
        if high == n_axes:
            return n_axes + 1
        low, high = high, min(2 * high, n_axes)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if separable(middle) else (middle, high)
    return high


def separates(points: Array, signs: Array, bias: bool, weights: Array | None = None) -> bool:
    """Whether a hyperplane separates the points by their signs, 1 or -1.

    ``weights`` (n_points,) are those of the points that the search starts from, and ends with.
    """
    from ._shared.kernels_glue import is_separable

    center = points.mean(axis=0)
    away = points - center
    spread = np.sqrt(np.square(away).mean()) or 1.0
    if bias:
        # A further constant coordinate, as large as the others, holds the threshold.
        points = np.concatenate([away, np.full((len(points), 1), spread)], axis=1)
    elif (distance := np.linalg.norm(center)) > spread:
        # Far from the origin the points are nearly parallel. Shrinking all space along the center
        # changes no separability.
        axis = center / distance
        points = away + np.outer((spread / distance - 1.0) * (away @ axis) + spread, axis)
    lengths = np.sqrt(np.einsum("ij,ij->i", points, points))
    used = np.flatnonzero(lengths > 0.0)
    unit = np.ascontiguousarray(points[used] / lengths[used, None])
    carried = np.zeros(len(used)) if weights is None else weights[used]
    found = bool(is_separable(unit, signs[used], carried))
    if weights is not None:
        weights[used] = carried
    return found


def _rank(coordinates: Array) -> int:
    """Return the number of dimensions that the points span."""
    smaller = coordinates if len(coordinates) < coordinates.shape[1] else coordinates.T
    values = np.linalg.eigvalsh(smaller @ smaller.T)
    return int(np.count_nonzero(values > 1e-12 * values[-1]))
