"""Compiled kernels of the mesh's Fourier transforms: arrays from the caller, nothing validated.

Sixteen transforms run at a time, one per lane: element p of all sixteen starts at ``16 p``, with
real and imaginary parts in separate arrays. The forward transform leaves the frequencies in
permuted order (`_fourier.Plan.positions`), and the backward transform reads them in that order.
"""

import numpy as np
from numba import njit

from .._parallel.simd import STRIDE
from ._kernels_lanes import fma, load, noinline, splat, store, transpose

ONE = np.uint64(1)
# Numbers in a block of 16 x 16.
TILE = np.uint64(256)
# Elements, of sixteen lanes each, that fit in a core's L1 cache.
CACHED = np.uint64(256)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def butterfly_2(a, b):
    """Transform two complex numbers."""
    return (a[0] + b[0], a[1] + b[1]), (a[0] - b[0], a[1] - b[1])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def butterfly_3(a, b, c):
    """Transform three complex numbers."""
    half = splat(np.float32(-0.5))
    root = np.float32(0.8660254037844386)
    sr = b[0] + c[0]
    si = b[1] + c[1]
    dr = root * (b[0] - c[0])
    di = root * (b[1] - c[1])
    mr = fma(half, sr, a[0])
    mi = fma(half, si, a[1])
    return (a[0] + sr, a[1] + si), (mr + di, mi - dr), (mr - di, mi + dr)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def butterfly_4(a, b, c, d):
    """Transform four complex numbers."""
    s, t = butterfly_2(a, c)
    u, v = butterfly_2(b, d)
    y0, y2 = butterfly_2(s, u)
    return y0, (t[0] + v[1], t[1] - v[0]), y2, (t[0] - v[1], t[1] + v[0])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def load_complex(re, im, at):
    """Read complex numbers, one per lane."""
    return load(re, at), load(im, at)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def store_complex(re, im, at, value):
    """Write complex numbers, one per lane."""
    store(re, at, value[0])
    store(im, at, value[1])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def rotate(value, twiddles, at):
    """Multiply complex numbers by a twiddle factor."""
    c = splat(twiddles[at])
    s = splat(twiddles[at + ONE])
    minus = splat(-twiddles[at + ONE])
    return fma(c, value[0], minus * value[1]), fma(c, value[1], s * value[0])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def split(re, im, first, last, size, radix, twiddles, table):
    """Split each block into ``radix`` blocks: a stage of decimation in frequency."""
    m = size // radix
    step = m * STRIDE
    for block in range(first, last, size):
        for j in range(m):
            a = (block + j) * STRIDE
            b = a + step
            t = table + j * np.uint64(2) * (radix - ONE)
            if radix == 2:
                y0, y1 = butterfly_2(load_complex(re, im, a), load_complex(re, im, b))
                store_complex(re, im, a, y0)
                store_complex(re, im, b, rotate(y1, twiddles, t))
                continue
            c = b + step
            if radix == 3:
                y0, y1, y2 = butterfly_3(
                    load_complex(re, im, a), load_complex(re, im, b), load_complex(re, im, c)
                )
            else:
                d = c + step
                y0, y1, y2, y3 = butterfly_4(
                    load_complex(re, im, a),
                    load_complex(re, im, b),
                    load_complex(re, im, c),
                    load_complex(re, im, d),
                )
                store_complex(re, im, d, rotate(y3, twiddles, t + np.uint64(4)))
            store_complex(re, im, a, y0)
            store_complex(re, im, b, rotate(y1, twiddles, t))
            store_complex(re, im, c, rotate(y2, twiddles, t + np.uint64(2)))


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def merge(re, im, first, last, size, radix, twiddles, table):
    """Merge every ``radix`` blocks into one: a stage of decimation in time."""
    m = size // radix
    step = m * STRIDE
    for block in range(first, last, size):
        for j in range(m):
            a = (block + j) * STRIDE
            b = a + step
            t = table + j * np.uint64(2) * (radix - ONE)
            x0 = load_complex(re, im, a)
            x1 = rotate(load_complex(re, im, b), twiddles, t)
            if radix == 2:
                y0, y1 = butterfly_2(x0, x1)
                store_complex(re, im, a, y0)
                store_complex(re, im, b, y1)
                continue
            c = b + step
            x2 = rotate(load_complex(re, im, c), twiddles, t + np.uint64(2))
            if radix == 3:
                y0, y1, y2 = butterfly_3(x0, x1, x2)
            else:
                d = c + step
                x3 = rotate(load_complex(re, im, d), twiddles, t + np.uint64(4))
                y0, y1, y2, y3 = butterfly_4(x0, x1, x2, x3)
                store_complex(re, im, d, y3)
            store_complex(re, im, a, y0)
            store_complex(re, im, b, y1)
            store_complex(re, im, c, y2)


