"""Anchor points of class manifolds, and the quadratic forms and alignments of GLUE."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..._parallel.cached import cached_property
from ..._parallel.thread_team import ThreadTeam
from ..._typing import Array, Float64

# Eigenvalues of Gram matrices below this fraction of the largest one count as 0.
RCOND = 1e-10
# Relative difference of two forms of the same number that is no rounding error.
IMPRECISE = 1e-4
DRAWS_PER_TASK = 8
BYTES_PER_TASK = 2**25


@dataclass(frozen=True, eq=False)
class Geometry:
    """Forms of the anchor points of P classes, per draw and class.

    Attributes
    ----------
    forms : array of float64 (3, n_draws, n_classes)
        Share of each class in a = (St)'(SS')^+(St), b = (S1 t)'(S1 S1')^+(S1 t) and
        c = (S1 t)'(S0 S0' + S1 S1')^+(S1 t): the shares add up to a, b and c.
    activity : array of float64 (n_classes,)
        Fraction of the draws in which the class has an anchor point.
    alignments : array of float64 (3,)
        Mean absolute inner product over pairs of classes of their centers, of their axes, and of
        the center of one and the axis of the other.
    cosines : array of float64 (3,)
        Mean cosine of the same.
    n_covered, n_failed, n_imprecise : int
        Number of draws whose anchor points are not unique, that did not converge, and whose anchor
        points are too nearly parallel for the pseudo-inverse.
    """

    forms: Float64[Array, "3 draws classes"]
    activity: Float64[Array, " classes"]
    alignments: Float64[Array, " 3"]
    cosines: Float64[Array, " 3"]
    n_covered: int
    n_failed: int
    n_imprecise: int

    @cached_property
    def means(self) -> Float64[Array, " 3"]:
        """E a, E b and E c."""
        return np.asarray(self.forms.sum(axis=2).mean(axis=1))

    @property
    def capacity(self) -> float:
        """P / E a; infinite if no draw has an anchor point."""
        a = self.means[0]
        return float(self.forms.shape[2] / a) if a > 0.0 else float("inf")

    @property
    def dimension(self) -> float:
        """E b / P."""
        return float(self.means[1] / self.forms.shape[2])

    @property
    def radius(self) -> float:
        """The root of E c / E(b - c); infinite if the centers are 0, and 0 if the axes are."""
        return float(radius_of(self.means[1:2], self.means[2:])[0])

    @property
    def utility(self) -> float:
        """E c / E a."""
        return float(self.means[2] / self.means[0]) if self.means[0] > 0.0 else 0.0


def radius_of(b: Array, c: Array) -> Array:
    """Return sqrt(c / (b - c)): 0 where c is, infinite where b = c, NaN where it has no value."""
    # A difference at the level of rounding is none.
    rest = np.where(b - c > 1e-12 * b, b - c, 0.0)
    square = np.divide(c, rest, out=np.full(c.shape, np.inf), where=rest > 0.0)
    square = np.where(c > 0.0, square, np.where((c == 0.0) & (b >= 0.0), 0.0, np.nan))
    return np.sqrt(np.where(b > 0.0, square, np.where(c == 0.0, 0.0, np.nan)))


def analyze(
    coordinates: Float64[Array, "points axes"],
    gram: Float64[Array, "points points"],
    offsets: Array,
    projections: Float64[Array, "draws points"],
    signs: Float64[Array, "draws classes"],
    team: ThreadTeam,
) -> Geometry:
    """Find the anchor points of each draw, and their geometry.

    Parameters
    ----------
    coordinates : array
        The points, one class after the other.
    gram : array
        Their inner products.
    offsets : array of int64 (n_classes,)
        The first point of each class.
    projections : array
        Inner products of the points with the direction of each draw.
    signs : array
        The side of each class in each draw.
    team : ThreadTeam
        Runs the draws.
    """
    from .kernels_glue import cone_weights

    n_draws, n_points = projections.shape
    sizes = np.diff(offsets, append=n_points)
    weights = np.empty((n_draws, n_points))
    state = np.empty(n_draws, dtype=np.int64)
    rank = min(coordinates.shape)

    def solve(task: int) -> None:
        part = slice(task * DRAWS_PER_TASK, (task + 1) * DRAWS_PER_TASK)
        own = np.repeat(signs[part], sizes, axis=1)
        cone_weights(gram, projections[part], own, rank, weights[part], state[part])

    team.run(solve, -(-n_draws // DRAWS_PER_TASK))
    totals = np.add.reduceat(weights, offsets, axis=1)
    has_anchor = totals > 0.0
    # The square of the projection on the cone, which is a by another way.
    squares = (weights * np.repeat(signs, sizes, axis=1) * projections).sum(axis=1)
    # The anchor of a class is the mean of its points by these; without any weight it is 0.
    weights /= np.repeat(np.where(has_anchor, totals, 1.0), sizes, axis=1)
    classes = [slice(start, start + size) for start, size in zip(offsets, sizes, strict=True)]
    mean_weights = weights.mean(axis=0)
    centers = np.stack([mean_weights[own] @ coordinates[own] for own in classes])
    center_gram = centers @ centers.T
    forms = np.empty((3, n_draws, len(classes)))
    per_draw = np.empty((4, n_draws))
    step = max(1, BYTES_PER_TASK // (16 * centers.size))

    def measure(task: int) -> None:
        part = slice(task * step, (task + 1) * step)
        own, t = weights[part], projections[part]
        along = np.add.reduceat(own * t, offsets, axis=1)
        anchors = _combine(own, coordinates, classes)
        forms[0, part] = _shares(anchors @ anchors.swapaxes(1, 2), along)
        # The axes: the anchors relative to their mean over the draws.
        away = own - mean_weights
        along = np.add.reduceat(away * t, offsets, axis=1)
        axes = _combine(away, coordinates, classes)
        axis_gram = axes @ axes.swapaxes(1, 2)
        forms[1, part] = _shares(axis_gram, along)
        forms[2, part] = _shares(axis_gram + center_gram, along)
        crossed = centers @ axes.swapaxes(1, 2)
        lengths = np.sqrt(np.einsum("dii->di", axis_gram))
        per_draw[0, part] = _mean_of_pairs(np.abs(axis_gram))
        per_draw[1, part] = _mean_of_pairs(np.abs(crossed))
        per_draw[2, part] = _mean_of_pairs(_cosines(axis_gram, lengths, lengths))
        norms = np.broadcast_to(center_lengths, lengths.shape)
        per_draw[3, part] = _mean_of_pairs(_cosines(crossed, norms, lengths))

    center_lengths = np.sqrt(center_gram.diagonal())
    team.run(measure, -(-n_draws // step))
    axis, crossed, axis_cosine, crossed_cosine = per_draw.mean(axis=1)
    center = _mean_of_pairs(np.abs(center_gram))
    center_cosine = _mean_of_pairs(_cosines(center_gram, center_lengths, center_lengths))
    return Geometry(
        forms,
        has_anchor.mean(axis=0),
        np.array([center, axis, crossed]),
        np.array([center_cosine, axis_cosine, crossed_cosine]),
        int((state == 1).sum()),
        int((state == -1).sum()),
        int((np.abs(forms[0].sum(axis=1) - squares) > IMPRECISE * squares).sum()),
    )


def _combine(weights: Array, coordinates: Array, classes: list[slice]) -> Array:
    """Return the weighted sum of each class's points (n_draws, n_classes, n_axes)."""
    sums = np.empty((len(weights), len(classes), coordinates.shape[1]))
    for c, own in enumerate(classes):
        sums[:, c] = weights[:, own] @ coordinates[own]
    return sums


def _shares(gram: Array, along: Array) -> Array:
    """Return the terms u_i (G^+ u)_i of u'G^+u for each draw."""
    values, vectors = np.linalg.eigh(gram)
    largest = np.abs(values).max(axis=1, keepdims=True)
    counted = np.abs(values) > RCOND * largest
    projected = np.einsum("dij,di->dj", vectors, along)
    projected = np.divide(projected, values, out=np.zeros_like(values), where=counted)
    return np.asarray(along * np.einsum("dij,dj->di", vectors, projected))


def _cosines(products: Array, first: Array, second: Array) -> Array:
    lengths = first[..., :, None] * second[..., None, :]
    return np.asarray(
        np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0.0)
    )


def _mean_of_pairs(table: Array) -> Array:
    """Return the mean of tables (..., n, n) over the entries off the diagonal."""
    n = table.shape[-1]
    off_diagonal = ~np.eye(n, dtype=bool)
    return np.asarray(table[..., off_diagonal].mean(axis=-1))
