"""Programs whose tasks overlap."""

import threading
import time

import numpy as np
import pytest

from unknot._parallel.lanes import Promise, Task, run_programs
from unknot._parallel.thread_team import AbandonedError, ThreadTeam, abandoned_when

LARGE = 10**9


def adding(number, log=None):
    """Three steps, each of which needs the one before."""
    total = 0
    for step in range(3):
        total = yield Task(
            lambda n_threads, total=total, step=step: total + number * 10**step,
            ended=lambda result: None if log is None else log.append((number, result)),
        )
    return total


@pytest.mark.parametrize("n_threads", [1, 2, 3, 16])
def test_programs_return_their_results_in_order(n_threads):
    found = run_programs([adding(number) for number in range(9)], n_threads, LARGE)
    assert found == [number * 111 for number in range(9)]


def test_one_thread_runs_one_program_after_the_other():
    log = []
    run_programs([adding(number, log) for number in (3, 1, 2)], 1, LARGE)
    assert [number for number, _ in log] == [3, 3, 3, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("n_threads", [1, 4])
def test_a_promise_is_kept(n_threads):
    promise = Promise()
    order = []

    def waiting():
        value = yield promise
        yield Task(lambda n_threads: order.append("second"))
        return value + (yield promise)

    def giving():
        yield Task(lambda n_threads: (time.sleep(0.05), order.append("first")))
        promise.set(4)
        return promise.is_set

    assert run_programs([waiting(), giving(), waiting()], n_threads, LARGE) == [8, True, 8]
    assert order == ["first", "second", "second"]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_promise_that_nobody_keeps_is_an_error_and_no_wait(n_threads):
    def waiting():
        yield Promise()

    with pytest.raises(RuntimeError, match="wait for values"):
        run_programs([waiting(), adding(1)], n_threads, LARGE)


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_a_program_catches_the_error_of_its_task(n_threads):
    def fails(n_threads):
        raise ValueError("no")

    def careful():
        try:
            yield Task(fails)
        except ValueError as error:
            message = f"caught {error}"
            return (yield Task(lambda n_threads: message))

    assert run_programs([careful(), adding(1)], n_threads, LARGE) == ["caught no", 111]


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_an_error_that_is_not_caught_ends_all_others_soon(n_threads):
    ended = []

    def fails(n_threads):
        time.sleep(0.1)
        raise OSError("full")

    def long(n_threads):
        try:
            with ThreadTeam(2) as team:
                team.run(lambda number: time.sleep(0.01), 10_000)
        except AbandonedError:
            ended.append(True)
            raise

    def one(work):
        yield Task(work)

    started = time.perf_counter()
    with pytest.raises(OSError, match="full"):
        run_programs([one(fails), one(long), one(long)], n_threads, LARGE)
    assert time.perf_counter() - started < 20
    assert ended == [True] * min(n_threads - 1, 2)
    assert not [thread for thread in threading.enumerate() if "unknot-lane" in thread.name]


def test_an_interrupt_of_the_caller_ends_the_tasks():
    running = threading.Event()

    def long(n_threads):
        running.set()
        with ThreadTeam(1) as team:
            team.run(lambda number: time.sleep(0.01), 100_000)

    def endless():
        yield Task(long)

    def interrupting():
        def interrupt(n_threads):
            running.wait()
            raise KeyboardInterrupt

        yield Task(interrupt, in_caller=True)

    with pytest.raises(KeyboardInterrupt):
        run_programs([endless(), interrupting()], 2, LARGE)


def test_what_calls_a_users_code_runs_in_the_calling_thread():
    threads = {}

    def note(name):
        threads[name] = threading.current_thread()

    def program(name, *, in_caller):
        yield Task(
            lambda n_threads: note(f"{name} works"),
            in_caller=in_caller,
            started=lambda: note(f"{name} starts"),
            ended=lambda result: note(f"{name} ends"),
        )

    run_programs([program("a", in_caller=True), program("b", in_caller=False)], 2, LARGE)
    here = threading.current_thread()
    mine = {name for name, thread in threads.items() if thread is here}
    assert mine == {"a works", "a starts", "a ends", "b starts", "b ends"}


def test_tasks_that_need_more_memory_than_there_is_run_alone():
    lock, used, most = threading.Lock(), [0], []

    def work(n_bytes):
        def take(n_threads):
            with lock:
                used[0] += n_bytes
                most.append(used[0])
            time.sleep(0.01)
            with lock:
                used[0] -= n_bytes

        return take

    def program(n_bytes):
        for _ in range(3):
            yield Task(work(n_bytes), n_bytes=n_bytes)

    sizes = [10, 60, 50, 130, 20, 90]
    run_programs([program(size) for size in sizes], 4, 100)
    assert max(most) == 130
    assert sum(total > 100 for total in most) == 3


def test_of_the_tasks_that_are_ready_the_smallest_rank_starts_first():
    order = []
    gate = threading.Event()

    def blocking():
        yield Task(lambda n_threads: gate.wait(), rank=(-1,))

    def ranked(rank):
        yield Task(lambda n_threads: (order.append(rank), time.sleep(0.02)), rank=(rank,))

    def opening():
        yield Task(lambda n_threads: (time.sleep(0.1), gate.set()), in_caller=True)

    programs = [ranked(rank) for rank in (7, 5, 2, 9, 3)]
    run_programs([blocking(), blocking(), *programs, opening()], 2, LARGE)
    assert set(order[:2]) == {2, 3}
    assert order[-1] == 9


def test_a_task_that_runs_alone_gets_all_threads():
    given = []

    def program():
        yield Task(lambda n_threads: (time.sleep(0.05), given.append(n_threads)))

    def later():
        yield Task(lambda n_threads: time.sleep(0.01))
        yield Task(lambda n_threads: time.sleep(0.2))
        yield Task(lambda n_threads: given.append(n_threads))

    run_programs([program(), later()], 8, LARGE)
    assert given[-1] == 8


def test_abandoned_work_ends_before_its_next_task():
    done = []
    abandoned = threading.Event()

    def task(number):
        done.append(number)
        if number == 5:
            abandoned.set()

    with abandoned_when(abandoned.is_set):
        with ThreadTeam(1) as team, pytest.raises(AbandonedError):
            team.run(task, 100)
        with ThreadTeam(2) as team, pytest.raises(AbandonedError):
            team.run_all(task, lambda: None)
    assert done == list(range(6))
    with ThreadTeam(1) as team:
        team.run(task, 2)
    assert done[6:] == [0, 1]


def test_results_do_not_depend_on_the_lanes():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(6, 200, 20)).astype(np.float32)

    def program(number):
        from unknot import nearest_neighbors

        graph = yield Task(lambda n: nearest_neighbors(points[number], 10, n_jobs=n))
        return graph.indices, graph.distances

    alone = run_programs([program(number) for number in range(6)], 1, LARGE)
    for n_threads in (2, 5):
        together = run_programs([program(number) for number in range(6)], n_threads, LARGE)
        for one, other in zip(alone, together, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
