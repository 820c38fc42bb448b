import subprocess
import sys
import threading

import numpy as np
import pytest
from numba import njit

from unknot._parallel.barrier import barrier, next_task
from unknot._parallel.shared_state import give_up, new_shared
from unknot._parallel.thread_team import ThreadTeam


@njit(nogil=True)
def rounds(thread, n_threads, shared, counts, seen, n_rounds):
    """In each round every task runs on one thread, and all threads see the round's results."""
    for number in range(n_rounds):
        task = next_task(shared)
        while task < counts.shape[1]:
            counts[number, task] += 1
            task = next_task(shared)
        if not barrier(shared, n_threads):
            return
        seen[thread, number] = counts[number].sum()
        if not barrier(shared, n_threads):
            return


@pytest.mark.parametrize("n_threads", [1, 2, 3, 7])
def test_every_task_is_done_once_and_seen_by_all(n_threads):
    shared = new_shared()
    counts, seen = np.zeros((300, 5), np.int64), np.zeros((n_threads, 300), np.int64)
    with ThreadTeam(n_threads) as team:
        team.run_all(
            lambda thread: rounds(thread, n_threads, shared, counts, seen, 300),
            lambda: give_up(shared),
        )
    assert (counts == 1).all()
    assert (seen == 5).all()


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_no_thread_waits_for_one_that_failed(failing):
    shared = new_shared()
    counts, seen = np.zeros((50, 5), np.int64), np.zeros((3, 50), np.int64)

    def task(thread):
        if thread == failing:
            raise ArithmeticError("not this one")
        rounds(thread, 3, shared, counts, seen, 50)

    before = threading.active_count()
    with pytest.raises(ArithmeticError, match="not this one"), ThreadTeam(3) as team:
        team.run_all(task, lambda: give_up(shared))
    assert threading.active_count() == before


def test_no_thread_waits_for_an_interrupted_caller():
    # The interrupt occurs before the caller starts a task of its own; the others have started.
    shared = new_shared()
    counts, seen = np.zeros((50, 5), np.int64), np.zeros((2, 50), np.int64)
    begun = threading.Event()

    def task(thread):
        if threading.current_thread() is threading.main_thread():
            begun.wait(10)
            raise KeyboardInterrupt
        begun.set()
        rounds(thread, 2, shared, counts, seen, 50)

    with pytest.raises(KeyboardInterrupt), ThreadTeam(2) as team:
        team.run_all(task, lambda: give_up(shared))
    assert begun.is_set()
    assert not seen.any()


def test_more_threads_than_cores_in_two_computations_at_once():
    code = """
import threading, numpy as np, unknot
points = np.random.default_rng(0).normal(size=(3200, 8)).astype(np.float32)
graph = unknot.nearest_neighbors(points, 30)
maps = {}
def fit(n_jobs):
    tsne = unknot.TSNE(perplexity=10, max_iter=260, random_state=0, n_jobs=n_jobs, method="mesh")
    maps[n_jobs] = tsne.fit_transform(points, graph=graph).tobytes()
threads = [threading.Thread(target=fit, args=(n_jobs,)) for n_jobs in (2, 5, 16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
fit(1)
assert len(maps) == 4 and len(set(maps.values())) == 1, {n: hash(m) for n, m in maps.items()}
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
