"""Convert raw arrays to a `Dataset`: scaling, labels 0..C-1, class names."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._typing import Array, Float32
from .._validation.arrays import as_array, as_numbers
from .._validation.points import check_labels, is_float32, loses_precision
from .._validation.precision import warn_if_imprecise
from ._dataset import Dataset, DatasetError, Split

# Features whose offset is more than this times their spread keep under three digits in float32.
MAX_OFFSET = 2**14


class RawSplit(NamedTuple):
    """Inputs and labels as they were read, and their names for error messages."""

    inputs: ArrayLike
    labels: ArrayLike
    inputs_name: str
    labels_name: str


def build_dataset(
    name: str,
    train: RawSplit,
    test: RawSplit | None = None,
    *,
    class_names: Sequence[str] | None = None,
    order_known: bool | None = None,
) -> Dataset:
    """Convert raw arrays; the classes are the sorted distinct labels of the training samples.

    Parameters
    ----------
    name : str
        The name of the data set.
    train, test : RawSplit
        The splits; `test` is optional.
    class_names : sequence of str, optional
        One for each of the sorted distinct labels; by default the labels themselves. Where labels
        are strings, the same strings in another order.
    order_known : bool, optional
        Whether the classes stand in the order of a model's outputs. By default, if labels are
        consecutive integers or booleans, or `class_names` puts strings in their order.
    """
    inputs = as_inputs(train.inputs, train.inputs_name)
    codes, values = _class_codes(train, len(inputs))
    listed = values.tolist()
    names = check_class_names(
        [str(value) for value in listed] if class_names is None else class_names, listed
    )
    reordered = set(names) == set(listed)
    if reordered:
        # The same strings: codes follow the order that was given, and no class is renamed.
        place = np.array([names.index(value) for value in listed], dtype=np.int64)
        codes = place[codes]
    else:
        place = np.arange(len(listed))
    if order_known is None:
        order_known = (reordered and class_names is not None) or _is_numbering(values)
    train_split = Split(inputs, codes, names, order_known)
    if test is None:
        return Dataset(name, train_split)
    test_inputs = as_inputs(test.inputs, test.inputs_name)
    test_codes, test_values = _class_codes(test, len(test_inputs))
    unknown = sorted(set(test_values.tolist()) - set(values.tolist()))
    if unknown:
        raise DatasetError(
            f"{test.labels_name} has classes that {train.labels_name} lacks: "
            f"{', '.join(map(repr, unknown[:5]))}{', ...' * (len(unknown) > 5)}. "
            "Remove those samples, or add some of their classes to the training set"
        )
    train_codes = place[np.searchsorted(values, test_values)]
    test_split = Split(test_inputs, train_codes[test_codes], names, order_known)
    return Dataset(name, train_split, test_split)


def _is_numbering(values: Array) -> bool:
    """Whether sorted labels are consecutive integers, or booleans: then outputs follow them."""
    listed = values.tolist()
    if values.dtype.kind == "b":
        return len(listed) == 2
    if values.dtype.kind == "U":
        if not all(text.isdecimal() and str(int(text)) == text for text in listed):
            return False
        listed = list(map(int, listed))
    return listed in (list(range(len(listed))), list(range(1, len(listed) + 1)))


def as_inputs(values: ArrayLike, name: str) -> Float32[Array, "samples ..."]:
    """Convert inputs to float32; scale pixels to [0, 1] and add a channel axis to gray images."""
    try:
        array = as_numbers(values, name)
    except (TypeError, ValueError) as error:
        raise DatasetError(str(error)) from error
    if array.ndim < 2:
        raise DatasetError(
            f"{name} must have the shape (n_samples, n_features), (n_samples, height, width) or "
            f"(n_samples, height, width, channels); got {array.shape}"
        )
    if 0 in array.shape:
        raise DatasetError(f"{name} is empty: it has the shape {array.shape}")
    if array.ndim == 3:
        array = array[..., np.newaxis]
    return _scale(array, name)


def _scale(array: Array, name: str) -> Float32[Array, "samples ..."]:
    """Divide unsigned 8- and 16-bit pixels by their maximum; keep floats as they are.

    The range of other integer types says nothing about the values: dividing an int64 image with
    values 0..255 by its maximum would make it black.
    """
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        # In one pass, without another float copy.
        result: Array = np.divide(array, np.float32(np.iinfo(array.dtype).max), dtype=np.float32)
        return np.ascontiguousarray(result)
    if array.dtype.kind == "b":
        return np.ascontiguousarray(array, dtype=np.float32)
    if array.dtype.kind in "iu":
        raise DatasetError(
            f"{name} holds {array.dtype}, whose range says nothing about the values. Convert "
            "pixels 0..255 with .astype('uint8'), or other numbers with .astype('float32')"
        )
    if loses_precision(array.reshape(len(array), -1), MAX_OFFSET):
        raise DatasetError(
            f"{name} has features so far from 0 that float32, which models take, cannot tell their "
            "values apart. Subtract their mean from them"
        )
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        result = np.ascontiguousarray(array, dtype=np.float32)
    finite = np.isfinite(result).reshape(len(result), -1).all(axis=1)
    if not finite.all():
        raise DatasetError(
            f"{name} has NaN, infinite or too large values in {int((~finite).sum())} samples, "
            f"first in sample {int(np.argmin(finite))}. Remove or replace them"
        )
    if not is_float32(array.dtype):
        flat = array.reshape(len(array), -1)
        warn_if_imprecise(lambda rows: flat[rows], flat.shape, name=name)
    return result


def _class_codes(raw: RawSplit, n_samples: int) -> tuple[Array, Array]:
    try:
        labels = raw.labels
        array = as_array(labels, raw.labels_name)
        if array.ndim == 2 and array.shape[1] == 1:
            labels = array[:, 0]  # Keras' CIFAR labels are a column
        elif array.ndim == 2:
            raise DatasetError(
                f"{raw.labels_name} must hold one label per sample; got the shape {array.shape}. "
                "If it is one-hot, take labels.argmax(axis=1)"
            )
        if array.ndim and len(array) != n_samples and array.ndim < 3:
            raise DatasetError(
                f"{raw.inputs_name} has {n_samples} samples and {raw.labels_name} has "
                f"{len(array)} labels; there must be one label for each sample"
            )
        return check_labels(labels, n_samples, name=raw.labels_name)
    except (TypeError, ValueError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(str(error)) from error


def check_class_names(class_names: Sequence[str], values: Sequence[object]) -> tuple[str, ...]:
    """Return the names as a tuple, after checking that there is one for each class.

    Raises
    ------
    TypeError
        If they are not strings.
    DatasetError
        If their number is not that of the classes, or two are the same.
    """
    names = tuple(class_names)
    if isinstance(class_names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"class_names must be a sequence of strings; got {class_names!r}")
    if len(names) != len(values):
        listed = ", ".join(str(value) for value in values[:12])
        raise DatasetError(
            f"class_names must have one name for each of the {len(values)} classes "
            f"({listed}{', ...' * (len(values) > 12)}); got {len(names)}"
        )
    if len(set(names)) != len(names):
        raise DatasetError(f"class_names must be different from each other; got {names}")
    return names
