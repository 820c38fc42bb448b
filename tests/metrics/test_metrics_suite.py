import inspect
import json
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import unknot
from unknot import neighbors
from unknot.metrics import (
    MEASURES,
    MeasureWarning,
    Scores,
    measure,
    measure_names,
    neighborhood_hit,
)

FAST = {"n_resamples": 40, "n_permutations": 10, "n_draws": 30}
# Measures that do not depend on the labels, or lose nothing when they are permuted.
WITHOUT_NULL = {
    "trustworthiness",
    "continuity",
    "label_trustworthiness",
    "label_continuity",
    "two_nn",
    "participation_ratio",
    "linear_cka",
}
WITHOUT_INTERVAL = {
    "convex_hulls",
    "center_correlation",
    "manifold_capacity",
    "manifold_radius",
    "manifold_dimension",
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def blobs(rng, n=200, classes=5, features=8, apart=2.0):
    labels = np.arange(n) % classes
    points = rng.normal(size=(n, features)) + apart * np.eye(classes, features)[labels]
    return points, labels, points[:, :2] + 0.3 * rng.normal(size=(n, 2))


def test_every_measure_is_there_with_all_that_is_said_of_it(rng):
    points, labels, map_ = blobs(rng)
    scores = measure(points, labels, map_, **FAST)
    # Those of numbers instead of classes, of a head or of another layer need more than labels.
    assert list(scores) == [
        name
        for entry in MEASURES
        for name in entry.score_names
        if entry.by_default
        and entry.labels != "values"
        and not entry.of_head
        and not entry.of_previous
    ]
    assert set(scores) < set(measure_names())
    assert len(scores) == 30
    assert scores.skipped == {}
    for name, score in scores.items():
        low, high = score.range
        assert low <= score.value <= high, name
        assert score.higher_is_better in (True, False, None)
        assert (score.interval is None) == (name in WITHOUT_INTERVAL) == bool(score.no_interval)
        if score.interval:
            below, above = score.interval
            assert low <= below <= score.value <= above <= high, name
        assert (score.null is None) == (name in WITHOUT_NULL) == bool(score.no_null), name
        if score.null_interval:
            assert score.null_interval[0] <= score.null <= score.null_interval[1]
        if score.per_class is not None:
            assert score.per_class.shape == (5,)
        if score.per_pair is not None:
            assert score.per_pair.shape == (5, 5)
        assert score.seconds >= 0
    assert scores["neighborhood_hit"].per_class is not None
    assert scores["neighbor_confusion"].per_pair is not None
    assert scores["map_silhouette"].space == "map"


# Fewer samples than features, and more.
@pytest.mark.parametrize("features", [8, 300])
def test_what_memory_held_before_has_no_influence(rng, features, request):
    points, labels, map_ = blobs(rng, features=features)
    before = measure(points, labels, map_, **FAST)
    request.getfixturevalue("poisoned_memory")
    after = measure(points, labels, map_, **FAST)
    for name, score in before.items():
        np.testing.assert_equal(after[name].value, score.value, err_msg=name)
        np.testing.assert_equal(after[name].interval, score.interval, err_msg=name)
        np.testing.assert_equal(after[name].per_class, score.per_class, err_msg=name)


def test_scores_are_those_of_the_functions(rng):
    points, labels, map_ = blobs(rng)
    scores = measure(points, labels, map_, n_resamples=0, n_permutations=0)
    for name in ("silhouette", "davies_bouldin", "calinski_harabasz", "nc1", "nc2"):
        function = getattr(unknot.metrics, name)
        assert scores[name].value == pytest.approx(function(points, labels).value, rel=1e-12)
    for name in ("distance_consistency", "linear_probe", "class_distance_variance"):
        function = getattr(unknot.metrics, name)
        assert float(scores[name]) == float(function(points, labels))
    for name in ("convex_hulls", "peeled_hulls", "best_ellipses"):
        assert scores[name].value == getattr(unknot.metrics, name)(map_, labels).value
    for name in ("trustworthiness", "continuity", "linear_cka"):
        assert scores[name].value == getattr(unknot.metrics, name)(points, map_).value
    for name in ("class_trustworthiness", "class_continuity", "label_trustworthiness"):
        assert scores[name].value == getattr(unknot.metrics, name)(points, map_, labels).value
    for name in ("two_nn", "participation_ratio"):
        assert scores[name].value == getattr(unknot.metrics, name)(points).value
    assert scores["map_neighborhood_hit"].value == neighborhood_hit(map_, labels).value
    capacity = unknot.metrics.manifold_capacity(points, labels, random_state=0)
    assert scores["manifold_radius"].value == capacity.radius
    assert scores["nc1"].no_interval == "n_resamples is 0"
    assert scores["nc1"].no_null == "n_permutations is 0"


@pytest.mark.parametrize("seed", range(2))
def test_shuffled_labels_score_as_by_chance(seed):
    rng = np.random.default_rng(seed)
    points, labels, map_ = blobs(rng, n=300)
    scores = measure(points, rng.permutation(labels), map_, n_permutations=40, n_resamples=0)
    for name, score in scores.items():
        if score.null is None:
            continue
        # Within the range of 40 permutations, widened by its half on either side.
        low, high = score.null_interval
        slack = 0.75 * (high - low) + 1e-9
        assert low - slack <= score.value <= high + slack, (name, score.value, low, high)


def test_separated_classes_do_better_than_by_chance(rng):
    points, labels, _ = blobs(rng, apart=4.0)
    scores = measure(points, labels, points[:, :2], **FAST)
    for name, score in scores.items():
        if score.null is None or score.family == "faithfulness" or name == "center_correlation":
            continue
        if score.higher_is_better:
            assert score.value > score.null_interval[1], name
        else:
            assert score.value < score.null_interval[0], name


def test_the_same_seed_gives_the_same_for_any_number_of_threads(rng):
    points, labels, map_ = blobs(rng, n=400)
    arguments = {**FAST, "max_samples": 100}

    def comparable(**more):
        values = measure(points, labels, map_, **arguments, **more).to_dict()
        del values["shared_seconds"]
        for score in values["scores"]:
            del score["seconds"]
        return values

    assert comparable(n_jobs=1) == comparable(n_jobs=3)
    other = comparable(random_state=1)
    intervals = [
        next(score["interval"] for score in found["scores"] if score["name"] == "silhouette")
        for found in (other, comparable())
    ]
    assert intervals[0] != intervals[1]


def test_without_a_seed_one_is_drawn_and_recorded(rng):
    points, labels, _ = blobs(rng)
    first, second = (
        measure(points, labels, measures="silhouette", random_state=None, **FAST) for _ in range(2)
    )
    assert first.settings["random_state"] != second.settings["random_state"]
    again = measure(
        points,
        labels,
        measures="silhouette",
        random_state=first.settings["random_state"],
        **FAST,
    )
    assert again["silhouette"].interval == first["silhouette"].interval


def test_random_state_has_one_default():
    for name in unknot.metrics.__all__:
        function = getattr(unknot.metrics, name)
        parameters = inspect.signature(function).parameters if inspect.isfunction(function) else {}
        if "random_state" in parameters:
            assert parameters["random_state"].default == 0, name


def test_neighbors_are_searched_once_in_each_space_and_not_if_given(rng, monkeypatch):
    points, labels, map_ = blobs(rng)
    calls = []
    search = neighbors.nearest_neighbors

    def counted(points, *args, **kwargs):
        calls.append(points.shape[1])
        return search(points, *args, **kwargs)

    monkeypatch.setattr(neighbors, "nearest_neighbors", counted)
    scores = measure(points, labels, map_, **FAST)
    # And once more by the other metric, which the note on their difference needs.
    assert sorted(calls) == [2, 8, 8]
    calls.clear()
    graphs = {"graph": search(points, 12), "map_graph": search(map_, 15)}
    again = measure(points, labels, map_, **FAST, **graphs)
    assert calls == [8]
    assert again["neighborhood_hit"].value == scores["neighborhood_hit"].value
    with pytest.raises(ValueError, match="graph must hold at least k = 10 neighbors; it holds 8"):
        measure(points, labels, graph=search(points, 8))


def test_nothing_as_large_as_all_pairs_is_allocated(rng):
    points, labels, map_ = blobs(rng, n=6000, features=20)
    measure(points[:200], labels[:200], map_[:200], **FAST)  # compile first
    tracemalloc.start()
    try:
        measure(points, labels, map_, max_samples=300, **FAST)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # All pairs in float64 would be 288 MB.
    assert peak < 100e6


def test_names_and_families_choose(rng):
    points, labels, map_ = blobs(rng)
    chosen = measure(points, labels, map_, "neighborhood_hit", **FAST)
    assert list(chosen) == ["neighborhood_hit"]
    chosen = measure(points, labels, map_, ["collapse", "map_silhouette"], **FAST)
    assert list(chosen) == ["map_silhouette", "nc1", "nc2", "class_distance_variance"]
    with pytest.raises(KeyError, match="two_nn was not measured; there are map_silhouette, nc1"):
        chosen["two_nn"]


def test_an_unknown_name_is_refused_with_the_nearest(rng):
    points, labels, _ = blobs(rng)
    with pytest.raises(ValueError, match=r"got 'silhouete'; did you mean 'silhouette'\?"):
        measure(points, labels, measures=["silhouete"])


def test_what_needs_a_map_is_skipped_or_refused(rng):
    points, labels, _ = blobs(rng)
    scores = measure(points, labels, **FAST)
    assert "map_neighborhood_hit" not in scores
    assert "needs a map" in scores.skipped["trustworthiness"]
    with pytest.raises(KeyError, match="trustworthiness was not measured: it needs a map"):
        scores["trustworthiness"]
    with pytest.raises(ValueError, match="trustworthiness needs a map of the points: pass map="):
        measure(points, labels, measures="trustworthiness")
    with pytest.raises(ValueError, match="map must have the same 200 points; it has 10"):
        measure(points, labels, points[:10, :2])


BAD = {
    "string labels": lambda x, y: (x, np.array(["ox", "cat", "dog", "hen", "ant"])[y]),
    "negative labels": lambda x, y: (x, -3 * y),
    "whole floats": lambda x, y: (x, y.astype(float)),
    "one class": lambda x, y: (x, np.zeros_like(y)),
    "a class of one point": lambda x, y: (x, np.where(np.arange(len(y)) == 7, 99, y)),
    "two classes": lambda x, y: (x, y % 2),
    "every class of one point": lambda x, y: (x, np.arange(len(y))),
    "constant features": lambda x, y: (np.where(np.arange(8) < 3, 1.5, x), y),
    "duplicate points": lambda x, y: (np.repeat(x[::4], 4, axis=0), y),
    "one feature": lambda x, y: (x[:, :1], y),
    "a dead layer": lambda x, y: (np.zeros_like(x), y),
    "a dead class": lambda x, y: (np.where((y == 0)[:, None], 0, x), y),
    "integers": lambda x, y: (np.round(x).astype(int), y),
    "huge": lambda x, y: (x * 1e15, y),
    "tiny": lambda x, y: (x * 1e-15, y),
    "far from the origin": lambda x, y: (x + 1e4, y),
    "few points": lambda x, y: (x[:4], y[:4] % 2),
    "two points": lambda x, y: (x[:2], y[:2]),
    "a hundred classes of two points": lambda x, y: (x, np.arange(len(y)) % 100),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_give_numbers_with_caveats_or_reasons(case, rng):
    # Warnings are errors in these tests: none of NumPy's reaches the user.
    points, labels, map_ = blobs(rng)
    points, labels = BAD[case](points, labels)
    arguments = {**FAST, "k": min(6, len(points) - 1)}
    scores = measure(points, labels, map_[: len(points)], **arguments)
    assert len(scores) + len(scores.skipped) == 30
    json.loads(scores.to_json())
    for name, score in scores.items():
        assert np.isfinite(score.value), name
        assert score.interval is None or np.isfinite(score.interval).all()
        assert score.null is None or np.isfinite(score.null)
        for table in (score.per_class, score.per_pair):
            # With many classes, some are not drawn.
            assert table is None or len(np.unique(labels)) > 100 or np.isfinite(table).all()
    for name, why in scores.skipped.items():
        assert len(why) > 20, name
    assert str(scores)


def test_a_dead_layer_is_said_to_be_dead(rng):
    _, labels, _ = blobs(rng)
    scores = measure(np.full((200, 8), 0.25), labels, **FAST)
    assert "the representation is dead" in scores.notes[0]
    assert "coincide" in scores.skipped["nc1"]
    assert "mean over all choices" in scores["neighborhood_hit"].notes[0]


def test_constant_features_are_counted(rng):
    points, labels, _ = blobs(rng)
    points[:, 2:5] = 7
    scores = measure(points, labels, measures="silhouette", **FAST)
    assert "3 of 8 features are constant" in scores.notes[0]


@pytest.mark.parametrize(
    ("points", "labels", "error", "match"),
    [
        (np.array([[1.0, np.nan], [0, 1]]), [0, 1], ValueError, "finite"),
        (np.eye(3), [0.0, 1.0, np.nan], ValueError, "1 missing values"),
        (np.eye(3), [0, 1], ValueError, "one label for each of the 3"),
        (np.eye(3), [0, None, 1], ValueError, "1 missing values"),
        (np.zeros((4, 2, 2)), [0, 0, 1, 1], ValueError, "reshape"),
        (np.ones((1, 3)), [0], ValueError, "at least 2 samples"),
    ],
)
def test_what_cannot_be_measured_is_refused(points, labels, error, match):
    with pytest.raises(error, match=match):
        measure(points, labels)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"k": 0}, "k must be an integer from 1 to n_samples - 1 = 199"),
        ({"max_samples": 1}, "max_samples must be an integer from 2 up, or None"),
        ({"n_resamples": -1}, "n_resamples must be an integer from 0"),
        ({"n_permutations": -1}, "n_permutations must be an integer from 0"),
        ({"random_state": -1}, "random_state must be an integer of 0 or more, or None"),
    ],
)
def test_bad_settings_are_named(arguments, match, rng):
    points, labels, _ = blobs(rng)
    with pytest.raises(ValueError, match=match):
        measure(points, labels, **arguments)


