"""One strip of maps over the layers of a network."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from .._io.formatting import format_compact
from .._typing import Array
from .._validation.arrays import as_array
from .._validation.points import check_labels
from ._classes import class_key
from ._layout import (
    HANDLE,
    HINTED,
    MARGIN,
    PanelLine,
    add_legend,
    even_columns,
    halo,
    legend_height,
    line_height,
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
from ._names import name_classes
from ._palette import FRAME, GRID, INK, MUTED
from ._shapes import check_map, point_style, scatter
from ._style import LARGE, NORMAL, PAGE, UnknotFigure, in_house_style
from ._values import headline, measured
from ._view import set_view, view_of

_GAP = 0.16
_WIDEST = 3.2  # inches of a panel where there are few
_MOST_LINES = 2  # of a layer's name
_SHORT_NAMES = {"neighborhood_hit": "NH"}


@in_house_style
def layer_strip(
    maps: Mapping[str, ArrayLike | str | None],
    labels: ArrayLike,
    class_names: Sequence[str] | None = None,
    *,
    scores: Mapping[str, Any] | None = None,
    measure: str = "neighborhood_hit",
    predictions: ArrayLike | None = None,
    title: str = "",
    columns: int | None = None,
    palette: str | Sequence[str] = "safe",
) -> Figure:
    """Draw the maps of the layers of a network beside each other, with one legend for all.

    Parameters
    ----------
    maps : mapping of str to array-like (n_samples, 2), str or None
        The name of each layer, in order, and its map. A layer without one has a gray panel, which
        says why if a text stands for the map.
    labels : array-like (n_samples,)
        The class of each point: integers or strings.
    class_names : sequence of str, optional
        Of labels 0..C-1, or of the sorted distinct labels; by default the labels themselves.
    scores : mapping of str to Scores, or of str to number, optional
        What to write above each map, by the layer's name: ``scores[layer][measure]`` in the
        representation itself and ``scores[layer]["map_" + measure]`` on the map, or a plain number.
        Layers and measures that are missing are left out.
    measure : str, default "neighborhood_hit"
        The measure to write.
    predictions : array-like (n_samples,), optional
        The class that the network gives to each point: those that differ from the labels are
        ringed.
    title : str
        Above the maps.
    columns : int, optional
        How many maps stand beside each other; by default all, or even rows of at most 5.
    palette : str or sequence of str
        ``"safe"``, the name of a matplotlib color map, or a color for each class.

    Returns
    -------
    matplotlib Figure
        At most 10 inches wide, with equal axes.

    Raises
    ------
    ValueError
        If there are no layers, a map is not of two dimensions or not finite, there is not one
        label, or prediction, for each point, or a palette or list of names does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.figures import layer_strip
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 50)
    >>> maps = {f"fc{n}": rng.normal(size=(100, 2)) + n * labels[:, None] for n in range(3)}
    >>> fig = layer_strip({**maps, "fc3": "all points are at one place"}, labels)
    >>> len(fig.axes)
    4
    """
    if not maps:
        raise ValueError("maps must hold at least one layer; got none")
    if columns is not None and columns < 1:
        raise ValueError(f"columns must be at least 1; got {columns}")
    points = {
        name: check_map(map_, name=f"maps[{name!r}]")
        for name, map_ in maps.items()
        if map_ is not None and not isinstance(map_, str)
    }
    n_samples = len(check_labels(labels)[0])
    for name, each in points.items():
        check_labels(labels, len(each), name=f"labels of {name!r}")
    key, codes = class_key([labels], class_names, palette).select(labels)
    wrong = _wrong(labels, predictions, n_samples)

    n_columns = min(columns or even_columns(len(maps)), len(maps))
    n_rows = math.ceil(len(maps) / n_columns)
    side = min((PAGE - 2 * MARGIN - (n_columns - 1) * _GAP) / n_columns, _WIDEST)
    whole = 2 * MARGIN + n_columns * (side + _GAP) - _GAP
    captions = {name: _caption(name, (scores or {}).get(name), measure, side) for name in maps}
    rows = [list(maps)[start : start + n_columns] for start in range(0, len(maps), n_columns)]
    heights = [max(panel_title_height(captions[name]) for name in row) for row in rows]
    heading = title_lines(title, whole - 2 * MARGIN)
    handles, names = key.handles(), list(key.names)
    if wrong is not None:
        handles.append(_ring_handle())
        names.append(f"predicted wrongly ({int(wrong.sum()):,})")
    legend = legend_height(names, whole - 2 * MARGIN, HANDLE)
    top = title_height(heading)
    fig = UnknotFigure(whole, top + sum(heights) + n_rows * (side + _GAP) - _GAP + legend + MARGIN)
    write_title(fig, heading)
    for row, height in zip(rows, heights, strict=True):
        top += height
        for column, name in enumerate(row):
            left = MARGIN + column * (side + _GAP)
            write_panel_title(fig, left, top, captions[name])
            ax = place(fig, left, top, side, side)
            if name not in points:
                reason = maps[name]
                _draw_nothing(ax, reason if isinstance(reason, str) else "no map", side)
                continue
            set_view(ax, view_of([points[name]]))
            scatter(ax, points[name], codes, key.colors)
            if wrong is not None:
                _ring(ax, points[name][wrong], side, point_style(len(points[name]), side)[0])
            name_classes([ax], points[name], codes, key.names)
        top += side + _GAP
    add_legend(fig, handles, names)
    return fig


def _wrong(labels: ArrayLike, predictions: ArrayLike | None, n_samples: int) -> Array | None:
    if predictions is None:
        return None
    shape = as_array(predictions, "predictions").shape
    if shape != (n_samples,):
        raise ValueError(
            f"predictions must hold one class for each of the {n_samples} samples; "
            f"got the shape {shape}"
        )
    found, true = (
        values[codes]
        for codes, values in (check_labels(predictions, name="predictions"), check_labels(labels))
    )
    if (found.dtype.kind in "US") != (true.dtype.kind in "US"):
        raise ValueError(
            "predictions must be classes as the labels are; "
            f"got {found.dtype} for labels of {true.dtype}"
        )
    return np.asarray(found != true)


def _caption(name: str, score: Any, measure: str, width: float) -> list[PanelLine]:
    """Write the layer's name and its score, there and on the map."""
    words = wrap(name, width, LARGE, bold=True)
    if len(words) > _MOST_LINES:
        rest = " ".join(words[_MOST_LINES - 1 :])
        words[_MOST_LINES - 1 :] = [shorten(rest, width, LARGE, bold=True)]
    lines = [PanelLine(line, headline=True) for line in words]
    if score is None:
        return lines
    known = score if isinstance(score, Mapping) else {measure: score}
    notes: list[str] = []
    for key, where in ((measure, ""), (f"map_{measure}", "on the map ")):
        if key not in known:
            continue
        found = measured(known[key])
        title = (found.title or measure).removesuffix(", on the map")
        short = _SHORT_NAMES.get(measure) or headline(title)
        share = measure in _SHORT_NAMES or found.range == (0.0, 1.0)
        text = format_compact(found.value, share=share)
        notes.append(f"{where}{text}" if notes else f"{short} {where}{text}")
    if text_width(", ".join(notes), NORMAL) * HINTED <= width:
        notes = [", ".join(notes)] if notes else []
    return [*lines, *(PanelLine(shorten(part, width, NORMAL), aside=True) for part in notes)]


