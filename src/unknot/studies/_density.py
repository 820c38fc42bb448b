"""How many of all samples lie where on a map, when only some of them were mapped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .._typing import Array
from ._store.format import damaged, read_zarr
from ._store.layer_records import DensityRecord


@dataclass(frozen=True, eq=False, repr=False)
class MapDensity:
    """How many samples of each class lie in each cell of a grid on a map.

    Attributes
    ----------
    counts : array of int32 (n_classes + 1, size, size)
        For each class that occurs, in the order of its codes, and then for the unlabeled: a row for
        each y, ascending, and a column for each x.
    bounds : tuple of float
        The extent of the grid: the least and the greatest x, the least and the greatest y.
    n_samples : int
        The number of samples.
    placed : str
        The array of all places, float32 (n_samples, 2), relative to the store of the study.

    Raises
    ------
    ValueError
        If the counts are not those of so many samples on a square grid.

    See Also
    --------
    unknot.study : Makes it, with ``store=``.
    """

    counts: Array
    bounds: tuple[float, ...]
    n_samples: int
    placed: str

    def __post_init__(self) -> None:
        shape = self.counts.shape
        if len(shape) != 3 or shape[1] != shape[2] or len(self.bounds) != 4:
            raise ValueError(
                f"counts must be on a square grid with four bounds; got {shape}, {self.bounds}"
            )
        if (self.counts < 0).any() or int(self.counts.sum()) != self.n_samples:
            raise ValueError(
                f"counts must be those of {self.n_samples:,} samples; got {int(self.counts.sum())}"
            )
        if not (self.bounds[0] < self.bounds[1] and self.bounds[2] < self.bounds[3]):
            raise ValueError(f"bounds must ascend; got {self.bounds}")

    @property
    def total(self) -> Array:
        """Samples of any class in each cell, int64 (size, size)."""
        return np.asarray(self.counts.sum(axis=0, dtype=np.int64))

    def __repr__(self) -> str:
        size = self.counts.shape[1]
        return f"MapDensity({self.n_samples:,} samples on {size} x {size} cells)"


def read_density(folder: Path, record: DensityRecord) -> MapDensity:
    """Read the density of a layer.

    Raises
    ------
    StudyError
        If it is missing or damaged.
    """
    counts = read_zarr(folder, record.path)
    try:
        return MapDensity(counts, tuple(record.bounds), record.n_samples, record.placed)
    except ValueError as error:
        raise damaged(folder, record.path, error) from error
