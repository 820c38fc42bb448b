"""The steps that a user asks for: checked, described, and identified."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from ..numbers import is_integer
from .callables import identity_of, name_of

NAMES: Final = ("center", "standardize", "normalize", "whiten")
_REMOVE_TOP: Final = re.compile(r"remove_top_([0-9]{1,6})")


@dataclass(frozen=True)
class Step:
    """One step of preprocessing.

    Attributes
    ----------
    name : str
        Of `NAMES`, "remove_top", or that of the function.
    n_removed : int
        Of "remove_top": how many principal components are removed.
    function : callable or None
        Takes points and returns points.
    """

    name: str
    n_removed: int = 0
    function: Callable[[Any], Any] | None = None

    def __str__(self) -> str:
        if self.function is not None:
            return f"{self.name}()"
        return f"{self.name}_{self.n_removed}" if self.n_removed else self.name


def as_steps(given: Any, name: str = "preprocess") -> tuple[Step, ...]:
    """Return the steps of an argument: None, a name, a pair, a function, or a sequence of these.

    Raises
    ------
    TypeError, ValueError
        If there is another name or type; the message lists what is allowed.
    """
    if given is None:
        return ()
    if isinstance(given, Step):
        return (given,)
    if isinstance(given, str) or callable(given) or _is_pair(given):
        return (_step(given, name),)
    if isinstance(given, Iterable) and not isinstance(given, dict | bytes | set | frozenset):
        return tuple(
            each if isinstance(each, Step) else _step(each, f"{name}[{place}]")
            for place, each in enumerate(given)
        )
    raise TypeError(f"{name} must be {_ALLOWED}; got {given!r}")


_ALLOWED: Final = (
    "'center', 'standardize', 'normalize', 'whiten', 'remove_top_3' (or ('remove_top', 3)), "
    "a function of the points, or a list of these"
)


def _is_pair(given: Any) -> bool:
    return isinstance(given, tuple | list) and len(given) == 2 and given[0] == "remove_top"


def _step(given: Any, name: str) -> Step:
    if _is_pair(given):
        if not is_integer(given[1]) or not 1 <= given[1] < 10**6:
            raise ValueError(
                f"{name}: 'remove_top' takes a number of components from 1 up; got {given[1]!r}"
            )
        return Step("remove_top", int(given[1]))
    if isinstance(given, str):
        match = _REMOVE_TOP.fullmatch(given)
        if match and int(match[1]):
            return Step("remove_top", int(match[1]))
        if given in NAMES:
            return Step(given)
        raise ValueError(f"{name} must be {_ALLOWED}; got {given!r}")
    if isinstance(given, type) or not callable(given):
        raise TypeError(f"{name} must be {_ALLOWED}; got {given!r}")
    return Step(name_of(given), function=given)


def described(steps: Iterable[Step]) -> list[str]:
    """Return the steps as text, for settings; a function is its name with parentheses."""
    return [str(step) for step in steps]


def identified(steps: Iterable[Step]) -> list[str]:
    """Return what decides the result: as `described`, with a function's `identity_of`."""
    return [
        str(step) if step.function is None else f"{step} {identity_of(step.function)}"
        for step in steps
    ]
