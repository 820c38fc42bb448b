"""Curves of measures over the layers of a network."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

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
    wrap,
    write_panel_title,
    write_title,
)
from ._palette import LINES, MUTED
from ._style import LARGE, PAGE, SMALL, UnknotFigure, in_house_style
from ._ticks import linear_ticks, log_ticks
from ._values import headline, measured, short_number

_HEIGHT = 1.75
_TICKS_LEFT, _GAP, _ROW_GAP = 0.42, 0.28, 0.22
_LONGEST_LAYER = 1.1  # inches of a layer's name
_UPRIGHT = 0.15  # inches between names that stand upright
_HANDLE = 2.2
# Values that are positive and span such a factor are shown on a logarithmic axis.
_WIDE = 30

Layers = Mapping[str, Mapping[str, Any]]


class _Curve(NamedTuple):
    values: Array
    bounds: Array
    null: Array
    null_bounds: Array


class _Panel(NamedTuple):
    title: str
    better: str | None
    range: tuple[float, float]
    curves: dict[str, _Curve]


@in_house_style
def layer_curves(
    scores: Layers,
    measures: Sequence[str] | None = None,
    *,
    others: Mapping[str, Layers] | None = None,
    name: str = "trained",
    title: str = "",
    columns: int = 3,
) -> Figure:
    """Draw measures over the layers of a network: values, 95 % intervals, and chance.

    One panel a measure. The band is the interval, the grey dashed line and band what the measure
    would be by chance, with the labels permuted. An axis is logarithmic where a positive measure
    without upper bound spans a factor of 30.

    Parameters
    ----------
    scores : mapping of str to mapping of str to Score or float
        The name of each layer, in order, and its measures by name: what `unknot.measure` returns
        for the layer, or plain numbers. Layers that lack a measure leave a gap.
    measures : sequence of str, optional
        The names of the measures to draw, in order; by default all.
    others : mapping of str to mapping, optional
        The same of other networks with the same layers to compare with, such as
        ``{"untrained": ...}``, by their names.
    name : str, default "trained"
        What to call the network of ``scores`` beside others.
    title : str
        Above the panels.
    columns : int, default 3
        Panels beside each other.

    Returns
    -------
    matplotlib Figure
        10 inches wide.

    Raises
    ------
    ValueError
        If there are no layers or measures, a measure is nowhere among the scores, or another
        network has other layers.

    Examples
    --------
    >>> from unknot.figures import layer_curves
    >>> fig = layer_curves({"pixels": {"hit": 0.93}, "fc1": {"hit": 0.96}, "fc2": {"hit": 0.98}})
    >>> len(fig.axes)
    1
    """
    if name in (others or {}):
        raise ValueError(f"others has a network called {name!r} too; give this one another name")
    networks = {name: scores, **(others or {})}
    layers = _check_layers(networks, name)
    panels = [_panel(measure, networks) for measure in _check_measures(scores, measures)]
    if columns < 1:
        raise ValueError(f"columns must be at least 1; got {columns}")
    colors = dict(zip(networks, _cycled(len(networks)), strict=True))
    handles, labels = _legend_entries(panels, colors)

    n_columns = min(columns, len(panels))
    n_rows = math.ceil(len(panels) / n_columns)
    width = (PAGE - 2 * MARGIN - (columns - 1) * _GAP) / columns
    whole = 2 * MARGIN + n_columns * (width + _GAP) - _GAP
    names = _LayerNames(layers, width - _TICKS_LEFT)
    captions = [_caption(panel, width) for panel in panels]
    caption_height = max(map(panel_title_height, captions))
    heading = title_lines(title, whole - 2 * MARGIN)
    top = title_height(heading)
    row_height = caption_height + _HEIGHT + names.height
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
        for network, curve in panel.curves.items():
            # Where there are several networks, chance has the colour of each.
            shade = colors[network] if len(colors) > 1 else MUTED
            _draw_curve(ax, curve, colors[network], shade)
        _set_value_axis(ax, panel)
        names.write(ax)
        ax.grid(visible=True, axis="y")
        ax.spines[["top", "right"]].set_visible(False)
    if labels:
        add_legend(fig, handles, labels, handle_length=_HANDLE)
    return fig


def _check_layers(networks: Mapping[str, Layers], name: str) -> list[str]:
    layers = list(networks[name])
    if not layers:
        raise ValueError("scores must hold at least one layer; got none")
    for other, there in networks.items():
        if list(there) != layers:
            raise ValueError(
                f"the network {other!r} must have the layers {', '.join(layers)}; "
                f"it has {', '.join(there)}"
            )
    return layers


def _check_measures(scores: Layers, measures: Sequence[str] | None) -> list[str]:
    found = list(dict.fromkeys(measure for layer in scores.values() for measure in layer))
    wanted = found if measures is None else list(measures)
    if not wanted:
        raise ValueError("there are no measures to draw")
    for measure in wanted:
        if measure not in found:
            raise ValueError(f"no layer has the measure {measure!r}; there are {', '.join(found)}")
    return wanted


def _panel(measure: str, networks: Mapping[str, Layers]) -> _Panel:
    layers = [layer for there in networks.values() for layer in there.values()]
    first = measured(next(layer[measure] for layer in layers if measure in layer))
    curves = {}
    for network, there in networks.items():
        rows = []
        for layer in there.values():
            score = measured(layer[measure]) if measure in layer else measured(math.nan)
            null = math.nan if score.null is None else score.null
            nothing = (math.nan, math.nan)
            rows.append(
                [score.value, *(score.interval or nothing), null, *(score.null_interval or nothing)]
            )
        table = np.array(rows, dtype=np.float64)
        curves[network] = _Curve(table[:, 0], table[:, 1:3], table[:, 3], table[:, 4:6])
    low, high = first.range
    return _Panel(headline(first.title or measure), first.better, (float(low), float(high)), curves)


def _cycled(count: int) -> list[str]:
    return [LINES[number % len(LINES)] for number in range(count)]


def _legend_entries(
    panels: list[_Panel], colors: Mapping[str, str]
) -> tuple[list[Artist], list[str]]:
    handles: list[Artist] = []
    labels: list[str] = []
    if len(colors) > 1:
        handles += [Line2D([], [], color=color, linewidth=2.2) for color in colors.values()]
        labels += list(colors)
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
    remark = {"more": "higher is more untangled", "less": "lower is more untangled"}
    return [*lines, PanelLine(remark.get(panel.better or "", "neither way is better"), aside=True)]


def _draw_curve(ax: Axes, curve: _Curve, color: str, shade: str) -> None:
    """Draw a curve in its colour, and what it would be by chance in a shade."""
    places = np.arange(len(curve.values))
    if np.isfinite(curve.null).any():
        ax.fill_between(places, *curve.null_bounds.T, color=shade, alpha=0.16, linewidth=0)
        ax.plot(places, curve.null, color=shade, linewidth=1.0, linestyle=(0, (3, 2)), label="null")
    ax.fill_between(places, *curve.bounds.T, color=color, alpha=0.22, linewidth=0)
    ax.plot(
        places,
        curve.values,
        color=color,
        linewidth=1.7,
        marker="o",
        markersize=3.6,
        markeredgewidth=0,
        label="value",
    )


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
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))


class _LayerNames:
    """Names of layers below the panels: side by side where they fit, else upright."""

    def __init__(self, layers: list[str], width: float) -> None:
        most = int(width / _UPRIGHT)
        self.count = len(layers)
        self.places = list(range(0, len(layers), math.ceil(len(layers) / most)))
        self.names = [shorten(layers[place], _LONGEST_LAYER, SMALL) for place in self.places]
        widest = max(text_width(name, SMALL) for name in self.names)
        self.upright = widest + 0.05 > width / len(self.places)
        self.height = 0.1 + (widest if self.upright else SMALL / 72 * 1.3)

    def write(self, ax: Axes) -> None:
        """Set the ticks and names of the horizontal axis."""
        ax.set_xlim(-0.5, self.count - 0.5)
        names = [literal(name) for name in self.names]
        ax.set_xticks(self.places, names, rotation=90 if self.upright else 0)
