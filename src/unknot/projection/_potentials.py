"""The potential K(r) = 1 / (1 + r^2) of charges on a mesh, computed on one or two levels.

In free space, a transform needs a mesh twice as wide and high, padded with zeros. So the smooth
part of the kernel of a large mesh is moved to a mesh four times coarser [Skeel2002]: with s an
inverse squared length,

    K(r) = exp(-s (1 + r^2)) / (1 + r^2)  +  (1 - exp(-s (1 + r^2))) / (1 + r^2).

The first term vanishes within a few nodes, and the fine mesh needs only that much padding. The
second is negligible above the coarse mesh's Nyquist frequency, as it is the integral of
exp(-t (1 + r^2)) for t from 0 to s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._typing import Array, Float32, Float64
from ._fourier import STRIP, Convolution, good_length

COARSENING = 4
# A mesh with fewer nodes in one direction is solved on one level.
TWO_LEVELS = 96
# s in units of the coarse spacing: exp(-pi^2 / 4s) = 2e-7 remains at its Nyquist frequency.
SPLIT = 0.16
# Padding of the fine mesh on two levels, in nodes: exp(-s r^2) = 0.02 at this distance.
PADDING = 20
# Nodes of the coarse mesh beyond a quarter of the fine one's.
COARSE_MARGIN = 3
# The smooth part of the potential near a charge is computed on a mesh of this size.
PATCH = (64, 64)
# Weights of narrow B-splines that give one of four times the width: twice those of double width.
_HALVES = np.array([1, 4, 6, 4, 1]) / 8
WEIGHTS = np.convolve(_HALVES, np.insert(_HALVES, range(1, 5), 0)).astype(np.float32)

Kernel = Callable[[Float64[Array, "..."]], Float64[Array, "..."]]


class Potential(NamedTuple):
    """Data of the compiled solver for the potential of charges on a mesh.

    Attributes
    ----------
    offset : float
        A constant subtracted from the potential of each charge, the minimum of K on the mesh. On a
        map 1e-4 across, K is close to 1 everywhere; subtracting it keeps the forces precise.
    near : ndarray of shape (4, 4), float32
        The potential of a unit charge on a node, at the nodes 0 to 3 away.
    n_levels : int
        1 or 2. With one level, ``coarse`` is a dummy.
    """

    offset: float
    near: Float32[Array, "4 4"]
    n_levels: int
    fine: Convolution
    coarse: Convolution
    weights: Float32[Array, " taps"]
    coarse_charges: Float32[Array, "1 x y"]
    coarse_potential: Float32[Array, "x y"]

    @classmethod
    def of(cls, shape: tuple[int, int], step: float) -> Potential:
        """Prepare the solver for a mesh of this shape (multiples of 32) and node distance."""
        nx, ny = shape
        far = (nx * step) ** 2 + (ny * step) ** 2
        offset = 1 / (1 + far)
        if min(shape) < TWO_LEVELS:
            padded = _padded(shape, shape)

            def kernel(squares: Array) -> Array:
                result: Array = (far - squares) / ((1 + squares) * (1 + far))
                return result

            factors = _influence(kernel, padded, step)
            near = _nearby(factors, padded)
            fine = Convolution.of(ny, padded, factors)
            coarse = Convolution.of(STRIP, (2, 2), np.zeros((2, 2)))
            rows, columns = 1, STRIP
            return cls._of_levels(1, offset, near, fine, coarse, rows, columns)
        s = SPLIT / (COARSENING * step) ** 2

        def sharp(squares: Array) -> Array:
            result: Array = np.exp(-s * (1 + squares)) / (1 + squares)
            return result

        def smooth(squares: Array) -> Array:
            result: Array = -np.expm1(-s * (1 + squares)) / (1 + squares) - offset
            return result

        padded = _padded(shape, (PADDING, PADDING))
        factors = _influence(sharp, padded, step)
        # A few dozen nodes around a charge suffice for the smooth part.
        near = _nearby(factors, padded) + _nearby(_influence(smooth, PATCH, step), PATCH)
        fine = Convolution.of(ny, padded, factors)
        rows = nx // COARSENING + COARSE_MARGIN
        columns = -(-(ny // COARSENING + COARSE_MARGIN) // STRIP) * STRIP
        padded = _padded((rows, columns), (rows, columns))
        factors = _influence(smooth, padded, COARSENING * step)
        coarse = Convolution.of(columns, padded, factors)
        return cls._of_levels(2, offset, near, fine, coarse, rows, columns)

    @classmethod
    def _of_levels(
        cls,
        n_levels: int,
        offset: float,
        near: Array,
        fine: Convolution,
        coarse: Convolution,
        rows: int,
        columns: int,
    ) -> Potential:
        return cls(
            offset,
            near.astype(np.float32),
            n_levels,
            fine,
            coarse,
            WEIGHTS,
            np.zeros((1, rows, columns), np.float32),
            np.empty((rows, columns), np.float32),
        )


def _padded(shape: tuple[int, int], padding: tuple[int, int]) -> tuple[int, int]:
    return good_length(shape[0] + padding[0]), good_length(shape[1] + padding[1])


def _influence(
    kernel: Kernel, padded: tuple[int, int], step: float
) -> Float64[Array, "half_x half_y"]:
    """Compute the influence function: a kernel's transform over the splines' [Essmann1995].

    ``kernel`` is a function of the squared distance. On a mesh padded to twice its size, distances
    are those of free space [Hockney1988]. The kernel is even in both directions, so a quarter of
    it has all that is in its transform, a quarter of which is returned: frequencies 0 to half the
    length in each direction, which must be even.
    """
    from scipy import fft

    x, y = (np.arange(length // 2 + 1) * step for length in padded)
    transform = fft.dctn(kernel(x[:, None] ** 2 + y[None, :] ** 2), type=1, overwrite_x=True)
    # A cubic B-spline is 2/3 at its center and 1/6 at the adjacent nodes.
    bx, by = (2 / 3 + np.cos(2 * np.pi * fft.rfftfreq(length)) / 3 for length in padded)
    result: Array = transform / (bx[:, None] ** 2 * by[None, :] ** 2)
    return result


def _nearby(
    quarter: Float64[Array, "half_x half_y"], padded: tuple[int, int]
) -> Float64[Array, "4 4"]:
    """Compute the potential of a unit charge on a node, at the nodes 0 to 3 away."""
    along_x, along_y = (_backward(length) for length in padded)
    # Not by BLAS, whose rounding may depend on its threads.
    sums = np.stack([np.einsum("j,jk->k", weights, quarter) for weights in along_x])
    result: Array = np.einsum("ak,bk->ab", sums, along_y)
    return result


def _backward(length: int) -> Float64[Array, "4 half"]:
    """Return the matrix that transforms an even spectrum back, for the first four nodes."""
    frequencies = np.arange(length // 2 + 1)
    # Nodes times frequencies, reduced first: a large angle's cosine is less exact.
    turns = np.outer(np.arange(4), frequencies) % length
    weights = np.where(frequencies % (length // 2) == 0, 1, 2) / length
    result: Array = np.cos(2 * np.pi / length * turns) * weights
    return result
