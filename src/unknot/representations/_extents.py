"""Whether the float64 values of a layer are what they were when they are kept as float32."""

from __future__ import annotations

import numpy as np

from .._typing import Array, Float64
from .._validation.points import LARGEST

# A feature this many times farther from 0 than it varies keeps a share of 2**-8 of its spread.
_FAR = 2.0**16
# Features that vary less than others by this factor, or by rounding alone, tell no samples apart.
_NEGLIGIBLE, _NOISE = 2.0**-20, 2.0**-40


def is_wide(values: Array) -> bool:
    """Whether values are floats of more than 32 bits, which float32 may not hold."""
    return values.dtype.kind == "f" and values.dtype.itemsize > 4


class Extent:
    """The smallest and largest value of each feature, over all batches of a layer."""

    def __init__(self) -> None:
        self._low: Float64[Array, " features"] | None = None
        self._high: Float64[Array, " features"] | None = None

    def add(self, rows: Array) -> None:
        """Take the rows of a batch; those that float32 holds exactly are passed over."""
        if not is_wide(rows) or not rows.size:
            return
        low, high = (end(axis=0).astype(np.float64).ravel() for end in (rows.min, rows.max))
        self._low = low if self._low is None else np.minimum(self._low, low)
        self._high = high if self._high is None else np.maximum(self._high, high)

    def problem(self) -> str:
        """Return why the values cannot be kept as float32; empty if they can."""
        if self._low is None or self._high is None:
            return ""
        largest = np.maximum(np.abs(self._low), np.abs(self._high))
        if largest.max() > LARGEST:
            return (
                f"its values are up to {largest.max():.2g}, too large for float32; let the model "
                "divide them by a constant"
            )
        spread = self._high - self._low
        if not spread.max() > _NOISE * largest.max():
            return ""
        far = (spread > _NEGLIGIBLE * spread.max()) & (largest > _FAR * spread)
        if not far.any():
            return ""
        worst = int(np.argmax(np.where(far, largest / np.where(spread > 0, spread, 1), 0)))
        return (
            f"float32 cannot tell its values apart: {int(far.sum()):,} of {len(far):,} features "
            f"lie far from 0, such as at {largest[worst]:.2g} with a spread of "
            f"{spread[worst]:.2g}; let the model subtract a constant"
        )
