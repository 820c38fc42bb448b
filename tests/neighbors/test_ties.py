"""Neighbors of tied points: the same for any order of the rows, and without hubs."""

import numpy as np
import pytest
from neighbors_oracles import brute, slow_hash, slow_pair_hash
from scipy import sparse

import unknot
from unknot.neighbors import (
    _approximate,
    _search,
    _sparse,
    graph_of_distinct,
    neighbors_among,
    row_hashes,
)
from unknot.neighbors._duplicates import strides
from unknot.neighbors._kernels import pair_hash
from unknot.neighbors._ties import pair_hashes, tie_keys


def rounded(n, d, seed=0, levels=2):
    """Halves, most of them tied, and some equal."""
    return (np.round(levels * np.random.default_rng(seed).normal(size=(n, d))) / 2).astype(
        np.float32
    )


def memory_map(points, path):
    stored = np.memmap(path, points.dtype, "w+", shape=points.shape)
    stored[:] = points
    return stored


@pytest.mark.parametrize(
    ("n", "d", "k"), [(700, 1, 30), (900, 2, 20), (1500, 16, 30), (600, 40, 90), (2000, 330, 12)]
)
@pytest.mark.parametrize("way", ["exact", "approximate", "stored", "sparse"])
def test_the_order_of_rows_does_not_matter(n, d, k, way, tmp_path, monkeypatch):
    points = rounded(n, d)
    rng = np.random.default_rng(1)
    if way == "sparse":
        monkeypatch.setattr(_search, "DENSE_BYTES", 0)

    def search(order, n_jobs):
        given = points[order]
        if way == "sparse":
            return unknot.nearest_neighbors(sparse.csr_array(given), k, n_jobs=n_jobs)
        if way == "stored":
            stored = memory_map(given, tmp_path / str(n_jobs))
            budget = max(given.nbytes // 4, 4096)
            return unknot.nearest_neighbors(stored, k, n_jobs=n_jobs, max_memory=budget)
        return unknot.nearest_neighbors(given, k, n_jobs=n_jobs, exact=way == "exact")

    wanted = search(np.arange(n), 1)
    assert np.mean(wanted.distances[:, 1:] == wanted.distances[:, :-1]) > 0.02
    for n_jobs, order in ((2, np.lexsort(points.T)), (3, rng.permutation(n))):
        found = search(order, n_jobs)
        np.testing.assert_array_equal(found.distances, wanted.distances[order])
        # Copies are told apart by their order only.
        np.testing.assert_array_equal(points[order][found.indices], points[wanted.indices[order]])
        if len(np.unique(points, axis=0)) == n:
            np.testing.assert_array_equal(order[found.indices], wanted.indices[order])


def test_all_ways_find_the_same_neighbors(tmp_path, monkeypatch):
    points = rounded(1300, 12)
    wanted = unknot.nearest_neighbors(points, 25)
    np.testing.assert_array_equal(wanted.indices, brute(points, 25)[0])
    stored = memory_map(points, tmp_path / "points")
    others = [
        unknot.nearest_neighbors(points, 25, exact=False),
        unknot.nearest_neighbors(stored, 25, max_memory=points.nbytes // 3),
    ]
    for other in others:
        np.testing.assert_array_equal(other.indices, wanted.indices)
        np.testing.assert_array_equal(other.distances, wanted.distances)


def test_the_first_neighbors_of_a_larger_graph_are_those_of_a_smaller():
    points = rounded(800, 8)
    large = unknot.nearest_neighbors(points, 60)
    small = unknot.nearest_neighbors(points, 7)
    np.testing.assert_array_equal(large.nearest(7).distances, small.distances)
    np.testing.assert_array_equal(large.nearest(7).indices, small.indices)


def in_degrees(indices, n):
    return np.bincount(indices.ravel(), minlength=n)


def by_rank(points, k, ranks):
    """The k nearest by (distance, rank of the pair) for ranks of any kind."""
    squares = ((points[:, None].astype(float) - points) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    return np.lexsort((ranks, squares), axis=1)[:, :k]


@pytest.mark.parametrize(("d", "levels"), [(2, 30), (7, 3)])
def test_in_degrees_are_those_of_random_ties(d, levels):
    points = np.unique(np.random.default_rng(0).integers(0, levels, (1200, d)), axis=0)
    n, k = len(points), 7
    found = in_degrees(unknot.nearest_neighbors(points, k).indices, n)
    at_random = [
        in_degrees(by_rank(points, k, np.random.default_rng(seed).random((n, n))), n)
        for seed in range(8)
    ]
    spreads = [degrees.std() for degrees in at_random]
    assert min(spreads) * 0.93 < found.std() < max(spreads) * 1.07
    assert found.max() <= 1.2 * max(degrees.max() for degrees in at_random)
    if d == 7:
        # By index, or by any other order of the points that is the same for all queries.
        ranks = np.random.default_rng(9).permutation(n)
        for rank in (np.arange(n), ranks):
            hubs = in_degrees(by_rank(points, k, np.broadcast_to(rank, (n, n))), n)
            assert hubs.std() > 1.3 * max(spreads)
            assert hubs.max() > 1.2 * found.max()


def test_each_copy_is_a_neighbor_of_as_many_copies():
    rng = np.random.default_rng(0)
    points = np.concatenate([np.zeros((60, 8)), rng.normal(size=(400, 8))])
    graph = unknot.nearest_neighbors(points, 6)
    assert not graph.distances[:60].any()
    assert (in_degrees(graph.indices[:60], 60) == 6).all()


def test_copies_are_taken_in_turn_by_samples_elsewhere():
    # The nearest of 300 unit vectors, a distance of at least sqrt(2) apart, are 20 copies of the
    # origin. 300 windows of 5 of these: 75 times each, with a deviation of sqrt(75 * 3/4) = 7.5.
    axes = np.concatenate([np.eye(150), -np.eye(150)])
    points = np.concatenate([np.zeros((20, 150)), axes]).astype(np.float32)
    graph = unknot.nearest_neighbors(points, 5)
    rows = graph.indices[20:]
    assert (rows < 20).all()
    assert (graph.distances[20:] == 1).all()
    degrees = in_degrees(rows, 320)[:20]
    assert degrees.sum() == 1500
    assert np.abs(degrees - 75).max() < 30


@pytest.mark.parametrize("n", [*range(1, 40), 1000, 65_536])
def test_strides_visit_every_copy(n):
    (step,) = strides(np.array([0, n]))
    assert sorted((np.arange(n) * step % n).tolist()) == list(range(n))
    if n >= 1000:
        # The first five are from all parts: none is nearer to another than a tenth of them.
        first = np.sort(np.arange(5) * step % n)
        assert np.diff(first, append=first[0] + n).min() >= n // 10


def test_copies_sorted_by_class_are_taken_from_all_classes():
    points = np.repeat(np.eye(30), 40, axis=0)
    labels = np.tile(np.repeat([0, 1], 20), 30)
    graph = unknot.nearest_neighbors(points, 6)
    shares = labels[graph.indices].mean(axis=1)
    assert shares.min() >= 1 / 3
    assert shares.max() <= 2 / 3


def test_queries_among_points_with_copies(tmp_path):
    points = np.repeat(rounded(120, 9), 8, axis=0)
    queries = rounded(90, 9, seed=5)
    indices, distances = neighbors_among(queries, points, 4, "euclidean", 2)
    squares = ((queries[:, None].astype(float) - points) ** 2).sum(axis=2)
    np.testing.assert_allclose(distances, np.sqrt(np.sort(squares, axis=1)[:, :4]), rtol=1e-6)
    rows = np.arange(90)[:, None]
    np.testing.assert_allclose(distances, np.sqrt(squares[rows, indices]), rtol=1e-6)
    assert all(len(set(row)) == 4 for row in indices.tolist())
    # A query's neighbors depend neither on the other queries nor on the number of threads.
    for part in (slice(0, 1), slice(30, 60)):
        alone, _ = neighbors_among(queries[part], points, 4, "euclidean", 1)
        np.testing.assert_array_equal(alone, indices[part])
    # All copies are used: by index, it would be the first four only.
    assert len(np.unique(indices % 8)) == 8


def test_hashes_equal_the_slow_twin():
    points = rounded(50, 7)
    points[3] = 0
    points[4] = -points[4] * 0
    hashes = row_hashes(points, 1)
    assert hashes.tolist() == [slow_hash(row) for row in points]
    wider = np.concatenate([points, np.zeros((50, 2), np.float32)], axis=1)
    assert row_hashes(wider, 2).tolist() == hashes.tolist()
    pairs = pair_hashes(hashes[:, None], hashes)
    slow = [[slow_pair_hash(a, b) for b in hashes.tolist()] for a in hashes.tolist()]
    assert pairs.tolist() == slow
    compiled = pair_hash.py_func if hasattr(pair_hash, "py_func") else pair_hash
    with np.errstate(over="ignore"):
        assert int(compiled(hashes[0], hashes[1])) == slow[0][1]


def test_keys_of_copies_differ_and_do_not_depend_on_the_order():
    hashes = np.array([7, 3, 7, 7, 9, 3], np.uint64)
    keys = tie_keys(hashes)
    assert len(set(keys.tolist())) == 6
    assert keys[[0, 1, 4]].tolist() == [7, 3, 9]
    order = [4, 3, 5, 1, 0, 2]
    assert sorted(tie_keys(hashes[order]).tolist()) == sorted(keys.tolist())
    assert tie_keys(hashes[[0, 1, 4]]).tolist() == [7, 3, 9]


def test_bits_of_pair_hashes_are_even():
    hashes = row_hashes(rounded(300, 6), 1)
    pairs = pair_hashes(np.unique(hashes)[:, None], np.unique(hashes))
    bits = np.unpackbits(pairs.view(np.uint8))
    # 64 bits of n^2 pairs: each is one in half of them.
    shares = bits.reshape(-1, 64).mean(axis=0)
    assert np.abs(shares - 0.5).max() < 5 * 0.5 / np.sqrt(pairs.size)


def test_sparse_rows_are_hashed_by_content():
    dense = rounded(40, 12)
    dense[7] = dense[3]
    given = sparse.csr_array(dense.astype(float))
    explicit = given.copy()
    explicit.data[5] = 0.0
    pruned = explicit.copy()
    pruned.eliminate_zeros()
    hashes = _sparse.row_hashes(given)
    assert hashes[7] == hashes[3]
    assert len(np.unique(hashes)) == len(np.unique(dense, axis=0))
    np.testing.assert_array_equal(_sparse.row_hashes(explicit), _sparse.row_hashes(pruned))


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_graph_of_distinct_rows(on_disk, tmp_path):
    points = rounded(400, 3)
    distinct = np.unique(points, axis=0)
    given = points
    if on_disk:
        given = unknot._io.stored_points.opened(memory_map(points, tmp_path / "x"), 2000)
    graph, first = graph_of_distinct(given, 5)
    assert len(first) == len(distinct) < 400
    np.testing.assert_array_equal(np.unique(points[first], axis=0), distinct)
    np.testing.assert_array_equal(
        graph.distances, unknot.nearest_neighbors(points[first], 5).distances
    )
    assert (graph.distances > 0).all()
    none, rows = graph_of_distinct(np.ones((4, 2), np.float32), 2)
    assert none is None
    assert rows.tolist() == [0]


def test_ties_of_an_incomplete_search_are_in_the_order_of_the_hash(monkeypatch):
    # Few cells are visited, so that many neighbors are found among neighbors' neighbors only.
    monkeypatch.setattr(_approximate, "CELL", 30)
    monkeypatch.setattr(_approximate, "VISITED", 4)
    points = np.unique(rounded(3000, 8), axis=0)
    graph = unknot.nearest_neighbors(points, 12, exact=False)
    assert 0.4 < graph.recall < 0.9
    squares = ((points[graph.indices].astype(float) - points[:, None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(graph.distances**2, squares, rtol=1e-6)
    hashes = row_hashes(points, 1)
    pairs = pair_hashes(hashes[:, None], hashes[graph.indices])
    tied = graph.distances[:, 1:] == graph.distances[:, :-1]
    assert tied.mean() > 0.2
    assert (pairs[:, 1:] > pairs[:, :-1])[tied].all()
