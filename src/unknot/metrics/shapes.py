"""Shapes of the classes on a map: convex hulls and best-fitting ellipses, and how they overlap."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .._typing import AnyArray, Array, Float64, Shaped
from .._validation.points import check_labels, placed
from ._shapes.outlines import FLAT_RATIO, bhattacharyya, class_outline, relative_overlap
from ._shared.results import Result, UndefinedMeasureError, format_names, warn_notes

# Coordinates of 2**500 and more have areas that float64 does not hold.
LARGEST_EXPONENT = 500
# Corners have 16 digits of the map's width, and areas as many of its square.
MIN_RELATIVE_WIDTH = 1e-9
# Outliers that make a map so many times as wide as what is left of it are left out of its unit.
OUTLIER_RATIO = 1000


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ConvexHulls(Result):
    """The convex hulls of the classes on a map.

    Attributes
    ----------
    value : float
        Mean of ``overlap`` over the pairs of classes, in [0, 1]; 0 where no two hulls meet.
    vertices : tuple of arrays of float64 (n_vertices, 2)
        The corners of each class's hull, counter-clockwise; two for a class on a line, one for a
        class at one place.
    areas : array of float64 (n_classes,)
        Area of each hull, in the map's units squared; 0 for a class on a line or at one place.
    overlap : array of float64 (n_classes, n_classes)
        Area of the intersection divided by that of the smaller hull; 1 on the diagonal. For a hull
        without area, the share of its length (of its only point: 1 or 0) inside the other.
    classes : array (n_classes,)
        The class values, in the order of all of these.
    """

    vertices: tuple[Float64[Array, "_ 2"], ...]
    areas: Float64[Array, " classes"]
    overlap: Float64[Array, "classes classes"]
    classes: Shaped[Array, " classes"]
    higher_is_better: bool | None = False

    @property
    def per_pair(self) -> Float64[Array, "classes classes"]:
        """The overlap of each pair."""
        return self.overlap

    @property
    def per_class(self) -> Float64[Array, " classes"]:
        """The mean overlap of each class with the others; the value is their mean."""
        others = max(len(self.overlap) - 1, 1)
        return np.asarray((self.overlap.sum(axis=1) - self.overlap.diagonal()) / others)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Ellipses(Result):
    """The best-fitting ellipses of the classes on a map: one Gaussian a class.

    Attributes
    ----------
    value : float
        Mean of ``overlap`` over the pairs of classes, in [0, 1].
    means : array of float64 (n_classes, 2)
        The centers.
    covariances : array of float64 (n_classes, 2, 2)
        Maximum-likelihood covariances (divided by n).
    semi_axes : array of float64 (n_classes, 2)
        sqrt(2 lambda) for the eigenvalues lambda of the covariance, the larger first. An ellipse
        of these semi-axes holds 1 - 1/e = 63.2 % of a Gaussian's mass.
    angles : array of float64 (n_classes,)
        Direction of the major axis, in radians from the first coordinate, in (-pi/2, pi/2].
    areas : array of float64 (n_classes,)
        pi times the product of the semi-axes.
    overlap : array of float64 (n_classes, n_classes)
        Bhattacharyya coefficients; 1 on the diagonal.
    classes : array (n_classes,)
        The class values, in the order of all of these.
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
        """The overlap of each pair."""
        return self.overlap

    @property
    def per_class(self) -> Float64[Array, " classes"]:
        """The mean overlap of each class with the others; the value is their mean."""
        others = max(len(self.overlap) - 1, 1)
        return np.asarray((self.overlap.sum(axis=1) - self.overlap.diagonal()) / others)


def convex_hulls(map_: AnyArray, labels: AnyArray) -> ConvexHulls:
    """Convex hull of each class on a map, with its area and how much each pair overlaps.

    The overlap of two classes is the area their hulls share, divided by the area of the smaller
    hull: 0 when they are apart, 1 when one lies inside the other.

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
        If the map is not two-dimensional or not finite.
    UndefinedMeasureError
        If a hull is less than a billionth as wide as the map.

    Notes
    -----
    One stray point stretches a hull: `peeled_hulls` leaves out the outermost points.

    References
    ----------
    Computed by the monotone chain of [Andrew1979]_.

    Examples
    --------
    A square of side 2, and one of side 1 of which half lies inside it:

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
    """Convex hulls of the deepest points of each class: the outermost layers are peeled off first.

    The corners of a class's hull are its first layer; without them, the corners of what is left
    are the second, and so on. Whole layers are removed, outermost first, for as long as at least
    ``depth`` of the class remains; the hull is that of the points that are left.

    Parameters
    ----------
    map_ : array-like (n_samples, 2)
        A map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    depth : float
        The share of each class's points to keep at least, above 0 and at most 1; 1 peels nothing.

    Returns
    -------
    ConvexHulls
        ``vertices``, ``areas``, ``overlap``, ``classes``, and ``value``, the mean overlap.

    Raises
    ------
    ValueError
        If depth is not above 0 and at most 1, or the map is not two-dimensional or not finite.
    UndefinedMeasureError
        If a hull is less than a billionth as wide as the map.

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
    if not 0.0 < depth <= 1.0:
        raise ValueError(f"depth must be above 0 and at most 1; got {depth}")
    return warn_notes(_hulls_in_original_units(_check_map(map_, labels), depth=float(depth)))


