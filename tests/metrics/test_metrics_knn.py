import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_oracles import brute_graph
from sklearn.neighbors import KNeighborsClassifier

from unknot import measure
from unknot.metrics import MeasureWarning, knn_accuracy, neighborhood_hit
from unknot.metrics.knn import knn_accuracy_from_graph, vote_influence


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def slow_accuracy(indices, labels):
    """Each point's share of the most frequent labels of its neighbors, one point at a time."""
    scores = []
    for own, neighbors in zip(labels, indices, strict=True):
        votes = [int((labels[neighbors] == c).sum()) for c in np.unique(labels)]
        winners = [c for c, n in zip(np.unique(labels), votes, strict=True) if n == max(votes)]
        scores.append(1 / len(winners) if own in winners else 0.0)
    return np.array(scores)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 60), k=st.integers(1, 9))
def test_it_is_the_count_of_votes(seed, n, k):
    rng = np.random.default_rng(seed)
    k = min(k, n - 1)
    points = rng.normal(size=(n, 3)).astype(np.float32)
    codes = rng.permutation(np.arange(n) % 3)
    graph = brute_graph(points, k)
    found = knn_accuracy_from_graph(graph, k, codes, np.arange(3))
    np.testing.assert_allclose(found.per_point, slow_accuracy(graph.indices, codes), rtol=1e-6)


@pytest.mark.parametrize("k", [1, 5, 6])
def test_it_is_scikit_learns_classifier_trained_without_each_point(rng, k):
    labels = rng.integers(0, 3, size=120)
    points = rng.normal(size=(120, 4)) + np.eye(3, 4)[labels]
    expected = np.empty(120)
    for i in range(120):
        rest = np.arange(120) != i
        model = KNeighborsClassifier(k, algorithm="brute").fit(points[rest], labels[rest])
        chances = model.predict_proba(points[i : i + 1])[0]
        best = np.flatnonzero(chances == chances.max())
        expected[i] = (labels[i] in best) / len(best)
    found = knn_accuracy(points, labels, k)
    np.testing.assert_allclose(found.per_point, expected, rtol=1e-6)
    assert found.value == pytest.approx(expected.mean())
    assert found.per_class[1] == pytest.approx(expected[labels == 1].mean())


@pytest.mark.parametrize(("k", "width"), [(1, 3), (4, 8), (5, 5), (8, 20)])
def test_influence_of_votes_is_what_replacing_each_changes(rng, k, width):
    n = 80
    labels = rng.integers(0, 3, size=n)
    neighbors = brute_graph(rng.normal(size=(n, 3)) + np.eye(3)[labels], width).indices
    scores = slow_accuracy(neighbors[:, :k], labels)
    influence, variance = vote_influence(neighbors, labels, k, scores)
    others = range(k, min(width, k + 6))
    through, squares = np.zeros(n), 0.0
    for i in range(n):
        for place in range(k):
            changes = []
            for other in others:
                row = neighbors[i, :k].copy()
                row[place] = neighbors[i, other]
                counts = np.bincount(labels[row], minlength=3)
                own = (counts[labels[i]] == counts.max()) / (counts == counts.max()).sum()
                changes.append(scores[i] - own)
            change = np.mean(changes) / n if changes else 0.0
            through[neighbors[i, place]] += change
            squares += change**2
    expected = (scores - scores.mean()) / n + through - through.mean()
    np.testing.assert_allclose(influence, expected, atol=1e-12)
    both = np.square(expected).sum() * n / (n - 1)
    assert variance == pytest.approx(max(both - squares, both / 2))


def test_the_accuracy_has_an_influence_and_at_its_ceiling_wilsons_interval():
    rng = np.random.default_rng(3)
    labels = np.arange(300) % 3
    points = rng.normal(size=(300, 4)) + 1.5 * np.eye(3, 4)[labels]
    score = measure(points, labels, measures="knn_accuracy")["knn_accuracy"]
    assert score.influence.shape == (300,)
    assert score.influence.sum() == pytest.approx(0.0, abs=1e-12)
    assert not any("near the end" in note for note in score.notes)
    score = measure(points + 9 * np.eye(3, 4)[labels], labels, measures="knn_accuracy")
    score = score["knn_accuracy"]
    assert score.value == 1.0
    assert score.interval == pytest.approx((300 / (300 + 1.96**2), 1.0), abs=1e-3)


