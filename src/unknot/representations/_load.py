"""Models from files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

KERAS = (".keras", ".h5", ".hdf5", ".yaml", ".yml")


def load_model(
    path: str | os.PathLike[str],
    *,
    factory: str | Callable[[], Any] | None = None,
    trust_pickle: bool = False,
) -> Any:
    """Load a model, or stored layers.

    Parameters
    ----------
    path : path
        ``.keras``, ``.h5`` or ``.yaml`` (Keras), ``.npz`` (layer -> points).

    Returns
    -------
    object
        What `extract` takes.
    """
    file = Path(path)
    if file.suffix.lower() in KERAS:
        from ..training import load

        return load(file)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file")
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
