"""Compiled loops over blocks of squared distances."""

import numpy as np

from ..._parallel.jit import kernel


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
