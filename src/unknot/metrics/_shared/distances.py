"""Distances from selected points to all others, in blocks: never a matrix of all pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..._io.stored_points import Rows, StoredPoints
from ..._parallel.n_jobs import resolve_n_jobs
from ..._parallel.thread_team import ThreadTeam, single_threaded_blas
from ..._sampling import draw_stratified
from ..._typing import Array
from ..._validation.numbers import check_integer, check_random_state, random_generator
from .moments import robust_origin

# Rows that a consumer gets at a time.
ROWS = 256
# Columns that a thread converts to float64 and multiplies at a time; fewer of points on disk, of
# which a few thousand are in memory.
COLUMNS = 2048
STORED_COLUMNS = 512
# Bytes of distances in memory at once. All points are converted once for as many rows.
SQUARES_BYTES = 2**28
# Up to this many bytes, all points are converted to float64 once for all rows.
WHOLE_BYTES = 2**29
# Two points of each class are drawn as long as that is no more points than this.
ENOUGH = 2000

# Receives a block: (slice into the selected rows, their squared distances to all points).
Consumer = Callable[[slice, Array], None]


def scan_distances(
    points: Rows, rows: Array, consumers: list[Consumer], n_jobs: int | None = None
) -> None:
    """Pass the squared distances from each selected point to all points to every consumer.

    Distances are computed in float64: in a collapsed layer they are small relative to the norms,
    and float32 would lose them. The blocks, and so the results, do not depend on the number of
    threads.
    """
    from .kernels_distances import products_to_squared_distances

    origin = _rounded_mean(points)
    if isinstance(points, StoredPoints):
        slabs, columns = points.slabs(points.max_memory // 8), STORED_COLUMNS
        squares_bytes = points.max_memory
    else:
        slabs, columns = [slice(0, len(points))], COLUMNS
        squares_bytes = SQUARES_BYTES
        if 8 * points.size <= WHOLE_BYTES:
            points, origin = points - origin, np.zeros(points.shape[1])
    norms = np.empty(len(points))
    at_once = ROWS * max(1, squares_bytes // (8 * ROWS * len(points)))
    with single_threaded_blas(), ThreadTeam(resolve_n_jobs(n_jobs)) as team:
        for first in range(0, len(rows), at_once):
            own = rows[first : first + at_once]
            queries = points[own] - origin
            squares = np.empty((len(own), len(points)))
            for slab in slabs:
                block = points[slab]

                def multiply(
                    number: int,
                    start: int = slab.start,
                    block: Array = block,
                    queries: Array = queries,
                    squares: Array = squares,
                ) -> None:
                    chunk = block[number * columns : (number + 1) * columns]
                    if chunk.dtype != np.float64 or origin.any():
                        chunk = chunk - origin
                    begin = start + number * columns
                    norms[begin : begin + len(chunk)] = np.einsum("ij,ij->i", chunk, chunk)
                    np.matmul(queries, chunk.T, out=squares[:, begin : begin + len(chunk)])

                team.run(multiply, -(-len(block) // columns))

            def finish(
                number: int, first: int = first, own: Array = own, squares: Array = squares
            ) -> None:
                part = slice(number * ROWS, min((number + 1) * ROWS, len(own)))
                products_to_squared_distances(squares[part], norms, own[part], norms[own[part]])
                for consume in consumers:
                    consume(slice(first + part.start, first + part.stop), squares[part])

            team.run(finish, -(-len(own) // ROWS))


def _rounded_mean(points: Rows) -> Array:
    """Return the mean, rounded to 1/4096 of the largest coordinate or less.

    Without an origin, a large offset would cost the distances precision; with one that is not
    rounded, equal distances of points on a grid would become unequal.
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
    """A stratified sample of the points, with weights for estimating means.

    Attributes
    ----------
    rows : array of int64 (n_sampled,)
        Their indices, ascending.
    weights : array of float64 (n_sampled,)
        Weights of the points in a mean over all points; they sum to 1 and correct for classes
        that are over- or underrepresented.
    codes : array of int64 (n_sampled,)
        Their classes.
    sizes : array of int64 (n_classes,)
        Number of points of each class in all the data.
    by_class : bool
        Whether at least two points of each class were drawn; with many classes it is a systematic
        sample of the points in the order of their classes.
    """

    rows: Array
    weights: Array
    codes: Array
    sizes: Array
    by_class: bool = True

    @property
    def whole(self) -> bool:
        """Whether it contains every point."""
        return len(self.rows) == int(self.sizes.sum())

    def mean(self, values: Array) -> float:
        """Estimate the mean over all points."""
        return float(np.average(values, weights=self.weights))

    def standard_error(self, values: Array) -> float:
        """Return the standard error of `mean` due to the sampling; 0 if `whole`.

        For a stratified mean: sum over classes of (N_c/N)^2 s_c^2/n_c (1 - n_c/N_c). For a
        systematic sample that of a simple random one, which is larger: s^2/n (1 - n/N).
        """
        if self.whole:
            return 0.0
        if not self.by_class:
            share = len(self.rows) / self.sizes.sum()
            return float(values.std(ddof=1) * np.sqrt((1.0 - share) / len(self.rows)))
        drawn = np.maximum(np.bincount(self.codes, minlength=len(self.sizes)), 1)
        means = np.bincount(self.codes, weights=values, minlength=len(self.sizes)) / drawn
        squares = np.bincount(
            self.codes, weights=np.square(values - means[self.codes]), minlength=len(self.sizes)
        )
        variances = squares / np.maximum(drawn - 1, 1)
        shares = self.sizes / self.sizes.sum()
        return float(np.sqrt(np.sum(shares**2 * variances / drawn * (1.0 - drawn / self.sizes))))

    def class_means(self, values: Array) -> Array:
        """Return the mean of each class; NaN for classes without a sampled point."""
        counts = np.bincount(self.codes, minlength=len(self.sizes))
        totals = np.bincount(self.codes, weights=values, minlength=len(self.sizes))
        return np.asarray(
            np.divide(totals, counts, out=np.full(len(counts), np.nan), where=counts > 0)
        )

    def note(self, what: str, error: float) -> tuple[str, ...]:
        """Return a note on the sampling and its standard error; none if `whole`."""
        if self.whole:
            return ()
        return (
            f"{what} is estimated from {len(self.rows)} of {int(self.sizes.sum())} points, a "
            f"{'stratified' if self.by_class else 'systematic'} sample; its standard error is "
            f"{error:.2g}",
        )


