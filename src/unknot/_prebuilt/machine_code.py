"""Machine code from bitcode, by llvmlite, which comes with Numba; cached on disk.

LLVM ends the process where it cannot read bitcode. So nothing is handed to it but what the package
brought with it, unchanged, and what was written by this LLVM or an older one: the caller
(`library`) has checked both.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from .._parallel.interruptible import held_over_forks
from .._parallel.private_files import private_folders, read_own, write_own

ENTRY = "unknot_entry"
_DIGEST = hashlib.sha256().digest_size
# Machine code is valid while its engine lives: as long as the process.
_engines: list[Any] = []
_entries: dict[str, Any] = {}

Entry = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
"""An entry takes packed arguments, addresses of dtypes, and where to write the result."""


def llvm_version() -> tuple[int, ...]:
    """Return the version of the LLVM that would make the machine code."""
    import llvmlite.binding as llvm

    return tuple(llvm.llvm_version_info)


class _Target:
    """The processor to make code for: as Numba chooses it."""

    def __init__(self) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        cpu = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
        features = os.environ.get("NUMBA_CPU_FEATURES")
        if features is None:
            generic = cpu == "generic"
            features = "" if generic else llvm.get_host_cpu_features().flatten()
        self.machine = llvm.Target.from_default_triple().create_target_machine(
            opt=3, cpu=cpu, features=features, reloc="static", codemodel="jitdefault", jit=True
        )
        self.description = f"{llvm_version()} {self.machine.triple} {cpu} {features}"

    def object_code(self, bitcode: bytes, unfinished: bool) -> bytes:
        """Compile bitcode to an object file."""
        import llvmlite.binding as llvm

        module = llvm.parse_bitcode(bitcode)
        module.data_layout = str(self.machine.target_data)
        if unfinished:
            # As Numba does by default.
            options = llvm.create_pipeline_tuning_options(speed_level=3)
            options.loop_vectorization, options.slp_vectorization = True, False
            builder = llvm.create_pass_builder(self.machine, options)
            manager = builder.getModulePassManager()
            manager.add_refprune_pass()
            manager.run(module, builder)
        code: bytes = self.machine.emit_object(module)
        return code

    def address(self, code: bytes) -> int:
        """Load an object file and return the address of its entry."""
        import llvmlite.binding as llvm

        # An engine each, since the entries of all kernels have the same name.
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), self.machine)
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        _engines.append(engine)
        address: int = engine.get_function_address(ENTRY)
        return address


_target = functools.cache(_Target)


def load(name: str, bitcode: bytes, unfinished: bool, beside: Path) -> Any:
    """Return the entry of a kernel: its machine code from the cache, or else made from bitcode.

    ``unfinished`` bitcode is still to be optimized for this processor. ``beside`` is the file of
    the bitcode; the cache's folder is chosen as for Numba's kernels.
    """
    with held_over_forks:
        target = _target()
        key = hashlib.sha256(hashlib.sha256(bitcode).digest() + target.description.encode())
        file = f"{name}-{key.hexdigest()[:32]}.object"
        if file not in _entries:
            code = _cached(beside, file)
            if code is None:
                code = target.object_code(bitcode, unfinished)
                _keep(beside, file, code)
            _entries[file] = Entry(target.address(code))
        return _entries[file]


def _cached(beside: Path, file: str) -> bytes | None:
    """Return cached machine code; None if there is none, or it is damaged."""
    for folder in private_folders(beside):
        content = read_own(folder / file)
        if content and content[:_DIGEST] == hashlib.sha256(content[_DIGEST:]).digest():
            return content[_DIGEST:]
    return None


def _keep(beside: Path, file: str, code: bytes) -> None:
    """Write machine code to the first folder that can be written to, if there is one."""
    for folder in private_folders(beside, make=True):
        with suppress(OSError):
            write_own(folder / file, hashlib.sha256(code).digest() + code)
            return
