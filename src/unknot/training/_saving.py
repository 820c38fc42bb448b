"""Models on disk: whole (``.keras``, ``.h5``), or as architecture (YAML) beside weights."""

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
from ._archive import without_traces
from ._compiling import compile_whole, made_as_saved
from ._keras_files import (
    RefusedError,
    check_config,
    check_hdf5,
    read_content,
    read_yaml,
    weights_limited,
)

FORMATS = ".keras, .h5, .hdf5, or .yaml with .weights.h5 beside it"
WHOLE: Final = (".keras", ".h5", ".hdf5")
ARCHITECTURE: Final = (".yaml", ".yml")
WEIGHTS: Final = ".weights.h5"


def save_model(model: Any, path: str | os.PathLike[str]) -> None:
    """Save a Keras model; the name's ending chooses the format.

    Every file is written under a temporary name and then renamed: what was there before stays
    whole until the new one is.

    Parameters
    ----------
    model : keras.Model
        Built, so that it has weights.
    path : path
        ``NAME.keras`` or ``NAME.h5`` (``.hdf5``) for the whole model; ``NAME.yaml`` or
        ``NAME.weights.h5`` for the architecture as YAML and its weights beside it, in two files:
        both are written. Capitals make no difference.

    Raises
    ------
    ValueError
        If the ending is none of these, or the model has no weights yet.
    FileExistsError
        If the same weights belong to an architecture in ``NAME.yml`` beside ``NAME.yaml``.
    MissingExtraError
        If Keras or PyYAML is not installed.
    """
    keras = import_keras(feature="Saving a model")
    kind, path = check_model_path(path)
    if not model.built:
        raise ValueError(f"model {model.name!r} has no weights to save; build or call it first")
    if kind == "yaml":
        _check_alone(_yaml_path(path))
        yaml = import_extra("yaml", feature="Saving an architecture as YAML", extra="lab")
        architecture = yaml.safe_dump(json.loads(model.to_json()), sort_keys=False)
        with atomic_path(_weights_path(path)) as temporary, _written(temporary, WEIGHTS) as file:
            model.save_weights(file, overwrite=True)
        write_text(_yaml_path(path), architecture)
        return
    ending = path.suffix.lower()
    with (
        atomic_path(path) as temporary,
        _written(temporary, ending) as file,
        warnings.catch_warnings(),
    ):
        # Keras prefers its own format to HDF5 and says so each time; both are offered here.
        warnings.simplefilter("ignore")
        previous = _absl_verbosity("ERROR")
        try:
            keras.saving.save_model(model, file, overwrite=True)
            if ending == ".keras":
                without_traces(file)
        finally:
            _absl_verbosity(previous)
            # Keras takes the optimizer out of the compile settings while it writes HDF5.
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
    except Exception as error:  # damaged files raise whatever HDF5, zip and Keras have
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
            compile_whole(keras, model, path, content, must_compile)
            return model
        return made_as_saved(
            keras,
            path,
            lambda compiled: load_model(file, compile=compiled),
            content.training,
            stepped=content.stepped,
            must_compile=must_compile,
        )


def _load_yaml(keras: Any, path: Path, architecture: Path, weights: Path, told: bool) -> Any:
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

        return made_as_saved(keras, path, make, training, stepped=stepped, must_compile=told)


@contextmanager
def _readable(path: Path, ending: str) -> Iterator[Path]:
    """Yield a path to a file with the ending that Keras knows its format by."""
    if path.name.endswith(ending):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        alias = Path(folder) / f"model{ending}"
        try:
            alias.symlink_to(path.resolve())
        except (OSError, NotImplementedError):  # Windows lets only some users make links
            shutil.copyfile(path, alias)
        yield alias


@contextmanager
def _written(temporary: Path, ending: str) -> Iterator[Path]:
    """Yield a path to write to with the ending that Keras chooses a format by."""
    if temporary.name.endswith(ending):
        yield temporary
        return
    file = temporary.with_name(f"{temporary.name}{ending}")
    try:
        yield file
        file.replace(temporary)
    finally:
        file.unlink(missing_ok=True)


def check_model_path(path: str | os.PathLike[str]) -> tuple[str, Path]:
    """Return how a path's ending says to save, "whole" or "yaml", or raise ValueError."""
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


def _check_alone(path: Path) -> None:
    """Raise if another architecture has the weights that would be written."""
    other = path.with_suffix({".yaml": ".yml", ".yml": ".yaml"}[path.suffix.lower()])
    if other.exists():
        raise FileExistsError(
            f"{path} and {other.name} would share {_weights_path(path).name}; give another name"
        )


def _weights_path(path: Path) -> Path:
    return path if path.name.lower().endswith(WEIGHTS) else _beside(path, (WEIGHTS,))


def _beside(path: Path, endings: tuple[str, ...]) -> Path:
    """Return the file beside another that goes with it; the first ending if there is none."""
    stem = _stem(path)
    there = sorted(path.parent.glob("*")) if path.parent.is_dir() else []
    for ending in endings:
        found = [each for each in there if each.name in (stem + ending, stem + ending.upper())]
        if found:
            return found[-1]  # small letters come after capitals
    return path.with_name(stem + endings[0])


NOT_HERE: Final = re.compile(
    "safe_mode|unsafe_deserialization|custom_object|[Ff]ull object config|full config"
)
"""What Keras advises, or adds, that is of no use: `load` takes a path and nothing else."""


def _reason(error: Exception) -> str:
    """Say in at most three lines what was wrong: the class of the error and what it says."""
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, UnreadableError):
        return f"it {error}"
    if isinstance(error, IsADirectoryError):
        return "it is a folder, not a file"
    lines = []
    for line in str(error).splitlines():
        sentences = re.split(r"(?<=[.!?])\s+", line.strip())
        lines.append(" ".join(each for each in sentences if not NOT_HERE.search(each)))
    parts = [line if len(line) < 200 else f"{line[:200]}..." for line in lines if line]
    return ": ".join([type(error).__name__, *([" ".join(parts[:3])] if parts else [])])


def _absl_verbosity(level: Any) -> Any:
    """Set how much Keras' logger says, and return what it was."""
    from absl import logging

    previous = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR if level == "ERROR" else level)
    return previous
