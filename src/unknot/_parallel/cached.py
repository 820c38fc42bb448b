"""A cached property that threads compute for different objects at the same time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property as cached_property
else:

    class cached_property:  # noqa: N801 (as in functools)
        """`functools.cached_property` as of Python 3.12.

        Before, one lock for all objects makes a thread wait while another computes the property of
        an object of its own.
        """

        def __init__(self, compute: Any) -> None:
            self._compute = compute
            self.__doc__ = compute.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            """Compute the value, and store it in the object, where it is found from now on."""
            if instance is None:
                return self
            value = self._compute(instance)
            return instance.__dict__.setdefault(self._name, value)
