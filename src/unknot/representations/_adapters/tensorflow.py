"""TensorFlow's SavedModel, as ``tf.saved_model.load`` returns it.

Its serving function becomes one graph without variables, of which the wanted values are fetched.
"""

import re
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from ..._typing import Array
from .._extents import is_wide
from .._loading.unreadable import reason_of
from .._samples import Batch, Source, cast
from .base import Adapter, RunBatch, Sink
from .scopes import Operation, named_values

ACCEPTS: Final = "a SavedModel of TensorFlow"
SERVING: Final = "serving_default"
CALLS: Final = re.compile(r"(Stateful)?PartitionedCall(_\d+)?/")
NO_LAYERS: Final = ("Const", "Placeholder", "Shape")


def adapt(model: Any) -> Adapter | None:
    """Return the adapter of a loaded SavedModel."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not hasattr(model, "signatures"):
        return None
    is_loaded = isinstance(model, tensorflow.Module) or hasattr(model, "tensorflow_version")
    return SavedModelAdapter(model) if is_loaded else None


class SavedModelAdapter(Adapter):
    """A loaded SavedModel."""

    def __init__(self, model: Any) -> None:
        import tensorflow
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        super().__init__(model, "saved_model")
        signatures = dict(model.signatures)
        chosen = SERVING if SERVING in signatures else next(iter(signatures), None)
        if chosen is None:
            raise ValueError(
                "model: this SavedModel has no signature to be called; save it with "
                "model.export(), or tf.saved_model.save(model, folder, signatures=...)"
            )
        self._tf = tensorflow
        self._frozen = convert_variables_to_constants_v2(signatures[chosen])
        self._inputs = [tensor for tensor in self._frozen.inputs if tensor.dtype != "resource"]
        self.multi_input = len(self._inputs) > 1
        first = self._inputs[0].shape
        self.batch_size = None if first.rank is None else first[0]
        self._layers = _layers_of(self._frozen)

    def definition(self) -> Iterator[tuple[str, Array | str]]:
        """Yield the graph, with its weights."""
        content = self._frozen.graph.as_graph_def().SerializeToString(deterministic=True)
        yield "graph", np.frombuffer(content, np.uint8)

    def check(self, samples: Source) -> None:
        """Compare the number and shapes of the inputs with the signature's."""
        if len(samples.parts) != len(self._inputs):
            raise ValueError(
                f"inputs: model {self.name!r} takes {len(self._inputs)}; got {len(samples.parts)}"
            )
        for expected, part in self._matched(dict(samples.parts)):
            if not expected.shape[1:].is_compatible_with(part.shape[1:]):
                raise ValueError(
                    f"inputs: {_plain(expected.op.name)!r} of model {self.name!r} takes samples of "
                    f"shape {tuple(expected.shape[1:])}; got {part.shape[1:]}. Reshape the inputs"
                )

    @contextmanager
    def capture(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Prune the graph to the wanted values and the outputs."""
        chosen = [entry for entry in self._layers if wanted is None or entry[0] in wanted]
        outputs = list(self._frozen.outputs)
        tensors = [self._frozen.graph.get_tensor_by_name(tensor) for _, _, tensor in chosen]
        run_graph = self._frozen.prune(self._inputs, [*outputs, *tensors])

        def run(batch: Batch) -> Any:
            parts = batch if isinstance(batch, dict) else dict(enumerate(_listed(batch)))
            feed = [
                self._tf.constant(
                    cast(part, expected.dtype.as_numpy_dtype, f"inputs: {expected.op.name!r}")
                )
                for expected, part in self._matched(parts)
            ]
            try:
                values = run_graph(*feed)
            except Exception as error:  # TensorFlow raises a dozen classes
                raise ValueError(
                    f"model {self.name!r} cannot be run on these inputs: {reason_of(error)}"
                ) from error
            results = [value.numpy() for value in values]
            for (name, kind, _), value in zip(chosen, results[len(outputs) :], strict=True):
                sink(name, kind, _real(value))
            return [_real(value) for value in results[: len(outputs)]]

        yield run

    def _matched(self, parts: dict[Any, Array]) -> list[tuple[Any, Array]]:
        if not any(isinstance(key, str) for key in parts):
            return list(zip(self._inputs, parts.values(), strict=True))
        names = {_plain(tensor.op.name): tensor for tensor in self._inputs}
        if unknown := [key for key in parts if key not in names]:
            raise ValueError(
                f"inputs: model {self.name!r} takes {', '.join(map(repr, names))}; "
                f"got {', '.join(map(repr, unknown))}"
            )
        return [(tensor, parts[name]) for name, tensor in names.items()]


def _layers_of(frozen: Any) -> list[tuple[str, str, str]]:
    """Return the name, kind and tensor of each value that depends on the inputs."""
    depends = {tensor.name for tensor in frozen.inputs}
    sources: dict[str, str] = {}
    operations = []
    for op in frozen.graph.get_operations():
        taken = [tensor.name for tensor in op.inputs]
        if op.type in NO_LAYERS or not depends.intersection(taken):
            continue
        made = [tensor.name for tensor in op.outputs]
        depends.update(made)
        if op.type == "Identity":
            sources[made[0]] = sources.get(taken[0], taken[0])
            continue
        path = CALLS.sub("", op.name).replace(".", "_").split("/")[:-1]
        inputs = [sources.get(name, name) for name in taken]
        operations.append(Operation(".".join(path), "", op.type, made, inputs))
    first = {operation.path.partition(".")[0] for operation in operations}
    if len(first) == 1:  # the model's own name
        (own,) = first
        operations = [
            operation._replace(path=operation.path.removeprefix(own).lstrip("."))
            for operation in operations
        ]
    parts = [operation.path.split(".") for operation in operations]
    scopes = {".".join(path[:depth]) for path in parts for depth in range(1, len(path) + 1)}
    returned = {sources.get(tensor.name, tensor.name) for tensor in frozen.outputs}
    return [
        (name, kind, str(tensor))
        for name, kind, tensor in named_values(operations, returned, scopes)
    ]


def _plain(name: str) -> str:
    return name.partition(":")[0]


def _listed(batch: Batch) -> tuple[Array, ...]:
    return batch if isinstance(batch, tuple) else (batch,)


def _real(values: Array) -> Array:
    return (
        values.astype(np.float32) if values.dtype.kind in "fV" and not is_wide(values) else values
    )
