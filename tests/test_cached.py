"""`unknot._parallel.cached`."""

import threading
from concurrent.futures import ThreadPoolExecutor

from unknot._parallel.cached import cached_property


class Slow:
    def __init__(self, barrier):
        self.barrier = barrier
        self.computed = 0

    @cached_property
    def value(self):
        """The docstring."""
        self.barrier.wait(10)
        self.computed += 1
        return object()


def test_threads_compute_it_of_different_objects_at_the_same_time():
    barrier = threading.Barrier(2)
    objects = Slow(barrier), Slow(barrier)
    with ThreadPoolExecutor(2) as pool:
        # Either waits for the other one within the computation.
        values = list(pool.map(lambda each: each.value, objects))
    assert [each.value for each in objects] == values
    assert [each.computed for each in objects] == [1, 1]
    assert Slow.value.__doc__ == "The docstring."
