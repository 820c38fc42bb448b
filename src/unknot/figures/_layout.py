"""Placing in inches: axes where they are wanted, text measured before it is drawn, legends."""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.legend import Legend
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.textpath import TextPath

from .._io.text import whole_text
from .._typing import Array, Float64
from ._palette import INK, MUTED
from ._style import LARGE, NORMAL, SMALL, TITLE, UnknotFigure

MARGIN = 0.12
LINE = 1.35  # the height of a line of text, in its size
# Drawn letters are fitted to whole pixels, which adds up over a line.
HINTED = 1.03
_STEP = 0.03  # inches by which labels are moved
MOST_IN_A_ROW = 5  # maps
HALO = 2.2  # points of white around text that lies on a map

# Matplotlib's measures of a legend, in the size of its text.
_HANDLE_GAP, _COLUMN_GAP, _ROW_GAP = 0.5, 1.6, 0.45
HANDLE = 1.0


@functools.lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of one line of text in inches."""
    if not text.strip():
        return 0.0
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    # A dollar sign in a class name is a dollar sign, not mathematics.
    outline = TextPath((0, 0), literal(text), size=size, prop=font)
    return float(outline.get_extents().x1) / 72


def literal(text: str) -> str:
    """Keep matplotlib from reading dollar signs as mathematics, and from halves of characters."""
    return whole_text(text).replace("$", r"\$")


def wrap(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """Break text into lines of at most so many inches; a wider word ends in an ellipsis."""
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
    """Cut text that is wider than so many inches, and end it in an ellipsis."""
    if _fits(text, width, size, bold=bold):
        return text
    kept = len(text)
    while kept > 1 and not _fits(text[:kept].rstrip() + "…", width, size, bold=bold):
        kept -= 1
    return text[:kept].rstrip() + "…"


def _fits(text: str, width: float, size: float, *, bold: bool) -> bool:
    return text_width(text, size, bold=bold) * HINTED <= width


def line_height(size: float) -> float:
    """Height in inches of a line of text of so many points."""
    return size * LINE / 72


def even_columns(n_panels: int) -> int:
    """How many panels stand beside each other in even rows."""
    rows = math.ceil(n_panels / MOST_IN_A_ROW)
    return math.ceil(n_panels / rows)


def place(fig: UnknotFigure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes so many inches from the left and the top of the figure."""
    total_width, total_height = fig.get_size_inches()
    return fig.add_axes(
        (
            left / total_width,
            1 - (top + height) / total_height,
            width / total_width,
            height / total_height,
        )
    )


def write(
    fig: UnknotFigure,
    left: float,
    top: float,
    text: str,
    *,
    size: float = NORMAL,
    color: str = INK,
    bold: bool = False,
    align: str = "left",
) -> Text:
    """Write one line so many inches from the left and with its top so far from the figure's."""
    total_width, total_height = fig.get_size_inches()
    # From the baseline, so that lines keep their distance whatever their letters.
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
    """Break a figure's title; no title takes no room."""
    return wrap(title, width, TITLE, bold=True) if title.strip() else []


def write_title(fig: UnknotFigure, lines: Sequence[str], left: float = MARGIN) -> None:
    """Write a figure's title at its top."""
    for number, line in enumerate(lines):
        top = MARGIN + number * line_height(TITLE)
        write(fig, left, top, line, size=TITLE, bold=True)


def title_height(lines: Sequence[str]) -> float:
    """Inches that a figure's title takes from the top, the margin with it."""
    return MARGIN + len(lines) * line_height(TITLE) + (0.08 if lines else 0.0)


class PanelLine(NamedTuple):
    """A line above a panel: its words, whether they are its headline, or an aside."""

    text: str
    headline: bool = False
    aside: bool = False

    @property
    def size(self) -> float:
        """In points."""
        return LARGE if self.headline else NORMAL


def write_panel_title(
    fig: UnknotFigure, left: float, bottom: float, lines: Sequence[PanelLine]
) -> None:
    """Write the lines above a panel, the last of which ends above ``bottom``."""
    top = bottom - panel_title_height(lines)
    for line in lines:
        color = MUTED if line.aside else INK
        write(fig, left, top, line.text, size=line.size, color=color, bold=line.headline)
        top += line_height(line.size)


