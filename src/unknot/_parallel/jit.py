"""Kernels, compiled in threads of their own, so that whoever waits for one can be interrupted.

Numba compiles a kernel where it is first called. That takes up to some seconds, and an interrupt
which strikes inside the compiler may leave its locks locked. Here the caller only waits, and may
leave: the compiler goes on, and who calls the kernel next finds it made, or waits for it.
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
    """A call of the compiler; a daemon, as nobody may be there any longer when it ends."""

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
        except BaseException as error:  # raised again by entry
            self._error = error
        finally:
            self._ended.set()

    def entry(self) -> object:
        """Return what the compiler returned, or raise what it raised."""
        wait_for(self._ended)
        if self._error is not None:
            raise self._error
        return self._entry


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a function a kernel: compiled for each kind of arguments, kept on disk, without the GIL.

    Parameters
    ----------
    **options
        Further ones of `numba.njit`.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = njit(nogil=True, no_cfunc_wrapper=True, **options)(function)
        if dispatcher is function:
            raise RuntimeError(
                "NUMBA_DISABLE_JIT is set (or disable_jit in .numba_config.yaml), and without "
                "Numba's compiler there are no kernels: unset it"
            )
        dispatcher._cache = KernelCache(function)
        compile_ = dispatcher.compile

        def compile_elsewhere(signature: object) -> object:
            # Whoever is compiling has the lock, and needs this on the way.
            if global_compiler_lock.is_locked():
                return compile_(signature)
            compilation = _Compilation(compile_, signature)
            compilation.start()
            return compilation.entry()

        dispatcher.compile = compile_elsewhere
        return dispatcher

    return decorate


def _lock() -> None:
    global_compiler_lock.acquire()


def _unlock() -> None:
    global_compiler_lock.release()


# A lock that a thread holds while the process forks would stay locked in the child for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock, after_in_parent=_unlock, after_in_child=_unlock)
