"""Loss, metrics and optimizer of a loaded model: as they were saved, as far as that can be."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .._typing import Array
from ._keras_files import Content, check_config

SKIPPED = re.compile("Skipping variable loading for optimizer")
SPECIAL_METRICS = ("accuracy", "acc", "crossentropy", "ce")
"""Keras chooses among several by the shape of the output."""


def made_as_saved(
    keras: Any,
    path: Path,
    make: Callable[[bool], Any],
    training: Any,
    *,
    stepped: bool,
    must_compile: bool,
) -> Any:
    """Make a model compiled with its optimizer's state; what cannot be is left, with a warning.

    Parameters
    ----------
    make : callable
        Makes the model, compiled with the state of its optimizer or not compiled.
    training : dict or None
        How the model was compiled.
    stepped : bool
        Whether the optimizer has a state that can be lost.
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
    except Exception as error:  # of any kind: what counts is whether the model can do without
        model = make(False)
        compile_or_tell(
            path, error, lambda: _compile_anew(keras, model, training), stepped, must_compile
        )
        return model
    skipped = [each for each in caught if SKIPPED.search(str(each.message))]
    for each in caught:
        if each not in skipped:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if skipped and stepped:
        _tell_of_state(path)
    return model


def _compile_anew(keras: Any, model: Any, training: dict[str, Any]) -> None:
    check_config(keras, training)
    model.compile_from_config(training)


def compile_or_tell(
    path: Path, error: Exception, attempt: Callable[[], None], stepped: bool, must_compile: bool
) -> None:
    """Compile without the optimizer's state; say what is lost."""
    try:
        attempt()
    except Exception as reason:  # whatever a loss or optimizer of the file may raise
        error = reason
    else:
        if stepped:
            _tell_of_state(path)
        return
    if must_compile:
        message = " ".join(str(error).split())[:200]
        warnings.warn(
            f"{path}: the model is loaded without its loss, metrics and optimizer, which cannot "
            f"be made again ({message}). Compile it before training it further",
            stacklevel=2,
        )


def _tell_of_state(path: Path) -> None:
    warnings.warn(
        f"{path}: the saved state of the optimizer does not fit the model; its optimizer starts "
        "anew. The weights are as they were saved",
        stacklevel=2,
    )


def compile_whole(keras: Any, model: Any, path: Path, content: Content, must_compile: bool) -> None:
    """Compile a model from HDF5 and give its optimizer the saved state.

    Keras has a way of its own to do so, which knows few names of losses and metrics, and builds
    the optimizer on no variables: it then refuses to train the model.
    """
    training = content.training
    if not training:
        return
    try:
        check_config(keras, training)
        _compile(keras, model, training)
    except Exception as error:  # whatever a loss or optimizer of the file may raise
        reason = error

        def again() -> None:
            raise reason

        compile_or_tell(path, error, again, content.stepped, must_compile)
        return
    values = _optimizer_values(path)
    variables = model.optimizer.variables
    if [tuple(v.shape) for v in variables] == [v.shape for v in values]:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    elif content.stepped:
        _tell_of_state(path)


def _compile(keras: Any, model: Any, training: dict[str, Any]) -> None:
    optimizer = keras.optimizers.deserialize(training["optimizer_config"])
    losses, metrics = keras.losses, keras.metrics
    model.compile(
        optimizer=optimizer,
        loss=_nested(keras, losses, training.get("loss")),
        metrics=_nested(keras, metrics, training.get("metrics")),
        weighted_metrics=_nested(keras, metrics, training.get("weighted_metrics")),
        loss_weights=training.get("loss_weights"),
    )
    model.optimizer.build(model.trainable_variables)


def _nested(keras: Any, kind: Any, node: Any) -> Any:
    """Make losses or metrics from what is saved of them, in any structure."""
    if isinstance(node, dict) and "class_name" in node:
        return kind.deserialize(node)
    if isinstance(node, dict):
        return {key: _nested(keras, kind, value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_nested(keras, kind, value) for value in node]
    if not isinstance(node, str) or node in SPECIAL_METRICS:
        return node
    found = kind.get(node)  # raises where the name is unknown; compiling does not
    return found if keras.saving.get_registered_object(node) is not None else node


def _optimizer_values(path: Path) -> list[Array]:
    import h5py

    with h5py.File(path) as file:
        if "optimizer_weights" not in file:
            return []
        group = file["optimizer_weights"]
        # One attribute, or, where there are many names, several that are numbered.
        parts = ["weight_names"]
        while f"weight_names{len(parts) - 1}" in group.attrs:
            parts.append(f"weight_names{len(parts) - 1}")
        names = [name for part in parts if part in group.attrs for name in group.attrs[part]]
        return [np.asarray(group[name][()]) for name in names]
