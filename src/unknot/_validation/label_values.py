"""Labels as people have them: missing entries apart, a column as a vector, categories in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from .._typing import Array
from .arrays import MISSING, as_array, is_sparse, on_host


@dataclass(frozen=True, eq=False)
class LabelValues:
    """Labels as an array, with missing entries marked.

    Attributes
    ----------
    values : ndarray (n_samples,) or (n_samples, n_columns)
        What stands in a missing entry is of no meaning.
    missing : ndarray of bool, of the same shape
        NaN, None, NA, NaT and masked entries.
    categories : tuple of str, or None
        The names of an ordered categorical, in its order.
    """

    values: Array
    missing: Array
    categories: tuple[str, ...] | None = None

    @property
    def present(self) -> Array:
        """The entries that are not missing."""
        return np.asarray(self.values[~self.missing])


def label_values(labels: Any, name: str) -> LabelValues:
    """Read labels of any container; a single column becomes a vector.

    Raises
    ------
    ValueError
        If they are a single value, or rows differ in length.
    TypeError
        If they cannot be read as an array.
    """
    if (ordered := _ordered(labels)) is not None:
        return ordered
    if is_sparse(labels):
        labels = labels.toarray() if hasattr(labels, "toarray") else labels.todense()
    masked = None
    if isinstance(labels, np.ma.MaskedArray):
        masked = np.ma.getmaskarray(labels)
        labels = np.ma.getdata(labels)
    elif isinstance(labels, list | tuple):
        labels = _from_list(labels)
    array = as_array(on_host(labels, name), name)
    if array.ndim == 0:
        raise ValueError(f"{name} must hold one label a sample; got {type(labels).__name__}")
    missing = _missing(array)
    if masked is not None:
        missing |= masked
    if array.ndim == 2 and array.shape[1] == 1:
        array, missing = array[:, 0], missing[:, 0]
    if array.dtype.kind == "V" and array.dtype.names is None:
        array = array.astype(np.float32)  # bfloat16 and the like
    return LabelValues(array, missing)


def _from_list(listed: Sequence[Any]) -> Any:
    """Return a list as an object array where NumPy would convert its entries."""
    kinds = set(map(type, listed))
    text = [kind for kind in kinds if issubclass(kind, str | bytes)]
    wide = any(issubclass(kind, int) for kind in kinds) and any(
        isinstance(value, int) and not -(2**63) <= value < 2**63 for value in listed
    )
    missing = any(value is np.ma.masked or _is_missing(value) for value in listed)
    if not missing and not wide and (not text or len(kinds) == 1):
        return listed
    array = np.empty(len(listed), dtype=object)
    for place, value in enumerate(listed):
        array[place] = None if value is np.ma.masked else value
    return array


def _is_missing(value: Any) -> bool:
    if type(value).__name__ in MISSING:
        return True
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    return isinstance(value, Decimal) and value.is_nan()


def _missing(array: Array) -> Array:
    if array.dtype.kind in "fc" or (array.dtype.kind == "V" and array.dtype.names is None):
        with np.errstate(invalid="ignore"):
            return np.asarray(array != array)
    if array.dtype.kind in "Mm":
        return np.asarray(np.isnat(array))
    if array.dtype.kind in "OT":
        found = np.array([_is_missing(value) for value in array.ravel().tolist()], dtype=bool)
        return found.reshape(array.shape)
    return np.zeros(array.shape, dtype=bool)


def _ordered(labels: Any) -> LabelValues | None:
    """Return the codes and categories of an ordered categorical; None of anything else."""
    dtype = getattr(labels, "dtype", None)
    categories = getattr(dtype, "categories", None)
    held = getattr(labels, "cat", labels)
    if not getattr(dtype, "ordered", False) or categories is None or not hasattr(held, "codes"):
        return None
    codes = np.asarray(held.codes).astype(np.int64)
    return LabelValues(codes, codes < 0, tuple(str(value) for value in categories))
