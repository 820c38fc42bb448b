"""Differences of two studies, by layer and measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .._io.formatting import render_text

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderResult

    from ._table import ScoreTable
else:
    ScoreTable = Any


@dataclass(frozen=True)
class Difference:
    """One measure of one layer in two studies.

    Attributes
    ----------
    layer, measure, title : str
    first, second : float
        The values.
    difference : float
        ``second - first``.
    apart : bool or None
        Whether the 95 % intervals are disjoint; None if one is missing. This is conservative:
        values can differ significantly although their intervals overlap.
    untangled : {"first", "second"} or None
        Which study is more untangled by this measure, if `apart`.
    higher_is_better : bool or None
        Whether a higher value means more untangled; None where neither end is better.

    See Also
    --------
    Comparison : All differences of two studies.
    """

    layer: str
    measure: str
    title: str
    first: float
    second: float
    difference: float
    apart: bool | None
    untangled: str | None
    higher_is_better: bool | None


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """The differences of two studies: iterates over `Difference`, and prints as a table.

    Attributes
    ----------
    names : (str, str)
        The names of the two studies.
    rows : tuple of Difference
        Layers and measures that both studies have, in order.
    only : (tuple of str, tuple of str)
        The layers that only the first, or only the second, study has.

    See Also
    --------
    unknot.Study.compare : Makes a comparison.
    """

    names: tuple[str, str]
    rows: tuple[Difference, ...]
    only: tuple[tuple[str, ...], tuple[str, ...]]

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, as JSON has them."""
        return {
            "names": list(self.names),
            "rows": [asdict(row) for row in self.rows],
            "only": [list(layers) for layers in self.only],
        }

    def to_pandas(self) -> pd.DataFrame:
        """Return a data frame with a row for each layer and measure.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        from .._extras import import_extra

        pandas = import_extra("pandas", feature="A table of differences", extra="pandas")
        frame: pd.DataFrame = pandas.DataFrame([asdict(row) for row in self.rows])
        return frame

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from ._render import render_comparison

        yield from render_comparison(self, options.max_width)

    def __str__(self) -> str:
        return render_text(self, 120)

    def __repr__(self) -> str:
        return str(self)


def compare_tables(
    first: ScoreTable, second: ScoreTable, names: tuple[str, str], pairs: Sequence[tuple[str, str]]
) -> Comparison:
    """Compare the scores of pairs of layers.

    Raises
    ------
    ValueError
        If the two have no layer, or no measure, in common.
    """
    rows = []
    for one, other in pairs:
        for measure, before in first[one].items():
            if measure not in second[other]:
                continue
            after = second[other][measure]
            apart, untangled = None, None
            if before.interval is not None and after.interval is not None:
                apart = (
                    before.interval[1] < after.interval[0] or after.interval[1] < before.interval[0]
                )
            if apart and before.higher_is_better is not None:
                more = after.value > before.value
                untangled = "second" if more == before.higher_is_better else "first"
            rows.append(
                Difference(
                    layer=one if one == other else f"{one} / {other}",
                    measure=measure,
                    title=before.title + (", map" if measure.startswith("map_") else ""),
                    first=before.value,
                    second=after.value,
                    difference=after.value - before.value,
                    apart=apart,
                    untangled=untangled,
                    higher_is_better=before.higher_is_better,
                )
            )
    if not rows:
        raise ValueError(
            f"the studies have no layer and measure in common: {names[0]} has the layers "
            f"{', '.join(first) or 'none'}, {names[1]} has {', '.join(second) or 'none'}. "
            'Name the pairs with layers={"fc1": "dense_3"}'
        )
    matched = {one for one, _ in pairs}, {other for _, other in pairs}
    return Comparison(
        names,
        tuple(rows),
        (
            tuple(layer for layer in first if layer not in matched[0]),
            tuple(layer for layer in second if layer not in matched[1]),
        ),
    )
