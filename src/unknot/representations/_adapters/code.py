"""The code and the simple attributes of objects, as text that is the same in every process."""

import hashlib
import re
from collections.abc import Collection, Iterator
from types import CodeType, FunctionType
from typing import Any, Final

SIMPLE: Final = (bool, int, float, complex, str, bytes, type(None))


def class_code(kind: type, libraries: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and bytecode of each method of a class that is not from these libraries."""
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] not in libraries:
            for name, function in sorted(vars(base).items()):
                if isinstance(function, FunctionType):
                    yield f"{base.__qualname__}.{name}", _bytecode(function.__code__)


def function_code(function: object) -> str:
    """Return the bytecode of a function, or what is known of another callable."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if isinstance(code, CodeType):
        return _bytecode(code)
    return f"{type(function).__module__}.{type(function).__qualname__}"


def function_identity(function: object) -> str:
    """Return a hash of a function's code, defaults, and the values that it closes over."""
    inner = getattr(function, "__func__", function)
    closed = []
    for cell in getattr(inner, "__closure__", None) or ():
        try:
            closed.append(cell.cell_contents)
        except ValueError:  # not yet set
            closed.append(None)
    seen = [function_code(function), getattr(inner, "__defaults__", None), closed]
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(seen))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def simple_attributes(instance: Any) -> Iterator[tuple[str, str]]:
    """Yield the attributes of an object that are numbers, strings, or sequences of these.

    ``training`` is skipped: it depends on who runs the model.
    """
    for name, value in sorted(vars(instance).items()):
        if name == "training":
            continue
        parts = value if isinstance(value, (tuple, list)) else (value,)
        if all(isinstance(part, SIMPLE) for part in parts):
            yield name, repr(value)


def _bytecode(code: CodeType) -> str:
    constants = [
        _bytecode(value)
        if isinstance(value, CodeType)
        # The order of a set changes from process to process.
        else repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)
        for value in code.co_consts
    ]
    return " ".join([code.co_code.hex(), repr(code.co_names), *constants])
