from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree as scipy_tree
from scipy.spatial.distance import pdist, squareform

from unknot.metrics import MeasureWarning, UndefinedMeasureError, spanning_tree_edges
from unknot.metrics.spanning_tree import minimum_spanning_tree, permutation_moments


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 60), features=st.integers(1, 5))
def test_the_tree_is_scipys(seed, n, features):
    lengths = squareform(pdist(np.random.default_rng(seed).normal(size=(n, features))))
    edges = minimum_spanning_tree(lengths)
    found = {tuple(sorted(edge)) for edge in edges.tolist()}
    tree = scipy_tree(lengths).tocoo()
    ends = zip(tree.row.tolist(), tree.col.tolist(), strict=True)
    assert found == {tuple(sorted(edge)) for edge in ends}


def test_the_fraction_is_that_of_scipys_tree(rng):
    labels = rng.integers(0, 3, size=200)
    points = rng.normal(size=(200, 4)) + np.eye(3, 4)[labels]
    tree = scipy_tree(squareform(pdist(points))).tocoo()
    between = labels[tree.row] != labels[tree.col]
    found = spanning_tree_edges(points, labels)
    assert found.value == pytest.approx(between.mean())
    ends = np.concatenate([labels[tree.row], labels[tree.col]])
    twice = np.concatenate([between, between])
    assert found.per_class[1] == pytest.approx(twice[ends == 1].mean())
    assert (labels[found.edges[:, 0]] != labels[found.edges[:, 1]]).mean() == found.value


@pytest.mark.parametrize(
    ("edges", "labels"),
    [
        ([[0, 1], [1, 2], [1, 3], [3, 4]], [0, 0, 0, 1, 1]),
        ([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]], [0, 1, 1, 2, 2, 2]),
        ([[0, 1]], [0, 1]),
        ([[0, 1], [1, 2]], [0, 0, 1]),
    ],
)
def test_moments_are_those_of_all_permutations(edges, labels):
    edges = np.array(edges)
    values = [np.mean([order[a] != order[b] for a, b in edges]) for order in permutations(labels)]
    mean, deviation = permutation_moments(edges, np.bincount(labels))
    assert mean == pytest.approx(np.mean(values), rel=1e-12)
    assert deviation == pytest.approx(np.std(values), rel=1e-9, abs=1e-9)


def test_friedman_and_rafskys_formula_for_two_classes(rng):
    # Their equations 13 and 15: E R = 2mn/N + 1 for R = class edges + 1, and the variance given C.
    m, n = 30, 50
    points, labels = rng.normal(size=(80, 3)), np.repeat([0, 1], [m, n])
    found = spanning_tree_edges(points, labels)
    total = m + n
    degrees = np.bincount(found.edges.ravel())
    shared = (degrees * (degrees - 1)).sum() / 2
    variance = (
        2
        * m
        * n
        / (total * (total - 1))
        * (
            (2 * m * n - total) / total
            + (shared - total + 2)
            / ((total - 2) * (total - 3))
            * (total * (total - 1) - 4 * m * n + 2)
        )
    )
    assert found.expected * 79 == pytest.approx(2 * m * n / total)
    assert (found.deviation * 79) ** 2 == pytest.approx(variance, rel=1e-9)


def test_random_labels_have_a_z_of_about_one(rng):
    points = rng.normal(size=(300, 3))
    scores = [spanning_tree_edges(points, rng.permutation(np.arange(300) % 3)).z for _ in range(60)]
    # Mean 0 and deviation 1 by construction: standard errors of .13 and .09.
    assert abs(np.mean(scores)) < 0.5
    assert 0.7 < np.std(scores) < 1.3


def test_separated_classes_have_one_edge_each_to_the_others(rng):
    labels = np.arange(90) % 3
    points = rng.normal(size=(90, 2)) * 0.1 + 50 * np.eye(3, 2)[labels]
    found = spanning_tree_edges(points, labels)
    assert found.value == pytest.approx(2 / 89)
    assert found.z < -8


def test_it_ignores_position_unit_order_and_names(rng):
    labels = rng.integers(0, 3, size=120)
    points = rng.normal(size=(120, 4)) + np.eye(3, 4)[labels]
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    order = rng.permutation(120)
    found = spanning_tree_edges(points, labels)
    names = np.array(["q", "r", "s"])[labels]
    moved = spanning_tree_edges(((points @ turn) * 30 + 100)[order], names[order])
    assert (moved.value, moved.expected) == (found.value, pytest.approx(found.expected))
    np.testing.assert_allclose(moved.per_class, found.per_class)


def test_duplicates_are_joined_by_edges_of_length_zero():
    points = np.repeat([[0.0], [1.0], [5.0]], 4, axis=0)
    found = spanning_tree_edges(points, np.repeat([0, 0, 1], 4))
    assert len(found.edges) == 11
    assert found.value == pytest.approx(1 / 11)
    with pytest.warns(MeasureWarning, match="1 of 3 edges join duplicates of different classes"):
        spanning_tree_edges([[0.0], [0.0], [3.0], [3.0]], [0, 1, 1, 1])
    with pytest.raises(UndefinedMeasureError, match="all points coincide"):
        spanning_tree_edges(np.zeros((6, 2)), [0, 0, 0, 1, 1, 1])


def test_two_points_have_one_edge():
    found = spanning_tree_edges([[0.0], [1.0]], [0, 1])
    assert (found.value, found.expected, found.deviation, found.z) == (1.0, 1.0, 0.0, 0.0)


def test_a_sample_says_so(rng):
    points, labels = rng.normal(size=(500, 3)), np.arange(500) % 2
    with pytest.warns(MeasureWarning, match="that of 100 of 500 points.*it falls with the number"):
        found = spanning_tree_edges(points, labels, max_samples=100)
    assert np.isin(found.edges, found.samples).all()
    assert len(found.edges) == 99


def test_one_class_is_refused(rng):
    with pytest.raises(UndefinedMeasureError, match="needs at least 2 of them"):
        spanning_tree_edges(np.eye(3), [1, 1, 1])
    with pytest.raises(UndefinedMeasureError, match="all 2 points drawn are of class 0"):
        spanning_tree_edges(rng.normal(size=(500, 2)), [1] + [0] * 499, max_samples=2)


def test_the_same_seed_gives_the_same_for_any_number_of_threads(rng):
    points, labels = rng.normal(size=(900, 6)), np.arange(900) % 3
    one, three = (spanning_tree_edges(points, labels, n_jobs=jobs) for jobs in (1, 3))
    np.testing.assert_array_equal(one.edges, three.edges)
