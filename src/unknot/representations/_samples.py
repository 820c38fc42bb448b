"""The samples that a model runs on: one array, or several for a multi-input model."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from .._typing import Array
from .._validation.arrays import as_numbers

Batch: TypeAlias = Any
"""An array, or a tuple or dict of arrays with the same samples."""


class Samples:
    """A model's inputs, all of the same length.

    Parameters
    ----------
    inputs : array-like, or tuple, list or dict of array-likes, (n_samples, ...)
        A tuple or dict means several inputs. So does a list if `multi_input` is True, or if it is
        None and the list holds arrays.
    multi_input : bool or None
        Whether the model takes several inputs; None if unknown.

    Raises
    ------
    ValueError
        If there is no sample, or the inputs are of different lengths.
    TypeError
        If an input holds anything but numbers.
    """

    def __init__(self, inputs: Any, *, multi_input: bool | None = None) -> None:
        self.multi_input = isinstance(inputs, (tuple, Mapping)) or (
            isinstance(inputs, list)
            and multi_input is not False
            and (multi_input or all(getattr(part, "ndim", 0) for part in inputs))
        )
        self.parts: dict[Any, Array]
        if isinstance(inputs, Mapping):
            self.parts = {key: _as_array(part, f"inputs[{key!r}]") for key, part in inputs.items()}
        elif self.multi_input:
            self.parts = {i: _as_array(part, f"inputs[{i}]") for i, part in enumerate(inputs)}
        else:
            self.parts = {0: _as_array(inputs, "inputs")}
        self._keyed = isinstance(inputs, Mapping)
        lengths = {key: len(part) if part.ndim else 0 for key, part in self.parts.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"inputs must all have the same number of samples; got {lengths}")
        self.n_samples = next(iter(lengths.values()), 0)
        if not self.n_samples:
            shapes = ", ".join(str(part.shape) for part in self.parts.values())
            raise ValueError(f"inputs must hold at least one sample; got the shape {shapes}")

    def map(self, change: Callable[[Any, Array], Array]) -> "Samples":
        """Apply change(key, array) to each input."""
        result = object.__new__(Samples)
        result.__dict__ |= self.__dict__
        result.parts = {key: change(key, part) for key, part in self.parts.items()}
        return result

    def rows(self, start: int, stop: int) -> Batch:
        """Return a batch; past the last sample, continue with the first."""
        if stop <= self.n_samples:
            return self._batch({key: part[start:stop] for key, part in self.parts.items()})
        indices = np.arange(start, stop) % self.n_samples
        return self._batch({key: part[indices] for key, part in self.parts.items()})

    def _batch(self, parts: dict[Any, Array]) -> Batch:
        if self._keyed:
            return parts
        return tuple(parts.values()) if self.multi_input else parts[0]


def map_batch(batch: Batch, change: Callable[[Any, Array], Any]) -> Any:
    """Apply change(key or position, array) to each array of a batch."""
    if isinstance(batch, dict):
        return {key: change(key, part) for key, part in batch.items()}
    if isinstance(batch, tuple):
        return tuple(change(position, part) for position, part in enumerate(batch))
    return change(0, batch)


def check_inputs(batch: Batch, start: int) -> None:
    """Raise a ValueError if a batch of inputs contains NaN or infinity; some layers hide them."""
    map_batch(batch, lambda key, part: _check_input(key, part, start))


def _check_input(key: Any, part: Array, start: int) -> None:
    if part.dtype.kind != "f" or has_finite_sum(part):
        return
    bad = ~np.isfinite(part).reshape(len(part), -1).all(axis=1)
    if bad.any():
        raise ValueError(
            f"inputs{'' if key == 0 else f'[{key!r}]'} must be finite; got NaN or infinity in "
            f"sample {start + int(np.argmax(bad))} and {int(bad.sum()) - 1} more up to sample "
            f"{start + len(part) - 1}. Remove or replace them"
        )


def has_finite_sum(values: Array) -> bool:
    """Whether the sum is finite, and so every value; far cheaper than testing each value."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.sum(values, dtype=np.float32)))


def cast(array: Array, dtype: Any, name: str) -> Array:
    """Convert values to the dtype of a model's input.

    Raises
    ------
    ValueError
        If that is an integer type and the values are fractions.
    """
    wanted = np.dtype(dtype)
    if array.dtype == wanted:
        return array
    changed = array.astype(wanted)
    if wanted.kind in "iub" and array.dtype.kind == "f" and not np.array_equal(changed, array):
        raise ValueError(
            f"{name}: the model takes {wanted.name}; got fractions such as "
            f"{float(array[changed != array].flat[0])}"
        )
    return changed


def _as_array(part: Any, name: str) -> Array:
    return as_numbers(part, name)
