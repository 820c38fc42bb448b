"""Names of the classes on a map."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from .._typing import Array, Bool, Float64, Labels
from ._layout import halo, literal, spread_labels, text_width
from ._palette import INK, MUTED
from ._style import NORMAL
from ._view import panel_size

# More names than this on a map hide the map.
MOST_NAMES_ON_MAP = 26
_LONGEST_NAME_ON_MAP = 0.95  # inches
# Most points around a name that are asked for their class.
_AROUND = 24
_FIRM = 0.5


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


def name_classes(axes: Sequence[Axes], points: Array, codes: Labels, names: Sequence[str]) -> None:
    """Write each class's name where it is densest, as `write_names` does, on maps of one kind.

    It is faint where most of the points around are of other classes: such a class has no place of
    its own.
    """
    if len(names) > MOST_NAMES_ON_MAP:
        return
    places = densest_places(points, codes, len(names))
    firm = in_majority(points, codes, places)
    for ax in axes:
        write_names(ax, places, names, firm)


def in_majority(
    points: Array, codes: Labels, places: Float64[Array, "classes 2"]
) -> Bool[Array, " classes"]:
    """Whether the points around a class's place, one of its points, are mostly of the class.

    Half of the way from as many as by chance to all of them, as on the page.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    firm = np.ones(len(places), bool)
    for code, place in enumerate(places):
        count = int(np.count_nonzero(codes == code))
        chance = count / len(codes)
        around = min(_AROUND, max(3, -(-count // 2)), len(points) - 1)
        if chance == 1 or around < 1:
            continue
        _, near = tree.query(place, around + 1)
        # One of them is the point at the place itself.
        share = (np.count_nonzero(codes[near] == code) - 1) / around
        firm[code] = (share - chance) / (1 - chance) >= _FIRM
    return firm


def write_names(
    ax: Axes,
    places: Float64[Array, "classes 2"],
    names: Sequence[str],
    firm: Bool[Array, " classes"] | None = None,
) -> bool:
    """Write each class's name at its place, moved apart where they would overlap.

    Those that are not `firm` are faint.

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
    if firm is None:
        firm = np.ones(len(names), bool)
    for (x, y), name, is_firm in zip(placed * per_inch + low, names, firm, strict=True):
        ax.text(
            x,
            y,
            literal(name),
            fontsize=NORMAL,
            fontweight="bold" if is_firm else "normal",
            color=INK if is_firm else MUTED,
            ha="center",
            va="center_baseline",
            path_effects=halo(),
            zorder=6 if is_firm else 5,
        )
    return True
