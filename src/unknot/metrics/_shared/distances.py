"""Distances from chosen points to all others, a few rows at a time: never a table of all pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..._io.stored_points import Rows, StoredPoints
from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam, single_threaded_blas
from ..._sampling import draw_stratified
from ..._typing import Array
from .moments import robust_origin

# Rows at once, and columns that are taken to float64 at once. All points pass through the caches
# once for each block of rows: with half as many rows the products take nearly twice the time.
ROWS = 256
COLUMNS = 2048
# The same of points on disk, of which there are a few thousand in memory.
STORED_COLUMNS = 512
# Up to this many bytes all points are taken to float64 once, not a block for each block of rows.
WHOLE_BYTES = 2**29

# What is done with a block of rows: (their numbers among all rows, squared distances to all).
Consumer = Callable[[slice, Array], None]


def scan_distances(
    points: Rows, rows: Array, consumers: list[Consumer], n_jobs: int | None = None
) -> None:
    """Hand the squared distances from each of the chosen points to all to every consumer.

    Distances are computed in float64: where a layer has collapsed they are small beside the
    points' norms, and float32 would lose them. Blocks are the same whatever the number of
    threads, and so is every number.
    """
    from .kernels_distances import products_to_squared_distances

    if isinstance(points, StoredPoints):
        _scan_stored(points, rows, consumers, n_jobs)
        return
    origin = _rounded_mean(points)
    if 8 * points.size <= WHOLE_BYTES:
        points, origin = points - origin, np.zeros(points.shape[1])
    norms = np.empty(len(points))
    for start in range(0, len(points), COLUMNS):
        block = points[start : start + COLUMNS] - origin
        norms[start : start + COLUMNS] = np.einsum("ij,ij->i", block, block)

    blocks = max(1, -(-len(rows) // ROWS))
    # Of one size, for the threads to share.
    size = -(-len(rows) // blocks)

    def scan(number: int) -> None:
        part = slice(number * size, min((number + 1) * size, len(rows)))
        own = rows[part]
        queries = points[own] - origin
        squares = np.empty((len(own), len(points)))
        for start in range(0, len(points), COLUMNS):
            block = points[start : start + COLUMNS]
            if origin.any():
                block = block - origin
            np.matmul(queries, block.T, out=squares[:, start : start + COLUMNS])
        products_to_squared_distances(squares, norms, own, norms[own])
        for consume in consumers:
            consume(part, squares)

    # Each thread holds a block of distances; together they hold no more than a copy of the points.
    most = max(1, WHOLE_BYTES // (8 * ROWS * len(points)))
    with single_threaded_blas(), ThreadTeam(min(resolve_n_jobs(n_jobs), blocks, most)) as team:
        team.run(scan, blocks)


def _scan_stored(
    points: StoredPoints, rows: Array, consumers: list[Consumer], n_jobs: int | None
) -> None:
    """Scan points on disk, for as many of the chosen points at a time as there is memory for."""
    from .kernels_distances import products_to_squared_distances

    origin = _rounded_mean(points)
    norms = np.empty(len(points))
    at_once = ROWS * max(1, points.max_memory // (8 * ROWS * len(points)))
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        for first in range(0, len(rows), at_once):
            own = rows[first : first + at_once]
            queries = points[own] - origin
            squares = np.empty((len(own), len(points)))
            for part in points.slabs(points.max_memory // 8):
                block = points[part]

                def multiply(
                    number: int,
                    start: int = part.start,
                    block: Array = block,
                    queries: Array = queries,
                    squares: Array = squares,
                ) -> None:
                    some = block[number * STORED_COLUMNS : (number + 1) * STORED_COLUMNS] - origin
                    begin = start + number * STORED_COLUMNS
                    norms[begin : begin + len(some)] = np.einsum("ij,ij->i", some, some)
                    np.matmul(queries, some.T, out=squares[:, begin : begin + len(some)])

                team.run(multiply, -(-len(block) // STORED_COLUMNS))

            def finish(
                number: int, first: int = first, own: Array = own, squares: Array = squares
            ) -> None:
                part = slice(number * ROWS, min((number + 1) * ROWS, len(own)))
                products_to_squared_distances(squares[part], norms, own[part], norms[own[part]])
                for consume in consumers:
                    consume(slice(first + part.start, first + part.stop), squares[part])

            team.run(finish, -(-len(own) // ROWS))


def _rounded_mean(points: Rows) -> Array:
    """Return the mean, rounded to a 4096th of the largest coordinate or less.

    A large offset would cost the distances their digits; and by an origin that is not round, points
    on a grid would lose the equality of theirs, which is decided by index.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    largest = max(float(high.max()), -float(low.min()))
    if largest == 0.0:
        return np.zeros(points.shape[1])
    step = 2.0 ** (np.floor(np.log2(largest)) - 12)
    mean = points.mean(axis=0, dtype=np.float64)
    return robust_origin(points, np.round(mean / step) * step)


@dataclass(frozen=True, eq=False)
class Sample:
    """The points that stand for all: which, and the weight of each in a mean.

    Attributes
    ----------
    rows : array of int64 (n_sampled,)
        Their indices, ascending.
    weights : array of float64 (n_sampled,)
        They sum to 1; where classes are sampled in other shares than they have, they make up.
    codes : array of int64 (n_sampled,)
        Their classes.
    sizes : array of int64 (n_classes,)
        Points of each class in all the data.
    """

    rows: Array
    weights: Array
    codes: Array
    sizes: Array

    @property
    def whole(self) -> bool:
        """Whether every point is in it."""
        return len(self.rows) == int(self.sizes.sum())

    def mean(self, values: Array) -> float:
        """Estimate the mean over all points."""
        return float(np.average(values, weights=self.weights))

    def standard_error(self, values: Array) -> float:
        """Return the standard error of `mean` from the sampling: 0 where it is whole.

        A stratified mean: sum over classes of (N_c/N)^2 s_c^2/n_c (1 - n_c/N_c).
        """
        if self.whole:
            return 0.0
        drawn = np.maximum(np.bincount(self.codes, minlength=len(self.sizes)), 1)
        means = np.bincount(self.codes, weights=values, minlength=len(self.sizes)) / drawn
        squares = np.bincount(
            self.codes, weights=np.square(values - means[self.codes]), minlength=len(self.sizes)
        )
        variances = squares / np.maximum(drawn - 1, 1)
        shares = self.sizes / self.sizes.sum()
        return float(np.sqrt(np.sum(shares**2 * variances / drawn * (1.0 - drawn / self.sizes))))

    def note(self, what: str, error: float) -> tuple[str, ...]:
        """Say that it is a sample and how large the error is."""
        if self.whole:
            return ()
        return (
            f"{what} is estimated from {len(self.rows)} of {int(self.sizes.sum())} points, drawn "
            f"from each class in its share; the standard error of this is {error:.2g}",
        )


def stratified_sample(
    codes: Array, max_samples: int | None, random_state: int | None, at_least: int = 2
) -> Sample:
    """Draw about ``max_samples`` points, each class in its share but ``at_least`` so many of it."""
    sizes = np.bincount(codes)
    if max_samples is None or max_samples >= len(codes):
        rows = np.arange(len(codes))
        return Sample(rows, np.full(len(codes), 1.0 / len(codes)), codes, sizes)
    wanted = np.maximum(np.round(max_samples * sizes / len(codes)), at_least)
    wanted = np.minimum(wanted, sizes).astype(np.int64)
    rows = draw_stratified(codes, wanted, random_state)
    weights = (sizes / (wanted * len(codes)))[codes[rows]]
    return Sample(rows, weights, codes[rows], sizes)
