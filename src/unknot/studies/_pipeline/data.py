"""The labeled data of a study: conversion, sampling, thumbnails and snippets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..._typing import Array
from ..._validation.arrays import as_numbers, as_samples
from ..._validation.points import as_float32, check_labels
from ..._validation.precision import SHARE, precision_message
from ...datasets import Dataset, Split, load_dataset, stratified_indices
from .._store.format import StudyError

THUMBNAIL = 64
SNIPPET_NUMBERS = 8


@dataclass(frozen=True, eq=False)
class StudyData:
    """Samples of a study.

    Attributes
    ----------
    inputs : array, tuple, list or dict of arrays, or None
        As the model expects them.
    labels : ndarray of int64 (n_samples,)
    class_names : tuple of str
    named : bool
        Whether class names were given. Otherwise they are the labels' numbers, and the model may
        have more classes.
    rows : ndarray of int64, or None
        The row numbers of the samples drawn; None for all.
    snippets : tuple of str, or None
        A short text for each sample.
    n_given : int or None
        The number of samples before drawing.
    """

    inputs: Any
    labels: Array
    class_names: tuple[str, ...]
    named: bool
    rows: Array | None = None
    snippets: tuple[str, ...] | None = None
    n_given: int | None = None

    def sample(self, n: int | None, random_state: int) -> StudyData:
        """Draw n samples, stratified by class; all if there are not more."""
        if n is None or n >= len(self.labels):
            return self
        rows = stratified_indices(self.labels, n, random_state)
        snippets = None if self.snippets is None else tuple(self.snippets[row] for row in rows)
        return replace(
            self,
            inputs=map_arrays(lambda array: array[rows], self.inputs),
            labels=self.labels[rows],
            rows=rows,
            snippets=snippets,
            n_given=len(self.labels),
        )

    def rows_of(self, model: Any) -> Any:
        """Select the drawn samples of a dict of points; return any other model unchanged.

        Raises
        ------
        ValueError
            If a layer differs in its number of samples, or has missing entries.
        TypeError
            If a layer holds anything but real numbers.
        """
        if not isinstance(model, Mapping):
            return model
        # Converted before sampling, so that masks and missing entries are found in all rows.
        arrays = {name: as_numbers(points, f"model: {name!r}") for name, points in model.items()}
        n_given = len(self.labels) if self.n_given is None else self.n_given
        for name, points in arrays.items():
            if points.shape[:1] != (n_given,):
                raise ValueError(
                    f"model: layer {name!r} must have a row for each of the {n_given} samples of "
                    f"data; got the shape {points.shape}"
                )
        if self.rows is None:
            return arrays
        return {name: points[self.rows] for name, points in arrays.items()}

    @property
    def points(self) -> Array | None:
        """The inputs as one float32 array (n_samples, *shape); None if there are none."""
        return self.points_and_notes()[0]

    def points_and_notes(self) -> tuple[Array | None, list[str]]:
        """Return the inputs as `points`, and notes on their precision.

        Values that float32 cannot resolve are taken relative to one of the samples.
        """
        arrays = [a for a in leaf_arrays(self.inputs) if a.dtype.kind in "biuf"]
        if not arrays:
            return None, []
        taken = [as_float32(array, name="data: inputs") for array in arrays]
        blurred = max(each.blurred for each in taken)
        notes = [precision_message(blurred)] if blurred > SHARE else []
        if len(taken) == 1:
            return taken[0].values, notes
        flat = [each.values.reshape(len(each.values), -1) for each in taken]
        return np.concatenate(flat, axis=1), notes

    @property
    def fingerprint(self) -> str:
        """A hash of the samples, the labels and the class names."""
        digest = hashlib.sha256()
        for array in (*leaf_arrays(self.inputs), self.labels):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        digest.update(repr((self.class_names, self.named, self.snippets)).encode())
        return digest.hexdigest()


def take_data(data: Any, snippets: Sequence[str] | None = None) -> StudyData:
    """Convert labeled data of any supported form.

    Parameters
    ----------
    data : Dataset, Split, str, path, or pair (inputs, labels)
        The test split of a data set, or all of it if it has none. A name or path is loaded.
    snippets : sequence of str, optional
        A short text for each sample.

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If inputs and labels differ in length, or there are fewer than two classes.
    """
    if isinstance(data, str) or hasattr(data, "__fspath__"):
        data = load_dataset(data)
    if isinstance(data, Dataset):
        data = data.test or data.train
    if isinstance(data, Split):
        taken = StudyData(data.inputs, data.labels, data.class_names, named=True)
    elif isinstance(data, tuple) and len(data) == 2:
        taken = _of_pair(*data)
    else:
        raise TypeError(
            "data must be a Dataset, a Split, the name or path of one, or a pair "
            f"(inputs, labels); got {type(data).__name__}"
        )
    if snippets is not None:
        if len(snippets) != len(taken.labels):
            raise ValueError(
                f"snippets must be one for each of the {len(taken.labels)} samples; "
                f"got {len(snippets)}"
            )
        taken = replace(taken, snippets=tuple(map(str, snippets)))
    present = np.unique(taken.labels)
    if len(present) < 2:
        raise StudyError(
            f"data: every sample is of one class, {taken.class_names[int(present[0])]!r}; what "
            "separates classes needs at least two"
        )
    return taken


def _of_pair(inputs: Any, labels: Any) -> StudyData:
    inputs = map_arrays(_as_array, inputs)
    codes, classes = check_labels(labels, name="data: labels")
    lengths = {len(array) for array in leaf_arrays(inputs)}
    if lengths and lengths != {len(codes)}:
        found = " and ".join(map(str, sorted(lengths)))
        raise ValueError(
            f"data: labels must hold one label for each of the {found} inputs; "
            f"got the shape {codes.shape}"
        )
    if classes.dtype.kind in "iu" and classes[0] >= 0 and classes[-1] < 10_000:
        # Labels number the model's outputs: numbers without a sample are classes as well.
        names = tuple(str(i) for i in range(int(classes[-1]) + 1))
        return StudyData(inputs, classes[codes].astype(np.int64), names, named=False)
    return StudyData(inputs, codes, tuple(str(value) for value in classes.tolist()), named=True)


def _as_array(values: Any) -> Array:
    array = as_samples(values, "data: inputs")
    if not array.ndim or not len(array):
        raise ValueError(f"data: inputs must hold at least one sample; got the shape {array.shape}")
    return array


def map_arrays(change: Any, inputs: Any) -> Any:
    """Change every array of a model's inputs."""
    if inputs is None:
        return None
    if isinstance(inputs, Mapping):
        return {name: change(array) for name, array in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple(change(array) for array in inputs)
    return change(inputs)


def leaf_arrays(inputs: Any) -> list[Array]:
    """Return every array of a model's inputs."""
    if inputs is None:
        return []
    if isinstance(inputs, Mapping):
        return list(inputs.values())
    return list(inputs) if isinstance(inputs, tuple) else [inputs]


def thumbnails_of(inputs: Any) -> Array | None:
    """Return images as thumbnails, uint8 (n_samples, height, width[, 3]); None for other inputs.

    Images are (n_samples, height, width), with 1 or 3 channels last or first. Values in [0, 1] or
    [0, 255] are kept; others are scaled from their minimum and maximum. Images of more than 64
    pixels per side are reduced by averaging blocks.
    """
    if not isinstance(inputs, np.ndarray) or inputs.dtype.kind not in "biuf":
        return None
    images = inputs
    if images.ndim == 4 and images.shape[3] not in (1, 3) and images.shape[1] in (1, 3):
        images = np.moveaxis(images, 1, 3)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        return None
    if images.ndim == 3 and min(images.shape[1:]) < 8:
        return None  # too narrow for an image, such as a time series
    step = max(1, -(-max(images.shape[1:3]) // THUMBNAIL))
    low, high = float(images.min()), float(images.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        return None
    if low >= 0 and (high <= 1 or high <= 255):
        low, high = 0.0, 1.0 if high <= 1 else 255.0
    scale = 255.0 / (high - low) if high > low else 0.0
    height, width = (size // step for size in images.shape[1:3])
    result = np.empty((len(images), height, width, *images.shape[3:]), np.uint8)
    for start in range(0, len(images), 1024):
        block = images[start : start + 1024, : height * step, : width * step].astype(np.float32)
        parts = block.reshape(len(block), height, step, width, step, *images.shape[3:])
        result[start : start + 1024] = np.rint((parts.mean(axis=(2, 4)) - low) * scale)
    return result


def snippets_of(inputs: Any) -> tuple[str, ...] | None:
    """Return the first values of each sample as text; None unless samples are vectors."""
    if not isinstance(inputs, np.ndarray) or inputs.ndim != 2 or inputs.dtype.kind not in "biuf":
        return None
    more = ", ..." if inputs.shape[1] > SNIPPET_NUMBERS else ""
    return tuple(
        ", ".join(f"{value:.4g}" for value in row) + more
        for row in inputs[:, :SNIPPET_NUMBERS].tolist()
    )
