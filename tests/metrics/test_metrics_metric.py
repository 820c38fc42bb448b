"""metric=: what follows the cosine exactly, and the note where it decides the conclusion."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness as sklearn_trustworthiness
from sklearn.metrics import silhouette_score

import unknot
from unknot.metrics import (
    continuity,
    measure,
    neighbor_confusion,
    neighborhood_hit,
    silhouette,
    trustworthiness,
    two_nn,
)
from unknot.projection import map_after, map_layers

FAST = {"n_resamples": 20, "n_permutations": 2}


def directions(n=360, features=20, seed=0):
    """Classes that differ in direction; the lengths of the points say nothing and vary widely."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], n // 3)
    points = np.eye(features)[labels] + 0.35 * rng.normal(size=(n, features))
    return points * np.exp(2.0 * rng.normal(size=n))[:, None], labels


def unit(points):
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_scores_by_cosine_are_those_of_their_definitions():
    points, labels = directions()
    map_ = points[:, :2]
    scores = measure(points, labels, map_, metric="cosine", max_samples=None, **FAST)
    plain = measure(unit(points), labels, map_, max_samples=None, **FAST)
    assert scores["silhouette"].value == pytest.approx(
        silhouette_score(points, labels, metric="cosine"), rel=1e-5
    )
    assert scores["silhouette"].value != pytest.approx(plain["silhouette"].value, rel=1e-3)
    assert scores["trustworthiness"].value == pytest.approx(
        sklearn_trustworthiness(points, map_, n_neighbors=10, metric="cosine"), rel=1e-6
    )
    cosines = unit(points) @ unit(points).T
    np.fill_diagonal(cosines, -2)
    nearest = np.argsort(-cosines, axis=1)[:, :6]
    hit = (labels[nearest] == labels[:, None]).mean()
    assert scores["neighborhood_hit"].value == pytest.approx(hit, abs=1e-12)
    # Everything else is the measure of the points of length 1.
    assert not scores.skipped
    for name in scores:
        if name != "silhouette":
            assert scores[name].value == pytest.approx(plain[name].value, rel=1e-5), name
    assert scores.settings["metric"] == "cosine"
    assert measure(points, labels, measures="nc1").settings["metric"] == "euclidean"
    assert "metric cosine" in str(scores)
    assert "metric" not in str(plain).split("\n")[0]


def test_the_functions_follow_the_metric_as_the_suite_does():
    points, labels = directions()
    map_ = points[:, :2]
    scores = measure(points, labels, map_, metric="cosine", max_samples=None, **FAST)
    assert (
        neighborhood_hit(points, labels, metric="cosine").value == scores["neighborhood_hit"].value
    )
    assert neighbor_confusion(points, labels, metric="cosine").value == pytest.approx(
        scores["neighbor_confusion"].value
    )
    assert silhouette(points, labels, metric="cosine").value == scores["silhouette"].value
    for function in (trustworthiness, continuity):
        assert function(points, map_, metric="cosine").value == pytest.approx(
            scores[function.__name__].value, rel=1e-12
        )
    with pytest.raises(ValueError, match="metric must be 'euclidean' or 'cosine'; got 'l1'"):
        silhouette(points, labels, metric="l1")


def test_the_dimension_is_not_halved():
    rng = np.random.default_rng(0)
    points = np.concatenate([np.ones((400, 1)), 0.1 * rng.normal(size=(400, 3))], axis=1)
    labels = np.arange(400) % 2
    by_cosine = measure(points, labels, measures="two_nn", metric="cosine", **FAST)["two_nn"].value
    # On the sphere the points are on a surface of three dimensions; 1 - cos squares distances.
    assert by_cosine == pytest.approx(two_nn(unit(points)).value, rel=1e-3)
    assert 2.5 < by_cosine < 3.5


def test_a_graph_of_another_metric_is_refused():
    points, labels = directions()
    graph = unknot.nearest_neighbors(points, 10, "cosine")
    given = measure(points, labels, measures="neighborhood_hit", metric="cosine", graph=graph)
    own = measure(points, labels, measures="neighborhood_hit", metric="cosine")
    assert given["neighborhood_hit"].value == own["neighborhood_hit"].value
    with pytest.raises(ValueError, match="graph must be of the metric 'euclidean'; got one of 'c"):
        measure(points, labels, graph=graph)
    with pytest.raises(ValueError, match="Pass metric='cosine'"):
        neighborhood_hit(points, labels, graph=graph)


