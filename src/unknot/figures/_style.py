"""The common style of the figures, independent of the user's rcParams, and the figure class."""

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

# Figures are designed for a page width of 10 inches and a column of 5. Printed in a journal at 7
# and 3.5 inches, the smallest text is 5.6 points.
PAGE, COLUMN = 10.0, 5.0
SMALL, NORMAL, LARGE, TITLE = 8.0, 9.0, 10.0, 12.0

_STYLE_SETTINGS: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": FRAME,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": NORMAL,
    "axes.linewidth": 0.7,
    "axes.titlecolor": INK,
    "axes.titlesize": LARGE,
    "axes.unicode_minus": True,
    "font.family": ["DejaVu Sans"],  # bundled with matplotlib, hence available everywhere
    "font.size": NORMAL,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.fontsize": NORMAL,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "path.simplify": True,
    "svg.fonttype": "path",  # text as paths: same metrics on every machine
    "svg.hashsalt": "unknot",  # reproducible files
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
# Settings of the session and the machine, not of the style; left unchanged.
_SESSION_SETTINGS = frozenset(
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
    """Return a context manager that applies the style and restores the user's rcParams."""
    settings: dict[Any, Any] = {
        key: value for key, value in mpl.rcParamsDefault.items() if key not in _SESSION_SETTINGS
    }
    return mpl.rc_context(settings | _STYLE_SETTINGS)


def in_house_style(draw: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """Decorate a drawing function to run in the house style."""

    @functools.wraps(draw)
    def styled(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Returned:
        with house_style():
            return draw(*args, **kwargs)

    return styled


class UnknotFigure(Figure):
    """A matplotlib figure that is not registered with pyplot and displays itself in notebooks."""

    def __init__(self, width: float, height: float) -> None:
        # Round up to 0.01 inches, so that saved files have a whole number of pixels.
        width, height = (math.ceil(round(100 * side, 3)) / 100 for side in (width, height))
        super().__init__(figsize=(width, height), dpi=100, facecolor="white")
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with house_style():
            self.savefig(buffer, format="png", dpi=140)
        return buffer.getvalue()
