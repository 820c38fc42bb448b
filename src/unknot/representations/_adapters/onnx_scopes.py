"""Which module of the source model each node of an ONNX graph is from.

PyTorch's exporters record it: the one of `torch.export` in a node's metadata, the older one in its
name, ``/layer1/layer1.0/conv1/Conv``. A convolution that was merged with the batch norm after it
is not what the module of its name returns, and is called ``conv1.fused``.
"""

import ast
import re
from typing import Any, Final

from .scopes import Operation

SCOPES: Final = "pkg.torch.onnx.name_scopes"
CLASSES: Final = "pkg.torch.onnx.class_hierarchy"
NUMBERED: Final = re.compile(r"(.+)_[1-9][0-9]*")
WEIGHTED: Final = ("Conv", "ConvTranspose")
FUSED: Final = "fused"


def scoped(graph: Any, nodes: list[Any]) -> tuple[list[Operation], set[str]] | None:
    """Return the nodes as operations, and the modules called; None if it is not from PyTorch."""
    metadata = [{entry.key: entry.value for entry in node.metadata_props} for node in nodes]
    if any(SCOPES in given for given in metadata):
        operations = [_recorded(node, given) for node, given in zip(nodes, metadata, strict=True)]
        return operations, {path for given in metadata for path in _strings(given.get(SCOPES))[:-1]}
    if nodes and all(node.name.startswith("/") for node in nodes):
        return _named(graph, nodes)
    return None


def _operation(path: str, module: str, node: Any, call: str | None = None) -> Operation:
    outputs = [tensor for tensor in node.output if tensor]
    return Operation(path, module, node.op_type, outputs, list(node.input), call)


def _recorded(node: Any, metadata: dict[str, str]) -> Operation:
    scopes, classes = _strings(metadata.get(SCOPES)), _strings(metadata.get(CLASSES))
    if len(scopes) < 2:
        return _operation("", "", node)
    kind = classes[-2] if len(classes) == len(scopes) else ""
    own = kind.startswith("torch.nn.modules.")
    # A repeated operator of a custom module is no second call.
    return _operation(scopes[-2], kind.rpartition(".")[2] if own else "", node)


def _strings(text: str | None) -> list[str]:
    """Return a list of strings that was written as Python; empty if it is anything else."""
    try:
        found = ast.literal_eval(text or "")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    is_list = isinstance(found, list) and all(isinstance(part, str) for part in found)
    return found if is_list else []


def _named(graph: Any, nodes: list[Any]) -> tuple[list[Operation], set[str]]:
    weights = {initializer.name for initializer in graph.initializer}
    prefixes = {name.rpartition(".")[0] for name in weights}
    calls: dict[str, str] = {}
    found = []
    for node in nodes:
        path = ""
        for segment in node.name.split("/")[1:-1]:
            path = _joined(path, segment)
            path = calls.setdefault(path, _first_call(path, calls, prefixes))
        fused = (
            node.op_type in WEIGHTED
            and len(node.input) > 1
            and node.input[1] in weights
            and node.input[1] != f"{path}.weight"
        )
        path = f"{path}.{FUSED}" if fused and path else path
        found.append(_operation(path, "", node, node.name.rpartition("/")[0]))
    merged = {operation.path.removesuffix(f".{FUSED}") for operation in found}
    merged -= {operation.path for operation in found}
    return found, set(calls.values()) - merged


def _joined(path: str, segment: str) -> str:
    """Append a scope to a path; ``layer1`` and ``layer1.0`` are ``layer1.0``."""
    parts = path.split(".")
    for start in range(len(parts)):
        if path and segment.startswith(f"{'.'.join(parts[start:])}."):
            return ".".join([*parts[:start], segment])
    return f"{path}.{segment}" if path else segment


def _first_call(path: str, calls: dict[str, str], prefixes: set[str]) -> str:
    """Return the path of the module whose later call has a number, ``relu_1`` for ``relu``."""
    match = NUMBERED.fullmatch(path)
    if match is None or match[1] not in calls:
        return path
    if any(prefix == path or prefix.startswith(f"{path}.") for prefix in prefixes):
        return path
    return match[1]
