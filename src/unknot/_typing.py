"""Names for the arrays that pass between rooms; the shapes are checked at run time by the tests.

The tests, and whoever else checks shapes, have imported jaxtyping before; for all others it is not
worth its time, and the names stand for any array.
"""

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import (
        Bool,
        Float,
        Float32,
        Float64,
        Int,
        Int32,
        Int64,
        Integer,
        Shaped,
        UInt8,
        UInt64,
    )
else:

    class _Any:
        """Stands for an array of any shape and dtype."""

        def __class_getitem__(cls, parameters):
            """Return the class of arrays."""
            return parameters[0]

    Bool = Float = Float32 = Float64 = Int = Int32 = Int64 = Integer = Shaped = UInt8 = UInt64 = (
        _Any
    )

if TYPE_CHECKING:
    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
else:
    Array = np.ndarray

# What a user hands in: nested sequences, arrays, frames, tensors, sparse matrices. `_arrays` takes
# them or says why not.
AnyArray: TypeAlias = Any
Points: TypeAlias = Float32[Array, "samples features"]
Map: TypeAlias = Float32[Array, "samples components"]
Labels: TypeAlias = Int64[Array, " samples"]

__all__ = [
    "AnyArray",
    "Array",
    "Bool",
    "Float",
    "Float32",
    "Float64",
    "Int",
    "Int32",
    "Int64",
    "Integer",
    "Labels",
    "Map",
    "Points",
    "Shaped",
    "UInt8",
    "UInt64",
]
