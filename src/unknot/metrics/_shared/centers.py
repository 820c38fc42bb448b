"""Directions shared by class centers: removing them minimizes the centers' correlations."""

from __future__ import annotations

import numpy as np

from ..._parallel.thread_team import ThreadTeam
from ..._typing import Array
from .many import ClassPairs

N_STARTS = 10
# Directions are searched up to the number that explains this fraction of the variance, and then
# this many more.
MAX_VARIANCE = 0.95
EXTRA_DIRECTIONS = 10
# Of many centers, at most this many leading directions are removed.
MAX_LEADING = 50


def mean_correlation(centers: Array) -> float:
    """Return the mean absolute correlation (cosine) between different rows."""
    norms = np.linalg.norm(centers, axis=1)
    cosines = np.abs(centers @ centers.T / (norms[:, None] * norms[None]))
    count = len(centers)
    return float((cosines.sum() - np.trace(cosines)) / (count * (count - 1)))


def find_shared_directions(
    centers: Array, rng: np.random.Generator, team: ThreadTeam
) -> tuple[Array, float]:
    """Return the shared directions (n_features, K), and the mean correlation before removal.

    For K = 1, 2, ..., K orthonormal directions are optimized to minimize the sum of squared
    correlations after their removal. Each of several starts consists of the K - 1 directions found
    before and a random one; the result that preserves the largest minimum norm of the centers is
    kept. The K with the smallest mean absolute correlation is returned; the search ends after three
    consecutive increases. For three centers or fewer, K is 0: shared directions would not be
    distinguishable from the centers.
    """
    from .kernels_centers import minimize_correlation, orthonormalize

    count = len(centers)
    centered = centers - centers.mean(axis=0)
    # Centered centers span at most C - 1 dimensions; the search is restricted to their span.
    _, s, axes = np.linalg.svd(centered, full_matrices=False)
    kept = s > s[0] * 1e-9
    kept[count - 1 :] = False
    axes = axes[kept]
    # Correlations do not depend on the norms, so normalize.
    x = centered @ axes.T
    norms = np.linalg.norm(x, axis=1)
    before = mean_correlation(x[norms > s[0] * 1e-9]) if (norms > s[0] * 1e-9).sum() > 1 else 0.0
    rank = int(kept.sum())
    if count <= 3 or rank < 3 or norms.min() <= s[0] * 1e-9:
        return np.zeros((centers.shape[1], 0)), before
    x = np.ascontiguousarray(x / norms[:, None])
    products = x @ x.T
    variance = np.cumsum(np.square(s) / np.square(s).sum())
    largest = min(int((variance < MAX_VARIANCE).sum()) + EXTRA_DIRECTIONS, rank - 2)
    found: list[Array] = []
    correlations: list[float] = []
    previous = np.zeros((rank, 0))
    for k in range(1, max(largest, 1) + 1):
        starts = [np.column_stack([rng.normal(size=count) @ x, previous]) for _ in range(N_STARTS)]

        def search(number: int, starts: list[Array] = starts) -> None:
            start = np.ascontiguousarray(starts[number])
            orthonormalize(start)
            minimize_correlation(x, products, start)
            starts[number] = start

        team.run(search, N_STARTS)
        left = [1.0 - np.square(x @ directions).sum(axis=1).max() for directions in starts]
        if max(left) <= 1e-9:
            break
        previous = starts[int(np.argmax(left))]
        found.append(previous)
        correlations.append(mean_correlation(x - (x @ previous) @ previous.T))
        if k > 4 and all(correlations[-i] > correlations[-i - 1] for i in (1, 2, 3)):
            break
    if not found:
        return np.zeros((centers.shape[1], 0)), before
    return axes.T @ found[int(np.argmin(correlations))], before


def leading_shared_directions(centers: Array, rng: np.random.Generator) -> tuple[Array, float]:
    """Return what `find_shared_directions` does for many centers, without its search.

    The directions are the leading principal components of the normalized centers, as many as
    minimize the mean absolute correlation over a part of the pairs. On sets of 200 classes the
    capacity was within 2 % of that with the search.
    """
    count = len(centers)
    centered = centers - centers.mean(axis=0)
    norms = np.linalg.norm(centered, axis=1)
    nothing = np.zeros((centers.shape[1], 0))
    if norms.min() <= 1e-9 * norms.max():
        return nothing, 0.0
    _, s, axes = np.linalg.svd(centered / norms[:, None], full_matrices=False)
    rank = int((s > s[0] * 1e-9).sum())
    along = (centered / norms[:, None]) @ axes[:rank].T
    pairs = ClassPairs.draw(count, int(rng.integers(2**31)))
    first, second = pairs.first, pairs.second
    products = np.einsum("ij,ij->i", along[first], along[second])
    correlations = [float(np.abs(products).mean())]
    left = np.ones(count)
    for k in range(min(rank - 2, MAX_LEADING)):
        products = products - along[first, k] * along[second, k]
        left = left - np.square(along[:, k])
        if left.min() <= 1e-9:
            break
        correlations.append(float(np.abs(products / np.sqrt(left[first] * left[second])).mean()))
    if len(correlations) == 1:
        return nothing, correlations[0]
    return np.ascontiguousarray(axes[: 1 + int(np.argmin(correlations[1:]))].T), correlations[0]
