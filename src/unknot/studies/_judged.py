"""Labels that a person judged on the page, taken back into a study."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._io.text import did_you_mean
from .._typing import Array
from ._metadata import MetadataColumn

if TYPE_CHECKING:
    from ._study import Study
else:
    Study = Any

TAG: Final = "tag"
_NEEDED: Final = ("sample", "class", "decision", "new_class")


@dataclass(frozen=True)
class _Row:
    """A line of the file: a sample, what it is said to be of, and words."""

    sample: int
    decision: str
    label: int
    tag: str


def apply_labels(study: Study, path: str | os.PathLike[str]) -> Study:
    """Return the study with the labels of a file; as `Study.apply_labels`."""
    if study.targets is not None:
        raise ValueError("labels of this study are numbers; only classes can be judged")
    rows = _read(study, Path(path))
    labels = study.labels.copy()
    for row in rows:
        if row.decision == "relabel":
            labels[row.sample] = row.label
    changed = int((labels != study.labels).sum())
    note = (
        f"labels of {changed:,} samples were corrected by {Path(path).name}: scores are of the "
        "former labels, and are left out; study the model again with these"
    )
    corrected = study if not changed else _without_scores(study, labels, note)
    return replace(corrected, metadata={**study.metadata, **_tags(study, rows)})


def _without_scores(study: Study, labels: Array, note: str) -> Study:
    layers = {name: layer.with_scores(None, other_maps={}) for name, layer in study.items()}
    return replace(
        study,
        layers=layers,
        labels=labels,
        controls={},
        epochs=None,
        other_labelings={},
        notes=(*study.notes, note),
    )


def _tags(study: Study, rows: list[_Row]) -> dict[str, MetadataColumn]:
    """Return the tags as a column, beside those of an earlier file."""
    if not any(row.tag for row in rows):
        return {}
    texts = np.full(len(study.labels), None, dtype=object)
    before = study.metadata.get(TAG)
    if before is not None and before.kind == "text":
        texts[:] = before.to_list()
    elif before is not None:
        raise ValueError(
            f"metadata has a column {TAG!r} of another kind ({before.kind}), where the tags of the "
            "file would go; rename it"
        )
    for row in rows:
        if row.tag:
            texts[row.sample] = row.tag
    return {TAG: MetadataColumn(TAG, "text", texts)}


def _read(study: Study, path: Path) -> list[_Row]:
    """Read and check all lines before any is used.

    Raises
    ------
    ValueError
        If a column is missing, or a line is not of this study; the message names the line.
    """
    try:
        # utf-8-sig: the page marks the file as UTF-8 for spreadsheets.
        text = path.read_text(encoding="utf-8-sig")
        # Some spreadsheets save it with semicolons or tabs.
        delimiter = max(",;\t", key=text.partition("\n")[0].count)
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        lines = list(reader)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8: save it as CSV UTF-8 ({error})") from error
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV file: {error}") from error
    header = reader.fieldnames or []
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        raise ValueError(
            f"{path} must have the columns {', '.join(_NEEDED)}, as the page saves them; it lacks "
            f"{', '.join(missing)}"
        )
    rows: list[_Row] = []
    seen: dict[int, int] = {}
    for number, line in enumerate(lines, 2):
        where = f"{path}, line {number}"
        row = _row(study, line, where)
        if row.sample in seen:
            raise ValueError(
                f"{where}: sample {row.sample} was in line {seen[row.sample]} already; keep one"
            )
        seen[row.sample] = number
        rows.append(row)
    return rows


def _row(study: Study, line: dict[str, Any], where: str) -> _Row:
    text = {name: (line.get(name) or "").strip() for name in (*_NEEDED, TAG)}
    if not text["sample"].isdecimal() or int(text["sample"]) >= len(study.labels):
        raise ValueError(
            f"{where}: sample must be 0..{len(study.labels) - 1}; got {text['sample']!r}"
        )
    sample, decision = int(text["sample"]), text["decision"]
    code = int(study.labels[sample])
    known = study.class_names[code] if code >= 0 else ""
    if not _same(text["class"], known):
        raise ValueError(
            f"{where}: sample {sample} is of the class {known!r} in this study, and "
            f"{text['class']!r} in the file; it is of other data"
        )
    if decision not in ("", "right", "relabel"):
        raise ValueError(
            f"{where}: decision must be 'right', 'relabel' or empty; got {decision!r}"
            f"{did_you_mean(decision, ('right', 'relabel'))}"
        )
    label = code
    if decision == "relabel":
        matching = [
            at for at, name in enumerate(study.class_names) if _same(text["new_class"], name)
        ]
        if not matching:
            raise ValueError(
                f"{where}: new_class must be a class of the study; got {text['new_class']!r}"
                f"{did_you_mean(text['new_class'], study.class_names)}"
            )
        label = matching[0]
    return _Row(sample, decision, label, _unescaped((line.get(TAG) or "").strip()))


def _same(text: str, name: str) -> bool:
    return text.strip() == name.strip() or _unescaped(text.strip()) == name.strip()


def _unescaped(text: str) -> str:
    """Return a text without the apostrophe that keeps spreadsheets from running it."""
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@") else text
