"""The slow twin of the search: all pairs, and ties by the hash that the package states."""

import math

import numpy as np

from unknot.neighbors import SearchSpace

BITS = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
MIXER = 0xD6E8FEB86659FD93


def slow_hash(row):
    """FNV-1a on the words that are not zero, and their places."""
    h = 14695981039346656037
    for place, word in enumerate(np.asarray(row, np.float32).view(np.uint32).tolist()):
        if word not in (0, 0x80000000):
            h = (h ^ word ^ (place << 32)) * 1099511628211 & BITS
            h ^= h >> 29
    return h


def slow_mix(h):
    h ^= h >> 32
    h = h * MIXER & BITS
    h ^= h >> 32
    h = h * MIXER & BITS
    return h ^ (h >> 32)


def slow_pair_hash(own, other):
    return slow_mix(own ^ (other * GOLDEN & BITS))


def all_distances(points, metric="euclidean"):
    x = np.asarray(points, np.float64)
    if metric == "cosine":
        norms = np.sqrt((x**2).sum(axis=1))
        zero = norms == 0
        similarity = x @ x.T / np.outer(np.where(zero, 1, norms), np.where(zero, 1, norms))
        distances = 1 - similarity
        distances[np.ix_(zero, zero)] = 0
    else:
        distances = np.empty((len(x), len(x)))
        for i in range(len(x)):
            distances[i] = np.sqrt(((x - x[i]) ** 2).sum(axis=1))
    return distances


def stepping(copies, start):
    """All copies from one on, by steps near the golden section that visit each."""
    n = len(copies)
    step = max(1, round(n * (5**0.5 - 1) / 2))
    while math.gcd(step, n) > 1:
        step += 1
    return [copies[(start + t * step) % n] for t in range(n)]


def brute(points, k, metric="euclidean", *, given=None):
    """The k nearest of each point: its copies, then by (distance, hash of the pair).

    Pass ``given``, the points searched, where ``points`` are these in another form.
    """
    distances = all_distances(points, metric)
    rows = SearchSpace.of(points if given is None else given, metric).points + np.float32(
        0
    )  # no -0.0
    copies = {}
    for i, row in enumerate(rows):
        copies.setdefault(row.tobytes(), []).append(i)
    groups = list(copies.values())
    keys = [slow_hash(rows[group[0]]) for group in groups]
    indices = np.empty((len(rows), k), np.int32)
    for g, group in enumerate(groups):
        others = [h for h in range(len(groups)) if h != g]
        order = {
            h: (distances[group[0], groups[h][0]], slow_pair_hash(keys[g], keys[h])) for h in others
        }
        others.sort(key=order.__getitem__)
        for number, i in enumerate(group):
            found = stepping(group, number)[1:]
            own = (keys[g] + number * GOLDEN) & BITS
            for h in others:
                if len(found) >= k:
                    break
                start = slow_pair_hash(own, keys[h]) % len(groups[h])
                found += stepping(groups[h], start)
            indices[i] = found[:k]
    return indices, np.take_along_axis(distances, indices, axis=1)
