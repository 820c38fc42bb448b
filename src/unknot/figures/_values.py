"""What the figures of measures are given: scores, results, or plain numbers and arrays."""

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


def headline(text: str) -> str:
    """Begin with a capital."""
    return text[:1].upper() + text[1:]


def isolated(values: Array) -> Array:
    """Find the values (n,) of which no line can be drawn: finite, between two that are missing."""
    known = np.isfinite(values)
    left, right = np.append(False, known[:-1]), np.append(known[1:], False)
    return np.asarray(known & ~left & ~right)
