"""A decorator for kernels, which are compiled in a separate thread so that callers can interrupt.

Numba compiles a kernel at its first call. That takes up to a few seconds, and an interrupt inside
the compiler can leave its locks held. Here the caller only waits and can be interrupted; the
compilation continues, and the next call of the kernel uses its result, or waits for it.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.compiler_lock import global_compiler_lock

from .interruptible import run_interruptibly
from .kernel_cache import KernelCache

# New objects between two collections of garbage while a kernel is compiled; 700 by default.
FEW_COLLECTIONS = 50_000


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
            return run_interruptibly(lambda: _with_few_collections(compile_, signature))

        dispatcher.compile = compile_in_thread
        return dispatcher

    return decorate


def _with_few_collections(compile_: Callable[..., object], signature: object) -> object:
    """Compile while Python looks for garbage less often: the compiler makes objects that stay.

    This takes a twentieth of the time to compile. The lock is also held over forks, so that no
    child begins with these settings.
    """
    with global_compiler_lock:
        before = gc.get_threshold()
        if not 0 < before[0] < FEW_COLLECTIONS:
            return compile_(signature)
        meanwhile = (FEW_COLLECTIONS, *before[1:])
        gc.set_threshold(*meanwhile)
        try:
            return compile_(signature)
        finally:
            # Someone else may have changed them.
            if gc.get_threshold()[0] == FEW_COLLECTIONS:
                gc.set_threshold(*before)


def _lock() -> None:
    global_compiler_lock.acquire()


def _unlock() -> None:
    global_compiler_lock.release()


# A lock held by another thread during a fork would stay locked in the child forever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock, after_in_parent=_unlock, after_in_child=_unlock)
