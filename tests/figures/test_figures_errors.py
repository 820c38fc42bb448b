"""Curves of shares near 1, drawn by the logarithm of what they lack of it."""

from dataclasses import dataclass

import numpy as np
import pytest
from figures_checks import assert_texts_are_clear, words
from hypothesis import given
from hypothesis import strategies as st

from unknot.figures import epoch_curves, layer_curves
from unknot.figures._errors import ErrorScale, is_near_one


@dataclass
class Share:
    """A score with what figures use of it."""

    value: float
    interval: tuple[float, float] | None = None
    null: float | None = None
    title: str = "Neighborhood Hit"
    higher_is_better: bool | None = True
    range: tuple[float, float] = (0.0, 1.0)
    family: str = "neighborhood"

    def __float__(self):
        return self.value


def layers_of(values, **options):
    return {f"layer {n}": {"hit": Share(value, **options)} for n, value in enumerate(values)}


def is_of_errors(figure):
    (ax,) = figure.axes
    captioned = any("log of errors" in text for text in words(figure))
    assert captioned == (ax.get_yscale() == "function")
    return captioned


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.92, 0.95, 0.988], True),
        ([0.92, 0.93, 0.94], False),  # none is that near 1
        ([0.6, 0.95, 0.99], False),  # one is far from it
        ([0.99], False),  # nothing to tell it from
        ([0.8, np.nan, 1.0], True),
    ],
)
def test_it_is_chosen_where_only_errors_tell_shares_apart(values, expected):
    figure = layer_curves(layers_of(values))
    assert is_of_errors(figure) == expected
    assert is_of_errors(layer_curves(layers_of(values), errors=True))
    assert not is_of_errors(layer_curves(layers_of(values), errors=False))


@pytest.mark.parametrize(
    "options",
    [{"higher_is_better": False}, {"higher_is_better": None}, {"range": (-1.0, 1.0)}],
)
def test_what_is_no_share_of_which_more_is_better_is_drawn_as_it_is(options):
    assert not is_of_errors(layer_curves(layers_of([0.92, 0.99], **options), errors=True))


def test_controls_and_chance_do_not_decide_but_are_drawn():
    others = {"untrained": layers_of([0.9, 0.4], null=0.1)}
    figure = layer_curves(layers_of([0.9, 0.99], null=0.1), others=others)
    assert is_of_errors(figure)
    low, high = figure.axes[0].get_ylim()
    assert low < 0.1
    assert high > 0.99
    assert_texts_are_clear(figure)


def test_epochs_are_drawn_so_if_all_lines_are_near_one():
    near = {epoch: layers_of([0.9, 0.97]) for epoch in (0, 1, 2)}
    assert is_of_errors(epoch_curves(near))
    assert not is_of_errors(epoch_curves({**near, 0: layers_of([0.9, 0.2])}))


def test_equal_steps_are_equal_factors_of_the_error():
    scale = ErrorScale(np.array([0.9, 0.99, 0.999]))
    first, second, third = scale.forward(np.array([0.9, 0.99, 0.999]))
    assert second - first == pytest.approx(1) == pytest.approx(third - second)


def test_shares_of_one_are_on_the_axis_above_all_others():
    shares = np.array([0.9, 0.99, 1.0])
    scale = ErrorScale(shares)
    low, high = scale.limits(shares)
    assert low < 0.9
    assert high == 1
    assert scale.ticks(low, high, 2.0)[-1] == 1
    assert scale.forward(np.array([1.0]))[0] > scale.forward(np.array([0.99]))[0]


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=8),
    st.floats(0.3, 5),
)
def test_any_shares_have_an_axis(shares, length):
    shares = np.array(shares)
    scale = ErrorScale(shares)
    places = scale.forward(np.sort(shares))
    assert (np.diff(places) >= 0).all()
    np.testing.assert_allclose(scale.inverse(places), np.sort(shares), atol=1e-12)
    low, high = scale.limits(shares)
    ticks = scale.ticks(low, high, length)
    assert low < high
    assert all(low <= tick <= high for tick in ticks)
    drawn = scale.forward(np.array([low, *ticks, high]))
    apart = np.diff(scale.forward(np.array(ticks)))
    assert (apart >= 0.25 * (drawn[-1] - drawn[0]) / length - 1e-9).all()


def test_near_one_takes_what_is_known():
    assert is_near_one(np.array([np.nan, 0.9, 0.96]))
    assert not is_near_one(np.array([np.nan, np.nan, 0.96]))
    assert not is_near_one(np.array([]))
