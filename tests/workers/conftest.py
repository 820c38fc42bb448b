import numpy as np
import pytest

distributed = pytest.importorskip("distributed")


# Of a module: even an idle cluster takes time from the tests after it.
@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of one thread each."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit="2GB"
    ) as found:
        yield found


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as found:
        yield found


@pytest.fixture(scope="session")
def data():
    """Points and labels of four classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4
    return rng.normal(size=(400, 16)).astype(np.float32) + np.eye(4, 16)[labels] * 2, labels


@pytest.fixture(scope="session")
def layers(data):
    rng = np.random.default_rng(1)
    points, labels = data
    first = np.maximum(points @ rng.normal(size=(16, 12)), 0).astype(np.float32)
    return {
        "fc1": first,
        "dead": np.zeros((len(labels), 3), np.float32),
        "fc2": (first @ rng.normal(size=(12, 8))).astype(np.float32),
    }
