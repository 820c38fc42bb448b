import sys

import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from unknot._extras import MissingExtraError
from unknot.metrics import MeasureWarning, UndefinedMeasureError, class_topology


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def ring(n):
    angle = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_a_square_by_hand():
    # Sides of 1, diagonals of sqrt 2: the loop lives from 1 to sqrt 2. Of six pairs four have a
    # squared distance of 1 and two of 2: the unit is sqrt(8/6).
    found = class_topology([[0, 0], [0, 1], [1, 1], [1, 0]], [7, 7, 7, 7])
    unit = np.sqrt(8 / 6)
    np.testing.assert_allclose(found.components[0] * unit, [1, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(found.loops[0] * unit, [[1, np.sqrt(2)]], rtol=1e-6)
    assert found.value == pytest.approx((np.sqrt(2) - 1) / unit, rel=1e-6)
    assert found.total_merging[0] == pytest.approx(3 / unit, rel=1e-6)
    assert found.last_merging[0] == pytest.approx(1 / unit, rel=1e-6)
    assert [found.betti(s / unit).tolist() for s in (0.5, 1.2, 1.5)] == [
        [[4, 0]],
        [[1, 1]],
        [[1, 0]],
    ]


def test_components_merge_along_the_spanning_tree(rng):
    labels = np.repeat([0, 1], [40, 60])
    points = rng.normal(size=(100, 4))
    found = class_topology(points, labels)
    for c in range(2):
        own = points[labels == c]
        unit = np.sqrt(np.mean(pdist(own) ** 2))
        lengths = np.sort(minimum_spanning_tree(squareform(pdist(own))).data)
        np.testing.assert_allclose(found.components[c] * unit, lengths, rtol=1e-5)
        assert found.last_merging[c] == pytest.approx(lengths[-1] / unit, rel=1e-5)


def test_a_ring_has_one_loop_until_its_triangle_is_filled():
    # The loop of n = 3m points on a circle of radius 1 dies at the side sqrt 3 of a triangle; the
    # unit is the root mean square distance, sqrt(2 n/(n - 1)).
    found = class_topology(ring(60), np.zeros(60, int))
    unit = np.sqrt(2 * 60 / 59)
    assert len(found.loops[0]) == 1
    np.testing.assert_allclose(
        found.loops[0][0] * unit, [2 * np.sin(np.pi / 60), np.sqrt(3)], rtol=1e-5
    )


def test_two_rings_are_two_components_and_two_loops(rng):
    eight = np.concatenate([ring(40), ring(40) + np.array([5, 0])])
    blob = rng.normal(size=(80, 2)) * 0.1 + 20
    found = class_topology(np.concatenate([eight, blob]), np.repeat(["rings", "blob"], 80))
    assert found.betti(0.2)[1].tolist() == [2, 2]
    longest = [np.ptp(loops, axis=1).max() for loops in found.loops]
    assert longest[1] > 3 * longest[0]


def test_it_ignores_position_unit_order_and_names(rng):
    labels = np.arange(90) % 2
    points = rng.normal(size=(90, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    order = rng.permutation(90)
    found = class_topology(points, labels)
    moved = class_topology(((points @ turn) * 30 + 100)[order], np.array(["p", "q"])[labels[order]])
    np.testing.assert_allclose(moved.per_class, found.per_class, rtol=1e-3)
    np.testing.assert_allclose(moved.total_merging, found.total_merging, rtol=1e-4)


def test_duplicates_merge_at_once():
    found = class_topology(np.repeat(ring(12), 2, axis=0), np.zeros(24, int))
    assert (found.components[0] == 0).sum() == 12
    assert found.betti(0.6).tolist() == [[1, 1]]


def test_classes_at_one_place_are_left_out_and_named():
    points = np.concatenate([ring(6), np.ones((3, 2)), [[5.0, 5.0]]])
    labels = np.repeat(["o", "p", "q"], [6, 3, 1])
    with pytest.warns(MeasureWarning, match="2 of 3 classes have no two different points.*: p, q"):
        found = class_topology(points, labels)
    assert np.isnan(found.per_class[1:]).all()
    assert found.betti(0.1)[1].tolist() == [0, 0]
    with pytest.raises(UndefinedMeasureError, match="no class has two different ones"):
        class_topology(np.ones((4, 2)), [0, 0, 1, 1])


def test_two_points_merge_at_their_distance():
    found = class_topology([[0.0], [3.0]], [0, 0])
    assert (found.value, found.last_merging[0]) == (0.0, pytest.approx(1.0))


def test_samples_of_points_and_classes_are_said(rng):
    with pytest.warns(MeasureWarning, match="of 1 of 2 classes is that of 20 of their points"):
        found = class_topology(
            rng.normal(size=(40, 2)), np.repeat([0, 1], [30, 10]), max_samples_per_class=20
        )
    assert len(found.components[0]) == 19
    with pytest.warns(MeasureWarning, match="that of 4 of 8 classes, drawn at random"):
        found = class_topology(rng.normal(size=(80, 2)), np.arange(80) % 8, max_classes=4)
    assert np.isnan(found.per_class).sum() == 4


def test_a_missing_library_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None)
    with pytest.raises(MissingExtraError, match=r'needs ripser.*pip install "unknot\[topology\]"'):
        class_topology(ring(5), np.zeros(5, int))
    assert "unknot.metrics.topology" in sys.modules


def test_a_bad_scale_is_named():
    with pytest.raises(ValueError, match="scale must be a number of at least 0; got -1"):
        class_topology(ring(5), np.zeros(5, int)).betti(-1.0)
