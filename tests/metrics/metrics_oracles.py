"""Slow, plain forms of what the measures compute, to hold the fast ones against."""

import itertools
from types import SimpleNamespace

import numpy as np


def brute_graph(points, k):
    """The k nearest neighbors by all distances, ties by index, self left out by its index."""
    points = np.asarray(points, dtype=np.float64)
    indices = np.empty((len(points), k), dtype=np.int32)
    distances = np.empty((len(points), k), dtype=np.float32)
    for i in range(len(points)):
        to_all = np.sqrt(((points - points[i]) ** 2).sum(axis=1))
        order = [j for j in np.lexsort((np.arange(len(points)), to_all)) if j != i][:k]
        indices[i], distances[i] = order, to_all[order]
    return SimpleNamespace(indices=indices, distances=distances)


def slow_hit(indices, labels):
    """The Neighborhood Hit of each point, by a double loop."""
    hits = []
    for i, neighbors in enumerate(indices):
        hits.append(sum(labels[j] == labels[i] for j in neighbors) / len(neighbors))
    return np.array(hits)


def monte_carlo_overlap(first, second, rng, draws=200_000):
    """Area of the intersection of two convex counter-clockwise polygons, by random points."""
    corners = np.concatenate([first, second])
    low, high = corners.min(axis=0), corners.max(axis=0)
    points = rng.uniform(low, high, size=(draws, 2))
    inside = np.ones(draws, dtype=bool)
    for polygon in (first, second):
        for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            edge, to = b - a, points - a
            inside &= edge[0] * to[:, 1] - edge[1] * to[:, 0] >= 0
    return inside.mean() * np.prod(high - low)


def slow_share_inside(flat, other):
    """Share of a segment's length (of a point: 1 or 0) that lies inside a convex outline."""
    start, direction = flat[0], flat[-1] - flat[0]
    low, high = 0.0, 1.0
    for normal, offset in half_planes(other):
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


def half_planes(outline):
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


def permuted_hits(neighbors, codes):
    """The Neighborhood Hit of all permutations of the labels."""
    permutations = np.array(list(itertools.permutations(codes)))
    return (permutations[:, neighbors] == permutations[:, :, None]).mean(axis=(1, 2))
