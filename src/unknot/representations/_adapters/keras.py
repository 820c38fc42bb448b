"""Keras models, on every backend.

The model runs unchanged, and the ``call`` of each layer is wrapped to record what it returns. So
it does not matter how the model was built (Sequential, functional, subclassed, nested), whether it
was loaded or popped, or whether Keras knows the outputs of its layers.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import numpy as np

from ..._keras import import_keras
from ..._typing import Array
from .._samples import Batch, Source, cast, list_parts, map_batch
from .._trace import INPUT, MODEL, Trace
from .base import Adapter, Fresh, Naming, RunBatch, Sink, leaves
from .code import class_code, function_code

ACCEPTS: Final = "a Keras model"
LIBRARIES: Final = ("keras", "tensorflow", "torch")
"""Their classes are identified by the configuration, not by their code."""

FEW: Final = 3
"""So many samples are run without compiling the model for them."""

Captured = dict[str, Any]  # in the order of the calls


def adapt(model: Any) -> Adapter | None:
    """Return the adapter of a Keras model."""
    keras = sys.modules.get("keras")
    return KerasAdapter(model) if keras and isinstance(model, keras.Model) else None


class KerasAdapter(Adapter):
    """A Keras model."""

    takes_forward = True

    def __init__(self, model: Any) -> None:
        super().__init__(model, str(model.name))
        self._keras = import_keras()
        self._backend = self._keras.backend.backend()
        self._kinds: dict[str, str] = {}
        self.pad_batches = self._backend == "jax"
        self._layers: list[tuple[str, Any]] = []
        self._expected: dict[str, tuple[tuple[int | None, ...], str]] = {}
        if model.built:
            self._inspect()

    def _inspect(self) -> None:
        """Find the layers and inputs of a model that is built."""
        self._layers = _named_layers(self._keras, self.model)
        self._expected = _expected_inputs(self.model)
        self.multi_input = len(self._expected) > 1 if self._expected else None
        self.channels_first = any(
            getattr(layer, "data_format", None) == "channels_first" for _, layer in self._layers
        )

    def check(self, samples: Source) -> None:
        """Compare the shapes with those of the model's inputs, where these are known.

        A model that is not built yet has neither weights nor known shapes; it is called once.
        """
        if not self.model.built:
            self._eager(map_batch(samples.first(1), self._tensor))
            self._inspect()
        expected, got = self._expected, samples.parts
        if not expected or self.forward is not None:
            return
        if len(expected) != len(got):
            raise ValueError(f"inputs: model {self.name!r} takes {len(expected)}; got {len(got)}")
        for place, (key, part) in enumerate(got.items()):
            name, shape, _ = self._input(key, place)
            actual = part.shape
            if len(shape) != len(actual) or any(
                size not in (None, other) for size, other in zip(shape[1:], actual[1:], strict=True)
            ):
                raise ValueError(
                    f"{name}: model {self.name!r} takes samples of shape {shape[1:]}; "
                    f"got {actual[1:]}. Reshape the inputs"
                )
            self.batch_size = shape[0]

    def declared(self) -> Mapping[str, tuple[tuple[int | None, ...], str]]:
        """Return the shape and type of each input by name."""
        return {name: (shape[1:], dtype) for name, (shape, dtype) in self._expected.items()}

    def takes_ids(self, inputs: Any) -> bool:
        """Whether the model declares that it takes integers, or begins with an embedding."""
        if inputs is None:
            return False
        parts = self.samples(inputs).parts
        declared = [self._input(key, place)[2] for place, key in enumerate(parts) if self._expected]
        first = next((type(layer).__name__ for _, layer in self._layers), "")
        return any(dtype.startswith(("int", "uint")) for dtype in declared) or first == "Embedding"

    def definition(self) -> Iterator[tuple[str, Array | str]]:
        """Yield the weights, the configuration, and the code of custom classes."""
        for number, array in enumerate(self.model.get_weights()):
            yield str(number), np.asarray(array)
        try:
            yield "configuration", str(self.model.to_json())
        except (NotImplementedError, TypeError, ValueError):
            # A custom class without a configuration.
            yield "layers", repr([name for name, _ in self._layers])
        for layer in (self.model, *(layer for _, layer in self._layers)):
            yield from class_code(type(layer), LIBRARIES)
        if self.forward is not None:
            yield "forward", function_code(self.forward)

    @property
    def modules(self) -> dict[str, Any]:
        """The layers by name; of several with one name, the first."""
        return dict(reversed(self._layers))

    def trace(self, batch: Batch) -> Trace:
        """Run a batch eagerly; return the calls, their nesting, and the tensors they pass on."""
        from .keras_trace import traced

        tensors = map_batch(batch, self._tensor)
        with traced(self._keras, self.model, self._layers) as run:
            return run(self._run, tensors)

    @contextmanager
    def capture(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Run eagerly to find all layers, or on few samples, and compiled for the wanted ones."""
        compiled: list[Callable[[Any], tuple[Any, Captured]]] = []

        def run(batch: Batch) -> Any:
            tensors = map_batch(batch, self._tensor)
            few = all(len(part) <= FEW for part in list_parts(batch))
            if wanted is None or self.forward is not None or (few and not compiled):
                result, captured = self._eager(tensors, wanted)
            else:
                if not compiled:
                    compiled.append(self._compile(set(wanted), tensors))
                result, captured = compiled[0](tensors)
            for name, value in captured.items():
                sink(name, self._kinds[name], self._array(value))
            return self._keras.tree.map_structure(self._array, result)

        yield run

    def untrained(self, random_state: int) -> Fresh:
        """Rebuild the model from its configuration, with new seeds for all initializers.

        What layers learned by ``adapt``, such as the mean of the data, is kept.
        """
        model, keras = self.model, self._keras
        if not model.built:
            raise ValueError(f"model {self.name!r} is not built yet; call it once, or build it")
        rng = np.random.default_rng(random_state)
        own = {type(layer).__name__: type(layer) for layer in [model, *model._flatten_layers()]}
        try:
            config = _with_seeds(model.get_config(), rng)
            with keras.saving.custom_object_scope(own):
                fresh = type(model).from_config(config)
                if not fresh.built:
                    fresh.build_from_config(model.get_build_config())
        except (NotImplementedError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"model {self.name!r} cannot be rebuilt from its configuration "
                f"({str(error).strip().partition(chr(10))[0]}); give its class a get_config"
            ) from error
        if [v.shape for v in fresh.weights] != [v.shape for v in model.weights]:
            raise ValueError(
                f"model {self.name!r} has weights of other shapes when rebuilt from its "
                "configuration; give its class a get_config and a build"
            )
        layers = zip(model._flatten_layers(), fresh._flatten_layers(), strict=True)
        for trained, new in layers:
            if hasattr(trained, "adapt"):
                new.set_weights(trained.get_weights())
                if hasattr(new, "finalize_state"):
                    new.finalize_state()
        return Fresh(fresh, "Keras' initializers, as its configuration names them")

    def _input(self, key: Any, place: int) -> tuple[str, tuple[int | None, ...], str]:
        if isinstance(key, str):
            if key not in self._expected:
                raise ValueError(
                    f"inputs: model {self.name!r} takes {', '.join(map(repr, self._expected))}; "
                    f"got {key!r}"
                )
            return f"inputs[{key!r}]", *self._expected[key]
        name = f"inputs[{key}]" if len(self._expected) > 1 else "inputs"
        return name, *list(self._expected.values())[place]

    def _tensor(self, key: Any, part: Any) -> Any:
        if not isinstance(part, np.ndarray):
            return part  # an object that only the user's own call understands
        if self._expected and self.forward is None:
            name, _, dtype = self._input(key, key if isinstance(key, int) else 0)
            part = cast(part, _numpy_dtype(dtype), name)
        elif part.dtype.kind == "f":
            part = cast(part, np.float32, "inputs")
        if self._backend == "torch" and not part.flags.writeable:
            part = part.copy()  # PyTorch shares an array's memory, and warns if it is read-only
        return self._keras.ops.convert_to_tensor(part)

    def _array(self, value: Any) -> Array:
        if self._backend == "tensorflow":
            dense = hasattr(value, "_numpy")
            array = value._numpy() if dense else self._keras.ops.convert_to_numpy(value)
        elif self._backend == "jax":
            array = value
        else:
            value = value.detach().cpu()
            small = value.dtype.is_floating_point and value.dtype.itemsize < 4
            array = value.float() if small else value
        result = np.asarray(array)
        # NumPy has no bfloat16; the dtype that stands for it is of kind V.
        return result.astype(np.float32) if result.dtype.kind == "V" else result

    def _eager(self, inputs: Any, wanted: Collection[str] | None = None) -> tuple[Any, Captured]:
        with self._captured(wanted) as outputs:
            result = self._run(inputs)
        return result, outputs

    def _run(self, inputs: Any) -> Any:
        if self._backend == "torch":
            import torch

            with torch.no_grad():
                return self._call(inputs)
        return self._call(inputs)

    def _call(self, inputs: Any) -> Any:
        """Call the model, or what the user gave to call it."""
        if self.forward is not None:
            return self.forward(self.model, inputs)
        return self.model(inputs, training=False)

    def _captured(self, wanted: Collection[str] | None) -> AbstractContextManager[Captured]:
        with_output = any(entry.startswith(MODEL) for entry in wanted or ())
        layers = [*self._layers, (MODEL, self.model)] if with_output else self._layers
        return _captured(layers, wanted, self._kinds)

    def _compile(self, wanted: set[str], example: Any) -> Callable[[Any], tuple[Any, Captured]]:
        def forward(inputs: Any) -> tuple[Any, Captured]:
            with self._captured(wanted) as outputs:
                result = self.model(inputs, training=False)
            return result, outputs

        if self._backend == "tensorflow":
            import tensorflow as tf

            def spec(tensor: Any) -> Any:
                return tf.TensorSpec((self.batch_size, *tensor.shape[1:]), tensor.dtype)

            specs = tf.nest.map_structure(spec, example)
            names: list[str] = []  # TensorFlow sorts what it returns as a dict

            def listed(inputs: Any) -> Any:
                result, outputs = forward(inputs)
                names[:] = outputs
                return result, list(outputs.values())

            graph = tf.function(listed, autograph=False, input_signature=[specs])

            def run(inputs: Any) -> tuple[Any, Captured]:
                result, values = graph(inputs)
                return result, dict(zip(names, values, strict=True))

            return run
        if self._backend == "jax":
            return self._compile_jax(wanted)
        import torch

        compiled: Callable[[Any], tuple[Any, Captured]] = torch.no_grad()(forward)
        return compiled

    def _compile_jax(self, wanted: set[str]) -> Callable[[Any], tuple[Any, Captured]]:
        import jax

        names: list[str] = []  # JAX sorts what it returns as a dict
        model = self.model
        # Unlike ``__call__``, stateless_call passes arguments that the model does not accept.
        takes_training = "training" in inspect.signature(model.call).parameters
        inference = {"training": False} if takes_training else {}

        def forward(trainable: Any, fixed: Any, inputs: Any) -> tuple[Any, list[Any]]:
            with self._captured(wanted) as outputs:
                result, _ = model.stateless_call(trainable, fixed, inputs, **inference)
            names[:] = outputs
            return result, list(outputs.values())

        compiled = jax.jit(forward)
        variables = (model.trainable_variables, model.non_trainable_variables)

        def run(inputs: Any) -> tuple[Any, Captured]:
            state = ([variable.value for variable in group] for group in variables)
            result, values = compiled(*state, inputs)
            return result, dict(zip(names, values, strict=True))

        return run


