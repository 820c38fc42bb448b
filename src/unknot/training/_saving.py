"""Models on disk: whole (``.keras``, ``.h5``), or as architecture (YAML) beside weights."""

import json
import os
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

from .._extras import import_extra
from .._files import atomic_path, write_text
from .._keras import import_keras

FORMATS = ".keras, .h5, or .yaml with .weights.h5 beside it"


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Save a Keras model; the name's ending chooses the format.

    Every file is written under a temporary name and then renamed: what was there before stays
    whole until the new one is.

    Parameters
    ----------
    model : keras.Model
        Built, so that it has weights.
    path : path
        ``NAME.keras`` or ``NAME.h5`` for the whole model; ``NAME.yaml`` or ``NAME.weights.h5`` for
        the architecture as YAML and its weights beside it, in two files: both are written.

    Raises
    ------
    ValueError
        If the ending is none of these, or the model has no weights yet.
    MissingExtraError
        If Keras or PyYAML is not installed.
    """
    keras = import_keras(feature="Saving a model")
    kind, path = check_path(path)
    if not model.built:
        raise ValueError(f"model {model.name!r} has no weights to save; build or call it first")
    if kind == "yaml":
        yaml = import_extra("yaml", feature="Saving an architecture as YAML", extra="lab")
        architecture = yaml.safe_dump(json.loads(model.to_json()), sort_keys=False)
        with atomic_path(_weights_path(path)) as temporary:
            model.save_weights(temporary, overwrite=True)
        write_text(_yaml_path(path), architecture)
        return
    with atomic_path(path) as temporary, warnings.catch_warnings():
        # Keras prefers its own format to HDF5 and says so each time; both are offered here.
        warnings.simplefilter("ignore")
        previous = _absl_verbosity("ERROR")
        try:
            keras.saving.save_model(model, temporary, overwrite=True)
        finally:
            _absl_verbosity(previous)
            # Keras takes the optimizer out of the compile settings while it writes HDF5.
            if model.compiled and "optimizer" not in (settings := model._compile_config.config):
                settings["optimizer"] = model.optimizer


def load(path: str | os.PathLike[str]) -> Any:
    """Load a Keras model that :func:`save` or Keras itself saved.

    It predicts the same bytes as the model that was saved, evaluates to the same loss and
    metrics, and can be trained further, popped and extracted from. No code in the file is run:
    lambda layers and unknown classes are refused.

    Parameters
    ----------
    path : path
        ``NAME.keras``, ``NAME.h5``, or one of ``NAME.yaml`` and ``NAME.weights.h5``, which are
        read together.

    Returns
    -------
    keras.Model
        Compiled as it was when saved.

    Raises
    ------
    FileNotFoundError
        If the file, or the one beside it, is not there.
    ValueError
        If the file is damaged, of another format, or names a layer that Keras does not know.
    MissingExtraError
        If Keras or PyYAML is not installed.
    """
    keras = import_keras(feature="Loading a model")
    kind, path = check_path(path)
    files = [_yaml_path(path), _weights_path(path)] if kind == "yaml" else [path]
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(f"{file}: no such file; a model is saved as {FORMATS}")
    previous = _absl_verbosity("ERROR")
    try:
        if kind == "yaml":
            model = _from_yaml(keras, *files)
        else:
            model = keras.saving.load_model(path)
            if path.suffix == ".h5" and model.compiled:
                _restore_optimizer(model, path)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ValueError(f"{path} cannot be loaded as a model: {reason}") from error
    finally:
        _absl_verbosity(previous)
    return model


def _restore_optimizer(model: Any, path: Path) -> None:
    """Make the optimizer of an HDF5 file again, on the model's variables, with its saved state.

    Keras builds it on no variables there, and it then refuses to train the model.
    """
    import h5py

    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    optimizer.build(model.trainable_variables)
    with h5py.File(path) as file:
        if "optimizer_weights" in file:
            group = file["optimizer_weights"]
            parts = sorted(name for name in group.attrs if name.startswith("weight_names"))
            names = [name for part in parts for name in group.attrs[part]]
            for variable, name in zip(optimizer.variables, names, strict=True):
                variable.assign(group[name][()])
    model.optimizer = optimizer


def check_path(path: str | os.PathLike[str]) -> tuple[str, Path]:
    """Return how a path's ending says to save, "whole" or "yaml", or raise ValueError."""
    path = Path(path)
    name = path.name
    if name.endswith((".weights.h5", ".yaml", ".yml")):
        return "yaml", path
    if name.endswith((".keras", ".h5")):
        return "whole", path
    raise ValueError(f"path must end in {FORMATS}; got {str(path)!r}")


def _stem(path: Path) -> str:
    return re.sub(r"(\.weights\.h5|\.ya?ml)$", "", path.name)


def _yaml_path(path: Path) -> Path:
    if path.suffix in (".yaml", ".yml"):
        return path
    beside = path.with_name(_stem(path) + ".yml")
    return beside if beside.exists() else path.with_name(_stem(path) + ".yaml")


def _weights_path(path: Path) -> Path:
    return path.with_name(_stem(path) + ".weights.h5")


def _from_yaml(keras: Any, path: Path, weights: Path) -> Any:
    yaml = import_extra("yaml", feature="Loading an architecture from YAML", extra="lab")
    try:
        config = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"it is not plain YAML ({str(error).partition(chr(10))[0]})") from error
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise ValueError("it does not describe a Keras model (class_name and config)")
    _refuse_unknown(keras, config)
    # Compiled last: an optimizer made before the weights are there does not know them.
    training = config.pop("compile_config", None)
    model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    model.load_weights(weights)
    if training:
        model.compile_from_config(training)
    return model


def _refuse_unknown(keras: Any, node: Any) -> None:
    """Refuse every class but Keras' own and those the user registered, before any is made.

    Keras imports whatever module a configuration names; a file must not be able to do that.
    """
    if isinstance(node, list):
        for item in node:
            _refuse_unknown(keras, item)
    if not isinstance(node, dict):
        return
    if isinstance(name := node.get("class_name"), str):
        registered = node.get("registered_name")
        known = isinstance(registered, str) and (
            keras.saving.get_registered_object(registered) is not None
        )
        if name in ("Lambda", "__lambda__", "function"):
            raise ValueError(f"{name} would run code from the file; rebuild that layer in Python")
        if not known and not _is_keras_class(keras, node.get("module"), name):
            raise ValueError(
                f"{name!r} is not a layer or object that Keras knows; register it with "
                "keras.saving.register_keras_serializable before loading"
            )
    for value in node.values():
        _refuse_unknown(keras, value)


def _is_keras_class(keras: Any, module: Any, name: str) -> bool:
    if module is None:  # the short form, of built-in layers only
        return isinstance(getattr(keras.layers, name, None), type)
    place: Any = keras
    parts = module.split(".") if isinstance(module, str) else [""]
    if parts[0] == "builtins" and name in ("tuple", "slice"):
        return True
    if parts[0] != "keras":
        return False
    for part in parts[1:]:
        place = getattr(place, part, None)
    return isinstance(getattr(place, name, None), type)


def _absl_verbosity(level: Any) -> Any:
    """Set how much Keras' logger says, and return what it was."""
    from absl import logging

    previous = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR if level == "ERROR" else level)
    return previous
