"""The format of a study's folder: its files and arrays.

``study.json`` is the manifest. It is written last, in one rename, so that a folder holds the old
study or the new one. Arrays are Zarr arrays (format 3) in ``parts/``. ``seconds.json`` holds the
durations, the only thing that differs between runs.

A folder may come from an untrusted source. Whatever it contains, only regular files inside it are
read, and only numeric arrays with the codecs that are written here: other Zarr codecs include one
that unpickles.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..._io.folders import inside, is_link, read_regular
from ..._typing import Array
from .layer_records import GraphRecord

if TYPE_CHECKING:
    from ...neighbors import NeighborGraph
else:
    NeighborGraph = Any

MANIFEST: Final = "study.json"
SECONDS: Final = "seconds.json"
PARTS: Final = "parts"
# The size of a chunk, in bytes, about; samples are read in blocks of the same size.
CHUNK_BYTES: Final = 8 * 2**20
# The greatest ratio of a compressed array, as earlier versions wrote, to its files.
_MOST_EXPANDED: Final = 1000
_ALWAYS_READ: Final = 2**28
_DTYPES: Final = {"float32", "float64", "int32", "int64", "uint8"}
_CODECS: Final = {"bytes", "crc32c", "zstd"}
_MOST_JSON: Final = 2**29


class StudyError(ValueError):
    """A stored study cannot be read, or no study can be made of the given data.

    See Also
    --------
    Study.load : Loads a stored study.
    unknot.study : Makes a study.
    """


def chunk_rows(shape: tuple[int, ...], itemsize: int) -> int:
    """Return how many samples go into a chunk."""
    row = itemsize * int(np.prod(shape[1:], dtype=np.int64))
    return int(max(1, min(shape[0], CHUNK_BYTES // max(1, row))))


def blocks(array: Any) -> list[slice]:
    """Return slices of samples to be read one at a time."""
    n, rows = array.shape[0], chunk_rows(array.shape, array.dtype.itemsize)
    return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]


def write_zarr(path: Path, array: Any) -> None:
    """Write an array-like as a Zarr array, a block of samples at a time.

    Chunks have checksums, so that damage is detected when they are read. They are not compressed:
    the bytes that a compressor writes depend on its version, and the same study must be the same
    bytes.
    """
    import zarr
    from zarr.codecs import Crc32cCodec

    stored = zarr.create_array(
        store=path,
        shape=array.shape,
        dtype=array.dtype,
        chunks=(chunk_rows(array.shape, array.dtype.itemsize), *array.shape[1:]),
        compressors=Crc32cCodec(),
        zarr_format=3,
        config={"write_empty_chunks": True},
    )
    for block in blocks(array):
        stored[block] = np.ascontiguousarray(array[block])


def open_zarr(folder: Path, name: str) -> Any:
    """Open a stored array for reading, without reading it yet.

    Whatever fails when it is read later is a StudyError that names the file, too.

    Raises
    ------
    StudyError
        If it is missing, damaged, or not a numeric array as written here; the message names the
        file.
    """
    import zarr

    from .stored_array import StoredArray

    try:
        path = inside(folder, name)
        _check_array(path)
        opened = zarr.open_array(store=path, mode="r", zarr_format=3)
        return StoredArray(opened, partial(damaged, folder, name))
    except Exception as error:
        raise damaged(folder, name, error) from error


def _check_array(path: Path) -> None:
    """Raise ValueError unless a folder holds an array as `write_zarr` writes it."""
    described = json.loads(read_regular(path / "zarr.json", 2**20))
    shape, codecs = described["shape"], [codec["name"] for codec in described["codecs"]]
    chunk = described["chunk_grid"]["configuration"]["chunk_shape"]
    if (
        described["node_type"] != "array"
        or described["data_type"] not in _DTYPES
        or codecs[:1] != ["bytes"]
        or not _CODECS.issuperset(codecs)
        or described.get("storage_transformers")
        or not all(type(size) is int and size >= 0 for size in (*shape, *chunk))
    ):
        raise ValueError("it is not an array as unknot writes them")
    itemsize = np.dtype(described["data_type"]).itemsize
    files = list(_files_of(path, 2 + len(shape)))
    says, held = itemsize * math.prod(shape), sum(file.stat().st_size for file in files)
    if "zstd" in codecs:
        for file in files:
            _check_frame(file, itemsize * math.prod(chunk))
        held = max(_ALWAYS_READ, _MOST_EXPANDED * held)
    if says > held:
        raise ValueError(f"it says {says:,} bytes, and its files hold too few")


def _files_of(path: Path, depth: int) -> Iterator[Path]:
    """Yield the chunks of an array, down to a depth; a ValueError if one is not regular."""
    for entry in os.scandir(path):
        if entry.is_dir(follow_symlinks=False) and depth and not is_link(Path(entry.path)):
            yield from _files_of(Path(entry.path), depth - 1)
        elif not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            raise ValueError(f"{entry.name} is not an ordinary file")
        elif entry.name != "zarr.json":
            yield Path(entry.path)


def _check_frame(file: Path, most: int) -> None:
    """Raise ValueError if a Zstandard frame declares more content than a chunk holds."""
    with file.open("rb") as stream:
        head = stream.read(18)
    flags = head[4] if len(head) > 5 else 0
    single = flags >> 5 & 1
    start = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    n_bytes = (single, 2, 4, 8)[flags >> 6]
    size = int.from_bytes(head[start : start + n_bytes], "little") + 256 * (n_bytes == 2)
    if not n_bytes or size > most:
        raise ValueError(f"{file.name} does not say that it holds at most {most:,} bytes")


def read_zarr(folder: Path, name: str) -> Array:
    """Read a stored array whole."""
    stored = open_zarr(folder, name)
    try:
        return np.asarray(stored[...])
    except StudyError:
        raise
    except Exception as error:
        raise damaged(folder, name, error) from error


def read_json(folder: Path, name: str) -> Any:
    """Read a JSON file of a study."""
    try:
        return json.loads(read_regular(inside(folder, name), _MOST_JSON))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(folder, name, error) from error


def damaged(folder: Path, name: str, error: Exception | str) -> StudyError:
    """Return the error for a file that is missing or damaged."""
    why = "it is missing" if isinstance(error, FileNotFoundError) else str(error)
    return StudyError(
        f"{folder} holds a study that is damaged: {str(name)[:200]} cannot be read "
        f"({(why or type(error).__name__)[:300]}). Run unknot study into that folder again: only "
        "what is damaged is done anew"
    )


def write_graph(path: Path, graph: NeighborGraph) -> dict[str, Any]:
    """Write the arrays of a graph into a folder; return its other attributes."""
    write_zarr(path / "indices", graph.indices)
    write_zarr(path / "distances", graph.distances)
    return {"metric": graph.metric, "recall": float(graph.recall)}


def read_graph(folder: Path, stored: GraphRecord) -> NeighborGraph:
    """Read the neighbors of a layer."""
    from ...neighbors import NeighborGraph

    path = stored.path
    indices = read_zarr(folder, f"{path}/indices")
    distances = read_zarr(folder, f"{path}/distances")
    try:
        return NeighborGraph(indices, distances, stored.metric, stored.recall)
    except (TypeError, ValueError) as error:
        raise damaged(folder, path, error) from error
