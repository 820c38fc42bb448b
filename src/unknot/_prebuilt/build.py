"""Writes the folder of prebuilt kernels: ``python -m unknot._prebuilt.build PROGRAM FOLDER``.

Nothing is listed by hand. The program is run with Numba; each kernel that it calls is kept for the
kinds of arguments that it calls it with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import runpy
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import llvmlite.binding as llvm
from numba import typeof
from numba.core import codegen

from .arguments import Kind, kinds_of
from .entry import RESULTS, entry_text
from .kernel import Kernel
from .library import FORMAT, LIST, PACKAGE, digest_of_sources, is_supported
from .machine_code import ENTRY

# What machine code may call. All are in every C library, which MCJIT finds in the process.
EXTERNAL: Final = {
    "calloc", "cos", "exp", "exp2", "expf", "fmod", "free", "log", "log2", "logf", "malloc",
    "memcpy", "memmove", "memset", "pow", "sched_yield", "sin", "sqrt", "sqrtf",
}  # fmt: skip
# Numba's runtime gives these to kernels that allocate or flatten arrays. It has reference counts of
# its own, but LLVM has put instructions of one processor into their bitcode.
_RUNTIME: Final = {
    "NRT_MemInfo_alloc_aligned": """
define ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %align) noinline {
  %all = add i64 %size, 192
  %info = call ptr @malloc(i64 %all)
  %failed = icmp eq ptr %info, null
  br i1 %failed, label %end, label %made
made:
  store i64 1, ptr %info
  %start = ptrtoint ptr %info to i64
  %beyond = add i64 %start, 127
  %place = and i64 %beyond, -64
  %data = inttoptr i64 %place to ptr
  %field = getelementptr i8, ptr %info, i64 24
  store ptr %data, ptr %field
  br label %end
end:
  ret ptr %info
}
""",
    "NRT_decref": """
define void @NRT_decref(ptr %info) noinline {
  %none = icmp eq ptr %info, null
  br i1 %none, label %end, label %owned
owned:
  %before = atomicrmw sub ptr %info, i64 1 acq_rel
  %last = icmp eq i64 %before, 1
  br i1 %last, label %release, label %end
release:
  call void @free(ptr %info)
  br label %end
end:
  ret void
}
""",
    "NRT_incref": """
define void @NRT_incref(ptr %info) noinline {
  %none = icmp eq ptr %info, null
  br i1 %none, label %end, label %owned
owned:
  %before = atomicrmw add ptr %info, i64 1 monotonic
  br label %end
end:
  ret void
}
""",
    # To one dimension, of an array in C order; 0 of any other, which is an error.
    "numba_attempt_nocopy_reshape": """
define i32 @numba_attempt_nocopy_reshape(
    i64 %count, ptr %lengths, ptr %strides, i64 %new_count, ptr %new_lengths, ptr %new_strides,
    i64 %size, i32 %order) noinline {
start:
  %flat = icmp eq i64 %new_count, 1
  br i1 %flat, label %next, label %no
next:
  %left = phi i64 [ %count, %start ], [ %number, %good ]
  %step = phi i64 [ %size, %start ], [ %more, %good ]
  %done = icmp eq i64 %left, 0
  br i1 %done, label %yes, label %axis
axis:
  %number = sub i64 %left, 1
  %length_at = getelementptr i64, ptr %lengths, i64 %number
  %length = load i64, ptr %length_at, align 8
  %stride_at = getelementptr i64, ptr %strides, i64 %number
  %stride = load i64, ptr %stride_at, align 8
  %more = mul i64 %step, %length
  %short = icmp sle i64 %length, 1
  %dense = icmp eq i64 %stride, %step
  %either = or i1 %short, %dense
  br i1 %either, label %good, label %no
good:
  br label %next
yes:
  store i64 %size, ptr %new_strides, align 8
  ret i32 1
no:
  ret i32 0
}
""",
}

_DECLARATIONS: Final = {
    "malloc": "declare ptr @malloc(i64)\n",
    "free": "declare void @free(ptr)\n",
}

Recorded = dict[tuple[str, tuple[Kind, ...]], tuple[Any, Any]]
"""By a kernel's name and the kinds of its arguments: Numba's dispatcher and signature."""


@contextmanager
def recorded() -> Iterator[Recorded]:
    """Record the kernels that are called, and the kinds of their arguments."""
    found: Recorded = {}
    original = Kernel.__call__

    def call(kernel: Kernel, *arguments: Any) -> Any:
        dispatcher = kernel.compiled()
        kinds = kinds_of(arguments)
        if None not in kinds:
            signature = tuple(map(typeof, arguments))
            found.setdefault((kernel.name, kinds), (dispatcher, signature))
        return dispatcher(*arguments)

    Kernel.__call__ = call  # type: ignore[assignment,method-assign]
    try:
        yield found
    finally:
        Kernel.__call__ = original  # type: ignore[method-assign]


class Kept(NamedTuple):
    """A library that Numba has compiled, in bitcode."""

    library: Any
    linked: bytes
    """All that is inlined is linked in; Numba's optimization of the whole is still to come."""
    optimized: bytes


