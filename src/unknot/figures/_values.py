"""Inputs of the figures of measures: scores, results, plain numbers or arrays."""

from typing import Any, NamedTuple

import numpy as np

from .._typing import Array


class ScoreValue(NamedTuple):
    """A number with its metadata; None or infinity if unknown."""

    value: float
    interval: tuple[float, float] | None = None
    null: float | None = None
    null_interval: tuple[float, float] | None = None
    title: str | None = None
    higher_is_better: bool | None = None
    range: tuple[float, float] = (-np.inf, np.inf)
    given_map: bool = False
    family: str | None = None


def as_score_value(score: Any) -> ScoreValue:
    """Convert a score, a result or a plain number."""
    if isinstance(score, int | float | np.number):
        return ScoreValue(float(score))
    metadata = {
        field: getattr(score, field) for field in ScoreValue._fields[1:] if hasattr(score, field)
    }
    if metadata.get("title") and getattr(score, "space", None) == "map":
        metadata["title"] += ", on the map"
    return ScoreValue(float(score), **metadata)


def class_values(score: Any, field: str, n_dims: int) -> Array:
    """Return ``per_class`` or ``per_pair`` of a score or result, or a plain array, as float64.

    Raises
    ------
    ValueError
        If the field is missing, or the array does not have `n_dims` axes of equal length.
    """
    values = getattr(score, field, score)
    if values is None:
        title = getattr(score, "title", "the score")
        raise ValueError(f"{title} has no {field}; draw a measure that has it")
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != n_dims or not array.size or len(set(array.shape)) != 1:
        shape = "(n_classes,)" if n_dims == 1 else "(n_classes, n_classes)"
        raise ValueError(f"{field} must have the shape {shape}; got {array.shape}")
    return array


def resolve_class_names(class_names: Any, score: Any, n_classes: int) -> list[str]:
    """Return the given class names, else the classes of the result, else their indices.

    Raises
    ------
    ValueError
        If there is not one name per class.
    """
    if class_names is None:
        class_names = getattr(score, "classes", range(n_classes))
    names = [str(name) for name in class_names]
    if len(names) != n_classes:
        raise ValueError(
            f"class_names must have one name for each of the {n_classes} classes; got {len(names)}"
        )
    return names


def is_fraction(values: Array) -> bool:
    """Return whether all finite values lie in [0, 1] and can be shown as percentages."""
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() >= 0 and finite.max() <= 1)


def capitalize(text: str) -> str:
    """Capitalize the first letter, and leave the others as they are."""
    return text[:1].upper() + text[1:]


def isolated(values: Array) -> Array:
    """Mark finite values without a finite neighbor, which a line plot would not show."""
    finite = np.isfinite(values)
    left, right = np.append(False, finite[:-1]), np.append(finite[1:], False)
    return np.asarray(finite & ~left & ~right)


def count_points(n_points: int, n_classes: int) -> str:
    """Return how many points of how many classes a figure shows, for its caption."""
    classes = f" of {n_classes:,} class{'es' * (n_classes != 1)}" if n_classes else ""
    return f"{n_points:,} points{classes}"
