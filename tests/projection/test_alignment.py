"""Alignment of maps, and maps of successive layers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import unknot
from unknot._io.stored_points import StoredPoints
from unknot.projection import LayerMap, align_map, displacement, map_after, map_layers

QUICK = {"perplexity": 10, "max_iter": 300, "random_state": 0}


def drawn(n=40, components=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, components)) * [5, 2, 1][:components]


def rotation(angle, *, mirrored):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn * [1, -1] if mirrored else turn


def distances(points):
    return np.sqrt(np.square(points[:, None] - points[None]).sum(axis=2))


@pytest.mark.parametrize("mirrored", [False, True])
@given(angle=st.floats(0, 7), shift=st.floats(-50, 50))
def test_recovers_rotation_reflection_and_shift(mirrored, angle, shift):
    map_ = drawn()
    moved = map_ @ rotation(angle, mirrored=mirrored) + [shift, -2 * shift]
    aligned = align_map(moved, map_)
    assert aligned.dtype == np.float32
    np.testing.assert_allclose(aligned, map_, atol=2e-5)


def test_no_rotation_on_a_fine_grid_is_better():
    """A slow twin: every angle, mirrored or not, after centering."""
    reference, map_ = drawn(), drawn(seed=1)
    map_[:, 0] += reference[:, 1]
    centered = map_ - map_.mean(axis=0)
    costs = [
        np.square(
            centered @ rotation(angle, mirrored=mirrored) + reference.mean(axis=0) - reference
        )
        for angle in np.linspace(0, 2 * np.pi, 2000)
        for mirrored in (False, True)
    ]
    best = min(cost.sum() for cost in costs)
    found = np.square(align_map(map_, reference) - reference).sum()
    assert found <= best * (1 + 1e-6)
    assert found == pytest.approx(best, rel=1e-4)


@pytest.mark.parametrize("components", [1, 2, 3])
def test_distances_are_kept(components):
    map_ = drawn(components=components)
    aligned = align_map(map_, drawn(components=components, seed=1))
    np.testing.assert_allclose(distances(aligned), distances(map_), atol=1e-5)


def test_scale_is_the_least_squares_factor():
    map_ = drawn()
    np.testing.assert_allclose(align_map(3 * map_ + 7, map_, scale=True), map_, atol=1e-5)
    # The reference is the map with 2 and with -1 times noise-free axes: x + x and y - y give
    # factor (2 |x|^2 + |y|^2) / (|x|^2 + |y|^2), the second axis mirrored.
    centered = map_ - map_.mean(axis=0)
    factors = np.array([2.0, -1.0])
    # Correlated axes would be rotated.
    u, s, _ = np.linalg.svd(centered, full_matrices=False)
    plain = u * s
    aligned = align_map(plain, plain * factors, scale=True)
    weight = (s**2 @ np.abs(factors)) / (s**2).sum()
    np.testing.assert_allclose(aligned, plain * np.sign(factors) * weight, atol=1e-5)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_of_any_size(size):
    map_ = drawn() * size
    turned = map_ @ rotation(1.0, mirrored=True)
    np.testing.assert_allclose(align_map(turned, map_), map_, atol=1e-5 * size)


def test_degenerate_maps_are_aligned():
    reference = drawn()
    point = np.full((40, 2), 3.0)
    np.testing.assert_allclose(
        align_map(point, reference), np.tile(reference.mean(axis=0), (40, 1)), atol=1e-6
    )
    onto_point = align_map(reference, point, scale=True)
    np.testing.assert_allclose(onto_point, reference - reference.mean(axis=0) + 3, atol=1e-5)
    # On a line either side is as good: no reflection.
    line = drawn() * [1, 0]
    aligned = align_map(reference, line).astype(float)
    covariance = (reference - reference.mean(axis=0)).T @ (aligned - aligned.mean(axis=0))
    assert np.linalg.det(covariance) > 0
    np.testing.assert_allclose(align_map(line[:1], line[1:2]), line[1:2], atol=1e-6)


@pytest.mark.parametrize(
    ("map_", "reference", "words"),
    [
        (np.full((4, 2), np.nan), np.zeros((4, 2)), "map_ must be finite.* 8 NaN"),
        (np.zeros((4, 2)), np.full((4, 2), np.inf), "reference must be finite"),
        (np.zeros((4, 2)), np.zeros((5, 2)), r"same samples.*\(4, 2\) and \(5, 2\)"),
        (np.zeros((4, 2)), np.zeros((4, 3)), r"components; got the shapes \(4, 2\) and \(4, 3\)"),
        (np.zeros(4), np.zeros((4, 2)), r"map_ must have the shape"),
    ],
)
def test_bad_maps(map_, reference, words):
    with pytest.raises(ValueError, match=words):
        align_map(map_, reference)


@pytest.fixture(scope="module")
def layers():
    """Digits, and three successive layers that separate the classes."""
    pixels, labels = load_digits(return_X_y=True)
    pixels, labels = pixels[:900] / 16, labels[:900]
    rng = np.random.default_rng(0)
    points = {"inputs": pixels.astype(np.float32)}
    for number in range(1, 4):
        means = np.stack([pixels[labels == c].mean(axis=0) for c in range(10)])[labels]
        mixed = (pixels + 0.25 * number * means) @ rng.normal(size=(64, 80))
        points[f"layer {number}"] = np.maximum(mixed, 0).astype(np.float32)
    return points, {name: unknot.nearest_neighbors(each, 60) for name, each in points.items()}


SETTINGS = {"perplexity": 20, "random_state": 0, "n_jobs": 2}


@pytest.fixture(scope="module")
def maps(layers):
    points, graphs = layers
    return dict(map_layers(graphs, points=points, coherence=0, **SETTINGS))


def test_divergence_is_within_two_percent_of_an_independent_run(layers, maps):
    points, graphs = layers
    moved, apart = [], []
    alone = {}
    for name, each in points.items():
        tsne = unknot.TSNE(**SETTINGS).fit(each, graph=graphs[name])
        assert maps[name].kl_divergence <= 1.02 * tsne.kl_divergence_, name
        alone[name] = tsne.embedding_
    for before, after in pairwise(points):
        turned = align_map(alone[after], alone[before])
        apart.append(displacement(turned, alone[before]))
        moved.append(displacement(maps[after].map_, maps[before].map_))
        assert maps[after].displacement == moved[-1]
    # They can be followed: independent maps move several times as far.
    assert np.mean(moved) < 0.5 * np.mean(apart)
    assert maps["inputs"].start == "points"
    assert {maps[name].start for name in list(points)[1:]} == {"previous"}
    first = unknot.TSNE(**SETTINGS).fit(points["inputs"], graph=graphs["inputs"])
    np.testing.assert_array_equal(maps["inputs"].map_, first.embedding_)


def test_maps_are_aligned(maps):
    for before, after in pairwise(maps.values()):
        np.testing.assert_allclose(align_map(after.map_, before.map_), after.map_, atol=1e-3)


def test_a_map_that_does_not_fit_is_gathered_first(layers):
    points, graphs = layers
    graph = graphs["layer 3"]
    elsewhere = np.random.default_rng(0).normal(size=(900, 2))
    found = map_after(graph, elsewhere, **SETTINGS)
    assert found.start == "previous, exaggerated"
    alone = unknot.TSNE(**SETTINGS).fit(points["layer 3"], graph=graph)
    assert found.kl_divergence <= 1.02 * alone.kl_divergence_


def test_same_seed_same_bytes(layers):
    _, graphs = layers
    for previous in (None, drawn(900)):
        one, two = (
            map_after(graphs["inputs"], previous, n_jobs=n_jobs, **QUICK) for n_jobs in (1, 2)
        )
        assert isinstance(one, LayerMap)
        assert one.map_.tobytes() == two.map_.tobytes()
        assert one.kl_divergence == two.kl_divergence


def test_degenerate_previous_maps(layers):
    points, graphs = layers
    graph = graphs["layer 1"]
    alone = map_after(graph, points=points["layer 1"], **QUICK)
    after_point = map_after(graph, np.ones((900, 2)), points=points["layer 1"], **QUICK)
    np.testing.assert_array_equal(alone.map_, after_point.map_)
    assert after_point.displacement is None
    # Points on a line must leave it.
    on_line = map_after(graph, drawn(900) * [1, 0], **QUICK)
    assert np.std(on_line.map_, axis=0).min() > 0.3 * np.std(on_line.map_, axis=0).max()
    assert map_after(graph, **QUICK).start == "random"


def test_layers_without_a_map_are_passed_over(layers):
    points, graphs = layers
    some = {"inputs": graphs["inputs"], "dead": None, "layer 1": graphs["layer 1"]}
    found = dict(map_layers(some, points=points, coherence=0, **QUICK))
    assert list(found) == ["inputs", "dead", "layer 1"]
    assert found["dead"] is None
    after = map_after(graphs["layer 1"], found["inputs"].map_, **QUICK)
    np.testing.assert_array_equal(found["layer 1"].map_, after.map_)


def test_bad_arguments(layers):
    points, graphs = layers
    graph = graphs["inputs"]
    with pytest.raises(ValueError, match=r"map of the 900 samples.*2 components.*\(899, 2\)"):
        map_after(graph, drawn(899), **QUICK)
    with pytest.raises(ValueError, match="previous must be finite"):
        map_after(graph, np.full((900, 2), np.nan), **QUICK)
    with pytest.raises(ValueError, match="points must be the 900 samples of graph; got 3"):
        map_after(graph, points=points["inputs"][:3], **QUICK)
    with pytest.raises(TypeError, match=r"does not accept init, .*; got init='pca'"):
        map_after(graph, init="pca", **QUICK)


def test_displacement_of_known_maps():
    # Radius 5, every point moved by 3 and 4: 5 / 5.
    corners = np.array([[3.0, 4.0], [-3.0, -4.0], [4.0, -3.0], [-4.0, 3.0]])
    assert displacement(corners, corners + np.array([3, 4])) == pytest.approx(1.0)
    assert displacement(corners, corners) == 0.0
    assert displacement(np.ones((3, 2)), corners[:3]) == 0.0


def test_points_on_disk_start_as_in_memory(layers, tmp_path):
    points, graphs = layers
    np.save(tmp_path / "points.npy", points["inputs"])
    on_disk = np.load(tmp_path / "points.npy", mmap_mode="r")
    options = {"perplexity": 10, "max_iter": 1, "learning_rate": 1e-9}
    there, here = (
        map_after(graphs["inputs"], points=each, **options).map_
        for each in (StoredPoints(on_disk, 2_000_000), points["inputs"])
    )
    np.testing.assert_allclose(there, here, atol=1e-9)
    # The first component of 97 of the 900 points is nearly that of all.
    few = map_after(graphs["inputs"], points=StoredPoints(on_disk, 100_000), **options).map_
    assert abs(np.corrcoef(few[:, 0], here[:, 0])[0, 1]) > 0.95
    assert not np.array_equal(few, here)
