"""Validation of points: errors name the argument, its value and the remedy.

Computations are in float32. Values that float32 cannot hold, such as float64 with a large offset,
are first taken relative to one of the points: distances, and so every measure, do not depend on
the origin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array, Points
from .arrays import as_numbers
from .labels import check_labels
from .precision import imprecise_share, warn_if_imprecise

__all__ = ["as_points", "check_labels", "check_points", "origin_of", "relative", "scale_free"]

TINY = float(np.finfo(np.float32).tiny)
LARGEST = float(np.finfo(np.float32).max)
# Scale-free measures multiply squares of their points. Up to this power of two, nothing overflows
# or underflows in float32.
UNSCALED_EXPONENT = 40
VALUES_PER_BLOCK = 2**20
# See `loses_precision`: at most three digits of a feature's spread are lost.
BLURRED = 256


def as_points(points: Any, *, name: str = "points", min_samples: int = 1) -> Array:
    """Return points of any type as an array (n_samples, n_features), in the given precision.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shape is wrong, there are too few samples, a value is NaN or infinite, or entries
        are masked or missing.
    """
    array = as_numbers(points, name)
    if array.ndim != 2:
        remedy = f"; reshape it with {name}.reshape(len({name}), -1)" if array.ndim != 0 else ""
        raise ValueError(
            f"{name} must have the shape (n_samples, n_features); got {array.shape}{remedy}"
        )
    if array.shape[1] == 0:
        raise ValueError(f"{name} must have at least one feature; got the shape {array.shape}")
    if array.shape[0] < min_samples:
        raise ValueError(
            f"{name} must have at least {min_samples} sample{'s' * (min_samples > 1)}; "
            f"got {array.shape[0]}"
        )
    require_finite(array, name)
    return array


def require_finite(array: Array, name: str, start: int = 0) -> None:
    """Raise ValueError if a value is NaN or infinite; `start` is the first sample's number."""
    # The minimum and maximum of an array with a NaN are NaN.
    if array.dtype.kind != "f" or np.isfinite(max_abs(array)):
        return
    bad = ~np.isfinite(array.reshape(len(array), -1))
    if not bad.any():
        raise ValueError(f"{name} must be finite in float64; got larger {array.dtype} values")
    raise ValueError(
        f"{name} must be finite; got {int(bad.sum())} NaN or infinite values, the first in sample "
        f"{start + int(np.argwhere(bad)[0][0])}. Remove or replace them"
    )


def check_points(points: Any, *, name: str = "points", min_samples: int = 1) -> Points:
    """Return points as a C-contiguous float32 array (n_samples, n_features), not moved.

    For points whose coordinates matter, such as maps; see `scale_free` and `relative` otherwise.

    Raises
    ------
    TypeError, ValueError
        As `as_points`, or if a value is too large for float32.
    """
    return relative(as_points(points, name=name, min_samples=min_samples), None, name=name)


def scale_free(points: Any, *, name: str = "points", min_samples: int = 1) -> Points:
    """Return points as float32, shifted and scaled by a power of two if float32 requires it.

    For computations that depend neither on the origin nor on the unit. Float32 points of moderate
    size are returned unchanged.

    Raises
    ------
    TypeError, ValueError
        As `as_points`.
    """
    return placed(points, name=name, min_samples=min_samples).points


class Placed(NamedTuple):
    """Points as float32: the given ones are ``points / 2**exponent + origin``."""

    points: Points
    origin: Array | None
    exponent: int


def placed(points: Any, *, name: str = "points", min_samples: int = 1) -> Placed:
    """Return points as `scale_free` does, and what they are relative to."""
    array = as_points(points, name=name, min_samples=min_samples)
    origin = origin_of(array)
    reach = max_abs_from(array, origin)
    if origin is not None:
        warn_if_imprecise(lambda rows: subtract_row(array[rows], origin), array.shape, name=name)
    if reach == np.inf:
        raise ValueError(
            f"{name} must differ by less than the largest number of float64; divide all values by "
            "a constant"
        )
    exponent = scaling_exponent(reach)
    return Placed(converted(array, origin, exponent), origin, exponent)


class Taken(NamedTuple):
    """Samples as float32; whether they are relative to one of them; and what share is blurred."""

    values: Array
    is_moved: bool
    blurred: float


def as_float32(array: Array, *, name: str) -> Taken:
    """Return samples (n_samples, ...) as float32.

    They are relative to one of them only where float32 would blur them where they are, see
    `loses_precision`.

    Raises
    ------
    ValueError
        As `relative`.
    """
    if is_float32(array.dtype):
        return Taken(np.ascontiguousarray(array, np.float32), False, 0.0)
    flat = array.reshape(len(array), -1)
    origin = origin_of(flat) if loses_precision(flat, BLURRED) else None

    def read(rows: slice) -> Array:
        return flat[rows] if origin is None else subtract_row(flat[rows], origin)

    values = relative(flat, origin, name=name).reshape(array.shape)
    return Taken(values, origin is not None, imprecise_share(read, flat.shape))


def loses_precision(points: Array, ratio: float) -> bool:
    """Whether a feature that tells points apart is farther from 0 than `ratio` times its spread.

    In float32, whose digits are 2**-24 of a value, such features keep less than 2**-24 times the
    ratio of their spread.
    """
    if is_float32(points.dtype) or not points.size:
        return False
    low, high = _wide(points.min(axis=0)), _wide(points.max(axis=0))
    with np.errstate(over="ignore", invalid="ignore"):
        spread = high - low
        largest = np.maximum(np.abs(low), np.abs(high))
        tells = spread > spread.max() * 2.0**-20
        return bool((tells & (largest > ratio * spread)).any())


