"""A folder that all workers see: small files by key, and arrays of whole chunks."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from .._typing import Array
from .atomic import atomic_path
from .folders import inside
from .lock import locked

# What can be written, or was read.
Bytes: TypeAlias = bytes | memoryview


@dataclass(frozen=True)
class SharedStore:
    """A folder that all workers see.

    Small files are written whole under another name and then renamed. Arrays are Zarr arrays
    without shards: a chunk is a file, and only one task writes it. A chunk that is missing reads
    as NaN, or as `MISSING` in an array of integers.

    Parameters
    ----------
    place : str
        The folder's path.
    """

    place: str
    # Of an object store; a folder has none.
    options: dict[str, Any] = field(default_factory=dict, repr=False, hash=False)

    @classmethod
    def of(cls, where: Any, options: dict[str, Any] | None = None) -> SharedStore:
        """Open a folder, and create it if need be; or the address of an object store.

        Raises
        ------
        TypeError
            If it is no path.
        ValueError
            If it is an address of another kind, or a folder has options.
        OSError
            If it cannot be created or written to.
        """
        if not isinstance(where, str | os.PathLike):
            raise TypeError(
                "store must be the path of a folder that all workers see, or an address; "
                f"got {where!r}"
            )
        if not str(where):
            raise ValueError("store must be the path of a folder, or an address; got ''")
        if "://" in str(where):
            from .object_store import ObjectStore

            return ObjectStore.at(str(where), options)
        if options:
            raise ValueError("store_options are of an object store; got a folder as store")
        path = Path(where).absolute()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise type(error)(
                error.errno,
                f"store: the folder {path} cannot be created ({error.strerror}); name another",
            ) from error
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(
                errno.EACCES, f"store: {path} cannot be written to; name another folder"
            )
        return cls(str(path))

    @property
    def is_remote(self) -> bool:
        """Whether it is an object store."""
        return "://" in self.place

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.place)

    def write(self, key: str, data: Bytes) -> list[Any]:
        """Write a file; return its size and checksum."""
        with atomic_path(inside(self.path, key)) as path:
            path.write_bytes(data)
        return describe(data)

    def write_record(self, key: str, data: bytes) -> None:
        """Write a small file that tells of others, which are whole."""
        self.write(key, data)

    def write_json(self, key: str, values: Any) -> None:
        """Write plain values as JSON."""
        self.write_record(key, json.dumps(values, sort_keys=True, allow_nan=False).encode())

    def write_arrays(self, key: str, **arrays: Array) -> list[Any]:
        """Write small arrays in one file; return its size and checksum."""
        return self.write(key, _packed(arrays))

    def read(self, key: str) -> bytes | None:
        """Read a small file; None if there is none."""
        try:
            return inside(self.path, key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read_json(self, key: str) -> Any:
        """Read plain values; None if they are missing or damaged."""
        data = self.read(key)
        try:
            return None if data is None else json.loads(data)
        except (ValueError, RecursionError):
            return None

    def read_arrays(self, key: str) -> dict[str, Array]:
        """Read small arrays.

        Raises
        ------
        FileNotFoundError
            If there are none.
        """
        data = self.read(key)
        if data is None:
            raise self._missing(key)
        return _unpacked(data)

    def map_arrays(self, key: str) -> dict[str, Array]:
        """Open arrays that are read where they are used; from an object store, read them whole.

        Raises
        ------
        FileNotFoundError
            If there are none.
        """
        place = inside(self.path, key)
        try:
            with place.open("rb") as file:
                head = file.readline()
        except (FileNotFoundError, NotADirectoryError):
            raise self._missing(key) from None
        return {
            name: np.memmap(place, kind, "r", start, shape) if size else np.empty(shape, kind)
            for name, kind, shape, start, size in _placed(head)
        }

    def read_range(self, key: str, start: int, size: int) -> Bytes:
        """Read some bytes of a file.

        Raises
        ------
        FileNotFoundError
            If there is none.
        OSError
            If it is shorter.
        """
        try:
            with inside(self.path, key).open("rb") as file:
                file.seek(start)
                return self._whole(key, file.read(size), size)
        except (FileNotFoundError, NotADirectoryError):
            raise self._missing(key) from None

    def _missing(self, key: str) -> FileNotFoundError:
        return FileNotFoundError(errno.ENOENT, "missing in the store", f"{self.place}/{key}")

    def _whole(self, key: str, data: Bytes, size: int) -> Bytes:
        if len(data) != size:
            raise OSError(
                errno.EIO, f"{self.place}/{key} is cut short: got {len(data):,} of {size:,} bytes"
            )
        return data

    def holds(self, key: str, described: list[Any]) -> bool:
        """Whether a small file is as it was written."""
        data = self.read(key)
        return data is not None and describe(data) == described

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, sorted."""
        try:
            return sorted(path.name for path in inside(self.path, folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def create_array(self, key: str, shape: tuple[int, ...], dtype: Any, chunk_rows: int) -> None:
        """Create an array, unless one of this shape, type and chunks exists."""
        import zarr
        from zarr.codecs import Crc32cCodec

        chunks = (min(chunk_rows, shape[0]), *shape[1:])
        with_same = self._opened(key)
        if with_same is not None and (
            tuple(with_same.shape) == tuple(shape)
            and tuple(with_same.chunks) == chunks
            and with_same.dtype == np.dtype(dtype)
        ):
            return
        kind = np.dtype(dtype).kind
        store, name = self.zarr_place(key)
        zarr.create_array(
            store=store,
            name=name,
            shape=shape,
            dtype=dtype,
            chunks=chunks,
            fill_value=float("nan") if kind == "f" else MISSING,
            compressors=Crc32cCodec(),
            zarr_format=3,
            config={"write_empty_chunks": True},
            overwrite=True,
        )

    def open_array(self, key: str, *, writable: bool = False) -> Any:
        """Open an array.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """
        opened = self._opened(key, writable=writable)
        if opened is None:
            raise self._missing(key)
        return opened

    def _opened(self, key: str, *, writable: bool = False) -> Any:
        import zarr

        if not self.has_array(key):
            return None
        mode: Any = "r+" if writable else "r"
        store, name = self.zarr_place(key)
        return zarr.open_array(store=store, path=name, mode=mode, zarr_format=3)

    def zarr_place(self, key: str) -> tuple[Any, str | None]:
        """Return where an array lies, as Zarr takes it: a store, and a name in it."""
        return str(inside(self.path, key)), None

    def has_array(self, key: str) -> bool:
        """Whether there is an array."""
        return (inside(self.path, key) / "zarr.json").is_file()

    def chunks(self, key: str, rows: slice) -> dict[str, int]:
        """Return the size of each chunk of some rows, by its key; those that exist."""
        array = self.open_array(key)
        size, others = array.chunks[0], "/0" * (len(array.shape) - 1)
        found = {}
        for number in range(rows.start // size, -(-rows.stop // size)):
            name = f"{key}/c/{number}{others}"
            size_of = self.size_of(name)
            if size_of is not None:
                found[name] = size_of
        return found

    def remove(self, folder: str) -> None:
        """Remove a folder and what is in it."""
        shutil.rmtree(inside(self.path, folder), ignore_errors=True)

    @contextmanager
    def alone(self, folder: str) -> Iterator[None]:
        """Hold a folder for one run at a time; an object store has no locks.

        Raises
        ------
        FolderInUseError
            If another run holds it.
        """
        place = inside(self.path, folder)
        place.mkdir(parents=True, exist_ok=True)
        with locked(place):
            yield

    def size_of(self, key: str) -> int | None:
        """Return the size of a file; None if there is none."""
        try:
            return inside(self.path, key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None


# What was never written in an array of integers.
MISSING = -2
# Arrays in a file begin at multiples of this, so that they can be mapped.
ALIGNED = 64


def describe(data: Bytes) -> list[Any]:
    """Return the size and the checksum of what a file holds."""
    return [len(data), hashlib.sha256(data).hexdigest()]


def bytes_of(array: Array) -> Bytes:
    """Return the values of an array of numbers, row by row, lowest byte first; not copied."""
    plain = np.ascontiguousarray(array)
    plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    return plain.reshape(-1).view(np.uint8).data if plain.size else b""


def _packed(arrays: dict[str, Array]) -> bytes:
    """Return arrays one after the other, with a line of JSON before them; each aligned."""
    head, body = {}, []
    for name, array in arrays.items():
        kind = np.asarray(array).dtype
        if kind.kind not in "biuf":
            raise TypeError(f"{name} must hold numbers; got {kind}")
        data = bytes_of(array)
        head[name] = [kind.newbyteorder("<").str, list(np.shape(array))]
        body += [data, b"\0" * (-len(data) % ALIGNED)]
    line = json.dumps(head).encode()
    return b"".join([line, b" " * (-(len(line) + 1) % ALIGNED), b"\n", *body])


def _placed(line: bytes) -> list[tuple[str, np.dtype[Any], tuple[int, ...], int, int]]:
    """Return the name, type, shape, first byte and size in bytes of each array."""
    found, start = [], len(line)
    for name, (dtype, shape) in json.loads(line).items():
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        found.append((name, kind, tuple(shape), start, size))
        start += size + -size % ALIGNED
    return found


def _unpacked(data: bytes) -> dict[str, Array]:
    line = data[: data.index(b"\n") + 1]
    return {
        name: np.frombuffer(data, kind, size // kind.itemsize, start).reshape(shape).copy()
        for name, kind, shape, start, size in _placed(line)
    }
