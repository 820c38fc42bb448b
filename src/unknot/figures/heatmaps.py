"""Heat maps of the pairs of classes."""

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
    MARGIN,
    PanelLine,
    literal,
    panel_title_height,
    place,
    shorten,
    text_width,
    title_height,
    title_lines,
    write,
    write_panel_title,
    write_title,
)
from ._palette import INK, text_on
from ._style import NORMAL, PAGE, SMALL, UnknotFigure, in_house_style
from ._ticks import linear_ticks
from ._values import class_values, headline, is_share, row_names

# From paper to ink through one hue, each step as much darker as the last.
_HEAT = LinearSegmentedColormap.from_list(
    "unknot_heat", ["#ffffff", "#a9d2fa", "#4a8be0", "#092f94"]
)
_DIAGONAL = "#eceef1"
_LARGEST_CELL, _SMALLEST_CELL = 0.46, 0.07
_LEAST_SIDE = 1.7  # inches, so that the words beside the rows and columns have room
_SMALLEST_WRITTEN = 0.34  # inches of a cell that has room for its number
_SCALE_WIDTH = 0.75  # inches of the color scale and its numbers
_LONGEST_NAME = 1.3


@in_house_style
def confusion_heatmap(
    confusion: Any, class_names: Sequence[str] | None = None, *, title: str = ""
) -> Figure:
    """Draw which classes have neighbors of which: rows are points, columns their neighbors.

    Parameters
    ----------
    confusion : NeighborConfusion, Score or array-like (n_classes, n_classes)
        From `unknot.metrics.neighbor_confusion` or `unknot.measure`; in row a, the share of the
        neighbors of class a's points that are of each class.
    class_names : sequence of str, optional
        One for each class; by default the classes of the result, or their numbers.
    title : str
        Above the heat map.

    Returns
    -------
    matplotlib Figure
        As wide as it needs to be, 10 inches at most. The diagonal, which is the Neighborhood Hit of
        each class, is written but left out of the colors, so that the confusions can be seen.

    Raises
    ------
    ValueError
        If it is not a square array, or the names do not fit it.

    Examples
    --------
    >>> from unknot.figures import confusion_heatmap
    >>> fig = confusion_heatmap([[0.9, 0.1], [0.2, 0.8]], ["cat", "dog"])
    >>> [text.get_text() for text in fig.axes[0].texts]
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
) -> Figure:
    """Draw a value of each pair of classes, such as the overlap of their hulls.

    Parameters
    ----------
    pairs : Score, result or array-like (n_classes, n_classes)
        A score with ``per_pair``, hulls or ellipses (their ``overlap``), or the values. Values in
        [0, 1] are written as percentages.
    class_names : sequence of str, optional
        One for each class; by default the classes of the result, or their numbers.
    title : str
        Above the heat map; by default the title of a score.
    label : str
        What the numbers are.

    Returns
    -------
    matplotlib Figure
        As wide as it needs to be, 10 inches at most. The diagonal is left out of the colors.

    Raises
    ------
    ValueError
        If there are no values of pairs, or the names do not fit them.
    """
    return _heatmap(pairs, class_names, title or headline(getattr(pairs, "title", "")), label=label)


def _heatmap(
    given: Any,
    class_names: Sequence[str] | None,
    title: str,
    *,
    label: str,
    rows: str = "",
    columns: str = "",
) -> Figure:
    values = class_values(given, "overlap" if hasattr(given, "overlap") else "per_pair", 2)
    n_classes = len(values)
    names = row_names(class_names, given, n_classes)
    names = [shorten(name, _LONGEST_NAME, SMALL) for name in names]
    share = is_share(values)
    if share and not label:
        label = "%"

    widest = max(text_width(name, SMALL) for name in names)
    left = MARGIN + (0.22 if rows else 0.0) + widest + 0.08
    room = PAGE - MARGIN - left - _SCALE_WIDTH
    cell = min(max(room / n_classes, _SMALLEST_CELL), max(_LARGEST_CELL, _LEAST_SIDE / n_classes))
    side = cell * n_classes
    upright = widest + 0.1 <= cell
    below = 0.08 + (SMALL / 72 * 1.2 if upright else widest) + (0.24 if columns else 0.0)
    whole = max(left + side + _SCALE_WIDTH + MARGIN, 3.4)
    heading = title_lines(title, whole - 2 * MARGIN)
    caption = [PanelLine(label, aside=True)] if label else []
    top = title_height(heading) + panel_title_height(caption)
    fig = UnknotFigure(whole, top + side + below + MARGIN)
    write_title(fig, heading)
    write_panel_title(fig, MARGIN, top, caption)

    ax = place(fig, left, top, side, side)
    off_diagonal = np.ma.masked_invalid(np.ma.array(values, mask=np.eye(n_classes, dtype=bool)))
    high = float(off_diagonal.max()) if off_diagonal.count() else 1.0
    low = min(float(off_diagonal.min()), 0.0) if off_diagonal.count() else 0.0
    norm = Normalize(low, high if high > low else low + 1)
    ax.set_facecolor(_DIAGONAL)
    ax.pcolormesh(off_diagonal, cmap=_HEAT, norm=norm, edgecolors="white", linewidth=cell * 1.5)
    ax.invert_yaxis()
    ax.set_aspect("equal")
    step = math.ceil(0.14 / cell)
    places = range(0, n_classes, step)
    shown = [literal(names[at]) for at in places]
    ax.set_xticks([at + 0.5 for at in places], shown, rotation=0 if upright else 90)
    ax.set_yticks([at + 0.5 for at in places], shown)
    ax.tick_params(length=0, pad=3, labelcolor=INK)
    ax.spines[:].set_visible(False)
    if cell >= _SMALLEST_WRITTEN:
        _write_cells(ax, values, norm, share=share)
    if columns:
        write(fig, left + side / 2, top + side + below - 0.17, columns, align="center")
    if rows:
        _write_upward(fig, MARGIN, top + side / 2, rows)
    _draw_scale(place(fig, left + side + 0.18, top, 0.13, min(side, 2.4)), norm, share=share)
    return fig


def _write_cells(ax: Axes, values: Array, norm: Normalize, *, share: bool) -> None:
    texts = np.reshape(format_alike(values, share=share), values.shape)
    for (row, column), value in np.ndenumerate(values):
        diagonal, words = row == column, str(texts[row, column])
        ax.text(
            column + 0.5,
            row + 0.5,
            # What rounds to nothing is left empty, so that the rest can be seen.
            words if diagonal or words.strip("0.−") else "",
            fontsize=SMALL - 0.5,
            fontweight="bold" if diagonal else "normal",
            color=INK if diagonal else text_on(to_hex(_HEAT(norm(value)))),
            ha="center",
            va="center_baseline",
        )


def _write_upward(fig: UnknotFigure, left: float, middle: float, words: str) -> None:
    width, height = fig.get_size_inches()
    fig.text(
        left / width,
        1 - middle / height,
        words,
        fontsize=NORMAL,
        rotation=90,
        ha="left",
        va="center",
    )


def _draw_scale(ax: Axes, norm: Normalize, *, share: bool) -> None:
    low, high = float(norm.vmin or 0.0), float(norm.vmax or 1.0)
    ramp = np.linspace(low, high, 256)[:, np.newaxis]
    ax.imshow(ramp, cmap=_HEAT, norm=norm, origin="lower", aspect="auto", extent=(0, 1, low, high))
    ax.set_xticks([])
    ax.yaxis.tick_right()
    length = ax.get_window_extent().height / ax.figure.dpi
    ax.yaxis.set_major_locator(FixedLocator(linear_ticks(low, high, length, apart=0.35)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: format_tick(100 * v if share else v)))
    ax.spines[:].set_visible(False)
