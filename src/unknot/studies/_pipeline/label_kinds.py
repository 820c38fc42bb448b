"""What labels are, which of them are ignored, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from ..._typing import Array
from ..._validation.label_values import LabelValues

IGNORED: Final = (-1, -100)


def notes_on_unlabeled(
    n_samples: int, missing: int, counts: Mapping[Any, int], *, default: bool = False
) -> tuple[str, ...]:
    total = missing + sum(counts.values())
    if not total:
        return ()
    parts = [f"{count:,} with the label {label!r}" for label, count in counts.items()]
    parts += [f"{missing:,} with a missing label"] if missing else []
    return (
        f"{total:,} of {n_samples:,} samples {'is' if total == 1 else 'are'} unlabeled "
        f"({', '.join(parts)}), which means mapped, and left out of every score"
        + ("; ignore_labels=() takes -1 and -100 as classes" if counts and default else ""),
    )


def ignored_labels(ignore_labels: Any) -> tuple[tuple[Any, ...], bool]:
    """Return the labels to ignore, and whether they are those of the default."""
    if ignore_labels is None:
        return (), False
    if isinstance(ignore_labels, str | bytes | int | float | np.generic):
        ignore_labels = (ignore_labels,)
    if not isinstance(ignore_labels, Iterable):
        raise ValueError(
            f"ignore_labels must be a label or a collection of labels; got {ignore_labels!r}"
        )
    listed = tuple(each.item() if isinstance(each, np.generic) else each for each in ignore_labels)
    return listed, listed == IGNORED


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)


def are_numbers(present: Array) -> bool:
    if present.dtype.kind in "iuf":
        return True
    return present.dtype.kind == "O" and all(
        is_number(value) or type(value).__name__ in ("Decimal", "Fraction")
        for value in present.tolist()
    )


def has_fractions(present: Array) -> bool:
    if present.dtype.kind == "O":
        return any(value % 1 != 0 for value in present.tolist() if np.isfinite(float(value)))
    if present.dtype.kind != "f":
        return False
    finite = present[np.isfinite(present)]
    return bool((finite != np.round(finite)).any())


def kind_of(present: Array, taken: LabelValues) -> str:
    if taken.categories is not None:
        return "an ordered categorical"
    if present.dtype.kind in "OT" and len(present):
        return type(present.tolist()[0]).__name__
    return str(present.dtype)


def check_shape(values: Array, n_samples: int | None, name: str) -> None:
    if values.ndim != 1 or (n_samples is not None and len(values) != n_samples):
        wanted = "a sample" if n_samples is None else f"for each of the {n_samples} inputs"
        raise ValueError(f"{name} must hold one label {wanted}; got the shape {values.shape}")
    if not len(values):
        raise ValueError(f"{name} must hold at least one label; got none")
