"""Color distances for every kind of color vision."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from unknot.figures._palette import LINES, SAFE, class_colors, text_on

# Simulations of the three kinds of dichromacy on linear RGB, severity 1 [Machado2009].
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(color):
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def oklab(linear_rgb):
    """[Ottosson2020]."""
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(to_lab) @ np.cbrt(np.array(to_cones) @ np.clip(linear_rgb, 0, 1))


def least_distance(colors, vision):
    seen = [oklab(np.array(VISIONS[vision]) @ linear(color)) for color in colors]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))


@pytest.mark.parametrize("vision", VISIONS)
def test_class_colors_are_distinct_for_every_vision(vision):
    assert least_distance(SAFE, vision) > 0.12


def test_the_simulation_finds_palettes_that_are_not_safe():
    tab10 = [colormaps["tab10"](i) for i in range(10)]
    assert least_distance(tab10, "normal") > 0.1
    assert least_distance(tab10, "protanopia") < 0.01


@pytest.mark.parametrize("vision", VISIONS)
def test_few_classes_have_the_most_different_colors(vision):
    distances = [least_distance(SAFE[:n], vision) for n in range(2, 11)]
    assert distances[0] > 0.3
    assert distances == sorted(distances, reverse=True)


def test_lines_stand_out_on_white():
    # Contrast (1 + 0.05) / (luminance + 0.05) of at least 2.4, [WCAG2.2]'s formula.
    for color in LINES:
        assert 1.05 / (linear(color) @ [0.2126, 0.7152, 0.0722] + 0.05) > 2.4
        assert color in SAFE


@given(n=st.integers(1, 120))
def test_every_class_has_its_own_color(n):
    colors = class_colors(n)
    assert len(set(colors)) == len(colors) == n


def test_many_classes_differ_from_the_paper_and_the_next():
    colors = class_colors(100)
    assert min(np.linalg.norm(oklab(linear(c)) - [1, 0, 0]) for c in colors) > 0.1
    assert min(least_distance(pair, "normal") for pair in itertools.pairwise(colors)) > 0.1


def test_palettes_by_name():
    assert class_colors(3, "tab10") == ["#1f77b4", "#ff7f0e", "#2ca02c"]
    assert class_colors(3, "viridis") == ["#440154", "#21918c", "#fde725"]
    assert class_colors(1, "viridis") == ["#21918c"]
    assert class_colors(2, ["red", "#00f", "k"]) == ["#ff0000", "#0000ff"]


@pytest.mark.parametrize(
    ("palette", "message"),
    [
        ("tab11", "must be 'safe', the name of a matplotlib colormap .* got 'tab11'"),
        ("tab10", "palette has 10 colors for 11 classes; give more"),
        (["red"], "palette has 1 colors for 11 classes; give more"),
        (["nonsense"] * 11, "palette has 'nonsense', which is not a matplotlib color"),
    ],
)
def test_palette_faults(palette, message):
    with pytest.raises(ValueError, match=message):
        class_colors(11, palette)


def test_text_on_colors():
    assert [text_on(color) for color in ("#092f94", "#ffc629", "black", "white")] == [
        "white",
        "#1a1a1a",
        "white",
        "#1a1a1a",
    ]
