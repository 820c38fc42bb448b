"""Repulsion by one potential on a particle mesh.

With K(r) = 1 / (1 + r^2) and phi(y) = sum_j K(|y - y_j|), the repulsive force is
sum_j w_ij^2 (y_i - y_j) = -grad phi(y_i) / 2 and the normaliser Z = sum_i phi(y_i) - N: one scalar
field gives both. It is computed as smooth particle-mesh Ewald does [Essmann1995]: unit charges
spread over a mesh by cubic B-splines, two real transforms with the kernel's between them, and phi
and its gradient read back by the same splines, less what each point does to itself on a mesh,
where the force between a charge and itself is not zero [Ballenegger2012]. An ancestor of low
order, for t-SNE, is [Delchevalerie2021].
"""

from __future__ import annotations

import math

import numpy as np
from scipy import fft

from .._team import Team
from .._typing import Array, Float32
from ._kernels_mesh import gather, spread

# Nodes left free around the points: a point reaches one node before its cell and two after.
MARGIN = 2
# The mesh grows by so many nodes at a time: its influence function is computed anew.
GROWTH = 16
# At least so many cells across the map, whatever its span.
MIN_CELLS = 50
# A wider map gets a coarser mesh: about a gigabyte, and a second of transforms.
MAX_NODES = 2**23
# Rows and columns transformed by one task.
STRIP = 32
CHUNKS = 64


