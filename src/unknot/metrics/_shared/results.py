"""Results of measures: a value with its parts and its caveats."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from ..._typing import Array, Float64, Shaped

ResultT = TypeVar("ResultT", bound="Result")


class MeasureWarning(UserWarning):
    """Warns that a measure has a caveat: data were left out, or its value means little.

    See Also
    --------
    UndefinedMeasureError : Raised if a measure has no value at all.
    Result : Holds the same caveats in ``notes``.
    """


class UndefinedMeasureError(ValueError):
    """Raised if a measure is undefined for the data, such as a ratio to a variance of 0.

    See Also
    --------
    MeasureWarning : Warns of caveats of a value that exists.
    measure : Lists undefined measures in ``skipped`` of its result instead of raising this.
    """


class Number:
    """Mixin for objects with a ``value``: converts to, and formats like, that number."""

    value: float

    def __float__(self) -> float:
        return self.value

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else str(self)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Result(Number):
    """The value of a measure.

    Attributes
    ----------
    value : float
        The measure over all the data; always finite. ``float(result)`` is the same number, and
        ``f"{result:.3f}"`` formats it.
    notes : tuple of str
        Caveats: which data were left out and why, and when the number means little. Each was also
        issued as a `MeasureWarning` when the measure was called.
    higher_is_better : bool or None
        Whether a higher value is better: more untangled, or a map more faithful; None for neither.

    See Also
    --------
    ClassResult : With values per class.
    PairResult : With values per pair of classes.
    Score : One measure as `measure` returns it, with an interval and a null.
    """

    value: float
    notes: tuple[str, ...] = ()
    higher_is_better: bool | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.value):
            raise ValueError(
                f"the value of a measure must be finite; {type(self).__name__} got {self.value}"
            )

    def __repr__(self) -> str:
        parts = []
        for field in fields(self):
            item = getattr(self, field.name)
            if item is None:
                continue
            if isinstance(item, float):
                parts.append(f"{field.name}={item:.6g}")
            elif isinstance(item, np.ndarray):
                parts.append(f"{field.name}=<{item.dtype} {item.shape}>")
            elif field.name == "notes":
                parts.extend(f"notes={item!r}" for _ in range(bool(item)))
            elif isinstance(item, tuple):
                parts.append(f"{field.name}=<{len(item)}>")
            else:
                parts.append(f"{field.name}={item!r}")
        return f"{type(self).__name__}({', '.join(parts)})"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ClassResult(Result):
    """The value of a measure, and its value for each class.

    Attributes
    ----------
    value : float
        The measure over all the data.
    per_class : array of float64 (n_classes,)
        The measure of each class.
    classes : array (n_classes,)
        The class values, in the order of ``per_class``.

    See Also
    --------
    Result : The base class.
    PairResult : With values per pair of classes.
    """

    per_class: Float64[Array, " classes"]
    classes: Shaped[Array, " classes"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PairResult(Result):
    """The value of a measure, and its value for each pair of classes.

    Attributes
    ----------
    value : float
        The measure over all the data.
    per_pair : array of float64 (n_classes, n_classes)
        The measure of each pair of classes.
    classes : array (n_classes,)
        The class values, in the order of both axes of ``per_pair``.

    See Also
    --------
    Result : The base class.
    ClassResult : With values per class.
    """

    per_pair: Float64[Array, "classes classes"]
    classes: Shaped[Array, " classes"]


_quiet = threading.local()


@contextmanager
def without_warnings() -> Iterator[None]:
    """Leave the notes of results in the results, in this thread; Python's filters are of all."""
    before = getattr(_quiet, "here", False)
    _quiet.here = True
    try:
        yield
    finally:
        _quiet.here = before


def warn_notes(result: ResultT) -> ResultT:
    """Issue each note of a result as a warning at the line that called the measure."""
    if not getattr(_quiet, "here", False):
        for note in result.notes:
            warnings.warn(note, MeasureWarning, stacklevel=3)
    return result


def format_names(names: Array) -> str:
    """Join up to five class names for a message, and count the rest."""
    shown = ", ".join(str(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
