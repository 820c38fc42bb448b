"""What the figures of measures are given: scores, results, or plain numbers and arrays."""

import math
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array


class Measured(NamedTuple):
    """A number with what is known about it; None and infinity where nothing is."""

    value: float
    interval: tuple[float, float] | None = None
    null: float | None = None
    null_interval: tuple[float, float] | None = None
    title: str | None = None
    higher_is_better: bool | None = None
    range: tuple[float, float] = (-np.inf, np.inf)


def measured(given: Any) -> Measured:
    """Take what a score or a result knows, or a plain number."""
    if isinstance(given, int | float | np.number):
        return Measured(float(given))
    known = {
        field: getattr(given, field) for field in Measured._fields[1:] if hasattr(given, field)
    }
    if known.get("title") and getattr(given, "space", None) == "map":
        known["title"] += ", on the map"
    return Measured(float(given), **known)


def class_values(given: Any, field: str, dimensions: int) -> Array:
    """Take ``per_class`` or ``per_pair`` of a score or result, or a plain array.

    Raises
    ------
    ValueError
        If there is none, or it is not of this number of dimensions, one class a row and column.
    """
    values = getattr(given, field, given)
    if values is None:
        title = getattr(given, "title", "the score")
        raise ValueError(f"{title} has no {field}; draw a measure that has")
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions or not array.size or len(set(array.shape)) != 1:
        shape = "(n_classes,)" if dimensions == 1 else "(n_classes, n_classes)"
        raise ValueError(f"{field} must have the shape {shape}; got {array.shape}")
    return array


def row_names(class_names: Any, given: Any, n_classes: int) -> list[str]:
    """Name the classes: as told, by the result's own values, or by their numbers.

    Raises
    ------
    ValueError
        If there are too many or too few names.
    """
    if class_names is None:
        class_names = getattr(given, "classes", range(n_classes))
    names = [str(name) for name in class_names]
    if len(names) != n_classes:
        raise ValueError(
            f"class_names must have one name for each of the {n_classes} classes; got {len(names)}"
        )
    return names


def is_share(values: Array) -> bool:
    """Whether values can be read as percentages."""
    known = values[np.isfinite(values)]
    return bool(known.size and known.min() >= 0 and known.max() <= 1)


def written(values: Array, *, share: bool) -> list[str]:
    """Write values for a reader: percentages, or all to as many decimals as three digits need."""
    known = np.abs(values[np.isfinite(values)])
    greatest = float(known.max()) if known.size else 0.0
    decimals = 1 if share else max(0, 2 - math.floor(math.log10(greatest))) if greatest else 1
    factor = 100 if share else 1
    return [
        f"{factor * value:.{decimals}f}".replace("-", "−") if np.isfinite(value) else "–"
        for value in values.ravel()
    ]


def short_number(value: float) -> str:
    """Write a tick's number shortly: 20k for 20,000."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.6g}{letter}".replace("-", "−")
    return f"{value:.6g}".replace("-", "−")


def headline(text: str) -> str:
    """Begin with a capital."""
    return text[:1].upper() + text[1:]


def isolated(values: Array) -> Array:
    """Find the values (n,) of which no line can be drawn: finite, between two that are missing."""
    known = np.isfinite(values)
    left, right = np.append(False, known[:-1]), np.append(known[1:], False)
    return np.asarray(known & ~left & ~right)
