"""The layers of a model: found by running a few samples, selected by name, pattern or index."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

import numpy as np

from .._io.text import no_such_layer
from .._typing import Array
from .._validation.numbers import is_integer
from ._adapters.base import INPUTS, Adapter, find_adapter
from ._samples import Samples

PROBE_SIZES: Final = (8, 5)  # two batch sizes, which identify the axis of the samples

Which: TypeAlias = str | int | slice | Sequence[str | int | slice] | None


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
    """

    layer: Layer
    axis: int | None = 0
    problem: str = ""


def list_layers(model: Any, inputs: Any) -> tuple[Layer, ...]:
    """List the layers of a model that `extract` can compute, in execution order.

    A few samples are run to find them. Layers without one row per sample are omitted.

    Parameters
    ----------
    model : object
        As for `extract`.
    inputs : array-like of shape (n_samples, ...), or tuple, list or dict of array-likes
        As for `extract`; only the first 8 samples are used.

    Returns
    -------
    tuple of Layer
        Their names, kinds and shapes.

    Raises
    ------
    ValueError
        If the inputs do not fit the model.
    TypeError
        If no adapter accepts the model.

    See Also
    --------
    extract : Compute the values of layers.
    unknot.study : Measure and draw every layer.

    Examples
    --------
    >>> import numpy as np
    >>> list_layers({"fc1": np.ones((5, 3))}, None)
    (Layer(name='fc1', kind='array', shape=(3,), same_as=None, description=''),)
    """
    adapter = find_adapter(model)
    found = probe(adapter, adapter.samples(inputs))
    return tuple(entry.layer for entry in found if not entry.problem)


@dataclass
class _Probed:
    """A layer's values in the first batch, and their shapes in each."""

    kind: str
    values: Array
    shapes: list[tuple[int, ...]] = field(default_factory=list)


def probe(adapter: Adapter, samples: Samples) -> list[Found]:
    """Run a few samples and inspect what every layer returns."""
    probed: dict[str, _Probed] = {}

    def sink(name: str, kind: str, values: Array) -> None:
        if name not in probed:
            probed[name] = _Probed(kind, np.array(values))
        probed[name].shapes.append(tuple(values.shape))

    sizes = (adapter.batch_size,) if adapter.batch_size else PROBE_SIZES
    with adapter.capture(sink, None) as run:
        for size in sizes:
            run(samples.rows(0, size))
    found = [_examine(name, entry, sizes) for name, entry in probed.items()]
    if not found:
        raise ValueError(f"model {adapter.name!r} has no layers")
    inputs = None if samples.multi_input else samples.rows(0, sizes[0])
    return _name_views(found, {name: entry.values for name, entry in probed.items()}, inputs)


def _examine(name: str, probed: _Probed, sizes: Sequence[int]) -> Found:
    shape, kind = probed.shapes[0], probed.kind
    if probed.values.dtype.kind != "f":
        problem = f"it returns {probed.values.dtype.name}, not real numbers"
        return Found(Layer(name, kind, shape), None, problem)
    if len(probed.shapes) != len(sizes):
        return Found(Layer(name, kind, shape), None, "it does not run for every batch")
    axes = [
        axis
        for axis, lengths in enumerate(zip(*probed.shapes, strict=False))
        if lengths == tuple(sizes)
    ]
    if len({len(other) for other in probed.shapes}) > 1 or not axes:
        shapes = " and ".join(map(str, probed.shapes))
        batches = " and ".join(map(str, sizes))
        problem = f"it does not return one row per sample (got {shapes} for {batches} samples)"
        return Found(Layer(name, kind, shape), None, problem)
    per_sample = [_without(other, axes[0]) for other in probed.shapes]
    if len(set(per_sample)) > 1:
        problem = f"its shape per sample changes with the batch ({per_sample})"
        return Found(Layer(name, kind, shape), None, problem)
    if not np.prod(per_sample[0]):
        return Found(Layer(name, kind, shape), None, "it is empty")
    note = f"samples along axis {axes[0]}, moved to axis 0" if axes[0] else ""
    return Found(Layer(name, kind, per_sample[0], description=note), axes[0])


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _name_views(found: list[Found], values: dict[str, Array], inputs: Any) -> list[Found]:
    """Set `same_as` of the layers that pass on the values of an earlier one.

    Layers of constant value are skipped: they are dead, and equal by chance.
    """
    rows: dict[str, Array] = {}
    if inputs is not None:
        rows[INPUTS] = inputs.reshape(len(inputs), -1)
    result = []
    for entry in found:
        if entry.axis is not None:
            moved = np.moveaxis(values[entry.layer.name], entry.axis, 0)
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


def choose(found: Sequence[Found], layers: Which, model: str) -> tuple[list[Found], list[str]]:
    """Return the selected layers in execution order, and notes on those left out.

    Raises
    ------
    ValueError
        If one does not exist, or is selected by name and has no representation.
    """
    usable = [entry for entry in found if not entry.problem]
    broken = {entry.layer.name: entry for entry in found if entry.problem}
    names = [entry.layer.name for entry in usable]
    if not names:
        first = next(iter(broken.values()))
        raise ValueError(
            f"model {model!r} has no layer with one row per sample; "
            f"{first.layer.name!r}: {first.problem}"
        )
    if layers is None:
        return usable, [f"{name} left out: {entry.problem}" for name, entry in broken.items()]
    wanted: set[str] = set()
    notes = []
    for item in [layers] if isinstance(layers, (str, int, slice)) else layers:
        if isinstance(item, str):
            if item in broken:
                raise ValueError(f"layers: {item!r} cannot be used: {broken[item].problem}")
            matched = _matching(item, names)
            notes += [
                f"{name} left out: {entry.problem}"
                for name, entry in broken.items()
                if fnmatchcase(name, item)
            ]
            if not matched:
                raise ValueError(
                    f"layers: model {model!r} has no layer {item!r}{no_such_layer(item, names)}"
                )
            wanted.update(matched)
        else:
            wanted.update(_by_index(item, names, model))
    if not wanted:
        raise ValueError(f"layers must name at least one layer; got {layers!r}")
    return [entry for entry in usable if entry.layer.name in wanted], notes


def _matching(pattern: str, names: Iterable[str]) -> list[str]:
    if pattern in names:
        return [pattern]
    return [name for name in names if fnmatchcase(name, pattern)]


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
