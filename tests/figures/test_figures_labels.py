"""Points without a label, and points colored by a number."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from unknot.figures import layer_strip
from unknot.figures._coloring import color_by_class, color_by_value
from unknot.figures._palette import UNLABELED, class_colors

RNG = np.random.default_rng(0)
MAP = RNG.normal(size=(60, 2))
LABELS = np.arange(60) % 3


def colors_of(figure, panel=0):
    """Return the color of each point of a panel, in the order of drawing."""
    return [to_hex(color) for color in figure.axes[panel].collections[0].get_facecolors()]


def legend_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


@pytest.mark.parametrize(
    "labels",
    [
        np.ma.masked_array(LABELS, LABELS == 2),
        [None if label == 2 else int(label) for label in LABELS],
        np.where(LABELS == 2, np.nan, LABELS),
    ],
)
def test_unlabeled_points_are_gray_and_below(labels):
    figure = layer_strip({"a": MAP}, labels, ["cat", "dog", "cow"])
    colors = colors_of(figure)
    # Drawn first, below the others.
    assert colors[:20] == [UNLABELED] * 20
    assert set(colors[20:]) == set(class_colors(3)[:2])
    assert legend_of(figure) == ["cat", "dog", "unlabeled (20)"]
    names = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(names) == ["cat", "dog"]


def test_wrong_predictions_are_of_labeled_points():
    labels = np.ma.masked_array(LABELS, LABELS == 2)
    figure = layer_strip({"a": MAP}, labels, predictions=np.zeros(60, int))
    assert "predicted wrongly (20)" in legend_of(figure)


def test_numbers_color_points_and_have_a_bar():
    values = np.linspace(-2, 6, 60)
    values[:5] = np.nan
    figure = layer_strip({"a": MAP, "b": -MAP}, LABELS, values=values)
    assert colors_of(figure)[:5] == [UNLABELED] * 5
    assert len(set(colors_of(figure))) > 50
    assert legend_of(figure) == ["unlabeled (5)"]
    bar = figure.axes[-1]
    low, high = bar.get_xlim()
    assert (low, high) == pytest.approx((values[5], 6.0))
    # Neither is a class named on the map.
    assert not figure.axes[0].texts


def test_colors_of_numbers_go_from_the_least_to_the_greatest():
    found = color_by_value([3.0, 1.0, 2.0, np.nan])
    assert found.codes.tolist() == [255, 0, 128, 256]
    assert found.colors[256] == UNLABELED
    assert found.ends == (1.0, 3.0)
    assert color_by_value([2.0, 2.0]).codes.tolist() == [0, 0]


def test_bad_numbers_and_none():
    with pytest.raises(ValueError, match="1 infinite entries"):
        color_by_value([1.0, np.inf])
    with pytest.raises(ValueError, match=r"one number for each point.* 2 missing"):
        color_by_value([np.nan, None])
    with pytest.raises(ValueError, match="values of 'a' must hold one value for each of the 60"):
        layer_strip({"a": MAP}, LABELS, values=[1.0, 2.0])
    # Nothing is labeled: everything is gray.
    assert color_by_class([None, None], None, "safe").colors == [UNLABELED]
