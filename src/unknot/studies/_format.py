"""The folder of a study: what its files are called, and how arrays lie in it.

``study.json`` says what there is and where; it is written last, in one rename, so that a folder
holds the old study or the new one. The numbers are Zarr arrays (format 3) in ``parts/``.
``seconds.json`` has the times, which alone differ from one run to the next.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._typing import Array

if TYPE_CHECKING:
    from ..neighbors import NeighborGraph
else:
    NeighborGraph = Any

FORMAT: Final = "unknot study"
VERSION: Final = 1
MANIFEST: Final = "study.json"
SECONDS: Final = "seconds.json"
PARTS: Final = "parts"
# Samples are stored, and read, about so many bytes at a time.
CHUNK_BYTES: Final = 8 * 2**20


class StudyError(ValueError):
    """A stored study cannot be read, or a study cannot be made of what was given."""


def chunk_rows(shape: tuple[int, ...], itemsize: int) -> int:
    """Return how many samples go into a chunk."""
    row = itemsize * int(np.prod(shape[1:], dtype=np.int64))
    return int(max(1, min(shape[0], CHUNK_BYTES // max(1, row))))


def blocks(array: Any) -> list[slice]:
    """Return slices of samples, each of which is read at once."""
    n, rows = array.shape[0], chunk_rows(array.shape, array.dtype.itemsize)
    return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]


def write_zarr(path: Path, array: Any) -> None:
    """Write an array-like as a Zarr array, a block of samples at a time.

    Chunks carry checksums: one that is damaged is found when it is read.
    """
    import zarr
    from zarr.codecs import ZstdCodec

    stored = zarr.create_array(
        store=path,
        shape=array.shape,
        dtype=array.dtype,
        chunks=(chunk_rows(array.shape, array.dtype.itemsize), *array.shape[1:]),
        compressors=ZstdCodec(level=1, checksum=True),
        zarr_format=3,
    )
    for block in blocks(array):
        stored[block] = np.ascontiguousarray(array[block])


def open_zarr(folder: Path, name: str) -> Any:
    """Open a stored array for reading; nothing is read yet.

    Raises
    ------
    StudyError
        If it is not there or damaged; the file is named.
    """
    import zarr

    path = folder / name
    try:
        return zarr.open_array(store=path, mode="r")
    except Exception as error:
        raise damaged(folder, path, error) from error


def read_zarr(folder: Path, name: str) -> Array:
    """Read a stored array whole."""
    stored = open_zarr(folder, name)
    try:
        return np.asarray(stored[...])
    except Exception as error:
        raise damaged(folder, folder / name, error) from error


def read_json(folder: Path, name: str) -> Any:
    """Read a JSON file of a study."""
    path = folder / name
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(folder, path, error) from error


def damaged(folder: Path, path: Path, error: Exception | str) -> StudyError:
    """Build the error for a file that is missing or not what was written."""
    why = "it is missing" if isinstance(error, FileNotFoundError) else str(error) or type(error)
    return StudyError(
        f"{folder} holds a study that is damaged: {path.relative_to(folder)} cannot be read "
        f"({why}). Run unknot study into that folder again: only what is damaged is done anew"
    )


def write_graph(path: Path, graph: NeighborGraph) -> dict[str, Any]:
    """Write neighbours into a folder; return what else must be known of them."""
    write_zarr(path / "indices", graph.indices)
    write_zarr(path / "distances", graph.distances)
    return {"metric": graph.metric, "recall": float(graph.recall)}


def read_graph(folder: Path, stored: dict[str, Any]) -> NeighborGraph:
    """Read the neighbours of a layer."""
    from ..neighbors import NeighborGraph

    path = stored["path"]
    return NeighborGraph(
        read_zarr(folder, f"{path}/indices"),
        read_zarr(folder, f"{path}/distances"),
        stored["metric"],
        stored["recall"],
    )
