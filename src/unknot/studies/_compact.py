"""A few scores of a study in the terminal: one row a layer, with bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._io.formatting import ARROWS, format_column, format_number
from .._io.text import cut_names, shown

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from ..metrics import Score
    from ._study import Study

# What is shown unless measures are named, as far as it is measured.
_FIRST: Final = (
    "neighborhood_hit",
    "linear_probe",
    "neighborhood_r2",
    "linear_r2",
    "two_nn",
)
_MOST: Final = 3
_BAR: Final = 10
_SHORT_BAR: Final = 4
_SHORTEST_BAR: Final = 3
_CUT_NAME: Final = 24
_SHORTEST_NAME: Final = 12
_GAP: Final = 2
_BEST, _WORST = "+", "-"


@dataclass(frozen=True)
class _Column:
    """The cells of one measure, as text and as values."""

    heading: str
    values: tuple[float | None, ...]
    numbers: list[str]
    intervals: list[str]
    untrained: list[str]
    low: float
    high: float
    best: float | None
    worst: float | None


@dataclass(frozen=True, eq=False)
class CompactTable:
    """The layers of a study by a few measures, for Rich.

    Attributes
    ----------
    study : Study
    measures : sequence of str, default=()
        Names of scores or families; by default the Neighborhood Hit, the linear probe and the
        intrinsic dimension, or what is measured in their place.

    Raises
    ------
    ValueError
        If a measure is not among the study's scores.
    """

    study: Study
    measures: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.chosen()

    def chosen(self) -> list[str]:
        """Return the names of the scores that are shown, in order."""
        from .._io.text import did_you_mean

        measured = list(self.study.scores.measures)
        if not self.measures:
            first: list[str] = [name for name in _FIRST if name in measured]
            return (first or measured)[:_MOST]
        families: dict[str, list[str]] = {}
        for scores in self.study.scores.values():
            for name, score in scores.items():
                names = families.setdefault(score.family, [])
                names += [name] if name not in names else []
        chosen: list[str] = []
        for wanted in self.measures:
            found = [wanted] if wanted in measured else families.get(wanted, [])
            if not found:
                known = [*measured, *families]
                hint = did_you_mean(wanted, known)
                raise ValueError(
                    f"measures: the study has no score {wanted!r}"
                    f"{hint or '; it has ' + (', '.join(measured) or 'none')}"
                )
            chosen += [name for name in found if name not in chosen]
        return chosen

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from _render(self.study, self.chosen(), options.max_width)


def _render(study: Study, measures: Sequence[str], width: int) -> Iterator[Any]:
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    layers = {
        name: layer.scores
        for name, layer in study.layers.items()
        if layer.same_as is None and layer.scores is not None
    }
    if not measures or not layers:
        yield Text("No layer has scores.")
        return
    columns = [_column(study, measure, layers) for measure in measures]
    names = [shown(name) for name in layers]
    longest = max(5, *(cell_len(name) for name in names))
    with_untrained = False
    for band, parts, bar in _bands(columns, width - _GAP, longest):
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), collapse_padding=True)
        room = width - sum(_width(column, parts, bar) for column in band) - _GAP
        limit = max(_SHORTEST_NAME, min(longest, room))
        table.add_column("layer", no_wrap=True, max_width=limit)
        with_untrained |= "untrained" in parts and any(any(each.untrained) for each in band)
        for column in band:
            table.add_column(Text(column.heading), no_wrap=False)
        for row, name in enumerate(cut_names(names, limit, cell_len)):
            cells = [_cell(column, row, parts, bar) for column in band]
            table.add_row(Text(name), *cells)
        yield table
    yield Text(_legend(with_untrained, columns), style="dim")
    for measure in measures:
        reasons: dict[str, list[str]] = {}
        for name, scores in layers.items():
            if measure in scores.skipped:
                reasons.setdefault(scores.skipped[measure], []).append(name)
        for why, there in reasons.items():
            text = f"{', '.join(there)}: {measure} could not be measured, because {why}."
            yield Text(shown(text), style="yellow")


def _column(study: Study, measure: str, layers: dict[str, Any]) -> _Column:
    scores: list[Score | None] = [each.get(measure) for each in layers.values()]
    known = [score for score in scores if score is not None and np.isfinite(score.value)]
    first = next(score for score in scores if score is not None)
    values = tuple(None if score is None else float(score.value) for score in scores)
    finite = [score.value for score in known]
    low, high = first.range
    if not np.isfinite(low):
        low = min([0.0, *finite])
    if not np.isfinite(high):
        high = max([0.0, *finite])
    ends = (min(finite), max(finite)) if len(finite) > 1 and min(finite) < max(finite) else None
    best = worst = None
    if ends is not None and first.higher_is_better is not None:
        worst, best = ends if first.higher_is_better else ends[::-1]
    control = next(iter(study.controls.values()), {})
    untrained = [
        format_number(control[name][measure].value)
        if name != "inputs" and name in control and measure in control[name]
        else ""
        for name in layers
    ]
    intervals = [
        ""
        if score is None or score.interval is None
        else "to".join(f" {format_number(end)} " for end in score.interval).strip()
        for score in scores
    ]
    where = ", map" if first.space == "map" and measure.startswith("map_") else ""
    heading = shown(f"{first.title}{where} {ARROWS[first.higher_is_better]}")
    return _Column(
        heading, values, format_column(values), intervals, untrained, low, high, best, worst
    )


def _bands(
    columns: Sequence[_Column], width: int, longest: int
) -> Iterator[tuple[Sequence[_Column], frozenset[str], int]]:
    """Yield columns that stand beside each other, what each shows beside the number, and its bar.

    Intervals need the most room and are the first to go; then names of layers are cut, bars are
    shortened, and what the untrained network has goes.
    """
    cut = min(longest, _CUT_NAME)
    untrained = frozenset({"untrained"})
    for parts, bar, name in (
        (frozenset({"interval", "untrained"}), _BAR, longest),
        (untrained, _BAR, longest),
        (untrained, _BAR, cut),
        (untrained, _SHORT_BAR, cut),
        (untrained, _SHORTEST_BAR, cut),
        (frozenset[str](), _SHORT_BAR, cut),
    ):
        if name + sum(_width(column, parts, bar) for column in columns) <= width:
            yield columns, parts, bar
            return
    band: list[_Column] = []
    for column in columns:
        if band and cut + sum(_width(each, untrained, bar) for each in [*band, column]) > width:
            yield band, untrained, bar
            band = []
        band.append(column)
    yield band, untrained, bar


def _pieces(column: _Column, parts: frozenset[str], bar: int) -> dict[str, int]:
    """Return the parts of a cell, with their widths."""
    pieces = {"number": max(map(len, column.numbers)), "mark": 1, "bar": bar}
    if "interval" in parts and any(column.intervals):
        pieces["interval"] = max(map(len, column.intervals))
    if "untrained" in parts and any(column.untrained):
        pieces["untrained"] = max(map(len, column.untrained)) + 2
    return pieces


def _width(column: _Column, parts: frozenset[str], bar: int) -> int:
    pieces = _pieces(column, parts, bar)
    longest_word = max(map(len, column.heading.split()))
    return max(sum(pieces.values()) + len(pieces) - 1, longest_word) + _GAP


def _cell(column: _Column, row: int, parts: frozenset[str], bar: int) -> Any:
    from rich.text import Text

    value = column.values[row]
    mark, style = "", None
    if value is not None and value == column.best:
        mark, style = _BEST, "bold green"
    elif value is not None and value == column.worst:
        mark, style = _WORST, "red"
    pieces = _pieces(column, parts, bar)
    texts = {
        "number": (column.numbers[row], style),
        "mark": (mark, style),
        "bar": (_bar(value, column.low, column.high, bar), style or "cyan"),
        "interval": (column.intervals[row], "dim"),
        "untrained": (f"({column.untrained[row]})" if column.untrained[row] else "", "dim"),
    }
    cell = Text()
    for name, width in pieces.items():
        text, of = texts[name]
        cell.append(text.ljust(width), style=of or "").append(" ")
    cell.rstrip()
    return cell


def _bar(value: float | None, low: float, high: float, width: int) -> str:
    """Return a bar of a length between two ends, in halves of a character."""
    if value is None or not np.isfinite(value) or high <= low:
        return ""
    halves = round(2 * width * min(max((value - low) / (high - low), 0.0), 1.0))
    return "━" * (halves // 2) + "╸" * (halves % 2)


def _legend(with_untrained: bool, columns: Sequence[_Column]) -> str:
    parts = ["↑ higher is better, ↓ lower is, · neither"]
    if any(column.best is not None for column in columns):
        parts.append(f"{_BEST} best layer, {_WORST} worst")
    parts.append("bars from the lowest possible value to the highest, or to the highest here")
    if with_untrained:
        parts.append("in brackets the untrained network")
    return "; ".join(parts) + "."
