"""Detect points whose distances float32 cannot resolve, as in tight groups far apart.

Relative to one of the points, float32 holds distances across the whole set to seven digits. Within
a group that is narrow compared with its distance from the others nothing may be left: of groups at
0 and 1e9, each of spread 1, the second is rounded to multiples of 64.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Final

import numpy as np

from .._typing import Array

# The sample: rows in contiguous parts, since points are often sorted by class.
PARTS: Final = 8
ROWS: Final = 2048
VALUES: Final = 2**22
# How many of them are queries, and for how many of their neighbors distances are exact.
QUERIES: Final = 128
NEAREST: Final = 16
# A distance is imprecise if rounding moves its endpoints by more than this fraction of it.
TOLERANCE: Final = 1 / 16
# Distances below this fraction of the norm are beyond float64 as well.
NOISE: Final = 2.0**-44
# The share of imprecise points above which a warning is issued.
SHARE: Final = 0.1


def warn_if_imprecise(
    read: Callable[[slice], Array],
    shape: tuple[int, int],
    *,
    name: str,
    max_values: int = VALUES,
    stacklevel: int = 4,
) -> None:
    """Warn if float32 cannot resolve the nearest distances of many points.

    Parameters
    ----------
    read : callable
        Returns the rows of a slice, relative to the origin that float32 is relative to.
    shape : tuple of int
        (n_samples, n_features).
    name : str
        The name of the argument, for the warning.
    max_values : int
        The size of the sample, at most.
    """
    share = imprecise_share(read, shape, max_values)
    if share > SHARE:
        warnings.warn(f"{name}: {precision_message(share)}", UserWarning, stacklevel=stacklevel)


def precision_message(share: float) -> str:
    """Return the message for a share of imprecise points."""
    return (
        f"{share:.0%} of the samples checked lie closer to others than float32 can resolve at "
        "their distance from the rest; their neighbors, and the maps and scores that depend on "
        "them, may be wrong. Move the groups of samples closer together, or map distances of your "
        "own: TSNE(metric='precomputed')"
    )


def imprecise_share(
    read: Callable[[slice], Array], shape: tuple[int, int], max_values: int = VALUES
) -> float:
    """Return the share of sampled points whose nearest distances float32 cannot resolve.

    Exact copies are not counted: they are copies in float32 too.
    """
    n_samples, n_features = shape
    rows = max(PARTS, min(ROWS, max_values // max(n_features, 1)))
    if n_samples <= rows:
        values = read(slice(0, n_samples))
    else:
        starts = np.linspace(0, n_samples - rows // PARTS, PARTS).astype(int)
        values = np.concatenate([read(slice(at, at + rows // PARTS)) for at in starts.tolist()])
    with np.errstate(all="ignore"):
        reach = float(np.abs(values).max(initial=0))
        if not (0 < reach < np.inf):
            return 0.0
        # Scaled so that squares neither overflow nor underflow.
        values = np.ldexp(values.astype(np.float64), -int(np.frexp(reach)[1]))
        lost = np.linalg.norm(values - values.astype(np.float32), axis=1)
    queries = np.unique(np.linspace(0, len(values) - 1, QUERIES).astype(int))
    squares = np.einsum("ij,ij->i", values, values)
    apart = squares - 2 * (values[queries] @ values.T)  # up to a constant per row
    few = min(NEAREST, len(values) - 1)
    near = np.argpartition(apart, few, axis=1)[:, : few + 1]
    imprecise = 0
    for row, others in zip(queries, near, strict=True):
        exact = np.linalg.norm(values[others] - values[row], axis=1)
        resolved = exact > NOISE * squares[row] ** 0.5
        imprecise += bool((resolved & (TOLERANCE * exact < lost[others] + lost[row])).any())
    return imprecise / len(queries)
