"""Intervals that hold the map's own variation: maps of halves of the points."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from ..._io.stored_points import StoredPoints
from ..._typing import Array
from ..._validation.numbers import random_generator
from .._shared.intervals import Interval
from ..scores import Score

# Scores of small neighborhoods, whose variance falls with the number of points. That of scores of
# the arrangement of the classes does not: a map of more points may settle in another one.
LOCAL = {
    "map_neighborhood_hit",
    "map_neighbor_confusion",
    "trustworthiness",
    "continuity",
    "class_trustworthiness",
    "class_continuity",
    "best_ellipses",
}
SMALLEST = 20


def refit_intervals(
    points: Any,
    labels: Array,
    values: dict[str, tuple[float, float, float]],
    refit: Callable[[Array], Any],
    n_refits: int,
    random_state: int,
    measure_half: Callable[[Array, Array, Array, Iterable[str]], Any],
) -> dict[str, Interval]:
    r"""Return the intervals of scores of a map, from maps of halves of the points.

    The points are divided into halves ``n_refits`` times, each half is mapped anew, and its scores
    are computed. Halves have no point in common, so half the squared difference estimates the
    variance of a score of n/2 points. Of local scores, that of n points is half of it.

    Parameters
    ----------
    points : array (n_samples, n_features)
    labels : array (n_samples,)
    values : dict
        Name -> value, lowest and highest possible value.
    refit : callable
        Returns the map of some points.
    measure_half : callable
        Returns the scores, given points, labels, map and the names of the measures.

    Raises
    ------
    ValueError
        If there are too few points, or ``refit`` returns no map of the points.
    """
    n_samples = len(labels)
    if n_samples < 2 * SMALLEST:
        raise ValueError(
            f"refit_map: halves of {n_samples} points are too few for a map; pass at least "
            f"{2 * SMALLEST} points"
        )
    differences: dict[str, list[float]] = {name: [] for name in values}
    rng = random_generator(random_state, 6)
    for _ in range(n_refits):
        order = rng.permutation(n_samples)
        found = []
        for half in (np.sort(order[: n_samples // 2]), np.sort(order[n_samples // 2 :])):
            chosen = np.asarray(points[half])
            map_ = np.asarray(refit(chosen))
            if map_.ndim != 2 or len(map_) != len(half):
                raise ValueError(
                    f"refit_map must return a map of the shape ({len(half)}, n_components); got "
                    f"{map_.shape}"
                )
            found.append(measure_half(chosen, labels[half], map_, list(values)))
        for name, listed in differences.items():
            if all(name in scores for scores in found):
                listed.append(float(found[0][name]) - float(found[1][name]))
    from scipy import stats

    intervals = {}
    for name, listed in differences.items():
        if not listed:
            continue
        variance = float(np.square(listed).mean()) / (4.0 if name in LOCAL else 2.0)
        half_width = float(stats.t.ppf(0.975, len(listed)) * np.sqrt(variance))
        value, low, high = values[name]
        note = (
            f"the interval holds {2 * len(listed)} maps of halves of the points; it is approximate"
        )
        intervals[name] = Interval(
            max(low, value - half_width),
            min(high, value + half_width),
            float(np.sqrt(variance)),
            float(len(listed)),
            notes=(note,),
        )
    return intervals


def refitted(
    points: Any,
    labels: Array,
    scores: dict[str, Score],
    refit: Callable[[Any], Any],
    n_refits: int,
    settings: dict[str, Any],
    measure: Callable[..., Any],
) -> dict[str, Score]:
    """Replace the intervals of scores of the map by those of maps of halves of the points."""
    if isinstance(points, StoredPoints):
        raise ValueError("refit_map needs points in memory; pass an array")
    kept = ("metric", "k", "max_samples", "random_state", "n_jobs")
    options = {name: settings[name] for name in kept}

    def measure_half(points: Any, labels: Any, map_: Any, names: Iterable[str]) -> Any:
        k = min(settings["k"], len(labels) - 1)
        return measure(
            points, labels, map_, names, **{**options, "k": k}, n_resamples=0, n_permutations=0
        )

    mapped = {
        name: (score.value, *score.range)
        for name, score in scores.items()
        if score.space != "native"
    }
    found = refit_intervals(
        points, labels, mapped, refit, n_refits, settings["random_state"], measure_half
    )
    return {
        name: score
        if name not in found
        else replace(
            score,
            interval=(found[name].low, found[name].high),
            standard_error=found[name].standard_error,
            df=found[name].df,
            given_map=False,
            influence=None,
            no_interval=None,
            notes=(*score.notes, *found[name].notes),
        )
        for name, score in scores.items()
    }
