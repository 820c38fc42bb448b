"""Threads that go through compiled code together: barriers, and work that is shared out.

To hand a task to a Python thread takes as long as many a task here, and to wake one that sleeps
longer. So the threads of a computation stay in compiled code and wait for each other by looking,
after a while letting others run in between.

``shared``, from `new_shared`, is the state of one such computation. All threads call `barrier` the
same number of times; between two of them `next_task` hands out 0, 1, 2, ...
"""

import sys

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .._typing import Array, Int64

# Each on a cache line of its own.
ARRIVED, ROUND, GIVEN_UP, TASK = (np.uint64(8 * number) for number in range(4))
LOOKS = 2000
_WORD = ir.IntType(64)


def new_shared() -> Int64[Array, " words"]:
    """Return the state of a computation about to begin."""
    return np.zeros(32, np.int64)


def give_up(shared: Int64[Array, " words"]) -> None:
    """Let nobody wait any longer: a thread will not come."""
    shared[GIVEN_UP] = 1


def _address(context, builder, kind, array, index):
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _WORD.as_pointer())


@intrinsic
def read(typing, array, index):
    """Read a number that another thread may have written."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments)
        return builder.load_atomic(address, ordering="acquire", align=8)

    return types.int64(array, types.uint64), generate


@intrinsic
def write(typing, array, index, value):
    """Write a number for other threads to read, and with it all that was written before."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments[:2])
        builder.store_atomic(arguments[2], address, ordering="release", align=8)
        return context.get_dummy_value()

    return types.void(array, types.uint64, types.int64), generate


@intrinsic
def add(typing, array, index, value):
    """Add to a number in one piece, and return what it was."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments[:2])
        return builder.atomic_rmw("add", address, arguments[2], "acq_rel")

    return types.int64(array, types.uint64, types.int64), generate


@intrinsic
def let_others_run(typing):
    """Give the processor to another thread that waits for it."""

    def generate(context, builder, signature, arguments):
        if sys.platform != "win32":
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), generate


@njit(no_cfunc_wrapper=True)
def barrier(shared, n_threads):
    """Wait for all threads, and start to count tasks anew; False if one has given up."""
    now = read(shared, ROUND)
    if add(shared, ARRIVED, 1) == n_threads - 1:
        write(shared, ARRIVED, 0)
        write(shared, TASK, 0)
        write(shared, ROUND, now + 1)
        return read(shared, GIVEN_UP) == 0
    looks = 0
    while read(shared, ROUND) == now:
        looks += 1
        if looks > LOOKS:
            if read(shared, GIVEN_UP) != 0:
                return False
            let_others_run()
    return read(shared, GIVEN_UP) == 0


@njit(no_cfunc_wrapper=True)
def next_task(shared):
    """Take the next task of those that all threads share."""
    return add(shared, TASK, 1)
