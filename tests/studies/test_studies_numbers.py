"""Settings of a study that are numbers of NumPy, as from a grid of settings."""

import subprocess
import sys

import pytest

# In a process of its own, as users run it: here calls are checked against their annotations.
SCRIPT = """
import sys
import numpy as np, unknot
from unknot.studies import EpochRecorder
LABELS = np.repeat([0, 1], 30)
LAYERS = {"fc1": np.random.default_rng(0).normal(size=(60, 5)) + LABELS[:, None]}
BASE = dict(measures=["neighborhood_hit", "map_neighborhood_hit"], perplexity=5, n_neighbors=20,
            max_iter=250, progress=False)
"""
STUDY = """
def plain(value):
    return {k: v.item() for k, v in value.items()} if isinstance(value, dict) else value.item()
for settings in (
    {"perplexity": np.float32(5)}, {"perplexity": np.int64(5)}, {"k": np.int64(3)},
    {"max_iter": np.int32(300)}, {"n_neighbors": np.int16(25)}, {"coherence": np.float32(0.25)},
    {"random_state": np.int64(1)}, {"batch_size": np.int64(20)}, {"project": np.int64(3)},
    {"accuracy": np.bool_(False)}, {"untrained": np.bool_(False)},
    {"measure_options": {"n_resamples": np.int64(20)}},
):
    options = {name: plain(value) for name, value in settings.items()}
    first, second = (
        unknot.study(LAYERS, (None, LABELS), **{**BASE, **each}) for each in (settings, options)
    )
    assert first.settings == second.settings, settings
    for name, score in second["fc1"].scores.items():
        assert first["fc1"].scores[name].value == score.value, settings
"""
RECORDER = """
for settings in ({"k": np.int64(3)}, {"batch_size": np.int64(9)}, {"random_state": np.int64(2)}):
    recorder = EpochRecorder((LAYERS["fc1"], LABELS), epochs=np.int64(2), **{**BASE, **settings})
    for epoch in np.arange(4):
        recorder.capture(LAYERS, epoch)
    assert list(recorder.study().epochs) == [0, 2]
"""


@pytest.mark.parametrize("script", [STUDY, RECORDER], ids=["study", "recorder"])
def test_numbers_of_numpy_are_numbers(script):
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT + script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
