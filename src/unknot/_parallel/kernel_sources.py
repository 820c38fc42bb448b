"""The source files that compiled kernels are made from."""

from __future__ import annotations

from pathlib import Path

_PARTS = ("barrier.py", "shared_state.py", "simd.py")


def kernel_sources(package: Path) -> list[Path]:
    """Return the files of all kernels of a package: they are inlined into each other."""
    parts = (Path(__file__).with_name(name) for name in _PARTS)
    return sorted({*parts, *package.rglob("*kernels*.py")} - {Path(__file__)})
