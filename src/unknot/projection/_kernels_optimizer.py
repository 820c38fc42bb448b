"""Compiled kernels of the gradient descent: arrays allocated by the caller, nothing validated.

Sixteen neighbors, or sixteen points, are handled as one. ``error_model="numpy"`` lets the compiler
divide without a branch.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from .._parallel.barrier import barrier, next_task
from .._parallel.jit import kernel
from .._parallel.simd import FAST, STRIDE
from ._kernels_lanes import (
    choose_less,
    first_of,
    fused,
    greatest,
    least,
    load,
    load_small,
    noinline,
    pairs_at,
    part_floats,
    root,
    splat,
    store,
    store_pairs,
    total,
)
from ._kernels_mesh import find_origin, find_potential, fits, gather, normalizer

# Columns of the sums that every chunk of points leaves.
X_LOW, X_HIGH, Y_LOW, Y_HIGH, GRADIENT, LOG_SUM, PHI_SUM = range(7)
# The nearer to 1, the narrower the notch of `settle`.
NOTCH = np.float32(0.7)
# Of a descent's state.
ROWS = 14
# No point moves farther in one iteration than this, in units of the map, nor than this share of the
# map's width, which counts as no less than that of a map about to unfold.
MAX_STEP = np.float32(5)
MAX_SHARE = np.float32(0.05)
LEAST_WIDTH = np.float32(4)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def logs_of(x):
    """Compute log x of x >= 1 to 1e-7, in each lane.

    x = m 2^e with m in [1/sqrt 2, sqrt 2), log m = 2 artanh(s), s = (m - 1) / (m + 1).
    """
    one = np.float32(1)
    e, m = part_floats(x)
    root_2 = splat(np.float32(1.4142135))
    e = choose_less(root_2, m, e + one, e)
    m = choose_less(root_2, m, np.float32(0.5) * m, m)
    s = (m - one) / (m + one)
    q = s * s
    series = fused(splat(np.float32(2 / 7)), q, splat(np.float32(2 / 5)))
    series = fused(series, q, splat(np.float32(2 / 3)))
    series = fused(series, q, splat(np.float32(2)))
    return fused(s, series, np.float32(0.6931472) * e)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def settle(field, kept, is_first):
    """Take out of a field what changes its sign at every step; return it, and what to keep.

    A filter with a notch there, (1 + NOTCH) / 2 (1 + z^-1) / (1 + NOTCH z^-1): 1 for what stays,
    and next to no delay. On a mesh, points that crowd in a cell push all of them somewhere, by
    where in the cell they are; half a step aside, they push them back by nearly as much.
    """
    one = np.float32(1)
    share = np.float32(0.5) * (one + NOTCH)
    if is_first:
        kept = (one - share) * field
    settled = share * field + kept
    return settled, share * field - NOTCH * settled


@njit(no_cfunc_wrapper=True)
def attract(chunk, n_chunks, pairs, affinities, x_pull, y_pull, with_log, sums):
    """Sum p_ij w_ij (y_i - y_j) for the points of a chunk; w_ij = 1 / (1 + |y_i - y_j|^2).

    p_ij = weight * scale_i, and ``pairs`` are the points' x and y. Leaves in ``sums``, if asked to,
    sum_ij p_ij log(1 + |y_i - y_j|^2). Of the indices in 16 bits and those in 32 one array is
    empty: to compile all this anew for the other kind takes longer than most descents.
    """
    noinline()
    ptr, narrow, wide, weight, scale = affinities
    n = len(scale)
    one = splat(np.float32(1))
    nothing = splat(np.float32(0))
    all_logs = 0.0
    for i in range(n * chunk // n_chunks, n * (chunk + 1) // n_chunks):
        px = splat(pairs[2 * i])
        py = splat(pairs[2 * i + 1])
        ax = nothing
        ay = nothing
        logs = nothing
        end = np.uint64(ptr[i + 1])
        for at in range(np.uint64(ptr[i]), end, STRIDE):
            p = load_small(weight, at)
            if at + STRIDE > end:
                p = first_of(p, end - at)
            if len(wide):
                x, y = pairs_at(pairs, wide, at)
            else:
                x, y = pairs_at(pairs, narrow, at)
            dx = px - x
            dy = py - y
            r = fused(dx, dx, fused(dy, dy, one))
            w = p / r
            ax = fused(w, dx, ax)
            ay = fused(w, dy, ay)
            if with_log:
                logs = fused(p, logs_of(r), logs)
        x_pull[i] = total(ax) * scale[i]
        y_pull[i] = total(ay) * scale[i]
        all_logs += np.float64(total(logs)) * np.float64(scale[i])
    sums[chunk, LOG_SUM] = all_logs


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def change_gain(gain, gradient, velocity):
    """Let a gain grow by 0.2 where gradient and velocity differ in sign, else shrink to 0.8."""
    less = np.float32(0.8) * gain
    floor = splat(np.float32(0.01))
    less = choose_less(less, floor, floor, less)
    nothing = splat(np.float32(0))
    return choose_less(gradient * velocity, nothing, gain + np.float32(0.2), less)


@njit(no_cfunc_wrapper=True)
def move(chunk, n_chunks, n, is_first, state, push, settings, sums):
    """Take one step of gradient descent, for the points of a chunk, sixteen at a time.

    g_i = 4 (exaggeration * pull_i + grad phi(y_i) / (2 Z)), push = 1 / 2Z, with a field that is
    settled. No step is longer than ``max_step``; of those along y ``aside`` is taken, 1 or 0.
    Leaves in ``sums`` the bounds of the new map and the squared length of the gradient. ``state``,
    flat, has fourteen rows of a multiple of 16: x, y, their velocities, gains, pulls and fields, in
    two rows the pairs (x, y), and what is kept of the fields; forces on what is beyond the last
    point are zero, and it stays with that.
    """
    noinline()
    exaggeration, learning_rate, momentum, max_step, aside = settings
    stride = np.uint64(len(state) // ROWS)
    groups = len(state) // (ROWS * 16)
    last = np.uint64(n - 1)
    infinity = splat(np.float32(np.inf))
    nothing = splat(np.float32(0))
    one = splat(np.float32(1))
    limit = splat(max_step)
    x_low = infinity
    x_high = nothing - infinity
    y_low = x_low
    y_high = x_high
    squares = 0.0
    pull = np.float32(4) * exaggeration
    push = np.float32(4) * push
    for group in range(groups * chunk // n_chunks, groups * (chunk + 1) // n_chunks):
        at = np.uint64(group * 16)
        at_y = at + stride
        at_vx = at_y + stride
        at_vy = at_vx + stride
        at_x_gain = at_vy + stride
        at_y_gain = at_x_gain + stride
        at_x_pull = at_y_gain + stride
        at_y_pull = at_x_pull + stride
        at_x_field = at_y_pull + stride
        at_y_field = at_x_field + stride
        at_x_kept = at_y_field + np.uint64(3) * stride
        at_y_kept = at_x_kept + stride
        x_field, kept = settle(load(state, at_x_field), load(state, at_x_kept), is_first)
        store(state, at_x_kept, kept)
        y_field, kept = settle(load(state, at_y_field), load(state, at_y_kept), is_first)
        store(state, at_y_kept, kept)
        gx = pull * load(state, at_x_pull) + push * x_field
        gy = aside * (pull * load(state, at_y_pull) + push * y_field)
        squares += np.float64(total(gx * gx + gy * gy))
        vx = load(state, at_vx)
        vy = load(state, at_vy)
        x_gain = change_gain(load(state, at_x_gain), gx, vx)
        y_gain = change_gain(load(state, at_y_gain), gy, vy)
        store(state, at_x_gain, x_gain)
        store(state, at_y_gain, y_gain)
        vx = momentum * vx - learning_rate * (x_gain * gx)
        vy = momentum * vy - learning_rate * (y_gain * gy)
        length = root(vx * vx + vy * vy)
        short = choose_less(limit, length, limit / length, one)
        # What overflows, as a rate of 1e38 may, stays where it is.
        vx = choose_less(length, infinity, short * vx, nothing)
        vy = choose_less(length, infinity, short * vy, nothing)
        store(state, at_vx, vx)
        store(state, at_vy, vy)
        x = load(state, at) + vx
        y = load(state, at_y) + vy
        store(state, at, x)
        store(state, at_y, y)
        if at + STRIDE > last:
            for beyond in range(last, stride):
                state[beyond] = state[last]
                state[beyond + stride] = state[last + stride]
            x = load(state, at)
            y = load(state, at_y)
        store_pairs(state, np.uint64(10) * stride + at + at, x, y)
        x_low = choose_less(x, x_low, x, x_low)
        x_high = choose_less(x_high, x, x, x_high)
        y_low = choose_less(y, y_low, y, y_low)
        y_high = choose_less(y_high, y, y, y_high)
    sums[chunk, X_LOW] = least(x_low)
    sums[chunk, X_HIGH] = greatest(x_high)
    sums[chunk, Y_LOW] = least(y_low)
    sums[chunk, Y_HIGH] = greatest(y_high)
    sums[chunk, GRADIENT] = squares


@register_jitable
def bounds_of(sums):
    """Return the least and greatest x, then y, of a map whose chunks have theirs in ``sums``."""
    x_low, x_high, y_low, y_high = sums[0, X_LOW], sums[0, X_HIGH], sums[0, Y_LOW], sums[0, Y_HIGH]
    for chunk in range(1, len(sums)):
        row = sums[chunk]
        x_low = row[X_LOW] if row[X_LOW] < x_low else x_low
        x_high = row[X_HIGH] if row[X_HIGH] > x_high else x_high
        y_low = row[Y_LOW] if row[Y_LOW] < y_low else y_low
        y_high = row[Y_HIGH] if row[Y_HIGH] > y_high else y_high
    return x_low, x_high, y_low, y_high


@register_jitable
def longest_step(width):
    """Return how far a point may move in one iteration on a map of this width.

    Where exaggeration ends, the rate is far too high for a map that is still small: without a limit
    to go with its width the points are strewn about, and what was arranged is lost.
    """
    width = max(np.float32(width), LEAST_WIDTH)
    return min(MAX_STEP, MAX_SHARE * width)


@kernel(fastmath=FAST, error_model="numpy")
def descend_together(
    thread,
    n_threads,
    shared,
    before,
    n_steps,
    with_log,
    n,
    state,
    affinities,
    layout,
    charges,
    solver,
    buffers,
    potential,
    settings,
    sums,
    done,
):
    """Take steps of gradient descent as long as the mesh fits; all threads together.

    ``before`` is the number of steps since the points were placed, and ``settings`` are
    exaggeration, learning rate, momentum and what of a step along y is taken.
    Leaves in ``done`` the number of steps taken and Z of the last.
    """
    stride = len(state) // ROWS
    x, y = state[:stride], state[stride : 2 * stride]
    x_pull, y_pull = state[6 * stride : 7 * stride], state[7 * stride : 8 * stride]
    x_field, y_field = state[8 * stride : 9 * stride], state[9 * stride : 10 * stride]
    pairs = state[10 * stride : 12 * stride]
    step = layout[2]
    per_unit = np.float32(1 / step)
    n_chunks = sums.shape[0]
    exaggeration, learning_rate, momentum, aside = settings
    for number in range(n_steps):
        bounds = bounds_of(sums)
        max_step = longest_step(max(bounds[1] - bounds[0], bounds[3] - bounds[2]))
        rules = (exaggeration, learning_rate, momentum, max_step, aside)
        if number > 0 and not fits(bounds, layout):
            break
        origin = find_origin(bounds, potential.shape, step, (before + number) % 2)
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
                sums[:, PHI_SUM],
            )
            attract(chunk, n_chunks, pairs, affinities, x_pull, y_pull, with_log, sums)
            chunk = next_task(shared)
        if not barrier(shared, n_threads):
            return
        total = 0.0
        for chunk in range(n_chunks):
            total += sums[chunk, PHI_SUM]
        z = normalizer(total, solver.offset, n)
        push = np.float32(0.5 / z)
        chunk = next_task(shared)
        while chunk < n_chunks:
            move(chunk, n_chunks, n, before + number == 0, state, push, rules, sums)
            chunk = next_task(shared)
        if not barrier(shared, n_threads):
            return
        if thread == 0:
            done[0] = number + 1
            done[1] = z
