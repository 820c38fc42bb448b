"""The look that the figures share, independent of the user's settings, and figures as objects."""

import functools
import io
import math
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ._palette import FRAME, GRID, INK, MUTED

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")

# Figures are laid out for a page of 10 inches and a column of 5. Printed at 7 and 3.5 inches, as in
# a journal, their smallest text is 5.6 points.
PAGE, COLUMN = 10.0, 5.0
SMALL, NORMAL, LARGE, TITLE = 8.0, 9.0, 10.0, 12.0

_HOUSE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": FRAME,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": NORMAL,
    "axes.linewidth": 0.7,
    "axes.titlecolor": INK,
    "axes.titlesize": LARGE,
    "axes.unicode_minus": True,
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so it is the same everywhere
    "font.size": NORMAL,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.fontsize": NORMAL,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "path.simplify": True,
    "svg.fonttype": "path",  # text with the metrics it was laid out with, on any machine
    "svg.hashsalt": "unknot",  # the same figure gives the same file
    "pdf.fonttype": 42,
    "text.color": INK,
    "xtick.color": FRAME,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": SMALL,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.7,
    "xtick.minor.size": 0,
    "ytick.color": FRAME,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": SMALL,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.7,
    "ytick.minor.size": 0,
}
# Settings of the session and the machine, not of the look.
_LEFT_ALONE = frozenset(
    {
        "backend",
        "backend_fallback",
        "date.epoch",
        "docstring.hardcopy",
        "interactive",
        "savefig.directory",
        "timezone",
        "toolbar",
        "tk.window_focus",
        "webagg.address",
        "webagg.open_in_browser",
        "webagg.port",
        "webagg.port_retries",
    }
)


def house_style() -> Any:
    """Give a context in which matplotlib's settings are the house's; the user's come back after."""
    settings: dict[Any, Any] = {
        key: value for key, value in mpl.rcParamsDefault.items() if key not in _LEFT_ALONE
    }
    return mpl.rc_context(settings | _HOUSE)


def in_house_style(draw: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """Run a drawing function in the house style."""

    @functools.wraps(draw)
    def styled(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Returned:
        with house_style():
            return draw(*args, **kwargs)

    return styled


class UnknotFigure(Figure):
    """A matplotlib figure that belongs to no global state and shows itself in a notebook."""

    def __init__(self, width: float, height: float) -> None:
        # To whole hundredths, so that a file has a whole number of pixels.
        wide, high = (math.ceil(round(100 * side, 3)) / 100 for side in (width, height))
        super().__init__(figsize=(wide, high), dpi=100, facecolor="white")
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with house_style():
            self.savefig(buffer, format="png", dpi=140)
        return buffer.getvalue()
