"""Layers of a Keras model, on every backend.

A model is run as it is; while it runs, the layers asked for hand over what they return. So it does
not matter how the model was built (Sequential, functional, subclassed, nested), whether it was
loaded or popped, or whether its layers have outputs that Keras knows of; and nothing is added to
its graph.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .._keras import import_keras
from .._typing import Array

RunBatch = Callable[[Array], dict[str, Array]]


def list_layers(model: Any, prefix: str = "") -> dict[str, Any]:
    """Return the layers in order, those of a nested model as ``model/layer`` before the model."""
    keras = import_keras()
    layers: dict[str, Any] = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        name = prefix + layer.name
        if isinstance(layer, keras.Model):
            layers |= list_layers(layer, f"{name}/")
        layers[name] = layer
    return layers


def compile_capture(model: Any, layers: dict[str, Any], shape: tuple[int, ...]) -> RunBatch:
    """Return a function from a batch of inputs of that shape to the layers' outputs, by name.

    A layer that the model calls several times appears as ``name``, ``name:2``, ``name:3``...

    Raises
    ------
    ValueError
        If the model does not take the batch; the message is the model's own.
    """
    keras = import_keras()
    backend = keras.backend.backend()

    def forward(inputs: Any) -> dict[str, Any]:
        with _captured(layers) as outputs:
            model(inputs, training=False)
        return outputs

    if backend == "tensorflow":
        import tensorflow as tf

        run = tf.function(forward, autograph=False).get_concrete_function(
            tf.TensorSpec((None, *shape), tf.float32)
        )
    elif backend == "jax":
        run = _jax_forward(model, layers)
    else:
        import torch

        run = torch.no_grad()(forward)

    def run_batch(inputs: Array) -> dict[str, Array]:
        outputs = run(keras.ops.convert_to_tensor(inputs))
        return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}

    return run_batch


def _jax_forward(model: Any, layers: dict[str, Any]) -> Callable[[Any], dict[str, Any]]:
    import jax

    names: list[str] = []  # in the order of the calls: JAX sorts what it returns as a dict

    def forward(trainable: Any, fixed: Any, inputs: Any) -> list[Any]:
        with _captured(layers) as outputs:
            model.stateless_call(trainable, fixed, inputs, training=False)
        names[:] = outputs
        return list(outputs.values())

    compiled = jax.jit(forward)
    variables = (model.trainable_variables, model.non_trainable_variables)

    def run(inputs: Any) -> dict[str, Any]:
        outputs = compiled(*([v.value for v in group] for group in variables), inputs)
        return dict(zip(names, outputs, strict=True))

    return run


@contextmanager
def _captured(layers: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Record what the layers' ``call`` returns, and put everything back afterwards."""
    outputs: dict[str, Any] = {}

    def recording(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            times = sum(known == name or known.startswith(f"{name}:") for known in outputs)
            outputs[f"{name}:{times + 1}" if times else name] = result
            return result

        return recorded

    try:
        for name, layer in layers.items():
            # Past Keras' own bookkeeping of attributes: it must not see the change.
            object.__setattr__(layer, "call", recording(name, layer.call))
        yield outputs
    finally:
        for layer in layers.values():
            layer.__dict__.pop("call", None)
