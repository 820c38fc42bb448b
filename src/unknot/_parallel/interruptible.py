"""Work that ends even if its caller is interrupted, as compilation must."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from .thread_team import wait_for

_Result = TypeVar("_Result")


class _Work(threading.Thread, Generic[_Result]):
    """Work in a thread; a daemon, since its caller may be gone when it ends."""

    def __init__(self, work: Callable[[], _Result]) -> None:
        super().__init__(name="unknot-compiler", daemon=True)
        self._work = work
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._result: list[_Result] = []

    def run(self) -> None:
        """Work."""
        try:
            self._result.append(self._work())
        except BaseException as error:  # re-raised by result
            self._error = error
        finally:
            self._ended.set()

    def result(self) -> _Result:
        """Wait, and return the result or raise the error."""
        wait_for(self._ended)
        if self._error is not None:
            raise self._error
        return self._result[0]


def run_interruptibly(work: Callable[[], _Result]) -> _Result:
    """Run work in a thread and wait for it: an interrupt ends the wait, not the work."""
    thread = _Work(work)
    thread.start()
    return thread.result()


held_over_forks = threading.RLock()
"""Held during work that leaves locks behind in a child which is forked meanwhile: forks wait."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=held_over_forks.acquire,
        after_in_parent=held_over_forks.release,
        after_in_child=held_over_forks.release,
    )
