"""Colors for classes and lines, distinct for every kind of color vision."""

import colorsys
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap, is_color_like, to_hex

# Simulated annealing maximized the minimum pairwise distance in OKLab [Ottosson2020] over normal
# vision and simulated protanopia, deuteranopia and tritanopia [Machado2009]; gray colors and those
# too light for white paper were excluded. The minimum distance is 0.125; matplotlib's tab10 has
# 0.007. Sorted so that each color is the farthest from all before it: few classes get the most
# distinct ones.
SAFE = (
    "#092f94",
    "#ffc629",
    "#49a7f7",
    "#a94703",
    "#e0829e",
    "#889d06",
    "#8852c1",
    "#70004d",
    "#00726f",
    "#4defcf",
)
# The subset with enough contrast for thin lines on white.
LINES = ("#092f94", "#a94703", "#49a7f7", "#70004d", "#889d06", "#8852c1", "#00726f", "#e0829e")

INK = "#1a1a1a"
MUTED = "#5f6368"
FRAME = "#c4c7cc"
GRID = "#e6e8eb"
# Of points without a label: lighter than every class, darker than the ground.
UNLABELED = "#b9bdc3"
GOOD = "#00726f"
BAD = "#a94703"

# Steps of the golden angle spread any number of hues evenly.
_GOLDEN = (5**0.5 - 1) / 2
# (value, saturation), cycled so that consecutive hues differ in lightness too.
_SHADES = ((0.62, 0.85), (0.95, 0.55), (0.42, 0.75), (0.80, 0.90))


def class_colors(n_classes: int, palette: str | Sequence[str] = "safe") -> list[str]:
    """Return one color per class.

    Parameters
    ----------
    n_classes : int
        The number of classes C.
    palette : str or sequence of str, default="safe"
        ``"safe"``: for up to 10 classes, colors that are distinct for every kind of color vision;
        for more, evenly spread hues at four lightnesses, of which not all pairs are distinct. Or
        the name of a matplotlib colormap, such as ``"tab10"``, or ``"viridis"`` for ordered
        classes. Or a sequence of at least C matplotlib colors.

    Returns
    -------
    list of str
        C hexadecimal colors such as ``"#092f94"``.

    Raises
    ------
    ValueError
        If the palette is unknown or has fewer than C colors.
    """
    if isinstance(palette, str):
        if palette == "safe":
            return list(SAFE[:n_classes]) if n_classes <= len(SAFE) else _spread(n_classes)
        return _from_colormap(n_classes, palette)
    invalid = [color for color in palette if not is_color_like(color)]
    if invalid:
        raise ValueError(f"palette has {invalid[0]!r}, which is not a matplotlib color")
    colors = [to_hex(color) for color in palette]
    if len(colors) < n_classes:
        raise ValueError(f"palette has {len(colors)} colors for {n_classes} classes; give more")
    return colors[:n_classes]


def _from_colormap(n_classes: int, name: str) -> list[str]:
    if name not in mpl.colormaps:
        raise ValueError(
            f"palette must be 'safe', the name of a matplotlib colormap or a sequence of "
            f"colors; got {name!r}"
        )
    colormap = mpl.colormaps[name]
    # Take the first colors of a qualitative colormap; sample a continuous one evenly.
    if isinstance(colormap, ListedColormap) and colormap.N <= 40:
        return class_colors(n_classes, [to_hex(colormap(i)) for i in range(colormap.N)])
    positions = np.linspace(0, 1, n_classes) if n_classes > 1 else [0.5]
    return [to_hex(colormap(position)) for position in positions]


def _spread(n_classes: int) -> list[str]:
    colors = []
    for index in range(n_classes):
        value, saturation = _SHADES[index % len(_SHADES)]
        hue = (0.6 + index * _GOLDEN) % 1.0
        colors.append(to_hex(colorsys.hsv_to_rgb(hue, saturation, value)))
    return colors


def luminance(color: str) -> float:
    """Return the relative luminance of a color, from 0 (black) to 1 (white) [WCAG2.2]."""
    rgb = np.array(mpl.colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def text_on(color: str) -> str:
    """Return the text color, dark or white, with more contrast on a background color."""
    # Both have equal contrast at a background luminance of 0.18.
    return "white" if luminance(color) < 0.18 else INK
