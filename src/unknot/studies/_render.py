"""Tables of a study in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._io.formatting import ARROWS, format_number
from .._io.text import sentence, shown

if TYPE_CHECKING:
    from ..metrics import Scores
    from ._compare import Comparison, Difference
    from ._require import Requirements
    from ._table import ScoreTable

# Wide enough for the longest words of the headings.
NUMBER = 15
# In narrower terminals, differences stand without the two values.
WIDTH_WITH_VALUES = 100


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
    sizes = {measure: _sizes(measure, rows) for measure in table.measures}
    usual = max(sizes.values(), key=list(sizes.values()).count)
    titles = {
        measure: shown(_title(measure, table)) + (f"\n{size}" if size not in ("", usual) else "")
        for measure, size in sizes.items()
    }
    found = [measure for measure in table.measures if any(v is not None for v in cells[measure])]
    yield from _banded(
        f"Scores of {table.name}, layer by layer{usual and f'; {usual}'}{_space(table)}",
        [label for label, _ in rows],
        {titles[m]: [format_number(v) for v in cells[m]] for m in found},
        width,
    )
    yield Text(
        "↑ higher is better, ↓ lower is; · neither; n samples that a score is computed from.",
        style="dim",
    )
    skipped: dict[tuple[str, str], list[str]] = {}
    for layer, scores in table.items():
        for name, why in scores.skipped.items():
            skipped.setdefault((layer, why), []).append(name)
    for (layer, why), names in skipped.items():
        what = "anything" if len(names) > 5 and not table[layer] else ", ".join(names)
        text = f"{layer}: {what} could not be measured, because {why}."
        yield Text(shown(text), style="yellow")


def _sizes(measure: str, rows: Sequence[tuple[str, Scores]]) -> str:
    """Return "n 1,000", or "n 500-1,000" over the layers; nothing where it is not known."""
    found = [scores[measure].n_samples for _, scores in rows if measure in scores]
    known = sorted({n for n in found if n is not None})
    ends = dict.fromkeys((*known[:1], *known[-1:]))
    return f"n {'-'.join(f'{n:,}' for n in ends)}" if known else ""


def _space(table: ScoreTable) -> str:
    """Return the metric and the preprocessing, unless they are the defaults."""
    settings = next(iter(table.values())).settings
    metric = settings.get("metric", "euclidean")
    steps = settings.get("preprocess") or []
    return (f"; metric {metric}" if metric != "euclidean" else "") + (
        f"; after {', '.join(steps)}" if steps else ""
    )


def render_comparison(comparison: Comparison, width: int) -> Iterator[Any]:
    """Yield the differences as one table, a section for each measure, and what must be said."""
    from rich.table import Table
    from rich.text import Text

    from ..metrics import GIVEN_MAP

    with_values = width >= WIDTH_WITH_VALUES
    table = Table(title=Text(shown(comparison.title), style="table.title"), title_justify="left")
    table.add_column("layer", overflow="fold")
    for name in comparison.names if with_values else ():
        table.add_column(Text(shown(name)), justify="right", max_width=NUMBER)
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column("95 %", no_wrap=True)
    table.add_column("p", justify="right", no_wrap=True)
    if with_values:
        table.add_column("p alone", justify="right", no_wrap=True)
    by_measure: dict[str, list[Difference]] = {}
    for row in comparison.rows:
        by_measure.setdefault(row.measure, []).append(row)
    notes: dict[str, int] = {}
    for rows in by_measure.values():
        heading = Text(shown(f"{rows[0].title} {ARROWS[rows[0].higher_is_better]}"), style="bold")
        table.add_section()
        table.add_row(heading)
        for row in rows:
            marks = "".join(
                f" [{notes.setdefault(note, len(notes) + 1)}]"
                for note in (*((row.no_interval,) if row.no_interval else ()), *row.notes)
            )
            values = [format_number(value) for value in (row.first, row.second)]
            interval = "" if row.interval is None else _between(row.interval)
            table.add_row(
                Text(f"  {shown(row.layer)}").append(marks, style="dim"),
                *(Text(value) for value in values if with_values),
                Text(_signed(row.difference)),
                Text(interval + (f" {GIVEN_MAP}" if row.given_map else "")),
                Text(format_p(row.p_corrected) + ("*" if _is_significant(row) else "")),
                *([Text(format_p(row.p))] if with_values else []),
            )
    yield table
    yield Text(_how_compared(comparison), style="dim")
    if any(row.given_map for row in comparison.rows):
        yield Text(f"{GIVEN_MAP} given these maps: other samples have other maps.", style="dim")
    for note, number in notes.items():
        yield Text(shown(f"[{number}] {note}."), style="dim")
    for note in comparison.notes:
        yield Text(shown(sentence(note)), style="yellow")
    for side, only in zip(comparison.names, comparison.only, strict=True):
        if only:
            yield Text(shown(f"Only in {side}: {', '.join(only)}."), style="yellow")


def _how_compared(comparison: Comparison) -> str:
    samples = "the same samples" if comparison.paired else "independent samples"
    return (
        f"Of {samples}; p corrected by Holm for {comparison.n_compared:,} comparisons, * below "
        ".05; ↑ higher is better, ↓ lower is, · neither."
    )


def _is_significant(row: Difference) -> bool:
    return row.p_corrected is not None and row.p_corrected < 0.05


def format_p(p: float | None) -> str:
    """Write a p value; nothing where there is none.

    Examples
    --------
    >>> [format_p(p) for p in (0.2, 0.0312, 0.00005, 1.0, None)]
    ['0.200', '0.031', '< 0.001', '1', '']
    """
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else format_number(p)


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + format_number(value)


def _between(interval: tuple[float, float]) -> str:
    return f"[{_signed(interval[0])}, {_signed(interval[1])}]"


def _banded(
    title: str, labels: Sequence[str], columns: Mapping[str, list[str]], width: int
) -> Iterator[Any]:
    """Yield one table, or several one below the other if the columns exceed the width.

    The names of the columns can be printed as they are.
    """
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
            table.add_column(Text(name), justify="right", min_width=NUMBER, max_width=NUMBER)
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
