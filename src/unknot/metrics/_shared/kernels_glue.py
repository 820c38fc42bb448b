"""Compiled projections onto the cone of all classes' points, with a sign for each class."""

import numpy as np

from ..._parallel.jit import kernel
from ..._parallel.simd import REORDERED
from .kernels_capacity import TOLERANCE, append_column, solve_transposed

# The squared distance of 0 from a convex hull of unit vectors that counts as none.
TOUCHING = 1e-13


@kernel()
def descend(gram, linear, signs, weights, active, size, factor, inner, trial):
    """Move to the minimum over the active columns at which every weight has its column's sign.

    If the minimum over all active columns violates a sign, the step is shortened to the first
    bound, columns at their bound become inactive, and the minimum is recomputed. Returns the number
    of active columns.
    """
    while size > 0:
        solve_transposed(factor, size, inner, trial)
        binding = -1
        fraction = 1.0
        for i in range(size):
            sign = signs[active[i]]
            if sign * trial[i] <= 0.0:
                weight = sign * weights[active[i]]
                reach = weight / (weight - sign * trial[i] + 1e-300)
                if binding < 0 or reach < fraction:
                    binding = i
                    fraction = reach
        if binding < 0:
            for i in range(size):
                weights[active[i]] = trial[i]
            return size
        for i in range(size):
            weights[active[i]] += fraction * (trial[i] - weights[active[i]])
        weights[active[binding]] = 0.0
        kept = 0
        for i in range(size):
            column = active[i]
            # Rows of the factor before the first removed column stay valid.
            if signs[column] * weights[column] > 0.0 and (
                kept == i or append_column(gram, active, kept, column, linear, factor, inner)
            ):
                kept += 1
            else:
                weights[column] = 0.0
        size = kept
    return size


@kernel(fastmath=REORDERED)
def update_gains(gram, linear, weights, active, size, gains):
    """Compute the gains b - Gw; those of active columns are 0 at the minimum."""
    for j in range(len(linear)):
        gains[j] = linear[j]
    for i in range(size):
        row = gram[active[i]]
        weight = weights[active[i]]
        for j in range(len(linear)):
            gains[j] -= weight * row[j]
    for i in range(size):
        gains[active[i]] = 0.0


@kernel()
def cone_weights(gram, linear, signs, rank, out, state):
    """For each draw, minimize 1/2 w'Gw - b'w over weights w with the signs of their points.

    This is the projection of a direction t onto the cone of the points x_i, each with the sign of
    its class: G holds the inner products of the points and b their products with t. The method is
    the active-set method of Lawson and Hanson.

    gram is (n, n); linear, signs and out are (n_draws, n), and out gets the absolute weights. state
    (n_draws,) gets 0; 1 where nothing is left of t in the span of the points but the weights are
    not unique; and -1 where the method did not converge. At most ``rank`` columns are independent.
    """
    n_points = len(gram)
    weights = np.empty(n_points)
    gains = np.empty(n_points)
    excluded = np.empty(n_points, dtype=np.bool_)
    active = np.empty(rank + 1, dtype=np.int64)
    factor = np.zeros((rank, rank))
    inner = np.empty(rank)
    trial = np.empty(rank)
    for d in range(len(linear)):
        smallest = 0.0
        for i in range(n_points):
            weights[i] = 0.0
            gains[i] = linear[d, i]
            excluded[i] = False
            smallest = max(smallest, TOLERANCE * abs(linear[d, i]))
        size = 0
        state[d] = -1
        for _ in range(10 * n_points + 100):
            best = -1
            largest = smallest
            for i in range(n_points):
                gain = signs[d, i] * gains[i]
                if gain > largest and not excluded[i]:
                    largest = gain
                    best = i
            if best < 0:
                state[d] = 0
                break
            if not append_column(gram, active, size, best, linear[d], factor, inner):
                excluded[best] = True
                continue
            size = descend(
                gram, linear[d], signs[d], weights, active, size + 1, factor, inner, trial
            )
            if weights[best] == 0.0:
                excluded[best] = True
                continue
            # After progress, excluded columns may have a true gain.
            excluded[:] = False
            update_gains(gram, linear[d], weights, active, size, gains)
        inactive = 0
        leaning = 0
        for i in range(n_points):
            out[d, i] = abs(weights[i])
            if weights[i] == 0.0 and gram[i, i] > 0.0:
                inactive += 1
                leaning += abs(gains[i]) <= 1e3 * smallest
        if state[d] == 0 and inactive > 0 and leaning == inactive:
            state[d] = 1


