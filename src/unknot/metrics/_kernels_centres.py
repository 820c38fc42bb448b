"""The directions that class centres share, compiled: a minimum over orthonormal directions."""

import numba
import numpy as np

MAX_ITERATIONS = 2000
# The search ends when the gradient, or the relative gain of a step, is below these.
GRADIENT = 1e-6
GAIN = 1e-9


@numba.njit(nogil=True, cache=True)
def shared_correlation(centres, products, directions, gradient):
    """Half the sum of squared correlations between centres without their part along directions.

    With c = X V, what is left has the products A = XX' - cc' and the squared norms d_m = A_mm:

        F = 1/2 sum_mn A_mn^2 / (d_m d_n)
        dF/dc_m = -2 sum_n A_mn / (d_m d_n) c_n + 2 c_m / d_m^2 sum_n A_mn^2 / d_n

    and dF/dV = X' dF/dc. Returns F, or infinity where nothing of a centre is left.
    """
    along = np.dot(centres, directions)
    left = products - np.dot(along, np.ascontiguousarray(along.T))
    count = len(centres)
    norms = np.empty(count)
    for m in range(count):
        norms[m] = left[m, m]
        if norms[m] <= 1e-12 * products[m, m]:
            return np.inf
    cost = 0.0
    weighted = np.empty_like(left)
    squares = np.empty(count)
    for m in range(count):
        total = 0.0
        for n in range(count):
            share = left[m, n] / norms[n]
            total += left[m, n] * share
            weighted[m, n] = share / norms[m]
        squares[m] = total
        cost += 0.5 * total / norms[m]
    slope = -2.0 * np.dot(weighted, along)
    for m in range(count):
        slope[m] += 2.0 * squares[m] / norms[m] ** 2 * along[m]
    gradient[:] = np.dot(np.ascontiguousarray(centres.T), slope)
    return cost


@numba.njit(nogil=True, cache=True)
def orthonormalise(vectors):
    """Make the columns orthonormal, in their order (Gram and Schmidt, twice for the rounding)."""
    for k in range(vectors.shape[1]):
        for _ in range(2):
            for j in range(k):
                vectors[:, k] -= np.sum(vectors[:, j] * vectors[:, k]) * vectors[:, j]
            vectors[:, k] /= np.sqrt(np.sum(vectors[:, k] ** 2))


@numba.njit(nogil=True, cache=True)
def to_tangent(directions, vectors):
    """Take off what only turns the directions within their own span: V'D = 0."""
    inside = np.dot(np.ascontiguousarray(directions.T), vectors)
    vectors -= np.dot(directions, inside)


@numba.njit(nogil=True, cache=True)
def minimise_correlation(centres, products, directions):
    """Minimise the shared correlation over orthonormal directions, in place, from those given.

    Conjugate gradients (Polak and Ribiere, started afresh when they go uphill) on the manifold of
    subspaces: a step along the tangent, halved until it gains enough, then made orthonormal again.
    The cost does not change when the directions turn within their span. Returns the cost.
    """
    gradient = np.empty_like(directions)
    cost = shared_correlation(centres, products, directions, gradient)
    if not np.isfinite(cost):
        return cost
    to_tangent(directions, gradient)
    step = -gradient
    length = 1.0
    fresh = np.empty_like(directions)
    for _ in range(MAX_ITERATIONS):
        size = np.sum(gradient * gradient)
        if size <= GRADIENT**2:
            break
        slope = np.sum(step * gradient)
        if slope >= 0.0:
            step = -gradient
            slope = -size
        length *= 2.0
        reached = np.inf
        trial = directions
        for _ in range(60):
            trial = directions + length * step
            orthonormalise(trial)
            reached = shared_correlation(centres, products, trial, fresh)
            if reached <= cost + 1e-4 * length * slope:
                break
            length *= 0.5
        if not reached < cost:
            break
        gained = cost - reached
        cost = reached
        directions[:] = trial
        to_tangent(directions, fresh)
        to_tangent(directions, gradient)
        to_tangent(directions, step)
        turn = max(0.0, np.sum(fresh * (fresh - gradient)) / size)
        step = turn * step - fresh
        gradient[:] = fresh
        if gained <= GAIN * cost:
            break
    return cost
