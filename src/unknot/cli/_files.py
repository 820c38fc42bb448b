"""Reading arrays from files, with one-line errors."""

import csv
import datetime
import re
from pathlib import Path
from typing import Any

import numpy as np

from .._io.npy import SEVERAL, UnreadableError, open_npz, read_npy
from .._typing import Array


def flatten_samples(array: Array) -> Array:
    """Flatten each sample, since layers of a network may have any shape."""
    return array.reshape(len(array), -1) if array.ndim > 2 else array


def read_array(path: Path, name: str) -> Array:
    """Read an array from an .npy file; errors name the argument."""
    try:
        return read_npy(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{name}: {path}: no such file") from error
    except (UnreadableError, OSError) as error:
        if str(error).startswith(SEVERAL):
            raise ValueError(f"{name}: {path} {SEVERAL}; save one of them as .npy") from error
        message = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else error
        raise ValueError(
            f"{name}: {path} is not a whole .npy file of plain values: it {message}; "
            "write it with numpy.save(path, array)"
        ) from error


def read_labels_alone(data: str) -> Array | None:
    """Read a file of labels without inputs; None if it is something else.

    Parameters
    ----------
    data : str
        An ``.npy`` file, an ``.npz`` file whose only array is called labels or y, or a ``.txt``
        file with one label a line.

    Raises
    ------
    ValueError
        If it is such a file and cannot be read.
    """
    path = Path(data).expanduser()
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".npz", ".txt") or not path.is_file():
        return None
    if suffix == ".npy":
        return read_array(path, "DATA")
    if suffix == ".txt":
        return _read_lines(path)
    try:
        with open_npz(path) as archive:
            alone = archive.names in (["labels"], ["y"])
            return archive.read(archive.names[0]) if alone else None
    except UnreadableError as error:
        raise ValueError(
            f"DATA: {path} {error}; write it with numpy.savez(path, labels=labels)"
        ) from error


def read_table(path: Path, name: str) -> dict[str, list[Any]]:
    """Read a CSV file with a header: columns of numbers, booleans, dates (ISO 8601) or text.

    Empty cells are missing. A column is of a kind if all of its cells are.

    Raises
    ------
    ValueError
        If it cannot be read, or a row has more or fewer cells than the header; errors name the
        option.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.reader(stream, strict=True))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{name}: {path}: no such file") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{name}: {path} is not a CSV file in UTF-8: {error}") from error
    if not rows:
        raise ValueError(f"{name}: {path} is empty; its first line must name the columns")
    header, *cells = [row for row in rows if row]
    if len(set(header)) < len(header):
        raise ValueError(f"{name}: {path} has two columns of one name: {', '.join(header)}")
    for number, row in enumerate(cells, 1):
        if len(row) != len(header):
            raise ValueError(
                f"{name}: row {number} of {path} has {len(row)} cells; its header has {len(header)}"
            )
    return {key: _values_of([row[i] for row in cells]) for i, key in enumerate(header)}


def _values_of(cells: list[str]) -> list[Any]:
    """Return the cells as the first of numbers, booleans and dates that all of them are."""
    for convert in (_number, _boolean, datetime.datetime.fromisoformat):
        try:
            return [None if cell == "" else convert(cell) for cell in cells]
        except ValueError:
            continue
    return [cell or None for cell in cells]


def _number(cell: str) -> float:
    if not re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*|nan|NaN|NA", cell):
        raise ValueError
    return float("nan") if cell.startswith(("n", "N")) else float(cell)


def _boolean(cell: str) -> bool:
    if cell.lower() not in ("true", "false"):
        raise ValueError
    return cell.lower() == "true"


def _read_lines(path: Path) -> Array:
    """Read one label a line: whole numbers if all are, otherwise names."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"DATA: {path} is not text in UTF-8; write one label a line") from error
    while lines and not lines[-1]:
        lines.pop()
    if not lines or "" in lines:
        where = f"line {lines.index('') + 1} is empty" if lines else "it is empty"
        raise ValueError(f"DATA: {path} must hold one label a line; {where}")
    try:
        return np.array([int(line) for line in lines], dtype=np.int64)
    except (ValueError, OverflowError):
        return np.array(lines)
