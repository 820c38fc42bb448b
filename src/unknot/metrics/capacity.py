"""Manifold capacity: how many class manifolds per dimension are linearly separable."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._io.stored_points import Rows
from .._io.text import missing_attribute
from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import AnyArray, Array, Float64, Int64
from .._validation.numbers import check_integer, check_number, random_generator
from ._shared.capacity_interval import N_PARTITIONS, SMALLEST_CLASS, interval_by_thirds
from ._shared.checks import check_labeled, require_classes
from ._shared.manifolds import Anchors, find_anchors
from ._shared.manifolds import summarize_draws as summarize_draws
from ._shared.many import MANY_CLASSES, draw_classes
from ._shared.moments import members_by_class
from ._shared.results import ClassResult, UndefinedMeasureError, format_names, warn_notes

N_SUBSETS = 16


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ManifoldCapacity(ClassResult):
    """The mean-field capacity of class manifolds, and their geometry.

    Attributes
    ----------
    value : float
        The capacity, the same as ``capacity``.
    capacity : float
        Number of classes per dimension that a hyperplane can separate into two random halves; the
        harmonic mean over the classes.
    radius : float
        Root mean square deviation of the anchor points from their mean, in units of the norm of
        the class center; the mean over the classes.
    dimension : float
        Effective dimension of the anchor points; the mean over the classes.
    center_correlation : float
        Mean absolute correlation between the class centers, before shared directions are removed.
    shared_directions : int
        Number of directions shared by the centers that were removed.
    per_class : array of float64 (n_classes,)
        The capacity of each class; NaN for classes that were not drawn.
    radius_per_class, dimension_per_class : array of float64 (n_classes,)
        The radius and the dimension of each class; NaN for classes that were not drawn.
    interval : tuple of float or None
        A 95 % interval of the capacity over new samples of the same population; None unless asked
        for.
    radius_interval, dimension_interval : tuple of float or None
        The same of the radius and the dimension.
    draw_error : float
        Monte Carlo standard error of the value: how much it varies with ``random_state``, because
        of the draws t and of the choice of subsets. New samples of the data vary more.
    draws : array of float64 (3, n_drawn, n_draws)
        1/capacity, radius^2 and the cosine between anchor and draw, before averaging over the
        draws.
    spans : array of float64 (n_drawn,)
        Dimension D of the linear span of each drawn class's points; the mean over its subsets.
    drawn : array of int64 (n_drawn,)
        Indices of the classes whose anchors were computed: all, or ``max_classes`` of them.
    standard_error : float
        Standard error of the value due to the drawing of classes; 0 if all were used.
    classes : array (n_classes,)
        The class values, in the order of all arrays.

    See Also
    --------
    manifold_capacity : Computes it.
    glue : The same for all classes together, without the theory of many classes.
    """

    radius: float
    dimension: float
    center_correlation: float
    shared_directions: int
    radius_per_class: Float64[Array, " classes"]
    dimension_per_class: Float64[Array, " classes"]
    draws: Float64[Array, "3 drawn draws"]
    spans: Float64[Array, " drawn"]
    drawn: Int64[Array, " drawn"]
    standard_error: float = 0.0
    draw_error: float = 0.0
    interval: tuple[float, float] | None = None
    radius_interval: tuple[float, float] | None = None
    dimension_interval: tuple[float, float] | None = None
    higher_is_better: bool | None = True

    def __getattr__(self, name: str) -> Any:
        raise missing_attribute(self, name, {"centre_correlation": "center_correlation"})

    @property
    def capacity(self) -> float:
        """The same as ``value``."""
        return self.value


def manifold_capacity(
    points: AnyArray,
    labels: AnyArray,
    kappa: float = 0.0,
    n_draws: int = 200,
    random_state: int | None = 0,
    *,
    max_samples_per_class: int | None = None,
    n_subsets: int = N_SUBSETS,
    max_classes: int | None = MANY_CLASSES,
    interval: bool = False,
    n_jobs: int | None = None,
) -> ManifoldCapacity:
    r"""Manifold capacity: how many classes per dimension a hyperplane could separate.

    The mean-field theory of the linear separation of class manifolds. The global mean and the few
    directions shared by all class centers are removed; each class is scaled by the norm of its
    center, and the center becomes an additional coordinate of 1. For a draw t from a standard
    normal distribution, v is the vector nearest to t with s.v + kappa <= 0 for every point s of the
    class. With alpha the multipliers of these constraints, the anchor point of the draw is
    s~ = (t - v) / sum(alpha). Then

    .. math:: \frac{1}{\alpha} = \operatorname*{mean}_t
              \frac{\max(0, t \cdot \tilde s + \kappa)^2}{\|\tilde s\|^2}, \quad
              R^2 = \operatorname*{mean}_t \|\delta\tilde s\|^2, \quad
              D_M = D \left(\operatorname*{mean}_t \hat t \cdot \hat s\right)^2

    with delta s~ the deviation of the anchor from its mean over the draws, and hats for unit
    vectors in the D dimensions of the class. The capacity is in (0, 2] for kappa = 0, and higher is
    better: 2 for classes of single points, 2/n for classes of n unstructured points. It grows as
    radius and dimension shrink.

    The shared directions are K orthonormal ones that minimize the squared correlations of the
    centers; of the minima for each K that are near the lowest, the one that leaves most of every
    center. K has the lowest mean absolute correlation, 0 included, so nothing is removed if that
    only raises it. The search does not depend on ``random_state``. Where two K are nearly equal, a
    new sample of the data can have the other one, and a capacity that differs by 10 % or more:
    ``interval`` includes this, ``draw_error`` does not.

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    kappa : float, default=0.0
        The margin, at least 0. Increase it to require a separation with a margin.
    n_draws : int, default=200
        Number of draws t for each class, at least 2, divided among its subsets. Increase it for a
        smaller Monte Carlo error, which falls with its square root; the time is proportional to it.
    random_state : int or None, default=0
        Seed of the draws and of the subsets. The default gives the same result each time; None
        draws differently.
    max_samples_per_class : int, optional
        The number of points of a manifold: of larger classes, the mean over random subsets of this
        many is computed. By default, each class is one manifold of all its points. The capacity
        falls as their number grows, because the manifold fills up: only compare values for the same
        number. The centers are those of all points in any case.
    n_subsets : int, default=16
        Number of subsets of a class with more points than ``max_samples_per_class``, disjoint where
        it has enough. With a single one the value depends on the points that were drawn.
    max_classes : int or None, default=100
        With more classes, average over this many, drawn at random, and take the leading principal
        components of all centers as the shared directions. Their search takes time with the square
        of the classes; the components change the capacity by up to 2 %. None computes all classes
        and searches, whatever their number.
    interval : bool, default=False
        Whether to compute 95 % intervals. Five times, each class is dealt into thirds, and the
        capacity computed with each third left out: it takes about 15 times as long. There is
        none with a class of fewer than 6 points.
    n_jobs : int, optional
        Number of threads. None uses every core (scikit-learn's None is one).

    Returns
    -------
    ManifoldCapacity
        ``capacity``, ``radius``, ``dimension``, ``center_correlation`` and the values per class.

    Raises
    ------
    UndefinedMeasureError
        If there is only one class, or the center of a class coincides with the mean of all points.

    See Also
    --------
    glue : The same for all classes together, exact for few of them.
    linear_probe : Accuracy of hyperplanes for these classes, with their labels.
    nc1 : Variability within classes relative to their means.
    participation_ratio : Effective dimension of all points.

    References
    ----------
    [Chung2018]_, equations 16, 17, 28 and 29; center correlations and shared directions:
    [Cohen2020]_.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.metrics import manifold_capacity
    >>> rng = np.random.default_rng(0)
    >>> centers = np.repeat(rng.normal(size=(8, 100)), 20, axis=0)
    >>> near, far = (centers + spread * rng.normal(size=(160, 100)) for spread in (0.1, 1.0))
    >>> labels = np.repeat(np.arange(8), 20)
    >>> near, far = (manifold_capacity(p, labels, random_state=0).capacity for p in (near, far))
    >>> near > 4 * far
    True
    """
    points, codes, classes = check_labeled(
        points, labels, min_classes=2, measure="manifold capacity"
    )
    kappa = check_number(kappa, "kappa", 0.0, bounds="of at least 0")
    n_draws = check_integer(n_draws, "n_draws", 2, 10**6, "from 2 to 1,000,000")
    if max_classes is not None:
        max_classes = check_integer(
            max_classes, "max_classes", 2, 2**62, "of at least 2, or None for all"
        )
    n_subsets = check_integer(n_subsets, "n_subsets", 1, 10**6, "from 1 to 1,000,000")
    return warn_notes(
        capacity_from_points(
            points,
            codes,
            classes,
            float(kappa),
            n_draws,
            random_state,
            max_samples_per_class,
            max_classes,
            n_jobs,
            n_subsets,
            interval,
        )
    )


def capacity_from_points(
    points: Rows,
    codes: Array,
    classes: Array,
    kappa: float = 0.0,
    n_draws: int = 200,
    random_state: int | None = 0,
    max_samples_per_class: int | None = None,
    max_classes: int | None = None,
    n_jobs: int | None = None,
    n_subsets: int = N_SUBSETS,
    interval: bool = False,
    means: Array | None = None,
) -> ManifoldCapacity:
    """Compute the manifold capacity of checked points, of which the class means may be known."""
    require_classes(classes, 2, "manifold capacity")
    limit = max_samples_per_class
    if limit is not None:
        limit = check_integer(limit, "max_samples_per_class", 1, 2**62, "of at least 1, or None")
    members = members_by_class(codes, len(classes))
    rng = random_generator(random_state)
    many = max_classes is not None and len(classes) > max_classes
    drawn = np.arange(len(classes))
    if many:
        assert max_classes is not None
        drawn = draw_classes(len(classes), max_classes, rng)

    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:

        def anchors_of(
            members: list[Array], rng: np.random.Generator, means: Array | None = None
        ) -> Anchors:
            return find_anchors(
                points, members, classes, drawn, kappa, n_draws, limit, n_subsets, rng, team, means
            )

        anchors = anchors_of(members, rng, means)
        inverse, radius, dimension = anchors.means()
        totals = anchors.totals()
        value, error = float(totals[0]), np.zeros(3)
        if many:
            each = np.stack([inverse, radius, dimension])
            left_out = 1.0 - len(drawn) / len(classes)
            error = each.std(axis=1, ddof=1) * np.sqrt(left_out / len(drawn))
            # Relative to the value; classes of one point have no radius.
            error /= np.where(each.any(axis=1), each.mean(axis=1), 1.0)
        sizes = np.array([len(own) for own in members])
        notes = _notes(anchors, sizes, classes, limit)
        if many:
            notes.append(
                f"manifold capacity is estimated from {len(drawn)} of {len(classes)} classes, "
                f"drawn at random; its standard error is {value * error[0]:.2g}. The directions "
                "shared by the class centers are their leading principal components, which changes "
                "it by up to 2 %"
            )
        intervals: list[tuple[float, float] | None] = [None, None, None]
        if interval and sizes.min() < SMALLEST_CLASS:
            small = format_names(classes[sizes < SMALLEST_CLASS])
            notes.append(
                f"manifold capacity has no interval: fewer than {SMALLEST_CLASS} points of {small}"
            )
        elif interval:
            try:
                intervals = interval_by_thirds(
                    lambda members, rng: anchors_of(members, rng).totals(),
                    members,
                    totals,
                    error,
                    rng,
                )
            except UndefinedMeasureError as undefined:
                notes.append(f"manifold capacity has no interval: without some points, {undefined}")
            else:
                notes.append(
                    f"the intervals of the manifold capacity are from {N_PARTITIONS} divisions of "
                    "each class into thirds, each left out in turn"
                )
    per_class, radius_per_class, dimension_per_class = np.full((3, len(classes)), np.nan)
    per_class[drawn] = 1.0 / inverse
    radius_per_class[drawn] = radius
    dimension_per_class[drawn] = dimension
    return ManifoldCapacity(
        value=value,
        radius=float(totals[1]),
        dimension=float(totals[2]),
        center_correlation=anchors.correlation,
        shared_directions=anchors.n_shared,
        per_class=per_class,
        radius_per_class=radius_per_class,
        dimension_per_class=dimension_per_class,
        draws=anchors.draws,
        spans=anchors.spans,
        drawn=drawn,
        standard_error=value * float(error[0]),
        draw_error=anchors.draw_error,
        interval=intervals[0],
        radius_interval=intervals[1],
        dimension_interval=intervals[2],
        classes=classes,
        notes=tuple(notes),
    )


def _notes(anchors: Anchors, sizes: Array, classes: Array, limit: int | None) -> list[str]:
    notes = []
    if limit is not None and (sizes > limit).any():
        count = int(anchors.subsets.max()) + 1
        subsets = f"the mean over {count} subsets" if count > 1 else "one subset"
        notes.append(
            f"manifold capacity is that of {limit} points of each class, {subsets} drawn at "
            "random; it falls as their number grows"
        )
    single = sizes == 1
    if single.any():
        notes.append(
            f"{int(single.sum())} of {len(classes)} classes have one point, and so the largest "
            f"possible capacity: {format_names(classes[single])}"
        )
    if anchors.n_failed:
        notes.append(
            f"{anchors.n_failed} of {anchors.draws[0].size} draws did not converge; the "
            "point with the largest projection was used as their anchor"
        )
    return notes
