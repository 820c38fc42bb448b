"""The visible region of a map."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from .._typing import Array
from ._palette import FRAME


class View(NamedTuple):
    """The visible region, in data coordinates."""

    center: tuple[float, float]
    width: float
    height: float


def fit_view(arrays: Sequence[Array], min_aspect: float = 1.0) -> View:
    """Return the view that contains all points, with a small margin.

    Parameters
    ----------
    arrays : sequence of arrays (n, 2)
        Points or corners.
    min_aspect : float, default=1.0
        Minimum ratio of height to width; 1 for a square. Points that extend more vertically than
        horizontally always get a square.
    """
    corners = np.concatenate([np.asarray(array, np.float64).reshape(-1, 2) for array in arrays])
    low, high = corners.min(axis=0), corners.max(axis=0)
    extent = high - low
    # Coincident points get a view of side 1 around them.
    width = float(extent.max()) * 1.07 or 1.0
    height = min(max(float(extent[1]) + width - float(extent.max()), min_aspect * width), width)
    middle = (low + high) / 2
    return View((float(middle[0]), float(middle[1])), width, height)


def set_view(ax: Axes, view: View) -> None:
    """Set the limits of axes with the view's aspect ratio; equal scales, no ticks."""
    (x, y), width, height = view
    ax.set_xlim(x - width / 2, x + width / 2)
    ax.set_ylim(y - height / 2, y + height / 2)
    ax.set_aspect("equal", adjustable="box")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_color(FRAME)


def set_limits(ax: Axes, arrays: Sequence[Array]) -> None:
    """Extend the axes' view to contain the points; square, with equal scales and no ticks."""
    corners = list(arrays)
    if not ax.get_autoscale_on():  # limits were set by an earlier call: keep them in view
        # Remove the margin, which `fit_view` adds again.
        (x, y), half = (
            (np.mean(ax.get_xlim()), np.mean(ax.get_ylim())),
            np.ptp(ax.get_xlim()) / 2.14,
        )
        corners.append(np.array([[x - half, y - half], [x + half, y + half]]))
    set_view(ax, fit_view(corners))


def panel_size(ax: Axes) -> tuple[float, float]:
    """Return the width and height of axes in inches."""
    box, dpi = ax.get_window_extent(), ax.figure.dpi
    return float(box.width / dpi), float(box.height / dpi)
