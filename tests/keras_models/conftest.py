"""Small data and models for the tests of training; the backend is what KERAS_BACKEND says."""

import numpy as np
import pytest

from unknot._keras import import_keras
from unknot.networks import lenet, perceptron


@pytest.fixture(scope="session")
def keras():
    return import_keras()


@pytest.fixture(scope="session")
def images():
    """260 images of two classes that a line tells apart: bright on the left or on the right."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 260)
    inputs = rng.random((260, 16, 16, 1), dtype=np.float32) * 0.4
    inputs[labels == 0, :, :8] += 0.5
    inputs[labels == 1, :, 8:] += 0.5
    return inputs, labels


@pytest.fixture(params=[perceptron, lenet], ids=lambda f: f.__name__)
def model(request):
    return request.param(2, (16, 16, 1), random_state=1)
