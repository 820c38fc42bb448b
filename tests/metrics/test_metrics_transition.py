import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

import unknot
from unknot.metrics import (
    MEASURES,
    MeasureWarning,
    Previous,
    Scores,
    UndefinedMeasureError,
    displacement,
    kept_neighbors,
    measure,
    movement_correlation,
    mutual_knn,
    needless_movement,
)
from unknot.metrics._shared.neighbor_influence import count_returned
from unknot.metrics._shared.transition_influence import (
    LeastChanged,
    NeighborChanges,
    RankCorrelation,
    mean_influence,
    null_of_kept,
    radius_influence,
)
from unknot.metrics._shared.transitions import moves, squares_about_center
from unknot.neighbors import NeighborGraph

NAMES = ["kept_neighbors", "displacement", "needless_movement", "movement_correlation"]


def layers(rng, n=300):
    """Points of a layer and the one before, their maps, and labels."""
    fixed = np.random.default_rng(3)
    labels = rng.integers(5, size=n)
    before = rng.normal(size=(n, 8)) + 1.5 * fixed.normal(size=(5, 8))[labels]
    points = np.tanh(before @ fixed.normal(size=(8, 8)) / np.sqrt(8.0))
    points += 0.3 * rng.normal(size=(n, 8))
    map_before = before @ fixed.normal(size=(8, 2))
    map_ = map_before + 1.5 * points @ fixed.normal(size=(8, 2)) + 0.3 * rng.normal(size=(n, 2))
    return points, before, map_, map_before, labels


def measured(points, before, map_, map_before, labels, k=60, **options):
    previous = Previous(unknot.nearest_neighbors(before, k), map_before)
    graph = unknot.nearest_neighbors(points, k)
    return measure(points, labels, map_, "transition", previous=previous, graph=graph, **options)


def without_each(function, n):
    """By how much each sample shifts a measure, by leaving it out: the jackknife's values."""
    everything = np.arange(n)
    left = np.array([function(everything[everything != i]) for i in range(n)])
    return (n - 1) / n * (left.mean() - left)


def test_kept_neighbors_are_those_that_two_layers_agree_on():
    points, before, _, _, labels = layers(np.random.default_rng(0))
    found = kept_neighbors(points, before, labels, k=12)
    assert found.value == mutual_knn(points, before, k=12).value
    assert found.chance == 12 / 299
    assert found.per_class == pytest.approx(
        [found.per_point[labels == code].mean() for code in range(5)]
    )
    assert kept_neighbors(points, before, k=12).per_class is None


def test_displacement_is_that_of_the_maps():
    _, _, map_, map_before, labels = layers(np.random.default_rng(1))
    found = displacement(map_, map_before, labels)
    assert found.value == pytest.approx(unknot.projection.displacement(map_, map_before), rel=1e-12)
    assert found.per_point.mean() == pytest.approx(found.value)


def test_the_quarter_that_changed_least_shares_its_last_places():
    # Eight samples, of which two count. The first kept most; three are tied for the second place.
    kept = np.array([0.9, 0.5, 0.5, 0.5, 0.2, 0.2, 0.1, 0.0])
    map_ = np.array([[1.0, 0.0], [-1.0, 0.0]] * 4)
    # They move by 1, 2, 4, 6 and more radii: (1 + (2 + 4 + 6) / 3) / 2.
    steps = np.array([1.0, 2.0, 4.0, 6.0, 9.0, 9.0, 9.0, 9.0])
    before = map_ + np.stack([np.zeros(8), steps], axis=1)
    found = needless_movement(map_, before, kept, [0, 0, 0, 0, 1, 1, 1, 1])
    assert found.value == pytest.approx(2.5)
    assert found.per_point[:4].tolist() == [1.0, 2.0, 4.0, 6.0]
    assert np.isnan(found.per_point[4:]).all()
    # Of each class's four samples one counts: the first; and two for the place of the first.
    assert found.per_class.tolist() == [1.0, 9.0]
    assert not found.higher_is_better


def test_if_all_changed_alike_needless_movement_is_the_displacement_and_says_so():
    _, _, map_, map_before, _ = layers(np.random.default_rng(2))
    with pytest.warns(MeasureWarning, match="300 of 300 samples kept the same share"):
        found = needless_movement(map_, map_before, np.full(300, 0.5))
    assert found.value == pytest.approx(displacement(map_, map_before).value)


