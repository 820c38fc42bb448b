"""The labeled data of a study: conversion, sampling, thumbnails and snippets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._typing import Array
from ..._validation.arrays import as_numbers, as_samples
from ..._validation.numbers import is_integer
from ..._validation.points import as_float32
from ..._validation.precision import SHARE, precision_message
from ...datasets import Dataset, Split, load_dataset, stratified_indices
from .._study import ONLY
from .labeling import Labeling
from .labels import ignoring, require_usable
from .positions import MAX_POSITIONS, labels_at_positions
from .sources import Reading, are_batches, not_data, require_labels, several_inputs

if TYPE_CHECKING:
    from ...representations import LabeledInputs, Places

THUMBNAIL = 64
SNIPPET_NUMBERS = 8
STREAMED_THUMBNAILS = 20_000


@dataclass(frozen=True, eq=False)
class StudyData:
    """Samples of a study.

    Attributes
    ----------
    inputs : array, tuple, list or dict of arrays, or None
        As the model expects them.
    labelings : dict of str to Labeling
        At least one; the first is what the model's outputs are compared with.
    rows : ndarray of int64, or None
        The row numbers of the samples drawn; None for all.
    snippets : tuple of str, or None
        A short text for each sample.
    n_given : int or None
        The number of samples before drawing.
    notes : tuple of str
        Remarks on the data and the labels.
    places : Places or None
        The positions that are the points, such as tokens; None if each sample is a point.
    """

    inputs: Any
    labelings: dict[str, Labeling]
    rows: Array | None = None
    snippets: tuple[str, ...] | None = None
    n_given: int | None = None
    notes: tuple[str, ...] = ()
    places: Places | None = None

    @property
    def labeling(self) -> Labeling:
        """The first labeling."""
        return next(iter(self.labelings.values()))

    @property
    def labels(self) -> Array:
        """The codes of the first labeling, int64 (n_samples,); -1 where it has none."""
        return self.labeling.codes

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class names of the first labeling."""
        return self.labeling.class_names

    def sample(self, n: int | None, random_state: int) -> StudyData:
        """Draw n samples, stratified by class; all if there are not more."""
        if n is None or (is_integer(n) and n >= len(self.labels)):
            return self
        rows = stratified_indices(self.labeling.strata, n, random_state, "max_samples")
        snippets = None if self.snippets is None else tuple(self.snippets[row] for row in rows)
        drawn, notes = require_usable(
            {key: labeling.rows(rows) for key, labeling in self.labelings.items()}
        )
        fewer = replace(self, labelings=drawn, snippets=snippets, notes=(*self.notes, *notes))
        if (places := self.places) is not None:  # all samples stay, with fewer tokens or pixels
            places = replace(places, samples=places.samples[rows], positions=places.positions[rows])
            return replace(fewer, places=places)
        if is_stream(self.inputs):
            inputs = self.inputs.select(rows)
        else:
            inputs = map_arrays(lambda array: array[rows], self.inputs)
        return replace(fewer, inputs=inputs, rows=rows, n_given=len(self.labels))

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

    def rows_of_mask(self, mask: Any) -> Any:
        """Select the drawn samples of a mask.

        Raises
        ------
        ValueError
            If it has no row for each sample of the data.
        """
        if mask is None:
            return None
        array = np.asarray(mask)
        n_given = self.n_inputs if self.n_given is None else self.n_given
        if array.shape[:1] != (n_given,):
            raise ValueError(
                f"mask must have a row for each of the {n_given} samples of data; got the shape "
                f"{array.shape}"
            )
        return array if self.rows is None else array[self.rows]

    @property
    def n_inputs(self) -> int:
        """The number of samples of the inputs; with tokens or pixels there are more labels."""
        if is_stream(self.inputs):
            return int(self.inputs.n_samples)
        arrays = leaf_arrays(self.inputs)
        return len(arrays[0]) if arrays else len(self.labels)

    def points_and_notes(self, *, takes_ids: bool = False) -> tuple[Array | None, list[str]]:
        """Return the inputs as one float32 array (n_samples, *shape), and notes on them.

        None if there are none, if they are batches that are not kept, or if they are no numbers
        that mean distances, such as the ids of tokens. Values that float32 cannot resolve are taken
        relative to one of the samples.

        Parameters
        ----------
        takes_ids : bool
            Whether the model takes integers as they are, so that rows of them are ids.
        """
        if is_stream(self.inputs):
            return None, ["the inputs are no layer: they are read batch by batch, and not kept"]
        if self.places is not None:
            return None, ["the inputs are no layer: each point is a part of a sample"]
        from ...representations import masks_in

        numbers = self.inputs
        if isinstance(numbers, Mapping):
            masks = masks_in(numbers)
            numbers = {name: part for name, part in numbers.items() if name not in masks}
        arrays = [a for a in leaf_arrays(numbers) if a.dtype.kind in "biuf"]
        if takes_ids:
            kept = [a for a in arrays if a.dtype.kind == "f" or a.ndim > 2]
            if not kept and arrays:
                return None, [
                    "the inputs are no layer: they are ids, whose differences mean nothing"
                ]
            arrays = kept
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
        places = () if self.places is None else (self.places.samples, self.places.positions)
        labels = [
            array
            for labeling in self.labelings.values()
            for array in (labeling.codes, labeling.values)
            if array is not None
        ]
        for array in (*leaf_arrays(self.inputs), *labels, *places):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        if is_stream(self.inputs):
            digest.update(self.inputs.digest.encode())
        one = self.labeling
        digest.update(repr((one.class_names, one.named, self.snippets)).encode())
        told = [
            (key, each.class_names, each.named, each.order_known, each.column)
            for key, each in self.labelings.items()
        ]
        if len(told) > 1 or not one.order_known or one.values is not None:
            digest.update(repr(told).encode())
        return digest.hexdigest()


