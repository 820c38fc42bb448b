"""Repulsion from one potential on a particle mesh.

1000 iterations for MNIST's 60,000 images take 2.65 s on two threads; openTSNE's FIt-SNE takes
85.76 s, and ends at a higher exact KL divergence (docs/benchmarks.md).

With K(r) = 1 / (1 + r^2) and phi(y) = sum_j K(|y - y_j|), the repulsive force is
sum_j w_ij^2 (y_i - y_j) = -grad phi(y_i) / 2 and the normalizer Z = sum_i phi(y_i) - N: one scalar
field gives both. It is computed by smooth particle-mesh Ewald [Essmann1995]: unit charges are
spread over a mesh by cubic B-splines and convolved with the kernel by real Fourier transforms; phi
and its gradient are interpolated by the same splines, less each point's contribution to itself,
as on a mesh the force of a charge on itself is not zero [Ballenegger2012]. A predecessor of low
order for t-SNE is [Delchevalerie2021].
"""

from __future__ import annotations

import numpy as np

from .._parallel.shared_state import give_up, new_shared
from .._parallel.simd import LANES
from .._parallel.thread_team import ThreadTeam
from .._prebuilt.kernel import Kernel
from .._typing import Array, Float32
from ._kernels_rules import (
    GROWTH,
    MIN_CELLS,
    find_origin,
    fits,
    map_width,
    nodes_across,
    normalizer,
    rung,
)
from ._potentials import Potential

find_field = Kernel(f"{__package__}._kernels_mesh", "find_field")

# A wider map gets a coarser mesh. This many nodes take half a gigabyte and a second of transforms.
MAX_NODES = 2**23
# Parts of the points with sums of their own; fixed, so that rounding does not depend on threads.
CHUNKS = 64


class Mesh:
    """Computes the repulsive field of a sequence of maps of the same points.

    Parameters
    ----------
    n_points : int
        Number of points.
    spacing : float
        Distance between nodes, in units of the map; finer for maps less than 50 nodes across.
    team : ThreadTeam
        The result does not depend on its number of threads.

    Attributes
    ----------
    spacing : float
        As given; may be changed before `resize`.
    layout : (int, int, float, float)
        Rows, columns, distance between nodes, and the spacing for which they were chosen.
    solver : Potential
        Computes the potential at the nodes from the charges there.
    charges : ndarray of shape (parts, rows, columns), float32
        Charges of each part of the points. More parts occupy more threads, but each must be cleared
        and added.
    potential : ndarray of shape (rows, columns), float32
        At the nodes, up to a constant.
    buffers : ndarray of shape (2 n_threads, ...), float32
        Two buffers per thread.
    """

    solver: Potential
    charges: Float32[Array, "parts x y"]
    potential: Float32[Array, "x y"]
    buffers: Float32[Array, "buffers numbers"]

    def __init__(self, n_points: int, spacing: float, team: ThreadTeam) -> None:
        self._n_points = n_points
        self._team = team
        self.spacing = spacing
        self.layout = (0, 0, 0.0, spacing)

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
        sums = np.zeros(CHUNKS)
        self.resize(bounds)
        n = len(x)
        # Padded for the kernels, which process sixteen points at a time.
        x, y = (np.pad(values, (0, -n % LANES), mode="edge") for values in (x, y))
        fields = np.empty((2, len(x)), np.float32)
        self._find(x, y, bounds, fields[0], fields[1], sums)
        x_field[:], y_field[:] = fields[:, :n]
        return float(normalizer(sums.sum(), self.solver.offset, self._n_points))

    def solve(
        self,
        x: Float32[Array, " points"],
        y: Float32[Array, " points"],
        bounds: tuple[float, float, float, float],
    ) -> tuple[float, float, float, float, Array]:
        """Compute the potential at the nodes.

        Returns the origin's x and y, the nodes per unit, the constant to add to the potential, and
        the potential at the nodes.
        """
        self.resize(bounds)
        no_field = np.empty(0, np.float32)
        self._find(x, y, bounds, no_field, no_field, np.zeros(0))
        rows, columns, step, _ = self.layout
        x0, y0 = find_origin(bounds, (rows, columns), step, 0)
        offset = self.solver.offset * self._n_points
        return float(x0), float(y0), float(np.float32(1 / step)), offset, self.potential

    def resize(self, bounds: tuple[float, float, float, float]) -> None:
        """Fit the mesh to a map; recompute the influence function if its size changes."""
        *old, chosen_for = self.layout
        if old[0] and chosen_for == self.spacing and fits(bounds, self.layout):
            return
        x_low, x_high, y_low, y_high = bounds
        step = self.spacing
        width = map_width(bounds)
        if width < MIN_CELLS * step:
            # Discrete levels, so that an influence function serves many iterations.
            step = float(2.0 ** (rung(width) / 4))
        while True:
            rows = -(-int(nodes_across(x_high - x_low, step)) // GROWTH) * GROWTH
            columns = -(-int(nodes_across(y_high - y_low, step)) // GROWTH) * GROWTH
            if rows * columns <= MAX_NODES:
                break
            step *= 2**0.25
        self.layout = (rows, columns, step, self.spacing)
        if [rows, columns, step] == old:
            return
        self.solver = Potential.of((rows, columns), step)
        parts = int(np.clip(2 * self._n_points // (rows * columns), 2, 16))
        self.charges = np.empty((parts, rows, columns), np.float32)
        self.potential = np.empty((rows, columns), np.float32)
        size = max(self.solver.fine.buffer_size, self.solver.coarse.buffer_size)
        self.buffers = np.empty((2 * self._team.n_threads, size), np.float32)

    def _find(
        self,
        x: Array,
        y: Array,
        bounds: tuple[float, float, float, float],
        x_field: Array,
        y_field: Array,
        sums: Array,
    ) -> None:
        rows, columns, step, _ = self.layout
        origin = find_origin(bounds, (rows, columns), step, 0)
        shared, n_threads = new_shared(), self._team.n_threads
        mesh = (self.charges, self.solver, self.buffers, self.potential)
        points = (x, y, self._n_points, origin, np.float32(1 / step))
        self._team.run_all(
            lambda thread: find_field(
                thread, n_threads, shared, *points, *mesh, x_field, y_field, sums
            ),
            lambda: give_up(shared),
        )
