"""Layout in inches: positions of axes, text widths, titles and legends."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patheffects import Stroke, withStroke
from matplotlib.text import Text
from matplotlib.textpath import TextPath

from .._io.text import whole_text
from .._typing import Array, Float64
from ._palette import INK, MUTED
from ._style import MARGIN, UnknotFigure, sheet

LINE = 1.35  # line height relative to the font size
# Hinting rounds glyph widths to whole pixels, which adds up over a line.
HINTING_MARGIN = 1.03
_STEP = 0.03  # grid spacing of candidate label positions, in inches
_OFFSETS = 2048  # tried at a time
MAX_COLUMNS = 5  # of maps
MAX_ROWS = 8  # of a legend
HALO = 2.2  # width in points of the white outline around text on a map

# Matplotlib's legend spacing, relative to the font size.
_HANDLE_GAP, _COLUMN_GAP, _ROW_GAP = 0.5, 1.6, 0.45
HANDLE = 1.0


@functools.lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of one line of text in inches."""
    if not text.strip():
        return 0.0
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    outline = TextPath((0, 0), literal(text), size=size, prop=font)
    # Control points bound the curves, whose exact extents take five times as long as the path.
    return float(np.asarray(outline.vertices)[:, 0].max()) / 72


def literal(text: str) -> str:
    """Escape dollar signs, which would start mathtext, and replace lone surrogates."""
    return whole_text(text).replace("$", r"\$")


