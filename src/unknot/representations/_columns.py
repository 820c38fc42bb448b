"""From the model to memory or disk: the rows of each layer, checked and reduced."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .._typing import Array
from ._adapters.base import INPUTS
from ._extents import Extent
from ._layers import Found, Layer, same_values
from ._reduction import Reducer, describe_reduction
from ._samples import has_finite_sum
from ._store import InMemory, OnDisk, Store, prefault_pages, select_fitting


class NotAViewError(Exception):
    """A layer that seemed to be a view of another is not."""

    def __init__(self, layer: str) -> None:
        super().__init__(layer)
        self.layer = layer


class Column:
    """The rows of one layer.

    Parameters
    ----------
    found : Found
        The layer, and the axis of the samples in its values.
    reducer : Reducer
        How its values are reduced.
    base : Column or None
        The column of the layer that this one is a view of, if that is kept too.
    """

    def __init__(self, found: Found, reducer: Reducer, base: "Column | None" = None) -> None:
        self.found = found
        self.layer = found.layer
        self.reducer = reducer
        self.base = base
        self.place: InMemory | OnDisk | None = None
        self.n_written = 0
        self.keeps_batch = False
        """Whether its current batch is needed to verify views of it."""
        self.problem = ""
        """Why the layer is left out; empty while it is not."""
        self._axis = found.axis or 0
        self._batch: Array | None = None
        self._extent = Extent()

    def append(
        self, values: Array, start: int, stop: int, raw: Array | None, masks: dict[str, Array]
    ) -> None:
        """Check, reduce and keep the layer's values; `raw` is the batch of inputs."""
        if self._axis:
            values = np.moveaxis(values, self._axis, 0)
        pooling = self.reducer.pooling
        fits = values.shape[1:] == self.layer.shape or (
            pooling is not None and pooling.takes(values.shape[1:])
        )
        if not fits or len(values) < stop - start:
            raise ValueError(
                f"layers: {self.layer.name!r} has the shape {values.shape} for samples {start} to "
                f"{stop - 1}, and {self.layer.shape} per sample before; leave it out"
            )
        rows = values[: stop - start]
        self.n_written = stop
        if self.base is not None and self.base.problem:
            self.problem = self.base.problem
        if self.problem:
            return
        if self.layer.same_as is not None:
            original = raw if self.base is None else self.base._batch
            if original is None or not same_values(rows, original[: len(rows)]):
                raise NotAViewError(self.layer.name)
        elif not has_finite_sum(rows) and (problem := _not_finite(rows, start)):
            self.problem = problem
            return
        if self.place is None:
            return
        self._extent.add(rows)
        mask = None if pooling is None else masks.get(pooling.mask)
        reduced = self.reducer.apply(rows, start, None if mask is None else mask[: len(rows)])
        places = getattr(pooling, "places", None)
        first = start if places is None else places.between(start, stop).start
        with np.errstate(over="ignore"):  # told when all is written
            self.place.write(first, reduced)
        if self.keeps_batch:
            # A copy: in-place operations may change the values before a view runs.
            if isinstance(self.place, InMemory) and self.reducer.exact:
                self._batch = self.place.array[start:stop]
            else:
                self._batch = np.array(rows)

    def settle(self) -> None:
        """Leave the layer out if float32 does not hold what was written."""
        self.problem = self.problem or self._extent.problem()
        if self.base is not None and self.base.problem:
            self.problem = self.base.problem

    def report(self) -> dict[str, Any]:
        """Return how the values were reduced; views share the reduction of their base."""
        return self.base.report() if self.base is not None else self.reducer.report()

    def described(self, reports: dict[str, dict[str, Any]]) -> Layer:
        """Return the layer with its reduction as text."""
        name = self.layer.name
        parts = [
            self.layer.description,
            describe_reduction(reports[name]) if name in reports else "",
        ]
        return replace(self.layer, description="; ".join(filter(None, parts)))


def resolve_aliases(found: Sequence[Found]) -> list[Found]:
    """Set `same_as` of views to the first selected layer with the same values."""
    first: dict[str, str] = {INPUTS: INPUTS}
    result = []
    for entry in found:
        name, base = entry.layer.name, entry.layer.same_as
        original = first.setdefault(base or name, name)
        same_as = None if original == name else original
        result.append(replace(entry, layer=replace(entry.layer, same_as=same_as)))
    return result


def without_view(found: Found, layer: str) -> Found:
    """Clear `same_as` if the entry is of this layer."""
    if found.layer.name != layer:
        return found
    return replace(found, layer=replace(found.layer, same_as=None))


def plan(
    found: Sequence[Found],
    reducers: dict[str, Reducer],
    n_samples: int,
    places: Store,
    budget: int,
) -> dict[str, Column]:
    """Assign each layer a place in memory or on disk.

    Views share the values of their base, except unreduced views on disk in a store that is not
    numbered: these are copies.
    """
    columns: dict[str, Column] = {}
    for entry in found:
        name = entry.layer.name
        base = columns.get(entry.layer.same_as or "")
        columns[name] = Column(entry, reducers[name], base)
        if base is not None:
            base.keeps_batch = True
    own = [column for column in columns.values() if column.base is None]
    sizes = [4 * n_samples * int(np.prod(column.reducer.shape)) for column in own]
    fits = select_fitting(sizes, budget)
    on_disk = [column for column, fit in zip(own, fits, strict=True) if not fit]
    on_disk += [
        column
        for column in columns.values()
        if not places.numbered
        and column.base is not None
        and column.base in on_disk
        and column.base.reducer.exact
    ]
    for column in on_disk:
        if column.base is not None:
            column.reducer = Reducer(column.found, n_samples)
    places.reserve(sum(4 * n_samples * int(np.prod(column.reducer.shape)) for column in on_disk))
    for column in own:
        if column not in on_disk:
            column.place = InMemory(n_samples, column.reducer.shape)
    prefault_pages([c.place.array for c in columns.values() if isinstance(c.place, InMemory)])
    for column in on_disk:
        column.place = places.column(column.layer.name, n_samples, column.reducer.shape)
    return columns


def finish(columns: dict[str, Column], places: Store) -> dict[str, Any]:
    """Return every layer's array."""
    stored = []
    for name, column in columns.items():
        if isinstance(column.place, OnDisk):
            column.place.close()
            if column.problem:
                places.drop(name)
            else:
                stored.append(name)
    columns = {name: column for name, column in columns.items() if not column.problem}
    arrays: dict[str, Any] = places.finish(stored)
    for name, column in columns.items():
        if isinstance(column.place, InMemory):
            arrays[name] = column.place.array
        elif column.place is None and column.base is not None:
            shared = arrays[column.base.layer.name]
            if column.base.reducer.exact and isinstance(shared, np.ndarray):
                shared = shared.reshape(len(shared), *column.layer.shape)
            arrays[name] = shared
    return {name: arrays[name] for name in columns}


def _not_finite(rows: Array, start: int) -> str:
    """Return what is wrong with rows whose sum is not finite; nothing if only that overflows."""
    nan, infinite = np.isnan(rows), np.isinf(rows)
    if not (nan.any() or infinite.any()):
        return ""
    shares = [
        f"{share:.2%} {what}"
        for share, what in ((nan.mean(), "NaN"), (infinite.mean(), "infinite"))
        if share
    ]
    bad = (nan | infinite).reshape(len(rows), -1).any(axis=1)
    return (
        f"its values are {' and '.join(shares)} in the samples {start} to "
        f"{start + len(rows) - 1}, first in sample {start + int(np.argmax(bad))}"
    )
