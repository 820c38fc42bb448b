"""A column of metadata: what else is known of each sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from .._typing import Array

Kind = Literal["number", "category", "boolean", "date", "text"]
KINDS: Final = ("number", "category", "boolean", "date", "text")
# The stored number of a date that is missing, which NumPy calls NaT.
NO_DATE: Final = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, eq=False)
class MetadataColumn:
    """What else is known of each sample: one column of a study's metadata.

    Attributes
    ----------
    name : str
    kind : {"number", "category", "boolean", "date", "text"}
    values : ndarray (n_samples,)
        Numbers as float64, NaN where one is missing; categories as int64 codes, -1 where missing;
        booleans as int64, 0 and 1, -1 where missing; dates as datetime64 in milliseconds, in UTC
        if they had a time zone, NaT where missing; texts as str, None where missing.
    categories : tuple of str
        The name of each code; empty for other kinds.

    Raises
    ------
    ValueError
        If the values are not those of the kind.

    See Also
    --------
    unknot.study : Takes metadata.
    Study.to_csv : Writes them, with labels and predictions.

    Examples
    --------
    >>> import numpy as np
    >>> column = MetadataColumn("weather", "category", np.array([0, 1, -1]), ("rain", "sun"))
    >>> column.to_list()
    ['rain', 'sun', None]
    """

    name: str
    kind: Kind
    values: Array
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        dtype = {"number": "f8", "date": "M8[ms]", "text": "O"}.get(self.kind, "i8")
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {self.kind!r}")
        if self.values.dtype != np.dtype(dtype) or self.values.ndim != 1:
            raise ValueError(
                f"values of the {self.kind} column {self.name!r} must be {dtype} (n_samples,); got "
                f"{self.values.dtype} {self.values.shape}"
            )
        if self.kind == "number" and np.isinf(self.values).any():
            raise ValueError(f"values of {self.name!r} must be finite or NaN")
        highest = {"category": len(self.categories), "boolean": 2}.get(self.kind)
        if highest is not None and len(self.values):
            low, high = int(self.values.min()), int(self.values.max())
            if low < -1 or high >= highest:
                raise ValueError(
                    f"values of {self.name!r} must lie in -1..{highest - 1}; got {low}..{high}"
                )

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, rows: Array) -> MetadataColumn:
        """Return the values of some samples; categories stay as they are."""
        return replace(self, values=self.values[rows])

    def to_list(self) -> list[Any]:
        """Return plain values: float, str, bool or datetime; None where one is missing."""
        values = self.values.tolist()
        if self.kind == "number":
            return [None if value != value else value for value in values]
        if self.kind == "category":
            return [None if code < 0 else self.categories[code] for code in values]
        if self.kind == "boolean":
            return [None if code < 0 else bool(code) for code in values]
        return list(values)

    def __repr__(self) -> str:
        missing = sum(value is None for value in self.to_list())
        what = f", {len(self.categories)} categories" if self.kind == "category" else ""
        return (
            f"MetadataColumn({self.name!r}: {self.kind}{what}, {len(self)} values"
            f"{f', {missing} missing' if missing else ''})"
        )
