"""Compiled kernels of the gradient descent: arrays allocated by the caller, nothing validated.

Coordinates are separate float32 arrays, and rows of the sparse affinities slices of them, so that
the compiler sees no negative indices and emits gathers. ``error_model="numpy"`` lets it divide
without a branch.
"""

import numpy as np
from numba import njit

FAST = {"reassoc", "contract", "nsz", "arcp"}

# Columns of the sums that every chunk of points leaves.
X_LOW, X_HIGH, Y_LOW, Y_HIGH, GRADIENT, LOG_SUM = range(6)


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


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def attract_and_step(
    first,
    last,
    n_chunks,
    x,
    y,
    x_next,
    y_next,
    x_velocity,
    y_velocity,
    x_gain,
    y_gain,
    x_field,
    y_field,
    ptr,
    index,
    weight,
    scale,
    exaggeration,
    inverse_z,
    learning_rate,
    momentum,
    max_step,
    with_log,
    sums,
):
    """Take one step of gradient descent, for points of chunks first to last.

    g_i = 4 (exaggeration sum_j p_ij w_ij (y_i - y_j) + grad phi(y_i) / (2 Z)),
    p_ij = weight * scale_i, w_ij = 1 / (1 + |y_i - y_j|^2). Gains grow by 0.2 where gradient and
    velocity differ in sign, else shrink to 0.8; no step is longer than ``max_step``. Leaves in
    ``sums`` of each chunk the bounds of the new map, the squared length of the gradient and, if
    asked for, sum_ij p_ij log(1 + |y_i - y_j|^2) at the old one.
    """
    n = x.shape[0]
    for c in range(first, last):
        x_low = np.float32(np.inf)
        x_high = np.float32(-np.inf)
        y_low = np.float32(np.inf)
        y_high = np.float32(-np.inf)
        squares = 0.0
        logs = 0.0
        for i in range(n * c // n_chunks, n * (c + 1) // n_chunks):
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
            pull = exaggeration * scale[i]
            push = np.float32(0.5) * inverse_z
            gx = np.float32(4) * (pull * ax + push * x_field[i])
            gy = np.float32(4) * (pull * ay + push * y_field[i])
            squares += np.float64(gx * gx + gy * gy)
            gain = x_gain[i]
            if gx * x_velocity[i] < 0:
                gain += np.float32(0.2)
            else:
                gain = max(gain * np.float32(0.8), np.float32(0.01))
            x_gain[i] = gain
            vx = momentum * x_velocity[i] - learning_rate * gain * gx
            gain = y_gain[i]
            if gy * y_velocity[i] < 0:
                gain += np.float32(0.2)
            else:
                gain = max(gain * np.float32(0.8), np.float32(0.01))
            y_gain[i] = gain
            vy = momentum * y_velocity[i] - learning_rate * gain * gy
            length = np.sqrt(vx * vx + vy * vy)
            if length > max_step:
                vx *= max_step / length
                vy *= max_step / length
            x_velocity[i] = vx
            y_velocity[i] = vy
            px += vx
            py += vy
            x_next[i] = px
            y_next[i] = py
            x_low = min(x_low, px)
            x_high = max(x_high, px)
            y_low = min(y_low, py)
            y_high = max(y_high, py)
        sums[c, X_LOW] = x_low
        sums[c, X_HIGH] = x_high
        sums[c, Y_LOW] = y_low
        sums[c, Y_HIGH] = y_high
        sums[c, GRADIENT] = squares
        sums[c, LOG_SUM] = logs
