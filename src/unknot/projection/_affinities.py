"""The affinities p_ij of t-SNE, in compressed sparse rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .._parallel.simd import LANES
from .._parallel.thread_team import ThreadTeam
from .._prebuilt.kernel import Kernel
from .._typing import Array, Float32, Float64, Int32, Int64
from ..neighbors import NeighborGraph

conditional_rows = Kernel(f"{__package__}._kernels_affinities", "conditional_rows")
count_columns = Kernel(f"{__package__}._kernels_affinities", "count_columns")
lay_out_columns = Kernel(f"{__package__}._kernels_affinities", "lay_out_columns")
measure_union = Kernel(f"{__package__}._kernels_affinities", "measure_union")
merge_union = Kernel(f"{__package__}._kernels_affinities", "merge_union")
permute_rows = Kernel(f"{__package__}._kernels_affinities", "permute_rows")
relabel_rows = Kernel(f"{__package__}._kernels_affinities", "relabel_rows")
transpose = Kernel(f"{__package__}._kernels_affinities", "transpose")

# Rows that one task computes.
ROWS_PER_TASK = 2048
# Parts of the rows for the transposition; fixed, so that it does not depend on threads.
PARTS = 8


# While a map finds its shape, attraction comes from the nearest neighbors alone: two thirds of the
# perplexity, but no fewer than FEWEST, at an effective number of three quarters of them.
THIN = 2 / 3
FEWEST = 20
THIN_PERPLEXITY = 0.75
# With fewer samples per unit of perplexity, whole clusters are neighbors, and a map drawn by the
# nearest of them alone has another shape.
LEAST_SAMPLES_FOR_THIN = 150


@dataclass(frozen=True, eq=False)
class Affinities:
    """Symmetric affinities in compressed sparse rows, 4 bytes per entry up to 65,536 samples.

    p_ij = ``weight`` * ``scale[i]`` for the columns ``index[ptr[i]:ptr[i + 1]]``. An iteration of
    t-SNE streams through these arrays: with 16-bit weights, relative to the row's largest, it takes
    half the time of 32-bit ones, and forces change by less than 1e-4 of their size. The arrays are
    padded with sixteen zeros, as many as are read at a time.

    Attributes
    ----------
    ptr : ndarray of shape (n_samples + 1,), int64
    index : ndarray of shape (n_entries + 16,), uint16 or int32
    weight : ndarray of shape (n_entries + 16,), uint16
    scale : ndarray of shape (n_samples,), float32
    negative_entropy : float
        sum_ij p_ij log p_ij, the part of the KL divergence that does not depend on the map.
    mean_sigma : float
        The mean standard deviation of the samples' Gaussians, in units of the distances.
    """

    ptr: Int64[Array, " rows"]
    index: Array
    weight: Array
    scale: Float32[Array, " samples"]
    negative_entropy: float
    mean_sigma: float

    @property
    def narrow_and_wide(self) -> tuple[Array, Array]:
        """``index`` as a pair of uint16 and int32 arrays, one of which is empty."""
        if self.index.dtype == np.uint16:
            return self.index, np.empty(0, np.int32)
        return np.empty(0, np.uint16), self.index

    def reordered(self, order: Int32[Array, " samples"], team: ThreadTeam) -> Affinities:
        """Return the affinities of the samples in another order, row r for sample ``order[r]``."""
        n = len(self.scale)
        ptr = np.zeros(n + 1, np.int64)
        np.cumsum(np.diff(self.ptr)[order], out=ptr[1:])
        index, weight = np.zeros_like(self.index), np.zeros_like(self.weight)
        rank = rank_of(order)

        def permute(task: int) -> None:
            rows = (task * ROWS_PER_TASK, min(n, (task + 1) * ROWS_PER_TASK))
            old = (self.ptr, self.index, self.weight)
            permute_rows(*old, order, rank, *rows, ptr, index, weight)

        team.run(permute, -(-n // ROWS_PER_TASK))
        scale = self.scale[order]
        return replace(self, ptr=ptr, index=index, weight=weight, scale=scale)


def rank_of(order: Int32[Array, " samples"]) -> Int32[Array, " samples"]:
    """Return the position of each sample in an order."""
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank


def attainable_perplexity(perplexity: float, n_samples: int) -> float:
    """Return the perplexity, or the largest that the number of samples allows.

    Affinities use three times the perplexity as neighbors, of n - 1 other samples.
    """
    return max(1.0, min(perplexity, (n_samples - 1) / 3))


def neighbors_for(perplexity: float, n_samples: int) -> int:
    """Return the number of neighbors that the affinities use."""
    return min(n_samples - 1, int(3 * perplexity + 1e-6))


def conditional(
    distances: Float32[Array, "samples k"], perplexity: float, team: ThreadTeam
) -> tuple[Float32[Array, "samples k"], Float64[Array, " samples"]]:
    """Compute p_{j|i} with entropy log(perplexity), unless ties prevent it, and each sigma_i."""
    n = len(distances)
    p = np.empty(distances.shape, np.float32)
    sigma = np.empty(n)
    n_tasks = -(-n // ROWS_PER_TASK)

    def search(task: int) -> None:
        last = min(n, (task + 1) * ROWS_PER_TASK)
        conditional_rows(distances, task * ROWS_PER_TASK, last, float(np.log(perplexity)), p, sigma)

    team.run(search, n_tasks)
    return p, sigma


def joint(
    graph: NeighborGraph, perplexity: float, order: Int32[Array, " samples"], team: ThreadTeam
) -> Affinities:
    """Compute p_ij = (p_{j|i} + p_{i|j}) / 2N [vanDerMaaten2008], row r for sample ``order[r]``."""
    n, k = graph.n_samples, graph.n_neighbors
    p, sigma = conditional(graph.distances, perplexity, team)
    rank = rank_of(order)
    columns = np.empty((n, k), np.int32)
    values = np.empty((n, k), np.float32)
    n_tasks = -(-n // ROWS_PER_TASK)

    def limits(task: int) -> tuple[int, int]:
        return task * ROWS_PER_TASK, min(n, (task + 1) * ROWS_PER_TASK)

    def relabel(task: int) -> None:
        relabel_rows(graph.indices, order, rank, *limits(task), columns, p, values)

    team.run(relabel, n_tasks)
    starts = np.empty(n + 1, np.int64)
    rows = np.empty(n * k, np.int32)
    transposed = np.empty(n * k, np.float32)
    counts = np.empty((PARTS, n), np.int64)
    parts = [(part * n // PARTS, (part + 1) * n // PARTS) for part in range(PARTS)]
    team.run(lambda part: count_columns(columns, *parts[part], counts[part]), PARTS)
    lay_out_columns(counts, starts)

    def gather(part: int) -> None:
        transpose(columns, values, *parts[part], counts[part], rows, transposed)

    team.run(gather, PARTS)
    union = (columns, values, starts, rows, transposed)
    lengths = np.empty(n, np.int64)
    largest = np.empty(n)
    team.run(lambda task: measure_union(*union, *limits(task), lengths, largest), n_tasks)
    ptr = np.zeros(n + 1, np.int64)
    np.cumsum(lengths, out=ptr[1:])
    index = np.empty(ptr[-1] + LANES, np.uint16 if n <= 2**16 else np.int32)
    weight = np.empty(ptr[-1] + LANES, np.uint16)
    index[ptr[-1] :] = weight[ptr[-1] :] = 0
    sums = np.empty(n)
    # Includes the rounding of p_{j|i}, so that the p_ij sum to 1.
    total = 2 * float(values.sum(dtype=np.float64))

    def merge(task: int) -> None:
        merge_union(*union, *limits(task), largest, total, ptr, index, weight, sums)

    team.run(merge, n_tasks)
    scale = (largest / (65535 * total)).astype(np.float32)
    mean_sigma = float(sigma.mean())
    return Affinities(ptr, index, weight, scale, float(sums.sum()), mean_sigma)


def thin_joint(
    graph: NeighborGraph, perplexity: float, order: Int32[Array, " samples"], team: ThreadTeam
) -> Affinities | None:
    """Compute affinities of fewer neighbors; None where all neighbors are needed.

    That is, where fewer than half would be left out, or there are few samples for the perplexity.
    For a perplexity of 30 they have a fifth of the entries, and a step takes half the time.
    """
    k = max(FEWEST, round(THIN * perplexity))
    if 2 * k > graph.n_neighbors or LEAST_SAMPLES_FOR_THIN * perplexity > graph.n_samples:
        return None
    return joint(graph.nearest(k), THIN_PERPLEXITY * k, order, team)