def _named_layers(keras: Any, model: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Return the layers with names; those inside a model or a custom layer are ``model/layer``.

    Several layers may have the same name: `Naming` numbers their values in execution order, like
    those of a layer that runs several times. Keras' own layers are not looked into: values inside
    a recurrent layer's loop cannot be returned from it.
    """
    layers: list[tuple[str, Any]] = []
    for layer in model.layers if isinstance(model, keras.Model) else model._layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        name = prefix + layer.name
        custom = not type(layer).__module__.startswith("keras.")
        if isinstance(layer, keras.Model) or (custom and layer._layers):
            layers += _named_layers(keras, layer, f"{name}/")
        layers.append((name, layer))
    # A layer inside two models of the same name is listed twice.
    return list({(name, id(layer)): (name, layer) for name, layer in layers}.values())


def _expected_inputs(model: Any) -> dict[str, tuple[tuple[int | None, ...], str]]:
    """Return the shape and dtype of each input by name; empty if the model does not know them."""
    given = getattr(model, "inputs", None) or []
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, dict):
        return {key: (tuple(value.shape), str(value.dtype)) for key, value in structure.items()}
    return {value.name: (tuple(value.shape), str(value.dtype)) for value in given}


def _with_seeds(config: Any, rng: np.random.Generator) -> Any:
    """Return a configuration with every seed replaced by a new one."""
    if isinstance(config, dict):
        return {
            key: int(rng.integers(2**31)) if key == "seed" else _with_seeds(value, rng)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_with_seeds(part, rng) for part in config)
    return config


def _numpy_dtype(name: str) -> Any:
    return np.float32 if name == "bfloat16" else np.dtype(name)


@contextmanager
def _captured(
    layers: list[tuple[str, Any]], wanted: Collection[str] | None, kinds: dict[str, str]
) -> Iterator[Captured]:
    """Record what the layers' ``call`` returns; restore the layers on exit.

    The class of the layer behind each entry is added to ``kinds``.
    """
    outputs: Captured = {}
    naming, numbers = Naming(), Counter[str]()

    def recording(name: str, layer: Any) -> Callable[..., Any]:
        call, kind = layer.call, type(layer).__name__

        def recorded(*args: Any, **kwargs: Any) -> Any:
            numbers[name] += 1
            given = f"{name}{f':{numbers[name]}' if numbers[name] > 1 else ''}{INPUT}"
            if wanted is not None and given in wanted:
                tensors = (value for _, value in leaves("", [args, kwargs]))
                outputs[given] = next(value for value in tensors if hasattr(value, "shape"))
                kinds[given] = f"input of {kind}"
            result = call(*args, **kwargs)
            for entry, value in naming.entries(name, result):
                if wanted is None or entry in wanted:
                    outputs[entry] = value
                    kinds[entry] = kind
            return result

        return recorded

    try:
        for name, layer in layers:
            # Bypasses Keras' attribute tracking, which must not see the change.
            object.__setattr__(layer, "call", recording(name, layer))
        yield outputs
    finally:
        for _, layer in layers:
            layer.__dict__.pop("call", None)
