import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 # else the first use would load its BLAS
from threadpoolctl import threadpool_info, threadpool_limits

from unknot._parallel import blas_libraries
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


def in_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def limited_threads():
    with single_threaded_blas():
        return blas_threads()


def test_blas_is_limited_by_any_thread_whichever_was_the_first():
    before = blas_threads()
    libraries = blas_libraries.blas_libraries().lib_controllers
    for library in libraries:
        library.set_num_threads(library.num_threads)  # as another package does, in this thread
    assert set(in_thread(limited_threads)) == {1}
    assert blas_threads() == before
    with single_threaded_blas():
        assert set(in_thread(limited_threads)) == {1}
        assert set(in_thread(blas_threads)) == {1}
    assert blas_threads() == before
    # And another package's thread still limits it.
    assert set(in_thread(limit_by_threadpoolctl)) == {1}
    assert blas_threads() == before


def limit_by_threadpoolctl():
    with threadpool_limits(1, user_api="blas"):
        return blas_threads()


class LibraryOfThreads:
    """A BLAS with a number of threads for each thread that calls it."""

    internal_api, threading_layer = "openblas", "openmp"

    def __init__(self):
        self._own = threading.local()

    def get_num_threads(self):
        return getattr(self._own, "number", 8)

    def set_num_threads(self, number):
        self._own.number = number


def test_a_blas_with_threads_of_each_thread_is_limited_in_all_that_compute(monkeypatch):
    library = LibraryOfThreads()
    monkeypatch.setattr(blas_libraries, "_latest", [library])
    monkeypatch.setattr(blas_libraries, "_found", None)

    class Controller(blas_libraries.ThreadpoolController):
        def __init__(self):
            self.lib_controllers = [library]

        def select(self, user_api):
            return self

    monkeypatch.setattr(blas_libraries, "ThreadpoolController", Controller)
    seen = set()
    with single_threaded_blas(), ThreadTeam(3) as team:
        barrier = threading.Barrier(3)

        def look(number):
            barrier.wait(10)
            seen.add((threading.get_ident(), library.get_num_threads()))

        team.run_all(look, barrier.abort)
        # A computation in another thread, while this one goes on.
        assert in_thread(lambda: (nested(library), library.get_num_threads())) == (1, 8)
        assert library.get_num_threads() == 1
    assert len(seen) == 3
    assert {number for _, number in seen} == {1}
    assert library.get_num_threads() == 8


def nested(library):
    with single_threaded_blas():
        with single_threaded_blas():
            pass
        return library.get_num_threads()


def test_a_blas_that_is_loaded_later_is_found():
    # NumPy and SciPy each bring one.
    script = """if True:
        import numpy as np
        from unknot._parallel.blas_libraries import blas_libraries
        def paths():
            return {each.filepath for each in blas_libraries().lib_controllers}
        assert "scipy.linalg" not in __import__("sys").modules
        first, again = paths(), paths()
        import scipy.linalg
        print(first == again, len(paths()) - len(first))
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "1"]


@pytest.mark.parametrize(("counts", "searches"), [((7, 0), 1), (None, 3)])
def test_blas_is_searched_once_where_loads_are_counted(monkeypatch, counts, searches):
    searched = []

    class Controller(blas_libraries.ThreadpoolController):
        def __init__(self):
            searched.append(1)
            super().__init__()

    monkeypatch.setattr(blas_libraries, "ThreadpoolController", Controller)
    monkeypatch.setattr(blas_libraries, "count_libraries", lambda: counts)
    monkeypatch.setattr(blas_libraries, "_found", None)
    for _ in range(3):
        with single_threaded_blas():
            assert set(blas_threads()) == {1}
    assert len(searched) == searches
    # A library was loaded, or one was unloaded and another one loaded.
    for other in ((8, 0), (9, 1)):
        monkeypatch.setattr(blas_libraries, "count_libraries", lambda other=other: other)
        with single_threaded_blas():
            assert set(blas_threads()) == {1}
    assert len(searched) == searches + 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems are searched every time")
def test_libraries_are_counted_on_linux():
    counts = blas_libraries.count_libraries()
    assert counts is not None
    assert counts[0] > counts[1] >= 0
    assert blas_libraries.count_libraries() == counts
