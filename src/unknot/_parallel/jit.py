"""A decorator for kernels, which are compiled in a separate thread so that callers can interrupt.

Numba compiles a kernel at its first call. That takes up to a few seconds, and an interrupt inside
the compiler can leave its locks held. Here the caller only waits and can be interrupted; the
compilation continues, and the next call of the kernel uses its result, or waits for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.compiler_lock import global_compiler_lock

from .kernel_cache import KernelCache
from .thread_team import wait_for


class _Compilation(threading.Thread):
    """A compilation in a thread; a daemon, since its caller may be gone when it ends."""

    def __init__(self, compile_: Callable[..., object], signature: object) -> None:
        super().__init__(name="unknot-compiler", daemon=True)
        self._compile = compile_
        self._signature = signature
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._entry: object = None

    def run(self) -> None:
        """Compile."""
        try:
            self._entry = self._compile(self._signature)
        except BaseException as error:  # re-raised by entry
            self._error = error
        finally:
            self._ended.set()

    def entry(self) -> object:
        """Wait, and return the compiler's result or raise its error."""
        wait_for(self._ended)
        if self._error is not None:
            raise self._error
        return self._entry


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
            compilation = _Compilation(compile_, signature)
            compilation.start()
            return compilation.entry()

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
