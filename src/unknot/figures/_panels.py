"""Panels of curves, one per measure; shared by `layer_curves` and `epoch_curves`."""

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
from .._validation.numbers import check_integer
from ._errors import ErrorScale, is_near_one
from ._layout import (
    PanelLine,
    add_axes,
    add_legend,
    legend_height,
    panel_title_height,
    title_height,
    title_lines,
    wrap,
    write_panel_title,
    write_title,
)
from ._palette import MUTED
from ._style import MARGIN, UnknotFigure, sheet
from ._ticks import linear_ticks, log_ticks
from ._values import as_score_value, capitalize, isolated

_HEIGHT = 1.75
_NARROWEST = 1.9  # of a panel in print, in inches
_TICKS_LEFT, _GAP, _ROW_GAP = 0.42, 0.28, 0.22
_HANDLE_LENGTH = 2.2
# Positive values that span at least this factor get a logarithmic axis.
_LOG_RATIO = 30

# Families of measures that do not say how untangled a representation is.
_OF_MAPS = ("faithfulness", "transition")

Measures = Mapping[str, Any]


class Line(NamedTuple):
    """One line of every panel: its measures at each position and its color.

    The null value is drawn in `null_color`, or not at all if that is None.
    """

    scores: Sequence[Measures]
    color: str
    null_color: str | None


class HorizontalAxis(Protocol):
    """The shared horizontal axis, drawn below each panel."""

    height: float

    def write(self, ax: Axes) -> None:
        """Set the limits, ticks and tick labels."""


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
    given_map: bool = False
    family: str | None = None
    errors: bool = False

    @property
    def permuted(self) -> str:
        """What is permuted for the values by chance: of a transition, the samples before it."""
        return "samples" if self.family == "transition" else "labels"


def draw_panels(
    measures: Sequence[str],
    lines: Mapping[str, Line],
    positions: Array,
    make_axis: Callable[[float], HorizontalAxis],
    *,
    title: str,
    columns: int,
    errors: bool | None,
    deciding: Sequence[str],
) -> Figure:
    """Draw one panel per measure; the legend names the lines if there are several.

    Parameters
    ----------
    positions : array (n_positions,)
        Horizontal positions of each line's scores.
    make_axis : callable
        Returns the horizontal axis for a length in inches.
    errors : bool or None
        Whether shares are drawn by the logarithm of what they lack of 1; None to decide.
    deciding : sequence of str
        The lines that decide it.
    """
    check_integer(columns, "columns", 1)
    columns = sheet().most_columns(_NARROWEST, _GAP, columns)
    panels = [_panel(measure, lines, errors, deciding) for measure in measures]
    handles, labels = _legend_entries(panels, lines)

    n_rows = math.ceil(len(panels) / columns)
    if n_rows > 1:  # balance the rows: four panels are 2 x 2, not 3 + 1
        columns = math.ceil(len(panels) / n_rows)
    n_columns = min(columns, len(panels))
    if sheet().given:
        columns = n_columns
    width = (sheet().page - 2 * MARGIN - (columns - 1) * _GAP) / columns
    total_width = 2 * MARGIN + n_columns * (width + _GAP) - _GAP
    x_axis = make_axis(width - _TICKS_LEFT)
    captions = [_caption(panel, width) for panel in panels]
    caption_height = max(map(panel_title_height, captions))
    heading = title_lines(title, total_width - 2 * MARGIN)
    top = title_height(heading)
    row_height = caption_height + _HEIGHT + x_axis.height
    rows_height = n_rows * row_height + (n_rows - 1) * _ROW_GAP
    legend = legend_height(labels, total_width - 2 * MARGIN, _HANDLE_LENGTH)
    fig = UnknotFigure(total_width, top + rows_height + legend + MARGIN)
    write_title(fig, heading)
    for number, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        row, column = divmod(number, n_columns)
        left = MARGIN + column * (width + _GAP)
        axes_top = top + caption_height + row * (row_height + _ROW_GAP)
        write_panel_title(fig, left, axes_top, caption)
        ax = add_axes(fig, left + _TICKS_LEFT, axes_top, width - _TICKS_LEFT, _HEIGHT)
        for name, curve in panel.curves.items():
            _draw_curve(ax, positions, curve, lines[name])
        _set_value_axis(ax, panel)
        x_axis.write(ax)
        ax.grid(visible=True, axis="y")
        ax.spines[["top", "right"]].set_visible(False)
    if labels:
        add_legend(fig, handles, labels, handle_length=_HANDLE_LENGTH)
    fig.caption = _caption_text(panels, lines)
    return fig


def check_measures(layers: Iterable[Measures], measures: Sequence[str] | None) -> list[str]:
    """Return the requested measures, or all that any layer has."""
    return select_names(layers, measures, "measure", container="layer")


def select_names(
    containers: Iterable[Iterable[str]],
    requested: Sequence[str] | None,
    kind: str,
    *,
    container: str,
) -> list[str]:
    """Return the requested names, or all that any container has, in order of appearance.

    Raises
    ------
    ValueError
        If there are none, or no container has a requested name. ``kind`` and ``container`` say in
        the message what the names and the containers are.
    """
    known = list(dict.fromkeys(name for names in containers for name in names))
    names = known if requested is None else list(requested)
    if not names:
        raise ValueError(f"there are no {kind}s to draw")
    for name in names:
        if name not in known:
            raise ValueError(
                f"no {container} has the {kind} {name!r}; there are {', '.join(known)}"
            )
    return names


