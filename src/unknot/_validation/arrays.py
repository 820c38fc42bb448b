"""Conversion of any array-like to NumPy: lists, frames, tensors, sparse matrices.

Nothing is lost silently: what NumPy would drop (masks, the values of a sparse matrix, missing
entries of a frame, imaginary parts) is kept or refused.
"""

from __future__ import annotations

import numbers
import sys
from decimal import Decimal
from typing import Any

import numpy as np

from .._typing import Array

# Sparse points are converted to dense up to this size as float32.
DENSE_BYTES = 2**30
# Type names of missing entries, of pandas among others, which need not be imported for this.
MISSING = frozenset({"NoneType", "NAType", "NaTType"})
# Prefixes of the column dtypes that scikit-learn would convert in its own way.
CONVERTED_DTYPES = ("object", "str", "Sparse")


def is_sparse(values: Any) -> bool:
    """Whether values are a sparse matrix or array, of SciPy or similar."""
    return hasattr(values, "tocsr") or (hasattr(values, "todense") and hasattr(values, "nnz"))


def is_scipy_sparse(values: Any) -> bool:
    """Whether values are a sparse matrix or array of SciPy, which is not imported for this."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(values))


def on_host(values: Any, name: str) -> Any:
    """Return tensors of deep-learning frameworks as NumPy arrays, anything else unchanged.

    Raises
    ------
    ValueError
        If entries are masked, which NumPy would ignore.
    TypeError
        If the values of a tensor cannot be read.
    """
    if isinstance(values, list | tuple):
        return _plain_rows(values, name)
    if isinstance(values, np.ma.MaskedArray):
        _refuse_masked(values, name)
        return np.asarray(values)
    if hasattr(
        values, "detach"
    ):  # a PyTorch tensor with a gradient, or on a device, has no array interface
        return _from_torch(values, name)
    return values


def as_array(values: Any, name: str) -> Array:
    """Return any array-like as an array, of whatever dtype.

    Raises
    ------
    ValueError
        If entries are masked, or rows differ in length.
    TypeError
        If they cannot be read as an array, or are sparse.
    """
    values = on_host(values, name)
    if is_sparse(values):
        raise TypeError(f"{name} must not be sparse; pass {name}.toarray()")
    try:
        array = np.asarray(values)
    except ValueError as error:
        if "inhomogeneous" in str(error):
            raise ValueError(f"{name} must have rows of the same length: {error}") from error
        raise ValueError(f"{name} cannot be read as an array: {error}") from error
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise TypeError(
            f"{name} cannot be read as an array; got {type(values).__name__} ({error}). "
            "Convert it to a NumPy array"
        ) from error
    if isinstance(array, np.ma.MaskedArray):
        _refuse_masked(array, name)
    if array.ndim == 0 and array.dtype == object:
        raise TypeError(f"{name} must be array-like; got {type(values).__name__}")
    return array


def as_numbers(values: Any, name: str) -> Array:
    """Return any array-like as an array of real numbers, in its own precision.

    Sparse matrices are converted to dense up to 1 GiB as float32. Frames and object arrays of
    numbers become float64; 8- and 16-bit floats that NumPy does not know become float32.

    Raises
    ------
    ValueError
        If entries are masked or missing, rows differ in length, or sparse values are too large.
    TypeError
        If the values are not real numbers.
    """
    values = on_host(values, name)
    if is_sparse(values):
        values = _dense(values, name)
    array = as_array(values, name)
    if array.dtype.kind == "O":
        return _numbers_of_objects(array, name)
    if is_small_float(array.dtype):
        return array.astype(np.float32)  # bfloat16 and the like, of JAX and TensorFlow
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers; got dtype {array.dtype}")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def as_samples(values: Any, name: str) -> Array:
    """Return a model's inputs: real numbers as `as_numbers` does, strings unchanged.

    Raises
    ------
    TypeError, ValueError
        As `as_numbers`.
    """
    values = on_host(values, name)
    if not is_sparse(values):
        values = as_array(values, name)
        if values.dtype.kind in "UST" or (
            values.dtype.kind == "O"
            and all(isinstance(value, str | bytes) for value in values.ravel().tolist())
        ):
            return np.asarray(values)
    return as_numbers(values, name)


def for_estimator(values: Any, name: str) -> Any:
    """Return points for scikit-learn's checks, which keep a frame's names but ignore masks.

    Raises
    ------
    TypeError, ValueError
        As `on_host`.
    """
    values = on_host(values, name)
    if isinstance(values, list | tuple) and _holds_half(values):
        return as_numbers(values, name)
    if is_sparse(values) or not hasattr(values, "__array__"):
        return values
    if hasattr(values, "iloc"):
        # Strings, which scikit-learn would parse as numbers, and sparse columns.
        converted = any(
            str(dtype).startswith(CONVERTED_DTYPES) for dtype in np.atleast_1d(values.dtypes)
        )
        return as_numbers(values, name) if converted else values
    array = as_array(values, name)
    if array.dtype.kind == "V" or any(isinstance(v, str) for v in _objects_of(array)):
        return as_numbers(array, name)
    return array


def is_small_float(dtype: Any) -> bool:
    """Whether a dtype is a float that NumPy does not know, such as bfloat16."""
    return bool(dtype.kind == "V" and dtype.names is None and dtype.type is not np.void)


def _holds_half(values: Any) -> bool:
    """Whether the first value of nested lists is a float that NumPy does not know."""
    while isinstance(values, list | tuple) and values:
        values = values[0]
    return isinstance(values, np.ndarray | np.generic) and is_small_float(values.dtype)


def _objects_of(array: Array) -> list[Any]:
    listed: list[Any] = array.ravel().tolist() if array.dtype == object else []
    return listed


def _refuse_masked(values: Any, name: str) -> None:
    count = int(np.count_nonzero(np.ma.getmaskarray(values)))
    if count:
        raise ValueError(
            f"{name} has {count} masked entries, which cannot be left out one by one. Replace them "
            "with .filled(value), or drop their samples"
        )


def _plain_rows(values: Any, name: str) -> Any:
    """Return a list with its tensors as arrays; refuse masked entries anywhere in it."""
    kinds = set(map(type, values))
    if any(issubclass(kind, np.ma.MaskedArray | list | tuple) for kind in kinds) or any(
        hasattr(kind, "detach") for kind in kinds
    ):
        return [
            on_host(value, f"{name}[{place}]")
            if isinstance(value, np.ma.MaskedArray | list | tuple) or hasattr(value, "detach")
            else value
            for place, value in enumerate(values)
        ]
    return values


def _from_torch(tensor: Any, name: str) -> Any:
    tensor = tensor.detach()
    if getattr(tensor, "is_quantized", False):
        tensor = tensor.dequantize()
    if "strided" not in str(getattr(tensor, "layout", "strided")):
        tensor = tensor.to_dense()
    dtype = str(getattr(tensor, "dtype", ""))
    if "bfloat16" in dtype or "float8" in dtype:
        tensor = tensor.float()
    try:
        tensor = tensor.cpu()
        return tensor.resolve_neg().resolve_conj().numpy()
    except AttributeError:  # not a PyTorch tensor
        return np.asarray(tensor)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise TypeError(f"{name} holds a tensor whose values cannot be read: {error}") from error


def _dense(values: Any, name: str) -> Any:
    size = int(np.prod(values.shape, dtype=np.float64))
    if 4 * size > DENSE_BYTES:
        raise ValueError(
            f"{name} is sparse, and would take {4 * size / 2**30:.1f} GiB as a dense array. Reduce "
            "its features first, or pass a part of the samples with .toarray()"
        )
    return values.toarray() if hasattr(values, "toarray") else values.todense()


def _numbers_of_objects(array: Array, name: str) -> Array:
    """Convert an object array of numbers to float64; raise if it holds anything else."""
    listed = _objects_of(array)
    kinds = set(map(type, listed))
    missing = sum(type(value).__name__ in MISSING for value in listed)
    if missing:
        raise ValueError(
            f"{name} has {missing} missing values (None or NA). Remove or replace them, such as "
            "with fillna"
        )
    others = sorted(
        kind.__name__
        for kind in kinds
        if not issubclass(kind, numbers.Real | Decimal | np.bool_ | np.number)
        or issubclass(kind, np.complexfloating)
    )
    if others:
        raise TypeError(f"{name} must hold real numbers; got {', '.join(others[:5])}")
    try:
        return array.astype(np.float64)
    except OverflowError as error:
        raise ValueError(f"{name} must be finite in float64; got a larger integer") from error
