"""The samples of a study as rows: labels, predictions and metadata."""

from __future__ import annotations

import csv
import datetime
import io
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .._io.atomic import write_text

if TYPE_CHECKING:
    from ._study import Study


def columns_of(study: Study) -> dict[str, list[Any]]:
    """Return the columns of a table with a row for each sample; None where nothing is known."""
    n_samples = len(study.labels)
    columns: dict[str, list[Any]] = {"sample": list(range(n_samples))}
    several = len(study.labelings) > 1
    for name, each in study.labelings.items():
        columns[f"label: {name}" if several else "label"] = _labels_of(each)
    if study.predictions is not None:
        columns["prediction"] = [study.class_names[code] for code in study.predictions.tolist()]
        if study.probabilities is not None:
            rows = np.arange(n_samples)
            columns["confidence"] = study.probabilities[rows, study.predictions].tolist()
    for name, column in study.metadata.items():
        columns[f"metadata: {name}" if name in columns else name] = column.to_list()
    return columns


def _labels_of(study: Study) -> list[Any]:
    if study.targets is not None:
        return [None if value != value else value for value in study.targets.tolist()]
    return [None if code < 0 else study.class_names[code] for code in study.labels.tolist()]


def write_csv(study: Study, path: str | os.PathLike[str]) -> None:
    """Write a row for each sample; as `Study.to_csv`."""
    columns = columns_of(study)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([_cell(value) for value in row])
    write_text(path, text.getvalue())


def _cell(value: Any) -> Any:
    """Return what stands for a value: dates as in ISO 8601, nothing where one is missing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime.datetime) else value
