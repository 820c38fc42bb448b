"""Mean-field capacity, compiled: the projections on a cone that its anchors are made of."""

import numpy as np

from ..._parallel.jit import kernel
from ..._parallel.simd import REORDERED

# Gains below this, relative to the largest entry of the linear term, are rounding.
TOLERANCE = 1e-11
# A column whose part outside the active ones is below this share of its square depends on them.
DEPENDENCE_TOLERANCE = 1e-12


@kernel(fastmath=REORDERED)
def append_column(gram, active, size, new, linear, factor, inner):
    """Extend the Cholesky factor L of the active part of the Gram matrix by one column.

    L l = g for the products g of the new column with the active ones, and the new diagonal is what
    is left of its length, sqrt(G_nn - l.l); ``inner`` is L^-1 b. Returns False, changing nothing
    that counts, if nothing is left: the column depends on the others.
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
    """Minimize 1/2 a'Ga - b'a over a >= 0, by the active sets of Lawson and Hanson.

    At the minimum the gain b - Ga is 0 where a > 0 and not positive elsewhere. The column of the
    largest gain becomes active, and the minimum over the active columns is found from their
    Cholesky factor. If it leaves a >= 0, one goes as far toward it as that allows, the columns
    that come to 0 are no longer active, and one tries again. Returns the number of active columns,
    or -1 if it does not end.
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
            # A column that would fall at once gained nothing but rounding.
            excluded[active[binding]] = fraction == 0.0
            for i in range(size):
                alpha[active[i]] += fraction * (trial[i] - alpha[active[i]])
            alpha[active[binding]] = 0.0
            kept = 0
            for i in range(size):
                column = active[i]
                # Rows of the factor before the first column removed stay as they are.
                if alpha[column] > 0.0 and (
                    kept == i or append_column(gram, active, kept, column, linear, factor, inner)
                ):
                    kept += 1
                else:
                    alpha[column] = 0.0
            size = kept
        # After progress, what was rounding may be a gain.
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
    """Anchor point of a manifold for each draw; returns how many draws found none.

    For a draw t the nearest v to it with s.v + kappa <= 0 for every point s is t - S a, with a >= 0
    minimizing 1/2 a'S'Sa - a'(S't + kappa). The anchor is S a / sum(a): the mean of the points,
    weighted by how hard each presses on v. Where t is such a v itself, the anchor is the point of
    the largest projection on t.

    points (n, D + 1) with a last coordinate of 1, gram (n, n) their products, draws and out
    (n_draws, D + 1).
    """
    n_points, width = points.shape
    linear = np.empty(n_points)
    alpha = np.empty(n_points)
    gains = np.empty(n_points)
    excluded = np.empty(n_points, dtype=np.bool_)
    # No more columns than coordinates are independent.
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
