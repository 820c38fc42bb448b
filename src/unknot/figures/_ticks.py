"""Ticks at round numbers, as many as fit."""

import math

import numpy as np

_LEVELS = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5), (1, 1.5, 2, 3, 4, 5, 7), tuple(range(1, 10)))
_MIN_TICKS = 3


def log_ticks(low: float, high: float, length: float, min_gap: float = 0.3) -> list[float]:
    """Choose ticks at round numbers for a logarithmic axis.

    Parameters
    ----------
    low, high : float
        Limits of the axis; positive.
    length : float
        Length of the axis in inches.
    min_gap : float, default=0.3
        Minimum distance of two ticks, in inches.
    """
    per_inch = math.log10(high / low) / length
    if min_gap * per_inch > 1:
        # Keep every second, third, ... power of ten.
        step = math.ceil(min_gap * per_inch)
        first = math.ceil(math.log10(low) / step) * step
        return [10.0**d for d in range(first, math.floor(math.log10(high)) + 1, step)]
    chosen: list[float] = []
    for mantissas in _LEVELS:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [m * 10.0**d for d in decades for m in mantissas]
        ticks = [tick for tick in ticks if low <= tick * (1 + 1e-9) and tick <= high * (1 + 1e-9)]
        gaps = np.diff(np.log10(ticks)) if len(ticks) > 1 else np.array([np.inf])
        if gaps.min() < min_gap * per_inch:
            break
        chosen = ticks
    if len(chosen) >= _MIN_TICKS:
        return chosen
    return linear_ticks(low, high, length, min_gap)


def linear_ticks(low: float, high: float, length: float, min_gap: float = 0.4) -> list[float]:
    """Choose ticks at multiples of 1, 2, 2.5 or 5 times a power of ten for a linear axis."""
    min_step = (high - low) * min_gap / length
    power = 10.0 ** math.floor(math.log10(min_step))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= min_step * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
