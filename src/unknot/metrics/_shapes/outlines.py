"""Outlines of classes on a map, and how two overlap, with or without an area."""

from __future__ import annotations

import numpy as np

from ..._typing import Array

# A class is called flat when its width is below this share of its length: float32 coordinates,
# whose relative error is 6e-8, cannot tell such a class from a line.
FLAT_RATIO = 1e-6
# For its overlaps only, a flat ellipse is given this share of the map's own spread as its width.
MIN_WIDTH = 1e-3


def class_outline(points: Array, depth: float) -> Array:
    """Corners of the hull of the points left when outer layers go; of a flat class its ends."""
    from .kernels_shapes import peeled_hull

    # Complex numbers are sorted by their real part, then by their imaginary one.
    ordered = np.sort(np.ascontiguousarray(points).view(np.complex128).ravel())
    points = ordered.view(np.float64).reshape(-1, 2)
    min_points = max(1, int(np.ceil(depth * len(points) - 1e-9)))
    corners = np.empty(2 * len(points) + 1, dtype=np.int64)
    count = peeled_hull(points, min_points, np.empty(len(points), dtype=np.bool_), corners)
    outline = points[corners[:count]]
    apart = np.linalg.norm(outline[:, None] - outline[None], axis=2)
    length = apart.max()
    if length == 0.0:
        return outline[:1]
    ends = np.array(np.unravel_index(apart.argmax(), apart.shape))
    direction = (outline[ends[1]] - outline[ends[0]]) / length
    across = (outline - outline[ends[0]]) @ np.array([-direction[1], direction[0]])
    return outline[np.sort(ends)] if np.ptp(across) <= FLAT_RATIO * length else outline


def relative_overlap(shared: Array, areas: Array, vertices: Array, starts: Array) -> Array:
    """Areas shared by pairs of hulls over that of the smaller; without an area, by length."""
    from .kernels_shapes import fill_flat_overlaps

    smaller = np.minimum(areas[:, None], areas[None, :])
    overlap = np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0.0)
    fill_flat_overlaps(vertices, starts, areas, overlap)
    np.fill_diagonal(overlap, 1.0)
    return np.minimum(overlap, 1.0)


def bhattacharyya(means: Array, covariances: Array, flat: Array, coordinates: Array) -> Array:
    """Bhattacharyya coefficients of all pairs of Gaussians; flat ones are given a width."""
    spread = coordinates.var(axis=0).sum()
    if spread == 0.0:
        return np.ones((len(means), len(means)))
    # In units of the map's spread, so that no determinant underflows.
    covariances = covariances / spread + flat[:, None, None] * MIN_WIDTH**2 * np.eye(2)
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
