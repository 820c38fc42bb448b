"""95 % intervals from influences: by how much each point shifts a measure.

To first order a measure of a new sample of the same population is its expectation plus the sum of
one term for each point. The variance of that sum is the sum of the squared terms, over all points:
the shares of the classes are drawn anew as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..._typing import Array, Float64
from .distances import Sample

Z = 1.959963984540054
# With fewer degrees of freedom, a few points carry the score, and its variance is not well known.
FEW_DEGREES = 15
# What such intervals covered of 100 (benchmarks/coverage.py): with heavy tails; of a class of 5.
COVERED_FEW = "held the mean over new samples in 72 to 92 % of trials, not in 95 %"
COVERED_SMALL = "held the mean over new samples in 87 to 93 % of trials, not in 95 %"
# Wilson's interval is mentioned where it makes an interval this much wider.
WIDER = 1.3
# Measures of class means are not linear in the points of classes smaller than this.
SMALL_CLASS = 10


@dataclass(frozen=True, eq=False)
class Interval:
    """A 95 % interval.

    Attributes
    ----------
    low, high : float
        Its ends.
    standard_error : float, optional
        Standard deviation of the measure over new samples; None if only the ends are known.
    df : float, optional
        Degrees of freedom that the variance is estimated with; None if they are not counted.
    influence : array of float64 (n_samples,), optional
        By how much each point shifts the measure; sums to 0.
    notes : tuple of str
    """

    low: float
    high: float
    standard_error: float | None = None
    df: float | None = None
    influence: Float64[Array, " samples"] | None = None
    notes: tuple[str, ...] = ()


def from_influence(
    value: float,
    influence: Array,
    codes: Array | None = None,
    low: float = -np.inf,
    high: float = np.inf,
    *,
    variance: float | None = None,
    count_degrees: bool = True,
) -> Interval:
    r"""Return value ± t_df sqrt(V).

    .. math:: V = \frac{n}{n - 1} \sum_i (\phi_i - \bar\phi)^2, \quad
              \frac{1}{df} = \tfrac12 \left(\frac{\sum \phi_i^4}{(\sum \phi_i^2)^2}
              - \frac1n\right)

    The degrees of freedom are those of a scaled chi-squared with the moments of V. If classes of
    few points carry V, Satterthwaite's degrees over the classes are fewer.

    Parameters
    ----------
    influence : array of float64 (n_samples,)
        By how much each point shifts the value.
    codes : array of int64 (n_samples,), optional
        The classes, for measures of class means.
    low, high : float
        The range of the measure, to which the interval is clipped.
    variance : float, optional
        V, where the terms of different points are not independent.
    count_degrees : bool, default=True
        Whether to use Student's t; without, the normal distribution.
    """
    n = len(influence)
    squares = np.square(influence - influence.mean())
    total = float(squares.sum())
    if variance is None:
        variance = sum_of_squares(influence)
    error = float(np.sqrt(max(variance, 0.0)))
    quantile, df = Z, None
    sizes = np.zeros(0, dtype=np.int64)
    if count_degrees and total > 0.0:
        from scipy import stats

        kurtosis = float(np.square(squares / total).sum())
        df = 2.0 / max(kurtosis - 1.0 / n, 2.0 / n)
        if codes is not None:
            shares = np.bincount(codes, weights=squares) / total
            sizes = np.bincount(codes)
            df = min(df, 1.0 / float(np.sum(np.square(shares) / np.maximum(sizes - 1, 1))))
        quantile = float(stats.t.ppf(0.975, max(df, 1.0)))
    half = quantile * error
    notes: tuple[str, ...] = ()
    if df is not None and df < FEW_DEGREES:
        notes = (
            f"a few points carry this score ({df:.0f} degrees of freedom); such intervals "
            f"{COVERED_FEW}",
        )
    elif small := int((sizes < SMALL_CLASS).sum()):
        notes = (
            f"{small} of {len(sizes)} classes have fewer than {SMALL_CLASS} points; such "
            f"intervals {COVERED_SMALL}",
        )
    return Interval(max(low, value - half), min(high, value + half), error, df, influence, notes)


def sum_of_squares(influence: Array) -> float:
    """Return n / (n - 1) sum (phi_i - mean phi)^2, the variance of the sum of independent terms."""
    centered = influence - influence.mean()
    return float(centered @ centered) * len(influence) / max(len(influence) - 1, 1)


def of_share(
    value: float, influence: Array, n_evaluated: int, variance: float | None = None
) -> Interval:
    """Return the interval of a share of points, never narrower than Wilson's.

    The union of value ± z sqrt(V) and Wilson's interval of as many independent points: at a value
    of 1 it is [n / (n + 3.84), 1] and not [1, 1].
    """
    found = from_influence(
        value, influence, low=0.0, high=1.0, variance=variance, count_degrees=False
    )
    return widened(found, value, n_evaluated)


def widened(found: Interval, value: float, n_evaluated: int) -> Interval:
    """Return the union of an interval and Wilson's, with a note where that is much wider."""
    low, high = wilson(value, n_evaluated)
    low, high = min(found.low, low), max(found.high, high)
    notes = found.notes
    if high - low > WIDER * (found.high - found.low):
        notes = (
            *notes,
            "so near the end of its range, the interval is that of "
            f"{n_evaluated:,} independent points, and covers more often than 95 %",
        )
    return replace(found, low=low, high=high, notes=notes)


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of n independent points."""
    share = min(max(share, 0.0), 1.0)
    center = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * np.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return max(0.0, float(center - half)), min(1.0, float(center + half))


def sampled_influence(values: Array, sample: Sample, codes: Array) -> Float64[Array, " samples"]:
    """Return the influence of points on the mean of values that a sample of them has.

    In a stratified sample, all points have an influence through the shares of their classes.
    """
    mean = sample.mean(values)
    influence = np.zeros(len(codes))
    if sample.whole or not sample.by_class:
        influence[sample.rows] = sample.weights * (values - mean)
        return influence
    of_class = sample.class_means(values)
    influence += (of_class - mean)[codes] / len(codes)
    influence[sample.rows] += sample.weights * (values - of_class[sample.codes])
    return influence
