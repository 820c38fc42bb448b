import inspect
import io
import pickle
import re
from contextlib import redirect_stdout
from importlib.resources import files

import numpy as np
import pytest
from scipy import sparse
from sklearn import manifold
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

import unknot
from unknot.neighbors import NeighborGraph


@pytest.fixture(scope="module")
def blobs():
    """Five clusters of 40 points in 10 dimensions, and their numbers."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 5
    points = rng.normal(size=(5, 10))[labels] * 6 + rng.normal(size=(200, 10))
    return points.astype(np.float32), labels


def hit(map_, labels, k=6):
    """The fraction of the k nearest on the map that have the point's own label."""
    graph = unknot.nearest_neighbors(map_, k)
    return np.mean(labels[graph.indices] == labels[:, None])


def quick(**options):
    return unknot.TSNE(**{"perplexity": 10, "max_iter": 300, "random_state": 0, **options})


def mnist_test():
    with np.load(files("unknot") / "datasets" / "data" / "mnist.npz") as archive:
        return archive["x_test"].reshape(10_000, 784), archive["y_test"].astype(int)


def test_separates_clusters(blobs):
    points, labels = blobs
    tsne = quick()
    map_ = tsne.fit_transform(points)
    assert map_ is tsne.embedding_
    assert (map_.shape, map_.dtype) == ((200, 2), np.float32)
    assert hit(map_, labels) == 1.0
    assert hit(map_, np.random.default_rng(0).permutation(labels)) < 0.35  # near 1/5
    assert tsne.n_iter_ == 300
    assert tsne.learning_rate_ == 200.0
    assert tsne.perplexity_ == 10.0
    assert tsne.n_features_in_ == 10
    assert (tsne.graph_.n_neighbors, tsne.graph_.recall, tsne.graph_.metric) == (
        30,
        1.0,
        "euclidean",
    )
    assert tsne.method_ == "exact"
    assert set(tsne.timings_) == {"neighbors", "start", "affinities", "optimization"}
    assert tsne.get_feature_names_out().tolist() == ["tsne0", "tsne1"]


def test_mnist_classes_are_separated():
    pixels, labels = mnist_test()
    tsne = unknot.TSNE(random_state=0).fit(pixels[:5000])
    assert tsne.method_ == "mesh"
    assert hit(tsne.embedding_, labels[:5000]) > 0.88
    exact = unknot.TSNE(random_state=0, method="exact", max_iter=300)
    mesh = unknot.TSNE(random_state=0, method="mesh", max_iter=300)
    exact.fit(pixels[:5000], graph=tsne.graph_)
    mesh.fit(pixels[:5000], graph=tsne.graph_)
    assert mesh.kl_divergence_ == pytest.approx(exact.kl_divergence_, rel=0.01)


@pytest.mark.parametrize("method", ["exact", "mesh"])
def test_a_map_collapsed_by_exaggeration_unfolds(method):
    # Few points with many neighbors each: twelvefold attraction collapses the map.
    train = unknot.load_dataset("mnist").train
    pixels, labels = train.inputs[:500].reshape(500, -1), train.labels[:500]
    seen = {}
    tsne = unknot.TSNE(
        random_state=0,
        method=method,
        callback=lambda iteration, kl, map_: seen.update({iteration: map_.std(axis=0).max()}),
    ).fit(pixels)
    assert seen[50] < 1e-5
    # The first phase continues from the start in its milder form.
    assert seen[250] > 1
    assert tsne.n_iter_ == 1000
    rarely = unknot.TSNE(random_state=0, method=method, callback_every=1000).fit(pixels)
    np.testing.assert_array_equal(rarely.embedding_, tsne.embedding_)
    assert tsne.embedding_.std() > 5
    assert tsne.kl_divergence_ < 1
    assert hit(tsne.embedding_, labels) > 0.7


@pytest.mark.parametrize("method", ["exact", "mesh"])
def test_divergence_is_that_of_the_map(blobs, method):
    points, _ = blobs
    tsne = quick(method=method).fit(points)
    still = quick(method="exact", init=tsne.embedding_, max_iter=1, learning_rate=1e-12).fit(points)
    assert still.n_iter_ == 1
    assert tsne.kl_divergence_ == pytest.approx(still.kl_divergence_, abs=2e-3)
    assert quick(method="exact", init="random", max_iter=1).fit(points).kl_divergence_ > 1


