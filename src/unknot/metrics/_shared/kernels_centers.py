"""Directions shared by class centers: a compiled minimization over subspaces.

The products of matrices are BLAS calls; the other loops compile in a fraction of the time that
array expressions take.
"""

import numpy as np

from ..._parallel.jit import kernel
from ..._parallel.simd import REORDERED

# A search ends when the norm of the gradient is below this.
GRADIENT_TOLERANCE = 5e-6
MAX_ITERATIONS = 5000
MEMORY = 20
MAX_LINE_SEARCH = 40
# Constants of the strong Wolfe conditions, and the rounding error of a cost relative to it.
SUFFICIENT_DECREASE = 1e-4
CURVATURE = 0.7
ROUNDING = 1e-14
# A center of which a smaller part is left has no direction.
VANISHED = 1e-4


@kernel(fastmath=REORDERED)
def inner_product(first, second):
    """Return the sum of the products of the entries of two matrices."""
    total = 0.0
    for i in range(first.shape[0]):
        for j in range(first.shape[1]):
            total += first[i, j] * second[i, j]
    return total


@kernel(fastmath=REORDERED)
def add_scaled(first, factor, second, out):
    """Write first + factor * second to ``out``."""
    for i in range(first.shape[0]):
        for j in range(first.shape[1]):
            out[i, j] = first[i, j] + factor * second[i, j]


@kernel(fastmath=REORDERED)
def orthonormalize(vectors):
    """Orthonormalize the rows in place (Gram-Schmidt, repeated once for precision)."""
    for k in range(vectors.shape[0]):
        row = vectors[k]
        for _ in range(2):
            for j in range(k):
                other = vectors[j]
                share = 0.0
                for i in range(len(row)):
                    share += row[i] * other[i]
                for i in range(len(row)):
                    row[i] -= share * other[i]
        length = 0.0
        for i in range(len(row)):
            length += row[i] * row[i]
        length = np.sqrt(length)
        for i in range(len(row)):
            row[i] /= length


@kernel(fastmath=REORDERED)
def project_to_tangent(directions, vectors):
    """Subtract from each row of ``vectors`` its projection on the span of orthonormal rows."""
    for k in range(vectors.shape[0]):
        row = vectors[k]
        for j in range(directions.shape[0]):
            other = directions[j]
            share = 0.0
            for i in range(len(row)):
                share += row[i] * other[i]
            for i in range(len(row)):
                row[i] -= share * other[i]


@kernel(fastmath=REORDERED)
def shared_correlation(centers, products, directions, along, slope, left, gradient):
    """Return half the sum of squared correlations of the centers after removing directions.

    With c = V X', the remainders have the inner products A = XX' - c'c and squared norms
    d_m = A_mm:

        F = 1/2 sum_mn A_mn^2 / (d_m d_n)
        dF/dc_m = -2 sum_n A_mn / (d_m d_n) c_n + 2 c_m / d_m^2 sum_n A_mn^2 / d_n

    and dF/dV = dF/dc X.

    Parameters
    ----------
    centers : array (n_classes, n_features)
        X, of unit norm.
    products : array (n_classes, n_classes)
        XX'.
    directions : array (K, n_features)
        V, with orthonormal rows.
    along, slope : array (K, n_classes)
        Receive c and dF/dc.
    left : array (n_classes, n_classes)
        Work space.
    gradient : array (K, n_features)
        Receives dF/dV.

    Returns
    -------
    float
        F, or infinity if the remainder of a center vanishes.
    """
    count, width = len(centers), len(directions)
    np.dot(directions, centers.T, along)
    np.dot(along.T, along, left)
    inverse = np.empty(count)
    for m in range(count):
        square = products[m, m] - left[m, m]
        if square <= VANISHED:
            return np.inf
        inverse[m] = 1.0 / square
    cost = 0.0
    for m in range(count):
        row = left[m]
        squares = 0.0
        for n in range(count):
            rest = products[m, n] - row[n]
            share = rest * inverse[n]
            squares += rest * share
            row[n] = share * inverse[m]
        cost += 0.5 * squares * inverse[m]
        # The second term of the derivative joins the diagonal of the first.
        row[m] -= squares * inverse[m] * inverse[m]
    np.dot(along, left, slope)
    for k in range(width):
        for m in range(count):
            slope[k, m] *= -2.0
    np.dot(slope, centers, gradient)
    return cost


@kernel(fastmath=REORDERED)
def evaluate(centers, products, point, basis, along, slope, left, gradient):
    """Evaluate the cost of the span of any K rows Y, and its gradient by Y.

    With Y = L V, V orthonormal, the gradient by Y is L^-1' times that by V, after its projection on
    the tangent space. L is lower triangular. Returns the cost, the norm of the gradient by V, and
    the smallest diagonal entry of L relative to the length of its row.
    """
    width = len(point)
    add_scaled(point, 0.0, point, basis)
    orthonormalize(basis)
    cost = shared_correlation(centers, products, basis, along, slope, left, gradient)
    if not np.isfinite(cost):
        return cost, np.inf, 0.0
    project_to_tangent(basis, gradient)
    size = np.sqrt(inner_product(gradient, gradient))
    # Solve L' G = gradient from the last row up.
    lower = np.empty((width, width))
    smallest = 1.0
    for k in range(width):
        square = 0.0
        for j in range(k + 1):
            value = 0.0
            for i in range(point.shape[1]):
                value += point[k, i] * basis[j, i]
            lower[k, j] = value
            square += value * value
        smallest = min(smallest, lower[k, k] / np.sqrt(square))
    for k in range(width - 1, -1, -1):
        for j in range(k + 1, width):
            factor = lower[j, k]
            for i in range(point.shape[1]):
                gradient[k, i] -= factor * gradient[j, i]
        for i in range(point.shape[1]):
            gradient[k, i] /= lower[k, k]
    return cost, size, smallest


