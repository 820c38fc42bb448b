"""Compiled kernels of the particle mesh: arrays allocated by the caller, nothing validated.

A point at u, in units of the mesh's spacing, with a = floor(u) and t = u - a, reaches the nodes
a - 1 .. a + 2 with the cubic B-spline's weights; these sum to 1, their derivatives to 0.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from .._parallel.barrier import barrier, next_task
from .._parallel.jit import kernel
from .._parallel.simd import FAST, STRIDE
from ._kernels_lanes import (
    first_of,
    load,
    noinline,
    read_whole,
    store,
    store_whole,
    total,
    transpose,
    weigh_square,
    whole,
)
from ._kernels_levels import solve

# Where in a room of 528 numbers are the weights of sixteen points, a point a row, and the nodes
# that these begin at.
TURNED = np.uint64(256)
CORNERS = np.uint64(512)
# Nodes left free around the points: a point reaches one node before its cell and two after.
MARGIN = 2
# The mesh grows by so many nodes at a time: its influence function is computed anew.
GROWTH = 32
# At least so many cells across the map, whatever its span.
MIN_CELLS = 50

# What may be rounded in more than one way is compiled into its caller (``forceinline``): of other
# functions Numba keeps several copies, and which one runs depends on what was compiled before.


@njit(fastmath=FAST, inline="always")
def spline(t):
    """Weigh the nodes a - 1 .. a + 2 for a fraction t in [0, 1)."""
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
    """Differentiate `spline` by t."""
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
def weigh(row, weights):
    """Sum the products of four numbers with four weights."""
    return (row[0] * weights[0] + row[1] * weights[1]) + (row[2] * weights[2] + row[3] * weights[3])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def own_share(wx, wy, sx, sy, near):
    """Compute what points at fractions of a cell get of their own charge: phi and its gradient."""
    cx = self_correlation(wx)
    cy = self_correlation(wy)
    dx = cross_correlation(sx, wx)
    dy = cross_correlation(sy, wy)
    across = (weigh(near[0], cy), weigh(near[1], cy), weigh(near[2], cy), weigh(near[3], cy))
    sloped = (weigh(near[0], dy), weigh(near[1], dy), weigh(near[2], dy), weigh(near[3], dy))
    return weigh(cx, across), weigh(dx, across), weigh(cx, sloped)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def put_four(room, at, weights):
    """Write four times sixteen weights."""
    store(room, at, weights[0])
    store(room, at + STRIDE, weights[1])
    store(room, at + np.uint64(2) * STRIDE, weights[2])
    store(room, at + np.uint64(3) * STRIDE, weights[3])


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def add_four(room, at):
    """Add four times sixteen numbers."""
    one = load(room, at) + load(room, at + STRIDE)
    return one + (load(room, at + np.uint64(2) * STRIDE) + load(room, at + np.uint64(3) * STRIDE))


@njit(no_cfunc_wrapper=True)
def gather(
    chunk, n_chunks, x, y, n, origin, per_unit, potential, near, room, x_field, y_field, sums
):
    """Read grad phi at every point of a chunk, and the sum of phi over them, sixteen at a time.

    Both without what a point's own charge adds: on a mesh it pushes itself, by where it is in its
    cell. ``near`` holds the potential of a unit charge at the nodes up to 3 away in each direction.
    Of ``x`` and ``y``, a multiple of 16, what is beyond n is on the mesh, too; the field there is
    zero. ``room`` is for 528 numbers.
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
        a = whole(u)
        b = whole(v)
        wx = spline(u - a)
        wy = spline(v - b)
        sx = spline_slope(u - a)
        sy = spline_slope(v - b)
        own_phi, own_x, own_y = own_share(wx, wy, sx, sy, near)
        # Whole numbers below 2^24 are exact.
        store_whole(room, CORNERS, np.float32(columns) * (a - one) + (b - one))
        put_four(room, np.uint64(0), wx)
        put_four(room, np.uint64(64), sx)
        put_four(room, np.uint64(128), wy)
        put_four(room, np.uint64(192), sy)
        transpose(room, np.uint64(0), room, TURNED)
        for number in range(STRIDE):
            place = TURNED + number * STRIDE
            corner = read_whole(room, CORNERS + number)
            store(room, place, weigh_square(flat, corner, columns, load(room, place)))
        transpose(room, TURNED, room, np.uint64(0))
        count = np.uint64(n) - at if at < np.uint64(n) else np.uint64(0)
        phi = add_four(room, np.uint64(0)) - own_phi
        store(y_field, at, first_of(per_unit * (add_four(room, np.uint64(64)) - own_y), count))
        store(x_field, at, first_of(per_unit * (add_four(room, np.uint64(128)) - own_x), count))
        total_phi += np.float64(total(first_of(phi, count)))
    sums[chunk] = total_phi


@register_jitable
def nodes_across(span, step):
    """Count the nodes that a map of some width needs."""
    return np.int64(np.ceil(span / step)) + 2 * MARGIN + 1


@register_jitable
def width_of(bounds):
    """Return the greater side of a map, but no less than float32 tells places in it apart."""
    x_low, x_high, y_low, y_high = bounds
    reach = max(max(abs(x_low), abs(x_high)), max(abs(y_low), abs(y_high)))
    return max(max(x_high - x_low, y_high - y_low), max(1e-3 * reach, 1e-12))


@register_jitable
def rung_of(width):
    """Return the rung of a small map's mesh, whose step is 2^(rung / 4)."""
    return np.floor(4 * np.log2(width / MIN_CELLS))


@register_jitable
def fits(bounds, layout):
    """Tell whether a mesh of ``layout`` (rows, columns, step, spacing) still serves a map.

    A little too large a mesh is kept: maps breathe.
    """
    rows, columns, step, spacing = layout
    width = width_of(bounds)
    if width < MIN_CELLS * spacing:
        if step >= spacing or rung_of(width) != np.rint(4 * np.log2(step)):
            return False
    elif step != spacing:
        return False
    nx = nodes_across(bounds[1] - bounds[0], step)
    ny = nodes_across(bounds[3] - bounds[2], step)
    return rows - 2 * GROWTH < nx <= rows and columns - 2 * GROWTH < ny <= columns


@register_jitable
def normalizer(total, offset, n):
    """Compute Z from the sum of the points' potentials.

    Positive in truth; where all points are far from each other, the mesh may lose the sign.
    """
    return max(total + offset * n * (n - 1), 1e-3 * n)


@register_jitable
def find_origin(bounds, shape, step, turn):
    """Place a mesh round the middle of a map, within least and greatest x, then y.

    Nodes are at multiples of ``step``, or, at every other turn, half a step beside these. At least
    1.25 steps are left between the points and each edge.
    """
    x_low, x_high, y_low, y_high = bounds
    nx, ny = shape
    beside = 0.5 * turn
    x_nodes = np.rint((x_low + x_high) / (2 * step) - (nx - 1) / 2 - 0.25) + beside
    y_nodes = np.rint((y_low + y_high) / (2 * step) - (ny - 1) / 2 - 0.25) + beside
    return np.float32(step * x_nodes), np.float32(step * y_nodes)


@njit(fastmath=FAST, inline="always")
def find_potential(
    thread, n_threads, shared, x, y, n, origin, per_unit, charges, solver, buffers, potential
):
    """Compute the potential of n points at the nodes; all threads together.

    False if a thread has given up.
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
    """Compute the potential and, where ``sums`` has room for them, the field at every point."""
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
