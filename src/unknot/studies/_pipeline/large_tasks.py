"""What workers do with a partition of all samples: importable there, with plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..._cluster import Output, require_finite_rows
from ..._io.shared_store import MISSING, SharedStore
from ..._typing import Array
from .._store.format import read_zarr
from .large_data import StoredRows
from .stages import Source

# More than any partition takes: extracted layers are kept in memory until they are written.
IN_MEMORY: Final = 2**62


@dataclass(frozen=True)
class LayerRows:
    """The points of a layer at all samples, and the labels.

    Attributes
    ----------
    name : str
    points : StoredRows
    codes : StoredRows
        0..C-1 of the classes that occur; -1 where a sample is unlabeled.
    n_classes : int
    """

    name: str
    points: StoredRows
    codes: StoredRows
    n_classes: int

    def read(self, rows: slice) -> Array:
        """Read points as float32 (n_rows, n_features), finite."""
        stored = self.points.read(rows)
        require_finite_rows(stored, rows, f"the layer {self.name!r}")
        return np.ascontiguousarray(stored.reshape(len(stored), -1), np.float32)

    def read_codes(self, rows: slice) -> Array:
        """Read codes."""
        codes = self.codes.read(rows).astype(np.int64)
        if (codes == MISSING).any():
            raise ValueError("labels are missing in the store: a chunk of them was removed")
        return codes

    def labeled(self, rows: slice) -> tuple[Array, Array]:
        """Read the points that are labeled, and their codes."""
        codes, points = self.read_codes(rows), self.read(rows)
        kept = codes >= 0
        return (points, codes) if kept.all() else (points[kept], codes[kept])


@dataclass(frozen=True)
class Extraction:
    """How workers run the model.

    Attributes
    ----------
    path : str or None
        The model's file; without one, ``model`` runs in this process.
    model, forward : object
    inputs : StoredRows
    like : array
        The first landmarks, by which layers and their poolings are found.
    options : mapping
        Of the study.
    batch_size : int
    arrays : mapping of str to str
        Where each layer is written.
    shapes : mapping of str to tuple of int
    """

    path: str | None
    model: Any
    forward: Any
    inputs: StoredRows
    like: Array
    options: Mapping[str, Any]
    batch_size: int
    arrays: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]


def extract_rows(job: Extraction, output: Output, rows: slice, n_threads: int) -> dict[str, Any]:
    """Run the model on a partition, and write its layers."""
    from ...representations import (
        Store,
        batch_bytes,
        check_forward,
        extract_to,
        find_adapter,
        prepare,
        prepare_like,
    )

    inputs = job.inputs.read(rows)
    require_finite_rows(inputs, rows, "the inputs")
    adapter = find_adapter(job.model if job.path is None else _load(job.path))
    adapter.forward = check_forward(job.forward, adapter)
    options = job.options
    first = prepare(
        adapter,
        job.like,
        options["layers"],
        pool=options["pool"],
        channels=options.get("channels"),
        compare=batch_bytes(options["max_memory"]),
    )
    prepared = prepare_like(adapter, inputs, first.with_layers(job.arrays))
    found = extract_to(
        Store(None),
        IN_MEMORY,
        adapter,
        inputs,
        options["layers"],
        batch_size=job.batch_size,
        batch_bytes=batch_bytes(options["max_memory"]),
        pool=options["pool"],
        prepared=prepared,
        project=options["project"],
        random_state=options["random_state"],
        progress=False,
    )
    missing = [name for name in job.arrays if name not in found]
    if missing:
        raise ValueError(
            f"the layer {missing[0]!r} cannot be used there, and can with the landmarks: "
            f"{'; '.join(found.notes) or 'it is not found'}"
        )
    for name, key in job.arrays.items():
        values = np.asarray(found[name])
        if values.shape[1:] != job.shapes[name]:
            raise ValueError(
                f"the layer {name!r} has the shape {values.shape[1:]} there, and "
                f"{job.shapes[name]} with the landmarks: the model file has changed"
            )
        require_finite_rows(values, rows, f"the layer {name!r}")
        output.rows(key, rows, values)
    return {"layers": len(job.arrays)}


@lru_cache(1)
def _load(path: str) -> Any:
    from ...representations import load_for_inference

    return load_for_inference(path)


@dataclass(frozen=True)
class Totals:
    """What the first reading of a layer needs: the rows that decide the origin."""

    layer: LayerRows
    origin: Array


def total_rows(job: Totals, output: Output, rows: slice, n_threads: int) -> dict[str, Any]:
    """Sum the points of each class of a partition."""
    from ...metrics.by_parts import part_totals

    points, codes = job.layer.labeled(rows)
    here = job.origin[(job.origin >= rows.start) & (job.origin < rows.stop)]
    sample = job.layer.read(rows)[here - rows.start] if len(here) else points[:0]
    output.arrays(**part_totals(points, codes, job.layer.n_classes, n_threads), sample=sample)
    return {"n": len(points)}


@dataclass(frozen=True)
class Spreads:
    """What the second reading of a layer needs.

    Attributes
    ----------
    layer : LayerRows
    store : SharedStore
    frame : str
        Where what the first reading gave is in the store.
    names : tuple of str
        The measures.
    """

    layer: LayerRows
    store: SharedStore
    frame: str
    names: tuple[str, ...]


def spread_rows(job: Spreads, output: Output, rows: slice, n_threads: int) -> dict[str, Any]:
    """Sum the squared distances of the points of a partition to the means of their classes."""
    from ...metrics.by_parts import Frame, part_spreads

    points, codes = job.layer.labeled(rows)
    frame = Frame.from_arrays(job.store.read_arrays(job.frame))
    output.arrays(**part_spreads(points, codes, frame, job.names, n_threads))
    return {"n": len(points)}


@dataclass(frozen=True)
class Placement:
    """What placing needs.

    Attributes
    ----------
    layer : LayerRows
    source : Source
        The points of the landmarks.
    map : str
        The part with their map.
    store : SharedStore
    rows : str
        Where the landmarks' numbers among all samples are in the store.
    perplexity : float
    placed : str
        The array of places in the store.
    bounds : tuple of float
        Of the grid: the least and greatest x, the least and greatest y.
    size : int
        Cells of a side of the grid.
    """

    layer: LayerRows
    source: Source
    map: str
    store: SharedStore
    rows: str
    perplexity: float
    placed: str
    bounds: tuple[float, float, float, float]
    size: int


def place_rows_on_map(
    job: Placement, output: Output, rows: slice, n_threads: int
) -> dict[str, Any]:
    """Place a partition on the landmarks' map, and count classes on a grid."""
    from ...projection import place_on_map

    space, map_ = _landmarks(job.source, job.map)
    placed = place_on_map(
        job.layer.read(rows), space, map_, perplexity=job.perplexity, n_jobs=n_threads
    )
    # A landmark keeps its own place; the nearest of them may be a copy of it elsewhere.
    landmarks = job.store.read_arrays(job.rows)["rows"]
    first, last = np.searchsorted(landmarks, [rows.start, rows.stop])
    placed[landmarks[first:last] - rows.start] = map_[first:last]
    output.rows(job.placed, rows, placed)
    codes = job.layer.read_codes(rows)
    codes[codes < 0] = job.layer.n_classes
    cells, counts = np.unique(
        codes * job.size**2 + cells_of(placed, job.bounds, job.size), return_counts=True
    )
    output.arrays(cells=cells.astype(np.int64), counts=counts.astype(np.int64))
    return {"n": len(placed)}


