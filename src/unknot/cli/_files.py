"""Arrays from files, with errors of one line."""

from pathlib import Path

from .._io.npy import SEVERAL, UnreadableError, read_npy
from .._typing import Array


def flat(array: Array) -> Array:
    """Flatten each sample, as a layer of a network may be of any shape."""
    return array.reshape(len(array), -1) if array.ndim > 2 else array


def read_array(path: Path, name: str) -> Array:
    """Read one array; the error names the argument."""
    try:
        return read_npy(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{name}: {path}: no such file") from error
    except (UnreadableError, OSError) as error:
        if str(error).startswith(SEVERAL):
            raise ValueError(f"{name}: {path} {SEVERAL}; save the one you mean as .npy") from error
        message = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else error
        raise ValueError(
            f"{name}: {path} is not a whole .npy file of plain values: it {message}; "
            "write it with numpy.save(path, array)"
        ) from error
