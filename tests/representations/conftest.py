"""Models and small data for the tests of extraction."""

import numpy as np
import pytest

from unknot._keras import import_keras


@pytest.fixture(scope="session")
def keras():
    return import_keras()


@pytest.fixture(scope="session")
def images():
    """40 images (samples, height, width, channels)."""
    return np.random.default_rng(0).random((40, 16, 16, 1), dtype=np.float32)


@pytest.fixture(scope="session")
def torch_models():
    pytest.importorskip("torch")
    import torch_models

    return torch_models
