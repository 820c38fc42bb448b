"""Means and variances of the classes, shared by all measures that are functions of them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..._io.stored_points import Rows, StoredPoints, parts_of, within
from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam, single_threaded_blas
from ..._typing import Array
from .many import MANY_CLASSES

# Points are converted to float64 in blocks of about this many bytes.
BLOCK_BYTES = 2**25


# If squared distances between points are this much smaller than those to the mean, outliers
# dominate the mean, and it is a poor origin.
ORIGIN_OUTLIER_RATIO = 1e-6
ORIGIN_SAMPLE = 512


@dataclass(frozen=True, eq=False)
class ClassMoments:
    """Statistics of the classes that measures of clusters and collapse are functions of.

    Attributes
    ----------
    counts : array of float64 (n_classes,)
        Number of points of each class.
    origin : array of float64 (n_features,)
        The mean of all points, or a point near most of them.
    means : array of float64 (n_classes, n_features)
        Class means, relative to the origin.
    variances : array of float64 (n_classes,)
        Mean squared distance of a class's points to its mean.
    mean_distances : array of float64 (n_classes,)
        Mean distance of a class's points to its mean.
    whitened_variances : array of float64 (n_classes,)
        Mean of (x - m_c)' S_B^+ (x - m_c) over a class's points, with S_B the covariance of the
        class means, 1/C sum (m_c - m)(m_c - m)'.
    rank : int
        Rank of S_B; 0 if all class means coincide.
    """

    counts: Array
    origin: Array
    means: Array
    variances: Array
    mean_distances: Array
    whitened_variances: Array
    rank: int

    @property
    def centered(self) -> Array:
        """The class means minus their mean."""
        return np.asarray(self.means - self.means.mean(axis=0))


def row_blocks(indices: Array, n_features: int) -> Iterator[Array]:
    """Split indices into blocks of about `BLOCK_BYTES` of points in float64."""
    step = max(1, BLOCK_BYTES // (8 * n_features))
    for start in range(0, len(indices), step):
        yield indices[start : start + step]


def point_blocks(points: Rows, width: int) -> list[Array]:
    """Split all points into blocks as `row_blocks` does; those on disk into whole chunks."""
    step = max(1, BLOCK_BYTES // (8 * width))
    if isinstance(points, StoredPoints):
        step = points.whole_chunks(step)
    everything = np.arange(len(points))
    return [everything[start : start + step] for start in range(0, len(points), step)]


def robust_origin(points: Rows, origin: Array) -> Array:
    """Return the mean of the points, or one of the points if outliers dominate the mean.

    Coordinates relative to an origin far from most points would lose precision.
    """
    rows = np.unique(np.linspace(0, len(points) - 1, ORIGIN_SAMPLE).astype(np.int64))
    selected = points[rows].astype(np.float64)
    to_origin = np.square(selected - origin).sum(axis=1)
    nearest = selected[to_origin.argmin()]
    to_nearest = np.square(selected - nearest).sum(axis=1)
    return nearest if np.median(to_nearest) < ORIGIN_OUTLIER_RATIO * to_origin.min() else origin


def members_by_class(codes: Array, n_classes: int) -> list[Array]:
    """Return the indices of each class's points, ascending, from one sort."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes, minlength=n_classes))[:-1])


def all_equal(points: Rows, rows: Array) -> bool:
    """Whether the points of these rows are all equal."""
    first = points[rows[:1]]
    return all(
        bool((points[part] == first).all()) for part in row_blocks(rows, max(1, points.shape[1]))
    )


def sum_by_class(points: Rows, members: list[Array], team: ThreadTeam) -> Array:
    """Sum the points of each class, in float64 (n_classes, n_features)."""
    totals = np.zeros((len(members), points.shape[1]))
    for part, block in parts_of(points):

        def add(c: int, part: slice = part, block: Array = block) -> None:
            for rows in row_blocks(within(members[c], part), points.shape[1]):
                totals[c] += block[rows].sum(axis=0, dtype=np.float64)

        team.run(add, len(members))
    return totals


