"""Ticks at round numbers, as many as there is room for."""

import math

import numpy as np
from matplotlib.ticker import MaxNLocator

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
    """Choose round numbers for a linear axis."""
    most = max(int(length / apart), 2)
    values = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = (high - low) * 1e-9
    return [float(value) for value in values if low - slack <= value <= high + slack]
