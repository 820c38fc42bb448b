"""Which module of a TorchScript model ran each node of its graph."""

import re
from collections.abc import Iterator
from typing import Any, Final

SEGMENT: Final = re.compile(r"([^.()]+)\(([^()]*)\)")
NO_MODULE: Final = ("SELF", "TOP", "top", "UNKNOWN_INSTANCE")
LISTS: Final = ("ModuleList", "ModuleDict")
"""Modules that are not called themselves, so that the hierarchy leaves them out."""


class Scopes:
    """The modules of a model, found again from the hierarchies of its nodes."""

    def __init__(self, torch: Any, model: Any) -> None:
        self._torch = torch
        self._model = model
        self._known: dict[tuple[tuple[str, str], ...], list[tuple[str, Any]]] = {}

    @property
    def called(self) -> set[str]:
        """The modules that are called themselves."""
        return {
            path
            for path, module in self._model.named_modules()
            if getattr(module, "original_name", "") not in LISTS
        }

    def of(self, node: Any) -> tuple[str, str]:
        """Return the path and class of the innermost module of a node; "" if it is not known."""
        segments = tuple(
            (name, kind)
            for name, kind in SEGMENT.findall(node.getModuleHierarchy())
            if name not in NO_MODULE
        )
        if not segments:
            return "", ""
        if segments not in self._known:
            self._known[segments] = list(_resolve(self._model, segments))
        found = self._known[segments]
        if len(found) > 1:
            found = [(path, module) for path, module in found if self._holds(module, node)]
        return (found[0][0], segments[-1][1]) if len(found) == 1 else ("", "")

    def _holds(self, module: Any, node: Any) -> bool:
        """Whether all weights that a node takes are a module's own."""
        torch = self._torch
        weights = [
            value.toIValue()
            for value in node.inputs()
            if value.node().kind() == "prim::Constant" and str(value.type()).startswith("Tensor")
        ]
        weights = [value for value in weights if isinstance(value, torch.Tensor)]
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        return bool(weights) and all(
            any(value.shape == other.shape and torch.equal(value, other) for other in own)
            for value in weights
        )


def _resolve(
    module: Any, segments: tuple[tuple[str, str], ...], path: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield the modules at a hierarchy, in which lists of modules are left out."""
    if not segments:
        yield path, module
        return
    (name, kind), rest = segments[0], segments[1:]
    for label, child in module.named_children():
        inner = f"{path}.{label}" if path else label
        if label == name and getattr(child, "original_name", kind) == kind:
            yield from _resolve(child, rest, inner)
        if getattr(child, "original_name", "") in LISTS:
            yield from _resolve(child, segments, inner)
