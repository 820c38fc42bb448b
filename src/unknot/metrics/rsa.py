"""Representational similarity analysis: the correlation of two matrices of distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from .._typing import AnyArray, Array, Float64
from .._validation.points import as_points, max_abs, scale_free, scaling_exponent
from ._shared.among import check_limit, draw_rows
from ._shared.results import Result, UndefinedMeasureError, warn_notes
from ._shared.rotated import products_of

DISTANCES: Final = ("correlation", "euclidean", "cosine")
CORRELATIONS: Final = ("spearman", "pearson")
# Two million pairs.
MAX_SAMPLES = 2000
# Squared distances below this share of their mean are rounding errors of 0.
ROUNDING = 1e-13


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class RepresentationalSimilarity(Result):
    """The correlation of the distances between samples in two representations.

    Attributes
    ----------
    value : float
        In [-1, 1].
    chance : float
        0.
    n_pairs : int
        The number of distances.
    distance, correlation : str
        The options.

    See Also
    --------
    rsa : Computes it.
    """

    n_pairs: int
    distance: str
    correlation: str
    chance: float = 0.0


def rsa(
    first: AnyArray,
    second: AnyArray,
    *,
    distance: str = "correlation",
    correlation: str = "spearman",
    max_samples: int | None = MAX_SAMPLES,
    random_state: int | None = 0,
) -> RepresentationalSimilarity:
    r"""Representational similarity analysis (RSA): the correlation of distances between samples.

    .. math:: \operatorname{corr}_{i<j}\bigl(d_{ij}(X),\ d_{ij}(Y)\bigr)

    over all pairs of samples: the correlation of two representational dissimilarity matrices. In
    [-1, 1], neither end is better: 1 if the distances have the same order (for Pearson's
    correlation, if they are linear functions of each other), 0 by chance.

    Parameters
    ----------
    first, second : array-like (n_samples, n_features)
        Two representations of the same samples in the same order, with any numbers of features.
    distance : {"correlation", "euclidean", "cosine"}, default="correlation"
        The dissimilarity of two samples: 1 less the correlation of their features, the Euclidean
        distance, or 1 less the cosine. The first ignores a change of the mean and of the size of a
        sample's features, the last of their size only. Use the Euclidean one for few features.
    correlation : {"spearman", "pearson"}, default="spearman"
        Of the distances: by their ranks, or by their values.
    max_samples : int or None, default=2000
        Compare this many samples, drawn at random; None compares all, in memory for five numbers
        for each pair.
    random_state : int or None, default=0
        Seeds the draw.

    Returns
    -------
    RepresentationalSimilarity
        ``value``, ``chance`` and ``n_pairs``.

    Raises
    ------
    ValueError
        If the numbers of samples differ, there are fewer than three, or an option is unknown.
    UndefinedMeasureError
        If all distances in a representation are the same.

    See Also
    --------
    linear_cka : Pearson's correlation of inner products instead of distances.
    mutual_knn : Compares the nearest neighbors only.
    unknot.similarity_matrix : Compares all layers with each other.

    References
    ----------
    [Kriegeskorte2008]_.

    Examples
    --------
    The distances 1, 3 and 2 have the ranks 1, 3, 2; the distances 1, 2 and 3 the ranks 1, 2, 3:
    a correlation of 1 - 6 (0 + 1 + 1) / (3 * 8).

    >>> from unknot.metrics import rsa
    >>> first, second = [[0.0], [1.0], [3.0]], [[0.0], [1.0], [-2.0]]
    >>> round(rsa(first, second, distance="euclidean").value, 6)
    0.5
    """
    distance, correlation = check_distance(distance), check_correlation(correlation)
    x = as_points(first, name="first", min_samples=3)
    y = as_points(second, name="second", min_samples=3)
    if len(x) != len(y):
        raise ValueError(
            f"first and second must have the same samples; got {len(x)} and {len(y)} of them"
        )
    rows = draw_rows(len(x), check_limit(max_samples, low=3), random_state)
    notes: tuple[str, ...] = ()
    if len(rows) < len(x):
        notes = (f"computed from {len(rows):,} of {len(x):,} samples, drawn at random",)
    one, x_note = distances_of(x[rows], "first", distance, correlation)
    other, y_note = distances_of(y[rows], "second", distance, correlation)
    return warn_notes(
        RepresentationalSimilarity(
            value=correlation_of(one, other),
            n_pairs=len(one),
            distance=distance,
            correlation=correlation,
            notes=(*notes, *(note for note in (x_note, y_note) if note)),
        )
    )


def check_distance(distance: object) -> str:
    """Return the distance of RSA; raise ValueError if it is unknown."""
    if distance not in DISTANCES:
        raise ValueError(f"distance must be one of {', '.join(DISTANCES)}; got {distance!r}")
    return str(distance)


def check_correlation(correlation: object) -> str:
    """Return the correlation of RSA; raise ValueError if it is unknown."""
    if correlation not in CORRELATIONS:
        raise ValueError(
            f"correlation must be one of {', '.join(CORRELATIONS)}; got {correlation!r}"
        )
    return str(correlation)


def distances_of(
    points: Array, name: str, distance: str, correlation: str
) -> tuple[Float64[Array, " pairs"], str]:
    """Return the distances of all pairs, or their ranks, of mean 0 and length 1; and a note.

    Raises
    ------
    UndefinedMeasureError
        If all distances are the same.
    """
    note = ""
    if distance == "euclidean":
        values = scale_free(points, name=name).astype(np.float64)
        values -= values.mean(axis=0)
    else:
        values = _scaled(points)
        if distance == "correlation":
            if values.shape[1] < 3:
                raise UndefinedMeasureError(
                    f"the correlation of two samples needs at least three features; {name} has "
                    f"{values.shape[1]}. Use distance='euclidean'"
                )
            sizes = np.linalg.norm(values, axis=1)
            values -= values.mean(axis=1, keepdims=True)
        else:
            sizes = np.zeros(len(values))
        note = _normalize(values, sizes, distance, name)
    rows, columns = np.triu_indices(len(values), 1)
    products = products_of(values)
    if distance == "euclidean":
        squares = np.einsum("ii->i", products).copy()
        squares = squares[rows] + squares[columns] - 2.0 * products[rows, columns]
        squares[squares < ROUNDING * np.abs(squares).mean()] = 0.0
        found = np.sqrt(squares)
    else:
        found = 1.0 - products[rows, columns]
        found[np.abs(found) < ROUNDING] = 0.0
    if correlation == "spearman":
        # As float32, distances that differ by rounding only have the same rank.
        from scipy.stats import rankdata

        found = rankdata(found.astype(np.float32))
    if float(np.ptp(found)) <= 1e-7 * float(np.abs(found).max()):
        raise UndefinedMeasureError(
            f"RSA divides by the variance of the distances, which is 0 for {name}"
        )
    found -= found.mean()
    length = float(np.linalg.norm(found))
    return found / length, note


def correlation_of(first: Array, second: Array) -> float:
    """Return the correlation of what `distances_of` returned."""
    return float(np.clip(first @ second, -1.0, 1.0))


def _scaled(points: Array) -> Float64[Array, "samples features"]:
    """Return points as float64 of a moderate size, not moved."""
    values = points.astype(np.float64)
    exponent = scaling_exponent(max_abs(values))
    return np.ldexp(values, exponent) if exponent else values


def _normalize(values: Array, sizes: Array, distance: str, name: str) -> str:
    """Scale each row to length 1, in place; return a note on those without a direction.

    The sizes are the lengths of the rows before they were centered, of which 1e-12 is rounding.
    """
    lengths = np.linalg.norm(values, axis=1)
    without = lengths <= 1e-12 * sizes
    values[without] = 0.0
    values /= np.where(without, 1.0, lengths)[:, None]
    n_without = int(without.sum())
    if not n_without:
        return ""
    what = "the same value in all features" if distance == "correlation" else "zero in all features"
    return (
        f"{n_without} of {len(values)} samples of {name} have {what}; their distance to every "
        "sample is 1"
    )
