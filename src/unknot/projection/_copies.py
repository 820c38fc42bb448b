"""Samples with more copies than neighbors: k + 1 of them represent all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import Array, Int32, Int64
from ..neighbors import NeighborGraph


@dataclass(frozen=True, eq=False)
class Representatives:
    """The samples to embed, and the one of them whose position each sample gets.

    Of equally near samples, a graph contains those with the smallest indices. If a point has more
    than k copies, such as thousands of zeros behind a dead ReLU, its first k are the neighbors of
    all the others, which are neighbors of none: affinities that no map can reproduce. But the first
    k + 1 are neighbors only of each other, and no sample elsewhere has a neighbor among the rest.
    So these k + 1 are embedded without the rest, which get the position of the first.

    Attributes
    ----------
    kept : ndarray of shape (n_kept,), int64
        The samples to embed, ascending.
    place : ndarray of shape (n_samples,), int64
        The row of ``kept`` whose position each sample gets: its own, or its first copy's.
    graph : NeighborGraph
        The neighbors of the samples kept, as rows of ``kept``.
    n_points : int
        The number of points with more than k + 1 copies.
    """

    kept: Int64[Array, " kept"]
    place: Int64[Array, " samples"]
    graph: NeighborGraph
    n_points: int

    @classmethod
    def of(cls, graph: NeighborGraph) -> Representatives:
        """Find groups of copies: samples with the same row of zero distances."""
        n = graph.n_samples
        representative = np.arange(n)
        # Samples with k copies or more, and so no other neighbors.
        crowded = np.flatnonzero(graph.distances[:, -1] == 0)
        rows = np.sort(graph.indices[crowded], axis=1)
        _, first, group, counts = np.unique(
            rows, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        group = group.reshape(-1)
        n_points = 0
        for number in np.flatnonzero(counts > 1):
            if not _is_isolated(graph, rows[first[number]], int(crowded[first[number]])):
                continue
            copies = crowded[group == number]
            representative[copies[1:]] = rows[first[number], 0]
            n_points += 1
        if n_points == 0:
            return cls(representative, representative, graph, 0)
        is_kept = representative == np.arange(n)
        kept = np.flatnonzero(is_kept)
        place = (np.cumsum(is_kept) - 1)[representative]
        indices = place[graph.indices[kept]].astype(np.int32)
        graph = NeighborGraph(indices, graph.distances[kept], graph.metric, graph.recall)
        return cls(kept, place, graph, n_points)

    @property
    def n_left_out(self) -> int:
        """The number of samples that are not embedded."""
        return len(self.place) - len(self.kept)


def _is_isolated(graph: NeighborGraph, row: Int32[Array, " k"], last: int) -> bool:
    """Whether the samples of a row have only each other and the last as neighbors, at distance 0.

    Precomputed distances may violate the triangle inequality: 0 from a to b and to c, but not from
    b to c.
    """
    members = np.sort(np.append(row, last))
    others = np.broadcast_to(members, (len(row), len(members)))
    others = others[others != row[:, None]].reshape(len(row), len(row))
    return bool(
        (graph.distances[row, -1] == 0).all()
        and np.array_equal(np.sort(graph.indices[row], axis=1), others)
    )
