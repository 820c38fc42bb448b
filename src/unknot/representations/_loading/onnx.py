"""Load ONNX models, with tensors stored in files beside them."""

from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final

from ..._extras import import_extra
from .unreadable import RefusedError, check_model_file, reading, reason_of

MAX_CALL_DEPTH: Final = 100
"""Of functions; ONNX Runtime inlines each into its caller."""
MAX_ELEMENTS: Final = 2**31
"""Of a value for one sample; they take 8 GB."""
RECURSIVE: Final = "its functions call themselves, or are nested too deep"


def load_onnx(file: Path) -> Any:
    """Load an ONNX model; external tensors only from regular files in its own folder."""
    onnx: Any = import_extra("onnx", feature="Loading an ONNX model", extra="onnx")
    with reading(file, "an ONNX model"):
        model = onnx.load_model_from_string(file.read_bytes())
        for tensor in external_tensors(model):
            _check_external(file, {entry.key: entry.value for entry in tensor.external_data})
        onnx.load_external_data_for_model(model, str(file.parent))
        if any(True for _ in external_tensors(model)):
            raise RefusedError(
                f"{file} keeps tensors in other files where ONNX does not look for them; save the "
                "model again with its weights"
            )
        if not has_finite_calls(model):
            raise ValueError(RECURSIVE)
        onnx.checker.check_model(model)
        _check_sizes(onnx, file, model)
        return model


def _check_sizes(onnx: Any, file: Path, model: Any) -> None:
    """Raise an error if a value for one sample is so large that it would exhaust memory."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    for value in (*graph.value_info, *graph.output):
        shape = [size.dim_value for size in value.type.tensor_type.shape.dim if size.dim_value > 0]
        if prod(shape) > MAX_ELEMENTS:
            raise RefusedError(
                f"{file} computes {value.name[:80]!r} of shape {str(shape)[:200]}; at most "
                f"{MAX_ELEMENTS:,} elements per sample are supported. Export a smaller model"
            )


def external_tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor, at any depth of the model, whose values are in another file."""
    messages = [model]
    while messages:
        message = messages.pop()
        if type(message).__name__ == "TensorProto" and (
            message.data_location == type(message).EXTERNAL or message.external_data
        ):
            yield message
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            messages += [value] if hasattr(value, "ListFields") else list(_values(value))


def _values(value: Any) -> Any:
    return value.values() if isinstance(value, Mapping) else value


def _check_external(file: Path, entries: Mapping[str, str]) -> None:
    """Raise an error unless the values are in a regular file in the model's folder."""
    location = entries.get("location", "")
    windows = PureWindowsPath(location)
    if (
        not location
        or windows.drive
        or windows.root
        or PurePosixPath(location).is_absolute()
        or ".." in windows.parts
        or not location.isprintable()
    ):
        raise _outside(file, location)
    target = file.parent / location
    try:
        inside = target.resolve().is_relative_to(file.parent.resolve())
        check_model_file(target)
        size = target.stat().st_size
    except (OSError, RuntimeError, ValueError) as error:
        raise RefusedError(
            f"{file} keeps weights in {location[:100]!r}, which cannot be read from its folder: "
            f"{reason_of(error)}"
        ) from error
    if not inside:
        raise _outside(file, location)
    offset, length = int(entries.get("offset") or 0), int(entries.get("length") or 0)
    if offset < 0 or length < 0 or offset + length > size:
        raise RefusedError(
            f"{file} keeps weights in bytes {offset:,} to {offset + length:,} of "
            f"{location[:100]!r}, which has {size:,}. Copy the file that belongs to it"
        )


def _outside(file: Path, location: str) -> RefusedError:
    return RefusedError(
        f"{file} keeps weights in {location[:100]!r}, which is not in its folder. Files outside "
        "it are not read: put both into one folder, or save the model with its weights included"
    )


def has_finite_calls(model: Any) -> bool:
    """Whether a model's functions are neither recursive nor nested too deep."""
    calls = {
        (function.domain, function.name): [
            (node.domain, node.op_type) for node in _nodes(function.node)
        ]
        for function in model.functions
    }
    heights: dict[tuple[str, str], int] = dict.fromkeys(calls, 0)
    for _ in range(MAX_CALL_DEPTH):
        found = {
            name: 1 + max((heights[inner] for inner in inside if inner in calls), default=0)
            for name, inside in calls.items()
        }
        if found == heights:
            return True
        heights = found
    return False


def _nodes(nodes: Any) -> Iterator[Any]:
    """Yield nodes, and those of nested graphs."""
    pending = list(nodes)
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            graphs = [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
            pending += [inner for graph in graphs for inner in graph.node]
