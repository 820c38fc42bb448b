"""Checks of the arrays a user hands in: errors name the argument, its value and the remedy."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._typing import Array, Labels, Points


def check_points(points: ArrayLike, *, name: str = "points", min_samples: int = 1) -> Points:
    """Return points as a C-contiguous float32 array (n_samples, n_features).

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shape is wrong, there are too few samples, or a value is NaN, infinite or too large
        for float32.
    """
    array = np.asarray(points)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers; got dtype {array.dtype}")
    if array.ndim != 2:
        remedy = f"; reshape it with {name}.reshape(len({name}), -1)" if array.ndim != 0 else ""
        raise ValueError(
            f"{name} must have the shape (n_samples, n_features); got {array.shape}{remedy}"
        )
    if array.shape[1] == 0:
        raise ValueError(f"{name} must have at least one feature; got the shape {array.shape}")
    if array.shape[0] < min_samples:
        raise ValueError(
            f"{name} must have at least {min_samples} sample{'s' * (min_samples > 1)}; "
            f"got {array.shape[0]}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        result = np.ascontiguousarray(array, dtype=np.float32)
        total = result.sum(dtype=np.float64)  # finite if and only if every value is
    if not np.isfinite(total):
        bad = ~np.isfinite(result)
        raise ValueError(
            f"{name} must be finite in float32; got {int(bad.sum())} NaN, infinite or too large "
            f"values, the first in sample {int(np.argwhere(bad)[0][0])}. Remove or replace them"
        )
    return result


def check_labels(
    labels: ArrayLike, n_samples: int, *, name: str = "labels"
) -> tuple[Labels, Array]:
    """Return labels as integers 0..C-1 and the sorted distinct values they stand for.

    Raises
    ------
    ValueError
        If there is not one label for each sample, or a label is missing (NaN or None).
    TypeError
        If labels are neither integers, strings nor booleans.
    """
    array = np.asarray(labels)
    if array.ndim != 1 or len(array) != n_samples:
        raise ValueError(
            f"{name} must hold one label for each of the {n_samples} samples; "
            f"got the shape {array.shape}"
        )
    array = _as_class_values(array, name)
    values, codes = np.unique(array, return_inverse=True)
    return codes.astype(np.int64), values


def _as_class_values(array: Array, name: str) -> Array:
    if array.dtype.kind in "biuUS":
        return array
    if array.dtype.kind == "f":
        if np.isnan(array).any():
            raise ValueError(
                f"{name} has {int(np.isnan(array).sum())} missing values (NaN); "
                "remove those samples or give them a class of their own"
            )
        if np.all(array == np.round(array)) and np.all(np.abs(array) < 2**53):
            return array.astype(np.int64)
        raise TypeError(
            f"{name} must be classes (integers or strings); got fractions such as "
            f"{float(array[array != np.round(array)][0])}"
        )
    if array.dtype.kind in "OT" and all(isinstance(value, str) for value in array):
        return array.astype(np.str_)
    kinds: Any = sorted({type(value).__name__ for value in array.tolist()})
    raise TypeError(f"{name} must be integers or strings; got {', '.join(kinds)}")
