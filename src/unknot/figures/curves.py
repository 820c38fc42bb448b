"""Learning curves: loss and accuracy over the epochs of one or several trainings."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
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
    panel_title_height,
    place,
    title_height,
    title_lines,
    write_panel_title,
    write_title,
)
from ._palette import LINES, MUTED, class_colors
from ._style import PAGE, UnknotFigure, in_house_style
from ._ticks import linear_ticks, log_ticks
from ._values import isolated

_HEIGHT = 2.9
_HANDLE = 2.2  # the length of a legend's lines, in the size of its text
_TICKS_LEFT, _TICKS_BELOW, _GAP = 0.52, 0.46, 0.3
# Trainings whose numbers of epochs differ by this factor are shown over a logarithmic axis.
_UNEVEN = 4
_FEW_EPOCHS = 15
# An accuracy of 1 is drawn as if so much were missing: the axis has no place for it.
_LEAST_ERROR = 1e-5
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
) -> Figure:
    """Draw loss and accuracy over the epochs, training and validation, of several models.

    Losses are on a logarithmic axis, accuracies on one that is logarithmic in the share of errors,
    so that 98 and 99 % are as far apart as 80 and 90 %. The axis of the epochs is logarithmic where
    the numbers of epochs differ by a factor of 4 or more.

    Parameters
    ----------
    histories : mapping of str to mapping
        The name of each model, and its history: a mapping of column to values, one an epoch. The
        columns are ``epoch`` (from 1; counted where it is missing), ``loss``, and where there are
        any ``val_loss``, ``accuracy`` and ``val_accuracy``, in [0, 1].
    title : str
        Above the panels.
    palette : str or sequence of str
        A color for each model.

    Returns
    -------
    matplotlib Figure
        10 inches wide; half of that, with one panel, if no history has accuracies.

    Raises
    ------
    ValueError
        If there is no history, one has no epochs or no loss, or its columns are of different
        lengths.

    Examples
    --------
    >>> from unknot.figures import learning_curves
    >>> history = {"epoch": [1, 2, 3], "loss": [0.9, 0.5, 0.4], "val_loss": [0.8, 0.6, 0.5]}
    >>> fig = learning_curves({"Perceptron": history})
    >>> len(fig.axes)
    1
    """
    if not histories:
        raise ValueError("histories must hold at least one history; got none")
    columns = {name: _check_history(name, history) for name, history in histories.items()}
    colors = _line_colors(list(columns), palette)
    measures = [
        measure
        for measure in _MEASURES
        if any({measure.key, f"val_{measure.key}"} & each.keys() for each in columns.values())
    ]
    validated = any(key.startswith("val_") for each in columns.values() for key in each)
    handles, labels = _legend_entries(colors, validated=validated)

    width = (PAGE - 2 * MARGIN - _GAP) / 2
    whole = 2 * MARGIN + len(measures) * (width + _GAP) - _GAP
    heading = title_lines(title, whole - 2 * MARGIN)
    captions = [
        [PanelLine(measure.name, headline=True), PanelLine(measure.remark, aside=True)]
        for measure in measures
    ]
    top = title_height(heading) + panel_title_height(captions[0])
    legend = legend_height(labels, whole - 2 * MARGIN, _HANDLE)
    fig = UnknotFigure(whole, top + _HEIGHT + _TICKS_BELOW + legend + MARGIN)
    write_title(fig, heading)
    for number, (measure, caption) in enumerate(zip(measures, captions, strict=True)):
        left = MARGIN + number * (width + _GAP)
        write_panel_title(fig, left, top, caption)
        ax = place(fig, left + _TICKS_LEFT, top, width - _TICKS_LEFT, _HEIGHT)
        for name, each in columns.items():
            _draw_curves(ax, each, measure.key, colors[name], validated=validated)
        _set_epoch_axis(ax, [each["epoch"] for each in columns.values()], width - _TICKS_LEFT)
        if measure.key == "loss":
            _set_loss_axis(ax, _HEIGHT)
        else:
            _set_accuracy_axis(ax, _HEIGHT)
        ax.grid(visible=True)
        ax.spines[["top", "right"]].set_visible(False)
    add_legend(fig, handles, labels, handle_length=_HANDLE)
    return fig


def _check_history(name: str, history: Mapping[str, Any]) -> dict[str, Array]:
    wanted = ("loss", "val_loss", "accuracy", "val_accuracy")
    columns = {key: np.asarray(history[key], np.float64) for key in wanted if key in history}
    if "loss" not in columns:
        raise ValueError(
            f"the history of {name!r} has no column loss; it has {', '.join(map(str, history))}"
        )
    n_epochs = len(columns["loss"])
    if not n_epochs:
        raise ValueError(f"the history of {name!r} has no epochs; train for at least one")
    given = history["epoch"] if "epoch" in history else np.arange(1, n_epochs + 1)
    columns["epoch"] = np.asarray(given, np.float64)
    for key, values in columns.items():
        if values.shape != (n_epochs,):
            raise ValueError(
                f"the columns of the history of {name!r} must be of one length; loss has "
                f"{n_epochs} values and {key} {len(values)}"
            )
    return columns


def _line_colors(names: list[str], palette: str | Sequence[str]) -> dict[str, str]:
    # More lines than colors start again: beyond eight, a figure of lines tells nobody anything.
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
        # Dashes only where they tell training from validation.
        style = _STYLES[kind if validated else "validation"]
        values = columns[column]
        few = len(values) <= _FEW_EPOCHS
        ax.plot(
            columns["epoch"],
            values,
            color=color,
            marker="o",
            markersize=3.2,
            markeredgewidth=0,
            # Of many epochs only those have a dot of which no line can be drawn.
            markevery=None if few else isolated(values),
            label=column,
            **style,
        )


def _set_epoch_axis(ax: Axes, epochs: list[Array], length: float) -> None:
    first = min(float(each.min()) for each in epochs)
    last = max(float(each.max()) for each in epochs)
    counts = [len(each) for each in epochs]
    if max(counts) >= _UNEVEN * min(counts) and first > 0:
        ax.set_xscale("log")
        margin = (last / first) ** 0.02
        ax.set_xlim(first / margin, last * margin)
        ticks = log_ticks(first, last, length)
        label = "epoch, logarithmic"
    else:
        margin = max(0.02 * (last - first), 0.05)
        ax.set_xlim(first - margin, last + margin)
        ticks = linear_ticks(first, last, length, apart=0.5) if last > first else [first]
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
    errors = np.maximum(1 - values, _LEAST_ERROR) if len(values) else np.array([0.1, 1.0])
    least, greatest = float(errors.min()), float(errors.max())
    margin = max((greatest / least) ** 0.05, 1.1)
    least, greatest = least / margin, min(greatest * margin, 1.0)
    ax.set_ylim(1 - greatest, 1 - least)
    ticks = 1 - np.array(log_ticks(least, greatest, length))
    ax.yaxis.set_major_locator(FixedLocator(ticks.tolist()))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(100 * value, 3):g} %"))


def _exponents(accuracies: Array) -> Array:
    return np.asarray(-np.log10(np.maximum(1 - accuracies, _LEAST_ERROR / 2)))


def _accuracies(exponents: Array) -> Array:
    return np.asarray(1 - np.power(10.0, -exponents))


def _finite_values(ax: Axes) -> Array:
    values = np.concatenate([np.asarray(line.get_ydata(), np.float64) for line in ax.lines])
    return np.asarray(values[np.isfinite(values)])