@pytest.mark.parametrize("n_components", [1, 2, 3])
@pytest.mark.parametrize("method", ["auto", "mesh", "exact"])
def test_any_number_of_components(blobs, n_components, method):
    if n_components == 3 and method == "mesh":
        with pytest.raises(ValueError, match="method='mesh' is for 1 or 2 components"):
            quick(n_components=3, method="mesh").fit(blobs[0])
        return
    points, labels = blobs
    tsne = quick(n_components=n_components, method=method)
    map_ = tsne.fit_transform(points)
    assert map_.shape == (200, n_components)
    # On a line, points cannot go around each other.
    assert hit(map_, labels) > (0.8 if n_components == 1 else 0.95)
    assert tsne.transform(points[:3] + 0.01).shape == (3, n_components)


def test_a_given_graph_gives_the_same_map(blobs):
    points, _ = blobs
    graph = unknot.nearest_neighbors(points, 45)
    alone = quick().fit_transform(points)
    assert quick().fit_transform(points, graph=graph).tobytes() == alone.tobytes()
    assert quick().fit_transform(points, graph=graph.nearest(30)).tobytes() == alone.tobytes()


def test_precomputed_input(blobs):
    points, labels = blobs
    graph = unknot.nearest_neighbors(points, 30)
    distances = np.sqrt(((points[:, None].astype(np.float64) - points) ** 2).sum(axis=-1))
    stored = sparse.csr_array(
        (graph.distances.ravel(), graph.indices.ravel(), np.arange(0, 6001, 30)), shape=(200, 200)
    )
    start = quick().fit(points).embedding_
    options = {"metric": "precomputed", "init": start}
    maps = [quick(**options).fit_transform(given) for given in (graph, distances, stored)]
    for map_ in maps:
        assert hit(map_, labels) == 1.0
        np.testing.assert_allclose(map_, maps[0], atol=0.5)
    assert maps[0].tobytes() == maps[2].tobytes()
    by_default = quick(metric="precomputed").fit(graph)
    assert hit(by_default.embedding_, labels) > 0.95
    assert by_default.n_features_in_ == 200
    places = by_default.transform(distances[:4])
    np.testing.assert_array_equal(places, by_default.embedding_[:4])


def test_new_points_go_to_their_clusters(blobs):
    points, labels = blobs
    new = points + np.random.default_rng(1).normal(size=points.shape).astype(np.float32) * 0.3
    for method in ("exact", "mesh"):
        tsne = quick(method=method).fit(points)
        before = tsne.embedding_.copy()
        places = tsne.transform(new)
        assert places.dtype == np.float32
        nearest = unknot.neighbors._search.neighbors_among(places, before, 1, "euclidean", 1)[0]
        assert np.mean(labels[nearest[:, 0]] == labels) > 0.97
        np.testing.assert_array_equal(tsne.embedding_, before)
        np.testing.assert_array_equal(tsne.transform(points), before)
        one_by_one = np.concatenate([tsne.transform(row[None]) for row in new[:20]])
        np.testing.assert_array_equal(one_by_one, places[:20])


def test_new_points_on_a_large_map():
    pixels, labels = mnist_test()
    tsne = unknot.TSNE(random_state=0, max_iter=400).fit(pixels[:4000])
    places = tsne.transform(pixels[4000:5000])
    nearest = unknot.neighbors._search.neighbors_among(places, tsne.embedding_, 6, "euclidean", 2)[
        0
    ]
    assert np.mean(labels[:4000][nearest] == labels[4000:5000, None]) > 0.85


def test_placement_from_a_mesh_and_from_all_pairs_agree(blobs, monkeypatch):
    points, _ = blobs
    new = points[:50] + 0.2
    tsne = quick(mesh_spacing=0.1).fit(points)
    exact = tsne.transform(new)
    monkeypatch.setattr(unknot.projection._placement, "MESH_ABOVE", 10)
    assert np.median(np.linalg.norm(tsne.transform(new) - exact, axis=1)) < 0.05


