"""Compiled kernels of the exact sum over all pairs: arrays from the caller, nothing validated.

Coordinates are a float32 array (3, n), unused ones zero: one kernel for 1, 2 and 3 components.
"""

import numpy as np
from numba import njit

from .._parallel.jit import kernel
from .._parallel.simd import FAST


@njit(fastmath=FAST, error_model="numpy", inline="always")
def natural_log(x):
    """Compute log x of a float32 x >= 1 as `log_lanes` does, in a form that vectorizes."""
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


@kernel(fastmath=FAST, error_model="numpy")
def repel(y, first, last, field, phi):
    """Sum over all other points phi_i = sum_j w_ij, and field_i, its gradient.

    grad phi(y_i) = -2 sum_j w_ij^2 (y_i - y_j).
    """
    n = y.shape[1]
    a = y[0]
    b = y[1]
    c = y[2]
    for i in range(first, last):
        pa = a[i]
        pb = b[i]
        pc = c[i]
        s = np.float32(0)
        fa = np.float32(0)
        fb = np.float32(0)
        fc = np.float32(0)
        for j in range(n):
            da = pa - a[j]
            db = pb - b[j]
            dc = pc - c[j]
            w = np.float32(1) / (np.float32(1) + da * da + db * db + dc * dc)
            s += w
            w *= w
            fa += w * da
            fb += w * db
            fc += w * dc
        # The point itself contributes w = 1 and no force.
        phi[i] = np.float64(s) - 1.0
        field[0, i] = np.float32(-2) * fa
        field[1, i] = np.float32(-2) * fb
        field[2, i] = np.float32(-2) * fc


@kernel(fastmath=FAST, error_model="numpy")
def attract(y, first, last, ptr, index, weight, scale, with_log, force, logs):
    """Sum over the affinities: force_i = sum_j p_ij w_ij (y_i - y_j).

    With ``with_log`` also logs_i = sum_j p_ij log(1 / w_ij).
    """
    a = y[0]
    b = y[1]
    c = y[2]
    for i in range(first, last):
        pa = a[i]
        pb = b[i]
        pc = c[i]
        fa = np.float32(0)
        fb = np.float32(0)
        fc = np.float32(0)
        columns = index[ptr[i] : ptr[i + 1]]
        weights = weight[ptr[i] : ptr[i + 1]]
        for e in range(columns.shape[0]):
            j = np.uint32(columns[e]) & np.uint32(0x7FFFFFFF)
            da = pa - a[j]
            db = pb - b[j]
            dc = pc - c[j]
            w = np.float32(weights[e]) / (np.float32(1) + da * da + db * db + dc * dc)
            fa += w * da
            fb += w * db
            fc += w * dc
        force[0, i] = scale[i] * fa
        force[1, i] = scale[i] * fb
        force[2, i] = scale[i] * fc
        if with_log:
            s = np.float32(0)
            for e in range(columns.shape[0]):
                j = np.uint32(columns[e]) & np.uint32(0x7FFFFFFF)
                da = pa - a[j]
                db = pb - b[j]
                dc = pc - c[j]
                s += np.float32(weights[e]) * natural_log(
                    np.float32(1) + da * da + db * db + dc * dc
                )
            logs[i] = np.float64(s) * np.float64(scale[i])


@kernel(fastmath=FAST, error_model="numpy")
def step(
    y, force, field, velocity, gain, exaggeration, inverse_z, learning_rate, momentum, max_step
):
    """Update all points as `_kernels_optimizer.move` does; return the squared gradient norm."""
    squares = 0.0
    push = np.float32(0.5) * inverse_z
    for i in range(y.shape[1]):
        length = np.float32(0)
        for d in range(3):
            g = np.float32(4) * (exaggeration * force[d, i] + push * field[d, i])
            squares += np.float64(g * g)
            if g * velocity[d, i] < 0:
                gain[d, i] += np.float32(0.2)
            else:
                gain[d, i] = max(gain[d, i] * np.float32(0.8), np.float32(0.01))
            v = momentum * velocity[d, i] - learning_rate * gain[d, i] * g
            velocity[d, i] = v
            length += v * v
        length = np.sqrt(length)
        for d in range(3):
            if not length < np.float32(np.inf):
                velocity[d, i] = np.float32(0)
            elif length > max_step:
                velocity[d, i] *= max_step / length
            y[d, i] += velocity[d, i]
    return squares
