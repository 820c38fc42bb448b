"""Measures of the transition from the layer before, with their intervals and nulls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._typing import Array
from .._shared.intervals import Interval, from_influence, widened
from .._shared.results import Result
from .._shared.transition_influence import (
    RankCorrelation,
    mean_influence,
    null_of_kept,
    radius_influence,
    variance_of,
)
from .._shared.transitions import correlation_of_moves, mean_of_moves, mean_of_needless
from ..transition import FAMILY
from .entry import Measure
from .shared_transition import SharedTransition

if TYPE_CHECKING:
    from .inputs import Inputs, Space


def _kept(inputs: Inputs, space: Space) -> Result:
    return inputs.transition.kept


def _kept_interval(inputs: Inputs, space: Space, result: Any) -> Interval:
    n_samples = len(inputs.codes)
    through, twice = inputs.transition.changes.through(np.full(n_samples, 1.0 / n_samples))
    influence = mean_influence(result.per_point) + through
    found = from_influence(
        result.value,
        influence,
        low=0.0,
        high=1.0,
        variance=variance_of(influence, twice),
        count_degrees=False,
    )
    if 1.0 / n_samples < result.value < 1.0 - 1.0 / n_samples:
        return found
    # At either end there is nothing to estimate the variance from.
    return widened(found, result.value, n_samples)


def _kept_null(inputs: Inputs, space: Space) -> tuple[float, float]:
    k = inputs.transition.kept.k
    return null_of_kept(*(each.indices[:, :k] for each in inputs.transition.graphs))


def _displacement(inputs: Inputs, space: Space) -> Result:
    shared = inputs.transition
    return mean_of_moves(shared.moved, *shared.classes, shared.notes)


def _displacement_interval(inputs: Inputs, space: Space, result: Any) -> Interval:
    shared = inputs.transition
    influence = mean_influence(shared.moved) + radius_influence(result.value, shared.squares)
    return from_influence(result.value, influence, low=0.0)


def _needless(inputs: Inputs, space: Space) -> Result:
    shared = inputs.transition
    return mean_of_needless(shared.moved, shared.kept.per_point, *shared.classes, shared.notes)


def _needless_interval(inputs: Inputs, space: Space, result: Any) -> Interval:
    shared = inputs.transition
    slopes = shared.least.slopes(shared.moved, 1.0 / shared.kept.k)
    influence = shared.least.influence(shared.moved)
    influence += radius_influence(result.value, shared.squares)
    return _with_neighbors(shared, result.value, influence, slopes, 0.0, np.inf)


def _correlation(inputs: Inputs, space: Space) -> Result:
    shared = inputs.transition
    return correlation_of_moves(shared.moved, shared.kept.per_point, *shared.classes, shared.notes)


def _correlation_interval(inputs: Inputs, space: Space, result: Any) -> Interval:
    shared = inputs.transition
    ranks = RankCorrelation(shared.moved, 1.0 - shared.kept.per_point)
    # What a sample keeps more, it changes less.
    return _with_neighbors(shared, result.value, ranks.influence(), -ranks.slopes(), -1.0, 1.0)


def _with_neighbors(
    shared: SharedTransition, value: float, influence: Array, slopes: Array, low: float, high: float
) -> Interval:
    """Add to the influence of samples what they do as neighbors of others."""
    through, twice = shared.changes.through(slopes)
    influence = influence - influence.mean() + through
    return from_influence(
        value, influence, low=low, high=high, variance=variance_of(influence, twice)
    )


def _null_of_moves(row: int) -> Callable[[Inputs, Space], Array]:
    return lambda inputs, space: np.asarray(inputs.transition.permuted[row])


def _correlation_null(inputs: Inputs, space: Space) -> tuple[float, float]:
    return 0.0, float(1.0 / np.sqrt(len(inputs.codes) - 1))


TRANSITION_MEASURES = (
    Measure(
        "kept_neighbors", FAMILY, "kept neighbors", _kept,
        higher_is_better=None, interval=_kept_interval, null=_kept_null, of_previous=True,
    ),
    Measure(
        "displacement", FAMILY, "displacement", _displacement,
        higher_is_better=None, high=np.inf, spaces="map",
        interval=_displacement_interval, null=_null_of_moves(0), of_previous=True,
    ),
    Measure(
        "needless_movement", FAMILY, "needless movement", _needless,
        higher_is_better=False, high=np.inf, spaces="pair",
        interval=_needless_interval, null=_null_of_moves(1), of_previous=True,
    ),
    Measure(
        "movement_correlation", FAMILY, "movement correlation", _correlation,
        low=-1.0, spaces="pair",
        interval=_correlation_interval, null=_correlation_null, of_previous=True,
    ),
)  # fmt: skip
