"""Intervals of scores, and null distributions from permuted labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam
from ..._typing import Array
from .._shared.intervals import (
    Interval,
    from_influence,
    of_share,
    sampled_influence,
    sum_of_squares,
    widened,
)
from .._shared.neighbor_influence import edge_influence, hit_influence, null_of_hits
from ..dimension import IntrinsicDimension, dimension_influence
from ..heads import dual_matrices
from ..knn import vote_influence
from ..label_faithfulness import faithfulness_influence
from ..linear import permuted_probes
from .permuted import MANY_NULL_RUNS

if TYPE_CHECKING:
    from .inputs import Inputs, Space

# Returns the interval of a measure, given its result; or the reason why there is none.
Estimate = Callable[["Inputs", "Space", Any], "Interval | str"]

# Points and permutations for the null of the linear probe: its distribution is narrow.
NULL_PROBE_SAMPLES = 500
NULL_PROBE_RUNS = 3
# The variance of a cross-validated accuracy over that of independent points of one classifier. It
# is fitted: over networks and Gaussians of 500 and 2,000 points it was .94 to 1.65, and no unbiased
# estimate exists [Bengio2004].
PROBE_INFLATION = 1.4
ALWAYS = "it has this value for every sample"
ONLY_DRAWS = "the choice of the points matters, not only the draws: pass capacity_interval=True"
# With fewer points that are wrong, or right, their number is too small to tell its variance.
FEW_ERRORS = 10
# Label-trustworthiness and -continuity are means over pairs of classes; so near 1, few points tell.
NEARLY_ONE = 0.99


def of_point_scores(inputs: Inputs, space: Space, result: Any) -> Interval:
    """Return the interval of a mean of independent scores of points, with Wilson's floor."""
    influence = (result.per_point.astype(np.float64) - result.value) / len(inputs.codes)
    return of_share(result.value, influence, len(inputs.codes))


def of_votes(inputs: Inputs, space: Space, result: Any) -> Interval:
    """Return the interval of the k-NN accuracy: of each point, and of its votes for others."""
    influence, variance = vote_influence(
        space.graph.indices[:, : 2 * inputs.k], space.codes, inputs.k, result.per_point
    )
    found = from_influence(
        result.value, influence, low=0.0, high=1.0, variance=variance, count_degrees=False
    )
    n = len(inputs.codes)
    few = min(result.value, 1.0 - result.value) * n < FEW_ERRORS
    return widened(found, result.value, n) if few else found


def of_consistency(inputs: Inputs, space: Space, result: Any) -> Interval:
    """Add to the scores of the points what each does through the centroid of its class.

    With many classes the centroids are kept.
    """
    n = len(inputs.codes)
    influence = (result.per_point.astype(np.float64) - result.value) / n
    if inputs.many or len(inputs.classes) == 1:
        return of_share(result.value, influence, n)
    through_centroids, twice = space.influence.distance_consistency()
    influence += through_centroids
    both = sum_of_squares(influence)
    return of_share(result.value, influence, n, max(both - twice, 0.5 * both))


def of_silhouette(inputs: Inputs, space: Space, result: Any) -> Interval:
    """Use the influence of each point on its own silhouette, and on those of its classes."""
    influence = space.silhouettes.influence
    return from_influence(result.value, influence, inputs.codes, -1.0, 1.0)


def of_probe(inputs: Inputs, space: Space, result: Any) -> Interval:
    """Inflate the variance of the tested points by `PROBE_INFLATION`, with Wilson's floor."""
    n_tested = len(result.samples)
    influence = np.zeros(len(inputs.codes))
    influence[result.samples] = (
        np.sqrt(PROBE_INFLATION) * (result.per_point - result.value) / n_tested
    )
    variance = PROBE_INFLATION * result.value * (1.0 - result.value) / n_tested
    return of_share(result.value, influence, n_tested, variance)


