"""One score: the value of a measure with its interval and its null."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from .._shared.intervals import Interval, Z
from .._shared.results import Result, UndefinedMeasureError
from ..scores import Score
from .entry import Measure
from .inputs import Inputs, Space


def score_of(name: str, entry: Measure, where: str, inputs: Inputs, space: Space) -> Score:
    """Compute a measure, its interval and its null."""
    start, before = time.perf_counter(), sum(inputs.clock.seconds.values())
    result = entry.compute(inputs, space)
    found, no_interval = _interval(entry, result, inputs, space)
    null, no_null = _null(entry, inputs, space)
    shared = sum(inputs.clock.seconds.values()) - before
    return Score(
        name=name,
        title=entry.title,
        family=entry.family,
        space=where,
        value=result.value,
        interval=None if found is None else (found.low, found.high),
        null=None if null is None else null.mean,
        null_interval=None if null is None else (null.low, null.high),
        range=(float(entry.low), float(entry.high)),
        higher_is_better=entry.higher_is_better,
        per_class=getattr(result, "per_class", None),
        per_pair=getattr(result, "per_pair", None),
        seconds=max(0.0, time.perf_counter() - start - shared),
        notes=(*result.notes, *(() if found is None else found.notes)),
        no_interval=no_interval,
        no_null=no_null,
        standard_error=None if found is None else found.standard_error,
        df=None if found is None else found.df,
        null_sd=None if null is None else null.sd,
        n_samples=_n_used(entry, result, inputs),
        given_map=where != "native" and found is not None,
        influence=None if found is None else found.influence,
    )


def _n_used(entry: Measure, result: Result, inputs: Inputs) -> int:
    """Return the number of points that a result is computed from."""
    if entry.family in ("capacity", "glue"):
        limit = inputs.settings["capacity_max_samples_per_class"]
        counts = np.minimum(np.bincount(inputs.codes, minlength=len(inputs.classes)), limit)
        drawn = getattr(result, "drawn", None)
        return int(counts.sum() if drawn is None else counts[drawn].sum())
    return len(getattr(result, "samples", inputs.codes))


def _interval(
    entry: Measure, result: Result, inputs: Inputs, space: Space
) -> tuple[Interval | None, str | None]:
    """Return the interval of a result, or the reason why there is none."""
    bounds = getattr(result, "interval", None)
    if bounds is not None:
        return Interval(*bounds), None
    if isinstance(entry.interval, str):
        return None, entry.interval
    if inputs.settings["n_resamples"] == 0:
        return None, "n_resamples is 0"
    try:
        found = entry.interval(inputs, space, result)
    except UndefinedMeasureError as error:
        return None, f"in a resample, {error}"
    return (None, found) if isinstance(found, str) else (found, None)


class _Null(NamedTuple):
    mean: float
    sd: float
    low: float
    high: float


def _null(entry: Measure, inputs: Inputs, space: Space) -> tuple[_Null | None, str | None]:
    """Return what permuted labels give, or the reason why there is nothing."""
    if inputs.settings["n_permutations"] == 0:
        return None, "n_permutations is 0"
    try:
        by_chance = entry.permuted_values(inputs, space)
    except UndefinedMeasureError as error:
        return None, f"with permuted labels, {error}"
    if isinstance(by_chance, str):
        return None, by_chance
    if isinstance(by_chance, tuple):
        mean, sd = by_chance
        low, high = max(entry.low, mean - Z * sd), min(entry.high, mean + Z * sd)
        return _Null(mean, sd, low, high), None
    low, high = np.percentile(by_chance, [2.5, 97.5])
    sd = float(by_chance.std(ddof=1)) if len(by_chance) > 1 else 0.0
    return _Null(float(by_chance.mean()), sd, float(low), float(high)), None
