import numpy as np
import pytest
from projection_checks import entries

import unknot
from unknot._parallel.thread_team import ThreadTeam
from unknot.neighbors import NeighborGraph
from unknot.projection._affinities import (
    attainable_perplexity,
    conditional,
    joint,
    neighbors_for,
    thin_joint,
)
from unknot.projection._start import curve_order


def slow_conditional(distances, perplexity):
    """The slow twin: plain bisection of beta, row by row, in float64."""
    p = np.empty(distances.shape)
    for i, row in enumerate(distances.astype(np.float64)):
        a = row**2 - row[0] ** 2
        low, high = 0.0, 1e12
        for _ in range(300):
            beta = (low + high) / 2 if high < 1e12 else max(2 * low, 1.0)
            e = np.exp(-beta * a)
            q = e / e.sum()
            entropy = -(q[q > 0] * np.log(q[q > 0])).sum()
            if entropy > np.log(perplexity):
                low = beta
            else:
                high = beta
        p[i] = q
    return p


def slow_joint(graph, perplexity):
    """The slow twin: a dense matrix."""
    n = graph.n_samples
    p = np.zeros((n, n))
    rows = slow_conditional(graph.distances, perplexity)
    np.put_along_axis(p, graph.indices.astype(np.int64), rows, axis=1)
    return (p + p.T) / (2 * n)


def dense(affinities, order):
    p = np.zeros((len(order), len(order)))
    rows, columns, values = entries(affinities)
    p[order[rows], order[columns]] = values
    return p


def sample_graph(n=300, k=30, seed=0):
    points = np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)
    return unknot.nearest_neighbors(points, k)


def test_two_equidistant_neighbors_share_equally():
    # Perplexity 2 of two equal distances: p = (1/2, 1/2), entropy log 2.
    with ThreadTeam(1) as team:
        p, _ = conditional(np.array([[3.0, 3.0]], np.float32), 2.0, team)
    assert p.tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("perplexity", [1.5, 5.0, 10.0, 29.0])
def test_conditional_equals_slow_twin(perplexity):
    graph = sample_graph()
    with ThreadTeam(2) as team:
        p, _ = conditional(graph.distances, perplexity, team)
    np.testing.assert_allclose(p, slow_conditional(graph.distances, perplexity), atol=1e-4)
    entropy = -(p * np.log(np.maximum(p, 1e-30))).sum(axis=1)
    np.testing.assert_allclose(entropy, np.log(perplexity), atol=1e-5)


