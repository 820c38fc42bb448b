"""Embedding of new points into a fixed map."""

from __future__ import annotations

import numpy as np

from .._parallel.thread_team import ThreadTeam
from .._prebuilt.kernel import Kernel
from .._typing import Array, Float32, Int32
from ._affinities import conditional
from ._mesh import Mesh

place = Kernel(f"{__package__}._kernels_placement", "place")

STEPS = 200
# New points per task.
POINTS_PER_TASK = 64
# Up to this many points in a map, phi is summed over all of them.
MESH_ABOVE = 2000


def place_points(
    map_: Float32[Array, "samples components"],
    indices: Int32[Array, "new k"],
    distances: Float32[Array, "new k"],
    perplexity: float,
    spacing: float,
    n_threads: int,
) -> Float32[Array, "new components"]:
    """Place each new point according to its neighbors among the map's points, which stay fixed.

    With p_{j|new} as for any sample, and q_{j|new} = w_{new,j} / sum_j w_{new,j} over all points of
    the map, its position is a local minimum of KL(p_{.|new} || q_{.|new}). A new point at distance
    0 from a sample gets that sample's position.
    """
    n_components = map_.shape[1]
    y = np.zeros((3, len(map_)), np.float32)
    y[:n_components] = map_.T
    placed = np.empty((len(indices), n_components), np.float32)
    low, high = y.min(axis=1).astype(np.float64), y.max(axis=1).astype(np.float64)
    with ThreadTeam(n_threads) as team:
        frame = (0.0, 0.0, 1.0, 0.0, np.empty((0, 0), np.float32))
        if n_components <= 2 and len(map_) > MESH_ABOVE:
            mesh = Mesh(len(map_), spacing, team)
            bounds = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
            frame = mesh.solve(y[0], y[1], bounds)
        p, _ = conditional(distances, perplexity, team)

        def place_task(task: int) -> None:
            first, last = task * POINTS_PER_TASK, min(len(indices), (task + 1) * POINTS_PER_TASK)
            where = (first, last, indices, p, y, low, high)
            place(*where, *frame, n_components, STEPS, placed)

        team.run(place_task, -(-len(indices) // POINTS_PER_TASK))
    same = distances[:, 0] == 0
    placed[same] = map_[indices[same, 0]]
    return placed
