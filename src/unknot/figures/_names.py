"""Names of the classes on a map."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from .._typing import Array, Float64, Labels
from ._layout import halo, literal, spread_labels, text_width
from ._palette import INK
from ._style import NORMAL
from ._view import panel_size

# More names than this on a map hide the map.
MOST_NAMES_ON_MAP = 26
_LONGEST_NAME_ON_MAP = 0.95  # inches


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
