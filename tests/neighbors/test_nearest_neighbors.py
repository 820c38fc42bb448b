import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from neighbors_oracles import brute
from scipy import sparse

import unknot
from unknot.neighbors import _axes, _exact, _search, _sparse


def check_exact(points, k, metric="euclidean", **options):
    graph = unknot.nearest_neighbors(points, k, metric, **options)
    indices, distances = brute(points, k, metric)
    np.testing.assert_allclose(graph.distances, distances, rtol=3e-7, atol=1e-12)
    np.testing.assert_array_equal(graph.indices, indices)
    assert graph.recall == 1.0
    assert graph.metric == metric
    return graph


def test_three_points_on_a_line():
    # 0 --1-- 1 --2-- 3: from the middle point, 1 and 2 away; from the ends, 1 and 3, 2 and 3.
    graph = unknot.nearest_neighbors(np.array([[0.0], [1.0], [3.0]]), 2)
    assert graph.indices.tolist() == [[1, 2], [0, 2], [1, 0]]
    assert graph.distances.tolist() == [[1.0, 3.0], [1.0, 2.0], [2.0, 3.0]]
    assert (graph.n_samples, graph.n_neighbors) == (3, 2)


@pytest.mark.parametrize("n_features", [1, 2, 6, 7, 40, 111, 300, 500])
@pytest.mark.parametrize("n", [2, 30, 513, 2100])
def test_equals_brute_force(n, n_features):
    points = np.random.default_rng(n + n_features).normal(size=(n, n_features)).astype(np.float32)
    check_exact(points, min(n - 1, 20))


def test_rotated_and_refined_search_equals_brute_force():
    # Enough points for principal axes, clusters far apart, few leading directions.
    rng = np.random.default_rng(0)
    spread = 0.9 ** np.arange(330)
    points = rng.normal(size=(1700, 330)) * spread + 50 * rng.integers(0, 3, size=(1700, 1))
    points = points.astype(np.float32)
    with _exact.ThreadTeam(1) as team:
        axes = _axes.Axes.principal(points, team)
        coordinates = axes.coordinates(points, team)
    assert axes.basis is not None
    assert coordinates.n_axes == _axes.REFINING
    np.testing.assert_allclose(axes.basis.T @ axes.basis, np.eye(axes.basis.shape[1]), atol=1e-5)
    check_exact(points, 30)


def test_coordinates_bound_distances_from_below():
    rng = np.random.default_rng(1)
    points = (rng.normal(size=(1500, 340)) * 0.95 ** np.arange(340)).astype(np.float32)
    with _exact.ThreadTeam(2) as team:
        axes = _axes.Axes.principal(points, team)
        c = axes.coordinates(points, team)
    true = np.linalg.norm(points[:500].astype(np.float64) - points[500:1000], axis=1) * axes.scale
    slack = c.errors[:500] + c.errors[500:1000]
    first = np.linalg.norm(c.lead[:500] - c.lead[500:1000], axis=1)
    more = (c.refine[:500, :-2] - c.refine[500:1000, :-2]) ** 2
    left = (c.refine[:500, -2] - c.refine[500:1000, -2]) ** 2
    rest = (c.refine[:500, -1] - c.refine[500:1000, -1]) ** 2
    second = np.sqrt(np.maximum(first**2 - left + more.sum(axis=1) + rest, 0))
    assert np.all(first <= true + slack)
    assert np.all(second <= true + slack)
    assert np.mean(second / true) > np.mean(first / true) > 0.5


def test_many_features_take_axes_from_the_gram_matrix():
    rng = np.random.default_rng(2)
    points = (rng.normal(size=(4600, 1100)) * 0.99 ** np.arange(1100)).astype(np.float32)
    graph = unknot.nearest_neighbors(points, 5)
    some = points[::230]
    distances = np.stack([np.linalg.norm(points.astype(np.float64) - p, axis=1) for p in some])
    distances[np.arange(len(some)), np.arange(0, 4600, 230)] = np.inf
    np.testing.assert_array_equal(graph.indices[::230], np.argsort(distances, axis=1)[:, :5])


