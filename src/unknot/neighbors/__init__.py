"""The nearest neighbors of every point: exact, on all cores, without an N x N matrix."""

# Names imported `as` themselves are for the other rooms, not for users.
from ._axes import centered as centered
from ._axes import frame as frame
from ._axes import row_blocks as row_blocks
from ._duplicates import row_hashes as row_hashes
from ._graph import NeighborGraph
from ._search import METRICS as METRICS
from ._search import SearchSpace as SearchSpace
from ._search import graph_of_distinct as graph_of_distinct
from ._search import graph_of_points as graph_of_points
from ._search import nearest_neighbors
from ._search import neighbors_among as neighbors_among

__all__ = ["NeighborGraph", "nearest_neighbors"]
