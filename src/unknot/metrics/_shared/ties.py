"""Means over all choices of the k nearest neighbors, where the k-th is one of several as near.

Of rounded data, such as small images or counts, most points have such ties. Any choice among them
would make a score depend on it: by index, on the order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io.stored_points import Rows
from ..._typing import Array, Float64, Int64
from .distances import scan_distances
from .metric import COSINE, EUCLIDEAN, graph_of

if TYPE_CHECKING:
    from ...neighbors import NeighborGraph
else:  # importing it would import Numba
    NeighborGraph = Any

# The arithmetic for comparing tied points with all points: some 10 s on two cores.
MAX_FLOPS = 2e11
# Above this, one second, neighbors are first searched again, several times as many as count: most
# ties end among them.
WIDER_FLOPS = 2e10
WIDER = 6
# A distance costs as much as this many features, however few there are.
LEAST_FEATURES = 8
# Numbers of neighbors by class in memory.
MAX_COUNTS = 2**24
# Points in which ties are looked for, at least, if the graph has no further neighbor.
MIN_SAMPLE = 128
# Squared distances are equal that differ by less than this fraction: of rounded data they are equal
# but for rounding. Directions are rounded to float32, so theirs differ by more.
EQUAL = 1e-9
EQUAL_COSINES = 1e-6
# Up to this share of tied points, as of large integers by chance, nothing is said.
FEW = 0.05
# Rows at a time in steps over all their neighbors.
ROWS = 2**16
# Pairs of points at a time, in values.
VALUES = 2**22


@dataclass(frozen=True, eq=False)
class Tied:
    """Points whose k nearest neighbors can be chosen in several ways.

    Attributes
    ----------
    rows : array of int64 (n_tied,)
        Their indices, ascending.
    expected : array of float64 (n_tied, n_classes) or (n_tied, 1)
        The mean number of neighbors of each class among the k, over all choices; or only of the
        point's own class.
    n_compared : int
        For how many of them all points at that distance are known. For the others the mean is over
        the choices among the neighbors in the graph, which are a random part of those points.
    """

    rows: Int64[Array, " tied"]
    expected: Float64[Array, "tied classes"]
    n_compared: int

    def note(self, measure: str, n_samples: int) -> tuple[str, ...]:
        """Return a note on the ties; none if they are few."""
        if len(self.rows) <= FEW * n_samples:
            return ()
        note = (
            f"{len(self.rows)} of {n_samples} points have more neighbors at the distance of their "
            f"k-th than k counts; {measure} is the mean over all choices of them"
        )
        if self.n_compared < len(self.rows):
            note += (
                f" for {self.n_compared} of these points, and over the choices among the neighbors "
                "in the graph for the others"
            )
        return (note,)


def tied_neighbors(
    graph: NeighborGraph,
    k: int,
    codes: Array,
    points: Rows | None,
    *,
    by_class: bool,
    n_jobs: int | None = None,
) -> Tied:
    """Find the points with ties at their k-th neighbor, and count their neighbors over all choices.

    Parameters
    ----------
    graph : NeighborGraph
        Ties are seen by the neighbors after the k-th. If a graph has none, or too few for the ties
        to end, more are searched.
    k : int
    codes : array of int64 (n_samples,)
        The classes, 0..C-1.
    points : array or StoredPoints, (n_samples, n_features), optional
        What the graph is of, by Euclidean distance (`in_metric`). Without them, and for a graph of
        another metric, only the neighbors in the graph are known.
    by_class : bool
        Count the neighbors of every class; otherwise of the point's own.
    """
    metric = _metric_of(graph)
    if metric not in (EUCLIDEAN, COSINE):
        points = None
    equal = EQUAL_COSINES if metric == COSINE else EQUAL
    n, width = len(codes), int(codes.max()) + 1 if by_class else 1
    columns = graph.indices.shape[1]
    if (
        columns == k < n - 1
        and points is not None
        and _sample_has_ties(graph, k, points, equal, n_jobs)
    ):
        graph = _wider(graph, k, points, n_jobs)
    seen = _SeenTies.of(graph, k, points, equal)
    if points is None:
        return Tied(seen.rows, seen.expected(graph, k, codes, width), 0)
    cost = _row_cost(*points.shape)
    if columns < WIDER * k and seen.is_open.sum() * cost > WIDER_FLOPS:
        # A search for more neighbors is faster than all distances of so many points.
        graph = _wider(graph, k, points, n_jobs)
        seen = _SeenTies.of(graph, k, points, equal)
    rows = seen.rows
    expected = seen.expected(graph, k, codes, width)
    compared = _affordable(graph, rows, np.flatnonzero(seen.is_open), cost, width)
    if len(compared):
        scan = TieScan(rows[compared], graph.indices[rows[compared], k - 1], codes, width, equal)
        scan_distances(points, scan.rows, [scan], n_jobs)
        # An approximate graph may lack nearer points.
        is_valid = scan.is_tied(k)
        compared = compared[is_valid]
        expected[compared] = scan.expected(k)[is_valid]
    return Tied(rows, expected, int((~seen.is_open).sum()) + len(compared))


@dataclass(frozen=True, eq=False)
class _SeenTies:
    """The ties among the neighbors in a graph.

    Attributes
    ----------
    rows : array of int64 (n_tied,)
        The points with ties at their k-th neighbor.
    near, at : arrays of bool (n_tied, n_neighbors)
        Which of their neighbors are nearer than the k-th, and which as far.
    is_open : array of bool (n_tied,)
        Whether the graph may lack points as far as the k-th.
    """

    rows: Array
    near: Array
    at: Array
    is_open: Array

    @classmethod
    def of(cls, graph: NeighborGraph, k: int, points: Rows | None, equal: float) -> _SeenTies:
        distances = graph.distances
        n, columns = distances.shape
        if columns == k:
            none = np.zeros((0, columns), np.bool_)
            return cls(np.zeros(0, np.int64), none, none, np.zeros(0, np.bool_))
        # Half the squares of unit vectors are 1 - cos.
        slack = np.float32(1 + equal if _metric_of(graph) == COSINE else 1)
        rows = np.flatnonzero(distances[:, k] <= distances[:, k - 1] * slack)
        near, at = np.empty((2, len(rows), columns), np.bool_)
        for part in _parts(len(rows)):
            found = distances[rows[part]]
            kth = found[:, k - 1 : k]
            np.less(found, kth / slack, out=near[part])
            np.less_equal(found, kth * slack, out=at[part])
            at[part] &= ~near[part]
        is_open = at[:, -1] & (columns < n - 1)
        if points is None or not len(rows):
            return cls(rows, near, at, is_open)
        # In float32 two distances may be equal by chance.
        side = _compare(points, rows, graph.indices[rows], at, k, equal)
        near, at = near | (side < 0), at & (side == 0)
        # A run that ends in float64 within the graph is complete, too.
        is_open &= at[:, -1]
        tied = near.sum(axis=1) + at.sum(axis=1) > k
        return cls(rows[tied], near[tied], at[tied], is_open[tied])

    def expected(
        self, graph: NeighborGraph, k: int, codes: Array, width: int
    ) -> Float64[Array, "tied classes"]:
        """Count over the choices among these neighbors."""
        expected = np.empty((len(self.rows), width))
        for part in _parts(len(self.rows)):
            rows, near, at = self.rows[part], self.near[part], self.at[part]
            share = (k - near.sum(axis=1)) / np.maximum(at.sum(axis=1), 1)
            weights = near + at * share[:, None]
            labels = codes[graph.indices[rows]]
            if width == 1:
                same = labels == codes[rows][:, None]
                expected[part, 0] = (weights * same).sum(axis=1)
            else:
                cells = np.arange(len(rows))[:, None] * width + labels
                counts = np.bincount(cells.ravel(), weights.ravel(), len(rows) * width)
                expected[part] = counts.reshape(len(rows), width)
        return expected


def _parts(n: int) -> Iterator[slice]:
    """Cut rows into blocks in which all neighbors are compared at once."""
    for start in range(0, n, ROWS):
        yield slice(start, min(start + ROWS, n))


class TieScan:
    """Counts, among all points, those nearer than a row's k-th neighbor and those as far.

    Parameters
    ----------
    rows, kth : arrays of int (n_rows,)
        The evaluated points, and the k-th neighbor of each.
    codes : array of int64 (n_samples,)
    width : int
        The number of classes, or 1 to count only a point's own.
    equal : float
        Squared distances are equal that differ by this fraction or less.
    """

    def __init__(self, rows: Array, kth: Array, codes: Array, width: int, equal: float) -> None:
        self.rows, self._kth, self._codes, self._equal = rows, kth, codes, equal
        self._near, self._at = np.zeros((2, len(rows), width), np.int32)
        self._n_near, self._n_at = np.zeros((2, len(rows)), np.int64)

    def __call__(self, part: slice, squares: Array) -> None:
        """Count in a block of squared distances."""
        from .kernels_ties import count_tied

        count_tied(
            squares,
            self.rows[part],
            self._kth[part],
            self._codes,
            self._codes[self.rows[part]],
            self._equal,
            self._near[part],
            self._at[part],
            self._n_near[part],
            self._n_at[part],
        )

    def is_tied(self, k: int) -> Array:
        """Whether the k nearest of each row can be chosen in several ways."""
        return np.asarray((self._n_near < k) & (self._n_near + self._n_at > k))

    def expected(self, k: int) -> Float64[Array, "rows classes"]:
        """Return the nearer points by class, and the chosen ones' share of those as far."""
        share = (k - self._n_near) / np.maximum(self._n_at, 1)
        return np.asarray(self._near + share[:, None] * self._at)


