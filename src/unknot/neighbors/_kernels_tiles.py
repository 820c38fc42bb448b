"""Compiled kernels for a pair of tiles: no validation, arrays allocated by the caller.

With a, b the leading coordinates of two points (relative to one center, the residual norm
included), |a - b|^2 = |a|^2 + |b|^2 - 2 a.b is a lower bound of their squared distance. The product
of two tiles bounds the distances of all their pairs. Pairs whose bound does not exceed the k-th
distance found so far are collected for each query, along the rows of the product for one tile and
along its columns for the other, and offered to the queries' heaps.

Rounding may raise a bound: so the norms are reduced by the error of the product, and a query's
limit is raised by the error of a distance (``errors``). Only the distances in a heap decide ties.
"""

import numpy as np
from numba import njit

from .._parallel.jit import kernel
from .._parallel.simd import FAST
from ._kernels import precedes, sift_down, squared_distance
from ._kernels_rules import CLASSES

# Entries of a row tested together: those without a hit are skipped at once.
GROUP = 32
# With this few bounds or fewer, sorting them does not pay.
MAX_UNSORTED = 16


@njit(fastmath=FAST, inline="always")
def nearly_sort(bounds, places, limit, counts, near_bounds, near_places):
    """Bucket-sort bounds up to a limit into classes of equal width; larger ones come last.

    A full sort mispredicts every other branch, and costs more than the distances.
    """
    least = bounds[0]
    most = bounds[0]
    for t in range(1, bounds.shape[0]):
        least = min(least, bounds[t])
        most = max(most, bounds[t])
    per_unit = np.float32(CLASSES - 1) / max(min(most, limit) - least, np.float32(1e-30))
    counts[:] = 0
    for t in range(bounds.shape[0]):
        bucket = np.int32(min((bounds[t] - least) * per_unit, np.float32(CLASSES - 1)))
        counts[bucket + 1] += 1
    for bucket in range(CLASSES):
        counts[bucket + 1] += counts[bucket]
    for t in range(bounds.shape[0]):
        bucket = np.int32(min((bounds[t] - least) * per_unit, np.float32(CLASSES - 1)))
        to = counts[bucket]
        near_places[to] = places[t]
        near_bounds[to] = bounds[t]
        counts[bucket] = to + 1


@kernel(fastmath=FAST)
def shift_tile(lead, center, shrink, shifted, norms):
    """Subtract a center from coordinates; ``norms`` are their squared lengths times ``shrink``."""
    for i in range(lead.shape[0]):
        row = lead[i]
        out = shifted[i]
        s = np.float32(0)
        for t in range(row.shape[0]):
            u = row[t] - center[t]
            out[t] = u
            s += u * u
        norms[i] = s * shrink


@kernel()
def collect(
    products,
    row_norms,
    column_norms,
    row_limits,
    column_limits,
    own,
    cuts,
    places,
    values,
    row_starts,
    row_members,
    row_bounds,
    column_starts,
    column_members,
    column_bounds,
):
    """List the columns whose bound is within each row's limit, and the rows within each column's.

    ``row_members[row_starts[b]:row_starts[b + 1]]`` are the columns for the query of row b,
    ``row_bounds`` their bounds; likewise for columns. A limit of -inf excludes everything. ``own``
    is the column of row 0 itself, or below -n_rows if the columns are not the rows. ``cuts``,
    ``places`` and ``values`` are buffers for a row, all entries and all entries.
    """
    height, width = products.shape
    n = 0
    m = 0
    row_starts[0] = 0
    for t in range(width):
        cuts[t] = column_limits[t] - column_norms[t]
        column_starts[t] = 0
    column_starts[width] = 0
    for b in range(height):
        row = products[b]
        norm = row_norms[b]
        cut = row_limits[b] - norm
        for start in range(0, width, GROUP):
            group = row[start : start + GROUP]
            norms = column_norms[start : start + GROUP]
            most = cuts[start : start + GROUP]
            hits = np.int32(0)
            for t in range(group.shape[0]):
                twice = np.float32(2) * group[t]
                hits += np.int32(norms[t] - twice <= cut) | np.int32(norm - twice <= most[t])
            if hits > 0:
                for t in range(group.shape[0]):
                    twice = np.float32(2) * group[t]
                    v = norms[t] - twice
                    if v <= cut and start + t != own + b:
                        row_members[n] = start + t
                        row_bounds[n] = v + norm
                        n += 1
                    v = norm - twice
                    if v <= most[t]:
                        places[m] = (start + t) * height + b
                        values[m] = v + norms[t]
                        m += 1
                        column_starts[start + t + 1] += 1
        row_starts[b + 1] = n
    for t in range(width):
        column_starts[t + 1] += column_starts[t]
    # Filling advances every start to the next column's; they are shifted back below.
    for h in range(m):
        t = places[h] // height
        at = column_starts[t]
        column_members[at] = places[h] - t * height
        column_bounds[at] = values[h]
        column_starts[t] = at + 1
    for t in range(width, 0, -1):
        column_starts[t] = column_starts[t - 1]
    column_starts[0] = 0


@kernel(fastmath=FAST)
def offer(
    starts,
    members,
    bounds,
    queries,
    query_ids,
    query_refine,
    query_keys,
    errors,
    points,
    point_ids,
    point_refine,
    keys,
    n_axes,
    first,
    scale,
    limits,
    counts,
    near_bounds,
    near_places,
    heap_distances,
    heap_indices,
):
    """Push the points collected for each query of a tile on its heap, by ascending bound.

    A bound within the query's limit is tightened by the refining axes (``refine``: n_axes
    coordinates, then the residual norms before and after them). If it is still within, the distance
    is computed and pushed, and the limit drops to the k-th. ``scale`` converts the points' units to
    the coordinates'; a point's index on the heap, and in ``keys``, is ``first`` plus its row.
    ``query_keys`` and ``keys`` break ties. ``counts`` is a buffer for the classes of `nearly_sort`
    plus one, ``near_bounds`` and ``near_places`` for the points of a tile.
    """
    k = heap_distances.shape[1]
    for b in range(starts.shape[0] - 1):
        n = starts[b + 1] - starts[b]
        if n == 0:
            continue
        places = members[starts[b] : starts[b + 1]]
        least = bounds[starts[b] : starts[b + 1]]
        limit = limits[b]
        if n > MAX_UNSORTED:
            nearly_sort(least, places, limit, counts, near_bounds, near_places)
            least = near_bounds[:n]
            places = near_places[:n]
        point = queries[query_ids[b]]
        axes = query_refine[b]
        for t in range(n):
            if least[t] > limit:
                continue
            c = places[t]
            if n_axes > 0:
                other = point_refine[c]
                left = axes[n_axes] - other[n_axes]
                s = least[t] - left * left
                u = axes[:n_axes]
                v = other[:n_axes]
                more = np.float32(0)
                for q in range(u.shape[0]):
                    w = u[q] - v[q]
                    more += w * w
                left = axes[n_axes + 1] - other[n_axes + 1]
                if s + more + left * left > limit:
                    continue
            j = point_ids[c]
            d = squared_distance(point, points[j])
            j += first
            top = heap_distances[b, 0]
            own = query_keys[b]
            if d < top or (d == top and precedes(j, heap_indices[b, 0], own, keys)):
                sift_down(heap_distances[b], heap_indices[b], k, d, j, own, keys)
                worst = np.sqrt(heap_distances[b, 0]) * scale + errors[b]
                limit = np.float32(worst * worst)
        limits[b] = limit
