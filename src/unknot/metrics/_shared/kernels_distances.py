"""Distances from a few points to all, compiled: what is counted along each row."""

import numpy as np

from ..._parallel.jit import kernel


@kernel()
def products_to_squared_distances(products, norms, own, own_norms):
    """Turn products (b, n) of rows into squared distances |x|^2 + |y|^2 - 2 x.y, never below 0.

    ``own`` is the column that is the row's own point: exactly 0.
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
    """Add the distance (not squared) to each point to the sum of its class.

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
    """Rank of each target among all points by distance from the row's own: 1 is the nearest.

    The point itself is left out, by its index; equal distances are ordered by index. A target
    below 0 is no target, and its rank 0.
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
            # The point itself was counted if it came first, at distance 0.
            mine = row[me] <= bound if me < target else row[me] < bound
            out[i, t] = closer - mine + 1
