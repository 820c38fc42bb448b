"""Points on disk that are read in blocks of rows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .._parallel.cached import cached_property
from .._typing import Array, Float32, Float64
from .._validation.arrays import as_numbers, is_small_float
from .._validation.numbers import parse_memory
from .._validation.points import (
    TINY,
    converted,
    is_float32,
    max_abs_from,
    origin_of_blocks,
    require_finite,
    scaling_exponent,
    subtract_row,
)
from .._validation.precision import VALUES, warn_if_imprecise

# By default, larger points on disk are not read whole.
MAX_MEMORY = 2**28


class Summary(NamedTuple):
    """Statistics of each feature, from one pass through the points."""

    mean: Float64[Array, " features"]
    low: Float32[Array, " features"]
    high: Float32[Array, " features"]


class StoredPoints:
    """Points on disk as an array of float32 (n_samples, n_features), each sample flattened.

    Values that float32 cannot hold, such as float64 with a large offset, are taken relative to one
    of the points. Offers what measures and the search need of an array: its shape, rows by slice or
    by indices (read into memory), and the mean, minimum and maximum of each feature.

    Parameters
    ----------
    source : array-like on disk
        Of shape (n_samples, *shape), with ``dtype`` and row slicing: a Zarr or HDF5 array, a
        ``numpy.memmap``.
    max_memory : int
        The most bytes of points in memory at once.
    name : str
        The name of the argument, for errors.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If there are no samples or no features.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, source: Any, max_memory: int = MAX_MEMORY, name: str = "points") -> None:
        try:
            stored = np.dtype(source.dtype)
        except TypeError as error:
            raise TypeError(
                f"{name} must be an array, in memory or on disk; got {type(source).__name__}"
            ) from error
        if stored.kind not in "biuf" and not is_small_float(stored):
            raise TypeError(f"{name} must hold real numbers; got dtype {source.dtype}")
        shape = tuple(int(size) for size in source.shape)
        if len(shape) < 2 or not all(shape):
            raise ValueError(
                f"{name} must have the shape (n_samples, ...) with at least one sample and one "
                f"feature; got {shape}"
            )
        self.source = source
        self.name = name
        # Points are multiplied by this power of two, see `scale_free`.
        self.exponent = 0
        self._held = is_float32(stored) or is_small_float(stored)
        self.max_memory = max_memory
        self.shape = (shape[0], int(np.prod(shape[1:])))
        # Whole chunks, since a part of a chunk takes as long to read.
        chunks = getattr(source, "chunks", None)
        chunk = chunks[0] if chunks and isinstance(chunks[0], int) else 1
        self._chunk = min(chunk, self.rows_in(max_memory // 4))

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """The number of values."""
        return self.shape[0] * self.shape[1]

    def rows_in(self, n_bytes: int, itemsize: int = 4) -> int:
        """Return how many rows fit into a number of bytes; at least one."""
        return max(1, int(n_bytes) // (itemsize * self.shape[1]))

    def whole_chunks(self, rows: int) -> int:
        """Return a similar number of rows that is a multiple of the chunk size."""
        return max(rows // self._chunk, 1) * self._chunk

    def slabs(self, n_bytes: int | None = None) -> list[slice]:
        """Cut the rows into parts of a size in bytes, by default a quarter of ``max_memory``."""
        rows = self.rows_in(self.max_memory // 4 if n_bytes is None else n_bytes)
        rows = self.whole_chunks(rows)
        return [slice(start, min(start + rows, len(self))) for start in range(0, len(self), rows)]

    def __getitem__(self, rows: slice | Array) -> Float32[Array, "rows features"]:
        """Read rows by a slice without a step, or by indices in any order."""
        if isinstance(rows, slice):
            return self._read(*rows.indices(len(self))[:2])
        wanted = np.asarray(rows)
        if not len(wanted):
            return np.empty((0, self.shape[1]), np.float32)
        ascending, places = np.unique(wanted, return_inverse=True)
        if ascending[-1] - ascending[0] + 1 == len(ascending) == len(wanted):
            found = self._read(int(ascending[0]), int(ascending[-1]) + 1)
        else:
            found = np.empty((len(ascending), self.shape[1]), np.float32)
            chunk = max(self._chunk, self.rows_in(2**24))
            cuts = np.flatnonzero(np.diff(ascending // chunk)) + 1
            for part in np.split(np.arange(len(ascending)), cuts):
                first, last = int(ascending[part[0]]), int(ascending[part[-1]])
                found[part] = self._read(first, last + 1)[ascending[part] - first]
        in_order = len(places) == len(ascending) and bool((np.diff(places) > 0).all())
        return found if in_order else found[places]

    def _read(self, start: int, stop: int) -> Float32[Array, "rows features"]:
        with np.errstate(over="ignore", invalid="ignore"):
            return converted(self._stored(start, stop), self.origin, self.exponent)

    def as_stored(self, start: int, stop: int) -> Array:
        """Read rows in their stored precision, neither moved nor scaled."""
        return self._stored(start, stop)

    def _stored(self, start: int, stop: int) -> Array:
        """Read rows in their stored precision."""
        return as_numbers(self.source[start:stop], self.name).reshape(-1, self.shape[1])

    @cached_property
    def origin(self) -> Array | None:
        """The point that all others are relative to, if float32 cannot hold them; else None.

        Raises
        ------
        ValueError
            If a value is NaN or infinite.
        """
        if self._held:
            return None

        def read() -> Iterator[Array]:
            for rows in self.slabs():
                block = self._stored(rows.start, rows.stop)
                require_finite(block, self.name, rows.start)
                yield block

        origin = origin_of_blocks(read)
        if origin is not None:
            warn_if_imprecise(
                lambda rows: subtract_row(self._stored(rows.start, rows.stop), origin),
                self.shape,
                name=self.name,
                max_values=min(VALUES, self.max_memory // 32),
            )
        return origin

    @cached_property
    def reach(self) -> float:
        """The largest absolute coordinate, before scaling."""
        if self.origin is None:
            found = self.summary
            return float(np.ldexp(max(found.high.max(), -found.low.min()), -self.exponent))
        return max(
            max_abs_from(self._stored(rows.start, rows.stop), self.origin) for rows in self.slabs()
        )

    def scale_free(self) -> StoredPoints:
        """Return the same points scaled by a power of two, if float32 requires it.

        For computations that do not depend on the unit.
        """
        exponent = scaling_exponent(self.reach)
        if exponent == 0:
            return self
        scaled = copy.copy(self)
        scaled.__dict__.pop("summary", None)
        scaled.exponent = exponent
        return scaled

    @cached_property
    def summary(self) -> Summary:
        """Mean and range of each feature.

        Raises
        ------
        ValueError
            If a value is NaN, infinite or too large for float32.
        """
        return self.scan(lambda rows, block: None)

    def require_finite(self) -> None:
        """Raise ValueError unless every value is finite; checked once."""
        _ = self.summary

    def scan(self, visit: Callable[[slice, Array], object]) -> Summary:
        """Summarize the points in one pass, and call a function with each block."""
        total = np.zeros(self.shape[1])
        low = np.full(self.shape[1], np.inf, np.float32)
        high = -low
        for rows in self.slabs():
            block = self[rows]
            with np.errstate(invalid="ignore"):
                sums = block.sum(axis=0, dtype=np.float64)
            if not np.isfinite(sums).all():
                bad = ~np.isfinite(block).all(axis=1)
                raise ValueError(
                    f"{self.name} must be finite in float32; got NaN, infinite or too large "
                    f"values, the first in sample {rows.start + int(np.argmax(bad))}. Remove or "
                    "replace them"
                )
            total += sums
            np.minimum(low, block.min(axis=0), out=low)
            np.maximum(high, block.max(axis=0), out=high)
            visit(rows, block)
        if max(high.max(), -low.min()) < TINY and self.origin is not None:
            raise ValueError(
                f"{self.name} must be distinguishable in float32; got values that differ by "
                f"{self.reach:.3g} at most. Multiply all values by a constant"
            )
        found = Summary(total / len(self), low, high)
        self.__dict__["summary"] = found
        return found

    def mean(self, axis: int, dtype: Any = np.float64) -> Float64[Array, " features"]:
        """Return the mean of each feature."""
        assert axis == 0
        assert dtype == np.float64
        return self.summary.mean

    def min(self, axis: int) -> Float32[Array, " features"]:
        """Return the minimum of each feature."""
        assert axis == 0
        return self.summary.low

    def max(self, axis: int) -> Float32[Array, " features"]:
        """Return the maximum of each feature."""
        assert axis == 0
        return self.summary.high


# Points in memory or on disk, for functions that read rows.
Rows: TypeAlias = Array | StoredPoints


def is_stored(points: Any) -> bool:
    """Whether points are on disk: a Zarr or HDF5 array, a memory map, or similar."""
    if isinstance(points, StoredPoints | np.memmap):
        return True
    if isinstance(points, np.ndarray) or not all(
        hasattr(points, name) for name in ("shape", "dtype", "__getitem__")
    ):
        return False
    is_sparse = hasattr(points, "tocsr")
    return hasattr(points, "chunks") or not (is_sparse or hasattr(points, "__array__"))


def memory_of(max_memory: int | str | None) -> int:
    """Return how many bytes of points on disk may be in memory.

    Raises
    ------
    ValueError
        If it is not a positive amount of memory.
    """
    budget = MAX_MEMORY if max_memory is None else parse_memory(max_memory)
    if budget < 1:
        raise ValueError(f"max_memory must be at least one byte; got {max_memory!r}")
    return budget


def opened(points: Any, max_memory: int | str | None = None, *, name: str = "points") -> Any:
    """Return points on disk as `StoredPoints`, or read whole if they fit; others unchanged.

    Raises
    ------
    ValueError
        If ``max_memory`` is not a positive amount of memory.
    """
    budget = memory_of(max_memory)
    if not is_stored(points):
        return points
    if isinstance(points, StoredPoints):
        return points
    stored = StoredPoints(points, budget, name)
    if 4 * stored.size > budget:
        return stored
    return as_numbers(points[:], name).reshape(stored.shape)


def parts_of(points: Rows) -> Iterator[tuple[slice, Array]]:
    """Iterate over blocks of points: one block if they are in memory."""
    if isinstance(points, StoredPoints):
        for rows in points.slabs():
            yield rows, points[rows]
    else:
        yield slice(0, len(points)), points


def within(rows: Array, part: slice) -> Array:
    """Return the ascending row numbers that are in a slice, relative to its start."""
    first, last = np.searchsorted(rows, [part.start, part.stop])
    return np.asarray(rows[first:last] - part.start)
