"""One label a sample, as a study takes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ..._typing import Array

UNLABELED: Final = -1


@dataclass(frozen=True, eq=False)
class Labeling:
    """One label a sample.

    Attributes
    ----------
    codes : ndarray of int64 (n_samples,)
        The class of each sample, in 0..C-1; -1 where it is unlabeled, and for numbers.
    class_names : tuple of str
        Empty for numbers.
    order_known : bool
        Whether the classes are known to stand in the order of the model's outputs.
    named : bool
        False if the codes are integers that number the outputs, so that the model may have more
        classes than there are labels.
    notes : tuple of str
        What was ignored, missing or converted.
    kind : {"classes", "values"}
    values : ndarray of float64 (n_samples,), or None
        The number of each sample, NaN where it is missing; None for classes.
    column, n_columns : int or None
        Of one of several columns of yes and no: which output it belongs to, and how many there are.
    """

    codes: Array
    class_names: tuple[str, ...]
    order_known: bool
    named: bool
    notes: tuple[str, ...] = ()
    kind: str = "classes"
    values: Array | None = None
    column: int | None = None
    n_columns: int | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def labeled(self) -> Array:
        """Whether each sample is labeled, bool (n_samples,)."""
        if self.values is not None:
            return np.isfinite(self.values)
        return np.asarray(self.codes >= 0)

    @property
    def strata(self) -> Array:
        """Classes to draw samples by, in 0..S-1: the unlabeled are one, numbers tenths."""
        if self.values is None:
            return np.unique(self.codes, return_inverse=True)[1].astype(np.int64)
        labeled = self.labeled
        strata = np.zeros(len(self.codes), dtype=np.int64)
        edges = np.quantile(self.values[labeled], np.linspace(0, 1, 11)[1:-1])
        strata[labeled] = 1 + np.searchsorted(edges, self.values[labeled], side="right")
        return np.unique(strata, return_inverse=True)[1].astype(np.int64)

    @property
    def problem(self) -> str | None:
        """Why there is nothing to measure; None if there is."""
        if self.values is not None:
            if np.unique(self.values[self.labeled]).size < 2:
                return "all its numbers are the same; what predicts numbers needs at least two"
            return None
        present = np.unique(self.codes[self.codes >= 0])
        if not len(present):
            return "no sample is labeled; what separates classes needs at least two of them"
        if len(present) < 2:
            return (
                f"every {'' if self.labeled.all() else 'labeled '}sample is of one class, "
                f"{self.class_names[int(present[0])]!r}; what separates classes needs at least two"
            )
        return None

    def rows(self, rows: Array) -> Labeling:
        """Return the labels of some samples."""
        values = None if self.values is None else self.values[rows]
        return replace(self, codes=self.codes[rows], values=values)
