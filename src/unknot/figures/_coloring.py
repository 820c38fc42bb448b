"""The color of each point: by class, by number, or gray where it is unlabeled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Normalize, to_hex
from matplotlib.lines import Line2D

from .._io.formatting import format_tick
from .._typing import Array, Labels
from .._validation.label_values import label_values
from ._classes import ClassKey, class_key
from ._layout import add_axes
from ._palette import FRAME, MUTED, UNLABELED
from ._style import MARGIN, UnknotFigure, sheet
from ._ticks import linear_ticks

# Equal steps look equal, for every kind of color vision, and no color of it is gray.
VALUES_MAP = "viridis"
_STEPS = 256
_BAR_WIDTH, _BAR_HEIGHT, _BAR_TOP, _BAR_TICKS = 2.6, 0.1, 0.1, 0.22  # inches
_BAR_ENDS = 0.6  # for the numbers at its ends


class Coloring(NamedTuple):
    """The colors of points, and what explains them.

    Attributes
    ----------
    codes : array of int64 (n_samples,)
        Which of the colors each point has.
    colors : list of str
    unlabeled : array of bool (n_samples,)
        Which points are gray; they are drawn below the others.
    names : list of str
        The class of each color; empty for numbers.
    handles, entries : list
        What the legend shows.
    ends : tuple of float, or None
        The least and the greatest number, which a color bar shows; None for classes.
    """

    codes: Labels
    colors: list[str]
    unlabeled: Array
    names: list[str]
    handles: list[Line2D]
    entries: list[str]
    ends: tuple[float, float] | None = None

    @property
    def bar_height(self) -> float:
        """The height of the color bar in inches, with its ticks; 0 without one."""
        return 0.0 if self.ends is None else _BAR_TOP + _BAR_HEIGHT + _BAR_TICKS


def color_by_class(
    labels: Any, class_names: Sequence[str] | None, palette: str | Sequence[str]
) -> Coloring:
    """Color points by class; those whose label is masked, NaN or None are gray."""
    taken = label_values(labels, "labels")
    unlabeled = taken.missing
    if taken.values.ndim != 1 or not unlabeled.any():
        key, codes = class_key([labels], class_names, palette).select(labels)
        return _of_classes(key, codes, np.zeros(len(codes), dtype=bool))
    codes = np.zeros(len(unlabeled), dtype=np.int64)
    if unlabeled.all():
        return _of_classes(ClassKey(np.array([]), [], []), codes, unlabeled)
    key, codes[~unlabeled] = class_key([taken.present], class_names, palette).select(taken.present)
    codes[unlabeled] = len(key.colors)
    return _of_classes(key, codes, unlabeled)


def _of_classes(key: ClassKey, codes: Labels, unlabeled: Array) -> Coloring:
    handles, entries = _with_unlabeled(key.handles(), list(key.names), unlabeled)
    return Coloring(codes, [*key.colors, UNLABELED], unlabeled, list(key.names), handles, entries)


def color_by_value(values: Any) -> Coloring:
    """Color points by a number each; those whose number is missing are gray.

    Raises
    ------
    ValueError
        If there is no number, or one is infinite.
    """
    taken = label_values(values, "values")
    unlabeled = taken.missing
    if taken.values.ndim != 1 or unlabeled.all():
        raise ValueError(
            f"values must hold one number for each point; got the shape {taken.values.shape} with "
            f"{int(unlabeled.sum())} missing"
        )
    numbers = np.full(len(unlabeled), np.nan)
    numbers[~unlabeled] = taken.present.astype(np.float64)
    if infinite := int(np.isinf(numbers).sum()):
        raise ValueError(f"values has {infinite} infinite entries; make them NaN to draw them gray")
    ends = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    span = ends[1] - ends[0]
    shares = (np.nan_to_num(numbers, nan=ends[0]) - ends[0]) / (span if span > 0 else 1.0)
    codes = np.rint(shares * (_STEPS - 1)).astype(np.int64)
    codes[unlabeled] = _STEPS
    colormap = mpl.colormaps[VALUES_MAP]
    colors = [to_hex(colormap(step / (_STEPS - 1))) for step in range(_STEPS)]
    handles, entries = _with_unlabeled([], [], unlabeled)
    return Coloring(codes, [*colors, UNLABELED], unlabeled, [], handles, entries, ends)


def _with_unlabeled(
    handles: list[Line2D], entries: list[str], unlabeled: Array
) -> tuple[list[Line2D], list[str]]:
    count = int(unlabeled.sum())
    if not count:
        return handles, entries
    gray = Line2D([], [], linestyle="", marker="o", markersize=7, markeredgewidth=0)
    gray.set_color(UNLABELED)
    return [*handles, gray], [*entries, f"unlabeled ({count:,})"]


def add_value_bar(fig: UnknotFigure, coloring: Coloring, bottom: float) -> None:
    """Add the color bar of numbers above what stands at the bottom of the figure, in inches."""
    if coloring.ends is None:
        return
    width, height = fig.get_size_inches()
    bar = min(_BAR_WIDTH, width - 2 * MARGIN - _BAR_ENDS)
    top = height - bottom - _BAR_HEIGHT - _BAR_TICKS
    ax = add_axes(fig, (width - bar) / 2, top, bar, _BAR_HEIGHT)
    low, high = coloring.ends
    high = high if high > low else low + 1
    scale = mpl.cm.ScalarMappable(Normalize(low, high), VALUES_MAP)
    drawn = fig.colorbar(scale, cax=ax, orientation="horizontal")
    ticks = linear_ticks(low, high, bar, min_gap=0.5)
    drawn.set_ticks(ticks, labels=[format_tick(tick) for tick in ticks])
    drawn.outline.set_edgecolor(FRAME)
    ax.tick_params(labelsize=sheet().small, labelcolor=MUTED, color=FRAME, length=2)
