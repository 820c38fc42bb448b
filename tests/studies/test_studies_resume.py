"""A study that is killed goes on where it was, and ends as one that was not, byte for byte."""

import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from studies_settings import fast

import unknot

SCRIPT = """
import sys
import numpy as np, unknot
sys.path.insert(0, {here!r})
from studies_settings import fast
with np.load({arrays!r}) as stored:
    arrays = dict(stored)
labels = arrays.pop("labels")
print("ready", flush=True)
unknot.study(arrays, (None, labels), out=sys.argv[1], name="killed", **fast())
"""


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and path.name != "seconds.json"
    }


@pytest.fixture(scope="module")
def finished(layers, digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "whole"
    unknot.study(layers, (None, digits.labels), out=folder, name="killed", **fast())
    return folder


@pytest.fixture
def whole(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "whole")
    return content(finished)


def test_killed_at_random_moments_it_ends_the_same(whole, layers, digits, tmp_path):
    np.savez(tmp_path / "arrays.npz", **layers, labels=digits.labels)
    script = SCRIPT.format(here=str(Path(__file__).parent), arrays=str(tmp_path / "arrays.npz"))
    rng = np.random.default_rng(7)
    target = tmp_path / "killed"
    parts = []
    for _ in range(3):
        run = subprocess.Popen(
            [sys.executable, "-c", script, target],
            stdout=subprocess.PIPE,
            env=os.environ.copy(),
            text=True,
        )
        assert run.stdout.readline() == "ready\n"
        time.sleep(float(rng.uniform(0.05, 1.5)))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        if (target / "parts").is_dir():
            there = {path.name for path in (target / "parts").iterdir()}
            parts.append({name for name in there if not name.startswith(".")})
    # What was finished before a kill is there after the next one.
    assert all(first <= second for first, second in pairwise(parts))
    done = []
    unknot.study(
        layers,
        (None, digits.labels),
        out=target,
        name="killed",
        on_stage=lambda *stage: done.append(stage),
        **fast(),
    )
    assert sum(reused for *_, reused in done) == len(parts[-1]) if parts else True
    assert content(target) == whole


def test_done_again_nothing_is_done(layers, digits, tmp_path, whole):
    stages = []
    unknot.study(
        layers,
        (None, digits.labels),
        out=tmp_path / "whole",
        name="killed",
        on_stage=lambda *stage: stages.append(stage),
        **fast(),
    )
    assert stages
    assert all(reused for *_, reused in stages)
    assert content(tmp_path / "whole") == whole


def test_a_changed_setting_redoes_what_depends_on_it(layers, digits, tmp_path, whole):
    def run(arrays=layers, **change):
        stages = []
        unknot.study(
            arrays,
            (None, digits.labels),
            out=tmp_path / "whole",
            name="killed",
            on_stage=lambda *stage: stages.append(stage),
            **fast(**change),
        )
        return {(layer, stage) for layer, stage, _, reused in stages if not reused}

    scored = {(name, "scores") for name in ("fc1", "dead", "fc2")}
    # The number of neighbors also decides which maps may be coupled how strongly.
    assert run(k=5) == scored | {("all layers", "coherence")}
    assert run(k=5, coherence=0) == scored - {("dead", "scores")}
    mapped = {(name, "map") for name in ("fc1", "fc2")}
    assert run(k=5, random_state=1) >= mapped | scored
    assert ("data", "preparation") not in run({**layers, "fc2": layers["fc2"] * 2})


def test_the_old_study_is_there_until_the_new_one_is(layers, digits, tmp_path, whole):
    def killed(layer, stage, *_):
        if (layer, stage) == ("fc2", "map"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unknot.study(
            layers,
            (None, digits.labels),
            out=tmp_path / "whole",
            name="new",
            on_stage=killed,
            **fast(max_iter=300),
        )
    found = unknot.Study.load(tmp_path / "whole")
    assert found.name == "killed"
    assert {name: content(tmp_path / "whole")[name] for name in whole} == whole


def test_the_disk_may_be_full(layers, digits, tmp_path, monkeypatch):
    from unknot.studies._pipeline import layer_stages as _stages

    original = _stages.write_zarr

    def full(path, array):
        if path.name == "map":
            raise OSError(28, "No space left on device")
        original(path, array)

    monkeypatch.setattr(_stages, "write_zarr", full)
    with pytest.raises(OSError, match="is full: 000-map could not be written"):
        unknot.study(layers, (None, digits.labels), out=tmp_path / "s", **fast())
    monkeypatch.undo()
    stages = []
    unknot.study(
        layers,
        (None, digits.labels),
        out=tmp_path / "s",
        on_stage=lambda *stage: stages.append(stage),
        **fast(),
    )
    reused = {(layer, stage): found for layer, stage, _, found in stages}
    assert reused["all layers", "extraction"]
    assert reused["fc1", "neighbors"]
    assert not reused["fc1", "map"]


def test_two_runs_do_not_write_to_one_folder(layers, digits, tmp_path):
    target = tmp_path / "study"
    target.mkdir()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, pathlib; from unknot._io.lock import locked\n"
            "with locked(pathlib.Path(sys.argv[1])):\n"
            "    print('held', flush=True); time.sleep(60)",
            target,
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        for write in (
            lambda: unknot.study(layers, (None, digits.labels), out=target, **fast()),
            lambda: unknot.Study(
                "model",
                {"fc1": unknot.studies.LayerStudy("fc1", "array", (12,))},
                digits.labels,
                digits.class_names,
            ).save(target),
        ):
            with pytest.raises(OSError, match="is being written by another run: wait until"):
                write()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    # The lock of a killed process is gone.
    found = unknot.study(layers, (None, digits.labels), out=target, **fast())
    assert set(found) == set(layers)
