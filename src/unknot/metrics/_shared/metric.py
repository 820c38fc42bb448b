"""Points whose Euclidean distances give those of a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.stored_points import Rows, StoredPoints
from ..._io.transformed import unit_stored
from ..._typing import Array
from ..._validation.points import as_points, scale_free

if TYPE_CHECKING:
    from ...neighbors import NeighborGraph
else:  # importing it would import Numba
    NeighborGraph = Any

EUCLIDEAN, COSINE = "euclidean", "cosine"


def check_metric(metric: object) -> str:
    """Return the metric; raise ValueError if it is unknown."""
    if metric not in (EUCLIDEAN, COSINE):
        raise ValueError(
            f"metric must be 'euclidean' or 'cosine'; got {metric!r}. For another one, transform "
            "the points first, such as with preprocess="
        )
    return str(metric)


def in_metric(
    points: Any, metric: str, *, name: str = "points", min_samples: int = 1
) -> tuple[Rows, tuple[str, ...]]:
    """Return points for measures that compare Euclidean distances, and notes.

    For the cosine they are scaled to unit length, where |u - v|^2 / 2 is 1 - cos. Rows of zeros,
    which have no direction, get one orthogonal to all others in a further column.
    """
    if metric == EUCLIDEAN:
        if isinstance(points, StoredPoints):
            points = points.scale_free()
            points.require_finite()
            return points, ()
        return scale_free(points, name=name, min_samples=min_samples), ()
    if isinstance(points, StoredPoints):
        points.require_finite()
        unit, n_zero = unit_stored(points)
        return unit, _zero_note(n_zero, len(points))
    from ...neighbors import SearchSpace

    array = as_points(points, name=name, min_samples=min_samples)
    found: Array = SearchSpace.of(array, COSINE, name=name).points
    return found, _zero_note(int((~array.any(axis=1)).sum()), len(array))


def _zero_note(n_zero: int, n_samples: int) -> tuple[str, ...]:
    if not n_zero:
        return ()
    return (
        f"{n_zero} of {n_samples} points are zero in all features and have no direction; by "
        "metric='cosine' they are at a distance of 1 from all other points",
    )


def graph_of(points: Rows, k: int, metric: str, n_jobs: int | None) -> NeighborGraph:
    """Return the nearest neighbors of points that `in_metric` returned, in units of the metric."""
    from ...neighbors import NeighborGraph, nearest_neighbors

    graph = nearest_neighbors(points, k, n_jobs=n_jobs)
    if metric == EUCLIDEAN:
        return graph
    halves = np.square(graph.distances, dtype=np.float64) / 2
    return NeighborGraph(graph.indices, halves.astype(np.float32), metric, graph.recall)


def euclidean_distances(graph: Any) -> Array:
    """Return the distances of a graph as Euclidean ones; cosines are of unit vectors."""
    distances: Array = graph.distances
    if graph.metric != COSINE:
        return distances
    return np.sqrt(2.0 * distances.astype(np.float64)).astype(np.float32)