def is_stream(inputs: Any) -> bool:
    """Whether inputs are batches that are read again in each pass."""
    return hasattr(inputs, "digest") and hasattr(inputs, "batches")


def take_data(
    data: Any, snippets: Sequence[str] | None = None, reading: Reading | None = None
) -> StudyData:
    """Convert labeled data of any supported form.

    Parameters
    ----------
    data : Dataset, Split, str, path, pair (inputs, labels), or any data with batches
        The test split of a data set, or all of it if it has none. A name or path is loaded.
    snippets : sequence of str, optional
        A short text for each sample.
    reading : Reading, optional
        How to read data that are not arrays.

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If inputs and labels differ in length, or there are fewer than two classes.
    """
    reading = Reading() if reading is None else reading
    if isinstance(data, str) or hasattr(data, "__fspath__"):
        data = load_dataset(data)
    if isinstance(data, Dataset):
        data = data.test or data.train
    if isinstance(data, Split):
        taken = _of_split(data, reading)
    elif isinstance(data, tuple) and len(data) == 2:
        taken = _of_pair(*data, reading)
    else:
        opened = None
        if (not hasattr(data, "shape") and not isinstance(data, Mapping)) or (
            isinstance(data, Mapping) and type(data).__module__.startswith("datasets.")
        ):
            opened = reading.open(data, draw=_drawing(reading))
        if opened is None:
            raise not_data(data)
        taken = _of_opened(require_labels(opened), reading)
    if snippets is not None:
        n_given = len(taken.labels) if taken.n_given is None else taken.n_given
        if len(snippets) != n_given:
            raise ValueError(
                f"snippets must be one for each of the {n_given} samples; got {len(snippets)}"
            )
        rows = range(n_given) if taken.rows is None else taken.rows
        taken = replace(taken, snippets=tuple(str(snippets[row]) for row in rows))
    usable, notes = require_usable(taken.labelings)
    several = len(taken.labelings) > 1
    own = [
        f"{key}: {note}" if several else note
        for key, labeling in usable.items()
        for note in labeling.notes
    ]
    return replace(taken, labelings=usable, notes=(*taken.notes, *notes, *own))


def _of_split(split: Split, reading: Reading) -> StudyData:
    """Return a split, whose classes have names, with the user's own instead if there are any."""
    if reading.class_names is not None or reading.label_kind is not None:
        names, labels = reading.class_names, split.labels
        texts = np.array(split.class_names)[labels]
        # The same classes, perhaps in another order; else other names for them.
        same = isinstance(names, Sequence) and set(names) == set(split.class_names)
        return _labeled(split.inputs, texts if same else labels, reading)
    labeling = Labeling(split.labels, split.class_names, order_known=split.order_known, named=True)
    return StudyData(split.inputs, {ONLY: ignoring(labeling, reading.ignore_labels)})


def _drawing(reading: Reading) -> Callable[[Any], Array | None] | None:
    """Return the function that draws rows once the labels are known, before inputs are read."""
    if reading.max_samples is None:
        return None
    n = reading.max_samples

    def draw(labels: Any) -> Array | None:
        if np.ndim(labels) > 1:  # of tokens, or several labelings; drawn when all is read
            return None
        strata = next(iter(reading.labelings(labels).values())).strata
        if is_integer(n) and n >= len(strata):
            return None
        return np.sort(stratified_indices(strata, n, reading.random_state, "max_samples"))

    return draw


def _of_pair(inputs: Any, labels: Any, reading: Reading) -> StudyData:
    if inputs is not None and not isinstance(inputs, Mapping | tuple) and not _are_arrays(inputs):
        opened = reading.open(inputs, labels, draw=_drawing(reading))
        if opened is not None:
            return _of_opened(opened, reading)
    if isinstance(inputs, list) and hasattr(labels, "__len__"):
        if are_batches(inputs, len(labels)):
            opened = reading.open(iter(inputs), labels)
            assert opened is not None
            return _of_opened(opened, reading)
        inputs = several_inputs(inputs, len(labels))
    return _labeled(map_arrays(_as_array, inputs), labels, reading)


def _are_arrays(inputs: Any) -> bool:
    if isinstance(inputs, list):
        return all(hasattr(part, "shape") or isinstance(part, list | float) for part in inputs)
    return hasattr(inputs, "shape") and _holds_no_texts(inputs)


