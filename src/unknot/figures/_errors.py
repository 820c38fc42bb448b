"""An axis of shares by the logarithm of what they lack of 1, their errors."""

import math

import numpy as np

from .._typing import Array

# Where all shares are as near 1 as this, and one is as near as that, errors tell more.
_NEAR, _NEAREST = 0.7, 0.95
# What a share lacks of 1 at least, where even the largest of them is 1.
_FINEST = 1e-4
# From the least error to none, in decades.
_LAST = 0.2
_ROUND = (
    0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 1.0,
)  # fmt: skip


def is_near_one(shares: Array) -> bool:
    """Tell whether only their errors tell these shares apart."""
    known = shares[np.isfinite(shares)]
    return len(known) > 1 and bool(known.min() >= _NEAR and known.max() >= _NEAREST)


class ErrorScale:
    """The logarithm of 1 minus a share, down to half the least error; linear from there to 1.

    Parameters
    ----------
    shares : array
        What will be drawn.
    """

    def __init__(self, shares: Array) -> None:
        errors = 1 - shares[shares < 1]
        self._floor = max(_FINEST, float(errors.min()) / 2) if len(errors) else _FINEST
        self._end = -math.log10(self._floor)

    def forward(self, shares: Array) -> Array:
        """Return where shares are on the axis."""
        errors = 1 - np.asarray(shares, dtype=np.float64)
        logarithmic = -np.log10(np.maximum(errors, self._floor))
        return logarithmic + _LAST * np.maximum(1 - errors / self._floor, 0)

    def inverse(self, places: Array) -> Array:
        """Return the shares at places on the axis."""
        places = np.asarray(places, dtype=np.float64)
        beyond = np.maximum(places - self._end, 0) / _LAST
        shares: Array = 1 - 10.0 ** -np.minimum(places, self._end) + self._floor * beyond
        return shares

    def limits(self, shares: Array) -> tuple[float, float]:
        """Return the least and the greatest share of an axis, with some room below 1."""
        drawn = self.forward(shares)
        margin = 0.06 * float(np.ptp(drawn)) or 0.1
        low, high = self.inverse(np.array([drawn.min() - margin, drawn.max() + margin]))
        return max(float(low), 0.0), min(float(high), 1.0)

    def ticks(self, low: float, high: float, length: float, min_gap: float = 0.25) -> list[float]:
        """Choose round shares that have room on an axis of `length` inches."""
        first, last = self.forward(np.array([low, high]))
        apart = min_gap * (last - first) / length
        chosen: list[float] = []
        before = np.inf
        # The largest first: what is near 1 is what such an axis is for.
        for tick, place in zip(_ROUND[::-1], self.forward(np.array(_ROUND[::-1])), strict=True):
            if first <= place <= last and before - place >= apart:
                chosen.append(tick)
                before = place
        return chosen[::-1]
