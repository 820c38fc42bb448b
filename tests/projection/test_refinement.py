"""Maps that are refined together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unknot
from unknot.projection import check_coherence, displacement, map_layers, refine_maps
from unknot.projection._coherence import NearGraph, kept_share, proximal_step, turned, weights_of

QUICK = {"perplexity": 10, "random_state": 0}
N = 400


@pytest.fixture(scope="module")
def layers():
    """Three layers, each a little changed, of four classes."""
    rng = np.random.default_rng(0)
    points = np.repeat(4 * np.eye(4, 10), N // 4, axis=0) + rng.normal(size=(N, 10))
    found = {"one": points}
    for name in ("two", "three"):
        points = points + 0.05 * rng.normal(size=points.shape)
        found[name] = points
    return found


@pytest.fixture(scope="module")
def graphs(layers):
    return {name: unknot.nearest_neighbors(points, 30) for name, points in layers.items()}


@pytest.fixture(scope="module")
def before(layers, graphs):
    return dict(map_layers(graphs, points=layers, coherence=0, **QUICK))


@pytest.fixture(scope="module")
def maps(before):
    return {name: layer.map_ for name, layer in before.items()}


@pytest.fixture(scope="module")
def after(graphs, maps):
    return refine_maps(graphs, maps, **QUICK)


def needless(graphs, maps, first, second):
    """The mean displacement of the quarter of samples that kept most neighbors."""
    kept = kept_share(NearGraph.of(graphs[first]), NearGraph.of(graphs[second]))
    still = kept >= np.quantile(kept, 0.75)
    moved = np.linalg.norm(maps[second] - maps[first], axis=1)
    radius = np.sqrt(np.square(maps[second] - maps[second].mean(axis=0)).sum(axis=1).mean())
    return float(moved[still].mean() / radius)


def test_what_stayed_moves_less_and_no_map_pays(graphs, before, maps, after):
    new = {name: each.map_ for name, each in after.items()}
    for first, second in (("one", "two"), ("two", "three")):
        assert needless(graphs, new, first, second) < 0.8 * needless(graphs, maps, first, second)
    for name, each in after.items():
        assert each.kl_divergence <= 1.01 * before[name].kl_divergence
        assert (each.coherence, each.note) == (0.1, "")


def test_the_divergence_is_that_of_the_map(graphs, after):
    for name, each in after.items():
        fitted = unknot.TSNE(metric="precomputed", init=each.map_, **QUICK)
        fitted.set_params(max_iter=1, early_exaggeration_iter=0, method="exact", learning_rate=1e-9)
        fitted.fit(graphs[name])
        assert each.kl_divergence == pytest.approx(fitted.kl_divergence_, rel=0.01)


def test_without_coherence_maps_are_those_of_one_after_another(layers, graphs, maps):
    found = refine_maps(graphs, maps, coherence=0, **QUICK)
    for name, each in found.items():
        assert each.map_.tobytes() == maps[name].tobytes()
        assert (each.coherence, each.note) == (0.0, "")
    unrefined = map_layers(graphs, points=layers, coherence=0, **QUICK)
    assert all(layer.map_.tobytes() == maps[name].tobytes() for name, layer in unrefined)


def test_map_layers_refines(layers, graphs, before, after):
    found = dict(map_layers(graphs, points=layers, **QUICK))
    for name, layer in found.items():
        # With its samples in another order.
        assert displacement(layer.map_, after[name].map_) < 0.1
        assert layer.kl_divergence == pytest.approx(after[name].kl_divergence, rel=0.01)
        assert layer.coherence == 0.1
        assert layer.n_iter > before[name].n_iter
    assert found["one"].displacement is None
    assert found["two"].displacement == displacement(found["two"].map_, found["one"].map_)


def test_known_divergences_are_not_computed_again(graphs, maps, before, after):
    known = {name: layer.kl_divergence for name, layer in before.items()}
    found = refine_maps(graphs, maps, kl_divergences=known, **QUICK)
    assert all(found[name].map_.tobytes() == after[name].map_.tobytes() for name in maps)
    # Of these the maps know nothing better.
    low = refine_maps(graphs, maps, kl_divergences=dict.fromkeys(maps, 0.0), **QUICK)
    assert all(found.coherence == 0.0 and found.kl_divergence == 0.0 for found in low.values())
    for wrong in ("low", [known, known], {"one": -1.0}, {"one": "low"}, {"none": 1.0}):
        with pytest.raises((TypeError, ValueError), match="kl_divergences"):
            refine_maps(graphs, maps, kl_divergences=wrong, **QUICK)


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
def test_threads_do_not_matter(graphs, maps, after, n_jobs):
    found = refine_maps(graphs, maps, n_jobs=n_jobs, **QUICK)
    assert all(found[name].map_.tobytes() == after[name].map_.tobytes() for name in maps)


def test_affinities_in_files_do_not_matter(graphs, maps, after, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = refine_maps(graphs, maps, max_memory=1000, **QUICK)
    assert all(found[name].map_.tobytes() == after[name].map_.tobytes() for name in maps)
    assert list(tmp_path.iterdir()) == []


def test_the_order_of_samples_hardly_matters(layers, graphs, maps, after):
    order = np.random.default_rng(1).permutation(N)
    shuffled = {name: unknot.nearest_neighbors(x[order], 30) for name, x in layers.items()}
    found = refine_maps(shuffled, {name: map_[order] for name, map_ in maps.items()}, **QUICK)
    for name in maps:
        assert found[name].kl_divergence == pytest.approx(after[name].kl_divergence, rel=0.01)
        assert displacement(found[name].map_, after[name].map_[order]) < 0.1


def test_a_layer_without_a_map_is_left_out_and_the_chain_goes_on(graphs, maps, after):
    with_dead = {"one": graphs["one"], "dead": None, "two": graphs["two"], "three": graphs["three"]}
    found = refine_maps(with_dead, {**maps, "dead": None}, **QUICK)
    assert list(found) == list(with_dead)
    assert found["dead"] is None
    assert all(found[name].map_.tobytes() == after[name].map_.tobytes() for name in maps)


def test_one_layer_stays_as_it_is(graphs, maps):
    (found,) = refine_maps({"one": graphs["one"]}, {"one": maps["one"]}, **QUICK).values()
    assert found.map_.tobytes() == maps["one"].tobytes()


def test_layers_without_common_neighbors_are_not_coupled(graphs, maps):
    assert weights_of(np.full(N, 0.01), 0.07).max() == 0.0
    order = np.random.default_rng(2).permutation(N)
    other = unknot.nearest_neighbors(np.eye(N)[order] + np.arange(N)[:, None], 30)
    kept = kept_share(NearGraph.of(graphs["one"]), NearGraph.of(other))
    assert weights_of(kept, kept.mean()).max() == 0.0


def test_a_grid_of_one_epoch_is_the_chain(graphs, maps, after):
    (found,) = refine_maps([graphs], [maps], **QUICK)
    assert all(found[name].map_.tobytes() == after[name].map_.tobytes() for name in maps)


def test_a_grid_couples_along_both_axes(layers, graphs, maps):
    later = {
        name: x + 0.05 * np.random.default_rng(3).normal(size=x.shape) for name, x in layers.items()
    }
    later_graphs = {name: unknot.nearest_neighbors(x, 30) for name, x in later.items()}
    later_maps = {
        name: unknot.projection.map_after(later_graphs[name], maps[name], **QUICK).map_
        for name in maps
    }
    alone = [refine_maps(g, m, **QUICK) for g, m in ((graphs, maps), (later_graphs, later_maps))]
    both = refine_maps([graphs, later_graphs], [maps, later_maps], **QUICK)
    for name in maps:
        in_turn = {"a": graphs[name], "b": later_graphs[name]}
        apart, together = (
            needless(in_turn, {"a": found[0][name].map_, "b": found[1][name].map_}, "a", "b")
            for found in (alone, both)
        )
        assert together < 0.8 * apart


def test_a_map_that_epochs_share_stays_one(graphs, maps):
    first, second = refine_maps(
        [graphs, graphs], [maps, {**maps, "two": maps["two"].copy()}], **QUICK
    )
    assert first["one"] is second["one"]
    assert first["two"] is not second["two"]
    assert displacement(first["two"].map_, second["two"].map_) < 0.02


def test_epochs_may_have_fewer_layers(graphs, maps):
    fewer = {name: graphs[name] for name in ("one", "three")}
    first, second = refine_maps([fewer, graphs], [{n: maps[n] for n in fewer}, maps], **QUICK)
    assert list(first) == ["one", "three"]
    assert list(second) == ["one", "two", "three"]


def test_a_coupling_that_costs_divergence_is_weakened():
    rng = np.random.default_rng(0)
    points = np.repeat(4 * np.eye(4, 10), N // 4, axis=0) + rng.normal(size=(N, 10))
    layers = {"one": points, "two": points + 0.8 * rng.normal(size=points.shape)}
    graphs = {name: unknot.nearest_neighbors(x, 30) for name, x in layers.items()}
    before = dict(map_layers(graphs, points=layers, coherence=0, **QUICK))
    maps = {name: layer.map_ for name, layer in before.items()}
    found = refine_maps(graphs, maps, coherence=1.0, **QUICK)
    assert all(each.note for each in found.values())
    for name, each in found.items():
        assert each.kl_divergence <= 1.01 * before[name].kl_divergence
        assert 0 <= each.coherence < 1
        assert f"{each.coherence:.2g} instead of 1: with more, the KL" in each.note


def test_a_map_that_is_refused_every_time_stays_as_it_was(graphs, maps):
    seen = []

    def accept(key, old, new):
        seen.append((key, old.shape, new.shape))
        return "it shows what is not there" if key == (0, "two") else None

    found = refine_maps(graphs, maps, accept=accept, **QUICK)
    assert found["two"].coherence == 0.0
    assert "0 instead of 0.1: with more, it shows what is not there" in found["two"].note
    # Only turned.
    assert np.allclose(
        np.linalg.norm(found["two"].map_[1:] - found["two"].map_[:-1], axis=1),
        np.linalg.norm(maps["two"][1:] - maps["two"][:-1], axis=1),
        rtol=1e-3,
        atol=1e-4,
    )
    assert found["one"].note == found["three"].note == ""
    assert seen[0] == ((0, "one"), (N, 2), (N, 2))


def test_copies_share_a_place():
    rng = np.random.default_rng(0)
    points = np.concatenate([np.zeros((120, 5)), rng.normal(size=(180, 5))])
    graphs = {name: unknot.nearest_neighbors(points, 30) for name in ("one", "two")}
    found = dict(map_layers(graphs, points={"one": points}, **QUICK))
    assert found["two"].n_copies_left_out == 120 - 31
    assert (found["two"].map_[31:120] == found["two"].map_[0]).all()


@pytest.mark.parametrize("n_components", [1, 3])
def test_maps_of_other_dimensions(layers, graphs, n_components):
    found = dict(map_layers(graphs, points=layers, n_components=n_components, **QUICK))
    assert {layer.map_.shape for layer in found.values()} == {(N, n_components)}
    assert all(np.isfinite(layer.map_).all() for layer in found.values())


@pytest.mark.parametrize(
    ("coherence", "message"),
    [
        (-0.1, "coherence must be a number from 0, for maps that are not coupled, to 1"),
        (1.5, "to 1; by default 0.1; got 1.5"),
        (float("nan"), "coherence must be"),
    ],
)
def test_bad_coherence(graphs, maps, coherence, message):
    with pytest.raises(ValueError, match=message):
        refine_maps(graphs, maps, coherence=coherence)
    with pytest.raises(ValueError, match=message):
        list(map_layers(graphs, coherence=coherence))


@pytest.mark.parametrize("coherence", ["strong", True, None, [0.1], 1j])
def test_a_coherence_that_is_no_number(coherence):
    with pytest.raises(ValueError, match="coherence must be a number from 0"):
        check_coherence(coherence)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"one": None}, "maps: the layer 'one' has a graph, but no map"),
        ({"one": np.zeros((5, 2))}, "the map of 'one' must be of the same samples as its graph"),
        ({"two": np.zeros((N, 3))}, "the map of 'two' must be of the same samples"),
        ({"two": np.full((N, 2), np.nan)}, "the map of 'two' must be finite"),
    ],
)
def test_bad_maps(graphs, maps, change, message):
    with pytest.raises(ValueError, match=message):
        refine_maps(graphs, {**maps, **change}, **QUICK)


def test_epochs_of_other_samples_are_refused(graphs, maps):
    fewer = {"one": unknot.nearest_neighbors(np.random.default_rng(0).normal(size=(100, 3)), 30)}
    with pytest.raises(ValueError, match="of the same samples"):
        refine_maps([graphs, fewer], [maps, {"one": np.zeros((100, 2))}], **QUICK)
    with pytest.raises(ValueError, match="as many mappings as graphs, one for each epoch; got 1"):
        refine_maps([graphs, graphs], [maps], **QUICK)


def test_a_fixed_map_stays_and_the_others_come_to_it(graphs, maps):
    found = refine_maps(graphs, maps, fixed=("one",), **QUICK)
    assert found["one"].map_.tobytes() == maps["one"].tobytes()
    new = {name: each.map_ for name, each in found.items()}
    assert needless(graphs, new, "one", "two") < 0.8 * needless(graphs, maps, "one", "two")


def test_what_is_no_graph_or_no_layer_is_named(graphs, maps):
    with pytest.raises(TypeError, match="the layer 'one' must have a NeighborGraph; got ndarray"):
        refine_maps({**graphs, "one": maps["one"]}, maps, **QUICK)
    with pytest.raises(TypeError, match="maps must be a dict by layer, or a list of these"):
        refine_maps(graphs, [*maps.values()][:1], **QUICK)
    with pytest.raises(TypeError, match="graphs must be a dict by layer, or a list of these"):
        refine_maps([graphs["one"]], [maps], **QUICK)
    with pytest.raises(ValueError, match="as many mappings as graphs"):
        refine_maps([graphs, graphs], maps, **QUICK)
    for fixed in ("one", ["four"]):
        with pytest.raises(ValueError, match=r"fixed must be a collection of layers, of .*; got"):
            refine_maps(graphs, maps, fixed=fixed, **QUICK)
    assert refine_maps({}, {}) == {}


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_maps=st.integers(1, 7),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 1e6]),
)
def test_the_proximal_step_solves_the_dense_system(seed, n_maps, scale):
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(n_maps, 2, 4))
    weights = scale * rng.random((n_maps - 1, 4))
    found = proximal_step(positions, weights)
    for sample in range(4):
        dense = np.eye(n_maps)
        for t, weight in enumerate(weights[:, sample]):
            dense[t : t + 2, t : t + 2] += weight * np.array([[1.0, -1.0], [-1.0, 1.0]])
        expected = np.linalg.solve(dense, positions[:, :, sample])
        assert np.allclose(found[:, :, sample], expected, rtol=1e-6, atol=1e-6)
    assert np.allclose(found.mean(axis=0), positions.mean(axis=0), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), fixed=st.lists(st.booleans(), min_size=1, max_size=7))
def test_fixed_maps_stay_in_the_proximal_step(seed, fixed):
    rng = np.random.default_rng(seed)
    n_maps = len(fixed)
    positions = rng.normal(size=(n_maps, 2, 4))
    weights = rng.random((n_maps - 1, 4))
    found = proximal_step(positions, weights, fixed)
    for sample in range(4):
        dense = np.eye(n_maps)
        for t, weight in enumerate(weights[:, sample]):
            dense[t : t + 2, t : t + 2] += weight * np.array([[1.0, -1.0], [-1.0, 1.0]])
        dense[fixed] = np.eye(n_maps)[fixed]
        expected = np.linalg.solve(dense, positions[:, :, sample])
        assert np.allclose(found[:, :, sample], expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_components=st.integers(1, 3))
def test_turning_finds_a_rotation(seed, n_components):
    rng = np.random.default_rng(seed)
    map_ = rng.normal(size=(n_components, 20))
    rotation = np.linalg.qr(rng.normal(size=(n_components, n_components)))[0]
    assert np.allclose(turned(map_, [rotation @ map_]), rotation @ map_, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(kept=st.lists(st.floats(0, 1), min_size=2, max_size=30), unrelated=st.floats(0, 0.9))
def test_weights_fall_with_what_changed(kept, unrelated):
    kept = np.array(kept)
    weights = weights_of(kept, unrelated)
    order = np.argsort(kept)
    assert (np.diff(weights[order]) >= -1e-12).all()
    assert weights.mean() == pytest.approx(max(0.0, (kept.mean() - unrelated) / (1 - unrelated)))
