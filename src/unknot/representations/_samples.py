"""The samples that a model runs on: one array, or several for a multi-input model."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from .._typing import Array
from .._validation.arrays import as_numbers
from ._masks import MASK, check_mask, masks_in

Batch: TypeAlias = Any
"""An array, or a tuple or dict of arrays with the same samples."""


class Source(ABC):
    """Where a model's inputs come from: arrays, or batches that are read again and again.

    Attributes
    ----------
    n_samples : int
    multi_input : bool
        Whether the model takes several inputs.
    can_slice : bool
        Whether batches of any size can be taken.
    first_size : int
        The size of the first batch.
    parts : mapping of str or int to ndarray
        The inputs by name or place; of batches, those of the first one.
    """

    n_samples: int
    multi_input: bool
    parts: Mapping[Any, Array]
    can_slice: bool = True
    first_size: int = 0

    @abstractmethod
    def first(self, size: int) -> Batch:
        """Return a batch of this size from the beginning."""

    @abstractmethod
    def batches(self, size: int, *, pad: bool = False) -> Iterator[tuple[int, int, Batch]]:
        """Yield the first and the last row of each batch, and the batch, in the same order always.

        Parameters
        ----------
        size : int
            The largest size of a batch.
        pad : bool
            Whether to fill the last batch up to this size.
        """

    @abstractmethod
    def spread(self, size: int) -> Batch:
        """Return a batch of samples that are spread over all."""

    def masks(self, batch: Batch, start: int, stop: int) -> dict[str, Array]:
        """Return the masks of a batch of these rows, (n_samples, length), by name."""
        return masks_in(batch)


class Samples(Source):
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

    def first(self, size: int) -> Batch:
        """Return the first samples as a batch."""
        return self.rows(0, size)

    def batches(self, size: int, *, pad: bool = False) -> Iterator[tuple[int, int, Batch]]:
        """Yield batches of this size."""
        for start in range(0, self.n_samples, size):
            stop = min(start + size, self.n_samples)
            yield start, stop, self.rows(start, start + size if pad else stop)

    def spread(self, size: int) -> Batch:
        """Return samples that are evenly spaced."""
        rows = np.linspace(0, self.n_samples - 1, size).astype(np.int64)
        return self.map(lambda _, part: part[rows]).rows(0, size)

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


def list_parts(batch: Batch) -> list[Array]:
    """Return the arrays of a batch; none of one that is an object of its own kind."""
    parts: list[Array] = []
    map_batch(batch, lambda _, part: parts.append(part) if isinstance(part, np.ndarray) else None)
    return parts


def check_inputs(batch: Batch, start: int) -> None:
    """Raise a ValueError if a batch of inputs contains NaN or infinity; some layers hide them."""
    map_batch(batch, lambda key, part: _check_input(key, part, start))


def _check_input(key: Any, part: Any, start: int) -> None:
    if not isinstance(part, np.ndarray) or part.dtype.kind != "f" or has_finite_sum(part):
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


class Masked(Source):
    """Samples with a mask that is no input of the model."""

    def __init__(self, samples: Source, mask: Any) -> None:
        self._samples = samples
        self._mask = check_mask(mask, samples.n_samples)
        self.n_samples, self.multi_input = samples.n_samples, samples.multi_input
        self.can_slice, self.first_size = samples.can_slice, samples.first_size
        self.parts = samples.parts

    def first(self, size: int) -> Batch:
        """Return the first samples as a batch."""
        return self._samples.first(size)

    def batches(self, size: int, *, pad: bool = False) -> Iterator[tuple[int, int, Batch]]:
        """Yield batches of this size."""
        return self._samples.batches(size, pad=pad)

    def spread(self, size: int) -> Batch:
        """Return samples that are evenly spaced."""
        return self._samples.spread(size)

    def masks(self, batch: Batch, start: int, stop: int) -> dict[str, Array]:
        """Return the given mask of these rows beside those of the batch."""
        rows = np.arange(start, max(stop, start + 1)) % self.n_samples
        return {**masks_in(batch), MASK: self._mask[rows]}