def _sample_has_ties(
    graph: NeighborGraph, k: int, points: Rows, equal: float, n_jobs: int | None
) -> bool:
    """Whether some of a sample of the points have ties at their k-th neighbor."""
    n = len(points)
    size = max(MIN_SAMPLE, int(WIDER_FLOPS / _row_cost(*points.shape)))
    rows = np.sort(_by_content(graph, np.arange(n))[:size])
    scan = TieScan(rows, graph.indices[rows, k - 1], np.zeros(n, np.int64), 1, equal)
    scan_distances(points, rows, [scan], n_jobs)
    return bool(scan.is_tied(k).any())


def _wider(graph: NeighborGraph, k: int, points: Rows, n_jobs: int | None) -> NeighborGraph:
    """Return a graph with several times k neighbors, among which most ties end."""
    n_neighbors = min(WIDER * k, len(points) - 1)
    return graph_of(points, n_neighbors, _metric_of(graph), n_jobs)


def _metric_of(graph: NeighborGraph) -> str:
    return str(getattr(graph, "metric", EUCLIDEAN))


def _affordable(
    graph: NeighborGraph, rows: Array, places: Array, cost: float, width: int
) -> Int64[Array, " compared"]:
    """Return those places of tied rows that can be compared with all points."""
    most = max(1, int(min(MAX_FLOPS / cost, MAX_COUNTS / width)))
    if len(places) <= most:
        return places
    return np.sort(places[_by_content(graph, rows[places])[:most]])