def _holds_no_texts(inputs: Any) -> bool:
    """Whether an array or series holds anything but texts."""
    dtype = getattr(inputs, "dtype", None)
    return dtype is None or (
        str(dtype) not in ("object", "str", "string") and getattr(dtype, "kind", "") not in "UT"
    )


def _of_opened(opened: LabeledInputs, reading: Reading) -> StudyData:
    """Return what was read with its labels."""
    inputs = opened.inputs
    if not is_stream(inputs):
        inputs = map_arrays(_as_array, inputs)
    taken = _labeled(inputs, opened.labels, reading, opened.class_names)
    snippets = taken.snippets
    if opened.snippets is not None and taken.places is None:
        snippets = opened.snippets
    return replace(
        taken,
        snippets=snippets,
        rows=opened.rows,
        n_given=opened.n_given,
        notes=(*taken.notes, *opened.notes),
    )


def _of_positions(
    inputs: Any,
    places: Places,
    labels: Array,
    class_names: tuple[str, ...] | None,
    reading: Reading,
) -> StudyData:
    """Return labeled tokens or pixels, of which some are drawn."""
    what = "tokens" if len(places.grid) == 1 else "pixels"
    taken = replace(_labeled(None, labels, reading, class_names), inputs=inputs, places=places)
    n = MAX_POSITIONS if reading.max_samples is None else reading.max_samples
    drawn = taken.sample(n, reading.random_state)
    note = f"each point is one of {len(labels):,} labeled {what}"
    if len(drawn.labels) < len(labels):
        note += f"; {len(drawn.labels):,} of them were drawn by class"
    assert drawn.places is not None
    snippets = tuple(
        f"sample {sample}, {what[:-1]} {', '.join(map(str, position))}"
        for sample, position in zip(
            drawn.places.samples, drawn.places.positions.tolist(), strict=True
        )
    )
    return replace(drawn, snippets=snippets, notes=(*taken.notes, note))


def _labeled(
    inputs: Any,
    labels: Any,
    reading: Reading,
    class_names: tuple[str, ...] | None = None,
) -> StudyData:
    at = None if inputs is None else labels_at_positions(inputs, labels, reading.ignore_labels)
    if at is not None:
        return _of_positions(inputs, *at, class_names, reading)
    labelings = reading.labelings(labels, class_names)
    n_labels = len(next(iter(labelings.values())))
    lengths = {len(array) for array in leaf_arrays(inputs)}
    if is_stream(inputs):
        lengths = {inputs.n_samples}
    if lengths and lengths != {n_labels}:
        found = " and ".join(map(str, sorted(lengths)))
        raise ValueError(
            f"data: labels must hold one label for each of the {found} inputs; "
            f"got the shape ({n_labels},)"
        )
    return StudyData(inputs, labelings)


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
    """Return every array of a model's inputs; none of batches that are not kept."""
    if inputs is None or is_stream(inputs):
        return []
    if isinstance(inputs, Mapping):
        return list(inputs.values())
    return list(inputs) if isinstance(inputs, tuple) else [inputs]


def thumbnails_of(inputs: Any, span: tuple[float, float] | None = None) -> Array | None:
    """Return images as thumbnails, uint8 (n_samples, height, width[, 3]); None for other inputs.

    Images are (n_samples, height, width), with 1 or 3 channels last or first. Values in [0, 1] or
    [0, 255] are kept; others are scaled from their minimum and maximum. Images of more than 64
    pixels per side are reduced by averaging blocks. Of batches, the first one's values set the
    scale; there are none if there are more than 20,000 samples.

    Parameters
    ----------
    inputs : array, Stream, or other inputs
    span : tuple of float, optional
        The minimum and maximum of the values; by default those of the inputs.
    """
    if is_stream(inputs):
        return _thumbnails_of_batches(inputs)
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
    low, high = (float(images.min()), float(images.max())) if span is None else span
    if span is not None:
        images = np.clip(images, low, high)
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


def _thumbnails_of_batches(stream: Any) -> Array | None:
    if stream.n_samples > STREAMED_THUMBNAILS or len(stream.parts) != 1:
        return None
    (first,) = stream.parts.values()
    if thumbnails_of(first[:2]) is None:
        return None
    span = float(first.min()), float(first.max())
    small: list[Array] = []
    for _, _, batch in stream.batches(1024):
        images = thumbnails_of(batch, span)
        if images is None or (small and images.shape[1:] != small[0].shape[1:]):
            return None
        small.append(images)
    return np.concatenate(small)


def snippets_of(inputs: Any) -> tuple[str, ...] | None:
    """Return the first values of each sample as text; None unless samples are vectors."""
    if not isinstance(inputs, np.ndarray) or inputs.ndim != 2 or inputs.dtype.kind not in "biuf":
        return None
    more = ", ..." if inputs.shape[1] > SNIPPET_NUMBERS else ""
    return tuple(
        ", ".join(f"{value:.4g}" for value in row) + more
        for row in inputs[:, :SNIPPET_NUMBERS].tolist()
    )
