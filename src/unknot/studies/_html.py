"""A study in a notebook: its layers by a few measures."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from .._io.formatting import ARROWS, format_number
from .._io.text import whole_text
from ._compact import CompactTable

if TYPE_CHECKING:
    from ..metrics import Score
    from ._study import Study

_MOST_MEASURES = 6
# After those that tables show first; others follow in their order.
_NEXT = ("map_neighborhood_hit", "trustworthiness", "nc1")
_MOST_LAYERS = 60
# Transparent grays and the notebook's own text color are readable on light and dark.
_TABLE = (
    "border-collapse:collapse;color:inherit;font-size:inherit;font-variant-numeric:tabular-nums"
)
_CELL = "padding:2px 10px;text-align:right;border-bottom:1px solid rgba(128,128,128,.35)"
_NAME = "padding:2px 10px;text-align:left;border-bottom:1px solid rgba(128,128,128,.35)"
_BAR = "rgba(128,128,128,.25)"


def html_of(study: Study) -> str:
    """Return the table; as `Study._repr_html_`."""
    head = f"<b>{_text(study.name)}</b>: {len(study.labels):,} samples of "
    head += _text(study.labels_in_words)
    if study.accuracy is not None:
        head += f", accuracy {100 * study.accuracy:.2f} %"
    layers = {
        name: layer.scores
        for name, layer in study.layers.items()
        if layer.same_as is None and layer.scores is not None
    }
    measures = _measures_of(study)
    if not layers or not measures:
        names = ", ".join(_text(name) for name in study.layers)
        return f"<div>{head}; layers without scores: {names}</div>"
    columns = [[scores.get(measure) for scores in layers.values()] for measure in measures]
    titles = "".join(f'<th style="{_CELL}">{_title(column)}</th>' for column in columns)
    rows = "".join(
        f'<tr><th scope="row" style="{_NAME}">{_text(name)}</th>'
        + "".join(_cell(column, row) for column in columns)
        + "</tr>"
        for row, name in enumerate(list(layers)[:_MOST_LAYERS])
    )
    more = len(layers) - _MOST_LAYERS
    below = f"<div>and {more:,} more layers: study.scores</div>" if more > 0 else ""
    return (
        f'<div>{head}</div><table style="{_TABLE}"><thead><tr><th style="{_NAME}">layer</th>'
        f"{titles}</tr></thead><tbody>{rows}</tbody></table>{below}"
    )


def _measures_of(study: Study) -> list[str]:
    first = CompactTable(study).chosen()
    measured = study.scores.measures
    following = [name for name in _NEXT if name in measured]
    return list(dict.fromkeys([*first, *following, *measured]))[:_MOST_MEASURES]


def _title(column: list[Score | None]) -> str:
    score = next(score for score in column if score is not None)
    on_map = ", map" if score.space == "map" and score.name.startswith("map_") else ""
    return f"{_text(score.title)}{on_map} {ARROWS[score.higher_is_better]}"


def _cell(column: list[Score | None], row: int) -> str:
    score = column[row]
    if score is None or not np.isfinite(score.value):
        return f'<td style="{_CELL}">n/a</td>'
    values = [each.value for each in column if each is not None and np.isfinite(each.value)]
    ends = (max(values), min(values))
    style, title = _CELL, ""
    if ends[0] > ends[1] and score.higher_is_better is not None:
        best = ends[0] if score.higher_is_better else ends[1]
        style += ";font-weight:bold" if score.value == best else ""
    low, high = score.range
    if np.isfinite(low) and np.isfinite(high) and high > low:
        share = 100 * min(max((score.value - low) / (high - low), 0.0), 1.0)
        style += f";background:linear-gradient(to right,{_BAR} {share:.1f}%,transparent 0)"
    if score.interval is not None:
        title = ' title="95 %: {} to {}"'.format(*map(format_number, score.interval))
    return f'<td style="{style}"{title}>{format_number(score.value)}</td>'


def _text(text: str) -> str:
    return escape(whole_text(text))