def _panel(
    measure: str, lines: Mapping[str, Line], errors: bool | None, deciding: Sequence[str]
) -> _Panel:
    all_scores = [scores for line in lines.values() for scores in line.scores]
    first = as_score_value(next(scores[measure] for scores in all_scores if measure in scores))
    curves = {}
    given_map = False
    for name, line in lines.items():
        rows = []
        for scores in line.scores:
            score = as_score_value(scores.get(measure, math.nan))
            given_map |= score.given_map and score.interval is not None
            null = math.nan if score.null is None else score.null
            no_bounds = (math.nan, math.nan)
            rows.append(
                [
                    score.value,
                    *(score.interval or no_bounds),
                    null,
                    *(score.null_interval or no_bounds),
                ]
            )
        table = np.array(rows, dtype=np.float64)
        if line.null_color is None:
            table[:, 3:] = math.nan
        curves[name] = _Curve(table[:, 0], table[:, 1:3], table[:, 3], table[:, 4:6])
    low, high = first.range
    is_share = (low, high) == (0, 1) and first.higher_is_better is True
    if errors is None:
        errors = is_near_one(np.concatenate([curves[name].values for name in deciding]))
    return _Panel(
        capitalize(first.title or measure),
        first.higher_is_better,
        (float(low), float(high)),
        curves,
        given_map,
        first.family,
        is_share and errors,
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
        given_map = any(panel.given_map for panel in panels)
        labels.append("95 % interval" + (" (on maps: given this map)" if given_map else ""))
    if any(np.isfinite(curve.null).any() for curve in curves):
        handles.append(Line2D([], [], color=MUTED, linewidth=1.0, linestyle=(0, (3, 2))))
        labels.append(f"by chance ({_permuted(panels)} permuted)")
    return handles, labels


def _permuted(panels: list[_Panel]) -> str:
    """Return what is permuted for the values by chance: labels, samples, or either."""
    return " or ".join(sorted({panel.permuted for panel in panels}))


def _caption(panel: _Panel, width: float) -> list[PanelLine]:
    lines = [
        PanelLine(line, headline=True)
        for line in wrap(panel.title, width, sheet().large, bold=True)
    ]
    better = "better" if panel.family in _OF_MAPS else "more untangled"
    direction = {
        True: f"higher is {better}",
        False: f"lower is {better}",
        None: "neither way is better",
    }[panel.higher_is_better]
    if panel.errors:
        direction += " · log of errors"
    return [
        *lines,
        *(PanelLine(line, aside=True) for line in wrap(direction, width, sheet().small)),
    ]


def _caption_text(panels: list[_Panel], lines: Mapping[str, Line]) -> str:
    """Return what the figure's caption should say."""
    curves = [curve for panel in panels for curve in panel.curves.values()]
    parts = [", ".join(panel.title for panel in panels)]
    if len(lines) > 1:
        parts.append(f"of {', '.join(lines)}")
    text = " ".join(parts)
    beside = []
    if any(np.isfinite(curve.bounds).any() for curve in curves):
        given = ", on maps given this map" if any(panel.given_map for panel in panels) else ""
        beside.append(f"bands are 95 % intervals{given}")
    if any(np.isfinite(curve.null).any() for curve in curves):
        beside.append(f"dashed is what permuted {_permuted(panels)} give")
    return f"{'; '.join([text, *beside])}."


def _draw_curve(ax: Axes, positions: Array, curve: _Curve, line: Line) -> None:
    """Draw a curve with its interval and its null value."""
    if line.null_color is not None and np.isfinite(curve.null).any():
        _draw_band(ax, positions, curve.null_bounds, line.null_color, alpha=0.16)
        ax.plot(
            positions,
            curve.null,
            color=line.null_color,
            linewidth=1.0,
            linestyle=(0, (3, 2)),
            label="null",
        )
        if (alone := isolated(curve.null)).any():
            ax.scatter(positions[alone], curve.null[alone], s=6, color=line.null_color, linewidth=0)
    _draw_band(ax, positions, curve.bounds, line.color, alpha=0.22)
    ax.plot(
        positions,
        curve.values,
        color=line.color,
        linewidth=1.7,
        marker="o",
        markersize=3.6,
        markeredgewidth=0,
        label="value",
    )


def _draw_band(ax: Axes, positions: Array, bounds: Array, color: str, *, alpha: float) -> None:
    """Fill between two bounds; draw a bar where both neighbors are missing."""
    ax.fill_between(positions, *bounds.T, color=color, alpha=alpha, linewidth=0)
    if (alone := isolated(bounds.sum(axis=1))).any():
        ax.vlines(positions[alone], *bounds[alone].T, color=color, alpha=alpha, linewidth=5)


def _set_value_axis(ax: Axes, panel: _Panel) -> None:
    values = np.concatenate([np.column_stack(curve).ravel() for curve in panel.curves.values()])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    bounded = np.isfinite(panel.range[1])
    if panel.errors and len(values):
        scale = ErrorScale(values)
        ax.set_yscale("function", functions=(scale.forward, scale.inverse))
        low, high = scale.limits(values)
        ticks = scale.ticks(low, high, _HEIGHT)
    elif low > 0 and high >= _LOG_RATIO * low and not bounded:
        ax.set_yscale("log")
        margin = (high / low) ** 0.06
        low, high = low / margin, high * margin
        ticks = log_ticks(low, high, _HEIGHT)
    else:
        margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
        # Clip the axis to the range of the measure.
        low, high = max(low - margin, panel.range[0]), min(high + margin, panel.range[1])
        if low == high:
            low, high = low - 0.5, high + 0.5
        ticks = linear_ticks(low, high, _HEIGHT, min_gap=0.35)
    ax.set_ylim(low, high)
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_tick(value)))
