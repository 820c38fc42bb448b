"""Which axis of a layer's values holds the channels, and which its positions.

Found by experiment. The model runs a second time on inputs of another size, a shorter text or a
smaller image: the axis that stays is the channels'. Where the model refuses that, the width of the
last layer with parameters that fits exactly one of the outer axes decides, if the kind of that
layer, or of the one that takes the values, agrees. What is not sure is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

import numpy as np

from .._io.text import did_you_mean
from .._typing import Array
from .._validation.numbers import is_integer
from ._adapters.base import Adapter
from ._layers import Found, Probe
from ._mask_values import padding_value
from ._masks import MASK, PREFIXES, masks_in
from ._samples import Source, list_parts
from ._trace import Call, Side, Trace

FACTORS: Final = (0.5, 0.75, 1.5, 2.0)
"""Sizes of images, and lengths, that are tried; at least a quarter other than the given one."""
DECLARED: Final = re.compile(
    r"(Lazy|Depthwise|Separable|Quantized)*(Conv|Linear|Dense|Embedding|BatchNorm|GroupNorm|"
    r"InstanceNorm|LSTM|GRU|RNN|SimpleRNN|Bidirectional)"
)
"""Classes that say where their channels are."""
KEEPING: Final = re.compile(
    r"Add|Subtract|Multiply|Average|Maximum|Minimum|Concatenate|(Max|Average|Avg|Adaptive\w*)"
    r"Pool(ing)?[123][dD]|Activation|(\w*)ReLU6?|P?R?e?ELU|GELU|SELU|CELU|SiLU|Mish|Sigmoid|Tanh|"
    r"Hard\w+|Softplus|Rescaling|(\w*)Dropout(\w*)|Identity|ZeroPadding[123]D|Cropping[123]D|"
    r"UpSampling[123]D|Upsample|GaussianNoise|CustomScaleLayer|StochasticDepth|LayerScale"
)
"""Classes of layers that keep the channels on their axis."""


@dataclass(frozen=True)
class Layouts:
    """What is known of the axes of layers.

    Attributes
    ----------
    channels : dict of str to int
        The axis of the channels among those of one sample; layers that are not sure are missing.
    mask : dict of str to str
        The input that masks the positions of a layer, where it has the layer's length.
    padding : dict of str to int
        The value that marks padding in a mask: 0, or 1.
    unclear : dict of str to str
        The input that masks a layer's positions, where it is not known how.
    unfit : dict of str to str
        The input that masks a layer's positions, but has another length.
    assumed : set of str
        Layers whose channels are known by convention only: the user's own arrays.
    """

    channels: dict[str, int] = field(default_factory=dict)
    mask: dict[str, str] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    padding: dict[str, int] = field(default_factory=dict)
    unclear: dict[str, str] = field(default_factory=dict)
    assumed: set[str] = field(default_factory=set)


def find_layouts(
    adapter: Adapter,
    samples: Source,
    probed: Probe,
    found: Sequence[Found],
    given: Mapping[str, str | int] | None,
) -> Layouts:
    """Find the channels of some layers, and the masks of their positions.

    Parameters
    ----------
    adapter, samples
        Of the model.
    probed : Probe
    found : sequence of Found
        The layers in question.
    given : mapping of str to str or int, optional
        Name or pattern -> ``"first"``, ``"last"`` or the axis, which is believed.

    Raises
    ------
    ValueError
        If an axis that is given does not exist, or a pattern matches no layer.
    """
    layouts = Layouts()
    said = _given(found, given)
    open_ = [e for e in found if len(e.layer.shape) > 1 and sum(s > 1 for s in e.layer.shape) > 1]
    if not open_:
        layouts.channels.update(said)
        return layouts
    batch = samples.first(3 if samples.can_slice and not adapter.batch_size else samples.first_size)
    # Values that are given do not follow the size of the inputs.
    changed, masks = _other_sizes(adapter, batch) if adapter.computes else ({}, {})
    given_masks = samples.masks(batch, 0, len(next(iter(list_parts(batch)), ())))
    length = {name: np.shape(mask)[1] for name, mask in given_masks.items()}
    for entry in open_:
        name, shape = entry.layer.name, entry.layer.shape
        axis = said.get(name)
        if axis is None:
            axis = _axis_that_stays(shape, changed.get(entry.source, ()), entry.axis or 0)
        if axis is None:
            axis = _axis_declared(entry, probed.trace)
        if axis is None:
            axis = _axis_by_width(entry, probed.trace)
        if axis is None:
            axis = _axis_by_neighbors(entry, probed.trace)
        if axis is None and probed.trace is None:
            axis = _axis_by_convention(adapter, shape)
            if not adapter.computes:
                layouts.assumed.add(name)
        if axis is None:
            continue
        layouts.channels[name] = axis
        positions = int(np.prod(shape)) // shape[axis]
        fitting = [mask for mask, size in length.items() if size == positions]
        known = masks.get(entry.source)
        if MASK in fitting:
            layouts.mask[name] = MASK
        elif known in fitting:
            layouts.mask[name] = known
        elif len(fitting) == 1 and not masks:
            layouts.mask[name] = fitting[0]
        elif MASK not in length and (known or (length and not masks)):
            layouts.unfit[name] = known or next(iter(length))
    _add_padding_values(adapter, batch, found, layouts)
    return layouts


def _add_padding_values(
    adapter: Adapter, batch: Any, found: Sequence[Found], layouts: Layouts
) -> None:
    """Find which value of each mask marks padding; a mask that does not tell is not used."""
    for mask in set(layouts.mask.values()) - {MASK}:
        masked = [entry for entry in found if layouts.mask.get(entry.layer.name) == mask]
        value = padding_value(adapter, batch, mask, masked[-1])
        if value is not None:
            layouts.padding[mask] = value
            continue
        for entry in masked:
            del layouts.mask[entry.layer.name]
            layouts.unclear[entry.layer.name] = mask


def _given(found: Sequence[Found], given: Mapping[str, str | int] | None) -> dict[str, int]:
    axes: dict[str, int] = {}
    names = [entry.layer.name for entry in found]
    for pattern, where in (given or {}).items():
        matched = [
            e for e in found if e.layer.name == pattern or fnmatchcase(e.layer.name, pattern)
        ]
        if not matched:
            raise ValueError(
                f"channels: no layer taken is named {pattern!r}{did_you_mean(pattern, names)}"
            )
        for entry in matched:
            count = len(entry.layer.shape)
            if where in ("first", "last"):
                axes[entry.layer.name] = 0 if where == "first" else count - 1
            elif is_integer(where) and -count <= int(where) < count:
                axes[entry.layer.name] = int(where) % count
            else:
                raise ValueError(
                    f"channels: {pattern!r} must be 'first', 'last' or an axis of the shape "
                    f"{entry.layer.shape} of one sample; got {where!r}"
                )
    return axes


def _axis_that_stays(
    shape: tuple[int, ...], others: Iterable[tuple[int, ...]], batch_axis: int
) -> int | None:
    """Return the axis that has one size whatever the inputs' size; None if they disagree."""
    found = {_same_axis(shape, other, batch_axis) for other in others} - {None}
    return found.pop() if len(found) == 1 else None