def kl_of_all_pairs(tsne, points):
    return (
        unknot.TSNE(
            n_components=tsne.n_components,
            perplexity=tsne.perplexity_,
            method="exact",
            init=tsne.embedding_,
            max_iter=1,
            learning_rate=1e-12,
        )
        .fit(points, graph=tsne.graph_)
        .kl_divergence_
    )


def test_small_clusters_far_apart_are_untangled_as_by_the_exact_sum():
    # The force within a crowded cell exceeds that from other points: the divergence was 70 % higher
    # before the mesh was shifted every other iteration.
    random = np.random.default_rng(0)
    centers = random.normal(scale=3, size=(100, 50))
    points = centers[random.integers(100, size=3500)] + random.normal(size=(3500, 50))
    mesh, exact = (unknot.TSNE(random_state=0, method=m).fit(points) for m in ("mesh", "exact"))
    assert mesh.kl_divergence_ < 1.08 * exact.kl_divergence_
    # On the mesh of the descent it would be 3 % lower.
    assert mesh.kl_divergence_ == pytest.approx(kl_of_all_pairs(mesh, points), rel=3e-3)


def test_a_mesh_of_one_component_stays_on_the_line(blobs):
    points, _ = blobs
    line = quick(n_components=1, method="mesh").fit(points)
    assert line.kl_divergence_ == pytest.approx(kl_of_all_pairs(line, points), rel=1e-3)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_sparse_points_are_as_dense_ones(metric):
    points = sparse.random_array((150, 30), density=0.3, rng=np.random.default_rng(2))
    options = {"metric": metric, "perplexity": 8}
    dense = quick(**options).fit(points.toarray())
    for given in (points, points.tocsr(), sparse.csr_matrix(points)):
        tsne = quick(**options).fit(given)
        assert tsne.embedding_.tobytes() == dense.embedding_.tobytes()
        np.testing.assert_array_equal(tsne.transform(given), tsne.embedding_)


def test_callback_sees_every_report_and_can_stop(blobs):
    points, _ = blobs
    seen = []
    tsne = quick(callback=lambda i, kl, map_: seen.append((i, kl, map_)), callback_every=100)
    tsne.fit(points)
    assert [i for i, _, _ in seen] == [100, 200, 300]
    assert seen[-1][1] == tsne.kl_divergence_
    np.testing.assert_array_equal(seen[-1][2], tsne.embedding_)
    assert seen[0][1] > seen[1][1] > seen[2][1] > 0
    stopped = quick(callback=lambda i, kl, map_: i >= 100).fit(points)
    assert stopped.n_iter_ == 100
    np.testing.assert_array_equal(stopped.embedding_, seen[0][2])


def test_verbose_and_progress(blobs):
    out = io.StringIO()
    with redirect_stdout(out):
        quick(verbose=1, progress=True).fit(blobs[0])
    text = out.getvalue()
    assert "30 nearest neighbors of 200 samples" in text
    assert "(exact)" in text
    assert re.search(r"affinities of perplexity 10 in \d\.\d+ s, mean sigma [\d.]+\n", text)
    assert "Iteration 50: KL divergence = " in text
    assert "Iteration 300: KL divergence = " in text
    assert "300/300" in text
    out = io.StringIO()
    with redirect_stdout(out):
        quick().fit(blobs[0])
    assert out.getvalue() == ""


def test_starts(blobs):
    points, labels = blobs
    start = np.random.default_rng(3).normal(size=(200, 2)) * 1e-4
    from_array = quick(init=start).fit(points)
    assert hit(from_array.embedding_, labels) > 0.95
    first = quick(init="random", random_state=1).fit(points).embedding_
    assert hit(first, labels) > 0.95
    again = quick(init="random", random_state=1).fit(points).embedding_
    other = quick(init="random", random_state=2).fit(points).embedding_
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_order_and_scale_of_points_do_not_matter_much(blobs):
    points, labels = blobs
    order = np.random.default_rng(4).permutation(200)
    tsne = quick().fit(points)
    shuffled = quick().fit(points[order])
    scaled = quick().fit(points * 8 + 3)
    assert shuffled.kl_divergence_ == pytest.approx(tsne.kl_divergence_, rel=0.1)
    assert scaled.kl_divergence_ == pytest.approx(tsne.kl_divergence_, rel=0.1)
    assert hit(shuffled.embedding_, labels[order]) == 1.0


