"""How sure a score is, and what it would be by chance."""

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

# Values of a measure in each resample: (n_resamples,).
Replicate = Callable[["Inputs", "Space", Any], Array]

# For the null of the linear probe, so many points are enough: it is narrow.
NULL_PROBE_SAMPLES = 500
NULL_PROBE_RUNS = 3


def interval(value: float, replicates: Array, low: float, high: float) -> tuple[float, float]:
    """95 % interval of a value: the percentiles of its replicates about their mean.

    About their mean, because resampling shifts what is not a mean itself (with a few duplicates
    for new points, means of classes lie further apart); within the range of the measure. Where some
    replicates are infinite they have no mean, and the percentiles are the interval.
    """
    if not np.isfinite(replicates).all():
        least, most = np.percentile(replicates, [2.5, 97.5], method="nearest")
        return max(low, min(float(least), value)), min(high, max(float(most), value))
    below, above = np.percentile(replicates, [2.5, 97.5]) - replicates.mean()
    return float(max(low, value + min(below, 0.0))), float(min(high, value + max(above, 0.0)))


def resample_point_scores(inputs: Inputs, space: Space, result: Any) -> Array:
    """Resample the scores of the points; what they were scored by (neighbors, centroids) stays."""
    rows = getattr(result, "samples", np.arange(len(inputs.codes)))
    weights = inputs.weights[:, rows]
    codes = inputs.codes[rows]
    sizes = np.bincount(inputs.codes, minlength=len(inputs.classes)).astype(np.float64)
    total, means = 0.0, np.zeros(len(weights))
    for c in np.unique(codes):
        own = np.flatnonzero(codes == c)
        part = weights[:, own].astype(np.float64)
        there = part.sum(axis=1)
        scores = result.per_point[own].astype(np.float64)
        # A few sampled points may all be missing from a resample: they keep their mean.
        mean = np.divide(
            part @ scores, there, out=np.full(len(part), scores.mean()), where=there > 0
        )
        means += sizes[c] * mean
        total += sizes[c]
    return np.asarray(means / total)


def resample_edge_scores(edges: Callable[[Inputs, Space], tuple[Array, Array, Array]]) -> Replicate:
    """Weigh the score of each neighbor by how often both ends are in the resample, to first order.

    Resampling the scores of the points alone would miss that each point is a neighbor of many
    others, whose scores rise and fall together: over new data of one kind the scores scatter about
    1.7 times as much. With both ends the interval is between that scatter and half as wide again.
    The neighbors themselves stay. ``edges`` gives the points looked at, their neighbors and the
    score of each.
    """

    def replicate(inputs: Inputs, space: Space, result: Any) -> Array:
        rows, neighbors, scores = edges(inputs, space)
        n_samples, k = len(inputs.codes), neighbors.shape[1]
        shares = np.full(len(rows), 1.0 / len(rows))
        if len(rows) < n_samples:
            shares = inputs.sample.weights
        # Mean of e over the edges (i, j), weighted by u_i w_i w_j: to first order a weight w_i
        # moves it by what e differs from the mean over the edges out of i and those into i.
        excess = (scores - result.value) * (shares / k)[:, None]
        influence = np.bincount(neighbors.ravel(), weights=excess.ravel(), minlength=n_samples)
        influence[rows] += excess.sum(axis=1)
        return np.asarray(result.value + _products(inputs.weights, influence))

    return replicate


def recompute_from_moments(compute: Callable[[Any, Array], Any]) -> Replicate:
    """Compute the measure from the class means and spreads of each resample."""

    def replicate(inputs: Inputs, space: Space, result: Any) -> Array:
        return np.array([float(compute(moments, inputs.classes)) for moments in space.resampled])

    return replicate


def recompute_from_points(compute: Callable[[Array, Array, Array], Any]) -> Replicate:
    """Compute the measure of each resample of the points."""

    def replicate(inputs: Inputs, space: Space, result: Any) -> Array:
        values = np.empty(len(inputs.weights))

        def resample(b: int) -> None:
            rows = np.repeat(np.arange(len(inputs.codes)), inputs.weights[b])
            values[b] = float(compute(space.points[rows], inputs.codes[rows], inputs.classes))

        with ThreadTeam(resolve_n_jobs(inputs.n_jobs)) as team:
            team.run(resample, len(values))
        return values

    return replicate


def shift_by_influence(
    inputs: Inputs, space: Space, result: ParticipationRatio | Similarity
) -> Array:
    """Move the value, to first order, as each resample weighs the points."""
    return np.asarray(
        result.value + _products(inputs.weights, result.influence) / len(inputs.codes)
    )


def resample_ratios(inputs: Inputs, space: Space, result: IntrinsicDimension) -> Array:
    """Estimate the dimension from resampled ratios of distances; the neighbors stay."""
    order = np.argsort(result.log_ratios, kind="stable")
    ordered, columns = result.log_ratios[order], result.samples[order]
    return np.concatenate(
        [
            estimate_dimension(
                ordered,
                inputs.weights[b : b + 10, columns].astype(np.float64),
                result.discard,
                result.method,
            )
            for b in range(0, len(inputs.weights), 10)
        ]
    )


def resample_comparisons(*, lost: bool) -> Replicate:
    """Resample the comparisons of distances to centroids, in both spaces; the centroids stay."""

    def replicate(inputs: Inputs, space: Space, result: Any) -> Array:
        assert inputs.map is not None
        native = separations(inputs.native.nearer, inputs.codes, inputs.weights)
        difference = native - separations(inputs.map.nearer, inputs.codes, inputs.weights)
        loss = np.maximum(difference if lost else -difference, 0.0)
        upper = np.triu_indices(len(inputs.classes), 1)
        return np.asarray(1.0 - loss[:, upper[0], upper[1]].mean(axis=1))

    return replicate


def resample_draws(part: int) -> Replicate:
    """Resample the draws of the manifold capacity: its error from their number."""

    def replicate(inputs: Inputs, space: Space, result: Any) -> Array:
        capacity = inputs.capacity
        rng = np.random.default_rng([inputs.random_state, 3])
        draws = capacity.draws[part]
        count = inputs.settings["n_resamples"]
        means = np.empty((count, len(draws)))
        for b in range(count):
            drawn = rng.integers(draws.shape[1], size=draws.shape)
            means[b] = np.take_along_axis(draws, drawn, axis=1).mean(axis=1)
        if part == 0:
            return np.asarray(1.0 / means.mean(axis=1))
        if part == 1:
            return np.asarray(np.sqrt(means).mean(axis=1))
        return np.asarray((capacity.spans * np.square(means)).mean(axis=1))

    return replicate


def _products(weights: Array, values: Array) -> Array:
    return np.concatenate(
        [weights[b : b + 10].astype(np.float64) @ values for b in range(0, len(weights), 10)]
    )


def silhouette_null(inputs: Inputs, space: Space) -> Array:
    """Silhouettes of a few points with permuted labels, all permutations in one pass."""
    sample, sums = space.permuted_distance_sums
    return np.array(
        [
            silhouettes(sums[:, run], other.codes[sample.rows], sample.sizes).mean()
            for run, other in enumerate(inputs.permuted)
        ]
    )


def probe_null(inputs: Inputs, space: Space) -> Array:
    """Linear probes of a few points with permuted labels."""
    return permuted_probes(
        space.points,
        inputs.codes,
        inputs.classes,
        NULL_PROBE_SAMPLES,
        min(NULL_PROBE_RUNS, inputs.settings["n_permutations"]),
        inputs.random_state,
        inputs.n_jobs,
    )
