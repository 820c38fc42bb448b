"""Labels of tokens and pixels: each labeled position of a sample is a point of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..._typing import Array
from .label_kinds import IGNORED

if TYPE_CHECKING:
    from ...representations import Places

MAX_POSITIONS: Final = 10_000
"""How many tokens or pixels are drawn where the user does not say."""


def labels_at_positions(
    inputs: Any, labels: Any, ignored: Any = IGNORED
) -> tuple[Places, Array] | None:
    """Return the positions that have a label, and their labels.

    Labels are of tokens, (n_samples, length), if an input has that length; and of pixels,
    (n_samples, height, width), if an input has these. Other labels are of samples: None.

    Parameters
    ----------
    inputs : array, tuple or dict of arrays, or Stream
    labels : array-like
    ignored : label or collection of labels
        Of positions that are left out. So are those that a mask marks as padding.
    """
    from ...representations import Places

    array = labels if isinstance(labels, np.ndarray) else _as_array(labels)
    if array is None or array.ndim not in (2, 3) or array.dtype.kind not in "iuUSbO":
        return None
    parts = _parts_of(inputs)
    grid = array.shape[1:]
    if not _has_positions(parts, grid, is_stream=hasattr(inputs, "digest")):
        return None
    if set(np.unique(array).tolist()) <= {0, 1} and array.ndim == 2 and _is_one_of_each(array):
        return None  # one-hot, whose length is that of an input by chance
    kept = np.ones(array.shape, bool)
    for each in [ignored] if np.ndim(ignored) == 0 else ignored:
        kept &= array != each
    for name, part in parts.items():
        is_mask = isinstance(name, str) and name.endswith("mask")
        if is_mask and not name.startswith("decoder_") and part.shape == array.shape:
            kept &= part != 0
    samples, *positions = np.nonzero(kept)
    return Places(samples, np.stack(positions, axis=1), grid), array[kept]


def _as_array(labels: Any) -> Array | None:
    if hasattr(labels, "detach"):
        labels = labels.detach().cpu().numpy()
    try:
        return np.asarray(labels)
    except ValueError:  # rows of different lengths
        return None


def _parts_of(inputs: Any) -> dict[Any, Array]:
    if inputs is None:
        return {}
    if hasattr(inputs, "digest"):
        return dict(inputs.parts)
    if isinstance(inputs, Mapping):
        return dict(inputs)
    return dict(enumerate(inputs)) if isinstance(inputs, tuple) else {0: inputs}


def _has_positions(parts: Mapping[Any, Array], grid: tuple[int, ...], *, is_stream: bool) -> bool:
    shapes = [part.shape[1:] for part in parts.values() if isinstance(part, np.ndarray)]
    if len(grid) == 2:
        return any(grid in (shape, shape[1:], shape[:-1]) for shape in shapes if len(shape) > 1)
    ids = [p for p in parts.values() if isinstance(p, np.ndarray) and p.ndim == 2]
    if any(p.dtype.kind in "iub" and (p.shape[1] == grid[0] or is_stream) for p in ids):
        return True
    return any(len(shape) == 2 and shape[0] == grid[0] for shape in shapes)


def _is_one_of_each(array: Array) -> bool:
    return bool((array.sum(axis=1) == 1).all())
