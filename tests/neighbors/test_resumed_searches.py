"""A search that was killed goes on from what its store holds, and ends with the same bytes."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import unknot
from unknot._cluster import partitions
from unknot._io.folders import inside
from unknot._io.lock import FolderInUseError, locked

N, K = 3000, 7
MEMORY = 100_000
KILLED = f"""
import os, signal, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import unknot
from unknot._cluster import partitions

points, store, exact, left = sys.argv[1], sys.argv[2], sys.argv[3] == "True", int(sys.argv[4])
real = partitions._do


def count(*args):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args)


partitions._do = count
with ThreadPoolExecutor(1) as executor:
    unknot.nearest_neighbors(
        np.load(points, mmap_mode="r"), {K}, exact=exact, max_memory={MEMORY}, store=store,
        executor=executor,
    )
"""


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """Points on disk; some rows are equal to others."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(20, 10))
    values = (centers[rng.integers(0, 20, N)] + 0.5 * rng.normal(size=(N, 10))).astype(np.float32)
    values[100:150] = values[1000:1050]
    path = tmp_path_factory.mktemp("points") / "points.npy"
    np.save(path, values)
    return np.load(path, mmap_mode="r")


@pytest.fixture
def done(monkeypatch):
    """The tasks that are done: folder of the stage, and number."""
    found, real = [], partitions._do

    def note(stage, number, *rest):
        found.append((stage.folder, number))
        return real(stage, number, *rest)

    monkeypatch.setattr(partitions, "_do", note)
    return found


def search(points, store=None, *, exact, workers=1, **options):
    with ThreadPoolExecutor(workers) as executor:
        return unknot.nearest_neighbors(
            points,
            K,
            exact=exact,
            max_memory=MEMORY,
            store=store,
            executor=executor,
            **options,
        )


def assert_same(found, wanted):
    assert np.array_equal(found.indices, wanted.indices)
    assert np.array_equal(found.distances, wanted.distances)
    assert found.recall == wanted.recall


def ended(store):
    """The tasks that have a record."""
    return {
        (path.parent.parent.relative_to(store).as_posix(), int(path.stem))
        for path in store.rglob("ledger/*.json")
    }


@pytest.mark.skipif(os.name != "posix", reason="kills itself by a signal")
@pytest.mark.parametrize(
    ("exact", "after"), [(True, 3), (False, 2), (False, 9), (False, 15), (False, 21)]
)
def test_the_next_search_does_only_what_is_left(exact, after, points, tmp_path, done):
    wanted = search(points, exact=exact)
    n_tasks = len(done)
    assert n_tasks > after
    done.clear()
    store = tmp_path / "store"
    call = [sys.executable, "-c", KILLED, points.filename, str(store), str(exact), str(after)]
    killed = subprocess.run(call, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (store / "mine.txt").write_text("kept")
    before = ended(store)
    # Those whose points were put in order are not needed after it, and are removed.
    removed = 0 if exact or any("sorted" in folder for folder, _ in before) else after - len(before)
    assert len(before) == after - removed
    # Another number of workers: the strips are those of the first run.
    assert_same(search(points, store, exact=exact, workers=3), wanted)
    assert not before & set(done)
    assert len(done) == n_tasks - after
    assert [path.name for path in store.iterdir()] == ["mine.txt"]


def interrupted(points, store, after, monkeypatch, *, exact):
    real, left = partitions._do, [after]

    def stop(*args):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(partitions, "_do", stop)
        with pytest.raises(KeyboardInterrupt):
            search(points, store, exact=exact)


def test_a_strip_that_was_damaged_is_searched_again(points, tmp_path, monkeypatch, done):
    wanted = search(points, exact=True)
    interrupted(points, tmp_path, 3, monkeypatch, exact=True)
    done.clear()
    before = sorted(ended(tmp_path))
    folder, number = before[1]
    path = tmp_path / folder / "parts" / f"{number:06d}.bin"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert_same(search(points, tmp_path, exact=True), wanted)
    assert set(done) & set(before) == {(folder, number)}


def test_a_gathered_strip_that_was_damaged_is_gathered_again(points, tmp_path, monkeypatch, done):
    wanted = search(points, exact=False)
    n_parts = sum("sorted" in folder for folder, _ in done)
    n_strips = sum("gathered" in folder for folder, _ in done)
    interrupted(points, tmp_path, n_parts + n_strips + 1, monkeypatch, exact=False)
    done.clear()
    (gathered,) = {folder for folder, _ in ended(tmp_path) if "gathered" in folder}
    (tmp_path / gathered / "parts" / "000001.bin").write_bytes(b"nothing")
    assert_same(search(points, tmp_path, exact=False), wanted)
    assert [number for folder, number in done if "gathered" in folder] == [1]
    assert sum("sorted" in folder for folder, _ in done) == n_parts


@pytest.mark.parametrize("exact", [True, False])
def test_another_search_takes_nothing_from_one_that_stopped(
    exact, points, tmp_path, monkeypatch, done
):
    other = np.array(points)
    other[1234] += 1e-3
    np.save(tmp_path / "other.npy", other)
    other = np.load(tmp_path / "other.npy", mmap_mode="r")
    store = tmp_path / "store"
    interrupted(points, store, 3, monkeypatch, exact=exact)
    before = ended(store)
    assert_same(search(other, store, exact=exact), search(other, exact=exact))
    assert_same(search(points, store, exact=not exact), search(points, exact=not exact))
    assert ended(store) == before
    done.clear()
    search(points, store, exact=exact)
    assert not before & set(done)
    assert list(store.iterdir()) == []


def test_the_same_search_twice_at_a_time_is_refused(points, tmp_path, monkeypatch):
    interrupted(points, tmp_path, 1, monkeypatch, exact=True)
    (home,) = tmp_path.iterdir()
    with (
        locked(inside(tmp_path, home.name)),
        pytest.raises(FolderInUseError, match="is being written by another run: wait"),
    ):
        search(points, tmp_path, exact=True)


def test_a_store_that_is_full_is_said_and_the_search_goes_on_when_there_is_room(
    points, tmp_path, monkeypatch
):
    from unknot._io.shared_store import SharedStore

    real = SharedStore.write_arrays

    def full(self, key, **arrays):
        if "/parts/000002" in key:
            raise OSError(28, "No space left on device")
        return real(self, key, **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(SharedStore, "write_arrays", full)
        with pytest.raises(
            unknot.studies.ClusterError,
            match=r"points on disk: neighbors, partition 2 \(distinct points .* on the worker .*"
            r"the store .* is full: make room. What was finished is kept",
        ):
            search(points, tmp_path, exact=True)
    assert ended(tmp_path)
    assert_same(search(points, tmp_path, exact=True), search(points, exact=True))
