"""Centered points, in memory or on disk, and their inner products."""

from __future__ import annotations

import numpy as np

from ..._io.stored_points import Rows, StoredPoints
from ..._typing import Array, Float64


class Centered:
    """Centered and scaled points as float64.

    Points in memory are converted once, points on disk whenever they are read.

    Parameters
    ----------
    points : array or StoredPoints, (n_samples, n_features)
    origin : array of float64 (n_features,)
    scale : float or None, default=1.0
        Divides the centered points; None uses their root mean square norm.
    """

    def __init__(
        self, points: Rows, origin: Float64[Array, " features"], scale: float | None = 1.0
    ) -> None:
        self.shape: tuple[int, int] = (points.shape[0], points.shape[1])
        self.scale = 1.0
        self._stored = points if isinstance(points, StoredPoints) else None
        self._origin = origin
        self._whole = None if isinstance(points, StoredPoints) else points - origin
        if scale is None:
            self.scale = float(np.sqrt(self.squared_norms().sum() / self.shape[0]))
        else:
            self.scale = scale
        if self._whole is not None and self.scale not in (0.0, 1.0):
            self._whole /= self.scale

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Array | slice) -> Float64[Array, "rows features"]:
        if self._whole is not None:
            return np.asarray(self._whole[rows])
        assert self._stored is not None
        return np.asarray((self._stored[rows] - self._origin) / (self.scale or 1.0))

    def slices(self) -> list[slice]:
        """Return slices of rows that fit in memory."""
        if self._stored is None:
            return [slice(0, len(self))]
        return self._stored.slabs(self._stored.max_memory // 8)

    def squared_norms(self) -> Float64[Array, " samples"]:
        """Return the squared norm of each point."""
        found = np.empty(len(self))
        for rows in self.slices():
            block = self[rows]
            found[rows] = np.einsum("ij,ij->i", block, block)
        return found

    def inner_products(self, rows: Array) -> Float64[Array, "rows samples"]:
        """Return the inner products of the given rows with all rows."""
        selected = self[rows]
        found = np.empty((len(selected), len(self)))
        for part in self.slices():
            np.matmul(selected, self[part].T, out=found[:, part])
        return found

    def cross(self, other: Centered) -> Float64[Array, "features others"]:
        """Return X'Y for these points X and other points Y of the same samples."""
        total = np.zeros((self.shape[1], other.shape[1]))
        for part in max(self.slices(), other.slices(), key=len):
            total += self[part].T @ other[part]
        return total