@contextmanager
def _kept_libraries() -> Iterator[dict[int, Kept]]:
    """Keep every library that Numba compiles, before its optimization and before its machine code.

    Afterwards the bitcode has what code generation has put into it for this processor.
    """
    kept: dict[int, Kept] = {}
    cls = codegen.CPUCodeLibrary
    optimize: Callable[[Any], None] = cls._optimize_final_module

    def keep(library: Any) -> None:
        linked = library._final_module.as_bitcode()
        optimize(library)
        kept[id(library)] = Kept(library, linked, library._final_module.as_bitcode())

    cls._optimize_final_module = keep
    try:
        yield kept
    finally:
        cls._optimize_final_module = optimize


def prebuilt(kept: Kept, native: str, kinds: tuple[Kind, ...], returns: str) -> tuple[bytes, bool]:
    """Return the bitcode of a kernel with its entry, and whether it is still to be optimized.

    A sum that has been vectorized is in an order that depends on the width of the vectors. Such a
    kernel must be optimized for the processor that runs it, as Numba does. All others are
    optimized here: the code is the same on every processor, or rounds in the same way.

    Raises
    ------
    ValueError
        If the code depends on one processor, or calls what a process may not have.
    """
    module = _own_module(kept.optimized)
    unfinished = "@llvm.vector.reduce.f" in _text_of(module, native)
    if unfinished:
        module = _own_module(kept.linked)
        options = {"loop_vectorize": False, "slp_vectorize": False, "opt": 0, "cost": "cheap"}
        manager, builder = kept.library._codegen._module_pass_manager(**options)
        manager.run(module, builder)
    types = [str(argument.type) for argument in module.get_function(native).arguments]
    entry = llvm.parse_assembly(entry_text(native, types, kinds, returns))
    entry.data_layout, entry.triple = module.data_layout, module.triple
    module.link_in(entry)
    for item in (*module.functions, *module.global_variables):
        if not item.is_declaration:
            item.linkage = "external" if item.name in (ENTRY, native) else "internal"
    manager = llvm.create_new_module_pass_manager()
    manager.add_global_dead_code_eliminate_pass()
    machine = llvm.Target.from_default_triple().create_target_machine()
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    manager.run(module, llvm.create_pass_builder(machine, options))
    module.verify()
    check(module, native)
    return module.as_bitcode(), unfinished


def _own_module(bitcode: bytes) -> Any:
    return llvm.parse_assembly(_with_own_runtime(str(llvm.parse_bitcode(bitcode))))


def _text_of(module: Any, native: str) -> str:
    """Return the assembly of a function and of all that it calls out of line."""
    found, left = {}, [native]
    while left:
        name = left.pop()
        if name in found:
            continue
        function = module.get_function(name)
        found[name] = str(function)
        left += [
            item.name
            for item in module.functions
            if not item.is_declaration and item.name in found[name]
        ]
    return "".join(found.values())


