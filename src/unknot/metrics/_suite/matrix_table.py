"""Similarities of layers as a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.text import shown

if TYPE_CHECKING:
    from ..layer_similarity import SimilarityMatrix

# Names of columns are folded to this width.
WIDEST = 14


def render_matrix(matrix: SimilarityMatrix, width: int) -> Iterator[Any]:
    """Yield tables for Rich that fit a width in columns, one below the other if need be."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    rows, columns = ([shown(name) for name in names] for names in (matrix.rows, matrix.columns))
    left = max(5, *(cell_len(name) for name in rows)) + 4
    widths = [min(max(6, cell_len(name)), WIDEST) + 3 for name in columns]
    yield Text(shown(_heading(matrix)), style="table.title")
    start = 0
    while start < len(columns):
        stop = start + 1
        while stop < len(columns) and left + sum(widths[start : stop + 1]) < width:
            stop += 1
        table = Table()
        table.add_column("layer", no_wrap=True)
        for name, wide in zip(columns[start:stop], widths[start:stop], strict=True):
            table.add_column(
                Text(name), justify="right", min_width=wide - 3, max_width=wide - 3, overflow="fold"
            )
        for name, values in zip(rows, matrix.values, strict=True):
            table.add_row(Text(name), *(_cell(value) for value in values[start:stop]))
        yield table
        start = stop
    if matrix.chance is not None:
        yield Text(f"By chance: {_cell(matrix.chance)}.", style="dim")
    for note in matrix.notes:
        yield Text(shown(f"{note[:1].upper()}{note[1:]}."), style="yellow")


def _heading(matrix: SimilarityMatrix) -> str:
    of = ""
    if matrix.names[0] and matrix.names[1]:
        of = f": {matrix.names[0]} (rows) and {matrix.names[1]} (columns)"
    elif matrix.names[0]:
        of = f" of the layers of {matrix.names[0]}"
    return f"{matrix.title[:1].upper()}{matrix.title[1:]}{of}; {matrix.n_samples:,} samples"


def _cell(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "n/a"
