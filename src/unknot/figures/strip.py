"""A strip of maps over the layers of a network."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from .._io.formatting import format_compact
from .._io.text import cut_names
from .._typing import Array
from .._validation.arrays import as_array
from .._validation.label_values import label_values
from .._validation.numbers import check_integer
from .._validation.points import check_labels
from ._coloring import Coloring, add_value_bar, color_by_class, color_by_value
from ._layout import (
    HANDLE,
    HINTING_MARGIN,
    MAX_COLUMNS,
    PanelLine,
    add_axes,
    add_legend,
    even_columns,
    halo,
    legend_height,
    line_height,
    literal,
    panel_title_height,
    shorten,
    text_width,
    title_height,
    title_lines,
    wrap,
    write_panel_title,
    write_title,
)
from ._names import write_class_names
from ._palette import FRAME, GRID, INK, MUTED
from ._shapes import check_map, point_style, scatter
from ._style import MARGIN, UnknotFigure, in_house_style, sheet
from ._values import as_score_value, capitalize, count_points
from ._view import fit_view, set_view

_GAP = 0.16
_MAX_PANEL_SIDE = 3.2  # inches
_NARROWEST_MAP = 1.3  # in print, before rows are divided
_MAX_NAME_LINES = 2
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
    values: ArrayLike | None = None,
    width: float | None = None,
) -> Figure:
    """Draw the maps of the layers of a network side by side, with one common legend.

    Parameters
    ----------
    maps : mapping of str to array-like (n_samples, 2), str or None
        Name and map of each layer, in the order of the network. A layer without a map gets a gray
        panel; a string instead of the map is written there as the reason.
    labels : array-like (n_samples,)
        Class of each point: integers or strings. Points whose label is masked, NaN or None are
        gray.
    class_names : sequence of str, default=None
        Names of labels 0..C-1, or of the sorted distinct labels. Default: the labels themselves.
    scores : mapping of str to Scores, or of str to float, default=None
        Scores written above the maps, by layer name: ``scores[layer][measure]`` is the score of the
        representation, ``scores[layer]["map_" + measure]`` that of the map. A plain number is taken
        as the former. Missing scores are omitted.
    measure : str, default="neighborhood_hit"
        Name of the measure written above the maps.
    predictions : array-like (n_samples,), default=None
        Predicted class of each point. Misclassified points are ringed.
    title : str, default=""
        Title of the figure.
    columns : int, default=None
        Number of maps per row. Default: all, or balanced rows of at most 5. Decrease it for larger
        maps.
    palette : str or sequence of str, default="safe"
        ``"safe"``, colors that are distinct for every kind of color vision for up to 10 classes;
        the name of a matplotlib colormap, such as ``"viridis"`` for ordered classes; or one color
        per class.
    values : array-like (n_samples,), default=None
        A number for each point, which colors it in place of the labels; NaN is gray.
    width : float, default=None
        Width of the figure in inches, for print: 3.3 is a column of most journals, 6.9 two. The
        figure then has exactly this width, and text of 7 to 9 points.
        Default: at most 10 inches, with larger text, for screens.

    Returns
    -------
    matplotlib.figure.Figure
        At most 10 inches wide, with equal scales.

    Raises
    ------
    ValueError
        If there are no layers, a map does not have two columns or is not finite, there is not one
        label or prediction per point, or the palette or the class names do not match the classes.

    See Also
    --------
    layer_curves : Draw measures over the layers.
    compare_maps : Draw maps of different samples or methods side by side.
    unknot.Study.figure : Draw the strip of a study.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.figures import layer_strip
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 50)
    >>> maps = {f"fc{n}": rng.normal(size=(100, 2)) + n * labels[:, None] for n in range(3)}
    >>> figure = layer_strip({**maps, "fc3": "all points coincide"}, labels)
    >>> [text.get_text() for text in figure.texts]
    ['fc0', 'fc1', 'fc2', 'fc3']
    >>> figure.axes[3].texts[0].get_text()
    'all points coincide'
    """
    if not maps:
        raise ValueError("maps must hold at least one layer; got none")
    if columns is not None:
        check_integer(columns, "columns", 1)
    points = {
        name: check_map(map_, name=f"maps[{name!r}]")
        for name, map_ in maps.items()
        if map_ is not None and not isinstance(map_, str)
    }
    if values is None:
        coloring = color_by_class(labels, class_names, palette)
    else:
        coloring = color_by_value(values)
    n_samples, what = len(coloring.codes), "label" if values is None else "value"
    for name, map_points in points.items():
        if len(map_points) != n_samples:
            raise ValueError(
                f"{what}s of {name!r} must hold one {what} for each of the "
                f"{len(map_points)} points; got {n_samples}"
            )
    labeled = ~coloring.unlabeled
    wrong = None
    if values is None:
        wrong = _wrong_predictions(labels, predictions, labeled)

    most = sheet().most_columns(_NARROWEST_MAP, _GAP, MAX_COLUMNS)
    n_columns = min(columns or even_columns(len(maps), most), len(maps))
    n_rows = math.ceil(len(maps) / n_columns)
    side = min((sheet().page - 2 * MARGIN - (n_columns - 1) * _GAP) / n_columns, _MAX_PANEL_SIDE)
    needed = 2 * MARGIN + n_columns * (side + _GAP) - _GAP
    total_width = sheet().page if sheet().given else needed
    start = MARGIN + (total_width - needed) / 2
    titles = _titles(list(maps), side)
    captions = {
        name: _caption(titles[name], (scores or {}).get(name), measure, side) for name in maps
    }
    rows = [list(maps)[start : start + n_columns] for start in range(0, len(maps), n_columns)]
    heights = [max(panel_title_height(captions[name]) for name in row) for row in rows]
    heading = title_lines(title, total_width - 2 * MARGIN)
    handles, names = list(coloring.handles), list(coloring.entries)
    if wrong is not None:
        handles.append(_ring_handle())
        names.append(f"predicted wrongly ({int(wrong.sum()):,})")
    legend = legend_height(names, total_width - 2 * MARGIN, HANDLE)
    top = title_height(heading)
    below = legend + coloring.bar_height + MARGIN
    fig = UnknotFigure(total_width, top + sum(heights) + n_rows * (side + _GAP) - _GAP + below)
    write_title(fig, heading)
    for row, height in zip(rows, heights, strict=True):
        top += height
        for column, name in enumerate(row):
            left = start + column * (side + _GAP)
            write_panel_title(fig, left, top, captions[name])
            ax = add_axes(fig, left, top, side, side)
            if name not in points:
                reason = maps[name]
                _draw_empty_panel(ax, reason if isinstance(reason, str) else "no map", side)
                continue
            set_view(ax, fit_view([points[name]]))
            scatter(ax, points[name], coloring.codes, coloring.colors, coloring.unlabeled)
            if wrong is not None:
                _ring(ax, points[name][wrong], side, point_style(len(points[name]), side)[0])
            if coloring.names:
                shown = points[name][labeled]
                write_class_names([ax], shown, coloring.codes[labeled], coloring.names)
        top += side + _GAP
    if names:
        add_legend(fig, handles, names)
    add_value_bar(fig, coloring, MARGIN + legend)
    fig.caption = _caption_text(coloring, scores or {}, measure, wrong)
    return fig


def _caption_text(
    coloring: Coloring, scores: Mapping[str, Any], measure: str, wrong: Array | None
) -> str:
    """Return what the figure's caption should say."""
    unlabeled = int(coloring.unlabeled.sum())
    shown = count_points(len(coloring.codes), len(coloring.names))
    parts = [f"Maps of {shown}" + (f", {unlabeled:,} unlabeled" if unlabeled else "")]
    if coloring.ends is not None:
        parts.append("the color is the number of each point")
    settings: dict[str, Any] = next(
        (each.settings for each in scores.values() if hasattr(each, "settings")), {}
    )
    if scores:
        title = "Neighborhood Hit (NH)" if measure == "neighborhood_hit" else measure
        k = f", k = {settings['k']}" if "k" in settings and "neighborhood" in measure else ""
        parts.append(f"{title} of the representations and of the maps{k}")
    if wrong is not None:
        parts.append(f"rings: {int(wrong.sum()):,} points that are predicted wrongly")
    return "; ".join(parts) + "."


