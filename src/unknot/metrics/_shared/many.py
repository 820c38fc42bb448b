"""What is done with many classes, so that no measure's time grows with the square of the classes.

Up to `MANY_CLASSES` every pair of classes counts. Above, measures of pairs of classes evaluate a
part of the pairs, in which every class occurs equally often, or all pairs of a part of the classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..._typing import Array, Int64
from ..._validation.numbers import random_generator

MANY_CLASSES = 100
# Tables of all pairs of classes are kept up to this many classes.
TABLE_CLASSES = 256
# Every class is compared with this many others, and occurs in twice as many pairs.
PARTNERS = 20


@dataclass(frozen=True, eq=False)
class ClassPairs:
    """The pairs and the classes that measures evaluate where there are many classes.

    Attributes
    ----------
    n_classes : int
    first, second : array of int64 (n_pairs,)
        The classes of each pair.
    drawn : array of int64 (n_drawn,)
        Classes, ascending, for measures that take the worst pair of a class or all its points.
    """

    n_classes: int
    first: Int64[Array, " pairs"]
    second: Int64[Array, " pairs"]
    drawn: Int64[Array, " drawn"]

    @classmethod
    def draw(cls, n_classes: int, random_state: int) -> ClassPairs:
        """Draw pairs and classes; there must be more than `MANY_CLASSES`."""
        rng = random_generator(random_state, 5)
        # On a ring in random order, each class is paired with those that follow it.
        ring = rng.permutation(n_classes)
        following = (np.arange(n_classes)[:, None] + np.arange(1, PARTNERS + 1)) % n_classes
        return cls(
            n_classes,
            np.repeat(ring, PARTNERS),
            ring[following].ravel(),
            draw_classes(n_classes, MANY_CLASSES, rng),
        )

    def note_on_pairs(self, what: str, values: Array) -> str:
        """Return a note on the part of the pairs, with the standard error of their mean.

        Pairs that share a class are correlated: the error is that of the means over the pairs that
        begin with each class.
        """
        of_class = values.reshape(self.n_classes, -1).mean(axis=1)
        total = self.n_classes * (self.n_classes - 1) // 2
        error = float(of_class.std(ddof=1) / np.sqrt(self.n_classes))
        return (
            f"{what} is estimated from {len(self.first):,} of {total:,} pairs of classes, drawn at "
            f"random; its standard error is at most {error:.2g}"
        )

    def note_on_classes(self, what: str, error: float) -> str:
        """Return a note on the part of the classes, with the standard error."""
        return (
            f"{what} is estimated from {len(self.drawn)} of {self.n_classes:,} classes, drawn at "
            f"random; its standard error is {error:.2g}"
        )

    def error_of_table(self, table: Array) -> float:
        """Return the standard error of the mean over the pairs of the drawn classes.

        To first order twice that of the means of the classes (n_drawn, n_drawn), whose diagonal is
        left out.
        """
        n = len(table)
        means = (table.sum(axis=1) - table.diagonal()) / (n - 1)
        left_out = 1.0 - n / self.n_classes
        return float(2.0 * means.std(ddof=1) * np.sqrt(left_out / n))


def draw_classes(n_classes: int, limit: int, rng: np.random.Generator) -> Int64[Array, " drawn"]:
    """Draw classes without replacement, ascending; all if there are no more than the limit."""
    if n_classes <= limit:
        return np.arange(n_classes)
    return np.sort(rng.choice(n_classes, size=limit, replace=False)).astype(np.int64)
