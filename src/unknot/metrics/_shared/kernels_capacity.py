"""Compiled projections onto cones, which give the anchor points of the manifold capacity."""

import numpy as np

from ..._parallel.jit import kernel
from ..._parallel.simd import REORDERED

# Gains below this, relative to the largest entry of the linear term, are rounding errors.
TOLERANCE = 1e-11
# A column is linearly dependent if its squared residual is below this fraction of its square.
DEPENDENCE_TOLERANCE = 1e-12


@kernel(fastmath=REORDERED)
def append_column(gram, active, size, new, linear, factor, inner):
    """Extend the Cholesky factor L of the active part of the Gram matrix by one column.

    The new row l solves L l = g for the products g of the new column with the active ones, and the
    new diagonal is sqrt(G_nn - l.l); ``inner`` is L^-1 b. Returns False if the column is linearly
    dependent on the active ones.
    """
    if size == len(factor):
        return False
    row = factor[size]
    left = gram[new, new]
    for i in range(size):
        value = 0.0
        previous = factor[i]
        for j in range(i):
            value += previous[j] * row[j]
        value = (gram[new, active[i]] - value) / previous[i]
        row[i] = value
        left -= value * value
    if left <= DEPENDENCE_TOLERANCE * gram[new, new]:
        return False
    row[size] = np.sqrt(left)
    value = 0.0
    for j in range(size):
        value += row[j] * inner[j]
    inner[size] = (linear[new] - value) / row[size]
    active[size] = new
    return True


@kernel()
def solve_transposed(factor, size, inner, out):
    """Solve L' out = inner, with L lower triangular."""
    for i in range(size):
        out[i] = inner[i]
    for i in range(size - 1, -1, -1):
        row = factor[i]
        out[i] /= row[i]
        for j in range(i):
            out[j] -= row[j] * out[i]


@kernel()
def nonnegative_minimum(gram, linear, alpha, gains, excluded, active, factor, inner, trial):
    """Minimize 1/2 a'Ga - b'a over a >= 0 by the active-set method of Lawson and Hanson.

    At the minimum, the gain b - Ga is 0 where a > 0, and not positive elsewhere. The column with
    the largest gain becomes active, and the minimum over the active columns is computed from their
    Cholesky factor. If it violates a >= 0, the step is shortened to the first bound, columns at
    their bound become inactive, and the minimum is recomputed. Returns the number of active
    columns, or -1 if the method does not converge.
    """
    smallest = 0.0
    for i in range(len(linear)):
        alpha[i] = 0.0
        gains[i] = linear[i]
        excluded[i] = False
        smallest = max(smallest, TOLERANCE * abs(linear[i]))
    size = 0
    for _ in range(10 * len(linear) + 100):
        best = -1
        largest = smallest
        for i in range(len(linear)):
            if gains[i] > largest and not excluded[i]:
                largest = gains[i]
                best = i
        if best < 0:
            return size
        if not append_column(gram, active, size, best, linear, factor, inner):
            excluded[best] = True
            continue
        size += 1
        while size > 0:
            solve_transposed(factor, size, inner, trial)
            binding = -1
            fraction = 1.0
            for i in range(size):
                if trial[i] <= 0.0:
                    reach = alpha[active[i]] / (alpha[active[i]] - trial[i] + 1e-300)
                    if binding < 0 or reach < fraction:
                        binding = i
                        fraction = reach
            if binding < 0:
                for i in range(size):
                    alpha[active[i]] = trial[i]
                break
            # A column that is blocked at once had a gain due to rounding.
            excluded[active[binding]] = fraction == 0.0
            for i in range(size):
                alpha[active[i]] += fraction * (trial[i] - alpha[active[i]])
            alpha[active[binding]] = 0.0
            kept = 0
            for i in range(size):
                column = active[i]
                # Rows of the factor before the first removed column stay valid.
                if alpha[column] > 0.0 and (
                    kept == i or append_column(gram, active, kept, column, linear, factor, inner)
                ):
                    kept += 1
                else:
                    alpha[column] = 0.0
            size = kept
        # After progress, excluded columns may have a true gain.
        progress = alpha[best] > 0.0
        for j in range(len(linear)):
            gains[j] = linear[j]
            excluded[j] = excluded[j] and not progress
        for i in range(size):
            row = gram[active[i]]
            weight = alpha[active[i]]
            for j in range(len(linear)):
                gains[j] -= weight * row[j]
        for i in range(size):
            gains[active[i]] = 0.0
    return -1


@kernel(fastmath=REORDERED)
def anchors(points, gram, draws, kappa, out):
    """Compute the anchor point of a manifold for each draw; return the number of failures.

    For a draw t, the nearest v with s.v + kappa <= 0 for every point s is t - S a, where a >= 0
    minimizes 1/2 a'S'Sa - a'(S't + kappa). The anchor is S a / sum(a), the mean of the points
    weighted by their multipliers. If t satisfies all constraints, the anchor is the point with the
    largest projection on t.

    points (n, D + 1) have a last coordinate of 1; gram (n, n) holds their inner products; draws and
    out are (n_draws, D + 1).
    """
    n_points, width = points.shape
    linear = np.empty(n_points)
    alpha = np.empty(n_points)
    gains = np.empty(n_points)
    excluded = np.empty(n_points, dtype=np.bool_)
    # At most as many columns as coordinates are independent.
    room = min(n_points, width)
    active = np.empty(room + 1, dtype=np.int64)
    factor = np.zeros((room, room))
    inner = np.empty(room)
    trial = np.empty(room)
    failed = 0
    for d in range(len(draws)):
        draw = draws[d]
        anchor = out[d]
        farthest = 0
        for i in range(n_points):
            value = kappa
            for j in range(width):
                value += points[i, j] * draw[j]
            linear[i] = value
            if value > linear[farthest]:
                farthest = i
        size = 0
        if linear[farthest] > 0.0:
            size = nonnegative_minimum(
                gram, linear, alpha, gains, excluded, active, factor, inner, trial
            )
        if size > 0:
            total = 0.0
            for i in range(size):
                total += alpha[active[i]]
            for j in range(width):
                anchor[j] = 0.0
            for i in range(size):
                weight = alpha[active[i]] / total
                for j in range(width):
                    anchor[j] += weight * points[active[i], j]
        else:
            failed += size < 0
            for j in range(width):
                anchor[j] = points[farthest, j]
    return failed
