"""The nearest neighbors of every sample, as the packages exchange them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._io.text import missing_attribute
from .._typing import Array
from .._validation.arrays import as_array


@dataclass(frozen=True, eq=False)
class NeighborGraph:
    """The nearest neighbors of each sample, nearest first, excluding the sample itself.

    Parameters
    ----------
    indices : ndarray of shape (n_samples, n_neighbors), int32
        The neighbors of each sample; the order of equal distances has no meaning.
    distances : ndarray of shape (n_samples, n_neighbors), float32
        Their distances, not squared, in the units of the points; for ``metric="cosine"``
        ``1 - cos``, in [0, 2].
    metric : str, default="euclidean"
        The metric of the distances, such as ``"euclidean"``, ``"cosine"`` or ``"precomputed"``.
    recall : float, default=1.0
        The fraction of the true neighbors that the graph contains, in [0, 1]: exactly 1.0 for an
        exact search, measured on a sample of the points for an approximate one.

    Attributes
    ----------
    n_samples : int
    n_neighbors : int

    Raises
    ------
    TypeError
        If an array has another dtype.
    ValueError
        If the shapes differ, an index is out of range, a distance is negative, NaN or infinite, or
        a row is not sorted.

    See Also
    --------
    nearest_neighbors : Compute the graph of points.
    unknot.TSNE : Accepts a graph with ``metric="precomputed"``, or beside the points.
    unknot.metrics.neighborhood_hit : Score a graph against labels.

    Examples
    --------
    >>> import numpy as np, unknot
    >>> graph = unknot.nearest_neighbors(np.array([[0.0], [1.0], [3.0], [7.0]]), n_neighbors=2)
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
        """Validate all that users of the graph rely on."""
        for name in ("indices", "distances"):
            object.__setattr__(self, name, as_array(getattr(self, name), name))
        indices, distances = self.indices, self.distances
        if indices.dtype != np.int32:
            raise TypeError(f"indices must be int32; got {indices.dtype}")
        if distances.dtype != np.float32:
            raise TypeError(f"distances must be float32; got {distances.dtype}")
        if indices.ndim != 2 or indices.shape[1] == 0 or distances.shape != indices.shape:
            raise ValueError(
                "indices and distances must have the same shape (n_samples, n_neighbors), with "
                f"n_neighbors at least 1; got {indices.shape} and {distances.shape}"
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
                "Sort each row, and its indices accordingly"
            )
        if not 0.0 <= self.recall <= 1.0:
            raise ValueError(f"recall must be in [0, 1]; got {self.recall}")

    @property
    def n_samples(self) -> int:
        """The number of samples."""
        return len(self.indices)

    @property
    def n_neighbors(self) -> int:
        """The number of neighbors of each sample."""
        return int(self.indices.shape[1])

    def __getattr__(self, name: str) -> Any:
        raise missing_attribute(self, name, {"k": "n_neighbors"})

    def nearest(self, n_neighbors: int) -> NeighborGraph:
        """Return the graph of the nearest ``n_neighbors`` only.

        Raises
        ------
        ValueError
            If ``n_neighbors`` is not between 1 and this graph's ``n_neighbors``.
        """
        if not 1 <= n_neighbors <= self.n_neighbors:
            raise ValueError(
                f"n_neighbors must be from 1 to {self.n_neighbors}, the graph's n_neighbors; "
                f"got {n_neighbors}"
            )
        return NeighborGraph(
            np.ascontiguousarray(self.indices[:, :n_neighbors]),
            np.ascontiguousarray(self.distances[:, :n_neighbors]),
            self.metric,
            self.recall,
        )
