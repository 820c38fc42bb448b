"""The house style neither depends on nor changes the user's rcParams."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from figures_checks import assert_texts_are_clear, drawn_texts

from unknot.figures import lab_panel, learning_curves, save_figure, wrong_images
from unknot.figures._style import UnknotFigure


@pytest.fixture
def draw(digits, histories, mistakes):
    def all_of_them():
        return [
            lab_panel(digits[0][:300], digits[1][:300], title="Digits"),
            learning_curves(histories),
            wrong_images(*mistakes[:3], None, mistakes[3]),
        ]

    return all_of_them


def test_the_users_settings_neither_change_nor_matter(draw, tmp_path):
    plain = [save_figure(fig, tmp_path / f"{i}.png").read_bytes() for i, fig in enumerate(draw())]
    user = {
        "font.size": 30,
        "axes.grid": True,
        "axes.facecolor": "black",
        "savefig.facecolor": "red",
        "savefig.bbox": "tight",
        "figure.dpi": 37,
        "lines.linewidth": 9,
        "text.usetex": True,
        "svg.hashsalt": "mine",
    }
    with mpl.rc_context(user):
        before = dict(mpl.rcParams)
        theirs = [save_figure(fig, tmp_path / "u.png").read_bytes() for fig in draw()]
        assert dict(mpl.rcParams) == before
    assert theirs == plain


def test_figures_are_not_registered_with_pyplot(draw):
    draw()
    assert plt.get_fignums() == []


def test_settings_come_back_after_an_error(digits):
    before = dict(mpl.rcParams)
    with pytest.raises(ValueError, match="palette must be"):
        lab_panel(*digits, palette="no such")
    assert dict(mpl.rcParams) == before


def test_shows_itself_in_a_notebook(draw):
    content = draw()[1]._repr_png_()
    assert content.startswith(b"\x89PNG")
    pixels = plt.imread(__import__("io").BytesIO(content))
    assert pixels.shape[1] == 1400


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([(0.5, 0.5), (0.52, 0.5)], "overlaps"),
        ([(-0.05, 0.5)], "cut on the left"),
        ([(0.99, 0.5)], "cut on the right"),
        ([(0.5, 0.99)], "cut above"),
        ([(0.5, -0.01)], "cut below"),
    ],
)
def test_the_check_of_texts_can_fail(places, message):
    fig = UnknotFigure(4.0, 2.0)
    for place in places:
        fig.text(*place, "words")
    with pytest.raises(AssertionError, match=message):
        assert_texts_are_clear(fig)


def test_the_check_of_texts_sees_every_kind():
    fig = UnknotFigure(4.0, 4.0)
    fig.text(0.1, 0.9, "figure")
    ax = fig.add_axes((0.3, 0.3, 0.5, 0.5))
    ax.set_xlabel("below")
    ax.set_title("above")
    ax.text(0.5, 0.5, "inside")
    ax.set_xticks([0.25], ["tick"])
    ax.plot([0, 1], label="line")
    fig.legend()
    found = {words for words, _ in drawn_texts(fig)}
    assert {"figure", "below", "above", "inside", "tick", "line"} <= found
    assert all(np.isfinite(box.extents).all() for _, box in drawn_texts(fig))
