"""What a module's class tells of how its own weights and buffers are drawn."""

import dis
import re
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any, Final

RESETS: Final = ("reset_parameters", "_reset_parameters")
IN_PLACE: Final = re.compile(r"[a-z]\w*[a-z0-9]_")
"""Names of functions that change a tensor in place, such as ``trunc_normal_``."""
HARMLESS: Final = ("requires_grad_",)
FRAMEWORKS: Final = ("torch", "lightning", "pytorch_lightning", "builtins", "typing", "abc")
"""Packages whose functions are not searched."""


def reset_of(module: Any) -> Callable[[], Any] | None:
    """Return the method that draws what a module holds itself, if there is one."""
    for name in RESETS:
        if callable(function := getattr(module, name, None)):
            found: Callable[[], Any] = function
            return found
    return None


def own_initialization(kind: type) -> str | None:
    """Return the name of a function that changes weights while a class is built, or None.

    Its constructor is searched, and all functions and methods that are called from it, but for
    its ``reset_parameters``.
    """
    seen: set[CodeType] = set()
    for base in kind.__mro__:
        start = vars(base).get("__init__")
        if base.__module__.partition(".")[0] in FRAMEWORKS:
            continue
        if isinstance(start, FunctionType) and (found := _search(kind, start, seen)) is not None:
            return found
    return None


def _search(kind: type, function: FunctionType, seen: set[CodeType]) -> str | None:
    for code in _codes(function.__code__):
        if code in seen:
            continue
        seen.add(code)
        for name in code.co_names:
            if name == "apply" or (IN_PLACE.fullmatch(name) and name not in HARMLESS):
                return name
            called = getattr(kind, name, function.__globals__.get(name))
            if not isinstance(called, FunctionType) or name in RESETS:
                continue
            if (called.__module__ or "").partition(".")[0] in FRAMEWORKS:
                continue
            if (found := _search(kind, called, seen)) is not None:
                return found
    return None


LEARNED: Final = re.compile(r"running|moving|ema|average|avg|codebook|queue|centroid|cluster|bank")
"""Names of buffers that a training changes, wherever that is done."""


def kept_buffers(module: Any) -> Iterator[str]:
    """Yield the buffers that are still NaN and that the module's code never changes.

    Such are tables of positions and masks: they are computed when it is built, not learned.
    """
    left = [
        name
        for name, value in module._buffers.items()
        if value is not None and value.is_floating_point() and bool(value.isnan().any())
    ]
    changed = {name for name in left if _is_changed(type(module), name)}
    yield from (name for name in left if name not in changed)


def _is_changed(kind: type, name: str) -> bool:
    """Whether a method other than the constructor may change a buffer."""
    if LEARNED.search(name.lower()):
        return True
    for base in kind.__mro__:
        if base.__module__.startswith("torch."):
            continue
        for label, function in vars(base).items():
            if label == "__init__" or not isinstance(function, FunctionType):
                continue
            for code in _codes(function.__code__):
                if name in code.co_names and any(map(IN_PLACE.fullmatch, code.co_names)):
                    return True
                if _assigns(code, name):
                    return True
    return False


def _assigns(code: CodeType, name: str) -> bool:
    steps = [(step.opname, step.argval) for step in dis.get_instructions(code)]
    items = any(name == "STORE_SUBSCR" for name, _ in steps)
    return ("STORE_ATTR", name) in steps or (items and ("LOAD_ATTR", name) in steps)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