def test_rows_of_zeros_are_noted_and_apart():
    points, labels = directions()
    points[[3, 100]] = 0
    scores = measure(points, labels, metric="cosine", measures="neighborhood_hit", **FAST)
    assert any("2 of 360 points are zero" in note for note in scores.notes)
    graph = unknot.nearest_neighbors(points, 3, "cosine")
    assert graph.indices[3, 0] == 100
    assert graph.distances[3].tolist() == pytest.approx([0, 1, 1])
    clean = measure(*directions(), metric="cosine", measures="neighborhood_hit", **FAST)
    assert not any("zero" in note for note in clean.notes)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_note_says_where_the_metric_decides_whatever_was_asked(metric):
    points, labels = directions()
    scores = measure(points, labels, measures="neighborhood_hit", metric=metric, **FAST)
    (note,) = [note for note in scores.notes if "metric decides" in note]
    by_length = neighborhood_hit(points, labels).value
    by_angle = neighborhood_hit(points, labels, metric="cosine").value
    assert f"{by_length:.3f} ±" in note
    assert f"{by_angle:.3f} ±" in note
    assert by_angle > by_length + 0.08


def test_no_note_where_both_metrics_agree_and_a_sample_is_said():
    points, labels = directions()
    assert measure(unit(points), labels, measures="neighborhood_hit", **FAST).notes == ()
    points, labels = directions(n=6000)
    (note,) = measure(points, labels, measures="neighborhood_hit", **FAST).notes
    assert "of 2001 points, a stratified sample" in note


def test_points_on_disk_follow_the_metric(tmp_path):
    points, labels = directions()
    points[5] = 0
    np.save(tmp_path / "points.npy", points.astype(np.float32))
    stored = np.load(tmp_path / "points.npy", mmap_mode="r")
    names = ["neighborhood_hit", "silhouette", "nc1", "two_nn", "distance_consistency"]
    kwargs = {"measures": names, "metric": "cosine", **FAST}
    on_disk = measure(stored, labels, max_memory=2000, **kwargs)
    here = measure(points.astype(np.float32), labels, **kwargs)
    for name in names:
        # Rounding may exchange neighbors that are equally near.
        assert on_disk[name].value == pytest.approx(here[name].value, rel=1e-3), name
    assert on_disk.notes == here.notes
    graph = unknot.nearest_neighbors(stored, 7, "cosine", max_memory=2000)
    wanted = unknot.nearest_neighbors(points.astype(np.float32), 7, "cosine")
    assert graph.metric == "cosine"
    np.testing.assert_allclose(graph.distances, wanted.distances, atol=1e-6)
    assert (graph.indices == wanted.indices).mean() > 0.99


def test_maps_follow_the_metric_of_their_graph():
    points, _ = directions(n=90)
    graph = unknot.nearest_neighbors(points, 15, "cosine")
    settings = {"perplexity": 5, "max_iter": 250, "random_state": 0}
    found = map_after(graph, points=points, metric="cosine", **settings)
    # The start does not depend on the lengths of the points.
    longer = points * np.linspace(1, 50, 90)[:, None]
    again = map_after(graph, points=longer, **settings)
    np.testing.assert_allclose(found.map_, again.map_, atol=1e-2 * np.ptp(found.map_))
    maps = dict(map_layers({"one": graph}, points={"one": points}, metric="cosine", **settings))
    assert np.array_equal(maps["one"].map_, found.map_)
    tsne = unknot.TSNE(metric="cosine", **settings).fit(points)
    assert tsne.kl_divergence_ == pytest.approx(found.kl_divergence, rel=0.05)
    with pytest.raises(ValueError, match="graph must be of the metric 'euclidean'; got one of"):
        map_after(graph, points=points, metric="euclidean")
    with pytest.raises(ValueError, match="metric must be one of 'euclidean', 'cosine'; got 'l1'"):
        map_after(graph, points=points, metric="l1")
