"""Deduplication before the search: thousands of equal rows are common behind a ReLU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._parallel.thread_team import ThreadTeam
from .._typing import Array, Float32, Int32
from ._kernels import expand_groups, hash_rows

# Rows that one task hashes, or expands (`_approximate`).
ROWS_PER_TASK = 4096


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct rows among points, and the distinct row of each sample.

    Attributes
    ----------
    points : ndarray of shape (n_distinct, n_features), float32
        In order of first appearance, so that ties are still broken by index.
    group : ndarray of shape (n_samples,), int32, or None
        The distinct row equal to each sample; None if all are distinct.
    """

    points: Float32[Array, "distinct features"]
    group: Int32[Array, " samples"] | None

    @classmethod
    def of(cls, points: Float32[Array, "samples features"], n_threads: int) -> Distinct:
        """Find the distinct rows of C-contiguous points."""
        n = len(points)
        hashes = np.empty(n, np.uint64)
        bits = points.view(np.uint32)
        n_tasks = -(-n // ROWS_PER_TASK)

        def hash_task(task: int) -> None:
            hash_rows(bits, task * ROWS_PER_TASK, min(n, (task + 1) * ROWS_PER_TASK), hashes)

        with ThreadTeam(min(n_threads, n_tasks)) as team:
            team.run(hash_task, n_tasks)
        _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
        if len(first) == len(points):
            return cls(points, None)
        if not np.array_equal(points[first[group]], points):  # a hash collision
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
        """Convert the neighbors of distinct rows to the neighbors of all samples.

        A row and its k nearest distinct rows contain the k nearest samples: any sample of another
        row comes after the first sample of each of these.
        """
        if self.group is None:
            return indices, distances
        n = len(self.group)
        members = np.argsort(self.group, kind="stable").astype(np.int32)
        starts = np.searchsorted(self.group[members], np.arange(self.n_distinct + 1))
        all_indices = np.empty((n, k), np.int32)
        all_distances = np.empty((n, k), np.float32)
        size = (k + 1) * (k + 1)
        expand_groups(
            indices,
            distances,
            members,
            starts,
            np.empty(size, np.int32),
            np.empty(size, np.float32),
            np.empty(size, np.int8),
            all_indices,
            all_distances,
        )
        return all_indices, all_distances
