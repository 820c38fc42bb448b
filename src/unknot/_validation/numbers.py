"""Numbers among the arguments: integers, real numbers, seeds and amounts of memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final, TypeGuard

import numpy as np

# What `max_memory` is by default, where that much is free.
DEFAULT_MEMORY: Final = 1_000_000_000
_UNITS: Final = ("", "K", "M", "G", "T")


def is_integer(value: object) -> TypeGuard[int | np.integer[Any]]:
    """Whether a value is an integer, of Python or NumPy; a bool is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_integer(
    value: Any,
    name: str,
    low: int | None = None,
    high: int | None = None,
    bounds: str = "",
) -> int:
    """Return an argument that must be an integer, as an `int`.

    Parameters
    ----------
    value : object
        The argument; an integer of Python or NumPy, not a bool.
    name : str
        The argument's name.
    low, high : int, optional
        The least and the greatest value allowed.
    bounds : str, optional
        The bounds in words, for the error; by default the numbers.

    Raises
    ------
    ValueError
        If it is no integer, or out of bounds.
    """
    if is_integer(value):
        number = int(value)
        if (low is None or low <= number) and (high is None or number <= high):
            return number
    if not bounds:
        ends = low is not None, high is not None
        bounds = {
            (True, True): f"from {low} to {high}",
            (True, False): f"of at least {low}",
            (False, True): f"of at most {high}",
        }.get(ends, "")
    raise ValueError(f"{name} must be {' '.join(('an integer', bounds)).strip()}; got {value!r}")


def plain(value: Any) -> Any:
    """Return a number or truth value of NumPy as one of Python, which JSON has; else the value."""
    return value.item() if isinstance(value, np.generic) else value


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same of the values of a mapping."""
    return {name: plain(value) for name, value in values.items()}


def check_number(
    value: Any,
    name: str,
    low: float = -np.inf,
    high: float = np.inf,
    *,
    bounds: str,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return an argument that must be a finite real number, as a `float`.

    Parameters
    ----------
    value : object
        The argument; a real number of Python or NumPy, not a bool.
    name : str
        The argument's name.
    low, high : float
        The bounds.
    bounds : str
        The bounds in words, for the error.
    open_low, open_high : bool
        Whether a bound itself is not allowed.

    Raises
    ------
    ValueError
        If it is no real number, or out of bounds.

    Examples
    --------
    >>> check_number(1, "depth", 0.0, 1.0, bounds="above 0, up to 1", open_low=True)
    1.0
    """
    number = np.nan
    if not isinstance(value, bool) and isinstance(value, Real):
        with suppress(OverflowError):  # an integer beyond the largest float
            number = float(value)
    above = low < number if open_low else low <= number
    below = number < high if open_high else number <= high
    if above and below and np.isfinite(number):
        return number
    raise ValueError(f"{name} must be a number {bounds}; got {value!r}")


def check_random_state(random_state: Any) -> int | None:
    """Return a seed, or None for other random numbers each time.

    Raises
    ------
    ValueError
        If it is neither None nor an integer of at least 0.
    """
    if random_state is None:
        return None
    return check_integer(random_state, "random_state", 0, bounds="of at least 0, or None")


def random_generator(random_state: Any, *more: int) -> np.random.Generator:
    """Return the random numbers of a seed, and of the further numbers that tell uses of it apart.

    Raises
    ------
    ValueError
        If ``random_state`` is neither None nor an integer of at least 0.
    """
    seed = check_random_state(random_state)
    return np.random.default_rng(seed if seed is None or not more else [seed, *more])


def parse_memory(max_memory: Any) -> int:
    """Return an amount of memory in bytes.

    Parameters
    ----------
    max_memory : int or str
        A number of bytes, or text such as ``"2 GB"`` (10^9 bytes each) or ``"500 MiB"`` (2^20).

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> parse_memory("2 GB"), parse_memory("500 MiB"), parse_memory(4096)
    (2000000000, 524288000, 4096)
    """
    if is_integer(max_memory):
        if max_memory >= 0:
            return int(max_memory)
    elif isinstance(max_memory, str):
        pattern = r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*"
        if match := re.fullmatch(pattern, max_memory, re.IGNORECASE):
            number, unit, binary = match.groups()
            return int(float(number) * (1024 if binary else 1000) ** _UNITS.index(unit.upper()))
    raise ValueError(
        f'max_memory must be a number of bytes, or text such as "2 GB"; got {max_memory!r}'
    )


def memory_budget(max_memory: int | str | None) -> int:
    """Return `max_memory` in bytes; by default 1 GB, but at most half of the free memory.

    Raises
    ------
    ValueError
        If it is neither a number of bytes nor text such as "2 GB".
    """
    if max_memory is None:
        return min(DEFAULT_MEMORY, free_memory() // 2)
    return parse_memory(max_memory)


def free_memory() -> int:
    """Return how many bytes this process may still allocate: of the machine and the container."""
    try:
        text = Path("/proc/meminfo").read_text()
        free = int(re.findall(r"MemAvailable:\s*(\d+) kB", text)[0]) * 1024
    except (OSError, IndexError):
        return 2 * DEFAULT_MEMORY  # other systems do not tell without a library of their own
    with suppress(OSError, ValueError):  # a container may be allowed less than the machine has
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        free = min(free, limit - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    return max(0, free)