def scaling_exponent(reach: float) -> int:
    """Return the power of two that scales values of this size to about 1; 0 for moderate ones."""
    exponent = int(np.frexp(reach)[1])
    return 0 if abs(exponent) <= UNSCALED_EXPONENT else -exponent


def relative(array: Array, origin: Array | None, *, name: str) -> Points:
    """Return checked points as float32, relative to a row and not scaled.

    Raises
    ------
    ValueError
        If they are too large for float32, or differ by less than its smallest normal number.
    """
    reach = max_abs_from(array, origin)
    if reach > LARGEST:
        raise ValueError(
            f"{name} must be finite in float32; got values that are too large, up to {reach:.3g}. "
            "Divide all values by a constant"
        )
    if array.dtype != np.float32 and 0.0 < reach < TINY:
        raise ValueError(
            f"{name} must be distinguishable in float32; got values that differ by {reach:.3g} at "
            "most. Multiply all values by a constant"
        )
    return converted(array, origin, 0)


def origin_of(array: Array) -> Array | None:
    """Return the row nearest to the mean if float32 cannot hold the points, else None."""
    if is_float32(array.dtype) or not len(array):
        return None
    return origin_of_blocks(lambda: (array[rows] for rows in _blocks(array)))


def is_float32(dtype: Any) -> bool:
    """Whether float32 holds every value of a type."""
    return bool(np.can_cast(dtype, np.float32))


def origin_of_blocks(read: Callable[[], Iterable[Array]]) -> Array | None:
    """Return what `origin_of` does for points that are read in blocks, two or three times.

    Subtracting a row, unlike the mean, keeps points on a lattice on a lattice.
    """
    exact, reach = True, 0.0
    for block in read():
        exact = exact and _is_exact(block)
        reach = max(reach, max_abs(block))
    if exact:
        return None
    # Scaled so that neither a sum of the largest float64 values nor a square overflows.
    exponent = -int(np.frexp(reach)[1])
    total, count = 0.0, 0
    for block in read():
        total = total + _scaled(block, exponent).sum(axis=0)
        count += len(block)
    least, row = np.inf, None
    for block in read():
        away = _scaled(block, exponent) - total / count
        squares = np.einsum("ij,ij->i", away, away)
        if row is None or squares.min() < least:
            least, row = float(squares.min()), block[squares.argmin()].copy()
    return row


def max_abs_from(array: Array, origin: Array | None) -> float:
    """Return the largest absolute coordinate of points relative to a row."""
    if origin is None:
        return max_abs(array)
    return max((max_abs(subtract_row(array[rows], origin)) for rows in _blocks(array)), default=0.0)


def subtract_row(array: Array, origin: Array) -> Array:
    """Subtract a row from others as exactly as float64, or a wider type, allows."""
    if array.dtype == origin.dtype and array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        low, high = array.min(axis=0), array.max(axis=0)
        if all(
            int(most) - int(row) < 2**63 and int(row) - int(least) < 2**63
            for most, least, row in zip(high, low, origin, strict=True)
        ):
            # Integer differences modulo 2^64 are right wherever they fit.
            return (array.view(np.uint64) - origin.view(np.uint64)).view(np.int64)
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(_wide(array) - _wide(origin))


def _wide(array: Array) -> Array:
    return array if array.dtype.itemsize > 8 else array.astype(np.float64)


def max_abs(array: Array) -> float:
    """Return the largest absolute value; NaN if there is one."""
    if not array.size:
        return 0.0
    return max(abs(float(array.max())), abs(float(array.min())))


def _is_exact(block: Array) -> bool:
    with np.errstate(over="ignore", under="ignore"):
        rounded = block.astype(np.float32)
    if block.dtype.kind in "iu":
        # A comparison as float64 would itself round 64-bit integers.
        limit = 2**24
        if int(block.max()) > limit or int(block.min()) < -limit:
            wide = np.uint64 if block.dtype.kind == "u" else np.int64
            return bool(
                np.abs(rounded).max() < 2.0**62
                and np.array_equal(rounded.astype(wide), block.astype(wide))
            )
        return True
    return bool(np.array_equal(rounded, block))


def _scaled(block: Array, exponent: int) -> Array:
    with np.errstate(under="ignore"):
        return np.ldexp(_wide(block), exponent).astype(np.float64)


def converted(array: Array, origin: Array | None, exponent: int) -> Points:
    """Return a contiguous, aligned, writeable float32 array; a copy if values change."""
    if origin is None and exponent == 0:
        with np.errstate(under="ignore"):
            return np.require(array, np.float32, ["C", "A", "W", "E"])
    result = np.empty(array.shape, np.float32)
    with np.errstate(under="ignore"):
        for rows in _blocks(array):
            block = array[rows] if origin is None else subtract_row(array[rows], origin)
            if exponent:
                block = np.ldexp(block if block.dtype == np.float32 else _wide(block), exponent)
            result[rows] = block
    return result


def _blocks(array: Array) -> Iterator[slice]:
    step = max(1, VALUES_PER_BLOCK // array.shape[1])
    for start in range(0, len(array), step):
        yield slice(start, min(start + step, len(array)))