@pytest.mark.parametrize("levels", [3, 31, 10**6])
def test_the_movement_correlation_is_spearmans(levels):
    rng = np.random.default_rng(4)
    _, _, map_, map_before, labels = layers(rng)
    kept = rng.integers(levels, size=300) / levels
    found = movement_correlation(map_, map_before, kept, labels)
    moved = displacement(map_, map_before).per_point
    assert found.value == pytest.approx(spearmanr(moved, 1.0 - kept).statistic)
    assert found.per_point.mean() == pytest.approx(found.value)
    for code in range(5):
        own = labels == code
        expected = spearmanr(moved[own], 1.0 - kept[own]).statistic
        assert found.per_class[code] == pytest.approx(expected)


def test_classes_too_small_for_a_correlation_have_none():
    rng = np.random.default_rng(5)
    _, _, map_, map_before, _ = layers(rng)
    labels = np.array(["few"] * 2 + ["many"] * 298)
    kept = rng.random(300)
    with pytest.warns(MeasureWarning, match="1 of 2 classes have no rank correlation.*few"):
        found = movement_correlation(map_, map_before, kept, labels)
    assert np.isnan(found.per_class[0])
    assert np.isfinite(found.per_class[1])


def test_the_null_of_kept_neighbors_is_that_of_all_permutations():
    # Six samples, two neighbors each.
    first = np.array([[1, 2], [0, 2], [1, 3], [4, 2], [3, 5], [4, 3]])
    second = np.array([[5, 1], [0, 3], [4, 0], [1, 2], [2, 5], [0, 4]])
    a, b = (np.zeros((6, 6), dtype=int) for _ in range(2))
    for matrix, neighbors in ((a, first), (b, second)):
        matrix[np.arange(6)[:, None], neighbors] = 1
    values = [
        (a * b[np.ix_(order, order)]).sum() / 12
        for order in map(list, itertools.permutations(range(6)))
    ]
    mean, deviation = null_of_kept(first, second)
    assert mean == pytest.approx(np.mean(values), abs=1e-12)
    assert mean == pytest.approx(2 / 5)
    assert deviation == pytest.approx(np.std(values), abs=1e-12)
    # The smallest graphs.
    assert null_of_kept(np.array([[1], [0]]), np.array([[1], [0]])) == (1.0, 0.0)
    assert null_of_kept(first[:3] % 3, first[:3] % 3)[1] >= 0.0


def test_the_null_of_a_correlation_is_that_of_all_permutations():
    x, y = np.array([0.3, 0.1, 0.1, 0.9, 0.5, 0.2]), np.array([1.0, 1.0, 0.0, 2.0, 2.0, 2.0])
    values = [
        RankCorrelation(x, y[list(order)]).value for order in itertools.permutations(range(6))
    ]
    assert np.mean(values) == pytest.approx(0.0, abs=1e-12)
    assert np.std(values) == pytest.approx(1 / np.sqrt(5))


@pytest.mark.parametrize("levels", [4, 31, 10**6])
def test_the_correlations_influence_is_what_leaving_a_sample_out_shows(levels):
    rng = np.random.default_rng(6)
    x = rng.random(200)
    y = np.floor((0.5 * x + rng.random(200)) * levels)
    influence = RankCorrelation(x, y).influence()
    jackknife = without_each(lambda rows: RankCorrelation(x[rows], y[rows]).value, 200)
    assert np.corrcoef(influence, jackknife)[0, 1] > 0.998
    assert influence.std() == pytest.approx(jackknife.std(), rel=0.03)
    assert abs(influence.sum()) < 1e-12


def test_a_correlations_slopes_are_what_moving_a_sample_shows():
    rng = np.random.default_rng(7)
    x, y = rng.random(400), rng.integers(20, size=400)
    slopes = RankCorrelation(x, y).slopes()
    value = []
    for i in range(400):
        moved = [y.copy(), y.copy()]
        moved[0][i], moved[1][i] = min(y[i] + 1, 19), max(y[i] - 1, 0)
        change = RankCorrelation(x, moved[0]).value - RankCorrelation(x, moved[1]).value
        value.append(change / (moved[0][i] - moved[1][i]))
    assert np.corrcoef(slopes, value)[0, 1] > 0.999
    assert slopes.std() == pytest.approx(np.std(value), rel=0.02)


