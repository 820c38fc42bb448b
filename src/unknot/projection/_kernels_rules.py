"""What the compiled kernels of the descent and their callers share: layouts, limits, small rules.

Plain Python, which runs without Numba; the files of kernels compile the functions as their own.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from .._typing import Array

Bounds = tuple[float, float, float, float]

# Columns of the sums over each chunk of points.
X_LOW, X_HIGH, Y_LOW, Y_HIGH, GRADIENT, LOG_SUM, PHI_SUM = range(7)
# The longest move of a point in one iteration, in units of the map and as a share of the map's
# width, which counts as at least LEAST_WIDTH, that of a map about to unfold.
MAX_STEP = np.float32(5)
MAX_SHARE = np.float32(0.05)
LEAST_WIDTH = np.float32(4)
# Nodes around the points: a point reaches one node before its cell and two after.
MARGIN = 2
# The mesh grows by this many nodes at a time, as its influence function must then be recomputed.
GROWTH = 32
# The minimum number of cells across the map, whatever its span.
MIN_CELLS = 50


class StateRow(IntEnum):
    """Rows of a descent's state, (14, n) with n padded to a multiple of 16."""

    X = 0
    Y = 1
    X_VELOCITY = 2
    Y_VELOCITY = 3
    X_GAIN = 4
    Y_GAIN = 5
    X_PULL = 6
    Y_PULL = 7
    X_FIELD = 8
    Y_FIELD = 9
    PAIRS = 10  # two rows: (x, y) of each point, interleaved
    X_MEMORY = 12  # of `notch_filter`
    Y_MEMORY = 13


N_ROWS = 14


def bounds_of(sums: Array) -> Bounds:
    """Return the least and greatest x, then y, of a map from those of its chunks."""
    x_low, x_high, y_low, y_high = sums[0, X_LOW], sums[0, X_HIGH], sums[0, Y_LOW], sums[0, Y_HIGH]
    for chunk in range(1, len(sums)):
        row = sums[chunk]
        x_low = row[X_LOW] if row[X_LOW] < x_low else x_low
        x_high = row[X_HIGH] if row[X_HIGH] > x_high else x_high
        y_low = row[Y_LOW] if row[Y_LOW] < y_low else y_low
        y_high = row[Y_HIGH] if row[Y_HIGH] > y_high else y_high
    return x_low, x_high, y_low, y_high


def longest_step(width: float) -> np.float32:
    """Return the longest move of a point in one iteration on a map of this width.

    When exaggeration ends, the learning rate is far too high for a map that is still small: without
    a limit in proportion to its width, the points scatter and the arrangement found is lost.
    """
    across = max(np.float32(width), LEAST_WIDTH)
    return min(MAX_STEP, MAX_SHARE * across)


def nodes_across(span: float, step: float) -> np.int64:
    """Return the number of nodes that a map of this span needs."""
    return np.int64(np.ceil(span / step)) + 2 * MARGIN + 1


def map_width(bounds: Bounds) -> float:
    """Return the longer side of a map, but no less than float32 can resolve at its position."""
    x_low, x_high, y_low, y_high = bounds
    reach = max(max(abs(x_low), abs(x_high)), max(abs(y_low), abs(y_high)))
    return max(max(x_high - x_low, y_high - y_low), max(1e-3 * reach, 1e-12))


def rung(width: float) -> float:
    """Return the refinement level of a small map's mesh, whose step is 2^(rung / 4)."""
    level: float = np.floor(4 * np.log2(width / MIN_CELLS))
    return level


def fits(bounds: Bounds, layout: tuple[int, int, float, float]) -> bool | np.bool:
    """Return whether a mesh of ``layout`` (rows, columns, step, spacing) still fits a map.

    A mesh that is slightly too large is kept, as a map's span fluctuates.
    """
    rows, columns, step, spacing = layout
    width = map_width(bounds)
    if width < MIN_CELLS * spacing:
        if step >= spacing or rung(width) != np.rint(4 * np.log2(step)):
            return False
    elif step != spacing:
        return False
    nx = nodes_across(bounds[1] - bounds[0], step)
    ny = nodes_across(bounds[3] - bounds[2], step)
    return rows - 2 * GROWTH < nx <= rows and columns - 2 * GROWTH < ny <= columns


def normalizer(total: float, offset: float, n: int) -> float:
    """Compute Z from the sum of the points' potentials.

    Clipped, since rounding may make it negative where all points are far apart.
    """
    return max(total + offset * n * (n - 1), 1e-3 * n)


def find_origin(
    bounds: Bounds, shape: tuple[int, int], step: float, turn: int
) -> tuple[np.float32, np.float32]:
    """Return the origin of a mesh centered on a map with these bounds (x low, high, y low, high).

    Nodes are at multiples of ``step`` or, if ``turn`` is 1, shifted by half a step. At least 1.25
    steps remain between the points and each edge.
    """
    x_low, x_high, y_low, y_high = bounds
    nx, ny = shape
    shift = 0.5 * turn
    x_nodes = np.rint((x_low + x_high) / (2 * step) - (nx - 1) / 2 - 0.25) + shift
    y_nodes = np.rint((y_low + y_high) / (2 * step) - (ny - 1) / 2 - 0.25) + shift
    return np.float32(step * x_nodes), np.float32(step * y_nodes)
