"""Points, convex hulls and ellipses drawn on existing axes."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, Polygon
from numpy.typing import ArrayLike

from .._typing import Array, Float64, Labels
from .._validation.points import as_points, check_labels, is_float32
from ._classes import class_key
from ._names import write_names_at
from ._palette import class_colors
from ._style import in_house_style
from ._view import panel_size, set_limits

if TYPE_CHECKING:
    from ..metrics import ConvexHulls, Ellipses
else:  # avoid importing SciPy
    ConvexHulls = Ellipses = Any


@in_house_style
def draw_points(
    ax: Axes,
    map_: ArrayLike,
    labels: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    palette: str | Sequence[str] = "safe",
    color: str | None = None,
) -> None:
    """Draw the points of a map on existing axes, colored by class.

    The axes become square, with equal scales and without ticks. Size and opacity of the points
    depend on their number and the size of the axes. They are drawn in a fixed random order, so that
    no class covers the others. In SVG and PDF they are rasterized, to keep the file small.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on. What they already show stays in view.
    map_ : array-like (n_samples, 2)
        Coordinates of the points, such as a map by t-SNE.
    labels : array-like (n_samples,)
        Class of each point: integers or strings.
    class_names : sequence of str, default=None
        Names of the classes: of labels 0..C-1, or of the sorted distinct labels. Not drawn; their
        number determines the colors of integer labels.
    palette : str or sequence of str, default="safe"
        ``"safe"``, colors that are distinct for every kind of color vision for up to 10 classes;
        the name of a matplotlib colormap, such as ``"viridis"`` for ordered classes; or one color
        per class.
    color : str, default=None
        A single color for all points, which overrides `palette`. Use it for a gray background.

    Raises
    ------
    ValueError
        If the map does not have two columns, or there is not one label per point.

    See Also
    --------
    draw_hulls : Draw the convex hulls of the classes.
    draw_ellipses : Draw the best-fitting ellipses of the classes.
    lab_panel : Draw all three as one figure.

    Examples
    --------
    >>> import matplotlib.figure
    >>> from unknot.figures import draw_points
    >>> ax = matplotlib.figure.Figure().add_subplot()
    >>> draw_points(ax, [[0, 0], [1, 2], [2, 1]], ["cat", "dog", "dog"])
    >>> len(ax.collections[0].get_offsets())
    3
    """
    points = check_map(map_)
    check_labels(labels, len(points))
    key, codes = class_key([labels], class_names, palette).select(labels)
    scatter(ax, points, codes, [color] * len(key.colors) if color else key.colors)
    set_limits(ax, [points])


@in_house_style
def draw_hulls(
    ax: Axes,
    hulls: ConvexHulls,
    *,
    class_names: Sequence[str] | None = None,
    palette: str | Sequence[str] = "safe",
    names_on_map: bool = True,
) -> None:
    """Draw the convex hulls of the classes on existing axes.

    The axes become square, with equal scales and without ticks. A degenerate hull is drawn as a
    line segment or a dot.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on. What they already show stays in view.
    hulls : ConvexHulls
        Result of `convex_hulls` or `peeled_hulls`. Peeled hulls ignore outliers.
    class_names : sequence of str, default=None
        One name per class of the hulls, in their order. Default: the values of the labels.
    palette : str or sequence of str, default="safe"
        ``"safe"``, colors that are distinct for every kind of color vision for up to 10 classes;
        the name of a matplotlib colormap, such as ``"viridis"`` for ordered classes; or one color
        per class.
    names_on_map : bool, default=True
        Write each class's name at the center of its hull if all names fit.

    Raises
    ------
    ValueError
        If there is not one name, or not one color, per class.

    See Also
    --------
    draw_points : Draw the points of a map.
    draw_ellipses : Draw the best-fitting ellipses of the classes.
    unknot.metrics.convex_hulls : Compute hulls of all points.
    unknot.metrics.peeled_hulls : Compute hulls without the outermost points.

    Examples
    --------
    >>> import matplotlib.figure
    >>> from unknot.figures import draw_hulls
    >>> from unknot.metrics import convex_hulls
    >>> hulls = convex_hulls([[0, 0], [1, 0], [0, 1], [5, 5], [6, 5], [5, 6]], [0, 0, 0, 1, 1, 1])
    >>> ax = matplotlib.figure.Figure().add_subplot()
    >>> draw_hulls(ax, hulls, class_names=["cat", "dog"])
    >>> [text.get_text() for text in ax.texts]
    ['cat', 'dog']
    """
    names = _names_of(hulls, class_names)
    hull_patches(ax, hulls, class_colors(len(names), palette))
    set_limits(ax, hulls.vertices)
    if names_on_map:
        middles = np.array([vertices.mean(axis=0) for vertices in hulls.vertices])
        write_names_at(ax, middles, names)


@in_house_style
def draw_ellipses(
    ax: Axes,
    ellipses: Ellipses,
    *,
    class_names: Sequence[str] | None = None,
    palette: str | Sequence[str] = "safe",
    names_on_map: bool = True,
) -> None:
    """Draw the best-fitting ellipses of the classes on existing axes.

    The axes become square, with equal scales and without ticks. Each ellipse contains 63.2 % of the
    Gaussian distribution fitted to its class.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on. What they already show stays in view.
    ellipses : Ellipses
        Result of `best_ellipses`.
    class_names : sequence of str, default=None
        One name per class of the ellipses, in their order. Default: the values of the labels.
    palette : str or sequence of str, default="safe"
        ``"safe"``, colors that are distinct for every kind of color vision for up to 10 classes;
        the name of a matplotlib colormap, such as ``"viridis"`` for ordered classes; or one color
        per class.
    names_on_map : bool, default=True
        Write each class's name at the center of its ellipse if all names fit.

    Raises
    ------
    ValueError
        If there is not one name, or not one color, per class.

    See Also
    --------
    draw_points : Draw the points of a map.
    draw_hulls : Draw the convex hulls of the classes.
    unknot.metrics.best_ellipses : Fit the ellipses.

    Examples
    --------
    >>> import matplotlib.figure
    >>> import numpy as np
    >>> from unknot.figures import draw_ellipses
    >>> from unknot.metrics import best_ellipses
    >>> labels = np.repeat([0, 1], 50)
    >>> map_ = np.random.default_rng(0).normal(size=(100, 2)) + 6 * labels[:, None]
    >>> ax = matplotlib.figure.Figure().add_subplot()
    >>> draw_ellipses(ax, best_ellipses(map_, labels), class_names=["cat", "dog"])
    >>> [text.get_text() for text in ax.texts]
    ['cat', 'dog']
    """
    names = _names_of(ellipses, class_names)
    ellipse_patches(ax, ellipses, class_colors(len(names), palette))
    set_limits(ax, [ellipse_extent(ellipses)])
    if names_on_map:
        write_names_at(ax, ellipses.means, names)


def check_map(map_: ArrayLike, name: str = "map_") -> Array:
    """Validate a map (n_samples, 2) and return it as float32 or float64."""
    points = as_points(map_, name=name)
    if points.shape[1] != 2:
        raise ValueError(
            f"{name} must have the shape (n_samples, 2); got {points.shape}. "
            "Project the points first, with unknot.PCA or unknot.TSNE"
        )
    if is_float32(points.dtype):
        return points.astype(np.float32)
    return points.astype(np.float64)


def point_style(n_points: int, side: float) -> tuple[float, float]:
    """Return marker area (points squared) and opacity for n points on a panel `side` inches wide.

    The points cover about a third of the panel in total. Below the smallest visible size, they
    become more transparent instead.
    """
    share = 0.3 * (side * 72) ** 2 / n_points
    size = min(max(share, 0.55), 22.0)
    opacity = min(max(0.9 * math.sqrt(share / size), 0.45), 0.9)
    return size, opacity


def scatter(
    ax: Axes,
    points: Array,
    codes: Labels,
    colors: Sequence[str],
    below: Array | None = None,
) -> None:
    """Draw points in a fixed random order, some of them below all others."""
    size, opacity = point_style(len(points), min(panel_size(ax)))
    order = np.random.default_rng(0).permutation(len(points))
    if below is not None:
        order = np.concatenate([order[below[order]], order[~below[order]]])
    ax.scatter(
        points[order, 0],
        points[order, 1],
        s=size,
        c=np.array(colors)[codes[order]],
        alpha=opacity,
        linewidths=0,
        rasterized=True,
    )


def hull_patches(
    ax: Axes, hulls: ConvexHulls, colors: Sequence[str], *, filled: bool = True
) -> None:
    """Draw hulls, the largest first, so that smaller ones stay visible."""
    line_width, opacity = (outline_width(len(colors)), 1.0) if filled else (0.8, 0.5)
    for index in np.argsort(-hulls.areas, kind="stable"):
        vertices, color = hulls.vertices[index], colors[index]
        if len(vertices) == 1:
            ax.plot(*vertices.T, "o", color=color, markersize=4, markeredgewidth=0)
            continue
        if filled:
            ax.add_patch(Polygon(vertices, facecolor=color, alpha=0.13, linewidth=0))
        ax.add_patch(
            Polygon(
                vertices,
                fill=False,
                edgecolor=color,
                linewidth=line_width,
                alpha=opacity,
                joinstyle="round",
            )
        )


def outline_width(n_classes: int) -> float:
    """Return the line width of outlines in points: thinner if there are many classes."""
    return 1.4 if n_classes <= 20 else 0.9


def ellipse_patches(ax: Axes, ellipses: Ellipses, colors: Sequence[str]) -> None:
    """Draw ellipses, the largest first."""
    line_width = outline_width(len(colors))
    for index in np.argsort(-ellipses.areas, kind="stable"):
        width, height = 2 * ellipses.semi_axes[index]
        center, angle = ellipses.means[index], math.degrees(ellipses.angles[index])
        color = colors[index]
        ax.add_patch(
            Ellipse(center, width, height, angle=angle, facecolor=color, alpha=0.18, linewidth=0)
        )
        ax.add_patch(
            Ellipse(
                center,
                width,
                height,
                angle=angle,
                fill=False,
                edgecolor=color,
                linewidth=line_width,
            )
        )


def ellipse_extent(ellipses: Ellipses) -> Float64[Array, "corners 2"]:
    """Return the corners of the ellipses' axis-aligned bounding boxes.

    An ellipse with semi-axes a and b at the angle t extends sqrt(a^2 cos^2 t + b^2 sin^2 t) from
    its center along the first coordinate.
    """
    cos, sin = np.cos(ellipses.angles), np.sin(ellipses.angles)
    major, minor = ellipses.semi_axes.T
    extent = np.stack([np.hypot(major * cos, minor * sin), np.hypot(major * sin, minor * cos)], 1)
    return np.concatenate([ellipses.means - extent, ellipses.means + extent])


def _names_of(result: Any, class_names: Sequence[str] | None) -> list[str]:
    if class_names is None:
        return [str(value) for value in result.classes.tolist()]
    if len(class_names) != len(result.classes):
        raise ValueError(
            f"class_names must have one name for each of the {len(result.classes)} classes; "
            f"got {len(class_names)}"
        )
    return list(class_names)
