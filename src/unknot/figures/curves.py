"""Learning curves: loss and accuracy over the epochs of one or several training runs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from .._typing import Array
from ._layout import (
    PanelLine,
    add_axes,
    add_legend,
    legend_height,
    panel_title_height,
    title_height,
    title_lines,
    write_panel_title,
    write_title,
)
from ._palette import LINES, MUTED, class_colors
from ._style import MARGIN, UnknotFigure, in_house_style, sheet
from ._ticks import linear_ticks, log_ticks
from ._values import isolated

_HEIGHT, _PRINTED_HEIGHT = 2.9, 2.0
_NARROWEST = 2.2  # of a panel in print, in inches
_HANDLE_LENGTH = 2.2  # length of the legend's lines relative to its font size
_TICKS_LEFT, _TICKS_BELOW, _GAP = 0.52, 0.46, 0.3
# The epoch axis is logarithmic if the numbers of epochs differ by at least this factor.
_LOG_RATIO = 4
_MAX_DOTTED_EPOCHS = 15
# Lower bound of the error rate, since the logarithmic axis cannot show an accuracy of 1.
_MIN_ERROR = 1e-5
_STYLES: dict[str, dict[str, Any]] = {
    "training": {"linewidth": 1.1, "linestyle": (0, (2.5, 1.5)), "alpha": 0.85},
    "validation": {"linewidth": 1.7, "linestyle": "-"},
}


class _Measure(NamedTuple):
    key: str
    name: str
    remark: str


_MEASURES = (
    _Measure("loss", "Loss", "logarithmic scale"),
    _Measure("accuracy", "Accuracy", "scale logarithmic in the share of errors"),
)


@in_house_style
def learning_curves(
    histories: Mapping[str, Mapping[str, Any]],
    *,
    title: str = "",
    palette: str | Sequence[str] = LINES,
    width: float | None = None,
) -> Figure:
    """Draw training and validation loss and accuracy of several models over the epochs.

    The loss axis is logarithmic. The accuracy axis is logarithmic in the error rate, so that 98 and
    99 % are as far apart as 80 and 90 %. The epoch axis is logarithmic if the models' numbers of
    epochs differ by a factor of 4 or more.

    Parameters
    ----------
    histories : mapping of str to History or mapping of str to sequence of float
        Name of each model and its training history, as `unknot.training.train` returns it: columns
        with one value per epoch. ``loss`` is required; ``val_loss``, ``accuracy`` and
        ``val_accuracy`` (in [0, 1]) are drawn if present. ``epoch`` defaults to 1, 2, 3, ...
    title : str, default=""
        Title of the figure.
    palette : str or sequence of str, default=8 distinct colors
        One color per model, or the name of a matplotlib colormap. Colors repeat if there are more
        models.
    width : float, default=None
        Width of the figure in inches, for print: 3.3 is a column of most journals, 6.9 two. The
        figure then has exactly this width, and text of 7 to 9 points.
        Default: 10 inches, with larger text, for screens.

    Returns
    -------
    matplotlib.figure.Figure
        10 inches wide; half of that, with one panel, if no history has accuracies.

    Raises
    ------
    ValueError
        If there are no histories, a history has no loss or no epochs, or its columns differ in
        length.

    See Also
    --------
    epoch_curves : Draw measures of the layers over the epochs.
    wrong_images : Draw the misclassified images.
    unknot.training.train : Train a network and return its history.

    Examples
    --------
    >>> from unknot.figures import learning_curves
    >>> history = {"loss": [0.9, 0.5, 0.4], "val_loss": [0.8, 0.6, 0.5]}
    >>> figure = learning_curves({"Perceptron": history})
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['loss', 'val_loss']
    """
    if not histories:
        raise ValueError("histories must hold at least one history; got none")
    columns = {name: _check_history(name, history) for name, history in histories.items()}
    colors = _line_colors(list(columns), palette)
    measures = [
        measure
        for measure in _MEASURES
        if any({measure.key, f"val_{measure.key}"} & own.keys() for own in columns.values())
    ]
    validated = any(key.startswith("val_") for own in columns.values() for key in own)
    handles, labels = _legend_entries(colors, validated=validated)

    n_columns = min(len(measures), sheet().most_columns(_NARROWEST, _GAP, 2))
    # On screens, one panel alone has half of the width.
    panel = (sheet().page - 2 * MARGIN - _GAP) / 2
    if sheet().given:
        panel = (sheet().page - 2 * MARGIN - (n_columns - 1) * _GAP) / n_columns
    height = _PRINTED_HEIGHT if sheet().given else _HEIGHT
    total_width = 2 * MARGIN + n_columns * (panel + _GAP) - _GAP
    heading = title_lines(title, total_width - 2 * MARGIN)
    captions = [
        [PanelLine(measure.name, headline=True), PanelLine(measure.remark, aside=True)]
        for measure in measures
    ]
    top = title_height(heading) + panel_title_height(captions[0])
    legend = legend_height(labels, total_width - 2 * MARGIN, _HANDLE_LENGTH)
    n_rows = math.ceil(len(measures) / n_columns)
    row_height = height + _TICKS_BELOW + panel_title_height(captions[0])
    rows_height = n_rows * row_height - panel_title_height(captions[0])
    fig = UnknotFigure(total_width, top + rows_height + legend + MARGIN)
    write_title(fig, heading)
    for number, (measure, caption) in enumerate(zip(measures, captions, strict=True)):
        row, column = divmod(number, n_columns)
        left = MARGIN + column * (panel + _GAP)
        axes_top = top + row * row_height
        write_panel_title(fig, left, axes_top, caption)
        ax = add_axes(fig, left + _TICKS_LEFT, axes_top, panel - _TICKS_LEFT, height)
        for name, own in columns.items():
            _draw_curves(ax, own, measure.key, colors[name], validated=validated)
        _set_epoch_axis(ax, [own["epoch"] for own in columns.values()], panel - _TICKS_LEFT)
        if measure.key == "loss":
            _set_loss_axis(ax, height)
        else:
            _set_accuracy_axis(ax, height)
        ax.grid(visible=True)
        ax.spines[["top", "right"]].set_visible(False)
    add_legend(fig, handles, labels, handle_length=_HANDLE_LENGTH)
    epochs = ", ".join(f"{name} {len(own['epoch']):,}" for name, own in columns.items())
    what = " and ".join(measure.name.lower() for measure in measures)
    fig.caption = f"{what.capitalize()} over the epochs ({epochs})" + (
        "; dashed on the training data, solid on the validation data." if validated else "."
    )
    return fig


def _check_history(name: str, history: Mapping[str, Any]) -> dict[str, Array]:
    keys = ("loss", "val_loss", "accuracy", "val_accuracy")
    columns = {key: np.asarray(history[key], np.float64) for key in keys if key in history}
    if "loss" not in columns:
        raise ValueError(
            f"the history of {name!r} has no column loss; it has {', '.join(map(str, history))}"
        )
    n_epochs = len(columns["loss"])
    if not n_epochs:
        raise ValueError(f"the history of {name!r} has no epochs; train for at least one")
    epochs = history["epoch"] if "epoch" in history else np.arange(1, n_epochs + 1)
    columns["epoch"] = np.asarray(epochs, np.float64)
    for key, values in columns.items():
        if values.shape != (n_epochs,):
            raise ValueError(
                f"the columns of the history of {name!r} must have the same length; loss has "
                f"{n_epochs} values and {key} {len(values)}"
            )
    return columns


def _line_colors(names: list[str], palette: str | Sequence[str]) -> dict[str, str]:
    # Reuse the colors: more than eight lines are hard to tell apart in any case.
    n_colors = len(names) if isinstance(palette, str) else min(len(names), len(palette))
    colors = class_colors(n_colors, palette)
    return {name: colors[number % n_colors] for number, name in enumerate(names)}


def _legend_entries(
    colors: Mapping[str, str], *, validated: bool
) -> tuple[list[Line2D], list[str]]:
    handles = [Line2D([], [], color=color, linewidth=2.2) for color in colors.values()]
    labels = list(colors)
    if validated:
        handles += [Line2D([], [], color=MUTED, **_STYLES[kind]) for kind in _STYLES]
        labels += list(_STYLES)
    return handles, labels


def _draw_curves(
    ax: Axes, columns: Mapping[str, Array], key: str, color: str, *, validated: bool
) -> None:
    for column, kind in ((key, "training"), (f"val_{key}", "validation")):
        if column not in columns:
            continue
        # Training curves are dashed only if there are validation curves too.
        style = _STYLES[kind if validated else "validation"]
        values = columns[column]
        few = len(values) <= _MAX_DOTTED_EPOCHS
        ax.plot(
            columns["epoch"],
            values,
            color=color,
            marker="o",
            markersize=3.2,
            markeredgewidth=0,
            # With many epochs, mark only values that the line would not show.
            markevery=None if few else isolated(values),
            label=column,
            **style,
        )


def _set_epoch_axis(ax: Axes, epochs: list[Array], length: float) -> None:
    first = min(float(values.min()) for values in epochs)
    last = max(float(values.max()) for values in epochs)
    counts = [len(values) for values in epochs]
    if max(counts) >= _LOG_RATIO * min(counts) and first > 0:
        ax.set_xscale("log")
        margin = (last / first) ** 0.02
        ax.set_xlim(first / margin, last * margin)
        ticks = log_ticks(first, last, length)
        label = "epoch, logarithmic"
    else:
        margin = max(0.02 * (last - first), 0.05)
        ax.set_xlim(first - margin, last + margin)
        ticks = linear_ticks(first, last, length, min_gap=0.5) if last > first else [first]
        label = "epoch"
    ax.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if tick == round(tick)]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.set_xlabel(label)


def _set_loss_axis(ax: Axes, length: float) -> None:
    values = _finite_values(ax)
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.1, 1.0)
    if low > 0:
        ax.set_yscale("log")
        margin = max((high / low) ** 0.05, 1.1)
        low, high = low / margin, high * margin
        ticks = log_ticks(low, high, length)
    else:
        margin = 0.05 * (high - low) or 0.5
        low, high = low - margin, high + margin
        ticks = linear_ticks(low, high, length)
    ax.set_ylim(low, high)
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _set_accuracy_axis(ax: Axes, length: float) -> None:
    ax.set_yscale("function", functions=(_exponents, _accuracies))
    values = _finite_values(ax)
    errors = np.maximum(1 - values, _MIN_ERROR) if len(values) else np.array([0.1, 1.0])
    low, high = float(errors.min()), float(errors.max())
    margin = max((high / low) ** 0.05, 1.1)
    low, high = low / margin, min(high * margin, 1.0)
    ax.set_ylim(1 - high, 1 - low)
    ticks = 1 - np.array(log_ticks(low, high, length))
    ax.yaxis.set_major_locator(FixedLocator(ticks.tolist()))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(100 * value, 3):g} %"))


def _exponents(accuracies: Array) -> Array:
    return np.asarray(-np.log10(np.maximum(1 - accuracies, _MIN_ERROR / 2)))


def _accuracies(exponents: Array) -> Array:
    return np.asarray(1 - np.power(10.0, -exponents))


def _finite_values(ax: Axes) -> Array:
    values = np.concatenate([np.asarray(line.get_ydata(), np.float64) for line in ax.lines])
    return np.asarray(values[np.isfinite(values)])