def stratified_sample(
    codes: Array, max_samples: int | None, random_state: int | None, at_least: int = 2
) -> Sample:
    """Draw about ``max_samples`` points, stratified, with ``at_least`` this many of each class.

    If that were more than `ENOUGH` points, because there are many classes, the points are ordered
    by class, in random order within each, and every so many-th one is taken.
    """
    sizes = np.bincount(codes)
    if max_samples is not None:
        check_integer(max_samples, "max_samples", 1, bounds="of at least 1, or None for all")
    if max_samples is None or max_samples >= len(codes):
        rows = np.arange(len(codes))
        return Sample(rows, np.full(len(codes), 1.0 / len(codes)), codes, sizes)
    if at_least * len(sizes) > max(max_samples, ENOUGH):
        return systematic_sample(codes, max(max_samples, ENOUGH), random_state)
    wanted = np.maximum(np.round(max_samples * sizes / len(codes)), at_least)
    wanted = np.minimum(wanted, sizes).astype(np.int64)
    rows = draw_stratified(codes, wanted, check_random_state(random_state))
    weights = (sizes / (wanted * len(codes)))[codes[rows]]
    return Sample(rows, weights, codes[rows], sizes)


def systematic_sample(codes: Array, n: int, random_state: int | None) -> Sample:
    """Order the points by class, at random within each, and take every so many-th one."""
    if n >= len(codes):
        return stratified_sample(codes, None, random_state)
    sizes = np.bincount(codes)
    rng = random_generator(random_state)
    shuffled = rng.permutation(len(codes))
    ordered = shuffled[np.argsort(codes[shuffled], kind="stable")]
    places = np.floor((rng.random() + np.arange(n)) * len(codes) / n).astype(np.int64)
    rows = np.sort(ordered[places])
    return Sample(rows, np.full(n, 1.0 / n), codes[rows], sizes, by_class=False)
