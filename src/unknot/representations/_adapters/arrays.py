"""Stored layers: a dict of layer -> points, as read from a ``.npz`` file."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from ..._typing import Array
from ..._validation.arrays import as_numbers, on_host
from ..._validation.points import as_float32, is_float32, max_abs
from ..._validation.precision import SHARE, precision_message
from .._samples import Batch, Samples, Source
from .base import Adapter, Fresh, RunBatch, Sink

ACCEPTS: Final = "a dict of layer -> points"


def adapt(model: Any) -> Adapter | None:
    """Return the adapter of a mapping of names to arrays."""
    return ArraysAdapter(model) if isinstance(model, Mapping) else None


class ArraysAdapter(Adapter):
    """Arrays of the same samples, by layer; each batch is passed on unchanged."""

    multi_input = True
    computes = False

    def __init__(self, arrays: Mapping[Any, Any]) -> None:
        super().__init__(arrays, "arrays")
        if not arrays:
            raise ValueError("model: a dict of layer -> points must hold at least one layer")
        self._arrays: dict[str, Array] = {}
        notes: list[str] = []
        for name, given in arrays.items():
            if not isinstance(name, str):
                raise TypeError(f"model: layers must be named by strings; got {name!r}")
            array = as_numbers(given, f"model: {name!r}")
            if array.ndim < 2:
                raise ValueError(
                    f"model: {name!r} must have the shape (n_samples, ...) of two dimensions or "
                    f"more; got {array.shape}"
                )
            # NaN and infinity are reported, with their shares, when the layer is extracted.
            if array.size and not is_float32(array.dtype) and np.isfinite(max_abs(array)):
                array, moved, blurred = as_float32(array, name=f"model: {name!r}")
                if blurred > SHARE:
                    notes.append(f"{name}: {precision_message(blurred)}")
                if moved:
                    notes.append(
                        f"{name} is given relative to the sample nearest to its mean: float32 "
                        "could not tell its values apart where they are"
                    )
            self._arrays[name] = array
        self.notes = notes

    def samples(self, inputs: Any) -> Samples:
        """Return the arrays as samples; inputs, if given, must have the same length."""
        lengths = {name: len(array) for name, array in self._arrays.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"model: layers must all have the same number of samples; got {lengths}"
            )
        samples = Samples(self._arrays)
        inputs = on_host(inputs, "inputs")
        if inputs is not None and (given := len(inputs)) != samples.n_samples:
            raise ValueError(
                f"inputs: the layers hold {samples.n_samples} samples; got {given}. Give None"
            )
        return samples

    def check(self, samples: Source) -> None:
        """Do nothing: `samples` has checked them."""

    def definition(self) -> Iterator[tuple[str, Array | str]]:
        """Yield the arrays."""
        yield from self._arrays.items()

    def untrained(self, random_state: int) -> Fresh:
        """Raise a ValueError: there is no network."""
        raise ValueError("arrays are not the layers of a network")

    @contextmanager
    def capture(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Pass on the stored layers."""

        def run(batch: Batch) -> Any:
            for name, rows in batch.items():
                if wanted is None or name in wanted:
                    sink(name, "array", np.asarray(rows, np.float32))
            return None

        yield run
