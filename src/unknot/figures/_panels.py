"""Panels of curves, one a measure: what the curves over layers and over epochs share."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from .._io.formatting import format_tick
from .._typing import Array
from ._layout import (
    MARGIN,
    PanelLine,
    add_legend,
    legend_height,
    panel_title_height,
    place,
    title_height,
    title_lines,
    wrap,
    write_panel_title,
    write_title,
)
from ._palette import MUTED
from ._style import LARGE, PAGE, UnknotFigure
from ._ticks import linear_ticks, log_ticks
from ._values import headline, isolated, measured

_HEIGHT = 1.75
_TICKS_LEFT, _GAP, _ROW_GAP = 0.42, 0.28, 0.22
_HANDLE = 2.2
# Values that are positive and span such a factor are shown on a logarithmic axis.
_WIDE = 30

Measures = Mapping[str, Any]


class Line(NamedTuple):
    """What one line of every panel is of: its measures at each place, its color, and chance's.

    Chance is not drawn where it has no color.
    """

    scores: Sequence[Measures]
    color: str
    chance: str | None


class HorizontalAxis(Protocol):
    """The axis below each panel."""

    height: float

    def write(self, ax: Axes) -> None:
        """Set the limits, ticks and names of the horizontal axis."""


class _Curve(NamedTuple):
    values: Array
    bounds: Array
    null: Array
    null_bounds: Array


class _Panel(NamedTuple):
    title: str
    higher_is_better: bool | None
    range: tuple[float, float]
    curves: dict[str, _Curve]


def draw_panels(
    measures: Sequence[str],
    lines: Mapping[str, Line],
    places: Array,
    axis: Callable[[float], HorizontalAxis],
    *,
    title: str,
    columns: int,
) -> Figure:
    """Draw a panel a measure, with the lines by their names in a legend if there are several.

    Parameters
    ----------
    places : array (n_places,)
        Where on the horizontal axis the scores of each line stand.
    axis : callable
        Makes the horizontal axis, given its length in inches.
    """
    if columns < 1:
        raise ValueError(f"columns must be at least 1; got {columns}")
    panels = [_panel(measure, lines) for measure in measures]
    handles, labels = _legend_entries(panels, lines)

    n_rows = math.ceil(len(panels) / columns)
    if n_rows > 1:  # four panels stand two by two, not three and one
        columns = math.ceil(len(panels) / n_rows)
    n_columns = min(columns, len(panels))
    width = (PAGE - 2 * MARGIN - (columns - 1) * _GAP) / columns
    whole = 2 * MARGIN + n_columns * (width + _GAP) - _GAP
    across = axis(width - _TICKS_LEFT)
    captions = [_caption(panel, width) for panel in panels]
    caption_height = max(map(panel_title_height, captions))
    heading = title_lines(title, whole - 2 * MARGIN)
    top = title_height(heading)
    row_height = caption_height + _HEIGHT + across.height
    rows_height = n_rows * row_height + (n_rows - 1) * _ROW_GAP
    legend = legend_height(labels, whole - 2 * MARGIN, _HANDLE)
    fig = UnknotFigure(whole, top + rows_height + legend + MARGIN)
    write_title(fig, heading)
    for number, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        row, column = divmod(number, n_columns)
        left = MARGIN + column * (width + _GAP)
        below = top + caption_height + row * (row_height + _ROW_GAP)
        write_panel_title(fig, left, below, caption)
        ax = place(fig, left + _TICKS_LEFT, below, width - _TICKS_LEFT, _HEIGHT)
        for name, curve in panel.curves.items():
            _draw_curve(ax, places, curve, lines[name])
        _set_value_axis(ax, panel)
        across.write(ax)
        ax.grid(visible=True, axis="y")
        ax.spines[["top", "right"]].set_visible(False)
    if labels:
        add_legend(fig, handles, labels, handle_length=_HANDLE)
    return fig


def check_measures(layers: Iterable[Measures], measures: Sequence[str] | None) -> list[str]:
    """Return the measures to draw: those asked for, or all that a layer has."""
    return wanted(layers, measures, "measure", of="layer")


def wanted(
    holders: Iterable[Iterable[str]], asked: Sequence[str] | None, kind: str, *, of: str
) -> list[str]:
    """Return the names to draw: those asked for, or all that the holders have, in their order.

    Raises
    ------
    ValueError
        If there are none, or one that was asked for is nowhere; ``kind`` says of what the names
        are, ``of`` what holds them.
    """
    found = list(dict.fromkeys(name for holder in holders for name in holder))
    names = found if asked is None else list(asked)
    if not names:
        raise ValueError(f"there are no {kind}s to draw")
    for name in names:
        if name not in found:
            raise ValueError(f"no {of} has the {kind} {name!r}; there are {', '.join(found)}")
    return names


def _panel(measure: str, lines: Mapping[str, Line]) -> _Panel:
    everything = [there for line in lines.values() for there in line.scores]
    first = measured(next(there[measure] for there in everything if measure in there))
    curves = {}
    for name, line in lines.items():
        rows = []
        for there in line.scores:
            score = measured(there[measure]) if measure in there else measured(math.nan)
            null = math.nan if score.null is None else score.null
            nothing = (math.nan, math.nan)
            rows.append(
                [score.value, *(score.interval or nothing), null, *(score.null_interval or nothing)]
            )
        table = np.array(rows, dtype=np.float64)
        if line.chance is None:
            table[:, 3:] = math.nan
        curves[name] = _Curve(table[:, 0], table[:, 1:3], table[:, 3], table[:, 4:6])
    low, high = first.range
    return _Panel(
        headline(first.title or measure), first.higher_is_better, (float(low), float(high)), curves
    )


def _legend_entries(
    panels: list[_Panel], lines: Mapping[str, Line]
) -> tuple[list[Artist], list[str]]:
    handles: list[Artist] = []
    labels: list[str] = []
    if len(lines) > 1:
        handles += [Line2D([], [], color=line.color, linewidth=2.2) for line in lines.values()]
        labels += list(lines)
    curves = [curve for panel in panels for curve in panel.curves.values()]
    if any(np.isfinite(curve.bounds).any() for curve in curves):
        handles.append(Line2D([], [], color=MUTED, alpha=0.3, linewidth=7, solid_capstyle="butt"))
        labels.append("95 % interval")
    if any(np.isfinite(curve.null).any() for curve in curves):
        handles.append(Line2D([], [], color=MUTED, linewidth=1.0, linestyle=(0, (3, 2))))
        labels.append("by chance (labels permuted)")
    return handles, labels


def _caption(panel: _Panel, width: float) -> list[PanelLine]:
    lines = [PanelLine(line, headline=True) for line in wrap(panel.title, width, LARGE, bold=True)]
    remark = {
        True: "higher is more untangled",
        False: "lower is more untangled",
        None: "neither way is better",
    }
    return [*lines, PanelLine(remark[panel.higher_is_better], aside=True)]


def _draw_curve(ax: Axes, places: Array, curve: _Curve, line: Line) -> None:
    """Draw a curve, its interval, and what it would be by chance."""
    if line.chance is not None and np.isfinite(curve.null).any():
        _draw_band(ax, places, curve.null_bounds, line.chance, alpha=0.16)
        ax.plot(
            places,
            curve.null,
            color=line.chance,
            linewidth=1.0,
            linestyle=(0, (3, 2)),
            label="null",
        )
        if (alone := isolated(curve.null)).any():
            ax.scatter(places[alone], curve.null[alone], s=6, color=line.chance, linewidth=0)
    _draw_band(ax, places, curve.bounds, line.color, alpha=0.22)
    ax.plot(
        places,
        curve.values,
        color=line.color,
        linewidth=1.7,
        marker="o",
        markersize=3.6,
        markeredgewidth=0,
        label="value",
    )


def _draw_band(ax: Axes, places: Array, bounds: Array, color: str, *, alpha: float) -> None:
    """Fill between two bounds; where those of both neighbors are missing, as a bar."""
    ax.fill_between(places, *bounds.T, color=color, alpha=alpha, linewidth=0)
    if (alone := isolated(bounds.sum(axis=1))).any():
        ax.vlines(places[alone], *bounds[alone].T, color=color, alpha=alpha, linewidth=5)


def _set_value_axis(ax: Axes, panel: _Panel) -> None:
    shown = np.concatenate([np.column_stack(curve).ravel() for curve in panel.curves.values()])
    shown = shown[np.isfinite(shown)]
    low, high = (float(shown.min()), float(shown.max())) if len(shown) else (0.0, 1.0)
    bounded = np.isfinite(panel.range[1])
    if low > 0 and high >= _WIDE * low and not bounded:
        ax.set_yscale("log")
        margin = (high / low) ** 0.06
        low, high = low / margin, high * margin
        ticks = log_ticks(low, high, _HEIGHT)
    else:
        margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
        # A value at the end of its range touches the end of the axis, which goes no further.
        low, high = max(low - margin, panel.range[0]), min(high + margin, panel.range[1])
        if low == high:
            low, high = low - 0.5, high + 0.5
        ticks = linear_ticks(low, high, _HEIGHT, apart=0.35)
    ax.set_ylim(low, high)
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_tick(value)))
