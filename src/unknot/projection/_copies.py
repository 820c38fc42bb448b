"""Samples with more copies than neighbors: k + 1 of them represent all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import Array, Int32, Int64
from ..neighbors import NeighborGraph


@dataclass(frozen=True, eq=False)
class Representatives:
    """The samples to embed, and the one of them whose position each sample gets.

    If a point has more than k copies, such as thousands of zeros behind a dead ReLU, each copy has
    k others as its only neighbors. They would be drawn as the shape of that graph, which means
    nothing. So k + 1 of them are embedded, as neighbors of each other, and the rest get the
    position of the first.

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
        """Find groups of copies: samples at distance 0 of all their neighbors."""
        n, k = graph.n_samples, graph.n_neighbors
        # Samples with k copies or more, and so no other neighbors.
        crowded = np.flatnonzero(graph.distances[:, -1] == 0)
        find = _cliques if graph.metric == "precomputed" else _components
        groups = [group for group in find(graph, crowded) if len(group) > k + 1]
        place = np.arange(n)
        if not groups:
            return cls(place, place, graph, 0)
        group_of, number = np.full(n, -1), np.zeros(n, np.int64)
        for g, group in enumerate(groups):
            group_of[group], number[group] = g, np.arange(len(group))
        kept = np.flatnonzero((group_of < 0) | (number <= k))
        indices = graph.indices[kept]
        _represent(indices, groups, group_of, number)
        for group in groups:
            own = group[: k + 1]
            others = np.broadcast_to(own, (k + 1, k + 1))[~np.eye(k + 1, dtype=np.bool_)]
            indices[np.searchsorted(kept, own)] = others.reshape(k + 1, k)
            place[group[k + 1 :]] = group[0]
        kept_graph = NeighborGraph(
            np.searchsorted(kept, indices).astype(np.int32),
            graph.distances[kept],
            graph.metric,
            graph.recall,
        )
        return cls(kept, np.searchsorted(kept, place), kept_graph, len(groups))

    @property
    def n_left_out(self) -> int:
        """The number of samples that are not embedded."""
        return len(self.place) - len(self.kept)


def _represent(
    indices: Int32[Array, "kept k"], groups: list[Array], group_of: Array, number: Array
) -> None:
    """Replace the copies of each group in every row by as many of its first k + 1, in place.

    They are taken in turn, beginning with the number of the row's first one, so that the first
    copies do not become neighbors of more samples than the others.
    """
    rows, columns = np.nonzero(group_of[indices] >= 0)
    found = indices[rows, columns]
    order = np.lexsort((columns, group_of[found], rows))
    rows, columns, found = rows[order], columns[order], found[order]
    starts_run = np.ones(len(rows), np.bool_)
    starts_run[1:] = (rows[1:] != rows[:-1]) | (group_of[found[1:]] != group_of[found[:-1]])
    first = np.maximum.accumulate(np.where(starts_run, np.arange(len(rows)), 0))
    turn = (number[found[first]] + np.arange(len(rows)) - first) % (indices.shape[1] + 1)
    members = np.array([group[: indices.shape[1] + 1] for group in groups])
    indices[rows, columns] = members[group_of[found], turn]


def _components(graph: NeighborGraph, crowded: Array) -> list[Array]:
    """Group copies that are joined by neighbors; samples at distance 0 are equal."""
    from scipy import sparse
    from scipy.sparse import csgraph

    n, k = len(crowded), graph.n_neighbors
    rows = np.repeat(np.arange(n), k)
    columns = np.searchsorted(crowded, graph.indices[crowded].ravel())
    # A sample without k neighbors at distance 0 is no copy, whatever an approximate graph says.
    inside = crowded[np.minimum(columns, n - 1)] == graph.indices[crowded].ravel()
    edges = sparse.csr_array(
        (np.ones(int(inside.sum()), np.int8), (rows[inside], columns[inside])), shape=(n, n)
    )
    count, label = csgraph.connected_components(edges, directed=False)
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(1, count))
    return [crowded[group] for group in np.split(order, bounds)] if n else []


def _cliques(graph: NeighborGraph, crowded: Array) -> list[Array]:
    """Group samples that have the same neighbors, which have only each other.

    Precomputed distances may violate the triangle inequality: 0 from a to b and to c, but not from
    b to c. Their ties are in the order of the columns, so copies share their first k.
    """
    rows = np.sort(graph.indices[crowded], axis=1)
    _, first, group, counts = np.unique(
        rows, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    group = group.reshape(-1)
    return [
        np.sort(np.concatenate([rows[first[number]], crowded[group == number]]))
        for number in np.flatnonzero(counts > 1)
        if _is_isolated(graph, rows[first[number]], int(crowded[first[number]]))
    ]


def _is_isolated(graph: NeighborGraph, row: Int32[Array, " k"], last: int) -> bool:
    """Whether the samples of a row, and the last, have only each other as neighbors, at 0."""
    members = np.sort(np.append(row, last))
    others = np.broadcast_to(members, (len(row), len(members)))
    others = others[others != row[:, None]].reshape(len(row), len(row))
    return bool(
        (graph.distances[row, -1] == 0).all()
        and np.array_equal(np.sort(graph.indices[row], axis=1), others)
    )
