"""Compiled loops over blocks of squared distances."""

import numpy as np

from ..._parallel.jit import kernel
from ..._parallel.simd import REORDERED

# Entries of a row that stay in the nearest cache while several targets are compared.
CHUNK = 1024


@kernel()
def products_to_squared_distances(products, norms, own, own_norms):
    """Convert inner products (b, n) in place to squared distances |x|^2 + |y|^2 - 2 x.y >= 0.

    ``own`` is the column of each row's own point, whose distance is set to 0.
    """
    for i in range(products.shape[0]):
        row = products[i]
        own_norm = own_norms[i]
        for j in range(products.shape[1]):
            square = own_norm + norms[j] - 2.0 * row[j]
            row[j] = square if square > 0.0 else 0.0
        row[own[i]] = 0.0


@kernel()
def add_class_distances(squares, codes, sums):
    """Add the distance (not squared) to each point to the sum of the point's class.

    For several labelings at once: codes (n, labelings), sums (b, labelings, C).
    """
    for i in range(squares.shape[0]):
        row = squares[i]
        own = sums[i]
        for j in range(squares.shape[1]):
            distance = np.sqrt(row[j])
            for run in range(codes.shape[1]):
                own[run, codes[j, run]] += distance


@kernel()
def add_class_half_squares(squares, codes, sums):
    """Add half the squared distance to each point, 1 - cos for unit vectors, as above."""
    for i in range(squares.shape[0]):
        row = squares[i]
        own = sums[i]
        for j in range(squares.shape[1]):
            distance = 0.5 * row[j]
            for run in range(codes.shape[1]):
                own[run, codes[j, run]] += distance


@kernel()
def add_silhouette_influence(squares, own, near, codes, half, a, b, to_a, to_b, rows, out):
    """Add to each point what it does to the silhouettes of a block as a member of their classes.

    A point of the own class of row i moves a_i by its distance's excess over a_i, one of the
    nearest other class moves b_i. ``to_a`` and ``to_b`` are the derivatives by these, divided by
    the size of the class and weighted; ``rows`` are the columns of the rows' own points. Distances
    are square roots, or with ``half`` half the squares.
    """
    for i in range(squares.shape[0]):
        row = squares[i]
        mine = own[i]
        other = near[i]
        for j in range(squares.shape[1]):
            c = codes[j]
            if (c != mine and c != other) or j == rows[i]:
                continue
            distance = 0.5 * row[j] if half else np.sqrt(row[j])
            if c == mine:
                out[j] += to_a[i] * (distance - a[i])
            else:
                out[j] += to_b[i] * (distance - b[i])


@kernel(fastmath=REORDERED)
def pair_squares(means, first, second, out):
    """Write the squared distance of each pair of rows, sum_j (a_j - b_j)^2, to ``out``."""
    for p in range(len(first)):
        one, other = means[first[p]], means[second[p]]
        total = 0.0
        for j in range(means.shape[1]):
            difference = one[j] - other[j]
            total += difference * difference
        out[p] = total


@kernel(fastmath=REORDERED)
def worst_ratios(means, spreads, own, worst, nearest):
    """Find the largest (s_i + s_j) / |m_i - m_j| over j of each class i among ``own``.

    ``nearest`` receives the smallest squared distance of its mean to another.
    """
    for o in range(len(own)):
        i = own[o]
        worst[o] = 0.0
        nearest[o] = np.inf
        for j in range(len(means)):
            if j == i:
                continue
            total = 0.0
            for k in range(means.shape[1]):
                difference = means[i, k] - means[j, k]
                total += difference * difference
            nearest[o] = min(nearest[o], total)
            if total > 0.0:
                worst[o] = max(worst[o], (spreads[i] + spreads[j]) / np.sqrt(total))


@kernel()
def ranks(squares, own, targets, out):
    """Rank each target among all points by distance from the row's own point; 1 is the nearest.

    The point itself is excluded by index. Points that are equally far have the same rank, one more
    than the number of nearer ones. A negative target is ignored, with rank 0.
    """
    for i in range(squares.shape[0]):
        row = squares[i]
        mine = row[own[i]]
        for t in range(targets.shape[1]):
            target = targets[i, t]
            if target < 0:
                out[i, t] = 0
                continue
            bound = row[target]
            closer = 0
            for j in range(len(row)):
                closer += row[j] < bound
            # Do not count the point itself.
            out[i, t] = closer - (mine < bound) + 1


@kernel()
def count_closer(squares, own, targets, ranks, k, weights, out):
    """Add a target's weight to every point nearer than it, for targets of a rank above k.

    ``weights`` (2, b, k) are added to ``out`` (2, n), a set in each row.
    """
    n = squares.shape[1]
    for i in range(squares.shape[0]):
        row = squares[i]
        for start in range(0, n, CHUNK):
            part = row[start : start + CHUNK]
            first = out[0, start : start + CHUNK]
            second = out[1, start : start + CHUNK]
            for t in range(targets.shape[1]):
                if ranks[i, t] <= k:
                    continue
                bound = row[targets[i, t]]
                one = weights[0, i, t]
                other = weights[1, i, t]
                for j in range(len(part)):
                    nearer = np.float64(part[j] < bound)
                    first[j] += one * nearer
                    second[j] += other * nearer
        # The point itself is not ranked.
        mine = row[own[i]]
        for t in range(targets.shape[1]):
            if ranks[i, t] > k and mine < row[targets[i, t]]:
                out[0, own[i]] -= weights[0, i, t]
                out[1, own[i]] -= weights[1, i, t]
