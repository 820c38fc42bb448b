"""Neighbors of points on disk, by workers in strips: the bytes of the exact search."""

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import zarr

import unknot
from unknot.neighbors import _strips
from unknot.studies import ClusterError

SMALL = "200 kB"


def stored(points, path):
    array = zarr.create_array(
        str(path), shape=points.shape, dtype=points.dtype, chunks=(97, *points.shape[1:])
    )
    array[:] = points
    return array


def assert_same(found, wanted):
    assert np.array_equal(found.indices, wanted.indices)
    assert np.array_equal(found.distances, wanted.distances)
    assert found.metric == wanted.metric
    assert found.recall == wanted.recall == 1.0


def points_of(kind):
    rng = np.random.default_rng(0)
    if kind == "lattice":  # many ties
        return rng.integers(0, 3, size=(1500, 8)).astype(np.float32)
    if kind == "copies":  # a third of the rows are equal to others, in other strips too
        points = rng.normal(size=(1200, 12)).astype(np.float32)
        points[rng.choice(1200, 400, replace=False)] = points[rng.integers(0, 1200, 400)]
        return points
    if kind == "one place":  # a class without extent
        points = rng.normal(size=(900, 10)).astype(np.float32)
        points[:300] = points[0]
        return points
    if kind == "far":  # float64 that float32 cannot hold
        return rng.normal(size=(701, 9)) + 1e9
    size = {"d = 5": (1001, 5), "d = 130": (1303, 130), "d = 700": (1507, 700)}[kind]
    return rng.normal(size=size).astype(np.float32) + rng.integers(0, 4, size=(size[0], 1))


KINDS = ["lattice", "copies", "one place", "far", "d = 5", "d = 130", "d = 700"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_strips_have_the_bytes_of_the_search_by_one_process(kind, metric, tmp_path):
    points = points_of(kind)
    array = stored(points, tmp_path / "points.zarr")
    # About five parts.
    max_memory = 6 * 4 * points.size // 5
    with ThreadPoolExecutor(1) as executor:
        found = unknot.nearest_neighbors(
            array, 12, metric, max_memory=max_memory, executor=executor
        )
    on_disk = 4 * points.size - 4
    assert_same(found, unknot.nearest_neighbors(array, 12, metric, max_memory=on_disk))
    if metric == "euclidean":
        assert_same(found, unknot.nearest_neighbors(points, 12, exact=True))


def test_they_are_the_same_on_processes_and_on_a_cluster(client, tmp_path):
    points = points_of("d = 130")
    wanted = unknot.nearest_neighbors(points, 20, exact=True)
    array = stored(points, tmp_path / "points.zarr")
    store = tmp_path / "store"
    found = unknot.nearest_neighbors(array, 20, max_memory=SMALL, client=client, store=store)
    assert_same(found, wanted)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        found = unknot.nearest_neighbors(
            array, 20, "cosine", max_memory=SMALL, executor=executor, store=store
        )
    assert_same(found, unknot.nearest_neighbors(array, 20, "cosine", max_memory=SMALL))
    assert list(store.iterdir()) == []


def test_memory_maps_and_hdf5_files_are_sent_as_their_places(tmp_path):
    import h5py

    points = points_of("lattice")
    wanted = unknot.nearest_neighbors(points[300:1100], 7, exact=True)
    np.save(tmp_path / "points.npy", points)
    with h5py.File(tmp_path / "points.h5", "w") as file:
        file["deep/points"] = points[300:1100]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        options = {"max_memory": "20 kB", "executor": executor}
        # A slice of a map: its offset is not that of the whole.
        part = np.load(tmp_path / "points.npy", mmap_mode="r")[100:][200:1000]
        assert_same(unknot.nearest_neighbors(part, 7, **options), wanted)
        with h5py.File(tmp_path / "points.h5") as file:
            found = unknot.nearest_neighbors(file["deep/points"], 7, **options)
        assert_same(found, wanted)
        gaps = np.load(tmp_path / "points.npy", mmap_mode="r")[::2]
        with pytest.raises(ValueError, match="gaps between its rows"):
            unknot.nearest_neighbors(gaps, 7, **options)


def test_a_worker_is_killed_and_its_strip_is_searched_again(client, tmp_path):
    points = np.random.default_rng(1).normal(size=(6000, 40)).astype(np.float32)
    array = stored(points, tmp_path / "points.zarr")
    pids = client.run(os.getpid)

    def kill():
        time.sleep(0.7)
        os.kill(next(iter(pids.values())), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    found = unknot.nearest_neighbors(array, 15, max_memory=SMALL, client=client)
    thread.join()
    client.wait_for_workers(2, timeout=60)
    assert_same(found, unknot.nearest_neighbors(points, 15, exact=True))


def test_a_strip_is_the_same_whatever_the_cut(tmp_path, monkeypatch):
    points = points_of("copies")
    wanted = unknot.nearest_neighbors(points, 9, exact=True)
    array = stored(points, tmp_path / "points.zarr")
    for strips in (1, 3, 40):
        monkeypatch.setattr(_strips, "STRIPS_PER_SLOT", strips)
        with ThreadPoolExecutor(1) as executor:
            found = unknot.nearest_neighbors(array, 9, max_memory=SMALL, executor=executor)
        assert_same(found, wanted)


def test_bad_input_is_refused(client, tmp_path):
    points = points_of("lattice")
    with pytest.raises(ValueError, match="points must be on disk to be searched by workers"):
        unknot.nearest_neighbors(points, 5, client=client)
    with pytest.raises(ValueError, match="store is for workers"):
        unknot.nearest_neighbors(points, 5, store=tmp_path)
    array = stored(points, tmp_path / "points.zarr")
    with pytest.raises(ValueError, match="from 1 to n_samples - 1"):
        unknot.nearest_neighbors(array, 5000, client=client)
    bad = points.copy()
    bad[700, 2] = np.nan
    nan = stored(bad, tmp_path / "nan.zarr")
    with pytest.raises(ValueError, match=r"NaN.*sample 700"):
        unknot.nearest_neighbors(nan, 5, client=client, max_memory=SMALL)
    with pytest.raises(ValueError, match=r"store must be a folder or an address of s3"):
        unknot.nearest_neighbors(array, 5, client=client, store="ftp://bucket/x")
    (tmp_path / "file").write_text("x")
    with pytest.raises((ClusterError, OSError)):
        unknot.nearest_neighbors(array, 5, client=client, store=tmp_path / "file")


def test_points_that_a_worker_does_not_see_are_not_taken_for_zeros(client, tmp_path, monkeypatch):
    points = points_of("d = 5") + 1
    array = stored(points.astype(np.float32), tmp_path / "points.zarr")
    real = _strips.fit_axes

    def move(*args):
        found = real(*args)
        (tmp_path / "points.zarr").rename(tmp_path / "elsewhere.zarr")
        return found

    monkeypatch.setattr(_strips, "fit_axes", move)
    started = time.monotonic()
    with pytest.raises(
        ClusterError,
        match=r"neighbors, partition \d+ \(distinct points .*worker tcp://.*points.zarr is not "
        r"seen there: pass store= and data on a file system that all workers share",
    ):
        unknot.nearest_neighbors(array, 5, client=client, max_memory=SMALL)
    assert time.monotonic() - started < 10


def test_all_points_equal(tmp_path):
    points = np.ones((30, 4), np.float32)
    array = stored(points, tmp_path / "points.zarr")
    with ThreadPoolExecutor(1) as executor:
        found = unknot.nearest_neighbors(array, 5, executor=executor)
    assert_same(found, unknot.nearest_neighbors(points, 5))
