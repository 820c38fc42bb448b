"""Intervals and p values of differences between two scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..._typing import Array, Float64
from .intervals import FEW_DEGREES, Interval, Z, from_influence, sum_of_squares

if TYPE_CHECKING:
    from ..scores import Score

# Of float32 points, values that differ by a smaller share than this are equal up to rounding.
ROUNDING = 1e-6


def paired_interval(
    first: Score, second: Score, influences: tuple[Array, Array], codes: Array | None = None
) -> Interval:
    r"""Return the 95 % interval of ``second - first``, two scores of the same samples.

    .. math:: V = \frac{n}{n - 1} \sum_i (\delta_i - \bar\delta)^2, \quad
              \delta_i = \phi_i^{second} - \phi_i^{first}

    What the scores have in common cancels. Where terms of different points depend on each other, as
    those of neighbors do, the variance of a score is not the sum of its squares; V is scaled by the
    ratio of the two, over both scores. If the scores are uncorrelated, it is then the sum of their
    variances.

    Shares have at least the variance of two points that change, one in each direction, which makes
    the interval of few discordant pairs that of [Bonett2012]_.

    Parameters
    ----------
    first, second : Score
        Of one measure.
    influences : pair of arrays (n_samples,)
        By how much each sample shifts each score, in the same order.
    codes : array of int64 (n_samples,), optional
        The classes, for the degrees of freedom.

    Returns
    -------
    Interval
        0 to 0 if both scores are of the same points.

    Raises
    ------
    ValueError
        If there are fewer than two samples.
    """
    one, two = (np.asarray(each, dtype=np.float64) for each in influences)
    if len(one) < 2:
        raise ValueError(f"a comparison needs at least 2 labeled samples; got {len(one)}")
    if one.any() and first.value == second.value and np.array_equal(one, two):
        return Interval(0.0, 0.0, 0.0)  # the same points twice
    change = two - one
    variance = sum_of_squares(change)
    squares = sum_of_squares(one) + sum_of_squares(two)
    stated = [score.standard_error for score in (first, second)]
    if squares > 0.0 and all(error is not None for error in stated):
        variance *= sum(error**2 for error in stated if error is not None) / squares
    variance += 2.0 * _one_point(first, second)
    low, high = _ends(first, second)
    found = from_influence(
        second.value - first.value,
        change,
        codes,
        low,
        high,
        variance=variance,
        count_degrees=first.df is not None or second.df is not None,
    )
    notes = found.notes
    if found.df is not None and found.df < FEW_DEGREES:
        notes = (
            f"a few points carry this difference ({found.df:.0f} degrees of freedom); its interval "
            "may be too narrow",
        )
    return Interval(found.low, found.high, found.standard_error, found.df, None, notes)


def independent_interval(first: Score, second: Score) -> Interval:
    """Return the 95 % interval of ``second - first``, two scores of different samples.

    Their variances add up, and the degrees of freedom are Welch's [Welch1947]_. Shares have the
    variance of one more point each, as [Agresti2000]_ count them.

    Raises
    ------
    ValueError
        If a score has no standard error.
    """
    parts, degrees = [], 0.0
    for score in (first, second):
        if score.standard_error is None:
            raise ValueError(f"{score.title} has no standard error")
        parts.append(score.standard_error**2)
        if score.df is not None:
            degrees += parts[-1] ** 2 / max(score.df, 1.0)
    variance = sum(parts) + sum(_one_point(score) for score in (first, second))
    error = float(np.sqrt(variance))
    df = sum(parts) ** 2 / degrees if degrees > 0.0 else None
    half = _quantile(df) * error
    low, high = _ends(first, second)
    value = second.value - first.value
    notes: tuple[str, ...] = ()
    if df is not None and df < FEW_DEGREES:
        notes = (
            f"a few points carry this difference ({df:.0f} degrees of freedom); its interval may "
            "be too narrow",
        )
    return Interval(max(low, value - half), min(high, value + half), error, df, None, notes)


def difference_p(first: float, second: float, found: Interval) -> float:
    """Return the two-sided p value of a difference; 1 where it is rounding alone."""
    difference = abs(second - first)
    if difference <= ROUNDING * max(abs(first), abs(second)):
        return 1.0
    if not found.standard_error:
        return 0.0
    from scipy import stats

    t = difference / found.standard_error
    df = np.inf if found.df is None else max(found.df, 1.0)
    return float(2.0 * stats.t.sf(t, df))


def holm(p_values: Sequence[float] | Array) -> Float64[Array, " comparisons"]:
    r"""Return p values corrected for their number by Holm's method [Holm1979]_.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})

    If all with a corrected p below .05 are called different, the chance that any of these calls is
    wrong is at most 5 %, however the comparisons depend on each other.

    Examples
    --------
    >>> holm([0.04, 0.01, 0.03]).tolist()
    [0.06, 0.03, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(steps)
    return corrected


def _quantile(df: float | None) -> float:
    if df is None:
        return Z
    from scipy import stats

    return float(stats.t.ppf(0.975, max(df, 1.0)))


def _ends(first: Score, second: Score) -> tuple[float, float]:
    """Return the range of a difference."""
    return second.range[0] - first.range[1], second.range[1] - first.range[0]


def _one_point(*scores: Score) -> float:
    """Return the variance of one point that changes altogether, for shares; 0 for other scores."""
    if any(score.range[0] < 0.0 or score.range[1] > 1.0 for score in scores):
        return 0.0
    counts = [score.n_samples for score in scores if score.n_samples]
    return 1.0 / min(counts) ** 2 if counts else 0.0
