"""One traced run of a Keras model, by wrapping the ``call`` of its layers and its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._trace import MODEL, Call, Identities, Recorder, Side, Trace, Value
from .base import Naming, leaves


@contextmanager
def traced(
    keras: Any, model: Any, layers: list[tuple[str, Any]]
) -> Iterator[Callable[[Callable[[Any], Any], Any], Trace]]:
    """Wrap the calls; yield a function that runs a batch and returns its trace.

    Parameters
    ----------
    keras : module
    model : Model
    layers : list of (str, Layer)
        Those with names, as they are captured.
    """
    recorder, naming, identities = Recorder(), Naming(), Identities()

    def wrapped(path: str, layer: Any) -> Callable[..., Any]:
        call = layer.call

        def recorded(*args: Any, **kwargs: Any) -> Any:
            given = list(_tensors([args, kwargs]))
            entered = _entered(keras, path, layer)
            entered.inputs = [identities.of(tensor) for tensor in given]
            if given and "float" in _dtype(given[0]):
                entered.first_input = tuple(given[0].shape)
            recorder.enter(entered)
            result = call(*args, **kwargs)
            recorder.leave()
            for entry, value in naming.entries(path, result):
                entered.values.append(_value(entry, value, identities))
            entered.side, entered.width = _channels(layer, entered)
            return result

        return recorded

    def run(function: Callable[[Any], Any], batch: Any) -> Trace:
        nonlocal recorder, naming
        recorder, naming = Recorder(), Naming()
        root = Call("", type(model).__name__)
        root.inputs = [identities.of(tensor) for tensor in _tensors(batch)]
        recorder.enter(root)
        result = function(batch)
        recorder.leave()
        for entry, value in naming.entries(MODEL, result):
            root.values.append(_value(entry, value, identities))
        return recorder.trace(is_graph=_is_graph(keras, model, layers))

    try:
        for path, layer in layers:
            # Bypasses Keras' attribute tracking, which must not see the change.
            object.__setattr__(layer, "call", wrapped(path, layer))
        yield run
    finally:
        for _, layer in layers:
            layer.__dict__.pop("call", None)


def _is_graph(keras: Any, model: Any, layers: list[tuple[str, Any]]) -> bool:
    """Whether the model, or one inside it, is a graph of layers."""
    functional = getattr(keras.models, "Functional", None) or keras.src.models.Functional
    return any(isinstance(layer, functional) for layer in (model, *(part for _, part in layers)))


def _entered(keras: Any, path: str, layer: Any) -> Call:
    weights = layer.weights
    is_leaf = not isinstance(layer, keras.Model) and (
        type(layer).__module__.startswith("keras.") or not layer._layers
    )
    return Call(
        path,
        type(layer).__name__,
        has_parameters=bool(weights),
        has_weights=is_leaf and any(len(weight.shape) > 1 for weight in weights),
        is_container=isinstance(layer, keras.Sequential),
    )


def _tensors(value: Any) -> Iterator[Any]:
    for _, leaf in leaves("", value):
        if hasattr(leaf, "shape") and hasattr(leaf, "dtype"):
            yield leaf


def _value(name: str, value: Any, identities: Identities) -> Value:
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        value = np.asarray(value)
    return Value(name, identities.of(value), tuple(value.shape), _dtype(value))


def _dtype(tensor: Any) -> str:
    """Return the name of a tensor's type, of any backend."""
    return str(getattr(tensor.dtype, "name", tensor.dtype)).removeprefix("torch.")


def _channels(layer: Any, call: Call) -> tuple[Side | None, int | None]:
    """Return where a leaf with parameters has its channels, and how many."""
    if not call.has_parameters or call.children or not call.values:
        return None, None
    shape = call.values[0].shape
    if len(shape) < 2:
        return None, None
    axis = getattr(layer, "axis", -1)
    axes = list(axis) if isinstance(axis, list | tuple) else [axis]
    normalized = len(axes) == 1 and axes[0] in (1, 1 - len(shape)) and len(shape) > 2
    if getattr(layer, "data_format", None) == "channels_first" or normalized:
        return "first", shape[1]
    return "last", shape[-1]
