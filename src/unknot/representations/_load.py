"""Models from files, of every kind that can be run; code in a file only on the user's word."""

import importlib
import importlib.util
import os
import pickle
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from .._extras import import_extra
from .._npy import UnreadableError, check_regular, open_npz
from ._archives import check_program

KERAS: Final = (".keras", ".h5", ".hdf5", ".yaml", ".yml")
TORCH: Final = (".pt2", ".pt", ".pth", ".ts", ".ckpt", ".bin")
STATE_KEYS: Final = ("state_dict", "model_state_dict", "model")
"""Where training scripts put the weights in what they save."""

Factory = str | Callable[[], Any]


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
        Load a whole PyTorch module from a pickle. It can run any code of whoever wrote the file:
        say so only of files from those you trust.

    Returns
    -------
    object
        What `extract` takes. PyTorch modules are set to evaluate.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or of another format, holds a pickle that is not trusted, or
        weights without a factory or of another architecture.
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
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file")
    try:
        check_regular(file)
    except (UnreadableError, IsADirectoryError) as error:
        raise ValueError(f"{file} is a folder, a pipe or a device, not a file") from error
    if ending == ".npz":
        return _load_arrays(file)
    if ending == ".onnx":
        return _load_onnx(file)
    return _load_torch(file, factory, trust_pickle)


def _load_arrays(file: Path) -> dict[str, Any]:
    try:
        with open_npz(file) as stored:
            return {name: stored.read(name) for name in stored.names}
    except UnreadableError as error:
        raise ValueError(f"{file} cannot be loaded as layers as arrays: it {error}") from error
    except OSError as error:
        raise _unreadable(file, "layers as arrays", error) from error


def _load_onnx(file: Path) -> Any:
    onnx: Any = import_extra("onnx", feature="Loading an ONNX model", extra="onnx")
    try:
        model = onnx.load(str(file))
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf, the checker and external data each have their own
        raise _unreadable(file, "an ONNX model", error) from error
    return model


def _load_torch(file: Path, factory: Factory | None, trust_pickle: bool) -> Any:
    torch: Any = import_extra("torch", feature="Loading a PyTorch model", extra="torch")
    kind = _kind_of_archive(file)
    if kind == "program" and not trust_pickle:
        check_program(torch, file)
    if kind in ("program", "script"):
        load = torch.export.load if kind == "program" else torch.jit.load
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # TorchScript is deprecated, and still there
                return load(str(file)) if kind == "program" else load(str(file), "cpu")
        except Exception as error:
            raise _unreadable(file, f"a PyTorch {kind}", error) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the protocol of the pickle
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not trust_pickle:
            raise ValueError(
                f"{file} is a pickle that can run any code when it is loaded. Save the weights "
                "(state_dict) and name a factory, save it with torch.export or TorchScript, or "
                "say trust_pickle=True (--trust-pickle) if you trust whoever wrote it"
            ) from error
        content = torch.load(file, map_location="cpu", weights_only=False)
    except Exception as error:
        raise _unreadable(file, "a PyTorch model", error) from error
    if isinstance(content, torch.nn.Module):
        return content.eval()
    return _with_weights(torch, file, content, factory)


def _kind_of_archive(file: Path) -> str:
    """Tell the archives of torch.export and TorchScript from weights and pickles."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return "pickle"
    inside = {name.partition("/")[2] for name in names} | set(names)
    if "archive_format" in inside or "serialized_exported_program.json" in inside:
        return "program"
    if any(name.startswith("code/") for name in inside):
        return "script"
    return "pickle"


def _with_weights(torch: Any, file: Path, content: Any, factory: Factory | None) -> Any:
    state = content
    if isinstance(state, Mapping):
        for key in STATE_KEYS:
            if isinstance(state.get(key), Mapping):
                state = state[key]
    if not isinstance(state, Mapping) or not any(torch.is_tensor(v) for v in state.values()):
        raise ValueError(f"{file} holds neither a model nor weights; got {type(content).__name__}")
    if factory is None:
        raise ValueError(
            f"{file} holds weights and no model; name what builds it, such as "
            'factory="my_module:make_model" (--factory my_module:make_model)'
        )
    model = _call_factory(factory)
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"factory must build a PyTorch module; got {type(model).__name__}")
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{file} does not fit what {factory} builds: {reason[:300]}") from error
    return model.eval()


def _call_factory(factory: Factory) -> Any:
    if not isinstance(factory, str):
        return factory()
    place, _, name = factory.rpartition(":")
    if not place or not name:
        raise ValueError(f'factory must be "module:function"; got {factory!r}')
    if place.endswith(".py"):
        spec = importlib.util.spec_from_file_location(Path(place).stem, place)
        if spec is None or spec.loader is None or not Path(place).is_file():
            raise ValueError(f"factory: there is no file {place}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        here = str(Path.cwd())
        sys.path.insert(0, here)
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as error:
            raise ValueError(f"factory: there is no module {place!r} ({error})") from error
        finally:
            sys.path.remove(here)
    if not callable(function := getattr(module, name, None)):
        raise ValueError(f"factory: {place} has no function {name!r}")
    return function()


def _unreadable(file: Path, what: str, error: Exception) -> ValueError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return ValueError(f"{file} cannot be loaded as {what}: {reason}")
