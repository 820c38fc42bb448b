"""Compiled kernels of the particle mesh: arrays from the caller, nothing validated.

A point at u, in units of the mesh's spacing, with a = floor(u) and t = u - a, is spread over the
nodes a - 1 .. a + 2 with the cubic B-spline's weights; these sum to 1, their derivatives to 0.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from .._parallel.barrier import barrier, next_task
from .._parallel.jit import kernel
from .._parallel.simd import FAST, STRIDE
from ._kernels_lanes import (
    keep_first,
    load,
    load_int,
    noinline,
    reduce_sum,
    store,
    store_int,
    transpose,
    truncate,
    weigh_square,
)
from ._kernels_levels import solve
from ._kernels_rules import find_origin, fits, map_width, nodes_across, normalizer, rung

# Offsets in `gather`'s scratch of 528 numbers: the weights of sixteen points, one point per row,
# and the indices of their first nodes.
TRANSPOSED = np.uint64(256)
CORNERS = np.uint64(512)

for _rule in (find_origin, fits, map_width, nodes_across, normalizer, rung):
    register_jitable(_rule)

# Functions with fast-math are inlined by force (``forceinline``): of others Numba keeps several
# copies, optimized separately, and which one runs depends on what was compiled before.


@njit(fastmath=FAST, inline="always")
def spline(t):
    """Compute the weights of the nodes a - 1 .. a + 2 for a fraction t in [0, 1)."""
    sixth = np.float32(1 / 6)
    third = np.float32(2 / 3)
    half = np.float32(0.5)
    one = np.float32(1)
    r = one - t
    t2 = t * t
    r2 = r * r
    return (
        sixth * (r2 * r),
        third + t2 * (half * t - one),
        third + r2 * (half * r - one),
        sixth * (t2 * t),
    )


@njit(fastmath=FAST, inline="always")
def spline_slope(t):
    """Compute the derivative of `spline` with respect to t."""
    half = np.float32(0.5)
    more = np.float32(1.5)
    two = np.float32(2)
    r = np.float32(1) - t
    return (
        np.float32(-0.5) * (r * r),
        t * (more * t - two),
        r * (two - more * r),
        half * (t * t),
    )


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def self_correlation(w):
    """Sum w_a w_b over nodes 0, 1, 2 and 3 apart."""
    two = np.float32(2)
    return (
        w[0] * w[0] + w[1] * w[1] + w[2] * w[2] + w[3] * w[3],
        two * (w[0] * w[1] + w[1] * w[2] + w[2] * w[3]),
        two * (w[0] * w[2] + w[1] * w[3]),
        two * w[0] * w[3],
    )


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def cross_correlation(s, w):
    """Sum s_a w_b over nodes 0, 1, 2 and 3 apart."""
    return (
        s[0] * w[0] + s[1] * w[1] + s[2] * w[2] + s[3] * w[3],
        s[0] * w[1] + s[1] * (w[0] + w[2]) + s[2] * (w[1] + w[3]) + s[3] * w[2],
        s[0] * w[2] + s[1] * w[3] + s[2] * w[0] + s[3] * w[1],
        s[0] * w[3] + s[3] * w[0],
    )


@njit(fastmath=FAST, forceinline=True, no_cfunc_wrapper=True)
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


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def dot4(row, weights):
    """Compute the dot product of four numbers and four weights."""
    return (row[0] * weights[0] + row[1] * weights[1]) + (row[2] * weights[2] + row[3] * weights[3])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def self_interaction(wx, wy, sx, sy, near):
    """Compute phi and its gradient that a point's own charge causes at the point."""
    cx = self_correlation(wx)
    cy = self_correlation(wy)
    dx = cross_correlation(sx, wx)
    dy = cross_correlation(sy, wy)
    across = (dot4(near[0], cy), dot4(near[1], cy), dot4(near[2], cy), dot4(near[3], cy))
    sloped = (dot4(near[0], dy), dot4(near[1], dy), dot4(near[2], dy), dot4(near[3], dy))
    return dot4(cx, across), dot4(dx, across), dot4(cx, sloped)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def store_four(scratch, at, weights):
    """Store four vectors."""
    store(scratch, at, weights[0])
    store(scratch, at + STRIDE, weights[1])
    store(scratch, at + np.uint64(2) * STRIDE, weights[2])
    store(scratch, at + np.uint64(3) * STRIDE, weights[3])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def sum_four(scratch, at):
    """Load four vectors and add them."""
    one = load(scratch, at) + load(scratch, at + STRIDE)
    return one + (
        load(scratch, at + np.uint64(2) * STRIDE) + load(scratch, at + np.uint64(3) * STRIDE)
    )


