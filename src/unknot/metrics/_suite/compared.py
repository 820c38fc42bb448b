"""Whether the metric decides the conclusion: the Neighborhood Hit by both metrics."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._io.stored_points import StoredPoints
from ..._typing import Array
from .._shared.distances import stratified_sample
from .._shared.intervals import Z
from .._shared.metric import COSINE, EUCLIDEAN, graph_of, in_metric
from .._shared.neighbor_influence import hit_influence
from ..neighborhood import hit_from_graph
from .inputs import Inputs

# How the note begins, so that a study can show it with the layer.
CONFLICT = "the metric decides the conclusion"
# The points compared, and the values that they may have together.
MAX_POINTS = 2000
MAX_VALUES = 2**23
# With fewer points, the intervals say nothing.
MIN_POINTS = 20


def metric_conflict(raw: Any, inputs: Inputs) -> str | None:
    """Return a note if the Neighborhood Hits by both metrics differ by more than their intervals.

    None where no intervals were asked for. Both are computed on the same points: all, or a
    stratified sample, among which the neighbors are then searched.

    Parameters
    ----------
    raw : array or StoredPoints, (n_samples, n_features)
        The preprocessed points.
    inputs : Inputs
    """
    if isinstance(raw, StoredPoints):
        raw = raw.scale_free()
    n_samples, n_features = raw.shape
    n_classes = len(inputs.classes)
    if n_samples < MIN_POINTS or n_classes < 2 or not inputs.settings["n_resamples"]:
        return None
    limit = min(MAX_POINTS, max(MIN_POINTS, MAX_VALUES // n_features))
    sample = stratified_sample(inputs.codes, limit, inputs.random_state)
    if len(sample.rows) <= inputs.k:
        return None
    if sample.whole and not isinstance(raw, StoredPoints):
        points, codes = raw, inputs.codes
    else:
        points = _as_given(raw, sample.rows)
        present, codes = np.unique(sample.codes, return_inverse=True)
        n_classes = len(present)
    hits = {}
    for metric in (EUCLIDEAN, COSINE):
        if sample.whole and metric == inputs.metric:
            found, graph = inputs.native.points, inputs.native.graph
        else:
            found, _ = in_metric(points, metric)
            with inputs.clock.shared("the other metric"):
                k = min(2 * inputs.k, len(found) - 1)
                graph = graph_of(found, k, metric, inputs.n_jobs)
        hit = hit_from_graph(graph, inputs.k, codes, np.arange(n_classes), found, inputs.n_jobs)
        neighbors = graph.indices[:, : 2 * inputs.k]
        _, variance = hit_influence(neighbors, codes, inputs.k, hit.value, hit.per_point)
        hits[metric] = hit.value, Z * np.sqrt(variance)
    (straight, margin), (angular, other_margin) = hits[EUCLIDEAN], hits[COSINE]
    if abs(straight - angular) <= margin + other_margin:
        return None
    where = "" if sample.whole else f" (of {len(sample.rows)} points, a stratified sample)"
    return (
        f"{CONFLICT}: the Neighborhood Hit is {straight:.3f} ± {margin:.3f} by Euclidean distance "
        f"and {angular:.3f} ± {other_margin:.3f} by cosine{where}"
    )


def _as_given(raw: Any, rows: Array) -> Array:
    """Read points that are not moved: the cosine depends on the origin."""
    points = raw[rows]
    if isinstance(raw, StoredPoints) and raw.origin is not None:
        return np.asarray(points.astype(np.float64) + np.ldexp(raw.origin, raw.exponent))
    return np.asarray(points)
