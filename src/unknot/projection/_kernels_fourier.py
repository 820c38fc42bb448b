"""Compiled kernels of the mesh's transforms: arrays allocated by the caller, nothing validated.

Sixteen transforms at a time, one a lane: element p of all sixteen lies at ``16 p``, real and
imaginary parts in arrays of their own. Forward, the frequencies come out in another order than
they count (`_fourier.Plan` has their positions); backward, they are taken in that order.
"""

import numpy as np
from numba import njit

from ._kernels_lanes import fused, load, noinline, splat, store, transpose

SIXTEEN = np.uint64(16)
ONE = np.uint64(1)
TILE = np.uint64(256)
# Elements, of sixteen lanes each, that stay in a core's first cache.
NEAR = np.uint64(256)


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
    mr = fused(half, sr, a[0])
    mi = fused(half, si, a[1])
    return (a[0] + sr, a[1] + si), (mr + di, mi - dr), (mr - di, mi + dr)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def butterfly_4(a, b, c, d):
    """Transform four complex numbers."""
    s, t = butterfly_2(a, c)
    u, v = butterfly_2(b, d)
    y0, y2 = butterfly_2(s, u)
    return y0, (t[0] + v[1], t[1] - v[0]), y2, (t[0] - v[1], t[1] + v[0])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def take(re, im, at):
    """Read a complex number."""
    return load(re, at), load(im, at)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def put(re, im, at, value):
    """Write a complex number."""
    store(re, at, value[0])
    store(im, at, value[1])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def turn(value, twiddles, at):
    """Multiply a complex number by a twiddle factor."""
    c = splat(twiddles[at])
    s = splat(twiddles[at + ONE])
    minus = splat(-twiddles[at + ONE])
    return fused(c, value[0], minus * value[1]), fused(c, value[1], s * value[0])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def split(re, im, first, last, size, radix, twiddles, table):
    """Transform blocks of a size, by decimation in frequency, into ``radix`` blocks each."""
    m = size // radix
    step = m * SIXTEEN
    for block in range(first, last, size):
        for j in range(m):
            a = (block + j) * SIXTEEN
            b = a + step
            t = table + j * np.uint64(2) * (radix - ONE)
            if radix == 2:
                y0, y1 = butterfly_2(take(re, im, a), take(re, im, b))
                put(re, im, a, y0)
                put(re, im, b, turn(y1, twiddles, t))
                continue
            c = b + step
            if radix == 3:
                y0, y1, y2 = butterfly_3(take(re, im, a), take(re, im, b), take(re, im, c))
            else:
                d = c + step
                y0, y1, y2, y3 = butterfly_4(
                    take(re, im, a), take(re, im, b), take(re, im, c), take(re, im, d)
                )
                put(re, im, d, turn(y3, twiddles, t + np.uint64(4)))
            put(re, im, a, y0)
            put(re, im, b, turn(y1, twiddles, t))
            put(re, im, c, turn(y2, twiddles, t + np.uint64(2)))


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def unite(re, im, first, last, size, radix, twiddles, table):
    """Transform ``radix`` blocks into one of a size, by decimation in time."""
    m = size // radix
    step = m * SIXTEEN
    for block in range(first, last, size):
        for j in range(m):
            a = (block + j) * SIXTEEN
            b = a + step
            t = table + j * np.uint64(2) * (radix - ONE)
            x0 = take(re, im, a)
            x1 = turn(take(re, im, b), twiddles, t)
            if radix == 2:
                y0, y1 = butterfly_2(x0, x1)
                put(re, im, a, y0)
                put(re, im, b, y1)
                continue
            c = b + step
            x2 = turn(take(re, im, c), twiddles, t + np.uint64(2))
            if radix == 3:
                y0, y1, y2 = butterfly_3(x0, x1, x2)
            else:
                d = c + step
                x3 = turn(take(re, im, d), twiddles, t + np.uint64(4))
                y0, y1, y2, y3 = butterfly_4(x0, x1, x2, x3)
                put(re, im, d, y3)
            put(re, im, a, y0)
            put(re, im, b, y1)
            put(re, im, c, y2)


