"""A value of each class: bars for one set of values, dots for several."""

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
    MARGIN,
    PanelLine,
    add_legend,
    legend_height,
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
from ._palette import GRID, INK, LINES, MUTED, SAFE
from ._style import COLUMN, SMALL, UnknotFigure, in_house_style
from ._ticks import linear_ticks
from ._values import class_values, headline, is_share, row_names

_BAR = SAFE[2]
_ROW, _LOW_ROW = 0.22, 0.15  # inches; low ones for more than 40 classes
_LONGEST_NAME = 1.3
_TICKS_BELOW, _NUMBERS_RIGHT = 0.24, 0.58


@in_house_style
def class_bars(
    values: Any,
    class_names: Sequence[str] | None = None,
    *,
    title: str = "",
    label: str = "",
    sort: bool = False,
) -> Figure:
    """Draw a value of each class: bars for one set of values, dots for several.

    Parameters
    ----------
    values : Score, result, array-like (n_classes,), or a mapping of str to these
        A score or result with ``per_class``, such as a Neighborhood Hit, or the values. Of several,
        such as those of all layers, each has a name. Values in [0, 1] are shown as percentages.
    class_names : sequence of str, optional
        One for each class; by default the classes of the result, or their numbers.
    title : str
        Above the classes; by default the title of a score.
    label : str
        What the values are.
    sort : bool
        Whether the classes are in the order of their values, the greatest first; of several sets,
        of the values of the last.

    Returns
    -------
    matplotlib Figure
        5 inches wide. A line marks the value over all classes, and one what it is by chance, where
        one set of values is given and they are known.

    Raises
    ------
    ValueError
        If there are no values of classes, sets are of different classes, or the names do not fit.

    Examples
    --------
    >>> from unknot.figures import class_bars
    >>> fig = class_bars([0.9, 0.7], ["cat", "dog"], label="Neighborhood Hit")
    >>> [float(bar.get_width()) for bar in fig.axes[0].patches]
    [0.9, 0.7]
    """
    several = values if isinstance(values, Mapping) else None
    if several is not None and not several:
        raise ValueError("values must hold at least one set of values; got none")
    given = values if several is None else next(iter(several.values()))
    sets = {"": values} if several is None else dict(several)
    table = _table(sets)
    names = row_names(class_names, given, table.shape[1])
    names = [shorten(name, _LONGEST_NAME, SMALL) for name in names]
    if sort:
        order = np.argsort(-table[-1], kind="stable")
        table, names = table[:, order], [names[at] for at in order]
    title = title or headline(getattr(given, "title", ""))

    share = is_share(table)
    row = _ROW if len(names) <= 40 else _LOW_ROW
    left = MARGIN + max(text_width(name, SMALL) for name in names) + 0.1
    right = MARGIN + (_NUMBERS_RIGHT if several is None else 0.1)
    heading = title_lines(title, COLUMN - 2 * MARGIN)
    caption = [PanelLine(label, aside=True)] if label else []
    marks = _marks(given) if several is None else {}
    legend_names = list(marks) if several is None else list(sets)
    top = title_height(heading) + panel_title_height(caption)
    height = row * len(names)
    legend = legend_height(legend_names, COLUMN - 2 * MARGIN)
    fig = UnknotFigure(COLUMN, top + height + _TICKS_BELOW + legend + MARGIN)
    write_title(fig, heading)
    write_panel_title(fig, MARGIN, top, caption)
    ax = place(fig, left, top, COLUMN - left - right, height)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks(range(len(names)), [literal(name) for name in names])
    if several is None:
        handles = _draw_bars(ax, table[0], marks)
        _write_values(fig, ax, table[0], share=share, row=row, top=top)
    else:
        handles = _draw_dots(ax, table)
    _set_value_axis(ax, table, marks, bars=several is None, share=share)
    if legend_names:
        add_legend(fig, handles, legend_names)
    return fig


def _table(sets: Mapping[str, Any]) -> Array:
    rows = {name: class_values(given, "per_class", 1) for name, given in sets.items()}
    lengths = {len(values) for values in rows.values()}
    if len(lengths) > 1:
        listed = ", ".join(f"{name!r} has {len(values)}" for name, values in rows.items())
        raise ValueError(f"all sets of values must be of the same classes; {listed}")
    return np.stack(list(rows.values()))


def _marks(given: Any) -> dict[str, float]:
    marks = {}
    if hasattr(given, "value"):
        marks["over all classes"] = float(given.value)
    null = getattr(given, "null", None)
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
    known = np.isfinite(table).any(axis=0)
    ax.hlines(
        rows[known],
        np.nanmin(table[:, known], axis=0),
        np.nanmax(table[:, known], axis=0),
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
    """Write the numbers in a column of their own, where no bar is in their way."""
    right = fig.get_size_inches()[0] - MARGIN
    for number, words in enumerate(format_alike(values, share=share)):
        middle = top + (number + 0.5) * row
        if share and words != "–":
            words += " %"
        write(fig, right, middle - SMALL * 0.64 / 72, words, size=SMALL, align="right")


def _set_value_axis(
    ax: Axes, table: Array, marks: Mapping[str, float], *, bars: bool, share: bool
) -> None:
    shown = np.concatenate([table.ravel(), list(marks.values())])
    shown = shown[np.isfinite(shown)]
    low, high = (float(shown.min()), float(shown.max())) if len(shown) else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    if bars:
        # A bar is read by its length, so it begins at 0.
        low, high = min(low - margin, 0.0) if low < 0 else 0.0, high + margin
    else:
        low, high = low - margin, high + margin
    if share:
        low, high = max(low, 0.0), 1.0 if bars and high > 0.5 else min(high, 1.0)
    ax.set_xlim(low, max(high, 0.0) if bars else high)
    length = ax.get_window_extent().width / ax.figure.dpi
    ax.xaxis.set_major_locator(FixedLocator(linear_ticks(low, high, length, apart=0.55)))
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{100 * value:.4g} %" if share else format_tick(value))
    )
    ax.grid(visible=True, axis="x")
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.spines[["top", "right", "left"]].set_visible(False)
