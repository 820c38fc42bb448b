"""A study as the commands print it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from .._io.text import shown

if TYPE_CHECKING:
    from ..studies import Study
else:
    Study = Any


def print_study(
    console: Console, study: Study, measures: Sequence[str] = (), *, wide: bool = False
) -> None:
    """Print a study: a heading, its scores, what is notable, and its notes.

    Parameters
    ----------
    console : rich.console.Console
    study : Study
    measures : sequence of str, default=()
        Names or families of the scores to print; by default the most telling ones.
    wide : bool, default=False
        Print all scores, also of controls, in as many tables as they take.
    """
    from ..studies import CompactTable

    accuracy = "" if study.accuracy is None else f", accuracy {100 * study.accuracy:.2f} %"
    samples = f"{len(study.labels):,} samples of {study.labels_in_words}"
    console.print(shown(f"{study.name}: {samples}{accuracy}"), highlight=False, markup=False)
    console.print(study.scores if wide else CompactTable(study, measures), highlight=False)
    summary = study.summary()
    if summary.findings:
        console.print()
    for line in summary.findings:
        console.print(shown(line), highlight=False, markup=False)
    pools: dict[str, list[str]] = {}
    for name, layer in study.layers.items():
        if layer.pool is not None:
            pools.setdefault(layer.pool, []).append(name)
    for pool, names in pools.items():
        line = shown(f"Pooled, {pool}: {', '.join(names)}.")
        console.print(line, style="dim", highlight=False, markup=False)
    for note in summary.notes:
        console.print(shown(note), style="yellow", highlight=False, markup=False)
