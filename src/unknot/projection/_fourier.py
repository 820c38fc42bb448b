"""Plans of real Fourier transforms, sixteen at a time, and of convolutions on a mesh by them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .._parallel.simd import LANES
from .._typing import Array, Float32, Float64, Int64

# Columns transformed at once: two per lane, as real and imaginary parts.
STRIP = 2 * LANES
RADICES = (4, 3, 2)


@dataclass(frozen=True, eq=False)
class Plan:
    """The stages and tables of a transform of a given length.

    Attributes
    ----------
    radices : ndarray of uint64
        The radix of each stage; their product is the length.
    tables : ndarray of uint64
        The offset of each stage's twiddle factors.
    twiddles : ndarray of float32
        exp(-2 pi i q j / L) of each stage, with L the remaining length, j in [0, L / radix), q in
        [1, radix); cosine and sine.
    positions : ndarray of int64 (length,)
        The position of each frequency in the transform's output.
    """

    radices: Array
    tables: Array
    twiddles: Float32[Array, " twiddles"]
    positions: Int64[Array, " length"]

    @classmethod
    def of(cls, length: int) -> Plan:
        """Plan a transform of a length with the prime factors 2 and 3 only."""
        radices: list[int] = []
        twiddles: list[Array] = []
        frequencies = np.zeros(1, np.int64)
        left, stride = length, 1
        for radix in RADICES:
            while left % radix == 0:
                m = left // radix
                factors = np.exp(-2j * np.pi / left * np.outer(np.arange(m), np.arange(1, radix)))
                twiddles.append(np.stack([factors.real, factors.imag], axis=-1).ravel())
                # Part q of each block holds the frequencies whose next digit is q.
                frequencies = (frequencies[:, None] + stride * np.arange(radix)).ravel()
                stride *= radix
                radices.append(radix)
                left = m
        if left != 1:
            raise ValueError(f"length must have no prime factors but 2 and 3; got {length}")
        positions = np.empty(length, np.int64)
        positions[frequencies] = np.arange(length)
        ends = np.cumsum([0, *map(len, twiddles)])
        return cls(
            np.array(radices, np.uint64),
            ends[:-1].astype(np.uint64),
            np.concatenate([np.zeros(0), *twiddles]).astype(np.float32),
            positions,
        )


@lru_cache(maxsize=64)
def _plan(length: int) -> Plan:
    """Return the plan for a length; a growing mesh needs the same ones again and again."""
    return Plan.of(length)


def good_length(least: int) -> int:
    """Return the smallest 2^a 3^b, b at most 3, that is not below ``least``."""
    lengths: Iterator[int] = (
        2**twos * 3**threes
        for twos, threes in itertools.product(range(least.bit_length() + 1), range(4))
    )
    return min(length for length in lengths if length >= least)


class Convolution(NamedTuple):
    """Data of the compiled convolution of charges on a mesh with an even kernel.

    First each strip of 32 columns is transformed, then each block of 16 frequencies is convolved,
    then each strip is transformed back; the strips, and the blocks, in any order.

    Attributes
    ----------
    columns, n_strips, n_blocks : int
        Numbers of columns of the mesh, of strips, and of blocks of frequencies.
    down, across : tuple of ndarrays
        The plans of the transforms along columns and along rows.
    influence : ndarray, float32
        The kernel's transform, including the normalization of the transforms.
    spectrum_re, spectrum_im : ndarray, float32
        Buffers for half the spectrum, (n_blocks, columns, 16).
    buffer_size : int
        Size of each of the two buffers that every thread needs.
    """

    columns: int
    n_strips: int
    n_blocks: int
    down: tuple[Array, ...]
    across: tuple[Array, ...]
    influence: Float32[Array, " numbers"]
    spectrum_re: Float32[Array, " numbers"]
    spectrum_im: Float32[Array, " numbers"]
    buffer_size: int

    @classmethod
    def of(
        cls, columns: int, padded: tuple[int, int], factors: Float64[Array, "half_x half_y"]
    ) -> Convolution:
        """Plan a convolution.

        Parameters
        ----------
        columns : int
            Number of columns of the mesh, a multiple of 32.
        padded : (int, int)
            The period in each direction, even, with prime factors 2 and 3; zero beyond the mesh.
        factors : ndarray of shape (padded[0] // 2 + 1, padded[1] // 2 + 1), float64
            The transform of the kernel at no negative frequency. The kernel must be even in both
            directions, so that its transform is real and even.
        """
        if columns % STRIP:
            raise ValueError(f"columns must be a multiple of {STRIP}; got {columns}")
        down, across = (_plan(length) for length in padded)
        n_blocks = -(-len(factors) // LANES)
        # Neither the transforms nor the separation of column pairs is normalized.
        by_column = np.zeros((factors.shape[1], n_blocks * LANES), np.float32)
        np.multiply(factors.T, 1 / (2 * padded[0] * padded[1]), out=by_column[:, : len(factors)])
        frequencies = np.argsort(across.positions)
        in_order = by_column[np.minimum(frequencies, padded[1] - frequencies)]
        blocks = in_order.reshape(padded[1], n_blocks, LANES).transpose(1, 0, 2)
        size = n_blocks * columns * LANES
        return cls(
            columns,
            columns // STRIP,
            n_blocks,
            (down.radices, down.tables, down.twiddles, down.positions),
            (across.radices, across.tables, across.twiddles),
            np.ascontiguousarray(blocks).ravel(),
            np.empty(size, np.float32),
            np.empty(size, np.float32),
            max(padded) * LANES + 2 * LANES**2,
        )