def _wrong_predictions(
    labels: ArrayLike, predictions: ArrayLike | None, labeled: Array
) -> Array | None:
    """Return which labeled points are predicted wrongly; None if nothing is predicted."""
    if predictions is None or not labeled.any():
        return None
    n_samples = len(labeled)
    shape = as_array(predictions, "predictions").shape
    if shape != (n_samples,):
        raise ValueError(
            f"predictions must hold one class for each of the {n_samples} samples; "
            f"got the shape {shape}"
        )
    given = label_values(labels, "labels").values[labeled]
    predicted, true = (
        values[codes]
        for codes, values in (check_labels(predictions, name="predictions"), check_labels(given))
    )
    if (predicted.dtype.kind in "US") != (true.dtype.kind in "US"):
        raise ValueError(
            "predictions must have the same kind of values as the labels; "
            f"got {predicted.dtype} for labels of {true.dtype}"
        )
    wrong = np.zeros(n_samples, dtype=bool)
    wrong[labeled] = predicted[labeled] != true
    return wrong


def _titles(names: list[str], width: float) -> dict[str, str]:
    """Return the names of layers; of one word that is too long for a panel, the part that differs.

    Names of several words are broken into lines instead.
    """

    def length_of(name: str) -> float:
        return text_width(name, sheet().large, bold=True) * HINTING_MARGIN

    words = [name for name in names if len(name.split()) == 1]
    return {name: name for name in names} | dict(
        zip(words, cut_names(words, width, length_of), strict=True)
    )


