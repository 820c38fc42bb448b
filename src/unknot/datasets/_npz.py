"""Load NumPy archives."""

from collections.abc import Sequence
from pathlib import Path

from .._io.npy import SINGLE, Archive, PickledError, UnreadableError, open_npz
from .._typing import Array
from ._arrays import RawSplit, build_dataset
from ._dataset import Dataset, DatasetError
from ._parts import HELD_OUT, warn_left_out

# Keys of inputs and labels, for training.
TRAIN_KEYS = (("x_train", "y_train"), ("inputs", "labels"), ("x", "y"))
EXPECTED_KEYS = "x_train and y_train (with x_test and y_test), inputs and labels, or x and y"


def load_npz(path: Path, *, class_names: Sequence[str] | None) -> Dataset:
    """Load a NumPy archive; pickled Python objects are refused."""
    try:
        with open_npz(path) as archive:
            splits = [
                RawSplit(
                    _member(archive, x, path),
                    _member(archive, y, path),
                    f"{x} in {path}",
                    f"{y} in {path}",
                )
                for x, y in find_pairs(archive.names, str(path))
            ]
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnreadableError as error:
        if str(error) == SINGLE:
            raise DatasetError(
                f"{path} holds a single array, not an archive of inputs and labels. "
                "Write one with numpy.savez(path, inputs=..., labels=...)"
            ) from error
        raise DatasetError(
            f"{path} {error}. Write it with "
            "numpy.savez(path, inputs=..., labels=...), or download it again"
        ) from error
    return build_dataset(path.stem, *splits, class_names=class_names)


def find_pairs(keys: Sequence[str], source: str) -> list[tuple[str, str]]:
    """Return the keys of inputs and labels, first of the training pair, then of a held-out pair.

    Raises
    ------
    DatasetError
        If there is no training pair, or half of another pair.

    Warns
    -----
    UserWarning
        If there are more than two pairs.
    """
    pairs = [pair for pair in TRAIN_KEYS if set(pair) <= set(keys)]
    if not pairs:
        raise DatasetError(
            f"{source} has the keys {', '.join(keys) or '(none)'}; expected {EXPECTED_KEYS}"
        )
    held_out = []
    for part in HELD_OUT:
        pair = f"x_{part}", f"y_{part}"
        present = [key for key in pair if key in keys]
        if len(present) == 1:
            missing = next(key for key in pair if key not in keys)
            raise DatasetError(f"{source} has {present[0]} but not {missing}; give both or neither")
        held_out += [pair] if present else []
    warn_left_out(
        source, " and ".join(held_out[0]) if held_out else "", [x for x, _ in held_out[1:]]
    )
    return [pairs[0], *held_out[:1]]


def _member(archive: Archive, key: str, path: Path) -> Array:
    try:
        return archive.read(key)
    except PickledError as error:
        raise DatasetError(
            f"{key} in {path} holds pickled Python objects, which can run any code when they "
            "are loaded, and are refused. Write it again as numbers, such as "
            "numpy.savez(path, inputs=inputs.astype('float32'), labels=labels)"
        ) from error
    except UnreadableError as error:
        raise DatasetError(
            f"{path} is damaged: {key} cannot be unpacked: it {error}. Write or download it again"
        ) from error