def _same_axis(shape: tuple[int, ...], other: tuple[int, ...], batch_axis: int) -> int | None:
    if len(other) != len(shape) + 1:
        return None
    other = other[:batch_axis] + other[batch_axis + 1 :]
    if other == shape:
        return None
    same = [axis for axis, size in enumerate(shape) if other[axis] == size]
    wide = [axis for axis in same if shape[axis] > 1]
    for axes in (wide, same):
        if len(axes) == 1:
            return axes[0]
    return None


def _axis_by_width(entry: Found, trace: Trace | None) -> int | None:
    """Return the outer axis that has the width of a layer before, if the sides agree."""
    if trace is None:
        return None
    shape, name = entry.layer.shape, entry.source
    call, key = _call_of(trace, name)
    if call is None:
        return None
    end = call.start if entry.is_extra and key is None else call.end
    leaves = [c for c in trace.calls if c.side and c.width and c.end <= end]
    leaves.sort(key=lambda c: -c.end)
    outer = {"first": 0, "last": len(shape) - 1}
    for leaf in leaves[:3]:
        fits = [side for side, axis in outer.items() if shape[axis] == leaf.width]
        if len(fits) == 1:
            consumer = _side_of_consumer(trace, key, call)
            return outer[fits[0]] if fits[0] in (leaf.side, consumer) else None
    return None


def _axis_declared(entry: Found, trace: Trace | None) -> int | None:
    """Return the axis of a layer whose class says where its channels are."""
    if trace is None:
        return None
    call, key = _call_of(trace, entry.source)
    if call is None or not call.side or call.children or key not in call.keys[:1]:
        return None
    shape = entry.layer.shape
    axis = 0 if call.side == "first" else len(shape) - 1
    return axis if DECLARED.match(call.kind) and shape[axis] == call.width else None


def _axis_by_neighbors(entry: Found, trace: Trace | None) -> int | None:
    """Return the outer axis that the layers before and after agree on.

    They are found through layers that keep the channels where they are, such as sums.
    """
    if trace is None:
        return None
    call, key = _call_of(trace, entry.source)
    if call is None or key is None:
        return None
    before = _sides(trace, {key}, upwards=True)
    after = _sides(trace, {key}, upwards=False)
    if len(before) != 1 or len(before | after) != 1 or None in before:
        return None
    return 0 if before == {"first"} else len(entry.layer.shape) - 1


def _sides(trace: Trace, keys: set[Any], *, upwards: bool) -> set[Side | None]:
    """Return the sides of the nearest leaves with parameters; None for one that may turn axes."""
    leaves = [call for call in trace.calls if not call.children]
    sides: set[Side | None] = set()
    seen: set[Any] = set()
    while keys:
        seen |= keys
        following: set[Any] = set()
        for call in leaves:
            given, returned = set(call.inputs), set(call.keys)
            near, far = (returned, given) if upwards else (given, returned)
            if not near & keys:
                continue
            if call.side:
                sides.add(call.side)
            elif KEEPING.fullmatch(call.kind):
                following |= far
            elif upwards:
                sides.add(None)
        keys = following - seen
    return sides


