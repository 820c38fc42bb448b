"""Directions shared by class centers: removing them minimizes the centers' correlations."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..._parallel.thread_team import ThreadTeam
from ..._typing import Array
from .many import ClassPairs

# Searches for each number of directions, half of them from the directions found before. With this
# many, other starts hardly ever gave other directions.
N_STARTS = 100
# With more classes than this, minima differ little: the starts come in batches of this many, and
# end when the costs of all minima so far agree within this relative difference.
FEW_CLASSES = 20
BATCH = 4
N_STARTS_MANY = 48
AGREEMENT = 5e-3
# The most stable minimum is taken from those whose cost is within this of the lowest. Without that,
# it is often a rare and poor one, which raises the correlations. Chosen among .02, .05, .1 and no
# limit, on eight layers of ten classes.
GOOD_COST = 0.02
# The starts are the same for any random_state of the measure.
SEED = 20_200_206
# Minima are the same, and correlations are equal, within this relative difference.
SAME = 1e-6
# A search that ends with a larger gradient has run into a point that removes a center altogether.
CONVERGED = 1e-5
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


def find_shared_directions(centers: Array, team: ThreadTeam) -> tuple[Array, float]:
    """Return the shared directions (n_features, K), and the mean correlation before removal.

    For K = 1, 2, ..., K orthonormal directions are optimized to minimize the sum of squared
    correlations after their removal, from many starts. Half of the starts consist of the K - 1
    directions found before and a random one, the others of random ones. Of the minima whose cost is
    near the lowest, the one that preserves the largest minimum norm of the centers is kept. The K
    with the smallest mean absolute correlation is returned, 0 included; the search ends after three
    consecutive increases. For three centers or fewer, K is 0: shared directions would not be
    distinguishable from the centers.

    The random directions depend on the centers only: they are combinations of the centers, in the
    order of their norms, with the same weights in every call. So the result neither depends on a
    seed, nor on the order or the names of the classes.
    """
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
    x = np.ascontiguousarray((x / norms[:, None])[np.argsort(norms, kind="stable")])
    variance = np.cumsum(np.square(s) / np.square(s).sum())
    largest = min(int((variance < MAX_VARIANCE).sum()) + EXTRA_DIRECTIONS, rank - 2)
    rng = np.random.default_rng(SEED)
    found = [np.zeros((0, rank))]
    correlations = [before]
    for k in range(1, max(largest, 1) + 1):
        directions = _most_stable_minimum(x, found[-1], rng, team)
        if directions is None:
            break
        found.append(directions)
        correlations.append(mean_correlation(x - (x @ directions.T) @ directions))
        if k > 4 and all(correlations[-i] > correlations[-i - 1] for i in (1, 2, 3)):
            break
    return axes.T @ found[_lowest(correlations)].T, before


def _most_stable_minimum(
    x: Array, previous: Array, rng: np.random.Generator, team: ThreadTeam
) -> Array | None:
    """Return one direction more than before: of the good minima, that leaving most of the centers.

    Of equally stable minima, that of the first start is returned; None if there is no minimum, or
    if most searches of many centers end where one of them vanishes.
    """
    from .kernels_centers import minimize_correlation, orthonormalize

    products = x @ x.T
    few = len(x) <= FEW_CLASSES
    n_starts, step = (N_STARTS, N_STARTS) if few else (N_STARTS_MANY, BATCH)
    starts = []
    for number in range(n_starts):
        kept = previous[: len(previous) * (number % 2)]
        new = rng.normal(size=(1 + len(previous) - len(kept), len(x))) @ x
        starts.append(np.ascontiguousarray(np.concatenate([new, kept])))
    least_left, costs = np.zeros(n_starts), np.full(n_starts, np.inf)

    def search(first: int, i: int) -> None:
        number = first + i
        start = starts[number]
        orthonormalize(start)
        cost, size, _ = minimize_correlation(x, products, start)
        if size <= CONVERGED:
            costs[number] = cost
            least_left[number] = 1.0 - np.square(x @ start.T).sum(axis=1).max()

    for first in range(0, n_starts, step):
        team.run(partial(search, first), step)
        reached = costs[np.isfinite(costs)]
        if len(reached) >= BATCH and np.ptp(reached) <= AGREEMENT * reached.min():
            break
        if not few and first >= BATCH and 2 * len(reached) < first + step:
            return None
    good = costs <= costs.min() * (1.0 + GOOD_COST)
    if not np.isfinite(costs.min()):
        return None
    best = least_left[good].max()
    return starts[int(np.argmax(good & (least_left >= best * (1.0 - SAME))))]


def leading_shared_directions(centers: Array) -> tuple[Array, float]:
    """Return what `find_shared_directions` does for many centers, without its search.

    The directions are the leading principal components of the normalized centers, as many as
    minimize the mean absolute correlation over a part of the pairs, 0 included. On sets of 200
    classes the capacity was within 2 % of that with the search.
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
    pairs = ClassPairs.draw(count, SEED)
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
    return np.ascontiguousarray(axes[: _lowest(correlations)].T), correlations[0]


def _lowest(correlations: list[float]) -> int:
    """Return the smallest number of directions with the lowest correlation, within rounding."""
    return int(np.argmax(np.array(correlations) <= min(correlations) * (1.0 + SAME)))