@njit(no_cfunc_wrapper=True)
def forward(re, im, radices, tables, twiddles):
    """Transform by decimation in frequency: ordered in, permuted out.

    y_k = sum_p x_p exp(-2 pi i k p / n), n the product of the radices. Blocks that fit in the
    first cache are finished one after the other.
    """
    noinline()
    n = ONE
    for radix in radices:
        n *= radix
    size = n
    stage = 0
    while size > NEAR:
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
    """Transform by decimation in time: permuted in, ordered out.

    Called with ``im`` and ``re`` exchanged it is `forward`'s inverse, times n: to exchange real
    and imaginary parts before and after a transform turns its exponent's sign.
    """
    noinline()
    n = ONE
    for radix in radices:
        n *= radix
    size = n
    stage = 0
    while size > NEAR:
        size //= radices[stage]
        stage += 1
    for block in range(np.uint64(0), n, size):
        part = ONE
        for later in range(len(radices) - 1, stage - 1, -1):
            part *= radices[later]
            unite(re, im, block, block + size, part, radices[later], twiddles, tables[later])
    while stage > 0:
        stage -= 1
        size *= radices[stage]
        unite(re, im, np.uint64(0), n, size, radices[stage], twiddles, tables[stage])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def clear(re, im, first, last):
    """Set elements first to last to zero."""
    nothing = splat(np.float32(0))
    for row in range(first, last):
        store(re, row * SIXTEEN, nothing)
        store(im, row * SIXTEEN, nothing)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def transform_strips(charges, first, last, plan, re, im, spectrum_re, spectrum_im):
    """Transform strips of 32 columns of the sum of partial meshes into half their spectrum.

    Columns in pairs as real and imaginary parts: with Z their transform, theirs are
    (Z_k + Z*_-k) / 2 and (Z_k - Z*_-k) / 2i; the halves are left to the influence function.
    ``spectrum``, flat, has the shape (frequencies / 16, columns, 16).
    """
    noinline()
    radices, tables, twiddles, positions = plan
    parts, rows, columns = charges.shape
    flat = charges.reshape(-1)
    length = np.uint64(len(positions))
    nx = np.uint64(rows)
    ny = np.uint64(columns)
    tile = length * SIXTEEN
    blocks = np.uint64(len(spectrum_re)) // (ny * SIXTEEN)
    for column in range(np.uint64(first * 32), np.uint64(last * 32), np.uint64(32)):
        for row in range(nx):
            at = row * ny + column
            a = load(flat, at)
            b = load(flat, at + SIXTEEN)
            for part in range(ONE, np.uint64(parts)):
                more = part * nx * ny + at
                a = a + load(flat, more)
                b = b + load(flat, more + SIXTEEN)
            store(re, row * SIXTEEN, a)
            store(im, row * SIXTEEN, b)
        clear(re, im, nx, length)
        forward(re, im, radices, tables, twiddles)
        for block in range(blocks):
            for lane in range(SIXTEEN):
                k = (block * SIXTEEN + lane) % length
                pr, pi = take(re, im, np.uint64(positions[k]) * SIXTEEN)
                qr, qi = take(re, im, np.uint64(positions[(length - k) % length]) * SIXTEEN)
                at = tile + lane * SIXTEEN
                store(re, at, pr + qr)
                store(im, at, pi - qi)
                store(re, at + TILE, pi + qi)
                store(im, at + TILE, qr - pr)
            to = (block * ny + column) * SIXTEEN
            transpose(re, tile, spectrum_re, to)
            transpose(im, tile, spectrum_im, to)
            transpose(re, tile + TILE, spectrum_re, to + TILE)
            transpose(im, tile + TILE, spectrum_im, to + TILE)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def convolve_strips(first, last, columns, plan, influence, re, im, spectrum_re, spectrum_im):
    """Convolve blocks of 16 frequencies, over all columns, in place.

    ``influence``, flat, has the shape (frequencies / 16, length, 16), its rows at the positions of
    their frequencies.
    """
    noinline()
    radices, tables, twiddles = plan
    length = ONE
    for radix in radices:
        length *= radix
    ny = np.uint64(columns)
    for block in range(np.uint64(first), np.uint64(last)):
        start = block * ny * SIXTEEN
        for column in range(ny):
            at = column * SIXTEEN
            put(re, im, at, take(spectrum_re, spectrum_im, start + at))
        clear(re, im, ny, length)
        forward(re, im, radices, tables, twiddles)
        of = block * length * SIXTEEN
        for p in range(length):
            at = p * SIXTEEN
            factor = load(influence, of + at)
            store(re, at, factor * load(re, at))
            store(im, at, factor * load(im, at))
        forward_permuted(im, re, radices, tables, twiddles)
        for column in range(ny):
            at = column * SIXTEEN
            put(spectrum_re, spectrum_im, start + at, take(re, im, at))


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def transform_back_strips(spectrum_re, spectrum_im, first, last, plan, re, im, potential):
    """Transform half the spectrum of strips of 32 columns back to the potential at their nodes."""
    noinline()
    radices, tables, twiddles, positions = plan
    rows, columns = potential.shape
    flat = potential.reshape(-1)
    length = np.uint64(len(positions))
    ny = np.uint64(columns)
    tile = length * SIXTEEN
    blocks = np.uint64(len(spectrum_re)) // (ny * SIXTEEN)
    for column in range(np.uint64(first * 32), np.uint64(last * 32), np.uint64(32)):
        for block in range(blocks):
            at = (block * ny + column) * SIXTEEN
            transpose(spectrum_re, at, re, tile)
            transpose(spectrum_im, at, im, tile)
            transpose(spectrum_re, at + TILE, re, tile + TILE)
            transpose(spectrum_im, at + TILE, im, tile + TILE)
            for lane in range(SIXTEEN):
                k = block * SIXTEEN + lane
                if np.uint64(2) * k > length:
                    break
                at = tile + lane * SIXTEEN
                ar, ai = take(re, im, at)
                br, bi = take(re, im, at + TILE)
                q = np.uint64(positions[(length - k) % length]) * SIXTEEN
                put(re, im, q, (ar + bi, br - ai))
                p = np.uint64(positions[k]) * SIXTEEN
                put(re, im, p, (ar - bi, ai + br))
        forward_permuted(im, re, radices, tables, twiddles)
        for row in range(np.uint64(rows)):
            at = row * ny + column
            store(flat, at, load(re, row * SIXTEEN))
            store(flat, at + SIXTEEN, load(im, row * SIXTEEN))
