"""Manifold capacity: how many class manifolds per dimension are linearly separable."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._io.stored_points import Rows
from .._io.text import missing_attribute
from .._parallel.n_jobs import resolve_n_jobs
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import AnyArray, Array, Float64, Int64
from .._validation.numbers import check_integer
from ._shared.centers import find_shared_directions, leading_shared_directions
from ._shared.checks import check_labeled, require_classes
from ._shared.many import MANY_CLASSES, draw_classes
from ._shared.moments import members_by_class, sum_by_class
from ._shared.results import ClassResult, UndefinedMeasureError, format_names, warn_notes


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
    draws : array of float64 (3, n_drawn, n_draws)
        1/capacity, radius^2 and the cosine between anchor and draw, before averaging over the
        draws.
    spans : array of float64 (n_drawn,)
        Dimension D of the linear span of each drawn class's points.
    drawn : array of int64 (n_drawn,)
        Indices of the classes whose anchors were computed: all, or ``max_classes`` of them.
    standard_error : float
        Standard error of the value due to the drawing of classes; 0 if all were used.
    classes : array (n_classes,)
        The class values, in the order of all arrays.

    See Also
    --------
    manifold_capacity : Computes it.
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
    max_classes: int | None = MANY_CLASSES,
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

    Parameters
    ----------
    points : array-like (n_samples, n_features)
        A representation.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    kappa : float, default=0.0
        The margin, at least 0. Increase it to require a separation with a margin.
    n_draws : int, default=200
        Number of draws t for each class, at least 2. Increase it for a smaller Monte Carlo error,
        which falls with its square root; the time is proportional to it.
    random_state : int or None, default=0
        Seed of the draws and of the sample. The default gives the same result each time; None
        draws differently.
    max_samples_per_class : int, optional
        Use at most this many points of each class, drawn at random; all by default. The capacity
        falls as their number grows, because the manifold fills up: only compare values for the same
        number.
    max_classes : int or None, default=100
        With more classes, average over this many, drawn at random, and take the leading principal
        components of all centers as the shared directions. Their search takes time with the square
        of the classes; the components change the capacity by up to 2 %. None computes all classes
        and searches, whatever their number.
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
    linear_probe : Accuracy of hyperplanes for these classes, with their labels.
    nc1 : Variability within classes relative to their means.
    participation_ratio : Effective dimension of all points.

    References
    ----------
    [Chung2018]_, equations 16, 17, 28 and 29; center correlations: [Cohen2020]_.

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
    if not 0.0 <= kappa < np.inf:
        raise ValueError(f"kappa must be at least 0 and finite; got {kappa}")
    n_draws = check_integer(n_draws, "n_draws", 2, 10**6, "from 2 to 1,000,000")
    if max_classes is not None:
        max_classes = check_integer(
            max_classes, "max_classes", 2, 2**62, "of at least 2, or None for all"
        )
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
) -> ManifoldCapacity:
    """Compute the manifold capacity of checked points."""
    require_classes(classes, 2, "manifold capacity")
    rng = np.random.default_rng(random_state)
    members, notes = _select_members(codes, classes, max_samples_per_class, rng)
    many = max_classes is not None and len(classes) > max_classes
    drawn = np.arange(len(classes))
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        if many:
            assert max_classes is not None
            drawn = draw_classes(len(classes), max_classes, rng)
            totals = sum_by_class(points, members, team)
            counts = np.array([len(own) for own in members])
            origin = totals.sum(axis=0) / counts.sum()
            centers = totals / counts[:, None] - origin
            chosen = [members[c] for c in drawn]
            taken = points[np.concatenate(chosen)]
        else:
            chosen = members
            taken = points[np.concatenate(members)]
            origin = taken.mean(axis=0, dtype=np.float64)
        manifolds = np.split(taken - origin, np.cumsum([len(own) for own in chosen])[:-1])
        if not many:
            centers = np.stack([manifold.mean(axis=0) for manifold in manifolds])
        _require_centers(centers, manifolds, classes)
        seeds = rng.spawn(len(drawn) + 1)
        if many:
            shared, correlation = leading_shared_directions(centers, seeds[-1])
        else:
            shared, correlation = find_shared_directions(centers, seeds[-1], team)
        draws = np.empty((3, len(drawn), n_draws))
        spans, failed = np.empty((2, len(drawn)))

        def measure(c: int) -> None:
            manifold = _normalized_manifold(manifolds[c], shared, classes[drawn[c]])
            spans[c] = manifold.shape[1] - 1
            draws[:, c], failed[c] = _draw_anchors(manifold, kappa, n_draws, seeds[c])

        team.run(measure, len(drawn))
    if failed.any():
        notes.append(
            f"{int(failed.sum())} of {failed.size * n_draws} draws did not converge; the "
            "point with the largest projection was used as their anchor"
        )
    inverse, radius, dimension = summarize_draws(draws, spans)
    value, error = float(1.0 / inverse.mean()), 0.0
    if many:
        left_out = 1.0 - len(drawn) / len(classes)
        error = float(value**2 * inverse.std(ddof=1) * np.sqrt(left_out / len(drawn)))
        notes.append(
            f"manifold capacity is estimated from {len(drawn)} of {len(classes)} classes, drawn at "
            f"random; its standard error is {error:.2g}. The directions shared by the class "
            "centers are their leading principal components, which changes it by up to 2 %"
        )
    per_class, radius_per_class, dimension_per_class = np.full((3, len(classes)), np.nan)
    per_class[drawn] = 1.0 / inverse
    radius_per_class[drawn] = radius
    dimension_per_class[drawn] = dimension
    return ManifoldCapacity(
        value=value,
        radius=float(radius.mean()),
        dimension=float(dimension.mean()),
        center_correlation=correlation,
        shared_directions=shared.shape[1],
        per_class=per_class,
        radius_per_class=radius_per_class,
        dimension_per_class=dimension_per_class,
        draws=draws,
        spans=spans,
        drawn=drawn,
        standard_error=error,
        classes=classes,
        notes=tuple(notes),
    )


def summarize_draws(draws: Array, spans: Array) -> tuple[Array, Array, Array]:
    """Average over the draws: return 1/capacity, radius and dimension of each class."""
    means = draws.mean(axis=-1)
    return means[0], np.sqrt(means[1]), spans * np.square(means[2])


def _select_members(
    codes: Array, classes: Array, limit: int | None, rng: np.random.Generator
) -> tuple[list[Array], list[str]]:
    """Return the indices of the points used of each class, and notes."""
    sizes = np.bincount(codes)
    members = members_by_class(codes, len(sizes))
    notes = []
    if limit is not None:
        limit = check_integer(limit, "max_samples_per_class", 1, 2**62, "of at least 1, or None")
        members = [
            np.sort(rng.choice(own, size=limit, replace=False)) if len(own) > limit else own
            for own in members
        ]
        if (sizes > limit).any():
            notes.append(
                f"manifold capacity is that of {limit} points of each class, drawn at random; "
                "it falls as their number grows"
            )
    single = sizes == 1
    if single.any():
        notes.append(
            f"{int(single.sum())} of {len(classes)} classes have one point, and so the largest "
            f"possible capacity: {format_names(classes[single])}"
        )
    return members, notes


def _require_centers(centers: Array, manifolds: list[Array], classes: Array) -> None:
    norms = np.linalg.norm(centers, axis=1)
    extent = max(float(np.abs(manifold).max()) for manifold in manifolds)
    lost = norms <= 1e-6 * extent
    if extent == 0.0 or lost.any():
        raise UndefinedMeasureError(
            "manifold capacity is in units of the distance of a class center from the mean of all "
            f"points, which is 0 for {format_names(classes[lost | (extent == 0.0)])}"
        )


def _normalized_manifold(manifold: Array, shared: Array, name: object) -> Array:
    """Return the points of a class relative to their center, scaled by its norm.

    Shared directions are removed. Coordinates are in an orthonormal basis of the points' span,
    with a last coordinate of 1 for the center.
    """
    left = manifold - (manifold @ shared) @ shared.T
    center = left.mean(axis=0)
    length = np.linalg.norm(center)
    if length <= 1e-9 * np.linalg.norm(manifold.mean(axis=0)):
        raise UndefinedMeasureError(
            f"the center of class {name} lies in the directions shared by all centers, so nothing "
            "of it is left after their removal"
        )
    left = (left - center) / length
    # Axes with singular values at the level of rounding are dropped.
    u, s, _ = np.linalg.svd(left, full_matrices=False)
    kept = s > max(s.max() * 1e-9, 1e-9)
    return np.ascontiguousarray(
        np.concatenate([u[:, kept] * s[kept], np.ones((len(left), 1))], axis=1)
    )


def _draw_anchors(
    manifold: Array, kappa: float, n_draws: int, rng: np.random.Generator
) -> tuple[Array, int]:
    """Return 1/capacity, radius^2 and the cosine of each draw, and the number of failed draws."""
    from ._shared.kernels_capacity import anchors

    draws = rng.normal(size=(n_draws, manifold.shape[1]))
    found = np.empty_like(draws)
    failed = anchors(manifold, manifold @ manifold.T, draws, kappa, found)
    reach = np.maximum(np.einsum("ij,ij->i", draws, found) + kappa, 0.0)
    inverse = np.square(reach) / np.einsum("ij,ij->i", found, found)
    # The last coordinate of an anchor, a weighted mean of points, is 1.
    body, draw = found[:, :-1], draws[:, :-1]
    squares = np.square(body - body.mean(axis=0)).sum(axis=1)
    lengths = np.linalg.norm(body, axis=1) * np.linalg.norm(draw, axis=1)
    cosines = np.divide(
        np.einsum("ij,ij->i", body, draw), lengths, out=np.zeros(n_draws), where=lengths > 1e-12
    )
    return np.stack([inverse, squares, cosines]), int(failed)
