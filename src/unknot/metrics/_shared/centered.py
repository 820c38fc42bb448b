"""Points relative to their mean, in memory or on disk: their products with each other."""

from __future__ import annotations

import numpy as np

from ..._io.stored_points import Rows, StoredPoints
from ..._typing import Array, Float64


class Centered:
    """Points less an origin, in units of a spread, as float64.

    In memory they are taken so once, on disk anew whenever they are read.

    Parameters
    ----------
    points : array or StoredPoints, (n_samples, n_features)
    origin : array of float64 (n_features,)
    spread : float, optional
        The root mean square length of the centered points, or 1 as given; computed if it is None.
    """

    def __init__(
        self, points: Rows, origin: Float64[Array, " features"], spread: float | None = 1.0
    ) -> None:
        self.shape: tuple[int, int] = (points.shape[0], points.shape[1])
        self.spread = 1.0
        self._stored = points if isinstance(points, StoredPoints) else None
        self._origin = origin
        self._whole = None if isinstance(points, StoredPoints) else points - origin
        if spread is None:
            self.spread = float(np.sqrt(self.squares().sum() / self.shape[0]))
        else:
            self.spread = spread
        if self._whole is not None and self.spread not in (0.0, 1.0):
            self._whole /= self.spread

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Array | slice) -> Float64[Array, "rows features"]:
        if self._whole is not None:
            return np.asarray(self._whole[rows])
        assert self._stored is not None
        return np.asarray((self._stored[rows] - self._origin) / (self.spread or 1.0))

    def parts(self) -> list[slice]:
        """Cut the rows into parts that can be held in memory."""
        if self._stored is None:
            return [slice(0, len(self))]
        return self._stored.slabs(self._stored.max_memory // 8)

    def squares(self) -> Float64[Array, " samples"]:
        """Return the squared length of each."""
        found = np.empty(len(self))
        for rows in self.parts():
            block = self[rows]
            found[rows] = np.einsum("ij,ij->i", block, block)
        return found

    def products(self, rows: Array) -> Float64[Array, "rows samples"]:
        """Return the products of some with all."""
        some = self[rows]
        found = np.empty((len(some), len(self)))
        for part in self.parts():
            np.matmul(some, self[part].T, out=found[:, part])
        return found

    def cross(self, other: Centered) -> Float64[Array, "features others"]:
        """Return X'Y for the points X and others Y of the same samples."""
        total = np.zeros((self.shape[1], other.shape[1]))
        for part in max(self.parts(), other.parts(), key=len):
            total += self[part].T @ other[part]
        return total