def cells_of(places: Array, bounds: tuple[float, float, float, float], size: int) -> Array:
    """Return the cell of each place on a grid, row by row: that of y, then that of x."""
    wide = places.astype(np.float64)
    ends = ((bounds[0], bounds[1]), (bounds[2], bounds[3]))
    column, row = (
        np.clip(((wide[:, axis] - low) * (size / (high - low))).astype(np.int64), 0, size - 1)
        for axis, (low, high) in enumerate(ends)
    )
    cells: Array = row * size + column
    return cells


@lru_cache(1)
def _landmarks_of(part: str, name: str, map_: str) -> tuple[Any, Array]:
    from ...neighbors import SearchSpace

    points = read_zarr(Path(part), name)
    points = np.ascontiguousarray(points.reshape(len(points), -1))
    return SearchSpace.of(points, "euclidean"), read_zarr(Path(map_), "map")


def _landmarks(source: Source, map_: str) -> tuple[Any, Array]:
    """Return the converted points of the landmarks, and their map; read once in a process."""
    return _landmarks_of(str(source.part.path), source.name, map_)


WORK: Final[Mapping[str, Callable[..., dict[str, Any]]]] = {
    "extract": extract_rows,
    "totals": total_rows,
    "spreads": spread_rows,
    "placed": place_rows_on_map,
}


def work_of(name: str, job: Any) -> Any:
    """Return the work of a stage, to be sent to workers."""
    return partial(WORK[name], job)
