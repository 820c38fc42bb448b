"""Compiled counts of the points at the distance of a point's k-th neighbor."""

from ..._parallel.jit import kernel

# The rounding of |x|^2 + |y|^2 - 2 x.y relative to the largest squared distance.
ROUNDING = 1e-14


@kernel()
def count_tied(squares, rows, kth, codes, own, equal, near, at, n_near, n_at):
    """Count the points nearer than each row's k-th neighbor, and those at its distance.

    By class in ``near`` and ``at`` (b, C), or only those of the row's class ``own`` (b, 1); all of
    them in ``n_near`` and ``n_at`` (b,). ``rows`` are the columns of the rows' own points, ``kth``
    those of their k-th neighbors. Squares are equal that differ by a fraction ``equal`` or less.
    """
    all_classes = near.shape[1] > 1
    for i in range(squares.shape[0]):
        row = squares[i]
        largest = 0.0
        for j in range(row.shape[0]):
            largest = max(largest, row[j])
        square = row[kth[i]]
        slack = equal * square + ROUNDING * largest
        low = square - slack
        high = square + slack
        mine = rows[i]
        for j in range(row.shape[0]):
            if row[j] > high or j == mine:
                continue
            c = 0
            counted = True
            if all_classes:
                c = codes[j]
            else:
                counted = codes[j] == own[i]
            if row[j] < low:
                n_near[i] += 1
                near[i, c] += counted
            else:
                n_at[i] += 1
                at[i, c] += counted
