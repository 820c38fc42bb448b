"""Load models of every supported format; code in a file runs only with the user's consent."""

import os
from pathlib import Path
from typing import Any, Final

from .._io.npy import UnreadableError, open_npz
from ._loading.folders import load_folder
from ._loading.onnx import load_onnx
from ._loading.torch import Factory, load_torch
from ._loading.unreadable import check_model_file, unreadable

KERAS: Final = (".keras", ".h5", ".hdf5", ".yaml", ".yml")
TORCH: Final = (".pt2", ".pt", ".pth", ".ts", ".ckpt", ".bin", ".safetensors")
PICKLES: Final = (".pkl", ".pickle", ".joblib")


def load_model(
    path: str | os.PathLike[str],
    *,
    factory: Factory | None = None,
    trust_pickle: bool = False,
) -> Any:
    """Load a model from a file or folder: Keras, PyTorch, ONNX, Hugging Face, arrays, and others.

    The file's extension selects the format; case is ignored. No code in a file is run unless
    `trust_pickle` is set, and nothing is downloaded.

    Parameters
    ----------
    path : path
        One of:

        - Keras: ``.keras``, ``.h5`` or ``.hdf5``, or an architecture ``NAME.yaml`` with its
          weights ``NAME.weights.h5`` beside it (either name will do).
        - PyTorch: ``.pt2`` (`torch.export`); ``.pt``, ``.pth``, ``.ts``, ``.ckpt``, ``.bin`` or
          ``.safetensors`` (TorchScript, or weights saved as a ``state_dict``, also by Lightning;
          a prefix of all names, such as ``model.``, is left out).
        - ONNX: ``.onnx``.
        - Hugging Face, SentenceTransformers or timm: the folder with its ``config.json`` or
          ``modules.json`` and its weights.
        - TensorFlow: the folder of a SavedModel, if it is trusted.
        - Arrays: ``.npz``, layer name -> points.
    factory : str or callable, optional
        Builds the PyTorch model whose weights a ``state_dict`` holds; called without arguments.
        A string is ``"module:function"`` or ``"path/to/file.py:function"``; modules are also
        searched for in the current folder.
    trust_pickle : bool, default=False
        Load a PyTorch file without checking it. Such a file can then run any code: set this only
        if you trust its author. It is needed for pickled modules, for `torch.export` archives
        with custom objects or compiled libraries, for TorchScript that calls operators which
        access files, and for a SavedModel of TensorFlow. Other formats ignore it: code beside a
        model of Hugging Face is never run.

    Returns
    -------
    object
        A model that `extract` accepts. A Keras model predicts the same values as the one that was
        saved, and is compiled as it was. A PyTorch module is in evaluation mode.

    Raises
    ------
    FileNotFoundError
        If the file, or the one beside it, does not exist.
    ValueError
        If the file is damaged or of an unsupported format; if it is a pipe or device, or a folder
        without a model; if it can run code and is not trusted; if its weights lie outside its
        folder (ONNX, Hugging Face) or lack some, or need a factory or another architecture
        (PyTorch); if it names a layer that Keras, or a class that transformers does not know.
    MissingExtraError
        If a library that the format needs is not installed.

    Warns
    -----
    UserWarning
        If a Keras model's loss, metrics or optimizer cannot be restored: the model is then not
        compiled. Also if the optimizer's saved state does not fit, for example because layers
        were removed: the optimizer then starts from its initial state. The weights are always
        those that were saved. Also if a folder of Hugging Face has weights that its model does
        not use.

    See Also
    --------
    unknot.save_model : Save a Keras model.
    unknot.extract : Compute the representations at a model's layers.
    unknot.study : Study every layer of a model.

    Examples
    --------
    >>> import tempfile, numpy as np, unknot
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/layers.npz", fc1=np.ones((5, 3)))
    ...     model = unknot.load_model(f"{folder}/layers.npz")
    >>> model["fc1"].shape
    (5, 3)
    """
    return _load(path, factory, trust_pickle, must_compile=True)


def load_for_inference(
    path: str | os.PathLike[str],
    *,
    factory: Factory | None = None,
    trust_pickle: bool = False,
) -> Any:
    """Load as `load_model` does, without a warning if the loss or optimizer is lost."""
    return _load(path, factory, trust_pickle, must_compile=False)


def _load(
    path: str | os.PathLike[str],
    factory: Factory | None,
    trust_pickle: bool,
    *,
    must_compile: bool,
) -> Any:
    file = Path(path)
    extension = file.suffix.lower()
    is_folder = extension not in (*KERAS, *TORCH, ".onnx", ".npz") and file.is_dir()
    if factory is not None and (is_folder or extension not in TORCH):
        raise ValueError(f"factory is for PyTorch weights; {file.name} needs none")
    if not extension and not file.exists():
        raise FileNotFoundError(f"{file}: no such file or folder")
    if is_folder:
        return load_folder(file, trust_pickle)
    if extension in PICKLES:
        raise ValueError(
            f"{file.name} is a pickle, which can run any code when it is loaded, and is not opened "
            "here. Load it yourself if you trust its author, and pass the object to extract or "
            "study in Python"
        )
    if extension in KERAS:
        from ..training import load_keras_model

        return load_keras_model(file, must_compile=must_compile)
    if extension not in (".onnx", ".npz", *TORCH):
        known = ", ".join((*KERAS, ".onnx", *TORCH, ".npz"))
        raise ValueError(
            f"path must end in one of {known}, or be the folder of a model; got {str(path)!r}"
        )
    check_model_file(file)
    if extension == ".npz":
        return _load_arrays(file)
    if extension == ".onnx":
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
