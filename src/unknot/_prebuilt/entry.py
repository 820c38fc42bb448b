"""The entry of a prebuilt kernel in LLVM's assembly: it unpacks arguments and calls the kernel.

Used by the build alone. ``unknot_entry(slots, dtypes, result)`` reads a slot of eight bytes per
number or array. For an array the slot is the address of its object: the entry compares dtype,
dimensions and flags with those that the kernel was compiled for, returns `MISMATCH` if they differ,
and else hands the kernel what Numba's calling convention has for an array: two null owners, the
number of items, their size, the data, the shape and the strides.
"""

from __future__ import annotations

from collections.abc import Sequence

from .arguments import NAMES, Kind, array_kind, flat
from .library import (
    ALIGNED,
    CONTIGUOUS,
    DATA,
    DIMENSIONS_COUNT,
    DTYPE,
    FLAGS,
    MISMATCH,
    SHAPE,
    STRIDES,
    WRITABLE,
)
from .machine_code import ENTRY

# LLVM's types of numbers as Numba passes them, and as they lie in a slot.
_TYPES = {
    "int": "i64",
    "bool": "i8",
    "float": "double",
    "numpy.bool": "i8",
    "int32": "i32",
    "int64": "i64",
    "uint32": "i32",
    "uint64": "i64",
    "float32": "float",
    "float64": "double",
}
assert _TYPES.keys() == NAMES.keys()
# Of what a kernel returns; "" for nothing.
RESULTS = {"none": "", "float64": "double"}


class _Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self._count = 0

    def value(self, expression: str) -> str:
        """Write an instruction and return the name of its value."""
        name = f"%v{self._count}"
        self._count += 1
        self.lines.append(f"  {name} = {expression}")
        return name

    def field(self, base: str, offset: int, kind: str) -> str:
        """Load a field of a structure."""
        address = self.value(f"getelementptr i8, ptr {base}, i64 {offset}")
        return self.value(f"load {kind}, ptr {address}, align 4")


def entry_text(native: str, types: Sequence[str], kinds: Sequence[Kind], returns: str) -> str:
    """Return the entry's assembly.

    Parameters
    ----------
    native : str
        The name of the compiled function.
    types : sequence of str
        LLVM's types of its arguments, the two for the result and the exception first.
    kinds : sequence
        The kinds of the kernel's arguments.
    returns : {"none", "float64"}

    Raises
    ------
    ValueError
        If the function does not take such arguments.
    """
    checks, calls = _Writer(), _Writer()
    calls._count = 1_000_000
    passed: list[tuple[str, str]] = []
    fits: list[str] = []
    for number, kind in enumerate(flat(kinds)):
        array = array_kind(kind)
        if array is None:
            passed.append((_TYPES[kind], calls.field("%slots", 8 * number, _TYPES[kind])))
            continue
        dtype, dimensions, writable = array
        item = checks.field("%slots", 8 * number, "ptr")
        same = checks.field("%dtypes", 8 * len(fits), "ptr")
        flags = CONTIGUOUS | ALIGNED | WRITABLE
        expected = flags if writable else CONTIGUOUS | ALIGNED
        found = checks.value(f"and i32 {checks.field(item, FLAGS, 'i32')}, {flags}")
        count = checks.field(item, DIMENSIONS_COUNT, "i32")
        conditions = [
            checks.value(f"icmp eq ptr {checks.field(item, DTYPE, 'ptr')}, {same}"),
            checks.value(f"icmp eq i32 {count}, {dimensions}"),
            checks.value(f"icmp eq i32 {found}, {expected}"),
        ]
        both = checks.value(f"and i1 {conditions[0]}, {conditions[1]}")
        fits.append(checks.value(f"and i1 {both}, {conditions[2]}"))
        passed += _array(calls, item, dtype.itemsize, dimensions)
    if [kind for kind, _ in passed] != list(types[2:]):
        raise ValueError(
            f"{native} takes {list(types[2:])}, but its arguments are {kinds}: the calling "
            "convention of Numba has changed, and this build does not know the new one"
        )
    every = "true"
    for one in fits:
        every = checks.value(f"and i1 {every}, {one}")
    arguments = ", ".join(
        ["ptr %result_", "ptr %error", *(f"{kind} {name}" for kind, name in passed)]
    )
    quoted = native.replace('"', "")
    lines = [
        f'declare i32 @"{quoted}"({", ".join(types)})',
        f"define i32 @{ENTRY}(ptr %slots, ptr %dtypes, ptr %result) {{",
        "start:",
        "  %result_ = alloca i64, align 8",
        "  %error = alloca ptr, align 8",
        *checks.lines,
        f"  br i1 {every}, label %work, label %mismatch",
        "mismatch:",
        f"  ret i32 {MISMATCH}",
        "work:",
        *calls.lines,
        # Inlined, the kernel would be optimized in another way than Numba's.
        f'  %status = call i32 @"{quoted}"({arguments}) noinline',
    ]
    if result := RESULTS[returns]:
        lines += [
            f"  %value = load {result}, ptr %result_, align 8",
            f"  store {result} %value, ptr %result, align 8",
        ]
    return "\n".join([*lines, "  ret i32 %status", "}", ""])


def _array(calls: _Writer, item: str, size: int, dimensions: int) -> list[tuple[str, str]]:
    shape, strides = calls.field(item, SHAPE, "ptr"), calls.field(item, STRIDES, "ptr")
    lengths = [calls.field(shape, 8 * number, "i64") for number in range(dimensions)]
    steps = [calls.field(strides, 8 * number, "i64") for number in range(dimensions)]
    count = lengths[0]
    for length in lengths[1:]:
        count = calls.value(f"mul i64 {count}, {length}")
    data = calls.field(item, DATA, "ptr")
    head = [("ptr", "null"), ("ptr", "null"), ("i64", count), ("i64", str(size)), ("ptr", data)]
    return [*head, *(("i64", name) for name in (*lengths, *steps))]
