"""Colors for classes and for lines, told apart by every kind of color vision."""

import colorsys
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap, is_color_like, to_hex

# Found by simulated annealing: the least distance between any two, in OKLab [Ottosson2020], is as
# large as possible for normal vision and for protanopia, deuteranopia and tritanopia as simulated
# by [Machado2009], among colors that are neither gray nor too light for white paper. That
# distance is 0.125, against 0.007 for matplotlib's tab10. In the order in which each next color is
# the farthest from those before it, so that few classes get the most different ones.
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
# Those of them that stand out as a thin line on white.
LINES = ("#092f94", "#a94703", "#49a7f7", "#70004d", "#889d06", "#8852c1", "#00726f", "#e0829e")

INK = "#1a1a1a"
MUTED = "#5f6368"
FRAME = "#c4c7cc"
GRID = "#e6e8eb"
GOOD = "#00726f"
BAD = "#a94703"

# Steps of the golden angle spread hues evenly, however many there are.
_GOLDEN = (5**0.5 - 1) / 2
# Neighbors in the list differ in lightness too; (value, saturation) of each.
_SHADES = ((0.62, 0.85), (0.95, 0.55), (0.42, 0.75), (0.80, 0.90))


def class_colors(n_classes: int, palette: str | Sequence[str] = "safe") -> list[str]:
    """Give each class a color.

    Parameters
    ----------
    n_classes : int
        The number of classes C.
    palette : str or sequence of str
        ``"safe"``: for up to 10 classes, colors that stay apart in every kind of color vision;
        for more, hues spread evenly at four lightnesses, which tell neighbors on a map apart but
        cannot all be told from each other. The name of one of matplotlib's color maps, such as
        ``"tab10"``, or ``"viridis"`` for classes that have an order. Or a sequence of at least C
        colors in any of matplotlib's notations.

    Returns
    -------
    list of str
        C colors such as ``"#092f94"``.

    Raises
    ------
    ValueError
        If the palette is unknown or has fewer than C colors.
    """
    if isinstance(palette, str):
        if palette == "safe":
            return list(SAFE[:n_classes]) if n_classes <= len(SAFE) else _spread(n_classes)
        return _from_colormap(n_classes, palette)
    wrong = [color for color in palette if not is_color_like(color)]
    if wrong:
        raise ValueError(f"palette has {wrong[0]!r}, which is not a color")
    colors = [to_hex(color) for color in palette]
    if len(colors) < n_classes:
        raise ValueError(f"palette has {len(colors)} colors for {n_classes} classes; give more")
    return colors[:n_classes]


def _from_colormap(n_classes: int, name: str) -> list[str]:
    if name not in mpl.colormaps:
        raise ValueError(
            f"palette must be 'safe', the name of a matplotlib color map or a sequence of "
            f"colors; got {name!r}"
        )
    colormap = mpl.colormaps[name]
    # A list of colors is used from its beginning; a continuous scale over its whole length.
    if isinstance(colormap, ListedColormap) and colormap.N <= 40:
        return class_colors(n_classes, [to_hex(colormap(i)) for i in range(colormap.N)])
    places = np.linspace(0, 1, n_classes) if n_classes > 1 else [0.5]
    return [to_hex(colormap(place)) for place in places]


def _spread(n_classes: int) -> list[str]:
    colors = []
    for index in range(n_classes):
        value, saturation = _SHADES[index % len(_SHADES)]
        hue = (0.6 + index * _GOLDEN) % 1.0
        colors.append(to_hex(colorsys.hsv_to_rgb(hue, saturation, value)))
    return colors


def luminance(color: str) -> float:
    """Relative luminance of a color, 0 for black to 1 for white [WCAG2.2]."""
    rgb = np.array(mpl.colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def text_on(color: str) -> str:
    """Ink or white, whichever reads better on a color."""
    # The two have the same contrast against a background of luminance 0.18.
    return "white" if luminance(color) < 0.18 else INK
