"""Valid and invalid input of t-SNE: points, distances, starts and graphs."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import pdist, squareform

import unknot
from unknot.projection import align_map, map_after

POINTS = np.random.default_rng(0).normal(size=(30, 3))
DISTANCES = squareform(pdist(POINTS))
MASKED = np.ma.masked_greater(POINTS, 1)


def tsne(**settings):
    return unknot.TSNE(perplexity=3, max_iter=1, random_state=0, **settings)


def test_neighbors_start_and_new_points_do_not_depend_on_the_place():
    here, there = tsne().fit(POINTS), tsne().fit(POINTS + 1e9)
    assert there.graph_.indices.tolist() == here.graph_.indices.tolist()
    # The start is the principal components, one iteration of which is hardly a step.
    np.testing.assert_allclose(there.embedding_, here.embedding_, atol=1e-6)
    assert there.transform(POINTS[:4] + 1e9).tolist() == there.embedding_[:4].tolist()


@pytest.mark.parametrize(
    ("distances", "error", "message"),
    [
        (DISTANCES + 1j, TypeError, "real numbers; got dtype complex128"),
        (sp.csr_array(DISTANCES + 1j), TypeError, "real numbers; got dtype complex128"),
        (np.ma.masked_greater(DISTANCES, 2), ValueError, "masked entries"),
        (DISTANCES.astype(str), TypeError, "real numbers"),
        (DISTANCES * 1e-50, ValueError, "Multiply them all by a constant"),
    ],
)
def test_invalid_distances_raise(distances, error, message):
    with pytest.raises(error, match=message):
        tsne(metric="precomputed").fit(distances)


def test_distances_may_be_objects_and_new_ones_are_checked_as_well():
    fitted = tsne(metric="precomputed").fit(DISTANCES.astype(object))
    assert fitted.graph_.indices.tolist() == tsne().fit(POINTS).graph_.indices.tolist()
    for new, error in (
        (DISTANCES + 1j, TypeError),
        (sp.csr_array(DISTANCES), TypeError),
        (np.ma.masked_greater(DISTANCES, 2), ValueError),
    ):
        with pytest.raises(error, match=r"real numbers|must be dense|masked"):
            fitted.transform(new)


def test_new_points_and_starts_and_graphs_must_not_be_masked():
    fitted = tsne().fit(POINTS)
    with pytest.raises(ValueError, match=r"X has .* masked"):
        fitted.transform(MASKED)
    with pytest.raises(ValueError, match=r"init has .* masked"):
        tsne(init=MASKED[:, :2]).fit(POINTS)
    with pytest.raises(TypeError, match="init must hold real numbers"):
        tsne(init=POINTS[:, :2] + 1j).fit(POINTS)
    graph = fitted.graph_
    with pytest.raises(ValueError, match=r"indices has .* masked"):
        unknot.NeighborGraph(np.ma.masked_greater(graph.indices, 5), graph.distances)
    with pytest.raises(ValueError, match=r"previous has .* masked"):
        map_after(graph, MASKED[:, :2], perplexity=3)
    with pytest.raises(ValueError, match=r"points has .* masked"):
        map_after(graph, points=MASKED, perplexity=3)


def test_a_reference_far_from_0_is_refused_where_a_map_would_be_blurred():
    map_ = POINTS[:, :2].astype(np.float32)
    np.testing.assert_allclose(align_map(map_ + 1e9 * np.ones(2), map_), map_, atol=1e-5)
    with pytest.raises(ValueError, match="reference must lie near 0"):
        align_map(map_, map_ + 1e9 * np.ones(2))
