import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_oracles import brute_graph, slow_hit

from unknot.metrics import MeasureWarning, neighborhood_hit


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_worked_example():
    # On a line at 0, 1, 3, 6 and 10, nearest two of each: {1,3}, {0,3}, {1,0}, {3,1}, {6,3}
    # (from 6: 3 at 3, 10 at 4, 1 at 5, so {3, 10}). Labels a a b b b, hits of two:
    # 0: {1 a, 3 b} 1/2; 1: {0 a, 3 b} 1/2; 3: {1 a, 0 a} 0; 6: {3 b, 10 b} 1; 10: {6 b, 3 b} 1.
    # Mean 3/5; class a 1/2, class b 2/3.
    points = np.array([[0.0], [1.0], [3.0], [6.0], [10.0]])
    with pytest.warns(MeasureWarning, match="1 of 2 classes have no more than k = 2 points"):
        hit = neighborhood_hit(points, list("aabbb"), k=2, graph=brute_graph(points, 2))
    assert hit.value == pytest.approx(3 / 5, abs=1e-15)
    assert float(hit) == hit.value
    np.testing.assert_allclose(hit.per_class, [1 / 2, 2 / 3], rtol=1e-15)
    np.testing.assert_array_equal(hit.per_point, np.float32([0.5, 0.5, 0, 1, 1]))
    assert hit.classes.tolist() == ["a", "b"]
    assert hit.k == 2


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 8), classes=st.integers(1, 6))
def test_it_is_the_double_loop(seed, k, classes):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 4, size=(30, 2))  # many duplicates and ties
    labels = rng.integers(0, classes, size=30)
    graph = brute_graph(points, k)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MeasureWarning)
        hit = neighborhood_hit(points, labels, k=k, graph=graph)
    slow = slow_hit(graph.indices, labels)
    assert hit.value == pytest.approx(slow.mean(), abs=1e-12)
    np.testing.assert_allclose(hit.per_point, slow, atol=1e-7)
    for c, value in enumerate(hit.classes):
        assert hit.per_class[c] == pytest.approx(slow[labels == value].mean(), abs=1e-12)


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
    graph = brute_graph(np.eye(20), 2)
    hit = neighborhood_hit(np.eye(20), np.arange(20) % 2, k=2, graph=graph)
    assert "per_point=<float32 (20,)>" in repr(hit)
    assert len(repr(hit)) < 200
