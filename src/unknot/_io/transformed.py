"""Preprocessed points, and points of unit length, in memory or read from disk in blocks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .._parallel.thread_team import single_threaded_blas
from .._typing import Array
from .._validation.preprocessing import Step, preprocess_points
from .._validation.preprocessing.fit import count_zero_rows, unit_rows
from .stored_points import StoredPoints


class TransformedRows:
    """Rows on disk, as they are stored or as a function makes them, read by slice.

    Parameters
    ----------
    source : StoredPoints or TransformedRows
    apply : callable, optional
        Takes rows of float64 and returns as many.
    n_features : int, optional
        Of the result; by default that of the source.
    """

    def __init__(
        self,
        source: Any,
        apply: Callable[[Array], Array] | None = None,
        n_features: int | None = None,
    ) -> None:
        self._source = source
        self._apply = apply
        # Where float32 could not hold the source, it may not hold what is made of it: rows in
        # float64 are taken relative to one of them.
        self.dtype: np.dtype[Any] = (
            np.dtype(np.float32 if source.origin is None else np.float64)
            if isinstance(source, StoredPoints)
            else source.dtype
        )
        self.shape = (len(source), source.shape[1] if n_features is None else n_features)
        # Whole chunks, since a part of a chunk takes as long to read.
        self.chunks = (source.whole_chunks(1),)

    def __len__(self) -> int:
        return self.shape[0]

    def whole_chunks(self, rows: int) -> int:
        """Return a similar number of rows that is a multiple of the chunk size."""
        found: int = self._source.whole_chunks(rows)
        return found

    def __getitem__(self, rows: slice) -> Array:
        """Read rows in float64, or what the function makes of them in this object's precision."""
        if isinstance(self._source, StoredPoints):
            start, stop, _ = rows.indices(len(self))
            block = self._source.as_stored(start, stop).astype(np.float64)
        else:
            block = self._source[rows].astype(np.float64)
        return block if self._apply is None else self._apply(block).astype(self.dtype)


def preprocessed(points: Any, steps: tuple[Step, ...]) -> tuple[Any, tuple[str, ...]]:
    """Preprocess checked points in memory, or stored ones where they are read.

    Returns
    -------
    points : array or StoredPoints
    notes : tuple of str

    Raises
    ------
    ValueError
        As `preprocess_points`.
    """
    if not steps:
        return points, ()
    # One thread, so that the result does not depend on their number.
    with single_threaded_blas():
        if not isinstance(points, StoredPoints):
            return preprocess_points(points, steps)
        points.require_finite()
        found, notes = preprocess_points(TransformedRows(points), steps, TransformedRows)
    return StoredPoints(found, points.max_memory, points.name), notes


def unit_stored(points: StoredPoints) -> tuple[StoredPoints, int]:
    """Scale stored points to unit length; return them, and the number of rows of zeros.

    Rows of zeros get a direction of their own, orthogonal to all others, in a further column.
    """
    rows = TransformedRows(points)
    n_zero = count_zero_rows(rows)
    scaled = TransformedRows(
        rows, partial(_scaled_rows, with_zeros=bool(n_zero)), points.shape[1] + bool(n_zero)
    )
    return StoredPoints(scaled, points.max_memory, points.name), n_zero


def _scaled_rows(block: Array, *, with_zeros: bool) -> Array:
    unit = unit_rows(block)
    if not with_zeros:
        return unit
    return np.concatenate([unit, ~block.any(axis=1, keepdims=True)], axis=1)