def test_the_displacements_influence_is_what_leaving_a_sample_out_shows():
    _, _, map_, before, _ = layers(np.random.default_rng(8), n=200)
    squares = squares_about_center(map_)
    moved = moves(map_, before)
    influence = mean_influence(moved) + radius_influence(moved.mean(), squares / squares.mean())
    jackknife = without_each(lambda rows: moves(map_[rows], before[rows]).mean(), 200)
    assert np.corrcoef(influence, jackknife)[0, 1] > 0.999
    assert influence.std() == pytest.approx(jackknife.std(), rel=0.02)


def test_the_needless_movements_influence_is_what_leaving_a_sample_out_shows():
    rng = np.random.default_rng(9)
    kept, moved = rng.integers(9, size=400) / 8, rng.random(400)
    influence = LeastChanged.of(kept).influence(moved)
    jackknife = without_each(lambda rows: LeastChanged.of(kept[rows]).mean(moved[rows]), 400)
    assert np.corrcoef(influence, jackknife)[0, 1] > 0.999
    assert influence.std() == pytest.approx(jackknife.std(), rel=0.02)
    assert abs(influence.sum()) < 1e-12


def test_the_influence_of_neighbors_is_what_leaving_a_sample_out_shows():
    points, before, *_ = layers(np.random.default_rng(10), n=250)
    graphs = [unknot.nearest_neighbors(each, 40).indices for each in (points, before)]
    changes = NeighborChanges(*graphs, 30)
    through, twice = changes.through(np.full(250, 1 / 250))
    kept = kept_neighbors(points, before)
    influence = mean_influence(kept.per_point) + through

    def left(rows):
        return kept_neighbors(points[rows], before[rows]).value

    jackknife = without_each(left, 250)
    # The jackknife replaces a neighbor by the very next one, the influence by an average one.
    assert np.corrcoef(influence, jackknife)[0, 1] > 0.9
    assert influence.std() == pytest.approx(jackknife.std(), rel=0.15)
    # What is counted twice, from the whole matrix.
    z = np.zeros((250, 250))
    for i in range(250):
        for near, other in (graphs, graphs[::-1]):
            inside = np.isin(near[i, :40], other[i, :30])
            about = inside[20:40].mean()
            z[i, near[i, :30]] += (0.5 * inside[:30] - about) / 30
    assert twice == pytest.approx(((z**2).sum() + (z * z.T).sum()) / 250**2)
    assert through == pytest.approx(z.sum(axis=0) / 250 - z.sum() / 250**2)


@pytest.mark.parametrize("width", [1, 2, 5, 30])
def test_graphs_without_next_neighbors_have_influences_too(width):
    points, before, map_, map_before, labels = layers(np.random.default_rng(11))
    scores = measured(points, before, map_, map_before, labels, k=max(width, 10))
    assert scores["kept_neighbors"].interval[0] < scores["kept_neighbors"].value
    graphs = [unknot.nearest_neighbors(each, width).indices for each in (points, before)]
    through, twice = NeighborChanges(*graphs, 30).through(np.ones(300))
    assert np.isfinite(through).all()
    assert twice >= 0.0


def test_intervals_hold_the_mean_over_new_samples():
    """Of 80 samples: the known coverage of 95 % is from 88 to 100 % in 99 of 100 such tests."""
    rows = []
    for seed in range(80):
        points, before, map_, map_before, labels = layers(np.random.default_rng([1, seed]), n=400)
        rows.append(measured(points, before, map_, map_before, labels, n_permutations=0))
    for name in NAMES:
        value = np.array([row[name].value for row in rows])
        low, high = np.array([row[name].interval for row in rows]).T
        held = np.mean((low <= value.mean()) & (value.mean() <= high))
        errors = np.array([row[name].standard_error for row in rows])
        assert 0.87 <= held <= 1.0, (name, held)
        assert 0.8 < errors.mean() / value.std(ddof=1) < 1.3, name


