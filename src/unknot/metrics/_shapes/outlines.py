"""Hulls of classes on a map, and their overlap, also for hulls without area."""

from __future__ import annotations

import numpy as np

from ..._typing import Array

# A class is flat if its width is below this fraction of its length: with float32 coordinates, whose
# relative error is 6e-8, it cannot be distinguished from a line.
FLAT_RATIO = 1e-6
# Width of a flat ellipse for its overlaps, relative to the standard deviation of the map.
MIN_WIDTH = 1e-3


def points_by_class(points: Array, codes: Array, n_classes: int) -> list[Array]:
    """Return the points of each class, in their order.

    One sort instead of one mask per class: with 100 classes, masks took half of the time of hulls.
    """
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=n_classes))
    return np.split(points[order], ends[:-1])


def class_outline(points: Array, depth: float) -> Array:
    """Return the vertices of the (peeled) hull of points; the two ends if it is flat."""
    from .kernels_shapes import peeled_hull

    # Complex numbers sort by real part, then by imaginary part.
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
    """Divide areas of intersections by that of the smaller hull; for flat hulls, use lengths."""
    from .kernels_shapes import fill_flat_overlaps

    smaller = np.minimum(areas[:, None], areas[None, :])
    overlap = np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0.0)
    fill_flat_overlaps(vertices, starts, areas, overlap)
    np.fill_diagonal(overlap, 1.0)
    return np.minimum(overlap, 1.0)


def bhattacharyya(means: Array, covariances: Array, flat: Array, coordinates: Array) -> Array:
    """Return the Bhattacharyya coefficients of all pairs of Gaussians; flat ones get a width."""
    spread = coordinates.var(axis=0).sum()
    if spread == 0.0:
        return np.ones((len(means), len(means)))
    # Scaled by the variance of the map, so that no determinant underflows.
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
