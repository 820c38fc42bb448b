"""ONNX models, run by ONNX Runtime; a copy in memory has the layers' values as outputs."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..._extras import import_extra
from ..._typing import Array
from .._loading.onnx import RECURSIVE, external_tensors, has_finite_calls, load_onnx
from .._loading.unreadable import reason_of
from .._samples import Batch, Source, cast
from .._trace import Trace
from .base import Adapter, Naming, RunBatch, Sink
from .graph_trace import Named, Node, graph_trace, shapes_of
from .onnx_scopes import FUSED, scoped
from .scopes import named_values

ACCEPTS: Final = "an ONNX model or session"
CPU: Final = "CPUExecutionProvider"
DTYPES: Final = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int16)": "int16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}
SHAPE_OPERATORS: Final = ("Shape", "Size", "Constant", "ConstantOfShape")


def adapt(model: Any) -> Adapter | None:
    """Return the adapter of an ONNX model, as ``onnx.load`` returns it, or of a session."""
    kind = type(model)
    if kind.__name__ == "InferenceSession" and kind.__module__.startswith("onnxruntime"):
        return OnnxAdapter(model, _model_of(model), model.get_providers())
    is_onnx = kind.__name__ == "ModelProto" and kind.__module__.startswith(("onnx", "builtins"))
    return OnnxAdapter(model, model) if is_onnx else None


def _model_of(session: Any) -> Any:
    """Read the model of a session again, from where it was loaded."""
    if (path := getattr(session, "_model_path", None)) is not None:
        if not Path(path).exists():
            raise ValueError(
                f"model: this session was loaded from {path}, which is gone; pass the model, as "
                "onnx.load returns it"
            )
        return load_onnx(Path(path))
    if (content := getattr(session, "_model_bytes", None)) is not None:
        onnx: Any = import_extra("onnx", feature="Reading a session's model", extra="onnx")
        return onnx.load_model_from_string(bytes(content))
    raise ValueError(
        "model: this session does not keep its model; pass the model, as onnx.load returns it"
    )


class OnnxAdapter(Adapter):
    """An ONNX model, or a session whose model is read again."""

    channels_first = True

    def __init__(self, given: Any, model: Any, providers: Sequence[str] = (CPU,)) -> None:
        super().__init__(given, str(model.graph.name or "model"))
        self._model = model
        self._providers = list(providers)
        feature = "Extracting from an ONNX model"
        self._onnx: Any = import_extra("onnx", feature=feature, extra="onnx")
        self._runtime: Any = import_extra("onnxruntime", feature=feature, extra="onnx")
        self._layers, self.notes = _layers_of(model.graph)
        if not has_finite_calls(model):
            raise ValueError(f"model {self.name!r} cannot be run as ONNX: {RECURSIVE}")
        if next(external_tensors(model), None) is not None:
            raise ValueError(
                f"model {self.name!r} keeps weights in another file, which is not read from here; "
                "load it with unknot.load_model, or with its external data"
            )
        self._inputs = self._session(()).get_inputs()
        if not self._inputs:
            raise ValueError(f"model {self.name!r} takes no inputs, so that none can be extracted")
        self.multi_input = len(self._inputs) > 1
        first = self._inputs[0].shape
        self.batch_size = first[0] if first and isinstance(first[0], int) else None

    def definition(self) -> Iterator[tuple[str, Array | str]]:
        """Yield the serialized model."""
        yield "onnx", np.frombuffer(self._model.SerializeToString(), np.uint8)

    def weights(self) -> Iterator[Array]:
        """Yield the initializers that are stored with the graph."""
        from onnx import numpy_helper

        for initializer in self._model.graph.initializer:
            if initializer.data_location == 0:  # in the model's own file
                yield numpy_helper.to_array(initializer)

    def check(self, samples: Source) -> None:
        """Compare the number, names and shapes of the inputs with the model's."""
        if len(samples.parts) != len(self._inputs):
            raise ValueError(
                f"inputs: model {self.name!r} takes {len(self._inputs)}; got {len(samples.parts)}"
            )
        for name, part in self._named(dict(samples.parts)).items():
            expected = next(given for given in self._inputs if given.name == name)
            shape, actual = expected.shape[1:], part.shape[1:]
            if len(shape) != len(actual) or any(
                isinstance(size, int) and size != other
                for size, other in zip(shape, actual, strict=True)
            ):
                raise ValueError(
                    f"inputs: {name!r} of model {self.name!r} takes samples of shape "
                    f"{tuple(shape)}; got {actual}. Reshape the inputs"
                )
            if expected.type not in DTYPES:
                raise ValueError(
                    f"inputs: {name!r} of model {self.name!r} is a {expected.type}, which is not "
                    f"supported; use one of {', '.join(DTYPES)}"
                )

    def declared(self) -> Mapping[str, tuple[tuple[int | None, ...], str]]:
        """Return the shape and type of each input by name."""
        return {
            given.name: (
                tuple(size if isinstance(size, int) else None for size in given.shape[1:]),
                DTYPES.get(given.type, "float32"),
            )
            for given in self._inputs
        }

    def takes_ids(self, inputs: Any) -> bool:
        """Whether an input of the model is of integers."""
        return any("int" in given.type for given in self._inputs)

    @contextmanager
    def capture(self, sink: Sink, wanted: Collection[str] | None) -> Iterator[RunBatch]:
        """Create a session that also returns the wanted values."""
        chosen = {
            name: layer for name, layer in self._layers.items() if wanted is None or name in wanted
        }
        session = self._session([tensor for tensor, _ in chosen.values()])
        own = [output.name for output in self._model.graph.output]
        outputs = list(dict.fromkeys([*own, *(tensor for tensor, _ in chosen.values())]))
        types = {given.name: DTYPES[given.type] for given in self._inputs}

        def run(batch: Batch) -> Any:
            parts = batch if isinstance(batch, dict) else dict(enumerate(_listed(batch)))
            feed = {
                name: cast(part, types[name], f"inputs: {name!r}")
                for name, part in self._named(parts).items()
            }
            try:
                values = session.run(outputs, feed)
            except Exception as error:  # ONNX Runtime raises a dozen classes
                shapes = ", ".join(str(part.shape) for part in feed.values())
                raise ValueError(
                    f"model {self.name!r} cannot be run by ONNX Runtime on inputs of shape "
                    f"{shapes}: {reason_of(error)}. Run it on its own to see what it takes, or "
                    "export it again"
                ) from error
            results = dict(zip(outputs, values, strict=True))
            for name, (tensor, kind) in chosen.items():
                if isinstance(results[tensor], np.ndarray):
                    sink(name, kind, _real(results[tensor]))
            return [_real(results[name]) for name in own]

        yield run

    def trace(self, batch: Batch) -> Trace:
        """Run a batch; return the operators, nested by the modules in their names."""
        graph = self._model.graph
        constants = {initializer.name for initializer in graph.initializer}
        return graph_trace(
            _traced_nodes(graph),
            [Named(name, kind, tensor) for name, (tensor, kind) in self._layers.items()],
            shapes_of(self, batch),
            [given.name for given in graph.input if given.name not in constants],
            [output.name for output in graph.output],
        )

    def _named(self, parts: dict[Any, Array]) -> dict[str, Array]:
        names = [given.name for given in self._inputs]
        if not any(isinstance(key, str) for key in parts):
            return dict(zip(names, parts.values(), strict=True))
        if unknown := [key for key in parts if key not in names]:
            raise ValueError(
                f"inputs: model {self.name!r} takes {', '.join(map(repr, names))}; "
                f"got {', '.join(map(repr, unknown))}"
            )
        return parts

    def _session(self, tensors: Collection[str]) -> Any:
        copy = self._onnx.ModelProto()
        copy.CopyFrom(self._model)
        for node, name in zip(copy.graph.node, _names_of(copy.graph), strict=True):
            node.name = name  # errors name the layer
        known = {output.name for output in copy.graph.output}
        for tensor in dict.fromkeys(tensors):
            if tensor not in known:
                copy.graph.output.append(self._onnx.ValueInfoProto(name=tensor))
        options = self._runtime.SessionOptions()
        options.log_severity_level = 4  # errors are raised, not printed as well
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            return self._runtime.InferenceSession(
                copy.SerializeToString(), options, providers=self._providers
            )
        except Exception as error:
            raise ValueError(
                f"model {self.name!r} cannot be run as ONNX: {reason_of(error)}. Export it with "
                "operators that ONNX Runtime knows, or update onnxruntime"
            ) from error


