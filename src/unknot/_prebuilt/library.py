"""The kernels that the package brings as bitcode, and whether they can be used here.

``bitcode/kernels.json`` lists them: per kernel and kinds of arguments the file, its digest and what
the kernel returns. It also says what all of them were made from, and by which LLVM. A wheel has the
folder; a checkout does not, and its kernels are compiled by Numba.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from .._parallel.kernel_sources import kernel_sources
from . import machine_code
from .arguments import Kind, Packer, frozen

PACKAGE: Final = Path(__file__).parent.parent
FOLDER: Final = Path(__file__).parent / "bitcode"
LIST: Final = "kernels.json"
# Raised when entries or their arguments are laid out in another way.
FORMAT: Final = 1
# Where the tests have run. Elsewhere kernels are compiled by Numba.
PLATFORMS: Final = {("linux", "x86_64")}
# Processors for which Numba does not use all features.
_REDUCED: Final = {"corei7-avx", "core-avx-i", "sandybridge", "ivybridge"}
# Settings of Numba that do not change the code it makes.
_NEUTRAL: Final = {
    "NUMBA_CACHE_DIR",
    "NUMBA_CPU_FEATURES",
    "NUMBA_CPU_NAME",
    "NUMBA_NUM_THREADS",
    "NUMBA_THREADING_LAYER",
    "NUMBA_THREADING_LAYER_PRIORITY",
}
# What an entry returns if an array is not of the kind expected; nothing has been computed then.
MISMATCH: Final = 1000
# Numba's codes for a normal end, with and without a result.
NORMAL: Final = (0, -2)


@dataclass(frozen=True)
class Variant:
    """A kernel for given kinds of arguments."""

    name: str
    kinds: tuple[Kind, ...]
    returns: str
    """ "none" or "float64"."""
    unfinished: bool
    """Whether the bitcode is still to be optimized, for the processor that runs it."""
    path: Path
    digest: str

    def load(self) -> Loaded | None:
        """Make or read the machine code; None if the file is not the one that was listed."""
        try:
            bitcode = self.path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(bitcode).hexdigest() != self.digest:
            return None
        entry = machine_code.load(self.name, bitcode, self.unfinished, self.path)
        return Loaded(self.name, entry, Packer(self.kinds), self.returns)


class Loaded:
    """Machine code of a kernel, for given kinds of arguments."""

    def __init__(self, name: str, entry: Any, pack: Packer, returns: str) -> None:
        self._name = name
        self._entry = entry
        self._pack = pack
        self._returns = returns

    def call(self, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
        """Call the kernel. Return whether the arguments are of its kinds, and its result."""
        packed = self._pack(arguments)
        if packed is None:
            return False, None
        result = np.empty(1) if self._returns != "none" else None
        place = None if result is None else result.ctypes.data
        status = self._entry(packed, self._pack.descriptors, place)
        if status == MISMATCH:
            return False, None
        if status not in NORMAL:
            raise RuntimeError(
                f"the kernel {self._name} has ended with status {status}: memory is exhausted, or "
                "this is a fault of unknot"
            )
        return True, None if result is None else float(result[0])


def variants_of(name: str) -> dict[tuple[Kind, ...], Variant]:
    """Return the variants of a kernel that can be used here, by the kinds of their arguments."""
    return _library().get(name, {}) if _may_be_used() else {}


@functools.cache
def _library() -> dict[str, dict[tuple[Kind, ...], Variant]]:
    return read(FOLDER)


def read(folder: Path) -> dict[str, dict[tuple[Kind, ...], Variant]]:
    """Read a folder's list of kernels; empty if there is none that this process can use."""
    if not is_supported():
        return {}
    try:
        listed = json.loads((folder / LIST).read_bytes())
        made_for = (listed["format"], listed["platform"], listed["machine"])
        if made_for != (FORMAT, sys.platform, platform.machine()):
            return {}
        # An older LLVM ends the process when it reads the bitcode of a newer one.
        if tuple(listed["llvm"]) > machine_code.llvm_version():
            return {}
        if listed["sources"] != digest_of_sources(PACKAGE):
            return {}
        library: dict[str, dict[tuple[Kind, ...], Variant]] = {}
        for item in listed["kernels"]:
            kinds = frozen(item["kinds"])
            path = folder / Path(item["file"]).name
            variant = Variant(
                item["name"], kinds, item["returns"], item["unfinished"], path, item["digest"]
            )
            library.setdefault(variant.name, {})[kinds] = variant
    except (OSError, ValueError, KeyError, TypeError, ImportError):
        return {}
    return library


def digest_of_sources(package: Path) -> str:
    """Return a digest of the sources of all kernels, the same wherever they lie."""
    digest = hashlib.sha256(f"{FORMAT}".encode())
    for path in kernel_sources(package):
        source = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{path.name} {len(source)} ".encode() + source)
    return digest.hexdigest()


def is_supported() -> bool:
    """Whether prebuilt kernels run on this platform, Python and NumPy."""
    return (sys.platform, platform.machine()) in PLATFORMS and _arrays_are_laid_out_as_expected()


@functools.cache
def _may_be_used() -> bool:
    """Whether no setting asks for Numba's own compilation."""
    if any(name.startswith("NUMBA_") and name not in _NEUTRAL for name in os.environ):
        return False
    if os.environ.get("NUMBA_CPU_NAME") in _REDUCED or _is_measured():
        return False
    import llvmlite.binding as llvm

    return llvm.get_host_cpu_name() not in _REDUCED


def _is_measured() -> bool:
    """Whether coverage is being measured, which only kernels compiled here can take part in."""
    coverage = sys.modules.get("coverage")
    return coverage is not None and coverage.Coverage.current() is not None


# Offsets in an array's object (PyArrayObject_fields in NumPy's ndarraytypes.h).
DATA, DIMENSIONS_COUNT, SHAPE, STRIDES, DTYPE, FLAGS = 16, 24, 32, 40, 56, 64
# Its flags: C-contiguous, aligned, writable.
CONTIGUOUS, ALIGNED, WRITABLE = 0x1, 0x100, 0x400


@functools.cache
def _arrays_are_laid_out_as_expected() -> bool:
    """Whether the fields of NumPy's arrays are where an entry reads them.

    So in NumPy 1 and 2 and in ordinary builds of Python; free-threaded ones have larger objects.
    """
    if object.__basicsize__ != DATA or np.ndarray.__basicsize__ < FLAGS + 4:
        return False
    import ctypes

    array = np.zeros((2, 3), np.float32)
    at = id(array)
    word, half = ctypes.c_uint64.from_address, ctypes.c_int32.from_address
    shape, strides = word(at + SHAPE).value, word(at + STRIDES).value
    array.flags.writeable = False
    flags = half(at + FLAGS).value
    return (
        word(at + DATA).value == array.ctypes.data
        and half(at + DIMENSIONS_COUNT).value == 2
        and word(at + DTYPE).value == id(array.dtype)
        and flags & (CONTIGUOUS | ALIGNED | WRITABLE) == CONTIGUOUS | ALIGNED
        and (word(shape).value, word(shape + 8).value) == array.shape
        and (word(strides).value, word(strides + 8).value) == array.strides
    )
