"""Points on disk: searched in parts, with the result of a search in memory."""

import numpy as np
import pytest
import zarr
from neighbors_oracles import brute

import unknot
from unknot._io.stored_points import StoredPoints, opened
from unknot.neighbors import _blocks, _duplicates


class Sliced:
    """A minimal stand-in for an array on disk; records the most rows read at once."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.most = 0

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        found = self._array[rows]
        self.most = max(self.most, len(found))
        return found


def on_disk(array, path, chunk=64):
    stored = zarr.create_array(
        store=str(path), shape=array.shape, chunks=(chunk, *array.shape[1:]), dtype=array.dtype
    )
    stored[:] = array
    return stored


def clouds(n, d, seed=0):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(7, d)) * 3
    return (centers[rng.integers(7, size=n)] + rng.normal(size=(n, d))).astype(np.float32)


def grid(n, d):
    """Small integers: nearly every distance is tied, and rows are repeated."""
    return np.random.default_rng(0).integers(0, 3, size=(n, d)).astype(np.float32)


def assert_same(stored, points, k, max_memory, n_jobs=2):
    found = unknot.nearest_neighbors(stored, k, n_jobs=n_jobs, max_memory=max_memory)
    wanted = unknot.nearest_neighbors(points, k, n_jobs=n_jobs)
    np.testing.assert_array_equal(found.indices, wanted.indices)
    np.testing.assert_allclose(found.distances, wanted.distances, rtol=1e-6)
    assert found.recall == 1.0
    assert found.metric == "euclidean"


@pytest.mark.parametrize("d", [1, 5, 40, 300, 1100])
def test_equals_the_search_in_memory(tmp_path, d):
    points = clouds(1500, d)
    # At least three rows per part, and five parts or more.
    budget = 4 * points.size // 3
    assert_same(on_disk(points, tmp_path / "points"), points, 20, budget)
    offset = points + np.float32(100)
    assert_same(Sliced(offset), offset, 7, budget)


@pytest.mark.parametrize(("n", "d"), [(700, 3), (700, 8), (1400, 300)])
def test_ties_and_duplicates(tmp_path, n, d):
    points = grid(n, d)
    points[::3] = points[0]
    points[1::50] = 0
    points[2::50] = -0.0
    assert_same(on_disk(points, tmp_path / "points", 100), points, 30, 4 * points.size // 5)
    found = unknot.nearest_neighbors(Sliced(points), 30, max_memory=4 * points.size // 5)
    np.testing.assert_array_equal(found.indices, brute(points, 30)[0])


def test_hash_collisions_are_resolved(monkeypatch):
    points = grid(300, 4)
    wanted = unknot.nearest_neighbors(points, 9)

    def collide(bits, first, last, hashes):
        hashes[first:last] = 7

    monkeypatch.setattr(_blocks, "hash_rows", collide)
    monkeypatch.setattr(_duplicates, "hash_rows", collide)
    for given in (points, Sliced(points)):
        found = unknot.nearest_neighbors(given, 9, max_memory=4 * points.size // 3)
        np.testing.assert_array_equal(found.distances, wanted.distances)
        squares = np.square(points[found.indices] - points[:, None]).sum(axis=2)
        np.testing.assert_array_equal(found.distances, np.sqrt(squares))


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint8, np.int32])
def test_samples_of_any_shape_and_type(tmp_path, dtype):
    points = np.round(clouds(400, 48) * 8).clip(0, 200).astype(dtype)
    images = points.reshape(400, 4, 4, 3)
    assert_same(on_disk(images, tmp_path / "images"), points, 5, 20_000)
    memory_map = np.memmap(tmp_path / "map", dtype, "w+", shape=(400, 4, 4, 3))
    memory_map[:] = images
    assert_same(memory_map, points, 5, 20_000)


def test_all_equal_and_k_of_all():
    points = np.ones((50, 10), np.float32)
    assert_same(Sliced(points), points, 49, 500)
    points = clouds(60, 10)
    assert_same(Sliced(points), points, 59, 500)


def test_no_more_is_read_than_fits():
    points = clouds(2000, 30)
    stored = Sliced(points)
    unknot.nearest_neighbors(stored, 5, max_memory=60_000)
    # 60,000 bytes are 500 rows of 30 numbers.
    assert stored.most <= 500
    assert isinstance(opened(stored, 60_000), StoredPoints)
    whole = opened(stored, 4 * points.size)
    np.testing.assert_array_equal(whole, points)


def test_memory_is_given_as_text():
    points = clouds(2000, 30)
    stored = Sliced(points)
    # 60 KB are 500 rows of 30 numbers; 1 MB holds all 240,000 bytes.
    found = unknot.nearest_neighbors(stored, n_neighbors=5, max_memory="60 KB")
    assert stored.most <= 500
    again = unknot.nearest_neighbors(stored, n_neighbors=5, max_memory="1 MB")
    assert stored.most == 2000
    np.testing.assert_array_equal(found.indices, again.indices)


def test_same_bytes_for_any_number_of_threads():
    points = clouds(3000, 250)
    graphs = [
        unknot.nearest_neighbors(Sliced(points), 15, n_jobs=n_jobs, max_memory=10**6)
        for n_jobs in (1, 2, 4)
    ]
    for other in graphs[1:]:
        assert graphs[0].indices.tobytes() == other.indices.tobytes()
        assert graphs[0].distances.tobytes() == other.distances.tobytes()


def test_rows_are_read_in_any_order(tmp_path):
    points = clouds(500, 12)
    stored = StoredPoints(on_disk(points, tmp_path / "points"), 10_000)
    rng = np.random.default_rng(0)
    for rows in (
        slice(10, 90),
        slice(None),
        slice(5, 5),
        np.arange(30, 130),
        rng.permutation(500),
        rng.integers(500, size=700),
        np.array([499]),
        np.array([], np.int64),
    ):
        np.testing.assert_array_equal(stored[rows], points[rows])
    np.testing.assert_allclose(stored.mean(axis=0), points.mean(axis=0, dtype=float))
    np.testing.assert_array_equal(stored.min(axis=0), points.min(axis=0))
    np.testing.assert_array_equal(stored.max(axis=0), points.max(axis=0))
    assert (len(stored), stored.shape, stored.size) == (500, (500, 12), 6000)


def test_bad_points_on_disk():
    points = clouds(300, 10)
    points[123, 4] = np.nan
    with pytest.raises(ValueError, match=r"finite in float32; .* first in sample 123"):
        unknot.nearest_neighbors(Sliced(points), 3, max_memory=1000)
    with pytest.raises(ValueError, match="must not exceed"):
        unknot.nearest_neighbors(Sliced(clouds(300, 10) * np.float32(1e37)), 3, max_memory=1000)
    with pytest.raises(ValueError, match="too large values, the first in sample 0"):
        unknot.nearest_neighbors(Sliced(clouds(300, 10).astype(float) * 1e300), 3, max_memory=1000)
    with pytest.raises(TypeError, match="must hold real numbers; got dtype complex"):
        unknot.nearest_neighbors(Sliced(points.astype(complex)), 3, max_memory=1000)
    with pytest.raises(ValueError, match=r"one feature; got \(300,\)"):
        unknot.nearest_neighbors(Sliced(points[:, 0]), 3, max_memory=1000)
    with pytest.raises(ValueError, match=r"max_memory .*; got '2 XB'"):
        unknot.nearest_neighbors(Sliced(points), 3, max_memory="2 XB")
    good = Sliced(clouds(300, 10))
    with pytest.raises(ValueError, match=r"metric must be one of .*; got 'cosin'"):
        unknot.nearest_neighbors(good, 3, "cosin", max_memory=1000)
    with pytest.raises(ValueError, match="max_memory must be at least one byte; got 0"):
        unknot.nearest_neighbors(good, 3, max_memory=0)
    with pytest.raises(ValueError, match="n_neighbors must be from 1 to n_samples - 1 = 299"):
        unknot.nearest_neighbors(good, 300, max_memory=1000)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6, 1e9])
def test_directions_on_disk_that_float32_cannot_tell_apart_are_told_apart(offset, tmp_path):
    points = np.random.default_rng(0).normal(size=(700, 9)) + offset
    array = zarr.create_array(
        str(tmp_path / "points.zarr"), shape=points.shape, dtype=points.dtype, chunks=(97, 9)
    )
    array[:] = points
    wanted = unknot.nearest_neighbors(points, 12, "cosine")
    found = unknot.nearest_neighbors(array, 12, "cosine", max_memory=4 * points.size - 4)
    assert np.array_equal(found.indices, wanted.indices)
    assert np.allclose(found.distances, wanted.distances, rtol=1e-5, atol=0)
