"""Similarity of two representations of the same samples."""

from dataclasses import dataclass

import numpy as np

from .._io.stored_points import Rows
from .._typing import AnyArray, Array, Float64
from .._validation.points import scale_free
from ._shared.centered import Centered
from ._shared.moments import row_blocks
from ._shared.results import Result, UndefinedMeasureError, warn_notes


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Similarity(Result):
    """The similarity of two representations.

    Attributes
    ----------
    value : float
        In [0, 1].
    estimate : float
        The value before it was clipped to [0, 1]: a debiased estimate of 0 is as often negative as
        positive.
    influence : array of float64 (n_samples,)
        Influence of each sample on the value: to first order, the value of a resample is the value
        plus the mean influence of its samples.

    See Also
    --------
    linear_cka : Computes it.
    """

    estimate: float
    influence: Float64[Array, " samples"]


def linear_cka(first: AnyArray, second: AnyArray, *, debiased: bool = True) -> Similarity:
    r"""Linear CKA (centered kernel alignment): similarity of two representations.

    .. math:: CKA(X, Y) = \frac{HSIC(X, Y)}{\sqrt{HSIC(X, X)\,HSIC(Y, Y)}}

    with linear kernels K = XX', L = YY'. In [0, 1], neither end is better: 1 if the representations
    are equal up to rotation, scale and translation; 0 if no linear function of one is correlated
    with any of the other.

    Parameters
    ----------
    first, second : array-like (n_samples, n_features)
        Two representations of the same samples in the same order, with any numbers of features.
    debiased : bool, default=True
        Use the unbiased estimator of HSIC of [Song2012]_, for K and L with zeros on the diagonal,

        .. math:: \frac{1}{n(n-3)} \left( \operatorname{tr} KL
                  + \frac{1^T K 1\, 1^T L 1}{(n-1)(n-2)} - \frac{2}{n-2} 1^T K L 1 \right)

        False uses the biased estimator, tr(KHLH)/n^2 with the centering matrix H, as many papers
        do: for few samples of many features it is far above 0 even for independent
        representations.

    Returns
    -------
    Similarity
        ``value``, ``estimate`` and ``influence``.

    Raises
    ------
    ValueError
        If the numbers of samples differ, or there are fewer than four.
    UndefinedMeasureError
        If a representation has no variance, or there are too few samples for the debiased form.

    See Also
    --------
    procrustes : More sensitive to directions of little variance.
    rsa : Compares the distances between samples, by ranks if wanted.
    mutual_knn : Compares neighborhoods instead of global geometry.
    unknot.similarity_matrix : Compares all layers with each other.

    References
    ----------
    [Kornblith2019]_; the debiased form: [Song2012]_, [Nguyen2021]_.

    Examples
    --------
    >>> import numpy as np
    >>> from unknot.metrics import linear_cka
    >>> rng = np.random.default_rng(5)
    >>> points = rng.normal(size=(32, 10))
    >>> round(linear_cka(points, 3 * points[:, ::-1] + 1).value, 6)
    1.0
    >>> unrelated = rng.normal(size=(32, 10))
    >>> biased = linear_cka(points, unrelated, debiased=False).value
    >>> linear_cka(points, unrelated).value < 0.1 < biased
    True
    """
    x, y = check_same_samples(first, second, 4)
    return warn_notes(cka_from_points(x, y, debiased=debiased))


def check_same_samples(first: AnyArray, second: AnyArray, min_samples: int) -> tuple[Array, Array]:
    """Return two representations as float32, shifted and scaled if float32 requires it.

    Raises
    ------
    ValueError
        If one is invalid, or their numbers of samples differ.
    """
    x = scale_free(first, name="first", min_samples=min_samples)
    y = scale_free(second, name="second", min_samples=min_samples)
    if len(x) != len(y):
        raise ValueError(
            f"first and second must have the same samples; got {len(x)} and {len(y)} of them"
        )
    return x, y


def cka_from_points(first: Rows, second: Rows, *, debiased: bool = True) -> Similarity:
    """Compute the linear CKA of checked points, in memory or on disk."""
    # Scaled to unit variance, which cancels in the ratio, so that nothing overflows.
    x, y = _standardized(first, "first"), _standardized(second, "second")
    cross, cross_points = _hsic(x, y, debiased)
    own_x, own_x_points = _hsic(x, x, debiased)
    own_y, own_y_points = _hsic(y, y, debiased)
    require_own(own_x, "first", len(x))
    require_own(own_y, "second", len(y))
    estimate = cross / np.sqrt(own_x * own_y)
    # HSIC is |E x y'|^2, so its derivative by a sample's weight is 2 (x' E[xy'] y - HSIC).
    scale = 1.0 / np.sqrt(own_x * own_y)
    influence = 2.0 * scale * (cross_points - cross_points.mean()) - estimate * (
        (own_x_points - own_x_points.mean()) / own_x + (own_y_points - own_y_points.mean()) / own_y
    )
    notes: tuple[str, ...] = ()
    if estimate < 0.0:
        notes = (f"the debiased estimate of CKA is {estimate:.2g}, which is clipped to 0",)
    return Similarity(
        value=float(min(max(estimate, 0.0), 1.0)),
        estimate=float(estimate),
        influence=influence,
        notes=notes,
    )


def require_own(own: float, name: str, n_samples: int) -> None:
    """Raise `UndefinedMeasureError` if the HSIC of a representation with itself is not positive."""
    # The debiased estimate of a positive number can be negative if samples are few.
    if own <= 1e-12:
        raise UndefinedMeasureError(
            f"CKA divides by the HSIC of {name} with itself, whose debiased estimate is not "
            f"positive: {n_samples} samples are too few for its dimension"
        )


def _standardized(points: Rows, name: str) -> Centered:
    centered = Centered(points, points.mean(axis=0, dtype=np.float64), scale=None)
    if centered.scale == 0.0:
        raise UndefinedMeasureError(f"CKA divides by the variance, which is 0 for {name}")
    return centered


def _hsic(x: Centered, y: Centered, debiased: bool) -> tuple[float, Array]:
    """Return the HSIC of two centered representations, and x' E[xy'] y for each sample."""
    n = len(x)
    each = np.empty(n)
    if x.shape[1] * y.shape[1] <= n * (x.shape[1] + y.shape[1]):
        cross = x.cross(y)
        for rows in row_blocks(np.arange(n), max(cross.shape)):
            each[rows] = np.einsum("ij,ij->i", x[rows] @ cross, y[rows])
    else:
        # Equivalent, from the products of all pairs, a block of rows at a time.
        for rows in row_blocks(np.arange(n), n):
            each[rows] = np.einsum("ij,ij->i", x.inner_products(rows), y.inner_products(rows))
    total = each.sum()
    if not debiased:
        return float(total / n**2), each / n
    x_squares, y_squares = x.squared_norms(), y.squared_norms()
    # With zeros on the diagonal, tr KL loses the terms K_ii L_ii; and since rows of a centered
    # kernel sum to zero, the sums of row i are -K_ii and -L_ii.
    trace = total - x_squares @ y_squares
    sums = x_squares.sum() * y_squares.sum()
    mixed = x_squares @ y_squares
    value = trace + sums / ((n - 1) * (n - 2)) - 2.0 / (n - 2) * mixed
    return float(value / (n * (n - 3))), each / n