def _draw_nothing(ax: Axes, reason: str, side: float) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_facecolor(GRID)
    ax.spines[:].set_color(FRAME)
    lines = wrap(reason, side - 0.3, NORMAL)
    most = max(1, int((side - 0.2) / line_height(NORMAL)))
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1].rstrip("…") + "…"]
    ax.text(
        0.5,
        0.5,
        literal("\n".join(lines)),
        transform=ax.transAxes,
        ha="center",
        va="center",
        color=MUTED,
        fontsize=NORMAL,
        linespacing=1.25,
    )


def _ring(ax: Axes, points: Array, side: float, point_size: float) -> None:
    """Ring points, around their dots: smaller where there are many, so that rings stay apart."""
    size = float(np.clip(0.02 * (side * 72) ** 2 / max(len(points), 1), 3.0, 22.0))
    size = max(size, 1.5 * point_size)
    width = 0.5 if size < 8 else 0.8
    ax.scatter(
        points[:, 0],
        points[:, 1],
        s=size,
        facecolors="none",
        edgecolors=INK,
        linewidths=width,
        path_effects=halo(width=width + 0.8),
        rasterized=True,
        zorder=3,
        label="wrong",
    )


def _ring_handle() -> Line2D:
    return Line2D(
        [],
        [],
        linestyle="",
        marker="o",
        markersize=5.5,
        markerfacecolor="none",
        markeredgecolor=INK,
        markeredgewidth=0.8,
    )