@kernel(fastmath=REORDERED)
def enter_point(points, signs, point, slot, gram, point_of, active, size):
    """Put a column (y x, 1) into a slot, with its inner products with the active ones."""
    width = points.shape[1]
    point_of[slot] = point
    active[size] = slot
    for i in range(size + 1):
        other = active[i]
        value = 0.0
        for j in range(width):
            value += points[point, j] * points[point_of[other], j]
        value = 1.0 + signs[point] * signs[point_of[other]] * value
        gram[slot, other] = value
        gram[other, slot] = value


@kernel(fastmath=REORDERED)
def is_separable(points, signs, carried):
    """Whether a hyperplane through the origin separates the points of sign 1 from those of -1.

    It does unless 0 is in the convex hull of the points times their signs. The distance of 0 from
    the hull is found by projecting e = (0, ..., 0, 1) onto the cone of the columns (y x, 1): the
    weighted sum of the y x is then normal to a separating hyperplane, or 0. Stops at the first
    normal that separates. points (n, d) are of unit length and signs (n,) are 1 or -1. carried (n,)
    holds weights of the columns to start from, at least 0, and gets those at the end.
    """
    n_points, width = points.shape
    room = width + 1
    # A column occupies a slot while it is active.
    gram = np.zeros((room + 1, room + 1))
    linear = np.ones(room + 1)
    positive = np.ones(room + 1)
    weights = np.zeros(room + 1)
    occupied = np.zeros(room + 1, dtype=np.bool_)
    point_of = np.zeros(room + 1, dtype=np.int64)
    active = np.empty(room + 2, dtype=np.int64)
    factor = np.zeros((room, room))
    inner = np.empty(room)
    trial = np.empty(room)
    excluded = np.zeros(n_points, dtype=np.bool_)
    gains = np.empty(n_points)
    normal = np.empty(width)
    size = 0
    for i in range(n_points):
        if carried[i] > 0.0 and size < room:
            enter_point(points, signs, i, size, gram, point_of, active, size)
            if append_column(gram, active, size, size, linear, factor, inner):
                weights[size] = carried[i]
                size += 1
    size = descend(gram, linear, positive, weights, active, size, factor, inner, trial)
    separates = False
    for _ in range(10 * n_points + 100):
        # What is left of e is (-normal, left), and its square is left, too.
        left = 1.0
        normal[:] = 0.0
        occupied[:] = False
        for i in range(size):
            occupied[active[i]] = True
            weight = weights[active[i]]
            point = point_of[active[i]]
            left -= weight
            for j in range(width):
                normal[j] += weight * signs[point] * points[point, j]
        if left <= TOUCHING:
            break
        separates = True
        for i in range(n_points):
            value = 0.0
            for j in range(width):
                value += points[i, j] * normal[j]
            gains[i] = left - signs[i] * value
            separates &= signs[i] * value > 0.0
        if separates:
            break
        for i in range(size):
            gains[point_of[active[i]]] = 0.0
        progress = False
        while not progress:
            best = -1
            largest = 0.0
            for i in range(n_points):
                if gains[i] > largest and not excluded[i]:
                    largest = gains[i]
                    best = i
            if best < 0:
                break
            slot = 0
            while occupied[slot]:
                slot += 1
            enter_point(points, signs, best, slot, gram, point_of, active, size)
            weights[slot] = 0.0
            if append_column(gram, active, size, slot, linear, factor, inner):
                size = descend(
                    gram, linear, positive, weights, active, size + 1, factor, inner, trial
                )
                progress = weights[slot] > 0.0
            excluded[best] = not progress
        if not progress:
            break
        excluded[:] = False
    carried[:] = 0.0
    for i in range(size):
        carried[point_of[active[i]]] = weights[active[i]]
    return separates