def check(module: Any, name: str) -> None:
    """Raise ValueError if a module depends on one processor, or on what a process may not have."""
    declared = {item.name for item in module.functions if item.is_declaration}
    variables = {item.name for item in module.global_variables if item.is_declaration}
    own = {each for each in declared if re.match(r"llvm\.(x86|aarch64|arm|ppc|riscv)\b", each)}
    if own:
        raise ValueError(f"{name} uses instructions of one kind of processor: {sorted(own)}")
    missing = {each for each in declared if not each.startswith("llvm.")} - EXTERNAL | variables
    if missing:
        raise ValueError(f"{name} needs what a process may not have: {sorted(missing)}")


def _with_own_runtime(text: str) -> str:
    """Replace what Numba's runtime gives to a kernel, in LLVM's assembly."""
    for name, definition in _RUNTIME.items():
        pattern = rf"^(declare [^\n]*@{name}\([^\n]*|define [^\n]*@{name}\(.*?^\}})$"
        text = re.sub(pattern, lambda _: definition, text, flags=re.M | re.S)  # noqa: B023
    for name, declaration in _DECLARATIONS.items():
        if f"@{name}(" in text and not re.search(rf"^declare [^\n]*@{name}\(", text, re.M):
            text += declaration
    return text


def build(program: Path, folder: Path) -> int:
    """Write the kernels of a program to a folder, with their list, and return their number."""
    if not is_supported():
        raise RuntimeError(
            f"prebuilt kernels are not made for {sys.platform} on {platform.machine()}: nothing of "
            "them has been tested there"
        )
    with _kept_libraries() as kept, recorded() as found:
        runpy.run_path(str(program), run_name="__main__")
        every = [_written(folder, *key, *value, kept) for key, value in found.items()]
    kernels = sorted(filter(None, every), key=lambda item: str(item["file"]))
    listed = {
        "format": FORMAT,
        "platform": sys.platform,
        "machine": platform.machine(),
        "llvm": list(llvm.llvm_version_info),
        "sources": digest_of_sources(PACKAGE),
        "kernels": kernels,
    }
    (folder / LIST).write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    return len(kernels)


def _written(
    folder: Path,
    name: str,
    kinds: tuple[Kind, ...],
    dispatcher: Any,
    signature: Any,
    libraries: dict[int, Kept],
) -> dict[str, Any] | None:
    """Write the bitcode of a kernel; return its item of the list, or None if it stays Numba's."""
    result = dispatcher.overloads[signature]
    returns = str(result.signature.return_type)
    if returns not in RESULTS:
        print(f"left to Numba, as it returns {returns}: {name}", file=sys.stderr)
        return None
    kept = libraries[id(result.library)]
    content, unfinished = prebuilt(kept, result.fndesc.llvm_func_name, kinds, returns)
    digest = hashlib.sha256(content).hexdigest()
    file = f"{name.split('.', 1)[-1]}-{hashlib.sha256(repr(kinds).encode()).hexdigest()[:8]}.bc"
    (folder / file).write_bytes(content)
    return {
        "name": name,
        "kinds": kinds,
        "returns": returns,
        "unfinished": unfinished,
        "file": file,
        "digest": digest,
    }


def main() -> None:
    """Build into the folder that is named on the command line."""
    parser = argparse.ArgumentParser(prog="unknot._prebuilt.build", description=__doc__)
    parser.add_argument("program", type=Path, help="a file of Python that calls the kernels")
    parser.add_argument("folder", type=Path, help="a new or empty folder")
    given = parser.parse_args()
    folder = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        parser.error(f"{folder} is not empty: name a new folder, or empty it")
    with tempfile.TemporaryDirectory() as cache:
        # Numba must compile all: from a cache it has machine code alone.
        os.environ["NUMBA_CACHE_DIR"] = cache
        count = build(given.program, folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{count} kernels, {size / 1000:.0f} kB, in {folder}")


if __name__ == "__main__":
    main()
