"""Compiled kernels of the gradient descent: arrays from the caller, nothing validated.

Sixteen neighbors, or sixteen points, are processed as one SIMD vector. ``error_model="numpy"``
lets the compiler divide without a branch.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

from .._parallel.barrier import barrier, next_task
from .._parallel.jit import kernel
from .._parallel.simd import FAST, STRIDE
from ._kernels_lanes import (
    fma,
    gather_pairs,
    keep_first,
    load,
    load_uint16,
    noinline,
    reduce_max,
    reduce_min,
    reduce_sum,
    select_less,
    splat,
    split_floats,
    sqrt,
    store,
    store_pairs,
)
from ._kernels_mesh import find_potential, gather
from ._kernels_rules import (
    GRADIENT,
    LOG_SUM,
    N_ROWS,
    PHI_SUM,
    X_HIGH,
    X_LOW,
    Y_HIGH,
    Y_LOW,
    StateRow,
    bounds_of,
    find_origin,
    fits,
    longest_step,
    normalizer,
)

# The closer to 1, the narrower the notch of `notch_filter`.
NOTCH = np.float32(0.7)

for _rule in (bounds_of, longest_step):
    register_jitable(_rule)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def log_lanes(x):
    """Compute log x of x >= 1, in each lane, with an error of 1e-7.

    x = m 2^e with m in [1/sqrt 2, sqrt 2), log m = 2 artanh(s), s = (m - 1) / (m + 1).
    """
    one = np.float32(1)
    e, m = split_floats(x)
    root_2 = splat(np.float32(1.4142135))
    e = select_less(root_2, m, e + one, e)
    m = select_less(root_2, m, np.float32(0.5) * m, m)
    s = (m - one) / (m + one)
    q = s * s
    series = fma(splat(np.float32(2 / 7)), q, splat(np.float32(2 / 5)))
    series = fma(series, q, splat(np.float32(2 / 3)))
    series = fma(series, q, splat(np.float32(2)))
    return fma(s, series, np.float32(0.6931472) * e)


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def notch_filter(field, memory, is_first):
    """Remove from a field what alternates in sign at every step; return it and the new memory.

    A filter with a notch at that frequency, (1 + NOTCH) / 2 (1 + z^-1) / (1 + NOTCH z^-1): gain 1
    for a constant, and almost no delay. It removes grid noise: points crowded in one cell of the
    mesh exert a net force on each other that depends on their position in the cell; with the mesh
    shifted by half a step, nearly the opposite force.
    """
    one = np.float32(1)
    share = np.float32(0.5) * (one + NOTCH)
    if is_first:
        memory = (one - share) * field
    filtered = share * field + memory
    return filtered, share * field - NOTCH * filtered


@njit(no_cfunc_wrapper=True)
def attract(chunk, n_chunks, pairs, affinities, x_pull, y_pull, with_log, sums):
    """Sum p_ij w_ij (y_i - y_j) for the points of a chunk; w_ij = 1 / (1 + |y_i - y_j|^2).

    p_ij = weight * scale_i; ``pairs`` are the points' (x, y). With ``with_log``, ``sums`` gets
    sum_ij p_ij log(1 + |y_i - y_j|^2). Either the 16-bit or the 32-bit array of indices is empty:
    compiling a second version takes longer than most descents.
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
            p = load_uint16(weight, at)
            if at + STRIDE > end:
                p = keep_first(p, end - at)
            if len(wide):
                x, y = gather_pairs(pairs, wide, at)
            else:
                x, y = gather_pairs(pairs, narrow, at)
            dx = px - x
            dy = py - y
            r = fma(dx, dx, fma(dy, dy, one))
            w = p / r
            ax = fma(w, dx, ax)
            ay = fma(w, dy, ay)
            if with_log:
                logs = fma(p, log_lanes(r), logs)
        x_pull[i] = reduce_sum(ax) * scale[i]
        y_pull[i] = reduce_sum(ay) * scale[i]
        all_logs += np.float64(reduce_sum(logs)) * np.float64(scale[i])
    sums[chunk, LOG_SUM] = all_logs


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def change_gain(gain, gradient, velocity):
    """Increase a gain by 0.2 where gradient and velocity differ in sign, else multiply by 0.8."""
    less = np.float32(0.8) * gain
    floor = splat(np.float32(0.01))
    less = select_less(less, floor, floor, less)
    nothing = splat(np.float32(0))
    return select_less(gradient * velocity, nothing, gain + np.float32(0.2), less)


