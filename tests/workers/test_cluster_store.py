"""Studies of more samples than memory holds: landmarks, and all samples by partitions."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import zarr
from cluster_helpers import files

import unknot
from unknot._cluster import partitions
from unknot._io import shared_store
from unknot.studies import ClusterError

NATIVE = [
    "nc1",
    "nc2",
    "class_distance_variance",
    "davies_bouldin",
    "calinski_harabasz",
    "fisher_ratio",
    "participation_ratio",
    "distance_consistency",
    "neighborhood_hit",
    "neighbor_confusion",
]
OPTIONS = {
    "measures": NATIVE,
    "max_iter": 250,
    "perplexity": 10,
    "n_neighbors": 30,
    "measure_options": {"n_resamples": 5, "n_permutations": 2},
    "progress": False,
    "max_samples": 300,
}
N = 1801
DRIVER = """
import sys
sys.path.insert(0, {here!r})
import numpy as np, zarr, unknot
from unknot._cluster import partitions
from test_cluster_store import OPTIONS
partitions.PARTITION_BYTES = 2**13
layers = {{"fc1": zarr.open_array({points!r}, mode="r")}}
left = int(sys.argv[3])
def count(stage, *rest):
    global left
    left -= 1
    if left < 0:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    return done(stage, *rest)
