"""Curves of measures over the layers of a network."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._layout import literal, shorten, text_width
from ._palette import LINES, MUTED
from ._panels import Line, Measures, check_measures, draw_panels
from ._style import SMALL, in_house_style

_LONGEST_LAYER = 1.1  # inches of a layer's name
_UPRIGHT = 0.15  # inches between names that stand upright

Layers = Mapping[str, Measures]


@in_house_style
def layer_curves(
    scores: Layers,
    measures: Sequence[str] | None = None,
    *,
    others: Mapping[str, Layers] | None = None,
    name: str = "trained",
    title: str = "",
    columns: int = 3,
) -> Figure:
    """Draw measures over the layers of a network: values, 95 % intervals, and chance.

    One panel a measure. The band is the interval, the gray dashed line and band what the measure
    would be by chance, with the labels permuted. An axis is logarithmic where a positive measure
    without upper bound spans a factor of 30.

    Parameters
    ----------
    scores : mapping of str to mapping of str to Score or float
        The name of each layer, in order, and its measures by name: what `unknot.measure` returns
        for the layer, or plain numbers. Layers that lack a measure leave a gap.
    measures : sequence of str, optional
        The names of the measures to draw, in order; by default all.
    others : mapping of str to mapping, optional
        The same of other networks with the same layers to compare with, such as
        ``{"untrained": ...}``, by their names.
    name : str, default "trained"
        What to call the network of ``scores`` beside others.
    title : str
        Above the panels.
    columns : int, default 3
        Panels beside each other at most; fewer and wider ones where that leaves no more rows.

    Returns
    -------
    matplotlib Figure
        10 inches wide.

    Raises
    ------
    ValueError
        If there are no layers or measures, a measure is nowhere among the scores, or another
        network has other layers.

    Examples
    --------
    >>> from unknot.figures import layer_curves
    >>> fig = layer_curves({"pixels": {"hit": 0.93}, "fc1": {"hit": 0.96}, "fc2": {"hit": 0.98}})
    >>> len(fig.axes)
    1
    """
    if name in (others or {}):
        raise ValueError(f"others has a network called {name!r} too; give this one another name")
    networks = {name: scores, **(others or {})}
    layers = _check_layers(networks, name)
    wanted = check_measures(scores.values(), measures)
    colors = dict(zip(networks, _cycled(len(networks)), strict=True))
    lines = {
        # Where there are several networks, chance has the color of each.
        network: Line(list(there.values()), color, color if len(networks) > 1 else MUTED)
        for (network, there), color in zip(networks.items(), colors.values(), strict=True)
    }
    return draw_panels(
        wanted,
        lines,
        np.arange(len(layers)),
        lambda width: _LayerNames(layers, width),
        title=title,
        columns=columns,
    )


def _check_layers(networks: Mapping[str, Layers], name: str) -> list[str]:
    layers = list(networks[name])
    if not layers:
        raise ValueError("scores must hold at least one layer; got none")
    for other, there in networks.items():
        if list(there) != layers:
            raise ValueError(
                f"the network {other!r} must have the layers {', '.join(layers)}; "
                f"it has {', '.join(there)}"
            )
    return layers


def _cycled(count: int) -> list[str]:
    return [LINES[number % len(LINES)] for number in range(count)]


class _LayerNames:
    """Names of layers below the panels: side by side where they fit, else upright."""

    def __init__(self, layers: list[str], width: float) -> None:
        most = int(width / _UPRIGHT)
        self.count = len(layers)
        self.places = list(range(0, len(layers), math.ceil(len(layers) / most)))
        self.names = [shorten(layers[place], _LONGEST_LAYER, SMALL) for place in self.places]
        widest = max(text_width(name, SMALL) for name in self.names)
        self.upright = widest + 0.05 > width / len(self.places)
        self.height = 0.1 + (widest if self.upright else SMALL / 72 * 1.3)

    def write(self, ax: Axes) -> None:
        """Set the ticks and names of the horizontal axis."""
        ax.set_xlim(-0.5, self.count - 0.5)
        names = [literal(name) for name in self.names]
        ax.set_xticks(self.places, names, rotation=90 if self.upright else 0)