def test_scores_survive_json(rng):
    points, labels, map_ = blobs(rng)
    scores = measure(points, np.array(list("abcde"))[labels], map_, **FAST)
    again = Scores.from_json(scores.to_json())
    assert again.to_dict() == scores.to_dict()
    assert str(again) == str(scores)
    assert again["nc1"].range == (0.0, np.inf)
    assert again.classes.tolist() == list("abcde")
    old = {**scores.to_dict(), "schema": 0}
    with pytest.raises(ValueError, match="have the schema 0, and this version reads 1"):
        Scores.from_dict(old)


def test_scores_of_the_first_release_are_read(rng):
    # They have "better", "more" or "less", for `higher_is_better`, and other names of settings.
    points, labels, map_ = blobs(rng)
    scores = measure(points, labels, map_, **FAST)
    stored = scores.to_dict()
    words = {True: "more", False: "less", None: None}
    for score in stored["scores"]:
        score["better"] = words[score.pop("higher_is_better")]
    settings = stored["settings"]
    settings["k_faithful"] = settings.pop("k_faithfulness")
    settings["probe_samples"] = settings.pop("probe_max_samples")
    settings["capacity_points"] = settings.pop("capacity_max_samples_per_class")
    again = Scores.from_dict(stored)
    assert again.to_dict() == scores.to_dict()
    assert {score.higher_is_better for score in again.values()} == {True, False, None}


