"""Stages of several layers run at the same time: the same files, and interrupts end them."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from studies_settings import fast

import unknot

INTERRUPTED = """
import sys, time
import numpy as np, unknot
rng = np.random.default_rng(0)
labels = np.arange(20_000) % 10
layers = {f"layer{number}": rng.normal(size=(20_000, 300)) for number in range(4)}
print("ready", flush=True)
try:
    unknot.study(layers, (None, labels), out=sys.argv[1], progress=False, n_jobs=2,
                 on_stage=lambda *stage: print("stage", *stage[:2], flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
    unknot.nearest_neighbors(rng.normal(size=(300, 20)), 5)
    print("and well", flush=True)
"""


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "seconds.json"
    }


def test_files_do_not_depend_on_how_many_stages_overlap(layers, digits, tmp_path):
    found = []
    for n_jobs in (1, 2, 7):
        folder = tmp_path / str(n_jobs)
        unknot.study(layers, (None, digits.labels), out=folder, **fast(n_jobs=n_jobs))
        found.append(files(folder))
    assert found[0] == found[1] == found[2]


def test_stages_end_in_the_calling_thread_and_each_once(layers, digits):
    stages, threads = [], set()

    def note(layer, stage, seconds, reused):
        stages.append((layer, stage))
        threads.add(threading.current_thread())

    study = unknot.study(layers, (None, digits.labels), on_stage=note, **fast(n_jobs=3))
    assert threads == {threading.current_thread()}
    assert len(set(stages)) == len(stages)
    # The durations stand in the order of the layers, whatever ended first.
    alone = unknot.study(layers, (None, digits.labels), **fast(n_jobs=1))
    assert list(study.seconds) == list(alone.seconds)


def test_functions_of_the_user_are_called_one_at_a_time_in_the_calling_thread(digits):
    running, threads = [], set()

    def own(points, labels):
        threads.add(threading.current_thread())
        running.append(1)
        assert len(running) == 1
        time.sleep(0.02)
        running.pop()
        return float(len(points))

    points = np.asarray(digits.inputs).reshape(len(digits.labels), -1)
    layers = {f"layer{n}": points * n for n in (1, 2, 3)}
    unknot.study(layers, (None, digits.labels), **fast(measures=own, n_jobs=4))
    assert threads == {threading.current_thread()}


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interrupt_ends_all_stages_and_leaves_the_process_well(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, tmp_path / "study"],
        stdout=subprocess.PIPE,
        env=os.environ.copy(),
        text=True,
    ) as run:
        for line in run.stdout:
            if "neighbors" in line:
                break
        run.send_signal(signal.SIGINT)
        sent = time.monotonic()
        rest = run.stdout.read().splitlines()
    assert "interrupted" in rest
    assert rest[-1] == "and well"
    assert time.monotonic() - sent < 60
    # What had ended is kept, and nothing is left half written.
    parts = [path.name for path in (tmp_path / "study" / "parts").iterdir()]
    assert any("neighbors" in name for name in parts)
    assert not any(name.startswith(".unfinished") for name in parts)