def of_neighbors(*, same_class: bool) -> Estimate:
    """Return the interval of the Neighborhood Hit, or of the neighbor confusion."""

    def estimate(inputs: Inputs, space: Space, result: Any) -> Interval:
        n, k = len(inputs.codes), inputs.k
        hit = result.value if same_class else 1.0 - result.value
        per_point = getattr(result, "per_point", None)
        if per_point is not None and not same_class:
            per_point = 1.0 - per_point
        neighbors = space.graph.indices[:, : 2 * k]
        influence, variance = hit_influence(neighbors, space.codes, k, hit, per_point)
        if not same_class:
            influence = -influence
        found = from_influence(
            result.value, influence, low=0.0, high=1.0, variance=variance, count_degrees=False
        )
        if 1.0 / n < hit < 1.0 - 1.0 / n:
            return found
        # At the ceiling there is nothing to estimate the variance from.
        return widened(found, result.value, n)

    return estimate


def of_ranks(
    inputs: Inputs, value: float, neighbors: Array, scores: Array, closer: Array
) -> Interval:
    """Return the interval of trustworthiness or continuity.

    Parameters
    ----------
    neighbors, scores : array (n_rows, k)
        The neighbors of the evaluated points, and the score of each; the value is their mean.
    closer : array of float64 (n_samples,)
        By how much each point lowers the scores of others, whose ranks it raises.
    """
    sample, n = inputs.sample, len(inputs.codes)
    influence = sampled_influence(scores.mean(axis=1, dtype=np.float64), sample, inputs.codes)
    influence += edge_influence(neighbors, scores, sample.weights, n)
    influence -= closer - closer.mean()
    found = from_influence(value, influence, low=0.0, high=1.0, count_degrees=False)
    if value < 1.0:
        return found
    return widened(found, value, len(sample.rows))


def of_moments(name: str, low: float = 0.0) -> Estimate:
    """Return the interval of a function of class moments, by a method of `MomentInfluence`."""

    def estimate(inputs: Inputs, space: Space, result: Any) -> Interval | str:
        influence = getattr(space.influence, name)()
        if influence is None:
            return ALWAYS
        return from_influence(result.value, influence, inputs.codes, low)

    return estimate


def of_head(inputs: Inputs, space: Space, result: Any) -> Interval | str:
    """Return the interval of NC3, which is a function of the class means; the head is kept."""
    rows, means = dual_matrices(space.moments, space.classes, inputs.known_head)
    if result.value < 1e-6:
        return ALWAYS
    influence = space.influence.nc3(rows, means, result.value)
    return from_influence(result.value, influence, inputs.codes, 0.0, 2.0)


def of_capacity(name: str) -> Estimate:
    """Return an interval of the manifold capacity, or of its radius or dimension, if computed."""

    def estimate(inputs: Inputs, space: Space, result: Any) -> Interval | str:
        if not inputs.settings["capacity_interval"]:
            return ONLY_DRAWS
        found = getattr(inputs.capacity, name)
        return "there is none of so few points" if found is None else Interval(*found)

    return estimate


def of_influence(low: float, high: float = np.inf) -> Estimate:
    """Return the interval of a result that has its influence per unit of a point's weight.

    Where it was computed from a part of the points, these are its ``samples``.
    """

    def estimate(inputs: Inputs, space: Space, result: Any) -> Interval:
        influence = result.influence / len(result.influence)
        if len(influence) < len(inputs.codes):
            used, influence = influence, np.zeros(len(inputs.codes))
            influence[result.samples] = used
        return from_influence(result.value, influence, None, low, high)

    return estimate


def of_dimension(inputs: Inputs, space: Space, result: IntrinsicDimension) -> Interval:
    """Use the influence of each ratio; those of two mutual neighbors rise and fall together."""
    psi = dimension_influence(result.log_ratios, result.value, result.discard)
    n = len(inputs.codes)
    position = np.full(n, -1, dtype=np.int64)
    position[result.samples] = np.arange(len(psi))
    nearest = position[space.graph.indices[result.samples, 0]]
    at = np.arange(len(psi))
    mutual = (nearest >= 0) & (nearest[nearest] == at)
    variance = float((psi * (psi + np.where(mutual, psi[nearest], 0.0))).sum())
    influence = np.zeros(n)
    influence[result.samples] = psi
    return from_influence(result.value, influence, low=0.0, variance=variance, count_degrees=False)