def test_results_and_scores_agree_which_end_is_better(rng):
    points, labels, map_ = blobs(rng)
    scores = measure(points, labels, map_, n_resamples=0, n_permutations=0)
    given = {"points": points, "labels": labels, "map_": map_, "first": points, "second": map_}
    for name in set(scores) & set(unknot.metrics.__all__):
        function = getattr(unknot.metrics, name)
        wanted = inspect.signature(function).parameters
        result = function(**{name: value for name, value in given.items() if name in wanted})
        assert result.higher_is_better is scores[name].higher_is_better, name


def test_scores_and_results_format_as_numbers(rng):
    points, labels, _ = blobs(rng)
    score = measure(points, labels, measures="neighborhood_hit", **FAST)["neighborhood_hit"]
    result = neighborhood_hit(points, labels)
    for number in (score, result):
        assert f"{number:.3f}" == f"{number.value:.3f}"
        assert f"{number:>9.1%}" == f"{number.value:>9.1%}"
        assert f"{number}" == str(number) == repr(number)
        assert float(number) == number.value
    assert repr(score).startswith(f"Score('neighborhood_hit', value={score.value:.6g}, interval=(")
    assert repr(score).endswith("range=(0, 1), higher_is_better=True)")


def test_a_renamed_method_is_named(rng):
    points, labels, _ = blobs(rng)
    scores = measure(points, labels, measures="neighborhood_hit", **FAST)
    with pytest.raises(AttributeError) as caught:
        scores.to_frame()
    assert str(caught.value) == (
        "'Scores' object has no attribute 'to_frame'; did you mean 'to_pandas'?"
    )
    with pytest.raises(AttributeError, match=r"'Scores' object has no attribute 'nothing'$"):
        scores.nothing  # noqa: B018


