"""Compiled loops over blocks of squared distances."""

import numpy as np

from ..._parallel.jit import kernel
from ..._parallel.simd import REORDERED


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

    The point itself is excluded by index; ties are broken by index. A negative target is ignored,
    with rank 0.
    """
    for i in range(squares.shape[0]):
        row = squares[i]
        me = own[i]
        for t in range(targets.shape[1]):
            target = targets[i, t]
            if target < 0:
                out[i, t] = 0
                continue
            bound = row[target]
            closer = 0
            for j in range(target):
                closer += row[j] <= bound
            for j in range(target, len(row)):
                closer += row[j] < bound
            # Do not count the point itself.
            mine = row[me] <= bound if me < target else row[me] < bound
            out[i, t] = closer - mine + 1
