"""Studies and searches whose store is a bucket of an object store."""

import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr
from cluster_helpers import files

import unknot
from unknot._cluster import partitions
from unknot._io.object_store import ObjectStore
from unknot._io.shared_store import SharedStore
from unknot.studies import ClusterError

obstore = pytest.importorskip("obstore")
pytest.importorskip("obstore.exceptions")
pytest.importorskip("moto")
N = 900
OPTIONS = {
    "measures": ["nc1", "neighborhood_hit", "distance_consistency"],
    "max_iter": 250,
    "perplexity": 10,
    "n_neighbors": 30,
    "measure_options": {"n_resamples": 5, "n_permutations": 2},
    "progress": False,
    "max_samples": 200,
    "neighbors_of_all": True,
}


@pytest.fixture(scope="module")
def options():
    """Options of a server on this machine with one bucket.

    It is a process of its own: obstore holds Python's lock while it reads an answer.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(call, stdout=nothing, stderr=nothing) as found:
        try:
            endpoint = f"http://127.0.0.1:{port}"
            _create_bucket(endpoint)
            yield {
                "endpoint": endpoint,
                "access_key_id": "key",
                "secret_access_key": "secret",
                "region": "us-east-1",
                "client_options": {"allow_http": True},
            }
        finally:
            found.kill()


def _create_bucket(endpoint):
    started = time.monotonic()
    while True:
        request = urllib.request.Request(f"{endpoint}/bucket", method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=10):
                return
        except OSError:
            if time.monotonic() - started > 60:
                raise
            time.sleep(0.2)


@pytest.fixture
def data():
    rng = np.random.default_rng(5)
    labels = np.arange(N) % 3
    points = (rng.normal(size=(N, 8)) + 2 * np.eye(3, 8)[labels]).astype(np.float32)
    return points, labels


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch):
    monkeypatch.setattr(partitions, "PARTITION_BYTES", 2**12)


def objects(address, options):
    """All objects below an address, by key."""
    client = obstore.store.from_url(address, **options)
    return {
        each["path"]: bytes(client.get(each["path"]).bytes())
        for batch in client.list()
        for each in batch
    }


def test_a_bucket_holds_what_a_folder_does(options, data, client, tmp_path):
    points, labels = data
    layers = {"fc1": points}
    unknot.study(layers, (None, labels), out=tmp_path / "a", store=tmp_path / "store", **OPTIONS)
    address = "s3://bucket/study"
    found = unknot.study(
        layers,
        (None, labels),
        out=tmp_path / "b",
        store=address,
        store_options=options,
        client=client,
        **OPTIONS,
    )
    assert files(tmp_path / "b") == files(tmp_path / "a")
    folder = tmp_path / "store"
    expected = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert objects(address, options) == expected
    assert found["fc1"].density.n_samples == N
    # Credentials are in no file.
    assert not any(
        b"secret" in path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file()
    )


def test_a_run_goes_on_from_the_records_in_a_bucket(options, data, tmp_path, monkeypatch):
    points, labels = data
    address = "s3://bucket/resumed"
    call = {"store": address, "store_options": options, **OPTIONS, "neighbors_of_all": False}
    real, done = partitions._do, []

    def some(stage, number, *rest):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append((stage.label, number))
        return real(stage, number, *rest)

    monkeypatch.setattr(partitions, "_do", some)
    with pytest.raises(KeyboardInterrupt):
        unknot.study({"fc1": points}, (None, labels), out=tmp_path / "a", **call)
    # A chunk, or a record, that is damaged is written again; a record that is whole stays.
    before = objects(address, options)
    (first, *_) = [key for key in before if key.endswith("ledger/000000.json")]
    obstore.store.from_url(address, **options).put(first, b"{")
    again = []
    monkeypatch.setattr(
        partitions,
        "_do",
        lambda stage, number, *rest: (
            again.append((stage.label, number)) or real(stage, number, *rest)
        ),
    )
    unknot.study({"fc1": points}, (None, labels), out=tmp_path / "a", **call)
    assert set(again) & set(done) == {done[0]}
    after = objects(address, options)
    assert {key: after[key] for key in before} == before


def test_layers_and_inputs_in_a_bucket_are_read_there(options, data, client, tmp_path):
    points, labels = data
    store = zarr.storage.ObjectStore(obstore.store.from_url("s3://bucket/given", **options))
    array = zarr.create_array(store=store, name="fc1", shape=points.shape, dtype="float32")
    array[:] = points
    found = unknot.study(
        {"fc1": array},
        (None, labels),
        out=tmp_path / "out",
        store="s3://bucket/read",
        store_options=options,
        client=client,
        **{**OPTIONS, "neighbors_of_all": False},
    )
    expected = unknot.measure(points, labels, measures="nc1", n_resamples=0, n_permutations=0)
    value = found.controls["all samples"]["fc1"]["nc1"].value
    assert value == pytest.approx(expected["nc1"].value, rel=1e-12)


def test_neighbors_are_searched_by_way_of_a_bucket(options, data, client):
    points, _ = data
    store = zarr.storage.ObjectStore(obstore.store.from_url("s3://bucket/points", **options))
    array = zarr.create_array(store=store, name="x", shape=points.shape, dtype="float32")
    array[:] = points
    address = "s3://bucket/knn"
    found = unknot.nearest_neighbors(
        array, 7, client=client, store=address, store_options=options, max_memory=2**14
    )
    expected = unknot.nearest_neighbors(points, 7, exact=True)
    assert np.array_equal(found.indices, expected.indices)
    assert np.array_equal(found.distances, expected.distances)
    assert objects(address, options) == {}


@pytest.mark.parametrize("exact", [True, False])
def test_a_search_goes_on_from_what_is_in_a_bucket(
    exact, options, data, client, tmp_path, monkeypatch
):
    points, _ = data
    np.save(tmp_path / "points.npy", points)
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    asked = {"exact": exact, "max_memory": 2**14}
    address = f"s3://bucket/searched-{exact}"
    there = {**asked, "store": address, "store_options": options}
    real, done = partitions._do, []

    def some(stage, number, *rest):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append((stage.folder, number))
        return real(stage, number, *rest)

    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as executor:
        patch.setattr(partitions, "_do", some)
        with pytest.raises(KeyboardInterrupt):
            unknot.nearest_neighbors(mapped, 7, executor=executor, **there)
    records = obstore.store.from_url(address, **options)
    before = {
        each["path"]: each["last_modified"]
        for batch in records.list()
        for each in batch
        if "/ledger/" in each["path"]
    }
    assert len(before) == 4
    # Records are only ever created; what they tell of is written by nobody else.
    kept = [path for path in before if "/sorted-" not in path]
    seen = []
    removing = ObjectStore.remove

    def look(self, folder):
        seen.extend(
            (path, self._client().head(path)["last_modified"]) for path in kept if folder in path
        )
        removing(self, folder)

    monkeypatch.setattr(ObjectStore, "remove", look)
    found = unknot.nearest_neighbors(mapped, 7, client=client, **there)
    assert dict(seen) == {path: before[path] for path in kept}
    with ThreadPoolExecutor(1) as executor:
        wanted = unknot.nearest_neighbors(mapped, 7, executor=executor, **asked)
    assert np.array_equal(found.indices, wanted.indices)
    assert np.array_equal(found.distances, wanted.distances)
    assert found.recall == wanted.recall
    assert found.recall == 1.0 if exact else found.recall > 0.95
    assert objects(address, options) == {}


def test_a_range_of_an_object_is_read_and_a_short_one_is_said(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for where, given in (("s3://bucket/ranges", options), ("folder", None)):
        store = SharedStore.of(where, given)
        store.write("a", bytes(range(100)))
        assert bytes(store.read_range("a", 10, 5)) == bytes(range(10, 15))
        assert bytes(store.read_range("a", 10, 0)) == b""
        with pytest.raises(OSError, match=r"cut short|range"):
            store.read_range("a", 90, 20)
        with pytest.raises(FileNotFoundError):
            store.read_range("b", 0, 1)
        with pytest.raises(FileNotFoundError):
            store.map_arrays("b")


def test_a_second_writer_of_a_record_is_refused(options):
    store = ObjectStore.at("s3://bucket/records", options)
    store.write_record("a.json", b"1")
    written = store._client().head("a.json")["last_modified"]
    store.write_record("a.json", b"1")
    assert store._client().head("a.json")["last_modified"] == written
    store.write_record("a.json", b"2")
    assert store.read("a.json") == b"2"


def test_a_chunk_that_was_removed_is_seen(options):
    store = SharedStore.of("s3://bucket/missing", options)
    store.create_array("x", (20, 2), np.float32, 10)
    store.open_array("x", writable=True)[:] = np.ones((20, 2))
    assert store.chunks("x", slice(0, 20)).keys() == {"x/c/0/0", "x/c/1/0"}
    store._client().delete("x/c/1/0")
    assert store.chunks("x", slice(0, 20)).keys() == {"x/c/0/0"}
    assert np.isnan(store.open_array("x")[10:]).all()


# Bad input.


def test_a_bucket_that_is_not_there_is_said(options, data, tmp_path):
    points, labels = data
    call = {"out": tmp_path / "out", **OPTIONS}
    with pytest.raises(OSError, match=r"store: s3://nowhere/x cannot be written to .*the bucket"):
        unknot.study(
            {"a": points}, (None, labels), store="s3://nowhere/x", store_options=options, **call
        )
    with pytest.raises(ValueError, match=r"store: s3://bucket/x cannot be opened with store_opt"):
        unknot.study(
            {"a": points},
            (None, labels),
            store="s3://bucket/x",
            store_options={"end_point": "x"},
            **call,
        )
    with pytest.raises(ValueError, match=r"store must be a folder or an address of s3.*ftp://x"):
        unknot.study({"a": points}, (None, labels), store="ftp://x", **call)
    with pytest.raises(ValueError, match="store_options are of an object store; got a folder"):
        unknot.study(
            {"a": points}, (None, labels), store=tmp_path / "s", store_options=options, **call
        )


def test_a_bucket_that_fails_in_the_midst_is_said(options, data, tmp_path, monkeypatch):
    points, labels = data

    def fail(self, key, **arrays):
        raise OSError("503 Slow Down")

    monkeypatch.setattr(ObjectStore, "write_arrays", fail)
    with pytest.raises(ClusterError, match=r"totals of all, partition 0 .*503 Slow Down.*is kept"):
        unknot.study(
            {"a": points},
            (None, labels),
            out=tmp_path / "out",
            store="s3://bucket/fails",
            store_options=options,
            **OPTIONS,
        )


def test_a_server_that_is_gone_between_tasks_is_said(options, data, tmp_path, monkeypatch):
    points, labels = data
    failed = []

    def fail(self, key):
        failed.append(key)
        raise obstore.exceptions.GenericError("Generic S3 error: connection\n refused")

    monkeypatch.setattr(ObjectStore, "read_arrays", fail)
    with pytest.raises(
        ClusterError,
        match=r"a: totals of all, in this process: the store s3://bucket/gone does not do what it "
        r"is asked \(Generic S3 error: connection refused\): check the server. What was fin",
    ):
        unknot.study(
            {"a": points},
            (None, labels),
            out=tmp_path / "out",
            store="s3://bucket/gone",
            store_options=options,
            **OPTIONS,
        )
    assert failed
