"""A kernel as its callers see it: prebuilt machine code where it fits, else Numba's."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from .._parallel.interruptible import held_over_forks, run_interruptibly
from . import library
from .arguments import kinds_of


class Kernel:
    """A compiled kernel that is found when it is first called.

    Prebuilt machine code is used for the kinds of arguments that it was made for. For all others,
    and where there is none, the module of the kernel is imported, and Numba compiles it.

    Parameters
    ----------
    module, name : str
        Where the kernel is defined.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name
        self._last: library.Loaded | None = None
        self._loaded: dict[library.Variant, library.Loaded | None] = {}
        self._dispatcher: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        """Call the kernel."""
        last = self._last
        if last is not None:
            fits, result = last.call(arguments)
            if fits:
                return result
        return self._find(arguments)

    @property
    def name(self) -> str:
        """The kernel's module and name."""
        return f"{self._module}.{self._name}"

    def compiled(self) -> Any:
        """Import the kernel's module, and return the kernel that Numba compiles."""
        if self._dispatcher is None:
            # An interrupt must not leave modules half imported.
            module = run_interruptibly(lambda: _import(self._module))
            self._dispatcher = getattr(module, self._name)
        return self._dispatcher

    def _find(self, arguments: tuple[Any, ...]) -> Any:
        """Call the variant for arguments of these kinds, or Numba's kernel."""
        loaded = self._prebuilt(arguments)
        if loaded is not None:
            fits, result = loaded.call(arguments)
            if fits:
                self._last = loaded
                return result
        return self.compiled()(*arguments)

    def _prebuilt(self, arguments: tuple[Any, ...]) -> library.Loaded | None:
        variants = library.variants_of(self.name)
        variant = variants.get(kinds_of(arguments)) if variants else None
        if variant is None:
            return None
        if variant not in self._loaded:
            self._loaded[variant] = run_interruptibly(variant.load)
        return self._loaded[variant]


def _import(module: str) -> Any:
    with held_over_forks:
        return importlib.import_module(module)
