"""Curves of measures over the layers of a network."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .._io.text import cut_names
from ._layout import literal, text_width
from ._palette import LINES, MUTED
from ._panels import Line, Measures, check_measures, draw_panels
from ._style import in_house_style, sheet

_MAX_NAME_WIDTH = 1.1  # of a layer, in inches
_ROTATED_PITCH = 0.15  # distance of rotated names, in inches

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
    errors: bool | None = None,
    width: float | None = None,
) -> Figure:
    """Draw measures over the layers of a network: values, 95 % intervals and values by chance.

    One panel per measure. The colored band is the 95 % interval; the gray dashed line with its band
    is the value by chance, that is with permuted labels. The axis of a positive measure without
    upper bound is logarithmic if its values span a factor of 30 or more.

    Parameters
    ----------
    scores : mapping of str to mapping of str to Score or float
        Layer -> measure -> score, as `unknot.measure` returns it, or a plain number. Layers are in
        the order of the network; missing measures leave gaps.
    measures : sequence of str, default=None
        Measures to draw, in order. Default: all. Select a few if the figure has too many panels.
    others : mapping of str to mapping, default=None
        Scores of other networks with the same layers, by network name, for comparison; for
        instance ``{"untrained": ...}``.
    name : str, default="trained"
        Legend entry of the network of `scores`; used only with `others`.
    title : str, default=""
        Title of the figure.
    columns : int, default=3
        Maximum number of panels per row. Rows are balanced: four panels are drawn as 2 x 2.
    errors : bool, default=None
        Whether shares of which more is better are drawn by the logarithm of what they lack of 1:
        from .90 to .99 is as far as from .99 to .999. By default where all of `scores` are at least
        .7, and one is at least .95. Plain numbers are never drawn so.
    width : float, default=None
        Width of the figure in inches, for print: 3.3 is a column of most journals, 6.9 two. The
        figure then has exactly this width, and text of 7 to 9 points.
        Default: at most 10 inches, with larger text, for screens.

    Returns
    -------
    matplotlib.figure.Figure
        At most 10 inches wide.

    Raises
    ------
    ValueError
        If there are no layers or measures, a requested measure does not exist, or another network
        has different layers.

    See Also
    --------
    epoch_curves : Draw measures over the epochs of a training run.
    layer_strip : Draw the maps of all layers.
    unknot.measure : Compute the scores of one layer.
    unknot.Study.curves : Draw the curves of a study.

    Examples
    --------
    >>> from unknot.figures import layer_curves
    >>> figure = layer_curves({"pixels": {"hit": 0.93}, "fc1": {"hit": 0.96}, "fc2": {"hit": 0.98}})
    >>> [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    ['pixels', 'fc1', 'fc2']
    """
    if name in (others or {}):
        raise ValueError(f"others has a network named {name!r} too; choose another name")
    networks = {name: scores, **(others or {})}
    layers = _check_layers(networks, name)
    measure_names = check_measures(scores.values(), measures)
    colors = dict(zip(networks, _line_colors(len(networks)), strict=True))
    lines = {
        # With several networks, the null value has the color of its network.
        network: Line(list(by_layer.values()), color, color if len(networks) > 1 else MUTED)
        for (network, by_layer), color in zip(networks.items(), colors.values(), strict=True)
    }
    return draw_panels(
        measure_names,
        lines,
        np.arange(len(layers)),
        lambda width: _LayerAxis(layers, width),
        title=title,
        columns=columns,
        errors=errors,
        deciding=[name],
    )


def _check_layers(networks: Mapping[str, Layers], name: str) -> list[str]:
    layers = list(networks[name])
    if not layers:
        raise ValueError("scores must hold at least one layer; got none")
    for other, by_layer in networks.items():
        if list(by_layer) != layers:
            raise ValueError(
                f"the network {other!r} must have the layers {', '.join(layers)}; "
                f"it has {', '.join(by_layer)}"
            )
    return layers


def _line_colors(n_lines: int) -> list[str]:
    return [LINES[number % len(LINES)] for number in range(n_lines)]


class _LayerAxis:
    """The axis of layer names below the panels; rotated if they do not fit side by side."""

    def __init__(self, layers: list[str], width: float) -> None:
        pitch = 1.3 * sheet().small / 72 if sheet().given else _ROTATED_PITCH
        max_names = int(width / pitch)
        self.n_layers = len(layers)
        self.positions = list(range(0, len(layers), math.ceil(len(layers) / max_names)))
        self.names = cut_names(
            [layers[position] for position in self.positions],
            _MAX_NAME_WIDTH,
            lambda name: text_width(name, sheet().small),
        )
        widest = max(text_width(name, sheet().small) for name in self.names)
        self.rotated = widest + 0.05 > width / len(self.positions)
        self.height = 0.1 + (widest if self.rotated else sheet().small / 72 * 1.3)

    def write(self, ax: Axes) -> None:
        """Set the limits, ticks and tick labels."""
        ax.set_xlim(-0.5, self.n_layers - 0.5)
        names = [literal(name) for name in self.names]
        ax.set_xticks(self.positions, names, rotation=90 if self.rotated else 0)