def test_sigma_is_that_of_the_gaussian():
    graph = sample_graph()
    with ThreadTeam(2) as team:
        p, sigma = conditional(graph.distances, 10.0, team)
        assert joint(graph, 10.0, np.arange(300, dtype=np.int32), team).mean_sigma == sigma.mean()
        _, twice = conditional(2 * graph.distances, 10.0, team)
        _, ties = conditional(np.ones((1, 5), np.float32), 2.0, team)
    gaussian = np.exp(-(graph.distances.astype(np.float64) ** 2) / (2 * sigma[:, None] ** 2))
    np.testing.assert_allclose(p, gaussian / gaussian.sum(axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(twice, 2 * sigma, rtol=1e-5)
    assert ties.tolist() == [0.0]


@pytest.mark.parametrize("scale", [1e-15, 1e-3, 1.0, 1e6, 1e17])
def test_scale_of_distances_does_not_matter(scale):
    graph = sample_graph()
    with ThreadTeam(1) as team:
        p, _ = conditional(graph.distances, 10.0, team)
        scaled, _ = conditional((graph.distances * scale).astype(np.float32), 10.0, team)
    np.testing.assert_allclose(scaled, p, rtol=1e-4, atol=1e-7)


def test_ties_make_the_entropy_unattainable():
    rows = np.array(
        [
            [0, 0, 0, 0, 0, 0],  # all duplicates: equal shares
            [0, 0, 0, 0, 5, 5],  # four at the least distance, perplexity 2: they share
            [1, 1, 1, 1, 1, 1],
            [0, 1, 1, 1, 1, 1e20],
            [1e-30, 1, 2, 3, 4, 5],
        ],
        np.float32,
    )
    with ThreadTeam(1) as team:
        p, _ = conditional(rows, 2.0, team)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(p[0], 1 / 6, rtol=1e-6)
    np.testing.assert_allclose(p[1], [0.25] * 4 + [0, 0], atol=1e-6)
    np.testing.assert_allclose(p[2], 1 / 6, rtol=1e-6)
    assert np.isfinite(p).all()


@pytest.mark.parametrize("n_threads", [1, 3])
def test_joint_equals_slow_twin(n_threads):
    graph = sample_graph()
    order = np.random.default_rng(1).permutation(300).astype(np.int32)
    with ThreadTeam(n_threads) as team:
        affinities = joint(graph, 10.0, order, team)
    true = slow_joint(graph, 10.0)
    assert affinities.index.dtype == np.uint16
    # 16 bits of the row's largest value, and float32 p_{j|i}.
    np.testing.assert_allclose(dense(affinities, order), true, atol=1.5e-5 * true.max())
    assert abs(dense(affinities, order).sum() - 1) < 1e-4
    positive = true[true > 0]
    np.testing.assert_allclose(
        affinities.negative_entropy, (positive * np.log(positive)).sum(), rtol=1e-6
    )
    for r in range(300):
        columns = affinities.index[affinities.ptr[r] : affinities.ptr[r + 1]]
        assert np.all(np.diff(columns.astype(int)) > 0)


def test_thin_affinities_are_those_of_the_nearest_neighbors():
    points = np.random.default_rng(3).normal(size=(6000, 3)).astype(np.float32)
    graph = unknot.nearest_neighbors(points, 120)
    order = np.random.default_rng(4).permutation(6000).astype(np.int32)
    # Perplexity, and the neighbors taken: two thirds of it, at least 20.
    for perplexity, k in ((40.0, 27), (14.0, 20)):
        with ThreadTeam(2) as team:
            thin = thin_joint(graph, perplexity, order, team)
            true = joint(graph.nearest(k), 0.75 * k, order, team)
        assert thin.index.tobytes() == true.index.tobytes()
        assert thin.weight.tobytes() == true.weight.tobytes()


@pytest.mark.parametrize(
    ("n", "k", "perplexity", "is_thin"),
    [
        (6000, 120, 40.0, True),
        (5999, 120, 40.0, False),  # fewer than 150 samples for each unit of perplexity
        (6000, 53, 40.0, False),  # 27 would be more than half
        (6000, 40, 13.0, True),
        (6000, 39, 13.0, False),  # 20 would be
    ],
)
def test_where_affinities_are_not_thinned(n, k, perplexity, is_thin):
    graph = unknot.nearest_neighbors(np.arange(n, dtype=np.float32)[:, None], k)
    with ThreadTeam(1) as team:
        found = thin_joint(graph, perplexity, np.arange(n, dtype=np.int32), team)
    assert (found is not None) == is_thin


def test_more_than_65536_samples_take_wider_indices():
    n = 70_000
    indices = ((np.arange(n)[:, None] + [1, 2, n - 3]) % n).astype(np.int32)
    distances = np.tile(np.array([1, 2, 3], np.float32), (n, 1))
    order = curve_order(np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32))
    with ThreadTeam(2) as team:
        affinities = joint(NeighborGraph(indices, distances), 2.0, order, team)
    assert affinities.index.dtype == np.int32
    rows, columns, values = entries(affinities)
    assert len(rows) == 6 * n
    assert abs(values.sum() - 1) < 1e-4
    # Sums of p do not depend on n; values near 1/2N are far from float32's smallest.
    p = slow_conditional(distances[:1], 2.0)[0]
    np.testing.assert_allclose(np.unique(values.round(12)), np.sort(p / (2 * n)), rtol=1e-4)
    there = order[rows], order[columns]
    assert np.all(np.isin((there[1] - there[0]) % n, [1, 2, 3, n - 1, n - 2, n - 3]))


def test_reordering_relabels_the_samples():
    graph = sample_graph()
    rng = np.random.default_rng(2)
    first, then = (rng.permutation(300).astype(np.int32) for _ in range(2))
    with ThreadTeam(2) as team:
        affinities = joint(graph, 10.0, first, team)
        again = affinities.reordered(then, team)
    # Row r is now that of the sample in place then[r] of the first order.
    np.testing.assert_array_equal(dense(again, first[then]), dense(affinities, first))
    assert not np.array_equal(again.scale, affinities.scale)
    assert again.index.dtype == affinities.index.dtype
    assert again.negative_entropy == affinities.negative_entropy


@pytest.mark.parametrize(
    ("given", "n", "perplexity", "k"),
    [(30, 60_000, 30, 90), (30, 91, 30, 90), (30, 61, 20, 60), (30, 2, 1, 1), (0.5, 9, 1, 3)],
)
def test_perplexity_that_samples_allow(given, n, perplexity, k):
    assert attainable_perplexity(float(given), n) == perplexity
    assert neighbors_for(float(perplexity), n) == k


def test_z_curve_keeps_neighbors_near():
    x, y = np.meshgrid(np.arange(4.0), np.arange(4.0))
    order = curve_order(np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32))
    # The lower left quarter first, x before y: (0,0) (1,0) (0,1) (1,1), then that to its right.
    assert order[:8].tolist() == [0, 1, 4, 5, 2, 3, 6, 7]
    assert sorted(order.tolist()) == list(range(16))
    assert curve_order(np.zeros((5, 2), np.float32)).tolist() == [0, 1, 2, 3, 4]
