"""The state that the threads of one computation share inside compiled code (`barrier`)."""

import numpy as np

from .._typing import Array, Int64

# Each on its own cache line.
ARRIVED, ROUND, GIVEN_UP, TASK = (np.uint64(8 * number) for number in range(4))


def new_shared() -> Int64[Array, " words"]:
    """Return the initial shared state of a computation."""
    return np.zeros(32, np.int64)


def give_up(shared: Int64[Array, " words"]) -> None:
    """Make every barrier return False: a thread will never arrive."""
    shared[GIVEN_UP] = 1
