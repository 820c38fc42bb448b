"""The metadata of a study: written to a part of it, and read again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..._io.atomic import write_json
from ..._io.typed_json import check_types
from .._metadata import MetadataColumn
from .format import MANIFEST, damaged, read_json, read_zarr, write_zarr
from .records import MetadataRecord


def write_columns(folder: Path, columns: Mapping[str, MetadataColumn]) -> dict[str, Any]:
    """Write each column: numbers as an array, texts as JSON, with categories beside their codes."""
    for number, column in enumerate(columns.values()):
        if column.kind == "text":
            write_json(folder / f"{number}.json", column.to_list())
            continue
        dated = column.kind == "date"
        write_zarr(folder / str(number), column.values.view("i8") if dated else column.values)
        if column.kind == "category":
            write_json(folder / f"{number}-categories.json", list(column.categories))
    return {}


def records_of(columns: Mapping[str, MetadataColumn], path: str) -> tuple[MetadataRecord, ...]:
    """Return where the columns lie in a part, whose path relative to the study's is given."""
    return tuple(
        MetadataRecord(
            column.name,
            column.kind,
            f"{path}/{number}{'.json' if column.kind == 'text' else ''}",
            f"{path}/{number}-categories.json" if column.kind == "category" else None,
        )
        for number, column in enumerate(columns.values())
    )


def read_columns(folder: Path, records: Iterable[MetadataRecord]) -> dict[str, MetadataColumn]:
    """Read the columns.

    Raises
    ------
    StudyError
        If one is missing, damaged, or not of its kind; the message names the file.
    """
    columns: dict[str, MetadataColumn] = {}
    for record in records:
        if record.name in columns:
            raise damaged(folder, MANIFEST, f"it has two columns of metadata called {record.name}")
        columns[record.name] = _read(folder, record)
    return columns


def _read(folder: Path, record: MetadataRecord) -> MetadataColumn:
    if record.kind == "text":
        texts = read_json(folder, record.values)
        try:
            check_types({"texts": texts}, {"texts": list[str | None]})
        except TypeError as error:
            raise damaged(folder, record.values, error) from error
        values = np.array([*texts, None], dtype=object)[:-1]
        return MetadataColumn(record.name, "text", values)
    stored = read_zarr(folder, record.values)
    try:
        if record.kind == "date":
            stored = stored.view("M8[ms]")
        names = ()
        if record.categories is not None:
            listed = read_json(folder, record.categories)
            check_types({"categories": listed}, {"categories": list[str]})
            names = tuple(listed)
        return MetadataColumn(record.name, record.kind, stored, names)
    except (TypeError, ValueError) as error:
        raise damaged(folder, record.values, error) from error
