"""Approximate neighbors of points on disk: each tile of queries visits the tiles nearest to it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import unknot
from unknot.neighbors import _nearest_tiles


def stored(points, folder):
    np.save(folder / "points.npy", points)
    return np.load(folder / "points.npy", mmap_mode="r")


def mixture(n, d, seed=0):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(30, d))
    return (centers[rng.integers(0, 30, n)] + 0.5 * rng.normal(size=(n, d))).astype(np.float32)


def share_within(found, points, k):
    """The share of found neighbors that are no farther than the true k-th."""
    true = unknot.nearest_neighbors(points, k, found.metric, exact=True)
    return (found.distances <= true.distances[:, -1:] * (1 + 1e-6)).mean()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize(("n", "d"), [(12_000, 24), (6_000, 200)])
def test_the_recall_is_high_and_stated(n, d, metric, tmp_path, monkeypatch):
    # Small strips, so that there are many.
    monkeypatch.setattr(_nearest_tiles, "LEAST_TILES", 2)
    points = mixture(n, d)
    found = unknot.nearest_neighbors(
        stored(points, tmp_path), 15, metric, exact=False, max_memory=4 * points.size // 4
    )
    share = share_within(found, points, 15)
    assert share > 0.97
    assert abs(found.recall - share) < 0.015
    assert (found.indices != np.arange(n)[:, None]).all()
    assert (np.diff(found.distances, axis=1) >= 0).all()
    own = points[:, None] - points[found.indices]
    if metric == "euclidean":
        assert np.allclose(np.sqrt((own**2).sum(axis=2)), found.distances, atol=1e-4)


def test_visiting_every_tile_is_the_exact_search(tmp_path, monkeypatch):
    monkeypatch.setattr(_nearest_tiles, "RECALL", 1.0)
    monkeypatch.setattr(_nearest_tiles, "LEAST_TILES", 1)
    monkeypatch.setattr(_nearest_tiles, "_tiles_to_visit", lambda plan, *_: 10**6)
    rng = np.random.default_rng(1)
    lattice = rng.integers(0, 3, size=(5000, 8)).astype(np.float32)
    for points in (lattice, mixture(4000, 130)):
        found = unknot.nearest_neighbors(
            stored(points, tmp_path), 12, exact=False, max_memory=4 * points.size // 5
        )
        wanted = unknot.nearest_neighbors(points, 12, exact=True)
        assert np.array_equal(found.indices, wanted.indices)
        assert np.array_equal(found.distances, wanted.distances)
        assert found.recall == 1.0


def test_too_few_tiles_are_seen_in_the_recall(tmp_path, monkeypatch):
    monkeypatch.setattr(_nearest_tiles, "_tiles_to_visit", lambda *_: 2)
    points = np.random.default_rng(2).normal(size=(9000, 12)).astype(np.float32)
    found = unknot.nearest_neighbors(
        stored(points, tmp_path), 10, exact=False, max_memory=4 * points.size // 4
    )
    assert found.recall < 0.9
    assert abs(found.recall - share_within(found, points, 10)) < 0.03


def test_workers_have_the_same_bytes(tmp_path):
    points = mixture(3000, 20)
    array = stored(points, tmp_path)
    options = {"exact": False, "max_memory": "50 kB"}
    wanted = unknot.nearest_neighbors(array, 10, **options, n_jobs=1)
    with ThreadPoolExecutor(2) as executor:
        found = unknot.nearest_neighbors(array, 10, **options, executor=executor)
    assert np.array_equal(found.indices, wanted.indices)
    assert np.array_equal(found.distances, wanted.distances)
    assert found.recall == wanted.recall


@pytest.mark.parametrize("k", [1, 40, 199])
def test_copies_and_small_sets(k, tmp_path):
    rng = np.random.default_rng(3)
    points = np.repeat(rng.normal(size=(100, 9)), 2, axis=0).astype(np.float32)
    found = unknot.nearest_neighbors(stored(points, tmp_path), k, exact=False, max_memory=1000)
    assert share_within(found, points, k) > 0.95
    assert found.recall > 0.95
    # The nearest to each point is its copy.
    assert np.array_equal(found.indices[:, 0], np.arange(200) ^ 1)
    assert (np.diff(np.sort(found.indices, axis=1), axis=1) > 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"store": "ftp://bucket/x"}, "store must be a folder or an address of s3"),
        ({"store": ""}, "store must be the path of a folder, or an address; got ''"),
        ({"store_options": {"endpoint": "x"}}, "store_options are of an object store: pass"),
    ],
)
def test_a_wrong_store_is_refused(options, message, tmp_path):
    array = stored(mixture(600, 8), tmp_path)
    with pytest.raises(ValueError, match=message):
        unknot.nearest_neighbors(array, 5, exact=False, max_memory=1000, **options)
