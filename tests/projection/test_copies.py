"""Samples with more copies than neighbors."""

import warnings

import numpy as np
import pytest

import unknot
from unknot.neighbors import NeighborGraph
from unknot.projection import map_after
from unknot.projection._copies import Representatives


def dead(n=300, n_dead=150, seed=0):
    """Five clusters behind a ReLU, half of all samples at the origin."""
    rng = np.random.default_rng(seed)
    labels = np.r_[np.zeros(n_dead, int), 1 + np.arange(n - n_dead) % 5]
    points = np.maximum(rng.normal(size=(6, 10))[labels] * 4 + rng.normal(size=(n, 10)), 0)
    points[:n_dead] = 0
    return points.astype(np.float32)


def fit(points, **options):
    tsne = unknot.TSNE(**{"random_state": 0, "perplexity": 10, **options})
    with pytest.warns(UserWarning, match="are copies of points that have more copies than"):
        return tsne.fit(points)


def is_in_one_place(map_, n=150):
    return np.ptp(map_[:n], axis=0).max() < 0.1 * np.ptp(map_, axis=0).max()


@pytest.mark.parametrize(
    "options",
    [{}, {"init": "random"}, {"method": "mesh"}, {"n_components": 1}, {"metric": "cosine"}],
)
def test_copies_lie_in_one_place(options):
    # Otherwise 119 copies would be attracted to 31, which are far apart: KL 1.3.
    points = dead()
    tsne = fit(points, **options)
    assert tsne.n_copies_left_out_ == 150 - 31
    assert is_in_one_place(tsne.embedding_)
    assert tsne.kl_divergence_ < 0.75
    np.testing.assert_array_equal(tsne.transform(points[140:150]), tsne.embedding_[140:150])


def test_copies_are_known_by_a_graph_and_by_distances():
    points = dead()
    graph = unknot.nearest_neighbors(points, 30)
    distances = np.sqrt(((points[:, None].astype(np.float64) - points) ** 2).sum(axis=-1))
    maps = [fit(given, metric="precomputed").embedding_ for given in (graph, distances)]
    assert all(map(is_in_one_place, maps))
    first = map_after(graph, points=points, perplexity=10, random_state=0)
    then = map_after(graph, first.map_, perplexity=10, random_state=0)
    assert is_in_one_place(first.map_)
    assert is_in_one_place(then.map_)


@pytest.mark.parametrize("n_ones", [0, 1, 100])
def test_almost_only_copies(n_ones):
    points = np.zeros((200, 4), np.float32)
    points[200 - n_ones :] = 1
    tsne = fit(points, max_iter=300)
    assert np.isfinite(tsne.embedding_).all()
    assert tsne.n_copies_left_out_ == {0: 169, 1: 168, 100: 138}[n_ones]


def test_several_groups_of_binary_vectors_lie_apart():
    bits = np.unpackbits(np.arange(8, dtype=np.uint8)[:, None], axis=1)[:, -3:]
    labels = np.random.default_rng(0).integers(8, size=400)
    map_ = fit(bits[labels].astype(np.float32)).embedding_
    graph = unknot.nearest_neighbors(map_, 20)
    assert np.mean(labels[graph.indices] == labels[:, None]) > 0.99


def test_few_copies_change_nothing_and_do_not_warn():
    points = np.repeat(dead(120, 0), 2, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tsne = unknot.TSNE(random_state=0, perplexity=10, max_iter=50).fit(points)
    assert tsne.n_copies_left_out_ == 0


def test_the_callback_sees_every_sample():
    seen = []
    tsne = fit(dead(), callback=lambda i, kl, map_: seen.append(map_), max_iter=100)
    np.testing.assert_array_equal(seen[-1], tsne.embedding_)


def test_representatives_by_hand():
    # Two neighbors each. Samples 0, 1, 3 and 4 are equal: 0, 1 and 3 represent 4.
    indices = [[1, 3], [0, 3], [0, 1], [0, 1], [0, 1]]
    distances = [[0, 0], [0, 0], [5, 5], [0, 0], [0, 0]]
    graph = NeighborGraph(np.array(indices, np.int32), np.array(distances, np.float32))
    found = Representatives.of(graph)
    assert found.kept.tolist() == [0, 1, 2, 3]
    assert found.place.tolist() == [0, 1, 2, 3, 0]
    assert found.graph.indices.tolist() == indices[:4]
    assert (found.n_points, found.n_left_out) == (1, 1)


def test_distances_of_zero_that_are_no_copies():
    # On a ring, each at distance 0 from the next two: no group is isolated.
    indices = (np.arange(9)[:, None] + [1, 2]) % 9
    indices, zeros = np.sort(indices).astype(np.int32), np.zeros((9, 2), np.float32)
    graph = NeighborGraph(indices, zeros, "precomputed")
    assert Representatives.of(graph).n_left_out == 0
    # Two equal rows, but their samples have other neighbors.
    graph.indices[3] = graph.indices[4] = [0, 1]
    assert Representatives.of(graph).n_left_out == 0


def test_copies_that_are_neighbors_in_a_ring():
    # Two neighbors each. Samples 0 to 4 are equal, each a neighbor of the two before it; 5 and 6
    # are elsewhere. Sample 4 is left out, and 5, which has 4 and 0 as neighbors, gets 1 and 2: one
    # after the other from number 4 modulo 3.
    indices = [[1, 2], [2, 3], [3, 4], [4, 0], [0, 1], [4, 0], [5, 3]]
    distances = [[0, 0]] * 5 + [[5, 5], [1, 6]]
    graph = NeighborGraph(np.array(indices, np.int32), np.array(distances, np.float32))
    found = Representatives.of(graph)
    assert found.kept.tolist() == [0, 1, 2, 5, 6]
    assert found.place.tolist() == [0, 1, 2, 0, 0, 3, 4]
    assert found.graph.indices.tolist() == [[1, 2], [0, 2], [0, 1], [1, 2], [3, 0]]


def test_samples_elsewhere_keep_distinct_neighbors_among_the_copies():
    points = dead()
    # One sample near the copies, with all its 30 neighbors among them.
    points[-1] = 0
    points[-1, 0] = 1e-3
    graph = unknot.nearest_neighbors(points, 30)
    found = Representatives.of(graph)
    row = found.graph.indices[-1]
    assert found.n_left_out == 150 - 31
    assert len(set(row.tolist())) == 30
    assert (found.graph.distances[-1] == np.float32(1e-3)).all()
