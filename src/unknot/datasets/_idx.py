"""Load IDX files, the format of MNIST, Fashion-MNIST, KMNIST and EMNIST.

The format: two zero bytes, one byte for the type, one for the number of axes, the length of each
axis as a big-endian unsigned 32-bit integer, and the values, big-endian, in C order [LeCun1998].
"""

import gzip
import io
import math
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._io.npy import DEFLATION, UnreadableError, check_fits, check_regular
from .._typing import Array
from ._arrays import RawSplit, build_dataset
from ._dataset import Dataset, DatasetError
from ._parts import HELD_OUT, warn_left_out

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
# As published, and as some unpackers rename them (train-images.idx3-ubyte).
_FILE_NAME = re.compile(
    r"(?P<subset>.*?)-?(?P<part>train|t10k|test|val|valid|validation|dev|eval|evaluation)-"
    r"(?P<kind>images|labels)[-.]idx\d-\w+(?P<gz>\.gz)?",
    re.IGNORECASE,
)
_MAX_AXES = 32
_DOWNLOAD_AGAIN = "Download it again"


class _IdxFile(NamedTuple):
    subset: str
    part: str
    kind: str
    path: Path


def is_idx_name(name: str) -> bool:
    """Whether a file is named like published IDX files."""
    return _FILE_NAME.fullmatch(name) is not None


def is_idx_folder(folder: Path) -> bool:
    """Whether a folder contains files named like IDX files."""
    return bool(_find_files(folder))


def load_idx_folder(
    folder: Path,
    *,
    subset: str | None,
    transpose: bool | None,
    class_names: Sequence[str] | None,
) -> Dataset:
    """Load the training files and, if present, the test files of one subset in a folder."""
    files = _find_files(folder)
    chosen = _choose_subset(folder, sorted({file.subset for file in files}), subset)
    paths = {(file.part, file.kind): file.path for file in files if file.subset == chosen}
    if transpose is None:
        transpose = chosen.lower().startswith("emnist")
    train = _read_pair(folder, paths, chosen, "train", transpose)
    if train is None:
        raise DatasetError(
            f"{folder} has test files but no training files; expected "
            f"{_prefix(chosen)}train-images-idx3-ubyte[.gz] and "
            f"{_prefix(chosen)}train-labels-idx1-ubyte[.gz]"
        )
    held_out = [part for part in HELD_OUT if {(part, "images"), (part, "labels")} & set(paths)]
    warn_left_out(str(folder), "".join(held_out[:1]), held_out[1:])
    test = _read_pair(folder, paths, chosen, held_out[0], transpose) if held_out else None
    if class_names is None:
        class_names = _emnist_class_names(folder / f"{chosen}-mapping.txt", train.labels)
    return build_dataset(chosen or folder.resolve().name, train, test, class_names=class_names)