def _layers_of(graph: Any) -> tuple[dict[str, tuple[str, str]], tuple[str, ...]]:
    """Return each layer's tensor and operator or module, and remarks.

    Constants and the arithmetic of shapes are left out: they do not depend on the samples' values.
    """
    constants = {initializer.name for initializer in graph.initializer}
    depends = {given.name for given in graph.input} - constants
    nodes, names = [], []
    for node, name in zip(graph.node, _names_of(graph), strict=True):
        if node.op_type in SHAPE_OPERATORS or not depends.intersection(node.input):
            continue
        depends.update(node.output)
        nodes.append(node)
        names.append(name)
    found = scoped(graph, nodes)
    layers: dict[str, tuple[str, str]] = {}
    if found is not None:
        operations, called = found
        returned = {output.name for output in graph.output}
        for name, kind, tensor in named_values(operations, returned, called):
            layers[name] = str(tensor), kind
        fused = [name for name in layers if name.endswith(f".{FUSED}")]
        note = f"{', '.join(fused[:3])}{' and others' if len(fused) > 3 else ''}: the exporter "
        note += "rewrote the weights, as it does where it merged a batch norm with the convolution"
        return layers, (note,) if fused else ()
    naming = Naming()
    for node, name in zip(nodes, names, strict=True):
        for entry, tensor in naming.entries(name, [tensor for tensor in node.output if tensor]):
            layers[entry] = tensor, node.op_type
    return layers, ()


def _traced_nodes(graph: Any) -> Iterator[Node]:
    """Yield the nodes that compute values of samples, with the axes of the weights they take."""
    n_axes = {initializer.name: len(initializer.dims) for initializer in graph.initializer}
    depends = {given.name for given in graph.input} - set(n_axes)
    for node in graph.node:
        taken = [tensor for tensor in node.input if tensor]
        weight = max((n_axes.get(tensor, 0) for tensor in taken), default=0)
        if node.op_type in SHAPE_OPERATORS or not depends.intersection(taken):
            n_axes.update(dict.fromkeys(node.output, weight))
            continue
        depends.update(node.output)
        yield Node(node.op_type, list(node.output), taken, weight)


def _names_of(graph: Any) -> list[str]:
    """Return the names of the nodes; those without a name are numbered, ``Relu_1``, ``Relu_2``."""
    numbers = Counter[str]()
    names = []
    for node in graph.node:
        numbers[node.op_type] += 1
        names.append(node.name or f"{node.op_type}_{numbers[node.op_type]}")
    return names


def _listed(batch: Batch) -> tuple[Array, ...]:
    return batch if isinstance(batch, tuple) else (batch,)


def _real(values: Any) -> Any:
    if isinstance(values, np.ndarray) and values.dtype == np.float16:
        return values.astype(np.float32)
    return values
