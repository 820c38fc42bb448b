"""Influence of each sample on scores of transitions, and the exact null of kept neighbors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._parallel.cached import cached_property
from ..._typing import Array, Float64, Int64
from .intervals import sum_of_squares
from .neighbor_influence import count_returned

# The part of the samples that is least changed.
LEAST_CHANGED = 0.25


class NeighborChanges:
    r"""By how much each sample, as a neighbor, changes the shares of neighbors that others keep.

    If sample j were not there, i would lose it as a neighbor and gain its next one, in each of the
    layers where j is among the k nearest. To first order j adds to the share of i

    .. math:: z_{ij} = ([j \in A_i \cap B_i] - [j \in A_i] a_i - [j \in B_i] b_i) / k

    with A and B the neighbors in the two layers, and a_i the share of the neighbors about the k-th
    in A that are in B.

    Parameters
    ----------
    first, second : array of int (n_samples, K)
        The nearest neighbors in both layers, in order. A third more than k are used.
    k : int
        The number of neighbors that count; fewer if K is not a third more.
    """

    def __init__(self, first: Array, second: Array, k: int) -> None:
        n_samples, width = len(first), min(first.shape[1], second.shape[1])
        self.k = k = max(1, min(k, 3 * width // 4))
        reach = min(max(1, k // 3), width - k)
        edges = [
            _edges(near, other, k, reach) for near, other in ((first, second), (second, first))
        ]
        rows = np.repeat(np.arange(n_samples, dtype=np.int32), k)
        from scipy.sparse import csr_array

        # What stands twice, as a neighbor in both layers, is added.
        columns = np.concatenate([near[:, :k].ravel() for near in (first, second)])
        self._effects: Any = csr_array(
            (np.concatenate(edges), (np.tile(rows, 2), columns)), shape=(n_samples, n_samples)
        )

    @cached_property
    def _squares(self) -> Array:
        return np.asarray(self._effects.power(2).sum(axis=1), dtype=np.float64).ravel()

    @cached_property
    def _mutual(self) -> Any:
        """The products z_ij z_ji."""
        return self._effects.multiply(self._effects.T.tocsr()).tocsr()

    def through(self, slopes: Array) -> tuple[Float64[Array, " samples"], float]:
        """Return the influence of samples as neighbors, and the variance counted twice with it.

        Parameters
        ----------
        slopes : array of float64 (n_samples,)
            By how much the score rises with the share that a sample keeps.

        Returns
        -------
        influence : array of float64 (n_samples,)
        twice : float
            The sum of the squares of what is not additive in two samples: it is in a sample's own
            share, and in its neighbors' influence.
        """
        influence = self._effects.T @ slopes
        twice = float(self._squares @ np.square(slopes)) + float(slopes @ (self._mutual @ slopes))
        return np.asarray(influence - influence.mean(), dtype=np.float64), twice


def _edges(near: Array, other: Array, k: int, reach: int) -> Array:
    """Return the effects of the k nearest in one layer, half of what is in both."""
    inside = is_among(near[:, : k + reach], other[:, :k])
    about = inside[:, max(0, k - max(1, k // 3)) :].mean(axis=1, keepdims=True)
    return np.asarray((0.5 * inside[:, :k] - about) / k).ravel()


def is_among(rows: Array, others: Array) -> Array:
    """Return which entries of each row are in the same row of the others."""
    found = np.zeros(rows.shape, dtype=bool)
    for column in others.T:
        found |= rows == column[:, None]
    return found


def variance_of(influence: Array, twice: float) -> float:
    """Return the variance of the sum of influences without what they count twice."""
    both = sum_of_squares(influence)
    return max(both - twice, 0.5 * both)


def null_of_kept(first: Array, second: Array) -> tuple[float, float]:
    r"""Return the exact mean and standard deviation of kept neighbors, one layer permuted.

    The sum over pairs of samples of the product of two adjacency matrices [Mantel1967]_: its second
    moment is a sum over the ways in which two ordered pairs may share samples.

    Parameters
    ----------
    first, second : array of int (n_samples, k)
    """
    n, k = first.shape
    total = float(n * k)
    sums = np.array([_overlaps(each) for each in (first, second)]).prod(axis=0)
    ways = n * (n - 1.0)
    pairs = [ways, ways, ways * (n - 2), ways * (n - 2), ways * (n - 2), ways * (n - 2) * (n - 3)]
    # The two directions of a chain of three samples occur alike.
    times = [1, 1, 1, 1, 2, 1]
    second_moment = sum(
        factor * product / count
        for factor, product, count in zip(times, sums, pairs, strict=True)
        if count > 0.0
    )
    mean = total * total / ways
    return mean / total, float(np.sqrt(max(second_moment - mean * mean, 0.0))) / total


def _overlaps(neighbors: Array) -> tuple[float, ...]:
    """Count ordered pairs of edges by what they share.

    The same edge; the reverse; the first sample; the second; the second of one with the first of
    the other; nothing.
    """
    n, k = neighbors.shape
    edges = float(n * k)
    into = np.bincount(neighbors.ravel(), minlength=n).astype(np.float64)
    mutual = float(count_returned(neighbors).sum())
    starts = edges * (k - 1)
    ends = float(np.square(into).sum()) - edges
    chains = float(k * into.sum()) - mutual
    apart = edges * edges - edges - mutual - starts - ends - 2.0 * chains
    return edges, mutual, starts, ends, chains, apart


def mean_influence(values: Array) -> Float64[Array, " samples"]:
    """Return the influence of each sample on a mean."""
    return np.asarray((values - values.mean()) / len(values))


def radius_influence(value: float, squares: Array) -> Float64[Array, " samples"]:
    """Return the influence of each sample on a length in radii, through the radius.

    Parameters
    ----------
    value : float
        The length.
    squares : array of float64 (n_samples,)
        The squared distances of the samples from their center, in radii.
    """
    return np.asarray(-0.5 * value * (squares - 1.0) / len(squares))


@dataclass(frozen=True)
class LeastChanged:
    """The quarter of the samples whose neighborhoods changed least.

    Samples with the same share as the last of them count alike, for what is left of the quarter, so
    that their order does not matter.

    Attributes
    ----------
    kept : array of float64 (n_samples,)
        The share of its neighbors that each sample kept.
    share, weight : float
        The smallest share among them, and how much a sample with it counts, in (0, 1].
    """

    kept: Float64[Array, " samples"]
    share: float
    weight: float

    @classmethod
    def of(cls, kept: Array) -> LeastChanged:
        """Find them by the shares of neighbors that samples kept."""
        shares, counts = np.unique(kept, return_counts=True)
        wanted = LEAST_CHANGED * len(kept)
        from_here = np.cumsum(counts[::-1])[::-1]
        last = int(np.flatnonzero(from_here >= wanted)[-1])
        weight = (wanted - (from_here[last] - counts[last])) / counts[last]
        return cls(kept, float(shares[last]), float(weight))

    @cached_property
    def weights(self) -> Float64[Array, " samples"]:
        """How much each sample counts; the sum is a quarter of their number."""
        return self._weights(self.kept)

    def _weights(self, kept: Array) -> Array:
        # Shares are fractions of k: those that differ by rounding are the same.
        equal = np.abs(kept - self.share) <= 1e-9
        return np.where(equal, self.weight, np.where(kept > self.share, 1.0, 0.0))

    def mean(self, values: Array) -> float:
        """Return the mean of values over them."""
        return float(self.weights @ values / self.weights.sum())

    def influence(self, values: Array, shift: float = 0.0) -> Float64[Array, " samples"]:
        """Return the influence of each sample on that mean, if it had kept so much more, too."""
        margin = float(values[np.abs(self.kept - self.share) <= 1e-9].mean())
        counted = self._weights(np.clip(self.kept + shift, 0.0, 1.0))
        found = counted * (values - margin) / LEAST_CHANGED + margin - self.mean(values)
        return np.asarray(found / len(values))

    def slopes(self, values: Array, step: float) -> Float64[Array, " samples"]:
        """Return by how much that mean rises with the share that each sample keeps.

        Parameters
        ----------
        step : float
            The difference of two shares, 1 / k.
        """
        up, down = (np.clip(self.kept + shift, 0.0, 1.0) for shift in (step, -step))
        change = self.influence(values, step) - self.influence(values, -step)
        return np.asarray(change / np.maximum(up - down, 1e-9))


class RankCorrelation:
    r"""Spearman's rank correlation of two quantities, with midranks for ties, and its influence.

    .. math:: \rho = \frac{C}{\sqrt{V_x V_y}}, \quad C = E[a(x) b(y)], \quad V_x = E[a(x)^2]

    with a(x) = P(X < x) + P(X = x) / 2 - 1/2, and b the same of y. A sample shifts C by

    .. math:: a(x) b(y) + E_1(x) + E_2(y) - 3 C, \quad
              E_1(x) = E[(1\{X > x\} + \tfrac12 1\{X = x\}) b(Y)],

    and V_x by (sum_t p_t^3 - p_x^2) / 4, with p_t the shares of tied values.

    Parameters
    ----------
    x, y : array (n_samples,)

    Attributes
    ----------
    value : float
        NaN if x or y is constant.
    per_point : array of float64 (n_samples,)
        Products of standardized ranks, whose mean is the value.
    """

    def __init__(self, x: Array, y: Array) -> None:
        self._x, self._y = _Ranks(x), _Ranks(y)
        self._scale = float(np.sqrt(self._x.variance * self._y.variance))
        defined = self._scale > 0.0
        products = self._x.centered * self._y.centered
        self.per_point = products / self._scale if defined else np.full(len(products), np.nan)
        self.value = float(np.clip(self.per_point.mean(), -1.0, 1.0)) if defined else float("nan")

    def influence(self, steps: int = 0) -> Float64[Array, " samples"]:
        """Return the influence of each sample, if its y were some of the values higher, too.

        Parameters
        ----------
        steps : int
            By how many of the values of y that occur; not above the highest, or below the lowest.
        """
        x, y = self._x, self._y
        place = np.clip(y.place + steps, 0, len(y.counts) - 1)
        covariance = self.value * self._scale
        moved = x.centered * y.level[place] + x.mean_above(y.centered)
        moved += y.means_above(x.centered)[place] - 3.0 * covariance
        spread = x.variance_influence[x.place] / x.variance
        spread = spread + y.variance_influence[place] / y.variance
        return np.asarray((moved / self._scale - 0.5 * self.value * spread) / len(moved))

    def slopes(self, reach: int = 1) -> Float64[Array, " samples"]:
        """Return by how much the value rises with each sample's y."""
        y = self._y
        last = len(y.counts) - 1
        up, down = np.minimum(y.place + reach, last), np.maximum(y.place - reach, 0)
        span = np.maximum(y.values[up] - y.values[down], np.finfo(np.float64).tiny)
        return np.asarray((self.influence(reach) - self.influence(-reach)) / span)


class _Ranks:
    """The ranks of a quantity, as shares of the samples about 0, by its values and by sample."""

    def __init__(self, quantity: Array) -> None:
        self.values, place, counts = np.unique(quantity, return_inverse=True, return_counts=True)
        self.place: Int64[Array, " samples"] = place
        self.counts: Int64[Array, " values"] = counts
        shares = counts / len(place)
        self.level = np.cumsum(shares) - shares / 2.0 - 0.5
        self.centered = self.level[place]
        cubes = float((shares**3).sum())
        self.variance = (1.0 - cubes) / 12.0 if len(counts) > 1 else 0.0
        self.variance_influence = (cubes - np.square(shares)) / 4.0

    def means_above(self, weights: Array) -> Float64[Array, " values"]:
        """Return the mean of weights of samples above each value, and half of those at it."""
        sums = np.bincount(self.place, weights=weights, minlength=len(self.counts))
        return np.asarray((sums.sum() - np.cumsum(sums) + sums / 2.0) / len(self.place))

    def mean_above(self, weights: Array) -> Float64[Array, " samples"]:
        """Return the same for each sample's value."""
        return self.means_above(weights)[self.place]
