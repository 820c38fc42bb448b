"""The common style of the figures, independent of the user's rcParams, and the figure class."""

import functools
import io
import math
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .._validation.numbers import check_number
from ._palette import FRAME, GRID, INK, MUTED

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")


@dataclass(frozen=True)
class Sheet:
    """What a figure is drawn on: widths in inches, sizes of text in points.

    Attributes
    ----------
    page, column : float
        Width of a figure, and of one that needs half of a page.
    cell, small, normal, large, title : float
        Sizes of text: in the cells of a heat map, of ticks, of the rest, of panels' titles, and of
        the figure's title.
    given : bool
        Whether the user gave the width: the figure has exactly this width.
    """

    page: float = 10.0
    column: float = 5.0
    cell: float = 7.5
    small: float = 8.0
    normal: float = 9.0
    large: float = 10.0
    title: float = 12.0
    given: bool = False

    def most_columns(self, narrowest: float, gap: float, most: int) -> int:
        """Return how many panels stand beside each other, at least this many inches wide."""
        if not self.given:
            return most
        return max(1, min(most, int((self.page - 2 * MARGIN + gap) / (narrowest + gap))))


# On screens and slides; the user has no say in it. In print, text has 7 to 9 points.
_SCREEN = Sheet()
_SHEET: ContextVar[Sheet] = ContextVar("sheet", default=_SCREEN)
NARROWEST = 2.5
MARGIN = 0.12  # around a figure, in inches


def sheet() -> Sheet:
    """Return what the figure is drawn on that is drawn now."""
    return _SHEET.get()


def sheet_of(width: Any) -> Sheet:
    """Return the sheet of a width in inches; by default that for screens.

    Raises
    ------
    ValueError
        If the width is not a number, or too small for a figure.
    """
    if width is None:
        return _SCREEN
    width = check_number(
        width, "width", NARROWEST, 40.0, bounds=f"from {NARROWEST} to 40 inches, such as 3.3 or 6.9"
    )
    return Sheet(width, width, 7.0, 7.0, 7.5, 8.0, 9.0, given=True)


_STYLE_SETTINGS: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": FRAME,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": _SCREEN.normal,
    "axes.linewidth": 0.7,
    "axes.titlecolor": INK,
    "axes.titlesize": _SCREEN.large,
    "axes.unicode_minus": True,
    "font.family": ["DejaVu Sans"],  # bundled with matplotlib, hence available everywhere
    "font.size": _SCREEN.normal,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.fontsize": _SCREEN.normal,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "path.simplify": True,
    "svg.fonttype": "none",  # text as text
    "svg.hashsalt": "unknot",  # reproducible files
    "pdf.fonttype": 42,
    "text.color": INK,
    "xtick.color": FRAME,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": _SCREEN.small,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.7,
    "xtick.minor.size": 0,
    "ytick.color": FRAME,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": _SCREEN.small,
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


def house_style(**changes: Any) -> Any:
    """Return a context manager that applies the style and restores the user's rcParams."""
    settings: dict[Any, Any] = {
        key: value for key, value in mpl.rcParamsDefault.items() if key not in _SESSION_SETTINGS
    }
    return mpl.rc_context(settings | _STYLE_SETTINGS | changes)


def in_house_style(draw: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """Decorate a drawing function to run in the house style, on a sheet of its ``width``."""

    @functools.wraps(draw)
    def styled(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Returned:
        chosen = sheet_of(kwargs.get("width"))
        before = _SHEET.set(chosen)
        sizes = {
            "axes.labelsize": chosen.normal,
            "axes.titlesize": chosen.large,
            "font.size": chosen.normal,
            "legend.fontsize": chosen.normal,
            "xtick.labelsize": chosen.small,
            "ytick.labelsize": chosen.small,
        }
        try:
            with house_style(**sizes):
                return draw(*args, **kwargs)
        finally:
            _SHEET.reset(before)

    return styled


class UnknotFigure(Figure):
    """A matplotlib figure that is not registered with pyplot and displays itself in notebooks.

    Attributes
    ----------
    caption : str
        What a caption should say: the numbers that the figure stands on.
    for_print : bool
        Whether its width was given.
    """

    caption: str = ""

    def __init__(self, width: float, height: float) -> None:
        # Round up to 0.01 inches, so that saved files have a whole number of pixels.
        width, height = (math.ceil(round(100 * side, 3)) / 100 for side in (width, height))
        super().__init__(figsize=(width, height), dpi=100, facecolor="white")
        FigureCanvasAgg(self)
        self.for_print = sheet().given

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with house_style():
            self.savefig(buffer, format="png", dpi=140)
        return buffer.getvalue()
