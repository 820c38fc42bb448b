"""Tables of a study in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._io.formatting import ARROWS, format_number
from .._io.text import shown

if TYPE_CHECKING:
    from ._compare import Comparison
    from ._require import Requirements
    from ._table import ScoreTable

# Wide enough for the longest words of the headings.
NUMBER = 13


def render_scores(table: ScoreTable, width: int) -> Iterator[Any]:
    """Yield tables for Rich that fit a width in columns: layers down, measures across.

    Below each layer of the model are the same layers of the controls.
    """
    from rich.text import Text

    if not table.measures:
        yield Text("No layer has scores.")
        return
    networks = {"": table.layers, **table.controls}
    rows = []
    for layer in table:
        for network, layers in networks.items():
            if layer in layers and (not network or layer != "inputs"):
                rows.append((layer if not network else f"  {network}", layers[layer]))
    cells = {
        measure: [scores[measure].value if measure in scores else None for _, scores in rows]
        for measure in table.measures
    }
    titles = {measure: _title(measure, table) for measure in table.measures}
    found = [measure for measure in table.measures if any(v is not None for v in cells[measure])]
    yield from _banded(
        f"Scores of {table.name}, layer by layer{_space(table)}",
        [label for label, _ in rows],
        {titles[m]: [format_number(v) for v in cells[m]] for m in found},
        width,
    )
    yield Text("↑ higher is more untangled, ↓ lower is; · neither.", style="dim")
    skipped: dict[tuple[str, str], list[str]] = {}
    for layer, scores in table.items():
        for name, why in scores.skipped.items():
            skipped.setdefault((layer, why), []).append(name)
    for (layer, why), names in skipped.items():
        what = "anything" if len(names) > 5 and not table[layer] else ", ".join(names)
        text = f"{layer}: {what} could not be measured, because {why}."
        yield Text(shown(text), style="yellow")


def _space(table: ScoreTable) -> str:
    """Return the metric and the preprocessing, unless they are the defaults."""
    settings = next(iter(table.values())).settings
    metric = settings.get("metric", "euclidean")
    steps = settings.get("preprocess") or []
    return (f"; metric {metric}" if metric != "euclidean" else "") + (
        f"; after {', '.join(steps)}" if steps else ""
    )


def render_comparison(comparison: Comparison, width: int) -> Iterator[Any]:
    """Yield the differences of two studies: layers down, measures across."""
    from rich.text import Text

    first, second = comparison.names
    layers = list(dict.fromkeys(row.layer for row in comparison.rows))
    columns: dict[str, list[str]] = {}
    for row in comparison.rows:
        heading = f"{row.title} {ARROWS[row.higher_is_better]}"
        column = columns.setdefault(heading, [""] * len(layers))
        sign = "+" if row.difference > 0 else ""
        column[layers.index(row.layer)] = f"{sign}{format_number(row.difference)}" + (
            "*" if row.apart else ""
        )
    yield from _banded(f"{second} less {first}", layers, columns, width)
    yield Text("* their 95 % intervals do not overlap.", style="dim")
    for side, only in zip(comparison.names, comparison.only, strict=True):
        if only:
            yield Text(shown(f"Only in {side}: {', '.join(only)}."), style="yellow")


def _banded(
    title: str, labels: Sequence[str], columns: Mapping[str, list[str]], width: int
) -> Iterator[Any]:
    """Yield one table, or several one below the other if the columns exceed the width."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    heading = Text(shown(title), style="table.title")
    labels = [shown(label) for label in labels]
    first = max([5, *(cell_len(label) for label in labels)]) + 4
    each = NUMBER + 3
    per_band = max(1, (width - first) // each)
    names = list(columns)
    for start in range(0, len(names), per_band):
        band = names[start : start + per_band]
        table = Table(title=heading if not start else None, title_justify="left")
        table.add_column("layer", no_wrap=True)
        for name in band:
            table.add_column(Text(shown(name)), justify="right", min_width=NUMBER, max_width=NUMBER)
        for i, label in enumerate(labels):
            style = "dim" if label.startswith("  ") else None
            table.add_row(Text(label), *(Text(columns[name][i]) for name in band), style=style)
        yield table


def _title(measure: str, table: ScoreTable) -> str:
    score = next(scores[measure] for scores in table.values() if measure in scores)
    where = ", map" if score.space == "map" and measure.startswith("map_") else ""
    return f"{score.title}{where} {ARROWS[score.higher_is_better]}"


def render_requirements(requirements: Requirements) -> Iterator[Any]:
    """Yield a table of what was required: the requirement, what was found, whether it holds."""
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(shown(f"Requirements of {requirements.name}"), style="table.title"),
        title_justify="left",
    )
    for heading in ("requirement", "value", "", "bound"):
        table.add_column(heading, justify="left" if heading == "requirement" else "right")
    table.add_column("holds")
    for row in requirements:
        table.add_row(
            Text(shown(row.subject)),
            "n/a" if row.value is None else f"{row.value:.6g}",
            row.operator,
            "n/a" if row.bound is None else f"{row.bound:.6g}",
            Text(shown("yes" if row.holds else f"no{f': {row.reason}' if row.reason else ''}")),
        )
    yield table
