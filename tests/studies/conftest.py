import numpy as np
import pytest
from studies_settings import fast

import unknot


@pytest.fixture(scope="session")
def digits():
    return unknot.load_dataset("digits").test.sample(200, random_state=0)


@pytest.fixture(scope="session")
def layers(digits):
    """Points of a made-up network: ever better apart, one layer dead, one a view."""
    rng = np.random.default_rng(0)
    pixels = digits.inputs.reshape(len(digits), -1)
    apart = np.eye(10, dtype=np.float32)[digits.labels]
    fc1 = np.maximum(pixels @ rng.normal(size=(64, 12)).astype(np.float32), 0)
    return {
        "fc1": fc1,
        "dropout": fc1.copy(),
        "dead": np.zeros((len(digits), 3), np.float32),
        "fc2": apart * 4 + rng.normal(size=(len(digits), 10)).astype(np.float32),
    }


@pytest.fixture(scope="session")
def folder(digits, layers, tmp_path_factory):
    """A study in its folder."""
    path = tmp_path_factory.mktemp("studies") / "study"
    unknot.study(layers, digits, out=path, name="made up", **fast())
    return path


@pytest.fixture
def study(folder):
    return unknot.Study.load(folder)
