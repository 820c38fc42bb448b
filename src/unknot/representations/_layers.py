"""The layers of a model: found by running a few samples, selected by name, pattern or index."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from .._io.text import no_such_layer
from .._typing import Array
from .._validation.numbers import is_integer
from ._adapters.base import INPUTS, Adapter
from ._blocks import MAX_BLOCKS, SMALL, Chosen, Selection, find_blocks, spaced
from ._trace import Call, Trace

if TYPE_CHECKING:
    from ._places import AtPlaces
    from ._pooling import Pooling
    from ._samples import Source

PROBE_SIZES: Final = (3, 2)
"""Two batch sizes, which identify the axis of the samples."""

Which: TypeAlias = Any
"""Names, patterns, indices, slices, modules, a callable, or sequences of these."""


@dataclass(frozen=True)
class Layer:
    """A layer of a model.

    Attributes
    ----------
    name : str
        The name to select it by.
    kind : str
        The layer's class or the operator's name, such as ``Conv2D`` or ``Relu``.
    shape : tuple of int
        The shape of its values for one sample, before any reduction.
    same_as : str or None
        The first layer with the same values, possibly in another shape: dropout and flatten only
        pass on their input at inference. ``"inputs"`` if these are the model's inputs.
    description : str
        What was done to its values; empty if nothing.
    is_block : bool
        Whether it is among the layers that are taken by default.

    See Also
    --------
    list_layers : List the layers of a model.
    extract : Compute the values of layers.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    same_as: str | None = None
    description: str = ""
    is_block: bool = False

    @property
    def size(self) -> int:
        """The number of values for one sample."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Found:
    """A layer that a probe found.

    Attributes
    ----------
    layer : Layer
        Its `same_as` holds for the probed samples, and is verified on all during extraction.
    axis : int or None
        The axis of the samples in the layer's values; None if there is none.
    problem : str
        Why the layer has no representation; empty if it has one.
    is_extra : bool
        Whether it is no layer's output, but a layer's input or the model's own output.
    pooling : Pooling, AtPlaces or None
        How its positions are pooled; None if they are kept.
    value : str
        The name of the value in the model; the layer's own name by default.
    """

    layer: Layer
    axis: int | None = 0
    problem: str = ""
    is_extra: bool = False
    pooling: Pooling | AtPlaces | None = None
    value: str = ""

    @property
    def source(self) -> str:
        """The name under which the model returns its values."""
        return self.value or self.layer.name

    @property
    def n_values(self) -> int:
        """The number of values for one sample, after pooling."""
        return self.layer.size if self.pooling is None else math.prod(self.pooling.shape)


@dataclass(frozen=True)
class Probe:
    """What a few samples tell about a model.

    Attributes
    ----------
    found : list of Found
        All layers in execution order, the inputs and outputs beside them included.
    blocks : Selection
        Which of them are the model's blocks.
    trace : Trace or None
        The run that it was found from.
    seconds : float
        How long the model took for one sample.
    """

    found: list[Found]
    blocks: Selection
    trace: Trace | None
    seconds: float

    @property
    def n_layers(self) -> int:
        """The number of layers."""
        return sum(not entry.is_extra for entry in self.found)

    @property
    def largest(self) -> int:
        """The number of values of the largest layer for one sample."""
        return max(entry.layer.size for entry in self.found)


def probe(adapter: Adapter, samples: Source) -> Probe:
    """Run a few samples twice; keep no values."""
    sizes = probe_sizes(adapter, samples)
    batches = [samples.first(size) for size in sizes]
    seconds = float("inf")
    traces, shapes = [], []
    for batch, size in zip(batches, sizes, strict=True):
        start = time.perf_counter()
        traces.append(adapter.trace(batch))
        shapes.append(_shapes_of(adapter, batch, traces[-1]))
        seconds = min(seconds, (time.perf_counter() - start) / size)
    found = []
    for name, (kind, dtype, shape, is_extra) in shapes[0].items():
        others = [there[name][2] for there in shapes if name in there]
        entry = _examine(name, kind, dtype, [shape, *others[1:]], sizes)
        found.append(replace(entry, is_extra=is_extra))
    if not found:
        raise ValueError(f"model {adapter.name!r} has no layers")
    trace = traces[0]
    usable = [entry.layer.name for entry in found if not entry.problem]
    if trace is None:
        blocks = _evenly([entry for entry in found if not entry.problem])
    else:
        blocks = find_blocks(trace, usable)
    marked = set(blocks.names)
    found = [
        replace(entry, layer=replace(entry.layer, is_block=entry.layer.name in marked))
        for entry in found
    ]
    return Probe(found, blocks, trace, seconds)


def probe_sizes(adapter: Adapter, samples: Source) -> tuple[int, ...]:
    """Return the sizes of the batches that are run to find layers."""
    if adapter.batch_size:
        return (adapter.batch_size,)
    return PROBE_SIZES if samples.can_slice else (samples.first_size,)


_Shape = tuple[str, str, tuple[int, ...], bool]


def _shapes_of(adapter: Adapter, batch: Any, trace: Trace | None) -> dict[str, _Shape]:
    """Return each value's kind, type and shape, and whether it is no layer's output."""
    shapes: dict[str, _Shape] = {}
    if trace is None:

        def sink(name: str, kind: str, values: Array) -> None:
            shapes[name] = kind, values.dtype.name, tuple(values.shape), False

        with adapter.capture(sink, None) as run:
            run(batch)
        return shapes
    made: set[Hashable] = set()
    alone = len(trace.calls) == 1
    timed: list[tuple[int, str, _Shape]] = []
    for call in sorted(trace.calls, key=lambda call: call.end):
        is_root = call is trace.root and not alone
        if call.first_input is not None and call is not trace.root:
            shape: _Shape = f"input of {call.kind}", "float32", call.first_input, True
            timed.append((call.start, call.input_name, shape))
        for value in call.values:
            if not is_root or value.key not in made:
                shape = call.kind, value.dtype, value.shape, is_root
                timed.append((call.end, value.name, shape))
            made.add(value.key)
    for _, name, shape in sorted(timed, key=lambda entry: entry[0]):
        shapes.setdefault(name, shape)
    return shapes


def _evenly(found: Sequence[Found]) -> Selection:
    """Return all layers, or evenly spaced ones if there are many."""
    kept = [Chosen(entry.layer.name, Call(entry.layer.name, entry.layer.kind)) for entry in found]
    if len(kept) <= SMALL:
        return Selection(kept, "all", len(kept))
    places = sorted(spaced(range(len(kept)), min(MAX_BLOCKS, len(kept))))
    return Selection([kept[place] for place in places], "units", len(kept))


def _examine(
    name: str,
    kind: str,
    dtype: str,
    shapes: Sequence[tuple[int, ...]],
    sizes: Sequence[int],
) -> Found:
    shape = shapes[0]
    if "float" not in dtype:
        problem = f"it returns {dtype}, not real numbers"
        return Found(Layer(name, kind, shape), None, problem)
    if len(shapes) != len(sizes):
        return Found(Layer(name, kind, shape), None, "it does not run for every batch")
    axes = [
        axis for axis, lengths in enumerate(zip(*shapes, strict=False)) if lengths == tuple(sizes)
    ]
    if len({len(other) for other in shapes}) > 1 or not axes:
        texts = " and ".join(map(str, shapes))
        batches = " and ".join(map(str, sizes))
        problem = f"it does not return one row per sample (got {texts} for {batches} samples)"
        return Found(Layer(name, kind, shape), None, problem)
    per_sample = [_without(other, axes[0]) for other in shapes]
    if len(set(per_sample)) > 1:
        problem = f"its shape per sample changes with the batch ({per_sample})"
        return Found(Layer(name, kind, shape), None, problem)
    if not np.prod(per_sample[0]):
        return Found(Layer(name, kind, shape), None, "it is empty")
    note = f"samples along axis {axes[0]}, moved to axis 0" if axes[0] else ""
    return Found(Layer(name, kind, per_sample[0], description=note), axes[0])


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def name_views(adapter: Adapter, samples: Source, found: Sequence[Found]) -> list[Found]:
    """Set `same_as` of the layers that pass on the values of an earlier one.

    Layers of constant value are skipped: they are dead, and equal by chance. The values of few
    samples are compared; `extract` verifies all.
    """
    size = probe_sizes(adapter, samples)[0]
    batch = samples.first(size)
    values: dict[str, Array] = {}

    def sink(name: str, kind: str, rows: Array) -> None:
        values.setdefault(name, np.array(rows))

    with adapter.capture(sink, {entry.source for entry in found if not entry.problem}) as run:
        run(batch)
    rows: dict[str, Array] = {}
    if isinstance(batch, np.ndarray):
        rows[INPUTS] = batch.reshape(len(batch), -1)
    result = []
    for entry in found:
        if entry.axis is not None and entry.source in values:
            moved = np.moveaxis(values[entry.source], entry.axis, 0)
            flat = moved.reshape(len(moved), -1)
            if flat.min() < flat.max():
                for name, other in rows.items():
                    if same_values(flat, other):
                        entry = replace(entry, layer=replace(entry.layer, same_as=name))
                        break
                else:
                    rows[entry.layer.name] = flat
        result.append(entry)
    return result


def same_values(first: Array, second: Array) -> bool:
    """Whether two batches contain the same values, whatever the shape of a sample."""
    if first.size != second.size or len(first) != len(second):
        return False
    if second.dtype == np.float64:
        second = second.astype(first.dtype)
    return bool(np.array_equal(first.ravel(), second.ravel()))


def choose(
    probed: Probe, layers: Which, model: str, modules: Mapping[str, Any]
) -> tuple[list[Found], list[str]]:
    """Return the selected layers in execution order, and notes on those left out.

    Parameters
    ----------
    probed : Probe
    layers
        As for `extract`.
    model : str
        The model's name.
    modules : mapping of str to object
        The layers' own objects, for selection by these.

    Raises
    ------
    ValueError
        If one does not exist, or is selected by name and has no representation.
    TypeError
        If `layers` holds anything else.
    """
    usable = [entry for entry in probed.found if not entry.problem]
    broken = {e.layer.name: e for e in probed.found if e.problem and not e.is_extra}
    plain = [entry.layer.name for entry in usable if not entry.is_extra]
    names = [entry.layer.name for entry in usable]
    if not names:
        first = next(iter(broken.values()))
        raise ValueError(
            f"model {model!r} has no layer with one row per sample; "
            f"{first.layer.name!r}: {first.problem}"
        )
    if layers is None or (isinstance(layers, str) and layers == "blocks"):
        wanted, notes = _blocks(probed, broken)
        return [entry for entry in usable if entry.layer.name in wanted], notes
    if isinstance(layers, str) and layers == "all":
        left_out = [f"{name} left out: {entry.problem}" for name, entry in broken.items()]
        return [entry for entry in usable if not entry.is_extra], left_out
    wanted, notes = set(), []
    one = isinstance(layers, str | int | slice) or callable(layers) or _names_of(layers, modules)
    for item in [layers] if one else layers:
        if isinstance(item, str):
            if item in broken:
                raise ValueError(f"layers: {item!r} cannot be used: {broken[item].problem}")
            matched = _matching(item, names, plain)
            notes += [
                f"{name} left out: {entry.problem}"
                for name, entry in broken.items()
                if fnmatchcase(name, item)
            ]
            if not matched:
                raise ValueError(
                    f"layers: model {model!r} has no layer {item!r}{no_such_layer(item, plain)}"
                )
            wanted.update(matched)
        elif paths := _names_of(item, modules):
            found = [name for name in plain if base_name(name) in paths or name in paths]
            if not found:
                problem = next(
                    (e.problem for name, e in broken.items() if base_name(name) in paths),
                    "the model does not call it",
                )
                raise ValueError(f"layers: {sorted(paths)[0]!r} cannot be used: {problem}")
            wanted.update(found)
        elif hasattr(item, "parameters") or hasattr(item, "trainable_weights"):
            raise ValueError(
                f"layers: this {type(item).__name__} is no layer of model {model!r}; pass one of "
                "its own, or a name"
            )
        elif callable(item) and not isinstance(item, type):
            wanted.update(
                name
                for name in plain
                if item(name, modules.get(name, modules.get(base_name(name))))
            )
        else:
            wanted.update(_by_index(item, plain, model))
    if not wanted:
        raise ValueError(
            f"layers must select at least one layer of model {model!r}; got {layers!r}, which "
            "selects none"
        )
    return [entry for entry in usable if entry.layer.name in wanted], notes


def _blocks(probed: Probe, broken: Mapping[str, Found]) -> tuple[set[str], list[str]]:
    """Return the names of the blocks, and how many layers they are taken from."""
    selection = probed.blocks
    wanted = set(selection.names)
    if selection.how == "all":
        return wanted, [f"{name} left out: {entry.problem}" for name, entry in broken.items()]
    what = "blocks" if selection.how == "blocks" else "layers"
    thinned = ""
    if selection.n_before > len(wanted):
        thinned = f", evenly spaced among {selection.n_before}"
    return wanted, [
        f"{len(wanted)} {what} of {probed.n_layers} modules{thinned}; layers='all' takes every one"
    ]


def base_name(name: str) -> str:
    """Return the name of the layer that returned a value: without call and place."""
    return re.sub(r"(:\d+)?(\[.*\])?$", "", name)


def _names_of(item: Any, modules: Mapping[str, Any]) -> set[str]:
    """Return the names of a layer's own object; none for anything else."""
    if isinstance(item, str | int | slice):
        return set()
    return {name for name, module in modules.items() if module is item}


def _matching(pattern: str, names: Iterable[str], plain: Iterable[str]) -> list[str]:
    if pattern in names:
        return [pattern]
    return [name for name in plain if fnmatchcase(name, pattern)]


def _by_index(index: int | slice, names: list[str], model: str) -> list[str]:
    if isinstance(index, slice):
        return names[index]
    if not is_integer(index):
        raise TypeError(
            f"layers must be names, patterns, indices or slices of indices; got {index!r}"
        )
    if not -len(names) <= index < len(names):
        raise ValueError(
            f"layers: model {model!r} has {len(names)} layers, 0 to {len(names) - 1} or -1 to "
            f"-{len(names)} from the end; got {index}"
        )
    return [names[index]]
