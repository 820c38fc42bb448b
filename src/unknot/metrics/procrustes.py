"""Procrustes similarity: how well one representation can be rotated onto another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import AnyArray, Array, Float64
from .._validation.numbers import check_integer, random_generator
from ._shared.among import check_limit, draw_rows
from ._shared.results import Result, UndefinedMeasureError, warn_notes
from ._shared.rotated import centered_unit, nuclear_norm, rotated
from .similarity import check_same_samples

# More samples would take long: the time grows with the cube of samples, or of features if fewer.
MAX_SAMPLES = 2000


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Procrustes(Result):
    """The Procrustes similarity of two representations.

    Attributes
    ----------
    value : float
        In [0, 1].
    distance : float
        The root of the sum of the squared distances that are left after the best rotation: in
        [0, sqrt 2], 0 if nothing is left.
    angle : float
        The angle between the two, in radians: in [0, pi/2], and a metric.
    chance : float, or None
        The mean value with the samples of the second representation permuted; None without
        permutations.

    See Also
    --------
    procrustes : Computes it.
    """

    distance: float
    angle: float
    chance: float | None = None


def procrustes(
    first: AnyArray,
    second: AnyArray,
    *,
    max_samples: int | None = MAX_SAMPLES,
    n_permutations: int = 1,
    random_state: int | None = 0,
) -> Procrustes:
    r"""Procrustes similarity: how well one representation can be rotated onto another.

    .. math:: S(X, Y) = \max_{Q} \operatorname{tr} X Q Y^T = \|X^T Y\|_*, \qquad
              d(X, Y) = \min_{Q} \|X Q - Y\|_F = \sqrt{2 - 2 S}, \qquad \theta = \arccos S

    of centered representations with a Frobenius norm of 1, over all rotations and reflections Q,
    where the one with fewer features is filled up with zeros; the nuclear norm is the sum of the
    singular values. In [0, 1], neither end is better: 1 if the representations are equal up to
    rotation, scale and translation.

    Parameters
    ----------
    first, second : array-like (n_samples, n_features)
        Two representations of the same samples in the same order, with any numbers of features.
    max_samples : int or None, default=2000
        Use this many samples, drawn at random; None uses all. The value falls with the number of
        samples: compare values of the same number.
    n_permutations : int, default=1
        Permute the samples of the second representation this many times, for the value by chance.
        Increase it if features are few; 0 saves the time.
    random_state : int or None, default=0
        Seeds the draw and the permutations.

    Returns
    -------
    Procrustes
        ``value``, ``distance``, ``angle`` and ``chance``.

    Raises
    ------
    ValueError
        If the numbers of samples differ, or there are fewer than two.
    UndefinedMeasureError
        If all points of a representation coincide.

    See Also
    --------
    linear_cka : Sees the directions of most variance; chance is 0.
    rsa : Compares the distances between samples.
    unknot.similarity_matrix : Compares all layers with each other.

    Notes
    -----
    By chance the value is far above 0: about .85 sqrt(d / n) for n samples of d independent
    features of equal variance, if d is much less than n.

    References
    ----------
    [Williams2021]_ for the angle, [Ding2021]_ for the squared distance; the rotation:
    [Schonemann1966]_.

    Examples
    --------
    The second has one direction of the first only, stretched: of the first, half the variance lies
    there, so X'Y has the singular value sqrt 1/2.

    >>> from unknot.metrics import procrustes
    >>> square = [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]
    >>> line = [[7.0], [7.0], [-7.0], [-7.0]]
    >>> found = procrustes(square, line)
    >>> round(found.value**2, 6), round(found.distance**2, 6)
    (0.5, 0.585786)
    """
    x, y = check_same_samples(first, second, 2)
    limit = check_limit(max_samples)
    runs = check_integer(n_permutations, "n_permutations", 0, 10**4, "from 0 to 10,000")
    rows = draw_rows(len(x), limit, random_state)
    one, other = procrustes_points(x[rows], "first"), procrustes_points(y[rows], "second")
    value = procrustes_value(one, other)
    rng = random_generator(random_state)
    permuted = [procrustes_value(one, other[rng.permutation(len(rows))]) for _ in range(runs)]
    notes: tuple[str, ...] = ()
    if len(rows) < len(x):
        notes = (f"computed from {len(rows):,} of {len(x):,} samples, drawn at random",)
    return warn_notes(
        Procrustes(
            value=value,
            distance=float(np.sqrt(2.0 - 2.0 * value)),
            angle=float(np.arccos(value)),
            chance=float(np.mean(permuted)) if permuted else None,
            notes=notes,
        )
    )


def procrustes_points(points: Array, name: str) -> Float64[Array, "samples axes"]:
    """Center points and scale them to a Frobenius norm of 1, with no more features than samples.

    Raises
    ------
    UndefinedMeasureError
        If all of them coincide.
    """
    found = centered_unit(points)
    if not found.any():
        raise UndefinedMeasureError(
            f"Procrustes similarity divides by the norm of the centered points, which is 0 for "
            f"{name}: all of them coincide"
        )
    return rotated(found)


def procrustes_value(first: Array, second: Array) -> float:
    """Return the similarity of points that `procrustes_points` returned."""
    return min(nuclear_norm(first, second), 1.0)
