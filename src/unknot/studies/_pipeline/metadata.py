"""Metadata as people have them: frames and dicts of columns, taken to a few kinds."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ..._typing import Array
from ..._validation.label_values import LabelValues, label_values
from .._metadata import NO_DATE, MetadataColumn
from .._store.format import PARTS
from .._store.metadata import records_of, write_columns
from .data import StudyData
from .label_columns import named_columns
from .stages import StageLabel, Stages

# A column of text has categories if it has few of them, both in number and beside the samples.
MOST_CATEGORIES: Final = 1000
_MOST_OF_SAMPLES: Final = 0.5
_FEW: Final = 20
_EXACT: Final = 2**53


def take_metadata(metadata: Any, data: StudyData) -> dict[str, MetadataColumn]:
    """Convert metadata, and take the rows of the samples that were drawn.

    Parameters
    ----------
    metadata : mapping of str to array-like, frame, or None
        A value for each of the samples that were given.
    data : StudyData

    Raises
    ------
    TypeError
        If it is neither a mapping nor a frame, or a column mixes types.
    ValueError
        If a column has another number of values, or some that have no meaning.
    """
    if metadata is None:
        return {}
    columns = named_columns(metadata)
    if columns is None:
        raise TypeError(
            "metadata must be a DataFrame, or a dict of columns with a value for each sample; got "
            f"{type(metadata).__name__}"
        )
    taken: dict[str, MetadataColumn] = {}
    for key, values in columns.items():
        name = str(key)
        if not name.strip() or name in taken:
            what = "an empty name" if not name.strip() else f"two columns called {name!r}"
            raise ValueError(f"metadata has {what}; rename one")
        taken[name] = _rows_of(_column(name, values), data)
    return taken


def _rows_of(column: MetadataColumn, data: StudyData) -> MetadataColumn:
    """Return the values of the drawn samples; of tokens and pixels those of their sample."""
    n_given = data.n_given if data.n_given is not None else data.n_inputs
    if len(column) != n_given:
        raise ValueError(
            f"metadata[{column.name!r}] must hold one value for each of the {n_given:,} samples of "
            f"data; got {len(column):,}"
        )
    if data.places is not None:
        return column.rows(data.places.samples)
    return column if data.rows is None else column.rows(data.rows)


def _column(name: str, values: Any) -> MetadataColumn:
    own = f"metadata[{name!r}]"
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "tz", None) is not None:  # of pandas; to UTC, without the zone
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    if getattr(dtype, "categories", None) is not None:
        values = values.astype(object)
    found = label_values(values, own)
    if found.values.ndim != 1:
        raise ValueError(
            f"{own} must hold one value a sample; got the shape {found.values.shape}. Make each "
            "of its columns one of the metadata"
        )
    kind = found.values.dtype.kind
    if kind in "OT":
        return _of_objects(name, found)
    if kind == "b":
        return MetadataColumn(name, "boolean", np.where(found.missing, -1, found.values * 1))
    if kind in "iuf":
        return _numbers(name, found.values, found.missing)
    if kind == "M":
        return _dates(name, found.values, found.missing)
    if kind in "SU":
        texts = found.values.astype(str).astype(object)
        return _texts(name, texts, found.missing)
    raise TypeError(
        f"{own} must be numbers, booleans, dates or text; got {found.values.dtype}. Convert it, "
        "such as to text: .astype(str)"
    )


def _of_objects(name: str, found: LabelValues) -> MetadataColumn:
    """Return a column of Python objects, which must be of one kind."""
    present = found.values[~found.missing].tolist()
    kinds = {_kind_of(value): value for value in present}
    if len(kinds) > 1 or None in kinds:
        shown = ", ".join(sorted({type(value).__name__ for value in kinds.values()}))
        which = "mixes" if len(kinds) > 1 else "holds"
        raise TypeError(
            f"metadata[{name!r}] {which} {shown}; a column is of numbers, booleans, dates or text. "
            "Convert it, such as to text: .astype(str)"
        )
    kind = next(iter(kinds), "text")
    if kind == "text":
        texts = found.values.copy()
        texts[~found.missing] = [str(value) for value in present]
        return _texts(name, texts, found.missing)
    if kind == "boolean":
        codes = np.full(len(found.values), -1, dtype=np.int64)
        codes[~found.missing] = [int(value) for value in present]
        return MetadataColumn(name, "boolean", codes)
    if kind == "number":
        numbers = np.full(len(found.values), np.nan)
        numbers[~found.missing] = [_as_float(name, value) for value in present]
        return _numbers(name, numbers, found.missing)
    dates = np.full(len(found.values), NO_DATE, dtype=np.int64).view("M8[ms]")
    dates[~found.missing] = [_as_date(value) for value in present]
    return _dates(name, dates, found.missing)


def _kind_of(value: Any) -> str | None:
    if isinstance(value, bool | np.bool_):
        return "boolean"
    if isinstance(value, str):
        return "text"
    if isinstance(value, datetime.date | np.datetime64):
        aware = getattr(value, "tzinfo", None) is not None
        return "date with a time zone" if aware else "date"
    if isinstance(value, int | float | np.integer | np.floating) or hasattr(value, "is_nan"):
        return "number"
    return None


def _as_float(name: str, value: Any) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(
            f"metadata[{name!r}] holds {value!r}, which is too large for a number; make it text: "
            ".astype(str)"
        ) from error


def _as_date(value: Any) -> np.datetime64:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return np.datetime64(value, "ms")


def _numbers(name: str, values: Array, missing: Array) -> MetadataColumn:
    numbers = np.where(missing, np.nan, values.astype(np.float64))
    if values.dtype.kind in "iu" and np.abs(numbers[~missing]).max(initial=0) > _EXACT:
        raise ValueError(
            f"metadata[{name!r}] holds whole numbers above 2**53, which would be rounded; if they "
            "are names, make them text: .astype(str)"
        )
    if n := int(np.isinf(numbers).sum()):
        raise ValueError(
            f"metadata[{name!r}] holds {n} infinite numbers, the first in sample "
            f"{int(np.isinf(numbers).argmax())}; make them NaN, which is missing"
        )
    return MetadataColumn(name, "number", numbers)


def _dates(name: str, values: Array, missing: Array) -> MetadataColumn:
    dates = values.astype("M8[ms]")
    dates[missing] = np.datetime64("NaT")
    return MetadataColumn(name, "date", dates)


def _texts(name: str, texts: Array, missing: Array) -> MetadataColumn:
    """Return categories if there are few different texts, else the texts."""
    present = texts[~missing]
    different = sorted(set(present.tolist()))
    if different and len(different) <= min(
        MOST_CATEGORIES, max(_FEW, _MOST_OF_SAMPLES * len(present))
    ):
        code_of = {text: code for code, text in enumerate(different)}
        codes = np.full(len(texts), -1, dtype=np.int64)
        codes[~missing] = [code_of[text] for text in present.tolist()]
        return MetadataColumn(name, "category", codes, tuple(different))
    values = texts.astype(object)
    values[missing] = None
    return MetadataColumn(name, "text", values)


def store_metadata(stages: Stages, columns: Mapping[str, MetadataColumn]) -> dict[str, Any]:
    """Store the columns as a part of the study; return what the manifest says of them."""
    if not columns:
        return {}
    digest = hashlib.sha256()
    for column in columns.values():
        digest.update(repr((column.name, column.kind, column.categories)).encode())
        stored = repr(column.values.tolist()).encode() if column.kind == "text" else None
        digest.update(np.ascontiguousarray(column.values).tobytes() if stored is None else stored)
    settings = {"metadata": digest.hexdigest()}
    label = StageLabel("data", "metadata")
    part = stages.do("metadata", label, settings, [], lambda folder: write_columns(folder, columns))
    return {"metadata": records_of(columns, f"{PARTS}/{part.path.name}")}
