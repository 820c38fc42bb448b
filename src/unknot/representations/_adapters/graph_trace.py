"""A trace of a model that is a graph: its operators, nested by the modules in their names."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from ..._typing import Array
from .._samples import Batch
from .._trace import Call, Recorder, Side, Trace, Value
from .base import Adapter

SUFFIX: Final = re.compile(r"(:\d+)?((\[[^\]]*\])*)$")
FIRST: Final = re.compile(r"conv|batch_?norm|group_?norm|instance_?norm", re.IGNORECASE)
LAST: Final = re.compile(
    r"linear|addmm|mm|matmul|gemm|embedding|gather|layer_?norm|rms_?norm|lstm|gru|rnn|attention",
    re.IGNORECASE,
)
VIEW: Final = re.compile(
    r"flatten|reshape|view|_unsafe_view|(un)?squeeze|identity|(feature_)?dropout|contiguous|alias|"
    r"detach|cast|to",
    re.IGNORECASE,
)
"""Operators that pass on the numbers they are given, so that both are one value."""
SLICE: Final = re.compile(r"slice", re.IGNORECASE)


class Node(NamedTuple):
    """One node of a graph.

    Attributes
    ----------
    operator : str
    values, inputs : sequence of hashable
        What stands for the tensors that it returns and takes; constants are left out.
    weight : int
        The most axes of a constant that it takes; 0 if it takes none.
    """

    operator: str
    values: Sequence[Hashable]
    inputs: Sequence[Hashable]
    weight: int = 0


class Named(NamedTuple):
    """The name and kind of a value, as the adapter passes it on."""

    name: str
    kind: str
    key: Hashable


def shapes_of(adapter: Adapter, batch: Batch) -> dict[str, tuple[tuple[int, ...], str]]:
    """Run a batch; return the shape and type of each value by name."""
    shapes: dict[str, tuple[tuple[int, ...], str]] = {}

    def sink(name: str, kind: str, values: Array) -> None:
        shapes[name] = tuple(values.shape), values.dtype.name

    with adapter.capture(sink, None) as run:
        run(batch)
    return shapes


def graph_trace(
    nodes: Iterable[Node],
    named: Sequence[Named],
    shapes: Mapping[str, tuple[tuple[int, ...], str]],
    given: Sequence[Hashable],
    returned: Sequence[Hashable],
) -> Trace:
    """Return the trace.

    Parameters
    ----------
    nodes : iterable of Node
        In execution order.
    named : sequence of Named
        The values with names, in execution order; the value of a module follows those inside it.
    shapes : mapping of str to (shape, type)
        Of the values by name.
    given, returned : sequence of hashable
        The inputs and outputs of the model.
    """
    flow = _Flow(nodes, {entry.key for entry in named}, given)
    recorder = Recorder()
    root = Call("", "model", inputs=list(given))
    recorder.enter(root)
    open_: list[tuple[Call, set[Hashable]]] = [(root, set(given))]
    same: dict[Hashable, Hashable] = {}
    known: dict[Hashable, tuple[int, ...]] = {}

    def close(depth: int) -> None:
        while len(open_) > depth:
            open_.pop()
            recorder.leave()

    for name, kind, key in named:
        if name not in shapes:
            continue
        shape, dtype = shapes[name]
        inputs, weight, operator = flow.of(key)
        inputs = [same.get(source, source) for source in inputs]
        if key not in same:
            alone = len(inputs) == 1 and weight < 2
            is_view = VIEW.fullmatch(operator) or (
                SLICE.fullmatch(operator) and shape == known.get(inputs[0] if inputs else None)
            )
            same[key] = inputs[0] if alone and is_view else key
            weight = 0 if same[key] != key else weight
        key = same[key]
        known.setdefault(key, shape)
        value = Value(name, key, shape, dtype)
        path = SUFFIX.sub("", name)
        around = next((call for call, _ in open_[1:] if call.path == path), None)
        if around is not None:  # what the module returns, after what is inside it
            around.values.append(value)
            around.kind = kind
            continue
        parts = path.split(".")
        depth = 1
        while depth < min(len(open_), len(parts)) and open_[depth][0].path == ".".join(
            parts[:depth]
        ):
            depth += 1
        close(depth)
        for place in range(depth, len(parts)):
            module = ".".join(parts[:place])
            call = Call(module, "block", family=re.sub(r"\d+", "#", module))
            recorder.enter(call)
            open_.append((call, set()))
        leaf = Call(
            path,
            kind,
            has_parameters=weight > 0,
            has_weights=weight > 1,
            inputs=inputs,
            values=[value],
        )
        leaf.side, leaf.width = _channels(leaf, operator)
        recorder.enter(leaf)
        recorder.leave()
        for call, made in open_:
            call.has_parameters = call.has_parameters or leaf.has_parameters
            call.inputs += [k for k in inputs if k not in made and k not in call.inputs]
            made.add(key)
    close(1)
    root.values = _returned(named, shapes, flow.sources(returned), same)
    recorder.leave()
    trace = recorder.trace()
    for call in trace.calls:
        call.is_container = bool(call.children) and all(
            child.path.rpartition(".")[2].isdigit() for child in call.children
        )
    for call in trace.calls:
        if call.children and not call.values and not call.is_container:
            call.values = _passed_on(call, trace)
    return trace


def _passed_on(call: Call, trace: Trace) -> list[Value]:
    """Return the last value inside a module that is used outside, which is what it returns."""
    inside = [other for other in trace.calls if other is not call and other.inside(call)]
    used = set(trace.root.keys)
    for other in trace.calls:
        if not other.children and not other.inside(call):
            used.update(other.inputs)
    made = [value for other in inside if not other.children for value in other.values]
    return [value for value in made if value.key in used][-1:]


class _Flow:
    """Where values come from, if only some of them have names."""

    def __init__(
        self, nodes: Iterable[Node], named: set[Hashable], given: Sequence[Hashable]
    ) -> None:
        self._named = named
        self._sources: dict[Hashable, list[Hashable]] = {key: [key] for key in given}
        self._taken: dict[Hashable, tuple[list[Hashable], int, str]] = {}
        weights: dict[Hashable, int] = {}
        for node in nodes:
            sources = self.sources(node.inputs)
            weight = max([node.weight, *(weights.get(key, 0) for key in node.inputs)])
            for key in node.values:
                self._taken[key] = sources, weight, node.operator
                self._sources[key] = [key] if key in named else sources
                if key not in named:
                    weights[key] = weight

    def sources(self, keys: Iterable[Hashable]) -> list[Hashable]:
        """Return the values with names, or inputs, that values are made of."""
        found = (source for key in keys for source in self._sources.get(key, ()))
        return list(dict.fromkeys(found))

    def of(self, key: Hashable) -> tuple[list[Hashable], int, str]:
        """Return what a value is computed from, the axes of its weights, and the operator."""
        return self._taken.get(key, ([], 0, ""))


def _returned(
    named: Sequence[Named],
    shapes: Mapping[str, tuple[tuple[int, ...], str]],
    keys: Sequence[Hashable],
    same: Mapping[Hashable, Hashable],
) -> list[Value]:
    names = {entry.key: entry.name for entry in reversed(named) if entry.name in shapes}
    return [
        Value(names[key], same.get(key, key), *shapes[names[key]]) for key in keys if key in names
    ]


def _channels(leaf: Call, operator: str) -> tuple[Side | None, int | None]:
    """Return where an operator with weights has its channels, and how many."""
    shape = leaf.values[0].shape
    if not leaf.has_parameters or len(shape) < 2:
        return None, None
    for text in (leaf.kind, operator):
        if FIRST.search(text):
            return ("first", shape[1]) if len(shape) > 2 else ("last", shape[-1])
        if LAST.search(text):
            return "last", shape[-1]
    return None, None
