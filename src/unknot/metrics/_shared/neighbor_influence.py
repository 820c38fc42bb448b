"""Influence of each point on scores of nearest neighbors, and their exact null."""

from __future__ import annotations

import numpy as np

from ..._typing import Array, Float64
from .intervals import sum_of_squares

# Rows at a time in steps that compare all neighbors of neighbors.
ROWS = 2**16


def edge_influence(
    neighbors: Array,
    scores: Array,
    weights: Array,
    n_samples: int,
    further: Array | None = None,
) -> Float64[Array, " samples"]:
    r"""Return the influence of points as neighbors of others on a mean of scores of edges.

    A new point j that is among the k nearest of i takes the place of another neighbor of i, which
    would score what the neighbors of i do on average:

    .. math:: \sum_{i : j \in N_k(i)} w_i (e_{ij} - \bar e_i) / k

    Parameters
    ----------
    neighbors : array of int (n_rows, k)
        The nearest neighbors of the evaluated points.
    scores : array (n_rows, k)
        The score e of each edge.
    weights : array of float64 (n_rows,)
        Weights of the evaluated points in the mean; they sum to 1.
    further : array (n_rows, m), optional
        Scores of the edges to the next neighbors, so that the mean is over more of them.
    """
    k = neighbors.shape[1]
    total, count = scores.sum(axis=1, dtype=np.float64), k
    if further is not None:
        total, count = total + further.sum(axis=1), k + further.shape[1]
    if count == 1:
        return np.zeros(n_samples)
    rest = (total[:, None] - scores) / (count - 1)
    terms = (scores - rest) * (weights / k)[:, None]
    found = np.bincount(neighbors.ravel(), weights=terms.ravel(), minlength=n_samples)
    return np.asarray(found - found.mean())


def hit_influence(
    neighbors: Array, codes: Array, k: int, value: float, per_point: Array | None = None
) -> tuple[Float64[Array, " samples"], float]:
    """Return the influence of each point on the Neighborhood Hit, and the hit's variance.

    Parameters
    ----------
    neighbors : array of int (n_samples, K)
        The nearest neighbors, with K of at least k. The influence is most exact with K = 2k.
    value : float
        The Neighborhood Hit.
    per_point : array (n_samples,), optional
        Its part of each point, where it is not the share of the first k neighbors, as with ties.
    """
    n = len(codes)
    same = (codes[neighbors] == codes[:, None]).astype(np.float32)
    near = neighbors[:, :k]
    if per_point is None:
        per_point = same[:, :k].mean(axis=1)
    influence = (np.asarray(per_point, np.float64) - value) / n
    influence += edge_influence(near, same[:, :k], np.full(n, 1.0 / n), n, same[:, k:])
    both = sum_of_squares(influence)
    # What is not additive in the labels is in the influence of both ends.
    return influence, max(both - pair_variance(neighbors, codes, k), 0.5 * both)


def count_returned(neighbors: Array) -> Array:
    """Count for each point how many of its neighbors have it among theirs, (n_samples,)."""
    returned = np.zeros(len(neighbors), dtype=np.int64)
    for start in range(0, len(neighbors), ROWS):
        rows = np.arange(start, min(start + ROWS, len(neighbors)))
        for column in neighbors[rows].T:
            returned[rows] += (neighbors[column] == rows[:, None]).any(axis=1)
    return returned


def pair_variance(neighbors: Array, codes: Array, k: int) -> float:
    r"""Return the part of the Neighborhood Hit's variance that two influences count twice.

    .. math:: \sum_{\text{edges}} (1 + r_{ij}) v_i / (nk)^2, \quad v = P_2 + P_2^2 - 2 P_3

    with r whether j has i among its neighbors, and v the variance of what is not additive in the
    two labels of an edge. P_2, P_3 and P_2^2 are the chances that two or three of the labels of i
    and its neighbors agree, or two pairs of them, by falling factorials.

    Parameters
    ----------
    neighbors : array of int (n_samples, K)
        With K of at least k; the labels of all K are used.
    """
    n, width = len(neighbors), neighbors.shape[1] + 1
    if width < 4:
        return 0.0
    labels = np.concatenate([codes[:, None], codes[neighbors]], axis=1)
    pairs, triples, quadruples, squares = np.zeros((4, n))
    for column in labels.T:
        # Points of the same label among these, for each of them: sums over labels by points.
        count = (labels == column[:, None]).sum(axis=1).astype(np.float64)
        pairs += count - 1
        triples += (count - 1) * (count - 2)
        quadruples += (count - 1) * (count - 2) * (count - 3)
        squares += count * np.square(count - 1)
    p2 = pairs / (width * (width - 1))
    p3 = triples / (width * (width - 1) * (width - 2))
    p22 = (quadruples + np.square(pairs) - squares) / (
        width * (width - 1) * (width - 2) * (width - 3)
    )
    edges = k + count_returned(neighbors[:, :k])
    return float((edges * (p2 + p22 - 2.0 * p3)).sum() / (n * k) ** 2)


def null_of_hits(neighbors: Array, codes: Array) -> tuple[float, float]:
    r"""Return the exact mean and standard deviation of the Neighborhood Hit of permuted labels.

    With A the adjacency of the graph, T = sum A_ij [y_i = y_j], S_0 = sum A,
    S_1 = 1/2 sum (A + A')^2, S_2 = sum_i (A_i. + A_.i)^2, and p_2, p_3, p_4 the chances that two
    labels agree, three, and both pairs of four,

    .. math:: E T = S_0 p_2, \quad E T^2 = S_1 p_2 + (S_2 - 2 S_1) p_3 + (S_0^2 + S_1 - S_2) p_4
    """
    n, k = neighbors.shape
    counts = np.bincount(codes).astype(np.float64)
    c2 = counts * (counts - 1)
    c3, c4 = c2 * (counts - 2), c2 * (counts - 2) * (counts - 3)
    p2 = c2.sum() / (n * (n - 1.0))
    p3 = c3.sum() / max(n * (n - 1.0) * (n - 2), 1.0)
    p4 = (c4.sum() + c2.sum() ** 2 - np.square(c2).sum()) / max(
        n * (n - 1.0) * (n - 2) * (n - 3), 1.0
    )
    s0 = float(n * k)
    s1 = s0 + float(count_returned(neighbors).sum())
    s2 = float(np.square(k + np.bincount(neighbors.ravel(), minlength=n).astype(np.float64)).sum())
    second = s1 * p2 + (s2 - 2.0 * s1) * p3 + (s0**2 + s1 - s2) * p4
    return float(p2), float(np.sqrt(max(second - (s0 * p2) ** 2, 0.0)) / s0)
