"""One traced run of a model: which layers it calls, how they are nested, and what they pass on."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Side = Literal["first", "last"]
"""Where a layer has its channels: first, as convolutions in PyTorch, or last, as dense layers."""

MODEL = "(model)"
"""The name of what the model itself returns, where no layer of it returns the same."""

INPUT = "@input"
"""Follows the name of a layer whose input is meant."""


class Value(NamedTuple):
    """A tensor that a call returned: its name as `Naming` gives it, identity, shape and type."""

    name: str
    key: Hashable
    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def is_real(self) -> bool:
        """Whether it holds real numbers, of any precision."""
        return "float" in self.dtype


@dataclass(eq=False)
class Call:
    """One call of a layer.

    Attributes
    ----------
    path, kind : str
        The layer's name, "" for the model itself, and its class.
    family : str
        What layers of one class have in common, where the class is not known; "" if it is.
    parent : Call or None
    start, end : int
        When it began and ended, in steps of one clock.
    has_parameters : bool
        Whether there are parameters anywhere inside it.
    has_weights : bool
        Whether it is a leaf with a parameter of two axes or more.
    is_container : bool
        Whether it only runs its children in order, as ``nn.Sequential`` does.
    inputs : list
        The identities of the tensors that it was given.
    first_input : tuple of int or None
        The shape of its first tensor, if that holds real numbers.
    values : list of Value
        The tensors that it returned.
    children : list of Call
    side, width : str or None, int or None
        Of a leaf with parameters: where it has its channels, and how many.
    returns_state : bool
        Whether what it returns after its first value is the state of a recurrent layer.
    number : int
        Which call of the same layer it is, from 1.
    """

    path: str
    kind: str
    parent: Call | None = None
    start: int = 0
    end: int = 0
    has_parameters: bool = False
    has_weights: bool = False
    is_container: bool = False
    inputs: list[Hashable] = field(default_factory=list)
    first_input: tuple[int, ...] | None = None
    values: list[Value] = field(default_factory=list)
    children: list[Call] = field(default_factory=list)
    side: Side | None = None
    width: int | None = None
    returns_state: bool = False
    number: int = 1
    family: str = ""

    @property
    def alike(self) -> str:
        """What layers of one class have in common."""
        return self.family or self.kind

    @property
    def keys(self) -> list[Hashable]:
        """The identities of the tensors that it returned."""
        return [value.key for value in self.values]

    @property
    def input_name(self) -> str:
        """The name of its first input."""
        return f"{self.path}{f':{self.number}' if self.number > 1 else ''}{INPUT}"

    def inside(self, other: Call) -> bool:
        """Whether it ran during another call, or is that call."""
        return other.start <= self.start and self.end <= other.end


@dataclass(frozen=True)
class Trace:
    """One run.

    Attributes
    ----------
    root : Call
        The call of the model.
    calls : sequence of Call
        All calls in the order in which they began, the root first.
    is_graph : bool
        Whether the model is one flat graph of layers, as a functional Keras model is, so that its
        blocks are not to be seen from the nesting.
    """

    root: Call
    calls: Sequence[Call]
    is_graph: bool = False


class Recorder:
    """Collects the calls of one run; `enter` and `leave` enclose each."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._stack: list[Call] = []
        self._clock = 0
        self._numbers: dict[str, int] = {}

    def enter(self, call: Call) -> None:
        """Begin a call."""
        self._clock += 1
        call.start = self._clock
        call.number = self._numbers[call.path] = self._numbers.get(call.path, 0) + 1
        if self._stack:
            call.parent = self._stack[-1]
            call.parent.children.append(call)
        self.calls.append(call)
        self._stack.append(call)

    def leave(self) -> Call:
        """End the innermost call."""
        self._clock += 1
        call = self._stack.pop()
        call.end = self._clock
        return call

    def trace(self, *, is_graph: bool = False) -> Trace:
        """Return what was collected; the first call is the model's."""
        return Trace(self.calls[0], self.calls, is_graph)


class Identities:
    """Numbers for objects that are the same as long as an object lives, and never given twice."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Callable[[], Any], int]] = {}
        self._next = 0

    def of(self, value: Any) -> int:
        """Return the number of an object."""
        known = self._known.get(id(value))
        if known is not None and known[0]() is value:
            return known[1]
        self._next += 1
        try:
            reference: Callable[[], Any] = weakref.ref(value)
        except TypeError:  # kept alive instead
            reference = lambda: value  # noqa: E731
        self._known[id(value)] = reference, self._next
        return self._next


def ancestors(call: Call) -> Iterator[Call]:
    """Yield the calls around a call, the innermost first."""
    while call.parent is not None:
        call = call.parent
        yield call
