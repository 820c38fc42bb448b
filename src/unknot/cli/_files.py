"""Arrays from files, with errors of one line."""

from pathlib import Path
from typing import Any

import numpy as np

from .._typing import Array


def flat(array: Array) -> Array:
    """Flatten each sample, as a layer of a network may be of any shape."""
    return array.reshape(len(array), -1) if array.ndim > 2 else array


def read_array(path: Path, name: str) -> Array:
    """Read one array; the error names the argument."""
    if not path.is_file():
        raise FileNotFoundError(f"{name}: {path}: no such file")
    try:
        array: Any = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{name}: {path} is not a whole .npy file of plain values; "
            "write it with numpy.save(path, array)"
        ) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError(f"{name}: {path} holds several arrays; save the one you mean as .npy")
    return array
