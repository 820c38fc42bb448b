"""What lies in the folder of a study is of this model and these data, whatever lay there before."""

import numpy as np
import pytest
from studies_settings import fast

import unknot
from unknot.studies import EpochRecorder, Study

LABELS = np.repeat([0, 1], 40)
INPUTS = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32) + LABELS[:, None]
QUICK = fast(measures="neighborhood_hit", untrained=False)


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "seconds.json"
    }


@pytest.mark.parametrize("n_samples", [None, 20])
@pytest.mark.parametrize("n_rows", [79, 81, 240])
def test_layers_of_another_length_are_refused_before_samples_are_drawn(n_samples, n_rows):
    layers = {"fc1": INPUTS, "fc2": np.resize(INPUTS, (n_rows, 4))}
    with pytest.raises(
        ValueError, match=rf"layer 'fc2' must have a row for each of the 80 .*{n_rows}"
    ):
        unknot.study(layers, (INPUTS, LABELS), max_samples=n_samples, **QUICK)
    recorder = EpochRecorder(
        (INPUTS, LABELS), max_samples=n_samples, measures="neighborhood_hit", progress=False
    )
    with pytest.raises(ValueError, match="layer 'fc2' must have a row for each of the 80"):
        recorder.capture(layers, 1)


@pytest.mark.parametrize("n_samples", [0, -1, True])
def test_a_wrong_number_of_samples_is_named(n_samples):
    with pytest.raises(ValueError, match=r"max_samples must be an integer from \d .*; got"):
        unknot.study({"fc1": INPUTS}, (INPUTS, LABELS), max_samples=n_samples, **QUICK)


def test_a_recorder_draws_the_same_samples_of_layers():
    recorder = EpochRecorder(
        (INPUTS, LABELS), max_samples=40, measures="neighborhood_hit", max_iter=250, progress=False
    )
    recorder.capture({"copy": INPUTS}, 1)
    study = recorder.study()
    assert study["copy"].same_as == "inputs" or np.array_equal(
        study["copy"].points, study["inputs"].points
    )
    assert len(study.labels) == 40


def network(torch, act="relu", scale=1.0):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.scale = torch.nn.Linear(4, 6), torch.nn.Linear(6, 2), scale

        def forward(self, x):
            return self.fc2(self.scale * getattr(torch, act)(self.fc1(x)))

    torch.manual_seed(0)
    return Net()


def test_a_changed_model_is_computed_anew(tmp_path):
    """The weights are the same, and so is the description of the modules."""
    torch = pytest.importorskip("torch")

    def run(model, folder="s"):
        stages = []
        found = unknot.study(
            model,
            (INPUTS, LABELS),
            out=tmp_path / folder,
            name="net",
            on_stage=lambda *stage: stages.append(stage),
            **QUICK,
        )
        return found, all(reused for *_, reused in stages)

    run(network(torch))
    assert run(network(torch))[1]
    hooked = network(torch)
    hooked.fc1.register_forward_hook(lambda module, inputs, output: output.abs())
    for number, model in enumerate((network(torch, "tanh"), network(torch, scale=3.0), hooked)):
        found, reused = run(model)
        assert not reused
        alone, _ = run(model, f"alone-{number}")
        np.testing.assert_array_equal(found["fc2"].points[:], alone["fc2"].points[:])
        assert content(tmp_path / "s") == content(tmp_path / f"alone-{number}")


def test_the_memory_changes_nothing(tmp_path, monkeypatch):
    """Where layers are kept while the model runs depends on what is free at that moment."""
    torch = pytest.importorskip("torch")
    from unknot._validation import numbers

    def run(folder, **options):
        unknot.study(
            network(torch), (INPUTS, LABELS), out=tmp_path / folder, name="net", **options, **QUICK
        )
        return content(tmp_path / folder)

    first = run("first")
    assert run("second", max_memory="8 GB") == first
    monkeypatch.setattr(numbers, "free_memory", lambda: 0)
    assert run("third") == first
    # With too little for a batch the last digits differ: it is another study.
    assert run("fourth", max_memory=300) != first
    assert run("first", max_memory=300) == content(tmp_path / "fourth")


def test_arrays_are_stored_as_they_are(tmp_path):
    """A compressor's bytes depend on its version, and on what else the process has loaded."""
    unknot.study({"fc1": INPUTS * 2}, (INPUTS, LABELS), out=tmp_path / "s", **QUICK)
    chunks = sorted(tmp_path.glob("s/parts/*/**/c/0*"))
    assert len(chunks) >= 8
    study = Study.load(tmp_path / "s")
    stored = {
        "fc1": study["fc1"].points[:],
        "map": study["fc1"].map,
        "graph": study["fc1"].graph.distances,
        "labels": study.labels,
    }
    held = [path.read_bytes() for path in tmp_path.glob("s/parts/**/*") if path.is_file()]
    for array in stored.values():
        values = np.ascontiguousarray(array).tobytes()
        # Behind the values may stand a checksum of four bytes.
        assert any(values in (content, content[:-4]) for content in held)


def test_extracted_layers_replace_their_like_only(tmp_path):
    torch = pytest.importorskip("torch")

    def extract():
        return unknot.extract(
            network(torch), INPUTS, ["fc1"], max_memory=0, store=tmp_path, progress=False
        )

    first = extract()["fc1"][:]
    np.testing.assert_array_equal(extract()["fc1"][:], first)
    (tmp_path / "fc1.zarr" / "c" / "notes.txt").write_text("precious")
    with pytest.raises(FileExistsError, match=r"fc1\.zarr exists and is not a layer"):
        extract()
    assert (tmp_path / "fc1.zarr" / "c" / "notes.txt").read_text() == "precious"
    (tmp_path / "fc1.zarr").rename(tmp_path / "moved")
    (tmp_path / "fc1.zarr").symlink_to(tmp_path / "moved")
    with pytest.raises(FileExistsError, match="is not a layer 'fc1' that unknot wrote"):
        extract()
    (tmp_path / "fc1.zarr").unlink()
    (tmp_path / "fc1.zarr").write_text("precious")
    with pytest.raises(FileExistsError, match="use another folder"):
        extract()
    assert (tmp_path / "fc1.zarr").read_text() == "precious"


def test_what_a_killed_extraction_left_is_removed(tmp_path):
    from unknot._io.lock import locked

    for name in ("killed", "at-work", "mine"):
        (tmp_path / f".unknot-{name}" / "x").mkdir(parents=True)
    (tmp_path / ".unknot-killed" / ".lock").touch()
    with locked(tmp_path / ".unknot-at-work"):
        unknot.extract({"a": INPUTS}, None, max_memory=0, store=tmp_path, progress=False)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".unknot-at-work", ".unknot-mine", "a.zarr"}


def test_a_layer_tells_of_copies():
    """Of a unit that is off for half of the samples."""
    off = INPUTS * (LABELS == 0)[:, None]
    study = unknot.study({"relu": off}, (INPUTS, LABELS), **{**QUICK, "n_neighbors": 12})
    (note,) = (note for note in study["relu"].notes if "copies" in note)
    assert note.startswith("9 samples have more copies than neighbors are looked at")
    _, counts = np.unique(study["relu"].map, axis=0, return_counts=True)
    assert counts.max() == 10
    assert not any("copies" in note for note in study["inputs"].notes)
