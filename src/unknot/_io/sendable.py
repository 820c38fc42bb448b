"""Arrays on disk that can be sent to another process: as the place where they lie."""

from __future__ import annotations

import errno
from typing import Any, Literal

import numpy as np

from .._parallel.cached import cached_property
from .._typing import Array


class MappedFile:
    """A memory-mapped array, which is sent as the path of its file."""

    def __init__(self, mapped: np.memmap[Any, Any]) -> None:
        self.filename = str(mapped.filename)
        self.dtype = mapped.dtype
        self.shape = mapped.shape
        whole = mapped
        while isinstance(whole.base, np.memmap):
            whole = whole.base
        # A slice keeps the offset of the whole.
        self.offset = int(whole.offset + mapped.ctypes.data - whole.ctypes.data)
        self.order: Literal["C", "F"] = "C" if mapped.flags.c_contiguous else "F"

    def __getitem__(self, rows: Any) -> Array:
        return np.asarray(self._mapped[rows])

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_mapped"}

    @cached_property
    def _mapped(self) -> Array:
        return np.memmap(self.filename, self.dtype, "r", self.offset, tuple(self.shape), self.order)


class HDF5Dataset:
    """A dataset of an HDF5 file, which is sent as the file's path and its name there."""

    def __init__(self, dataset: Any) -> None:
        self.filename = str(dataset.file.filename)
        self.name = dataset.name
        self.dtype = dataset.dtype
        self.shape = dataset.shape
        self.chunks = dataset.chunks

    def __getitem__(self, rows: Any) -> Array:
        return np.asarray(self._dataset[rows])

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_dataset"}

    @cached_property
    def _dataset(self) -> Any:
        import h5py

        return h5py.File(self.filename, "r")[self.name]


class ZarrArray:
    """A Zarr array, which is sent as its place and opened again there.

    Where its folder is not seen, a Zarr array that was opened elsewhere reads as its fill value.
    """

    def __init__(self, array: Any) -> None:
        self.store = array.store
        self.path = array.path
        self.dtype = array.dtype
        self.shape = array.shape
        self.chunks = array.chunks

    def __getitem__(self, rows: Any) -> Array:
        return np.asarray(self._array[rows])

    def __len__(self) -> int:
        return int(self.shape[0])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self._array[...], dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_array"}

    @cached_property
    def _array(self) -> Any:
        import zarr

        place = f"{self.store}/{self.path}".rstrip("/")
        try:
            found = zarr.open_array(self.store, path=self.path, mode="r")
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, "there is no Zarr array", place) from None
        if (found.shape, found.dtype) != (self.shape, self.dtype):
            raise ValueError(
                f"the Zarr array {place} has the shape {found.shape} and {found.dtype} here, and "
                f"{self.shape} and {self.dtype} where the work was started: pass one that all "
                "workers share"
            )
        return found


def sendable(array: Any) -> Any:
    """Return an array on disk as something that can be sent; others unchanged.

    Raises
    ------
    ValueError
        If it is a part of a memory-mapped file with gaps.
    """
    if isinstance(array, np.memmap):
        if array.filename is None or not (array.flags.c_contiguous or array.flags.f_contiguous):
            raise ValueError(
                "points: a part of a memory-mapped file with gaps between its rows cannot be sent "
                "to workers; pass whole rows that follow each other"
            )
        return MappedFile(array)
    if type(array).__module__.partition(".")[0] == "h5py":
        return HDF5Dataset(array)
    if type(array).__module__.partition(".")[0] == "zarr":
        return ZarrArray(array)
    return array


def sendable_within(value: Any) -> Any:
    """Return a value with the Zarr arrays in its tuples, lists and dicts as they can be sent."""
    if type(value) in (tuple, list):
        return type(value)(sendable_within(each) for each in value)
    if type(value) is dict:
        return {name: sendable_within(each) for name, each in value.items()}
    return sendable(value) if type(value).__module__.partition(".")[0] == "zarr" else value