@pytest.mark.parametrize("n_features", [1, 2, 3, 8, 20])
def test_ties_are_broken_by_the_hash_of_the_pair(n_features):
    rng = np.random.default_rng(n_features)
    points = rng.integers(0, 3, size=(700, n_features))
    check_exact(points, 25)


def test_a_grid_of_equal_distances():
    points = np.stack(np.meshgrid(np.arange(30), np.arange(30)), axis=-1).reshape(-1, 2)
    check_exact(points, 6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_duplicates_and_zero_rows(metric):
    rng = np.random.default_rng(3)
    points = np.maximum(rng.normal(size=(300, 12)) - 1.0, 0).astype(np.float32)
    points[50:90] = 0
    points[100:140] = points[100]
    graph = unknot.nearest_neighbors(points, 60, metric)
    indices, distances = brute(points, 60, metric)
    np.testing.assert_allclose(graph.distances, distances, rtol=3e-7, atol=3e-7)
    if metric == "euclidean":
        np.testing.assert_array_equal(graph.indices, indices)
    zeros = np.flatnonzero((points == 0).all(axis=1))
    row = graph.indices[zeros[3]]
    # Its copies come first.
    n_copies = min(60, len(zeros) - 1)
    assert set(row[:n_copies].tolist()) <= set(np.delete(zeros, 3).tolist())
    assert len(set(row[:n_copies].tolist())) == n_copies


def test_all_points_equal():
    # Three places on, of five.
    graph = unknot.nearest_neighbors(np.full((5, 3), 7.0), 3)
    assert graph.indices.tolist() == [[3, 1, 4], [4, 2, 0], [0, 3, 1], [1, 4, 2], [2, 0, 3]]
    assert not graph.distances.any()


@pytest.mark.parametrize("n_features", [3, 20, 400])
def test_cosine_equals_brute_force(n_features):
    points = np.random.default_rng(4).normal(size=(1650, n_features)).astype(np.float32)
    graph = unknot.nearest_neighbors(points, 15, "cosine")
    indices, distances = brute(points, 15, "cosine")
    np.testing.assert_allclose(graph.distances, distances, rtol=2e-6, atol=3e-8)
    assert np.mean(graph.indices == indices) > 0.9999
    scaled = points * np.random.default_rng(5).uniform(0.5, 2.0, size=(1650, 1)).astype(np.float32)
    again = unknot.nearest_neighbors(scaled, 15, "cosine")
    np.testing.assert_allclose(again.distances, graph.distances, rtol=1e-5, atol=3e-8)


def test_cosine_of_opposite_and_zero_rows():
    points = np.array([[1.0, 0.0], [-2.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 3.0]])
    graph = unknot.nearest_neighbors(points, 4, "cosine")
    # From (1, 0): the zero rows and the right angle at 1, the opposite direction at 2.
    assert sorted(graph.indices[0, :3]) == [2, 3, 4]
    assert graph.indices[0, 3] == 1
    np.testing.assert_allclose(graph.distances[0], [1, 1, 1, 2], rtol=1e-6)
    assert graph.distances[2].tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("n_features", [5, 40])
@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.int16),
        lambda x: x.astype(np.int64) + 2**40,
        lambda x: (x > 0).astype(np.uint8) * np.arange(1, x.shape[1] + 1, dtype=np.uint8),
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: x[::-1],
        lambda x: x.tolist(),
        lambda x: x.astype(np.float64) * 1e-3 + 1e9,
        lambda x: x * np.float32(2.0**-140),
        lambda x: x * np.float32(2.0**120),
        lambda x: sparse.csr_matrix(x),
        lambda x: sparse.coo_array(x),
    ],
)
def test_any_real_input(convert, n_features):
    points = np.random.default_rng(6).integers(-9, 9, size=(600, n_features)).astype(np.float32)
    converted = convert(points)
    dense = converted.toarray() if sparse.issparse(converted) else np.asarray(converted)
    graph = unknot.nearest_neighbors(converted, 10)
    indices, distances = brute(dense.astype(np.float64) - dense[0], 10, given=converted)
    np.testing.assert_allclose(graph.distances, distances, rtol=1e-6, atol=2e-45)
    assert np.mean(graph.indices == indices) > (0.99 if dense.dtype == np.float64 else 0.999999)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_sparse_too_large_to_be_dense(metric, monkeypatch):
    points = sparse.random_array((400, 50), density=0.2, rng=np.random.default_rng(7))
    dense = unknot.nearest_neighbors(points.toarray(), 12, metric)
    monkeypatch.setattr(_search, "DENSE_BYTES", 1000)
    monkeypatch.setattr(_sparse, "MAX_DISTANCES", 3000)
    graph = unknot.nearest_neighbors(points, 12, metric, n_jobs=2)
    np.testing.assert_allclose(graph.distances, dense.distances, rtol=1e-5, atol=1e-6)
    assert np.mean(graph.indices == dense.indices) > 0.99
    with pytest.raises(ValueError, match=r"points must be finite"):
        unknot.nearest_neighbors(points * np.inf, 12, metric)


