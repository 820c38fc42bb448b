"""How a model itself makes one vector of its tokens: found by comparing values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from .._typing import Array
from ._adapters.base import Adapter
from ._layers import Found, Probe, probe_sizes
from ._layout import Layouts
from ._masks import masks_in
from ._pooling import Found_, MeanFrom, Pooling, Token, is_tokens
from ._samples import Source

FIRST_TOKENS: Final = 6
"""So many of the first tokens are compared, and means that leave out fewer than so many."""
MOST_LAYERS: Final = 60
"""So many layers after the last tokens are compared with them."""
TOLERANCE: Final = 1e-4


def find_model_pooling(
    adapter: Adapter,
    samples: Source,
    probed: Probe,
    found: Sequence[Found],
    layouts: Layouts,
) -> dict[str, Found_]:
    """Return how the model pools its tokens, by the name of the layer; empty if that is not seen.

    What the layers after the last tokens are given, or return, is compared with each of the first
    tokens, the last one, and the means, under the mask. Layers of as many tokens, with the same
    mask, are one row.
    """
    rows: dict[tuple[int, str], list[Found]] = {}
    for entry in found:
        if is_tokens(entry, layouts):
            key = entry.layer.shape[0], layouts.mask.get(entry.layer.name, "")
            rows.setdefault(key, []).append(entry)
    if not rows:
        return {}
    batch = samples.first(probe_sizes(adapter, samples)[0])
    after = {key: _after(probed, entries[-1]) for key, entries in rows.items()}
    result: dict[str, Found_] = {}
    for each in (_padded(batch, {mask for _, mask in rows}, _padding_id(adapter.model)), batch):
        left = {key: part for key, part in after.items() if rows[key][0].layer.name not in result}
        if each is None or not left:
            continue
        values = _values(adapter, each, left.values())
        for (length, mask_name), parts in left.items():
            tokens, vectors = (
                [(entry, _by_sample(entry, values[entry.source])) for entry in part]
                for part in parts
            )
            mask = samples.masks(each, 0, len(tokens[0][1])).get(mask_name) if mask_name else None
            if mask is not None and layouts.padding.get(mask_name):
                mask = np.asarray(mask) == 0
            how = _pooled_alike(length, mask_name, mask, tokens, vectors)
            if how is not None:
                result |= {entry.layer.name: how for entry in rows[length, mask_name]}
    return result


def _values(
    adapter: Adapter, batch: Any, parts: Iterable[tuple[list[Found], list[Found]]]
) -> dict[str, Array]:
    values: dict[str, Array] = {}

    def sink(name: str, kind: str, array: Array) -> None:
        values.setdefault(name, np.array(array))

    wanted = {entry.source for tokens, vectors in parts for entry in (*tokens, *vectors)}
    with adapter.capture(sink, wanted) as run:
        run(batch)
    return values


def _after(probed: Probe, last: Found) -> tuple[list[Found], list[Found]]:
    """Return the last tokens and those of as many after them, and the vectors after them."""
    length, width = last.layer.shape
    names = [entry.layer.name for entry in probed.found]
    after = [entry for entry in probed.found[names.index(last.layer.name) :] if not entry.problem]
    tokens = [last] + [
        entry
        for entry in after
        if len(entry.layer.shape) == 2
        and entry.layer.shape[0] == length
        and entry.source != last.source
    ]
    widths = {width} | {entry.layer.shape[1] for entry in tokens}
    vectors = [
        entry
        for entry in after
        if entry.layer.size in widths and max(entry.layer.shape) == entry.layer.size
    ]
    return tokens[:MOST_LAYERS], vectors[:MOST_LAYERS]


def _by_sample(entry: Found, values: Array) -> Array:
    return np.moveaxis(values, entry.axis or 0, 0)


def _pooled_alike(
    length: int,
    mask_name: str,
    mask: Array | None,
    tokens: Sequence[tuple[Found, Array]],
    vectors: Sequence[tuple[Found, Array]],
) -> Found_ | None:
    """Return the first pooling of tokens that gives a vector of the model's."""
    poolings = {
        how: Pooling((length, 1), 1, how, mask_name)
        for how in _candidates(length, masked=mask is not None)
    }
    pooled = {
        (how, place): pooling.apply(values, 0, mask)
        for place, (_, values) in enumerate(tokens)
        if not _agree(values, np.broadcast_to(values[:, :1], values.shape))
        for how, pooling in poolings.items()
    }
    for _, vector in reversed(vectors):  # what is nearer to the output comes first
        for how in poolings:
            for place in range(len(tokens)):
                one = pooled.get((how, place))
                if one is not None and _agree(one, vector.reshape(len(vector), -1)):
                    return how
    return None


def _candidates(length: int, *, masked: bool) -> Iterator[Found_]:
    """Yield poolings, the mean first: a BERT whose tokens are averaged has a pooler of token 0 too.

    With a mask, the last token that counts comes before those of a fixed place; of a text of three
    tokens, it is also the mean of those from the third on.
    """
    places = range(1, min(FIRST_TOKENS, length - 1))
    yield from ("mean", Token(0))
    if not masked:
        yield from map(Token, places)
    yield "last"
    yield from map(MeanFrom, places)
    yield "max"
    if masked:
        yield from map(Token, places)


def _padding_id(model: Any) -> int | None:
    """Return the id that pads texts, if a model's configuration knows it."""
    value = getattr(getattr(model, "config", None), "pad_token_id", None)
    return value if isinstance(value, int) else None


def _padded(batch: Any, used: set[str], padding: int | None) -> Any:
    """Return a batch whose texts have different numbers of tokens, so that poolings differ."""
    if not isinstance(batch, Mapping):
        return None
    changed = dict(batch)
    for name, mask in masks_in(batch).items():
        if name not in used:
            continue
        changed[name] = shorter = _shorter(mask)
        for key, part in batch.items():
            is_ids = isinstance(part, np.ndarray) and part.dtype.kind in "iu"
            if key == name or not is_ids or part.shape != mask.shape or not key.endswith("ids"):
                continue
            known = np.unique(part[mask == 0])
            fill = int(known[0]) if len(known) == 1 else padding
            if fill is not None and key.endswith("input_ids"):
                changed[key] = np.where(shorter == mask, part, fill)
    return changed


def _shorter(mask: Array) -> Array:
    """Return a mask that keeps one token less of the second sample, two less of the third."""
    result = mask.copy()
    is_left = not mask[:, 0].all()
    for row, kept in enumerate(mask != 0):
        places = np.flatnonzero(kept)
        n_fewer = min(row, len(places) - 1)
        if n_fewer > 0:
            result[row, places[:n_fewer] if is_left else places[-n_fewer:]] = 0
    return result


def _agree(first: Array, second: Array) -> bool:
    scale = float(np.abs(first).max())
    if first.shape != second.shape or not scale or np.ptp(first) < TOLERANCE * scale:
        return False
    return bool(np.abs(first - second).max() <= TOLERANCE * scale)
