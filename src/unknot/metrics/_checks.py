"""Checks of the arguments that several measures share."""

import numpy as np


def check_count(value: object, name: str, low: int, high: int, bounds: str) -> int:
    """Return a whole number from low to high.

    Raises
    ------
    ValueError
        If it is not one; ``bounds`` says in words what low and high are.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        number = int(value)
        if low <= number <= high:
            return number
    raise ValueError(f"{name} must be a whole number {bounds}; got {value!r}")
