"""The k nearest neighbors of every point: exact, on all cores, without an N x N matrix."""

from ._graph import NeighborGraph
from ._search import nearest_neighbors

__all__ = ["NeighborGraph", "nearest_neighbors"]
