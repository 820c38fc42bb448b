"""Deduplication before the search: thousands of equal rows are common behind a ReLU."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .._parallel.thread_team import ThreadTeam
from .._prebuilt.kernel import Kernel
from .._typing import Array, Float32, Int32, Int64, UInt64
from ._ties import tie_keys

expand_groups = Kernel(f"{__package__}._kernels", "expand_groups")
hash_rows = Kernel(f"{__package__}._kernels", "hash_rows")

# Rows that one task hashes, or expands (`_approximate`).
ROWS_PER_TASK = 4096
GOLDEN_SECTION = (5**0.5 - 1) / 2


def row_hashes(
    points: Float32[Array, "samples features"], n_threads: int
) -> UInt64[Array, " samples"]:
    """Hash the rows of C-contiguous points."""
    n = len(points)
    hashes = np.empty(n, np.uint64)
    bits = points.view(np.uint32)
    n_tasks = -(-n // ROWS_PER_TASK)

    def hash_task(task: int) -> None:
        hash_rows(bits, task * ROWS_PER_TASK, min(n, (task + 1) * ROWS_PER_TASK), hashes)

    with ThreadTeam(min(n_threads, n_tasks)) as team:
        team.run(hash_task, n_tasks)
    return hashes


def strides(starts: Int64[Array, " bounds"]) -> Int64[Array, " groups"]:
    """Return a step through the copies of each group that visits all, the first few far apart.

    Of n copies it is the number without a common factor next to n times the golden section.
    """
    sizes, group = np.unique(np.diff(starts), return_inverse=True)
    steps = np.ones(len(sizes), np.int64)
    for place, size in enumerate(sizes.tolist()):
        step = max(1, round(size * GOLDEN_SECTION))
        while math.gcd(step, size) > 1:
            step += 1
        steps[place] = step % size
    return steps[group]


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct rows among points, and the distinct row of each sample.

    Attributes
    ----------
    points : ndarray of shape (n_distinct, n_features), float32
        In order of first appearance.
    keys : ndarray of shape (n_distinct,), uint64
        Their keys, which break ties.
    group : ndarray of shape (n_samples,), int32, or None
        The distinct row equal to each sample; None if all are distinct.
    """

    points: Float32[Array, "distinct features"]
    keys: UInt64[Array, " distinct"]
    group: Int32[Array, " samples"] | None

    @classmethod
    def of(cls, points: Float32[Array, "samples features"], n_threads: int) -> Distinct:
        """Find the distinct rows of C-contiguous points."""
        hashes = row_hashes(points, n_threads)
        _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
        if len(first) == len(points):
            return cls(points, hashes, None)
        if not np.array_equal(points[first[group]], points):  # a hash collision
            _, first, group = np.unique(points, axis=0, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int32)
        appearance = np.argsort(first)
        rank[appearance] = np.arange(len(first), dtype=np.int32)
        first = first[appearance]
        return cls(np.ascontiguousarray(points[first]), tie_keys(hashes[first]), rank[group])

    @property
    def first(self) -> Int64[Array, " distinct"]:
        """The first sample of each distinct row."""
        if self.group is None:
            return np.arange(self.n_distinct)
        return np.unique(self.group, return_index=True)[1]

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
        near = (indices, distances, self.keys)
        expand_groups(*near, members, starts, strides(starts), all_indices, all_distances)
        return all_indices, all_distances
