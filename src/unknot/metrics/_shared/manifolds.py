"""Class manifolds: subsets of the points of each class, and the anchor points of random draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..._io.stored_points import Rows
from ..._parallel.thread_team import ThreadTeam
from ..._typing import Array, Float64
from .centers import find_shared_directions, leading_shared_directions
from .moments import sum_by_class
from .results import UndefinedMeasureError, format_names

# A center nearer to the mean of all points than this fraction of the largest coordinate is on it.
SMALLEST_CENTER = 1e-6
# Axes with a smaller variance, relative to the largest, are rounding errors.
NO_SPREAD = 1e-12


@dataclass(frozen=True, eq=False)
class Anchors:
    """What the manifold capacity averages, and the directions that were removed before.

    Attributes
    ----------
    draws : array of float64 (3, n_drawn, n_draws)
        1/capacity, radius^2 and the cosine between anchor and draw.
    spans : array of float64 (n_drawn,)
        Dimension of the linear span of each class's points; the mean over the subsets.
    subsets : array of int64 (n_draws,)
        The subset that each draw belongs to, for classes of which there are several.
    correlation : float
        Mean absolute correlation of the centers.
    n_shared : int
        Number of directions removed.
    n_failed : int
        Number of draws that did not converge.
    """

    draws: Float64[Array, "3 drawn draws"]
    spans: Float64[Array, " drawn"]
    subsets: Array
    correlation: float
    n_shared: int
    n_failed: int

    def means(self) -> tuple[Array, Array, Array]:
        """Return 1/capacity, radius and dimension of each class."""
        return summarize_draws(self.draws, self.spans)

    @property
    def draw_error(self) -> float:
        """Standard error of the capacity over draws and subsets."""
        # Each value is that of all classes, for one draw of each: they are independent.
        inverse = self.draws[0].mean(axis=0)
        count = int(self.subsets[-1]) + 1
        if count > 1:
            # Draws of one subset have its points in common.
            inverse = np.bincount(self.subsets, inverse) / np.bincount(self.subsets)
        error = inverse.std(ddof=1) / np.sqrt(len(inverse))
        return float(error / np.square(self.draws[0].mean()))

    def totals(self) -> Array:
        """Return capacity, radius and dimension (3,), over all classes."""
        inverse, radius, dimension = self.means()
        return np.array([1.0 / inverse.mean(), radius.mean(), dimension.mean()])


def summarize_draws(draws: Array, spans: Array) -> tuple[Array, Array, Array]:
    """Average over the draws: return 1/capacity, radius and dimension of each class."""
    means = draws.mean(axis=-1)
    return means[0], np.sqrt(means[1]), spans * np.square(means[2])


def draw_subsets(own: Array, limit: int | None, n_subsets: int, rng: np.random.Generator) -> Array:
    """Return subsets (n_subsets, limit) of a class's points, as disjoint as their number allows.

    A class of no more points than ``limit`` is its only subset.
    """
    if limit is None or len(own) <= limit:
        return own[None]
    # The points are dealt in random order, and dealt again when none is left. A subset that has
    # to begin a second round must not contain a point twice.
    dealt = rng.permutation(own)
    subsets = np.empty((n_subsets, limit), dtype=own.dtype)
    at = 0
    for subset in subsets:
        rest = dealt[at : at + limit]
        at += limit
        if len(rest) < limit:
            others = rng.permutation(np.setdiff1d(own, rest))
            at = limit - len(rest)
            dealt = np.concatenate([others, rng.permutation(rest)])
            rest = np.concatenate([rest, dealt[:at]])
        subset[:] = np.sort(rest)
    return subsets


def find_anchors(
    points: Rows,
    members: list[Array],
    names: Array,
    drawn: Array,
    kappa: float,
    n_draws: int,
    limit: int | None,
    n_subsets: int,
    rng: np.random.Generator,
    team: ThreadTeam,
    means: Array | None = None,
) -> Anchors:
    """Find the anchor points of random draws for the drawn classes.

    The centers whose shared directions are removed are those of all points of a class, which may be
    given as ``means``; the anchors are those of subsets of ``limit`` points, among which the draws
    are divided.
    """
    sizes = np.array([len(own) for own in members])
    used = sizes if limit is None else np.minimum(sizes, limit)
    seeds = rng.spawn(len(drawn))
    several = bool((used[drawn] < sizes[drawn]).any())
    # Two draws of a subset are the fewest that have a deviation from their mean.
    n_subsets = min(n_subsets, n_draws // 2) if several else 1
    subsets = [
        draw_subsets(members[c], limit, n_subsets, seed)
        for c, seed in zip(drawn, seeds, strict=True)
    ]
    taken = points[np.concatenate([own.ravel() for own in subsets])]
    groups = np.split(taken, np.cumsum([own.size for own in subsets])[:-1])
    if several or len(drawn) < len(members):
        if means is None:
            means = sum_by_class(points, members, team) / sizes[:, None]
    else:
        means = np.stack([group.mean(axis=0, dtype=np.float64) for group in groups])
    # The mean of all points used.
    origin = used @ means / used.sum()
    centers = means - origin
    extent = max(
        float(max((group.max(axis=0) - origin).max(), (origin - group.min(axis=0)).max()))
        for group in groups
    )
    _require_centers(centers, extent, names)
    if len(drawn) < len(members):
        shared, correlation = leading_shared_directions(centers)
    else:
        shared, correlation = find_shared_directions(centers, team)
    generators = [seed.spawn(n_subsets) for seed in seeds]
    parts = np.array_split(np.arange(n_draws), n_subsets)
    draws = np.empty((3, len(drawn), n_draws))
    spans, failed = np.empty((2, len(drawn), n_subsets))

    def measure(task: int) -> None:
        c, number = divmod(task, n_subsets)
        n_own, size = subsets[c].shape
        if number >= n_own:
            return
        part = parts[number] if n_own > 1 else np.arange(n_draws)
        group = groups[c][number * size : (number + 1) * size] - origin
        manifold = _normalized_manifold(group, shared, names[drawn[c]])
        at = slice(None) if n_own == 1 else number
        spans[c, at] = manifold.shape[1] - 1
        failed[c, at] = 0
        draws[:, c, part], failed[c, number] = _draw_anchors(
            manifold, kappa, len(part), generators[c][number]
        )

    team.run(measure, len(drawn) * n_subsets)
    return Anchors(
        draws,
        spans.mean(axis=1),
        np.repeat(np.arange(n_subsets), [len(part) for part in parts]),
        correlation,
        shared.shape[1],
        int(failed.sum()),
    )


def _require_centers(centers: Array, extent: float, names: Array) -> None:
    lost = np.linalg.norm(centers, axis=1) <= SMALLEST_CENTER * extent
    if extent == 0.0 or lost.any():
        raise UndefinedMeasureError(
            "manifold capacity is in units of the distance of a class center from the mean of all "
            f"points, which is 0 for {format_names(names[lost | (extent == 0.0)])}"
        )


def _normalized_manifold(manifold: Array, shared: Array, name: object) -> Array:
    """Return the points of a class relative to their center, scaled by its norm.

    Shared directions are removed. Coordinates are in an orthonormal basis of the points' span,
    with a last coordinate of 1 for the center.
    """
    left = manifold - (manifold @ shared) @ shared.T
    center = left.mean(axis=0)
    length = np.linalg.norm(center)
    if length <= 1e-9 * np.linalg.norm(manifold.mean(axis=0)):
        raise UndefinedMeasureError(
            f"the center of class {name} lies in the directions shared by all centers, so nothing "
            "of it is left after their removal"
        )
    coordinates = _principal_coordinates((left - center) / length)
    # The sign of an axis is arbitrary: a positive skewness makes the draws the same for any
    # rotation, and any order of the points.
    coordinates *= np.where((coordinates**3).sum(axis=0) < 0.0, -1.0, 1.0)
    return np.ascontiguousarray(np.concatenate([coordinates, np.ones((len(left), 1))], axis=1))


def _principal_coordinates(centered: Array) -> Array:
    """Return the coordinates of points along their principal axes, U S of the SVD U S V'."""
    # The eigenvectors of the smaller Gram matrix take a fraction of the time of an SVD.
    wide = len(centered) <= centered.shape[1]
    squares, axes = np.linalg.eigh(centered @ centered.T if wide else centered.T @ centered)
    kept = np.flatnonzero(squares > max(squares[-1], 1e-6) * NO_SPREAD)[::-1]
    coordinates = axes[:, kept] * np.sqrt(squares[kept]) if wide else centered @ axes[:, kept]
    return np.asarray(coordinates)


def _draw_anchors(
    manifold: Array, kappa: float, n_draws: int, rng: np.random.Generator
) -> tuple[Array, int]:
    """Return 1/capacity, radius^2 and the cosine of each draw, and the number of failed draws."""
    from .kernels_capacity import anchors

    draws = rng.normal(size=(n_draws, manifold.shape[1]))
    found = np.empty_like(draws)
    failed = anchors(manifold, manifold @ manifold.T, draws, kappa, found)
    reach = np.maximum(np.einsum("ij,ij->i", draws, found) + kappa, 0.0)
    inverse = np.square(reach) / np.einsum("ij,ij->i", found, found)
    # The last coordinate of an anchor, a weighted mean of points, is 1.
    body, draw = found[:, :-1], draws[:, :-1]
    # The mean is over the same draws, which makes the deviations from it too small.
    squares = np.square(body - body.mean(axis=0)).sum(axis=1) * (n_draws / (n_draws - 1))
    lengths = np.linalg.norm(body, axis=1) * np.linalg.norm(draw, axis=1)
    cosines = np.divide(
        np.einsum("ij,ij->i", body, draw), lengths, out=np.zeros(n_draws), where=lengths > 1e-12
    )
    return np.stack([inverse, squares, cosines]), int(failed)
