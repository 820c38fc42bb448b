"""Directions shared by class centers: a compiled minimization over orthonormal directions.

Loops instead of array expressions compile in a fraction of the time, and the arrays are small.
"""

import numpy as np

from ..._parallel.jit import kernel

MAX_ITERATIONS = 2000
# The search stops when the norm of the gradient, or the relative decrease, is below these.
GRADIENT_TOLERANCE = 1e-6
GAIN_TOLERANCE = 1e-9


@kernel()
def inner_product(first, second):
    """Return the sum of the products of the entries of two matrices."""
    total = 0.0
    for i in range(first.shape[0]):
        for j in range(first.shape[1]):
            total += first[i, j] * second[i, j]
    return total


@kernel()
def add_scaled(first, factor, second, out):
    """Write first + factor * second to ``out``."""
    for i in range(first.shape[0]):
        for j in range(first.shape[1]):
            out[i, j] = first[i, j] + factor * second[i, j]


@kernel()
def shared_correlation(centers, products, directions, along, slope, gradient):
    """Return half the sum of squared correlations of the centers after removing directions.

    With c = X V, the remainders have the inner products A = XX' - cc' and squared norms d_m = A_mm:

        F = 1/2 sum_mn A_mn^2 / (d_m d_n)
        dF/dc_m = -2 sum_n A_mn / (d_m d_n) c_n + 2 c_m / d_m^2 sum_n A_mn^2 / d_n

    and dF/dV = X' dF/dc. ``along`` and ``slope`` receive c and dF/dc. Returns F, or infinity if the
    remainder of a center vanishes.
    """
    count, width = along.shape
    norms = np.empty(count)
    for m in range(count):
        norms[m] = products[m, m]
        for k in range(width):
            value = 0.0
            for j in range(centers.shape[1]):
                value += centers[m, j] * directions[j, k]
            along[m, k] = value
            slope[m, k] = 0.0
            norms[m] -= value * value
        if norms[m] <= 1e-12 * products[m, m]:
            return np.inf
    cost = 0.0
    for m in range(count):
        squares = 0.0
        for n in range(count):
            left = products[m, n]
            for k in range(width):
                left -= along[m, k] * along[n, k]
            share = left / norms[n]
            squares += left * share
            for k in range(width):
                slope[m, k] -= 2.0 * share / norms[m] * along[n, k]
        cost += 0.5 * squares / norms[m]
        for k in range(width):
            slope[m, k] += 2.0 * squares / (norms[m] * norms[m]) * along[m, k]
    for j in range(centers.shape[1]):
        for k in range(width):
            value = 0.0
            for m in range(count):
                value += centers[m, j] * slope[m, k]
            gradient[j, k] = value
    return cost


@kernel()
def project_out(vectors, column, directions, other):
    """Subtract a column's projection on a unit column."""
    share = 0.0
    for i in range(vectors.shape[0]):
        share += vectors[i, column] * directions[i, other]
    for i in range(vectors.shape[0]):
        vectors[i, column] -= share * directions[i, other]


@kernel()
def orthonormalize(vectors):
    """Orthonormalize the columns (Gram-Schmidt, repeated once for precision)."""
    for k in range(vectors.shape[1]):
        for _ in range(2):
            for j in range(k):
                project_out(vectors, k, vectors, j)
            length = 0.0
            for i in range(vectors.shape[0]):
                length += vectors[i, k] * vectors[i, k]
            length = np.sqrt(length)
            for i in range(vectors.shape[0]):
                vectors[i, k] /= length


@kernel()
def project_to_tangent(directions, vectors):
    """Project on the tangent space, V'D = 0: remove rotations within the span of the directions."""
    for k in range(vectors.shape[1]):
        for j in range(directions.shape[1]):
            project_out(vectors, k, directions, j)


@kernel()
def minimize_correlation(centers, products, directions):
    """Minimize the shared correlation over orthonormal directions in place; return the minimum.

    Conjugate gradients on the Grassmann manifold (Polak-Ribiere, restarted if a step would not
    descend): a tangent step with backtracking, followed by orthonormalization. The cost is
    invariant to rotations of the directions within their span.
    """
    features, width = directions.shape
    along = np.empty((len(centers), width))
    slope = np.empty((len(centers), width))
    gradient = np.empty((features, width))
    fresh = np.empty((features, width))
    step = np.empty((features, width))
    trial = np.empty((features, width))
    cost = shared_correlation(centers, products, directions, along, slope, gradient)
    if not np.isfinite(cost):
        return cost
    project_to_tangent(directions, gradient)
    add_scaled(gradient, -2.0, gradient, step)
    length = 1.0
    for _ in range(MAX_ITERATIONS):
        size = inner_product(gradient, gradient)
        if size <= GRADIENT_TOLERANCE * GRADIENT_TOLERANCE:
            break
        descent = inner_product(step, gradient)
        if descent >= 0.0:
            add_scaled(gradient, -2.0, gradient, step)
            descent = -size
        length *= 2.0
        reached = np.inf
        for _ in range(60):
            add_scaled(directions, length, step, trial)
            orthonormalize(trial)
            reached = shared_correlation(centers, products, trial, along, slope, fresh)
            if reached <= cost + 1e-4 * length * descent:
                break
            length *= 0.5
        if not reached < cost:
            break
        gained = cost - reached
        cost = reached
        add_scaled(trial, 0.0, trial, directions)
        project_to_tangent(directions, fresh)
        project_to_tangent(directions, gradient)
        project_to_tangent(directions, step)
        beta = max(0.0, (inner_product(fresh, fresh) - inner_product(fresh, gradient)) / size)
        # The next step is beta * step - fresh.
        add_scaled(step, beta - 1.0, step, step)
        add_scaled(step, -1.0, fresh, step)
        add_scaled(fresh, 0.0, fresh, gradient)
        if gained <= GAIN_TOLERANCE * cost:
            break
    return cost
