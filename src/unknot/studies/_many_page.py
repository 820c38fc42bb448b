"""The table and the page over several studies."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .._io.formatting import ARROWS, format_number
from .._io.text import shown

if TYPE_CHECKING:
    from ._many import Studies

# The measures of the overview, as far as they are there; of these so many on the page, and fewer in
# a terminal.
_FIRST: Final = ("neighborhood_hit", "linear_probe", "silhouette", "two_nn")
_MOST: Final = 3
MOST_IN_TERMINAL: Final = 1
# With more studies the page lists differences of the last one only.
_MOST_COMPARED: Final = 24
_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem;
  color: CanvasText; background: Canvas; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .55rem; border-bottom: 1px solid #8884; text-align: right;
  vertical-align: bottom; }
td { white-space: nowrap; }
th small { display: block; font-weight: 400; opacity: .75; white-space: nowrap; }
.text { text-align: left; }
th:first-child { min-width: 6rem; max-width: min(20rem, 40vw); overflow-wrap: anywhere;
  position: sticky; left: 0; background: Canvas; }
.best { font-weight: 700; }
.note { opacity: .75; }
img { width: 100%; min-width: 36rem; height: auto; background: white; }
"""


@dataclass(frozen=True)
class Table:
    """Cells as text, which of them are the best of their column, and the columns of words."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]] = frozenset()
    n_words: int = 1

    def to_rich(self) -> Any:
        """Return the table for a terminal."""
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=None, pad_edge=False, header_style="bold")
        for number, head in enumerate(self.heads):
            table.add_column(Text(shown(head)), justify="right" if number else "left")
        for row, cells in enumerate(self.rows):
            table.add_row(
                *(
                    Text(shown(cell), style="bold" if (row, column) in self.best else "")
                    for column, cell in enumerate(cells)
                )
            )
        return table

    def to_html(self) -> str:
        """Return the table for a page."""
        head = "".join(
            f"<th scope='col'{self._kind(number)}>{_head(each)}</th>"
            for number, each in enumerate(self.heads)
        )
        lines = []
        for row, cells in enumerate(self.rows):
            line = ""
            for column, cell in enumerate(cells):
                tag, scope = ("td", "") if column else ("th", " scope='row'")
                kind = self._kind(column, best=(row, column) in self.best)
                line += f"<{tag}{scope}{kind}>{html.escape(cell)}</{tag}>"
            lines.append(f"<tr>{line}</tr>")
        body = "".join(lines)
        return f"<div class='wide'><table><thead><tr>{head}</tr></thead>{body}</table></div>"

    def _kind(self, column: int, *, best: bool = False) -> str:
        kinds = ["text"] * (column < self.n_words) + ["best"] * best
        return f" class='{' '.join(kinds)}'" if kinds else ""


def _head(text: str) -> str:
    """Return the head of a column, with which layer it is of on a line of its own."""
    title, _, layer = text.partition(", ")
    # The arrow stays beside the last word.
    whole = re.sub(" (?=\\W$)", "\N{NO-BREAK SPACE}", title)
    return html.escape(whole) + (f" <small>{html.escape(layer)}</small>" if layer else "")


def overview(studies: Studies, n_measures: int = _MOST) -> Table:
    """Return a row for each study: accuracy, the best layer by each measure, and the last layer."""
    measures = _measures(studies)[:n_measures]
    heads = ["study"]
    columns: list[tuple[list[str], list[float | None], bool | None]] = []
    accuracies = [study.accuracy for study in studies.values()]
    if any(each is not None for each in accuracies):
        heads.append("accuracy ↑")
        columns.append((_percent(accuracies), accuracies, True))
    for measure, title, higher in measures:
        if higher is not None:
            heads.append(f"{title} {ARROWS[higher]}, best layer")
            best = studies.best(measure)
            values = [best[name][1].value if name in best else None for name in studies]
            cells = [
                f"{best[name][0]}: {format_number(best[name][1].value)}" if name in best else "n/a"
                for name in studies
            ]
            columns.append((cells, values, higher))
        heads.append(f"{title} {ARROWS[higher]}, last layer")
        last = [_last(study, measure) for study in studies.values()]
        columns.append(([format_number(value) for value in last], last, higher))
    rows = tuple(
        (name, *(cells[number] for cells, _, _ in columns)) for number, name in enumerate(studies)
    )
    marked = frozenset(
        (row, column + 1)
        for column, (_, values, higher) in enumerate(columns)
        for row in _best_rows(values, higher)
    )
    return Table(tuple(heads), rows, marked)


def page_of(studies: Studies) -> str:
    """Return the page over several studies, as HTML without scripts."""
    parts = [f"<h1>{len(studies)} studies</h1>", _about(studies), overview(studies).to_html()]
    if studies.failed:
        failed = "".join(
            f"<li>{html.escape(name)}: {html.escape(why)}</li>"
            for name, why in studies.failed.items()
        )
        parts.append(f"<h2>Models that could not be studied</h2><ul>{failed}</ul>")
    if len(studies) > 1:
        parts += _curves(studies)
        parts += _differences(studies)
    body = "\n".join(parts)
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{len(studies)} studies</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _about(studies: Studies) -> str:
    sizes = sorted({len(study.labels) for study in studies.values()})
    samples = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    words = next(iter(studies.values())).labels_in_words
    return (
        f"<p>{samples} samples, {html.escape(words)}. The best of each column is bold; values have "
        "intervals in each study.</p>"
    )


def _curves(studies: Studies) -> Iterator[str]:
    """Yield a picture of the measures over the studies, where they have layers in common."""
    from ..figures import figure_bytes

    layers = list(next(iter(studies.values())).scores)
    shared = [layer for layer in layers if all(layer in each.scores for each in studies.values())]
    if not shared:
        yield "<p class='note'>The studies have no layer in common: there are no curves.</p>"
        return
    chosen = [name for name, _, _ in _measures(studies)]
    drawn = figure_bytes(studies.figure(chosen, layers=shared), ".svg")
    uri = "data:image/svg+xml;base64," + base64.b64encode(drawn).decode()
    called = ", ".join(f"{number}: {name}" for number, name in studies.steps.items())
    yield "<h2>Over the studies</h2>"
    alt = "Each measure over the studies, a line for each layer"
    yield f"<div class='wide'><img alt='{alt}' src='{uri}'></div>"
    yield f"<p class='note'>{html.escape(called)}. Bands are 95 % intervals.</p>"


def _differences(studies: Studies) -> Iterator[str]:
    """Yield the significant differences of each study from the first one."""
    reference = next(iter(studies))
    names = [name for name in studies if name != reference]
    names = names if len(names) <= _MOST_COMPARED else names[-1:]
    chosen = [name for name, _, _ in _measures(studies)]
    yield f"<h2>Differences from {html.escape(reference)}</h2>"
    rows = []
    for name in names:
        try:
            compared = studies[reference].compare(studies[name], measures=chosen)
        except ValueError as error:
            yield f"<p class='note'>{html.escape(f'{name}: {error}')}</p>"
            continue
        # Holm's correction in each study; the number of studies is corrected for here.
        for row in compared:
            if row.p_corrected is None or row.p_corrected * len(names) >= 0.05:
                continue
            low, high = row.interval or (None, None)
            rows.append(
                (
                    name,
                    row.layer,
                    row.title,
                    format_number(row.first),
                    format_number(row.second),
                    f"{format_number(row.difference)} ({format_number(low)} to "
                    f"{format_number(high)})",
                )
            )
    if not rows:
        yield (
            "<p>None is significant at the level of .05, corrected for the number of comparisons."
            "</p>"
        )
        return
    heads = ("study", "layer", "measure", reference, "this study", "difference (95 %)")
    yield Table(heads, tuple(rows), n_words=3).to_html()
    yield (
        "<p class='note'>Of the same samples, paired; significant at the level of .05, corrected "
        "for the number of comparisons.</p>"
    )


def _measures(studies: Studies) -> list[tuple[str, str, bool | None]]:
    """Return name, title and direction of the measures of the overview."""
    found: dict[str, tuple[str, bool | None]] = {}
    for study in studies.values():
        for scores in study.scores.values():
            for name, score in scores.items():
                if score.space == "native":
                    found.setdefault(name, (score.title, score.higher_is_better))
    first: list[str] = [name for name in _FIRST if name in found]
    chosen = (first or list(found))[:_MOST]
    return [(name, *found[name]) for name in chosen]


def _last(study: Any, measure: str) -> float | None:
    layers = list(study.scores)
    value = study.scores.value(layers[-1], measure) if layers else float("nan")
    return None if value != value else value


def _best_rows(values: Sequence[float | None], higher: bool | None) -> list[int]:
    known = [value for value in values if value is not None]
    if higher is None or len(known) < 2:
        return []
    best = max(known) if higher else min(known)
    return [row for row, value in enumerate(values) if value == best]


def _percent(values: Sequence[float | None]) -> list[str]:
    return ["n/a" if value is None else f"{100 * value:.2f} %" for value in values]
