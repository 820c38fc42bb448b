"""Differences of scores: of two studies, or of the layers of one."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from .._io.atomic import write_text
from .._io.formatting import render_text

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, ConsoleOptions, RenderResult


@dataclass(frozen=True)
class Difference:
    """One measure in two places: a layer of two studies, or two layers of one.

    Attributes
    ----------
    layer : str
        The layer; ``"conv1 / conv2"`` if the two differ.
    measure, title : str
    first, second : float
        The values.
    difference : float
        ``second - first``.
    apart : bool or None
        Whether the 95 % intervals of the values are disjoint; None if one is missing. Values can
        differ significantly although their intervals overlap: see ``p_corrected``.
    untangled : {"first", "second"} or None
        Which one is more untangled by this measure, if ``p_corrected`` is below .05.
    higher_is_better : bool or None
        Whether a higher value is better: more untangled, or a map more faithful; None for neither.
    interval : tuple of float, optional
        95 % interval of the difference; None if there is none, see ``no_interval``.
    p : float, optional
        The p value: how probable a difference as large is, in either direction, if both
        expectations are equal.
    p_corrected : float, optional
        ``p`` corrected by Holm's method for all comparisons of the table [Holm1979]_.
    standard_error, df : float, optional
        Of the difference; without degrees of freedom, the normal distribution is used.
    given_map : bool
        Whether interval and p value are for these maps only, which other samples would not have.
    no_interval : str, optional
        Why there is no interval.
    notes : tuple of str
        Caveats of the interval.
    layers : (str, str)
        The first layer and the second.

    See Also
    --------
    Comparison : All differences of two studies, or of the layers of one.
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
    interval: tuple[float, float] | None = None
    p: float | None = None
    p_corrected: float | None = None
    standard_error: float | None = None
    df: float | None = None
    given_map: bool = False
    no_interval: str | None = None
    notes: tuple[str, ...] = ()
    layers: tuple[str, str] = ("", "")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Differences of scores: iterates over `Difference`, and prints as a table.

    Attributes
    ----------
    names : (str, str)
        What is compared: the names of the two studies; of layers, what the columns are called.
    rows : tuple of Difference
        Layers and measures that both have, in order.
    only : (tuple of str, tuple of str)
        The layers that only the first, or only the second, study has.
    title : str
        What the table is of.
    paired : bool
        Whether both scores are of the same samples, so that what they have in common cancels.
    notes : tuple of str
        Remarks on the whole comparison, such as settings that differ.
    n_compared : int
        The number of comparisons that the p values are corrected for. A view repeats its layer, and
        the same data on both sides are no question: neither counts.

    See Also
    --------
    unknot.Study.compare : Compares two studies.
    unknot.Study.compare_layers : Compares the layers of one.
    """

    names: tuple[str, str]
    rows: tuple[Difference, ...]
    only: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    title: str = ""
    paired: bool = True
    notes: tuple[str, ...] = ()
    n_compared: int = 0

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, as JSON has them."""
        return {
            "title": self.title,
            "names": list(self.names),
            "paired": self.paired,
            "n_compared": self.n_compared,
            "rows": [_plain(row) for row in self.rows],
            "only": [list(layers) for layers in self.only],
            "notes": list(self.notes),
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return everything as JSON; a value that is not finite is null."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a row for each layer and measure, atomically."""
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_flat(row) for row in self.rows)
        write_text(path, text.getvalue())

    def to_pandas(self) -> pd.DataFrame:
        """Return a data frame with a row for each layer and measure.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        from .._extras import import_extra

        pandas = import_extra("pandas", feature="A table of differences", extra="pandas")
        frame: pd.DataFrame = pandas.DataFrame(
            [_flat(row) for row in self.rows], columns=list(_COLUMNS)
        )
        return frame

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from ._render import render_comparison

        yield from render_comparison(self, options.max_width)

    def __str__(self) -> str:
        return render_text(self, 120)

    def __repr__(self) -> str:
        return str(self)


# Of the table; the ends of the interval and the two layers are columns of their own.
_COLUMNS = (
    *(each.name for each in fields(Difference) if each.name not in ("interval", "layers")),
    "low", "high", "first_layer", "second_layer",
)  # fmt: skip


def _flat(row: Difference) -> dict[str, Any]:
    values = asdict(row)
    low, high = values.pop("interval") or (None, None)
    first, second = values.pop("layers")
    values["notes"] = "; ".join(row.notes)
    return {**values, "low": low, "high": high, "first_layer": first, "second_layer": second}


def _plain(row: Difference) -> dict[str, Any]:
    values = asdict(row)
    for name in ("first", "second", "difference"):
        values[name] = _finite(values[name])
    for name in ("interval", "notes", "layers"):
        values[name] = None if values[name] is None else list(values[name])
    if row.interval is not None:
        values["interval"] = [_finite(end) for end in row.interval]
    return values


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
