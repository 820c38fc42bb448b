"""Text widths, legends, ticks, and labels moved apart."""

import itertools

import numpy as np
import pytest
from figures_checks import assert_texts_are_clear, drawn_texts, legend_words
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.lines import Line2D

from unknot.figures._layout import (
    MARGIN,
    add_legend,
    legend_height,
    shorten,
    spread_labels,
    text_width,
    wrap,
    write,
)
from unknot.figures._style import UnknotFigure, house_style
from unknot.figures._ticks import linear_ticks, log_ticks


@pytest.mark.parametrize("words", ["NH = 93.3 %", "Perceptron", "Wavy", "a $5 b $6", "a_b^c"])
@pytest.mark.parametrize("bold", [False, True])
def test_measured_as_wide_as_drawn(words, bold):
    with house_style():
        fig = UnknotFigure(4.0, 1.0)
        write(fig, 0.2, 0.2, words, size=10.0, bold=bold)
        ((_, box),) = drawn_texts(fig)
    # Rendered text is hinted to whole pixels, at 100 dpi.
    assert box.width / 100 == pytest.approx(text_width(words, 10.0, bold=bold), abs=0.06)


def test_wrap():
    wide = 1.03 * text_width("one two three", 10.0) + 1e-9
    assert wrap("one two three four", wide, 10.0) == ["one two three", "four"]
    assert wrap("one two three four", wide * 0.99, 10.0) == ["one two", "three four"]
    assert wrap("one\ntwo", wide, 10.0) == ["one", "two"]
    assert wrap("unsplittable", 1.031 * text_width("unspl…", 10.0), 10.0) == ["unspl…"]


@given(text=st.text("abc WM.", min_size=1, max_size=30), width=st.floats(0.3, 3))
def test_shortened_text_fits(text, width):
    short = shorten(text, width, 9.0)
    assert text_width(short, 9.0) <= width
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@given(
    names=st.lists(st.from_regex("[a-j ]{0,13}[a-j]", fullmatch=True), min_size=1, max_size=60),
    handle=st.sampled_from([1.0, 2.2]),
)
@settings(deadline=None, max_examples=30)
def test_legends_fit_and_read_across(names, handle):
    names = [f"{number}{name}" for number, name in enumerate(names)]
    with house_style():
        height = legend_height(names, 10.0 - 2 * MARGIN, handle)
        fig = UnknotFigure(10.0, height + 2 * MARGIN)
        add_legend(fig, [Line2D([], []) for _ in names], names, handle_length=handle)
        assert_texts_are_clear(fig)
        box = fig.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= 1000
    assert box.y1 <= 100 * (height + MARGIN)
    # Row-major order: from top to bottom, then from left to right.
    boxes = dict(drawn_texts(fig))
    assert sorted(names, key=lambda n: (-round(boxes[n].y0 / 8), boxes[n].x0)) == names
    assert sorted(legend_words(fig)) == sorted(names)


@given(
    places=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=2, max_size=12),
    width=st.floats(0.1, 0.6),
)
@settings(deadline=None)
def test_labels_are_moved_apart(places, width):
    sizes = np.full((len(places), 2), [width, 0.2])
    placed = spread_labels(np.array(places), sizes, (3.0, 3.0))
    assert placed is not None
    assert (placed >= sizes / 2 - 1e-9).all()
    assert (placed <= 3.0 - sizes / 2 + 1e-9).all()
    for a, b in itertools.combinations(placed, 2):
        assert (np.abs(a - b) >= np.array([width, 0.2]) - 1e-6).any()


def test_labels_at_one_place_are_moved_apart_but_not_far():
    placed = spread_labels(np.full((10, 2), 1.5), np.full((10, 2), [0.3, 0.2]), (3.0, 3.0))
    assert placed is not None
    # Packed tightly, ten boxes would fill a disk of radius 0.44.
    assert np.linalg.norm(placed - 1.5, axis=1).max() < 0.6


def test_labels_that_are_apart_stay_where_they_are():
    centers = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.0]])
    placed = spread_labels(centers, np.full((3, 2), [0.6, 0.2]), (3.0, 3.0))
    np.testing.assert_array_equal(placed, centers)


def test_labels_without_room():
    assert spread_labels(np.ones((9, 2)), np.full((9, 2), [0.9, 0.4]), (2.0, 1.0)) is None


def test_log_ticks_by_hand():
    assert log_ticks(0.9, 110.0, 4.0) == [1, 2, 3, 5, 10, 20, 30, 50, 100]
    assert log_ticks(1e-9, 1e9, 3.0) == [1e-8, 1e-6, 1e-4, 1e-2, 1, 1e2, 1e4, 1e6, 1e8]
    assert log_ticks(0.9e-3, 1.1e3, 2.0) == [1e-3, 1e-2, 1e-1, 1, 10, 100, 1000]
    # Below a factor of two, ticks are linear.
    assert log_ticks(0.27, 0.31, 2.0) == pytest.approx([0.27, 0.28, 0.29, 0.30, 0.31])


@given(low=st.floats(1e-6, 1e3), factor=st.floats(1.3, 1e6), length=st.floats(1, 5))
def test_ticks_are_inside_and_apart(low, factor, length):
    high = low * factor
    ticks = log_ticks(low, high, length)
    assert len(ticks) >= 1
    assert min(ticks) >= low * (1 - 1e-6)
    assert max(ticks) <= high * (1 + 1e-6)
    assert ticks == sorted(ticks)


def test_linear_ticks_by_hand():
    # 5 inches allow at most 12.5 steps: the step is at least 10 / 12.5 = 0.8, so 1.
    assert linear_ticks(0.0, 10.0, 5.0) == list(range(11))
    assert linear_ticks(0.0, 10.0, 2.0) == [0, 2, 4, 6, 8, 10]
    assert linear_ticks(-0.3, 0.31, 2.0) == pytest.approx([-0.2, 0, 0.2])
    assert linear_ticks(101.0, 107.0, 1.0) == pytest.approx([102.5, 105])


@given(low=st.floats(-100, 100), extent=st.floats(0.01, 1e3), length=st.floats(1, 5))
def test_linear_ticks_are_inside_and_apart(low, extent, length):
    ticks = linear_ticks(low, low + extent, length)
    slack = extent * 1e-6
    assert all(low - slack <= tick <= low + extent + slack for tick in ticks)
    assert all(b - a >= 0.4 * extent / length - slack for a, b in itertools.pairwise(ticks))
    assert len(ticks) >= 1
