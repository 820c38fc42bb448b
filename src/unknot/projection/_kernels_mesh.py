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


@njit(fastmath=FAST, inline="always")
def self_correlation(w):
    """Sum w_a w_b over nodes 0, 1, 2 and 3 apart."""
    two = np.float32(2)
    return (
        w[0] * w[0] + w[1] * w[1] + w[2] * w[2] + w[3] * w[3],
        two * (w[0] * w[1] + w[1] * w[2] + w[2] * w[3]),
        two * (w[0] * w[2] + w[1] * w[3]),
        two * w[0] * w[3],
    )


@njit(fastmath=FAST, inline="always")
def cross_correlation(s, w):
    """Sum s_a w_b over nodes 0, 1, 2 and 3 apart."""
    return (
        s[0] * w[0] + s[1] * w[1] + s[2] * w[2] + s[3] * w[3],
        s[0] * w[1] + s[1] * (w[0] + w[2]) + s[2] * (w[1] + w[3]) + s[3] * w[2],
        s[0] * w[2] + s[1] * w[3] + s[2] * w[0] + s[3] * w[1],
        s[0] * w[3] + s[3] * w[0],
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
def gather(first, last, n_chunks, x, y, x0, y0, per_unit, potential, near, x_field, y_field, sums):
    """Read grad phi at every point, and the sum of phi over each chunk of points.

    Both without what a point's own charge adds: on a mesh it pushes itself, by where it is in its
    cell. ``near`` holds the potential of a unit charge at the nodes up to 3 away in each direction.
    """
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
            cx = self_correlation(wx)
            cy = self_correlation(wy)
            dx = cross_correlation(sx, wx)
            dy = cross_correlation(sy, wy)
            for k in range(4):
                row = near[k]
                p = row[0] * cy[0] + row[1] * cy[1] + row[2] * cy[2] + row[3] * cy[3]
                s = row[0] * dy[0] + row[1] * dy[1] + row[2] * dy[2] + row[3] * dy[3]
                phi -= cx[k] * p
                gx -= dx[k] * p
                gy -= cx[k] * s
            x_field[i] = gx * per_unit
            y_field[i] = gy * per_unit
            total += np.float64(phi)
        sums[c] = total
