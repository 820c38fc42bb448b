"""The inner products of all pairs of samples, for CKA of many representations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._typing import Array, Float32, Float64
from .results import UndefinedMeasureError
from .rotated import centered_unit, products_of

# Pairs at a time whose products are summed in float64: of two representations, and of many.
PAIRS = 2**18
PAIRS_OF_MANY = 2**14


@dataclass(frozen=True, eq=False)
class Gram:
    """The centered linear kernel of a representation, without the half that is the same.

    Attributes
    ----------
    pairs : array of float32 (n_pairs,)
        The inner product of each pair of samples, as `numpy.triu_indices` lists them.
    squares : array of float64 (n_samples,)
        The inner product of each sample with itself; their sum is 1.
    """

    pairs: Float32[Array, " pairs"]
    squares: Float64[Array, " samples"]

    @classmethod
    def of(cls, points: Array, name: str) -> Gram:
        """Compute it of points in memory.

        Raises
        ------
        UndefinedMeasureError
            If all points coincide.
        """
        centered = centered_unit(points)
        if not centered.any():
            raise UndefinedMeasureError(f"CKA divides by the variance, which is 0 for {name}")
        products = products_of(centered)
        rows, columns = np.triu_indices(len(products), 1)
        return cls(products[rows, columns].astype(np.float32), np.diagonal(products).copy())

    def hsic(self, other: Gram, *, debiased: bool) -> float:
        """Return the HSIC of two representations, up to a factor that is the same for all.

        As in `similarity`: rows of a centered kernel sum to 0, so without its diagonal the sum of
        row i is less the square of sample i.
        """
        total = 0.0
        for start in range(0, len(self.pairs), PAIRS):
            part = slice(start, start + PAIRS)
            total += float(self.pairs[part].astype(np.float64) @ other.pairs[part])
        mixed = float(self.squares @ other.squares)
        sums = float(self.squares.sum() * other.squares.sum())
        return float(_hsic(total, mixed, sums, len(self.squares), debiased=debiased))


def hsic_of_all(
    first: Sequence[Gram], second: Sequence[Gram], *, debiased: bool
) -> Float64[Array, "rows columns"]:
    """Return the HSIC of each of some representations with each of others, as `Gram.hsic`."""
    total = np.zeros((len(first), len(second)))
    for start in range(0, len(first[0].pairs), PAIRS_OF_MANY):
        part = slice(start, start + PAIRS_OF_MANY)
        rows = np.stack([gram.pairs[part] for gram in first]).astype(np.float64)
        columns = rows
        if second is not first:
            columns = np.stack([gram.pairs[part] for gram in second]).astype(np.float64)
        total += rows @ columns.T
    squares = [np.stack([gram.squares for gram in grams]) for grams in (first, second)]
    mixed = squares[0] @ squares[1].T
    sums = np.outer(squares[0].sum(axis=1), squares[1].sum(axis=1))
    n_samples = squares[0].shape[1]
    return np.asarray(_hsic(total, mixed, sums, n_samples, debiased=debiased))


def _hsic(total: Any, mixed: Any, sums: Any, n_samples: int, *, debiased: bool) -> Any:
    """Return HSIC, given the products of pairs, of squares, and of their sums."""
    if not debiased:
        return 2.0 * total + mixed
    return 2.0 * total + sums / ((n_samples - 1) * (n_samples - 2)) - 2.0 / (n_samples - 2) * mixed
