"""Shapes of the classes on a map: convex hulls and Gaussian ellipses, and their overlap.

Home-made (`_shapes`): peeled hulls are 1.7 to 3.2 times as fast as with shapely.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .._typing import AnyArray, Array, Float64, Shaped
from .._validation.numbers import check_number
from .._validation.points import check_labels, placed
from ._shapes.outlines import (
    FLAT_RATIO,
    bhattacharyya,
    class_outline,
    points_by_class,
    relative_overlap,
)
from ._shared.results import Result, UndefinedMeasureError, format_names, warn_notes

# Areas of coordinates of 2**500 and more overflow float64.
LARGEST_EXPONENT = 500
# A narrower hull, relative to the map, has an area below the rounding error.
MIN_RELATIVE_WIDTH = 1e-9
# If outliers that were peeled off make a map this much wider, its unit of length ignores them.
OUTLIER_RATIO = 1000


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ConvexHulls(Result):
    """The convex hulls of the classes on a map.

    Attributes
    ----------
    value : float
        Mean of ``overlap`` over the pairs of classes, in [0, 1]; 0 if no two hulls intersect.
    vertices : tuple of arrays of float64 (n_vertices, 2)
        The vertices of each class's hull, counter-clockwise; two if the class lies on a line, one
        if its points coincide.
    areas : array of float64 (n_classes,)
        Area of each hull, in the map's units squared; 0 for a class on a line or at a point.
    overlap : array of float64 (n_classes, n_classes)
        Area of the intersection divided by that of the smaller hull; 1 on the diagonal. For a hull
        without area, the fraction of its length (for a point: 1 or 0) inside the other.
    classes : array (n_classes,)
        The class values, in the order of all arrays.

    See Also
    --------
    convex_hulls, peeled_hulls : Compute it.
    unknot.figures.draw_hulls : Draws it.
    """

    vertices: tuple[Float64[Array, "_ 2"], ...]
    areas: Float64[Array, " classes"]
    overlap: Float64[Array, "classes classes"]
    classes: Shaped[Array, " classes"]
    higher_is_better: bool | None = False

    @property
    def per_pair(self) -> Float64[Array, "classes classes"]:
        """The same as ``overlap``."""
        return self.overlap

    @property
    def per_class(self) -> Float64[Array, " classes"]:
        """The mean overlap of each class with the others; ``value`` is their mean."""
        others = max(len(self.overlap) - 1, 1)
        return np.asarray((self.overlap.sum(axis=1) - self.overlap.diagonal()) / others)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Ellipses(Result):
    """The best-fitting ellipses of the classes on a map: one Gaussian per class.

    Attributes
    ----------
    value : float
        Mean of ``overlap`` over the pairs of classes, in [0, 1].
    means : array of float64 (n_classes, 2)
        The centers.
    covariances : array of float64 (n_classes, 2, 2)
        Maximum-likelihood covariances (divided by n).
    semi_axes : array of float64 (n_classes, 2)
        sqrt(2 lambda) for the eigenvalues lambda of the covariance, the larger first. This ellipse
        contains 1 - 1/e = 63.2 % of a Gaussian's mass.
    angles : array of float64 (n_classes,)
        Angle of the major axis to the first coordinate axis, in radians, in (-pi/2, pi/2].
    areas : array of float64 (n_classes,)
        pi times the product of the semi-axes.
    overlap : array of float64 (n_classes, n_classes)
        Bhattacharyya coefficients; 1 on the diagonal.
    classes : array (n_classes,)
        The class values, in the order of all arrays.

    See Also
    --------
    best_ellipses : Computes it.
    unknot.figures.draw_ellipses : Draws it.
    """

    means: Float64[Array, "classes 2"]
    covariances: Float64[Array, "classes 2 2"]
    semi_axes: Float64[Array, "classes 2"]
    angles: Float64[Array, " classes"]
    areas: Float64[Array, " classes"]
    overlap: Float64[Array, "classes classes"]
    classes: Shaped[Array, " classes"]
    higher_is_better: bool | None = False

    @property
    def per_pair(self) -> Float64[Array, "classes classes"]:
        """The same as ``overlap``."""
        return self.overlap

    @property
    def per_class(self) -> Float64[Array, " classes"]:
        """The mean overlap of each class with the others; ``value`` is their mean."""
        others = max(len(self.overlap) - 1, 1)
        return np.asarray((self.overlap.sum(axis=1) - self.overlap.diagonal()) / others)


def convex_hulls(map_: AnyArray, labels: AnyArray) -> ConvexHulls:
    r"""Convex hulls of the classes on a map, their areas, and the overlap of each pair.

    .. math:: o_{ab} = \frac{|H_a \cap H_b|}{\min(|H_a|, |H_b|)}

    with H the hulls and \|.\| their areas. In [0, 1], lower is better: 0 for disjoint hulls, 1 if
    one contains the other. The value is the mean over the pairs.

    Parameters
    ----------
    map_ : array-like (n_samples, 2)
        A map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.

    Returns
    -------
    ConvexHulls
        ``vertices``, ``areas``, ``overlap``, ``classes``, and ``value``, the mean overlap.

    Raises
    ------
    ValueError
        If the map is not two-dimensional, or contains NaN or infinity.
    UndefinedMeasureError
        If a hull is narrower than a billionth of the map.

    See Also
    --------
    peeled_hulls : The same without the outermost points of each class.
    best_ellipses : Gaussian ellipses, less sensitive to outliers.
    unknot.figures.draw_hulls : Draws them.

    Notes
    -----
    A single outlier extends a hull: `peeled_hulls` discards the outermost points.

    References
    ----------
    Computed by the monotone chain algorithm [Andrew1979]_.

    Examples
    --------
    A square of side 2, and one of side 1 that lies half inside it:

    >>> from unknot.metrics import convex_hulls
    >>> square = [[0, 0], [2, 0], [2, 2], [0, 2]]
    >>> small = [[1.5, 0], [2.5, 0], [2.5, 1], [1.5, 1]]
    >>> hulls = convex_hulls(square + small, [0, 0, 0, 0, 1, 1, 1, 1])
    >>> hulls.areas
    array([4., 1.])
    >>> hulls.value
    0.5
    """
    return warn_notes(_hulls_in_original_units(_check_map(map_, labels), depth=1.0))


def peeled_hulls(map_: AnyArray, labels: AnyArray, depth: float = 0.95) -> ConvexHulls:
    """Convex hulls of the classes without their outermost points (convex layers).

    The vertices of a class's hull are its first convex layer; the vertices of the hull of the
    remaining points are the second, and so on. Whole layers are removed, outermost first, as long
    as at least ``depth`` of the points remain; the result is the hull of the remaining points. The
    overlap is that of `convex_hulls`: in [0, 1], lower is better.

    Parameters
    ----------
    map_ : array-like (n_samples, 2)
        A map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    depth : float, default=0.95
        Minimum fraction of each class's points to keep, in (0, 1]; 1 peels nothing. Decrease it if
        classes have many outliers.

    Returns
    -------
    ConvexHulls
        ``vertices``, ``areas``, ``overlap``, ``classes``, and ``value``, the mean overlap.

    Raises
    ------
    ValueError
        If depth is not above 0 and at most 1, or the map is not two-dimensional, or
        contains NaN or infinity.
    UndefinedMeasureError
        If a hull is narrower than a billionth of the map.

    See Also
    --------
    convex_hulls : The hulls of all points.
    best_ellipses : Gaussian ellipses.
    unknot.figures.draw_hulls : Draws them.

    References
    ----------
    Convex layers as a measure of depth: [Barnett1976]_.

    Examples
    --------
    >>> from unknot.metrics import peeled_hulls
    >>> square = [[0, 0], [2, 0], [2, 2], [0, 2]]
    >>> inner = [[0.5, 0.5], [1.5, 0.5], [1.5, 1.5], [0.5, 1.5]]
    >>> far = [[x + 9, y] for x, y in square]
    >>> peeled_hulls(square + inner + far, [0] * 8 + [1] * 4, depth=0.5).areas
    array([1., 4.])
    """
    depth = check_number(depth, "depth", 0.0, 1.0, bounds="above 0, up to 1", open_low=True)
    return warn_notes(_hulls_in_original_units(_check_map(map_, labels), depth=depth))


def best_ellipses(map_: AnyArray, labels: AnyArray) -> Ellipses:
    r"""Best-fitting ellipses of the classes on a map: Gaussians with full covariance.

    The overlap of two classes is the Bhattacharyya coefficient of their Gaussians,

    .. math:: BC = \exp\left(-\tfrac18 d^T S^{-1} d
              - \tfrac12 \ln\frac{\det S}{\sqrt{\det S_1 \det S_2}}\right),
              \quad S = \tfrac12 (S_1 + S_2)

    with d the difference of the means and S_1, S_2 the covariances. In [0, 1], lower is better: 1
    for identical Gaussians, near 0 for distant ones. The value is the mean over the pairs.

    Parameters
    ----------
    map_ : array-like (n_samples, 2)
        A map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.

    Returns
    -------
    Ellipses
        ``means``, ``covariances``, ``semi_axes``, ``angles``, ``areas``, ``overlap``, ``classes``,
        and ``value``, the mean overlap.

    Raises
    ------
    ValueError
        If the map is not two-dimensional, or contains NaN or infinity.

    See Also
    --------
    convex_hulls, peeled_hulls : Outlines that make no assumption about the distribution.
    unknot.figures.draw_ellipses : Draws them.

    Notes
    -----
    Classes on a line or at a point have an ellipse without area, and are named in ``notes``. Their
    coefficient with any other class would be 0; instead, the square of a thousandth of the map's
    standard deviation is added to their variances.

    References
    ----------
    The coefficient: [Bhattacharyya1943]_.

    Examples
    --------
    Four points at distance 1 from the center along each axis have variances of 1/2. For a second
    such class at a distance of 2, d' S^-1 d / 8 = 4 * 2 / 8 = 1, and the overlap is exp(-1).

    >>> from unknot.metrics import best_ellipses
    >>> cross = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    >>> ellipses = best_ellipses(cross + [[x + 2, y] for x, y in cross], [0] * 4 + [1] * 4)
    >>> ellipses.covariances[0]
    array([[0.5, 0. ],
           [0. , 0.5]])
    >>> ellipses.semi_axes[0]
    array([1., 1.])
    >>> round(ellipses.value, 6)
    0.367879
    """
    checked = _check_map(map_, labels)
    found = ellipses_from_map(checked.coordinates, checked.codes, checked.classes)
    return warn_notes(
        replace(
            found,
            means=found.means * checked.unit + checked.origin,
            covariances=found.covariances * checked.unit**2,
            semi_axes=found.semi_axes * checked.unit,
            areas=found.areas * checked.unit**2,
        )
    )


def ellipses_from_map(coordinates: Array, codes: Array, classes: Array) -> Ellipses:
    """Compute the best-fitting ellipses of a checked map."""
    axes = ellipse_axes(coordinates, codes, len(classes))
    flat = axes.semi_axes[:, 1] <= FLAT_RATIO * axes.semi_axes[:, 0]
    overlap = bhattacharyya(axes.means, axes.covariances, flat, coordinates)
    return Ellipses(
        value=_mean_of_pairs(overlap),
        means=axes.means,
        covariances=axes.covariances,
        semi_axes=axes.semi_axes,
        angles=axes.angles,
        areas=np.pi * axes.semi_axes.prod(axis=1),
        overlap=overlap,
        classes=classes,
        notes=_shape_notes(classes, flat),
    )


class EllipseAxes(NamedTuple):
    """What `Ellipses` knows of each class by itself, without the overlaps of all pairs."""

    means: Float64[Array, "classes 2"]
    covariances: Float64[Array, "classes 2 2"]
    semi_axes: Float64[Array, "classes 2"]
    angles: Float64[Array, " classes"]


def ellipse_axes(coordinates: Array, codes: Array, n_classes: int) -> EllipseAxes:
    """Compute centers and axes of the best-fitting ellipses of a checked map."""
    means = np.empty((n_classes, 2))
    covariances = np.empty((n_classes, 2, 2))
    for c, own in enumerate(points_by_class(coordinates, codes, n_classes)):
        means[c] = own.mean(axis=0)
        centered = own - means[c]
        covariances[c] = centered.T @ centered / len(own)
    eigenvalues, eigenvectors = np.linalg.eigh(covariances)
    semi_axes = np.sqrt(2.0 * np.clip(eigenvalues[:, ::-1], 0.0, None))
    major = eigenvectors[:, :, 1]
    # The sign of an axis is arbitrary: choose the direction in (-pi/2, pi/2].
    backwards = (major[:, 0] < 0.0) | ((major[:, 0] == 0.0) & (major[:, 1] < 0.0))
    major = np.where(backwards[:, None], -major, major)
    return EllipseAxes(means, covariances, semi_axes, np.arctan2(major[:, 1], major[:, 0]))


class _Map(NamedTuple):
    """A validated map, and the transform back to the given coordinates."""

    coordinates: Float64[Array, "samples 2"]
    codes: Array
    classes: Array
    origin: Float64[Array, " 2"]
    unit: float


def _check_map(map_: AnyArray, labels: AnyArray) -> _Map:
    points, middle, exponent = placed(map_, name="map_")
    if points.shape[1] != 2:
        raise ValueError(
            f"map_ must have the shape (n_samples, 2); got {points.shape}. Hulls and ellipses "
            "need a two-dimensional map: project the points first"
        )
    if abs(exponent) > LARGEST_EXPONENT:
        raise ValueError(
            f"map_ must have areas within the range of float64; got coordinates of about 1e"
            f"{-0.301 * exponent:+.0f}. Divide all values by a constant of that size"
        )
    codes, classes = check_labels(labels, len(points))
    origin = np.zeros(2) if middle is None else middle.astype(np.float64)
    return _Map(points.astype(np.float64), codes, classes, origin, 2.0**-exponent)


def hulls_from_map(coordinates: Array, codes: Array, classes: Array, depth: float) -> ConvexHulls:
    """Compute the (peeled) hulls of a validated map."""
    from ._shapes.kernels_shapes import all_intersection_areas

    outlines = class_outlines(coordinates, codes, len(classes), depth)
    # Areas are computed relative to the map's center and scale, to keep their precision. (Not
    # before: rounding would turn collinear points into vertices.)
    origin = coordinates.mean(axis=0)
    unit = float(np.abs(coordinates - origin).max()) or 1.0
    kept = np.concatenate(outlines)
    if np.ptp(kept, axis=0).max() < unit / OUTLIER_RATIO:
        # The points peeled off are so distant that they would dominate the scale.
        origin = kept.mean(axis=0)
        unit = float(np.abs(kept - origin).max()) or 1.0
    _require_precision(outlines, classes, unit)
    scaled = [(outline - origin) / unit for outline in outlines]
    starts = np.concatenate([[0], np.cumsum([len(outline) for outline in outlines])])
    shared = np.empty((len(classes), len(classes)))
    vertices = np.concatenate(scaled)
    all_intersection_areas(vertices, starts, shared)
    areas = shared.diagonal().copy()
    overlap = relative_overlap(shared, areas, vertices, starts)
    return ConvexHulls(
        value=_mean_of_pairs(overlap),
        vertices=tuple(outlines),
        areas=areas * unit**2,
        overlap=overlap,
        classes=classes,
        notes=_shape_notes(classes, areas == 0.0),
    )


def class_outlines(coordinates: Array, codes: Array, n_classes: int, depth: float) -> list[Array]:
    """Compute the vertices of the (peeled) hulls of a validated map, without their overlaps."""
    by_class = points_by_class(coordinates, codes, n_classes)
    return [class_outline(points, depth) for points in by_class]


def _hulls_in_original_units(map_: _Map, depth: float) -> ConvexHulls:
    """Compute the hulls of a validated map, in the given coordinates."""
    hulls = hulls_from_map(map_.coordinates, map_.codes, map_.classes, depth)
    return replace(
        hulls,
        vertices=tuple(corners * map_.unit + map_.origin for corners in hulls.vertices),
        areas=hulls.areas * map_.unit**2,
    )


def _require_precision(outlines: list[Array], classes: Array, unit: float) -> None:
    """Raise UndefinedMeasureError if a hull is so small that its area would be a rounding error.

    Hulls of a single point have no area and pass.
    """
    sizes = np.array([float(np.ptp(outline, axis=0).max()) for outline in outlines])
    small = (sizes > 0.0) & (sizes < MIN_RELATIVE_WIDTH * unit)
    if small.any():
        raise UndefinedMeasureError(
            f"the hull of class {format_names(classes[small])} is {sizes[small].min() / unit:.1g} "
            "times as wide as the map, too small to compute its area. Remove the outliers, or "
            "decrease depth"
        )


def _mean_of_pairs(table: Array) -> float:
    count = len(table)
    if count == 1:
        return 0.0
    return float(table[np.triu_indices(count, 1)].mean())


def _shape_notes(classes: Array, flat: Array) -> tuple[str, ...]:
    notes = []
    if len(classes) == 1:
        notes.append(
            f"there is only one class ({classes[0]}): there is no pair, and the value is 0"
        )
    if flat.any():
        notes.append(
            f"{int(flat.sum())} of {len(classes)} classes lie on a line or at a point, and have "
            f"no area: {format_names(classes[flat])}"
        )
    return tuple(notes)
