"""Compiled kernel that embeds new points into a fixed map: nothing validated."""

import numpy as np
from numba import njit

from .._parallel.jit import kernel
from ._kernels_mesh import spline, spline_slope


@njit(inline="always")
def potential_at(a, b, c, y, x0, y0, per_unit, offset, potential, slope):
    """Compute phi = sum_j 1 / (1 + r_j^2), from a mesh if given, and its gradient (``slope``)."""
    phi = 0.0
    slope[0] = 0.0
    slope[1] = 0.0
    slope[2] = 0.0
    if potential.shape[0] > 0:
        u = np.float32((a - x0) * per_unit)
        v = np.float32((b - y0) * per_unit)
        p = np.uint32(u)
        q = np.uint32(v)
        wx = spline(u - np.float32(p))
        wy = spline(v - np.float32(q))
        sx = spline_slope(u - np.float32(p))
        sy = spline_slope(v - np.float32(q))
        for k in range(4):
            for m in range(4):
                value = np.float64(potential[p + k - 1, q + m - 1])
                phi += wx[k] * wy[m] * value
                slope[0] += sx[k] * wy[m] * value * per_unit
                slope[1] += wx[k] * sy[m] * value * per_unit
        return phi + offset
    for j in range(y.shape[1]):
        da = a - y[0, j]
        db = b - y[1, j]
        dc = c - y[2, j]
        w = 1.0 / (1.0 + da * da + db * db + dc * dc)
        phi += w
        slope[0] -= 2.0 * w * w * da
        slope[1] -= 2.0 * w * w * db
        slope[2] -= 2.0 * w * w * dc
    return phi


@njit(inline="always")
def cost_at(
    a, b, c, near, p, y, x0, y0, per_unit, offset, potential, n_components, slope, gradient
):
    """Compute the KL divergence of q_{j|new} from p_{j|new} up to a constant, and its gradient."""
    phi = potential_at(a, b, c, y, x0, y0, per_unit, offset, potential, slope)
    cost = np.log(phi)
    for d in range(3):
        gradient[d] = slope[d] / phi if d < n_components else 0.0
    for t in range(near.shape[0]):
        j = near[t]
        da = a - y[0, j]
        db = b - y[1, j]
        dc = c - y[2, j]
        r = 1.0 + da * da + db * db + dc * dc
        cost += p[t] * np.log(r)
        w = 2.0 * p[t] / r
        gradient[0] += w * da
        gradient[1] += w * db
        gradient[2] += w * dc
    return cost


@kernel(error_model="numpy")
def place(
    first,
    last,
    near,
    p,
    y,
    low,
    high,
    x0,
    y0,
    per_unit,
    offset,
    potential,
    n_components,
    n_steps,
    placed,
):
    """Move each new point to a local minimum of the divergence from its own affinities.

    Gradient descent from the best of its neighbors' positions, with backtracking: a step that does
    not reduce the divergence is halved, one that does makes the next longer. New points do not
    interact.
    """
    slope = np.empty(3)
    gradient = np.empty(3)
    trial_gradient = np.empty(3)
    at = np.empty(3)
    trial = np.empty(3)
    for i in range(first, last):
        best = np.inf
        for t in range(near.shape[1]):
            j = near[i, t]
            cost = cost_at(
                y[0, j],
                y[1, j],
                y[2, j],
                near[i],
                p[i],
                y,
                x0,
                y0,
                per_unit,
                offset,
                potential,
                n_components,
                slope,
                trial_gradient,
            )
            if cost < best:
                best = cost
                for d in range(3):
                    at[d] = y[d, j]
                    gradient[d] = trial_gradient[d]
        rate = 1.0
        for _ in range(n_steps):
            length = 0.0
            for d in range(3):
                trial[d] = min(max(at[d] - rate * gradient[d], low[d]), high[d])
                length += (trial[d] - at[d]) ** 2
            if length < 1e-10:
                break
            cost = cost_at(
                trial[0],
                trial[1],
                trial[2],
                near[i],
                p[i],
                y,
                x0,
                y0,
                per_unit,
                offset,
                potential,
                n_components,
                slope,
                trial_gradient,
            )
            if cost < best:
                best = cost
                rate *= 1.5
                for d in range(3):
                    at[d] = trial[d]
                    gradient[d] = trial_gradient[d]
            else:
                rate *= 0.5
        for d in range(placed.shape[1]):
            placed[i, d] = at[d]
