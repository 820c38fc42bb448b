r"""Influence of each point on the measures that are functions of class means and variances.

Per unit of its weight, a point of class c moves the mean m_c by d / pi_c, with d = x - m_c and pi_c
the share of the class; the variance V_c by (|d|^2 - V_c) / pi_c; and the mean distance s_c by
(|d| - s_c - u_c.d) / pi_c, with u_c the mean of d / |d|. By the chain rule every influence is

.. math:: \phi_i = \frac{1}{\pi_c} \left(a_c (|d|^2 - V_c) + b_c (|d| - s_c - u_c \cdot d)
          + g_c \cdot d\right) + \ldots

with g_c the gradient by the class mean. What goes through a mean is multiplied by
sqrt(n_c / (n_c - 1)), the degree of freedom that the mean takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..._io.stored_points import Rows, parts_of, within
from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam, single_threaded_blas
from ..._typing import Array, Float64
from .many import MANY_CLASSES, ClassPairs
from .moments import ClassMoments, between_whitener, members_by_class, row_blocks

# Gradients of all measures together may take this many bytes; otherwise one after the other.
GRADIENT_BYTES = 2**29
# Share of the margins, the smallest ones, from which their density at 0 is estimated.
NEAR_SHARE = 0.15
# Products of coordinates for the squares of what each point does to each other.
PAIR_PRODUCTS = 4_000_000_000


@dataclass(frozen=True, eq=False)
class _Chain:
    """Derivatives of a measure by the class means (C, D), variances and mean distances (C,)."""

    means: Array
    variances: Array | None = None
    distances: Array | None = None


class MomentInfluence:
    """Influences of all points on the measures of class moments; each computed when first used.

    Parameters
    ----------
    points : array or StoredPoints, (n_samples, n_features)
    codes : array of int64 (n_samples,)
    moments : ClassMoments
        Those of the points.
    pairs : ClassPairs, optional
        The part of the pairs and classes that measures evaluate, where there are many classes.
    """

    def __init__(
        self,
        points: Rows,
        codes: Array,
        moments: ClassMoments,
        pairs: ClassPairs | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self._points, self._codes, self._moments = points, codes, moments
        self._pairs = pairs
        self._n_jobs = n_jobs
        self._members = members_by_class(codes, len(moments.means))
        self._shares = moments.counts / len(codes)
        self._free = np.sqrt(moments.counts / np.maximum(moments.counts - 1.0, 1.0))
        whitener, rank = between_whitener(moments.means)
        self._whitener = whitener[:, :rank]
        n_classes, n_features = moments.means.shape
        self._squares, self._whitened = np.empty((2, len(codes)))
        self._directions = np.zeros((n_classes, n_features))
        self._spread = np.zeros((n_features, rank))
        self._found: dict[str, Array] = {}
        self._read()

    def _blocks(self, c: int, part: slice) -> list[Array]:
        return list(row_blocks(within(self._members[c], part), self._points.shape[1]))

    def _centered(self, block: Array, rows: Array, c: int) -> Array:
        centered: Array = block[rows] - (self._moments.means[c] + self._moments.origin)
        return centered

    def _read(self) -> None:
        """Collect squared distances to the class means, their mean directions, and S_W W."""
        n_classes, n_features = self._moments.means.shape
        rank = self._whitener.shape[1]
        many = n_classes > MANY_CLASSES
        # The largest matrix product: with many classes float32 suffices.
        whitener = self._whitener.astype(np.float32) if many else self._whitener
        n_groups = max(1, min(8, 2**27 // (8 * n_features * max(rank, 1))))
        with single_threaded_blas(), ThreadTeam(resolve_n_jobs(self._n_jobs)) as team:
            for part, block in parts_of(self._points):
                tasks = [(c, rows) for c in range(n_classes) for rows in self._blocks(c, part)]
                groups = np.array_split(np.arange(len(tasks)), n_groups)
                sums = np.zeros((n_groups, n_features, rank))
                # A group holds the blocks of few classes, one after the other.
                directions: list[dict[int, Array]] = [{} for _ in groups]

                def read(
                    number: int,
                    part: slice = part,
                    block: Array = block,
                    tasks: list[tuple[int, Array]] = tasks,
                    groups: list[Array] = groups,
                    sums: Array = sums,
                    directions: list[dict[int, Array]] = directions,
                ) -> None:
                    for task in groups[number]:
                        c, rows = tasks[task]
                        d = self._centered(block, rows, c)
                        squares = np.einsum("ij,ij->i", d, d)
                        self._squares[rows + part.start] = squares
                        lengths = np.sqrt(squares)
                        inverse = np.divide(
                            1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0
                        )
                        directions[number][c] = directions[number].get(c, 0.0) + inverse @ d
                        d = d.astype(whitener.dtype, copy=False)
                        along = d @ whitener
                        sums[number] += d.T @ along
                        self._whitened[rows + part.start] = np.square(along).sum(
                            axis=1, dtype=np.float64
                        )

                team.run(read, n_groups)
                self._spread += sums.sum(axis=0) / len(self._codes)
                for group in directions:
                    for c, direction in group.items():
                        self._directions[c] += direction
        self._directions /= self._moments.counts[:, None]
        # Of classes that have collapsed to a point, only rounding errors are left.
        collapsed = (self._moments.variances == 0.0)[self._codes]
        self._squares[collapsed] = self._whitened[collapsed] = 0.0

    def _from_chains(self, chains: list[_Chain]) -> list[Float64[Array, " samples"]]:
        """Return, for each measure, the sum of its terms over the point's class moments."""
        size = self._moments.means.size * 8
        if len(chains) > 1 and len(chains) * size > GRADIENT_BYTES:
            return [found for chain in chains for found in self._from_chains([chain])]
        gradients = []
        for chain in chains:
            gradient = chain.means
            if chain.distances is not None:
                gradient = gradient - chain.distances[:, None] * self._directions
            gradients.append(gradient)
        stacked = np.stack(gradients, axis=2)
        found = np.empty((len(chains), len(self._codes)))
        with single_threaded_blas(), ThreadTeam(resolve_n_jobs(self._n_jobs)) as team:
            for part, block in parts_of(self._points):

                def multiply(c: int, part: slice = part, block: Array = block) -> None:
                    for rows in self._blocks(c, part):
                        found[:, rows + part.start] = (
                            self._centered(block, rows, c) @ stacked[c]
                        ).T

                team.run(multiply, len(self._members))
        found[:, (self._moments.variances == 0.0)[self._codes]] = 0.0
        codes = self._codes
        lengths = np.sqrt(self._squares)
        for chain, phi in zip(chains, found, strict=True):
            if chain.variances is not None:
                phi += chain.variances[codes] * (self._squares - self._moments.variances[codes])
            if chain.distances is not None:
                phi += chain.distances[codes] * (lengths - self._moments.mean_distances[codes])
            phi *= (self._free / self._shares)[codes] / len(codes)
        return list(found)

    def _through_moments(self, name: str) -> Array:
        """Return the terms of a measure over the point's class moments.

        With few classes those of all measures come from one pass over the points.
        """
        if name not in self._found:
            names = _CHAINS if len(self._shares) <= MANY_CLASSES else (name,)
            # Of measures that are not defined for these points, nobody asks for the influence.
            with np.errstate(divide="ignore", invalid="ignore"):
                chains = {each: _CHAINS[each](self) for each in names}
            defined = {each: chain for each, chain in chains.items() if chain is not None}
            found = self._from_chains(list(defined.values()))
            self._found = dict(zip(defined, found, strict=True))
        return self._found[name]

    def class_distance_variance(self) -> Float64[Array, " samples"]:
        """Influence on the mean over pairs of (V_i + V_j) / (2 |m_i - m_j|^2)."""
        return self._through_moments("class_distance_variance")

    def _class_distance_variance(self) -> _Chain:
        means, variances = self._moments.means, self._moments.variances
        if self._pairs is None:
            first, second = np.triu_indices(len(means), 1)
        else:
            first, second = self._pairs.first, self._pairs.second
        squares = np.empty(len(first))
        for rows in row_blocks(np.arange(len(first)), means.shape[1]):
            squares[rows] = np.square(means[first[rows]] - means[second[rows]]).sum(axis=1)
        ratio = (variances[first] + variances[second]) / (2.0 * squares) / len(first)
        by_variance = np.zeros(len(means))
        for ends in (first, second):
            by_variance += np.bincount(ends, 0.5 / squares / len(first), minlength=len(means))
        gradient = -2.0 * _pulls(means, first, second, ratio / squares)
        return _Chain(gradient, by_variance)

    def davies_bouldin(self) -> Float64[Array, " samples"]:
        """Influence on the mean over classes of (s_i + s_j) / |m_i - m_j| with the worst j."""
        return self._through_moments("davies_bouldin")

    def _davies_bouldin(self) -> _Chain:
        means, spreads = self._moments.means, self._moments.mean_distances
        drawn = np.arange(len(means)) if self._pairs is None else self._pairs.drawn
        worst = np.empty(len(drawn), dtype=np.int64)
        squares = np.empty(len(drawn))
        for place, i in enumerate(drawn):
            apart = np.square(means - means[i]).sum(axis=1)
            apart[i] = np.inf
            worst[place] = int(np.argmax((spreads[i] + spreads) / np.sqrt(apart)))
            squares[place] = apart[worst[place]]
        ratio = (spreads[drawn] + spreads[worst]) / np.sqrt(squares) / len(drawn)
        by_distance = np.zeros(len(means))
        for ends in (drawn, worst):
            by_distance += np.bincount(ends, 1.0 / np.sqrt(squares) / len(drawn), len(means))
        gradient = -_pulls(means, drawn, worst, ratio / squares)
        return _Chain(gradient, None, by_distance)

    def calinski_harabasz(self) -> Float64[Array, " samples"]:
        """Influence on (n - C) / (C - 1) B / W."""
        n, n_classes = len(self._codes), len(self._shares)
        lengths = np.square(self._from_center()).sum(axis=1)
        between = float(self._shares @ lengths)
        within_ = float(self._shares @ self._moments.variances)
        value = (n - n_classes) / (n_classes - 1.0) * between / within_
        through_means = self._through_moments("calinski_harabasz")
        to_between = (lengths[self._codes] - between) / n + through_means
        to_within = (self._squares - within_) / n
        return np.asarray(value * (to_between / between - to_within / within_))

    def _calinski_harabasz(self) -> _Chain:
        return _Chain(2.0 * self._shares[:, None] * self._from_center())

    def _from_center(self) -> Array:
        """Return the class means relative to the mean of all points."""
        means = self._moments.means
        return np.asarray(means - self._shares @ means)

    def nc1(self) -> Float64[Array, " samples"]:
        r"""Influence on tr(S_W S^+) / C, with S the covariance of the class means.

        The gradient by m_c is 2 / C^2 ((I - P) S_W S^+ S^+ - S^+ S_W S^+) (m_c - m), with P the
        projection on the span of the means.
        """
        found = self._through_moments("nc1")
        n = len(self._shares) * len(self._codes)
        return np.asarray(found + (self._whitened - self._whitened.mean()) / n)

    def _nc1(self) -> _Chain:
        whitener, n_classes = self._whitener, len(self._shares)
        # W'(m_c - m), then S_W S^+ (m_c - m) = (S_W W) W'(m_c - m).
        along = self._moments.centered @ whitener
        basis, _ = np.linalg.qr(whitener)
        # S^+ S^+ = W (W'W) W', and the columns of W are orthogonal.
        outside = (self._spread * np.square(whitener).sum(axis=0)) @ along.T
        outside -= basis @ (basis.T @ outside)
        gradient = (outside - whitener @ (whitener.T @ (self._spread @ along.T))).T
        return _Chain(2.0 / n_classes**2 * gradient)

    def nc2(self) -> Float64[Array, " samples"] | None:
        """Influence on the distance of the means from a simplex; None where it is 0."""
        return None if self._nc2() is None else self._through_moments("nc2")

    def _nc2(self) -> _Chain | None:
        means, n_classes = self._moments.centered, len(self._shares)
        scale = np.abs(means).max()
        means = means / scale
        if n_classes > means.shape[1]:
            gram = means.T @ means
            product = means @ gram
        else:
            gram = means @ means.T
            product = gram @ means
        size, trace = float(np.linalg.norm(gram)), float(np.trace(gram))
        square = 2.0 - 2.0 * trace / (np.sqrt(n_classes - 1.0) * size)
        if n_classes < 3 or square < 1e-12:
            return None
        gradient = -(2.0 * means / size - 2.0 * trace * product / size**3) / np.sqrt(
            n_classes - 1.0
        )
        return _Chain(gradient / np.sqrt(square) / scale)

    def nc3(self, rows: Array, means: Array, value: float) -> Float64[Array, " samples"]:
        """Influence on |U - V|, with V = M / |M| and U the head's weights, both of norm 1.

        |U - V|^2 = 2 - 2 <U, V>, and the gradient of <U, V> by M is (U - <U, V> V) / |M|.
        """
        size = float(np.linalg.norm(self._moments.centered))
        gradient = -(rows - float((rows * means).sum()) * means) / (size * value)
        return self._from_chains([_Chain(gradient - gradient.mean(axis=0))])[0]

    def distance_consistency(self) -> tuple[Float64[Array, " samples"], float]:
        r"""Influence on the share of points nearest to their own centroid, through the centroids.

        A centroid's move turns the points whose margin |x - m_other|^2 - |x - m_own|^2 is near 0;
        their density there is that of a triangular kernel K over the smallest margins. A point j
        turns point i by h_ij = 2 K_i (x_i - m) . d_j / pi, for m the own or the other centroid of
        i. The influence of j is the sum of these over all other points; its own score is not
        included.

        Returns
        -------
        influence : array of float64 (n_samples,)
        twice : float
            The variance of what is not additive in i and j, which the scores of the points hold as
            well: sum h_ij^2 / n^4 less that of the means over i.
        """
        n = len(self._codes)
        means = self._moments.means
        margins, other = self._margins()
        distances = np.abs(margins)
        place = min(n - 1, int(NEAR_SHARE * n) + 10)
        width = float(np.partition(distances, place)[place])
        if width == 0.0:
            return np.zeros(n), 0.0
        from scipy import sparse

        near = np.flatnonzero(distances < width)
        weights = 2.0 * (1.0 - distances[near] / width) / width
        gradient = np.zeros(means.shape)
        for rows in row_blocks(np.arange(len(near)), means.shape[1]):
            centered = self._points[near[rows]] - self._moments.origin
            for ends, sign in ((other, -1.0), (self._codes, 1.0)):
                weighted = sparse.csr_array(
                    (sign * weights[rows] / n, (ends[near[rows]], np.arange(len(rows)))),
                    (len(means), len(rows)),
                )
                gradient += weighted @ centered - weighted.sum(axis=1)[:, None] * means
        influence = self._from_chains([_Chain(gradient)])[0]
        scale = (self._free / self._shares)[self._codes] / n
        influence[near] -= weights * self._squares[near] * scale[near] / n
        step = max(1, len(near) * n * means.shape[1] // PAIR_PRODUCTS)
        chosen = np.arange(0, len(near), step)
        squares = (
            len(near)
            / len(chosen)
            * self._squared_turns(near[chosen], other[near[chosen]], weights[chosen], scale)
        )
        twice = squares / n**2 - float(influence @ influence) / n
        return influence, max(twice, 0.0)

    def _margins(self) -> tuple[Array, Array]:
        """Return the margin of each point, and the nearest centroid of another class."""
        n, means = len(self._codes), self._moments.means
        lengths = np.square(means).sum(axis=1)
        margins, other = np.empty(n), np.empty(n, dtype=np.int64)
        with single_threaded_blas(), ThreadTeam(resolve_n_jobs(self._n_jobs)) as team:
            for part, block in parts_of(self._points):

                def compare(c: int, part: slice = part, block: Array = block) -> None:
                    for rows in self._blocks(c, part):
                        to_all = lengths - 2.0 * ((block[rows] - self._moments.origin) @ means.T)
                        own = to_all[:, c].copy()
                        to_all[:, c] = np.inf
                        nearest = to_all.argmin(axis=1)
                        other[rows + part.start] = nearest
                        margins[rows + part.start] = to_all[np.arange(len(rows)), nearest] - own

                team.run(compare, len(means))
        return margins, other

    def _squared_turns(self, near: Array, other: Array, weights: Array, scale: Array) -> float:
        """Sum h_ij^2 over some points i near a boundary, and all other points j."""
        codes, means = self._codes, self._moments.means
        totals = np.zeros(len(means))
        selected = self._points[near] - self._moments.origin
        sides = ((codes[near], selected - means[codes[near]]), (other, selected - means[other]))
        with single_threaded_blas(), ThreadTeam(resolve_n_jobs(self._n_jobs)) as team:
            for part, block in parts_of(self._points):

                def add(c: int, part: slice = part, block: Array = block) -> None:
                    for rows in self._blocks(c, part):
                        d = self._centered(block, rows, c)
                        at = rows + part.start
                        for ends, apart in sides:
                            turned = np.flatnonzero(ends == c)
                            turns = (apart[turned] @ d.T) * weights[turned, None] * scale[at]
                            turns[near[turned][:, None] == at] = 0.0
                            totals[c] += np.square(turns).sum()

                team.run(add, len(means))
        return float(totals.sum())


def _pulls(means: Array, first: Array, second: Array, weights: Array) -> Array:
    """Sum weight (m_i - m_j) over the pairs of each class i, both ways, (n_classes, n_features)."""
    from scipy import sparse

    table = sparse.csr_array((weights, (first, second)), (len(means), len(means)))
    table = table + table.T
    return np.asarray(table.sum(axis=1)[:, None] * means - table @ means)


_CHAINS: dict[str, Callable[[MomentInfluence], _Chain | None]] = {
    "class_distance_variance": MomentInfluence._class_distance_variance,
    "davies_bouldin": MomentInfluence._davies_bouldin,
    "calinski_harabasz": MomentInfluence._calinski_harabasz,
    "nc1": MomentInfluence._nc1,
    "nc2": MomentInfluence._nc2,
}
