"""The initial map, and the order of its points in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._io.stored_points import Rows, StoredPoints
from .._parallel.thread_team import ThreadTeam, single_threaded_blas
from .._typing import Array, Float32, Int32
from .._validation.arrays import as_numbers
from ._pca import Components

# Standard deviation of a start: small against 1, the distance at which points begin to interact.
SPREAD = 1e-4
# A given start that is narrower would take too many iterations to unfold.
LEAST_WIDTH = 1e-8


def starting_map(
    init: Any,
    points: Rows | None,
    n_samples: int,
    n_components: int,
    random: np.random.RandomState,
    n_threads: int,
) -> Float32[Array, "samples components"]:
    """Return the initial map.

    "pca": the leading principal components, scaled so that the first has standard deviation 1e-4
    [Kobak2019]; constant components get random values of that size, since no gradient would ever
    separate equal points. "random": normal, with standard deviation 1e-4. Without points, "pca"
    means "random". An array is used as it is, except for the limits of its size (see `TSNE`).

    Raises
    ------
    TypeError
        If ``init`` is an array that does not hold real numbers.
    ValueError
        If ``init`` is neither one of these nor a finite array (n_samples, n_components).
    """
    noise = (SPREAD * random.standard_normal((n_samples, n_components))).astype(np.float32)
    if isinstance(init, str):
        if init not in ("pca", "random"):
            raise ValueError(f"init must be 'pca', 'random' or an array; got {init!r}")
        if init == "random" or points is None:
            return noise
        start = noise
        n_found = min(n_components, *points.shape)
        with single_threaded_blas(), ThreadTeam(n_threads) as team:
            components = _components(points, n_found, team).astype(np.float64)
        deviations = components.std(axis=0)
        if deviations[0] > 0:
            varying = np.flatnonzero(deviations > 1e-6 * deviations[0])
            start[:, varying] = components[:, varying] / deviations[0] * SPREAD
        return start
    return _given_start(init, noise)


def _given_start(
    init: Any, noise: Float32[Array, "samples components"]
) -> Float32[Array, "samples components"]:
    """Check a given start; center and scale it only where the descent could not work with it."""
    if init is None or np.isscalar(init):
        raise TypeError(f"init must be 'pca', 'random' or an array of real numbers; got {init!r}")
    given = as_numbers(init, "init")
    if given.shape != noise.shape:
        raise ValueError(
            f"init must have the shape (n_samples, n_components) = {noise.shape}; got {given.shape}"
        )
    with np.errstate(over="ignore"):
        start = given.astype(np.float64)
    if not np.isfinite(start).all():
        raise ValueError("init must be finite; got NaN or infinite values")
    farthest = 100 + 4 * len(start) ** 0.5
    reach = float(np.abs(start).max())
    if reach > farthest:
        start /= reach  # no sum overflows
        start -= start.mean(axis=0)
        start *= min(reach, farthest / max(float(np.abs(start).max()), 1e-300))
    same = np.ptp(start, axis=0) == 0
    width = float(np.ptp(start, axis=0).max())
    if 0 < width < LEAST_WIDTH:
        start = (start - start[0]) / width
        start = (start - start.mean(axis=0)) / start.std(axis=0).max() * SPREAD
    start[:, same] += noise[:, same]
    return start.astype(np.float32)


def _components(points: Rows, n_found: int, team: ThreadTeam) -> Float32[Array, "samples found"]:
    if not isinstance(points, StoredPoints):
        return Components.of(points, n_found, team).project(points, team)
    # For a start, the components of as many points as fit into memory suffice.
    n_rows = min(len(points), points.rows_in(points.max_memory // 4))
    rows = np.linspace(0, len(points) - 1, n_rows).astype(np.int64)
    components = Components.of(points[rows], n_found, team)
    return np.concatenate([components.project(points[part], team) for part in points.slabs()])


def curve_order(start: Float32[Array, "samples components"]) -> Int32[Array, " samples"]:
    """Order points along a Z-order (Morton) curve, so that near points are near in memory."""
    low, high = start.min(axis=0), start.max(axis=0)
    cells = ((start - low) / np.where(high > low, high - low, 1) * 65535).astype(np.uint64)
    code = np.zeros(len(start), np.uint64)
    for axis in range(min(2, start.shape[1])):
        bits = cells[:, axis]
        # Spread 16 bits to the even positions.
        for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
            bits = (bits | (bits << np.uint64(shift))) & np.uint64(mask)
        code |= bits << np.uint64(axis)
    return np.argsort(code, kind="stable").astype(np.int32)
