import numpy as np
import pytest

from unknot.neighbors import NeighborGraph


def arrays():
    return np.array([[1, 2], [0, 2], [1, 0]], np.int32), np.array(
        [[1, 3], [1, 2], [2, 3]], np.float32
    )


def test_stores_its_arrays():
    indices, distances = arrays()
    graph = NeighborGraph(indices, distances, "cosine", 0.5)
    assert graph.indices is indices
    assert graph.distances is distances
    assert (graph.metric, graph.recall, graph.n_samples, graph.n_neighbors) == ("cosine", 0.5, 3, 2)


def test_nearest_keeps_the_first():
    graph = NeighborGraph(*arrays(), "cosine", 0.5).nearest(1)
    assert graph.indices.tolist() == [[1], [0], [1]]
    assert graph.distances.tolist() == [[1], [1], [2]]
    assert (graph.metric, graph.recall) == ("cosine", 0.5)


@pytest.mark.parametrize("k", [0, 3])
def test_nearest_cannot_add_neighbors(k):
    with pytest.raises(ValueError, match=f"n_neighbors must be from 1 to 2.*got {k}"):
        NeighborGraph(*arrays()).nearest(k)


def broken(change):
    indices, distances = arrays()
    return change(indices, distances)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i, d: (i, d[:, :1]), "same shape"),
        (lambda i, d: (i[:, :0], d[:, :0]), "n_neighbors at least 1"),
        (lambda i, d: (i + np.int32(1), d), "indices must name samples 0 to 2; got 1 to 3"),
        (lambda i, d: (i - np.int32(1), d), "indices must name samples 0 to 2; got -1 to 1"),
        (lambda i, d: (i, -d), "distances must be finite and not negative"),
        (lambda i, d: (i, d * np.float32(np.nan)), "distances must be finite"),
        (lambda i, d: (i, d + np.float32(np.inf)), "distances must be finite"),
        (lambda i, d: (i, d[:, ::-1]), "distances must ascend in every row; those of sample 0"),
        (lambda i, d: (i, d, "euclidean", 1.5), r"recall must be in \[0, 1\]; got 1.5"),
    ],
)
def test_an_invalid_graph_raises(change, message):
    with pytest.raises(ValueError, match=message):
        NeighborGraph(*broken(change))