def _row_cost(n: int, n_features: int) -> float:
    return 2.0 * n * (n_features + LEAST_FEATURES)


def _by_content(graph: NeighborGraph, rows: Array) -> Array:
    """Order rows at random, but independently of the order of the samples: by their distances."""
    from ...neighbors import row_hashes

    distances = np.ascontiguousarray(graph.distances[rows], np.float32)
    return np.argsort(row_hashes(distances, 1), kind="stable")


def _compare(
    points: Rows, rows: Array, indices: Array, among: Array, k: int, equal: float
) -> Array:
    """Whether neighbors are nearer than the k-th in float64 (-1), as far (0), or farther (1).

    Only those ``among`` (n_rows, n_neighbors) are compared; for the others it is 0.
    """
    side = np.zeros(among.shape, np.int8)
    step = max(1, VALUES // (points.shape[1] * max(1, int(among.sum(axis=1).max()))))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        place, column = np.nonzero(among[part])
        used, inverse = np.unique(
            np.concatenate([rows[part], indices[part][place, column]]), return_inverse=True
        )
        values = points[used].astype(np.float64)
        own, other = values[inverse[: len(among[part])]], values[inverse[len(among[part]) :]]
        squares = np.square(other - own[place]).sum(axis=1)
        kth = squares[column == k - 1][place]
        ahead = squares - kth
        slack = equal * np.maximum(squares, kth)
        side[part][place, column] = (ahead > slack).astype(np.int8) - (ahead < -slack)
    return side
