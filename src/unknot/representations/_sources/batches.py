"""Iterables of batches: lists, generators, and any object with ``__iter__``; Keras' PyDataset."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from .reader import Options, Reader, split_batch, without_weights

ACCEPTS: Final = "an iterable of batches (inputs, labels) or {name: array, 'labels': labels}"


def adapt(data: Any, options: Options) -> Reader | None:
    """Return the reader of an iterable of batches."""
    keras = sys.modules.get("keras")
    if keras is not None and isinstance(data, keras.utils.PyDataset):
        return PyDatasetReader(data, options)
    if isinstance(data, tuple):
        return None
    if isinstance(data, list):
        return BatchesReader(data, options) if data and all(map(is_batch, data)) else None
    if isinstance(data, str | bytes | Mapping) or hasattr(data, "shape") or hasattr(data, "iloc"):
        return None
    if hasattr(data, "__fspath__") or not isinstance(data, Iterable):
        return None
    return BatchesReader(data, options)


def is_batch(item: Any) -> bool:
    """Whether an item of a list is a batch: several arrays, or an object that holds some."""
    if isinstance(item, tuple | Mapping):
        return len(item) > 1
    plain = item is None or isinstance(item, list | str | bytes | int | float | complex)
    return not plain and not hasattr(item, "shape") and not hasattr(item, "__array__")


class BatchesReader(Reader):
    """Batches as an iterable gives them."""

    def __init__(self, data: Iterable[Any], options: Options) -> None:
        super().__init__(options)
        self._data = data
        self.is_stable = isinstance(data, list)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Yield the batches."""
        for batch in self._data:
            yield split_batch(batch, self.options)


class PyDatasetReader(Reader):
    """A `keras.utils.PyDataset`, by its indices.

    Its ``on_epoch_end`` is not called, as it may shuffle.
    """

    def __init__(self, data: Any, options: Options) -> None:
        super().__init__(options)
        self._data = data
        if not isinstance(data.num_batches, int):
            raise ValueError("data: this PyDataset has no end; give it num_batches, or a __len__")

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Yield the batches."""
        for place in range(self._data.num_batches):
            yield split_batch(without_weights(self._data[place]), self.options)
