"""Numbers among the arguments: integers and amounts of memory."""

from __future__ import annotations

import re
from contextlib import suppress
from numbers import Integral
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
