"""Equal points are searched once: thousands of equal rows are common behind a ReLU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._parallel.thread_team import ThreadTeam
from .._typing import Array, Float32, Int32
from ._kernels import expand_groups, hash_rows

BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct rows among points, and who they stand for.

    Attributes
    ----------
    points : ndarray of shape (n_distinct, n_features), float32
        In the order of their first appearance, so that ties by index stay ties by index.
    group : ndarray of shape (n_samples,), int32, or None
        The distinct row that each sample is; None if all are distinct.
    """

    points: Float32[Array, "distinct features"]
    group: Int32[Array, " samples"] | None

    @classmethod
    def of(cls, points: Float32[Array, "samples features"], n_threads: int) -> Distinct:
        """Find the distinct rows of C-contiguous points."""
        n = len(points)
        hashes = np.empty(n, np.uint64)
        bits = points.view(np.uint32)
        blocks = -(-n // BLOCK)

        def hash_block(block: int) -> None:
            hash_rows(bits, block * BLOCK, min(n, (block + 1) * BLOCK), hashes)

        with ThreadTeam(min(n_threads, blocks)) as team:
            team.run(hash_block, blocks)
        _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
        if len(first) == len(points):
            return cls(points, None)
        if not np.array_equal(points[first[group]], points):  # two rows, one hash
            _, first, group = np.unique(points, axis=0, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int32)
        appearance = np.argsort(first)
        rank[appearance] = np.arange(len(first), dtype=np.int32)
        return cls(np.ascontiguousarray(points[first[appearance]]), rank[group])

    @property
    def n_distinct(self) -> int:
        """The number of distinct rows."""
        return len(self.points)

    def expand(
        self, indices: Int32[Array, "distinct k"], distances: Float32[Array, "distinct k"], k: int
    ) -> tuple[Array, Array]:
        """Turn the neighbors of distinct rows into those of all samples.

        The k nearest distinct rows, and the row itself, stand for at least the k nearest samples:
        any sample of another row comes after the first sample of each of these.
        """
        if self.group is None:
            return indices, distances
        n = len(self.group)
        members = np.argsort(self.group, kind="stable").astype(np.int32)
        starts = np.searchsorted(self.group[members], np.arange(self.n_distinct + 1))
        all_indices = np.empty((n, k), np.int32)
        all_distances = np.empty((n, k), np.float32)
        room = (k + 1) * (k + 1)
        expand_groups(
            indices,
            distances,
            members,
            starts,
            np.empty(room, np.int32),
            np.empty(room, np.float32),
            np.empty(room, np.int8),
            all_indices,
            all_distances,
        )
        return all_indices, all_distances
