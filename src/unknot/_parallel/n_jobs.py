"""The number of threads of a computation."""

import os
from typing import Any

from .._validation.numbers import is_integer

# More threads than this, where there are fewer cores, only cost memory.
MOST_THREADS = 256


def resolve_n_jobs(n_jobs: Any) -> int:
    """Convert ``n_jobs`` to a number of threads, as scikit-learn does except for None.

    None and -1 mean every core this process may run on (None is one core in scikit-learn), -2 all
    but one, and so on. More than 256 are as many as there are cores, or 256.

    Raises
    ------
    ValueError
        If ``n_jobs`` is 0 or not an integer.
    """
    try:
        available = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        available = os.cpu_count() or 1
    if n_jobs is None:
        return available
    if not is_integer(n_jobs) or n_jobs == 0:
        raise ValueError(
            f"n_jobs must be an integer other than 0, or None for every core; got {n_jobs!r}"
        )
    if n_jobs < 0:
        return max(1, available + 1 + int(n_jobs))
    return min(int(n_jobs), max(MOST_THREADS, available))
