"""NumPy files, read only if they hold what their headers declare.

A short header can declare any number of values, and a compressed member of an archive can expand a
thousandfold: both are compared with the file's size before memory is allocated.
"""

import errno
import math
import os
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy

from .._typing import Array

DEFLATION: Final = 1032
"""Deflate cannot shrink data by more than this."""
ZIP_MAGIC: Final = b"PK\x03\x04"
SEVERAL: Final = "holds several arrays"
SINGLE: Final = "holds a single array"


class UnreadableError(ValueError):
    """A file does not hold what it should; the message continues a sentence with its name."""


class PickledError(UnreadableError):
    """An array holds pickled Python objects, which can run code when they are read."""


def check_regular(path: Path) -> None:
    """Raise unless a path is a regular file.

    Raises
    ------
    FileNotFoundError
        If it does not exist.
    IsADirectoryError
        If it is a folder.
    UnreadableError
        If it is a pipe, a socket or a device, which may have no end.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise UnreadableError("is a pipe, a socket or a device, not a file")


def check_fits(n_bytes: int) -> None:
    """Raise UnreadableError if a size exceeds the machine's memory."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return  # unknown on this system; allocating will fail instead
    if n_bytes > memory > 0:
        raise UnreadableError(
            f"declares {n_bytes:,} bytes of values; this machine's memory has {memory:,}"
        )


def read_npy(path: Path) -> Array:
    """Read one array from a ``.npy`` file.

    Raises
    ------
    UnreadableError
        If it is not a .npy file, is truncated, or holds Python objects.
    OSError
        If the file cannot be read.
    """
    check_regular(path)
    with path.open("rb") as stream:
        if stream.read(len(ZIP_MAGIC)) == ZIP_MAGIC:
            raise UnreadableError(SEVERAL)
        stream.seek(0)
        return _read(stream, path.stat().st_size)


class Archive:
    """The arrays of an open ``.npz`` file, by name."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._held = 0  # bytes read so far
        members = [member for member in archive.infolist() if not member.is_dir()]
        self._members = {member.filename.removesuffix(".npy"): member for member in members}
        if len(self._members) < len(members):
            counts = Counter(member.filename.removesuffix(".npy") for member in members)
            raise UnreadableError(f"has two arrays called {counts.most_common(1)[0][0]!r}")

    @property
    def names(self) -> list[str]:
        """The names of the arrays, as they are stored."""
        return list(self._members)

    def read(self, name: str) -> Array:
        """Read one array.

        Raises
        ------
        UnreadableError
            If it is damaged, truncated, or holds Python objects.
        """
        member = self._members[name]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnreadableError("is packed by a method that NumPy does not use")
        packed = member.compress_type == zipfile.ZIP_DEFLATED
        most = member.compress_size * (DEFLATION if packed else 1)
        try:
            with self._archive.open(member) as stream:
                array = _read(stream, min(member.file_size, most), self._held)
        except UnreadableError:
            raise
        except Exception as error:  # zlib, struct and zipfile each raise their own
            raise UnreadableError(f"is damaged ({_reason(error)})") from error
        self._held += array.nbytes
        return array


@contextmanager
def open_npz(path: Path) -> Iterator[Archive]:
    """Open a ``.npz`` file.

    Raises
    ------
    UnreadableError
        If it is not a .npz file, or is damaged.
    OSError
        If the file cannot be read.
    """
    check_regular(path)
    with path.open("rb") as stream:
        if stream.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX:
            raise UnreadableError(SINGLE)
        try:
            archive = zipfile.ZipFile(stream)
        except Exception as error:  # as above
            raise UnreadableError(
                f"is not a NumPy archive, or is truncated ({_reason(error)})"
            ) from error
        with archive:
            yield Archive(archive)


def _read(stream: Any, available: int, held: int = 0) -> Array:
    shape, dtype, header = _header(stream)
    declared = math.prod(shape) * dtype.itemsize
    if declared > available - header:
        raise UnreadableError(
            f"is truncated: its header declares {declared:,} bytes of values {shape}, and it "
            f"holds at most {max(available - header, 0):,}"
        )
    check_fits(declared + held)
    stream.seek(0)
    try:
        array: Array = npy.read_array(stream, allow_pickle=False)
    except MemoryError as error:
        raise UnreadableError(f"does not fit into the free memory: {declared:,} bytes") from error
    except ValueError as error:
        raise UnreadableError(f"is damaged ({_reason(error)})") from error
    # Reading past the last value also makes an archive compare its checksum.
    if stream.read(1):
        raise UnreadableError(f"goes on after the {declared:,} bytes of values that it declares")
    return array


def _header(stream: Any) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Read the shape and type of an array and the bytes of the header."""
    try:
        major, _ = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
        shape, _, dtype = read(stream)
    except (OSError, zipfile.BadZipFile):
        raise
    except Exception as error:  # NumPy parses it with Python's parser, which raises many kinds
        raise UnreadableError(f"does not begin as an array of NumPy ({_reason(error)})") from error
    if dtype.hasobject:
        raise PickledError("holds pickled Python objects, which can run any code")
    possible = len(shape) <= 32 and all(0 <= size < 2**63 for size in shape)
    if not possible or (0 not in shape and not dtype.itemsize):
        raise UnreadableError(f"declares impossible values: {str(dtype)[:80]} {str(shape)[:80]}")
    return shape, dtype, stream.tell()


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:200] if text else type(error).__name__
