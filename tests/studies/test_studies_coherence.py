"""The maps of a study are refined together, and none lies for it."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

import unknot
from unknot.projection import COHERENCE, displacement, refine_maps
from unknot.studies import EpochRecorder
from unknot.studies._pipeline.coherence import hit_guard
from unknot.studies._pipeline.labeling import Labeling
from unknot.studies._pipeline.settings import COHERENCE as OF_STUDIES

N, CLASSES = 300, 3
QUICK = {
    "measures": ["map_neighborhood_hit"],
    "perplexity": 10,
    "n_neighbors": 30,
    "progress": False,
}
LABELS = np.repeat(np.arange(CLASSES), N // CLASSES)


def separated(by, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(N, 8)) + by * np.eye(CLASSES, 8)[LABELS]).astype(np.float32)


@pytest.fixture(scope="module")
def layers():
    return {"one": separated(1), "dead": np.zeros((N, 4), np.float32), "two": separated(2)}


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "seconds.json"
    }


def test_the_default_is_that_of_the_projection():
    assert OF_STUDIES == COHERENCE


def test_maps_are_refined_and_scored_so(layers):
    together = unknot.study(layers, (None, LABELS), **QUICK)
    apart = unknot.study(layers, (None, LABELS), coherence=0, **QUICK)
    graphs = {name: layer.graph for name, layer in apart.layers.items() if layer.map is not None}
    maps = {name: apart[name].map for name in graphs}
    found = refine_maps(
        graphs, maps, accept=guard_of(), perplexity=10, random_state=0, coherence=0.1
    )
    for name, each in found.items():
        assert together[name].map.tobytes() == each.map_.tobytes()
        assert together[name].kl_divergence == each.kl_divergence
        hit = unknot.metrics.neighborhood_hit(each.map_, LABELS).value
        assert together.scores.value(name, "map_neighborhood_hit") == hit
    moved, before = (
        displacement(study["two"].map, study["one"].map) for study in (together, apart)
    )
    assert moved < before
    assert together["dead"].map is None
    assert "all layers: coherence" in together.seconds
    assert "all layers: coherence" not in apart.seconds
    assert (together.settings["coherence"], apart.settings["coherence"]) == (0.1, 0)


def test_one_layer_has_the_map_that_it_has_alone():
    one = {"one": separated(1)}
    found = [unknot.study(one, (None, LABELS), coherence=c, **QUICK) for c in (0, 0.1)]
    assert found[0]["one"].map.tobytes() == found[1]["one"].map.tobytes()


KILLED = """
import os, signal, sys, numpy as np, unknot
from unknot.projection import _coupled
original = _coupled.CoupledMaps._couple
calls = []
def couple(self, *arguments):
    calls.append(1)
    if len(calls) == 20:
        os.kill(os.getpid(), signal.SIGKILL)
    original(self, *arguments)
