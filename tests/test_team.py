import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from unknot._parallel.thread_team import ThreadTeam, single_threaded_blas


def blas_threads():
    np.dot(np.ones((2, 2)), np.ones((2, 2)))
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("n_tasks", [0, 1, 3, 200])
def test_every_task_runs_once(n_threads, n_tasks):
    counts = np.zeros(n_tasks, int)

    def task(number):
        counts[number] += 1

    with ThreadTeam(n_threads) as team:
        for _ in range(20):
            team.run(task, n_tasks)
    assert counts.tolist() == [20] * n_tasks


def test_tasks_have_ended_when_run_returns():
    ended = []

    def task(number):
        time.sleep(0.002 * (number % 3))
        ended.append(number)

    with ThreadTeam(4) as team:
        for round_ in range(1, 30):
            team.run(task, 7)
            assert len(ended) == 7 * round_


def test_the_first_error_is_raised_and_nothing_runs_on():
    ran = []

    def task(number):
        ran.append(number)
        time.sleep(0.001)
        if number == 5:
            raise ArithmeticError("five")

    with ThreadTeam(3) as team:
        with pytest.raises(ArithmeticError, match="five"):
            team.run(task, 10_000)
        seen = len(ran)
        assert seen < 50
        time.sleep(0.02)
        assert len(ran) == seen
        team.run(lambda number: None, 10)


def test_leaves_no_threads_behind():
    before = threading.active_count()

    def interrupt(number):
        assert threading.active_count() == before + 5
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), ThreadTeam(6) as team:
        team.run(interrupt, 1)
    assert threading.active_count() == before


def test_blas_limit_is_restored_by_the_last_to_exit():
    before = blas_threads()
    first = single_threaded_blas()
    second = single_threaded_blas()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(blas_threads()) == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before
