"""Places of many points on the map of some of them, the landmarks."""

from __future__ import annotations

from typing import Final

import numpy as np

from .._parallel.n_jobs import resolve_n_jobs
from .._typing import Array, Float32
from ..neighbors import SearchSpace, neighbors_among
from ._affinities import attainable_perplexity, neighbors_for
from ._placement import place_points

MESH_SPACING: Final = 0.5
# The search needs some 320 numbers a point beside its features, so not for all at once.
BLOCK: Final = 2**15


def place_on_map(
    points: Array,
    landmarks: SearchSpace,
    map_: Float32[Array, "landmarks components"],
    *,
    perplexity: float,
    n_jobs: int | None = None,
) -> Float32[Array, "samples components"]:
    """Place points on the map of landmarks, as `TSNE.transform` does.

    Parameters
    ----------
    points : array of shape (n_samples, n_features)
    landmarks : SearchSpace
        The points of the map, converted.
    map_ : ndarray of shape (n_landmarks, n_components), float32
        It does not change. A point equal to a landmark gets its place.
    perplexity : float
        That of the map.
    n_jobs : int, optional

    Returns
    -------
    ndarray of shape (n_samples, n_components), float32
        A point's place does not depend on the other points.
    """
    n_landmarks, n_threads = len(map_), resolve_n_jobs(n_jobs)
    perplexity = attainable_perplexity(perplexity, n_landmarks)
    k = neighbors_for(perplexity, n_landmarks)
    placed = np.empty((len(points), map_.shape[1]), np.float32)
    for start in range(0, len(points), BLOCK):
        queries = landmarks.take(points[start : start + BLOCK])
        near = neighbors_among(queries, landmarks.points, k, landmarks.metric, n_threads)
        placed[start : start + BLOCK] = place_points(
            map_, *near, perplexity, MESH_SPACING, n_threads
        )
    return placed