@njit(no_cfunc_wrapper=True)
def forward(re, im, radices, tables, twiddles):
    """Transform by decimation in frequency: natural order in, permuted order out.

    y_k = sum_p x_p exp(-2 pi i k p / n), n the product of the radices. Blocks that fit in the L1
    cache are finished one after the other.
    """
    noinline()
    n = ONE
    for radix in radices:
        n *= radix
    size = n
    stage = 0
    while size > CACHED:
        split(re, im, np.uint64(0), n, size, radices[stage], twiddles, tables[stage])
        size //= radices[stage]
        stage += 1
    for block in range(np.uint64(0), n, size):
        part = size
        for later in range(stage, len(radices)):
            split(re, im, block, block + size, part, radices[later], twiddles, tables[later])
            part //= radices[later]


@njit(no_cfunc_wrapper=True)
def forward_permuted(re, im, radices, tables, twiddles):
    """Transform by decimation in time: permuted order in, natural order out.

    With ``im`` and ``re`` swapped it is `forward`'s inverse, times n: swapping real and imaginary
    parts before and after a transform flips the sign of its exponent.
    """
    noinline()
    n = ONE
    for radix in radices:
        n *= radix
    size = n
    stage = 0
    while size > CACHED:
        size //= radices[stage]
        stage += 1
    for block in range(np.uint64(0), n, size):
        part = ONE
        for later in range(len(radices) - 1, stage - 1, -1):
            part *= radices[later]
            merge(re, im, block, block + size, part, radices[later], twiddles, tables[later])
    while stage > 0:
        stage -= 1
        size *= radices[stage]
        merge(re, im, np.uint64(0), n, size, radices[stage], twiddles, tables[stage])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def clear(re, im, first, last):
    """Set elements first to last to zero."""
    nothing = splat(np.float32(0))
    for row in range(first, last):
        store(re, row * STRIDE, nothing)
        store(im, row * STRIDE, nothing)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def transpose_tile(source, start, target, to):
    """Transpose a contiguous block of 16 x 16 numbers.

    Out of line: processors without 16-lane registers need a thousand instructions for it, and eight
    copies of them took a sixth of a first fit's compilation. Nothing is rounded, so that the result
    has the same bytes.
    """
    noinline()
    transpose(source, start, target, to)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def transform_strips(charges, first, last, plan, re, im, spectrum_re, spectrum_im):
    """Sum partial meshes and transform strips of 32 columns to half their spectrum.

    Two columns are transformed as the real and imaginary parts of one; with Z the result, theirs
    are (Z_k + Z*_-k) / 2 and (Z_k - Z*_-k) / 2i. The influence function includes the halves.
    ``spectrum``, flat, has the shape (frequencies / 16, columns, 16).
    """
    noinline()
    radices, tables, twiddles, positions = plan
    parts, rows, columns = charges.shape
    flat = charges.reshape(-1)
    length = np.uint64(len(positions))
    nx = np.uint64(rows)
    ny = np.uint64(columns)
    tile = length * STRIDE
    blocks = np.uint64(len(spectrum_re)) // (ny * STRIDE)
    for column in range(np.uint64(first * 32), np.uint64(last * 32), np.uint64(32)):
        for row in range(nx):
            at = row * ny + column
            a = load(flat, at)
            b = load(flat, at + STRIDE)
            for part in range(ONE, np.uint64(parts)):
                more = part * nx * ny + at
                a = a + load(flat, more)
                b = b + load(flat, more + STRIDE)
            store(re, row * STRIDE, a)
            store(im, row * STRIDE, b)
        clear(re, im, nx, length)
        forward(re, im, radices, tables, twiddles)
        for block in range(blocks):
            for lane in range(STRIDE):
                k = (block * STRIDE + lane) % length
                pr, pi = load_complex(re, im, np.uint64(positions[k]) * STRIDE)
                qr, qi = load_complex(re, im, np.uint64(positions[(length - k) % length]) * STRIDE)
                at = tile + lane * STRIDE
                store(re, at, pr + qr)
                store(im, at, pi - qi)
                store(re, at + TILE, pi + qi)
                store(im, at + TILE, qr - pr)
            to = (block * ny + column) * STRIDE
            transpose_tile(re, tile, spectrum_re, to)
            transpose_tile(im, tile, spectrum_im, to)
            transpose_tile(re, tile + TILE, spectrum_re, to + TILE)
            transpose_tile(im, tile + TILE, spectrum_im, to + TILE)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def convolve_strips(first, last, columns, plan, influence, re, im, spectrum_re, spectrum_im):
    """Convolve blocks of 16 frequencies, over all columns, in place.

    ``influence``, flat, has the shape (frequencies / 16, length, 16), in the order of `forward`'s
    output.
    """
    noinline()
    radices, tables, twiddles = plan
    length = ONE
    for radix in radices:
        length *= radix
    ny = np.uint64(columns)
    for block in range(np.uint64(first), np.uint64(last)):
        start = block * ny * STRIDE
        for column in range(ny):
            at = column * STRIDE
            store_complex(re, im, at, load_complex(spectrum_re, spectrum_im, start + at))
        clear(re, im, ny, length)
        forward(re, im, radices, tables, twiddles)
        base = block * length * STRIDE
        for p in range(length):
            at = p * STRIDE
            factor = load(influence, base + at)
            store(re, at, factor * load(re, at))
            store(im, at, factor * load(im, at))
        forward_permuted(im, re, radices, tables, twiddles)
        for column in range(ny):
            at = column * STRIDE
            store_complex(spectrum_re, spectrum_im, start + at, load_complex(re, im, at))


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def transform_back_strips(spectrum_re, spectrum_im, first, last, plan, re, im, potential):
    """Transform strips of 32 columns back, from half their spectrum to the potential."""
    noinline()
    radices, tables, twiddles, positions = plan
    rows, columns = potential.shape
    flat = potential.reshape(-1)
    length = np.uint64(len(positions))
    ny = np.uint64(columns)
    tile = length * STRIDE
    blocks = np.uint64(len(spectrum_re)) // (ny * STRIDE)
    for column in range(np.uint64(first * 32), np.uint64(last * 32), np.uint64(32)):
        for block in range(blocks):
            at = (block * ny + column) * STRIDE
            transpose_tile(spectrum_re, at, re, tile)
            transpose_tile(spectrum_im, at, im, tile)
            transpose_tile(spectrum_re, at + TILE, re, tile + TILE)
            transpose_tile(spectrum_im, at + TILE, im, tile + TILE)
            for lane in range(STRIDE):
                k = block * STRIDE + lane
                if np.uint64(2) * k > length:
                    break
                at = tile + lane * STRIDE
                ar, ai = load_complex(re, im, at)
                br, bi = load_complex(re, im, at + TILE)
                q = np.uint64(positions[(length - k) % length]) * STRIDE
                store_complex(re, im, q, (ar + bi, br - ai))
                p = np.uint64(positions[k]) * STRIDE
                store_complex(re, im, p, (ar - bi, ai + br))
        forward_permuted(im, re, radices, tables, twiddles)
        for row in range(np.uint64(rows)):
            at = row * ny + column
            store(flat, at, load(re, row * STRIDE))
            store(flat, at + STRIDE, load(im, row * STRIDE))
