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
        The value before it was put into [0, 1]: the debiased estimate of a similarity of 0 is as
        often below 0 as above.
    influence : array of float64 (n_samples,)
        How much each sample moves the value, to first order: the value of a resample is about the
        value plus the mean of these over it.
    """

    estimate: float
    influence: Float64[Array, " samples"]


def linear_cka(first: AnyArray, second: AnyArray, *, debiased: bool = True) -> Similarity:
    r"""Linear CKA: how similar the arrangement of the same samples is in two representations.

    .. math:: CKA(X, Y) = \frac{HSIC(X, Y)}{\sqrt{HSIC(X, X)\,HSIC(Y, Y)}}

    with linear kernels K = XX', L = YY'. In [0, 1]: 1 where one is a rotation, a scaling and a
    translation of the other, 0 where no linear function of one goes with any of the other.

    Parameters
    ----------
    first, second : array-like (n_samples, n_features)
        Two representations of the same samples, in the same order; of any numbers of features.
    debiased : bool
        Estimate each HSIC without bias, by the formula of [Song2012]_ for K and L with zeros on
        the diagonal,

        .. math:: \frac{1}{n(n-3)} \left( \operatorname{tr} KL
                  + \frac{1^T K 1\, 1^T L 1}{(n-1)(n-2)} - \frac{2}{n-2} 1^T K L 1 \right)

        False gives the biased form, tr(KHLH)/n^2 with H the centering: for few samples of many
        features it is far above 0 for independent representations.

    Returns
    -------
    Similarity
        ``value``, ``estimate`` and ``influence``.

    Raises
    ------
    ValueError
        If the numbers of samples differ, or there are fewer than four.
    UndefinedMeasureError
        If a representation has no variance, or too little for the debiased form.

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
    x = scale_free(first, name="first", min_samples=4)
    y = scale_free(second, name="second", min_samples=4)
    if len(x) != len(y):
        raise ValueError(
            f"first and second must represent the same samples; first has {len(x)}, second {len(y)}"
        )
    return warn_notes(cka_from_points(x, y, debiased=debiased))


def cka_from_points(first: Rows, second: Rows, *, debiased: bool = True) -> Similarity:
    """Compute the linear CKA of checked points, in memory or on disk."""
    # In units of each one's own spread: the ratio does not depend on it, and nothing overflows.
    x, y = _standard(first, "first"), _standard(second, "second")
    cross, cross_points = _hsic(x, y, debiased)
    own_x, own_x_points = _hsic(x, x, debiased)
    own_y, own_y_points = _hsic(y, y, debiased)
    for own, name in ((own_x, "first"), (own_y, "second")):
        # The debiased estimate of a positive number can be 0 or below where samples are few.
        if own <= 1e-12:
            raise UndefinedMeasureError(
                f"CKA divides by the HSIC of {name} with itself, whose debiased estimate from "
                f"{len(x)} samples is not positive: there are too few samples for its dimension"
            )
    estimate = cross / np.sqrt(own_x * own_y)
    # Each HSIC is |E x y'|^2, so a sample's weight moves it by 2 (x' E[xy'] y - HSIC).
    scale = 1.0 / np.sqrt(own_x * own_y)
    influence = 2.0 * scale * (cross_points - cross_points.mean()) - estimate * (
        (own_x_points - own_x_points.mean()) / own_x + (own_y_points - own_y_points.mean()) / own_y
    )
    notes: tuple[str, ...] = ()
    if estimate < 0.0:
        notes = (f"the debiased estimate of CKA is {estimate:.2g}, below 0, and is given as 0",)
    return Similarity(
        value=float(min(max(estimate, 0.0), 1.0)),
        estimate=float(estimate),
        influence=influence,
        notes=notes,
    )


def _standard(points: Rows, name: str) -> Centered:
    centered = Centered(points, points.mean(axis=0, dtype=np.float64), spread=None)
    if centered.spread == 0.0:
        raise UndefinedMeasureError(f"CKA divides by the variance, and {name} has none")
    return centered


def _hsic(x: Centered, y: Centered, debiased: bool) -> tuple[float, Array]:
    """HSIC of two centered representations, and x' E[xy'] y of each sample."""
    n = len(x)
    each = np.empty(n)
    if x.shape[1] * y.shape[1] <= n * (x.shape[1] + y.shape[1]):
        cross = x.cross(y)
        for rows in row_blocks(np.arange(n), max(cross.shape)):
            each[rows] = np.einsum("ij,ij->i", x[rows] @ cross, y[rows])
    else:
        # The same from the products of all pairs, a block of rows at a time.
        for rows in row_blocks(np.arange(n), n):
            each[rows] = np.einsum("ij,ij->i", x.products(rows), y.products(rows))
    total = each.sum()
    if not debiased:
        return float(total / n**2), each / n
    x_squares, y_squares = x.squares(), y.squares()
    # With zeros on the diagonal: tr KL loses K_ii L_ii; and since centered rows sum to zero, the
    # sums of row i are -K_ii and -L_ii.
    trace = total - x_squares @ y_squares
    sums = x_squares.sum() * y_squares.sum()
    mixed = x_squares @ y_squares
    value = trace + sums / ((n - 1) * (n - 2)) - 2.0 / (n - 2) * mixed
    return float(value / (n * (n - 3))), each / n
