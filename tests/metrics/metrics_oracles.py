"""Slow, plain forms of what the measures compute, to hold the fast ones against."""

from types import SimpleNamespace

import numpy as np


def brute_graph(points, k):
    """The k nearest neighbours by all distances, ties by index, self left out by its index."""
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
    for i, neighbours in enumerate(indices):
        hits.append(sum(labels[j] == labels[i] for j in neighbours) / len(neighbours))
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
