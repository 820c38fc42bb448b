"""Heat maps over pairs of classes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from .._io.formatting import format_alike, format_tick
from .._typing import Array
from ._layout import (
    PanelLine,
    add_axes,
    literal,
    panel_title_height,
    shorten,
    text_width,
    title_height,
    title_lines,
    write,
    write_panel_title,
    write_title,
)
from ._palette import INK, text_on
from ._style import MARGIN, UnknotFigure, in_house_style, sheet
from ._ticks import linear_ticks
from ._values import capitalize, class_values, is_fraction, resolve_class_names

# A sequential colormap of one hue, from white to dark, with equal steps in lightness.
HEAT = LinearSegmentedColormap.from_list(
    "unknot_heat", ["#ffffff", "#a9d2fa", "#4a8be0", "#092f94"]
)
_DIAGONAL = "#eceef1"
_LARGEST_CELL, _SMALLEST_CELL = 0.46, 0.07
_LEAST_SIDE = 1.7  # inches; room for the labels beside rows and columns
_SMALLEST_WRITTEN = 0.34  # minimum size in inches of a cell with its value written in it
_SCALE_WIDTH = 0.75  # width in inches of the color scale with its tick labels
_MAX_NAME_WIDTH = 1.3


@in_house_style
def confusion_heatmap(
    confusion: Any,
    class_names: Sequence[str] | None = None,
    *,
    title: str = "",
    width: float | None = None,
) -> Figure:
    """Draw the confusion of classes among nearest neighbors as a heat map.

    Rows are the classes of the points, columns the classes of their neighbors. The diagonal, which
    is the Neighborhood Hit of each class, is written but not colored, so that small confusions
    remain visible.

    Parameters
    ----------
    confusion : NeighborConfusion, Score or array-like (n_classes, n_classes)
        Result of `neighbor_confusion` or `unknot.measure`. Entry (a, b) is the fraction of the
        neighbors of points of class a that belong to class b.
    class_names : sequence of str, default=None
        One name per class. Default: the classes of the result, or their indices.
    title : str, default=""
        Title of the figure.
    width : float, default=None
        Width of the figure in inches, for print: 3.3 is a column of most journals, 6.9 two. The
        figure then has exactly this width, and text of 7 to 9 points.
        Default: as the classes need, with larger text, for screens.

    Returns
    -------
    matplotlib.figure.Figure
        At most 10 inches wide; the width depends on the number of classes.

    Raises
    ------
    ValueError
        If the array is not square, or there is not one name per class.

    See Also
    --------
    pair_heatmap : Draw any other value per pair of classes.
    class_bars : Draw one value per class.
    unknot.metrics.neighbor_confusion : Compute the confusion.

    Examples
    --------
    >>> from unknot.figures import confusion_heatmap
    >>> figure = confusion_heatmap([[0.9, 0.1], [0.2, 0.8]], ["cat", "dog"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['90.0', '10.0', '20.0', '80.0']
    """
    k = getattr(confusion, "k", None)
    return _heatmap(
        confusion,
        class_names,
        title,
        label="of the neighbors, %" if k is None else f"of the {k} nearest neighbors, %",
        rows="class of the points",
        columns="class of their neighbors",
    )


@in_house_style
def pair_heatmap(
    pairs: Any,
    class_names: Sequence[str] | None = None,
    *,
    title: str = "",
    label: str = "",
    width: float | None = None,
) -> Figure:
    """Draw one value per pair of classes, such as the overlap of their hulls, as a heat map.

    Parameters
    ----------
    pairs : Score, result or array-like (n_classes, n_classes)
        A score with ``per_pair``, convex hulls or ellipses (of which the ``overlap`` is drawn), or
        an array of values. Values in [0, 1] are shown as percentages.
    class_names : sequence of str, default=None
        One name per class. Default: the classes of the result, or their indices.
    title : str, default=""
        Title of the figure. Default: the title of the score, if any.
    label : str, default=""
        Description of the values, below the title.
    width : float, default=None
        Width of the figure in inches, for print: 3.3 is a column of most journals, 6.9 two. The
        figure then has exactly this width, and text of 7 to 9 points.
        Default: as the classes need, with larger text, for screens.

    Returns
    -------
    matplotlib.figure.Figure
        At most 10 inches wide; the width depends on the number of classes. The diagonal is not
        colored.

    Raises
    ------
    ValueError
        If the score has no values per pair, or there is not one name per class.

    See Also
    --------
    confusion_heatmap : Draw the confusion of classes among nearest neighbors.
    draw_hulls : Draw the hulls themselves on a map.
    unknot.metrics.convex_hulls : Compute hulls and their overlap.
    unknot.metrics.best_ellipses : Compute ellipses and their overlap.

    Examples
    --------
    >>> from unknot.figures import pair_heatmap
    >>> figure = pair_heatmap([[0, 3.5], [3.5, 0]], ["cat", "dog"], title="Distance of means")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['0.00', '3.50', '3.50', '0.00']
    """
    return _heatmap(
        pairs, class_names, title or capitalize(getattr(pairs, "title", "")), label=label
    )


def _heatmap(
    score: Any,
    class_names: Sequence[str] | None,
    title: str,
    *,
    label: str,
    rows: str = "",
    columns: str = "",
) -> Figure:
    values = class_values(score, "overlap" if hasattr(score, "overlap") else "per_pair", 2)
    n_classes = len(values)
    names = resolve_class_names(class_names, score, n_classes)
    names = [shorten(name, min(_MAX_NAME_WIDTH, sheet().page / 4), sheet().small) for name in names]
    share = is_fraction(values)
    if share and not label:
        label = "%"

    widest = max(text_width(name, sheet().small) for name in names)
    left = MARGIN + (0.22 if rows else 0.0) + widest + 0.08
    available = sheet().page - MARGIN - left - _SCALE_WIDTH
    smallest = 0.0 if sheet().given else _SMALLEST_CELL
    cell = min(max(available / n_classes, smallest), max(_LARGEST_CELL, _LEAST_SIDE / n_classes))
    side = cell * n_classes
    horizontal = widest + 0.1 <= cell
    below = 0.08 + (sheet().small / 72 * 1.2 if horizontal else widest) + (0.24 if columns else 0.0)
    needed = left + side + _SCALE_WIDTH + MARGIN
    total_width = sheet().page if sheet().given else max(needed, 3.4)
    shift = (total_width - needed) / 2 if sheet().given else 0.0
    left += shift
    heading = title_lines(title, total_width - 2 * MARGIN)
    caption = [PanelLine(label, aside=True)] if label else []
    top = title_height(heading) + panel_title_height(caption)
    fig = UnknotFigure(total_width, top + side + below + MARGIN)
    write_title(fig, heading)
    write_panel_title(fig, MARGIN, top, caption)

    ax = add_axes(fig, left, top, side, side)
    off_diagonal = np.ma.masked_invalid(np.ma.array(values, mask=np.eye(n_classes, dtype=bool)))
    high = float(off_diagonal.max()) if off_diagonal.count() else 1.0
    low = min(float(off_diagonal.min()), 0.0) if off_diagonal.count() else 0.0
    norm = Normalize(low, high if high > low else low + 1)
    ax.set_facecolor(_DIAGONAL)
    ax.pcolormesh(off_diagonal, cmap=HEAT, norm=norm, edgecolors="white", linewidth=cell * 1.5)
    ax.invert_yaxis()
    ax.set_aspect("equal")
    step = math.ceil((1.3 * sheet().small / 72 if sheet().given else 0.14) / cell)
    ticks = range(0, n_classes, step)
    tick_labels = [literal(names[tick]) for tick in ticks]
    ax.set_xticks([tick + 0.5 for tick in ticks], tick_labels, rotation=0 if horizontal else 90)
    ax.set_yticks([tick + 0.5 for tick in ticks], tick_labels)
    ax.tick_params(length=0, pad=3, labelcolor=INK)
    ax.spines[:].set_visible(False)
    if cell >= _SMALLEST_WRITTEN:
        _write_cells(ax, values, norm, share=share)
    if columns:
        write(fig, left + side / 2, top + side + below - 0.17, columns, align="center")
    if rows:
        write_rotated(fig, MARGIN + shift, top + side / 2, rows)
    draw_scale(add_axes(fig, left + side + 0.18, top, 0.13, min(side, 2.4)), norm, share=share)
    what = f"{title or 'Values'}, {label}" if label else title or "Values"
    fig.caption = (
        f"{what}: rows are the {rows}, columns the {columns}; {n_classes:,} classes."
        if rows
        else f"{what}, of each pair of {n_classes:,} classes."
    )
    return fig


def _write_cells(ax: Axes, values: Array, norm: Normalize, *, share: bool) -> None:
    texts = np.reshape(format_alike(values, share=share), values.shape)
    for (row, column), value in np.ndenumerate(values):
        diagonal, text = row == column, str(texts[row, column])
        ax.text(
            column + 0.5,
            row + 0.5,
            # Omit values that round to zero, for legibility.
            text if diagonal or text.strip("0.−") else "",
            fontsize=sheet().cell,
            fontweight="bold" if diagonal else "normal",
            color=INK if diagonal else text_on(to_hex(HEAT(norm(value)))),
            ha="center",
            va="center_baseline",
        )


def write_rotated(fig: UnknotFigure, left: float, middle: float, text: str) -> None:
    """Write one line upward, its middle at a position in inches from the figure's top."""
    width, height = fig.get_size_inches()
    fig.text(
        left / width,
        1 - middle / height,
        literal(text),
        fontsize=sheet().normal,
        rotation=90,
        ha="left",
        va="center",
    )


def draw_scale(ax: Axes, norm: Normalize, *, share: bool) -> None:
    """Draw the color scale, with its ticks on the right."""
    low, high = float(norm.vmin or 0.0), float(norm.vmax or 1.0)
    ramp = np.linspace(low, high, 256)[:, np.newaxis]
    ax.imshow(ramp, cmap=HEAT, norm=norm, origin="lower", aspect="auto", extent=(0, 1, low, high))
    ax.set_xticks([])
    ax.yaxis.tick_right()
    length = ax.get_window_extent().height / ax.figure.dpi
    ax.yaxis.set_major_locator(FixedLocator(linear_ticks(low, high, length, min_gap=0.35)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: format_tick(100 * v if share else v)))
    ax.spines[:].set_visible(False)
