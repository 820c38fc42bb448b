"""Coordinates in which a few leading numbers bound a distance closely from below.

Along orthonormal axes q_1 .. q_A, the squared distance of two points is at least that of their
coordinates plus the squared difference of their residual norms: by the triangle inequality
|r_i - r_j| >= | |r_i| - |r_j| | for the residuals r. Any orthonormal axes give a valid bound;
principal axes give the tightest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .._parallel.thread_team import ThreadTeam
from .._prebuilt.kernel import Kernel
from .._typing import Array, Float32, Float64

center_rows = Kernel(f"{__package__}._kernels", "center_rows")

# The matrix product uses the leading axes; refining axes tighten the bounds it does not exclude.
LEADING = 112
REFINING = 208
# Principal axes of a sample prune nearly as well as those of all points.
SAMPLE = 8192
# With more features, the axes come from the sample's Gram matrix instead of the covariance.
MANY_FEATURES = 1024
# With fewer points than this and than 4 per feature, a rotation does not pay. With more, it pays
# where its bounds exclude most pairs: that is tried with a few queries and the neighbors at this
# share of the sample.
MIN_SAMPLES_FOR_AXES = 4096
TRIED_QUERIES, TRIED_POINTS = 128, 2048
TRIED_NEIGHBORS = 0.003
# Cost of a feature of a pair in the refined bound and in the distance, in units of that in the
# matrix product. Fitted to MNIST, noise, and low rank with noise; they matter within a factor of 2.
REFINED_COST = 12.0
DISTANCE_COST = 24.0
# For points on disk, axes save memory, too, and pay from this many points on.
MIN_STORED_SAMPLES_FOR_AXES = 2 * (LEADING + REFINING)
ROUNDING = 2.0**-24


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Points in leading and refining coordinates.

    Attributes
    ----------
    lead : ndarray of shape (n_samples, n_lead), float32
        Leading coordinates. With a basis, the last column is the norm of their residual.
    refine : ndarray of shape (n_samples, n_axes + 2), float32
        Refining coordinates, then the residual norms before and after them; of shape
        (n_samples, 0) without a basis.
    errors : ndarray of shape (n_samples,), float32
        Bound of the rounding error of each point's coordinates, as a distance.
    """

    lead: Float32[Array, "samples lead"]
    refine: Float32[Array, "samples refine"]
    errors: Float32[Array, " samples"]

    @property
    def n_axes(self) -> int:
        """The number of refining axes."""
        return max(0, int(self.refine.shape[1]) - 2)

    def ordered(self, order: Array) -> Coordinates:
        """Return the coordinates of the points in another order."""
        return Coordinates(self.lead[order], self.refine[order], self.errors[order])


@dataclass(frozen=True, eq=False)
class Axes:
    """A frame of reference: origin, unit and orthonormal axes.

    Attributes
    ----------
    origin : ndarray of shape (n_features,), float64
        The mean.
    scale : float
        A power of two that scales the points to lengths near 1, so that squares neither overflow
        nor underflow.
    basis : ndarray of shape (n_features, n_axes), float32, or None
        The axes; None for the features themselves.
    """

    origin: Float64[Array, " features"]
    scale: float
    basis: Float32[Array, "features axes"] | None

    @classmethod
    def principal(cls, points: Array, team: ThreadTeam) -> Axes:
        """Fit a frame to points; without a rotation where it would cost more than it saves."""
        n, n_features = points.shape
        origin, scale = frame(points, team)
        too_few = n < min(4 * n_features, MIN_SAMPLES_FOR_AXES)
        if n_features <= LEADING + REFINING // 2 or too_few:
            return cls(origin, scale, None)
        # Of many features, `principal_axes` takes no more rows than are tried below.
        most = SAMPLE if n_features <= MANY_FEATURES else TRIED_POINTS
        chosen = points[np.linspace(0, n - 1, min(n, most)).astype(np.int64)]
        sample = centered(chosen, slice(0, len(chosen)), origin, scale)
        basis = principal_axes(sample, team)
        # Where most distances would be computed in full, a matrix product does that faster.
        return cls(origin, scale, basis if _pays(n, sample, basis) else None)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Axes:
        """Build a frame from what `arrays` returned."""
        basis = arrays["basis"]
        return cls(arrays["origin"], float(arrays["scale"][0]), basis if basis.size else None)

    def arrays(self) -> dict[str, Array]:
        """Return arrays alone, to be stored."""
        basis = np.empty((len(self.origin), 0), np.float32) if self.basis is None else self.basis
        return {"origin": self.origin, "scale": np.array([self.scale]), "basis": basis}

    def coordinates(self, points: Array, team: ThreadTeam) -> Coordinates:
        """Project points onto the axes."""
        n, n_features = points.shape
        basis = self.basis
        if basis is None:
            n_lead, n_refine = n_features, 0
        else:
            n_lead, n_refine = LEADING + 1, basis.shape[1] - LEADING + 2
        lead = np.empty((n, n_lead), np.float32)
        refine = np.empty((n, n_refine), np.float32)
        errors = np.empty(n, np.float32)
        # The error of a sum of m rounded terms is about sqrt(m) roundings, with high probability
        # at most a few times that [Higham2019].
        rounding = ROUNDING * (8 if basis is None else 8 + 4 * np.sqrt(n_features))
        blocks = row_blocks(n, n_features)

        def project(number: int) -> None:
            rows = blocks[number]
            part = centered(points, rows, self.origin, self.scale)
            norms = np.sqrt(np.einsum("ij,ij->i", part, part))
            errors[rows] = rounding * norms
            if basis is None:
                lead[rows] = part
                return
            along = part @ basis
            part -= along @ basis.T
            residual = np.einsum("ij,ij->i", part, part)
            refining = along[:, LEADING:]
            lead[rows, :-1] = along[:, :LEADING]
            lead[rows, -1] = np.sqrt(residual + np.einsum("ij,ij->i", refining, refining))
            refine[rows, :-2] = refining
            refine[rows, -2] = lead[rows, -1]
            refine[rows, -1] = np.sqrt(residual)

        team.run(project, len(blocks))
        return Coordinates(lead, refine, errors)


