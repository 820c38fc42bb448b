"""Ticks at round numbers, as many as there is room for."""

import math

import numpy as np

_LEVELS = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5), (1, 1.5, 2, 3, 4, 5, 7), tuple(range(1, 10)))
_FEWEST = 3


def log_ticks(low: float, high: float, length: float, apart: float = 0.3) -> list[float]:
    """Choose round numbers between two positive ones for a logarithmic axis.

    Parameters
    ----------
    low, high : float
        The ends of the axis.
    length : float
        Its length in inches.
    apart : float
        The least distance of two ticks, in inches.
    """
    per_inch = math.log10(high / low) / length
    if apart * per_inch > 1:
        # Every second, third, ... power of ten.
        step = math.ceil(apart * per_inch)
        first = math.ceil(math.log10(low) / step) * step
        return [10.0**d for d in range(first, math.floor(math.log10(high)) + 1, step)]
    chosen: list[float] = []
    for mantissas in _LEVELS:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [m * 10.0**d for d in decades for m in mantissas]
        ticks = [tick for tick in ticks if low <= tick * (1 + 1e-9) and tick <= high * (1 + 1e-9)]
        gaps = np.diff(np.log10(ticks)) if len(ticks) > 1 else np.array([np.inf])
        if gaps.min() < apart * per_inch:
            break
        chosen = ticks
    if len(chosen) >= _FEWEST:
        return chosen
    return linear_ticks(low, high, length, apart)


def linear_ticks(low: float, high: float, length: float, apart: float = 0.4) -> list[float]:
    """Choose multiples of 1, 2, 2.5 or 5 times a power of ten for a linear axis."""
    least = (high - low) * apart / length
    power = 10.0 ** math.floor(math.log10(least))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= least * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