def test_queries_that_are_not_points():
    rng = np.random.default_rng(8)
    for n_features in (2, 30):
        points = rng.normal(size=(900, n_features)).astype(np.float32)
        queries = np.concatenate([rng.normal(size=(600, n_features)), points[:3]]).astype(
            np.float32
        )
        indices, distances = _search.neighbors_among(queries, points, 7, "euclidean", 2)
        true = np.sqrt(((queries[:, None].astype(np.float64) - points) ** 2).sum(axis=-1))
        np.testing.assert_array_equal(indices, np.argsort(true, axis=1, kind="stable")[:, :7])
        np.testing.assert_allclose(distances, np.sort(true, axis=1)[:, :7], rtol=1e-6, atol=1e-9)
        assert indices[600:, 0].tolist() == [0, 1, 2]


small = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(3, 40), st.integers(1, 10)).flatmap(
        lambda shape: arrays(np.float32, shape, elements=small)
    ),
    st.data(),
)
def test_property_equals_brute_force(points, data):
    check_exact(points, data.draw(st.integers(1, len(points) - 1)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 30]))
def test_property_permutation_scale_and_translation(seed, n_features):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(200, n_features)).astype(np.float32)
    graph = unknot.nearest_neighbors(points, 5)
    order = rng.permutation(200)
    shuffled = unknot.nearest_neighbors(points[order], 5)
    np.testing.assert_array_equal(order[shuffled.indices], graph.indices[order])
    np.testing.assert_array_equal(shuffled.distances, graph.distances[order])
    doubled = unknot.nearest_neighbors(points * 4, 5)
    np.testing.assert_array_equal(doubled.indices, graph.indices)
    np.testing.assert_array_equal(doubled.distances, graph.distances * 4)
    moved = unknot.nearest_neighbors(points.astype(np.float64) + 1000.5, 5)
    np.testing.assert_allclose(moved.distances, graph.distances, rtol=1e-5, atol=1e-6)


def test_any_number_of_threads_gives_the_same_bytes():
    points = np.random.default_rng(9).normal(size=(2500, 330)).astype(np.float32)
    graphs = [unknot.nearest_neighbors(points, 9, n_jobs=n) for n in (1, 2, 4, 16)]
    for graph in graphs[1:]:
        assert graph.indices.tobytes() == graphs[0].indices.tobytes()
        assert graph.distances.tobytes() == graphs[0].distances.tobytes()


