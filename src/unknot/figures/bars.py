"""Values per class: bars for one set of values, dots for several."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

from .._io.formatting import format_alike, format_tick
from .._typing import Array
from ._layout import (
    PanelLine,
    add_axes,
    add_legend,
    legend_height,
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
from ._palette import GRID, INK, LINES, MUTED, SAFE
from ._style import MARGIN, UnknotFigure, in_house_style, sheet
from ._ticks import linear_ticks
from ._values import capitalize, class_values, is_fraction, resolve_class_names

_BAR = SAFE[2]
_ROW, _LOW_ROW = 0.22, 0.15  # row heights in inches, up to and above 40 classes
_MAX_NAME_WIDTH = 1.3
_TICKS_BELOW, _NUMBERS_RIGHT = 0.24, 0.58


@in_house_style
def class_bars(
    values: Any,
    class_names: Sequence[str] | None = None,
    *,
    title: str = "",
    label: str = "",
    sort: bool = False,
    width: float | None = None,
) -> Figure:
    """Draw one value per class: bars for one set of values, dots for several.

    Parameters
    ----------
    values : Score, result, array-like (n_classes,), or mapping of str to any of these
        A score or result with ``per_class``, such as a Neighborhood Hit, or an array of values.
        Pass a mapping of names to sets of values to compare several, such as those of all layers.
        Values in [0, 1] are shown as percentages.
    class_names : sequence of str, default=None
        One name per class. Default: the classes of the result, or their indices.
    title : str, default=""
        Title of the figure. Default: the title of the score, if any.
    label : str, default=""
        Description of the values, below the title.
    sort : bool, default=False
        Sort the classes by value, the largest first; by the last set if there are several. Set it
        to True to find the worst classes among many.
    width : float, default=None
        Width of the figure in inches, for print: 3.3 is a column of most journals, 6.9 two. The
        figure then has exactly this width, and text of 7 to 9 points.
        Default: 5 inches, with larger text, for screens.

    Returns
    -------
    matplotlib.figure.Figure
        5 inches wide. For a single score, lines mark the value over all classes and the value by
        chance, if known.

    Raises
    ------
    ValueError
        If the score has no values per class, the sets differ in their number of classes, or there
        is not one name per class.

    See Also
    --------
    confusion_heatmap : Draw which classes are neighbors of each other.
    pair_heatmap : Draw one value per pair of classes.
    layer_curves : Draw measures over the layers of a network.
    unknot.metrics.neighborhood_hit : Compute a score per class.

    Examples
    --------
    >>> from unknot.figures import class_bars
    >>> figure = class_bars([0.9, 0.7], ["cat", "dog"], label="Neighborhood Hit")
    >>> [float(bar.get_width()) for bar in figure.axes[0].patches]
    [0.9, 0.7]
    """
    several = isinstance(values, Mapping)
    if several and not values:
        raise ValueError("values must hold at least one set of values; got none")
    sets = dict(values) if several else {"": values}
    first = next(iter(sets.values()))
    table = _table(sets)
    names = resolve_class_names(class_names, first, table.shape[1])
    names = [
        shorten(name, min(_MAX_NAME_WIDTH, sheet().column / 3), sheet().small) for name in names
    ]
    if sort:
        order = np.argsort(-table[-1], kind="stable")
        table, names = table[:, order], [names[i] for i in order]
    title = title or capitalize(getattr(first, "title", ""))

    share = is_fraction(table)
    row = _ROW if len(names) <= 40 else _LOW_ROW
    left = MARGIN + max(text_width(name, sheet().small) for name in names) + 0.1
    right = MARGIN + (0.1 if several else _NUMBERS_RIGHT)
    heading = title_lines(title, sheet().column - 2 * MARGIN)
    caption = [PanelLine(label, aside=True)] if label else []
    marks = {} if several else _marks(first)
    legend_names = list(sets) if several else list(marks)
    top = title_height(heading) + panel_title_height(caption)
    height = row * len(names)
    legend = legend_height(legend_names, sheet().column - 2 * MARGIN)
    fig = UnknotFigure(sheet().column, top + height + _TICKS_BELOW + legend + MARGIN)
    write_title(fig, heading)
    write_panel_title(fig, MARGIN, top, caption)
    ax = add_axes(fig, left, top, sheet().column - left - right, height)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks(range(len(names)), [literal(name) for name in names])
    if several:
        handles = _draw_dots(ax, table)
    else:
        handles = _draw_bars(ax, table[0], marks)
        _write_values(fig, ax, table[0], share=share, row=row, top=top)
    _set_value_axis(ax, table, marks, bars=not several, share=share)
    if legend_names:
        add_legend(fig, handles, legend_names)
    what = label or title or "Value"
    fig.caption = f"{what} of each of {len(names):,} classes" + (
        f": {', '.join(sets)}." if several else "."
    )
    return fig


def _table(sets: Mapping[str, Any]) -> Array:
    rows = {name: class_values(score, "per_class", 1) for name, score in sets.items()}
    lengths = {len(values) for values in rows.values()}
    if len(lengths) > 1:
        listed = ", ".join(f"{name!r} has {len(values)}" for name, values in rows.items())
        raise ValueError(f"all sets of values must have the same number of classes; {listed}")
    return np.stack(list(rows.values()))


def _marks(score: Any) -> dict[str, float]:
    marks = {}
    if hasattr(score, "value"):
        marks["over all classes"] = float(score.value)
    null = getattr(score, "null", None)
    if null is not None:
        marks["by chance"] = float(null)
    return marks


def _draw_bars(ax: Axes, values: Array, marks: Mapping[str, float]) -> list[Line2D]:
    ax.barh(np.arange(len(values)), values, height=0.64, color=_BAR, linewidth=0)
    styles: dict[str, dict[str, Any]] = {
        "over all classes": {"color": LINES[0], "linestyle": "-"},
        "by chance": {"color": MUTED, "linestyle": (0, (3, 2))},
    }
    for mark, value in marks.items():
        ax.axvline(value, linewidth=1.2, label=mark, **styles[mark])
    return [
        Line2D(
            [],
            [],
            linestyle="",
            marker="|",
            markersize=9,
            markeredgewidth=1.4,
            color=styles[mark]["color"],
        )
        for mark in marks
    ]


def _draw_dots(ax: Axes, table: Array) -> list[Line2D]:
    rows = np.arange(table.shape[1])
    finite = np.isfinite(table).any(axis=0)
    ax.hlines(
        rows[finite],
        np.nanmin(table[:, finite], axis=0),
        np.nanmax(table[:, finite], axis=0),
        color=GRID,
        linewidth=2.0,
        zorder=1,
    )
    handles = []
    for number, values in enumerate(table):
        color = LINES[number % len(LINES)]
        style: dict[str, Any] = {
            "linestyle": "",
            "marker": "o",
            "markersize": 5.5,
            "markeredgewidth": 0,
        }
        ax.plot(values, rows, color=color, **style)
        handles.append(Line2D([], [], color=color, **style))
    return handles


def _write_values(
    fig: UnknotFigure, ax: Axes, values: Array, *, share: bool, row: float, top: float
) -> None:
    """Write the values in a column to the right of the bars."""
    right = fig.get_size_inches()[0] - MARGIN
    for number, text in enumerate(format_alike(values, share=share)):
        middle = top + (number + 0.5) * row
        if share and text != "–":
            text += " %"
        write(
            fig, right, middle - sheet().small * 0.64 / 72, text, size=sheet().small, align="right"
        )


def _set_value_axis(
    ax: Axes, table: Array, marks: Mapping[str, float], *, bars: bool, share: bool
) -> None:
    values = np.concatenate([table.ravel(), list(marks.values())])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    if bars:
        # The length of a bar encodes its value, so the axis must include 0.
        low, high = min(low - margin, 0.0) if low < 0 else 0.0, high + margin
    else:
        low, high = low - margin, high + margin
    if share:
        low, high = max(low, 0.0), 1.0 if bars and high > 0.5 else min(high, 1.0)
    ax.set_xlim(low, max(high, 0.0) if bars else high)
    length = ax.get_window_extent().width / ax.figure.dpi
    ax.xaxis.set_major_locator(FixedLocator(linear_ticks(low, high, length, min_gap=0.55)))
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{100 * value:.4g} %" if share else format_tick(value))
    )
    ax.grid(visible=True, axis="x")
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.spines[["top", "right", "left"]].set_visible(False)
