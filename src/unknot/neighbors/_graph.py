"""The k nearest neighbors of every sample, as one plain thing that rooms hand on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import Array
from .._validation.arrays import as_array


@dataclass(frozen=True, eq=False)
class NeighborGraph:
    """The k nearest neighbors of each of n samples, nearest first, the sample itself left out.

    Attributes
    ----------
    indices : ndarray of shape (n_samples, k), int32
        The neighbors of each sample. Equally distant ones stand in the order of their indices.
    distances : ndarray of shape (n_samples, k), float32
        Their distances, not squared, in the units of the points; for ``metric="cosine"``
        ``1 - cos``, in [0, 2].
    metric : str
        What the distances are, such as ``"euclidean"``, ``"cosine"`` or ``"precomputed"``.
    recall : float
        The fraction of the true neighbors that are in the graph, in [0, 1]: exactly 1.0 for an
        exact search, measured on a sample of the points for an approximate one.

    Raises
    ------
    TypeError
        If an array has another dtype.
    ValueError
        If the shapes differ, an index names no sample, or a distance is negative, NaN or infinite,
        or a row is not sorted.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> graph = unknot.nearest_neighbors(np.array([[0.0], [1.0], [3.0], [7.0]]), k=2)
    >>> graph.indices.tolist()
    [[1, 2], [0, 2], [1, 0], [2, 1]]
    >>> graph.distances.tolist()
    [[1.0, 3.0], [1.0, 2.0], [2.0, 3.0], [4.0, 6.0]]
    >>> graph.nearest(1).indices.ravel().tolist()
    [1, 0, 1, 2]
    """

    indices: Array
    distances: Array
    metric: str = "euclidean"
    recall: float = 1.0

    def __post_init__(self) -> None:
        """Check everything that a reader of the graph relies on."""
        for name in ("indices", "distances"):
            object.__setattr__(self, name, as_array(getattr(self, name), name))
        indices, distances = self.indices, self.distances
        if indices.dtype != np.int32:
            raise TypeError(f"indices must be int32; got {indices.dtype}")
        if distances.dtype != np.float32:
            raise TypeError(f"distances must be float32; got {distances.dtype}")
        if indices.ndim != 2 or indices.shape[1] == 0 or distances.shape != indices.shape:
            raise ValueError(
                "indices and distances must have the same shape (n_samples, k) with k at least 1; "
                f"got {indices.shape} and {distances.shape}"
            )
        if indices.min(initial=0) < 0 or indices.max(initial=0) >= len(indices):
            raise ValueError(
                f"indices must name samples 0 to {len(indices) - 1}; "
                f"got {int(indices.min())} to {int(indices.max())}"
            )
        if not (distances.min(initial=0) >= 0 and distances.max(initial=0) < np.inf):
            raise ValueError(
                "distances must be finite and not negative; "
                f"got values from {distances.min()} to {distances.max()}"
            )
        if np.any(distances[:, 1:] < distances[:, :-1]):
            row = int(np.argmax(np.any(distances[:, 1:] < distances[:, :-1], axis=1)))
            raise ValueError(
                f"distances must ascend in every row; those of sample {row} do not. "
                "Sort each row, and its indices with it"
            )
        if not 0.0 <= self.recall <= 1.0:
            raise ValueError(f"recall must be in [0, 1]; got {self.recall}")

    @property
    def n_samples(self) -> int:
        """The number of samples."""
        return len(self.indices)

    @property
    def k(self) -> int:
        """The number of neighbors of each sample."""
        return int(self.indices.shape[1])

    def nearest(self, k: int) -> NeighborGraph:
        """Return the graph of only the nearest k.

        Raises
        ------
        ValueError
            If k is not between 1 and this graph's own k.
        """
        if not 1 <= k <= self.k:
            raise ValueError(f"k must be between 1 and {self.k}, the graph's own; got {k}")
        return NeighborGraph(
            np.ascontiguousarray(self.indices[:, :k]),
            np.ascontiguousarray(self.distances[:, :k]),
            self.metric,
            self.recall,
        )
