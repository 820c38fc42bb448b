"""A decorator for kernels, which are compiled in a separate thread so that callers can interrupt.

Numba compiles a kernel at its first call. That takes up to a few seconds, and an interrupt inside
the compiler can leave its locks held. Here the caller only waits and can be interrupted; the
compilation continues, and the next call of the kernel uses its result, or waits for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.compiler_lock import global_compiler_lock

from .interruptible import run_interruptibly
from .kernel_cache import KernelCache


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function with Numba per argument types, cached on disk, releasing the GIL.

    Parameters
    ----------
    **options
        Further options of `numba.njit`.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = njit(nogil=True, no_cfunc_wrapper=True, **options)(function)
        if dispatcher is function:
            raise RuntimeError(
                "NUMBA_DISABLE_JIT (or disable_jit in .numba_config.yaml) is set, but unknot "
                "needs Numba's compiler: unset it"
            )
        dispatcher._cache = KernelCache(function)
        compile_ = dispatcher.compile

        def compile_in_thread(signature: object) -> object:
            # Called during another compilation, which holds the lock and needs this one.
            if global_compiler_lock.is_locked():
                return compile_(signature)
            return run_interruptibly(lambda: compile_(signature))

        dispatcher.compile = compile_in_thread
        return dispatcher

    return decorate


def _lock() -> None:
    global_compiler_lock.acquire()


def _unlock() -> None:
    global_compiler_lock.release()


# A lock held by another thread during a fork would stay locked in the child forever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock, after_in_parent=_unlock, after_in_child=_unlock)