def class_moments(
    points: Rows, codes: Array, n_classes: int, n_jobs: int | None = None
) -> ClassMoments:
    """Compute the moments of every class in float64, one block of points at a time.

    The second pass is relative to the class means, so that an offset costs no precision.
    """
    members = members_by_class(codes, n_classes)
    counts = np.array([len(own) for own in members], dtype=np.float64)
    variances, mean_distances, whitened_variances = np.zeros((3, n_classes))
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        totals = sum_by_class(points, members, team)
        origin = robust_origin(points, totals.sum(axis=0) / len(points))
        means = totals / counts[:, None] - origin
        whitener, rank = between_whitener(means)
        many = n_classes > MANY_CLASSES
        if many:
            # The largest matrix product: float32 suffices for deviations from class means.
            whitener = whitener[:, :rank].astype(np.float32)

        for part, block in parts_of(points):

            def spread(c: int, part: slice = part, block: Array = block) -> None:
                for rows in row_blocks(within(members[c], part), points.shape[1]):
                    centered = block[rows] - (means[c] + origin)
                    squares = np.einsum("ij,ij->i", centered, centered)
                    variances[c] += squares.sum()
                    mean_distances[c] += np.sqrt(squares).sum()
                    if many:
                        centered = centered.astype(np.float32)
                    whitened = np.square(centered @ whitener)
                    whitened_variances[c] += whitened.sum(dtype=np.float64)

            team.run(spread, n_classes)
    # Remove rounding errors of classes that have collapsed to a point.
    size = float(np.square(means + origin).sum(axis=1).max())
    for c in np.flatnonzero(variances <= 1e-20 * counts * size):
        if all_equal(points, members[c]):
            variances[c] = mean_distances[c] = whitened_variances[c] = 0.0
    return ClassMoments(
        counts,
        origin,
        means,
        variances / counts,
        mean_distances / counts,
        whitened_variances / counts,
        rank,
    )


def between_whitener(means: Array) -> tuple[Array, int]:
    """Return W (n_features, n_classes) with W W' = S_B^+, and the rank of S_B.

    With the centered means M = U s V', S_B = M'M/C = V s^2/C V', and W = V sqrt(C)/s for the
    singular values above rounding error; the other columns are 0.
    """
    n_classes = len(means)
    centered = means - means.mean(axis=0)
    scale = np.abs(means).max()
    # A QR decomposition first: with many features, the SVD of the small factor is much faster.
    basis, corners = np.linalg.qr(centered.T)
    _, s, vt = np.linalg.svd(corners.T, full_matrices=False)
    # The C rows sum to zero, so one singular value is only rounding error.
    kept = s > max(s[0] * 1e-10, scale * 1e-13)
    kept[n_classes - 1 :] = False
    whitener = np.zeros((means.shape[1], n_classes))
    whitener[:, : len(s)] = (
        basis @ vt.T * np.divide(np.sqrt(n_classes), s, out=np.zeros_like(s), where=kept)
    )
    return whitener, int(kept.sum())


