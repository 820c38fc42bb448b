"""Restore the loss, metrics and optimizer of a loaded model, as far as possible."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from .._typing import Array
from ._keras_config import check_config
from ._keras_files import Content

STATE_SKIPPED: Final = re.compile("Skipping variable loading for optimizer")
SPECIAL_METRICS: Final = ("accuracy", "acc", "crossentropy", "ce")
"""Keras selects the metric class by the shape of the output."""


def load_compiled(
    keras: Any,
    path: Path,
    make: Callable[[bool], Any],
    training: Any,
    *,
    stepped: bool,
    must_compile: bool,
) -> Any:
    """Load a model compiled with its optimizer's state; warn of what cannot be restored.

    Parameters
    ----------
    keras : module
        Keras.
    path : Path
        The file, for warnings.
    make : callable
        Builds the model. Its argument says whether to compile it and load the optimizer's state.
    training : dict or None
        The compile settings.
    stepped : bool
        Whether the optimizer has a state to lose.
    must_compile : bool
        Whether to warn if the model cannot be compiled.
    """
    if not training:
        return make(False)
    try:
        check_config(keras, training)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = make(True)
    except Exception as error:  # of any kind; try without the optimizer's state
        model = make(False)
        _compile_or_warn(
            path, error, lambda: _recompile(keras, model, training), stepped, must_compile
        )
        return model
    skipped = [each for each in caught if STATE_SKIPPED.search(str(each.message))]
    for each in caught:
        if each not in skipped:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if skipped and stepped:
        _warn_of_state(path)
    return model


def _recompile(keras: Any, model: Any, training: dict[str, Any]) -> None:
    check_config(keras, training)
    model.compile_from_config(training)


def _compile_or_warn(
    path: Path, error: Exception, attempt: Callable[[], None], stepped: bool, must_compile: bool
) -> None:
    """Try to compile without the optimizer's state; warn of what is lost."""
    try:
        attempt()
    except Exception as reason:  # whatever a custom loss or optimizer raises
        error = reason
    else:
        if stepped:
            _warn_of_state(path)
        return
    if must_compile:
        message = " ".join(str(error).split())[:200]
        warnings.warn(
            f"{path}: the model is loaded without its loss, metrics and optimizer, which cannot "
            f"be restored ({message}). Compile it before training it further",
            stacklevel=2,
        )


def _warn_of_state(path: Path) -> None:
    warnings.warn(
        f"{path}: the saved state of the optimizer does not fit the model; the optimizer starts "
        "from its initial state. The weights are as they were saved",
        stacklevel=2,
    )


def compile_from_hdf5(
    keras: Any, model: Any, path: Path, content: Content, must_compile: bool
) -> None:
    """Compile a model from HDF5 and restore its optimizer's state.

    Keras' own loader knows few names of losses and metrics, and builds the optimizer without
    variables, so that it refuses to train the model.
    """
    training = content.training
    if not training:
        return
    try:
        check_config(keras, training)
        _compile(keras, model, training)
    except Exception as error:  # whatever a custom loss or optimizer raises
        reason = error

        def fail() -> None:
            raise reason

        _compile_or_warn(path, error, fail, content.stepped, must_compile)
        return
    values = _optimizer_values(path)
    variables = model.optimizer.variables
    if [tuple(v.shape) for v in variables] == [v.shape for v in values]:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    elif content.stepped:
        _warn_of_state(path)


def _compile(keras: Any, model: Any, training: dict[str, Any]) -> None:
    optimizer = keras.optimizers.deserialize(training["optimizer_config"])
    losses, metrics = keras.losses, keras.metrics
    model.compile(
        optimizer=optimizer,
        loss=_deserialize(keras, losses, training.get("loss")),
        metrics=_deserialize(keras, metrics, training.get("metrics")),
        weighted_metrics=_deserialize(keras, metrics, training.get("weighted_metrics")),
        loss_weights=training.get("loss_weights"),
    )
    model.optimizer.build(model.trainable_variables)


def _deserialize(keras: Any, module: Any, node: Any) -> Any:
    """Build losses or metrics, in any nested structure, from their configurations."""
    if isinstance(node, dict) and "class_name" in node:
        return module.deserialize(node)
    if isinstance(node, dict):
        return {key: _deserialize(keras, module, value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_deserialize(keras, module, value) for value in node]
    if not isinstance(node, str) or node in SPECIAL_METRICS:
        return node
    found = module.get(node)  # raises if the name is unknown; compiling does not
    return found if keras.saving.get_registered_object(node) is not None else node


def _optimizer_values(path: Path) -> list[Array]:
    import h5py

    with h5py.File(path) as file:
        if "optimizer_weights" not in file:
            return []
        group = file["optimizer_weights"]
        # One attribute; if there are many names, several numbered ones.
        keys = ["weight_names"]
        while f"weight_names{len(keys) - 1}" in group.attrs:
            keys.append(f"weight_names{len(keys) - 1}")
        names = [name for key in keys if key in group.attrs for name in group.attrs[key]]
        return [np.asarray(group[name][()]) for name in names]
