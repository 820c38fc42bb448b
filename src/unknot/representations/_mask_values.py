"""Which value of a mask stands for padding: found by experiment, where its name does not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._typing import Array
from ._adapters.base import Adapter
from ._layers import Found
from ._masks import masks_in

TOLERANCE = 1e-5


def padding_value(adapter: Adapter, batch: Any, name: str, entry: Found) -> int | None:
    """Return the value of a mask that marks padding: 0 or 1; None if that is not seen.

    An ``attention_mask`` is 0 for padding everywhere. Others are 0 in some libraries, and True in
    others. Tokens that are marked as padding change nothing at the other positions.

    Parameters
    ----------
    adapter : Adapter
    batch : mapping of str to ndarray
    name : str
        The input that is the mask.
    entry : Found
        The last layer of tokens that it masks.
    """
    if name.endswith("attention_mask"):
        return 0
    if not isinstance(batch, Mapping):
        return None
    found = [value for value in (0, 1) if _is_ignored(adapter, batch, name, entry, value)]
    return found[0] if len(found) == 1 else None


def _is_ignored(
    adapter: Adapter, batch: Mapping[str, Any], name: str, entry: Found, value: int
) -> bool:
    """Whether the first tokens change nothing behind them if the mask has this value there."""
    mask = np.asarray(batch[name])
    length = mask.shape[1]
    count = max(1, length // 4)
    marked = np.full_like(mask, 1 - value)
    marked[:, :count] = value
    usual = {**batch, name: marked}
    changed = {
        key: part if key in masks_in(batch) else _with_other_tokens(part, length, count)
        for key, part in usual.items()
    }
    first, second = (_tokens(adapter, other, entry) for other in (usual, changed))
    if first is None or second is None or first.shape[1] != length:
        return False
    scale = float(np.abs(first).max()) or 1.0
    return bool(np.abs(first - second)[:, count:].max() <= TOLERANCE * scale)


def _with_other_tokens(part: Any, length: int, count: int) -> Any:
    """Return an input with other tokens in its first places, taken from its own last ones."""
    if not isinstance(part, np.ndarray) or part.ndim < 2 or part.shape[1] != length:
        return part
    result: Array = part.copy()
    result[:, :count] = part[:, -count:][::-1]
    return result


def _tokens(adapter: Adapter, batch: Mapping[str, Any], entry: Found) -> Array | None:
    """Return a layer's values (n_samples, length, features)."""
    values: list[Array] = []
    try:
        with adapter.capture(
            lambda name, kind, rows: values.append(np.array(rows)), {entry.source}
        ) as run:
            run(dict(batch))
    except Exception:  # a model may refuse a mask of this kind, each in its own way
        return None
    if not values or values[0].ndim != 3:
        return None
    return np.moveaxis(values[0], entry.axis or 0, 0)
