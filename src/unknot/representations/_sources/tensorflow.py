"""`tf.data` data sets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Final

from .reader import Options, Reader, as_names, split_batch, without_weights

ACCEPTS: Final = "a tf.data.Dataset"


def adapt(data: Any, options: Options) -> Reader | None:
    """Return the reader of a `tf.data` data set."""
    tf = sys.modules.get("tensorflow")
    if tf is None or not isinstance(data, tf.data.Dataset):
        return None
    return TensorFlowReader(tf, data, options)


class TensorFlowReader(Reader):
    """A `tf.data` data set, batched if it is not yet."""

    # It may shuffle, in another order each time.
    is_stable = False

    def __init__(self, tf: Any, data: Any, options: Options) -> None:
        super().__init__(options)
        self.class_names = as_names(getattr(data, "class_names", None))
        if data.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError("data: this tf.data.Dataset repeats without end; use .take(n)")
        specs = tf.nest.flatten(data.element_spec)
        if any(spec.shape.rank == 0 for spec in specs):
            data = data.batch(options.batch_size)
        self._tf, self._data = tf, data

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Yield the batches as arrays."""
        for batch in self._data:
            arrays = self._tf.nest.map_structure(_dense, batch)
            yield split_batch(without_weights(arrays), self.options)


def _dense(tensor: Any) -> Any:
    if hasattr(tensor, "to_tensor"):  # ragged
        tensor = tensor.to_tensor()
    return tensor.numpy()