def read_idx(path: Path) -> Array:
    """Read one IDX file, plain or gzip (detected from the content).

    Returns
    -------
    ndarray
        In the machine's byte order.

    Raises
    ------
    DatasetError
        If the file is not IDX, is truncated or damaged, or has extra bytes.
    """
    try:
        check_regular(path)
        with path.open("rb") as plain:
            compressed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if not compressed:
                return _read_stream(plain, path, max_bytes=path.stat().st_size)
            with gzip.GzipFile(fileobj=plain) as stream:
                max_bytes = path.stat().st_size * DEFLATION
                return _read_stream(stream, path, max_bytes=max_bytes)
    except EOFError as error:
        raise DatasetError(
            f"{path} is truncated: its gzip stream ends early. {_DOWNLOAD_AGAIN}"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(f"{path} is damaged ({error}). {_DOWNLOAD_AGAIN}") from error
    except UnreadableError as error:
        raise DatasetError(f"{path} {error}. {_DOWNLOAD_AGAIN}") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_stream(stream: io.BufferedIOBase, path: Path, *, max_bytes: int) -> Array:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\x00\x00" or magic[2] not in _TYPES or not magic[3]:
        raise DatasetError(
            f"{path} is not an IDX file: it begins with {magic.hex(' ') or 'nothing'} instead of "
            f"00 00, a type (08 for bytes) and a number of axes. {_DOWNLOAD_AGAIN}"
        )
    header = stream.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise DatasetError(f"{path} is truncated within its header. {_DOWNLOAD_AGAIN}")
    shape = struct.unpack(f">{magic[3]}I", header)
    if len(shape) > _MAX_AXES:
        raise DatasetError(
            f"{path} declares {len(shape)} axes, which no data has. {_DOWNLOAD_AGAIN}"
        )
    dtype = np.dtype(_TYPES[magic[2]])
    declared = math.prod(shape) * dtype.itemsize
    # Before memory is allocated: a damaged header may declare any size.
    if declared > max_bytes:
        raise DatasetError(
            f"{path} is truncated: its header declares {declared:,} bytes of values "
            f"{shape}, more than the file can hold. {_DOWNLOAD_AGAIN}"
        )
    check_fits(declared)
    content = stream.read(declared)
    if len(content) < declared:
        raise DatasetError(
            f"{path} is truncated: it holds {len(content):,} of the {declared:,} bytes of "
            f"values that its header declares. {_DOWNLOAD_AGAIN}"
        )
    # Reading past the last value also makes gzip verify its checksum.
    if stream.read(1):
        raise DatasetError(
            f"{path} goes on after the {declared:,} bytes of values that its header declares. "
            f"{_DOWNLOAD_AGAIN}"
        )
    values = np.frombuffer(content, dtype).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _find_files(folder: Path) -> list[_IdxFile]:
    found = []
    # Compressed files first, so that an uncompressed one of the same kind replaces them.
    paths = sorted(folder.iterdir(), key=lambda path: (path.suffix != ".gz", path.name))
    for path in paths:
        match = _FILE_NAME.fullmatch(path.name)
        if match and path.is_file():
            part = match["part"].lower().replace("t10k", "test")
            found.append(_IdxFile(match["subset"], part, match["kind"].lower(), path))
    return found


def _choose_subset(folder: Path, subsets: list[str], wanted: str | None) -> str:
    if wanted is None:
        if len(subsets) == 1:
            return subsets[0]
        raise DatasetError(
            f"{folder} holds several sets: {_listed(subsets)}. "
            f"Choose one with subset={subsets[-1]!r}"
        )
    matches = [name for name in subsets if wanted in (name, name.removeprefix("emnist-"))]
    if not matches:
        raise DatasetError(f"{folder} has no set {wanted!r}; it has {_listed(subsets)}")
    return matches[0]


def _read_pair(
    folder: Path, paths: dict[tuple[str, str], Path], subset: str, part: str, transpose: bool
) -> RawSplit | None:
    images = paths.get((part, "images"))
    labels = paths.get((part, "labels"))
    if images is None and labels is None:
        return None
    if images is None or labels is None:
        present = images or labels
        missing = "images-idx3" if images is None else "labels-idx1"
        stem = "t10k" if part == "test" else part
        raise DatasetError(
            f"{folder} has {present.name if present else ''} but not the file that goes with it; "
            f"expected {_prefix(subset)}{stem}-{missing}-ubyte[.gz]"
        )
    pixels = read_idx(images)
    if transpose:
        if pixels.ndim < 3:
            raise DatasetError(
                f"{images} holds an array of shape {pixels.shape}, which has no rows and columns "
                "to transpose; set transpose=False"
            )
        pixels = pixels.swapaxes(1, 2)
    return RawSplit(pixels, read_idx(labels), str(images), str(labels))


def _emnist_class_names(path: Path, labels: ArrayLike) -> list[str] | None:
    """Read EMNIST's mapping file: lines of a label and its character codes."""
    if not path.is_file():
        return None
    try:
        rows = [[int(word) for word in line.split()] for line in path.read_text().splitlines()]
        names = {row[0]: "/".join(chr(code) for code in row[1:]) for row in rows if row}
        return [names[label] for label in np.unique(labels).tolist()]
    except (ValueError, KeyError, OverflowError) as error:
        raise DatasetError(
            f"{path} does not give every label as 'label character-code'. Repair or remove it, or "
            "pass class_names"
        ) from error


def _prefix(subset: str) -> str:
    return f"{subset}-" if subset else ""


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)
