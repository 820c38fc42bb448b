"""Save and load Keras models: whole (``.keras``, ``.h5``), or as YAML and weights."""

import json
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from .._extras import import_extra
from .._io.atomic import atomic_path, write_text
from .._io.npy import UnreadableError, check_regular
from .._keras import import_keras
from ._archive import make_reproducible
from ._compiling import compile_from_hdf5, load_compiled
from ._keras_config import RefusedError, check_config, read_yaml
from ._keras_files import check_hdf5, read_content, weights_limited

FORMATS = ".keras, .h5, .hdf5, or .yaml with .weights.h5 beside it"
WHOLE: Final = (".keras", ".h5", ".hdf5")
ARCHITECTURE: Final = (".yaml", ".yml")
WEIGHTS: Final = ".weights.h5"


def save_model(model: Any, path: str | os.PathLike[str]) -> None:
    """Save a Keras model; the file's extension selects the format.

    Files are written under a temporary name and then renamed, so that an existing file stays
    intact until the new one is complete. The same model is always saved as the same bytes.

    Parameters
    ----------
    model : keras.Model
        A built model, so that it has weights.
    path : path
        ``NAME.keras``, ``NAME.h5`` or ``NAME.hdf5`` for the whole model, with its optimizer's
        state; prefer ``.keras``. ``NAME.yaml`` or ``NAME.weights.h5`` for two files, the
        architecture as YAML and the weights: both are written. Case is ignored.

    Raises
    ------
    TypeError
        If the model is not a Keras model.
    ValueError
        If the extension is unknown, or the model is not built.
    FileExistsError
        If an architecture ``NAME.yml`` beside ``NAME.yaml`` already uses the same weights file.
    MissingExtraError
        If Keras or PyYAML is not installed.

    See Also
    --------
    unknot.load_model : Load a model from a file.
    unknot.train : Train a model; its `checkpoint` saves it during training.

    Examples
    --------
    >>> import tempfile, unknot
    >>> model = unknot.networks.logistic_regression(random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     unknot.save_model(model, f"{folder}/model.keras")
    ...     loaded = unknot.load_model(f"{folder}/model.keras")
    >>> loaded.count_params()
    7850
    """
    keras = import_keras(feature="Saving a model")
    kind, path = check_model_path(path)
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"model must be a Keras model; got {type(model).__name__}. Save a PyTorch module with "
            "torch.export.save or torch.jit.save, and an ONNX model with onnx.save"
        )
    if not model.built:
        raise ValueError(f"model {model.name!r} has no weights to save; build or call it first")
    if kind == "yaml":
        _check_weights_unshared(_yaml_path(path))
        yaml = import_extra("yaml", feature="Saving an architecture as YAML", extra="lab")
        architecture = yaml.safe_dump(json.loads(model.to_json()), sort_keys=False)
        with (
            atomic_path(_weights_path(path)) as temporary,
            _with_extension(temporary, WEIGHTS) as file,
        ):
            model.save_weights(file, overwrite=True)
        write_text(_yaml_path(path), architecture)
        return
    extension = path.suffix.lower()
    with (
        atomic_path(path) as temporary,
        _with_extension(temporary, extension) as file,
        warnings.catch_warnings(),
    ):
        # Keras warns each time that it prefers its own format to HDF5.
        warnings.simplefilter("ignore")
        previous = _absl_verbosity("ERROR")
        try:
            keras.saving.save_model(model, file, overwrite=True)
            if extension == ".keras":
                make_reproducible(file)
        finally:
            _absl_verbosity(previous)
            # Keras removes the optimizer from the compile settings when it writes HDF5.
            if model.compiled and "optimizer" not in (settings := model._compile_config.config):
                settings["optimizer"] = model.optimizer


def load_keras_model(path: str | os.PathLike[str], *, must_compile: bool = True) -> Any:
    """Load a Keras model that :func:`save_model` or Keras itself saved.

    No code in the file is run: lambda layers, unknown classes and references to other files are
    refused. See `unknot.load_model`, which calls this.

    Parameters
    ----------
    path : path
        ``NAME.keras``, ``NAME.h5`` or ``NAME.hdf5``; or ``NAME.yaml`` or ``NAME.weights.h5``,
        which are read together.
    must_compile : bool, default=True
        Whether to warn if the loss, metrics or optimizer cannot be restored; the model is then
        not compiled.
    """
    keras = import_keras(feature="Loading a model")
    kind, path = check_model_path(path)
    files = [_yaml_path(path), _weights_path(path)] if kind == "yaml" else [path]
    previous = _absl_verbosity("ERROR")
    aliases: list[Path] = []
    file = path
    try:
        for file in files:
            check_regular(file)
        with weights_limited(keras, files[-1].stat().st_size):
            file = path
            if kind == "yaml":
                return _load_yaml(keras, path, files[0], files[1], must_compile)
            return _load_whole(keras, path, aliases, must_compile)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{file}: no such file; a model is saved as {FORMATS}") from error
    except Exception as error:  # HDF5, zip and Keras raise many kinds on damaged files
        reason = _reason(error)
        for alias in aliases:
            reason = reason.replace(str(alias), str(path))
        raise ValueError(f"{file} cannot be loaded as a model: {reason}") from error
    finally:
        _absl_verbosity(previous)


