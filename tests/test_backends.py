"""The tests of training, saving and extraction again, on Keras' other backends."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_keras_models_on_another_backend(backend):
    if backend == os.environ["KERAS_BACKEND"]:
        return  # these tests run here already
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-m",
            "not one_backend",
            HERE / "keras_models",
        ],
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
