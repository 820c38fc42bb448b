"""Validation of labels: any type of labels as class numbers 0..C-1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._typing import Array, Labels
from .arrays import MISSING, as_array, is_sparse, on_host


def check_labels(
    labels: Any, n_samples: int | None = None, *, name: str = "labels"
) -> tuple[Labels, Array]:
    """Return labels as codes 0..C-1, and the sorted distinct class values.

    Labels are integers of up to 64 bits, strings (bytes are taken as UTF-8), booleans, or whole
    numbers in floating point, in any array, sequence, series or tensor.

    Raises
    ------
    ValueError
        If there is not one label for each sample, or a label is masked, missing (NaN, None or NA),
        infinite, or a float too large to be an exact integer.
    TypeError
        If labels are neither integers, strings nor booleans, or are of several kinds.
    """
    if is_sparse(labels):
        raise TypeError(f"{name} must not be sparse; flatten them, such as with .toarray().ravel()")
    labels = on_host(labels, name)
    if isinstance(labels, list | tuple):
        _refuse_mixed(labels, name)
    array = as_array(labels, name)
    if array.ndim == 0:
        raise ValueError(f"{name} must hold one label a sample; got {type(labels).__name__}")
    if array.ndim != 1 or (n_samples is not None and len(array) != n_samples):
        wanted = "a" if n_samples is None else f"for each of the {n_samples}"
        raise ValueError(
            f"{name} must hold one label {wanted} sample{'s' * (n_samples is not None)}; "
            f"got the shape {array.shape}{_remedy(array)}"
        )
    values, codes = np.unique(_as_class_values(array, name), return_inverse=True)
    return codes.astype(np.int64), values


def _remedy(array: Array) -> str:
    if array.ndim == 2 and array.shape[1] == 1:
        return ". Flatten it, such as with numpy.ravel"
    if array.ndim == 2:
        return ". If it is one-hot, pass its argmax(axis=1)"
    return ""


def _refuse_mixed(listed: Sequence[Any], name: str) -> None:
    """Raise if NumPy would convert labels of mixed types to strings, or to other numbers."""
    kinds = set(map(type, listed))
    missing = 0
    if any(_can_be_missing(kind) for kind in kinds):
        missing = sum(type(value).__name__ in MISSING or _is_nan(value) for value in listed)
    if missing:
        _raise_missing(missing, name)
    text = {kind for kind in kinds if issubclass(kind, str)}
    binary = {kind for kind in kinds if issubclass(kind, bytes)}
    if (text or binary) and kinds not in (text, binary):
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TypeError(
            f"{name} must be all strings or all integers; got {found}. Convert each, such as with "
            "str"
        )
    if kinds and all(issubclass(kind, int | np.integer) for kind in kinds):
        low, high = min(map(int, listed)), max(map(int, listed))
        if low < -(2**63) or high >= 2**64 or (low < 0 and high >= 2**63):
            raise ValueError(
                f"{name} must be integers of 64 bits; got {low} to {high}. Give them as strings"
            )


def _can_be_missing(kind: type) -> bool:
    return kind.__name__ in MISSING or issubclass(kind, float | np.floating)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _raise_missing(count: int, name: str) -> None:
    raise ValueError(
        f"{name} has {count} missing values (NaN, None or NA); remove those samples or give them "
        "a class of their own. A study leaves them out by itself"
    )


def _as_class_values(array: Array, name: str) -> Array:
    if array.dtype.kind in "biuU":
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "f":
        return _integral_floats(array, name)
    if array.dtype.kind == "S":
        return _decoded(array, name)
    if array.dtype.kind in "OT":
        return _from_objects(array, name)
    if array.dtype.kind in "Mm":
        raise TypeError(f"{name} must be integers or strings; got {array.dtype}. Pass .astype(str)")
    raise TypeError(f"{name} must be integers or strings; got dtype {array.dtype}")


def _integral_floats(array: Array, name: str) -> Array:
    if missing := int(np.isnan(array).sum()):
        _raise_missing(missing, name)
    if infinite := int(np.isinf(array).sum()):
        raise ValueError(
            f"{name} has {infinite} infinite values; remove those samples or give them a class of "
            "their own"
        )
    fractions = array != np.round(array)
    if fractions.any():
        raise TypeError(
            f"{name} must be classes (integers or strings); got fractions such as "
            f"{float(array[fractions][0])}"
        )
    # Beyond this limit distinct integers may be the same float.
    limit = 2 ** min(np.finfo(array.dtype).nmant + 1, 62)
    if len(array) and float(np.abs(array).max()) >= limit:
        raise ValueError(
            f"{name} of {array.dtype} must be below {limit}, beyond which it does not hold every "
            f"whole number; got {float(np.abs(array).max()):.17g}. Give them as integers or strings"
        )
    return array.astype(np.int64)


def _decoded(array: Array, name: str) -> Array:
    try:
        return np.char.decode(array, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} holds bytes that are not UTF-8; pass strings: {error}") from error


def _from_objects(array: Array, name: str) -> Array:
    """Return an object array of strings or integers with its proper type."""
    listed = array.tolist()
    _refuse_mixed(listed, name)
    kinds = set(map(type, listed))
    if all(issubclass(kind, str) for kind in kinds):
        return np.array(listed, dtype=np.str_)
    if all(issubclass(kind, bytes) for kind in kinds):
        return _decoded(np.array(listed, dtype=np.bytes_), name)
    if all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return array.astype(np.bool_)
    if all(issubclass(kind, int | np.integer | np.bool_) for kind in kinds):
        return np.array([int(value) for value in listed])
    if all(issubclass(kind, int | float | np.integer | np.floating | np.bool_) for kind in kinds):
        return _integral_floats(array.astype(np.float64), name)
    names = sorted(kind.__name__ for kind in kinds)
    raise TypeError(
        f"{name} must be integers or strings; got {', '.join(names[:5])}. Convert each, such as "
        "with str"
    )
