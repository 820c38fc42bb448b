"""Intervals of the manifold capacity, by leaving out a third of the points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..._typing import Array

N_PARTITIONS = 5
# A third of fewer points is too few for a third of them to be like the rest.
SMALLEST_CLASS = 6


def interval_by_thirds(
    estimate: Callable[[list[Array], np.random.Generator], Array],
    members: list[Array],
    values: Array,
    relative_error: Array,
    rng: np.random.Generator,
) -> list[tuple[float, float] | None]:
    r"""Return 95 % intervals of costly positive estimates of the points of each class.

    Each of five partitions deals every class into thirds. With T_g the estimate without third g of
    all classes,

    .. math:: V = \operatorname*{mean}_{partitions} \frac23 \sum_g
              (\log T_g - \overline{\log T})^2, \quad T e^{\pm t_{10} \sqrt V}

    which is the jackknife of groups. With smaller groups, a jump of the estimate counts too often:
    without a tenth, an other number of shared directions would count nine times.

    Parameters
    ----------
    estimate : callable
        Takes the points of each class and a generator, and returns the estimates.
    members : list of array of int64
        The points of each class, at least three.
    values : array of float64 (n,)
        The estimates of all points.
    relative_error : array of float64 (n,)
        Standard error from other causes, relative to the value, which is added to V.
    rng : Generator
        Deals the points, and seeds the estimates.

    Returns
    -------
    list of tuple or None
        The interval of each estimate; None where one is 0, so that it has no logarithm.
    """
    from scipy import stats

    variance = np.square(relative_error)
    for own in rng.spawn(N_PARTITIONS):
        thirds = [own.permutation(np.arange(len(points)) % 3) for points in members]
        found = np.stack(
            [
                estimate([p[third != g] for p, third in zip(members, thirds, strict=True)], seed)
                for g, seed in enumerate(own.spawn(3))
            ]
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = variance + 2.0 * np.log(found).var(axis=0) / N_PARTITIONS
    half = stats.t.ppf(0.975, 2 * N_PARTITIONS) * np.sqrt(variance)
    return [
        (float(value * np.exp(-width)), float(value * np.exp(width)))
        if value > 0.0 and np.isfinite(width)
        else None
        for value, width in zip(values, half, strict=True)
    ]
