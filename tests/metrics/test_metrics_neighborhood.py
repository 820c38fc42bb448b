import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_oracles import brute_graph

import unknot
from unknot._io.stored_points import opened
from unknot.metrics import MeasureWarning, neighbor_confusion, neighborhood_hit
from unknot.metrics._shared import ties
from unknot.metrics.neighborhood import hit_from_graph
from unknot.neighbors import NeighborGraph


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_worked_example():
    # On a line at 0, 1, 3, 6 and 10, nearest two of each: {1,3}, {0,3}, {1,0}, {3,1}, {6,3}
    # (from 6: 3 at 3, 10 at 4, 1 at 5, so {3, 10}). Labels a a b b b, hits of two:
    # 0: {1 a, 3 b} 1/2; 1: {0 a, 3 b} 1/2; 3: {1 a, 0 a} 0; 6: {3 b, 10 b} 1; 10: {6 b, 3 b} 1.
    # Mean 3/5; class a 1/2, class b 2/3. The first point is at .1, so that 3 has no tie.
    points = np.array([[0.1], [1.0], [3.0], [6.0], [10.0]])
    with pytest.warns(MeasureWarning, match="1 of 2 classes have no more than k = 2 points"):
        hit = neighborhood_hit(points, list("aabbb"), k=2, graph=brute_graph(points, 2))
    assert hit.value == pytest.approx(3 / 5, abs=1e-15)
    assert float(hit) == hit.value
    np.testing.assert_allclose(hit.per_class, [1 / 2, 2 / 3], rtol=1e-15)
    np.testing.assert_array_equal(hit.per_point, np.float32([0.5, 0.5, 0, 1, 1]))
    assert hit.classes.tolist() == ["a", "b"]
    assert hit.k == 2


def slow_expected(points, labels, k, classes):
    """The mean number of neighbors of each class over all choices of k nearest, by all of them."""
    n = len(points)
    squares = ((points[:, None].astype(float) - points) ** 2).sum(axis=2)
    expected = np.zeros((n, len(classes)))
    for i in range(n):
        others = [j for j in range(n) if j != i]
        kth = sorted(squares[i, others])[k - 1]
        near = [j for j in others if squares[i, j] < kth]
        at = [j for j in others if squares[i, j] == kth]
        choices = list(itertools.combinations(at, k - len(near)))
        for chosen in choices:
            for j in (*near, *chosen):
                expected[i, list(classes).index(labels[j])] += 1 / len(choices)
    return expected


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 6),
    classes=st.integers(2, 5),
    columns=st.integers(0, 12),
)
def test_it_is_the_mean_over_all_choices_among_ties(seed, k, classes, columns):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 5, size=(24, 2))  # many duplicates and ties
    labels = rng.integers(0, classes, size=24)
    graph = brute_graph(points, k + columns) if columns else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MeasureWarning)
        hit = neighborhood_hit(points, labels, k=k, graph=graph)
        confusion = neighbor_confusion(points, labels, k=k, graph=graph)
    expected = slow_expected(points, labels, k, hit.classes)
    own = np.searchsorted(hit.classes, labels)
    slow = expected[np.arange(24), own] / k
    assert hit.value == pytest.approx(slow.mean(), abs=1e-12)
    np.testing.assert_allclose(hit.per_point, slow, atol=1e-7)
    np.testing.assert_allclose(confusion.per_point, 1 - slow, atol=1e-7)
    for c, value in enumerate(hit.classes):
        assert hit.per_class[c] == pytest.approx(slow[labels == value].mean(), abs=1e-12)
        np.testing.assert_allclose(
            confusion.per_pair[c], expected[labels == value].mean(axis=0) / k, atol=1e-12
        )
    assert confusion.value == pytest.approx(1 - slow.mean(), abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    features=st.sampled_from([2, 9]),
    metric=st.sampled_from(["euclidean", "cosine"]),
)
def test_the_order_of_rows_does_not_matter(seed, features, metric):
    rng = np.random.default_rng(seed)
    points = np.round(2 * rng.normal(size=(150, features))) / 2
    labels = (points[:, 0] > 0).astype(int) + rng.integers(0, 2, size=150)
    orders = [np.arange(150), np.argsort(labels), np.argsort(-labels), rng.permutation(150)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MeasureWarning)
        hits = [neighborhood_hit(points[o], labels[o], metric=metric) for o in orders]
    for order, hit in zip(orders[1:], hits[1:], strict=True):
        assert hit.value == pytest.approx(hits[0].value, abs=1e-9)
        np.testing.assert_allclose(hit.per_class, hits[0].per_class, atol=1e-9)
        np.testing.assert_array_equal(hit.per_point, hits[0].per_point[order])


