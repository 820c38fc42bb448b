"""Samples with more copies than a neighbor graph has room for: k + 1 of them stand for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import Array, Int32, Int64
from ..neighbors import NeighborGraph


@dataclass(frozen=True, eq=False)
class Representatives:
    """The samples that a map is made of, and which of them each sample is put with.

    Of equally near samples a graph has those of least index. Where a point has more than k copies,
    as that of a dead ReLU has thousands, its first k are the neighbors of all the others, which are
    neighbors of none: affinities that no map can follow. The first k + 1, though, have only each
    other, and all that lie elsewhere have no neighbors among the rest. So these k + 1 make a map
    without the rest, whose places are known.

    Attributes
    ----------
    kept : ndarray of shape (n_kept,), int64
        The samples that make the map, ascending.
    place : ndarray of shape (n_samples,), int64
        The row of ``kept`` with which each sample is put: itself, or the first of its copies.
    graph : NeighborGraph
        The neighbors of the samples kept, by their rows in ``kept``.
    n_points : int
        The number of points with more than k + 1 copies.
    """

    kept: Int64[Array, " kept"]
    place: Int64[Array, " samples"]
    graph: NeighborGraph
    n_points: int

    @classmethod
    def of(cls, graph: NeighborGraph) -> Representatives:
        """Find the copies that others stand for: those with one row of zero distances."""
        n = graph.n_samples
        stands_for = np.arange(n)
        # Who has k copies, and so no other neighbors.
        crowded = np.flatnonzero(graph.distances[:, -1] == 0)
        rows = np.sort(graph.indices[crowded], axis=1)
        _, first, which, counts = np.unique(
            rows, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        which = which.reshape(-1)
        n_points = 0
        for number in np.flatnonzero(counts > 1):
            if not _are_all_there_is(graph, rows[first[number]], int(crowded[first[number]])):
                continue
            copies = crowded[which == number]
            stands_for[copies[1:]] = rows[first[number], 0]
            n_points += 1
        if n_points == 0:
            return cls(stands_for, stands_for, graph, 0)
        is_kept = stands_for == np.arange(n)
        kept = np.flatnonzero(is_kept)
        place = (np.cumsum(is_kept) - 1)[stands_for]
        among = place[graph.indices[kept]].astype(np.int32)
        graph = NeighborGraph(among, graph.distances[kept], graph.metric, graph.recall)
        return cls(kept, place, graph, n_points)

    @property
    def n_left_out(self) -> int:
        """The number of samples that others stand for."""
        return len(self.place) - len(self.kept)


def _are_all_there_is(graph: NeighborGraph, row: Int32[Array, " k"], last: int) -> bool:
    """Whether the samples of a row have as neighbors only each other and the last, at distance 0.

    Distances that are no metric's may be 0 from a to b and to c, but not from b to c.
    """
    everyone = np.sort(np.append(row, last))
    others = np.broadcast_to(everyone, (len(row), len(everyone)))
    others = others[others != row[:, None]].reshape(len(row), len(row))
    return bool(
        (graph.distances[row, -1] == 0).all()
        and np.array_equal(np.sort(graph.indices[row], axis=1), others)
    )