def test_ties_by_hand():
    # The neighbors of 0 are 1 and 2 (a, b): a share of one half. Those of 1 and 2 are likewise one
    # of each class; 3 is nearest to 2 and 1, one of each.
    found = knn_accuracy([[0.0], [1.0], [2.1], [3.3]], ["a", "a", "b", "b"], k=2)
    np.testing.assert_allclose(found.per_point, [0.5, 0.5, 0.5, 0.5])


def test_it_does_not_depend_on_order_names_or_position(rng):
    labels = rng.integers(0, 4, size=200)
    points = rng.normal(size=(200, 5)) + np.eye(4, 5)[labels]
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    order = rng.permutation(200)
    found = knn_accuracy(points, labels, 6)
    names = np.array(["z", "c", "m", "a"])
    moved = knn_accuracy(((points @ turn) * 9 + 50)[order], names[labels[order]], 6)
    np.testing.assert_array_equal(moved.per_point, found.per_point[order])


def test_with_one_neighbor_it_is_the_neighborhood_hit(rng):
    points, labels = rng.normal(size=(90, 3)), np.arange(90) % 3
    one, other = knn_accuracy(points, labels, 1), neighborhood_hit(points, labels, 1)
    np.testing.assert_array_equal(one.per_point, other.per_point)


def test_shuffled_labels_score_by_chance(rng):
    # A standard deviation of sqrt(.1 * .9 / 2000) = .007.
    labels = rng.permutation(np.arange(2000) % 10)
    assert knn_accuracy(rng.normal(size=(2000, 4)), labels, 5).value == pytest.approx(0.1, abs=0.03)


def test_many_votes_are_counted_in_blocks(rng, monkeypatch):
    points, labels = rng.normal(size=(100, 3)), np.arange(100) % 4
    whole = knn_accuracy(points, labels, 7)
    monkeypatch.setattr("unknot.metrics.knn.BLOCK_VOTES", 50)
    np.testing.assert_array_equal(knn_accuracy(points, labels, 7).per_point, whole.per_point)


def test_a_class_of_one_point_is_never_right():
    with pytest.warns(MeasureWarning, match="1 of 2 classes have one point.*: 7"):
        found = knn_accuracy([[0.0], [1.0], [2.1], [3.4]], [0, 0, 0, 7], k=1)
    np.testing.assert_array_equal(found.per_class, [1.0, 0.0])


def test_one_class_is_said():
    with pytest.warns(MeasureWarning, match="only one class"):
        assert knn_accuracy([[0.0], [1.0], [2.0]], [3, 3, 3], k=2).value == 1.0


def test_points_as_far_as_the_kth_share_the_votes_that_are_left():
    # Each of the four at 0 has three neighbors at once for two votes: a point of class a has one a
    # and two b, so b wins; for the one at 1 all four share two votes equally: half of it.
    points, labels = [[0.0]] * 4 + [[1.0]], list("aabba")
    with pytest.warns(MeasureWarning, match="5 of 5 points have more neighbors.*than k = 2 counts"):
        found = knn_accuracy(points, labels, k=2)
    np.testing.assert_allclose(found.per_point, [0, 0, 0, 0, 0.5])


def test_of_rounded_data_it_does_not_depend_on_the_order(rng):
    labels = rng.integers(0, 3, size=400)
    points = np.round(rng.normal(size=(400, 3)) + np.eye(3)[labels])
    order = np.argsort(labels, kind="stable")
    with pytest.warns(MeasureWarning, match="share the votes that are left"):
        found = knn_accuracy(points, labels, 4)
    for each in (order, order[::-1]):
        with pytest.warns(MeasureWarning, match="share the votes that are left"):
            moved = knn_accuracy(points[each], labels[each], 4)
        np.testing.assert_array_equal(moved.per_point, found.per_point[each])


@pytest.mark.parametrize("k", [0, 4])
def test_k_out_of_range_is_named(k):
    with pytest.raises(ValueError, match="k must be an integer from 1 to n_samples - 1 = 3; got"):
        knn_accuracy(np.eye(4), [0, 0, 1, 1], k)


def test_the_cosine_ignores_length(rng):
    points, labels = rng.normal(size=(80, 4)), np.arange(80) % 2
    scaled = points * rng.uniform(0.1, 10, size=(80, 1))
    np.testing.assert_array_equal(
        knn_accuracy(points, labels, metric="cosine").per_point,
        knn_accuracy(scaled, labels, metric="cosine").per_point,
    )
