"""The code and the plain attributes of objects, as text that is the same in every process."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, Final

_PLAIN: Final = (bool, int, float, complex, str, bytes, type(None))
_FRAMEWORKS: Final = ("keras", "tensorflow", "torch")


def code_of(kind: type) -> Iterator[tuple[str, str]]:
    """Yield the name and the bytecode of each function of a class, but for those of frameworks."""
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] not in _FRAMEWORKS:
            for name, function in sorted(vars(base).items()):
                if isinstance(function, FunctionType):
                    yield f"{base.__qualname__}.{name}", _bytecode(function.__code__)


def plain_attributes(thing: Any) -> Iterator[tuple[str, str]]:
    """Yield the attributes of an object that are numbers, texts, or sequences of these.

    Not whether it is in training, which is decided by who runs it.
    """
    for name, value in sorted(vars(thing).items()):
        if name == "training":
            continue
        parts = value if isinstance(value, (tuple, list)) else (value,)
        if all(isinstance(part, _PLAIN) for part in parts):
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
