"""Arrays as text: little-endian bytes in base64."""

import base64
from typing import Any

import numpy as np

from .._typing import Array

Packed = dict[str, str]

_TYPES: dict[str, np.dtype[Any]] = {
    "u8": np.dtype("u1"),
    "u16": np.dtype("<u2"),
    "u32": np.dtype("<u4"),
    "f32": np.dtype("<f4"),
    "f64": np.dtype("<f8"),
}
_STEPS = 65535


def pack(values: Array) -> Packed:
    """Pack integers from 0 to 2**32 - 1 in the smallest unsigned type that holds all of them.

    Examples
    --------
    >>> import numpy as np
    >>> pack(np.array([1, 2, 255]))
    {'dtype': 'u8', 'data': 'AQL/'}
    """
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if low < 0 or high >= 2**32:
        raise ValueError(f"values must be from 0 to 2**32 - 1; got {low} to {high}")
    dtype = "u8" if high < 2**8 else "u16" if high < 2**16 else "u32"
    return _packed(values, dtype)


def unpack(packed: Packed) -> Array:
    """Return the one-dimensional array that was packed."""
    return np.frombuffer(base64.b64decode(packed["data"]), _TYPES[packed["dtype"]])


def pack_shares(shares: Array) -> Packed:
    """Pack fractions in [0, 1] in one byte each; 255 encodes 1.

    Halves are rounded toward the center of the range. Multiples of 1/6, which fall on halves, thus
    keep their integer percentage.

    Examples
    --------
    >>> import numpy as np
    >>> unpack(pack_shares(np.array([0.0, 0.5, 1.0]))).tolist()
    [0, 127, 255]
    """
    scaled = np.clip(shares, 0.0, 1.0) * 255.0
    return _packed(np.where(scaled < 127.5, np.floor(scaled + 0.5), np.ceil(scaled - 0.5)), "u8")


def pack_confusion(table: Array) -> dict[str, Packed]:
    """Pack a table of shares (n_classes, n_classes) without its zeros, row by row.

    Of each row the number of entries, and of each entry the column and the share, in two bytes:
    the maximum error is 1/131070.

    Examples
    --------
    >>> import numpy as np
    >>> entry = pack_confusion(np.array([[0.75, 0.25], [0.0, 1.0]]))
    >>> unpack(entry["lengths"]).tolist(), unpack(entry["columns"]).tolist()
    ([2, 1], [0, 1, 1])
    """
    steps = np.rint(np.clip(table, 0.0, 1.0) * _STEPS)
    rows, columns = np.nonzero(steps)
    return {
        "lengths": pack(np.bincount(rows, minlength=len(table))),
        "columns": pack(columns),
        "shares": _packed(steps[rows, columns], "u16"),
    }


def unpack_confusion(entry: dict[str, Packed]) -> Array:
    """Return the table that `pack_confusion` encoded."""
    lengths = unpack(entry["lengths"]).astype(np.int64)
    table = np.zeros((len(lengths), len(lengths)))
    rows = np.repeat(np.arange(len(lengths)), lengths)
    table[rows, unpack(entry["columns"])] = unpack(entry["shares"]) / _STEPS
    return table


def is_packed(value: Any) -> bool:
    """Whether a value is a packed array."""
    return isinstance(value, dict) and value.keys() == {"dtype", "data"}


def pack_values(values: Array) -> dict[str, Any]:
    """Pack numbers (n_samples,) in two bytes each, scaled to their range; 65535 is missing.

    The maximum error is 1/131068 of the range.
    """
    known = np.isfinite(values)
    low, high = float(values[known].min()), float(values[known].max())
    scale = (_STEPS - 1) / (high - low) if high > low else 0.0
    steps = np.full(len(values), _STEPS)
    steps[known] = np.rint((values[known] - low) * scale)
    return {"data": _packed(steps, "u16"), "range": [low, high]}


def pack_floats(values: Array) -> Packed:
    """Pack float32 or float64 numbers as they are."""
    return _packed(values, "f32" if values.dtype == np.float32 else "f64")


def pack_map(map_: Array) -> dict[str, Any]:
    """Pack a map (n_samples, 2) in two bytes per coordinate, scaled to the range of each.

    The maximum error is 1/131070 of the range, far below a pixel.
    """
    x, x_range = _coordinate(map_[:, 0])
    y, y_range = _coordinate(map_[:, 1])
    return {"x": x, "y": y, "xRange": x_range, "yRange": y_range}


def _coordinate(values: Array) -> tuple[Packed, list[float]]:
    exact = values.astype(np.float64)
    low, high = float(exact.min()), float(exact.max())
    if low == high:  # avoid division by zero
        high = low + 1.0
    steps = np.rint((exact - low) * (_STEPS / (high - low)))
    return _packed(steps, "u16"), [low, high]


def _packed(values: Array, dtype: str) -> Packed:
    content = np.ascontiguousarray(values, dtype=_TYPES[dtype]).tobytes()
    return {"dtype": dtype, "data": base64.b64encode(content).decode("ascii")}