@pytest.mark.filterwarnings("ignore:perplexity .* is more than:UserWarning")
@pytest.mark.parametrize("method", ["auto", "mesh"])
@pytest.mark.parametrize(
    "points",
    [
        np.zeros((2, 1)),
        np.eye(3),
        np.zeros((50, 4)),
        np.full((50, 4), 1e30),
        np.repeat(np.eye(5), 30, axis=0),
        np.arange(100.0)[:, None],
        np.concatenate([np.zeros((60, 3)), np.eye(3)]),
        np.concatenate([np.random.default_rng(0).normal(size=(60, 3)), [[1e15, 0, 0]]]),
        np.random.default_rng(0).normal(size=(60, 3)) * [1, 0, 0],
    ],
)
def test_degenerate_points(points, method):
    tsne = unknot.TSNE(random_state=0, max_iter=300, method=method).fit(points)
    assert tsne.embedding_.shape == (len(points), 2)
    assert np.isfinite(tsne.embedding_).all()
    assert np.isfinite(tsne.kl_divergence_)
    assert np.isfinite(tsne.transform(points[:2])).all()


@pytest.mark.parametrize("method", ["exact", "mesh"])
@pytest.mark.parametrize("options", [{"learning_rate": 1e38}, {"early_exaggeration": 1e38}])
def test_settings_that_overflow_leave_points_on_the_map(blobs, method, options):
    tsne = quick(method=method, **options).fit(blobs[0])
    assert np.isfinite(tsne.embedding_).all()
    assert np.isfinite(tsne.kl_divergence_)


def test_perplexity_is_adjusted_with_a_warning(blobs):
    points, _ = blobs
    with pytest.warns(UserWarning, match=r"perplexity 30 is more than 40 samples allow; using 13"):
        assert quick(perplexity=30).fit(points[:40]).perplexity_ == 13.0
    graph = unknot.nearest_neighbors(points, 15)
    with pytest.warns(UserWarning, match=r"perplexity 30 is more than the graph's 15 neighbors"):
        assert quick(perplexity=30).fit(points, graph=graph).perplexity_ == 5.0
    assert quick(perplexity=0.5).fit(points).perplexity_ == 1.0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_components": 4}, ValueError, "n_components must be 1, 2 or 3; got 4"),
        ({"perplexity": 0}, ValueError, "perplexity must be finite and above 0; got 0"),
        ({"perplexity": "x"}, TypeError, "perplexity must be a number; got 'x'"),
        ({"perplexity": float("nan")}, ValueError, "perplexity must be finite"),
        ({"early_exaggeration": 0.5}, ValueError, "early_exaggeration must be finite and at least"),
        ({"learning_rate": -1}, ValueError, "learning_rate must be 'auto' or finite and above 0"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be 'auto' or a number"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1; got 0"),
        ({"max_iter": 10.5}, TypeError, "max_iter must be an integer; got 10.5"),
        ({"metric": "hamming"}, ValueError, "metric must be one of 'euclidean', 'cosine', 'prec"),
        ({"init": "spectral"}, ValueError, "init must be 'pca', 'random' or an array; got 'spec"),
        ({"init": np.zeros((3, 2))}, ValueError, r"init must have the shape .*\(200, 2\); got"),
        ({"init": np.full((200, 2), np.nan)}, ValueError, "init must be finite"),
        ({"method": "tree"}, ValueError, "method must be one of 'auto', 'barnes_hut'"),
        ({"metric_params": {"p": 3}}, ValueError, r"metric_params must be None.*got \{'p': 3\}"),
        ({"mesh_spacing": 0}, ValueError, "mesh_spacing must be finite and above 0; got 0"),
        ({"callback": 3}, TypeError, "callback must be callable or None; got 3"),
        ({"callback_every": 0}, ValueError, "callback_every must be at least 1; got 0"),
        ({"n_jobs": 0}, ValueError, "n_jobs must be an integer other than 0"),
        ({"random_state": "x"}, ValueError, "cannot be used to seed"),
    ],
)
def test_bad_parameters_are_named(blobs, options, error, message):
    with pytest.raises(error, match=message):
        quick(**options).fit(blobs[0])


