"""Reading arrays from files, with one-line errors."""

from pathlib import Path

from .._io.npy import SEVERAL, UnreadableError, read_npy
from .._typing import Array


def flatten_samples(array: Array) -> Array:
    """Flatten each sample, since layers of a network may have any shape."""
    return array.reshape(len(array), -1) if array.ndim > 2 else array


def read_array(path: Path, name: str) -> Array:
    """Read an array from an .npy file; errors name the argument."""
    try:
        return read_npy(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{name}: {path}: no such file") from error
    except (UnreadableError, OSError) as error:
        if str(error).startswith(SEVERAL):
            raise ValueError(f"{name}: {path} {SEVERAL}; save one of them as .npy") from error
        message = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else error
        raise ValueError(
            f"{name}: {path} is not a whole .npy file of plain values: it {message}; "
            "write it with numpy.save(path, array)"
        ) from error
