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
    """Hash rows to 64 bits: FNV-1a on words and their places, with the high bits mixed in.

    ``points`` are the floats' bits as uint32; -0.0 hashes as 0.0. Zeros do not count, so that a
    hash does not change with a further column of zeros.
    """
    for i in range(first, last):
        row = points[i]
        h = np.uint64(14695981039346656037)
        for t in range(row.shape[0]):
            word = np.uint64(row[t])
            if word == np.uint64(0) or word == np.uint64(0x80000000):
                continue
            h = (h ^ word ^ (np.uint64(t) << np.uint64(32))) * np.uint64(1099511628211)
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
def pair_hash(own, other):
    """Mix the keys of a query and of a point, as `_ties.pair_hashes`."""
    h = own ^ (other * np.uint64(0x9E3779B97F4A7C15))
    h ^= h >> np.uint64(32)
    h *= np.uint64(0xD6E8FEB86659FD93)
    h ^= h >> np.uint64(32)
    h *= np.uint64(0xD6E8FEB86659FD93)
    return h ^ (h >> np.uint64(32))


@njit(inline="always")
def precedes(i, j, own, keys):
    """Whether point i comes before point j where both are equally far from the query."""
    # An empty place of a heap has the index -1.
    return j >= 0 and i >= 0 and pair_hash(own, keys[i]) < pair_hash(own, keys[j])


@njit(inline="always")
def sift_down(distances, indices, size, d, j, own, keys):
    """Replace the root of a max-heap ordered by (distance, hash of the pair).

    ``own`` is the query's key, ``keys`` are those of all points.
    """
    p = 0
    while True:
        c = 2 * p + 1
        if c >= size:
            break
        if c + 1 < size and (
            distances[c + 1] > distances[c]
            or (
                distances[c + 1] == distances[c] and precedes(indices[c], indices[c + 1], own, keys)
            )
        ):
            c += 1
        if distances[c] < d or (distances[c] == d and precedes(indices[c], j, own, keys)):
            break
        distances[p] = distances[c]
        indices[p] = indices[c]
        p = c
    distances[p] = d
    indices[p] = j


@kernel()
def unheap(heap_distances, heap_indices, own, keys, rows, half_square, distances, indices):
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
                sift_down(hd, hi, last, hd[last], hi[last], own[b], keys)


@kernel()
def center_rows(points, first, last, origin, scale, out):
    """Subtract an origin and scale, in float64, and round to float32."""
    for i in range(first, last):
        row = points[i]
        to = out[i - first]
        for t in range(row.shape[0]):
            to[t] = np.float32((np.float64(row[t]) - origin[t]) * scale)


@kernel()
def expand_groups(near, near_distances, keys, members, starts, strides, indices, distances):
    """Find each sample's k nearest samples from the neighbors of distinct points.

    ``members[starts[g]:starts[g + 1]]`` are the samples equal to distinct point g, whose key is
    ``keys[g]``; ``near[g]`` are its nearest distinct points. A sample's own copies come first, each
    ``strides[g]`` places after the one before; then those of each neighbor likewise, beginning with
    a random one. So no copy is a neighbor of more samples than the others, and the copies taken are
    from all of them, however they are sorted.
    """
    k = indices.shape[1]
    for g in range(starts.shape[0] - 1):
        n_copies = starts[g + 1] - starts[g]
        for number in range(n_copies):
            m = members[starts[g] + number]
            own = keys[g] + np.uint64(number) * np.uint64(0x9E3779B97F4A7C15)
            taken = min(k, n_copies - 1)
            place = number
            for t in range(taken):
                # A stride without a common factor visits every copy before the sample itself.
                place += strides[g]
                if place >= n_copies:
                    place -= n_copies
                indices[m, t] = members[starts[g] + place]
                distances[m, t] = 0
            for t in range(near.shape[1]):
                if taken == k:
                    break
                other = near[g, t]
                first = starts[other]
                n_others = starts[other + 1] - first
                place = 0
                if n_others > 1:
                    place = np.int64(pair_hash(own, keys[other]) % np.uint64(n_others))
                for _ in range(min(n_others, k - taken)):
                    indices[m, taken] = members[first + place]
                    distances[m, taken] = near_distances[g, t]
                    taken += 1
                    place += strides[other]
                    if place >= n_others:
                        place -= n_others


@kernel()
def visit_neighbors(points, keys, first, last, reach, near, far, seen, new_near, new_far):
    """Add the nearest ``reach`` neighbors of each point's nearest ``reach`` neighbors.

    Rows of distances ``far`` ascend; ``seen`` has one entry per point, zero on entry. By the
    triangle inequality |d_ij - d_jl| <= d_il, most candidates are excluded without a distance.
    Reads the old graph and writes a new one, so that the result does not depend on the order.
    Distances are compared as rounded to float32, as the old graph has them, so that ties remain.
    """
    k = near.shape[1]
    heap_indices = np.empty(k, np.int32)
    heap_squares = np.empty(k)
    for i in range(first, last):
        stamp = np.int32(i - first + 1)
        seen[i] = stamp
        own = keys[i]
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
                d = np.float64(np.float32(np.sqrt(squared_distance(points[i], points[other]))))
                d *= d
                if d < heap_squares[0] or (
                    d == heap_squares[0] and precedes(other, heap_indices[0], own, keys)
                ):
                    sift_down(heap_squares, heap_indices, k, d, other, own, keys)
        for end in range(k - 1, -1, -1):
            new_far[i, end] = np.sqrt(heap_squares[0])
            new_near[i, end] = heap_indices[0]
            if end > 0:
                d = heap_squares[end]
                sift_down(heap_squares, heap_indices, end, d, heap_indices[end], own, keys)
