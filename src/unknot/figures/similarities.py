"""Heat map of the similarity of layers."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure

from .._io.text import cut_names
from .._typing import Array
from ._layout import (
    HINTING_MARGIN,
    PanelLine,
    add_axes,
    literal,
    panel_title_height,
    shorten,
    text_width,
    title_height,
    title_lines,
    wrap,
    write,
    write_panel_title,
    write_title,
)
from ._palette import INK, text_on
from ._style import MARGIN, UnknotFigure, in_house_style, sheet
from ._values import capitalize
from .heatmaps import HEAT, draw_scale, write_rotated

_LARGEST_CELL, _SMALLEST_CELL = 0.52, 0.04
_LEAST_SIDE = 1.7  # inches; of the longer side
_SMALLEST_WRITTEN = 0.36  # minimum size in inches of a cell with its value written in it
_SCALE_WIDTH = 0.75  # width in inches of the color scale with its tick labels
_MAX_NAME_WIDTH = 1.9
_UNDEFINED = "#eceef1"


@in_house_style
def similarity_heatmap(
    matrix: Any, *, title: str | None = None, width: float | None = None
) -> Figure:
    """Draw the similarity of layers, of one network or of two, as a heat map.

    Parameters
    ----------
    matrix : SimilarityMatrix
        Result of `unknot.similarity_matrix` or `Study.similarity`.
    title : str, default=None
        Title of the figure; by default the name of the measure.
    width : float, default=None
        Width of the figure in inches, for print: 3.3 is a column of most journals, 6.9 two. The
        figure then has exactly this width, and text of 7 to 9 points.
        Default: as the layers need, with larger text, for screens.

    Returns
    -------
    matplotlib.figure.Figure
        At most 10 inches wide; the width depends on the number of layers. Values are written where
        there is room. Undefined ones are gray.

    Raises
    ------
    TypeError
        If it is another kind of result.

    See Also
    --------
    pair_heatmap : Draw a value per pair of classes.
    unknot.similarity_matrix : Compute the similarity of layers.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> layers = {"fc1": np.random.default_rng(0).normal(size=(50, 3))}
    >>> layers["fc2"] = layers["fc1"][:, ::-1]
    >>> figure = unknot.figures.similarity_heatmap(unknot.similarity_matrix(layers))
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['1.00', '1.00', '1.00', '1.00']
    """
    if not all(hasattr(matrix, name) for name in ("values", "rows", "columns", "range")):
        raise TypeError(
            "matrix must be a SimilarityMatrix, as unknot.similarity_matrix returns it; got "
            f"{type(matrix).__name__}"
        )
    values = np.asarray(matrix.values, np.float64)
    n_rows, n_columns = values.shape
    rows, columns = list(matrix.rows), list(matrix.columns)
    # The rows and columns of one network need no names of their own.
    of_rows, of_columns = matrix.names if all(matrix.names) else ("", "")
    widest, longest = (
        min(
            max(text_width(name, sheet().small) for name in names) * HINTING_MARGIN, _MAX_NAME_WIDTH
        )
        for names in (rows, columns)
    )
    left = MARGIN + (0.22 if of_rows else 0.0) + widest + 0.1
    available = sheet().page - MARGIN - left - _SCALE_WIDTH
    cell = min(
        max(available / max(n_rows, n_columns), 0.0 if sheet().given else _SMALLEST_CELL),
        max(_LARGEST_CELL, _LEAST_SIDE / max(n_rows, n_columns)),
    )
    across, down = cell * n_columns, cell * n_rows
    horizontal = longest + 0.1 <= cell
    below = (
        0.08 + (sheet().small / 72 * 1.2 if horizontal else longest) + (0.28 if of_columns else 0.0)
    )
    needed = left + across + _SCALE_WIDTH + MARGIN
    page = sheet().page if sheet().given else max(needed, 3.4)
    shift = (page - needed) / 2 if sheet().given else 0.0
    left += shift
    shown = capitalize(matrix.title) if title is None else title
    heading = title_lines(shown, page - 2 * MARGIN)
    caption = [
        PanelLine(line, aside=True)
        for line in wrap(_caption(matrix, of_rows), page - 2 * MARGIN, sheet().normal)
    ]
    top = title_height(heading) + panel_title_height(caption) + 0.04
    fig = UnknotFigure(page, top + down + below + MARGIN)
    write_title(fig, heading)
    write_panel_title(fig, MARGIN, top - 0.04, caption)

    ax = add_axes(fig, left, top, across, down)
    known = np.ma.masked_invalid(values)
    norm = _norm(matrix, known)
    ax.set_facecolor(_UNDEFINED)
    ax.pcolormesh(known, cmap=HEAT, norm=norm, edgecolors="white", linewidth=cell * 1.5)
    ax.invert_yaxis()
    ax.set_aspect("equal")
    step = math.ceil((1.3 * sheet().small / 72 if sheet().given else 0.14) / cell)
    (x, x_names), (y, y_names) = (
        ([i + 0.5 for i in range(0, len(names), step)], _shortened(names)[::step])
        for names in (columns, rows)
    )
    ax.set_xticks(x, x_names, rotation=0 if horizontal else 90)
    ax.set_yticks(y, y_names)
    ax.tick_params(length=0, pad=3, labelcolor=INK)
    ax.spines[:].set_visible(False)
    if cell >= _SMALLEST_WRITTEN:
        _write_cells(ax, values, norm)
    if of_columns:
        name = shorten(of_columns, max(across, 1.2), sheet().normal)
        write(fig, left + across / 2, top + down + below - 0.19, name, align="center")
        write_rotated(
            fig, MARGIN + shift, top + down / 2, shorten(of_rows, max(down, 1.2), sheet().normal)
        )
    scale = add_axes(fig, left + across + 0.18, top, 0.13, min(down, 2.4))
    draw_scale(scale, norm, share=False)
    networks = f"{of_rows} (rows) and {of_columns} (columns)" if of_columns else matrix.names[0]
    fig.caption = (
        f"{capitalize(matrix.title)} of layers{f' of {networks}' if networks else ''}, "
        f"{_caption(matrix, 'both')}."
    )
    return fig


def _caption(matrix: Any, of_rows: str) -> str:
    """Return what stands below the title: the network, the samples, and what chance gives."""
    parts = [] if of_rows or not matrix.names[0] else [matrix.names[0]]
    parts.append(f"{matrix.n_samples:,} samples")
    if matrix.chance is not None:
        parts.append(f"by chance {matrix.chance:.2g}")
    return "; ".join(parts)


def _shortened(names: list[str]) -> list[str]:
    cut = cut_names(names, _name_width(), lambda name: text_width(name, sheet().small))
    return [literal(name) for name in cut]


def _name_width() -> float:
    """Return the most inches that the name of a layer takes, beside rows and below columns."""
    return min(_MAX_NAME_WIDTH, sheet().page / 3.5) if sheet().given else _MAX_NAME_WIDTH


def _norm(matrix: Any, known: Any) -> Normalize:
    """Color from 0, or the least value if that is lower, to the largest possible value."""
    high = float(matrix.range[1])
    if not math.isfinite(high):
        high = float(known.max()) if known.count() else 1.0
    low = min(float(known.min()), 0.0) if known.count() else 0.0
    return Normalize(low, high if high > low else low + 1.0)


def _write_cells(ax: Axes, values: Array, norm: Normalize) -> None:
    for (row, column), value in np.ndenumerate(values):
        if not np.isfinite(value):
            continue
        ax.text(
            column + 0.5,
            row + 0.5,
            f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−"),
            fontsize=sheet().cell,
            color=text_on(to_hex(HEAT(norm(value)))),
            ha="center",
            va="center_baseline",
        )