@kernel(fastmath=REORDERED)
def multiply_by_inverse_hessian(steps, changes, rates, newest, held, gradient, out):
    """Write -H gradient to ``out``, by the two-loop recursion of L-BFGS."""
    weights = np.empty(held)
    add_scaled(gradient, -2.0, gradient, out)
    for age in range(held):
        i = (newest - age) % len(steps)
        weights[age] = rates[i] * inner_product(steps[i], out)
        add_scaled(out, -weights[age], changes[i], out)
    if held > 0:
        scale = 1.0 / (rates[newest] * inner_product(changes[newest], changes[newest]))
        add_scaled(out, scale - 1.0, out, out)
    for age in range(held - 1, -1, -1):
        i = (newest - age) % len(steps)
        add_scaled(out, weights[age] - rates[i] * inner_product(changes[i], out), steps[i], out)


@kernel(fastmath=REORDERED)
def minimize_correlation(centers, products, directions):
    """Minimize the shared correlation over the span of K directions, orthonormal rows, in place.

    The cost is a function of any K rows that span the subspace, so L-BFGS needs no constraints. Its
    line search brackets a point that meets the strong Wolfe conditions, and interpolates by a
    cubic. Returns the cost, the norm of its gradient, and the number of evaluations. The norm is
    above the tolerance only if the search runs into a point where nothing is left of a center.
    """
    count = len(centers)
    width, features = directions.shape
    along = np.empty((width, count))
    slope = np.empty((width, count))
    left = np.empty((count, count))
    basis = np.empty((width, features))
    gradient = np.empty((width, features))
    fresh = np.empty((width, features))
    step = np.empty((width, features))
    point = directions.copy()
    trial = np.empty((width, features))
    steps = np.empty((MEMORY, width, features))
    changes = np.empty((MEMORY, width, features))
    rates = np.empty(MEMORY)
    newest, held = -1, 0
    cost, size, _ = evaluate(centers, products, point, basis, along, slope, left, gradient)
    evaluations = 1
    for _ in range(MAX_ITERATIONS):
        if size <= GRADIENT_TOLERANCE or not np.isfinite(cost):
            break
        multiply_by_inverse_hessian(steps, changes, rates, newest, held, gradient, step)
        descent = inner_product(step, gradient)
        length = 1.0
        if held == 0 or descent >= 0.0:
            held = 0
            add_scaled(gradient, -2.0, gradient, step)
            descent = -inner_product(gradient, gradient)
            length = min(1.0, 0.3 / np.sqrt(-descent))
        # The bracket: its low end meets the first condition and descends; its high end violates
        # the first, or ascends.
        low, low_cost, low_slope = 0.0, cost, descent
        high, high_cost, high_slope = np.inf, np.inf, np.inf
        slack = ROUNDING * abs(cost) * count
        reached, fresh_size, angle, met = np.inf, np.inf, 1.0, False
        for _ in range(MAX_LINE_SEARCH):
            add_scaled(point, length, step, trial)
            reached, fresh_size, angle = evaluate(
                centers, products, trial, basis, along, slope, left, fresh
            )
            evaluations += 1
            rise = inner_product(step, fresh) if np.isfinite(reached) else np.inf
            if reached > cost + SUFFICIENT_DECREASE * length * descent + slack:
                high, high_cost, high_slope = length, reached, rise
            elif abs(rise) <= -CURVATURE * descent:
                met = True
                break
            elif rise >= 0.0:
                high, high_cost, high_slope = length, reached, rise
            else:
                low, low_cost, low_slope = length, reached, rise
            if not np.isfinite(high):
                length *= 3.0
                continue
            wide = high - low
            length = low + 0.5 * wide
            if np.isfinite(high_cost):
                # The minimum of the cubic with the costs and slopes of both ends.
                d = low_slope + high_slope - 3.0 * (high_cost - low_cost) / wide
                root = d * d - low_slope * high_slope
                if root >= 0.0:
                    root = np.sqrt(root)
                    share = high_slope - low_slope + 2.0 * root
                    if share > 0.0:
                        cubic = high - wide * (high_slope + root - d) / share
                        length = min(max(cubic, low + 0.1 * wide), high - 0.1 * wide)
        if not met:
            if held == 0:
                break
            held = 0
            continue
        newest = (newest + 1) % MEMORY
        add_scaled(trial, -1.0, point, steps[newest])
        add_scaled(fresh, -1.0, gradient, changes[newest])
        curved = inner_product(steps[newest], changes[newest])
        add_scaled(trial, 0.0, trial, point)
        add_scaled(fresh, 0.0, fresh, gradient)
        cost, size = reached, fresh_size
        if curved > 0.0:
            rates[newest] = 1.0 / curved
            held = min(held + 1, MEMORY)
        else:
            held = 0
        if angle < 0.1:
            # Rows that are nearly dependent lose precision.
            add_scaled(basis, 0.0, basis, point)
            held = 0
            cost, size, _ = evaluate(centers, products, point, basis, along, slope, left, gradient)
    add_scaled(point, 0.0, point, directions)
    orthonormalize(directions)
    return cost, size, evaluations