def coarse_images(n):
    """MNIST in 4 x 4 pixels of 7 levels."""
    from importlib.resources import files

    with np.load(files("unknot") / "datasets" / "data" / "mnist.npz") as archive:
        images, labels = archive["x_train"][:n] / 255.0, archive["y_train"][:n]
    pixels = images.reshape(n, 4, 7, 4, 7).mean(axis=(2, 4)).reshape(n, 16)
    return np.round(6 * pixels).astype(np.float32), labels


def test_rounded_images_score_the_same_in_any_order(tmp_path):
    points, labels = coarse_images(5000)
    # By all distances in float64, exact for integers.
    norms = np.square(points.astype(float)).sum(axis=1)
    squares = norms[:, None] + norms - 2 * points.astype(float) @ points.T
    np.fill_diagonal(squares, np.inf)
    kth = np.sort(squares, axis=1)[:, 5:6]
    same = labels[:, None] == labels
    near, at = squares < kth, squares == kth
    slow = ((near & same).sum(1) + (6 - near.sum(1)) * (at & same).sum(1) / at.sum(1)) / 6
    tied = int((near.sum(1) + at.sum(1) > 6).sum())
    assert tied > 0.9 * 5000
    stored = np.memmap(tmp_path / "points", np.float32, "w+", shape=points.shape)
    for order in (np.arange(5000), np.argsort(labels, kind="stable"), np.argsort(-labels)):
        stored[:] = points[order]
        for rows in (points[order], opened(stored, 100_000)):
            with pytest.warns(MeasureWarning, match=f"{tied} of 5000 points have more neighbors"):
                hit = neighborhood_hit(rows, labels[order])
            assert hit.value == pytest.approx(slow.mean(), abs=1e-9)
            nines = slow[labels == 9].mean()
            assert hit.per_class[9] == pytest.approx(nines, abs=1e-9)


def test_ties_of_large_graphs_are_compared_in_part(monkeypatch):
    points, labels = coarse_images(1500)
    with pytest.warns(MeasureWarning, match="mean over all choices of them$"):
        whole = neighborhood_hit(points, labels)
    # As many flops as 300 rows take: 1500 points of 16 features and 8 more.
    monkeypatch.setattr(ties, "MAX_FLOPS", 300 * 2 * 1500 * 24)
    values = []
    for order in (np.arange(1500), np.random.default_rng(0).permutation(1500)):
        with pytest.warns(MeasureWarning, match="for 300 of these points, and over the choices"):
            part = neighborhood_hit(points[order], labels[order])
        values.append(part.value)
        exact = part.per_point == whole.per_point[order]
        assert exact.sum() >= 300
    # The rest are single choices of one or two of six neighbors: a standard error of .005.
    np.testing.assert_allclose(values, whole.value, atol=0.015)


def test_a_graph_without_points_gives_the_mean_over_its_neighbors():
    # From 0: -1, 1 and 2, -2 at equal distances in pairs. k = 1 of {a, b} seen: 1/2; of the others
    # the nearest is unique.
    points = np.array([[0.0], [1.0], [-1.0], [1.9], [-2.2]])
    codes = np.array([0, 0, 1, 0, 1])
    graph = unknot.nearest_neighbors(points, 2)
    hit = hit_from_graph(graph, 1, codes, np.array(["a", "b"]))
    np.testing.assert_allclose(hit.per_point, [0.5, 1, 0, 1, 1])


def test_equal_float32_distances_are_no_ties():
    # 1 and sqrt(1 + 1e-8) are equal in float32, but not in float64.
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1e-4], [5.0, 5.0], [9.0, 2.0]])
    graph = unknot.nearest_neighbors(points, 2)
    assert graph.distances[0, 0] == graph.distances[0, 1]
    hit = neighborhood_hit(points, [0, 0, 1, 0, 1], k=1, graph=graph)
    assert hit.per_point[0] == 1.0


