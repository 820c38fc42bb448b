"""A cache of compiled kernels on disk, in folders that only the user can write to.

The first t-SNE of a process takes 1.8 s with cached kernels, 11.9 s without (docs/benchmarks.md).

Numba's own cache unpickles any file it finds, in a folder that a configuration file in the working
directory can name, and a damaged file raises. Here the folder must belong to the user, a file's
checksum is verified before it is unpickled, and with any problem the kernel is recompiled.

A file holds the compiled versions of one kernel, one per argument types. It is valid for the
sources of all kernels together, since kernels are inlined into each other.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import FunctionCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from .. import __version__
from .kernel_sources import kernel_sources
from .private_files import folder_of, private_folders, read_own, write_own

_DIGEST = hashlib.sha256().digest_size


class KernelCache(FunctionCache):  # type: ignore[misc] # Numba's classes are untyped
    """The cache of one kernel, as a Numba dispatcher uses it: load before compiling, save after."""

    def __init__(self, function: Callable[..., Any]) -> None:
        # The base class is not initialized: it would choose a folder by Numba's rules.
        self._py_func = function
        self._source = Path(function.__code__.co_filename)
        version = f"py{sys.version_info[0]}{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
        name = f"{function.__module__}.{function.__qualname__}".replace("<", "").replace(">", "")
        self._name = f"{name}-{function.__code__.co_firstlineno}.{version}.kernel"

    @property
    def cache_path(self) -> str | None:
        """The folder to cache the kernel in; None if there is none."""
        folder = folder_of(self._source)
        return None if folder is None else str(folder)

    def has_kernels(self) -> bool:
        """Whether a folder has a valid file of this kernel."""
        return any(self._read(folder) for folder in private_folders(self._source))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the cached kernel, or None."""
        target_context.refresh()
        key = self._index_key(sig, target_context.codegen())
        for folder in private_folders(self._source):
            if (content := self._read(folder).get(key)) is not None:
                # A valid file may refer to a library of which another version is loaded.
                with suppress(Exception):
                    return CompileResult._rebuild(target_context, *pickle.loads(content))
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write a compiled kernel to the first folder that can be written to."""
        if data.lifted or data.library.has_dynamic_globals:
            warnings.warn(f"{self._name} cannot be cached", stacklevel=2)
            return
        key, content = self._index_key(sig, data.codegen), dumps(data._reduce())
        for folder in private_folders(self._source, make=True):
            with suppress(OSError):
                self._write(folder, {**self._read(folder), key: content})
                return

    def flush(self) -> None:
        """Delete the kernel's cached files."""
        for folder in private_folders(self._source):
            with suppress(OSError):
                (folder / self._name).unlink()

    def _read(self, folder: Path) -> dict[Any, bytes]:
        """Return the entries of a folder's file; empty if it is missing, damaged or outdated."""
        content = read_own(folder / self._name)
        stamp = _stamp(self._source)
        if content[:_DIGEST] != stamp:
            return {}
        payload = content[2 * _DIGEST :]
        if content[_DIGEST : 2 * _DIGEST] != hashlib.sha256(payload).digest():
            return {}
        with suppress(Exception):
            entries = pickle.loads(payload)
            return entries if isinstance(entries, dict) else {}
        return {}

    def _write(self, folder: Path, entries: dict[Any, bytes]) -> None:
        payload = dumps(entries)
        content = _stamp(self._source) + hashlib.sha256(payload).digest() + payload
        write_own(folder / self._name, content)


@functools.cache
def _stamp(source: Path) -> bytes:
    """Return a digest of all sources that a kernel may be compiled from, and of the versions."""
    stamp = hashlib.sha256(f"{__version__} {numba.__version__} {llvmlite.__version__}".encode())
    for path in sorted({source, *kernel_sources(Path(__file__).parent.parent)}):
        with suppress(OSError):  # a package imported from an archive has one version only
            stamp.update(hashlib.sha256(path.read_bytes()).digest())
    return stamp.digest()
