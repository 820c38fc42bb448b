"""Checks for every figure, on the bounding boxes of the rendered artists."""

import functools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text


def drawn_texts(fig):
    """Return all rendered texts with their bounding boxes in pixels."""
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    renderer = canvas.get_renderer()
    texts = list(fig.texts)
    for legend in fig.legends:
        texts += legend.get_texts()
    for ax in fig.axes:
        texts += [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label]
        for axis in (ax.xaxis, ax.yaxis):
            texts += [tick.label1 for tick in axis.get_major_ticks()]
            texts += [tick.label2 for tick in axis.get_major_ticks()]
    shown = [text for text in texts if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in shown]


def assert_texts_are_clear(fig):
    """Check that no text overlaps another or extends beyond the figure."""
    texts = drawn_texts(fig)
    assert texts
    page = fig.bbox
    for words, box in texts:
        assert page.x0 <= box.x0, f"{words!r} is cut on the left"
        assert box.x1 <= page.x1, f"{words!r} is cut on the right"
        assert page.y0 <= box.y0, f"{words!r} is cut below"
        assert box.y1 <= page.y1, f"{words!r} is cut above"
    low = np.array([box.min for _, box in texts])
    high = np.array([box.max for _, box in texts])
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    for a, b in np.argwhere(np.triu((shared > 0).all(axis=2), 1)):
        raise AssertionError(f"{texts[a][0]!r} overlaps {texts[b][0]!r}")


def legend_words(fig):
    (legend,) = fig.legends
    return [text.get_text() for text in legend.get_texts()]


def assert_square_scales(ax):
    """Check that both axes have the same scale."""
    ax.figure.canvas.draw()
    box = ax.get_window_extent()
    across = box.width / (ax.get_xlim()[1] - ax.get_xlim()[0])
    up = box.height / (ax.get_ylim()[1] - ax.get_ylim()[0])
    assert abs(across / up - 1) < 1e-6


def words(fig):
    return [text for text, _ in drawn_texts(fig)]


def stored_image(test):
    """Compare the figure that a test returns with a baseline image, with all text hidden.

    Letters differ between versions of matplotlib; where text stands and what it says is checked on
    its boxes instead.
    """

    @pytest.mark.mpl_image_compare(savefig_kwargs={"dpi": 40}, style="default", tolerance=7)
    @functools.wraps(test)
    def without_text(*args, **kwargs):
        fig = test(*args, **kwargs)
        fig.canvas.draw()
        for ax in fig.axes:
            ax.tick_params(labelbottom=False, labelleft=False, labelright=False)
        for text in fig.findobj(Text):
            text.set_visible(False)
        return fig

    return without_text
