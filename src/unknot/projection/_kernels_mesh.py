"""Compiled kernels of the particle mesh: arrays allocated by the caller, nothing validated.

A point at u, in units of the mesh's spacing, with a = floor(u) and t = u - a, reaches the nodes
a - 1 .. a + 2 with the cubic B-spline's weights; these sum to 1, their derivatives to 0.
"""

import numpy as np
from numba import njit

FAST = {"reassoc", "contract", "nsz", "arcp"}


@njit(fastmath=FAST, inline="always")
def spline(t):
    """Weigh the nodes a - 1 .. a + 2 for a fraction t in [0, 1)."""
    sixth = np.float32(1 / 6)
    one = np.float32(1)
    three = np.float32(3)
    t2 = t * t
    t3 = t2 * t
    return (
        (one - three * t + three * t2 - t3) * sixth,
        (np.float32(4) - np.float32(6) * t2 + three * t3) * sixth,
        (one + three * t + three * t2 - three * t3) * sixth,
        t3 * sixth,
    )


@njit(fastmath=FAST, inline="always")
def spline_slope(t):
    """Differentiate `spline` by t."""
    half = np.float32(0.5)
    t2 = t * t
    return (
        (np.float32(2) * t - np.float32(1) - t2) * half,
        (np.float32(3) * t2 - np.float32(4) * t) * half,
        (np.float32(1) + np.float32(2) * t - np.float32(3) * t2) * half,
        t2 * half,
    )


@njit(nogil=True, cache=True, fastmath=FAST)
def spread(x, y, first, last, x0, y0, per_unit, charge):
    """Spread a unit charge of every point over the 4 x 4 nodes around it."""
    charge[:, :] = np.float32(0)
    for i in range(first, last):
        u = (x[i] - x0) * per_unit
        v = (y[i] - y0) * per_unit
        a = np.uint32(u)
        b = np.uint32(v)
        wx = spline(u - np.float32(a))
        wy = spline(v - np.float32(b))
        for k in range(4):
            row = charge[a + k - 1][b - 1 : b + 3]
            row[0] += wx[k] * wy[0]
            row[1] += wx[k] * wy[1]
            row[2] += wx[k] * wy[2]
            row[3] += wx[k] * wy[3]


@njit(nogil=True, cache=True, fastmath=FAST)
def gather(first, last, n_chunks, x, y, x0, y0, per_unit, potential, x_field, y_field, sums):
    """Read grad phi at every point, and the sum of phi over each chunk of points."""
    n = x.shape[0]
    for c in range(first, last):
        total = 0.0
        for i in range(n * c // n_chunks, n * (c + 1) // n_chunks):
            u = (x[i] - x0) * per_unit
            v = (y[i] - y0) * per_unit
            a = np.uint32(u)
            b = np.uint32(v)
            tu = u - np.float32(a)
            tv = v - np.float32(b)
            wx = spline(tu)
            wy = spline(tv)
            sx = spline_slope(tu)
            sy = spline_slope(tv)
            phi = np.float32(0)
            gx = np.float32(0)
            gy = np.float32(0)
            for k in range(4):
                row = potential[a + k - 1][b - 1 : b + 3]
                p = row[0] * wy[0] + row[1] * wy[1] + row[2] * wy[2] + row[3] * wy[3]
                s = row[0] * sy[0] + row[1] * sy[1] + row[2] * sy[2] + row[3] * sy[3]
                phi += wx[k] * p
                gx += sx[k] * p
                gy += wx[k] * s
            x_field[i] = gx * per_unit
            y_field[i] = gy * per_unit
            total += np.float64(phi)
        sums[c] = total
