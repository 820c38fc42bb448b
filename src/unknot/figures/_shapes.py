"""Points, convex hulls and ellipses, each drawn on given axes."""

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
from ._names import write_names
from ._palette import class_colors
from ._style import in_house_style
from ._view import panel_size, set_limits

if TYPE_CHECKING:
    from ..metrics import ConvexHulls, Ellipses
else:  # importing them would import SciPy
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
    """Draw the points of a map, colored by class, on square axes without ticks.

    Their size and opacity follow from their number and the size of the axes. They are drawn in a
    shuffled order, the same each time, so that no class lies on top of the others by its number.
    In SVG and PDF they are an image, so that the file stays small.

    Parameters
    ----------
    ax : matplotlib Axes
        To draw on.
    map_ : array-like (n_samples, 2)
        A map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    class_names : sequence of str, optional
        Of labels 0..C-1, or of the sorted distinct labels.
    palette : str or sequence of str
        ``"safe"``, the name of a matplotlib color map, or a color for each class.
    color : str, optional
        One color for all points, as a background.

    Raises
    ------
    ValueError
        If the map is not of two dimensions, or there is not one label for each point.
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
    """Draw the convex hulls of the classes, whole or peeled, on square axes without ticks.

    A class on a line is drawn as a line, one at a single place as a dot.

    Parameters
    ----------
    ax : matplotlib Axes
        To draw on; what it shows already stays in view.
    hulls : ConvexHulls
        From `unknot.metrics.convex_hulls` or `unknot.metrics.peeled_hulls`.
    class_names : sequence of str, optional
        One for each class of the hulls, in their order; by default their values.
    palette : str or sequence of str
        ``"safe"``, the name of a matplotlib color map, or a color for each class.
    names_on_map : bool
        Whether to write each class's name in the middle of its hull, where there is room for all.

    Raises
    ------
    ValueError
        If there is not one name, or one color, for each class.
    """
    names = _names_of(hulls, class_names)
    hull_patches(ax, hulls, class_colors(len(names), palette))
    set_limits(ax, hulls.vertices)
    if names_on_map:
        middles = np.array([vertices.mean(axis=0) for vertices in hulls.vertices])
        write_names(ax, middles, names)


@in_house_style
def draw_ellipses(
    ax: Axes,
    ellipses: Ellipses,
    *,
    class_names: Sequence[str] | None = None,
    palette: str | Sequence[str] = "safe",
    names_on_map: bool = True,
) -> None:
    """Draw the best-fitting ellipses of the classes, on square axes without ticks.

    Each holds 63.2 % of the Gaussian it stands for.

    Parameters
    ----------
    ax : matplotlib Axes
        To draw on; what it shows already stays in view.
    ellipses : Ellipses
        From `unknot.metrics.best_ellipses`.
    class_names : sequence of str, optional
        One for each class of the ellipses, in their order; by default their values.
    palette : str or sequence of str
        ``"safe"``, the name of a matplotlib color map, or a color for each class.
    names_on_map : bool
        Whether to write each class's name at its center, where there is room for all.

    Raises
    ------
    ValueError
        If there is not one name, or one color, for each class.
    """
    names = _names_of(ellipses, class_names)
    ellipse_patches(ax, ellipses, class_colors(len(names), palette))
    set_limits(ax, [ellipse_extent(ellipses)])
    if names_on_map:
        write_names(ax, ellipses.means, names)


def check_map(map_: ArrayLike, name: str = "map_") -> Array:
    """Return a map (n_samples, 2) of float32 or float64, or say what is wrong with it."""
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
    """Size (points squared) and opacity of n points on a square panel, its side in inches.

    The ink of all points together covers about a third of the panel, down to the size at which a
    point would vanish; from there on they become more transparent instead.
    """
    share = 0.3 * (side * 72) ** 2 / n_points
    size = min(max(share, 0.55), 22.0)
    opacity = min(max(0.9 * math.sqrt(share / size), 0.45), 0.9)
    return size, opacity


def scatter(ax: Axes, points: Array, codes: Labels, colors: Sequence[str]) -> None:
    """Draw points in a shuffled order."""
    size, opacity = point_style(len(points), min(panel_size(ax)))
    order = np.random.default_rng(0).permutation(len(points))
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
    """Draw hulls, the largest first, so that the smaller ones lie on top of them."""
    line_width, opacity = (outline_width(len(colors)), 1.0) if filled else (0.8, 0.5)
    for place in np.argsort(-hulls.areas, kind="stable"):
        vertices, color = hulls.vertices[place], colors[place]
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
    """Width of outlines in points: thinner where there are many."""
    return 1.4 if n_classes <= 20 else 0.9


def ellipse_patches(ax: Axes, ellipses: Ellipses, colors: Sequence[str]) -> None:
    """Draw ellipses, the largest first."""
    line_width = outline_width(len(colors))
    for place in np.argsort(-ellipses.areas, kind="stable"):
        width, height = 2 * ellipses.semi_axes[place]
        center, angle = ellipses.means[place], math.degrees(ellipses.angles[place])
        color = colors[place]
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
    """Corners of the upright boxes around the ellipses.

    An ellipse with semi-axes a and b at the angle t reaches sqrt(a^2 cos^2 t + b^2 sin^2 t) from
    its center along the first coordinate.
    """
    cos, sin = np.cos(ellipses.angles), np.sin(ellipses.angles)
    major, minor = ellipses.semi_axes.T
    reach = np.stack([np.hypot(major * cos, minor * sin), np.hypot(major * sin, minor * cos)], 1)
    return np.concatenate([ellipses.means - reach, ellipses.means + reach])


def _names_of(result: Any, class_names: Sequence[str] | None) -> list[str]:
    if class_names is None:
        return [str(value) for value in result.classes.tolist()]
    if len(class_names) != len(result.classes):
        raise ValueError(
            f"class_names must have one name for each of the {len(result.classes)} classes; "
            f"got {len(class_names)}"
        )
    return list(class_names)
