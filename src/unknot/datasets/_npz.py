"""NumPy archives."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .._typing import Array
from ._arrays import RawSplit, build_dataset
from ._dataset import Dataset, DatasetError

# Keys of inputs and labels, for training and for testing.
TRAIN_KEYS = (("x_train", "y_train"), ("inputs", "labels"), ("x", "y"))
TEST_KEYS = ("x_test", "y_test")
EXPECTED_KEYS = "x_train and y_train (with x_test and y_test), inputs and labels, or x and y"


def load_npz(path: Path, *, class_names: Sequence[str] | None) -> Dataset:
    """Load a NumPy archive; pickled Python objects are refused."""
    try:
        with path.open("rb") as stream:
            splits = _read_splits(stream, path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        # NotImplementedError: a version of the format that Python does not know.
        raise _damaged(path) from error
    except ValueError as error:
        if isinstance(error, DatasetError):
            raise
        # np.load takes whatever is neither a zip file nor an array for a pickle.
        raise _damaged(path) from error
    return build_dataset(path.stem, *splits, class_names=class_names)


def _read_splits(stream: io.BufferedIOBase, path: Path) -> list[RawSplit]:
    archive = np.load(stream, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DatasetError(
            f"{path} holds a single array, not an archive of inputs and labels. "
            "Write one with numpy.savez(path, inputs=..., labels=...)"
        )
    with archive:
        return [
            RawSplit(
                _member(archive, x, path),
                _member(archive, y, path),
                f"{x} in {path}",
                f"{y} in {path}",
            )
            for x, y in find_pairs(list(archive.files), str(path))
        ]


def find_pairs(keys: Sequence[str], source: str) -> list[tuple[str, str]]:
    """Name the keys of inputs and labels, the training pair first.

    Raises
    ------
    DatasetError
        If there is no training pair, or half of a test pair.
    """
    pairs = [pair for pair in TRAIN_KEYS if set(pair) <= set(keys)]
    if not pairs:
        raise DatasetError(
            f"{source} has the keys {', '.join(keys) or '(none)'}; expected {EXPECTED_KEYS}"
        )
    test = [key for key in TEST_KEYS if key in keys]
    if len(test) == 1:
        missing = next(key for key in TEST_KEYS if key not in keys)
        raise DatasetError(f"{source} has {test[0]} but not {missing}; give both or neither")
    return [pairs[0], *([TEST_KEYS] if test else [])]


def _member(archive: "np.lib.npyio.NpzFile", key: str, path: Path) -> Array:
    try:
        return np.asarray(archive[key])
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        # RuntimeError: a flag or method in the zip file that Python does not know.
        raise DatasetError(
            f"{path} is damaged: {key} cannot be unpacked ({error}). Write or download it again"
        ) from error
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise DatasetError(
                f"{key} in {path} holds pickled Python objects, which can run any code when they "
                "are loaded, and are refused. Write it again as numbers, such as "
                "numpy.savez(path, inputs=inputs.astype('float32'), labels=labels)"
            ) from error
        raise DatasetError(
            f"{path} is damaged: {key} cannot be unpacked ({error}). Write or download it again"
        ) from error


def _damaged(path: Path) -> DatasetError:
    return DatasetError(
        f"{path} is not a NumPy archive, or is truncated. Write it with "
        "numpy.savez(path, inputs=..., labels=...), or download it again"
    )