def of_separations(*, trustworthiness: bool) -> Estimate:
    """Use the comparisons of distances to centroids in both spaces; centroids are kept."""

    def estimate(inputs: Inputs, space: Space, result: Any) -> Interval:
        assert inputs.map is not None
        rows, codes = np.arange(len(inputs.codes)), inputs.codes
        if inputs.many:
            rows, codes, native = inputs.native.drawn_comparisons
            shown = inputs.map.drawn_comparisons[2]
        else:
            native, shown = inputs.native.centroid_comparisons, inputs.map.centroid_comparisons
        influence = np.zeros(len(inputs.codes))
        influence[rows] = faithfulness_influence(
            native, shown, codes, trustworthiness=trustworthiness
        )
        if result.value < NEARLY_ONE:
            return from_influence(result.value, influence, low=0.0, high=1.0, count_degrees=False)
        return of_share(result.value, influence, len(rows))

    return estimate


def of_resampled_points(compute: Callable[[Array, Array, Array], Any]) -> Estimate:
    """Return the percentiles of the measure over resamples of the points.

    They are taken about the mean of the resamples, which are biased: a resample holds duplicates in
    place of new points.
    """

    def estimate(inputs: Inputs, space: Space, result: Any) -> Interval:
        values = np.empty(len(inputs.resample_counts))
        everything = np.arange(len(inputs.codes))
        if inputs.many:
            everything = np.flatnonzero(np.isin(inputs.codes, inputs.pairs.drawn))

        def resample(b: int) -> None:
            rows = np.repeat(everything, inputs.resample_counts[b, everything])
            values[b] = float(compute(space.points[rows], inputs.codes[rows], inputs.classes))

        with ThreadTeam(resolve_n_jobs(inputs.n_jobs)) as team:
            team.run(resample, len(values))
        below, above = np.percentile(values, [2.5, 97.5]) - values.mean()
        return Interval(
            float(max(0.0, result.value + min(below, 0.0))),
            float(min(1.0, result.value + max(above, 0.0))),
            float(values.std()),
        )

    return estimate


def hit_null(inputs: Inputs, space: Space) -> tuple[float, float]:
    """Return the exact mean and standard deviation of the Neighborhood Hit of permuted labels."""
    return null_of_hits(space.graph.indices[:, : inputs.k], inputs.codes)


def confusion_null(inputs: Inputs, space: Space) -> tuple[float, float]:
    """Return the exact mean and standard deviation of the confusion of permuted labels."""
    mean, deviation = hit_null(inputs, space)
    return 1.0 - mean, deviation


def silhouette_null(inputs: Inputs, space: Space) -> Array:
    """Silhouettes of sampled points with permuted labels, all permutations in one pass."""
    return np.array([shares.mean() for shares in space.permuted_silhouettes])


def consistency_null(inputs: Inputs, space: Space) -> Array:
    """Distance consistency with permuted labels; with many classes that of sampled points."""
    runs = inputs.permuted[: MANY_NULL_RUNS if inputs.many else None]
    values = []
    for permuted in runs:
        relabeled = permuted.native if space is inputs.native else permuted.map
        assert relabeled is not None
        values.append(float(relabeled.consistency.mean()))
    return np.array(values)


def probe_null(inputs: Inputs, space: Space) -> Array:
    """Accuracies of linear probes of sampled points with permuted labels."""
    return permuted_probes(
        space.points,
        inputs.codes,
        inputs.classes,
        NULL_PROBE_SAMPLES,
        min(1 if inputs.many else NULL_PROBE_RUNS, inputs.settings["n_permutations"]),
        inputs.random_state,
        inputs.n_jobs,
    )
