"""Models from files, of every kind that can be run; code in a file only on the user's word."""

import os
from pathlib import Path
from typing import Any, Final

from .._io.npy import UnreadableError, open_npz
from ._loading.onnx import load_onnx
from ._loading.torch import Factory, load_torch
from ._loading.unreadable import check_regular, unreadable

KERAS: Final = (".keras", ".h5", ".hdf5", ".yaml", ".yml")
TORCH: Final = (".pt2", ".pt", ".pth", ".ts", ".ckpt", ".bin")


def load_model(
    path: str | os.PathLike[str],
    *,
    factory: Factory | None = None,
    trust_pickle: bool = False,
) -> Any:
    """Load a model, or layers stored as arrays.

    Parameters
    ----------
    path : path
        ``.keras``, ``.h5`` or ``.yaml`` beside its weights (Keras); ``.onnx``; ``.pt2`` (an archive
        of `torch.export`); ``.pt``, ``.pth`` or ``.ts`` (TorchScript, or weights saved as a
        ``state_dict``); ``.npz`` (layer -> points).
    factory : str or callable, optional
        What builds the model that weights in a ``state_dict`` belong to, without arguments:
        ``"module:function"`` or ``"path/to/file.py:function"``. A module is also looked for in
        the current folder.
    trust_pickle : bool
        Load a PyTorch file as it is, although it can then run any code of whoever wrote it: say
        so only of files from those you trust. Of a pickle, a whole module is loaded; of an archive
        of `torch.export`, objects, compiled libraries and functions of any name; of TorchScript,
        operators that read and write files, some of them when the file is loaded. Otherwise only
        content is loaded that was checked to compute and do nothing else. It
        changes nothing about other formats.

    Returns
    -------
    object
        What `extract` takes. PyTorch modules are set to evaluate.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or of another format, is a folder, pipe or device, holds what can
        run code and is not trusted, keeps weights outside its folder (ONNX), or holds weights
        without a factory or of another architecture.
    MissingExtraError
        If what the format needs is not installed.
    """
    file = Path(path)
    ending = file.suffix.lower()
    if factory is not None and ending not in TORCH:
        raise ValueError(f"factory is for weights of PyTorch; {file.name} needs none")
    if ending in KERAS:
        from ..training._saving import load_keras

        return load_keras(file, must_compile=False)
    if ending not in (".onnx", ".npz", *TORCH):
        known = ", ".join((*KERAS, ".onnx", *TORCH, ".npz"))
        raise ValueError(f"path must end in one of {known}; got {str(path)!r}")
    check_regular(file)
    if ending == ".npz":
        return _load_arrays(file)
    if ending == ".onnx":
        return load_onnx(file)
    return load_torch(file, factory, trust_pickle)


def _load_arrays(file: Path) -> dict[str, Any]:
    try:
        with open_npz(file) as stored:
            return {name: stored.read(name) for name in stored.names}
    except UnreadableError as error:
        raise ValueError(f"{file} cannot be loaded as layers as arrays: it {error}") from error
    except OSError as error:
        raise unreadable(file, "layers as arrays", error) from error
