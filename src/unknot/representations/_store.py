"""Storage of representations: memory up to a budget, Zarr arrays on disk beyond it."""

import ctypes
import errno
import json
import mmap
import os
import re
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from .._io.folders import TooLargeError, is_link, read_regular
from .._io.formatting import format_bytes
from .._io.lock import LOCK, locked
from .._io.temporary import TemporaryFolder
from .._typing import Array

CHUNK_BYTES: Final = 8_000_000
_UNFINISHED: Final = ".unknot-"
POPULATED_BYTES: Final = 1 << 23
MADV_POPULATE_WRITE: Final = 23  # Linux 5.14


def select_fitting(sizes: Sequence[int], budget: int) -> list[bool]:
    """Return which sizes fit into the budget together, the smallest first."""
    fits = [False] * len(sizes)
    for place in sorted(range(len(sizes)), key=sizes.__getitem__):
        budget -= sizes[place]
        fits[place] = budget >= 0
    return fits


def prefault_pages(arrays: Sequence[Array]) -> threading.Thread:
    """Populate the arrays' pages in a background thread; contents are unchanged.

    Otherwise the first write to each page faults, which takes longer than the copying. Does
    nothing on systems without MADV_POPULATE_WRITE.
    """

    def work() -> None:
        with suppress(OSError, AttributeError):
            advise = ctypes.CDLL(None).madvise
            advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
            for array in arrays:
                first = -(-array.ctypes.data // mmap.PAGESIZE) * mmap.PAGESIZE
                last = array.ctypes.data + array.nbytes
                for start in range(first, last - POPULATED_BYTES, POPULATED_BYTES):
                    if advise(start, POPULATED_BYTES, MADV_POPULATE_WRITE):
                        return

    thread = threading.Thread(target=work, daemon=True)
    if sys.platform == "linux":
        thread.start()
    return thread


class InMemory:
    """Rows in one NumPy array."""

    def __init__(self, n_samples: int, shape: tuple[int, ...]) -> None:
        self.array = np.empty((n_samples, *shape), np.float32)

    def write(self, start: int, rows: Array) -> None:
        """Write rows from index `start`."""
        self.array[start : start + len(rows)] = rows

    def close(self) -> None:
        """Do nothing."""


class OnDisk:
    """Rows in one Zarr array, in chunks of whole samples, written in order."""

    def __init__(self, place: Path, name: str, n_samples: int, shape: tuple[int, ...]) -> None:
        import zarr

        self._name, self._folder = name, str(place.parent)
        size = max(1, CHUNK_BYTES // (4 * int(np.prod(shape))))
        self._chunk = np.empty((min(size, n_samples), *shape), np.float32)
        self._start = self._filled = 0
        # Samples that were never written read as NaN, not 0. No compression: activations hardly
        # compress, and it takes longer than running most models.
        self._array: Any = zarr.create_array(
            store=str(place),
            shape=(n_samples, *shape),
            chunks=self._chunk.shape,
            dtype="float32",
            fill_value=float("nan"),
            compressors=None,
            attributes={"layer": name},
            config={"write_empty_chunks": True},
        )

    def write(self, start: int, rows: Array) -> None:
        """Write rows; `start` must follow the rows before."""
        while len(rows):
            taken = rows[: len(self._chunk) - self._filled]
            self._chunk[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            rows = rows[len(taken) :]
            if self._filled == len(self._chunk):
                self._flush()

    def close(self) -> None:
        """Write the last, partial chunk."""
        if self._filled:
            self._flush()
        self._chunk = self._chunk[:0]

    def _flush(self) -> None:
        try:
            self._write_chunk()
        except OSError as error:
            raise OSError(
                error.errno,
                f"layer {self._name!r} could not be written to disk ({error.strerror or error}); "
                "raise max_memory, select fewer layers, pool or project them, or use another "
                "store",
                self._folder,
            ) from error
        self._start += self._filled
        self._filled = 0

    def _write_chunk(self) -> None:
        self._array[self._start : self._start + self._filled] = self._chunk[: self._filled]


class Store:
    """A folder of Zarr arrays that appear all at once, after everything is written.

    Parameters
    ----------
    folder : path or None
        The folder. None uses a temporary one, where each array is deleted with the last object
        that reads it.
    numbered : bool, default=False
        Name the arrays by number instead of by layer; views then have no array of their own.
    """

    def __init__(self, folder: Any, *, numbered: bool = False) -> None:
        self._kept: TemporaryFolder | None = None
        self._folder = None if folder is None else Path(folder)
        self.numbered = numbered
        self._names: dict[str, str] = {}
        self._held = ExitStack()
        self.writing: Path | None = None

    @contextmanager
    def open(self) -> Iterator["Store"]:
        """Remove everything that was written if an exception is raised."""
        self._names.clear()
        with ExitStack() as self._held:
            try:
                yield self
            except BaseException:
                self.remove()
                raise

    def reserve(self, n_bytes: int) -> None:
        """Raise an OSError if the disk has too little free space."""
        if not n_bytes:
            return
        folder = Path(tempfile.gettempdir()) if self._folder is None else self._folder
        folder.mkdir(parents=True, exist_ok=True)
        if n_bytes > (free := shutil.disk_usage(folder).free):
            raise TooLargeError(
                errno.ENOSPC,
                f"the representations need {format_bytes(n_bytes)} on disk and "
                f"{format_bytes(free)} are free; raise max_memory, select fewer layers, pool or "
                "project them, or use another store",
                str(folder),
            )

    def column(self, name: str, n_samples: int, shape: tuple[int, ...]) -> OnDisk:
        """Create the array of a layer."""
        number = f"{len(self._names):03d}"
        self._names[name] = number if self.numbered else directory_name(name)
        if self._folder is not None:
            _check_free(self._folder / self._names[name], name)
        if self.writing is None:
            if self._folder is not None:
                _remove_unfinished(self._folder)
            if self._folder is None:
                self._kept = TemporaryFolder()
                self.writing = self._kept.path
            else:
                self.writing = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._folder))
                self._held.enter_context(locked(self.writing))
        return OnDisk(self.writing / self._names[name], name, n_samples, shape)

    def drop(self, name: str) -> None:
        """Remove the array of a layer that is not kept."""
        if self.writing is not None:
            shutil.rmtree(self.writing / self._names[name], ignore_errors=True)

    def finish(self, names: Sequence[str]) -> dict[str, Any]:
        """Move the arrays to their final place and open them for reading."""
        if self.writing is None:
            return {}
        final = self.writing if self._folder is None else self._folder
        if self._folder is not None:
            for name in names:
                _replace(self.writing / self._names[name], final / self._names[name])
            self.remove()
        return {name: self._opened(final / self._names[name]) for name in names}

    def _opened(self, path: Path) -> Any:
        import zarr
        from zarr.storage import LocalStore

        array = zarr.open_array(store=LocalStore(path, read_only=True), mode="r")
        if self._kept is not None:
            weakref.finalize(array.store, _discard, path, self._kept)
        return array

    def remove(self) -> None:
        """Remove what was written and not yet moved to its final place."""
        if self._kept is not None:
            self._kept.remove()
        elif self.writing is not None:
            shutil.rmtree(self.writing, ignore_errors=True)
        self._kept = self.writing = None


def directory_name(layer: str) -> str:
    """Return the folder name of a layer's array; characters unsafe in paths become ``%XX``."""
    return f"{quote(layer, safe='[]() ,')}.zarr"


def _remove_unfinished(folder: Path) -> None:
    """Remove the unfinished arrays of killed processes; running ones hold a lock."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        if (path / LOCK).is_file() and not is_link(path):
            with suppress(OSError), locked(path):
                shutil.rmtree(path, ignore_errors=True)


def _check_free(path: Path, layer: str) -> None:
    """Raise a FileExistsError if a path exists and is not an array of this layer."""
    if not os.path.lexists(path):
        return
    try:
        written = json.loads(read_regular(path / "zarr.json"))["attributes"]["layer"] == layer
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        written = False
    names = (Path(place, name) for place, _, files in os.walk(path) for name in files)
    ours = re.compile(r"zarr\.json|c(/\d+)+")
    if (
        not written
        or is_link(path)
        or not all(ours.fullmatch(name.relative_to(path).as_posix()) for name in names)
    ):
        raise FileExistsError(
            f"store: {path} exists and is not a layer {layer!r} that unknot wrote; use another "
            "folder"
        )


def _replace(new: Path, old: Path) -> None:
    aside = new.with_name(f"{new.name}.old")
    if old.exists():
        old.rename(aside)
    new.rename(old)


def _discard(path: Path, kept: TemporaryFolder) -> None:
    """Remove an array; its folder goes with the last reference to it, which this is one of."""
    shutil.rmtree(path, ignore_errors=True)
