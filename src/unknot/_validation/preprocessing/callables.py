"""What identifies a user's function, so that a cached result is never that of another one."""

from __future__ import annotations

import dis
import functools
import hashlib
import inspect
import secrets
import sys
import types
from typing import Any, Final

import numpy as np

# Modules whose content is that of their version.
_VERSIONED: Final = ("numpy", "scipy", "sklearn", "pandas", "torch", "jax", "unknot")
_DEPTH: Final = 20
# Names by which a function reaches for what is not in its code.
_OUTSIDE: Final = frozenset(
    (
        *("open", "load", "loadtxt", "genfromtxt", "fromfile", "memmap", "read_csv", "random"),
        *("eval", "exec", "globals", "locals", "vars", "__import__", "import_module"),
        *("environ", "getenv"),
    )
)


class _UnknownError(Exception):
    """A function refers to something whose content cannot be told."""


def name_of(function: Any) -> str:
    """Return what to call a function: its name, that of the partial's function, or of its class."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", None) or type(function).__name__
    return "lambda" if name == "<lambda>" else str(name)


def identity_of(function: Any) -> str:
    """Return a text that is equal only for functions that compute the same.

    A hash of the function's code, its defaults, the values that it closes over, and the functions
    and values that it refers to. Where one of these cannot be told (an object with a state, a
    module of the user's own, a file that it reads) it is drawn at random, equal to no other.
    """
    digest = hashlib.sha256()
    try:
        _feed(digest, function, _DEPTH, set())
    except _UnknownError:
        return f"drawn-{secrets.token_hex(8)}"
    return f"code-{digest.hexdigest()[:16]}"


def _feed(digest: Any, value: Any, depth: int, seen: set[int]) -> None:
    """Add everything that a value's behavior depends on; raise `_UnknownError` if unknown."""
    if depth == 0:
        raise _UnknownError
    digest.update(type(value).__name__.encode() + b":")
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        digest.update(repr(value).encode())
    elif isinstance(value, np.generic):
        digest.update(repr((value.dtype.str, value.item())).encode())
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biufcSU":
        digest.update(repr((value.dtype.str, value.shape)).encode() + value.tobytes())
    elif isinstance(value, tuple | list):
        digest.update(str(len(value)).encode())
        for each in value:
            _feed(digest, each, depth - 1, seen)
    elif isinstance(value, dict):
        for key, each in value.items():
            _feed(digest, key, depth - 1, seen)
            _feed(digest, each, depth - 1, seen)
    elif isinstance(value, frozenset):
        for text in sorted(map(repr, value)):
            digest.update(text.encode())
    elif isinstance(value, types.ModuleType):
        digest.update(_version_of(value.__name__).encode())
    elif isinstance(value, types.CodeType):
        _feed_code(digest, value, depth, seen)
    elif isinstance(value, types.FunctionType):
        _feed_function(digest, value, depth, seen)
    elif isinstance(value, functools.partial) and type(value) is functools.partial:
        for each in (value.func, value.args, value.keywords):
            _feed(digest, each, depth - 1, seen)
    elif isinstance(value, np.ufunc):
        digest.update((value.__name__ + _version_of("numpy")).encode())
    elif isinstance(value, types.BuiltinFunctionType | type):
        if isinstance(value, types.BuiltinFunctionType) and not isinstance(
            value.__self__, types.ModuleType | None
        ):
            raise _UnknownError  # bound to an object
        module = getattr(value, "__module__", None) or "builtins"
        digest.update(f"{_version_of(module)} {value.__qualname__}".encode())
    else:
        raise _UnknownError


def _feed_code(digest: Any, code: types.CodeType, depth: int, seen: set[int]) -> None:
    if _OUTSIDE & set(code.co_names):
        raise _UnknownError
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            digest.update(_version_of(str(instruction.argval)).encode())
    # Names of files and numbers of lines do not matter.
    head = (sys.version, code.co_name, code.co_argcount, code.co_kwonlyargcount, code.co_flags)
    digest.update(repr((*head, code.co_names, code.co_varnames, code.co_freevars)).encode())
    digest.update(code.co_code)
    digest.update(getattr(code, "co_exceptiontable", b""))
    _feed(digest, code.co_consts, depth - 1, seen)


def _feed_function(digest: Any, function: types.FunctionType, depth: int, seen: set[int]) -> None:
    if id(function) in seen:  # it calls itself
        digest.update(function.__name__.encode())
        return
    seen.add(id(function))
    package = (function.__module__ or "").partition(".")[0]
    if package in _VERSIONED or (package in sys.stdlib_module_names and package != "__main__"):
        digest.update(f"{_version_of(package)} {function.__module__}".encode())
        digest.update(function.__qualname__.encode())
        if function.__closure__ is None:
            return
    _feed(digest, function.__code__, depth - 1, seen)
    _feed(digest, function.__defaults__, depth - 1, seen)
    _feed(digest, function.__kwdefaults__, depth - 1, seen)
    if function.__dict__:
        raise _UnknownError
    try:
        found = inspect.getclosurevars(function)
    except ValueError as error:  # a cell that is empty as yet
        raise _UnknownError from error
    for names in (found.nonlocals, found.globals):
        for name in sorted(names):
            digest.update(name.encode())
            _feed(digest, names[name], depth - 1, seen)
    inner = [each for each in function.__code__.co_consts if isinstance(each, types.CodeType)]
    for code in inner:
        _feed_globals(digest, code, function.__globals__, depth - 1, seen)


def _feed_globals(
    digest: Any, code: types.CodeType, there: dict[str, Any], depth: int, seen: set[int]
) -> None:
    """Add the globals that functions inside a function refer to."""
    if depth == 0:
        raise _UnknownError
    for name in sorted(set(code.co_names) & there.keys()):
        digest.update(name.encode())
        _feed(digest, there[name], depth - 1, seen)
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            _feed_globals(digest, each, there, depth - 1, seen)


def _version_of(module: str) -> str:
    """Return a module's name and version; raise `_UnknownError` for modules of the user's own."""
    package = module.partition(".")[0]
    if package in _VERSIONED:
        return f"{module} {getattr(sys.modules.get(package), '__version__', '')}"
    if package in sys.stdlib_module_names and package != "__main__":
        return f"{module} {sys.version}"
    raise _UnknownError
