"""Synchronization of threads inside compiled code: a spin barrier and a task counter.

Handing a task to a Python thread takes as long as many of the tasks here, and waking a sleeping
thread longer. So the threads of a computation stay in compiled code and wait for each other by
spinning, yielding the processor after a while.

``shared``, from `shared_state.new_shared`, is the state of one such computation. All threads call
`barrier` the same number of times; between two barriers `next_task` returns 0, 1, 2, ... to
whichever calls it.
"""

import sys

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .shared_state import ARRIVED, GIVEN_UP, ROUND, TASK

# Spins before a waiting thread yields.
SPINS = 2000
_WORD = ir.IntType(64)


def _address(context, builder, kind, array, index):
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _WORD.as_pointer())


@intrinsic
def read(typing, array, index):
    """Load a number that other threads write (acquire)."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments)
        return builder.load_atomic(address, ordering="acquire", align=8)

    return types.int64(array, types.uint64), generate


@intrinsic
def write(typing, array, index, value):
    """Store a number that other threads read, and publish all earlier writes (release)."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments[:2])
        builder.store_atomic(arguments[2], address, ordering="release", align=8)
        return context.get_dummy_value()

    return types.void(array, types.uint64, types.int64), generate


@intrinsic
def add(typing, array, index, value):
    """Add to a number atomically, and return its previous value."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments[:2])
        return builder.atomic_rmw("add", address, arguments[2], "acq_rel")

    return types.int64(array, types.uint64, types.int64), generate


@intrinsic
def yield_processor(typing):
    """Let the operating system run another thread on this processor."""

    def generate(context, builder, signature, arguments):
        if sys.platform != "win32":
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), generate


@njit(no_cfunc_wrapper=True)
def barrier(shared, n_threads):
    """Wait for all threads and reset the task counter; False if a thread has given up."""
    now = read(shared, ROUND)
    if add(shared, ARRIVED, 1) == n_threads - 1:
        write(shared, ARRIVED, 0)
        write(shared, TASK, 0)
        write(shared, ROUND, now + 1)
        return read(shared, GIVEN_UP) == 0
    spins = 0
    while read(shared, ROUND) == now:
        spins += 1
        if spins > SPINS:
            if read(shared, GIVEN_UP) != 0:
                return False
            yield_processor()
    return read(shared, GIVEN_UP) == 0


@njit(no_cfunc_wrapper=True)
def next_task(shared):
    """Return the number of the next task, of those that all threads share."""
    return add(shared, TASK, 1)