class Mesh:
    """The repulsive field of one map after another.

    Parameters
    ----------
    n_points : int
        Points in a map.
    spacing : float
        Distance of nodes, in units of the map; finer for maps less than 50 nodes across.
    team : Team
        The threads; the result does not depend on their number.
    """

    def __init__(self, n_points: int, spacing: float, team: Team) -> None:
        self._n_points = n_points
        self._spacing = spacing
        self._team = team
        self._shape = (0, 0)
        self._step = 0.0
        self._sums = np.zeros(CHUNKS)

    def field(
        self,
        x: Float32[Array, " points"],
        y: Float32[Array, " points"],
        bounds: tuple[float, float, float, float],
        x_field: Float32[Array, " points"],
        y_field: Float32[Array, " points"],
    ) -> float:
        """Compute grad phi at every point, into ``x_field`` and ``y_field``, and return Z.

        ``bounds`` are the least and greatest x, then y.
        """
        self.lay(bounds)
        self.solve(x, y)
        team, sums = self._team, self._sums
        place = (*self._origin, self._per_unit)
        arguments = (x, y, *place, self.potential, self._near, x_field, y_field, sums)
        tasks = min(CHUNKS, 4 * team.n_threads)

        def read(task: int) -> None:
            gather(CHUNKS * task // tasks, CHUNKS * (task + 1) // tasks, CHUNKS, *arguments)

        team.run(read, tasks)
        n = self._n_points
        z = float(sums.sum()) + self._offset * n * (n - 1)
        # Positive in truth; where all points are far from each other, the mesh may lose the sign.
        return max(z, 1e-3 * n)

    def lay(self, bounds: tuple[float, float, float, float]) -> None:
        """Lay the mesh under a map; a new influence function where its size has changed."""
        x_low, x_high, y_low, y_high = bounds
        # Cells finer than float32 tells places apart would hold no point where it is.
        reach = max(abs(x_low), abs(x_high), abs(y_low), abs(y_high))
        span = max(x_high - x_low, y_high - y_low, 1e-3 * reach, 1e-12)
        step = self._spacing
        if span < MIN_CELLS * step:
            # Rungs of a ladder, so that the influence function serves for many iterations.
            step = 2.0 ** (math.floor(4 * math.log2(span / MIN_CELLS)) / 4)
        while _nodes(x_high - x_low, step) * _nodes(y_high - y_low, step) > MAX_NODES:
            step *= 2**0.25
        shape = (_nodes(x_high - x_low, step), _nodes(y_high - y_low, step))
        if step != self._step:
            self._shape = (0, 0)
        # A little too large a mesh is kept: maps breathe.
        if any(
            not wanted <= has <= wanted + 2 * GROWTH
            for wanted, has in zip(shape, self._shape, strict=True)
        ):
            self._resize(shape, step)
        nx, ny = self._shape
        self._origin = (
            np.float32((x_low + x_high) / 2 - (nx - 1) / 2 * step),
            np.float32((y_low + y_high) / 2 - (ny - 1) / 2 * step),
        )
        self._per_unit = np.float32(1 / step)

    def frame(self) -> tuple[float, float, float, float, Array]:
        """Return the origin's x and y, nodes per unit, and what to add to the potential at them."""
        x0, y0 = self._origin
        offset = self._offset * self._n_points
        return float(x0), float(y0), float(self._per_unit), offset, self.potential

    def _resize(self, shape: tuple[int, int], step: float) -> None:
        nx, ny = self._shape = shape
        self._step = step
        self._padded = (fft.next_fast_len(2 * nx), fft.next_fast_len(2 * ny, real=True))
        self._influence, self._offset = _influence(self._padded, shape, step)
        self._near = _potential_nearby(self._influence, self._padded)
        # More partial meshes let more threads spread, but each has to be cleared and added.
        parts = int(np.clip(2 * self._n_points // (nx * ny), 2, 16))
        self._charges = np.empty((parts, nx, ny), np.float32)
        self._spectrum = np.empty((nx, self._padded[1] // 2 + 1), np.complex64)
        self.potential = np.empty((nx, ny), np.float32)

    def solve(self, x: Float32[Array, " points"], y: Float32[Array, " points"]) -> None:
        """Compute the potential at the nodes, short of a constant."""
        team, charges, spectrum = self._team, self._charges, self._spectrum
        n, parts = len(x), len(charges)
        nx, ny = self._shape
        mx, my = self._padded
        n_columns = spectrum.shape[1]

        def scatter(part: int) -> None:
            first, last = n * part // parts, n * (part + 1) // parts
            spread(x, y, first, last, *self._origin, self._per_unit, charges[part])

        def transform_rows(task: int) -> None:
            rows = slice(task * STRIP, (task + 1) * STRIP)
            charge = charges[:, rows].sum(axis=0)
            spectrum[rows] = fft.rfft(charge, n=my, axis=1)

        def convolve_columns(task: int) -> None:
            columns = slice(task * STRIP, (task + 1) * STRIP)
            strip = fft.fft(spectrum[:, columns], n=mx, axis=0)
            strip *= self._influence[:, columns]
            spectrum[:, columns] = fft.ifft(strip, axis=0, overwrite_x=True)[:nx]

        def transform_back(task: int) -> None:
            rows = slice(task * STRIP, (task + 1) * STRIP)
            self.potential[rows] = fft.irfft(spectrum[rows], n=my, axis=1)[:, :ny]

        team.run(scatter, parts)
        team.run(transform_rows, -(-nx // STRIP))
        team.run(convolve_columns, -(-n_columns // STRIP))
        team.run(transform_back, -(-nx // STRIP))


def _nodes(span: float, step: float) -> int:
    return -(-(math.ceil(span / step) + 2 * MARGIN + 1) // GROWTH) * GROWTH


def _potential_nearby(
    influence: Float32[Array, "mx half"], padded: tuple[int, int]
) -> Float32[Array, "4 4"]:
    """Compute the potential of a unit charge at one node, at the nodes 0 to 3 away."""
    along_x = fft.ifft(influence.astype(np.float64), axis=0)[:4]
    return fft.irfft(along_x, n=padded[1], axis=1)[:, :4].astype(np.float32)


def _influence(
    padded: tuple[int, int], shape: tuple[int, int], step: float
) -> tuple[Float32[Array, "mx half"], float]:
    """Transform the sampled kernel, zero-padded to free space [Hockney1988], over the splines' own.

    What is sampled is K - c, with c the least K on the mesh, so that a map 1e-4 across, where K is
    1 to within float32's rounding, has its forces in full precision. With R the mesh's diagonal,
    K(r) - K(R) = (R^2 - r^2) / ((1 + r^2)(1 + R^2)). Returns the influence function and c.
    """
    mx, my = padded
    x = np.minimum(np.arange(mx), mx - np.arange(mx)) * step
    y = np.minimum(np.arange(my), my - np.arange(my)) * step
    far = (shape[0] * step) ** 2 + (shape[1] * step) ** 2
    squares = x[:, None] ** 2 + y[None, :] ** 2
    kernel = (far - squares) / ((1 + squares) * (1 + far))
    # The kernel is even in both directions, and so is its transform: real.
    transform = fft.rfft2(kernel).real
    # A cubic B-spline is 2/3 at its centre and 1/6 at the nodes beside it.
    bx = 2 / 3 + np.cos(2 * np.pi * fft.fftfreq(mx)) / 3
    by = 2 / 3 + np.cos(2 * np.pi * fft.rfftfreq(my)) / 3
    result = (transform / (bx[:, None] ** 2 * by[None, :] ** 2)).astype(np.float32)
    return result, 1 / (1 + far)