done = partitions._do
partitions._do = count
unknot.study(layers, (None, np.load({labels!r})), out=sys.argv[1], store=sys.argv[2], **OPTIONS)
"""


@pytest.fixture(scope="module")
def labels():
    codes = np.random.default_rng(2).integers(0, 4, N)
    codes[:4] = np.arange(4)
    return codes


@pytest.fixture(scope="module")
def points(labels, tmp_path_factory):
    """A layer on disk of 10 features, with an offset and repeated rows."""
    rng = np.random.default_rng(3)
    values = (rng.normal(size=(N, 10)) + 2 * np.eye(4, 10)[labels] + 5).astype(np.float32)
    values[100:140] = values[60:100]
    array = zarr.create_array(
        str(tmp_path_factory.mktemp("points") / "fc1.zarr"),
        shape=values.shape,
        chunks=(157, 10),
        dtype="float32",
    )
    array[:] = values
    return array


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch):
    monkeypatch.setattr(partitions, "PARTITION_BYTES", 2**13)


def study(points, labels, folder, **options):
    return unknot.study(
        {"fc1": points},
        (None, labels),
        out=folder / "out",
        store=folder / "store",
        **{**OPTIONS, **options},
    )


@pytest.fixture(scope="module")
def whole(points, labels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    before = partitions.PARTITION_BYTES
    partitions.PARTITION_BYTES = 2**13
    found = study(points, labels, folder, n_jobs=1, neighbors_of_all=True)
    partitions.PARTITION_BYTES = before
    return found, folder


def test_the_landmarks_are_those_of_a_study_of_them_alone(whole, points, labels, tmp_path):
    unknot.study({"fc1": points[:]}, (None, labels), out=tmp_path / "alone", n_jobs=2, **OPTIONS)
    alone, large = files(tmp_path / "alone"), files(whole[1] / "out")
    del alone["study.json"]
    assert {name: large.get(name) for name in alone} == alone
    rows = unknot.datasets.stratified_indices(labels, 300, 0)
    assert np.array_equal(whole[0]["fc1"].points[...], points[:][rows])


def test_scores_of_all_samples_are_those_in_memory(whole, points, labels):
    found = whole[0].controls["all samples"]["fc1"]
    expected = unknot.measure(
        points[:], labels, measures=NATIVE, n_resamples=0, n_permutations=0, k=6
    )
    assert set(found) == set(NATIVE)
    for name, score in expected.items():
        assert found[name].value == pytest.approx(score.value, rel=1e-12), name
        if score.per_class is not None and found[name].per_class is not None:
            assert np.allclose(found[name].per_class, score.per_class, rtol=1e-11), name
    for name in ("neighborhood_hit", "neighbor_confusion"):
        assert found[name].value == expected[name].value
    assert found["nc1"].n_samples == N
    # The scores of the landmarks are others.
    assert whole[0]["fc1"].scores["nc1"].value != pytest.approx(found["nc1"].value, rel=1e-6)


def test_every_sample_has_the_place_that_a_map_gives_it(whole, points):
    found, folder = whole
    layer = found["fc1"]
    placed = zarr.open_array(str(folder / "store" / layer.density.placed), mode="r")[:]
    rows = unknot.datasets.stratified_indices(found_labels(folder), 300, 0)
    assert np.array_equal(placed[rows], layer.map)
    tsne = unknot.TSNE(perplexity=10, max_iter=250, random_state=0)
    tsne.fit(points[:][rows])
    tsne.embedding_ = layer.map
    others = np.setdiff1d(np.arange(N), rows)
    assert np.array_equal(tsne.transform(points[:][others]), placed[others])


def test_places_do_not_depend_on_the_blocks_of_points(whole, points, monkeypatch):
    from unknot.neighbors import SearchSpace
    from unknot.projection import _landmarks, place_on_map

    layer = whole[0]["fc1"]
    space = SearchSpace.of(layer.points[...], "euclidean")
    found = []
    for block in (2**15, 77):
        monkeypatch.setattr(_landmarks, "BLOCK", block)
        found.append(place_on_map(points[:], space, layer.map, perplexity=10.0, n_jobs=1))
    assert np.array_equal(*found)


def found_labels(folder):
    (codes,) = (folder / "store").glob("data-*/codes")
    return zarr.open_array(str(codes), mode="r")[:].astype(np.int64)


def test_the_density_counts_every_sample_of_each_class(whole, labels):
    density = whole[0]["fc1"].density
    assert density.counts.sum(axis=(1, 2)).tolist() == [*np.bincount(labels).tolist(), 0]
    placed = zarr.open_array(str(whole[1] / "store" / density.placed), mode="r")[:]
    x0, x1, y0, y1 = density.bounds
    size = density.counts.shape[1]
    for code in range(4):
        own = placed[labels == code].astype(np.float64)
        table, _, _ = np.histogram2d(own[:, 1], own[:, 0], bins=size, range=((y0, y1), (x0, x1)))
        assert np.array_equal(table, density.counts[code])


def test_a_saved_copy_holds_the_density_and_the_scores(whole, tmp_path):
    whole[0].save(tmp_path / "copy")
    copy = unknot.Study.load(tmp_path / "copy")
    assert np.array_equal(copy["fc1"].density.counts, whole[0]["fc1"].density.counts)
    assert copy["fc1"].density.bounds == whole[0]["fc1"].density.bounds
    found = copy.controls["all samples"]["fc1"]["nc1"].value
    assert found == whole[0].controls["all samples"]["fc1"]["nc1"].value


def test_the_files_are_the_same_on_threads_and_a_cluster(whole, points, labels, client, tmp_path):
    expected = files(whole[1] / "out"), files(whole[1] / "store")
    with ThreadPoolExecutor(3) as executor:
        study(points, labels, tmp_path / "a", executor=executor, neighbors_of_all=True)
    study(points, labels, tmp_path / "b", client=client, neighbors_of_all=True)
    # The dashboard groups the partitions of a stage.
    shown = client.run_on_scheduler(lambda dask_scheduler: set(dask_scheduler.task_prefixes))
    assert {"totals of all", "scores of all", "places of all", "neighbors"} <= shown
    assert not any("partition" in name for name in shown)
    for name in ("a", "b"):
        found = files(tmp_path / name / "out"), files(tmp_path / name / "store")
        assert found[1] == expected[1], name
        assert found[0] == expected[0], name


def test_a_model_runs_on_workers_as_in_one_process(client, tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 9), torch.nn.ReLU(), torch.nn.Linear(9, 5), torch.nn.ReLU()
    )
    rng = np.random.default_rng(4)
    inputs = rng.normal(size=(700, 6)).astype(np.float32)
    labels = np.arange(700) % 3
    batch = {"x": torch.export.Dim("batch")}
    torch.export.save(
        torch.export.export(model, (torch.zeros(4, 6),), dynamic_shapes=({0: batch["x"]},)),
        tmp_path / "model.pt2",
    )
    mapped = np.lib.format.open_memmap(
        tmp_path / "inputs.npy", mode="w+", dtype=np.float32, shape=inputs.shape
    )
    mapped[:] = inputs
    mapped.flush()
    options = {**OPTIONS, "max_samples": 90, "batch_size": 50, "measures": ["nc1"]}
    given = np.load(tmp_path / "inputs.npy", mmap_mode="r")
    for name, extra in (("one", {"n_jobs": 1}), ("two", {"client": client})):
        unknot.study(
            str(tmp_path / "model.pt2"),
            (given, labels),
            out=tmp_path / name / "out",
            store=tmp_path / name / "store",
            **options,
            **extra,
        )
    assert files(tmp_path / "one" / "store") == files(tmp_path / "two" / "store")
    assert files(tmp_path / "one" / "out") == files(tmp_path / "two" / "out")
    loaded = unknot.load_model(tmp_path / "model.pt2")
    layers = unknot.extract(loaded, inputs, batch_size=50, progress=False)
    found = unknot.Study.load(tmp_path / "one" / "out")
    (home,) = (tmp_path / "one" / "store").glob("extract-*")
    own = [layer for layer in layers.layers if layer.same_as is None]
    assert own
    for number, layer in enumerate(own):
        stored = zarr.open_array(str(home / "points" / f"{number:03d}"), mode="r")[:]
        assert np.array_equal(stored, np.asarray(layers[layer.name])), layer.name
        score = unknot.measure(stored, labels, measures="nc1", n_resamples=0, n_permutations=0)
        value = found.controls["all samples"][layer.name]["nc1"].value
        assert value == pytest.approx(score["nc1"].value, rel=1e-12)
    assert "inputs" in found.controls["all samples"]


def test_unlabeled_samples_are_placed_and_not_measured(points, labels, tmp_path):
    some = np.where(np.arange(N) % 5 == 0, -1, labels)
    found = study(points, some, tmp_path, measures=["nc1"])
    known = some >= 0
    expected = unknot.measure(
        points[:][known], some[known], measures="nc1", n_resamples=0, n_permutations=0
    )
    value = found.controls["all samples"]["fc1"]["nc1"].value
    assert value == pytest.approx(expected["nc1"].value, rel=1e-12)
    density = found["fc1"].density
    assert density.counts[-1].sum() == (~known).sum()
    assert density.n_samples == N


# Going on.


def test_the_driver_is_killed_and_the_next_one_goes_on(points, labels, tmp_path, whole):
    np.save(tmp_path / "labels.npy", labels)
    script = DRIVER.format(
        here=str(Path(__file__).parent),
        points=str(points.store.root),
        labels=str(tmp_path / "labels.npy"),
    )
    out, store = tmp_path / "out", tmp_path / "store"
    call = [sys.executable, "-c", script, str(out), str(store)]
    killed = subprocess.run([*call, "12"], capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr
    before = {path: path.stat().st_mtime_ns for path in store.rglob("ledger/*.json")}
    assert len(before) == 12
    subprocess.run([*call, "100000"], check=True, capture_output=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    # Without the neighbors of all, which the first one searched.
    study(points, labels, tmp_path / "again")
    assert files(store) == files(tmp_path / "again" / "store")
    assert files(out) == files(tmp_path / "again" / "out")


def test_a_worker_is_killed_in_the_midst_and_the_files_are_the_same(
    whole, points, labels, client, tmp_path
):
    pids = []

    def kill_one(layer, stage, *_):
        if stage == "totals of all" and not pids:
            pids.extend(client.run(os.getpid).values())
            os.kill(pids[0], 9)

    study(points, labels, tmp_path, client=client, on_stage=kill_one, neighbors_of_all=True)
    assert pids
    assert files(tmp_path / "store") == files(whole[1] / "store")
    assert files(tmp_path / "out") == files(whole[1] / "out")
    client.wait_for_workers(2, timeout=60)


def test_what_was_damaged_is_done_again(whole, points, labels, tmp_path):
    shutil.copytree(whole[1] / "store", tmp_path / "store")
    expected = files(tmp_path / "store")
    (placed,) = (tmp_path / "store").glob("000-placed-*")
    (placed / "map" / "c" / "1" / "0").unlink()
    (placed / "parts" / "000002.bin").write_bytes(b"nothing")
    (placed / "ledger" / "000000.json").write_text("{")
    done = []
    real = partitions._do
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "_do", lambda s, n, *rest: done.append(n) or real(s, n, *rest))
        study(points, labels, tmp_path, neighbors_of_all=True)
    assert sorted(done) == [0, 1, 2]
    assert files(tmp_path / "store") == expected


def test_a_second_run_reuses_everything(whole, points, labels, tmp_path):
    shutil.copytree(whole[1], tmp_path / "copy")
    stages = []
    study(
        points,
        labels,
        tmp_path / "copy",
        neighbors_of_all=True,
        on_stage=lambda *stage: stages.append(stage),
    )
    assert all(reused for *_, reused in stages)
    assert ("fc1", "all samples") in [stage[:2] for stage in stages]


def test_partitions_are_whole_batches_and_not_too_many():
    for n, batch, row_bytes in ((10, 3, 4), (2_000_000, 500, 256), (10**9, 500, 2048), (5, 8, 1)):
        found = partitions.partitions_of(n, batch, row_bytes, 2**25)
        assert found[0].start == 0
        assert found[-1].stop == n
        assert all(a.stop == b.start for a, b in itertools.pairwise(found))
        assert all(part.start % batch == 0 for part in found)
        assert len(found) <= partitions.MOST_PARTITIONS
        if len(found) > 1:
            assert (found[0].stop // batch).bit_count() == 1


# Bad input.


def test_nan_in_a_partition_is_named(points, labels, client, tmp_path):
    bad = zarr.create_array(str(tmp_path / "bad.zarr"), shape=(N, 10), chunks=(N, 10), dtype="f4")
    values = points[:]
    rows = unknot.datasets.stratified_indices(labels, 300, 0)
    row = next(row for row in range(900, N) if row not in rows)
    values[row, 3] = np.nan
    bad[:] = values
    with pytest.raises(ClusterError) as raised:
        study(bad, labels, tmp_path, client=client)
    message = str(raised.value)
    assert "fc1: totals of all, partition " in message
    assert "on the worker tcp://" in message
    assert f"NaN or infinity in 1 samples, the first of them {row:,}" in message
    assert "What was finished is kept" in message
    assert any((tmp_path / "store").rglob("ledger/*.json"))


@pytest.mark.parametrize("on_disk", [True, False])
def test_nan_in_a_landmark_is_named_by_its_number_among_all(on_disk, points, labels, tmp_path):
    values = points[:]
    row = int(unknot.datasets.stratified_indices(labels, 300, 0)[-1])
    values[row, 3] = np.inf
    np.save(tmp_path / "bad.npy", values)
    given = np.load(tmp_path / "bad.npy", mmap_mode="r" if on_disk else None)
    with pytest.raises(ValueError, match=rf"'fc1' holds NaN or infinity, as in the sample {row:,}"):
        study(given, labels, tmp_path)
    with pytest.raises(ValueError, match=rf"the inputs holds? NaN or inf.* the sample {row:,}"):
        unknot.study(
            {"fc1": points},
            (given, labels),
            out=tmp_path / "out",
            store=tmp_path / "store",
            **OPTIONS,
        )


def test_a_store_that_vanishes_is_said_and_made_again(points, labels, whole, tmp_path):
    def remove(layer, stage, *_):
        if stage == "totals of all":
            shutil.rmtree(tmp_path / "store")

    with pytest.raises(
        ClusterError, match=r"fc1: totals of all, in this process: .*is not seen there: .*is kept"
    ):
        study(points, labels, tmp_path, on_stage=remove)
    stages = []
    study(points, labels, tmp_path, on_stage=lambda *stage: stages.append(stage))
    assert [reused for *stage, _, reused in stages if stage == ["fc1", "map"]] == [True]
    study(points, labels, tmp_path / "whole")
    assert files(tmp_path / "store") == files(tmp_path / "whole" / "store")


def test_a_full_store_is_said(points, labels, tmp_path, monkeypatch):
    def full(self, key, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(
        shared_store.SharedStore, "write_arrays", lambda self, key, **a: full(self, key, a)
    )
    with pytest.raises(ClusterError, match=r"partition 0 .*the store .* is full: make room.*kept"):
        study(points, labels, tmp_path)


def test_a_store_that_workers_do_not_see_is_named(points, labels, client, tmp_path, monkeypatch):
    from unknot._cluster import workers

    write = workers.Path.write_text
    monkeypatch.setattr(
        workers.Path,
        "write_text",
        lambda path, text: 0 if path.parent.name == "store" else write(path, text),
    )
    with pytest.raises(ClusterError, match=r"does not see the folder .*store: pass store="):
        study(points, labels, tmp_path, client=client)


def test_a_store_that_cannot_be_made_is_said(points, labels, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"store: the folder .* cannot be created"):
        unknot.study(
            {"fc1": points},
            (None, labels),
            out=tmp_path / "out",
            store=tmp_path / "file" / "store",
            **OPTIONS,
        )
    for where, kind in ((3, TypeError), ("ftp://bucket", ValueError), ("", ValueError)):
        with pytest.raises(kind, match="store must be"):
            shared_store.SharedStore.of(where)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "cosine"}, "store: all samples are measured by Euclidean distance only"),
        ({"preprocess": "standardize"}, "store: preprocess= is not taken"),
        ({"plan": True}, "store: a plan is of samples in memory"),
        ({"out": None}, r"store: .* pass out= too"),
        ({"store": None, "neighbors_of_all": True}, "neighbors_of_all is of a study with store="),
    ],
)
def test_what_does_not_go_with_a_store_is_refused(change, message, points, labels, tmp_path):
    options = {**OPTIONS, "out": tmp_path / "out", "store": tmp_path / "store", **change}
    with pytest.raises(ValueError, match=message):
        unknot.study({"fc1": points}, (None, labels), **options)


def test_data_that_cannot_be_read_in_parts_are_refused(points, labels, tmp_path):
    options = {**OPTIONS, "out": tmp_path / "out", "store": tmp_path / "store"}
    with pytest.raises(ValueError, match=r"model: 'fc1' must have a row .* 1,800 labels"):
        unknot.study({"fc1": points}, (None, labels[:-1]), **options)
    with pytest.raises(ValueError, match="labels must be the classes of one labeling"):
        unknot.study({"fc1": points}, (None, labels + 0.5), **options)
    wide = zarr.create_array(str(tmp_path / "w.zarr"), shape=(N, 2), chunks=(N, 2), dtype="f8")
    with pytest.raises(ValueError, match=r"'fc1' must hold float32.*got float64.*Store it as"):
        unknot.study({"fc1": wide}, (None, labels), **options)
    far = points[:].astype(np.float64) + 1e9
    with pytest.raises(ValueError, match="needs more precision than float32 has"):
        unknot.study({"fc1": far}, (None, labels), **options)


def test_a_model_in_memory_is_refused_on_workers(client, tmp_path):
    torch = pytest.importorskip("torch")
    data = np.zeros((20, 4), np.float32), np.arange(20) % 2
    options = {**OPTIONS, "max_samples": 10, "measures": ["nc1"]}
    with pytest.raises(ClusterError, match=r"model: workers load it .* pass the path"):
        unknot.study(
            torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()),
            data,
            out=tmp_path / "out",
            store=tmp_path / "store",
            client=client,
            **options,
        )
    # Before the landmarks are studied.
    assert not list((tmp_path / "out").rglob("part.json"))


def test_the_command_line_takes_a_store(labels, points, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from unknot.cli import app

    monkeypatch.chdir(tmp_path)
    np.savez("layers.npz", fc1=points[:])
    np.save("labels.npy", labels)
    call = ["study", "layers.npz", "labels.npy", "--out", "out", "--store", "store"]
    more = ["--max-samples", "300", "--max-iter", "250", "--measures", "nc1"]
    result = CliRunner().invoke(app, [*call, *more], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = unknot.Study.load("out")
    assert "nc1" in found.controls["all samples"]["fc1"]
    assert json.loads(Path("out/study.json").read_text())["settings"]["n_samples_of_all"] == N


def test_the_page_has_the_density_of_all_samples(whole):
    from unknot.report import build_payload

    def numbers(packed):
        kind = {"u8": "u1", "u16": "<u2", "u32": "<u4"}[packed["dtype"]]
        return np.frombuffer(base64.b64decode(packed["data"]), kind).astype(np.int64)

    density = whole[0]["fc1"].density
    entry = build_payload(whole[0])["models"][0]["layers"][0]["density"]
    assert (entry["samples"], entry["size"]) == (N, density.counts.shape[1])
    table = np.zeros((5, entry["size"] ** 2), np.int64)
    rows = np.repeat(np.arange(5), numbers(entry["lengths"]))
    table[rows, numbers(entry["cells"])] = numbers(entry["counts"])
    assert np.array_equal(table.reshape(density.counts.shape), density.counts)
    assert (*entry["xRange"], *entry["yRange"]) == density.bounds
