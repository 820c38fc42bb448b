"""Values of JSON files from strangers, compared with the types that they should have."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Literal, Union, get_args, get_origin

# Integers beyond have no place in an array, and digits without end take time to print.
_LARGEST_INTEGER = 2**63


def check_types(values: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    """Raise a TypeError that names the first value which is not of its type.

    Parameters
    ----------
    values : mapping
        An object as `json.loads` returns it.
    hints : mapping of str to type
        What the values of some keys are, as type hints. Keys that are absent are not missed. A
        tuple or list is a JSON array, a dataclass an object, ``dict[int, ...]`` an object whose
        keys are written integers. ``bool`` is no ``int``, and ``int`` is a ``float``.

    Examples
    --------
    >>> check_types({"k": 6, "notes": ["a"]}, {"k": int | None, "notes": tuple[str, ...]})
    >>> check_types({"k": "6"}, {"k": int | None})
    Traceback (most recent call last):
        ...
    TypeError: k must be int | None; got '6'
    """
    for name, hint in hints.items():
        if name in values and not _conforms(values[name], hint):
            wanted = hint.__name__ if isinstance(hint, type) else str(hint)
            raise TypeError(f"{name} must be {wanted}; got {_short(values[name])}")


def _conforms(value: Any, hint: Any) -> bool:
    origin, of = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(_conforms(value, one) for one in of)
    if origin is Literal:
        return isinstance(value, str) and value in of
    if origin is tuple and of[-1] is not Ellipsis:
        return _is_array(value) and len(value) == len(of) and all(map(_conforms, value, of))
    if origin in (tuple, list):
        return _is_array(value) and all(_conforms(item, of[0]) for item in value)
    if origin is dict:
        return isinstance(value, Mapping) and all(
            _is_key(key, of[0]) and _conforms(item, of[1]) for key, item in value.items()
        )
    if hint is int or hint is float:
        return _is_integer(value) or (hint is float and type(value) is float)
    if hint is None or hint is types.NoneType:
        return value is None
    return isinstance(value, Mapping if is_dataclass(hint) else hint)


def _is_array(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _is_integer(value: Any) -> bool:
    return type(value) is int and abs(value) < _LARGEST_INTEGER


def _is_key(key: Any, hint: Any) -> bool:
    # Written keys are text; a longer run of digits is no number of an epoch.
    return isinstance(key, str) and (hint is not int or (key.isdecimal() and len(key) < 19))


def _short(value: Any) -> str:
    """Return the start of a value as it is written; a huge integer is not written out."""
    if isinstance(value, int) and not -_LARGEST_INTEGER < value < _LARGEST_INTEGER:
        return "an integer beyond 64 bits"
    if isinstance(value, list | tuple | Mapping):
        return "an object" if isinstance(value, Mapping) else "an array"
    return repr(value[:40] if isinstance(value, str) else value)
