"""Measures of the user's own: registered, or passed as functions."""

import functools
import re

import numpy as np
import pytest

import unknot
from unknot.metrics import ScoreResult, Scores, measure, measure_names, register, unregister

FAST = {"n_resamples": 20, "n_permutations": 4}


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 30)
    return rng.normal(size=(60, 3)) + 4.0 * (labels == "b")[:, None], labels


@pytest.fixture
def margin():
    @register("margin", title="mean margin", family="gaps", higher_is_better=True, low=0.0)
    def margin(points, labels):
        means = [points[labels == c].mean(axis=0) for c in np.unique(labels)]
        return float(np.linalg.norm(means[0] - means[1]))

    yield margin
    unregister("margin")


def test_a_registered_measure_is_as_the_others(data, margin):
    points, labels = data
    score = measure(points, labels, measures=["margin", "nc1"], **FAST)["margin"]
    assert score.value == pytest.approx(margin(points, labels))
    assert score.null < score.value / 2
    assert (score.title, score.family, score.space) == ("mean margin", "gaps", "native")
    assert (score.range, score.higher_is_better) == ((0.0, np.inf), True)
    assert score.interval is None
    assert "returned none" in score.no_interval
    assert "margin" in measure(points, labels, **FAST)
    assert list(measure(points, labels, measures="gaps", **FAST)) == ["margin"]
    assert list(measure(points, labels, measures=[margin], **FAST)) == ["margin"]
    assert measure_names()["margin"] == "mean margin"


def test_functions_may_be_passed_and_get_copies_as_they_were_given(data):
    points, labels = data
    points = points + 1e6  # what the other measures see is moved
    seen = {}

    def spoiling(points, labels):
        seen.setdefault("points", points.copy())
        seen.setdefault("labels", labels.copy())
        points[:] = 0
        labels[:] = "b"
        return 1

    scores = measure(points, labels, measures=["nc1", spoiling], **FAST)
    assert np.array_equal(seen["points"], points)
    assert seen["labels"].tolist() == labels.tolist()
    assert scores["nc1"].value == measure(points, labels, measures="nc1", **FAST)["nc1"].value
    assert scores["spoiling"].value == 1.0
    measured = measure(points, labels, measures=spoiling, metric="cosine", **FAST)
    assert list(measured) == ["spoiling"]


def test_a_result_may_hold_more(data):
    points, labels = data

    def full(points, labels):
        return ScoreResult(0.5, interval=(0.25, 0.75), per_class=[0.4, 0.6], notes=("beware",))

    scores = measure(points, labels, measures=[full], **FAST)
    score = scores["full"]
    assert score.interval == (0.25, 0.75)
    assert score.per_class.tolist() == [0.4, 0.6]
    assert score.notes == ("beware",)
    assert score.range == (-np.inf, np.inf)
    again = Scores.from_json(scores.to_json())["full"]
    assert (again.value, again.range, again.interval) == (0.5, score.range, (0.25, 0.75))
    assert "beware" in str(scores)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda p, y: 1 / 0, "lambda raised ZeroDivisionError: division by zero"),
        (lambda p, y: p.missing, "lambda raised AttributeError"),
        (lambda p, y: float("nan"), "lambda returned nan, which is not finite"),
        (lambda p, y: np.inf, "lambda returned inf"),
        (lambda p, y: None, "lambda returned None, which is no number"),
        (lambda p, y: "0.5", "lambda returned '0.5', which is no number"),
        (lambda p, y: 1j, "which is no number"),
        (lambda p, y: p, "lambda returned ndarray, which is no number"),
        (lambda p: 1.0, "lambda raised TypeError"),
        (lambda p, y: ScoreResult(1.0, per_class=[1]), "shape .1,.; it must be one for each of th"),
        (lambda p, y: ScoreResult(1.0, interval=(2, 1)), "low must not exceed high"),
    ],
)
def test_a_measure_that_fails_is_skipped_with_its_name_and_the_others_go_on(data, function, why):
    scores = measure(*data, measures=["nc1", function], **FAST)
    assert list(scores) == ["nc1"]
    assert re.search(why, scores.skipped["lambda"]), scores.skipped


def test_names_that_clash_or_do_not_exist_are_refused(data, margin):
    def silhouette(points, labels):
        return 0.0

    with pytest.raises(ValueError, match="the function 'silhouette' has the name of another"):
        measure(*data, measures=[silhouette])
    with pytest.raises(ValueError, match="'nc1' is a built-in measure"):
        register("nc1")
    with pytest.raises(ValueError, match="'collapse' is a built-in measure"):
        register("collapse")
    with pytest.raises(ValueError, match="identifier, such as 'margin'; got 'a b'"):
        register("a b")
    with pytest.raises(ValueError, match="registered as 'margin' already"):
        register("margin")(lambda points, labels: 0.0)
    with pytest.raises(ValueError, match="low must be below high"):
        register("mine", low=1, high=1)
    with pytest.raises(KeyError, match="no measure is registered as 'mine'"):
        unregister("mine")
    with pytest.raises(TypeError, match="measures must be names of measures, or functions"):
        measure(*data, measures=[3])
    names = list(measure(*data, measures=[lambda p, y: 1, lambda p, y: 2], **FAST))
    assert names == ["lambda", "lambda_2"]
    partial = functools.partial(silhouette, points=None)
    with pytest.raises(ValueError, match="'silhouette' has the name"):
        measure(*data, measures=[partial])


def test_on_the_map_too(data):
    points, labels = data
    register("width", space="both")(lambda points, labels: points.shape[1])
    try:
        scores = measure(points, labels, points[:, :2], measures=["width", "map_width"], **FAST)
        assert (scores["width"].value, scores["map_width"].value) == (3.0, 2.0)
        assert measure_names()["map_width"] == "width, on the map"
    finally:
        unregister("width")


def test_a_value_outside_of_its_range_is_noted(data, margin):
    points, labels = data
    register("share", low=0, high=1)(lambda points, labels: 1.5)
    try:
        (note,) = measure(points, labels, measures="share", **FAST)["share"].notes
        assert "outside of the stated range from 0 to 1" in note
    finally:
        unregister("share")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_measured_as_the_same_values_in_float32(data, dtype):
    points, labels = data
    if dtype == "float16":
        half = points.astype(np.float16)
    else:
        half = points.astype(pytest.importorskip("ml_dtypes").bfloat16)
    wide = half.astype(np.float32)
    names = ["neighborhood_hit", "nc1", "silhouette"]
    wanted = measure(wide, labels, measures=names, **FAST)
    for given in (half, list(half)):
        found = measure(given, labels, measures=names, **FAST)
        assert [found[name].value for name in names] == [wanted[name].value for name in names]
        graph = unknot.nearest_neighbors(given, 5)
        assert np.array_equal(graph.distances, unknot.nearest_neighbors(wide, 5).distances)
        tsne = unknot.TSNE(perplexity=5, max_iter=250, random_state=0)
        assert np.array_equal(tsne.fit_transform(given), tsne.fit_transform(wide))