def test_mnist_neighbors_are_exact():
    pixels = mnist_pixels()[:20_000]
    graph = unknot.nearest_neighbors(pixels, 90)
    some = np.random.default_rng(10).choice(len(pixels), 60, replace=False)
    for i in some:
        distances = ((pixels.astype(np.float64) - pixels[i].astype(np.float64)) ** 2).sum(axis=1)
        distances[i] = np.inf
        order = np.argsort(distances, kind="stable")[:91]
        np.testing.assert_allclose(graph.distances[i], np.sqrt(distances[order[:90]]), rtol=1e-7)
        # A few are tied.
        untied = distances[order[:90]] < distances[order[1:]]
        untied[1:] &= untied[:-1]
        np.testing.assert_array_equal(graph.indices[i][untied], order[:90][untied])
        assert untied.mean() > 0.9


def mnist_pixels():
    from importlib.resources import files

    with np.load(files("unknot") / "datasets" / "data" / "mnist.npz") as archive:
        return archive["x_train"].reshape(60_000, 784)


MEMORY = """
import re
import numpy as np
import unknot
points = np.random.default_rng(0).normal(size=(60_000, 784)).astype(np.float32)
points *= 0.97 ** np.arange(784, dtype=np.float32)
unknot.nearest_neighbors(points, 90)
# Not getrusage: it would include the parent's memory at the fork.
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_stays_under_one_and_a_half_gigabytes():
    out = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True
    ).stdout
    assert int(out) < 1.5e9


@pytest.mark.parametrize(
    ("points", "k", "options", "error", "message"),
    [
        (
            np.zeros((4, 2)),
            4,
            {},
            ValueError,
            r"n_neighbors must be from 1 to n_samples - 1 = 3; got 4",
        ),
        (
            np.zeros((4, 2)),
            0,
            {},
            ValueError,
            r"n_neighbors must be from 1 to n_samples - 1 = 3; got 0",
        ),
        (np.zeros((1, 2)), 1, {}, ValueError, r"n_neighbors must be from 1 to n_samples - 1 = 0"),
        (np.zeros((4, 2)), True, {}, TypeError, r"n_neighbors must be an integer; got True"),
        (np.zeros(4), 1, {}, ValueError, r"points must have the shape"),
        (np.zeros((4, 0)), 1, {}, ValueError, r"at least one feature"),
        (np.array([[1.0], [np.nan]]), 1, {}, ValueError, r"points must be finite"),
        (np.array([[1.0], [np.inf]]), 1, {}, ValueError, r"points must be finite"),
        (np.array([[1.0], [1e300]]), 1, {}, ValueError, r"points must be finite in float32"),
        (
            np.array([[3e38], [-3e38]], np.float32),
            1,
            {},
            ValueError,
            r"points must not exceed 1.7e\+38 in size",
        ),
        (np.array([["a"], ["b"]]), 1, {}, TypeError, r"points must hold real numbers"),
        (np.array([[1j], [0]]), 1, {}, TypeError, r"points must hold real numbers"),
        (np.zeros((4, 2)), 1, {"metric": "hamming"}, ValueError, r"metric must be one of"),
        (np.zeros((4, 2)), 1, {"n_jobs": 0}, ValueError, r"n_jobs must be"),
    ],
)
def test_bad_input_is_named(points, k, options, error, message):
    with pytest.raises(error, match=message):
        unknot.nearest_neighbors(points, k, **options)


@pytest.mark.parametrize(("rank", "noise", "turned"), [(20, 0.1, True), (20, 2.0, False)])
def test_points_are_turned_only_where_that_excludes_most_pairs(monkeypatch, rank, noise, turned):
    from unknot._parallel.thread_team import ThreadTeam

    rng = np.random.default_rng(0)
    points = rng.normal(size=(5000, rank)) @ rng.normal(size=(rank, 400)) / rank**0.5
    points = (points + noise * rng.normal(size=points.shape)).astype(np.float32)
    with ThreadTeam(2) as team:
        assert (_axes.Axes.principal(points, team).basis is not None) == turned
    found = unknot.nearest_neighbors(points, 5)
    monkeypatch.setattr(_axes, "_pays", lambda *_: not turned)
    other = unknot.nearest_neighbors(points, 5)
    np.testing.assert_array_equal(found.indices, other.indices)
    np.testing.assert_array_equal(found.distances, other.distances)