def _load_whole(keras: Any, path: Path, aliases: list[Path], must_compile: bool) -> Any:
    content = read_content(keras, path)
    load_model = keras.saving.load_model
    with _readable(path, ".keras" if content.kind == "archive" else ".h5") as file:
        aliases.append(file)
        if content.kind == "hdf5":
            model = load_model(file, compile=False)
            compile_from_hdf5(keras, model, path, content, must_compile)
            return model
        return load_compiled(
            keras,
            path,
            lambda compiled: load_model(file, compile=compiled),
            content.training,
            stepped=content.stepped,
            must_compile=must_compile,
        )


def _load_yaml(
    keras: Any, path: Path, architecture: Path, weights: Path, must_compile: bool
) -> Any:
    import h5py

    yaml = import_extra("yaml", feature="Loading an architecture from YAML", extra="lab")
    config = read_yaml(yaml, architecture)
    training = config.pop("compile_config", None)
    check_config(keras, config)
    with h5py.File(weights) as file:
        stepped = check_hdf5(file, weights.stat().st_size)
    with _readable(weights, WEIGHTS) as file:

        def make(compiled: bool) -> Any:
            model = keras.saving.deserialize_keras_object(config, safe_mode=True)
            if compiled and training:
                model.compile_from_config(training)
            model.load_weights(file)
            return model

        return load_compiled(
            keras, path, make, training, stepped=stepped, must_compile=must_compile
        )


@contextmanager
def _readable(path: Path, extension: str) -> Iterator[Path]:
    """Yield a path to the file with the extension by which Keras recognizes its format."""
    if path.name.endswith(extension):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        alias = Path(folder) / f"model{extension}"
        try:
            alias.symlink_to(path.resolve())
        except (OSError, NotImplementedError):  # on Windows only some users may create links
            shutil.copyfile(path, alias)
        yield alias


@contextmanager
def _with_extension(temporary: Path, extension: str) -> Iterator[Path]:
    """Yield a path to write to with the extension by which Keras selects a format."""
    if temporary.name.endswith(extension):
        yield temporary
        return
    file = temporary.with_name(f"{temporary.name}{extension}")
    try:
        yield file
        file.replace(temporary)
    finally:
        file.unlink(missing_ok=True)


def check_model_path(path: str | os.PathLike[str]) -> tuple[str, Path]:
    """Return the layout that a path's extension selects, "whole" or "yaml", and the path."""
    path = Path(path)
    name = path.name.lower()
    if name.endswith((WEIGHTS, *ARCHITECTURE)):
        return "yaml", path
    if name.endswith(WHOLE):
        return "whole", path
    raise ValueError(f"path must end in {FORMATS}; got {str(path)!r}")


def _stem(path: Path) -> str:
    return re.sub(r"(\.weights\.h5|\.ya?ml)$", "", path.name, flags=re.IGNORECASE)


def _yaml_path(path: Path) -> Path:
    return path if path.suffix.lower() in ARCHITECTURE else _beside(path, ARCHITECTURE)


def _check_weights_unshared(path: Path) -> None:
    """Raise a FileExistsError if another architecture uses the weights file."""
    other = path.with_suffix({".yaml": ".yml", ".yml": ".yaml"}[path.suffix.lower()])
    if other.exists():
        raise FileExistsError(
            f"{path} and {other.name} would share {_weights_path(path).name}; give another name"
        )


def _weights_path(path: Path) -> Path:
    return path if path.name.lower().endswith(WEIGHTS) else _beside(path, (WEIGHTS,))


def _beside(path: Path, extensions: tuple[str, ...]) -> Path:
    """Return the file beside `path` that has one of these extensions; by default the first."""
    stem = _stem(path)
    siblings = sorted(path.parent.glob("*")) if path.parent.is_dir() else []
    for extension in extensions:
        names = (stem + extension, stem + extension.upper())
        if found := [each for each in siblings if each.name in names]:
            return found[-1]  # lower case sorts after upper case
    return path.with_name(stem + extensions[0])


INAPPLICABLE: Final = re.compile(
    "safe_mode|unsafe_deserialization|custom_object|[Ff]ull object config|full config"
)
"""Advice in Keras' messages that does not apply: `load_model` has none of these options."""


def _reason(error: Exception) -> str:
    """Return the class and message of an error, at most three lines of it."""
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, UnreadableError):
        return f"it {error}"
    if isinstance(error, IsADirectoryError):
        return "it is a folder, not a file"
    lines = []
    for line in str(error).splitlines():
        sentences = re.split(r"(?<=[.!?])\s+", line.strip())
        lines.append(" ".join(each for each in sentences if not INAPPLICABLE.search(each)))
    parts = [line if len(line) < 200 else f"{line[:200]}..." for line in lines if line]
    return ": ".join([type(error).__name__, *([" ".join(parts[:3])] if parts else [])])


def _absl_verbosity(level: Any) -> Any:
    """Set the verbosity of Keras' logger; return the previous one."""
    from absl import logging

    previous = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR if level == "ERROR" else level)
    return previous
