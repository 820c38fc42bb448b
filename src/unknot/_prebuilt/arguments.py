"""The kinds of a kernel's arguments, and the arguments packed for its prebuilt entry.

A kind says all that Numba's type of an argument depends on. It is written as a string, or for a
tuple as a list that begins with "tuple" and the class, so that JSON can hold it:

========================  =================================================================
``"int"``, ``"float32"``  a number of exactly this Python or NumPy type
``"<f4:2"``               a C-contiguous, aligned, writable array: its dtype and dimensions
``"<f4:2:r"``             the same, read-only
``["tuple", "", ...]``    a plain tuple; of a named tuple, the second item is its class
========================  =================================================================

Every other argument has no kind, and its kernel is compiled by Numba.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

# How numbers are packed: each into eight bytes.
NUMBERS: Final[dict[type, str]] = {
    int: "q",
    bool: "?7x",
    float: "d",
    np.bool_: "?7x",
    np.int32: "i4x",
    np.int64: "q",
    np.uint32: "I4x",
    np.uint64: "Q",
    np.float32: "f4x",
    np.float64: "d",
}
NAMES: Final = {kind.__name__: kind for kind in NUMBERS if kind is not np.bool_} | {
    "numpy.bool": np.bool_
}
_NAME_OF: Final = {kind: name for name, kind in NAMES.items()}
READ_ONLY: Final = ":r"
TUPLE: Final = "tuple"

Kind = Any
"""A string, or a tuple of TUPLE, a class and kinds."""


def kind_of(value: object) -> Kind | None:
    """Return the kind of an argument; None if it has none."""
    cls = type(value)
    if cls is np.ndarray:
        assert isinstance(value, np.ndarray)
        flags = value.flags
        plain = value.ndim > 0 and flags.c_contiguous and flags.aligned
        if (
            not plain
            or np.dtype(value.dtype.str) is not value.dtype
            or value.dtype.kind not in "biuf"
        ):
            return None
        return f"{value.dtype.str}:{value.ndim}{'' if flags.writeable else READ_ONLY}"
    if cls in _NAME_OF:
        return _NAME_OF[cls]
    if isinstance(value, tuple):
        named = "" if cls is tuple else f"{cls.__module__}.{cls.__qualname__}"
        items = tuple(kind_of(item) for item in value)
        return None if None in items else (TUPLE, named, *items)
    return None


def kinds_of(arguments: Iterable[object]) -> tuple[Kind | None, ...]:
    """Return the kinds of all arguments."""
    return tuple(map(kind_of, arguments))


def frozen(kinds: Any) -> Kind:
    """Return kinds read from JSON as tuples, which can be compared and hashed."""
    return tuple(map(frozen, kinds)) if isinstance(kinds, list) else kinds


def flat(kinds: Iterable[Kind]) -> list[str]:
    """Return the kinds of the numbers and arrays, those in tuples included."""
    found: list[str] = []
    for kind in kinds:
        if isinstance(kind, str):
            found.append(kind)
        else:
            found += flat(kind[2:])
    return found


def array_kind(kind: str) -> tuple[np.dtype[Any], int, bool] | None:
    """Return the dtype, the dimensions and whether an array is writable; None for a number."""
    if kind in NAMES:
        return None
    dtype, dimensions, *read_only = kind.split(":")
    return np.dtype(dtype), int(dimensions), not read_only


class Packer:
    """Packs arguments of given kinds: numbers by value, arrays by the address of their object.

    The entry reads an array's data, shape and strides from its object, and compares its dtype,
    dimensions and flags: this takes a tenth of the time that Python needs for it.
    """

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._kinds = tuple(self._expected(kind) for kind in kinds)
        leaves = [array_kind(kind) for kind in flat(kinds)]
        formats = [
            "Q" if leaf is not None else NUMBERS[NAMES[kind]]
            for kind, leaf in zip(flat(kinds), leaves, strict=True)
        ]
        self._pack = struct.Struct("<" + "".join(formats)).pack
        dtypes = [leaf[0] for leaf in leaves if leaf is not None]
        self._kept = dtypes
        self.descriptors = struct.pack(f"<{len(dtypes)}Q", *map(id, dtypes))
        """The addresses of the arrays' dtypes."""

    def __call__(self, arguments: tuple[Any, ...]) -> bytes | None:
        """Pack arguments; None if a number or a tuple is of another kind."""
        slots: list[Any] = []
        if not _collect(self._kinds, arguments, slots):
            return None
        try:
            return self._pack(*slots)
        except struct.error:  # an integer of more than 64 bits
            return None

    def _expected(self, kind: Kind) -> Any:
        """Return the class of a number or array; for a tuple, its class and its items'."""
        if isinstance(kind, str):
            return NAMES.get(kind, np.ndarray)
        return kind[1], tuple(self._expected(item) for item in kind[2:])


def _collect(expected: Sequence[Any], values: Sequence[Any], slots: list[Any]) -> bool:
    if len(expected) != len(values):
        return False
    for kind, value in zip(expected, values, strict=True):
        cls = type(value)
        if cls is kind:
            slots.append(id(value) if cls is np.ndarray else value)
        elif type(kind) is tuple and isinstance(value, tuple):
            named, items = kind
            if named != ("" if cls is tuple else f"{cls.__module__}.{cls.__qualname__}"):
                return False
            if not _collect(items, value, slots):
                return False
        else:
            return False
    return True