def test_every_score_of_a_transition_has_all_that_is_said_of_it():
    points, before, map_, map_before, labels = layers(np.random.default_rng(12))
    scores = measured(points, before, map_, map_before, labels)
    assert list(scores) == NAMES
    assert not scores.skipped
    for name, score in scores.items():
        low, high = score.interval
        assert score.range[0] <= low < score.value < high <= score.range[1], name
        assert score.per_class.shape == (5,)
        assert score.influence.shape == (300,)
        assert abs(score.influence.sum()) < 1e-9
        assert score.null_sd > 0
        assert score.given_map == (name != "kept_neighbors")
    assert scores["kept_neighbors"].null == pytest.approx(30 / 299)
    assert scores["movement_correlation"].null == 0.0
    assert scores["movement_correlation"].null_sd == pytest.approx(1 / np.sqrt(299))
    directions = {name: score.higher_is_better for name, score in scores.items()}
    assert directions == dict(zip(NAMES, [None, None, False, True], strict=True))
    assert Scores.from_json(scores.to_json()).to_json() == scores.to_json()
    assert "of transitions of the samples of the layer before" in " ".join(str(scores).split())


def test_unrelated_layers_score_as_by_chance():
    rng = np.random.default_rng(13)
    points, before = rng.normal(size=(500, 5)), rng.normal(size=(500, 5))
    labels = np.arange(500) % 2
    scores = measured(points, before, points[:, :2], before[:, :2], labels)
    for name, score in scores.items():
        assert abs(score.value - score.null) < 4 * score.null_sd, name


def test_scores_are_those_of_the_functions_and_the_others_do_not_change():
    points, before, map_, map_before, labels = layers(np.random.default_rng(14))
    previous = Previous(unknot.nearest_neighbors(before, 60), map_before, "conv1")
    options = {"n_permutations": 2, "n_resamples": 5, "n_draws": 10}
    plain = measure(points, labels, map_, **options)
    scores = measure(points, labels, map_, previous=previous, **options)
    assert [name for name in scores if name not in plain] == NAMES
    for name, score in plain.items():
        assert scores[name].value == score.value
        assert scores[name].interval == score.interval
    assert scores.settings["previous"] == "conv1"
    kept = kept_neighbors(points, before, labels)
    assert scores["kept_neighbors"].value == kept.value
    assert scores["displacement"].value == displacement(map_, map_before).value
    found = needless_movement(map_, map_before, kept, labels)
    assert scores["needless_movement"].value == found.value
    assert scores["needless_movement"].per_class == pytest.approx(found.per_class)
    found = movement_correlation(map_, map_before, kept)
    assert scores["movement_correlation"].value == found.value


def test_labels_may_be_numbers():
    points, before, map_, map_before, _ = layers(np.random.default_rng(15))
    classes = measured(points, before, map_, map_before, np.arange(300) % 3)
    numbers = measured(points, before, map_, map_before, points[:, 0])
    for name in NAMES:
        assert numbers[name].value == classes[name].value
        assert numbers[name].per_class is None


def test_without_the_layer_before_they_are_left_out_with_the_reason():
    points, before, map_, map_before, labels = layers(np.random.default_rng(16), n=60)
    fast = {"n_permutations": 0, "n_resamples": 0, "n_draws": 5}
    by_default = measure(points, labels, map_, **fast)
    assert not set(NAMES) & (by_default.keys() | by_default.skipped.keys())
    named = measure(points, labels, map_, ["needless_movement", "nc1"], **fast)
    assert named.skipped == {"needless_movement": "it needs the layer before: pass previous="}
    graph = unknot.nearest_neighbors(before, 40)
    no_map = measure(points, labels, map_, "transition", previous=Previous(graph), **fast)
    assert list(no_map) == ["kept_neighbors"]
    why = "it needs the map of the layer before: pass previous= with a map"
    assert no_map.skipped == dict.fromkeys(NAMES[1:], why)
    previous = Previous(graph, map_before)
    own = measure(points, labels, None, "transition", previous=previous, **fast)
    assert set(own.skipped.values()) == {"it needs a map of the points: pass map="}
    with pytest.raises(ValueError, match="displacement needs a map of the points: pass map="):
        measure(points, labels, None, "displacement", previous=previous)