def panel_title_height(lines: Sequence[PanelLine]) -> float:
    """Inches that the lines above a panel take."""
    return sum(line_height(line.size) for line in lines) + 0.06


def legend_columns(labels: Sequence[str], width: float, size: float, handle: float) -> int:
    """Find the most columns of a legend that fit in so many inches."""
    em = size / 72
    for columns in range(len(labels), 1, -1):
        widest = [
            max(text_width(label, size) for label in labels[c::columns]) for c in range(columns)
        ]
        total = sum(widest) + columns * (handle + _HANDLE_GAP) * em
        if HINTED * total + (columns - 1) * _COLUMN_GAP * em <= width:
            # As many in each row as there can be, but no more than even rows need.
            return math.ceil(len(labels) / math.ceil(len(labels) / columns))
    return 1


def _across(n_labels: int, columns: int) -> list[int]:
    """Order of a legend that reads across its rows; matplotlib fills its columns."""
    return [place for column in range(columns) for place in range(column, n_labels, columns)]


def legend_size(n_labels: int) -> float:
    """Size of a legend's text: smaller where there are many classes."""
    return NORMAL if n_labels <= 40 else SMALL


def legend_height(labels: Sequence[str], width: float, handle: float = HANDLE) -> float:
    """Inches that a legend takes, with the room above it."""
    if not labels:
        return 0.0
    size = legend_size(len(labels))
    rows = math.ceil(len(labels) / legend_columns(labels, width, size, handle))
    return 0.1 + rows * size * (1.0 + _ROW_GAP) / 72


def add_legend(
    fig: UnknotFigure,
    handles: Sequence[Artist],
    labels: Sequence[str],
    *,
    bottom: float = MARGIN,
    handle_length: float = HANDLE,
) -> Legend:
    """Add a legend in the middle below everything, in as many columns as fit."""
    width, height = fig.get_size_inches()
    size = legend_size(len(labels))
    columns = legend_columns(labels, width - 2 * MARGIN, size, handle_length)
    order = _across(len(labels), columns)
    return fig.legend(
        [handles[place] for place in order],
        [literal(labels[place]) for place in order],
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


def halo(color: str = "white", width: float = HALO) -> list[withStroke]:
    """Outline text, so that it can be read on anything."""
    return [withStroke(linewidth=width, foreground=color)]


def spread_labels(
    centers: Float64[Array, "labels 2"],
    sizes: Float64[Array, "labels 2"],
    bounds: tuple[float, float],
) -> Float64[Array, "labels 2"] | None:
    """Move boxes apart: in their order, each to the nearest place where it is free.

    Parameters
    ----------
    centers : array (n, 2)
        Where the boxes would be, in inches from the lower left corner of a panel.
    sizes : array (n, 2)
        Their widths and heights, in inches.
    bounds : (float, float)
        The width and height of the panel, in inches.

    Returns
    -------
    array (n, 2) or None
        None if there is no room for them all.
    """
    room = np.array(bounds)
    # All steps of a fine grid, the shortest first.
    reach = np.arange(-room.max(), room.max(), _STEP)
    steps = np.stack(np.meshgrid(reach, reach), axis=-1).reshape(-1, 2)
    steps = np.concatenate([[[0.0, 0.0]], steps[np.argsort(np.square(steps).sum(axis=1))]])
    placed = np.empty_like(centers, dtype=np.float64)
    for box, (center, size) in enumerate(zip(centers, sizes, strict=True)):
        inside = np.clip(center, size / 2, room - size / 2)
        places = inside + steps
        free = ((places >= size / 2) & (places <= room - size / 2)).all(axis=1)
        for other in range(box):
            gap = np.abs(places - placed[other]) - (size + sizes[other]) / 2
            free &= (gap >= 0).any(axis=1)
        if not free.any():
            return None
        placed[box] = places[np.argmax(free)]
    return placed
