"""Curves of measures over the epochs of a training."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from .._typing import Array
from .._validation.numbers import check_integer
from ._layout import text_width
from ._panels import Line, Measures, check_measures, draw_panels, wanted
from ._style import NORMAL, SMALL, in_house_style

# Layers in their order, from dark to light; the lightest of the color map vanish on white.
_RAMP, _LIGHTEST = "viridis", 0.88
# Epochs of which the last is so many times the middle one are drawn over a logarithmic axis.
_UNEVEN = 5
_APART = 0.12  # inches between the ticks' numbers


@in_house_style
def epoch_curves(
    scores: Mapping[int, Mapping[str, Measures]],
    measures: Sequence[str] | None = None,
    *,
    layers: Sequence[str] | None = None,
    chance: bool = False,
    title: str = "",
    columns: int = 3,
) -> Figure:
    """Draw measures over the epochs of a training: one panel a measure, one line a layer.

    The colors of the lines go from dark to light as the layers go from input to output. The bands
    are the 95 % intervals. Ticks stand at the epochs that were measured; the axis is logarithmic
    where they are spread so unevenly that the early ones would lie on each other.

    Parameters
    ----------
    scores : mapping of int to mapping of str to mapping of str to Score or float
        Epoch -> layer -> the layer's measures by name, as `unknot.measure` returns them, or plain
        numbers. Layers or measures that an epoch lacks leave a gap.
    measures : sequence of str, optional
        The names of the measures to draw, in order; by default all.
    layers : sequence of str, optional
        The layers to draw, in order; by default all.
    chance : bool, default False
        Also draw what each measure would be by chance, with the labels permuted.
    title : str
        Above the panels.
    columns : int, default 3
        Panels beside each other at most; fewer and wider ones where that leaves no more rows.

    Returns
    -------
    matplotlib Figure
        10 inches wide.

    Raises
    ------
    ValueError
        If there are no epochs, layers or measures, an epoch is not a number from 0 up, or a
        measure or layer is nowhere among the scores.

    Examples
    --------
    >>> from unknot.figures import epoch_curves
    >>> scores = {0: {"fc1": {"hit": 0.4}}, 1: {"fc1": {"hit": 0.9}}, 5: {"fc1": {"hit": 0.95}}}
    >>> len(epoch_curves(scores).axes)
    1
    """
    epochs = _check_epochs(scores)
    there = [scores[epoch] for epoch in epochs]
    shown = wanted(there, layers, "layer", of="epoch")
    drawn = check_measures(
        [each[layer] for each in there for layer in shown if layer in each], measures
    )
    places = np.linspace(0, _LIGHTEST, len(shown)) if len(shown) > 1 else [0.0]
    colors = [to_hex(mpl.colormaps[_RAMP](place)) for place in places]
    lines = {
        layer: Line([each.get(layer, {}) for each in there], color, color if chance else None)
        for layer, color in zip(shown, colors, strict=True)
    }
    numbers = np.array(epochs, dtype=np.float64)
    return draw_panels(
        drawn,
        lines,
        numbers,
        lambda width: _EpochAxis(numbers, width),
        title=title,
        columns=columns,
    )


def _check_epochs(scores: Mapping[int, object]) -> list[int]:
    if not scores:
        raise ValueError("scores must hold at least one epoch; got none")
    for epoch in scores:
        check_integer(epoch, "each epoch", 0)
    return sorted(scores)


class _EpochAxis:
    """The epochs below the panels."""

    def __init__(self, epochs: Array, length: float) -> None:
        self.logarithmic = len(epochs) > 2 and epochs[-1] >= _UNEVEN * max(np.median(epochs), 1)
        # The logarithm of epoch + 1, since training starts at 0.
        self.places = np.log1p(epochs) if self.logarithmic else epochs
        margin = 0.04 * (self.places[-1] - self.places[0]) or 0.5
        self.low, self.high = self.places[0] - margin, self.places[-1] + margin
        inches = (self.places - self.low) / (self.high - self.low) * length
        widths = [text_width(f"{epoch:,.0f}", SMALL) + _APART for epoch in epochs]
        # From the last backwards, which stays in any case.
        kept = [len(epochs) - 1]
        for number in range(len(epochs) - 2, -1, -1):
            if inches[kept[-1]] - inches[number] >= (widths[kept[-1]] + widths[number]) / 2:
                kept.append(number)
        self.ticks = [float(epochs[number]) for number in reversed(kept)]
        self.height = 0.1 + (SMALL + NORMAL) / 72 * 1.35

    def write(self, ax: Axes) -> None:
        """Set the limits, ticks and name of the horizontal axis."""
        low, high = self.low, self.high
        if self.logarithmic:
            ax.set_xscale("function", functions=(np.log1p, np.expm1))
            low, high = np.expm1(low), np.expm1(high)
        ax.set_xlim(low, high)
        ax.xaxis.set_major_locator(FixedLocator(self.ticks))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        ax.set_xlabel("epoch, logarithmic" if self.logarithmic else "epoch", labelpad=2)