@pytest.mark.parametrize(
    ("given", "options", "error", "message"),
    [
        (np.full((9, 2), np.nan), {}, ValueError, "Input X contains NaN"),
        (np.array([[1.0], [np.inf], [0]]), {}, ValueError, "infinity"),
        (np.zeros((1, 4)), {}, ValueError, "minimum of 2 is required"),
        (np.zeros(9), {}, ValueError, "Expected 2D array"),
        (np.zeros((9, 0)), {}, ValueError, "0 feature"),
        (np.zeros((9, 4)), {"metric": "precomputed"}, ValueError, "must have the shape"),
        (-np.ones((9, 9)), {"metric": "precomputed"}, ValueError, "not negative; got -1.0"),
        (np.full((9, 9), np.nan), {"metric": "precomputed"}, ValueError, "finite and not neg"),
        (np.ones((1, 1)), {"metric": "precomputed"}, ValueError, "at least 2 samples"),
        (sparse.csr_array((9, 9)), {"metric": "precomputed"}, ValueError, "neighbor in every"),
    ],
)
def test_bad_input_is_named(given, options, error, message):
    with pytest.raises(error, match=message):
        quick(perplexity=1, **options).fit(given)


def test_graphs_that_do_not_fit(blobs):
    points, _ = blobs
    graph = unknot.nearest_neighbors(points, 30)
    with pytest.raises(ValueError, match="use metric='precomputed'"):
        quick().fit(graph)
    with pytest.raises(ValueError, match="graph must be of the 199 samples of X"):
        quick().fit(points[:199], graph=graph)
    with pytest.raises(ValueError, match="metric 'cosine'; got 200 samples, metric 'euclidean'"):
        quick(metric="cosine").fit(points, graph=graph)
    with pytest.raises(ValueError, match="pass the graph as X"):
        quick(metric="precomputed").fit(graph, graph=graph)
    with pytest.raises(ValueError, match="distances to the fitted samples"):
        quick(metric="precomputed").fit(graph).transform(np.ones((2, 7)))


def test_a_graph_of_wrong_numbers_cannot_be_made():
    with pytest.raises(ValueError, match="finite and not negative"):
        NeighborGraph(np.array([[1], [0]], np.int32), np.array([[-1], [1]], np.float32))


def test_can_be_cloned_and_pickled(blobs):
    points, _ = blobs
    tsne = quick(perplexity=7).fit(points)
    copy = pickle.loads(pickle.dumps(tsne))
    np.testing.assert_array_equal(copy.transform(points[:5]), tsne.embedding_[:5])
    assert clone(tsne).get_params() == tsne.get_params()


def test_accepts_all_parameters_of_scikit_learn(blobs):
    theirs = inspect.signature(manifold.TSNE).parameters
    ours = inspect.signature(unknot.TSNE).parameters
    defaults = {name: parameter.default for name, parameter in theirs.items()}
    assert set(theirs) <= set(ours)
    assert [name for name in ours if name in theirs] == list(theirs)
    assert {name for name in theirs if ours[name].default != defaults[name]} == {"method"}
    points, _ = blobs
    given = {**defaults, "perplexity": 10, "max_iter": 60, "random_state": 0, "angle": 0.2}
    tsne = clone(unknot.TSNE().set_params(**given))
    assert tsne.get_params().items() >= given.items()
    plain = unknot.TSNE(perplexity=10, max_iter=60, random_state=0)
    assert tsne.fit_transform(points).tobytes() == plain.fit_transform(points).tobytes()
    with pytest.raises(TypeError, match="n_iter"):
        unknot.TSNE(n_iter=500)


# The checks fit 20 samples with the default perplexity, which warns; and the one that needs
# SCIPY_ARRAY_API is skipped with a warning.
@pytest.mark.filterwarnings("ignore:perplexity .* is more than:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_estimator_checks():
    check_estimator(unknot.TSNE())
