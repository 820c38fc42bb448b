"""Class names written on a map."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from .._typing import Array, Bool, Float64, Labels
from ._layout import OutlinedText, literal, spread_labels, text_width
from ._palette import INK, MUTED
from ._style import sheet
from ._view import panel_size

# More names than this would hide the map.
MAX_NAMES = 26
_MAX_NAME_WIDTH = 0.95  # inches
# Neighbors that decide whether a class is in the majority, and the share it needs.
_MAX_NEIGHBORS = 24
_MAJORITY = 0.5


def densest_points(points: Array, codes: Labels, n_classes: int) -> Float64[Array, "classes 2"]:
    """Return the point of each class nearest to the class's density peak.

    The mean or median would fall between the parts of a class that is split in two.
    """
    from scipy.ndimage import gaussian_filter

    bins = 32
    low, high = points.min(axis=0), points.max(axis=0)
    cell = np.maximum((high - low) / bins, np.finfo(np.float32).tiny)
    positions = np.empty((n_classes, 2))
    for code in range(n_classes):
        own = points[codes == code]
        cells = np.minimum((own - low) // cell, bins - 1).astype(np.int64)
        counts = np.zeros((bins, bins))
        np.add.at(counts, (cells[:, 0], cells[:, 1]), 1.0)
        smooth = gaussian_filter(counts, sigma=3.0, mode="constant")
        peak = np.array(np.unravel_index(np.argmax(smooth), smooth.shape)) + 0.5
        distances = np.square((own - low) / cell - peak).sum(axis=1)
        positions[code] = own[np.argmin(distances)]
    return positions


def write_class_names(
    axes: Sequence[Axes], points: Array, codes: Labels, names: Sequence[str]
) -> None:
    """Write each class's name at its density peak, on several axes that show the same map.

    A name is muted if most neighboring points belong to other classes.
    """
    if len(names) > MAX_NAMES:
        return
    positions = densest_points(points, codes, len(names))
    bold = in_majority(points, codes, positions)
    for ax in axes:
        write_names_at(ax, positions, names, bold)


def in_majority(
    points: Array, codes: Labels, positions: Float64[Array, "classes 2"]
) -> Bool[Array, " classes"]:
    """Return whether each class is in the majority around its position, one of its own points.

    The share of neighbors of the class must lie at least halfway from the share expected by chance
    to 1. The report uses the same rule.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    majority = np.ones(len(positions), bool)
    for code, position in enumerate(positions):
        count = int(np.count_nonzero(codes == code))
        chance = count / len(codes)
        n_neighbors = min(_MAX_NEIGHBORS, max(3, -(-count // 2)), len(points) - 1)
        if chance == 1 or n_neighbors < 1:
            continue
        _, neighbors = tree.query(position, n_neighbors + 1)
        # Exclude the point at the position itself.
        share = (np.count_nonzero(codes[neighbors] == code) - 1) / n_neighbors
        majority[code] = (share - chance) / (1 - chance) >= _MAJORITY
    return majority


def write_names_at(
    ax: Axes,
    positions: Float64[Array, "classes 2"],
    names: Sequence[str],
    bold: Bool[Array, " classes"] | None = None,
) -> bool:
    """Write each class's name at its position, moved where names would overlap.

    Names that are not `bold` are muted.

    Returns
    -------
    bool
        False if nothing is written, since the names are too many or too long for the map.
    """
    widths = [text_width(name, sheet().normal, bold=True) for name in names]
    if len(names) > MAX_NAMES or max(widths) > _MAX_NAME_WIDTH:
        return False
    panel = panel_size(ax)
    low = np.array([ax.get_xlim()[0], ax.get_ylim()[0]])
    per_inch = (ax.get_xlim()[1] - low[0]) / panel[0]
    sizes = np.stack(
        [np.array(widths) + 0.08, np.full(len(names), sheet().normal / 72 + 0.06)], axis=1
    )
    placed = spread_labels((positions - low) / per_inch, sizes, panel)
    if placed is None:
        return False
    if bold is None:
        bold = np.ones(len(names), bool)
    for (x, y), name, is_bold in zip(placed * per_inch + low, names, bold, strict=True):
        text = OutlinedText(
            x,
            y,
            literal(name),
            fontsize=sheet().normal,
            fontweight="bold" if is_bold else "normal",
            color=INK if is_bold else MUTED,
            ha="center",
            va="center_baseline",
            zorder=6 if is_bold else 5,
        )
        ax.add_artist(text)
    return True
