"""Means and variances of the classes, shared by all measures that are functions of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..._io.stored_points import Rows, StoredPoints, parts_of, within
from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam, single_threaded_blas
from ..._typing import Array
from .many import MANY_CLASSES

# Points are converted to float64 in blocks of about this many bytes, which stay in a core's caches.
BLOCK_BYTES = 2**22


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
    to_origin = _squared_lengths(selected - origin)
    nearest = selected[to_origin.argmin()]
    to_nearest = _squared_lengths(selected - nearest)
    return nearest if np.median(to_nearest) < ORIGIN_OUTLIER_RATIO * to_origin.min() else origin


def _squared_lengths(vectors: Array) -> Array:
    return np.asarray(np.einsum("ij,ij->i", vectors, vectors))


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


def spread_by_class(
    points: Rows, members: list[Array], centers: Array, whitener: Array, team: ThreadTeam
) -> Array:
    """Sum squared, plain and whitened squared distances of each class's points to its center.

    Returns
    -------
    array of float64 (3, n_classes)
    """
    sums = np.zeros((3, len(members)))
    many = whitener.dtype == np.float32
    for part, block in parts_of(points):

        def spread(c: int, part: slice = part, block: Array = block) -> None:
            for rows in row_blocks(within(members[c], part), points.shape[1]):
                centered = block[rows] - centers[c]
                squares = np.einsum("ij,ij->i", centered, centered)
                sums[0, c] += squares.sum()
                sums[1, c] += np.sqrt(squares).sum()
                if many:
                    centered = centered.astype(np.float32)
                whitened = np.square(centered @ whitener)
                sums[2, c] += whitened.sum(dtype=np.float64)

        team.run(spread, len(members))
    return sums


def class_moments(
    points: Rows, codes: Array, n_classes: int, n_jobs: int | None = None
) -> ClassMoments:
    """Compute the moments of every class in float64, one block of points at a time.

    The second pass is relative to the class means, so that an offset costs no precision.
    """
    members = members_by_class(codes, n_classes)
    counts = np.array([len(own) for own in members], dtype=np.float64)
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        totals = sum_by_class(points, members, team)
        origin = robust_origin(points, totals.sum(axis=0) / len(points))
        means = totals / counts[:, None] - origin
        whitener, rank = whitener_of(means)
        spreads = spread_by_class(points, members, means + origin, whitener, team)
    variances, mean_distances, whitened_variances = spreads
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


def whitener_of(means: Array) -> tuple[Array, int]:
    """Return what `between_whitener` does, in float32 and without its zeros for many classes."""
    whitener, rank = between_whitener(means)
    if len(means) > MANY_CLASSES:
        # The largest matrix product: float32 suffices for deviations from class means.
        whitener = whitener[:, :rank].astype(np.float32)
    return whitener, rank


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
