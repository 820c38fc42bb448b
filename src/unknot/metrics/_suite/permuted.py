"""Class moments for permuted labels, all permutations together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..._io.stored_points import Rows
from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam, single_threaded_blas
from ..._typing import Array
from .._shared.moments import ClassMoments, between_whitener, point_blocks

# Classes of all permutations computed at a time.
MAX_CLASSES_AT_ONCE = 512
# With many classes, permutations for measures whose time grows with the classes, and the points
# whose distances to the centroids are compared in each: values over so many classes scatter little.
MANY_NULL_RUNS = 3
MANY_NULL_SAMPLES = 2048


def permuted_moments(
    points: Rows, permuted: list[Array], moments: ClassMoments, n_jobs: int | None = None
) -> Iterator[tuple[ClassMoments, Array]]:
    """Yield the class moments and each point's consistency for each permutation of the labels.

    Consistency is what `clusters.consistency_shares` returns. Many permutations are computed
    together as matrix products: two passes over the points in all, instead of three for each.

    Parameters
    ----------
    points : array or StoredPoints, (n_samples, n_features)
    permuted : list of arrays of int64 (n_samples,)
        The permuted labels.
    moments : ClassMoments
        The moments for the true labels.
    """
    n_classes = len(moments.means)
    at_once = max(1, MAX_CLASSES_AT_ONCE // n_classes)
    for start in range(0, len(permuted), at_once):
        codes = np.stack(permuted[start : start + at_once], axis=1)
        with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
            found = _permute_batch(points, codes, n_classes, moments.origin, team)
        yield from found


def _permute_batch(
    points: Rows, codes: Array, n_classes: int, origin: Array, team: ThreadTeam
) -> list[tuple[ClassMoments, Array]]:
    (n_samples, n_features), runs = points.shape, codes.shape[1]
    width = runs * n_classes
    # Column of each point's class among the classes of all permutations.
    columns = codes + np.arange(runs) * n_classes
    blocks = point_blocks(points, max(n_features, 2 * width))
    sums = np.zeros((width, n_features))
    # Partial sums are added in the order of the blocks, whichever thread computes them.
    for first in range(0, len(blocks), 2 * team.n_threads):
        batch = blocks[first : first + 2 * team.n_threads]
        parts = np.empty((len(batch), width, n_features))

        def add(number: int, batch: list[Array] = batch, parts: Array = parts) -> None:
            rows = batch[number]
            indicators = np.zeros((len(rows), width))
            np.put_along_axis(indicators, columns[rows], 1.0, axis=1)
            np.matmul(indicators.T, points[rows] - origin, out=parts[number])

        team.run(add, len(batch))
        for part in parts:
            sums += part
    counts = np.stack([np.bincount(own, minlength=n_classes) for own in codes.T]).astype(float)
    means = sums / counts.reshape(-1, 1)
    means_of_run = means.reshape(runs, n_classes, n_features)
    whiteners, ranks = zip(*(between_whitener(mean) for mean in means_of_run), strict=True)
    axes = np.concatenate(whiteners, axis=1)
    # Each class mean in the whitened coordinates of its permutation.
    projected_means = np.stack(
        [mean @ whitener for mean, whitener in zip(means_of_run, whiteners, strict=True)]
    )
    projected_means = projected_means.reshape(width, n_classes)
    lengths = np.einsum("ij,ij->i", means, means)
    # One product with all means and axes.
    both = np.ascontiguousarray(np.concatenate([means.T, axes], axis=1))
    squares, whitened_variances, shares = np.empty((3, n_samples, runs))

    def compare(number: int) -> None:
        rows = blocks[number]
        own = columns[rows]
        centered = points[rows] - origin
        norms = np.einsum("ij,ij->i", centered, centered)
        along = centered @ both
        to_all = lengths - 2.0 * along[:, :width]
        to_own = np.take_along_axis(to_all, own, axis=1)
        squares[rows] = np.maximum(to_own + norms[:, None], 0.0)
        larger_norms = np.maximum(
            lengths.reshape(1, runs, n_classes), lengths[own].reshape(len(rows), runs, 1)
        )
        rounding = 1e-12 * (norms[:, None, None] + larger_norms)
        margins = to_all.reshape(len(rows), runs, n_classes) - to_own[:, :, None]
        farther = (margins < -rounding).any(axis=2)
        shares[rows] = ~farther / (np.abs(margins) <= rounding).sum(axis=2)
        deviations = along[:, width:].reshape(len(rows), runs, n_classes) - projected_means[own]
        whitened_variances[rows] = np.square(deviations).sum(axis=2)

    team.run(compare, len(blocks))
    found = []
    for r in range(runs):
        variances, mean_distances, whitened = (
            np.bincount(codes[:, r], weights=values, minlength=n_classes) / counts[r]
            for values in (squares[:, r], np.sqrt(squares[:, r]), whitened_variances[:, r])
        )
        moments = ClassMoments(
            counts[r], origin, means_of_run[r], variances, mean_distances, whitened, ranks[r]
        )
        found.append((moments, shares[:, r]))
    return found