_coupled.CoupledMaps._couple = couple
arrays = np.load(sys.argv[1])
labels = arrays["labels"]
layers = {name: arrays[name] for name in arrays.files if name != "labels"}
unknot.study(layers, (None, labels), out=sys.argv[2], measures=["map_neighborhood_hit"],
             perplexity=10, n_neighbors=30, progress=False)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_in_the_refinement_it_goes_on(layers, tmp_path):
    np.savez(tmp_path / "layers.npz", labels=LABELS, **layers)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "layers.npz"), str(tmp_path / "killed")]
    assert subprocess.run(command, check=False).returncode == -9
    assert not (tmp_path / "killed" / "study.json").exists()
    stages = []
    for name in ("killed", "whole"):
        unknot.study(
            layers,
            (None, LABELS),
            out=tmp_path / name,
            on_stage=lambda *stage: stages.append(stage),
            **QUICK,
        )
    assert ("one", "map") in {stage[:2] for stage in stages[: len(stages) // 2] if stage[3]}
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_epochs_are_a_grid_in_which_the_inputs_are_once(layers):
    recorder = EpochRecorder((separated(1), LABELS), untrained=False, **QUICK)
    for epoch, by in enumerate((1, 1.5, 2)):
        recorder.capture({"one": separated(by), "two": separated(2 * by)}, epoch)
    study = recorder.study()
    inputs = {there["inputs"].map.tobytes() for there in study.epochs.values()}
    assert len(inputs) == 1
    assert inputs == {study["inputs"].map.tobytes()}
    alone = EpochRecorder((separated(1), LABELS), untrained=False, coherence=0, **QUICK)
    for epoch, by in enumerate((1, 1.5, 2)):
        alone.capture({"one": separated(by), "two": separated(2 * by)}, epoch)
    apart = alone.study()

    def path(found):
        maps = [found.epochs[epoch]["two"].map for epoch in (0, 1, 2)]
        return sum(displacement(b, a) for a, b in pairwise(maps))

    assert path(study) < path(apart)


def guard_of(labels=LABELS, k=6, **changes):
    names = tuple("abc")
    return hit_guard(Labeling(labels, names, True, True, **changes), k, None)


@pytest.fixture(scope="module")
def lie():
    """Pixels that hardly tell the classes, an output that does, and their own maps."""
    layers = {"pixels": separated(0.5), "output": separated(4)}
    study = unknot.study(layers, (None, LABELS), coherence=0, **QUICK)
    graphs = {name: layer.graph for name, layer in study.layers.items()}
    return graphs, {name: layer.map for name, layer in study.layers.items()}


def hits(maps):
    return {
        name: unknot.metrics.neighborhood_hit(map_, LABELS).value for name, map_ in maps.items()
    }


def test_a_coupling_that_lies_is_weakened_and_said(lie, monkeypatch):
    graphs, maps = lie
    before = hits(maps)
    options = {"coherence": 1.0, "perplexity": 10, "random_state": 0}
    # Strong coupling alone does lie: the pixels' map takes over the classes of the output.
    monkeypatch.setattr("unknot.projection._coupled.WORSE", 100.0)
    without = refine_maps(graphs, maps, **options)
    lying = hits({name: each.map_ for name, each in without.items()})
    assert lying["pixels"] > before["pixels"] + 0.1
    guard = guard_of()
    found = refine_maps(graphs, maps, accept=guard, **options)
    after = hits({name: each.map_ for name, each in found.items()})
    interval = unknot.measure(maps["pixels"], LABELS, measures="neighborhood_hit")[
        "neighborhood_hit"
    ].interval
    assert interval[0] <= after["pixels"] <= interval[1]
    assert (0, "pixels") in guard.refused
    assert "with more, its Neighborhood Hit changes from" in found["pixels"].note


def test_the_divergence_guards_without_labels(lie):
    graphs, maps = lie
    before = hits(maps)
    found = refine_maps(graphs, maps, coherence=1.0, perplexity=10, random_state=0)
    after = hits({name: each.map_ for name, each in found.items()})
    assert after["pixels"] < before["pixels"] + 0.05


def test_a_study_says_it_in_the_notes_of_the_layer(monkeypatch):
    monkeypatch.setattr("unknot.projection._coupled.WORSE", 100.0)
    layers = {"pixels": separated(0.5), "output": separated(4)}
    study = unknot.study(layers, (None, LABELS), coherence=1.0, **QUICK)
    (note,) = [note for note in study["pixels"].notes if "coherence" in note]
    assert "instead of 1: with more, its Neighborhood Hit changes from" in note


def test_numbers_and_one_class_have_no_guard():
    assert guard_of(np.zeros(N, np.int64)) is None
    numbers = Labeling(np.full(N, -1), (), True, True, kind="values", values=np.arange(float(N)))
    assert hit_guard(numbers, 6, None) is None
    few = np.where(np.arange(N) < 2, LABELS, -1)
    assert guard_of(few) is None


def test_the_guard_looks_at_labeled_samples_only(lie):
    _, maps = lie
    labels = LABELS.copy()
    labels[:150] = -1
    moved = maps["output"].copy()
    moved[:150] = 0
    assert guard_of(labels)((0, "output"), maps["output"], moved) is None
    assert guard_of()((0, "output"), maps["output"], moved) is not None


@pytest.mark.parametrize("coherence", [-0.1, 1.01, float("nan")])
def test_bad_coherence_is_named(layers, coherence):
    with pytest.raises(ValueError, match="coherence must be a number from 0"):
        unknot.study(layers, (None, LABELS), coherence=coherence, **QUICK)
