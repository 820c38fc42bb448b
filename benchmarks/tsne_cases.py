"""The data of the t-SNE benchmark, and the exact KL divergence that every map is judged by."""

import numpy as np
from numba import njit, prange
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.manifold._t_sne import _joint_probabilities_nn

import unknot

PERPLEXITY = 30
SAMPLED_ROWS = 20_000  # of Z, where there are more points than WHOLE
WHOLE = 100_000


def mnist(n=60_000):
    part = unknot.load_dataset("mnist").train
    return part.inputs.reshape(len(part), -1)[:n]


def mixture(n):
    """Points of 50 features in 100 clusters of different sizes, spreads and orientations."""
    rng = np.random.default_rng(0)
    centers = rng.normal(scale=3.0, size=(100, 50))
    share = rng.dirichlet(np.full(100, 2.0))
    labels = np.sort(rng.choice(100, size=n, p=share))
    points = np.empty((n, 50), np.float32)
    for label in range(100):
        rows = labels == label
        mixing = rng.normal(size=(50, 50)) * 0.9 ** np.arange(50)
        points[rows] = centers[label] + rng.normal(size=(rows.sum(), 50)) @ mixing / 3
    return points[rng.permutation(n)]


def clusters(n):
    """Points of 50 features in clusters of some 35, far apart, as a last layer leaves them."""
    rng = np.random.default_rng(0)
    centers = rng.normal(scale=3.0, size=(n // 35, 50))
    points = centers[rng.integers(len(centers), size=n)] + rng.normal(size=(n, 50))
    return points.astype(np.float32)


CASES = {
    "iris": lambda: load_iris().data.astype(np.float32),
    "mnist-10k": lambda: mnist(10_000),
    "clusters-10k": lambda: clusters(10_000),
    "mnist-60k": mnist,
    "mixture-200k": lambda: mixture(200_000),
    "mixture-1m": lambda: mixture(1_000_000),
}


def common_affinities(points):
    """P of scikit-learn, in float64, from exact neighbors: the same for every engine's map."""
    graph = unknot.nearest_neighbors(points, min(3 * PERPLEXITY, len(points) - 1))
    n, k = graph.indices.shape
    squared = graph.distances.astype(np.float64).ravel() ** 2
    start = np.arange(0, n * k + 1, k)
    matrix = sparse.csr_matrix((squared, graph.indices.ravel(), start), shape=(n, n))
    matrix.sort_indices()
    return _joint_probabilities_nn(matrix, PERPLEXITY, 0).tocsr()


@njit(parallel=True, fastmath=True, cache=True)
def _sums_of_rows(map_, rows, out):
    """out[r] = sum_j 1 / (1 + |y_r - y_j|^2), the point itself left out."""
    for r in prange(len(rows)):
        i = rows[r]
        total = 0.0
        for j in range(len(map_)):
            dx = map_[i, 0] - map_[j, 0]
            dy = map_[i, 1] - map_[j, 1]
            total += 1.0 / (1.0 + dx * dx + dy * dy)
        out[r] = total - 1.0


def exact_kl(affinities, map_):
    """KL divergence in float64 without approximation; above WHOLE points Z is from sampled rows."""
    n = len(map_)
    map_ = np.ascontiguousarray(map_, dtype=np.float64)
    rows = np.arange(n)
    if n > WHOLE:
        rows = np.sort(np.random.default_rng(1).choice(n, SAMPLED_ROWS, replace=False))
    sums = np.empty(len(rows))
    _sums_of_rows(map_, rows, sums)
    z = sums.mean() * n
    entries = affinities.tocoo()
    p = entries.data
    gap = map_[entries.row] - map_[entries.col]
    keep = p > 0
    log_q = -np.log1p((gap**2).sum(axis=1)) - np.log(z)
    return float((p[keep] * (np.log(p[keep]) - log_q[keep])).sum())