def _call_of(trace: Trace, name: str) -> tuple[Call | None, Any]:
    for call in trace.calls:
        if call.input_name == name:
            return call, call.inputs[0] if call.inputs else None
        for value in call.values:
            if value.name == name:
                return call, value.key
    return None, None


def _side_of_consumer(trace: Trace, key: Any, call: Call) -> Side | None:
    for other in trace.calls:
        if other is not call and other.side and key in other.inputs[:1]:
            return other.side
    return None


def _axis_by_convention(adapter: Adapter, shape: tuple[int, ...]) -> int:
    """Return the channels of a model without a trace: of images as its framework has them."""
    return 0 if adapter.channels_first and len(shape) > 2 else len(shape) - 1


def _other_sizes(
    adapter: Adapter, batch: Any
) -> tuple[dict[str, list[tuple[int, ...]]], dict[str, str]]:
    """Run inputs of other sizes; return the values' shapes, and which mask each depends on."""
    shapes: dict[str, list[tuple[int, ...]]] = {}
    masks: dict[str, str] = {}
    usual = None
    for mask, others, needed in _resized(batch):
        for other in others:
            try:
                seen = _shapes(adapter, other)
            except Exception:  # the model refuses this size, each in its own way
                continue
            usual = usual or _shapes(adapter, batch)
            for name, shape in seen.items():
                if shape != usual.get(name):
                    shapes.setdefault(name, []).append(shape)
                    if mask:
                        masks.setdefault(name, mask)
            needed -= 1
            if not needed:
                break
    return shapes, masks


def _shapes(adapter: Adapter, batch: Any) -> dict[str, tuple[int, ...]]:
    trace = adapter.trace(batch)
    shapes: dict[str, tuple[int, ...]] = {}
    if trace is not None:
        for call in trace.calls:
            if call.first_input is not None:
                shapes[call.input_name] = call.first_input
            shapes.update((value.name, value.shape) for value in call.values)
        return shapes

    def sink(name: str, kind: str, values: Array) -> None:
        shapes[name] = tuple(values.shape)

    with adapter.capture(sink, None) as run:
        run(batch)
    return shapes


def _resized(batch: Any) -> Iterator[tuple[str, Iterator[Any], int]]:
    """Yield groups of inputs of one length: the mask, batches of other sizes, how many to run.

    Texts are run in two other lengths: where tokens are merged, one may make no difference.
    """
    if isinstance(batch, np.ndarray):
        for others in _other_arrays(batch):
            yield "", others, 1
    elif isinstance(batch, Mapping):
        groups: dict[tuple[str, int], list[str]] = {}
        for name, part in batch.items():
            if isinstance(part, np.ndarray) and part.ndim == 2 and part.shape[1] > 1:
                prefix = next((p for p in PREFIXES if name.startswith(p)), "")
                groups.setdefault((prefix, part.shape[1]), []).append(name)
        for (_, length), names in groups.items():
            mask = next((n for n in names if n in masks_in(batch)), "")

            def cut(names: list[str] = names, length: int = length) -> Iterator[Any]:
                for shorter in dict.fromkeys((max(1, length * 3 // 4), max(1, length // 2))):
                    yield {k: p[:, :shorter] if k in names else p for k, p in batch.items()}

            yield mask, cut(), 2
        for name, part in batch.items():
            if isinstance(part, np.ndarray) and part.ndim > 2:
                for others in _other_arrays(part):
                    yield "", _replaced(batch, name, others), 1
    elif isinstance(batch, tuple):
        for place, part in enumerate(batch):
            if isinstance(part, np.ndarray):
                for others in _other_arrays(part):
                    yield "", _replaced(batch, place, others), 1


def _replaced(batch: Any, key: Any, others: Iterator[Array]) -> Iterator[Any]:
    """Yield a batch with one of its inputs replaced."""
    for other in others:
        if isinstance(batch, tuple):
            yield (*batch[:key], other, *batch[key + 1 :])
        else:
            yield {**batch, key: other}


def _other_arrays(part: Array) -> Iterator[Iterator[Array]]:
    """Yield an input in other sizes, along each choice of axes that may be its positions.

    Which they are is seen from what the model takes: fewer tokens, smaller or larger images, but
    not fewer channels. A model that takes both tells nothing.
    """
    if part.ndim == 2 and part.dtype.kind in "iu" and part.shape[1] > 1:
        yield iter([part[:, : max(1, part.shape[1] * 3 // 4)]])
    elif part.ndim == 3:
        for axis in (2, 1):
            if part.shape[axis] > 3:
                yield iter([np.take(part, range(part.shape[axis] * 3 // 4), axis=axis)])
    elif part.ndim > 3:
        for axes in (range(2, part.ndim), range(1, part.ndim - 1)):
            yield _scaled(part, axes)


def _scaled(part: Array, axes: Iterable[int]) -> Iterator[Array]:
    for factor in FACTORS:
        other = part
        for axis in axes:
            size = max(1, int(part.shape[axis] * factor))
            other = np.take(other, np.arange(size) % part.shape[axis], axis=axis)
        yield other
