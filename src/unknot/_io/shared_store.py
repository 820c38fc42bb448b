"""A folder that all workers see: small files by key, and arrays of whole chunks."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .._typing import Array
from .atomic import atomic_path
from .folders import inside


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

    def write(self, key: str, data: bytes) -> list[Any]:
        """Write a small file; return its size and checksum."""
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
            raise FileNotFoundError(errno.ENOENT, "missing in the store", f"{self.place}/{key}")
        return _unpacked(data)

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
            raise FileNotFoundError(errno.ENOENT, "missing in the store", f"{self.place}/{key}")
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
        """Remove a folder of small files."""
        place = inside(self.path, folder)
        for name in self.names(folder):
            (place / name).unlink(missing_ok=True)
        with suppress(OSError):
            place.rmdir()

    def size_of(self, key: str) -> int | None:
        """Return the size of a file; None if there is none."""
        try:
            return inside(self.path, key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None


# What was never written in an array of integers.
MISSING = -2


def describe(data: bytes) -> list[Any]:
    """Return the size and the checksum of what a file holds."""
    return [len(data), hashlib.sha256(data).hexdigest()]


def _packed(arrays: dict[str, Array]) -> bytes:
    """Return arrays one after the other, with a line of JSON before them."""
    head, body = {}, []
    for name, array in arrays.items():
        plain = np.ascontiguousarray(array)
        if plain.dtype.kind not in "biuf":
            raise TypeError(f"{name} must hold numbers; got {plain.dtype}")
        plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
        head[name] = [plain.dtype.str, list(np.shape(array))]
        body.append(plain.tobytes())
    return b"".join([json.dumps(head).encode(), b"\n", *body])


def _unpacked(data: bytes) -> dict[str, Array]:
    line, _, body = data.partition(b"\n")
    found, start = {}, 0
    for name, (dtype, shape) in json.loads(line).items():
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64))
        found[name] = np.frombuffer(body, kind, size, start).reshape(shape).copy()
        start += size * kind.itemsize
    return found
