"""Scores as a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.formatting import ARROWS, format_column, format_number
from ..._io.text import shown
from ..transition import FAMILY as TRANSITION

if TYPE_CHECKING:
    from ..scores import Score, Scores

# In narrower terminals the column of ranges is omitted, so that names and numbers fit.
WIDTH_WITH_RANGES = 96
# Marks intervals that hold for this map only.
GIVEN_MAP = "†"


def render(scores: Scores, width: int) -> Iterator[Any]:
    """Yield what rich prints at this width: the table, its notes, and skipped measures."""
    from rich.table import Table
    from rich.text import Text

    settings = scores.settings
    table = Table(
        title=(
            f"{scores.n_samples:,} points x {scores.n_features:,} features, "
            f"{len(scores.classes) or ('numbers, no' if scores.n_samples else 0)} classes; "
            f"k = {settings['k']}{_space(settings)}"
        ),
        title_justify="left",
        caption=_caption(scores),
        caption_justify="left",
    )
    with_ranges = width >= WIDTH_WITH_RANGES
    table.add_column("measure")
    table.add_column("", justify="center", no_wrap=True)
    table.add_column("value", no_wrap=True)
    table.add_column("95 %", no_wrap=True)
    table.add_column("by chance", no_wrap=True)
    if with_ranges:
        table.add_column("range", no_wrap=True)
        table.add_column("n", justify="right", no_wrap=True)
    numbers: dict[str, int] = {}
    family = None
    values = format_column(score.value for score in scores.values())
    nulls = format_column((score.null for score in scores.values()), missing="")
    for score, value, null in zip(scores.values(), values, nulls, strict=True):
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
        interval, *range_and_n = _cells(score)
        table.add_row(
            title,
            ARROWS[score.higher_is_better],
            value,
            interval,
            null,
            *(range_and_n if with_ranges else ()),
        )
    yield table
    for note, number in numbers.items():
        yield Text(shown(f"[{number}] {note}."), style="dim")
    for note in scores.notes:
        yield Text(shown(f"{note[:1].upper()}{note[1:]}."), style="yellow")
    reasons: dict[str, list[str]] = {}
    for name, why in scores.skipped.items():
        reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        yield Text(shown(f"Not measured: {', '.join(names)}, because {why}."), style="yellow")
    spent = ", ".join(
        f"{name} {value:.1f} s" for name, value in scores.shared_seconds.items() if value >= 0.05
    )
    yield Text(f"{scores.seconds:.1f} s{': ' if spent else ''}{spent}", style="dim")


def _caption(scores: Scores) -> str:
    parts = ["↑ more is better, ↓ less is better; in brackets the 95 % interval"]
    if any(score.given_map for score in scores.values()):
        parts.append(f"{GIVEN_MAP} given this map: another sample has another map")
    permuted = "the labels"
    if any(score.family == TRANSITION for score in scores.values()):
        permuted += ", of transitions of the samples of the layer before"
    parts.append(
        f"by chance: the mean over permutations of {permuted}; n: points that are evaluated"
    )
    return "; ".join(parts)


def _space(settings: dict[str, Any]) -> str:
    """Return the metric and the preprocessing, unless they are the defaults."""
    metric = settings.get("metric", "euclidean")
    steps = settings.get("preprocess") or []
    return (f"; metric {metric}" if metric != "euclidean" else "") + (
        f"; after {', '.join(steps)}" if steps else ""
    )


def _cells(score: Score) -> tuple[str, ...]:
    interval = "" if score.interval is None else "[{}, {}]".format(*_alike(score.interval))
    interval += f" {GIVEN_MAP}" if score.given_map else ""
    low, high = score.range
    end = "up" if high == np.inf else f"to {format_number(high)}"
    if low > -np.inf:
        ends = f"{format_number(low)} {end}"
    else:
        ends = "any" if high == np.inf else f"up to {format_number(high)}"
    count = "" if score.n_samples is None else f"{score.n_samples:,}"
    return interval.replace("[", "\\["), ends, count


def _alike(interval: tuple[float, float]) -> tuple[str, str]:
    low, high = format_column(interval)
    return low.strip(), high.strip()