def frame(points: Array, team: ThreadTeam) -> tuple[Float64[Array, " features"], float]:
    """Compute the mean, and a power of two that scales centered points to lengths near 1."""
    n, n_features = points.shape
    blocks = row_blocks(n, n_features)
    sums = np.empty((len(blocks), n_features))
    low = np.empty((len(blocks), n_features), np.float32)
    high = np.empty((len(blocks), n_features), np.float32)

    def summarize(number: int) -> None:
        rows = points[blocks[number]]
        np.sum(rows, axis=0, dtype=np.float64, out=sums[number])
        np.min(rows, axis=0, out=low[number])
        np.max(rows, axis=0, out=high[number])

    team.run(summarize, len(blocks))
    origin = sums.sum(axis=0) / n
    reach = float(max(np.max(high.max(axis=0) - origin), np.max(origin - low.min(axis=0)), 0.0))
    reach *= n_features**0.5
    return origin, 2.0 ** -np.floor(np.log2(reach)) if reach > 0 else 1.0


def row_blocks(n: int, n_features: int) -> list[slice]:
    """Cut rows into blocks of a few megabytes."""
    step = max(64, 2**20 // n_features)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def centered(points: Array, rows: slice, origin: Array, scale: float) -> Array:
    """Return rows relative to an origin, scaled, as float32."""
    result = np.empty((rows.stop - rows.start, points.shape[1]), np.float32)
    center_rows(points, rows.start, rows.stop, origin, scale, result)
    return result


def _pays(n: int, sample: Array, basis: Array) -> bool:
    """Estimate whether n points are searched faster along axes than in all their features."""
    n_features, n_axes = basis.shape
    sample = sample[:: max(1, len(sample) // TRIED_POINTS)]
    queries = np.linspace(0, len(sample) - 1, min(len(sample), TRIED_QUERIES)).astype(np.int64)
    along = sample @ basis
    squares = np.einsum("ij,ij->i", sample, sample)
    distances = _squares_between(sample, squares, queries)
    rank = max(1, round(TRIED_NEIGHBORS * len(sample)))
    limits = np.partition(distances, min(rank, len(sample) - 1), axis=1)[:, rank, None]
    passed = []
    for width in (LEADING, n_axes):
        lead = along[:, :width]
        lengths = np.einsum("ij,ij->i", lead, lead)
        residuals = np.sqrt(np.maximum(squares - lengths, 0.0))
        bounds = _squares_between(lead, lengths, queries)
        bounds += np.square(residuals[queries, None] - residuals)
        passed.append(float(np.mean(bounds <= limits)))
    refined, computed = passed
    projected = 2.0 * n_axes * n_features / n
    searched = refined * (n_axes - LEADING) * REFINED_COST + computed * n_features * DISTANCE_COST
    return bool(LEADING + searched + projected < n_features)


def _squares_between(points: Array, squares: Array, queries: Array) -> Array:
    """Return the squared distances of some of the points to all (n_queries, n_samples)."""
    products = points[queries] @ points.T
    return np.asarray(squares[queries, None] + squares - 2.0 * products)


def principal_axes(sample: Array, team: ThreadTeam) -> Array:
    """Compute leading principal axes, (n_features, n_axes), orthonormal to float32."""
    n_features = sample.shape[1]
    n_axes = min(LEADING + REFINING, n_features)
    if n_features <= MANY_FEATURES:
        blocks = np.array_split(sample, 8)
        products = np.empty((8, n_features, n_features), np.float32)
        team.run(lambda number: np.dot(blocks[number].T, blocks[number], out=products[number]), 8)
        # In float64, so that the axes are orthonormal to float32 precision.
        covariance = products.sum(axis=0, dtype=np.float64)
        basis = np.linalg.eigh(covariance)[1][:, ::-1][:, :n_axes]
    else:
        rows = sample[:: max(1, len(sample) // MANY_FEATURES)][:MANY_FEATURES].astype(np.float64)
        _, left = np.linalg.eigh(rows @ rows.T)
        vectors = rows.T @ left[:, ::-1][:, :n_axes]
        # QR completes null directions.
        basis = np.linalg.qr(vectors)[0]
    return np.ascontiguousarray(basis, dtype=np.float32)
