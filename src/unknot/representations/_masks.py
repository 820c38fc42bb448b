"""Masks: which positions of a sample are padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from .._typing import Array

MASK: Final = "mask="
"""Stands for the mask that the user gave, among those of the inputs."""

NAMES: Final = ("attention_mask", "padding_mask", "mask")
PREFIXES: Final = ("decoder_", "encoder_")


def masks_in(batch: Any) -> dict[str, Array]:
    """Return the masks among the inputs of a batch, by name: (n_samples, length), 0 for padding."""
    if not isinstance(batch, Mapping):
        return {}
    names = {f"{prefix}{mask}" for mask in NAMES for prefix in ("", *PREFIXES)}
    return {
        name: np.asarray(part)
        for name, part in batch.items()
        if name in names and np.ndim(part) == 2
    }


def check_mask(mask: Any, n_samples: int) -> Array:
    """Return a mask as an array (n_samples, length) of booleans.

    Raises
    ------
    ValueError
        If it has another shape, or other values than 0 and 1.
    """
    array = np.asarray(mask)
    if array.ndim != 2 or len(array) != n_samples:
        raise ValueError(
            f"mask must have the shape (n_samples, length) with the {n_samples} samples of the "
            f"inputs; got {array.shape}"
        )
    if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"mask must hold 1 or True for positions that count, and 0 or False for padding; got "
            f"{array.dtype.name} values"
        )
    return array.astype(bool)
