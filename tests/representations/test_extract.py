"""What does not depend on the framework: choosing, storing, reducing; arrays stand for models."""

import gc
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from unknot._validation import numbers
from unknot.representations import Representations, _extract, _store, extract, list_layers


@pytest.fixture
def stored():
    """Layers of 50 samples: an image, the same flattened, and points."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((50, 6, 4, 3)).astype(np.float32)
    return {
        "conv1": image,
        "conv2": image**2,
        "flat": (image**2).reshape(50, -1),
        "fc": rng.standard_normal((50, 5)).astype(np.float32),
    }


def names(stored, layers):
    return list(extract(stored, None, layers, progress=False))


def test_arrays_pass_as_they_are(stored):
    found = extract(stored, None, batch_size=7, progress=False)
    for name, array in stored.items():
        np.testing.assert_array_equal(found[name], array)
    assert [layer.same_as for layer in found.layers] == [None, None, "conv2", None]
    assert found.output is None
    assert found.n_samples == 50


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("conv*", ["conv1", "conv2"]),
        (["fc", "conv?"], ["conv1", "conv2", "fc"]),
        (0, ["conv1"]),
        (-1, ["fc"]),
        (slice(1, 3), ["conv2", "flat"]),
        ([-1, slice(None, 1), "f[l]at"], ["conv1", "flat", "fc"]),
    ],
)
def test_layers_are_chosen_by_name_pattern_and_depth(stored, layers, expected):
    assert names(stored, layers) == expected


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ("conv3", ValueError, r"no layer 'conv3'; did you mean 'conv2' or 'conv1'\?"),
        ("x*", ValueError, "no layer 'x\\*'; its layers are conv1, conv2, flat, fc"),
        (4, ValueError, "has 4 layers, 0 to 3 or -1 to -4 from the end; got 4"),
        ([True], TypeError, "names, patterns, indices or slices of indices; got True"),
        ([], ValueError, "at least one layer"),
        (slice(9, None), ValueError, "at least one layer"),
    ],
)
def test_layers_that_are_not_there(stored, layers, error, message):
    with pytest.raises(error, match=message):
        extract(stored, None, layers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be an integer of at least 1; got 0"),
        ({"pool": "median"}, "pool must be one of 'auto', 'mean', 'max', .* got 'median'; did you"),
        ({"pool": 0}, "pool must be at least 1; got 0"),
        ({"project": -3}, "project must be at least 1; got -3"),
        ({"max_memory": "2 pounds"}, "max_memory must be a number of bytes, or text"),
        ({"max_memory": -1}, "max_memory must be a number of bytes"),
    ],
)
def test_settings_that_mean_nothing(stored, options, message):
    with pytest.raises(ValueError, match=message):
        extract(stored, None, **options)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2 GB", 2 * 10**9), ("1.5MiB", 1.5 * 2**20), ("10k", 10**4), ("7", 7), (12, 12)],
)
def test_budgets_are_read(text, size):
    assert numbers.memory_budget(text) == size


def test_the_default_budget_is_part_of_what_is_free(monkeypatch):
    assert 0 < numbers.memory_budget(None) <= 10**9
    monkeypatch.setattr(numbers, "free_memory", lambda: 3000)
    assert numbers.memory_budget(None) == 1500


def test_the_largest_go_to_disk_and_are_the_same(stored, tmp_path):
    # 14,400 bytes each for conv1, conv2 and (a view) flat, and 1,000 for fc.
    found = extract(stored, None, max_memory=16_000, store=tmp_path, batch_size=7)
    kinds = {name: isinstance(array, np.ndarray) for name, array in found.items()}
    assert kinds == {"conv1": True, "conv2": False, "flat": False, "fc": True}
    for name, array in stored.items():
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name][:], array)
        np.testing.assert_array_equal(found.points(name), array.reshape(50, -1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conv2.zarr", "flat.zarr"]
    assert "conv2 (6, 4, 3) on disk" in repr(found)
    assert [len(block) for _, block in found.blocks("conv2", 20)] == [20, 20, 10]
    np.testing.assert_array_equal(
        np.concatenate([block for _, block in found.blocks("conv2", 20)]), stored["flat"]
    )
    with pytest.raises(ValueError, match="size must be an integer of at least 1; got 0"):
        next(found.blocks("conv2", 0))


def test_chunks_are_of_samples_whatever_the_batch(stored, tmp_path, monkeypatch):
    monkeypatch.setattr(_store, "CHUNK_BYTES", 8 * 72 * 4)
    found = extract(stored, None, "conv1", max_memory=0, store=tmp_path, batch_size=11)
    assert found["conv1"].chunks == (8, 6, 4, 3)
    np.testing.assert_array_equal(found["conv1"][:], stored["conv1"])


def test_a_second_extraction_replaces_the_first(stored, tmp_path):
    extract(stored, None, max_memory=0, store=tmp_path)
    changed = {name: array + 1 for name, array in stored.items()}
    found = extract(changed, None, max_memory=0, store=tmp_path)
    np.testing.assert_array_equal(found["fc"][:], changed["fc"])
    assert len(list(tmp_path.iterdir())) == 4


def test_names_are_safe_as_files(tmp_path):
    stored = {"../a/b:2": np.ones((3, 2)), "a%": np.eye(3)}
    found = extract(stored, None, max_memory=0, store=tmp_path / "in")
    np.testing.assert_array_equal(found["../a/b:2"][:], 1)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == [
        "..%2Fa%2Fb%3A2.zarr",
        "a%25.zarr",
    ]


def test_a_temporary_store_lives_as_long_as_its_arrays(stored):
    found = extract(stored, None, ["conv1", "fc"], max_memory=0)
    folder = Path(found["conv1"].store.root)
    array = found["conv1"]
    del found
    gc.collect()
    np.testing.assert_array_equal(array[:], stored["conv1"])
    del array
    gc.collect()
    assert not folder.parent.exists()


def test_a_temporary_store_is_gone_with_its_process(tmp_path):
    code = (
        "import numpy as np, unknot\n"
        "found = unknot.extract({'a': np.ones((5, 4))}, None, max_memory=0)\n"
        "print(found['a'].store.root)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_seen_before_the_work(stored, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"need 44\.2 kB on disk .* raise max_memory"):
        extract(stored, None, max_memory=0, store=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_what_was_there(stored, tmp_path, monkeypatch):
    extract(stored, None, max_memory=0, store=tmp_path)
    flush, calls = _store.OnDisk._write_chunk, []

    def full(self):
        calls.append(self)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        flush(self)

    monkeypatch.setattr(_store.OnDisk, "_write_chunk", full)
    with pytest.raises(
        OSError, match=r"layer 'flat' could not be written .*No space left"
    ) as caught:
        extract({n: a + 1 for n, a in stored.items()}, None, max_memory=0, store=tmp_path)
    assert caught.value.errno == 28
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("conv1.zarr", "conv2.zarr", "fc.zarr", "flat.zarr")
    ]
    import zarr

    np.testing.assert_array_equal(zarr.open_array(tmp_path / "fc.zarr", mode="r")[:], stored["fc"])


def test_large_batches_are_run_in_parts(stored, monkeypatch):
    sizes = []

    class Arrays(dict):
        pass

    original = _extract.Column.append

    def append(self, values, start, stop, *more):
        sizes.append(stop - start)
        original(self, values, start, stop, *more)

    monkeypatch.setattr(_extract.Column, "append", append)
    monkeypatch.setattr(_extract, "MAX_BATCH_BYTES", 10 * 72 * 4)
    extract(Arrays(stored), None, "conv1", batch_size=500)
    assert sizes == [10] * 5


@pytest.mark.parametrize("max_memory", [None, 0])
def test_views_are_checked_in_every_batch(max_memory):
    rng = np.random.default_rng(0)
    first = rng.random((60, 4)).astype(np.float32)
    second = first.copy()
    second[55] += 1
    stored = {"first": first, "second": second.reshape(60, 2, 2)}
    assert list_layers(stored, None)[1].same_as == "first"
    found = extract(stored, None, batch_size=20, max_memory=max_memory)
    assert found.layers[1].same_as is None
    np.testing.assert_array_equal(found["second"][:], stored["second"])
    np.testing.assert_array_equal(found["first"][:], first)


def test_dead_layers_are_views_of_nothing():
    layers = list_layers({"a": np.zeros((9, 3)), "b": np.zeros((9, 3))}, None)
    assert [layer.same_as for layer in layers] == [None, None]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"its values are 20\.00% NaN in the samples 10 to 14, first in sample 12"),
        (np.inf, r"its values are 20\.00% infinite in the samples 10 to 14, first in sample 12"),
    ],
)
def test_values_that_are_not_finite_name_layer_and_share(value, message):
    bad = np.ones((20, 3))
    bad[12] = value
    found = extract({"a": np.ones((20, 3)), "b": bad}, None, batch_size=5)
    assert list(found) == ["a"]  # one bad layer ends nothing
    assert [note for note in found.notes if re.search(f"^b left out: {message}", note)]
    with pytest.raises(ValueError, match=f"'b' cannot be used: {message}"):
        extract({"b": bad}, None, batch_size=5)


def test_large_values_are_finite():
    huge = np.full((9, 500), 3e38, np.float32)
    np.testing.assert_array_equal(extract({"a": huge}, None)["a"], huge)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({}, "at least one layer"),
        ({"a": np.ones(3)}, "of two dimensions or more"),
        (
            {"a": np.ones((3, 2)), "b": np.ones((4, 2))},
            "the same number of samples; got {'a': 3, 'b': 4}",
        ),
        ({"a": np.ones((0, 2))}, "at least one sample"),
    ],
)
def test_arrays_that_are_no_layers(stored, message):
    with pytest.raises(ValueError, match=message):
        extract(stored, None)


def test_arrays_of_other_kinds_are_refused(stored):
    with pytest.raises(TypeError, match="'a' must hold real numbers; got dtype"):
        extract({"a": np.array([["x"]])}, None)
    with pytest.raises(TypeError, match="named by strings; got 3"):
        extract({3: np.ones((2, 2))}, None)
    with pytest.raises(ValueError, match="the layers hold 50 samples; got 3"):
        extract(stored, np.ones((3, 2)))


def test_pooling_by_hand(stored):
    found = extract(stored, None, pool="mean", progress=False)
    np.testing.assert_allclose(found["conv1"], stored["conv1"].mean((1, 2)), atol=1e-6)
    assert found["fc"].shape == (50, 5)  # no image
    assert found.layers[0].description == "pooled: mean over 24 positions"
    assert found.layers[0].shape == (6, 4, 3)  # as the layer makes it
    assert found.reductions["conv1"]["shape"] == [3]
    assert "fc" not in found.reductions
    found = extract(stored, None, "conv1", pool="max", progress=False)
    np.testing.assert_array_equal(found["conv1"], stored["conv1"].max((1, 2)))
    # 6 rows in 4 cells: 0-1, 1-2, 3-4, 4-5; 4 columns in 4 cells: themselves.
    found = extract(stored, None, "conv1", pool=4, progress=False)
    rows = [stored["conv1"][:, first : first + 2].mean(1) for first in (0, 1, 3, 4)]
    np.testing.assert_allclose(found["conv1"], np.stack(rows, 1), atol=1e-6)


def test_pooled_grids_are_those_of_pytorch_with_channels_first():
    torch = pytest.importorskip("torch")
    inputs = np.random.default_rng(0).standard_normal((10, 3, 7, 5)).astype(np.float32)
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Sigmoid())
    # Without weights either side may be the channels'.
    with pytest.raises(ValueError, match="which of its axes"):
        extract(model, inputs, "1", pool=3, progress=False)
    found = extract(model, inputs, "1", pool=3, channels={"1": "first"}, progress=False)
    expected = torch.nn.functional.adaptive_avg_pool2d(torch.sigmoid(torch.tensor(inputs)), 3)
    np.testing.assert_allclose(found["1"], expected.numpy(), atol=1e-6)


def test_views_of_reduced_layers_are_reduced_with_them(stored):
    found = extract(stored, None, pool="mean", progress=False)
    np.testing.assert_array_equal(found["flat"], found["conv2"])
    assert found.reductions["flat"] == found.reductions["conv2"]


def test_a_projection_states_the_distortion_that_it_has():
    points = np.random.default_rng(0).standard_normal((40, 900)).astype(np.float32)
    found = extract({"wide": points, "narrow": points[:, :100]}, None, project=100, batch_size=16)
    assert found["wide"].shape == (40, 100)
    np.testing.assert_array_equal(found["narrow"], points[:, :100])
    ratios = pdist(found["wide"].astype(float)) / pdist(points.astype(float))
    report = found.reductions["wide"]
    assert report["pairs"] == 40 * 39 / 2  # few enough samples to measure all
    assert report["largest_ratio"] == pytest.approx(ratios.max(), rel=1e-5)
    assert report["smallest_ratio"] == pytest.approx(ratios.min(), rel=1e-5)
    assert report["typical_change"] == pytest.approx(np.sqrt(np.mean((ratios - 1) ** 2)), rel=1e-4)
    assert 0.03 < report["typical_change"] < 0.15  # 1 / sqrt(2 · 100) = .07 is expected
    assert "from 900 to 100 numbers (seed 0); distances change by" in found.layers[0].description


def test_a_projection_is_seeded_and_linear():
    points = np.random.default_rng(0).standard_normal((30, 400)).astype(np.float32)

    def projected(values, seed):
        return extract({"a": values}, None, project=20, random_state=seed)["a"]

    first = projected(points, 1)
    np.testing.assert_array_equal(first, projected(points, 1))
    assert not np.allclose(first, projected(points, 2))
    np.testing.assert_allclose(projected(3 * points, 1), 3 * first, rtol=1e-4, atol=1e-4)


def test_reductions_on_disk(stored, tmp_path):
    memory = extract(stored, None, pool=2, project=10)
    disk = extract(stored, None, pool=2, project=10, max_memory=0, store=tmp_path)
    for name in memory:
        np.testing.assert_array_equal(disk[name][:], memory[name])
    assert disk.reductions == memory.reductions


def test_representations_are_of_the_same_samples():
    with pytest.raises(ValueError, match="the same number of samples"):
        Representations({"a": np.zeros((2, 1), np.float32), "b": np.zeros((3, 1), np.float32)})
