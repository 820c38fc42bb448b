"""Compiled kernels of the neighbor search: no validation, arrays allocated by the caller.

``FAST`` lets the compiler reorder sums, so that they vectorize, but not assume that values are
finite. The order of a sum is fixed by the compiled code; it does not depend on threads.
"""

import numpy as np
from numba import njit

from .._parallel.jit import kernel
from .._parallel.simd import FAST


@kernel()
def hash_rows(points, first, last, hashes):
    """Hash rows to 64 bits: FNV-1a on words, with the high bits mixed in.

    ``points`` are the floats' bits as uint32; -0.0 hashes as 0.0.
    """
    for i in range(first, last):
        row = points[i]
        h = np.uint64(14695981039346656037)
        for t in range(row.shape[0]):
            word = row[t] if row[t] != np.uint32(0x80000000) else np.uint32(0)
            h = (h ^ np.uint64(word)) * np.uint64(1099511628211)
            h ^= h >> np.uint64(29)
        hashes[i] = h


@njit(fastmath=FAST, inline="always")
def squared_distance(a, b):
    """Sum (a_t - b_t)^2 in float64: exact for small integers, so that their ties are kept."""
    s = 0.0
    for t in range(a.shape[0]):
        u = np.float64(a[t]) - np.float64(b[t])
        s += u * u
    return s


@njit(inline="always")
def sift_down(distances, indices, size, d, j):
    """Replace the root of a max-heap ordered by (distance, index)."""
    p = 0
    while True:
        c = 2 * p + 1
        if c >= size:
            break
        if c + 1 < size and (
            distances[c + 1] > distances[c]
            or (distances[c + 1] == distances[c] and indices[c + 1] > indices[c])
        ):
            c += 1
        if distances[c] < d or (distances[c] == d and indices[c] < j):
            break
        distances[p] = distances[c]
        indices[p] = indices[c]
        p = c
    distances[p] = d
    indices[p] = j


@njit(inline="always")
def shell_sort(keys, values, n):
    """Sort the first n keys ascending, their values with them (gaps of Ciura 2001)."""
    for gap in (132, 57, 23, 10, 4, 1):
        for i in range(gap, n):
            key = keys[i]
            value = values[i]
            p = i
            while p >= gap and keys[p - gap] > key:
                keys[p] = keys[p - gap]
                values[p] = values[p - gap]
                p -= gap
            keys[p] = key
            values[p] = value


@kernel()
def unheap(heap_distances, heap_indices, rows, half_square, distances, indices):
    """Convert heaps of squared distances to ascending rows of distances, or half their squares."""
    k = heap_distances.shape[1]
    for b in range(heap_distances.shape[0]):
        hd = heap_distances[b]
        hi = heap_indices[b]
        i = rows[b]
        for last in range(k - 1, -1, -1):
            distances[i, last] = hd[0] / 2 if half_square else np.sqrt(hd[0])
            indices[i, last] = hi[0]
            if last > 0:
                sift_down(hd, hi, last, hd[last], hi[last])


@kernel()
def center_rows(points, first, last, origin, scale, out):
    """Subtract an origin and scale, in float64, and round to float32."""
    for i in range(first, last):
        row = points[i]
        to = out[i - first]
        for t in range(row.shape[0]):
            to[t] = np.float32((np.float64(row[t]) - origin[t]) * scale)


@kernel()
def expand_groups(
    near, near_distances, members, starts, candidates, away, ignored, indices, distances
):
    """Find each sample's k nearest samples from the neighbors of distinct points, ties by index.

    ``members[starts[g]:starts[g + 1]]`` are the samples equal to distinct point g, ascending;
    ``near[g]`` are its nearest distinct points. ``candidates``, ``away`` and ``ignored`` are
    buffers of (k + 1)^2 entries.
    """
    k = indices.shape[1]
    for g in range(starts.shape[0] - 1):
        n = 0
        run = 0
        for t in range(-1, near.shape[1]):
            other = g if t < 0 else near[g, t]
            d = np.float32(0) if t < 0 else near_distances[g, t]
            if n > 0 and d > away[n - 1]:
                if n > k:
                    break
                run = n
            last = min(starts[other + 1], starts[other] + k + 1)
            for s in range(starts[other], last):
                candidates[n] = members[s]
                away[n] = d
                n += 1
            if t >= 0 and n - run > last - starts[other]:
                shell_sort(candidates[run:n], ignored, n - run)
        for s in range(starts[g], starts[g + 1]):
            m = members[s]
            taken = 0
            for c in range(n):
                if taken == k:
                    break
                if candidates[c] != m:
                    indices[m, taken] = candidates[c]
                    distances[m, taken] = away[c]
                    taken += 1


@kernel()
def visit_neighbors(points, first, last, reach, near, far, seen, new_near, new_far):
    """Add the nearest ``reach`` neighbors of each point's nearest ``reach`` neighbors.

    Rows of distances ``far`` ascend; ``seen`` has one entry per point, zero on entry. By the
    triangle inequality |d_ij - d_jl| <= d_il, most candidates are excluded without a distance.
    Reads the old graph and writes a new one, so that the result does not depend on the order.
    """
    k = near.shape[1]
    heap_indices = np.empty(k, np.int32)
    heap_squares = np.empty(k)
    for i in range(first, last):
        stamp = np.int32(i - first + 1)
        seen[i] = stamp
        for t in range(k):
            # In descending order, a row is a max-heap.
            heap_indices[t] = near[i, k - 1 - t]
            heap_squares[t] = np.float64(far[i, k - 1 - t]) ** 2
            seen[near[i, t]] = stamp
        for s in range(reach):
            j = near[i, s]
            for t in range(reach):
                other = near[j, t]
                if seen[other] == stamp:
                    continue
                seen[other] = stamp
                gap = np.float64(far[i, s]) - np.float64(far[j, t])
                if gap * gap > heap_squares[0]:
                    continue
                d = squared_distance(points[i], points[other])
                if d < heap_squares[0] or (d == heap_squares[0] and other < heap_indices[0]):
                    sift_down(heap_squares, heap_indices, k, d, other)
        for end in range(k - 1, -1, -1):
            new_far[i, end] = np.sqrt(heap_squares[0])
            new_near[i, end] = heap_indices[0]
            if end > 0:
                sift_down(heap_squares, heap_indices, end, heap_squares[end], heap_indices[end])
