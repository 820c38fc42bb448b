"""Canonical correlations of two representations: SVCCA and PWCCA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import AnyArray, Array, Float64
from .._validation.numbers import check_number
from ._shared.results import Result, UndefinedMeasureError, warn_notes
from ._shared.rotated import centered_unit, rotated
from .similarity import check_same_samples

# Principal components below this share of the largest standard deviation are rounding errors.
ROUNDING = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class CanonicalCorrelation(Result):
    """The canonical correlations of two representations.

    Attributes
    ----------
    value : float
        Their mean, weighted or not, in [0, 1].
    correlations : array of float64 (n_correlations,)
        The canonical correlations, descending.
    n_components : (int, int)
        How many principal components of each representation were compared.

    See Also
    --------
    svcca, pwcca : Compute it.
    """

    correlations: Float64[Array, " correlations"]
    n_components: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Components:
    """The principal components of a representation.

    Attributes
    ----------
    scores : array of float64 (n_samples, n_components)
        Of unit length.
    axes : array of float64 (n_components, n_features)
        Times the standard deviations: the scores times these are the centered points.
    """

    scores: Float64[Array, "samples components"]
    axes: Float64[Array, "components features"]


def svcca(first: AnyArray, second: AnyArray, *, variance: float = 0.99) -> CanonicalCorrelation:
    r"""SVCCA: the mean canonical correlation of the leading principal components.

    .. math:: \frac1m \sum_{i=1}^m \rho_i, \qquad m = \min(p, q)

    with the singular values rho of U'V, where U and V are the p and q leading principal components
    of the two representations, each of length 1. In [0, 1], neither end is better: 1 if the
    components of one are linear functions of those of the other.

    Parameters
    ----------
    first, second : array-like (n_samples, n_features)
        Two representations of the same samples in the same order, with any numbers of features.
    variance : float, default=0.99
        The share of the variance that the components hold, above 0 up to 1. Decrease it if
        components are nearly as many as samples.

    Returns
    -------
    CanonicalCorrelation
        ``value``, ``correlations`` and ``n_components``.

    Raises
    ------
    ValueError
        If the numbers of samples differ, there are fewer than three, or ``variance`` is out of
        range.
    UndefinedMeasureError
        If all points of a representation coincide.

    See Also
    --------
    pwcca : Weighs the correlations by what they stand for in the first representation.
    linear_cka : Weighs directions by their variance in both; needs fewer samples.

    Notes
    -----
    It is invariant to every invertible linear map, so it needs many more samples than components:
    the mean squared correlation of independent data is max(p, q) / (n - 1).

    References
    ----------
    [Raghu2017]_.

    Examples
    --------
    The three columns are uncorrelated. Each has two of them, and one in common: correlations of 1
    and of 0.

    >>> import numpy as np
    >>> from unknot.metrics import svcca
    >>> columns = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]]).repeat(2, axis=0)
    >>> found = svcca(columns[:, :2], columns[:, 1:])
    >>> round(found.value, 6), found.n_components
    (0.5, (2, 2))
    """
    variance = check_variance(variance)
    x, y = check_same_samples(first, second, 3)
    one, other = components_of(x, "first", variance), components_of(y, "second", variance)
    return warn_notes(svcca_of(one, other))


def check_variance(variance: float) -> float:
    """Return the share of the variance that components must explain, above 0, up to 1."""
    return check_number(variance, "variance", 0.0, 1.0, bounds="above 0, up to 1", open_low=True)


def pwcca(first: AnyArray, second: AnyArray) -> CanonicalCorrelation:
    r"""PWCCA: the canonical correlations, weighted by what they stand for in the first.

    .. math:: \frac{\sum_i \alpha_i \rho_i}{\sum_i \alpha_i}, \qquad
              \alpha_i = \sum_j |\langle h_i, x_j \rangle|

    with the canonical correlations rho, their variables h in the first representation, of length 1,
    and its centered features x. In [0, 1], neither end is better: 1 if all features of the first
    are linear functions of those of the second. Not symmetric.

    Parameters
    ----------
    first, second : array-like (n_samples, n_features)
        Two representations of the same samples in the same order, with any numbers of features.

    Returns
    -------
    CanonicalCorrelation
        ``value``, ``correlations`` and ``n_components``.

    Raises
    ------
    ValueError
        If the numbers of samples differ, or there are fewer than three.
    UndefinedMeasureError
        If all points of a representation coincide.

    See Also
    --------
    svcca : Their plain mean, of the leading principal components.

    Notes
    -----
    Needs many more samples than features, as `svcca`. Its weights depend on the axes of the
    features: it is not invariant to rotations of the first representation.

    References
    ----------
    [Morcos2018]_.

    Examples
    --------
    As for `svcca`, with the column in common three times as large: it weighs 3/4.

    >>> import numpy as np
    >>> from unknot.metrics import pwcca
    >>> columns = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]]).repeat(2, axis=0)
    >>> round(pwcca(columns[:, :2] * [1, 3], columns[:, 1:]).value, 6)
    0.75
    """
    x, y = check_same_samples(first, second, 3)
    return warn_notes(pwcca_of(components_of(x, "first", 1.0), components_of(y, "second", 1.0)))


def components_of(points: Array, name: str, variance: float = 1.0) -> Components:
    """Return the leading principal components of checked points.

    Raises
    ------
    UndefinedMeasureError
        If all points coincide.
    """
    from scipy import linalg

    centered = centered_unit(points)
    if not centered.any():
        raise UndefinedMeasureError(
            f"canonical correlations need variance; all points of {name} coincide"
        )
    u, s, vt = linalg.svd(rotated(centered), full_matrices=False, check_finite=False)
    kept = int((s > ROUNDING * s[0]).sum())
    if variance < 1.0:
        reached = np.cumsum(s**2) >= variance * (s**2).sum() * (1.0 - 1e-12)
        kept = min(kept, int(reached.argmax()) + 1)
    scores = u[:, :kept]
    # Of points that were rotated, the axes of the features are others.
    is_rotated = points.shape[1] > points.shape[0]
    axes = scores.T @ centered if is_rotated else s[:kept, None] * vt[:kept]
    return Components(scores, axes)


def svcca_of(first: Components, second: Components) -> CanonicalCorrelation:
    """Compute SVCCA from principal components."""
    from scipy import linalg

    cross = first.scores.T @ second.scores
    found = np.clip(linalg.svdvals(cross, check_finite=False), 0.0, 1.0)
    return _result(float(found.mean()), found, first, second)


def pwcca_of(first: Components, second: Components) -> CanonicalCorrelation:
    """Compute PWCCA from all principal components."""
    from scipy import linalg

    cross = first.scores.T @ second.scores
    turn, found, _ = linalg.svd(cross, full_matrices=False, check_finite=False)
    found = np.clip(found, 0.0, 1.0)
    # The variables h are the scores times this rotation.
    weights = np.abs(turn.T @ first.axes).sum(axis=1)
    return _result(float(np.average(found, weights=weights)), found, first, second)


def _result(
    value: float, correlations: Array, first: Components, second: Components
) -> CanonicalCorrelation:
    n_samples, p = first.scores.shape
    q = second.scores.shape[1]
    notes: tuple[str, ...] = ()
    trivial = p + q - (n_samples - 1)
    if trivial > 0:
        notes = (
            f"{min(trivial, p, q)} of the {len(correlations)} canonical correlations are 1 for "
            f"any data: {n_samples} samples are too few for {p} and {q} components",
        )
    return CanonicalCorrelation(
        value=min(max(value, 0.0), 1.0),
        correlations=correlations,
        n_components=(p, q),
        notes=notes,
    )