def test_ties_with_an_approximate_graph_that_lacks_nearer_points():
    points = np.arange(8.0)[:, None]
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    true = brute_graph(points, 3)
    # The nearest of the first point are missing: the choice of the graph remains.
    indices, distances = true.indices.copy(), true.distances.copy()
    indices[0], distances[0] = [5, 6, 7], [5, 5, 7]
    graph = NeighborGraph(indices, distances, recall=0.9)
    hit = hit_from_graph(graph, 1, labels, np.array([0, 1]), points.astype(np.float32))
    assert hit.per_point[0] == 0.0


def test_shuffled_labels_score_by_chance(rng):
    # Ten equal classes: the chance that a neighbor is of one's class is (n/10 - 1)/(n - 1), and
    # the standard error of a mean over 2000 x 6 neighbors about .003.
    points = rng.normal(size=(2000, 2))
    labels = np.arange(2000) % 10
    graph = brute_graph(points, 6)
    assert neighborhood_hit(points, labels, graph=graph).value == pytest.approx(0.1, abs=0.012)


def test_separate_classes_score_one(rng):
    points = np.concatenate([rng.normal(size=(20, 3)) + 100 * c for c in range(3)])
    labels = np.repeat(["x", "y", "z"], 20)
    hit = neighborhood_hit(points, labels, graph=brute_graph(points, 6))
    assert hit.value == 1.0
    assert hit.notes == ()


def test_a_larger_graph_serves_a_smaller_k(rng):
    points = rng.normal(size=(50, 4))
    labels = np.arange(50) % 3
    large, small = brute_graph(points, 20), brute_graph(points, 5)
    one = neighborhood_hit(points, labels, k=5, graph=large)
    other = neighborhood_hit(points, labels, k=5, graph=small)
    np.testing.assert_array_equal(one.per_point, other.per_point)


@pytest.mark.parametrize("k", [0, 10, -1, True])
def test_k_out_of_range_is_named(k):
    with pytest.raises(ValueError, match=r"k must be an integer from 1 to n_samples - 1 = 9"):
        neighborhood_hit(np.eye(10), np.arange(10) % 2, k=k)


def test_a_graph_of_other_points_is_refused():
    graph = brute_graph(np.eye(5), 2)
    with pytest.raises(ValueError, match="graph must have these 10 points; it has 5"):
        neighborhood_hit(np.eye(10), np.arange(10) % 2, k=2, graph=graph)


def test_a_graph_with_too_few_neighbors_is_refused():
    graph = brute_graph(np.eye(10), 2)
    with pytest.raises(ValueError, match=r"holds 2. Compute it with nearest_neighbors\(points, 3"):
        neighborhood_hit(np.eye(10), np.arange(10) % 2, k=3, graph=graph)


def test_one_class_is_said():
    graph = brute_graph(np.eye(10), 2)
    with pytest.warns(MeasureWarning, match="there is only one class"):
        hit = neighborhood_hit(np.eye(10), np.zeros(10, int), k=2, graph=graph)
    assert hit.value == 1.0


def test_its_repr_is_short():
    points = np.random.default_rng(0).normal(size=(20, 2))
    hit = neighborhood_hit(points, np.arange(20) % 2, k=2)
    assert "per_point=<float32 (20,)>" in repr(hit)
    assert len(repr(hit)) < 200


def test_a_row_of_zeros_is_as_far_from_all_by_the_cosine(tmp_path):
    # At a distance of 1 from each of 60 directions, but for their rounding: a third of its own.
    rng = np.random.default_rng(0)
    points = np.concatenate([np.zeros((1, 5)), rng.normal(size=(60, 5))]).astype(np.float32)
    labels = np.append(0, np.arange(60) % 3)
    stored = np.memmap(tmp_path / "points", np.float32, "w+", shape=points.shape)
    stored[:] = points
    for rows in (points, opened(stored, 500)):
        hit = neighborhood_hit(rows, labels, metric="cosine")
        assert hit.per_point[0] == pytest.approx(1 / 3, abs=1e-7)
    graph = unknot.nearest_neighbors(points, 60, "cosine")
    seen = hit_from_graph(graph, 6, labels, np.arange(3))
    assert seen.per_point[0] == pytest.approx(1 / 3, abs=1e-7)
