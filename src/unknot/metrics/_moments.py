"""Means and spreads of the classes, computed once for every measure that is made of them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .._stored import Rows, StoredPoints, parts_of, within
from .._team import Team, single_threaded_blas
from .._threads import resolve_n_jobs
from .._typing import Array

# Rows of points are taken to float64 in blocks of about this many bytes.
BLOCK_BYTES = 2**25


@dataclass(frozen=True, eq=False)
class ClassMoments:
    """What the measures of clusters and of collapse need of the points.

    Attributes
    ----------
    counts : array of float64 (n_classes,)
        Points of each class.
    means : array of float64 (n_classes, n_features)
        Class means, relative to an arbitrary origin.
    variances : array of float64 (n_classes,)
        Mean squared distance of a class's points to its mean.
    reaches : array of float64 (n_classes,)
        Mean distance of a class's points to its mean.
    whitened : array of float64 (n_classes,)
        Mean of (x - m_c)' S_B^+ (x - m_c) over a class's points, with S_B the scatter of the class
        means about their mean, 1/C sum (m_c - m)(m_c - m)'.
    rank : int
        Rank of S_B; 0 where all class means coincide.
    """

    counts: Array
    means: Array
    variances: Array
    reaches: Array
    whitened: Array
    rank: int

    @property
    def centred(self) -> Array:
        """The class means less their mean."""
        return np.asarray(self.means - self.means.mean(axis=0))


def rows_of(indices: Array, n_features: int) -> Iterator[Array]:
    """Cut indices into blocks whose points fill about `BLOCK_BYTES` in float64."""
    step = max(1, BLOCK_BYTES // (8 * n_features))
    for start in range(0, len(indices), step):
        yield indices[start : start + step]


def blocks_of(points: Rows, width: int) -> list[Array]:
    """Cut all points into blocks as `rows_of` does; those on disk into whole chunks."""
    step = max(1, BLOCK_BYTES // (8 * width))
    if isinstance(points, StoredPoints):
        step = points.whole_chunks(step)
    everything = np.arange(len(points))
    return [everything[start : start + step] for start in range(0, len(points), step)]


def class_means(points: Rows, members: list[Array], origin: Array, team: Team) -> Array:
    """Means of the classes relative to the origin, in float64 (n_classes, n_features)."""
    totals = np.zeros((len(members), points.shape[1]))
    for part, block in parts_of(points):

        def add(c: int, part: slice = part, block: Array = block) -> None:
            for rows in rows_of(within(members[c], part), points.shape[1]):
                totals[c] += block[rows].sum(axis=0, dtype=np.float64)

        team.run(add, len(members))
    counts = np.array([len(own) for own in members], dtype=np.float64)
    return np.asarray(totals / counts[:, None] - origin)


def class_moments(
    points: Rows, codes: Array, n_classes: int, n_jobs: int | None = None
) -> ClassMoments:
    """Compute the moments of every class, in float64, a block of points at a time.

    The second pass takes the points relative to their class mean, so that a large offset of all
    points costs no digits.
    """
    origin = points.mean(axis=0, dtype=np.float64)
    members = [np.flatnonzero(codes == c) for c in range(n_classes)]
    counts = np.array([len(own) for own in members], dtype=np.float64)
    variances, reaches, whitened = np.zeros((3, n_classes))
    with single_threaded_blas(), Team(resolve_n_jobs(n_jobs)) as team:
        means = class_means(points, members, origin, team)
        whitener, rank = between_whitener(means)

        for part, block in parts_of(points):

            def spread(c: int, part: slice = part, block: Array = block) -> None:
                for rows in rows_of(within(members[c], part), points.shape[1]):
                    centred = block[rows] - (means[c] + origin)
                    squares = np.einsum("ij,ij->i", centred, centred)
                    variances[c] += squares.sum()
                    reaches[c] += np.sqrt(squares).sum()
                    whitened[c] += np.square(centred @ whitener).sum()

            team.run(spread, n_classes)
    return ClassMoments(
        counts, means, variances / counts, reaches / counts, whitened / counts, rank
    )


def between_whitener(means: Array) -> tuple[Array, int]:
    """Return W (n_features, n_classes) with W W' = S_B^+, and the rank of S_B.

    With the centred means M = U s V', S_B = M'M/C = V s^2/C V', so that W = V sqrt(C)/s over the
    singular values that are not zero to within rounding; further columns are 0.
    """
    n_classes = len(means)
    centred = means - means.mean(axis=0)
    scale = np.abs(means).max()
    _, s, vt = np.linalg.svd(centred, full_matrices=False)
    # The C rows sum to zero: one singular value is always rounding.
    kept = s > max(s[0] * 1e-10, scale * 1e-13)
    kept[n_classes - 1 :] = False
    whitener = np.zeros((means.shape[1], n_classes))
    whitener[:, : len(s)] = vt.T * np.divide(
        np.sqrt(n_classes), s, out=np.zeros_like(s), where=kept
    )
    return whitener, int(kept.sum())


def resampled_moments(
    points: Rows, codes: Array, n_classes: int, weights: Array, n_jobs: int | None = None
) -> Iterator[ClassMoments]:
    """Yield the moments of each resample of the points.

    All resamples are computed together, as matrix products; twice through the points, whatever
    their number.

    Parameters
    ----------
    weights : array (n_resamples, n_samples)
        How often each point is in each resample. No class is empty in any.
    """
    # The means of all resamples that are computed together, and their axes, fit in this.
    at_once = max(1, 2**27 // (16 * n_classes * points.shape[1]))
    for start in range(0, len(weights), at_once):
        part = weights[start : start + at_once]
        with single_threaded_blas(), Team(resolve_n_jobs(n_jobs)) as team:
            resampled = _resampled(points, codes, n_classes, part, team)
        yield from resampled


def _resampled(
    points: Rows, codes: Array, n_classes: int, weights: Array, team: Team
) -> list[ClassMoments]:
    n_resamples, n_features = len(weights), points.shape[1]
    origin = points.mean(axis=0, dtype=np.float64)
    members = [np.flatnonzero(codes == c) for c in range(n_classes)]
    counts = np.stack([weights[:, own].sum(axis=1) for own in members], axis=1).astype(float)
    centres = class_means(points, members, origin, team)
    # Resampled means, relative to the classes' own.
    shifts = np.zeros((n_resamples, n_classes, n_features))

    for part, block in parts_of(points):

        def shift(c: int, part: slice = part, block: Array = block) -> None:
            for rows in rows_of(within(members[c], part), n_features):
                centred = block[rows] - (centres[c] + origin)
                shifts[:, c] += weights[:, rows + part.start].astype(np.float64) @ centred

        team.run(shift, n_classes)
    shifts /= counts[:, :, None]
    means = shifts + centres
    whiteners, ranks = zip(*(between_whitener(mean) for mean in means), strict=True)
    # The largest product of all, of deviations from class means: float32 is enough for resamples.
    axes = np.concatenate(whiteners, axis=1).astype(np.float32)
    variances, reaches, whitened = np.zeros((3, n_resamples, n_classes))

    def spread(c: int, part: slice, block: Array) -> None:
        shifted = shifts[:, c]
        lengths = np.einsum("bj,bj->b", shifted, shifted)
        offsets = np.concatenate([shifted[b] @ whiteners[b] for b in range(n_resamples)])
        offsets = offsets.astype(np.float32)
        step = max(16, 2**22 // max(n_features, axes.shape[1]))
        own = within(members[c], part)
        for first in range(0, len(own), step):
            rows = own[first : first + step]
            weight = weights[:, rows + part.start].astype(np.float64).T
            centred = block[rows] - (centres[c] + origin)
            squares = np.einsum("ij,ij->i", centred, centred)[:, None] + lengths
            squares = np.maximum(squares - 2.0 * (centred @ shifted.T), 0.0)
            variances[:, c] += (weight * squares).sum(axis=0)
            reaches[:, c] += (weight * np.sqrt(squares)).sum(axis=0)
            inner = np.square(centred.astype(np.float32) @ axes - offsets)
            inner = inner.reshape(len(rows), n_resamples, n_classes).sum(axis=2)
            whitened[:, c] += (weight * inner).sum(axis=0)

    for part, block in parts_of(points):
        team.run(functools.partial(spread, part=part, block=block), n_classes)
    return [
        ClassMoments(
            counts[b],
            means[b],
            variances[b] / counts[b],
            reaches[b] / counts[b],
            whitened[b] / counts[b],
            ranks[b],
        )
        for b in range(n_resamples)
    ]


# Classes of all permutations that are computed together.
TOGETHER = 512


def permuted_moments(
    points: Rows, permuted: list[Array], n_classes: int, n_jobs: int | None = None
) -> Iterator[tuple[ClassMoments, Array]]:
    """Yield, for each permutation of the labels, the class moments and the consistency of points.

    The latter is the share of each point that `clusters.shares_of_table` finds. Many permutations
    are computed together, as matrix products: in two passes through the points, not three for each.
    """
    at_once = max(1, TOGETHER // n_classes)
    for start in range(0, len(permuted), at_once):
        codes = np.stack(permuted[start : start + at_once], axis=1)
        with single_threaded_blas(), Team(resolve_n_jobs(n_jobs)) as team:
            found = _permuted(points, codes, n_classes, team)
        yield from found


def _permuted(
    points: Rows, codes: Array, n_classes: int, team: Team
) -> list[tuple[ClassMoments, Array]]:
    (n_samples, n_features), runs = points.shape, codes.shape[1]
    width = runs * n_classes
    origin = points.mean(axis=0, dtype=np.float64)
    # The column of each point's class among those of all permutations.
    columns = codes + np.arange(runs) * n_classes
    blocks = blocks_of(points, max(n_features, 2 * width))
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
    squares, whitened, shares = np.empty((3, n_samples, runs))

    def compare(number: int) -> None:
        rows = blocks[number]
        own = columns[rows]
        centred = points[rows] - origin
        sizes = np.einsum("ij,ij->i", centred, centred)
        to_all = lengths - 2.0 * (centred @ means.T)
        to_own = np.take_along_axis(to_all, own, axis=1)
        squares[rows] = np.maximum(to_own + sizes[:, None], 0.0)
        rounding = 1e-12 * (sizes + lengths.max())[:, None, None]
        ahead = to_all.reshape(len(rows), runs, n_classes) - to_own[:, :, None]
        beaten = (ahead < -rounding).any(axis=2)
        shares[rows] = ~beaten / (np.abs(ahead) <= rounding).sum(axis=2)
        inside = (centred @ axes).reshape(len(rows), runs, n_classes) - stand[own]
        whitened[rows] = np.square(inside).sum(axis=2)

    team.run(compare, len(blocks))
    found = []
    for r in range(runs):
        variances, reaches, inner = (
            np.bincount(codes[:, r], weights=values, minlength=n_classes) / counts[r]
            for values in (squares[:, r], np.sqrt(squares[:, r]), whitened[:, r])
        )
        moments = ClassMoments(counts[r], each[r], variances, reaches, inner, ranks[r])
        found.append((moments, shares[:, r]))
    return found