def test_a_layer_before_that_does_not_fit_is_refused():
    points, before, map_, map_before, labels = layers(np.random.default_rng(17), n=60)
    graph = unknot.nearest_neighbors(before, 40)
    with pytest.raises(TypeError, match="graph must be a NeighborGraph; got ndarray"):
        Previous(before)
    with pytest.raises(ValueError, match="map must hold the 60 samples of the graph; it holds 59"):
        Previous(graph, map_before[1:])
    bad = map_before.copy()
    bad[3, 0] = np.nan
    with pytest.raises(ValueError, match="Previous: map"):
        Previous(graph, bad)
    with pytest.raises(
        TypeError, match=r"previous must be an unknot\.metrics\.Previous.*got tuple"
    ):
        measure(points, labels, map_, previous=(graph, map_before))
    other = unknot.nearest_neighbors(before[:50], 40)
    with pytest.raises(ValueError, match="the same 60 samples; its graph holds 50"):
        measure(points, labels, map_, previous=Previous(other))
    with pytest.raises(ValueError, match="of the metric 'cosine'; got one of 'euclidean'"):
        measure(points, labels, map_, previous=Previous(graph), metric="cosine")
    three = np.column_stack([map_before, map_before[:, 0]])
    with pytest.raises(ValueError, match=r"the shape of map, \(60, 2\); got \(60, 3\)"):
        measure(points, labels, map_, previous=Previous(graph, three))
    with pytest.raises(ValueError, match=r"kept must be from 0 to 1; sample 2 has 1\.5"):
        needless_movement(map_, map_before, np.where(np.arange(60) == 2, 1.5, 0.5))
    with pytest.raises(ValueError, match=r"kept must have the shape \(60,\)"):
        movement_correlation(map_, map_before, np.ones(59))
    with pytest.raises(ValueError, match="must have the same samples; got 60 and 59"):
        kept_neighbors(points, before[1:])
    with pytest.raises(ValueError, match="the same samples and have as many components"):
        displacement(map_, three)


def test_what_is_undefined_has_a_reason():
    points, _, map_, map_before, labels = layers(np.random.default_rng(18), n=60)
    with pytest.raises(UndefinedMeasureError, match="all points of the map coincide"):
        displacement(np.ones((60, 2)), map_before)
    kept = np.arange(60) / 60
    with pytest.raises(UndefinedMeasureError, match="all samples moved equally far"):
        movement_correlation(map_, map_, kept)
    with pytest.raises(UndefinedMeasureError, match="all samples kept as many neighbors"):
        movement_correlation(map_, map_before, np.full(60, 0.5))
    scores = measured(points, points, map_, map_, labels, k=40)
    assert scores["kept_neighbors"].value == 1.0
    # Wilson's interval of 60 samples.
    assert scores["kept_neighbors"].interval == pytest.approx((60 / 63.8414588, 1.0))
    assert scores["displacement"].value == scores["needless_movement"].value == 0.0
    assert scores.skipped["movement_correlation"].startswith("all samples moved equally far")


def test_maps_that_are_not_aligned_are_named():
    _, _, map_, map_before, _ = layers(np.random.default_rng(19))
    turned = map_before @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    with pytest.warns(MeasureWarning, match="the maps are not aligned: turned onto each other"):
        wrong = displacement(map_, turned)
    aligned = unknot.projection.align_map(turned, map_)
    assert displacement(map_, aligned).value < 0.8 * wrong.value


def test_ties_at_the_last_neighbor_are_named():
    rng = np.random.default_rng(20)
    points = rng.integers(3, size=(120, 2)).astype(float)
    with pytest.warns(MeasureWarning, match="samples have more neighbors .* in the layer before"):
        kept_neighbors(rng.normal(size=(120, 2)), points)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), angle=st.floats(0, 6), scale=st.floats(0.01, 100))
def test_neither_order_nor_place_nor_unit_of_the_maps_matter(seed, angle, scale):
    rng = np.random.default_rng(seed)
    points, before, map_, map_before, labels = layers(rng, n=80)
    scores = measured(points, before, map_, map_before, labels, k=40, n_permutations=0)
    order = rng.permutation(80)
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    again = measured(
        *(each[order] for each in (points, before, map_ @ turn + 5.0, map_before @ turn + 5.0)),
        labels[order],
        k=40,
        n_permutations=0,
    )
    for name, score in scores.items():
        assert again[name].value == pytest.approx(score.value, rel=1e-6)
        assert again[name].per_class == pytest.approx(score.per_class, rel=1e-6, nan_ok=True)
        assert again[name].standard_error == pytest.approx(score.standard_error, rel=1e-4)
        assert again[name].influence == pytest.approx(score.influence[order], abs=1e-6)