def _caption(name: str, score: Any, measure: str, width: float) -> list[PanelLine]:
    """Return the layer's name and its score in the representation and on the map."""
    name_lines = wrap(name, width, sheet().large, bold=True)
    if len(name_lines) > _MAX_NAME_LINES:
        rest = " ".join(name_lines[_MAX_NAME_LINES - 1 :])
        name_lines[_MAX_NAME_LINES - 1 :] = [shorten(rest, width, sheet().large, bold=True)]
    lines = [PanelLine(line, headline=True) for line in name_lines]
    if score is None:
        return lines
    scores = score if isinstance(score, Mapping) else {measure: score}
    notes: list[str] = []
    for key, where in ((measure, ""), (f"map_{measure}", "on the map ")):
        if key not in scores:
            continue
        value = as_score_value(scores[key])
        title = (value.title or measure).removesuffix(", on the map")
        short = _SHORT_NAMES.get(measure) or capitalize(title)
        share = measure in _SHORT_NAMES or value.range == (0.0, 1.0)
        text = format_compact(value.value, share=share)
        notes.append(f"{where}{text}" if notes else f"{short} {where}{text}")
    if text_width(", ".join(notes), sheet().normal) * HINTING_MARGIN <= width:
        notes = [", ".join(notes)] if notes else []
    return [
        *lines,
        *(PanelLine(shorten(part, width, sheet().normal), aside=True) for part in notes),
    ]


def _draw_empty_panel(ax: Axes, reason: str, side: float) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_facecolor(GRID)
    ax.spines[:].set_color(FRAME)
    lines = wrap(reason, side - 0.3, sheet().normal)
    max_lines = max(1, int((side - 0.2) / line_height(sheet().normal)))
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], lines[max_lines - 1].rstrip("…") + "…"]
    ax.text(
        0.5,
        0.5,
        literal("\n".join(lines)),
        transform=ax.transAxes,
        ha="center",
        va="center",
        color=MUTED,
        fontsize=sheet().normal,
        linespacing=1.25,
    )


def _ring(ax: Axes, points: Array, side: float, point_size: float) -> None:
    """Draw rings around points; smaller if there are many, to avoid overlap."""
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
