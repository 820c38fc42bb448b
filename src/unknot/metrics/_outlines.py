"""Outlines of classes on a map, and how two overlap, with or without an area."""

from __future__ import annotations

import numpy as np

from .._typing import Array

# A class is called flat when its width is below this share of its length: float32 coordinates,
# whose relative error is 6e-8, cannot tell such a class from a line.
FLAT = 1e-6
# For its overlaps only, a flat ellipse is given this share of the map's own spread as its width.
FLOOR = 1e-3


def outline_of(points: Array, depth: float) -> Array:
    """Corners of the hull of the points left when outer layers go; of a flat class its ends."""
    from ._kernels_shapes import peeled_corners

    points = points[np.lexsort((points[:, 1], points[:, 0]))]
    fewest = max(1, int(np.ceil(depth * len(points) - 1e-9)))
    corners = np.empty(2 * len(points) + 1, dtype=np.int64)
    count = peeled_corners(points, fewest, np.empty(len(points), dtype=np.bool_), corners)
    outline = points[corners[:count]]
    apart = np.linalg.norm(outline[:, None] - outline[None], axis=2)
    length = apart.max()
    if length == 0.0:
        return outline[:1]
    ends = np.array(np.unravel_index(apart.argmax(), apart.shape))
    direction = (outline[ends[1]] - outline[ends[0]]) / length
    across = (outline - outline[ends[0]]) @ np.array([-direction[1], direction[0]])
    return outline[np.sort(ends)] if np.ptp(across) <= FLAT * length else outline


def relative_overlap(shared: Array, areas: Array, outlines: list[Array]) -> Array:
    smaller = np.minimum(areas[:, None], areas[None, :])
    overlap = np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0.0)
    for a in np.flatnonzero(areas == 0.0):
        for b in range(len(areas)):
            # Of two hulls without area, the shorter is the smaller.
            flat, other = (
                (outlines[b], outlines[a])
                if areas[b] == 0.0 and _length(outlines[b]) < _length(outlines[a])
                else (outlines[a], outlines[b])
            )
            overlap[a, b] = overlap[b, a] = _share_inside(flat, other)
    np.fill_diagonal(overlap, 1.0)
    return np.minimum(overlap, 1.0)


def _length(outline: Array) -> float:
    return float(np.linalg.norm(outline[-1] - outline[0]))


def _share_inside(flat: Array, other: Array) -> float:
    """Share of a segment's length (of a point: 1 or 0) that lies inside a convex outline."""
    start, direction = flat[0], flat[-1] - flat[0]
    low, high = 0.0, 1.0
    for normal, offset in _half_planes(other):
        # Inside where normal . (start + t direction) <= offset, to within a rounding error of
        # coordinates that are 1 at most.
        room = offset - normal @ start + 1e-9
        slope = float(normal @ direction)
        if slope > 1e-12:
            high = min(high, room / slope)
        elif slope < -1e-12:
            low = max(low, room / slope)
        elif room < 0.0:
            return 0.0
    if len(flat) == 1:
        return 1.0
    return max(0.0, high - low)


def _half_planes(outline: Array) -> list[tuple[Array, float]]:
    """Outward unit normals and offsets of a convex outline; a segment and a point have four."""
    if len(outline) > 2:
        edges = np.roll(outline, -1, axis=0) - outline
    else:
        along = outline[-1] - outline[0]
        along = along if along.any() else np.array([1.0, 0.0])
        across = np.array([-along[1], along[0]])
        edges = np.stack([along, across, -along, -across])
        outline = outline[[0, -1, -1, 0]]
    normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    offsets = (normals * outline).sum(axis=1)
    return list(zip(normals, offsets.tolist(), strict=True))


def bhattacharyya(means: Array, covariances: Array, flat: Array, coordinates: Array) -> Array:
    spread = coordinates.var(axis=0).sum()
    if spread == 0.0:
        return np.ones((len(means), len(means)))
    # In units of the map's spread, so that no determinant underflows.
    covariances = covariances / spread + flat[:, None, None] * FLOOR**2 * np.eye(2)
    means = means / np.sqrt(spread)
    between = 0.5 * (covariances[:, None] + covariances[None])
    difference = means[:, None] - means[None]
    solved = np.linalg.solve(between, difference[..., None])[..., 0]
    distance = (difference * solved).sum(axis=-1) / 8.0
    log_determinants = np.linalg.slogdet(covariances)[1]
    spread_term = np.linalg.slogdet(between)[1] - 0.5 * (
        log_determinants[:, None] + log_determinants[None]
    )
    overlap = np.exp(-distance - 0.5 * spread_term)
    np.fill_diagonal(overlap, 1.0)
    return np.asarray(np.minimum(overlap, 1.0))
