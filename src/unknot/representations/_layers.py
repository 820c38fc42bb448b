"""The layers of a model: found by running a few samples, and chosen by name, pattern or depth."""

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

PROBED: Final = (8, 5)  # samples; of two sizes, which tell the axis of the samples from the others

Which: TypeAlias = str | int | slice | Sequence[str | int | slice] | None


@dataclass(frozen=True)
class Layer:
    """A layer of a model.

    Attributes
    ----------
    name : str
        As `extract` takes it.
    kind : str
        The class of the layer or the name of the operator, such as ``Conv2D`` or ``Relu``.
    shape : tuple of int
        Of what it makes of one sample, before any reduction.
    same_as : str or None
        The first layer whose values it hands on unchanged, at most in another shape: dropout and
        flatten do, when a network predicts. ``"inputs"`` where these are the model's inputs.
    description : str
        What was done to its values, if anything.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    same_as: str | None = None
    description: str = ""


@dataclass(frozen=True)
class Found:
    """A layer and where its samples lie.

    Attributes
    ----------
    layer : Layer
        `same_as` is what the few samples say.
    axis : int or None
        Of the samples, in what the layer returns; None if it has no row for each sample.
    problem : str
        Why it has no representation.
    """

    layer: Layer
    axis: int | None = 0
    problem: str = ""


def list_layers(model: Any, inputs: Any) -> tuple[Layer, ...]:
    """List the layers of a model that have a row for each sample, in the order in which they run.

    Parameters
    ----------
    model : object
        As for :func:`extract`.
    inputs : array-like, (n_samples, ...)
        As for :func:`extract`; a few of them are run.

    Returns
    -------
    tuple of Layer

    Raises
    ------
    ValueError
        If the inputs do not fit the model.
    TypeError
        If `model` is of no known kind.

    Examples
    --------
    >>> import numpy as np
    >>> list_layers({"fc1": np.ones((5, 3))}, None)
    (Layer(name='fc1', kind='array', shape=(3,), same_as=None, description=''),)
    """
    adapter = find_adapter(model)
    found = probe(adapter, prepare(adapter, inputs))
    return tuple(entry.layer for entry in found if not entry.problem)


def prepare(adapter: Adapter, inputs: Any) -> Samples:
    """Return the inputs as the adapter's model takes them, checked."""
    own = getattr(adapter, "samples", None)  # stored layers are inputs and outputs at once
    samples = Samples(inputs, several=adapter.several) if own is None else own(inputs)
    adapter.check(samples)
    return samples


@dataclass
class _Seen:
    kind: str
    values: Array
    shapes: list[tuple[int, ...]] = field(default_factory=list)


def probe(adapter: Adapter, samples: Samples) -> list[Found]:
    """Run a few samples and look at what every layer returns."""
    seen: dict[str, _Seen] = {}

    def sink(name: str, kind: str, values: Array) -> None:
        if name not in seen:
            seen[name] = _Seen(kind, np.array(values))
        seen[name].shapes.append(tuple(values.shape))

    sizes = (adapter.batch_size,) if adapter.batch_size else PROBED
    with adapter.running(sink, None) as run:
        for size in sizes:
            run(samples.rows(0, size))
    found = [_judge(name, entry, sizes) for name, entry in seen.items()]
    if not found:
        raise ValueError(f"model {adapter.name!r} has no layers")
    inputs = None if samples.several else samples.rows(0, sizes[0])
    return _name_views(found, {name: entry.values for name, entry in seen.items()}, inputs)


def _judge(name: str, seen: _Seen, sizes: Sequence[int]) -> Found:
    shape, kind = seen.shapes[0], seen.kind
    if seen.values.dtype.kind != "f":
        problem = f"it gives {seen.values.dtype.name}, not real numbers"
        return Found(Layer(name, kind, shape), None, problem)
    if len(seen.shapes) != len(sizes):
        return Found(Layer(name, kind, shape), None, "it does not run for every batch")
    axes = [
        axis
        for axis, lengths in enumerate(zip(*seen.shapes, strict=False))
        if lengths == tuple(sizes)
    ]
    if len({len(other) for other in seen.shapes}) > 1 or not axes:
        shapes = " and ".join(map(str, seen.shapes))
        of = " and ".join(map(str, sizes))
        problem = f"it does not give one row for each sample (got {shapes} for {of} samples)"
        return Found(Layer(name, kind, shape), None, problem)
    per_sample = [_without(other, axes[0]) for other in seen.shapes]
    if len(set(per_sample)) > 1:
        problem = f"its shape for a sample changes with the batch ({per_sample})"
        return Found(Layer(name, kind, shape), None, problem)
    if not np.prod(per_sample[0]):
        return Found(Layer(name, kind, shape), None, "it is empty")
    note = f"samples along axis {axes[0]}, brought to the front" if axes[0] else ""
    return Found(Layer(name, kind, per_sample[0], description=note), axes[0])


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _name_views(found: list[Found], values: dict[str, Array], inputs: Any) -> list[Found]:
    """Say which layers hand on the values of an earlier one.

    Layers whose values are all alike are dead, and equal by chance; they are views of nothing.
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
    """Whether two batches hold the same values, whatever the shape of a sample."""
    if first.size != second.size or len(first) != len(second):
        return False
    if second.dtype == np.float64:
        second = second.astype(first.dtype)
    return bool(np.array_equal(first.ravel(), second.ravel()))


def choose(found: Sequence[Found], layers: Which, model: str) -> tuple[list[Found], list[str]]:
    """Return the layers asked for, in the model's order, and notes on those left out.

    Raises
    ------
    ValueError
        If one does not exist or, asked for by its name, has no representation.
    """
    usable = [entry for entry in found if not entry.problem]
    broken = {entry.layer.name: entry for entry in found if entry.problem}
    names = [entry.layer.name for entry in usable]
    if not names:
        first = next(iter(broken.values()))
        raise ValueError(
            f"model {model!r} has no layer with a row for each sample; "
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
            wanted.update(_at(item, names, model))
    if not wanted:
        raise ValueError(f"layers must name at least one layer; got {layers!r}")
    return [entry for entry in usable if entry.layer.name in wanted], notes


def _matching(pattern: str, names: Iterable[str]) -> list[str]:
    if pattern in names:
        return [pattern]
    return [name for name in names if fnmatchcase(name, pattern)]


def _at(depth: int | slice, names: list[str], model: str) -> list[str]:
    if isinstance(depth, slice):
        return names[depth]
    if not is_integer(depth):
        raise TypeError(f"layers takes names, patterns, depths and slices; got {depth!r}")
    if not -len(names) <= depth < len(names):
        raise ValueError(
            f"layers: model {model!r} has {len(names)} layers, 0 to {len(names) - 1} or -1 to "
            f"-{len(names)} from the end; got {depth}"
        )
    return [names[depth]]