@njit(no_cfunc_wrapper=True)
def gather(
    chunk, n_chunks, x, y, n, origin, per_unit, potential, near, scratch, x_field, y_field, sums
):
    """Interpolate grad phi at every point of a chunk, and sum phi over them, sixteen at a time.

    Excludes the contribution of a point's own charge: on a mesh a charge exerts a force on itself,
    depending on its position in the cell. ``near`` is the potential of a unit charge at the nodes
    up to 3 away in each direction. ``x`` and ``y`` are padded to a multiple of 16 by positions on
    the mesh; the field of the padding is zero. ``scratch`` is a buffer of 528 numbers.
    """
    noinline()
    columns = np.uint64(potential.shape[1])
    flat = potential.reshape(-1)
    one = np.float32(1)
    groups = len(x) // 16
    total_phi = 0.0
    for group in range(groups * chunk // n_chunks, groups * (chunk + 1) // n_chunks):
        at = np.uint64(group * 16)
        u = per_unit * (load(x, at) - origin[0])
        v = per_unit * (load(y, at) - origin[1])
        a = truncate(u)
        b = truncate(v)
        wx = spline(u - a)
        wy = spline(v - b)
        sx = spline_slope(u - a)
        sy = spline_slope(v - b)
        own_phi, own_x, own_y = self_interaction(wx, wy, sx, sy, near)
        # Integers below 2^24 are exact.
        store_int(scratch, CORNERS, np.float32(columns) * (a - one) + (b - one))
        store_four(scratch, np.uint64(0), wx)
        store_four(scratch, np.uint64(64), sx)
        store_four(scratch, np.uint64(128), wy)
        store_four(scratch, np.uint64(192), sy)
        transpose(scratch, np.uint64(0), scratch, TRANSPOSED)
        for number in range(STRIDE):
            place = TRANSPOSED + number * STRIDE
            corner = load_int(scratch, CORNERS + number)
            store(scratch, place, weigh_square(flat, corner, columns, load(scratch, place)))
        transpose(scratch, TRANSPOSED, scratch, np.uint64(0))
        count = np.uint64(n) - at if at < np.uint64(n) else np.uint64(0)
        phi = sum_four(scratch, np.uint64(0)) - own_phi
        store(y_field, at, keep_first(per_unit * (sum_four(scratch, np.uint64(64)) - own_y), count))
        store(
            x_field, at, keep_first(per_unit * (sum_four(scratch, np.uint64(128)) - own_x), count)
        )
        total_phi += np.float64(reduce_sum(keep_first(phi, count)))
    sums[chunk] = total_phi


@njit(fastmath=FAST, inline="always")
def find_potential(
    thread, n_threads, shared, x, y, n, origin, per_unit, charges, solver, buffers, potential
):
    """Compute the potential of n points at the nodes; called by all threads.

    Returns False if a thread has given up.
    """
    parts = charges.shape[0]
    part = next_task(shared)
    while part < parts:
        first, last = n * part // parts, n * (part + 1) // parts
        spread(x, y, first, last, origin[0], origin[1], per_unit, charges[part])
        part = next_task(shared)
    if not barrier(shared, n_threads):
        return False
    return solve(thread, n_threads, shared, charges, solver, buffers, potential)


@kernel(fastmath=FAST)
def find_field(
    thread,
    n_threads,
    shared,
    x,
    y,
    n,
    origin,
    per_unit,
    charges,
    solver,
    buffers,
    potential,
    x_field,
    y_field,
    sums,
):
    """Compute the potential and, unless ``sums`` is empty, the field at every point."""
    if not find_potential(
        thread,
        n_threads,
        shared,
        x,
        y,
        n,
        origin,
        per_unit,
        charges,
        solver,
        buffers,
        potential,
    ):
        return
    n_chunks = len(sums)
    chunk = next_task(shared)
    while chunk < n_chunks:
        gather(
            chunk,
            n_chunks,
            x,
            y,
            n,
            origin,
            per_unit,
            potential,
            solver.near,
            buffers[2 * thread],
            x_field,
            y_field,
            sums,
        )
        chunk = next_task(shared)
