"""The BLAS libraries of this process, searched again only after a library was loaded or unloaded.

To find them, threadpoolctl asks for the path of every loaded library: 6 ms a time where PyTorch is
imported, and a study limits BLAS hundreds of times.

A library has one number of threads for the whole process, or one for each thread that calls it:
those that are built with OpenMP.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

from threadpoolctl import ThreadpoolController

# Loads and unloads of libraries so far.
Counts = tuple[int, int]


class _Library(ctypes.Structure):
    """The beginning of the C library's ``struct dl_phdr_info``."""

    _fields_ = (
        ("address", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("headers", ctypes.c_void_p),
        ("n_headers", ctypes.c_uint16),
        ("loads", ctypes.c_ulonglong),
        ("unloads", ctypes.c_ulonglong),
    )


_Visit = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(_Library), ctypes.c_size_t, ctypes.POINTER(ctypes.c_ulonglong)
)


@_Visit
def _read_counts(library, size, counts):  # type: ignore[no-untyped-def] # called from C
    """Copy the counts, which are the same for every library, and visit no other one."""
    if size >= ctypes.sizeof(_Library):
        counts[0] = library[0].loads
        counts[1] = library[0].unloads
    return 1


def _counter() -> Callable[[], Counts | None]:
    """Return a function that counts loads and unloads, or one that returns None."""
    visit_libraries = None
    if sys.platform == "linux":
        visit_libraries = getattr(ctypes.CDLL(None), "dl_iterate_phdr", None)
    if visit_libraries is None:
        return lambda: None
    visit_libraries.argtypes = (_Visit, ctypes.POINTER(ctypes.c_ulonglong))
    visit_libraries.restype = ctypes.c_int

    def count() -> Counts | None:
        counts = (ctypes.c_ulonglong * 2)()
        visit_libraries(_read_counts, counts)
        # Something is loaded, so that 0 means that an old C library does not count.
        return (counts[0], counts[1]) if counts[0] else None

    return count


count_libraries = _counter()
_found: tuple[Counts, ThreadpoolController] | None = None
_latest: list[Any] = []


def blas_libraries() -> ThreadpoolController:
    """Return a controller of all BLAS libraries loaded now.

    Where the system does not count how often libraries were loaded, they are searched every time.
    """
    global _found, _latest
    found, counts = _found, count_libraries()
    if found is not None and found[0] == counts:
        return found[1]
    controller = ThreadpoolController().select(user_api="blas")
    # The search itself may load a library; then the next call searches again.
    _found = None if counts is None else (counts, controller)
    _latest = controller.lib_controllers
    return controller


def limit_whole_process() -> Callable[[], None]:
    """Limit libraries of one number of threads to 1; return what restores their numbers."""
    return _limit([each for each in blas_libraries().lib_controllers if not _per_thread(each)])


def limit_this_thread() -> Callable[[], None]:
    """Limit libraries of a number for each thread to 1 here; return what restores their numbers.

    They are those of the latest search.
    """
    return _limit([each for each in _latest if _per_thread(each)])


def _per_thread(library: Any) -> bool:
    return bool(library.internal_api == "openblas" and library.threading_layer == "openmp")


def _limit(libraries: list[Any]) -> Callable[[], None]:
    before = [(library, library.get_num_threads()) for library in libraries]
    for library in libraries:
        _set(library, 1)

    def restore() -> None:
        for library, number in before:
            _set(library, number)

    return restore


def _set(library: Any, n_threads: int) -> None:
    """Set a number of threads, whichever thread has set one before.

    As of its version 3.8, threadpoolctl ignores all threads but the first one that sets a number,
    until that one ends or is cleared.
    """
    clear = getattr(library, "clear_controlling_thread", lambda *, force: None)
    try:
        clear(force=True)
        library.set_num_threads(n_threads)
    finally:
        clear(force=True)
