"""The data of a study of more samples than memory holds: all of them, and the landmarks."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..._io.sendable import sendable
from ..._io.shared_store import SharedStore
from ..._io.stored_points import is_stored
from ..._typing import Array
from ..._validation.arrays import as_numbers
from ..._validation.points import as_float32
from .data import StudyData, is_stream, take_data
from .sources import Reading

LANDMARKS: Final = 100_000
"""How many samples are mapped and measured like those of any study, by default."""
READ_BYTES: Final = 2**26
# What float32 holds exactly.
EXACT: Final = ("float32", "float16", "uint8", "int8", "uint16", "int16", "bool")
# Rows that tell whether an array on disk is the same as before, besides its files.
TOLD_BY: Final = 64


@dataclass(frozen=True)
class StoredRows:
    """An array that every worker can read: on disk, or in the store.

    Attributes
    ----------
    array : object or None
        What slices give rows of.
    store : SharedStore or None
    key : str
        Where it is in the store.
    """

    array: Any = None
    store: SharedStore | None = None
    key: str = ""

    def open(self) -> Any:
        """Return an object with ``shape``, ``dtype`` and slices."""
        return self.array if self.store is None else self.store.open_array(self.key)

    def read(self, rows: slice) -> Array:
        """Read rows as they are stored."""
        return as_numbers(self.open()[rows.start : rows.stop], "points")


@dataclass(frozen=True, eq=False)
class AllSamples:
    """All samples of a study.

    Attributes
    ----------
    codes : array of int64 (n_samples,)
        -1 where a sample is unlabeled.
    inputs : array, on disk or in memory, or None
    points : dict of str to array, or None
        The layers of a model that is a dict of points.
    landmarks : StudyData
        The samples that are studied like any others.
    model : object
        What is studied: the given model, or the points of the landmarks.
    path : str or None
        Where workers load the model from.
    """

    codes: Array
    inputs: Any
    points: dict[str, Any] | None
    landmarks: StudyData
    model: Any
    path: str | None

    @property
    def n_samples(self) -> int:
        """The number of all samples."""
        return len(self.codes)

    @property
    def rows(self) -> Array:
        """The landmarks among all samples."""
        rows = self.landmarks.rows
        return np.arange(self.n_samples) if rows is None else rows


def take_all(
    model: Any, data: Any, reading: Reading, max_samples: int | None, random_state: int
) -> AllSamples:
    """Take the data of a study with a store; draw the landmarks.

    Raises
    ------
    ValueError
        If the inputs are not one array, there are several labelings, labels are numbers, or an
        array has another number of samples or a type that float32 cannot hold.
    TypeError
        If the data are of no kind that a study takes.
    """
    path = None
    if isinstance(model, str | os.PathLike):
        from ...representations import load_for_inference

        path, model = str(Path(model).absolute()), load_for_inference(model)
    inputs = None
    if isinstance(data, tuple) and len(data) == 2 and (data[0] is None or is_stored(data[0])):
        inputs, data = data[0], (None, data[1])
    whole = take_data(data, None, replace(reading, max_samples=None))
    if whole.places is not None or is_stream(whole.inputs):
        raise ValueError(
            "store: data must be a pair (inputs, labels) with one array of inputs, in memory or on "
            "disk (Zarr, HDF5, numpy.memmap), and one label a sample; batches are not read"
        )
    if inputs is None:
        inputs = whole.inputs
    if isinstance(inputs, Mapping | tuple | list):
        raise ValueError("store: the inputs must be one array; got several")
    if len(whole.labelings) > 1 or whole.labeling.values is not None:
        raise ValueError(
            "store: labels must be the classes of one labeling; got "
            + (
                f"{len(whole.labelings)} labelings"
                if len(whole.labelings) > 1
                else "numbers (label_kind='classes' takes whole ones as classes)"
            )
        )
    n_samples = len(whole.labels)
    if inputs is not None:
        _check_rows(inputs, n_samples, "data: inputs")
    limit = LANDMARKS if max_samples is None else max_samples
    drawn = replace(whole, inputs=None).sample(limit, random_state)
    rows = np.arange(n_samples) if drawn.rows is None else drawn.rows
    points = None
    if isinstance(model, Mapping):
        points = {str(name): model[name] for name in model}
        for name, array in points.items():
            if is_stored(array):
                _check_rows(array, n_samples, f"model: {name!r}")
                exact_float32(array, f"model: {name!r}")
            else:
                points[name] = as_numbers(array, f"model: {name!r}")
                _check_rows(points[name], n_samples, f"model: {name!r}")
                exact_float32(points[name], f"model: {name!r}")
        model = {
            name: require_finite_samples(gathered(array, rows), rows, f"model: {name!r}")
            for name, array in points.items()
        }
    if inputs is not None:
        taken = require_finite_samples(gathered(inputs, rows), rows, "data: the inputs")
        drawn = replace(drawn, inputs=taken)
    return AllSamples(whole.labels, inputs, points, drawn, model, path)


def require_finite_samples(values: Array, rows: Array, name: str) -> Array:
    """Return the values of some samples.

    Raises
    ------
    ValueError
        If one holds NaN or infinity; it is named by its number among all samples.
    """
    if values.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
        if len(bad):
            raise ValueError(
                f"{name} holds NaN or infinity, as in the sample {int(rows[bad[0]]):,}: mend or "
                "leave out such samples"
            )
    return values


def _check_rows(array: Any, n_samples: int, name: str) -> None:
    shape = tuple(array.shape)
    if len(shape) < 2 or shape[0] != n_samples or not all(shape):
        raise ValueError(
            f"{name} must have a row of at least one number for each of the {n_samples:,} labels; "
            f"got the shape {shape}"
        )


def exact_float32(array: Any, name: str) -> Any:
    """Return an array that float32 holds as it is, in memory as float32; one on disk unchanged.

    Raises
    ------
    ValueError
        If values of an array on disk may need more precision, or those of one in memory do.
    """
    kind = np.dtype(array.dtype)
    if is_stored(array):
        if kind.name not in EXACT:
            raise ValueError(
                f"{name} must hold float32, float16 or integers of at most 16 bits, as it is read "
                f"part by part; got {kind}. Store it as float32, large values after subtracting "
                "their mean"
            )
        return array
    require_finite_samples(np.asarray(array), np.arange(len(array)), name)
    values: Array = np.asarray(array).astype(np.float32)
    taken = as_float32(array, name=name).values
    if taken.dtype != np.float32 or not np.array_equal(taken, values):
        raise ValueError(
            f"{name} needs more precision than float32 has: subtract the mean of each feature first"
        )
    return values


def gathered(array: Any, rows: Array) -> Array:
    """Read some rows, ascending, of an array in memory or on disk, block by block."""
    if isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        return array[rows]
    shape = tuple(array.shape)
    found = np.empty((len(rows), *shape[1:]), np.dtype(array.dtype))
    step = max(1, READ_BYTES // max(1, found.dtype.itemsize * int(np.prod(shape[1:]))))
    for start in range(0, shape[0], step):
        first, last = np.searchsorted(rows, [start, start + step])
        if first < last:
            low, high = int(rows[first]), int(rows[last - 1]) + 1
            found[first:last] = np.asarray(array[low:high])[rows[first:last] - low]
    return found


def identity_of(array: Any) -> dict[str, Any]:
    """Return what tells an array from others: its content, or its files and some of its rows."""
    described = {"shape": list(array.shape), "dtype": str(np.dtype(array.dtype))}
    digest = hashlib.sha256()
    if isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return {**described, "content": digest.hexdigest()}
    n_samples = int(array.shape[0])
    for row in np.unique(np.linspace(0, n_samples - 1, TOLD_BY).astype(np.int64)).tolist():
        digest.update(np.ascontiguousarray(array[row : row + 1]).tobytes())
    return {**described, "rows": digest.hexdigest(), "files": _files_of(array)}


def _files_of(array: Any) -> str:
    """Return a digest of the sizes and times of the files of an array on disk."""
    root = getattr(getattr(array, "store", None), "root", None)
    name = getattr(array, "filename", None)
    if name is None and type(array).__module__.partition(".")[0] == "h5py":
        name = array.file.filename
    listed: list[Any] = []
    remote = getattr(getattr(array, "store", None), "store", None)
    if remote is not None:
        listed = [
            [str(each["path"]), int(each["size"]), str(each["e_tag"])]
            for batch in remote.list(f"{array.path}/" if array.path else None)
            for each in batch
        ]
    elif root is not None:
        place = Path(root) / str(getattr(array, "path", ""))
        files = (Path(where, file) for where, _, names in os.walk(place) for file in names)
        listed = [[file.relative_to(place).as_posix(), *_stat(file)] for file in files]
    elif name is not None:
        listed = _stat(Path(name))
    return hashlib.sha256(json.dumps(sorted(listed, key=str)).encode()).hexdigest()


def _stat(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def place_rows(
    store: SharedStore, key: str, array: Any, partitions: tuple[slice, ...]
) -> StoredRows:
    """Return an array as workers read it; one in memory is written to the store."""
    if is_stored(array):
        return StoredRows(sendable(array))
    store.create_array(key, array.shape, array.dtype, partitions[0].stop)
    written = store.open_array(key, writable=True)
    for rows in partitions:
        written[rows] = array[rows]
    return StoredRows(None, store, key)
