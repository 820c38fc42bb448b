"""Commands that are killed at random moments end, run again, as if they had not been.

``UNKNOT_KILLS`` times the kills: the test run has a few, ``nox -s faults`` many.
"""

import os
from pathlib import Path

import numpy as np
import pytest

TIMES = int(os.environ.get("UNKNOT_KILLS", "1"))
STORED = Path(__file__).parents[1] / "studies" / "data" / "study-1"


@pytest.fixture
def arrays(tmp_path):
    """Layers of points, as files."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 40)
    inputs = rng.normal(size=(160, 6)).astype(np.float32) + labels[:, None]
    np.savez(tmp_path / "layers.npz", fc1=inputs * 2, fc2=inputs[:, :4] + 3 * labels[:, None])
    np.savez(tmp_path / "data.npz", inputs=inputs, labels=labels)
    return tmp_path


def test_a_study(arrays, ends_the_same):
    ends_the_same(
        2 * TIMES,
        *("-m", "unknot", "study", arrays / "layers.npz", arrays / "data.npz", "--out", "OUT"),
        *("--max-iter", "250", "-m", "neighborhood_hit", "-m", "nc1"),
    )


def test_a_page(ends_the_same):
    ends_the_same(TIMES, "-m", "unknot", "report", STORED, "--out", "OUT.html")


if TIMES > 1:  # A few kills of what trains are among the tests of the lab and of training.

    def test_a_training(ends_the_same):
        ends_the_same(
            TIMES,
            *("-m", "unknot", "train", "perceptron", "digits"),
            *("--epochs", "2", "--out", "OUT.keras"),
        )

    def test_a_lab(ends_the_same):
        ends_the_same(TIMES, "-m", "unknot", "lab", "--quick", "--out", "OUT")