def best_ellipses(map_: AnyArray, labels: AnyArray) -> Ellipses:
    r"""Best-fitting ellipse of each class on a map: the Gaussian of its mean and full covariance.

    The overlap of two classes is the Bhattacharyya coefficient of their Gaussians,

    .. math:: BC = \exp\left(-\tfrac18 d^T S^{-1} d
              - \tfrac12 \ln\frac{\det S}{\sqrt{\det S_1 \det S_2}}\right),
              \quad S = \tfrac12 (S_1 + S_2)

    with d the difference of the means: 1 for identical Gaussians, 0 for Gaussians that nowhere
    overlap.

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
        If the map is not two-dimensional or not finite.

    Notes
    -----
    Classes on a line or at one place have an ellipse without area, and are named in ``notes``.
    Their coefficient with any other class would be 0; so that it says something, their variances
    are given a floor for it: the square of a thousandth of the map's own spread.

    References
    ----------
    The coefficient: [Bhattacharyya1943]_.

    Examples
    --------
    Four points at distance 1 from the center along each axis: the variances are 1/2. A second
    class with its center 2 away has d' S^-1 d / 8 = 4 * 2 / 8 = 1, and overlaps by exp(-1).

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
    count = len(classes)
    means = np.empty((count, 2))
    covariances = np.empty((count, 2, 2))
    for c in range(count):
        own = coordinates[codes == c]
        means[c] = own.mean(axis=0)
        centered = own - means[c]
        covariances[c] = centered.T @ centered / len(own)
    eigenvalues, eigenvectors = np.linalg.eigh(covariances)
    semi_axes = np.sqrt(2.0 * np.clip(eigenvalues[:, ::-1], 0.0, None))
    major = eigenvectors[:, :, 1]
    # An axis has no head: of its two directions take the one in (-pi/2, pi/2].
    backwards = (major[:, 0] < 0.0) | ((major[:, 0] == 0.0) & (major[:, 1] < 0.0))
    major = np.where(backwards[:, None], -major, major)
    flat = semi_axes[:, 1] <= FLAT_RATIO * semi_axes[:, 0]
    overlap = bhattacharyya(means, covariances, flat, coordinates)
    return Ellipses(
        value=_mean_of_pairs(overlap),
        means=means,
        covariances=covariances,
        semi_axes=semi_axes,
        angles=np.arctan2(major[:, 1], major[:, 0]),
        areas=np.pi * semi_axes.prod(axis=1),
        overlap=overlap,
        classes=classes,
        notes=_shape_notes(classes, flat),
    )


class _Map(NamedTuple):
    """A checked map, and what takes its coordinates back to those that were given."""

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
            "are of two-dimensional maps: project the points first"
        )
    if abs(exponent) > LARGEST_EXPONENT:
        raise ValueError(
            f"map_ must have areas that float64 holds; got coordinates of about 1e"
            f"{-0.301 * exponent:+.0f}. Divide all values by a constant of that size"
        )
    codes, classes = check_labels(labels, len(points))
    origin = np.zeros(2) if middle is None else middle.astype(np.float64)
    return _Map(points.astype(np.float64), codes, classes, origin, 2.0**-exponent)


def hulls_from_map(coordinates: Array, codes: Array, classes: Array, depth: float) -> ConvexHulls:
    """Compute the hulls of a checked map, of at least the deepest share of each class."""
    from ._shapes.kernels_shapes import all_intersection_areas

    outlines = [class_outline(coordinates[codes == c], depth) for c in range(len(classes))]
    # The origin and the unit are moved to the map's own, or the areas would lose their digits to
    # a distant center. (Not before: rounded points on a side would become corners.)
    origin = coordinates.mean(axis=0)
    unit = float(np.abs(coordinates - origin).max()) or 1.0
    left = np.concatenate(outlines)
    if np.ptp(left, axis=0).max() < unit / OUTLIER_RATIO:
        # What was peeled off lies so far out that it says nothing of the rest.
        origin = left.mean(axis=0)
        unit = float(np.abs(left - origin).max()) or 1.0
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


def _hulls_in_original_units(map_: _Map, depth: float) -> ConvexHulls:
    """Compute the hulls of a checked map, in the coordinates that were given."""
    hulls = hulls_from_map(map_.coordinates, map_.codes, map_.classes, depth)
    return replace(
        hulls,
        vertices=tuple(corners * map_.unit + map_.origin for corners in hulls.vertices),
        areas=hulls.areas * map_.unit**2,
    )


def _require_precision(outlines: list[Array], classes: Array, unit: float) -> None:
    """Raise UndefinedMeasureError if a hull is so small beside the map that its area is rounding.

    A hull of one point has no area to lose.
    """
    sizes = np.array([float(np.ptp(outline, axis=0).max()) for outline in outlines])
    lost = (sizes > 0.0) & (sizes < MIN_RELATIVE_WIDTH * unit)
    if lost.any():
        raise UndefinedMeasureError(
            f"the hull of class {format_names(classes[lost])} is {sizes[lost].min() / unit:.1g} "
            "times as wide as the map, too small for its area to be computed. Remove the outliers, "
            "or peel more of them off"
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
            f"there is one class only ({classes[0]}): no pair can overlap, and the value is 0"
        )
    if flat.any():
        notes.append(
            f"{int(flat.sum())} of {len(classes)} classes lie on a line or at one place, and have "
            f"no area: {format_names(classes[flat])}"
        )
    return tuple(notes)