@njit(no_cfunc_wrapper=True)
def move(chunk, n_chunks, n, is_first, state, push, settings, sums):
    """Take one step of gradient descent, for the points of a chunk, sixteen at a time.

    g_i = 4 (exaggeration * pull_i + grad phi(y_i) / (2 Z)), push = 1 / 2Z, with the filtered field.
    No step is longer than ``max_step``; ``free_y`` is 0 to hold y fixed, else 1. ``sums`` gets the
    bounds of the new map and the squared gradient norm. ``state``, flat, has the rows of
    `StateRow`; its padding has no forces and follows the last point.
    """
    noinline()
    exaggeration, learning_rate, momentum, max_step, free_y = settings
    stride = np.uint64(len(state) // N_ROWS)
    groups = len(state) // (N_ROWS * 16)
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
        at_y = at + np.uint64(StateRow.Y) * stride
        at_vx = at + np.uint64(StateRow.X_VELOCITY) * stride
        at_vy = at + np.uint64(StateRow.Y_VELOCITY) * stride
        at_x_gain = at + np.uint64(StateRow.X_GAIN) * stride
        at_y_gain = at + np.uint64(StateRow.Y_GAIN) * stride
        at_x_pull = at + np.uint64(StateRow.X_PULL) * stride
        at_y_pull = at + np.uint64(StateRow.Y_PULL) * stride
        at_x_field = at + np.uint64(StateRow.X_FIELD) * stride
        at_y_field = at + np.uint64(StateRow.Y_FIELD) * stride
        at_x_memory = at + np.uint64(StateRow.X_MEMORY) * stride
        at_y_memory = at + np.uint64(StateRow.Y_MEMORY) * stride
        x_field, memory = notch_filter(load(state, at_x_field), load(state, at_x_memory), is_first)
        store(state, at_x_memory, memory)
        y_field, memory = notch_filter(load(state, at_y_field), load(state, at_y_memory), is_first)
        store(state, at_y_memory, memory)
        gx = pull * load(state, at_x_pull) + push * x_field
        gy = free_y * (pull * load(state, at_y_pull) + push * y_field)
        squares += np.float64(reduce_sum(gx * gx + gy * gy))
        vx = load(state, at_vx)
        vy = load(state, at_vy)
        x_gain = change_gain(load(state, at_x_gain), gx, vx)
        y_gain = change_gain(load(state, at_y_gain), gy, vy)
        store(state, at_x_gain, x_gain)
        store(state, at_y_gain, y_gain)
        vx = momentum * vx - learning_rate * (x_gain * gx)
        vy = momentum * vy - learning_rate * (y_gain * gy)
        length = sqrt(vx * vx + vy * vy)
        short = select_less(limit, length, limit / length, one)
        # Points whose step overflows, as with a learning rate of 1e38, do not move.
        vx = select_less(length, infinity, short * vx, nothing)
        vy = select_less(length, infinity, short * vy, nothing)
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
        store_pairs(state, np.uint64(StateRow.PAIRS) * stride + at + at, x, y)
        x_low = select_less(x, x_low, x, x_low)
        x_high = select_less(x_high, x, x, x_high)
        y_low = select_less(y, y_low, y, y_low)
        y_high = select_less(y_high, y, y, y_high)
    sums[chunk, X_LOW] = reduce_min(x_low)
    sums[chunk, X_HIGH] = reduce_max(x_high)
    sums[chunk, Y_LOW] = reduce_min(y_low)
    sums[chunk, Y_HIGH] = reduce_max(y_high)
    sums[chunk, GRADIENT] = squares


@njit(no_cfunc_wrapper=True, no_cpython_wrapper=True)
def total_phi(sums):
    """Sum phi over the chunks, in their order: the same on every processor."""
    total = 0.0
    for chunk in range(len(sums)):
        total += sums[chunk, PHI_SUM]
    return total


@kernel(fastmath=FAST, error_model="numpy")
def take_steps(
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
    """Take steps of gradient descent while the mesh fits; called by all threads.

    ``before`` is the number of steps since the embedding was set; ``settings`` are exaggeration,
    learning rate, momentum and ``free_y`` (see `move`). ``done`` gets the number of steps taken and
    Z of the last.
    """
    stride = len(state) // N_ROWS
    x = state[StateRow.X * stride : StateRow.Y * stride]
    y = state[StateRow.Y * stride : StateRow.X_VELOCITY * stride]
    x_pull = state[StateRow.X_PULL * stride : StateRow.Y_PULL * stride]
    y_pull = state[StateRow.Y_PULL * stride : StateRow.X_FIELD * stride]
    x_field = state[StateRow.X_FIELD * stride : StateRow.Y_FIELD * stride]
    y_field = state[StateRow.Y_FIELD * stride : StateRow.PAIRS * stride]
    pairs = state[StateRow.PAIRS * stride : StateRow.X_MEMORY * stride]
    step = layout[2]
    per_unit = np.float32(1 / step)
    n_chunks = sums.shape[0]
    exaggeration, learning_rate, momentum, free_y = settings
    for number in range(n_steps):
        bounds = bounds_of(sums)
        max_step = longest_step(max(bounds[1] - bounds[0], bounds[3] - bounds[2]))
        step_settings = (exaggeration, learning_rate, momentum, max_step, free_y)
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
        z = normalizer(total_phi(sums), solver.offset, n)
        push = np.float32(0.5 / z)
        chunk = next_task(shared)
        while chunk < n_chunks:
            move(chunk, n_chunks, n, before + number == 0, state, push, step_settings, sums)
            chunk = next_task(shared)
        if not barrier(shared, n_threads):
            return
        if thread == 0:
            done[0] = number + 1
            done[1] = z
