"""Compiled kernels of the gradient descent: arrays allocated by the caller, nothing validated.

Coordinates are separate float32 arrays, and rows of the sparse affinities slices of them, so that
the compiler sees no negative indices and emits gathers. ``error_model="numpy"`` lets it divide
without a branch.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from .._kernels_together import barrier, next_task
from ._kernels_lanes import choose_less, lane, load, root, splat, store
from ._kernels_mesh import find_origin, find_potential, fits, gather, normaliser

FAST = {"reassoc", "contract", "nsz", "arcp"}

# Columns of the sums that every chunk of points leaves.
X_LOW, X_HIGH, Y_LOW, Y_HIGH, GRADIENT, LOG_SUM, PHI_SUM = range(7)


@njit(fastmath=FAST, error_model="numpy", inline="always")
def natural_log(x):
    """Compute log x of a float32 x >= 1 to 1e-7 in a form that vectorises.

    x = m 2^e with m in [1/sqrt 2, sqrt 2), log m = 2 artanh(s), s = (m - 1) / (m + 1).
    """
    bits = np.float32(x).view(np.int32)
    e = (bits >> 23) - 127
    m = np.int32((bits & 0x7FFFFF) | 0x3F800000).view(np.float32)
    big = m > np.float32(1.4142135)
    m = m * np.float32(0.5) if big else m
    e = e + 1 if big else e
    s = (m - np.float32(1)) / (m + np.float32(1))
    q = s * s
    series = np.float32(2 / 7) * q + np.float32(2 / 5)
    series = series * q + np.float32(2 / 3)
    series = series * q + np.float32(2)
    return np.float32(e) * np.float32(0.6931472) + s * series


@njit(fastmath=FAST, error_model="numpy", forceinline=True, no_cfunc_wrapper=True)
def attract(chunk, n_chunks, x, y, affinities, x_pull, y_pull, with_log, sums):
    """Sum p_ij w_ij (y_i - y_j) for the points of a chunk; w_ij = 1 / (1 + |y_i - y_j|^2).

    p_ij = weight * scale_i. Leaves in ``sums``, if asked to, sum_ij p_ij log(1 + |y_i - y_j|^2).
    """
    ptr, index, weight, scale = affinities
    n = len(scale)
    logs = 0.0
    for i in range(n * chunk // n_chunks, n * (chunk + 1) // n_chunks):
        px = x[i]
        py = y[i]
        ax = np.float32(0)
        ay = np.float32(0)
        columns = index[ptr[i] : ptr[i + 1]]
        weights = weight[ptr[i] : ptr[i + 1]]
        for e in range(columns.shape[0]):
            # Known not to be negative, the index needs no second register.
            j = np.uint32(columns[e]) & np.uint32(0x7FFFFFFF)
            dx = px - x[j]
            dy = py - y[j]
            w = np.float32(weights[e]) / (np.float32(1) + dx * dx + dy * dy)
            ax += w * dx
            ay += w * dy
        if with_log:
            some = np.float32(0)
            for e in range(columns.shape[0]):
                j = np.uint32(columns[e]) & np.uint32(0x7FFFFFFF)
                dx = px - x[j]
                dy = py - y[j]
                some += np.float32(weights[e]) * natural_log(np.float32(1) + dx * dx + dy * dy)
            logs += np.float64(some) * np.float64(scale[i])
        x_pull[i] = ax * scale[i]
        y_pull[i] = ay * scale[i]
    sums[chunk, LOG_SUM] = logs


@njit(no_cfunc_wrapper=True)
def change_gain(gain, gradient, velocity):
    """Let a gain grow by 0.2 where gradient and velocity differ in sign, else shrink to 0.8."""
    less = splat(np.float32(0.8)) * gain
    least = splat(np.float32(0.01))
    less = choose_less(less, least, least, less)
    nothing = splat(np.float32(0))
    return choose_less(gradient * velocity, nothing, gain + splat(np.float32(0.2)), less)


@njit(no_cfunc_wrapper=True)
def move(chunk, n_chunks, n, state, exaggeration, push, learning_rate, momentum, max_step, sums):
    """Take one step of gradient descent, for the points of a chunk, sixteen at a time.

    g_i = 4 (exaggeration * pull_i + grad phi(y_i) / (2 Z)), push = 1 / 2Z. No step is longer than
    ``max_step``. Leaves in ``sums`` the bounds of the new map and the squared length of the
    gradient. ``state``, flat, has ten rows of a multiple of 16: x, y, their velocities, gains,
    pulls and fields; forces on what is beyond the last point are zero, and it stays with that.
    """
    stride = np.uint64(len(state) // 10)
    groups = len(state) // 160
    x_low = splat(np.float32(np.inf))
    x_high = splat(np.float32(-np.inf))
    y_low = x_low
    y_high = x_high
    squares = splat(np.float32(0))
    total = 0.0
    four = np.float32(4)
    for group in range(groups * chunk // n_chunks, groups * (chunk + 1) // n_chunks):
        at = np.uint64(group * 16)
        x = load(state, at)
        y = load(state, at + stride)
        vx = load(state, at + np.uint64(2) * stride)
        vy = load(state, at + np.uint64(3) * stride)
        gx = (four * exaggeration) * load(state, at + np.uint64(6) * stride) + (four * push) * load(
            state, at + np.uint64(8) * stride
        )
        gy = (four * exaggeration) * load(state, at + np.uint64(7) * stride) + (four * push) * load(
            state, at + np.uint64(9) * stride
        )
        squares = gx * gx + gy * gy
        for number in range(np.uint64(16)):
            total += np.float64(lane(squares, number))
        x_gain = change_gain(load(state, at + np.uint64(4) * stride), gx, vx)
        y_gain = change_gain(load(state, at + np.uint64(5) * stride), gy, vy)
        store(state, at + np.uint64(4) * stride, x_gain)
        store(state, at + np.uint64(5) * stride, y_gain)
        vx = momentum * vx - learning_rate * (x_gain * gx)
        vy = momentum * vy - learning_rate * (y_gain * gy)
        length = root(vx * vx + vy * vy)
        limit = splat(max_step)
        one = splat(np.float32(1))
        short = choose_less(limit, length, limit / length, one)
        vx = short * vx
        vy = short * vy
        x = x + vx
        y = y + vy
        store(state, at, x)
        store(state, at + stride, y)
        store(state, at + np.uint64(2) * stride, vx)
        store(state, at + np.uint64(3) * stride, vy)
        if at + np.uint64(16) > np.uint64(n):
            for beyond in range(np.uint64(n), stride):
                state[beyond] = state[n - 1]
                state[beyond + stride] = state[np.uint64(n - 1) + stride]
            x = load(state, at)
            y = load(state, at + stride)
        x_low = choose_less(x, x_low, x, x_low)
        x_high = choose_less(x_high, x, x, x_high)
        y_low = choose_less(y, y_low, y, y_low)
        y_high = choose_less(y_high, y, y, y_high)
    sums[chunk, X_LOW] = lane(x_low, np.uint64(0))
    sums[chunk, X_HIGH] = lane(x_high, np.uint64(0))
    sums[chunk, Y_LOW] = lane(y_low, np.uint64(0))
    sums[chunk, Y_HIGH] = lane(y_high, np.uint64(0))
    for number in range(np.uint64(1), np.uint64(16)):
        sums[chunk, X_LOW] = min(sums[chunk, X_LOW], lane(x_low, number))
        sums[chunk, X_HIGH] = max(sums[chunk, X_HIGH], lane(x_high, number))
        sums[chunk, Y_LOW] = min(sums[chunk, Y_LOW], lane(y_low, number))
        sums[chunk, Y_HIGH] = max(sums[chunk, Y_HIGH], lane(y_high, number))
    sums[chunk, GRADIENT] = total


@register_jitable
def bounds_of(sums):
    """Return the least and greatest x, then y, of a map whose chunks have theirs in ``sums``."""
    x_low, x_high, y_low, y_high = sums[0, X_LOW], sums[0, X_HIGH], sums[0, Y_LOW], sums[0, Y_HIGH]
    for chunk in range(1, len(sums)):
        x_low = min(x_low, sums[chunk, X_LOW])
        x_high = max(x_high, sums[chunk, X_HIGH])
        y_low = min(y_low, sums[chunk, Y_LOW])
        y_high = max(y_high, sums[chunk, Y_HIGH])
    return x_low, x_high, y_low, y_high


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", no_cfunc_wrapper=True)
def descend_together(
    thread,
    n_threads,
    shared,
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

    ``settings``: exaggeration, learning rate, momentum, greatest step. Leaves in ``done`` the
    number of steps taken and Z of the last.
    """
    stride = len(state) // 10
    x, y = state[:stride], state[stride : 2 * stride]
    x_pull, y_pull = state[6 * stride : 7 * stride], state[7 * stride : 8 * stride]
    x_field, y_field = state[8 * stride : 9 * stride], state[9 * stride :]
    exaggeration, learning_rate, momentum, max_step = settings
    step = layout[2]
    per_unit = np.float32(1 / step)
    n_chunks = sums.shape[0]
    for number in range(n_steps):
        bounds = bounds_of(sums)
        if number > 0 and not fits(bounds, layout):
            break
        origin = find_origin(bounds, potential.shape, step)
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
                x_field,
                y_field,
                sums[:, PHI_SUM],
            )
            attract(chunk, n_chunks, x, y, affinities, x_pull, y_pull, with_log, sums)
            chunk = next_task(shared)
        if not barrier(shared, n_threads):
            return
        total = 0.0
        for chunk in range(n_chunks):
            total += sums[chunk, PHI_SUM]
        z = normaliser(total, solver.offset, n)
        push = np.float32(0.5 / z)
        chunk = next_task(shared)
        while chunk < n_chunks:
            move(
                chunk,
                n_chunks,
                n,
                state,
                exaggeration,
                push,
                learning_rate,
                momentum,
                max_step,
                sums,
            )
            chunk = next_task(shared)
        if not barrier(shared, n_threads):
            return
        if thread == 0:
            done[0] = number + 1
            done[1] = z