def test_the_same_seed_gives_the_same_for_any_number_of_threads():
    given_ = layers(np.random.default_rng(21))
    one, two = (measured(*given_, n_jobs=n_jobs) for n_jobs in (1, 2))
    for name in NAMES:
        assert one[name].value == two[name].value
        assert one[name].interval == two[name].interval
        assert one[name].null_interval == two[name].null_interval


def test_only_these_are_of_the_layer_before():
    assert [entry.name for entry in MEASURES if entry.of_previous] == NAMES
    assert {entry.labels for entry in MEASURES if entry.of_previous} == {"any"}


def test_returned_neighbors_are_counted_as_in_the_matrix():
    points, *_ = layers(np.random.default_rng(22), n=50)
    graph = unknot.nearest_neighbors(points, 8)
    assert isinstance(graph, NeighborGraph)
    matrix = np.zeros((50, 50), dtype=int)
    matrix[np.arange(50)[:, None], graph.indices] = 1
    assert count_returned(graph.indices).tolist() == (matrix * matrix.T).sum(axis=1).tolist()


def slow_twin(near, near_before, map_, before, labels):
    """All four scores and those of classes, a sample at a time, with exact fractions of ranks."""
    n, k = near.shape
    kept = [len(set(near[i]) & set(near_before[i])) / k for i in range(n)]
    center = map_.mean(axis=0)
    radius = np.sqrt(sum(((row - center) ** 2).sum() for row in map_) / n)
    moved = [np.sqrt(((a - b) ** 2).sum()) / radius for a, b in zip(map_, before, strict=True)]

    def rank(values, i):
        below = sum(value < values[i] for value in values)
        return below + (sum(value == values[i] for value in values) - 1) / 2

    def needless(rows):
        # Samples with the same share have the same part in what is left of the quarter.
        left, total = len(rows) / 4, 0.0
        for share in sorted({kept[i] for i in rows}, reverse=True):
            tied = [i for i in rows if kept[i] == share]
            taken = min(left, len(tied))
            total += taken * np.mean([moved[i] for i in tied])
            left -= taken
        return total / (len(rows) / 4)

    def correlation(rows):
        changed, far = [1 - kept[i] for i in rows], [moved[i] for i in rows]
        ranks = [[rank(values, i) for i in range(len(rows))] for values in (changed, far)]
        if len(rows) < 3 or min(np.ptp(each) for each in ranks) == 0:
            return np.nan
        return np.corrcoef(ranks)[0, 1]

    classes = [[i for i in range(n) if labels[i] == code] for code in sorted(set(labels))]
    functions = {
        "kept_neighbors": lambda rows: np.mean([kept[i] for i in rows]),
        "displacement": lambda rows: np.mean([moved[i] for i in rows]),
        "needless_movement": needless,
        "movement_correlation": correlation,
    }
    everything = list(range(n))
    return {
        name: (function(everything), [function(rows) for rows in classes])
        for name, function in functions.items()
    }


@pytest.mark.filterwarnings("ignore::unknot.metrics.MeasureWarning")
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(9, 60),
    n_classes=st.integers(2, 4),
    changed=st.sampled_from([0.0, 0.1, 1.0, 10.0]),
    rounded=st.booleans(),
)
def test_all_scores_are_those_of_the_slow_twin(seed, n, n_classes, changed, rounded):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n - n_classes)])
    before = rng.normal(size=(n, 3))
    points = before + changed * rng.normal(size=(n, 3))
    map_before, map_ = before[:, :2], before[:, :2] + changed * rng.normal(size=(n, 2))
    if rounded:  # many samples move equally far
        map_before, map_ = np.round(map_before), np.round(map_)
    found = measured(points, before, map_, map_before, labels, k=min(40, n - 1))
    graphs = [unknot.nearest_neighbors(each, min(40, n - 1)) for each in (points, before)]
    k = min(30, n - 1)
    twin = slow_twin(
        *(graph.indices[:, :k] for graph in graphs),
        map_,
        map_before,
        labels,
    )
    for name, (value, per_class) in twin.items():
        if name not in found:
            assert name == "movement_correlation"
            assert np.isnan(value)
            continue
        assert found[name].value == pytest.approx(value, abs=1e-9)
        np.testing.assert_allclose(found[name].per_class, per_class, atol=1e-9)
        if found[name].interval is not None:
            low, high = found[name].interval
            assert low <= value <= high
        assert found[name].null is not None
