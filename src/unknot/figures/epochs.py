"""Curves of measures over the epochs of a training run."""

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
from ._panels import Line, Measures, check_measures, draw_panels, select_names
from ._style import in_house_style, sheet

# Layers from dark to light; the lightest colors of the colormap are invisible on white.
_RAMP, _RAMP_END = "viridis", 0.88
# The axis is logarithmic if the last epoch is at least this many times the median one.
_LOG_RATIO = 5
_TICK_GAP = 0.12  # minimum gap between tick labels, in inches


@in_house_style
def epoch_curves(
    scores: Mapping[int, Mapping[str, Measures]],
    measures: Sequence[str] | None = None,
    *,
    layers: Sequence[str] | None = None,
    chance: bool = False,
    title: str = "",
    columns: int = 3,
    errors: bool | None = None,
    width: float | None = None,
) -> Figure:
    """Draw measures over the epochs of a training run: one panel per measure, one line per layer.

    Line colors go from dark (input) to light (output). Bands are 95 % intervals. Ticks mark the
    measured epochs; the axis is logarithmic if they are so unevenly spaced that early epochs would
    overlap.

    Parameters
    ----------
    scores : mapping of int to mapping of str to mapping of str to Score or float
        Epoch -> layer -> measure -> score, as `unknot.measure` returns it, or a plain number.
        Missing layers or measures leave gaps.
    measures : sequence of str, default=None
        Measures to draw, in order. Default: all. Select a few if the figure has too many panels.
    layers : sequence of str, default=None
        Layers to draw, in order. Default: all. Select a few if the lines overlap.
    chance : bool, default=False
        Also draw the values by chance, that is with permuted labels.
    title : str, default=""
        Title of the figure.
    columns : int, default=3
        Maximum number of panels per row. Rows are balanced: four panels are drawn as 2 x 2.
    errors : bool, default=None
        Whether shares of which more is better are drawn by the logarithm of what they lack of 1:
        from .90 to .99 is as far as from .99 to .999. By default where all of them are at least
        .7, and one is at least .95. Plain numbers are never drawn so.
    width : float, default=None
        Width of the figure in inches, for print: 3.3 is a column of most journals, 6.9 two. The
        figure then has exactly this width, and text of 7 to 9 points.
        Default: at most 10 inches, with larger text, for screens.

    Returns
    -------
    matplotlib.figure.Figure
        At most 10 inches wide.

    Raises
    ------
    ValueError
        If there are no epochs, layers or measures, an epoch is not a non-negative integer, or a
        requested measure or layer does not exist.

    See Also
    --------
    layer_curves : Draw measures over the layers.
    learning_curves : Draw loss and accuracy over the epochs.
    unknot.Study.curves : Draw the curves of a study.

    Examples
    --------
    >>> from unknot.figures import epoch_curves
    >>> scores = {epoch: {"fc1": {"hit": hit}} for epoch, hit in [(0, 0.4), (1, 0.9), (5, 0.95)]}
    >>> figure = epoch_curves(scores)
    >>> figure.axes[0].lines[0].get_ydata().tolist()
    [0.4, 0.9, 0.95]
    """
    epochs = _check_epochs(scores)
    by_epoch = [scores[epoch] for epoch in epochs]
    layer_names = select_names(by_epoch, layers, "layer", container="epoch")
    measure_names = check_measures(
        [moment[layer] for moment in by_epoch for layer in layer_names if layer in moment], measures
    )
    positions = np.linspace(0, _RAMP_END, len(layer_names)) if len(layer_names) > 1 else [0.0]
    colors = [to_hex(mpl.colormaps[_RAMP](position)) for position in positions]
    lines = {
        layer: Line(
            [moment.get(layer, {}) for moment in by_epoch], color, color if chance else None
        )
        for layer, color in zip(layer_names, colors, strict=True)
    }
    epoch_numbers = np.array(epochs, dtype=np.float64)
    return draw_panels(
        measure_names,
        lines,
        epoch_numbers,
        lambda width: _EpochAxis(epoch_numbers, width),
        title=title,
        columns=columns,
        errors=errors,
        deciding=list(lines),
    )


def _check_epochs(scores: Mapping[int, object]) -> list[int]:
    if not scores:
        raise ValueError("scores must hold at least one epoch; got none")
    for epoch in scores:
        check_integer(epoch, "each epoch", 0)
    return sorted(scores)


class _EpochAxis:
    """The epoch axis below the panels."""

    def __init__(self, epochs: Array, length: float) -> None:
        self.logarithmic = len(epochs) > 2 and epochs[-1] >= _LOG_RATIO * max(np.median(epochs), 1)
        # log(epoch + 1), since the first epoch is 0.
        self.positions = np.log1p(epochs) if self.logarithmic else epochs
        margin = 0.04 * (self.positions[-1] - self.positions[0]) or 0.5
        self.low, self.high = self.positions[0] - margin, self.positions[-1] + margin
        inches = (self.positions - self.low) / (self.high - self.low) * length
        widths = [text_width(f"{epoch:,.0f}", sheet().small) + _TICK_GAP for epoch in epochs]
        # Drop overlapping tick labels, from the last epoch, which is always kept, to the first.
        kept = [len(epochs) - 1]
        for number in range(len(epochs) - 2, -1, -1):
            if inches[kept[-1]] - inches[number] >= (widths[kept[-1]] + widths[number]) / 2:
                kept.append(number)
        self.ticks = [float(epochs[number]) for number in reversed(kept)]
        self.height = 0.1 + (sheet().small + sheet().normal) / 72 * 1.35

    def write(self, ax: Axes) -> None:
        """Set the limits, ticks and label of the horizontal axis."""
        low, high = self.low, self.high
        if self.logarithmic:
            ax.set_xscale("function", functions=(np.log1p, np.expm1))
            low, high = np.expm1(low), np.expm1(high)
        ax.set_xlim(low, high)
        ax.xaxis.set_major_locator(FixedLocator(self.ticks))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        ax.set_xlabel("epoch, logarithmic" if self.logarithmic else "epoch", labelpad=2)
