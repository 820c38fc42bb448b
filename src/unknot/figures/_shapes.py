"""Points, convex hulls and ellipses, each drawn on given axes."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, Polygon
from numpy.typing import ArrayLike

from .._typing import Array, Float64, Labels
from .._validation import check_labels, check_points
from ._classes import class_key
from ._layout import halo, literal, spread_labels, text_width
from ._palette import FRAME, INK, class_colors
from ._style import NORMAL, in_house_style

if TYPE_CHECKING:
    from ..metrics import ConvexHulls, Ellipses
else:  # importing them would import SciPy
    ConvexHulls = Ellipses = Any

# More names than this on a map hide the map.
MOST_NAMES_ON_MAP = 26
_LONGEST_NAME_ON_MAP = 0.95  # inches


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
    """Draw the points of a map, coloured by class, on square axes without ticks.

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
        ``"safe"``, the name of a matplotlib colour map, or a colour for each class.
    color : str, optional
        One colour for all points, as a background.

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
        ``"safe"``, the name of a matplotlib colour map, or a colour for each class.
    names_on_map : bool
        Whether to write each class's name in the middle of its hull, where there is room for all.
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
        ``"safe"``, the name of a matplotlib colour map, or a colour for each class.
    names_on_map : bool
        Whether to write each class's name at its centre, where there is room for all.
    """
    names = _names_of(ellipses, class_names)
    ellipse_patches(ax, ellipses, class_colors(len(names), palette))
    set_limits(ax, [ellipse_extent(ellipses)])
    if names_on_map:
        write_names(ax, ellipses.means, names)


def check_map(map_: ArrayLike, name: str = "map_") -> Array:
    """Return a map as float32 (n_samples, 2), or say what is wrong with it."""
    points = check_points(map_, name=name)
    if points.shape[1] != 2:
        raise ValueError(
            f"{name} must have the shape (n_samples, 2); got {points.shape}. "
            "Project the points first, with unknot.PCA or unknot.TSNE"
        )
    return points


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
    its centre along the first coordinate.
    """
    cos, sin = np.cos(ellipses.angles), np.sin(ellipses.angles)
    major, minor = ellipses.semi_axes.T
    reach = np.stack([np.hypot(major * cos, minor * sin), np.hypot(major * sin, minor * cos)], 1)
    return np.concatenate([ellipses.means - reach, ellipses.means + reach])


class View(NamedTuple):
    """The part of a map that is shown, in its own units."""

    center: tuple[float, float]
    width: float
    height: float


def view_of(shown: Sequence[Array], flattest: float = 1.0) -> View:
    """Frame all that is shown, with a small margin.

    Parameters
    ----------
    shown : sequence of arrays (n, 2)
        Points, corners.
    flattest : float
        The least height, as a share of the width; 1 for a square. What is taller than wide is
        always shown in a square.
    """
    corners = np.concatenate([np.asarray(each, np.float64).reshape(-1, 2) for each in shown])
    low, high = corners.min(axis=0), corners.max(axis=0)
    extent = high - low
    # All points at one place are shown in the middle of a view of side 1.
    width = float(extent.max()) * 1.07 or 1.0
    height = min(max(float(extent[1]) + width - float(extent.max()), flattest * width), width)
    middle = (low + high) / 2
    return View((float(middle[0]), float(middle[1])), width, height)


def set_view(ax: Axes, view: View) -> None:
    """Show a view on axes of its proportions, with equal scales and no ticks."""
    (x, y), width, height = view
    ax.set_xlim(x - width / 2, x + width / 2)
    ax.set_ylim(y - height / 2, y + height / 2)
    ax.set_aspect("equal", adjustable="box")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_color(FRAME)


def set_limits(ax: Axes, shown: Sequence[Array]) -> None:
    """Make axes square, with equal scales and no ticks, around this and what they show already."""
    corners = list(shown)
    if not ax.get_autoscale_on():  # the limits were set here before: keep what they hold
        # Less the margin, which is added again.
        (x, y), half = (
            (np.mean(ax.get_xlim()), np.mean(ax.get_ylim())),
            np.ptp(ax.get_xlim()) / 2.14,
        )
        corners.append(np.array([[x - half, y - half], [x + half, y + half]]))
    set_view(ax, view_of(corners))


def panel_size(ax: Axes) -> tuple[float, float]:
    """Width and height of axes in inches."""
    box, dpi = ax.get_window_extent(), ax.figure.dpi
    return float(box.width / dpi), float(box.height / dpi)


def densest_places(points: Array, codes: Labels, n_classes: int) -> Float64[Array, "classes 2"]:
    """Find where each class is densest, so that its name lies on its points.

    The mean, or the median, of a class in two pieces would lie between them.
    """
    from scipy.ndimage import gaussian_filter

    bins = 32
    low, high = points.min(axis=0), points.max(axis=0)
    cell = np.maximum((high - low) / bins, np.finfo(np.float32).tiny)
    places = np.empty((n_classes, 2))
    for code in range(n_classes):
        own = points[codes == code]
        cells = np.minimum((own - low) // cell, bins - 1).astype(np.int64)
        counts = np.zeros((bins, bins))
        np.add.at(counts, (cells[:, 0], cells[:, 1]), 1.0)
        smooth = gaussian_filter(counts, sigma=3.0, mode="constant")
        peak = np.array(np.unravel_index(np.argmax(smooth), smooth.shape)) + 0.5
        distances = np.square((own - low) / cell - peak).sum(axis=1)
        places[code] = own[np.argmin(distances)]
    return places


def write_names(ax: Axes, places: Float64[Array, "classes 2"], names: Sequence[str]) -> bool:
    """Write each class's name at its place, moved apart where they would overlap.

    Returns
    -------
    bool
        False, and nothing is written, if there are too many names, or too long ones, for the map.
    """
    widths = [text_width(name, NORMAL, bold=True) for name in names]
    if len(names) > MOST_NAMES_ON_MAP or max(widths) > _LONGEST_NAME_ON_MAP:
        return False
    panel = panel_size(ax)
    low = np.array([ax.get_xlim()[0], ax.get_ylim()[0]])
    per_inch = (ax.get_xlim()[1] - low[0]) / panel[0]
    sizes = np.stack([np.array(widths) + 0.08, np.full(len(names), NORMAL / 72 + 0.06)], axis=1)
    placed = spread_labels((places - low) / per_inch, sizes, panel)
    if placed is None:
        return False
    for (x, y), name in zip(placed * per_inch + low, names, strict=True):
        ax.text(
            x,
            y,
            literal(name),
            fontsize=NORMAL,
            fontweight="bold",
            color=INK,
            ha="center",
            va="center_baseline",
            path_effects=halo(),
            zorder=5,
        )
    return True


def _names_of(result: Any, class_names: Sequence[str] | None) -> list[str]:
    if class_names is None:
        return [str(value) for value in result.classes.tolist()]
    if len(class_names) != len(result.classes):
        raise ValueError(
            f"class_names must have one name for each of the {len(result.classes)} classes; "
            f"got {len(class_names)}"
        )
    return list(class_names)
