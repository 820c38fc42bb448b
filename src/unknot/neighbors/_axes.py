"""Coordinates in which a few leading numbers say nearly all about a distance.

Along orthonormal axes q_1 .. q_A the squared distance of two points is at least that of their
coordinates plus the squared difference of the norms of what the axes leave out: by the triangle
inequality |r_i - r_j| >= | |r_i| - |r_j| |. Any orthonormal axes give a true bound; the principal
ones give the tightest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._parallel.thread_team import ThreadTeam
from .._typing import Array, Float32, Float64
from ._kernels import center_rows

# Leading axes go through the matrix product, refining ones only where its bound holds.
LEADING = 112
REFINING = 208
# Principal axes of a sample prune nearly as well as those of all points.
SAMPLE = 8192
# Beyond this many features, the axes come from the sample's Gram matrix instead of the covariance.
MANY_FEATURES = 1024
# Fewer points, of many more features, are not worth a rotation; more are if the axes say enough
# of their squared lengths.
FEW = 4096
ENOUGH = 0.8
ROUNDING = 2.0**-24


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Points in leading and refining coordinates.

    Attributes
    ----------
    lead : ndarray of shape (n_samples, n_lead), float32
        Leading coordinates; if the axes leave anything out, the last column is its norm.
    refine : ndarray of shape (n_samples, n_axes + 2), float32
        Further coordinates, the norm of what the leading axes leave out, and the norm of what all
        axes leave out; of shape (n_samples, 0) if the leading axes are all there are.
    errors : ndarray of shape (n_samples,), float32
        How far each point may be from where its coordinates say, by rounding.
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
    """A frame of reference for points: origin, unit and orthonormal axes.

    Attributes
    ----------
    origin : ndarray of shape (n_features,), float64
        The mean.
    scale : float
        A power of two that brings the points to lengths about 1, where squares neither overflow
        nor vanish.
    basis : ndarray of shape (n_features, n_axes), float32, or None
        The axes; None for the features themselves.
    """

    origin: Float64[Array, " features"]
    scale: float
    basis: Float32[Array, "features axes"] | None

    @classmethod
    def principal(cls, points: Array, team: ThreadTeam) -> Axes:
        """Fit a frame to points; no rotation where it would cost more than it saves."""
        n, n_features = points.shape
        origin, scale = frame(points, team)
        if n_features <= LEADING + REFINING // 2 or n < min(4 * n_features, FEW):
            return cls(origin, scale, None)
        some = points[np.linspace(0, n - 1, min(n, SAMPLE)).astype(np.int64)]
        sample = centered(some, slice(0, len(some)), origin, scale)
        basis = _principal_axes(sample, team)
        if n < 4 * n_features and _share(sample[: 4 * LEADING], basis) < ENOUGH:
            # Most pairs would be computed in full, which a matrix product does faster.
            return cls(origin, scale, None)
        return cls(origin, scale, basis)

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
        # A sum of m rounded terms is off by about sqrt(m) roundings, with large probability by no
        # more than a few times that [Higham2019].
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
            left = np.einsum("ij,ij->i", part, part)
            beyond = along[:, LEADING:]
            lead[rows, :-1] = along[:, :LEADING]
            lead[rows, -1] = np.sqrt(left + np.einsum("ij,ij->i", beyond, beyond))
            refine[rows, :-2] = beyond
            refine[rows, -2] = lead[rows, -1]
            refine[rows, -1] = np.sqrt(left)

        team.run(project, len(blocks))
        return Coordinates(lead, refine, errors)


def frame(points: Array, team: ThreadTeam) -> tuple[Float64[Array, " features"], float]:
    """Find the mean, and a power of two that brings points relative to it to lengths about 1."""
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
    """Cut rows into blocks of some megabytes."""
    step = max(64, 2**20 // n_features)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def centered(points: Array, rows: slice, origin: Array, scale: float) -> Array:
    """Return rows relative to a frame, in float32."""
    result = np.empty((rows.stop - rows.start, points.shape[1]), np.float32)
    center_rows(points, rows.start, rows.stop, origin, scale, result)
    return result


def _share(points: Array, basis: Array) -> float:
    """Compute how much of the squared lengths of centered points lies along the axes."""
    along = points @ basis
    whole = float(np.einsum("ij,ij->", points, points))
    return float(np.einsum("ij,ij->", along, along)) / whole if whole > 0 else 1.0


def _principal_axes(sample: Array, team: ThreadTeam) -> Array:
    """Compute leading principal axes, (n_features, n_axes), orthonormal to float32."""
    n_features = sample.shape[1]
    n_axes = min(LEADING + REFINING, n_features)
    if n_features <= MANY_FEATURES:
        blocks = np.array_split(sample, 8)
        products = np.empty((8, n_features, n_features), np.float32)
        team.run(lambda number: np.dot(blocks[number].T, blocks[number], out=products[number]), 8)
        # In float64, where the axes come out orthonormal to float32.
        covariance = products.sum(axis=0, dtype=np.float64)
        basis = np.linalg.eigh(covariance)[1][:, ::-1][:, :n_axes]
    else:
        few = sample[:: max(1, len(sample) // MANY_FEATURES)][:MANY_FEATURES].astype(np.float64)
        _, left = np.linalg.eigh(few @ few.T)
        vectors = few.T @ left[:, ::-1][:, :n_axes]
        # Null directions are completed by QR itself.
        basis = np.linalg.qr(vectors)[0]
    return np.ascontiguousarray(basis, dtype=np.float32)
