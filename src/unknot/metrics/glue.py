"""GLUE: the capacity of few class manifolds for given dichotomies, and the geometry behind it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from .._io.stored_points import Rows
from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import AnyArray, Array, Float64, Int64
from .._validation.labels import check_labels
from .._validation.numbers import check_integer
from .._validation.points import as_points
from ._shared.among import check_limit, spread_over_classes
from ._shared.anchor_geometry import Geometry, analyze, radius_of
from ._shared.checks import require_classes
from ._shared.dichotomies import (
    Manifolds,
    check_ensemble,
    draw_dichotomies,
    sides_of,
    streams,
    take_manifolds,
)
from ._shared.many import MANY_CLASSES
from ._shared.results import ClassResult, UndefinedMeasureError, warn_notes


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Glue(ClassResult):
    """The capacity of class manifolds by GLUE, and their geometry.

    Attributes
    ----------
    value : float
        The capacity, the same as ``capacity``.
    capacity : float
        Number of classes per dimension that a hyperplane through the origin can separate.
    critical_dimension : float
        Number of dimensions that the separation takes up: number of classes used / capacity.
    dimension : float
        Effective dimension of the anchor points of a class around their center.
    radius : float
        Extent of the anchor points around the class centers, in units of the centers; infinite if
        the centers are 0.
    utility : float
        Psi, from 0 to about 1: the part of the critical dimension that the dimensions and radii of
        the classes account for. The capacity is utility (1 + radius^-2) / dimension.
    center_alignment, axis_alignment, center_axis_alignment : float
        rho_c, rho_a and psi: mean absolute inner product over pairs of classes of their centers,
        their axes, and one's center with the other's axis. In squared units of the points.
    center_cosine, axis_cosine, center_axis_cosine : float
        Mean cosine of the same, with its sign, in [-1, 1].
    per_class : array of float64 (n_classes,)
        Capacity of each class: their harmonic mean is the value. NaN for classes that were not
        drawn or whose share of the critical dimension is not positive.
    dimension_per_class, radius_per_class : array of float64 (n_classes,)
        Dimension of each class, whose mean is ``dimension``; and the radius by each class's shares
        of the same sums, NaN where these give none.
    activity : array of float64 (n_classes,)
        Fraction of the draws in which a class has an anchor point: in which it constrains the
        hyperplane.
    pair_capacity, pair_dimension, pair_radius, pair_utility : array (n_classes, n_classes) or None
        The same of each pair of classes alone, separated from each other; NaN on the diagonal. None
        unless ``pairs=True``.
    draws : array of float64 (3, n_draws)
        Critical dimension a, and b and c, of each draw before averaging.
    standard_error_of_draws : float
        Standard error of the value due to its draws alone; the choice of the points is not in it.
    ensemble : str
        The dichotomies; "task" for a fixed one.
    drawn : array of int64 (n_drawn,)
        Indices of the classes used: all, or ``max_classes`` of them.
    classes : array (n_classes,)
        The class values, in the order of all arrays.

    See Also
    --------
    glue : Computes it.
    """

    dimension: float
    radius: float
    utility: float
    center_alignment: float
    axis_alignment: float
    center_axis_alignment: float
    center_cosine: float
    axis_cosine: float
    center_axis_cosine: float
    dimension_per_class: Float64[Array, " classes"]
    radius_per_class: Float64[Array, " classes"]
    activity: Float64[Array, " classes"]
    pair_capacity: Float64[Array, "classes classes"] | None
    pair_dimension: Float64[Array, "classes classes"] | None
    pair_radius: Float64[Array, "classes classes"] | None
    pair_utility: Float64[Array, "classes classes"] | None
    draws: Float64[Array, "3 draws"]
    standard_error_of_draws: float
    ensemble: str
    drawn: Int64[Array, " drawn"]
    higher_is_better: bool | None = True

    @property
    def capacity(self) -> float:
        """The same as ``value``."""
        return self.value

    @property
    def critical_dimension(self) -> float:
        """Number of dimensions that the separation takes up."""
        return len(self.drawn) / self.value


def glue(
    points: AnyArray,
    labels: AnyArray,
    *,
    n_draws: int = 200,
    ensemble: str = "balanced",
    task: AnyArray = None,
    pairs: bool = False,
    max_samples_per_class: int | None = 50,
    max_classes: int | None = MANY_CLASSES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Glue:
    r"""GLUE: capacity of class manifolds, split into their dimension, radius and utility.

    Geometry linked to untangling efficiency. Each draw takes a direction t from a standard normal
    distribution and a dichotomy y of the P classes, and finds the nearest vector v to t with
    y_m v.x <= 0 for every point x of every class m, jointly. The anchor point s_m of a class is the
    mean of its points weighted by their multipliers, or 0 if it has none. With the anchor points as
    the rows of S, their means over the draws (centers) S0, and axes S1 = S - S0,

    .. math::
        a = (St)^T (SS^T)^+ St, \quad b = (S_1t)^T (S_1S_1^T)^+ S_1t, \quad
        c = (S_1t)^T (S_0S_0^T + S_1S_1^T)^+ S_1t

        \alpha = \frac{P}{E\,a}, \quad D = \frac{E\,b}{P}, \quad
        R = \sqrt{\frac{E\,c}{E(b - c)}}, \quad \Psi = \frac{E\,c}{E\,a}, \quad
        \alpha = \Psi \, \frac{1 + R^{-2}}{D}

    The capacity alpha is above 0, and higher is better: 2 for single points in general position,
    and P divided by the dimension of the space if hyperplanes do not separate the classes. It rises
    as dimension D and radius R fall and utility Psi rises; the last equation is exact, so changes
    of log alpha are the sum of the changes of these three parts. Psi is from 0 to about 1, which it
    reaches for single points.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation. The origin matters, since hyperplanes pass through it: subtract the mean
        of the points to compare representations whatever their origin.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    n_draws : int, default=200
        Number of draws of a direction and a dichotomy, at least 2. The error of the draws falls
        with its square root; the time is proportional to it.
    ensemble : {"balanced", "one_vs_rest", "random"}, default="balanced"
        The dichotomies: uniformly one of those into two halves (as near as possible for an odd
        number of classes); a random class against all others; or each class on a random side.
    task : mapping or array-like (n_classes,), optional
        One fixed dichotomy instead: the group of each class, by class value or in the order of the
        sorted class values. The two groups are any two values, such as 1 and -1, booleans or names.
    pairs : bool, default=False
        Whether to analyze each pair of classes, too.
    max_samples_per_class : int or None, default=50
        Use at most this many points of each class, drawn at random; None uses all. Capacity and
        dimension depend on their number: only compare values for the same number.
    max_classes : int or None, default=100
        With more classes, use this many, drawn at random; None uses all. Values for different
        numbers of classes are not comparable.
    random_state : int or None, default=0
        Seed of the draws and of the sample. The default gives the same result each time; None draws
        differently.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    Glue
        ``capacity``, ``dimension``, ``radius``, ``utility``, alignments, and values per class and
        pair.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class, or all points are 0.
    ValueError
        If the ensemble is unknown, or the task does not divide the classes into two groups.

    See Also
    --------
    simulated_capacity : The same capacity by simulation.
    manifold_capacity : The mean-field theory of many classes, in time proportional to the classes.
    linear_probe : Accuracy of hyperplanes for these classes.

    Notes
    -----
    Use this for up to some tens of classes, for one given dichotomy, and for two classes. The
    mean field of `manifold_capacity` takes each class by itself, whatever the dichotomy; for 50
    points of each of the 10 classes of MNIST its capacity is 20 % (a hidden layer) to 57 % (pixels)
    too high.

    As classes shrink to points, dimension, radius and utility all tend to 1 and the capacity to 2,
    since a point has an anchor in half of the draws, and 0 in the others.

    The two conventions of the alignments are both published. The absolute ones do not tell aligned
    from opposite; the cosines do not depend on lengths. psi is an alignment, Psi the utility.

    The dimension of a class is too low for few points: for balls of 10 dimensions .67 of the true
    one with 50 points, and .82 with 200.

    References
    ----------
    [Chou2024]_ and [Chou2025]_, algorithm 2; the exact decomposition: [Chou2026]_.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.metrics import glue
    >>> rng = np.random.default_rng(0)
    >>> centers = np.repeat(rng.normal(size=(8, 100)), 20, axis=0)
    >>> near, far = (centers + spread * rng.normal(size=(160, 100)) for spread in (0.1, 1.0))
    >>> labels = np.repeat(np.arange(8), 20)
    >>> near, far = (glue(points, labels) for points in (near, far))
    >>> near.capacity > 2 * far.capacity, near.dimension < far.dimension
    (True, True)
    """
    points = as_points(points)
    codes, classes = check_labels(labels, len(points))
    return warn_notes(
        glue_from_points(
            points,
            codes,
            classes,
            n_draws=n_draws,
            ensemble=ensemble,
            task=task,
            pairs=pairs,
            max_samples_per_class=max_samples_per_class,
            max_classes=max_classes,
            random_state=random_state,
            n_jobs=n_jobs,
        )
    )


def glue_from_points(
    points: Rows,
    codes: Array,
    classes: Array,
    *,
    n_draws: int = 200,
    ensemble: str = "balanced",
    task: AnyArray = None,
    pairs: bool = False,
    max_samples_per_class: int | None = 50,
    max_classes: int | None = MANY_CLASSES,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> Glue:
    """Compute GLUE of checked points, neither moved nor scaled; of stored ones reads those used."""
    require_classes(classes, 2, "GLUE")
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
        what="GLUE",
    ).near_origin("GLUE")
    drawn = manifolds.drawn
    if sides is None:
        signs = draw_dichotomies(ensemble, n_draws, len(drawn), sides_rng)
    else:
        signs = np.tile(sides[drawn], (n_draws, 1))
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        projections = manifolds.project(n_draws, rng)
        coordinates = manifolds.coordinates()
        gram = coordinates @ coordinates.T
        found = analyze(coordinates, gram, manifolds.offsets, projections, signs, team)
        tables = (
            _analyze_pairs(manifolds, coordinates, gram, projections, len(classes), team)
            if pairs
            else [None] * 4
        )
    if not np.isfinite(found.capacity):
        raise UndefinedMeasureError(
            f"no class constrains the hyperplane in any of {n_draws} draws, so the capacity has no "
            "bound. Increase n_draws"
        )
    with np.errstate(over="ignore"):
        alignments = np.ldexp(found.alignments, -2 * manifolds.exponent)
    draws = found.forms.sum(axis=2)
    shares = found.forms.mean(axis=1)
    own_capacity = np.divide(1.0, shares[0], out=np.full(len(drawn), np.nan), where=shares[0] > 0.0)
    per_class, dimensions, radii, activity = (
        spread_over_classes(values, drawn, len(classes))
        for values in (own_capacity, shares[1], radius_of(shares[1], shares[2]), found.activity)
    )
    return Glue(
        value=found.capacity,
        dimension=found.dimension,
        radius=found.radius,
        utility=found.utility,
        center_alignment=float(alignments[0]),
        axis_alignment=float(alignments[1]),
        center_axis_alignment=float(alignments[2]),
        center_cosine=float(found.cosines[0]),
        axis_cosine=float(found.cosines[1]),
        center_axis_cosine=float(found.cosines[2]),
        per_class=per_class,
        dimension_per_class=dimensions,
        radius_per_class=radii,
        activity=activity,
        pair_capacity=tables[0],
        pair_dimension=tables[1],
        pair_radius=tables[2],
        pair_utility=tables[3],
        draws=draws,
        standard_error_of_draws=float(
            found.capacity * draws[0].std(ddof=1) / draws[0].mean() / np.sqrt(n_draws)
        ),
        ensemble="task" if sides is not None else ensemble,
        drawn=drawn,
        classes=classes,
        notes=(*manifolds.notes, *_notes_on_draws(found, n_draws)),
    )


def _notes_on_draws(found: Geometry, n_draws: int) -> list[str]:
    notes = []
    if found.n_covered:
        notes.append(
            f"in {found.n_covered} of {n_draws} draws the classes leave no room for a hyperplane "
            "near the direction drawn, as where they cannot be separated: the capacity is right, "
            "but the anchor points are not unique, and dimension, radius, utility and alignments "
            "depend on which are taken"
        )
    if found.n_imprecise:
        notes.append(
            f"in {found.n_imprecise} of {n_draws} draws the anchor points of some classes are so "
            "nearly parallel that the capacity is imprecise"
        )
    if found.n_failed:
        notes.append(
            f"{found.n_failed} of {n_draws} draws did not converge; their last anchor points were "
            "used"
        )
    return notes


def _analyze_pairs(
    manifolds: Manifolds,
    coordinates: Array,
    gram: Array,
    projections: Array,
    n_classes: int,
    team: ThreadTeam,
) -> list[Array]:
    """Return capacity, dimension, radius and utility of each pair of classes as tables.

    Pairs share the directions, so that their differences are not those of the draws.
    """
    parts = np.split(np.arange(len(gram)), manifolds.offsets[1:])
    pairs = list(itertools.combinations(range(len(parts)), 2))
    values = np.empty((4, len(pairs)))
    sides = np.tile([1.0, -1.0], (len(projections), 1))

    def measure(number: int) -> None:
        i, j = pairs[number]
        rows = np.concatenate([parts[i], parts[j]])
        offsets = np.array([0, len(parts[i])])
        own = np.ascontiguousarray(projections[:, rows])
        with ThreadTeam(1) as alone:
            found = analyze(coordinates[rows], gram[np.ix_(rows, rows)], offsets, own, sides, alone)
        values[:, number] = found.capacity, found.dimension, found.radius, found.utility

    team.run(measure, len(pairs))
    tables = np.full((4, n_classes, n_classes), np.nan)
    first, second = manifolds.drawn[np.array(pairs).T]
    tables[:, first, second] = values
    tables[:, second, first] = values
    return list(tables)
