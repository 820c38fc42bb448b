"""Run a model over the inputs once and keep what its layers make of them."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from rich.console import Console
from rich.progress import track

from .._console import moves
from .._keras import import_keras
from .._typing import Array
from ._keras import compile_capture, list_layers
from ._representations import Representations


def extract(
    model: Any,
    inputs: ArrayLike,
    layers: str | Sequence[str] | None = None,
    *,
    batch_size: int = 500,
    progress: bool = True,
) -> Representations:
    """Take the representations of samples at any or all layers of a Keras model.

    However many layers are asked for, the model runs once over the inputs, as it does when it
    predicts (dropout is off). It is not altered.

    Parameters
    ----------
    model : keras.Model
        Built or loaded: Sequential, functional, subclassed or nested.
    inputs : array-like, (n_samples, ...)
        As the model takes them.
    layers : str or sequence of str, optional
        Names of layers; all of them by default, in the order in which the model holds them. A
        layer inside a nested model is called ``model/layer``.
    batch_size : int
        Samples that pass through the model at once.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    Representations
        Layer name -> float32 array (n_samples, *shape). A layer that the model calls several
        times appears as ``name``, ``name:2``, ...

    Raises
    ------
    ValueError
        If a layer does not exist (near names are listed) or was not reached, the inputs do not
        fit the model, or an output is not one array with a row for each sample.
    TypeError
        If `model` is not a Keras model.
    """
    keras = import_keras(feature="Extracting from a Keras model")
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a Keras model; got {type(model).__name__}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}")
    samples = np.asarray(inputs, dtype=np.float32)
    if not samples.ndim or not len(samples):
        raise ValueError(f"inputs must hold at least one sample; got the shape {samples.shape}")
    _check_shape(model, samples)
    chosen = _choose(list_layers(model), layers, model.name)
    run = compile_capture(model, chosen, samples.shape[1:])
    starts = range(0, len(samples), batch_size)
    console = Console(stderr=True)
    shown = track(
        starts,
        f"{model.name}: extracting",
        console=console,
        transient=True,
        disable=not (progress and moves(console)),
    )
    arrays: dict[str, Array] = {}
    for start in shown:
        stop = min(start + batch_size, len(samples))
        for name, values in run(samples[start:stop]).items():
            if name not in arrays:
                _check_output(name, values, stop - start)
                arrays[name] = np.empty((len(samples), *values.shape[1:]), np.float32)
            arrays[name][start:stop] = values
    if missing := [name for name in chosen if name not in arrays]:
        raise ValueError(f"model {model.name!r} does not run the layers {', '.join(missing)}")
    return Representations(arrays)


def _choose(
    known: dict[str, Any], layers: str | Sequence[str] | None, model: str
) -> dict[str, Any]:
    if layers is None:
        return known
    wanted = [layers] if isinstance(layers, str) else list(layers)
    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, n=3) or list(known)
            raise ValueError(
                f"layers: model {model!r} has no layer {name!r}; did you mean {', '.join(near)}?"
            )
    return {name: layer for name, layer in known.items() if name in wanted}


def _check_shape(model: Any, samples: Array) -> None:
    expected = getattr(model, "input_shape", None)
    if not isinstance(expected, tuple) or any(isinstance(size, tuple) for size in expected):
        return
    got = samples.shape[1:]
    if len(expected) != samples.ndim or any(
        size not in (None, actual) for size, actual in zip(expected[1:], got, strict=True)
    ):
        raise ValueError(
            f"inputs: model {model.name!r} takes samples of shape {expected[1:]}; got {got}. "
            "Reshape the inputs"
        )


def _check_output(name: str, values: Any, n_rows: int) -> None:
    if not isinstance(values, np.ndarray) or values.shape[:1] != (n_rows,):
        raise ValueError(
            f"layers: {name!r} does not give one row for each sample "
            f"(got {getattr(values, 'shape', type(values).__name__)}); leave it out"
        )
