"""What float32 takes away from points that lie in groups far apart.

Less one of the points, float32 holds their distances across the whole set to seven digits. Within
a group that is narrow beside its distance from the others nothing may be left: points at 0 and
1e9, each group of spread 1, are rounded to multiples of 64.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Final

import numpy as np

from .._typing import Array

# Rows that are looked at, in contiguous parts: points are often in the order of their classes.
PARTS: Final = 8
ROWS: Final = 2048
VALUES: Final = 2**22
# Of them, how many are compared with all, and with how many of those near them exactly.
ASKED: Final = 128
NEAREST: Final = 16
# A distance is blurred if rounding moves its ends by more than this part of it.
PART: Final = 1 / 16
# What float64 itself cannot tell apart is not lost by float32.
NOISE: Final = 2.0**-44
# Points that are blurred are told of where they are more than this share.
SHARE: Final = 0.1


def warn_if_blurred(
    read: Callable[[slice], Array],
    shape: tuple[int, int],
    *,
    name: str,
    max_values: int = VALUES,
    stacklevel: int = 4,
) -> None:
    """Warn if float32 blurs the distances of many points from their nearest ones.

    Parameters
    ----------
    read : callable
        Returns rows by a slice, relative to what float32 values are relative to.
    shape : tuple of int
        (n_samples, n_features).
    name : str
        What the warning calls the points.
    max_values : int
        How many values are looked at, at most.
    """
    share = blurred_share(read, shape, max_values)
    if share > SHARE:
        warnings.warn(f"{name}: {said_of_blur(share)}", UserWarning, stacklevel=stacklevel)


def said_of_blur(share: float) -> str:
    """Return what to tell of points a share of which is blurred."""
    return (
        f"{share:.0%} of the samples looked at lie nearer to others than float32, which is "
        "computed with, can tell apart so far from the rest; their neighbors, and the maps and "
        "scores that depend on these, may be wrong. Bring the groups of samples nearer to each "
        "other, or map distances of your own: TSNE(metric='precomputed')"
    )


def blurred_share(
    read: Callable[[slice], Array], shape: tuple[int, int], max_values: int = VALUES
) -> float:
    """Return the share of points, of some looked at, whose nearest ones float32 hardly tells apart.

    Copies are not counted: they are copies in float32 too.
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
        # Squares of float64 neither overflow nor vanish.
        values = np.ldexp(values.astype(np.float64), -int(np.frexp(reach)[1]))
        lost = np.linalg.norm(values - values.astype(np.float32), axis=1)
    asked = np.unique(np.linspace(0, len(values) - 1, ASKED).astype(int))
    squares = np.einsum("ij,ij->i", values, values)
    apart = squares - 2 * (values[asked] @ values.T)  # but for what is the same along a row
    few = min(NEAREST, len(values) - 1)
    near = np.argpartition(apart, few, axis=1)[:, : few + 1]
    blurred = 0
    for row, others in zip(asked, near, strict=True):
        exact = np.linalg.norm(values[others] - values[row], axis=1)
        told = exact > NOISE * squares[row] ** 0.5
        blurred += bool((told & (PART * exact < lost[others] + lost[row])).any())
    return blurred / len(asked)
