"""Bootstrap replicates, confidence intervals, and null distributions from permuted labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam
from ..._typing import Array
from ..clusters import silhouettes
from ..dimension import IntrinsicDimension, ParticipationRatio, estimate_dimension
from ..label_faithfulness import separations
from ..linear import permuted_probes
from ..similarity import Similarity

if TYPE_CHECKING:
    from .inputs import Inputs, Space

# Returns the values of a measure in each resample: (n_resamples,).
Replicate = Callable[["Inputs", "Space", Any], Array]

# Points and permutations for the null of the linear probe: its distribution is narrow.
NULL_PROBE_SAMPLES = 500
NULL_PROBE_RUNS = 3


def bootstrap_interval(
    value: float, replicates: Array, low: float, high: float
) -> tuple[float, float]:
    """Return the 95 % interval of a value: percentiles of the replicates, centered on the value.

    Replicates are taken relative to their mean, because resampling biases whatever is not itself a
    mean (a resample holds duplicates in place of new points, and its class means lie further
    apart). The interval is clipped to the range of the measure. If some replicates are infinite
    they have no mean, and their plain percentiles are used.
    """
    if not np.isfinite(replicates).all():
        least, most = np.percentile(replicates, [2.5, 97.5], method="nearest")
        return max(low, min(float(least), value)), min(high, max(float(most), value))
    below, above = np.percentile(replicates, [2.5, 97.5]) - replicates.mean()
    return float(max(low, value + min(below, 0.0))), float(min(high, value + max(above, 0.0)))


def resample_point_scores(inputs: Inputs, space: Space, result: Any) -> Array:
    """Resample the scores of the points, which keep the neighbors or centroids they come from."""
    rows = getattr(result, "samples", np.arange(len(inputs.codes)))
    counts = inputs.resample_counts[:, rows]
    codes = inputs.codes[rows]
    sizes = np.bincount(inputs.codes, minlength=len(inputs.classes)).astype(np.float64)
    total, means = 0.0, np.zeros(len(counts))
    for c in np.unique(codes):
        own = np.flatnonzero(codes == c)
        weights = counts[:, own].astype(np.float64)
        drawn = weights.sum(axis=1)
        scores = result.per_point[own].astype(np.float64)
        # If a resample misses all sampled points of a class, the class keeps its mean.
        mean = np.divide(
            weights @ scores, drawn, out=np.full(len(weights), scores.mean()), where=drawn > 0
        )
        means += sizes[c] * mean
        total += sizes[c]
    return np.asarray(means / total)


def resample_edge_scores(edges: Callable[[Inputs, Space], tuple[Array, Array, Array]]) -> Replicate:
    """Weight the score of each edge of the neighbor graph by how often both its ends are drawn.

    To first order; the graph itself is kept. Resampling the scores of the points alone would miss
    that each point is a neighbor of many others, whose scores are therefore correlated: over new
    data sets the scores scatter about 1.7 times as much. Weighting both ends gives intervals
    between that scatter and one half wider.

    Parameters
    ----------
    edges : callable
        Returns the evaluated points (n,), their neighbors (n, k) and the score of each edge (n, k).
    """

    def replicate(inputs: Inputs, space: Space, result: Any) -> Array:
        rows, neighbors, scores = edges(inputs, space)
        n_samples, k = len(inputs.codes), neighbors.shape[1]
        shares = np.full(len(rows), 1.0 / len(rows))
        if len(rows) < n_samples:
            shares = inputs.sample.weights
        # The value is the mean of e over the edges (i, j), weighted by u_i w_i w_j. To first order
        # a weight w_i shifts it by the excess of e over the mean, summed over the edges from and
        # to i.
        excess = (scores - result.value) * (shares / k)[:, None]
        influence = np.bincount(neighbors.ravel(), weights=excess.ravel(), minlength=n_samples)
        influence[rows] += excess.sum(axis=1)
        return np.asarray(result.value + _weighted_sums(inputs.resample_counts, influence))

    return replicate


def recompute_from_moments(compute: Callable[[Any, Array], Any]) -> Replicate:
    """Recompute the measure from the class moments of each resample."""

    def replicate(inputs: Inputs, space: Space, result: Any) -> Array:
        return np.array(
            [float(compute(moments, inputs.classes)) for moments in space.resampled_moments]
        )

    return replicate


def recompute_from_points(compute: Callable[[Array, Array, Array], Any]) -> Replicate:
    """Recompute the measure from the points of each resample."""

    def replicate(inputs: Inputs, space: Space, result: Any) -> Array:
        values = np.empty(len(inputs.resample_counts))

        def resample(b: int) -> None:
            rows = np.repeat(np.arange(len(inputs.codes)), inputs.resample_counts[b])
            values[b] = float(compute(space.points[rows], inputs.codes[rows], inputs.classes))

        with ThreadTeam(resolve_n_jobs(inputs.n_jobs)) as team:
            team.run(resample, len(values))
        return values

    return replicate


def shift_by_influence(
    inputs: Inputs, space: Space, result: ParticipationRatio | Similarity
) -> Array:
    """Shift the value, to first order, by the influence of the points drawn."""
    return np.asarray(
        result.value + _weighted_sums(inputs.resample_counts, result.influence) / len(inputs.codes)
    )


def resample_ratios(inputs: Inputs, space: Space, result: IntrinsicDimension) -> Array:
    """Estimate the dimension from resampled ratios of distances; the neighbors are kept."""
    order = np.argsort(result.log_ratios, kind="stable")
    ordered, columns = result.log_ratios[order], result.samples[order]
    return np.concatenate(
        [
            estimate_dimension(
                ordered,
                inputs.resample_counts[b : b + 10, columns].astype(np.float64),
                result.discard,
                result.method,
            )
            for b in range(0, len(inputs.resample_counts), 10)
        ]
    )


def resample_comparisons(*, trustworthiness: bool) -> Replicate:
    """Resample the comparisons of distances to centroids in both spaces; centroids are kept."""

    def replicate(inputs: Inputs, space: Space, result: Any) -> Array:
        assert inputs.map is not None
        native, shown = (
            separations(space.centroid_comparisons, inputs.codes, inputs.resample_counts)
            for space in (inputs.native, inputs.map)
        )
        difference = native - shown
        loss = np.maximum(difference if trustworthiness else -difference, 0.0)
        upper = np.triu_indices(len(inputs.classes), 1)
        return np.asarray(1.0 - loss[:, upper[0], upper[1]].mean(axis=1))

    return replicate


def resample_draws(part: int) -> Replicate:
    """Resample the random draws of the manifold capacity: the Monte Carlo error.

    Parameters
    ----------
    part : {0, 1, 2}
        The capacity, the radius or the dimension.
    """

    def replicate(inputs: Inputs, space: Space, result: Any) -> Array:
        capacity = inputs.capacity
        rng = np.random.default_rng([inputs.random_state, 3])
        draws = capacity.draws[part]
        n_resamples = inputs.settings["n_resamples"]
        means = np.empty((n_resamples, len(draws)))
        for b in range(n_resamples):
            drawn = rng.integers(draws.shape[1], size=draws.shape)
            means[b] = np.take_along_axis(draws, drawn, axis=1).mean(axis=1)
        if part == 0:
            return np.asarray(1.0 / means.mean(axis=1))
        if part == 1:
            return np.asarray(np.sqrt(means).mean(axis=1))
        return np.asarray((capacity.spans * np.square(means)).mean(axis=1))

    return replicate


def _weighted_sums(counts: Array, values: Array) -> Array:
    """Sum the values of the points drawn in each resample, a few resamples at a time."""
    return np.concatenate(
        [counts[b : b + 10].astype(np.float64) @ values for b in range(0, len(counts), 10)]
    )


def silhouette_null(inputs: Inputs, space: Space) -> Array:
    """Silhouettes of sampled points with permuted labels, all permutations in one pass."""
    sample, sums = space.permuted_distance_sums
    return np.array(
        [
            silhouettes(sums[:, run], permuted.codes[sample.rows], sample.sizes).mean()
            for run, permuted in enumerate(inputs.permuted)
        ]
    )


def probe_null(inputs: Inputs, space: Space) -> Array:
    """Accuracies of linear probes of sampled points with permuted labels."""
    return permuted_probes(
        space.points,
        inputs.codes,
        inputs.classes,
        NULL_PROBE_SAMPLES,
        min(NULL_PROBE_RUNS, inputs.settings["n_permutations"]),
        inputs.random_state,
        inputs.n_jobs,
    )
