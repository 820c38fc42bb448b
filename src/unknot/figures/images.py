"""Misclassified images."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from .._typing import Array
from .._validation.arrays import as_array, as_numbers
from .._validation.numbers import check_integer
from ._layout import (
    PanelLine,
    add_axes,
    line_height,
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
from ._palette import BAD, FRAME
from ._style import MARGIN, UnknotFigure, in_house_style, sheet

_SIDE, _PRINTED_SIDE = 0.78, 0.5
_GAP = 0.14
_ROW_GAP = 0.12


@in_house_style
def wrong_images(
    images: ArrayLike,
    labels: ArrayLike,
    predictions: ArrayLike,
    class_names: Sequence[str] | None = None,
    probabilities: ArrayLike | None = None,
    *,
    n_shown: int = 30,
    title: str | None = None,
    cmap: str | None = None,
    width: float | None = None,
) -> Figure:
    """Draw the misclassified images, those with the highest confidence first.

    The true class is written above each image, the predicted class and its probability below.

    Parameters
    ----------
    images : array-like (n_samples, height, width) or (n_samples, height, width, 1 or 3)
        Gray or RGB images with values in [0, 1].
    labels : array-like of int (n_samples,)
        True classes, 0..C-1.
    predictions : array-like of int (n_samples,)
        Predicted classes, 0..C-1.
    class_names : sequence of str, default=None
        Names of the C classes. Default: their indices.
    probabilities : array-like (n_samples, C) or (n_samples,), default=None
        Probabilities of all classes, or of the predicted one. Default: none are shown, and the
        images are in the order of the samples.
    n_shown : int, default=30
        Maximum number of images shown.
    title : str, default=None
        Title of the figure. Default: the number and share of misclassified images.
    cmap : str, default=None
        Matplotlib colormap of gray images. Default: ``"gray_r"`` if most pixels are exactly 0, so
        that light strokes on black are drawn dark on white; ``"gray"`` otherwise.
    width : float, default=None
        Width of the figure in inches, for print: 3.3 is a column of most journals, 6.9 two. The
        figure then has exactly this width, and text of 7 to 9 points.
        Default: 10 inches, with larger text, for screens.

    Returns
    -------
    matplotlib.figure.Figure
        10 inches wide. If no image is misclassified, the title says so.

    Raises
    ------
    ValueError
        If the shapes do not match, or a class has no name.

    See Also
    --------
    learning_curves : Draw loss and accuracy over the epochs.
    layer_strip : Draw the maps of all layers, with misclassified points ringed.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.figures import wrong_images
    >>> images = np.random.default_rng(0).random((3, 8, 8))
    >>> figure = wrong_images(images, [0, 1, 1], [0, 0, 1], ["cat", "dog"])
    >>> [text.get_text() for text in figure.texts][-2:]
    ['dog', '→ cat']
    """
    pictures = _check_images(images)
    true, predicted = _check_classes(labels, predictions, len(pictures))
    names = _check_names(class_names, max(int(true.max()), int(predicted.max())) + 1)
    confidence = _check_probabilities(probabilities, predicted)
    check_integer(n_shown, "n_shown", 1)

    wrong = np.flatnonzero(true != predicted)
    if confidence is not None:
        wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    shown = wrong[:n_shown]
    if title is None:
        title = _summary(len(wrong), len(true), len(shown), has_confidence=confidence is not None)
    cmap = _gray_colormap(pictures) if cmap is None else cmap

    captions = [
        _caption(names[predicted[i]], None if confidence is None else confidence[i]) for i in shown
    ]
    widest = max(
        [text_width(line, sheet().small) for lines in captions for line in lines]
        + [text_width(names[true[i]], sheet().small) for i in shown],
        default=0.0,
    )
    # Columns fit the longest caption, but are at most two images wide.
    needed = min(max(_side(), widest), 2 * _side()) + _GAP
    n_columns = int((sheet().page - 2 * MARGIN + _GAP) / needed)
    pitch = (sheet().page - 2 * MARGIN + _GAP) / n_columns
    n_rows = math.ceil(len(shown) / n_columns)
    text = line_height(sheet().small)
    height, width = (_side() * size / max(pictures.shape[1:3]) for size in pictures.shape[1:3])
    row_height = height + text + 0.04 + max(map(len, captions), default=0) * text

    heading = title_lines(title, sheet().page - 2 * MARGIN)
    legend = "Above each image its true class, below it the predicted one" + (
        "" if confidence is None else " and its probability"
    )
    lines = wrap(legend, sheet().page - 2 * MARGIN, sheet().normal) if len(shown) else []
    key = [PanelLine(line, aside=True) for line in lines]
    top = title_height(heading) + panel_title_height(key)
    rows_height = n_rows * (row_height + _ROW_GAP) - _ROW_GAP * (n_rows > 0)
    fig = UnknotFigure(sheet().page, top + rows_height + MARGIN)
    write_title(fig, heading)
    write_panel_title(fig, MARGIN, top, key)
    for number, index in enumerate(shown):
        row, column = divmod(number, n_columns)
        left = MARGIN + column * pitch
        line_top = top + row * (row_height + _ROW_GAP)
        column_width = pitch - _GAP
        write(
            fig,
            left,
            line_top,
            shorten(names[true[index]], column_width, sheet().small),
            size=sheet().small,
        )
        line_top += text
        ax = add_axes(fig, left, line_top, width, height)
        ax.imshow(pictures[index], cmap=cmap, vmin=0, vmax=1, interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_color(FRAME)
        line_top += height + 0.04
        for line in captions[number]:
            write(
                fig,
                left,
                line_top,
                shorten(line, column_width, sheet().small),
                size=sheet().small,
                color=BAD,
            )
            line_top += text
    fig.caption = title + (f". {legend}." if len(shown) else ".")
    return fig


def _side() -> float:
    """Return the larger side of an image, in inches."""
    return _PRINTED_SIDE if sheet().given else _SIDE


def _summary(n_wrong: int, n_all: int, n_shown: int, *, has_confidence: bool) -> str:
    if not n_wrong:
        return f"None of {n_all:,} images is classified wrongly"
    share = (
        f"{n_wrong:,} of {n_all:,} images ({100 * n_wrong / n_all:.2f} %) are classified wrongly"
    )
    if n_shown == n_wrong:
        return share
    which = "most confident mistakes" if has_confidence else "first"
    return f"{share}: the {n_shown:,} {which}"


def _caption(name: str, confidence: float | None) -> list[str]:
    """Return the predicted class and its probability, on one line if that fits below the image."""
    if confidence is None:
        return [f"→ {name}"]
    line = f"→ {name}  {_format_probability(confidence)}"
    return (
        [line]
        if text_width(line, sheet().small) <= _side()
        else [f"→ {name}", _format_probability(confidence)]
    )


def _format_probability(confidence: float) -> str:
    """Format a probability as a percentage, rounded down so that only 1 gives 100 %."""
    return f"{math.floor(1000 * confidence) / 10:.1f} %"


def _check_images(images: ArrayLike) -> Array:
    pictures = as_numbers(images, "images")
    channels = pictures.shape[3] if pictures.ndim == 4 else 1
    if pictures.ndim not in (3, 4) or channels not in (1, 3):
        raise ValueError(
            "images must have the shape (n_samples, height, width), with 1 or 3 channels last; "
            f"got {pictures.shape}"
        )
    return pictures[..., 0] if pictures.ndim == 4 and channels == 1 else pictures


def _check_classes(
    labels: ArrayLike, predictions: ArrayLike, n_samples: int
) -> tuple[Array, Array]:
    checked = []
    for name, values in (("labels", labels), ("predictions", predictions)):
        classes = as_array(values, name)
        if classes.shape != (n_samples,) or classes.dtype.kind not in "iu":
            raise ValueError(
                f"{name} must hold one integer for each of the {n_samples} images; "
                f"got the shape {classes.shape} and dtype {classes.dtype}"
            )
        if n_samples and classes.min() < 0:
            raise ValueError(f"{name} must be in 0..C-1; got {int(classes.min())}")
        checked.append(classes)
    return checked[0], checked[1]


def _check_names(class_names: Sequence[str] | None, n_classes: int) -> list[str]:
    if class_names is None:
        return [str(code) for code in range(n_classes)]
    if len(class_names) < n_classes:
        raise ValueError(
            f"class_names has {len(class_names)} names, but there is a class {n_classes - 1}"
        )
    return list(class_names)


def _check_probabilities(probabilities: ArrayLike | None, predicted: Array) -> Array | None:
    if probabilities is None:
        return None
    values = as_numbers(probabilities, "probabilities").astype(np.float64)
    if values.ndim == 2 and len(values) == len(predicted) and values.shape[1] > predicted.max():
        values = values[np.arange(len(predicted)), predicted]
    if values.shape != predicted.shape or not ((values >= 0) & (values <= 1 + 1e-6)).all():
        raise ValueError(
            f"probabilities must be in [0, 1] and have the shape ({len(predicted)},) or "
            f"({len(predicted)}, n_classes); got {np.shape(probabilities)}"
        )
    return values


def _gray_colormap(pictures: Array) -> str:
    return "gray_r" if (pictures == 0).mean() > 0.5 else "gray"
