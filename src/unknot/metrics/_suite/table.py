"""Scores as a table in the terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..scores import Score, Scores

ARROWS = {True: "↑", False: "↓", None: "·"}


# Where there is less room, the ranges are left out, so that names and numbers stay whole.
WIDTH_WITH_RANGES = 96


def render(scores: Scores, width: int) -> Iterator[Any]:
    """Yield what rich prints in so many columns: the table, its notes, and what was left out."""
    from rich.table import Table
    from rich.text import Text

    from ..._io.text import shown

    settings = scores.settings
    table = Table(
        title=(
            f"{scores.n_samples:,} points x {scores.n_features:,} features, "
            f"{len(scores.classes)} classes; k = {settings['k']}"
        ),
        title_justify="left",
        caption=(
            "↑ more is better, ↓ less is better; in brackets the 95 % interval of "
            f"{settings['n_resamples']} resamples; by chance: the mean over "
            f"{settings['n_permutations']} permutations of the labels"
        ),
        caption_justify="left",
    )
    with_ranges = width >= WIDTH_WITH_RANGES
    table.add_column("measure")
    table.add_column("", justify="center", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("95 %", no_wrap=True)
    table.add_column("by chance", justify="right", no_wrap=True)
    if with_ranges:
        table.add_column("range", no_wrap=True)
    numbers: dict[str, int] = {}
    family = None
    for score in scores.values():
        if score.family != family:
            if family is not None:
                table.add_section()
            family = score.family
            table.add_row(Text(family, style="bold"))
        marks = ""
        for note in score.notes:
            number = numbers.setdefault(note, len(numbers) + 1)
            marks += f" [{number}]"
        title = Text("  " + shown(score.title) + (", on the map" if score.space == "map" else ""))
        title.append(marks, style="dim")
        cells = _cells(score)
        table.add_row(
            title, ARROWS[score.higher_is_better], *(cells if with_ranges else cells[:-1])
        )
    yield table
    for note, number in numbers.items():
        yield Text(shown(f"[{number}] {note}."), style="dim")
    for note in scores.notes:
        yield Text(shown(f"{note[:1].upper()}{note[1:]}."), style="yellow")
    for name, why in scores.skipped.items():
        yield Text(shown(f"Not measured: {name}, because {why}."), style="yellow")
    spent = ", ".join(f"{name} {value:.1f} s" for name, value in scores.shared_seconds.items())
    yield Text(f"{scores.seconds:.1f} s{': ' if spent else ''}{spent}", style="dim")


def as_text(scores: Scores, width: int = 110) -> str:
    """Render the table as plain text."""
    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None, legacy_windows=False)
    console.print(scores)
    return stream.getvalue().rstrip()


def _cells(score: Score) -> tuple[str, str, str, str]:
    interval = "" if score.interval is None else "[{}, {}]".format(*_alike(score.interval))
    null = "" if score.null is None else number(score.null)
    low, high = score.range
    ends = f"{number(low)} up" if high == np.inf else f"{number(low)} to {number(high)}"
    return number(score.value), interval.replace("[", "\\["), null, ends


def number(value: float) -> str:
    """Write a number with three significant digits after the point, or four in all."""
    if not np.isfinite(value):
        return str(float(value))
    if value == 0.0 or (abs(value) >= 1 and value == round(value) and abs(value) < 1e4):
        return f"{value:.0f}"
    if abs(value) >= 1e5 or abs(value) < 1e-3:
        return f"{value:.2e}"
    if abs(value) >= 100:
        return f"{value:.1f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def _alike(interval: tuple[float, float]) -> tuple[str, str]:
    return number(interval[0]), number(interval[1])