def test_scores_are_a_table(rng):
    points, labels, _ = blobs(rng)
    scores = measure(points, labels, measures=["neighborhood", "dimension"], **FAST)
    frame = scores.to_pandas()
    assert list(frame.index) == list(scores)
    assert frame.loc["neighborhood_hit", "value"] == scores["neighborhood_hit"].value
    assert np.isnan(frame.loc["two_nn", "null"])
    text = str(scores)
    assert "200 points x 8 features, 5 classes; k = 6" in text
    assert "Neighborhood Hit" in text
    assert f"{scores['neighborhood_hit'].value:.3f}" in text
    low, high = scores["neighborhood_hit"].interval
    assert f"[{low:.3f}, {high:.3f}]" in text
    assert "Not measured" not in text.split("dimension")[0]


def test_notes_stand_below_the_table(rng):
    points, labels, _ = blobs(rng, n=300)
    scores = measure(points, labels, measures="silhouette", max_samples=60, **FAST)
    text = " ".join(str(scores).split())
    assert "silhouette [1]" in text
    assert "[1] the silhouette is estimated from 60 of 300 points" in text


def test_no_warning_of_a_measure_is_given_twice(rng):
    # In one call they are notes; the functions themselves warn.
    points, labels, _ = blobs(rng)
    measure(points, labels * 0, **FAST)
    with pytest.warns(MeasureWarning):
        neighborhood_hit(points, labels * 0)


def test_importing_the_measures_imports_nothing_heavy():
    code = (
        "import sys, unknot; unknot.metrics.measure; "
        "print([m for m in ('numba', 'sklearn', 'scipy', 'pandas', 'matplotlib', 'rich') "
        "if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