def resampled_moments(
    points: Rows, codes: Array, moments: ClassMoments, weights: Array, n_jobs: int | None = None
) -> Iterator[ClassMoments]:
    """Yield the moments of each resample of the points.

    All resamples are computed together as matrix products, in two passes over the points. With
    many classes the whitened variances, which take time with their square, are left out as NaN.

    Parameters
    ----------
    moments : ClassMoments
        Moments of the points themselves.
    weights : array (n_resamples, n_samples)
        How often each point occurs in each resample. No class may be empty.
    """
    # Limits the memory for the means and axes of the resamples computed together to 128 MiB.
    at_once = max(1, 2**27 // (16 * moments.means.size))
    if len(moments.means) > MANY_CLASSES:
        at_once = max(1, 2**28 // (16 * moments.means.size))
    for start in range(0, len(weights), at_once):
        part = weights[start : start + at_once]
        with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
            resampled = _resample_batch(points, codes, moments, part, team)
        yield from resampled


def _resample_batch(
    points: Rows, codes: Array, moments: ClassMoments, weights: Array, team: ThreadTeam
) -> list[ClassMoments]:
    origin, centers = moments.origin, moments.means
    n_resamples, (n_classes, n_features) = len(weights), centers.shape
    members = members_by_class(codes, n_classes)
    counts = np.stack([weights[:, own].sum(axis=1) for own in members], axis=1).astype(float)
    # Resampled class means relative to the class means.
    shifts = np.zeros((n_resamples, n_classes, n_features))

    for part, block in parts_of(points):

        def shift(c: int, part: slice = part, block: Array = block) -> None:
            for rows in row_blocks(within(members[c], part), n_features):
                centered = block[rows] - (centers[c] + origin)
                shifts[:, c] += weights[:, rows + part.start].astype(np.float64) @ centered

        team.run(shift, n_classes)
    shifts /= counts[:, :, None]
    means = shifts + centers
    whitened = n_classes <= MANY_CLASSES
    whiteners = np.empty((n_resamples, n_features, n_classes if whitened else 0))
    ranks = np.full(n_resamples, moments.rank, dtype=np.int64)

    def whiten(b: int) -> None:
        whiteners[b], ranks[b] = between_whitener(means[b])

    if whitened:
        team.run(whiten, n_resamples)
    # The largest matrix product: float32 suffices for deviations from class means.
    axes = np.concatenate(whiteners, axis=1).astype(np.float32)
    variances, mean_distances, whitened_variances = np.zeros((3, n_resamples, n_classes))
    if not whitened:
        whitened_variances[:] = np.nan

    def spread(c: int, part: slice, block: Array) -> None:
        shifted = shifts[:, c]
        lengths = np.einsum("bj,bj->b", shifted, shifted)
        if whitened:
            offsets = np.concatenate([shifted[b] @ whiteners[b] for b in range(n_resamples)])
            offsets = offsets.astype(np.float32)
        step = max(16, 2**22 // max(n_features, axes.shape[1]))
        own = within(members[c], part)
        for first in range(0, len(own), step):
            rows = own[first : first + step]
            weight = weights[:, rows + part.start].astype(np.float64).T
            centered = block[rows] - (centers[c] + origin)
            squares = np.einsum("ij,ij->i", centered, centered)[:, None] + lengths
            squares = np.maximum(squares - 2.0 * (centered @ shifted.T), 0.0)
            variances[:, c] += (weight * squares).sum(axis=0)
            mean_distances[:, c] += (weight * np.sqrt(squares)).sum(axis=0)
            if not whitened:
                continue
            inner = np.square(centered.astype(np.float32) @ axes - offsets)
            inner = inner.reshape(len(rows), n_resamples, n_classes).sum(axis=2)
            whitened_variances[:, c] += (weight * inner).sum(axis=0)

    for part, block in parts_of(points):
        team.run(functools.partial(spread, part=part, block=block), n_classes)
    collapsed = moments.variances == 0.0
    for found in (variances, mean_distances, whitened_variances):
        found[:, collapsed] = 0.0
    return [
        ClassMoments(
            counts[b],
            origin,
            means[b],
            variances[b] / counts[b],
            mean_distances[b] / counts[b],
            whitened_variances[b] / counts[b],
            int(ranks[b]),
        )
        for b in range(n_resamples)
    ]


def whitened_influence(
    points: Rows, codes: Array, moments: ClassMoments, n_jobs: int | None = None
) -> Array:
    r"""Return by how much each point shifts NC1 per unit of its weight, to first order.

    With weights 1 + e_i that leave the class sizes, and S = S_B:

    .. math:: \delta\operatorname{Tr}(S_W S^+) = \tfrac1N \sum_i e_i u_i
              + \tfrac2C \sum_c \delta m_c \cdot g_c, \quad
              g_c = ((I - P) S_W S^+ S^+ - S^+ S_W S^+) (m_c - m)

    with u_i = (x_i - m_c)' S^+ (x_i - m_c), \delta m_c = 1/n_c \sum e_i (x_i - m_c), and P the
    projection on the span of the class means. NC1 is the trace divided by C.
    """
    n_classes, n_features = moments.means.shape
    whitener, rank = between_whitener(moments.means)
    whitener = whitener[:, :rank]
    narrow = whitener.astype(np.float32)
    members = members_by_class(codes, n_classes)
    blocks = [rows for own in members for rows in row_blocks(own, n_features)]
    influence = np.zeros(len(points))
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        # S_W W, summed in the order of the groups of blocks.
        groups = np.array_split(np.arange(len(blocks)), min(8, len(blocks)))
        parts = np.zeros((len(groups), n_features, rank))

        def add(number: int) -> None:
            for b in groups[number]:
                rows = blocks[b]
                centered = points[rows] - (moments.means[codes[rows[0]]] + moments.origin)
                centered = centered.astype(np.float32)
                parts[number] += centered.T @ (centered @ narrow)

        team.run(add, len(groups))
        spread = parts.sum(axis=0) / len(points)
        # W'(m_c - m), then S_W S^+ (m_c - m) = (S_W W) W'(m_c - m).
        along = moments.centered @ whitener
        basis, _ = np.linalg.qr(whitener)
        # S^+ S^+ = W (W'W) W', and the columns of W are orthogonal.
        outside = (spread * np.square(whitener).sum(axis=0)) @ along.T
        outside -= basis @ (basis.T @ outside)
        gradient = (outside - whitener @ (whitener.T @ (spread @ along.T))).T

        def shift(number: int) -> None:
            rows = blocks[number]
            c = codes[rows[0]]
            centered = points[rows] - (moments.means[c] + moments.origin)
            own = centered @ gradient[c]
            whitened = np.square(centered.astype(np.float32) @ narrow)
            influence[rows] = whitened.sum(axis=1, dtype=np.float64) / len(points)
            influence[rows] += 2.0 / (n_classes * len(members[c])) * own

        team.run(shift, len(blocks))
    return np.asarray(influence / n_classes)