def wrap(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """Break text into lines at most `width` inches wide; longer words are truncated."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if line and not _fits(longer, width, size, bold=bold):
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return [shorten(line, width, size, bold=bold) for line in lines]


def shorten(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """Truncate text to at most `width` inches, with an ellipsis."""
    if _fits(text, width, size, bold=bold):
        return text
    # The most characters that fit, by bisection: measuring text takes a millisecond.
    kept, too_many = 1, len(text) + 1
    while too_many - kept > 1:
        middle = (kept + too_many) // 2
        if _fits(text[:middle].rstrip() + "…", width, size, bold=bold):
            kept = middle
        else:
            too_many = middle
    return text[:kept].rstrip() + "…"


def _fits(text: str, width: float, size: float, *, bold: bool) -> bool:
    return text_width(text, size, bold=bold) * HINTING_MARGIN <= width


def line_height(size: float) -> float:
    """Return the line height in inches for a font size in points."""
    return size * LINE / 72


def even_columns(n_panels: int, most: int = MAX_COLUMNS) -> int:
    """Return the number of columns that distributes the panels most evenly over rows."""
    rows = math.ceil(n_panels / most)
    return math.ceil(n_panels / rows)


def add_axes(fig: UnknotFigure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a position in inches from the left and top of the figure."""
    total_width, total_height = fig.get_size_inches()
    ax = fig.add_axes(
        (
            left / total_width,
            1 - (top + height) / total_height,
            width / total_width,
            height / total_height,
        )
    )
    if sheet().given:  # ticks that are made while a file is written would have the usual size
        ax.tick_params(labelsize=sheet().small)
    return ax


def write(
    fig: UnknotFigure,
    left: float,
    top: float,
    text: str,
    *,
    size: float | None = None,
    color: str = INK,
    bold: bool = False,
    align: str = "left",
) -> Text:
    """Write one line of text at a position in inches from the left and top of the figure."""
    total_width, total_height = fig.get_size_inches()
    size = sheet().normal if size is None else size
    # Align baselines: line spacing must not depend on the glyphs.
    baseline = top + size * 1.0 / 72
    return fig.text(
        left / total_width,
        1 - baseline / total_height,
        literal(text),
        fontsize=size,
        color=color,
        fontweight="bold" if bold else "normal",
        ha=align,
        va="baseline",
    )


def title_lines(title: str, width: float) -> list[str]:
    """Break a figure's title into lines; an empty title has none."""
    return wrap(title, width, sheet().title, bold=True) if title.strip() else []


def write_title(fig: UnknotFigure, lines: Sequence[str], left: float = MARGIN) -> None:
    """Write the title at the top of a figure."""
    for number, line in enumerate(lines):
        top = MARGIN + number * line_height(sheet().title)
        write(fig, left, top, line, size=sheet().title, bold=True)


def title_height(lines: Sequence[str]) -> float:
    """Return the height of a figure's title and top margin in inches."""
    return MARGIN + len(lines) * line_height(sheet().title) + (0.08 if lines else 0.0)


class PanelLine(NamedTuple):
    """One line of a panel's title: bold if a headline, muted if an aside."""

    text: str
    headline: bool = False
    aside: bool = False

    @property
    def size(self) -> float:
        """Font size in points."""
        return sheet().large if self.headline else sheet().normal


def write_panel_title(
    fig: UnknotFigure, left: float, bottom: float, lines: Sequence[PanelLine]
) -> None:
    """Write a panel's title so that its last line ends above ``bottom``."""
    top = bottom - panel_title_height(lines)
    for line in lines:
        color = MUTED if line.aside else INK
        write(fig, left, top, line.text, size=line.size, color=color, bold=line.headline)
        top += line_height(line.size)


def panel_title_height(lines: Sequence[PanelLine]) -> float:
    """Return the height of a panel's title in inches."""
    return sum(line_height(line.size) for line in lines) + 0.06


def legend_columns(labels: Sequence[str], width: float, size: float, handle_length: float) -> int:
    """Return the number of legend columns that fit into `width` inches."""
    em = size / 72
    for columns in range(len(labels), 1, -1):
        widest = [
            max(text_width(label, size) for label in labels[c::columns]) for c in range(columns)
        ]
        total = sum(widest) + columns * (handle_length + _HANDLE_GAP) * em
        if HINTING_MARGIN * total + (columns - 1) * _COLUMN_GAP * em <= width:
            # Balance the rows: no more columns than the same number of rows needs.
            return math.ceil(len(labels) / math.ceil(len(labels) / columns))
    return 1


def _row_major_order(n_labels: int, columns: int) -> list[int]:
    """Return the order of entries for a legend read row by row; matplotlib fills columns."""
    return [index for column in range(columns) for index in range(column, n_labels, columns)]


def legend_size(n_labels: int) -> float:
    """Return the font size of a legend: smaller if there are many entries."""
    return sheet().normal if n_labels <= 40 else sheet().small


def capped(labels: Sequence[str], width: float, handle_length: float = HANDLE) -> list[str]:
    """Return the entries of a legend that has room for some rows; the last says how many more."""
    shown = list(labels)
    kept = len(shown)
    while True:
        columns = legend_columns(shown, width, legend_size(len(labels)), handle_length)
        if len(shown) <= columns * MAX_ROWS or kept < 2:
            return shown
        kept = min(kept - 1, columns * MAX_ROWS - 1)
        shown = [*labels[:kept], f"and {len(labels) - kept:,} more"]


def legend_height(labels: Sequence[str], width: float, handle_length: float = HANDLE) -> float:
    """Return the height of a legend in inches, including the gap above it."""
    if not labels:
        return 0.0
    size = legend_size(len(labels))
    labels = capped(labels, width, handle_length)
    rows = math.ceil(len(labels) / legend_columns(labels, width, size, handle_length))
    return 0.1 + rows * size * (1.0 + _ROW_GAP) / 72


def add_legend(
    fig: UnknotFigure,
    handles: Sequence[Artist],
    labels: Sequence[str],
    *,
    bottom: float = MARGIN,
    handle_length: float = HANDLE,
) -> Legend:
    """Add a legend centered at the bottom of the figure, in as many columns as fit."""
    width, height = fig.get_size_inches()
    shown = capped(labels, width - 2 * MARGIN, handle_length)
    size = legend_size(len(labels))
    if len(shown) < len(labels):
        nothing = Line2D([], [], linestyle="")
        handles, labels = [*handles[: len(shown) - 1], nothing], shown
    columns = legend_columns(labels, width - 2 * MARGIN, size, handle_length)
    order = _row_major_order(len(labels), columns)
    return fig.legend(
        [handles[index] for index in order],
        [literal(labels[index]) for index in order],
        loc="lower center",
        bbox_to_anchor=(0.5, bottom / height),
        ncols=columns,
        fontsize=size,
        borderpad=0,
        borderaxespad=0,
        handlelength=handle_length,
        handletextpad=_HANDLE_GAP,
        columnspacing=_COLUMN_GAP,
        labelspacing=_ROW_GAP,
    )


class OutlinedText(Text):
    """Text with a white outline, which stays text in SVG and PDF; path effects make it outlines."""

    def draw(self, renderer: Any) -> None:
        """Draw the outline, then the text."""
        self.set_path_effects([Stroke(linewidth=HALO, foreground="white")])
        try:
            super().draw(renderer)
        finally:
            self.set_path_effects([])
        super().draw(renderer)


def halo(color: str = "white", width: float = HALO) -> list[withStroke]:
    """Return the path effect that outlines text, for legibility on any background."""
    return [withStroke(linewidth=width, foreground=color)]


@functools.lru_cache(maxsize=16)
def _offsets(reach: float) -> Float64[Array, "offsets 2"]:
    """Return all offsets on a fine grid of that reach, the shortest first."""
    ticks = np.arange(-reach, reach, _STEP)
    offsets = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    ascending = np.argsort(np.square(offsets).sum(axis=1))
    return np.concatenate([[[0.0, 0.0]], offsets[ascending]])


def spread_labels(
    centers: Float64[Array, "labels 2"],
    sizes: Float64[Array, "labels 2"],
    bounds: tuple[float, float],
) -> Float64[Array, "labels 2"] | None:
    """Move label boxes apart greedily: each, in order, to the nearest free position.

    Parameters
    ----------
    centers : array (n, 2)
        Preferred centers of the boxes, in inches from the lower left corner of the panel.
    sizes : array (n, 2)
        Widths and heights of the boxes, in inches.
    bounds : (float, float)
        Width and height of the panel, in inches.

    Returns
    -------
    array (n, 2) or None
        Centers of the boxes; None if they do not all fit.
    """
    panel = np.array(bounds)
    offsets = _offsets(float(panel.max()))
    placed = np.empty_like(centers, dtype=np.float64)
    for box, (center, size) in enumerate(zip(centers, sizes, strict=True)):
        start = np.clip(center, size / 2, panel - size / 2)
        # Most boxes find a place among the first offsets.
        for first in range(0, len(offsets), _OFFSETS):
            candidates = start + offsets[first : first + _OFFSETS]
            free = ((candidates >= size / 2) & (candidates <= panel - size / 2)).all(axis=1)
            for other in range(box):
                gap = np.abs(candidates - placed[other]) - (size + sizes[other]) / 2
                free &= (gap >= 0).any(axis=1)
            if free.any():
                placed[box] = candidates[np.argmax(free)]
                break
        else:
            return None
    return placed
