"""Preprocessing fitted to points, and applied to them, in memory or a block of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..._typing import Array
from ..points import as_points
from .steps import Step

# Rows are converted to float64 in blocks of about this many values.
VALUES_PER_BLOCK = 2**21
# Up to this many features, or samples, all principal components are computed.
LARGEST_MATRIX = 6144
# Components whose standard deviation is below this, relative to the largest, are rounding errors.
RANK_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Fitted:
    """A step fitted to points.

    Attributes
    ----------
    apply : callable
        Takes rows in float64 and returns them preprocessed.
    n_features : int
        Of the result.
    notes : tuple of str
    """

    apply: Callable[[Array], Array]
    n_features: int
    notes: tuple[str, ...] = field(default=())


def preprocess_points(
    points: Any,
    steps: tuple[Step, ...],
    lazily: Callable[[Any, Callable[[Array], Array], int], Any] | None = None,
) -> tuple[Any, tuple[str, ...]]:
    """Fit each step to the result of the one before it, and apply it.

    Parameters
    ----------
    points : array or stored points, (n_samples, n_features)
        Checked and finite. Stored points offer rows by slice.
    steps : tuple of Step
    lazily : callable, optional
        Given stored points, a function of rows and its number of features, returns points that
        apply it where they are read. None for points in memory.

    Returns
    -------
    points : array or stored points
        Arrays of float64 remain float64, others are float32.
    notes : tuple of str
        What the steps could not do, or left without meaning.

    Raises
    ------
    ValueError
        If a step is not possible, or a function fails or returns anything but finite points.
    """
    notes: list[str] = []
    for step in steps:
        if step.function is not None:
            if lazily is not None:
                raise ValueError(
                    f"preprocess: {step} takes all points at once, and these are larger than "
                    "max_memory. Raise max_memory, or reduce the points first"
                )
            points = _call(points, step)
            continue
        fitted = _FITS[step.name](points, step)
        notes += [f"preprocess {str(step)!r}: {note}" for note in fitted.notes]
        if lazily is not None:
            points = lazily(points, fitted.apply, fitted.n_features)
        else:
            points = _applied(points, fitted)
    return points, tuple(notes)


def _applied(points: Array, fitted: Fitted) -> Array:
    dtype = np.float64 if points.dtype.itemsize >= 8 else np.float32
    result = np.empty((len(points), fitted.n_features), dtype)
    for rows in _blocks(points):
        result[rows] = fitted.apply(points[rows].astype(np.float64))
    return result


def _call(points: Array, step: Step) -> Array:
    assert step.function is not None
    name = f"preprocess: the result of {step}"
    try:
        returned = step.function(points.copy())
    except Exception as error:
        raise ValueError(
            f"preprocess: {step} failed on points of the shape {points.shape}: "
            f"{type(error).__name__}: {error}"
        ) from error
    try:
        result = as_points(returned, name=name)
    except TypeError as error:
        raise ValueError(str(error)) from error
    if len(result) != len(points):
        raise ValueError(f"{name} must have the same {len(points)} samples; got {len(result)}")
    return result


def _blocks(points: Any) -> Iterator[slice]:
    step = max(1, VALUES_PER_BLOCK // points.shape[1])
    whole = getattr(points, "whole_chunks", None)
    if whole is not None:
        step = whole(step)
    for start in range(0, len(points), step):
        yield slice(start, min(start + step, len(points)))


def _read(points: Any) -> Iterator[Array]:
    for rows in _blocks(points):
        yield np.asarray(points[rows], dtype=np.float64)


def _mean(points: Any) -> Array:
    # Relative to the first row, so that a large offset costs no precision.
    first = np.asarray(points[:1], dtype=np.float64)[0]
    total = np.zeros(points.shape[1])
    for block in _read(points):
        total += (block - first).sum(axis=0)
    return np.asarray(first + total / len(points))


def _fit_center(points: Any, step: Step) -> Fitted:
    mean = _mean(points)
    return Fitted(lambda rows: rows - mean, points.shape[1])


def _fit_standardize(points: Any, step: Step) -> Fitted:
    mean = _mean(points)
    squares = np.zeros(points.shape[1])
    low, high = np.full((2, points.shape[1]), np.inf)
    high = -high
    for block in _read(points):
        squares += np.square(block - mean).sum(axis=0)
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
    constant = low == high
    scale = np.sqrt(squares / len(points))
    mean = np.where(constant, low, mean)
    scale[constant | (scale == 0)] = 1.0
    notes = []
    if constant.any():
        notes.append(
            f"{int(constant.sum())} of {len(constant)} features are constant; they are 0 "
            "everywhere, and have no effect"
        )
    return Fitted(lambda rows: (rows - mean) / scale, points.shape[1], tuple(notes))


def unit_rows(rows: Array) -> Array:
    """Scale rows of float64 to unit length; rows of zeros remain zero."""
    reach = np.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / np.where(reach > 0, reach, 1.0)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(lengths > 0, lengths, 1.0))


def count_zero_rows(points: Any) -> int:
    """Count the rows of zeros, which have no direction."""
    return sum(int((~np.asarray(points[rows]).any(axis=1)).sum()) for rows in _blocks(points))


def _fit_normalize(points: Any, step: Step) -> Fitted:
    zero = count_zero_rows(points)
    notes = []
    if zero:
        notes.append(
            f"{zero} of {len(points)} samples are zero in all features and have no direction; "
            "they remain zero"
        )
    return Fitted(unit_rows, points.shape[1], tuple(notes))


def _components(points: Any, mean: Array, what: str) -> tuple[Array, Array]:
    """Return the standard deviation along every principal axis, and the axes as columns."""
    n_samples, n_features = points.shape
    if n_features <= LARGEST_MATRIX:
        covariance = np.zeros((n_features, n_features))
        for block in _read(points):
            centered = block - mean
            covariance += centered.T @ centered
        values, axes = np.linalg.eigh(covariance / n_samples)
        return np.sqrt(np.maximum(values[::-1], 0.0)), axes[:, ::-1]
    if n_samples <= LARGEST_MATRIX and isinstance(points, np.ndarray):
        centered = points.astype(np.float64) - mean
        values, left = np.linalg.eigh(centered @ centered.T / n_samples)
        values, left = np.maximum(values[::-1], 0.0), left[:, ::-1]
        deviations = np.sqrt(values)
        kept = deviations > deviations[0] * RANK_TOLERANCE
        axes = centered.T @ left[:, kept] / (deviations[kept] * np.sqrt(n_samples))
        return deviations[kept], axes
    raise ValueError(
        f"preprocess: {what} computes all principal components, of up to {LARGEST_MATRIX:,} "
        f"features (or samples in memory); got the shape {points.shape}. Reduce the features "
        "first, such as with project=512"
    )


def _fit_whiten(points: Any, step: Step) -> Fitted:
    mean = _mean(points)
    deviations, axes = _components(points, mean, "'whiten'")
    kept = deviations > max(deviations[0] * RANK_TOLERANCE, 0.0)
    rank, n_features = int(kept.sum()), points.shape[1]
    if rank == 0:
        return Fitted(lambda rows: rows - mean, n_features, ("all points coincide",))
    scaled = axes[:, kept] / deviations[kept]
    notes = []
    if rank < n_features:
        notes.append(
            f"the {len(points)} samples vary along {rank} of {n_features} directions; these "
            "remain, each with variance 1"
        )
    if rank == len(points) - 1:
        notes.append(
            "there are no more samples than directions, so that all whitened samples are equally "
            "far from each other and their neighbors say nothing; use more samples, or "
            "'standardize'"
        )
    return Fitted(lambda rows: (rows - mean) @ scaled, rank, tuple(notes))


def _fit_remove_top(points: Any, step: Step) -> Fitted:
    n_removed, mean = step.n_removed, _mean(points)
    largest = min(len(points) - 1, points.shape[1])
    if n_removed >= largest:
        raise ValueError(
            f"preprocess: {str(step)!r} leaves nothing of points of the shape {points.shape}, "
            f"which vary along {largest} directions at most; remove fewer components"
        )
    if min(points.shape) <= LARGEST_MATRIX and (
        points.shape[1] <= LARGEST_MATRIX or isinstance(points, np.ndarray)
    ):
        deviations, axes = _components(points, mean, str(step))
    else:
        deviations, axes = _leading_components(points, mean, n_removed + 1)
    rank = int((deviations > deviations[0] * RANK_TOLERANCE).sum()) if deviations[0] > 0 else 0
    if n_removed >= rank:
        raise ValueError(
            f"preprocess: {str(step)!r} leaves nothing of these points, which vary along {rank} "
            "directions; remove fewer components"
        )
    top = np.ascontiguousarray(axes[:, :n_removed])

    def remove(rows: Array) -> Array:
        centered = rows - mean
        return np.asarray(centered - (centered @ top) @ top.T)

    return Fitted(remove, points.shape[1])


def _leading_components(points: Any, mean: Array, count: int) -> tuple[Array, Array]:
    """Return what `_components` does for the first few, without a matrix of features."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    n_samples, n_features = points.shape

    def multiply(vector: Array) -> Array:
        total = np.zeros(n_features)
        for block in _read(points):
            centered = block - mean
            total += centered.T @ (centered @ vector.ravel())
        return np.asarray(total / n_samples)

    operator = LinearOperator((n_features, n_features), matvec=multiply, dtype=np.float64)
    start = np.random.default_rng(0).normal(size=n_features)
    values, axes = eigsh(operator, k=count, v0=start)
    return np.sqrt(np.maximum(values[::-1], 0.0)), axes[:, ::-1]


_FITS: dict[str, Callable[[Any, Step], Fitted]] = {
    "center": _fit_center,
    "standardize": _fit_standardize,
    "normalize": _fit_normalize,
    "whiten": _fit_whiten,
    "remove_top": _fit_remove_top,
}
