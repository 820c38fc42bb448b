"""Kernels whose compilation lasts until a test lets it end."""

import gc
import importlib
import multiprocessing
import os
import signal
import sys
import threading

import pytest
from numba.core.errors import TypingError

from unknot._parallel import jit
from unknot._parallel.thread_team import ThreadTeam

SOURCE = """
import threading

from numba import njit, types
from numba.extending import intrinsic

from unknot._parallel.jit import kernel

started, may_end = threading.Event(), threading.Event()
times_begun = times_ended = 0


@intrinsic
def seven(typing):
    global times_begun, times_ended
    times_begun += 1
    started.set()
    assert may_end.wait(60)
    times_ended += 1

    def generate(context, builder, signature, arguments):
        return context.get_constant(types.int64, 7)

    return types.int64(), generate


@kernel()
def slow(number):
    return seven() + number


@kernel()
def quick(number):
    return 1 + number


@njit
def another(number):
    return quick(number)


@kernel()
def wrong(number):
    return number.no_such_thing
"""


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """A fresh module for each test, with nothing compiled."""
    (tmp_path / "slow_kernels.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "slow_kernels", raising=False)
    module = importlib.import_module("slow_kernels")
    yield module
    module.may_end.set()


def interrupt_when(event):
    def wait_and_interrupt():
        assert event.wait(60)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=wait_and_interrupt).start()


def test_an_interrupt_does_not_wait_for_the_compiler(kernels):
    interrupt_when(kernels.started)
    with pytest.raises(KeyboardInterrupt):
        kernels.slow(1)
    assert kernels.times_ended == 0
    kernels.may_end.set()
    assert kernels.slow(1) == 8
    assert kernels.times_begun == kernels.times_ended == 1  # the first compilation is used


def test_an_interrupt_does_not_wait_for_other_threads_that_wait_for_the_compiler(kernels):
    before = threading.active_count()
    interrupt_when(kernels.started)
    with pytest.raises(KeyboardInterrupt), ThreadTeam(3) as team:
        team.run(kernels.slow, 10)
    assert kernels.times_ended == 0
    kernels.may_end.set()
    answers = {}
    with ThreadTeam(3) as team:
        team.run(lambda task: answers.update({task: kernels.slow(task)}), 10)
    assert answers == {task: 7 + task for task in range(10)}
    assert kernels.times_begun == kernels.times_ended == 1
    assert threading.active_count() <= before + 1  # the interrupting thread may be ending


def test_collections_are_rare_only_while_a_kernel_is_compiled(kernels):
    before = gc.get_threshold()
    compiling = threading.Thread(target=kernels.slow, args=(1,))
    compiling.start()
    assert kernels.started.wait(60)
    assert gc.get_threshold() == (jit.FEW_COLLECTIONS, *before[1:])
    kernels.may_end.set()
    compiling.join()
    assert gc.get_threshold() == before
    with pytest.raises(TypingError, match="no_such_thing"):
        kernels.wrong(1)
    assert gc.get_threshold() == before


@pytest.mark.parametrize("own", [(0, 10, 10), (10**6, 5, 5)])
def test_collections_that_a_user_has_set_stay(kernels, own):
    before = gc.get_threshold()
    gc.set_threshold(*own)
    try:
        assert kernels.quick(1) == 2
        assert gc.get_threshold() == own
    finally:
        gc.set_threshold(*before)


def test_collections_that_are_changed_meanwhile_stay(kernels):
    before = gc.get_threshold()
    compiling = threading.Thread(target=kernels.slow, args=(1,))
    compiling.start()
    assert kernels.started.wait(60)
    gc.set_threshold(900, 9, 9)
    try:
        kernels.may_end.set()
        compiling.join()
        assert gc.get_threshold() == (900, 9, 9)
    finally:
        gc.set_threshold(*before)


def test_a_kernel_that_another_function_calls(kernels):
    assert kernels.another(1) == 2
    assert kernels.quick(1) == 2


def test_an_error_of_the_compiler_reaches_the_caller(kernels):
    with pytest.raises(TypingError, match="no_such_thing"):
        kernels.wrong(1)
    with pytest.raises(TypingError, match="no_such_thing"), ThreadTeam(2) as team:
        team.run(kernels.wrong, 5)


# Forking a multi-threaded process warns; that is what is tested.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:os.fork\\(\\) was called:RuntimeWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_forked_during_a_compilation_can_compile(kernels):
    compiling = threading.Thread(target=kernels.slow, args=(1,))
    compiling.start()
    assert kernels.started.wait(60)
    threading.Timer(0.2, kernels.may_end.set).start()
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    child = multiprocessing.get_context("fork").Process(
        target=lambda: theirs.send(kernels.quick(1) + kernels.slow(1))
    )
    child.start()
    assert ours.poll(60)
    assert ours.recv() == 10
    child.join()
    compiling.join()
    assert child.exitcode == 0
