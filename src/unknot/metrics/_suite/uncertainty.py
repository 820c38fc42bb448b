"""Bootstrap replicates, confidence intervals, and null distributions from permuted labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam
from ..._typing import Array
from .._shared.moments import ClassMoments, members_by_class, whitened_influence
from ..dimension import IntrinsicDimension, ParticipationRatio, estimate_dimension
from ..label_faithfulness import separations
from ..linear import permuted_probes
from ..regression import Regression
from ..similarity import Similarity
from .permuted import MANY_NULL_RUNS

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
    if inputs.many:
        # Of many classes, few points each are sampled: they are resampled together.
        shares = sizes[codes] / np.bincount(codes, minlength=len(sizes))[codes]
        drawn = _weighted_sums(counts, shares)
        sums = _weighted_sums(counts, shares * result.per_point)
        values = np.full(len(sums), result.value)
        return np.asarray(np.divide(sums, drawn, out=values, where=drawn > 0))
    total, means = 0.0, np.zeros(len(counts))
    for c, own in enumerate(members_by_class(codes, len(sizes))):
        if not len(own):
            continue
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


def recompute_from_moments(compute: Callable[[Inputs, ClassMoments], Any]) -> Replicate:
    """Recompute the measure from the class moments of each resample."""

    def replicate(inputs: Inputs, space: Space, result: Any) -> Array:
        return np.array([float(compute(inputs, moments)) for moments in space.resampled_moments])

    return replicate


def shift_whitened(inputs: Inputs, space: Space, result: Any) -> Array:
    """Shift NC1, to first order, by the influence of the points drawn; for many classes."""
    influence = whitened_influence(space.points, space.codes, space.moments, inputs.n_jobs)
    return np.asarray(result.value + _weighted_sums(inputs.resample_counts, influence))


def recompute_from_points(compute: Callable[[Array, Array, Array], Any]) -> Replicate:
    """Recompute the measure from the points of each resample."""

    def replicate(inputs: Inputs, space: Space, result: Any) -> Array:
        values = np.empty(len(inputs.resample_counts))
        everything = np.arange(len(inputs.codes))
        if inputs.many:
            everything = np.flatnonzero(np.isin(inputs.codes, inputs.pairs.drawn))

        def resample(b: int) -> None:
            rows = np.repeat(everything, inputs.resample_counts[b, everything])
            values[b] = float(compute(space.points[rows], inputs.codes[rows], inputs.classes))

        with ThreadTeam(resolve_n_jobs(inputs.n_jobs)) as team:
            team.run(resample, len(values))
        return values

    return replicate


def shift_by_influence(
    inputs: Inputs, space: Space, result: ParticipationRatio | Similarity | Regression
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
        counts = inputs.resample_counts
        if inputs.many:
            rows, own, native_table = inputs.native.drawn_comparisons
            shown_table = inputs.map.drawn_comparisons[2]
            tables, codes, counts = (native_table, shown_table), own, counts[:, rows]
        else:
            tables = inputs.native.centroid_comparisons, inputs.map.centroid_comparisons
            codes = inputs.codes
        native, shown = (separations(table, codes, counts) for table in tables)
        difference = native - shown
        loss = np.maximum(difference if trustworthiness else -difference, 0.0)
        upper = np.triu_indices(native.shape[1], 1)
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
        values = (means, np.sqrt(means), capacity.spans * np.square(means))[part]
        if len(capacity.drawn) < len(inputs.classes):
            # The drawing of classes is a part of the error.
            chosen = rng.integers(len(draws), size=values.shape)
            values = np.take_along_axis(values, chosen, axis=1)
        return np.asarray(1.0 / values.mean(axis=1) if part == 0 else values.mean(axis=1))

    return replicate


def _weighted_sums(counts: Array, values: Array) -> Array:
    """Sum the values of the points drawn in each resample, a few resamples at a time."""
    return np.concatenate(
        [counts[b : b + 10].astype(np.float64) @ values for b in range(0, len(counts), 10)]
    )


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
