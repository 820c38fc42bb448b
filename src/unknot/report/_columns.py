"""The metadata of a study as entries of the payload."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from .._typing import Array
from ..studies import MetadataColumn, Study
from ._options import Options
from ._packing import pack, pack_floats

MOST_CHARACTERS: Final = 400  # of a text
_DECIMALS: Final = 6
_MOST_CODES: Final = 2**32 - 2
# Milliseconds of the steps that dates are stored in: days, seconds, and themselves.
_STEPS: Final = (86_400_000, 1000, 1)


def metadata_entries(studies: Sequence[Study], options: Options) -> list[dict[str, Any]]:
    """Build the columns of all studies; of those that agree, one.

    A column of the second study that differs from one of the same name in the first is called by
    its model too.
    """
    columns: dict[str, MetadataColumn] = {}
    for study in studies:
        for name, column in study.metadata.items():
            own = name
            while own in columns and not _agree(columns[own], column):
                own = f"{own} ({study.name})"
            columns.setdefault(own, column)
    rows = options.points
    return [
        column_entry(name, column if rows is None else column.rows(rows))
        for name, column in columns.items()
    ]


def column_entry(name: str, column: MetadataColumn) -> dict[str, Any]:
    """Build the entry of one column.

    Categories and booleans are codes from 1, with 0 for what is missing. So are numbers and dates
    if they are whole steps from the least one, and then exact: ``(low + (code - 1) * step) / per``.
    Other numbers are floats, of 32 bits unless they need 64.
    """
    entry: dict[str, Any] = {"name": str(name), "kind": column.kind}
    if column.kind == "text":
        texts = column.to_list()
        entry["texts"] = [None if text is None else cut_text(text) for text in texts]
        if any(text is not None and len(text) > MOST_CHARACTERS for text in texts):
            entry["cut"] = MOST_CHARACTERS
        return entry
    if column.kind in ("category", "boolean"):
        entry["codes"] = pack(column.values + 1)
        if column.kind == "category":
            entry["categories"] = [str(category) for category in column.categories]
        return entry
    if column.kind == "date":
        missing = np.isnat(column.values)
        steps = _whole_steps(np.where(missing, 0, column.values.view("i8")), missing)
        exact = np.where(missing, np.nan, column.values.view("i8").astype(np.float64))
        return entry | (steps or {"floats": pack_floats(exact)})
    return entry | (_decimals(column.values) or {"floats": pack_floats(_narrowed(column.values))})


def _decimals(values: Array) -> dict[str, Any] | None:
    """Return numbers of few decimals as codes, which divided by a power of ten are exact."""
    missing = np.isnan(values)
    for decimals in range(_DECIMALS + 1):
        per = 10**decimals
        scaled = np.rint(np.where(missing, 0.0, values) * per)
        if np.abs(scaled).max(initial=0.0) >= 2**53:
            return None
        if (scaled / per == values)[~missing].all():
            found = _whole_steps(scaled.astype(np.int64), missing)
            return None if found is None else {**found, "per": per}
    return None


def _whole_steps(values: Array, missing: Array) -> dict[str, Any] | None:
    """Return whole numbers as codes in the largest step that all are multiples of."""
    if missing.all():
        return {"codes": pack(np.zeros(len(values), dtype=np.int64)), "low": 0, "step": 1, "per": 1}
    low = int(values[~missing].min())
    above = np.where(missing, 0, values - low)
    for step in _STEPS:
        if not (above % step).any() and int(above.max()) // step < _MOST_CODES:
            codes = np.where(missing, 0, above // step + 1)
            return {"codes": pack(codes), "low": low, "step": step, "per": 1}
    return None


def _narrowed(values: Array) -> Array:
    """Return numbers as float32 where these tell seven digits of each."""
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    near = np.abs(narrow.astype(np.float64) - values) <= 1e-7 * np.abs(values)
    return np.asarray(narrow if near[~np.isnan(values)].all() else values)


def _agree(one: MetadataColumn, other: MetadataColumn) -> bool:
    if one.kind != other.kind or one.categories != other.categories:
        return False
    return one.to_list() == other.to_list()


def cut_text(text: str) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
