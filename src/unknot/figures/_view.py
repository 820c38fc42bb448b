"""Which part of a map its axes show."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from .._typing import Array
from ._palette import FRAME


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
