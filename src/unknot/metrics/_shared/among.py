"""Samples for measures that compare the points of a sample with each other, and their distances."""

from __future__ import annotations

import numpy as np

from ..._typing import Array, Float64
from ..._validation.numbers import check_integer, random_generator
from .distances import ENOUGH, Sample, scan_distances, stratified_sample
from .many import draw_classes


def check_limit(limit: int | None, name: str = "max_samples", low: int = 2) -> int | None:
    """Return an argument that limits the number of points; None is no limit."""
    if limit is None:
        return None
    return check_integer(limit, name, low, 2**62, f"of at least {low}, or None for all")


def draw_rows(n_samples: int, max_samples: int | None, random_state: int | None) -> Array:
    """Draw points whatever their class, ascending; all if there are no more than the limit."""
    if max_samples is None or max_samples >= n_samples:
        return np.arange(n_samples)
    rng = random_generator(random_state)
    return np.sort(rng.choice(n_samples, size=max_samples, replace=False)).astype(np.int64)


def draw_of_classes(
    codes: Array,
    max_samples: int | None,
    random_state: int | None,
    at_least: int = 2,
    *,
    what: str,
) -> tuple[Sample, Array, list[str]]:
    """Draw a stratified sample of the points whose class has at least that many of them.

    If that would be more than half of the points allowed, some classes are drawn.

    Returns
    -------
    Sample
        Its rows are indices into all points, its codes into the classes used.
    array of int64 (n_used,)
        The classes used.
    list of str
        A note, if classes were drawn.
    """
    counts = np.bincount(codes)
    kept = np.flatnonzero(counts >= at_least)
    notes = []
    if max_samples is not None and 2 * at_least * len(kept) > max(max_samples, ENOUGH):
        n_drawn = max(max_samples, ENOUGH) // (2 * at_least)
        notes.append(f"{what} is that of {n_drawn:,} of {len(kept):,} classes, drawn at random")
        kept = kept[draw_classes(len(kept), n_drawn, random_generator(random_state))]
    used = np.flatnonzero(np.isin(codes, kept))
    own = np.searchsorted(kept, codes[used])
    drawn = stratified_sample(own, max_samples, random_state, at_least)
    sample = Sample(used[drawn.rows], drawn.weights, drawn.codes, drawn.sizes, drawn.by_class)
    return sample, kept, notes


def spread_over_classes(values: Array, kept: Array, n_classes: int) -> Float64[Array, " classes"]:
    """Return the values of the kept classes among all; NaN for the others."""
    spread = np.full(n_classes, np.nan)
    spread[kept] = values
    return spread


def squares_among(points: Array, n_jobs: int | None = None) -> Float64[Array, "points points"]:
    """Return the squared distances between all pairs of points in memory, in float64."""
    squares = np.empty((len(points), len(points)))

    def keep(part: slice, block: Array) -> None:
        squares[part] = block

    scan_distances(points, np.arange(len(points)), [keep], n_jobs)
    return squares


def note_on_density(what: str, n_used: int, n_samples: int, change: str) -> tuple[str, ...]:
    """Return a note on a measure that depends on how many points are used; none if all are."""
    if n_used == n_samples:
        return ()
    return (
        f"{what} is that of {n_used:,} of {n_samples:,} points, drawn at random; it {change} with "
        "the number of points, so only compare values of the same number",
    )
