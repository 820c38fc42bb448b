"""Means and spreads of the classes with permuted labels, all permutations together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..._io.stored_points import Rows
from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam, single_threaded_blas
from ..._typing import Array
from .._shared.moments import ClassMoments, between_whitener, point_blocks

# Classes of all permutations that are computed together.
MAX_CLASSES_AT_ONCE = 512


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
            found = _permuted(points, codes, n_classes, moments.origin, team)
        yield from found


def _permuted(
    points: Rows, codes: Array, n_classes: int, origin: Array, team: ThreadTeam
) -> list[tuple[ClassMoments, Array]]:
    (n_samples, n_features), runs = points.shape, codes.shape[1]
    width = runs * n_classes
    # The column of each point's class among those of all permutations.
    columns = codes + np.arange(runs) * n_classes
    blocks = point_blocks(points, max(n_features, 2 * width))
    sums = np.zeros((width, n_features))
    # Parts of the sum are added in the order of the blocks, whoever computes them.
    for first in range(0, len(blocks), 2 * team.n_threads):
        some = blocks[first : first + 2 * team.n_threads]
        parts = np.empty((len(some), width, n_features))

        def add(number: int, some: list[Array] = some, parts: Array = parts) -> None:
            rows = some[number]
            there = np.zeros((len(rows), width))
            np.put_along_axis(there, columns[rows], 1.0, axis=1)
            np.matmul(there.T, points[rows] - origin, out=parts[number])

        team.run(add, len(some))
        for part in parts:
            sums += part
    counts = np.stack([np.bincount(own, minlength=n_classes) for own in codes.T]).astype(float)
    means = sums / counts.reshape(-1, 1)
    each = means.reshape(runs, n_classes, n_features)
    whiteners, ranks = zip(*(between_whitener(mean) for mean in each), strict=True)
    axes = np.concatenate(whiteners, axis=1)
    # Where the mean of each class stands on the axes of its permutation.
    stand = np.stack([mean @ whitener for mean, whitener in zip(each, whiteners, strict=True)])
    stand = stand.reshape(width, n_classes)
    lengths = np.einsum("ij,ij->i", means, means)
    squares, whitened_variances, shares = np.empty((3, n_samples, runs))

    def compare(number: int) -> None:
        rows = blocks[number]
        own = columns[rows]
        centered = points[rows] - origin
        sizes = np.einsum("ij,ij->i", centered, centered)
        to_all = lengths - 2.0 * (centered @ means.T)
        to_own = np.take_along_axis(to_all, own, axis=1)
        squares[rows] = np.maximum(to_own + sizes[:, None], 0.0)
        longer = np.maximum(
            lengths.reshape(1, runs, n_classes), lengths[own].reshape(len(rows), runs, 1)
        )
        rounding = 1e-12 * (sizes[:, None, None] + longer)
        ahead = to_all.reshape(len(rows), runs, n_classes) - to_own[:, :, None]
        beaten = (ahead < -rounding).any(axis=2)
        shares[rows] = ~beaten / (np.abs(ahead) <= rounding).sum(axis=2)
        inside = (centered @ axes).reshape(len(rows), runs, n_classes) - stand[own]
        whitened_variances[rows] = np.square(inside).sum(axis=2)

    team.run(compare, len(blocks))
    found = []
    for r in range(runs):
        variances, mean_distances, inner = (
            np.bincount(codes[:, r], weights=values, minlength=n_classes) / counts[r]
            for values in (squares[:, r], np.sqrt(squares[:, r]), whitened_variances[:, r])
        )
        moments = ClassMoments(
            counts[r], origin, each[r], variances, mean_distances, inner, ranks[r]
        )
        found.append((moments, shares[:, r]))
    return found
